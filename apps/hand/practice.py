"""Makes new training lines for learning a hand: new texts in the letters of a person's few lines.

The person's lines are cut into characters, and lines of new texts are composed of the characters,
as in a `ComposedDataset`. Characters that the person's lines lack are cut from lines that a network
writes in the hand; characters that both lack are drawn by `Drawer`.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from apps.hand.stages import COMPOSING, WRITING, stage
from apps.pages.hands import Hand, extras_of_lines
from data_loader.pen_paths import side_by_side, to_ink
from data_loader.synthetic.composed.alignment import AlignedLine
from data_loader.synthetic.composed.composing import Bank, Composer
from data_loader.synthetic.composed.cutting import CutLine, measured
from data_loader.synthetic.composed.drawn_characters import Drawer
from data_loader.synthetic.composed.recorded_hands import RecordedHand, verify_pieces
from data_loader.synthetic.texts import corpus
from data_loader.synthetic.texts.everyday import everyday, random_characters
from ink.alphabet import nfc
from model.batches import BATCH_SIZE
from model.generation.line import Primer, Sampling
from model.generation.window_alignment import align
from model.loading import Reader, Writer
from model.recognition.error_rates import error_counts, read_in_place

log = logging.getLogger(__name__)

NUM_PRIMERS = 4
"""Number of lines of the hand that the network continues (assumed)."""
LENT_SAMPLING = Sampling(bias=0.5)
"""Sampling of lines that the network writes in the hand: varied, and legible enough (assumed)."""
MAX_LENT_CER = 0.1
"""Largest character error rate of a written line that is used (assumed: the recogniser errs)."""
MAX_COMPOSED_CER = 0.05
"""Largest character error rate of a composed line that is used (assumed: less than `MAX_LENT_CER`,
as an ambiguous letter of the hand would be in many lines)."""
CANDIDATES_PER_LINE = 3
"""Largest number of lines that are composed for each line that is returned (assumed)."""
CONTINUE_EVERY = 4
"""One line in this many begins with a line of the person: otherwise the network forgets how to
continue a primer (measured, notebook: hands, learning a hand)."""


def practice_lines(
    lines: Sequence[Primer],
    alphabet: Collection[str],
    writer: Writer,
    reader: Reader,
    num_lent: int,
    num_new: int,
    seed: int,
) -> list[Primer]:
    """Return new lines in a hand, each with its text.

    If no characters can be cut from the person's lines, as from lines of capitals only, the new
    lines are written by `writer` in the hand.

    Args:
        lines: lines of the hand, in the units of `writer`.
        alphabet: alphabet of the network that learns.
        writer: the network that learns; a pretrained network if a reader learns.
        reader: the recogniser that finds misread lines.
        num_lent: number of lines that `writer` writes to lend characters that the hand lacks.
        num_new: number of new lines.
        seed: seed of the texts, of the lent lines, and of the choice of characters.
    """
    writable = writer.model.alphabet  # A reader may know more characters.
    primers = [(ink, text) for ink, text in lines if not writable.unknown(text)]
    primers.sort(key=lambda primer: len(primer[0]))
    num_primers = max(min(NUM_PRIMERS, len(lines) // 2), 1)
    primers = primers[:num_primers]
    characters = [c for c in writable.characters if c in alphabet]
    extras = extras_of_lines([ink for ink, _ in lines]) if writer.takes_hand else {}
    sampling = replace(LENT_SAMPLING, extras=extras)
    lent_lines = write_lent_lines(writer, reader, primers, characters, num_lent, seed, sampling)
    recorded_cuts = cut_lines(writer, reader, lines)
    lent_cuts = cut_lines(writer, reader, lent_lines)
    new = compose_lines(recorded_cuts, lent_cuts, reader, characters, num_new, seed)
    log.info("%d legible new lines are composed", len(new))
    return new or lent_lines


def sample_texts(count: int, alphabet: Collection[str], seed: int) -> list[str]:
    """Return texts for training, without characters outside the alphabet.

    Sentences and everyday texts come in turn; every fifth text is a string of any characters.
    """
    draws = corpus.Draws(np.random.default_rng(seed))
    texts = []
    while len(texts) < count:
        kind = len(texts) % 5
        if kind == 4:
            text = random_characters(draws)
        elif kind % 2:
            text = everyday(draws)
        else:
            text = corpus.running_text(draws, split=0, low=10, high=40, symbols=0.0)
        text = "".join(character for character in text if character in alphabet).strip()
        if text:
            texts.append(text)
    return texts


def write_lent_lines(
    writer: Writer,
    reader: Reader,
    primers: Sequence[Primer],
    alphabet: Collection[str],
    count: int,
    seed: int,
    sampling: Sampling = LENT_SAMPLING,
) -> list[Primer]:
    """Return `count` lines, or fewer, that a network writes in a hand, each with its text.

    The lines continue the primers in turn. Misread lines are left out. Every second line is
    returned together with its primer.
    """
    texts = sample_texts(count, alphabet, seed)
    pairs = []
    for number, primer in enumerate(stage(WRITING, items=primers[:count])):
        primer_texts = texts[number :: len(primers)]
        seeds = range(seed, seed + count)[number :: len(primers)]
        lines = Hand(writer, primer, sampling=sampling).write_texts(primer_texts, seeds)
        hypotheses = reader.read_lines(lines)
        for line, text, hypothesis in zip(lines, primer_texts, hypotheses, strict=True):
            max_errors = max(1.0, MAX_LENT_CER * len(text))
            if line.ended and error_counts(text, hypothesis).character_errors <= max_errors:
                has_primer = len(pairs) % 2 == 1
                pairs.append((line.ink, line.text) if has_primer else (line.written, text))
    return pairs


def cut_lines(writer: Writer, reader: Reader, lines: Sequence[Primer]) -> list[CutLine]:
    """Return lines cut into characters, without lines that cannot be cut.

    Args:
        writer: a network that takes a text; its window aligns the characters with the ink.
        reader: the recogniser that says which characters are legible.
        lines: lines in the units of `writer`.
    """
    unknown = writer.model.alphabet.unknown
    pairs = [(ink, nfc(text)) for ink, text in lines if not unknown(text) and len(ink) > len(text)]
    inks = [ink for ink, _ in pairs]
    texts = [text for _, text in pairs]
    counts = align(writer.model, inks, texts)
    hypotheses = reader.read_lines(inks)
    cuts = []
    for ink, text, count, hypothesis in zip(inks, texts, counts, hypotheses, strict=True):
        is_legible = read_in_place(text, hypothesis)
        aligned = AlignedLine(count, is_legible, np.zeros_like(is_legible), 0)
        line = measured(ink, text, aligned)
        if line is not None:
            cuts.append(line)
    verify_pieces([RecordedHand(cuts)], reader.read_lines)
    return cuts


def compose_lines(
    recorded_cuts: Sequence[CutLine],
    lent_cuts: Sequence[CutLine],
    reader: Reader,
    alphabet: Collection[str],
    count: int,
    seed: int,
) -> list[Primer]:
    """Return `count` new lines, or fewer if many are misread, each with its text.

    The lines consist of characters from `recorded_cuts`, a person's lines, and from `lent_cuts`, a
    network's lines, where the person's are missing. Without `recorded_cuts` no lines are composed.
    """
    if not recorded_cuts or not count:
        stage(COMPOSING).close()
        return []
    hand = RecordedHand(list(recorded_cuts))
    scale = np.array([hand.height, hand.height, 1.0])
    hands = {"recorded": hand}
    if lent_cuts:
        hands["lent"] = RecordedHand(list(lent_cuts))
    bank = Bank(hands, Drawer(), scarce=1)  # A character is drawn only if both hands lack it.
    lines = []
    texts = sample_texts(CANDIDATES_PER_LINE * count, alphabet, seed)
    with stage(COMPOSING, count) as bar:
        for start in range(0, len(texts), BATCH_SIZE):
            candidates = []
            for number, text in enumerate(texts[start : start + BATCH_SIZE], start):
                generator = np.random.default_rng([seed, number])
                path = Composer(bank, "recorded", generator).write(text)
                if path is not None:
                    candidates.append((number, text, path))
            num_before = len(lines)
            hypotheses = reader.read_lines([to_ink(path * scale) for *_, path in candidates])
            for (number, text, path), hypothesis in zip(candidates, hypotheses, strict=True):
                if error_counts(text, hypothesis).character_errors > MAX_COMPOSED_CER * len(text):
                    continue
                if number % CONTINUE_EVERY == 0:  # The person's lines come in turn.
                    primer = recorded_cuts[number // CONTINUE_EVERY % len(recorded_cuts)]
                    path = side_by_side([primer.path, path], float(np.median(hand.word_gaps)))
                    text = f"{primer.text} {text}"
                lines.append((to_ink(path * scale), text))
            bar.update(min(len(lines), count) - min(num_before, count))  # It ends at `count`.
            if len(lines) >= count:
                break
    return lines[:count]
