"""Text in one hand, as words that a page can be laid out with.

A network writes lines as long as those that it was trained on. Here a text is cut into such lines
at blanks, all are written in the hand of one primer and proofread, brought level, and cut into
words again (`generation.words`): a page breaks its rows by the width of what was written
(`handwriting.layout`), and no line has to be written again to fit.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count, islice

import numpy as np

from handwriting.calibration import Calibration, calibrated
from handwriting.layout import Word, narrowed, set_row
from handwriting.proofreading import (
    ALIKE,
    MISSING,
    Proofread,
    check_shapes,
    keep_best,
    proofread,
    spellings,
)
from handwriting.words import HandShape, level, place, shear, widen, words
from model.generation.line import Line
from model.generation.options import Primer, Sampling
from model.generation.writing import PART_SEED_STRIDE, SEEDS, cut
from model.reader import Reader
from model.writer import Writer
from utils.batches import BATCH_SIZE
from utils.ink import DOT_INK, from_strokes, to_points

LONGEST = 32
"""Characters of a line that is written at once, unless a word is longer (by eye, `writer` in three
styles: 24 and 40 look alike; in hands of people, which it knows less, lines of 40 vary more)."""
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True))
"""What is written small and raised, and as what."""
RAISED_SIZE, RAISED_BY, RAISED_GAP = 0.6, 0.9, 0.15
"""How small, how many x-heights above the baseline, and beside other letters (assumed, by eye)."""
NARROWED = 0.85
"""How much narrower a word is made to fit in a row, rather than divided (assumed)."""
FILL, LEAST_PART = 0.92, 3
"""Share of a row that a part of a word too wide for it fills, as written letters vary, and the
least characters that are divided (assumed)."""
BEFORE_END = "-–—/\\.,:;@_=&?#%+"
"""Signs behind which a word may be divided."""
LIVELINESS = 1.0
"""Default share of the drift and jitter of words that is kept (measured, lab notebook: the lines of
a page)."""
TRIES = 6
"""Default of how often a word is written at most."""
TRY_SEED_STRIDE = 1_000_000_007
"""Difference between the seeds of two tries of a line: prime, and more than there are lines."""
OWN_TEXT, OWN_TRIES = "It was a quiet evening by the sea", 8
"""What a network writes as the sample of a hand of its own, and how often at most."""


@dataclass(eq=False)
class Hand:
    """A writer that keeps to one hand.

    Attributes:
        writer: takes a text.
        primer: a line of the hand.
        reader: proofreads; None for no proofreading.
        sampling: how points are drawn.
        tries: how often a word is written at most.
        liveliness: share of the drift of words from the baseline, and of the differences of blanks,
            that is kept, from 0 to 1.
        slant: degrees from upright to the right; None for the hand's own.
        progress: show a progress bar of the lines that are written together.
        calibration: how lines become as large as the primer; measured unless given, where the
            primer has a text and the sampling a bias and no stretch of its own.
    """

    writer: Writer
    primer: Primer
    reader: Reader | None = None
    sampling: Sampling = Sampling()
    tries: int = TRIES
    liveliness: float = LIVELINESS
    slant: float | None = None
    progress: bool = False
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        ink, text = self.primer
        self.primer = ink, text.rstrip()  # the space comes with what follows
        sizes = self.writer.model.needs_text and self.primer[1] and self.sampling.bias > 0
        if sizes and self.calibration is None and self.sampling.stretch is None:
            self.calibration = calibrated(self.writer, self.primer, self.sampling)

    @cached_property
    def shape(self) -> HandShape:
        """What its words are made to look like."""
        return HandShape.of(self.primer)

    def write_lines(self, texts: Sequence[str] | None, seeds: Sequence[int]) -> list[Line]:
        """Write lines as large as the primer; see `Writer.write_lines`."""
        sampling = self.sampling
        if self.calibration is not None:
            sampling = replace(sampling, stretch=self.calibration.stretch)
        lines = self.writer.write_lines(
            texts, seeds, sampling, primer=self.primer, progress=self.progress
        )
        return lines if self.calibration is None else [*map(self.calibration.scaled, lines)]

    def write_words(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[Proofread]]:
        """Return the words of lines of characters that the writer knows, one line for each seed.

        What is not right is written again, the words of a line together, until it is or has been
        written `tries` times. The tries of a line are the same whatever other lines there are.
        """
        found = [[Proofread((), text, faults=(MISSING,))] for text in texts]
        for number in range(self.tries if self.reader else 1):
            wrong = [" ".join(one.text for one in line if not one.accepted) for line in found]
            pending = [k for k, text in enumerate(wrong) if text]
            if not pending:
                break
            again = [(seeds[k] + number * TRY_SEED_STRIDE) % SEEDS for k in pending]
            lines = self.write_lines([wrong[k] for k in pending], again)
            tried = [check_shapes(line, self.words(line)) for line in lines]
            if self.reader:
                read = iter(proofread(self.reader, [*chain(*tried)]))
                tried = [[*islice(read, len(line))] for line in tried]
            for k, line in zip(pending, tried, strict=True):
                found[k] = keep_best(found[k], line)
        return found

    def words(self, line: Line) -> list[Word]:
        """Return the words of a line: level, in x-heights, each from its left edge."""
        parts = words(line)
        if not parts:
            return []
        first = to_points(line.ink)[line.primed]
        texts, characters = [part.text for part in parts], len(line.title.replace(" ", ""))
        inks = [[stroke + first for stroke in part.strokes] for part in parts]
        inks = level(inks, self.shape, characters)
        inks = widen(inks, self.shape, "".join(texts), characters)
        if self.slant is not None:
            inks = shear(inks, self.shape, self.slant, characters)
        return place(texts, inks, self.shape, self.liveliness, characters)


def write_lines(
    writer: Writer,
    texts: Sequence[str] | None,
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    progress: bool = False,
) -> list[Line]:
    """Write lines in the hand of a primer if there is one, else each in a hand of its own."""
    if primer is None:
        return writer.write_lines(texts, seeds, sampling, progress=progress)
    return Hand(writer, primer, sampling=sampling, progress=progress).write_lines(texts, seeds)


def row_of(line: Sequence[Proofread]) -> np.ndarray:
    """Return a line that a hand wrote as ink in x-heights, `(points, 3)`; without a word a dot."""
    words = [word for one in line for word in one.words]
    return from_strokes(set_row(words, math.inf, "left", True)[0]) if words else DOT_INK


def own_hand(writer: Writer, reader: Reader | None, seed: int, sampling: Sampling) -> Primer:
    """Return a line of a hand of the network's own, and its text: the primer of a `Hand`."""
    known = writer.model.alphabet
    text = "".join(one for one in OWN_TEXT if one in known)
    if not text.strip():
        text = "".join(known.characters).strip()[: len(OWN_TEXT)]
    seeds = [
        (seed + number * TRY_SEED_STRIDE) % SEEDS for number in range(OWN_TRIES if reader else 1)
    ]
    lines = writer.write_lines([text] * len(seeds), seeds, sampling)
    doubts = [0.0] * len(lines)
    if reader:
        inks, texts = [line.written for line in lines], [spellings(text)] * len(lines)
        doubts = [doubt for _, doubt in reader.proofread(inks, texts, ALIKE)]
    best = min(range(len(lines)), key=lambda number: (not lines[number].ended, doubts[number]))
    return lines[best].ink, text


