"""Recorded handwriting, cut into characters and kept by hand.

Lengths are in x-heights, x from the left edge of a line, y from its baseline, downwards.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from base.base_dataset import BaseDataset
from data_loader.synthetic.cutting import LIFT, SMALL, CutLine, Piece, overlap
from utils.checks import DataError
from utils.ink import from_strokes, weighted_median

CAPITALS = frozenset("ABCDEFGHIKLMNOPRSTUVWXZ")
"""Those that stand on the baseline in every hand."""
HOOKED = frozenset("JQY")
"""The others, which may reach below it."""
TALL = CAPITALS | frozenset("bdhkl")
"""Letters that begin at the height of capitals."""
SMALL_STANDING = SMALL | frozenset("bdhiklt")
"""Small letters that stand on the baseline."""
STANDS, SMALL_STANDS = 0.12, 0.2
"""How far capitals, digits and full stops that are cut out may stand from the baseline, and how far
small letters, in x-heights (assumed). Where few small letters tell the baseline, as in numbers, a
third of the digits of IAM-OnDB stand further from it than 0.4 (measured)."""
HIGH = (0.9, 1.15)
"""The height of capitals and digits over that of the hand's capitals (assumed); some capitals
differ from small letters in that alone."""
SMALL_HIGH = (0.75, 1.3)
"""The height of small letters (assumed)."""
HANGS = (-0.3, 0.15)
"""Between which heights commas begin (assumed)."""


Place = tuple[int, int, int]
"""Of a piece in a hand: the number of the line, its first and its last character."""


@dataclass(frozen=True, eq=False)
class BankHand:
    """The lines of one form: one person on one day."""

    lines: list[CutLine]

    @cached_property
    def height(self) -> float:
        """The x-height in the lines' units, their median."""
        return float(np.median([line.height for line in self.lines]))

    @cached_property
    def _steps(self) -> np.ndarray:
        """The steps within strokes, `(steps, 2)` in x-heights."""
        steps = [np.diff(line.points, axis=0)[~line.end[:-1]] for line in self.lines]
        return np.concatenate(steps)

    @cached_property
    def slant(self) -> float:
        """How far downstrokes lean to the right, x over y; the median, weighted by their height."""
        x, y = self._steps.T
        down = y > np.abs(x)
        return weighted_median(-x[down] / y[down], y[down]) if down.any() else 0.0

    @cached_property
    def speed(self) -> float:
        """The mean length of a step within a stroke, in x-heights."""
        return float(np.hypot(*self._steps.T).mean())

    @cached_property
    def width(self) -> float:
        """The mean width of a small letter, in x-heights."""
        boxes = self._boxes(SMALL)
        return float(np.median(boxes[:, 2] - boxes[:, 0])) if len(boxes) >= 3 else 0.9

    @cached_property
    def tall(self) -> float:
        """The height of capitals and tall letters above the baseline, in x-heights."""
        boxes = self._boxes(TALL)
        return float(np.clip(np.median(-boxes[:, 1]), 1.2, 3.0)) if len(boxes) >= 3 else 1.8

    @cached_property
    def lifts(self) -> float:
        """Strokes per character."""
        characters = sum(len(line.text.replace(" ", "")) for line in self.lines)
        return sum(int(line.end.sum()) for line in self.lines) / max(characters, 1)

    @cached_property
    def gaps(self) -> np.ndarray:
        """Distances between neighbouring characters with the pen lifted between them, sorted."""
        found = [
            -overlap(line.points[line.owner == k], line.points[line.owner == k + 1])
            for line, k in self._lifts()
        ]
        return _within(found, (-0.3, 1.0), 3, (0.1, 0.15, 0.2))

    @cached_property
    def mark_gaps(self) -> np.ndarray:
        """Distances between a mark and the character beside it in its word, from edge to edge,
        sorted; in IAM-OnDB twice as wide as between letters (measured)."""
        found = [
            _apart(line, line.owner == k, line.owner == k + 1)
            for line, k in self._lifts()
            if line.read[k : k + 2].all() and not line.text[k : k + 2].isalnum()
        ]
        return _within(found, (0.1, 1.5), 5, (0.3, 0.5, 0.8))

    @cached_property
    def word_gaps(self) -> np.ndarray:
        """Distances between words, sorted."""
        found = []
        for line in self.lines:
            for k in (k for k, one in enumerate(line.text) if one == " "):
                before, after = (line.owner >= 0) & (line.owner < k), line.owner > k
                if before.any() and after.any():
                    found.append(_apart(line, before, after))
        return _within(found, (0.3, 4), 3, (0.8, 1.0, 1.2))

    def _lifts(self) -> Iterator[tuple[CutLine, int]]:
        """Yield the characters of words after which the pen is lifted, and their lines."""
        for line in self.lines:
            for k in np.flatnonzero(line.between == LIFT).tolist():
                if " " not in line.text[k : k + 2]:
                    yield line, k

    def _boxes(self, characters: frozenset[str]) -> np.ndarray:
        """Return left, top, right and bottom of some characters, `(found, 4)`."""
        own = [
            line.points[line.owner == k]
            for line in self.lines
            for k, one in enumerate(line.text)
            if one in characters and line.read[k] and line.between[k] == LIFT
        ]
        return np.array([(*points.min(0), *points.max(0)) for points in own]).reshape(-1, 4)

    @cached_property
    def style(self) -> np.ndarray:
        """Numbers by which hands are compared."""
        return np.array([self.slant, np.log(self.width), np.log(self.lifts), np.log(self.speed),
                         np.log(self.tall)])  # fmt: skip

    @cached_property
    def pieces(self) -> dict[str, list[Place]]:
        """Where its pieces are, by text."""
        found = defaultdict(list)
        for number, line in enumerate(self.lines):
            for first, last in _runs(line):
                found[line.text[first : last + 1]].append((number, first, last))
        return dict(found)

    def edges(self, place: Place) -> tuple[bool, bool]:
        """Return whether a piece was cut off before and after."""
        return self.lines[place[0]].edges(*place[1:])

    def piece(self, place: Place) -> Piece:
        """Return the piece at a place, standing where it belongs, see `in_place`."""
        number, first, last = place
        line = self.lines[number]
        piece = line.piece(first, last)
        if first == last:
            return in_place(piece, self.tall)
        bottoms = [
            line.points[line.owner == k, 1].max()
            for k in range(first, last + 1)
            if line.text[k] in SMALL_STANDING
        ]
        shift = _back(float(np.median(bottoms)), SMALL_STANDS) if bottoms else 0.0
        return piece._replace(points=piece.points + np.array([0.0, shift]))

    def trials(self, generator: np.random.Generator) -> Iterator["Trial"]:
        """Yield single characters after a word of the hand, to find out which can be read.

        At most `TRIED` of each character.
        """
        words = [
            (number, found.start(), found.end() - 1)
            for number, line in enumerate(self.lines)
            for found in re.finditer(r"(?<!\S)\S{3,6}(?!\S)", line.text)
            if line.read[found.start() : found.end()].all()
        ]
        tried = Counter()
        for number in generator.permutation(len(self.lines) if words else 0).tolist():
            line = self.lines[number]
            for k in generator.permutation(len(line.text)).tolist():
                one = line.text[k]
                if not line.read[k] or line.edges(k, k) is None or tried[one] >= TRIED:
                    continue
                tried[one] += 1
                word, piece = self.piece(words[generator.integers(len(words))]), line.piece(k, k)
                gap = 0.3 if one in CLOSE else float(np.median(self.word_gaps))
                shift = word.points[:, 0].max() + gap
                points = np.concatenate([word.points, piece.points + np.array([shift, 0.0])])
                ends = np.concatenate([word.end, piece.end])
                parts = np.split(points, np.flatnonzero(ends)[:-1] + 1)
                yield Trial(line, k, from_strokes(parts), word.text + one)


