"""Text in one hand, as words that a page can be laid out with.

A network writes lines as long as those that it was trained on. Here a text is cut into such lines
at blanks, all are written in the hand of one primer and proofread, brought level, and cut into
words again (`generation.words`): a page breaks its rows by the width of what was written, and no
line has to be written again to fit.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from model.generation.line import Line
from model.generation.words import WrittenWord, words
from model.loading import Reader, Writer
from model.proofreading import Proofread, proofread
from utils.batches import TOGETHER
from utils.hand_measures import baseline, baseline_angle, word_gaps
from utils.ink import bounds, from_strokes, strokes, to_points, x_height
from utils.page.layout import Word

LONGEST = 24
"""Characters of a line that is written at once, unless a word is longer (by eye, `writer` in four
styles: with 40 the letters become narrower towards the end of each)."""
SURE, WORD_SURE = 8.0, 4.0
"""Characters of a line, and of a word, from which half of its measured height above the baseline is
believed; a few letters say little (assumed)."""
SPACE = 1.2
"""Usual gap between words in x-heights, where the primer shows none (measured: lines of
IAM-OnDB)."""
FILL, LEAST_PART = 0.92, 3
"""Share of a row that a part of a word too wide for it fills, as written letters vary, and its
least characters (assumed)."""
LIVELINESS = 0.7
"""Default share of the drift and jitter of words that is kept."""
TRIES = 4
"""Default of how often a line is written at most."""


@dataclass
class Hand:
    """A writer that keeps to one hand.

    Attributes:
        writer: takes a text.
        primer: ink `(points, 3)` of the hand, in the units of the writer's data, and its text.
        reader: proofreads; None for no proofreading.
        sharpening: `bias` and `pen_sharpness` as `Writer.write_lines` takes them.
        seed: of the first line, incremented for each further one.
        tries: how often a line is written at most.
        liveliness: share of the drift of words from the baseline, and of the differences of blanks,
            that is kept, from 0 to 1.
        lines: those that were written, in order.
    """

    writer: Writer
    primer: tuple[np.ndarray, str]
    reader: Reader | None = None
    sharpening: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    tries: int = TRIES
    liveliness: float = LIVELINESS
    lines: list[Proofread] = field(default_factory=list)

    def __post_init__(self) -> None:
        ink, text = self.primer
        self._angle = _known(baseline_angle(ink))
        self._base = _base_of([_turned(stroke, self._angle) for stroke in strokes(ink)])
        self.letter = x_height(ink)
        """The x-height in the writer's units."""
        gaps = word_gaps(ink, text)
        self.space = float(np.median(gaps)) if len(gaps) else SPACE
        """The usual gap between words in x-heights."""
        left, _, right, _ = bounds(ink)
        self.blank = (right - left) / self.letter / max(len(text), 1)
        """The mean width of a character in x-heights."""

    def write(self, paragraphs: Iterable[str], room: float = math.inf) -> Iterator[list[Word]]:
        """Yield the words of each paragraph, in x-heights; none for one without a word.

        Several paragraphs are written at a time, so that memory does not grow with their number.

        Args:
            paragraphs: texts without line ends, of characters that the writer knows.
            room: width of a row in x-heights; a word that is wider is written again in parts, with
                hyphens between letters.
        """
        waiting: list[list[str]] = []
        for paragraph in paragraphs:
            waiting.append(cut(paragraph.split(), LONGEST))
            if sum(map(len, waiting)) >= TOGETHER:
                yield from self._fitting(waiting, room)
                waiting = []
        yield from self._fitting(waiting, room)

    def _fitting(self, paragraphs: Sequence[Sequence[str]], room: float) -> Iterator[list[Word]]:
        """Yield the words of paragraphs, in parts where they are wider than `room`."""
        for written in self._write(paragraphs):
            fitting: list[Word] = []
            for word in written:
                if word.width > room and " " not in word.text:
                    characters = int(FILL * room * len(word.text) / word.width)
                    hyphen = "" if self.writer.model.alphabet.unknown("-") else "-"
                    parts = divided(word.text, max(characters, LEAST_PART), hyphen)
                    fitting += next(self._write([parts]))
                else:
                    fitting.append(word)
            yield fitting

    def _write(self, paragraphs: Sequence[Sequence[str]]) -> Iterator[list[Word]]:
        texts = [text for lines in paragraphs for text in lines]
        seeds = range(self.seed + len(self.lines), self.seed + len(self.lines) + len(texts))
        found = proofread(self._lines, self._read, texts, seeds, self.tries if self.reader else 1)
        self.lines += found
        following = iter(found)
        for lines in paragraphs:
            parts = [self._words(next(following).line) for _ in lines]
            yield [word for part in parts for word in part]

    def _lines(self, texts: Sequence[str], seeds: Sequence[int]) -> list[Line]:
        return self.writer.write_lines(texts, seeds, **self.sharpening, primer=self.primer)

    def _read(self, lines: Sequence[Line]) -> list[str]:
        if self.reader is None:
            return [line.title for line in lines]
        return self.reader.read_lines(lines)

    def _words(self, line: Line) -> list[Word]:
        """Return the words of a line: level, in x-heights, each from its left edge."""
        parts = words(line)
        if not parts:
            return []
        start = to_points(line.ink)[line.primed]
        parts = [
            WrittenWord(one.text, [_turned(part + start, self._angle) for part in one.strokes])
            for one in parts
        ]
        whole = from_strokes([stroke for part in parts for stroke in part.strokes])
        origin = parts[0].strokes[0][0]
        characters = len(line.title.replace(" ", ""))
        angle = _believed(_known(baseline_angle(whole)), characters, SURE)
        turned = [
            [_turned(stroke - origin, angle) + origin for stroke in part.strokes] for part in parts
        ]
        height = self._base + _believed(
            _base_of([stroke for part in turned for stroke in part]) - self._base, characters, SURE
        )
        found = []
        for part, ink in zip(parts, turned, strict=True):
            drift = _believed(_base_of(ink) - height, len(part.text), WORD_SURE)
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
        gap = min(max(gap, 0.6 * self.space), 1.7 * self.space)
        return self.space * (gap / self.space) ** self.liveliness


