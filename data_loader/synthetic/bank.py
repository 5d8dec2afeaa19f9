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

from base.base_dataset import BaseDataset, Sample
from data_loader.synthetic.cutting import CAPITALS, LIFT, SMALL, SMALL_STANDING, CutLine, Piece
from data_loader.synthetic.paths import moved, overlap, side_by_side, steps_within, to_ink
from utils.checks import DataError
from utils.hand_measures import strokes_per_character
from utils.ink import weighted_median

HOOKED = frozenset("JQY")
"""The other capitals, which may reach below the baseline."""
TALL = CAPITALS | frozenset("bdhkl")
"""Letters that begin at the height of capitals."""
STANDS = 0.12
"""Largest distance of capitals, digits and full stops from the baseline, in x-heights (assumed).
Where few small letters tell the baseline, as in numbers, a third of the digits of IAM-OnDB are
further from the baseline than 0.4 (measured)."""
SMALL_STANDS = 0.2
"""Largest distance of small letters from the baseline, in x-heights (assumed)."""
HIGH = (0.9, 1.15)
"""Bounds on the height of capitals and digits, over the hand's `tall` (assumed); some capitals
differ from small letters in height alone."""
SMALL_HIGH = (0.75, 1.3)
"""Bounds on the height of small letters, in x-heights (assumed)."""
HANGS = (-0.3, 0.15)
"""Bounds on the top of a comma, in x-heights below the baseline (assumed)."""
CLOSE = frozenset(".,;:!?'\"-)")
"""Characters that stand close behind a word."""
TRIED = 5
"""Times that a character of a hand is tried."""
LONGEST = 12
"""Characters of the longest piece."""


class Place(NamedTuple):
    """Where a `Piece` can be cut out: from which character of a line to which."""

    line: CutLine
    first: int
    last: int
    opens: bool
    closes: bool


class Trial(NamedTuple):
    """A character behind a word.

    Attributes:
        line, character: which of a line's text it is.
        ink: `(points, 3)`, with the word before it.
        text: the word and the character, without a blank.
    """

    line: CutLine
    character: int
    ink: np.ndarray
    text: str


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
        return np.concatenate([steps_within(line.path) for line in self.lines])

    @cached_property
    def slant(self) -> float:
        """Lean of downstrokes to the right, x over y: the median, weighted by their height."""
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
        widths = [np.ptp(points[:, 0]) for points in self._lifted(SMALL)]
        return float(np.median(widths)) if len(widths) >= 3 else 0.9

    @cached_property
    def tall(self) -> float:
        """The height of capitals and tall letters above the baseline, in x-heights."""
        tops = [-points[:, 1].min() for points in self._lifted(TALL)]
        return float(np.clip(np.median(tops), 1.2, 3.0)) if len(tops) >= 3 else 1.8

    @cached_property
    def lifts(self) -> float:
        """Strokes per character."""
        return strokes_per_character((line.path, line.text) for line in self.lines)

    @cached_property
    def gaps(self) -> np.ndarray:
        """Distances between neighbouring characters with the pen lifted between them, sorted."""
        gaps = [-overlap(line.points_of(k), line.points_of(k + 1)) for line, k in self._lifts()]
        return _within(gaps, (-0.3, 1.0), 3, (0.1, 0.15, 0.2))

    @cached_property
    def mark_gaps(self) -> np.ndarray:
        """Distances between a mark and the character beside it in its word, from edge to edge,
        sorted; in IAM-OnDB twice as wide as between letters (measured)."""
        gaps = [
            _apart(line.points_of(k), line.points_of(k + 1))
            for line, k in self._lifts()
            if line.read[k : k + 2].all() and not line.text[k : k + 2].isalnum()
        ]
        return _within(gaps, (0.1, 1.5), 5, (0.3, 0.5, 0.8))

    @cached_property
    def word_gaps(self) -> np.ndarray:
        """Distances between words, sorted."""
        gaps = []
        for line in self.lines:
            for blank in re.finditer(" ", line.text):
                before = line.path[(line.owner >= 0) & (line.owner < blank.start())]
                after = line.path[line.owner > blank.start()]
                if len(before) and len(after):
                    gaps.append(_apart(before, after))
        return _within(gaps, (0.3, 4), 3, (0.8, 1.0, 1.2))

    def _lifts(self) -> Iterator[tuple[CutLine, int]]:
        """Yield the characters of words after which the pen is lifted, and their lines."""
        for line in self.lines:
            for k in np.flatnonzero(line.boundaries == LIFT).tolist():
                if " " not in line.text[k : k + 2]:
                    yield line, k

    def _lifted(self, characters: frozenset[str]) -> Iterator[np.ndarray]:
        """Yield the points of each copy of some characters after which the pen is lifted."""
        for line in self.lines:
            for k in np.flatnonzero(line.read & (line.boundaries == LIFT)).tolist():
                if line.text[k] in characters:
                    yield line.points_of(k)

    @cached_property
    def style(self) -> np.ndarray:
        """Numbers by which hands are compared."""
        ratios = np.log([self.width, self.lifts, self.speed, self.tall])
        return np.array([self.slant, *ratios])

    @cached_property
    def pieces(self) -> dict[str, list[Place]]:
        """Where its pieces are, by text."""
        places = defaultdict(list)
        for line in self.lines:
            for place in _places(line):
                places[line.text[place.first : place.last + 1]].append(place)
        return dict(places)

    def piece(self, place: Place) -> Piece:
        """Return the piece at a place, standing where it belongs, see `snap_to_baseline`."""
        line, first, last, *_ = place
        piece = line.piece(first, last)
        if first == last:
            return snap_to_baseline(piece, self.tall)
        standing = [k for k in range(first, last + 1) if line.text[k] in SMALL_STANDING]
        bottoms = [line.points_of(k)[:, 1].max() for k in standing]
        shift = _back(float(np.median(bottoms)), SMALL_STANDS) if bottoms else 0.0
        return piece._replace(path=moved(piece.path, 0.0, shift))

    def trials(self, generator: np.random.Generator) -> Iterator[Trial]:
        """Yield single characters after a word of the hand, to find out which can be read; at most
        `TRIED` of each character."""
        words = [
            Place(line, word.start(), word.end() - 1, False, False)
            for line in self.lines
            for word in re.finditer(r"(?<!\S)\S{3,6}(?!\S)", line.text)
            if line.read[word.start() : word.end()].all()
        ]
        tried = Counter()
        for number in generator.permutation(len(self.lines) if words else 0).tolist():
            line = self.lines[number]
            for k in generator.permutation(len(line.text)).tolist():
                character = line.text[k]
                if not line.read[k] or line.edges(k, k) is None or tried[character] >= TRIED:
                    continue
                tried[character] += 1
                word = self.piece(words[generator.integers(len(words))])
                gap = 0.3 if character in CLOSE else float(np.median(self.word_gaps))
                path = side_by_side([word.path, line.piece(k, k).path], gap)
                yield Trial(line, k, to_ink(path), word.text + character)