@dataclass(frozen=True)
class Passage:
    """A paragraph, and how it is written.

    Attributes:
        hand: in which.
        text: without line ends, of characters that the hand's writer knows; blanks at its start
            are an indent.
        width: of a row in x-heights.
    """

    hand: Hand
    text: str
    width: float = math.inf

    @property
    def indent(self) -> float:
        """The width of the blanks at the start in x-heights, at most half of a row."""
        blanks = len(self.text) - len(self.text.lstrip(" "))
        return min(blanks * self.hand.shape.blank, self.width / 2)

    @property
    def room(self) -> float:
        """What the indent leaves of a row: a word that is a little wider is made narrower, one that
        is much wider written again in parts, each of which ends a row."""
        return self.width - self.indent

    @property
    def lines(self) -> list[str]:
        """The texts that are written at once."""
        return cut([text.translate(str.maketrans(RAISED)) for text, _ in self.parts], LONGEST)

    @property
    def parts(self) -> list[tuple[str, bool]]:
        """Words, raised ones apart, each with whether a blank or the end follows."""
        signs = "".join(RAISED)
        found = re.finditer(rf"[{signs}]+|[^\s{signs}]+", self.text)
        return [(one[0], not self.text[one.end() : one.end() + 1].strip()) for one in found]


def write_passages(
    passages: Sequence[Passage], seed: int = 0
) -> Iterator[tuple[list[Word], list[Proofread]]]:
    """Yield the words of each passage, and as they were proofread; none for a passage
    without a word.

    `BATCH_SIZE` lines are written at a time. What a line becomes does not depend on the others: it
    has the seed that follows that of the line before.
    """
    jobs = [(passage.hand, text) for passage in passages for text in passage.lines]
    jobs = [(hand, text, number) for number, (hand, text) in enumerate(jobs, seed)]
    starts = range(0, len(jobs), BATCH_SIZE)
    lines = chain.from_iterable(_written(jobs[start : start + BATCH_SIZE]) for start in starts)
    for passage in passages:
        fitting: list[Word] = []
        found: list[Proofread] = []
        parts = iter(passage.parts)
        for number, line in islice(lines, len(passage.lines)):
            placed = [_placed(one, [*islice(parts, len(one.text.split()))]) for one in line]
            fitting += _fitting(passage, placed, number, found)
        yield fitting, found


