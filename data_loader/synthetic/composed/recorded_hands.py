"""Measures recorded hands, and finds the pieces that can be cut out of their lines.

Lengths are in x-heights of a line; x starts at its left edge, y at its baseline, downwards.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from base.base_dataset import BaseDataset
from data_loader.pen_paths import moved, side_by_side, stroke_steps, to_ink, touching_shift
from data_loader.synthetic.composed.cutting import (
    LIFT,
    SMALL_STANDING,
    STANDING_CAPITALS,
    X_HIGH_LETTERS,
    CutLine,
    Piece,
)
from ink.geometry import weighted_median
from ink.measures import strokes_per_character
from ink.sample import Sample
from utils.checks import DataError

DESCENDING_CAPITALS = frozenset("JQY")
"""Capitals that may reach below the baseline, and so are missing from `STANDING_CAPITALS`."""
TALL_LETTERS = STANDING_CAPITALS | frozenset("bdhkl")
"""Capitals, and small letters as high as capitals."""
MAX_BASELINE_OFFSET = 0.12
"""Largest distance of capitals, digits and full stops from the baseline, in x-heights (assumed).
Characters at a larger distance are moved to this distance: in IAM-OnDB's lines with few small
letters, such as numbers, a third of the digits are more than 0.4 x-heights off (measured)."""
MAX_SMALL_OFFSET = 0.2
"""Largest distance of small letters from the baseline, in x-heights (assumed)."""
CAPITAL_HEIGHTS = (0.9, 1.15)
"""Bounds on the height of capitals and digits, as multiples of the hand's `tall_height` (assumed).
Some capitals differ from their small letters in height alone."""
SMALL_HEIGHTS = (0.75, 1.3)
"""Bounds on the height of small letters, in x-heights (assumed)."""
COMMA_TOPS = (-0.3, 0.15)
"""Bounds on the top of a comma, in x-heights below the baseline (assumed)."""
CLOSE_SIGNS = frozenset(".,;:!?'\"-)")
"""Signs that follow a word without a blank."""
CLOSE_SIGN_GAP = 0.3
"""Gap before such a sign in a trial, in x-heights (assumed)."""
MIN_MEASURED = 3
"""Minimum number of characters from which a hand is measured (assumed)."""
DEFAULT_WIDTH = 0.9
"""Width of a small letter of a hand with fewer characters, in x-heights (assumed)."""
DEFAULT_TALL_HEIGHT = 1.8
"""Height of capitals of a hand with fewer characters, in x-heights (assumed)."""
MEASURED_TALL_HEIGHTS = (1.2, 3.0)
"""Bounds on the height of capitals of a hand, in x-heights (assumed)."""
SHORT_WORD = re.compile(r"(?<!\S)\S{3,6}(?!\S)")
"""Matches a word between blanks, of 3 to 6 characters: the context in which one more is tried
(assumed)."""
MAX_TRIALS = 5
"""Largest number of times that a recogniser tries to read a character of a hand (assumed)."""
MAX_PIECE_LENGTH = 12
"""Largest number of characters of a piece (assumed)."""


class Place(NamedTuple):
    """A place in a line at which a `Piece` can be cut out."""

    line: CutLine
    first: int  # index of the piece's first character in the line
    last: int
    cut_before: bool  # whether the pen is down where the piece begins, see `Piece`
    cut_after: bool  # whether it is down where the piece ends


@dataclass(frozen=True, eq=False)
class RecordedHand:
    """The lines of a person or, where persons are unknown, of a form that one person filled in."""

    lines: list[CutLine]

    @cached_property
    def height(self) -> float:
        """The median x-height of the lines, in the units of their ink."""
        return float(np.median([line.height for line in self.lines]))

    @cached_property
    def _steps(self) -> np.ndarray:
        """The steps within the strokes of all lines, `(steps, 2)` in x-heights."""
        return np.concatenate([stroke_steps(line.path) for line in self.lines])

    @cached_property
    def slant(self) -> float:
        """The median lean to the right, x over y, of downward steps, weighted by their height."""
        x, y = self._steps.T
        down = y > np.abs(x)
        return weighted_median(-x[down] / y[down], y[down]) if down.any() else 0.0

    @cached_property
    def mean_step(self) -> float:
        """The mean length of a step within a stroke, in x-heights."""
        return float(np.hypot(*self._steps.T).mean())

    @cached_property
    def width(self) -> float:
        """The median width of a small letter, in x-heights."""
        widths = [np.ptp(points[:, 0]) for points in self._points_before_lift(X_HIGH_LETTERS)]
        return float(np.median(widths)) if len(widths) >= MIN_MEASURED else DEFAULT_WIDTH

    @cached_property
    def tall_height(self) -> float:
        """The median height of capitals and tall letters above the baseline, in x-heights."""
        tops = [-points[:, 1].min() for points in self._points_before_lift(TALL_LETTERS)]
        if len(tops) < MIN_MEASURED:
            return DEFAULT_TALL_HEIGHT
        return float(np.clip(np.median(tops), *MEASURED_TALL_HEIGHTS))

    @cached_property
    def strokes_per_character(self) -> float:
        """The number of strokes per character that is no blank."""
        return strokes_per_character((line.path, line.text) for line in self.lines)

    @cached_property
    def gaps(self) -> np.ndarray:
        """The gaps between characters that a lift separates, sorted: how far the second character
        can be moved to the left until it touches the first."""
        gaps = []
        for line, k in self._pairs_with_lift():
            gaps.append(-touching_shift(line.points_of(k), line.points_of(k + 1)))
        # All numbers here and below are assumed.
        return _gaps_within(gaps, bounds=(-0.3, 1.0), min_count=3, default=(0.1, 0.15, 0.2))

    @cached_property
    def sign_gaps(self) -> np.ndarray:
        """The gaps from edge to edge between a sign and its neighbour in a word, sorted; they are
        twice as wide as the gaps between letters (measured in IAM-OnDB)."""
        gaps = []
        for line, k in self._pairs_with_lift():
            if line.is_usable[k : k + 2].all() and not line.text[k : k + 2].isalnum():
                gaps.append(_gap_between(line.points_of(k), line.points_of(k + 1)))
        return _gaps_within(gaps, bounds=(0.1, 1.5), min_count=5, default=(0.3, 0.5, 0.8))

    @cached_property
    def word_gaps(self) -> np.ndarray:
        """The gaps between words, sorted."""
        gaps = []
        for line in self.lines:
            for blank in re.finditer(" ", line.text):
                left = line.path[(line.owner >= 0) & (line.owner < blank.start())]
                right = line.path[line.owner > blank.start()]
                if len(left) and len(right):
                    gaps.append(_gap_between(left, right))
        return _gaps_within(gaps, bounds=(0.3, 4), min_count=3, default=(0.8, 1.0, 1.2))

    def _pairs_with_lift(self) -> Iterator[tuple[CutLine, int]]:
        """Yield line and index of each character that a lift separates from the next in a word."""
        for line in self.lines:
            for k in np.flatnonzero(line.boundaries == LIFT).tolist():
                if " " not in line.text[k : k + 2]:
                    yield line, k

    def _points_before_lift(self, characters: frozenset[str]) -> Iterator[np.ndarray]:
        """Yield the points of each of `characters` that was read right and that a lift follows."""
        for line in self.lines:
            for k in np.flatnonzero(line.is_usable & (line.boundaries == LIFT)).tolist():
                if line.text[k] in characters:
                    yield line.points_of(k)

    @cached_property
    def measures(self) -> np.ndarray:
        """The measures by which hands are compared, `(5,)`."""
        log_measures = np.log(
            [self.width, self.strokes_per_character, self.mean_step, self.tall_height]
        )
        return np.array([self.slant, *log_measures])

    @cached_property
    def places(self) -> dict[str, list[Place]]:
        """The places of the hand's pieces, by text."""
        places = defaultdict(list)
        for line in self.lines:
            for place in _places(line):
                places[line.text[place.first : place.last + 1]].append(place)
        return dict(places)

    def piece(self, place: Place) -> Piece:
        """Return the piece at a place, moved to the baseline (see `snap_to_baseline`)."""
        line, first, last, *_ = place
        piece = line.piece(first, last)
        if first == last:
            return snap_to_baseline(piece, self.tall_height)
        standing = [k for k in range(first, last + 1) if line.text[k] in SMALL_STANDING]
        bottoms = [line.points_of(k)[:, 1].max() for k in standing]
        bottom = float(np.median(bottoms)) if bottoms else 0.0
        shift = _shift_to_baseline(bottom, MAX_SMALL_OFFSET)
        return piece._replace(path=moved(piece.path, 0.0, shift))

    def trials(
        self, generator: np.random.Generator
    ) -> Iterator[tuple[CutLine, int, np.ndarray, str]]:
        """Yield trials of single characters: the line, the index of the character, ink and text.

        Ink and text are a word of the hand, with the character behind it. A character has at most
        `MAX_TRIALS` trials.
        """
        words = []
        for line in self.lines:
            for match in SHORT_WORD.finditer(line.text):
                if line.is_usable[match.start() : match.end()].all():
                    last = match.end() - 1
                    place = Place(line, match.start(), last, cut_before=False, cut_after=False)
                    words.append(place)
        if not words:
            return
        num_trials = Counter[str]()
        for number in generator.permutation(len(self.lines)).tolist():
            line = self.lines[number]
            for k in generator.permutation(len(line.text)).tolist():
                character = line.text[k]
                is_usable = line.is_usable[k] and line.edges(k, k) is not None
                if not is_usable or num_trials[character] >= MAX_TRIALS:
                    continue
                num_trials[character] += 1
                word = self.piece(words[generator.integers(len(words))])
                word_gap = float(np.median(self.word_gaps))
                gap = CLOSE_SIGN_GAP if character in CLOSE_SIGNS else word_gap
                path = side_by_side([word.path, line.piece(k, k).path], gap)
                yield line, k, to_ink(path), word.text + character