def _apart(line: CutLine, before: np.ndarray, after: np.ndarray) -> float:
    """Return how far to the right of some points of a line, `(points,)` bool, others begin."""
    return line.points[after, 0].min() - line.points[before, 0].max()


def _within(
    values: list[float], bounds: tuple[float, float], least: int, otherwise: tuple[float, ...]
) -> np.ndarray:
    """Return the values within bounds, sorted; others if they are less than so many."""
    found = np.sort([value for value in values if bounds[0] < value < bounds[1]])
    return found if len(found) >= least else np.array(otherwise)


def in_place(piece: Piece, tall: float) -> Piece:
    """Return a character on the baseline if it stands there, a comma hanging from it, and letters
    and digits about as high as others of the hand.

    Args:
        piece: of one character.
        tall: height of the hand's capitals, in x-heights.
    """
    one, points = piece.text, piece.points
    top, bottom = points[:, 1].min(), points[:, 1].max()
    factor, high, shift = 1.0, max(bottom - top, 1e-9), 0.0
    if one in CAPITALS or one.isdigit():
        factor = np.clip(high, HIGH[0] * tall, HIGH[1] * tall) / high
    elif one in HOOKED:
        factor = max(1.0, HIGH[0] * tall / max(-top, 0.5))
    elif one in SMALL:
        factor = np.clip(high, *SMALL_HIGH) / high
    if one in CAPITALS or one.isdigit() or one == ".":
        shift = _back(bottom * factor, STANDS)
    elif one in SMALL_STANDING:
        shift = _back(bottom * factor, SMALL_STANDS)
    elif one == ",":
        shift = np.clip(top, *HANGS) - top
    return piece._replace(points=points * factor + np.array([0.0, shift]))