def _apart(before: np.ndarray, after: np.ndarray) -> float:
    """Return how far to the right of some points others begin."""
    return after[:, 0].min() - before[:, 0].max()


def _within(
    values: list[float], bounds: tuple[float, float], least: int, otherwise: tuple[float, ...]
) -> np.ndarray:
    """Return the values within bounds, sorted, or `otherwise` if they are fewer than `least`."""
    usable = np.sort([value for value in values if bounds[0] < value < bounds[1]])
    return usable if len(usable) >= least else np.array(otherwise)


def snap_to_baseline(piece: Piece, tall: float) -> Piece:
    """Return a character on the baseline if it stands there, a comma hanging from it, and letters
    and digits about as high as others of the hand.

    Args:
        piece: of one character.
        tall: height of the hand's capitals, in x-heights.
    """
    character, y = piece.text, piece.path[:, 1]
    top, bottom = y.min(), y.max()
    factor, high, shift = 1.0, max(bottom - top, 1e-9), 0.0
    if character in CAPITALS or character.isdigit():
        factor = np.clip(high, HIGH[0] * tall, HIGH[1] * tall) / high
    elif character in HOOKED:
        factor = max(1.0, HIGH[0] * tall / max(-top, 0.5))
    elif character in SMALL:
        factor = np.clip(high, *SMALL_HIGH) / high
    if character in CAPITALS or character.isdigit() or character == ".":
        shift = _back(bottom * factor, STANDS)
    elif character in SMALL_STANDING:
        shift = _back(bottom * factor, SMALL_STANDS)
    elif character == ",":
        shift = np.clip(top, *HANGS) - top
    path = piece.path * (factor, factor, 1)
    return piece._replace(path=moved(path, 0.0, shift))


def _back(bottom: float, most: float) -> float:
    """Return the shift with which `bottom` is at most `most` from the baseline."""
    return float(np.clip(bottom, -most, most)) - bottom


def _places(line: CutLine) -> Iterator[Place]:
    """Yield the places of all pieces of a line."""
    for first in range(len(line.text)):
        for last in range(first, min(first + LONGEST, len(line.text))):
            if not line.read[last]:
                break
            if (edges := line.edges(first, last)) is None:
                continue
            opens, closes = edges
            lifts = line.path[(line.owner >= first) & (line.owner <= last), 2]
            if closes and lifts[-1]:
                # A mark was set after the cut, and would be joined in its place.
                continue
            alone = first == last
            if alone and line.text[first] in "tf" and not lifts[:-1].any():
                # Without a bar it is read beside its neighbours, and as an l elsewhere.
                continue
            # What was cut off, and single characters, were read by themselves.
            begins = line.fits[first] or not (opens or alone)
            if begins and (line.fits[last] or not (closes or alone)):
                yield Place(line, first, last, opens, closes)


def verify_pieces(
    hands: Iterable[BankHand], read: Callable[[Sequence[np.ndarray]], list[str]]
) -> tuple[int, int]:
    """Read characters cut out of each hand, and note in its lines which of them fit.

    A character fits if the text that is read, without blanks, is the text of its trial.

    Args:
        hands: whose characters are tried.
        read: returns the texts of lines of ink.

    Returns:
        how many were tried, and how many fit.
    """
    generator = np.random.default_rng(0)
    trials = [trial for hand in hands for trial in hand.trials(generator)]
    passed = 0
    hypotheses = read([trial.ink for trial in trials])
    for trial, hypothesis in zip(trials, hypotheses, strict=True):
        if hypothesis.replace(" ", "") == trial.text:
            trial.line.fits[trial.character] = True
            passed += 1
    return len(trials), passed


def check_forms(dataset: BaseDataset, samples: Iterable[Sample]) -> None:
    """Raise a DataError if the dataset does not say which of its lines are in one hand."""
    if not any(sample.hand for sample in samples):
        raise DataError(
            f"the lines of a writer or of a form are one hand, and {type(dataset).__name__} knows "
            "neither (its `writer` and `group` are empty for each line)"
        )


def hands(lines: Iterable[tuple[Sample, CutLine]]) -> dict[str, BankHand]:
    """Return the hands of lines by name; lines whose hand is unknown are left out."""
    by_hand: dict[str, list[CutLine]] = defaultdict(list)
    for sample, line in lines:
        if sample.hand:
            by_hand[sample.hand].append(line)
    return {name: BankHand(lines) for name, lines in by_hand.items()}
