"""New training lines for learning a hand: new texts in the letters of a person's few lines.

The person's lines are cut into characters, of which new texts are composed, as in a
`ComposedDataset`. Characters that the person never wrote are taken from lines that a network writes
in the hand; characters that these lines lack too are drawn.
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
from handwriting.hands import write_in_hand
from handwriting.primers import extras_of_lines
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
"""Lines of the hand that the network continues (assumed)."""
SAMPLING = Sampling(bias=0.5)
"""How the network writes lines in the hand: varied, and legible enough (assumed)."""
MAX_CER = 0.1
"""Largest character error rate of a written line that is used (assumed: the recogniser errs)."""
MAX_COMPOSED_CER = 0.05
"""Largest character error rate of a composed line that is used (assumed: an ambiguous letter of the
hand is in many lines)."""
CANDIDATES_PER_LINE = 3
"""Most lines that are composed for each line that is kept (assumed)."""
CONTINUE_EVERY = 4
"""Every fourth composed line begins with a line of the person: otherwise the network forgets how to
continue a primer (measured, lab notebook: learning a hand)."""


def practice(
    lines: Sequence[Primer],
    alphabet: Collection[str] | None,
    writer: Writer,
    reader: Reader,
    lent: int,
    count: int,
    seed: int,
) -> list[Primer]:
    """Return new lines in a hand, and their texts.

    If no characters can be cut out of the lines, as from lines of capitals alone, the new lines
    are the lines that the network writes in the hand.

    Args:
        lines: of the hand, in the units of `writer`.
        alphabet: of the network that learns; None if it takes no text.
        writer: the network that learns; a pretrained network if a reader learns.
        reader: the recogniser that finds misread lines.
        lent: number of lines that `writer` writes to lend characters that the hand lacks.
        count: number of the new lines.
        seed: of texts and pieces.
    """
    writable = writer.model.alphabet  # A reader may know more characters.
    primers = [line for line in lines if not writable.unknown(line[1])]
    primers.sort(key=lambda line: len(line[0]))
    primers = primers[: max(min(PRIMERS, len(lines) // 2), 1)]
    characters = [c for c in writable.characters if alphabet is None or c in alphabet]
    inks = [ink for ink, _ in lines]
    extras = extras_of_lines(inks) if writer.is_told else {}
    sampling = replace(SAMPLING, extras=extras)
    borrowed = written(writer, reader, primers, characters, lent, seed, sampling)
    person, network = cut(writer, reader, lines), cut(writer, reader, borrowed)
    new = composed(person, network, reader, characters, count, seed)
    log.info("%d lines are composed, as far as they can be read", len(new))
    return new or borrowed


def sample_texts(count: int, alphabet: Collection[str], seed: int) -> list[str]:
    """Return texts of the training split: sentences, everyday texts, and, as every fifth text,
    characters of all sorts. Characters outside the alphabet are left out."""
    draws, texts = corpus.Draws(np.random.default_rng(seed)), []
    while len(texts) < count:
        kind = len(texts) % 5
        if kind == 4:
            text = characters(draws)
        elif kind % 2:
            text = everyday(draws)
        else:
            text = corpus.line(draws, 0, 10, 40, 0.0)
        text = "".join(character for character in text if character in alphabet).strip()
        if text:
            texts.append(text)
    return texts


def written(
    writer: Writer,
    reader: Reader,
    primers: Sequence[Primer],
    alphabet: Collection[str],
    count: int,
    seed: int,
    sampling: Sampling = SAMPLING,
) -> list[Primer]:
    """Return lines, and their texts, that a network writes in the hand of the primers in turn.

    Misread lines are left out; every second line is returned together with its primer.
    """
    texts, written_lines = sample_texts(count, alphabet, seed), []
    for number, primer in enumerate(stage(WRITING, items=primers[:count])):
        part = slice(number, None, len(primers))
        seeds = range(seed, seed + count)[part]
        lines = write_in_hand(writer, texts[part], seeds, sampling, primer=primer)
        hypotheses = reader.read_lines(lines)
        for line, text, hypothesis in zip(lines, texts[part], hypotheses, strict=True):
            allowed = max(1.0, MAX_CER * len(text))
            if line.ended and error_counts(text, hypothesis).character_errors <= allowed:
                with_primer = len(written_lines) % 2
                pair = (line.ink, line.text) if with_primer else (line.written, text)
                written_lines.append(pair)
    return written_lines


def cut(aligner: Writer, reader: Reader, lines: Sequence[Primer]) -> list[CutLine]:
    """Return lines cut into characters, without lines that cannot be measured.

    Args:
        aligner: a network that takes a text, whose window aligns the characters.
        reader: the recogniser that tells which characters can be read.
        lines: in the units of the aligner.
    """
    unknown = aligner.model.alphabet.unknown
    pairs = [(ink, nfc(text)) for ink, text in lines if not unknown(text) and len(ink) > len(text)]
    inks, texts = [ink for ink, _ in pairs], [text for _, text in pairs]
    counts, hypotheses = align(aligner.model, inks, texts), reader.read_lines(inks)
    cut_lines = []
    for ink, text, count, hypothesis in zip(inks, texts, counts, hypotheses, strict=True):
        read = read_in_place(text, hypothesis)
        line = measured(ink, text, AlignedLine(count, read, np.zeros_like(read), 0))
        if line is not None:
            cut_lines.append(line)
    verify_pieces([BankHand(cut_lines)], reader.read_lines)
    return cut_lines


def composed(
    person: Sequence[CutLine],
    network: Sequence[CutLine],
    reader: Reader,
    alphabet: Collection[str],
    count: int,
    seed: int,
) -> list[Primer]:
    """Return new lines of a person's characters, and of a network's where the person's are missing.

    There are fewer lines than `count` if many are misread, and no lines without the person's lines.
    """
    if not person or not count:
        return []
    hand = BankHand(list(person))
    scale = np.array([hand.height, hand.height, 1.0])
    hands = {"own": hand} | ({"lent": BankHand(list(network))} if network else {})
    bank, lines = Bank(hands, Drawer(), scarce=1), []
    texts = sample_texts(CANDIDATES_PER_LINE * count, alphabet, seed)
    with stage(COMPOSING, count) as bar:
        for start in range(0, len(texts), BATCH_SIZE):
            candidates = []
            for number, text in enumerate(texts[start : start + BATCH_SIZE], start):
                path = bank.write(text, "own", np.random.default_rng([seed, number]))
                if path is not None:
                    candidates.append((number, text, path))
            num_before = len(lines)
            hypotheses = reader.read_lines([to_ink(path * scale) for *_, path in candidates])
            for (number, text, path), hypothesis in zip(candidates, hypotheses, strict=True):
                if error_counts(text, hypothesis).character_errors > MAX_COMPOSED_CER * len(text):
                    continue
                if number % CONTINUE_EVERY == 0:
                    primer = person[number // CONTINUE_EVERY % len(person)]
                    path = side_by_side([primer.path, path], float(np.median(hand.word_gaps)))
                    text = f"{primer.text} {text}"
                lines.append((to_ink(path * scale), text))
            bar.update(min(len(lines), count) - min(num_before, count))
            if len(lines) >= count:
                break
    return lines[:count]
