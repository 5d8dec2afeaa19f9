"""Measures the words of a row of ink: place, baseline, slope, x-height and lean of each.

A short word shows little of this. So each measure is a mean of the word's measure and the measure
of the row around the word; the fewer turning points of the pen a word has, the less it weighs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from apps.notes.page_text import PageRow
from ink.geometry import from_strokes, turned_back, vertical_segments, weighted_median, x_height
from ink.ink_page import InkPage
from ink.measures import baseline_angle, downstrokes, turning_points

# Lengths in x-heights.
X_HEIGHT_QUANTILE = 0.35
"""Quantile at which the x-height is measured among the turning points, without those of ascenders
and descenders (measured, notebook: notes, neater ink)."""
MAX_CONTEXT_DISTANCE = 6.0  # from a word's middle to the row around it (assumed: two words)
MAX_BASELINE_DISTANCE = 0.45  # from a turning point to its line (assumed: less than a descender's)
MIN_SPAN = 1.0  # between two turning points whose slope is measured (assumed)
TALL_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜbdfhkltß0123456789ij'\"!?()"
"""Characters whose highest turning point is above the x-height."""
DEEP_CHARACTERS = "gjpqyfQ,;()"
"""Characters whose lowest turning point is below the baseline."""
MAX_ENDS = 300  # turning points of a line whose slope is measured (assumed)
# Number of turning points at which the measure of a word has half of the weight:
BASELINE_PRIOR = 1.0  # for the baseline (measured, notebook: notes, neater ink)
X_HEIGHT_PRIOR = 1.5  # for the x-height (measured, notebook: notes, neater ink)
LEAN_PRIOR = 1.0  # for the lean (measured, notebook: notes, neater ink)
SLOPE_PRIOR = 8.0  # for the slope (measured, notebook: notes, neater ink)


class WordShape(NamedTuple):
    """The measures of a unit in its level row, in the units of the page.

    Attributes:
        x: middle of the unit.
        baseline: y of the baseline in the middle.
        slope: slope of the baseline, y over x, positive if it falls to the right.
        x_height: height of the letters without ascenders.
        lean: how far downstrokes lean to the right, x over y.
    """

    x: float
    baseline: float
    slope: float
    x_height: float
    lean: float


class _Turns(NamedTuple):
    """Lower and upper ends of the pen's way up or down, `(segments, 2)` each, and the lean and the
    height of each downstroke, `(downstrokes, 2)`."""

    low: np.ndarray
    high: np.ndarray
    down: np.ndarray


@dataclass(frozen=True, eq=False)
class RowShape:
    """A row of ink, divided into units: one word, or several words that share strokes.

    Attributes:
        row: the row.
        words: indices in the row of each unit's words.
        numbers: numbers on the page of each unit's strokes.
        strokes: positions of the strokes of each unit, turned so that the row is level.
        angle: angle by which the row was turned back, with its quarter turns, in radians.
    """

    row: PageRow
    words: list[list[int]]
    numbers: list[list[int]]
    strokes: list[list[np.ndarray]]
    angle: float

    @property
    def are_signs(self) -> np.ndarray:
        """Whether each unit has neither a letter nor a digit, `(units,)`."""
        return np.array([not any(map(str.isalnum, text)) for text in self.texts])

    @property
    def texts(self) -> list[str]:
        """The text of each unit."""
        texts = []
        for indices in self.words:
            words = (self.row.words[index].text for index in indices)
            texts.append(" ".join(filter(None, words)))
        return texts

    def turned(self, angle: float) -> "RowShape":
        """Return the row with its strokes turned back by a further angle, in radians."""
        strokes = [[turned_back(stroke, angle) for stroke in unit] for unit in self.strokes]
        return replace(self, strokes=strokes, angle=self.angle + float(angle))

    @cached_property
    def _turns(self) -> list[_Turns]:
        height = x_height(from_strokes([*chain(*self.strokes)]))
        return [_turns_of(part, height) for part in self.strokes]

    @cached_property
    def x_height(self) -> float:
        """The x-height of the row: the median height of the upper turning points near it."""
        unit = self._rough_height
        heights = []
        for number, turns in enumerate(self._turns):
            baseline, slope = self.baseline_at(number, unit)
            heights.append(baseline - _level(turns.high, self.middles[number], slope))
        values = np.concatenate(heights)
        values = values[np.abs(values - unit) <= MAX_BASELINE_DISTANCE * unit]
        return float(np.median(values)) if len(values) else unit

    @cached_property
    def _rough_height(self) -> float:
        """The median x-height of the units, measured without the turning points of tall and deep
        letters."""
        heights = []
        for text, turns in zip(self.texts, self._turns, strict=True):
            low = np.sort(turns.low[:, 1])
            high = np.sort(turns.high[:, 1])
            low = low[: len(low) - _count(text, DEEP_CHARACTERS)]
            high = high[_count(text, TALL_CHARACTERS) :]
            if len(low) and len(high):
                top = np.quantile(high, X_HEIGHT_QUANTILE)
                height = np.quantile(low, 1 - X_HEIGHT_QUANTILE) - top
                weight = min(len(low), len(high)) if height > 0 else 0.0
                heights.append((height, weight))
        if not sum(weight for _, weight in heights):
            return x_height(from_strokes([*chain(*self.strokes)]))
        return weighted_median(*np.array(heights).T)

    def baseline_at(self, index: int, unit: float) -> tuple[float, float]:
        """Return the y of the row's baseline in the middle of a unit of words, and its slope there.

        Args:
            index: index of the unit.
            unit: the x-height, the unit of distances.
        """
        x = self.middles[index]
        is_near = np.abs(self.middles - x) <= MAX_CONTEXT_DISTANCE * unit
        around = np.concatenate([self._turns[k].low for k in np.flatnonzero(is_near)])
        if not len(around):  # Dots and level lines have no turning points.
            return max(float(stroke[:, 1].max()) for stroke in self.strokes[index]), 0.0
        return _line(around, x, unit)

    @cached_property
    def middles(self) -> np.ndarray:
        """The x of the middle of each unit, `(units,)`."""
        points = [np.concatenate(part)[:, 0] for part in self.strokes]
        return np.array([(x.min() + x.max()) / 2 for x in points])

    def shapes(self, usual_lean: float) -> list[WordShape]:
        """Return the shape of each unit; without downstrokes it has the usual lean."""
        return [self._shape(number, usual_lean) for number in range(len(self.words))]

    @property
    def leans(self) -> np.ndarray:
        """The lean and the height of each downstroke, `(downstrokes, 2)`."""
        return np.concatenate([turns.down for turns in self._turns])

    def _shape(self, number: int, usual_lean: float) -> WordShape:
        """Return the shape of a unit; without downstrokes it has the usual lean."""
        # Each measure begins with that of the row, and moves towards that of the unit.
        unit = self.x_height
        x = self.middles[number]
        turns = self._turns[number]
        baseline, slope = self.baseline_at(number, unit)
        height = unit
        lean = usual_lean
        low_offsets = _level(turns.low, x, slope) - baseline
        low = turns.low[np.abs(low_offsets) <= MAX_BASELINE_DISTANCE * unit]
        high_offsets = _level(turns.high, x, slope) - baseline + unit
        high = turns.high[np.abs(high_offsets) <= MAX_BASELINE_DISTANCE * unit]
        num_turns = len(low) + len(high)
        unit_slope = _slope([low, high], slope, unit)
        slope += (unit_slope - slope) * num_turns / (num_turns + SLOPE_PRIOR)
        if len(low):
            unit_baseline = np.median(_level(low, x, slope))
            baseline += (unit_baseline - baseline) * len(low) / (len(low) + BASELINE_PRIOR)
        num_pairs = min(len(low), len(high))
        has_x_height = any(c.isalnum() and c not in TALL_CHARACTERS for c in self.texts[number])
        if has_x_height and num_pairs:
            ratio = (unit_baseline - np.median(_level(high, x, slope))) / unit
            weight = num_pairs / (num_pairs + X_HEIGHT_PRIOR)
            height *= max(ratio, MAX_BASELINE_DISTANCE) ** weight
        num_down = len(turns.down)
        if num_down:
            unit_lean = weighted_median(*turns.down.T)
            lean += (unit_lean - lean) * num_down / (num_down + LEAN_PRIOR)
        return WordShape(x, float(baseline), float(slope), float(height), float(lean))


def row_shapes(page: InkPage, rows: Sequence[PageRow]) -> list[RowShape]:
    """Return the shapes of rows of a page; a typed row has no units. A row that is too short to
    show its slope gets the median slope of the others."""
    shapes = []
    angles = np.zeros(len(rows))
    for index, row in enumerate(rows):
        turn = row.turn * np.pi / 2
        units = _units(row)
        words = [words for words, _ in units]
        numbers = [strokes for _, strokes in units]
        points = [[page.strokes[number].points for number in unit] for unit in numbers]
        shape = RowShape(row, words, numbers, points, 0.0).turned(turn)
        shapes.append(shape)
        ink = [*chain(*shape.strokes)]
        angles[index] = baseline_angle(from_strokes(ink)) if ink else np.nan
    typical = 0.0 if np.isnan(angles).all() else float(np.nanmedian(angles))
    angles = np.where(np.isnan(angles), typical, angles)
    return [shape.turned(angle) for shape, angle in zip(shapes, angles, strict=True)]


def _count(text: str, letters: str) -> int:
    return sum(character in letters for character in text)


def _units(row: PageRow) -> list[tuple[list[int], list[int]]]:
    """Return the indices of the words of each unit of a row, and the numbers of its strokes."""
    units: list[tuple[list[int], list[int]]] = []
    unit_of: dict[int, int] = {}  # the index of each stroke's unit
    for index, word in enumerate(row.words):
        # A word that shares strokes with earlier words is merged with all units since then.
        start = min((unit_of[n] for n in word.strokes if n in unit_of), default=len(units))
        words = list[int]()
        strokes = dict[int, None]()  # an ordered set
        for earlier_words, earlier_strokes in units[start:]:
            words += earlier_words
            strokes |= dict.fromkeys(earlier_strokes)
        words.append(index)
        strokes |= dict.fromkeys(word.strokes)
        units[start:] = [(words, [*strokes])]
        unit_of |= dict.fromkeys(strokes, start)
    return [unit for unit in units if unit[1]]


def _turns_of(strokes: Sequence[np.ndarray], height: float) -> _Turns:
    """Return the turning points of level strokes in a row of an x-height."""
    segments = vertical_segments(from_strokes(strokes))
    segments[:, :2] += strokes[0][0]
    high, low = turning_points(segments, height)
    return _Turns(low, high, downstrokes(segments, height))


def _line(ends: np.ndarray, x: float, unit: float) -> tuple[float, float]:
    """Return the y at `x` and the slope of the line on which most ends `(n, 2)` are."""
    slope = 0.0
    y = float(np.median(ends[:, 1]))
    for _ in range(2):
        on_line = ends[np.abs(_level(ends, x, slope) - y) <= MAX_BASELINE_DISTANCE * unit]
        slope = _slope([on_line], slope, unit)
        y = float(np.median(_level(on_line, x, slope))) if len(on_line) else y
    return y, slope


def _slope(lines: Sequence[np.ndarray], default: float, unit: float) -> float:
    """Return the slope of parallel lines of ends, by the Theil-Sen estimator.

    This is the median slope between two distant ends of a line. With fewer than three such pairs it
    is `default`.
    """
    slopes = [np.empty(0)]
    for line in lines:
        stride = max(math.ceil(len(line) / MAX_ENDS), 1)
        ends = line[::stride]
        start, end = np.triu_indices(len(ends), 1)
        dx, dy = (ends[end] - ends[start]).T
        is_apart = np.abs(dx) > MIN_SPAN * unit
        slopes.append(dy[is_apart] / dx[is_apart])
    values = np.concatenate(slopes)
    return float(np.median(values)) if len(values) > 2 else default


def _level(ends: np.ndarray, x: float, slope: float) -> np.ndarray:
    """Return the y that the line of each end has at `x`, `(ends,)`."""
    return ends[:, 1] - slope * (ends[:, 0] - x)
