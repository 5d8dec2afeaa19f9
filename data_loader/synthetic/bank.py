"""The recorded handwriting of each person's hand, cut into characters.

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
"""Capitals that may reach below the baseline, and so are not in `CAPITALS`."""
TALL = CAPITALS | frozenset("bdhkl")
"""Letters as high as capitals."""
STANDS = 0.12
"""Largest distance of capitals, digits and full stops from the baseline, in x-heights (assumed). In
IAM-OnDB's lines with few small letters, such as numbers, a third of the digits are more than 0.4
from the estimated baseline (measured)."""
SMALL_STANDS = 0.2
"""Largest distance of small letters from the baseline, in x-heights (assumed)."""
HIGH = (0.9, 1.15)
"""Bounds on the height of capitals and digits, as multiples of the hand's `tall` (assumed). Some
capitals differ from their small letters in height alone."""
SMALL_HIGH = (0.75, 1.3)
"""Bounds on the height of small letters, in x-heights (assumed)."""
HANGS = (-0.3, 0.15)
"""Bounds on the top of a comma, in x-heights below the baseline (assumed)."""
CLOSE = frozenset(".,;:!?'\"-)")
"""Characters that stand close behind a word."""
TRIED = 5
"""Largest number of trials of a character in a hand."""
LONGEST = 12
"""Largest number of characters of a piece."""


class Place(NamedTuple):
    """A place where a `Piece` can be cut out: the first and last character in a line."""

    line: CutLine
    first: int
    last: int
    opens: bool
    closes: bool


@dataclass(frozen=True, eq=False)
class BankHand:
    """The lines of one form: one person on one day."""

    lines: list[CutLine]

    @cached_property
    def height(self) -> float:
        """The median x-height of the lines, in their units."""
        return float(np.median([line.height for line in self.lines]))

    @cached_property
    def _steps(self) -> np.ndarray:
        """The steps within strokes, `(steps, 2)` in x-heights."""
        return np.concatenate([steps_within(line.path) for line in self.lines])

    @cached_property
    def slant(self) -> float:
        """Median lean of downstrokes to the right, x over y, weighted by the strokes' height."""
        x, y = self._steps.T
        down = y > np.abs(x)
        return weighted_median(-x[down] / y[down], y[down]) if down.any() else 0.0

    @cached_property
    def speed(self) -> float:
        """The mean length of a step within a stroke, in x-heights."""
        return float(np.hypot(*self._steps.T).mean())

    @cached_property
    def width(self) -> float:
        """The median width of a small letter, in x-heights."""
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
        """Distances between neighbouring characters with a lift of the pen between, sorted."""
        gaps = [-overlap(line.points_of(k), line.points_of(k + 1)) for line, k in self._lifts()]
        return _gaps_within(gaps, (-0.3, 1.0), 3, (0.1, 0.15, 0.2))

    @cached_property
    def mark_gaps(self) -> np.ndarray:
        """Distances from edge to edge between a mark and its neighbour in a word, sorted; in
        IAM-OnDB they are twice as wide as between letters (measured)."""
        gaps = [
            _gap_between(line.points_of(k), line.points_of(k + 1))
            for line, k in self._lifts()
            if line.read[k : k + 2].all() and not line.text[k : k + 2].isalnum()
        ]
        return _gaps_within(gaps, (0.1, 1.5), 5, (0.3, 0.5, 0.8))

    @cached_property
    def word_gaps(self) -> np.ndarray:
        """Distances between words, sorted."""
        gaps = []
        for line in self.lines:
            for blank in re.finditer(" ", line.text):
                before = line.path[(line.owner >= 0) & (line.owner < blank.start())]
                after = line.path[line.owner > blank.start()]
                if len(before) and len(after):
                    gaps.append(_gap_between(before, after))
        return _gaps_within(gaps, (0.3, 4), 3, (0.8, 1.0, 1.2))

    def _lifts(self) -> Iterator[tuple[CutLine, int]]:
        """Yield the line and index of each character that a lift separates from the next one."""
        for line in self.lines:
            for k in np.flatnonzero(line.boundaries == LIFT).tolist():
                if " " not in line.text[k : k + 2]:
                    yield line, k

    def _lifted(self, characters: frozenset[str]) -> Iterator[np.ndarray]:
        """Yield the points of each of `characters` that was read and is followed by a lift."""
        for line in self.lines:
            for k in np.flatnonzero(line.read & (line.boundaries == LIFT)).tolist():
                if line.text[k] in characters:
                    yield line.points_of(k)

    @cached_property
    def style(self) -> np.ndarray:
        """Numbers by which hands are compared, `(5,)`."""
        ratios = np.log([self.width, self.lifts, self.speed, self.tall])
        return np.array([self.slant, *ratios])

    @cached_property
    def pieces(self) -> dict[str, list[Place]]:
        """The places of the hand's pieces, by text."""
        places = defaultdict(list)
        for line in self.lines:
            for place in _places(line):
                places[line.text[place.first : place.last + 1]].append(place)
        return dict(places)

    def piece(self, place: Place) -> Piece:
        """Return the piece at a place, moved to the baseline; see `snap_to_baseline`."""
        line, first, last, *_ = place
        piece = line.piece(first, last)
        if first == last:
            return snap_to_baseline(piece, self.tall)
        standing = [k for k in range(first, last + 1) if line.text[k] in SMALL_STANDING]
        bottoms = [line.points_of(k)[:, 1].max() for k in standing]
        shift = _shift_to_baseline(float(np.median(bottoms)), SMALL_STANDS) if bottoms else 0.0
        return piece._replace(path=moved(piece.path, 0.0, shift))

    def trials(
        self, generator: np.random.Generator
    ) -> Iterator[tuple[CutLine, int, np.ndarray, str]]:
        """Yield single characters behind a word of the hand, at most `TRIED` of each character: the
        character's line, its index there, and ink and text of both, without a blank."""
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
                yield line, k, to_ink(path), word.text + character