def _written(
    jobs: Sequence[tuple[Hand, str, int]],
) -> list[tuple[int, list[Proofread]]]:
    """Return lines by their seeds, those of a hand written together."""
    found: dict[int, list[Proofread]] = {}
    for hand in dict.fromkeys(hand for hand, _, _ in jobs):
        texts, seeds = zip(*((text, seed) for one, text, seed in jobs if one is hand), strict=True)
        found |= zip(seeds, hand.write_words(texts, seeds), strict=True)
    return sorted(found.items())


def _fitting(
    passage: Passage, line: Sequence[Proofread], seed: int, found: list[Proofread]
) -> list[Word]:
    """Return the words of a line, of which those that are too wide are written in parts.

    Args:
        passage: that the line is of.
        line: as it was written.
        seed: of it.
        found: takes what was written, those parts as well.
    """
    hand, strides = passage.hand, count(1)

    def fitting(line: Sequence[Proofread]) -> list[Word]:
        words: list[Word] = []
        for one in line:
            found.append(one)
            for word in one.words:
                word = replace(word, doubt=one.reason if hand.reader else "")
                divisible = " " not in word.text and len(word.text) > LEAST_PART
                if word.width <= passage.room:
                    words.append(word)
                elif NARROWED * word.width <= passage.room or not divisible:
                    words.append(narrowed(word, passage.room))
                else:
                    words += in_parts(word)
        return words

    def in_parts(word: Word) -> list[Word]:
        characters = int(FILL * passage.room * len(word.text) / word.width)
        hyphen = "" if hand.writer.model.alphabet.unknown("-") else "-"
        parts = divided(word.text, max(characters, 1), hyphen)
        seeds = [(seed + PART_SEED_STRIDE * next(strides)) % SEEDS for _ in parts]
        words: list[Word] = []
        for part in hand.write_words(parts, seeds):
            words += fitting(part) or [Word((), 0.0, 0.0)]
            words[-1] = replace(words[-1], ends_row=True)
        words[-1] = replace(words[-1], ends_row=False)
        return words

    return fitting(line)


def _placed(one: Proofread, parts: Sequence[tuple[str, bool]]) -> Proofread:
    """Return a word raised if it is, and with no blank behind it if it has none."""
    (text, _), (_, blank), words = parts[0], parts[-1], list(one.words)
    if len(parts) == 1 and text[0] in RAISED:
        for number, word in enumerate(words):
            ink = [RAISED_SIZE * stroke + (RAISED_GAP, -RAISED_BY) for stroke in word.strokes]
            width = RAISED_SIZE * word.width + 2 * RAISED_GAP
            words[number] = replace(word, strokes=tuple(ink), width=width, text=text)
    if words and not blank:
        words[-1] = replace(words[-1], gap=0.0)
    return replace(one, words=tuple(words))


def divided(word: str, characters: int, hyphen: str) -> list[str]:
    """Return a word in parts of at most that many characters, but for the hyphen after one.

    A part ends behind a sign if there is one in its second half; else parts are even. There is a
    hyphen where letters are on both sides, in words alone: an address would be another with it.
    """
    is_word = re.fullmatch(r"\W*[^\W\d_]+(['’-]+[^\W\d_]+)*\W*", word) is not None
    parts, left = [], word
    while len(left) > characters:
        even = math.ceil(len(left) / math.ceil(len(left) / characters))
        signs = [n for n in range(even // 2 + 1, characters + 1) if left[n - 1] in BEFORE_END]
        end = signs[-1] if signs else even
        joined = is_word and left[end - 1].isalpha() and left[end].isalpha()
        parts.append(left[:end] + (hyphen if joined else ""))
        left = left[end:]
    return [*parts, left]
