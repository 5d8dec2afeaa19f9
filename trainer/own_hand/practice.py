"""Training lines for learning a hand, besides the few of the person: new texts in their letters.

The person's lines are cut into characters, of which new texts are composed, as in a
`ComposedDataset`. Characters that the person never wrote are taken from lines that a network writes
in that hand or, where these lack them too, drawn.
"""

from collections.abc import Collection, Sequence

import numpy as np

from data_loader.sources.hand import Pair
from data_loader.synthetic import corpus
from data_loader.synthetic.alignment import AlignedLine
from data_loader.synthetic.bank import BankHand, look_at_pieces
from data_loader.synthetic.composing import Bank, side_by_side, to_ink
from data_loader.synthetic.cutting import CutLine, measured
from data_loader.synthetic.drawn import Drawer
from data_loader.synthetic.everyday import characters, everyday
from model.generation.aligning import align
from model.generation.options import Sampling
from model.reader import Reader
from model.recognition.error_rates import error_counts, read_in_place
from model.writer import Writer
from utils.alphabet import nfc

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


def sample_texts(count: int, known: Collection[str], seed: int) -> list[str]:
    """Return texts of the training split: sentences, other everyday texts, and one in five with
    characters of all sorts beside each other. Characters that are not known are left out."""
    draws, found = corpus.Draws(np.random.default_rng(seed)), []
    kinds = (
        lambda: corpus.line(draws, 0, 10, 40, 0.0),
        lambda: everyday(draws)[1],
        lambda: corpus.line(draws, 0, 10, 40, 0.0),
        lambda: everyday(draws)[1],
        lambda: characters(draws),
    )
    while len(found) < count:
        text = kinds[len(found) % len(kinds)]()
        if text := "".join(one for one in text if one in known).strip():
            found.append(text)
    return found


def written(
    writer: Writer,
    reader: Reader,
    primers: Sequence[Pair],
    known: Collection[str],
    count: int,
    seed: int,
) -> list[Pair]:
    """Return lines that a network writes in a hand, and their texts; misread ones are left out.

    Every other one is returned together with the line that it continues.

    Args:
        writer: a network with a text.
        reader: the recogniser that finds misread lines.
        primers: lines of the hand, which the new ones continue in turn.
        known: characters of the texts.
        count: of the lines that are written.
        seed: of the texts, and of the first line.
    """
    wanted, found = sample_texts(count, known, seed), []
    for number, primer in enumerate(primers[:count]):
        part = slice(number, None, len(primers))
        seeds = range(seed, seed + count)[part]
        lines = writer.write_lines(wanted[part], seeds, SAMPLING, primer=primer)
        hypotheses = reader.read_lines(lines)
        for line, text, hypothesis in zip(lines, wanted[part], hypotheses, strict=True):
            allowed = max(1.0, MAX_CER * len(text))
            if line.ended and error_counts(text, hypothesis).character_errors <= allowed:
                continued = len(found) % 2
                found.append((line.ink, line.text) if continued else (line.written, text))
    return found


def cut(aligner: Writer, reader: Reader, lines: Sequence[Pair]) -> list[CutLine]:
    """Return lines cut into characters; those are left out that cannot be measured.

    Args:
        aligner: a network with a text, whose window aligns the characters.
        reader: the recogniser that finds which of them can be read.
        lines: in the units of the aligner.
    """
    pairs = [(ink, nfc(text)) for ink, text in lines if not aligner.model.alphabet.unknown(text)]
    pairs = [(ink, text) for ink, text in pairs if len(ink) > len(text)]
    inks, wanted = [ink for ink, _ in pairs], [text for _, text in pairs]
    counts, hypotheses = align(aligner.model, inks, wanted), reader.read_lines(inks)
    found = []
    for ink, text, count, hypothesis in zip(inks, wanted, counts, hypotheses, strict=True):
        read = read_in_place(text, hypothesis)
        line = measured(ink, text, AlignedLine(count, read, np.zeros_like(read), 0))
        found += [] if line is None else [line]
    look_at_pieces([BankHand(found)], reader.read_lines)
    return found


def composed(
    own: Sequence[CutLine],
    lent: Sequence[CutLine],
    reader: Reader,
    known: Collection[str],
    count: int,
    seed: int,
) -> list[Pair]:
    """Return new lines in a hand, and their texts; misread ones are left out.

    Args:
        own: lines of the hand, cut into characters.
        lent: lines that a network wrote, which lend others.
        reader: the recogniser that finds misread lines.
        known: characters of the texts.
        count: of the lines; fewer where too many are misread, and none without lines of the hand.
        seed: of texts and pieces.
    """
    if not own or not count:
        return []
    hand = BankHand(list(own))
    hands = {"own": hand} | ({"lent": BankHand(list(lent))} if lent else {})
    bank, found = Bank(hands, Drawer(), scarce=1), []
    wanted = sample_texts(CANDIDATES_PER_LINE * count, known, seed)
    for first in range(0, len(wanted), count):
        made = []
        for number, text in enumerate(wanted[first : first + count], first):
            line = bank.write(text, "own", np.random.default_rng([seed, number]))
            if line is not None:
                made.append((number, text, *line))
        inks = [to_ink(points * hand.height, end) for *_, points, end in made]
        hypotheses = reader.read_lines(inks)
        for (number, text, points, end), hypothesis in zip(made, hypotheses, strict=True):
            if error_counts(text, hypothesis).character_errors > MAX_COMPOSED_CER * len(text):
                continue
            if number % CONTINUE_EVERY == 0:
                before = own[number // CONTINUE_EVERY % len(own)]
                parts = (before.points, before.end), (points, end)
                points, end = side_by_side(parts, float(np.median(hand.word_gaps)))
                text = f"{before.text} {text}"
            found.append((to_ink(points * hand.height, end), text))
        if len(found) >= count:
            break
    return found[:count]