def _back(bottom: float, most: float) -> float:
    """Return how far something has to be moved to stand at most that far from the baseline."""
    return float(np.clip(bottom, -most, most)) - bottom


CLOSE = frozenset(".,;:!?'\"-)")
"""Characters that stand close behind a word."""
TRIED = 5
"""Times that a character of a hand is tried."""


class Trial(NamedTuple):
    """A character behind a word.

    Attributes:
        line: that it was cut out of.
        character: its place in the text of the line.
        ink: `(points, 3)`, with the word before it.
        text: the word and the character, without a blank.
    """

    line: CutLine
    character: int
    ink: np.ndarray
    text: str


LONGEST = 12
"""Characters of the longest piece."""


def _runs(line: CutLine) -> Iterable[tuple[int, int]]:
    """Yield first and last character of all pieces of a line."""
    for first in range(len(line.text)):
        for last in range(first, min(first + LONGEST, len(line.text))):
            if not line.read[last]:
                break
            if (edges := line.edges(first, last)) is None:
                continue
            opens, closes = edges
            own = (line.owner >= first) & (line.owner <= last)
            if closes and line.end[np.flatnonzero(own)[-1]]:
                continue  # a mark was set after the cut, and would be joined in its place
            # What was cut off, and single characters, were read by themselves.
            alone = first == last
            if alone and line.text[first] in "tf" and not line.end[own][:-1].any():
                continue  # without a bar it is read beside its neighbours, and as an l elsewhere
            if (line.fits[first] or not (opens or alone)) and (
                line.fits[last] or not (closes or alone)
            ):
                yield first, last


def look_at_pieces(
    hands: Iterable[BankHand], read: Callable[[Sequence[np.ndarray]], list[str]]
) -> tuple[int, int]:
    """Read characters cut out of each hand, and note in its lines which of them fit.

    They fit if what was read is the text, whatever blanks it has.

    Args:
        hands: whose characters are tried.
        read: returns the texts of lines of ink.

    Returns:
        how many were tried, and how many fit.
    """
    generator = np.random.default_rng(0)
    trials = [one for hand in hands for one in hand.trials(generator)]
    passed = [
        one
        for one, hypothesis in zip(trials, read([one.ink for one in trials]), strict=True)
        if hypothesis.replace(" ", "") == one.text
    ]
    for one in passed:
        one.line.fits[one.character] = True
    return len(trials), len(passed)


def check_forms(dataset: BaseDataset, indices: Iterable[int]) -> None:
    """Raise a DataError if the dataset does not say which of its lines are in one hand."""
    if not any(map(dataset.hand, indices)):
        raise DataError(
            f"the lines of a writer or of a form are one hand, and {type(dataset).__name__} knows "
            "neither (its `writer` and `group` are empty for each line)"
        )


def hands(lines: Iterable[tuple[str, CutLine]]) -> dict[str, BankHand]:
    """Return the hands of lines, each with the name of its form; lines of no form are of none."""
    found: dict[str, list[CutLine]] = defaultdict(list)
    for form, line in lines:
        if form:
            found[form].append(line)
    return {form: BankHand(lines) for form, lines in found.items()}
