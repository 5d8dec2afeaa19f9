"""Recorded handwriting, cut into characters and kept by hand.

Lengths are in x-heights, x from the left edge of a line, y from its baseline, downwards.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
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


class BankHand:
    """The lines of one form: one person on one day.

    Attributes:
        lines: measured.
    """

    def __init__(self, lines: list[CutLine]) -> None:
        self.lines = lines

    @cached_property
    def height(self) -> float:
        """The x-height in the lines' units, their median."""
        return float(np.median([line.height for line in self.lines]))

    @cached_property
    def slant(self) -> float:
        """How far downstrokes lean to the right, x over y; the median, weighted by their height."""
        lean, weight = [], []
        for line in self.lines:
            step = np.diff(line.points, axis=0)[~line.end[:-1]]
            down = step[:, 1] > np.abs(step[:, 0])
            lean.append(-step[down, 0] / step[down, 1])
            weight.append(step[down, 1])
        lean, weight = np.concatenate(lean), np.concatenate(weight)
        if not len(lean):
            return 0.0
        return weighted_median(lean, weight)

    @cached_property
    def speed(self) -> float:
        """The mean length of a step within a stroke, in x-heights."""
        steps = [np.diff(line.points, axis=0)[~line.end[:-1]] for line in self.lines]
        return float(np.hypot(*np.concatenate(steps).T).mean())

    @cached_property
    def width(self) -> float:
        """The mean width of a small letter, in x-heights."""
        return _median([box[2] - box[0] for box in self._boxes(SMALL)], 0.9)

    @cached_property
    def tall(self) -> float:
        """The height of capitals and tall letters above the baseline, in x-heights."""
        return min(max(_median([-box[1] for box in self._boxes(TALL)], 1.8), 1.2), 3.0)

    @cached_property
    def lifts(self) -> float:
        """Strokes per character."""
        characters = sum(len(line.text.replace(" ", "")) for line in self.lines)
        return sum(int(line.end.sum()) for line in self.lines) / max(characters, 1)

    @cached_property
    def gaps(self) -> np.ndarray:
        """Distances between neighbouring characters with the pen lifted between them, sorted."""
        found = []
        for line in self.lines:
            for k in np.flatnonzero(line.between == LIFT).tolist():
                if " " not in line.text[k : k + 2]:
                    left, right = (line.points[line.owner == n] for n in (k, k + 1))
                    found.append(-overlap(left, right))
        found = np.sort([gap for gap in found if -0.3 < gap < 1.0])
        return found if len(found) >= 3 else np.array([0.1, 0.15, 0.2])

    @cached_property
    def mark_gaps(self) -> np.ndarray:
        """Distances between a mark and the character beside it in its word, from edge to edge,
        sorted; in IAM-OnDB twice as wide as between letters (measured)."""
        found = []
        for line in self.lines:
            for k in np.flatnonzero(line.between == LIFT).tolist():
                two = line.text[k : k + 2]
                if " " in two or not line.read[k : k + 2].all() or two.isalnum():
                    continue
                left, right = (line.points[line.owner == n, 0] for n in (k, k + 1))
                found.append(right.min() - left.max())
        found = np.sort([gap for gap in found if 0.1 < gap < 1.5])
        return found if len(found) >= 5 else np.array([0.3, 0.5, 0.8])

    @cached_property
    def word_gaps(self) -> np.ndarray:
        """Distances between words, sorted."""
        found = []
        for line in self.lines:
            for k in [k for k, one in enumerate(line.text) if one == " "]:
                before, after = line.owner < k, line.owner > k
                before &= line.owner >= 0
                if before.any() and after.any():
                    found.append(line.points[after, 0].min() - line.points[before, 0].max())
        found = np.sort([gap for gap in found if 0.3 < gap < 4])
        return found if len(found) >= 3 else np.array([0.8, 1.0, 1.2])

    @cached_property
    def style(self) -> np.ndarray:
        """Numbers by which hands are compared."""
        return np.array([self.slant, np.log(self.width), np.log(self.lifts), np.log(self.speed),
                         np.log(self.tall)])  # fmt: skip

    @cached_property
    def pieces(self) -> dict[str, list[tuple[int, int, int]]]:
        """Where its pieces are, by text: number of the line, first and last character."""
        found = defaultdict(list)
        for number, line in enumerate(self.lines):
            for first, last in _runs(line):
                found[line.text[first : last + 1]].append((number, first, last))
        return dict(found)

    def piece(self, place: tuple[int, int, int]) -> Piece:
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

    def trials(self, generator: np.random.Generator) -> Iterable["Trial"]:
        """Yield single characters after a word of the hand, to find out which can be read.

        At most `TRIED` of each character.
        """
        words = [
            (number, first, last)
            for number, line in enumerate(self.lines)
            for first, last in _words(line.text)
            if line.read[first : last + 1].all() and 2 <= last - first <= 5
        ]
        if not words:
            return
        tried: dict[str, int] = defaultdict(int)
        for number in generator.permutation(len(self.lines)).tolist():
            line = self.lines[number]
            for k in generator.permutation(len(line.text)).tolist():
                one = line.text[k]
                if not line.read[k] or line.edges(k, k) is None or tried[one] >= TRIED:
                    continue
                tried[one] += 1
                word = self.piece(words[int(generator.integers(len(words)))])
                piece = line.piece(k, k)
                near = one in CLOSE
                gap = 0.3 if near else float(np.median(self.word_gaps))
                shift = word.points[:, 0].max() + gap
                points = np.concatenate([word.points, piece.points + np.array([shift, 0.0])])
                ends = np.concatenate([word.end, piece.end])
                parts = np.split(points, np.flatnonzero(ends)[:-1] + 1)
                yield Trial(number, k, from_strokes(parts), word.text, "" if near else " ", one)

    def _boxes(self, characters: frozenset[str]) -> Iterable[tuple[float, float, float, float]]:
        for line in self.lines:
            for k, one in enumerate(line.text):
                if one in characters and line.read[k] and line.between[k] == LIFT:
                    own = line.points[line.owner == k]
                    yield (*own.min(0).tolist(), *own.max(0).tolist())


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
        line: its number in the hand.
        character: its place in the text of the line.
        ink: `(points, 3)`.
        word, blank, one: the parts of the text.
    """

    line: int
    character: int
    ink: np.ndarray
    word: str
    blank: str
    one: str

    def passes(self, hypothesis: str) -> bool:
        """Return whether what was read is the text, whatever blanks it has."""
        return hypothesis.replace(" ", "") == self.word + self.one


def _words(text: str) -> Iterable[tuple[int, int]]:
    """Yield first and last character of the words of a text."""
    for found in re.finditer(r"\S+", text):
        yield found.start(), found.end() - 1


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


def _median(values: list[float], otherwise: float) -> float:
    return float(np.median(values)) if len(values) >= 3 else otherwise


def look_at_pieces(
    hands: Iterable[BankHand], read: Callable[[Sequence[np.ndarray]], list[str]]
) -> tuple[int, int]:
    """Read characters cut out of each hand, and note in its lines which of them fit.

    Args:
        hands: whose characters are tried.
        read: returns the texts of lines of ink.

    Returns:
        how many were tried, and how many fit.
    """
    generator, passed = np.random.default_rng(0), 0
    trials = [(hand, one) for hand in hands for one in hand.trials(generator)]
    for (hand, one), said in zip(trials, read([one.ink for _, one in trials]), strict=True):
        if one.passes(said):
            hand.lines[one.line].fits[one.character] = True
            passed += 1
    return len(trials), passed


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
