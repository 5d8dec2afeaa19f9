"""Text in one hand, as words that a page can be laid out with.

A network writes lines as long as those that it was trained on. Here a text is cut into such lines
at blanks, all are written in the hand of one primer and proofread, brought level, and cut into
words again (`generation.words`): a page breaks its rows by the width of what was written, and no
line has to be written again to fit.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.generation.line import Line
from model.generation.options import Primer, Sampling
from model.generation.words import WrittenWord, words
from model.generation.writing import PART_SEED_STRIDE, SEEDS, cut
from model.proofreading import Proofread, proofread
from model.reader import Reader
from model.writer import Writer
from utils.batches import BATCH_SIZE
from utils.hand_measures import baseline, baseline_angle, baseline_of, levelled, slant, word_gaps
from utils.ink import bounds, from_strokes, to_points, turned_back, x_height
from utils.page.layout import Word, narrowed

LONGEST = 32
"""Characters of a line that is written at once, unless a word is longer (by eye, `writer` in three
styles: 24 and 40 look alike; in hands of people, which it knows less, lines of 40 vary more)."""
SURE, WORD_SURE = 8.0, 4.0
"""Characters of a line, and of a word, from which half of its measured height above the baseline is
believed; a few letters say little (assumed)."""
SLANT_SURE = 2.0
"""The same of its slant, which a few downstrokes show (measured, `writer` in five styles: lines of
24 characters lean 3 to 6 degrees other than their primer, and 1.3 other than each other)."""
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
NARROWEST, WIDEST = 0.7, 1.7
"""Bounds of a gap in usual ones (by eye: with 0.6 words run together in rows that are full)."""
TRIES = 4
"""Default of how often a line is written at most."""
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
        tries: how often a line is written at most.
        liveliness: share of the drift of words from the baseline, and of the differences of blanks,
            that is kept, from 0 to 1.
        progress: show a progress bar of the lines that are written together.
    """

    writer: Writer
    primer: Primer
    reader: Reader | None = None
    sampling: Sampling = Sampling()
    tries: int = TRIES
    liveliness: float = LIVELINESS
    progress: bool = False

    def __post_init__(self) -> None:
        ink, text = self.primer
        level, self._angle = levelled(ink)
        self._base, self._lean = baseline(level), _known(slant(level))
        self.letter = x_height(ink)
        """The x-height in the writer's units."""
        gaps = word_gaps(ink, text)
        self.space = float(np.median(gaps)) if len(gaps) else SPACE
        """The usual gap between words in x-heights."""
        left, _, right, _ = bounds(ink)
        self.blank = (right - left) / self.letter / max(len(text), 1)
        """The mean width of a character in x-heights."""

    def write(self, texts: Sequence[str], seeds: Sequence[int]) -> list[Proofread]:
        """Return lines, proofread if there is a reader.

        Args:
            texts: of characters that the writer knows.
            seeds: one for each.
        """
        return proofread(
            self.writer,
            self.reader,
            texts,
            seeds,
            self.sampling,
            primer=self.primer,
            tries=self.tries,
            progress=self.progress,
        )

    def words(self, line: Line, degrees: float | None = None) -> list[Word]:
        """Return the words of a line: level, in x-heights, each from its left edge.

        Args:
            line: as `write` returns it.
            degrees: how far they lean from upright to the right; None: as they were written.
        """
        parts = words(line)
        if not parts:
            return []
        start = to_points(line.ink)[line.primed]
        parts = [
            WrittenWord(one.text, [turned_back(part + start, self._angle) for part in one.strokes])
            for one in parts
        ]
        whole = from_strokes([stroke for part in parts for stroke in part.strokes])
        origin = parts[0].strokes[0][0]
        characters = len(line.title.replace(" ", ""))
        angle = _believed(_known(baseline_angle(whole)), characters, SURE)
        turned = [
            [turned_back(stroke - origin, angle) + origin for stroke in part.strokes]
            for part in parts
        ]
        if degrees is not None:
            lean = slant(from_strokes([stroke for part in turned for stroke in part]))
            lean = self._lean + _believed(_known(lean - self._lean), characters, SLANT_SURE)
            shear = np.array([[1.0, 0.0], [lean - math.tan(math.radians(degrees)), 1.0]])
            turned = [[stroke @ shear for stroke in part] for part in turned]
        base = baseline_of([stroke for part in turned for stroke in part])
        height = self._base + _believed(base - self._base, characters, SURE)
        found = []
        for part, ink in zip(parts, turned, strict=True):
            drift = _believed(baseline_of(ink) - height, len(part.text), WORD_SURE)
            shift = height + (1.0 - self.liveliness) * drift
            left = min(float(stroke[:, 0].min()) for stroke in ink)
            right = max(float(stroke[:, 0].max()) for stroke in ink)
            found.append((part.text, [stroke - (left, shift) for stroke in ink], left, right))
        lefts = [left for _, _, left, _ in found[1:]]
        gaps = [left - one[3] for one, left in zip(found, lefts, strict=False)]
        gaps = [self._gap(gap / self.letter) for gap in gaps] + [self.space]
        return [
            Word(tuple(stroke / self.letter for stroke in ink), (right - left) / self.letter,
                 gap, text)
            for (text, ink, left, right), gap in zip(found, gaps, strict=True)
        ]  # fmt: skip

    def _gap(self, gap: float) -> float:
        """Return a gap that differs from the usual one by `liveliness` of what it did."""
        gap = min(max(gap, NARROWEST * self.space), WIDEST * self.space)
        return self.space * (gap / self.space) ** self.liveliness


