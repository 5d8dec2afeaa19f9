"""Training lines for learning a hand, besides the few of the person: new texts in their letters.

The person's lines are cut into characters, of which new texts are composed, as in a
`ComposedDataset`. Characters that the person never wrote are taken from lines that a network writes
in that hand or, where these lack them too, drawn.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from data_loader.synthetic import corpus
from data_loader.synthetic.alignment import AlignedLine
from data_loader.synthetic.bank import BankHand, verify_pieces
from data_loader.synthetic.composing import Bank
from data_loader.synthetic.cutting import CutLine, measured
from data_loader.synthetic.drawn import Drawer
from data_loader.synthetic.everyday import characters, everyday
from data_loader.synthetic.paths import side_by_side, to_ink
from handwriting.hands import write_lines
from handwriting.primers import described
from model.generation.hand_encoder import told
from model.generation.sampling_options import Primer, Sampling
from model.generation.window_alignment import align
from model.reader import Reader
from model.recognition.error_rates import error_counts, read_in_place
from model.writer import Writer
from trainer.own_hand.stages import COMPOSING, WRITING, stage
from utils.alphabet import nfc
from utils.batches import BATCH_SIZE

log = logging.getLogger(__name__)

PRIMERS = 4
"""Lines of the hand that those of the network continue (assumed)."""
SAMPLING = Sampling(bias=0.5)
"""Of the lines that the network writes: varied, and legible enough."""
MAX_CER = 0.1
"""Character error rate up to which such a line is used (assumed: the recogniser errs)."""
MAX_COMPOSED_CER = 0.05
"""The same of a composed line (assumed: a letter that looks like another one is in many)."""
CANDIDATES_PER_LINE = 3
"""Lines that are composed at most for each that is kept."""
CONTINUE_EVERY = 4
"""One of so many composed lines begins with a line of the person: otherwise the network forgets how
to continue a primer (measured, lab notebook: learning a hand)."""


def practice(
    lines: Sequence[Primer],
    known: Collection[str] | None,
    writer: Writer,
    reader: Reader,
    lent: int,
    count: int,
    seed: int,
) -> list[Primer]:
    """Return new lines in a hand, and their texts.

    Where nothing can be cut out of the lines, as in capitals alone, these are lines that the
    network writes in the hand.

    Args:
        lines: of the hand, in the units of `writer`.
        known: characters that the network that learns knows; None if it takes no text.
        writer: the network that learns, or, if that reads, one that writes.
        reader: the recogniser that finds misread lines.
        lent: lines that `writer` writes to lend characters that the hand lacks.
        count: of the new lines.
        seed: of texts and pieces.
    """
    alphabet = writer.model.alphabet  # A reader may know more.
    primers = [line for line in lines if not alphabet.unknown(line[1])]
    primers.sort(key=lambda line: len(line[0]))
    primers = primers[: max(min(PRIMERS, len(lines) // 2), 1)]
    characters = [one for one in alphabet.characters if known is None or one in known]
    inks = [ink for ink, _ in lines]
    extras = {"hand": told(*described(inks))} if writer.is_told else {}
    sampling = replace(SAMPLING, extras=extras)
    borrowed = written(writer, reader, primers, characters, lent, seed, sampling)
    own, others = cut(writer, reader, lines), cut(writer, reader, borrowed)
    more = composed(own, others, reader, characters, count, seed)
    log.info("%d lines are composed, as far as they can be read", len(more))
    return more or borrowed


def sample_texts(count: int, known: Collection[str], seed: int) -> list[str]:
    """Return texts of the training split: sentences, other everyday texts, and one in five with
    characters of all sorts beside each other. Characters that are not known are left out."""
    draws, found = corpus.Draws(np.random.default_rng(seed)), []
    while len(found) < count:
        kind = len(found) % 5
        if kind == 4:
            text = characters(draws)
        elif kind % 2:
            text = everyday(draws)
        else:
            text = corpus.line(draws, 0, 10, 40, 0.0)
        text = "".join(one for one in text if one in known).strip()
        if text:
            found.append(text)
    return found


def written(
    writer: Writer,
    reader: Reader,
    primers: Sequence[Primer],
    known: Collection[str],
    count: int,
    seed: int,
    sampling: Sampling = SAMPLING,
) -> list[Primer]:
    """Return lines, and their texts, that a network writes in the hand of the primers in turn.

    Misread ones are left out; every other one is returned together with its primer.
    """
    texts, found = sample_texts(count, known, seed), []
    for number, primer in enumerate(stage(WRITING, items=primers[:count])):
        part = slice(number, None, len(primers))
        seeds = range(seed, seed + count)[part]
        lines = write_lines(writer, texts[part], seeds, sampling, primer=primer)
        hypotheses = reader.read_lines(lines)
        for line, text, hypothesis in zip(lines, texts[part], hypotheses, strict=True):
            allowed = max(1.0, MAX_CER * len(text))
            if line.ended and error_counts(text, hypothesis).character_errors <= allowed:
                continued = len(found) % 2
                found.append((line.ink, line.text) if continued else (line.written, text))
    return found


def cut(aligner: Writer, reader: Reader, lines: Sequence[Primer]) -> list[CutLine]:
    """Return lines cut into characters; those are left out that cannot be measured.

    Args:
        aligner: a network with a text, whose window aligns the characters.
        reader: the recogniser that finds which of them can be read.
        lines: in the units of the aligner.
    """
    unknown = aligner.model.alphabet.unknown
    pairs = [(ink, nfc(text)) for ink, text in lines if not unknown(text) and len(ink) > len(text)]
    inks, texts = [ink for ink, _ in pairs], [text for _, text in pairs]
    counts, hypotheses = align(aligner.model, inks, texts), reader.read_lines(inks)
    found = []
    for ink, text, count, hypothesis in zip(inks, texts, counts, hypotheses, strict=True):
        read = read_in_place(text, hypothesis)
        line = measured(ink, text, AlignedLine(count, read, np.zeros_like(read), 0))
        if line is not None:
            found.append(line)
    verify_pieces([BankHand(found)], reader.read_lines)
    return found


def composed(
    own: Sequence[CutLine],
    lent: Sequence[CutLine],
    reader: Reader,
    known: Collection[str],
    count: int,
    seed: int,
) -> list[Primer]:
    """Return new lines of the characters of `own`, and of those that it lacks from `lent`.

    They are fewer than `count` where too many are misread, and none without lines of the hand.
    """
    if not own or not count:
        return []
    hand = BankHand(list(own))
    scale = np.array([hand.height, hand.height, 1.0])
    hands = {"own": hand} | ({"lent": BankHand(list(lent))} if lent else {})
    bank, found = Bank(hands, Drawer(), scarce=1), []
    texts = sample_texts(CANDIDATES_PER_LINE * count, known, seed)
    with stage(COMPOSING, count) as bar:
        for first in range(0, len(texts), BATCH_SIZE):
            made = []
            for number, text in enumerate(texts[first : first + BATCH_SIZE], first):
                path = bank.write(text, "own", np.random.default_rng([seed, number]))
                if path is not None:
                    made.append((number, text, path))
            kept = len(found)
            hypotheses = reader.read_lines([to_ink(path * scale) for *_, path in made])
            for (number, text, path), hypothesis in zip(made, hypotheses, strict=True):
                if error_counts(text, hypothesis).character_errors > MAX_COMPOSED_CER * len(text):
                    continue
                if number % CONTINUE_EVERY == 0:
                    before = own[number // CONTINUE_EVERY % len(own)]
                    path = side_by_side([before.path, path], float(np.median(hand.word_gaps)))
                    text = f"{before.text} {text}"
                found.append((to_ink(path * scale), text))
            bar.update(min(len(found), count) - min(kept, count))
            if len(found) >= count:
                break
    return found[:count]