def _gap_between(left: np.ndarray, right: np.ndarray) -> float:
    """Return the distance from the right edge of `left` to the left edge of `right`."""
    return right[:, 0].min() - left[:, 0].max()


def _gaps_within(
    gaps: list[float], bounds: tuple[float, float], min_count: int, default: tuple[float, ...]
) -> np.ndarray:
    """Return the gaps within bounds, sorted, or `default` if fewer than `min_count` are within."""
    usable = np.sort([gap for gap in gaps if bounds[0] < gap < bounds[1]])
    return usable if len(usable) >= min_count else np.array(default)


def snap_to_baseline(piece: Piece, tall_height: float) -> Piece:
    """Return a character with its height and vertical position corrected.

    Letters and digits get a height within the bounds above. Characters that stand on the baseline
    are moved to it, and the top of a comma is moved within `COMMA_TOPS`. `piece` is a piece of one
    character, and `tall_height` the height of the hand's capitals.
    """
    character = piece.text
    y = piece.path[:, 1]
    top, bottom = y.min(), y.max()
    factor = 1.0
    height = max(bottom - top, 1e-9)
    shift = 0.0
    if character in STANDING_CAPITALS or character.isdigit():
        lowest, highest = (ratio * tall_height for ratio in CAPITAL_HEIGHTS)
        factor = np.clip(height, lowest, highest) / height
    elif character in DESCENDING_CAPITALS:  # Their height is that above the baseline.
        height_above = max(-top, 0.5)  # so that no factor is huge
        factor = max(1.0, CAPITAL_HEIGHTS[0] * tall_height / height_above)
    elif character in X_HIGH_LETTERS:
        factor = np.clip(height, *SMALL_HEIGHTS) / height
    if character in STANDING_CAPITALS or character.isdigit() or character == ".":
        shift = _shift_to_baseline(bottom * factor, MAX_BASELINE_OFFSET)
    elif character in SMALL_STANDING:
        shift = _shift_to_baseline(bottom * factor, MAX_SMALL_OFFSET)
    elif character == ",":
        shift = np.clip(top, *COMMA_TOPS) - top
    path = piece.path * (factor, factor, 1)
    return piece._replace(path=moved(path, 0.0, shift))


