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
from itertools import chain, count, islice, pairwise

import numpy as np

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
from handwriting.words import words
from model.generation.line import Line
from model.generation.options import Primer, Sampling
from model.generation.writing import PART_SEED_STRIDE, SEEDS, cut
from model.reader import Reader
from model.writer import Writer
from utils.batches import BATCH_SIZE
from utils.hand_measures import baseline, baseline_angle, baseline_of, levelled, slant, word_gaps
from utils.ink import DOT_INK, bounds, from_strokes, to_points, turned_back, x_height

LONGEST = 32
"""Characters of a line that is written at once, unless a word is longer (by eye, `writer` in three
styles: 24 and 40 look alike; in hands of people, which it knows less, lines of 40 vary more)."""
LINE_PRIOR, WORD_PRIOR = 8.0, 4.0
"""Characters of a line, and of a word, from which half of its measured height above the baseline is
believed; a few letters say little (assumed)."""
TURN_PRIOR = 2.0
"""The same of its slant, which a few downstrokes show, and of the slope of its baseline (measured,
`writer` in five styles: lines of 24 characters lean 3 to 6 degrees other than their primer, and 1.3
other than each other; lab notebook: the lines of a page)."""
WIDTH_PRIOR, MOST_WIDENED = 6.0, 1.33
"""The same of the width of its letters, and by how much they are widened or narrowed at most
(measured, lab notebook: the lines of a page; assumed)."""
LETTER_WIDTHS = dict.fromkeys(".,:;!'|1Iijl", 0.45) | dict.fromkeys("MWmw@%", 1.5)
"""Widths of letters in those of the others (measured, roughly: words in ten styles)."""
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True))
"""What is written small and raised, and as what."""
RAISED_SIZE, RAISED_BY, RAISED_GAP = 0.6, 0.9, 0.15
"""How small, how many x-heights above the baseline, and beside other letters (assumed, by eye)."""
SPACE = 1.2
"""Usual gap between words in x-heights, where the primer shows none (measured: lines of
IAM-OnDB)."""
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
DOT = 0.15
"""Least extent of a stroke in x-heights (by eye: the line of a pen is as wide, and a full stop that
is no more than that is overlooked)."""
NARROWEST, WIDEST = 0.7, 1.7
"""Bounds of a gap in usual ones (by eye: with 0.6 words run together in rows that are full)."""
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
    """

    writer: Writer
    primer: Primer
    reader: Reader | None = None
    sampling: Sampling = Sampling()
    tries: int = TRIES
    liveliness: float = LIVELINESS
    slant: float | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        ink, text = self.primer
        level, self._angle = levelled(ink)
        self._base, self._lean = baseline(level), float(np.nan_to_num(slant(level)))
        self.letter = x_height(ink)
        """The x-height in the writer's units."""
        gaps = word_gaps(ink, text)
        self.space = float(np.median(gaps)) if len(gaps) else SPACE
        """The usual gap between words in x-heights."""
        left, _, right, _ = bounds(ink)
        width = (right - left) / self.letter
        self.blank = width / max(len(text), 1)
        """The mean width of a character in x-heights."""
        blanks = float(gaps.sum()) if len(gaps) else SPACE * (len(text.split()) - 1)
        self._letter_width = _letter_width(width - blanks, text)

    def write(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[Proofread]]:
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
            lines = self.writer.write_lines(
                [wrong[k] for k in pending],
                again,
                self.sampling,
                primer=self.primer,
                progress=self.progress,
            )
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
        inks = [[turned_back(one + first, self._angle) for one in part.strokes] for part in parts]
        origin, characters = inks[0][0][0], len(line.title.replace(" ", ""))
        angle = _shrunk(baseline_angle(from_strokes([*chain(*inks)])), characters, TURN_PRIOR)
        inks = [[turned_back(one - origin, angle) + origin for one in ink] for ink in inks]
        written = sum(float(right - left) for left, right in _edges(inks)) / self.letter
        wider = self._letter_width / _letter_width(written, "".join(part.text for part in parts))
        wider = math.exp(_shrunk(math.log(wider), characters, WIDTH_PRIOR))
        wider = min(max(wider, 1 / MOST_WIDENED), MOST_WIDENED)
        inks = [
            [one @ [[wider, 0.0], [(wider - 1) * self._lean, 1.0]] for one in ink] for ink in inks
        ]
        if self.slant is not None:
            lean = slant(from_strokes([*chain(*inks)])) - self._lean
            lean = self._lean + _shrunk(lean, characters, TURN_PRIOR)
            shear = np.array([[1.0, 0.0], [lean - math.tan(math.radians(self.slant)), 1.0]])
            inks = [[one @ shear for one in ink] for ink in inks]
        base = baseline_of([*chain(*inks)])
        height = self._base + _shrunk(base - self._base, characters, LINE_PRIOR)
        edges = _edges(inks)
        gaps = [left - right for (_, right), (left, _) in pairwise(edges)]
        gaps = [self._gap(float(gap) / self.letter) for gap in gaps] + [self.space]
        found = []
        for part, ink, (left, right), gap in zip(parts, inks, edges, gaps, strict=True):
            drift = _shrunk(baseline_of(ink) - height, len(part.text), WORD_PRIOR)
            corner = left, height + (1.0 - self.liveliness) * drift
            strokes = tuple(
                map(_with_visible_dot, ((stroke - corner) / self.letter for stroke in ink))
            )
            found.append(Word(strokes, float(right - left) / self.letter, gap, part.text))
        return found

    def _gap(self, gap: float) -> float:
        """Return a gap that differs from the usual one by `liveliness` of what it did."""
        gap = min(max(gap, NARROWEST * self.space), WIDEST * self.space)
        return self.space * (gap / self.space) ** self.liveliness


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
        return min(blanks * self.hand.blank, self.width / 2)

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


def write(
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
        found |= zip(seeds, hand.write(texts, seeds), strict=True)
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
        for part in hand.write(parts, seeds):
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


def _with_visible_dot(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke in x-heights, a dot `DOT` high, as a pen leaves it."""
    if np.ptp(stroke, axis=0).max() >= DOT:
        return stroke
    middle = (stroke.min(0) + stroke.max(0)) / 2
    return middle + np.array([[0.0, -DOT / 2], [0.0, DOT / 2]])


def _shrunk(measured: float, characters: int, prior: float) -> float:
    """Return as much of a measured difference as so many characters tell; 0 if it is NaN."""
    return float(np.nan_to_num(measured)) * characters / (characters + prior)


def _edges(inks: Sequence[Sequence[np.ndarray]]) -> list[tuple[float, float]]:
    """Return how far left and right the strokes of each word reach."""
    return [(np.concatenate(ink)[:, 0].min(), np.concatenate(ink)[:, 0].max()) for ink in inks]


def _letter_width(width: float, text: str) -> float:
    """Return the width of a usual letter of words that are so wide; always positive."""
    letters = sum(LETTER_WIDTHS.get(one, 1.0) for one in text if one != " ")
    return max(width, 0.01) / max(letters, 1.0)