def own_hand(writer: Writer, reader: Reader | None, seed: int, sampling: Sampling) -> Primer:
    """Return a line of a hand of the network's own, and its text: the primer of a `Hand`."""
    text = "".join(one for one in OWN_TEXT if one in writer.model.alphabet)
    (found,) = proofread(writer, reader, [text], [seed], sampling, tries=OWN_TRIES)
    return found.line.ink, text


@dataclass(frozen=True)
class Passage:
    """A paragraph, and how it is written.

    Attributes:
        hand: in which.
        text: without line ends, of characters that the hand's writer knows.
        room: width of a row in x-heights; a word that is a little wider is made narrower, one that
            is much wider written again in parts, each of which ends a row.
        slant: degrees from upright to the right; None for the hand's own.
    """

    hand: Hand
    text: str
    room: float = math.inf
    slant: float | None = None

    @property
    def lines(self) -> list[str]:
        """The texts that are written at once."""
        return cut(self.text.split(), LONGEST)


def write(
    passages: Iterable[Passage], seed: int = 0
) -> Iterator[tuple[list[Word], list[Proofread]]]:
    """Yield the words of each passage, and its lines as they were proofread; none for a passage
    without a word.

    Several passages are written at a time, and not kept. What a line becomes does not depend on the
    hands of the others: a line has the seed that follows that of the line before.
    """
    waiting: list[tuple[Passage, range]] = []
    count = written = 0
    for passage in passages:
        lines = len(passage.lines)
        if count + lines - written > BATCH_SIZE:  # a few lines more would be a batch of their own
            yield from _written(waiting)
            waiting, written = [], count
        waiting.append((passage, range(seed + count, seed + count + lines)))
        count += lines
        if count - written >= BATCH_SIZE:
            yield from _written(waiting)
            waiting, written = [], count
    yield from _written(waiting)


def _written(
    passages: Sequence[tuple[Passage, range]],
) -> Iterator[tuple[list[Word], list[Proofread]]]:
    """Yield what `write` does; of each passage there are the seeds of its lines."""
    of_hand: dict[Hand, list[tuple[str, int]]] = {}
    for passage, seeds in passages:
        of_hand.setdefault(passage.hand, []).extend(zip(passage.lines, seeds, strict=True))
    following = {
        hand: iter(hand.write([text for text, _ in lines], [seed for _, seed in lines]))
        for hand, lines in of_hand.items()
    }
    for passage, seeds in passages:
        fitting: list[Word] = []
        found: list[Proofread] = []
        for seed in seeds:
            line = next(following[passage.hand])
            words, parts = _fitting(passage, line, seed)
            fitting += words
            found += [line, *parts]
        yield fitting, found


def _fitting(passage: Passage, line: Proofread, seed: int) -> tuple[list[Word], list[Proofread]]:
    """Return the words of a line, and the parts that were written of those that are too wide."""
    hand = passage.hand
    found: list[Proofread] = []

    def fitting(one: Proofread) -> list[Word]:
        words: list[Word] = []
        for word in hand.words(one.line, passage.slant):
            if word.width <= passage.room:
                words.append(word)
                continue
            divisible = " " not in word.text and len(word.text) > LEAST_PART
            if NARROWED * word.width <= passage.room or not divisible:
                words.append(narrowed(word, passage.room))
                continue
            characters = int(FILL * passage.room * len(word.text) / word.width)
            hyphen = "" if hand.writer.model.alphabet.unknown("-") else "-"
            parts = divided(word.text, max(characters, 1), hyphen)
            first = seed + PART_SEED_STRIDE * (len(found) + 1)
            seeds = [(first + PART_SEED_STRIDE * number) % SEEDS for number in range(len(parts))]
            written = hand.write(parts, seeds)
            found.extend(written)
            for part in written[:-1]:
                *others, last = fitting(part) or [Word((), 0.0, 0.0)]
                words += [*others, replace(last, ends_row=True)]
            words += fitting(written[-1])
        return words

    return fitting(line), found


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


def _known(angle: float) -> float:
    return 0.0 if math.isnan(angle) else angle


def _believed(measured: float, characters: int, sure: float) -> float:
    return measured * characters / (characters + sure)