def cut(spoken: Sequence[str], longest: int) -> list[str]:
    """Return words as lines of at most `longest` characters, of about equal lengths.

    A longer word is a line of its own.
    """
    total = len(" ".join(spoken))
    aim = total / max(math.ceil(total / longest), 1)
    lines: list[str] = []
    for word in spoken:
        if lines and len(lines[-1]) < aim and len(lines[-1]) + 1 + len(word) <= longest:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def divided(word: str, characters: int, hyphen: str) -> list[str]:
    """Return a word in parts of at most that many characters, but for the hyphen after a part.

    There is one where letters are on both sides; an address would be another with it.
    """
    starts = list(range(0, len(word), characters))
    if len(word) - starts[-1] < LEAST_PART:
        starts[-1] = max(len(word) - LEAST_PART, starts[-2] + 1)
    parts = [word[start:stop] for start, stop in pairwise([*starts, len(word)])]
    return [
        part + (hyphen if part[-1].isalpha() and following[:1].isalpha() else "")
        for part, following in zip(parts, [*parts[1:], ""], strict=True)
    ]


def _known(angle: float) -> float:
    return 0.0 if math.isnan(angle) else angle


def _turned(points: np.ndarray, angle: float) -> np.ndarray:
    """Return points `(n, 2)` turned back by an angle around the origin."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.asarray(points, dtype=np.float64) @ np.array([[cosine, -sine], [sine, cosine]])


def _base_of(strokes: Sequence[np.ndarray]) -> float:
    """Return the y of the baseline of strokes."""
    return float(strokes[0][0, 1]) + baseline(from_strokes(strokes))


def _believed(measured: float, characters: int, sure: float) -> float:
    return measured * characters / (characters + sure)