def _gap_between(before: np.ndarray, after: np.ndarray) -> float:
    """Return the distance from the right edge of `before` to the left edge of `after`."""
    return after[:, 0].min() - before[:, 0].max()


def _gaps_within(
    values: list[float], bounds: tuple[float, float], least: int, otherwise: tuple[float, ...]
) -> np.ndarray:
    """Return the values within bounds, sorted, or `otherwise` if they are fewer than `least`."""
    usable = np.sort([value for value in values if bounds[0] < value < bounds[1]])
    return usable if len(usable) >= least else np.array(otherwise)


def snap_to_baseline(piece: Piece, tall: float) -> Piece:
    """Return a character with height and place corrected: letters and digits get about the height
    usual in the hand, standing characters move to the baseline, and commas hang from it.

    Args:
        piece: a piece of one character.
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
        shift = _shift_to_baseline(bottom * factor, STANDS)
    elif character in SMALL_STANDING:
        shift = _shift_to_baseline(bottom * factor, SMALL_STANDS)
    elif character == ",":
        shift = np.clip(top, *HANGS) - top
    path = piece.path * (factor, factor, 1)
    return piece._replace(path=moved(path, 0.0, shift))


def _shift_to_baseline(bottom: float, most: float) -> float:
    """Return the shift that brings `bottom` within `most` of the baseline."""
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
                # The path ends with a delayed stroke, which would be joined instead of the cut.
                continue
            is_single = first == last
            if is_single and line.text[first] in "tf" and not lifts[:-1].any():
                # A `t` or `f` without its bar is read as such only beside its neighbours.
                continue
            # Characters that are cut off, or are single, must have been read by themselves.
            begins = line.fits[first] or not (opens or is_single)
            if begins and (line.fits[last] or not (closes or is_single)):
                yield Place(line, first, last, opens, closes)


def verify_pieces(
    hands: Iterable[BankHand], read: Callable[[Sequence[np.ndarray]], list[str]]
) -> tuple[int, int]:
    """Read characters cut out of each hand, and set `fits` of their lines where they fit.

    A character fits if the text that is read, without blanks, is the text of its trial.

    Args:
        hands: hands whose characters are tried.
        read: returns the texts of lines of ink.

    Returns:
        the number of characters tried, and the number that fit.
    """
    generator = np.random.default_rng(0)
    trials = [trial for hand in hands for trial in hand.trials(generator)]
    passed = 0
    hypotheses = read([ink for _, _, ink, _ in trials])
    for (line, character, _, text), hypothesis in zip(trials, hypotheses, strict=True):
        if hypothesis.replace(" ", "") == text:
            line.fits[character] = True
            passed += 1
    return len(trials), passed


def check_forms(dataset: BaseDataset, samples: Iterable[Sample]) -> None:
    """Raise a DataError if the dataset does not say which of its lines share a hand."""
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