def _shift_to_baseline(bottom: float, max_offset: float) -> float:
    """Return the smallest shift that brings `bottom` within `max_offset` of the baseline."""
    return float(np.clip(bottom, -max_offset, max_offset)) - bottom


def _places(line: CutLine) -> Iterator[Place]:
    """Yield the places of all pieces of a line."""
    for first in range(len(line.text)):
        for last in range(first, min(first + MAX_PIECE_LENGTH, len(line.text))):
            if not line.is_usable[last]:
                break
            edges = line.edges(first, last)
            if edges is None:
                continue
            cut_before, cut_after = edges
            lifts = line.path[(line.owner >= first) & (line.owner <= last), 2]
            if cut_after and lifts[-1]:
                # The path ends with a delayed stroke, to which the next piece cannot be joined.
                continue
            is_single = first == last
            if is_single and line.text[first] in "tf" and not lifts[:-1].any():
                # A `t` or `f` without its bar is read right only between its neighbours.
                continue
            # A character at a cut, and a single character, must have been read when cut out.
            first_fits = line.fits[first] or not (cut_before or is_single)
            last_fits = line.fits[last] or not (cut_after or is_single)
            if first_fits and last_fits:
                yield Place(line, first, last, cut_before, cut_after)


def verify_pieces(
    hands: Iterable[RecordedHand], read: Callable[[Sequence[np.ndarray]], list[str]]
) -> tuple[int, int]:
    """Set `fits` for each character whose trial is read right; blanks in a reading do not count.

    Args:
        hands: hands whose characters are tried.
        read: function that returns the texts of lines of ink.

    Returns:
        the number of characters tried, and the number that fit.
    """
    generator = np.random.default_rng(0)
    trials = [trial for hand in hands for trial in hand.trials(generator)]
    num_fit = 0
    hypotheses = read([ink for _, _, ink, _ in trials])
    for (line, character, _, text), hypothesis in zip(trials, hypotheses, strict=True):
        if hypothesis.replace(" ", "") == text:
            line.fits[character] = True
            num_fit += 1
    return len(trials), num_fit


def check_hands(dataset: BaseDataset, samples: Iterable[Sample]) -> None:
    """Raise a DataError unless some line of the dataset has a writer or a form."""
    if not any(sample.hand for sample in samples):
        raise DataError(
            f"{dataset} names neither writers nor forms (`writer` and `group` are "
            "empty for each line): only lines of the same writer or form are one hand"
        )


def recorded_hands(lines: Iterable[tuple[Sample, CutLine]]) -> dict[str, RecordedHand]:
    """Return the hands of `lines` by name; lines whose hand is unknown are left out."""
    by_hand: dict[str, list[CutLine]] = defaultdict(list)
    for sample, line in lines:
        if sample.hand:
            by_hand[sample.hand].append(line)
    return {name: RecordedHand(lines) for name, lines in by_hand.items()}
