"""Measures the words of a row of ink: place, baseline, slope, x-height and lean of each.

A short word shows little of this. So each measure is a mean of the word's measure and the measure
of the row around the word; the fewer turning points of the pen a word has, the less it weighs.
"""

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
MAX_LINE_DISTANCE = 0.45  # from a turning point to its line (assumed: less than a descender's)
MIN_SPAN = 1.0  # between two turning points whose slope is measured (assumed)
TALL_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜbdfhkltß0123456789ij'\"!?()"
"""Characters whose highest turning point is above the x-height."""
DEEP_CHARACTERS = "gjpqyfQ,;()"
"""Characters whose lowest turning point is below the baseline."""
MAX_ENDS = 300  # turning points of a line whose slope is measured (assumed)
# Number of turning points at which a word's own measure has half of the weight:
LINE_PRIOR = 1.0  # for the baseline (measured, notebook: notes, neater ink)
HEIGHT_PRIOR = 1.5  # for the x-height (measured, notebook: notes, neater ink)
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
        read = ([self.row.words[index].text for index in words] for words in self.words)
        return [" ".join(filter(None, texts)) for texts in read]

    @cached_property
    def _turns(self) -> list[_Turns]:
        height = x_height(from_strokes([*chain(*self.strokes)]))
        return [_turns_of(part, height) for part in self.strokes]

    @cached_property
    def x_height(self) -> float:
        """The x-height of the row: the median height of the upper turning points near it."""
        unit, heights = self._rough_height, []
        for number, turns in enumerate(self._turns):
            baseline, slope = self.baseline_at(number, unit)
            heights.append(baseline - _level(turns.high, self.middles[number], slope))
        values = np.concatenate(heights)
        values = values[np.abs(values - unit) <= MAX_LINE_DISTANCE * unit]
        return float(np.median(values)) if len(values) else unit

    @cached_property
    def _rough_height(self) -> float:
        """The median x-height of the units, measured without the turning points of tall and deep
        letters."""
        heights = []
        for text, turns in zip(self.texts, self._turns, strict=True):
            low, high = np.sort(turns.low[:, 1]), np.sort(turns.high[:, 1])
            low = low[: len(low) - _count(text, DEEP_CHARACTERS)]
            high = high[_count(text, TALL_CHARACTERS) :]
            if len(low) and len(high):
                top = np.quantile(high, X_HEIGHT_QUANTILE)
                height = np.quantile(low, 1 - X_HEIGHT_QUANTILE) - top
                heights.append((height, min(len(low), len(high)) if height > 0 else 0.0))
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
        foot = max(float(stroke[:, 1].max()) for stroke in self.strokes[index])
        return _line(around, x, unit) if len(around) else (foot, 0.0)

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
        unit, x, turns = self.x_height, self.middles[number], self._turns[number]
        baseline, slope = self.baseline_at(number, unit)
        low = turns.low[np.abs(_level(turns.low, x, slope) - baseline) <= MAX_LINE_DISTANCE * unit]
        offsets = _level(turns.high, x, slope) - baseline + unit
        high = turns.high[np.abs(offsets) <= MAX_LINE_DISTANCE * unit]
        count = len(low) + len(high)
        slope += (_slope([low, high], slope, unit) - slope) * count / (count + SLOPE_PRIOR)
        height, lean, num_down = unit, usual_lean, len(turns.down)
        if len(low):
            mean = np.median(_level(low, x, slope))
            baseline += (mean - baseline) * len(low) / (len(low) + LINE_PRIOR)
        has_x_height = any(c.isalnum() and c not in TALL_CHARACTERS for c in self.texts[number])
        if has_x_height and (count := min(len(low), len(high))):
            ratio = (mean - np.median(_level(high, x, slope))) / unit
            height *= max(ratio, MAX_LINE_DISTANCE) ** (count / (count + HEIGHT_PRIOR))
        if num_down:
            mean_lean = weighted_median(*turns.down.T)
            lean += (mean_lean - lean) * num_down / (num_down + LEAN_PRIOR)
        return WordShape(x, float(baseline), float(slope), float(height), float(lean))


def row_shapes(page: InkPage, rows: Sequence[PageRow]) -> list[RowShape]:
    """Return the shapes of rows of a page; a typed row has no units. A row that is too short to
    show its slope gets the median slope of the others."""
    turned, angles = [], np.zeros(len(rows))
    for number, row in enumerate(rows):
        turn, units = row.turn * np.pi / 2, _units(row)
        numbers = [strokes for _, strokes in units]
        parts = [[turned_back(page.strokes[n].points, turn) for n in part] for part in numbers]
        turned.append(RowShape(row, [words for words, _ in units], numbers, parts, turn))
        angles[number] = baseline_angle(from_strokes([*chain(*parts)])) if parts else np.nan
    typical = 0.0 if np.isnan(angles).all() else float(np.nanmedian(angles))
    shapes = []
    for shape, angle in zip(turned, np.where(np.isnan(angles), typical, angles), strict=True):
        level = [[turned_back(stroke, angle) for stroke in part] for part in shape.strokes]
        shapes.append(replace(shape, strokes=level, angle=shape.angle + float(angle)))
    return shapes


def _count(text: str, letters: str) -> int:
    return sum(character in letters for character in text)


def _units(row: PageRow) -> list[tuple[list[int], list[int]]]:
    """Return the indices of the words of each unit of a row, and the numbers of its strokes."""
    units: list[tuple[list[int], list[int]]] = []
    owners: dict[int, int] = {}  # the index of each stroke's unit
    for index, word in enumerate(row.words):
        start = min((owners[n] for n in word.strokes if n in owners), default=len(units))
        merged = [*units[start:], ([index], [*word.strokes])]
        words, strokes = ([*dict.fromkeys(chain(*lists))] for lists in zip(*merged, strict=True))
        units[start:] = [(words, strokes)]
        owners |= dict.fromkeys(strokes, start)
    return [unit for unit in units if unit[1]]


def _turns_of(strokes: Sequence[np.ndarray], height: float) -> _Turns:
    """Return the turning points of level strokes in a row of an x-height."""
    segments = vertical_segments(from_strokes(strokes))
    segments[:, :2] += strokes[0][0]
    high, low = turning_points(segments, height)
    return _Turns(low, high, downstrokes(segments, height))


def _line(ends: np.ndarray, x: float, unit: float) -> tuple[float, float]:
    """Return the y at `x` and the slope of the line on which most ends `(n, 2)` are."""
    slope, y = 0.0, float(np.median(ends[:, 1]))
    for _ in range(2):
        on_line = ends[np.abs(_level(ends, x, slope) - y) <= MAX_LINE_DISTANCE * unit]
        slope = _slope([on_line], slope, unit)
        y = float(np.median(_level(on_line, x, slope))) if len(on_line) else y
    return y, slope


def _slope(lines: Sequence[np.ndarray], default: float, unit: float) -> float:
    """Return the slope of parallel lines of ends, by the Theil-Sen estimator: the median slope
    between two distant ends of a line; `default` if there are fewer than three such pairs."""
    slopes = [np.empty(0)]
    for line in lines:
        ends = line[:: -(-len(line) // MAX_ENDS) or 1]
        start, end = np.triu_indices(len(ends), 1)
        dx, dy = (ends[end] - ends[start]).T
        is_apart = np.abs(dx) > MIN_SPAN * unit
        slopes.append(dy[is_apart] / dx[is_apart])
    values = np.concatenate(slopes)
    return float(np.median(values)) if len(values) > 2 else default


def _level(ends: np.ndarray, x: float, slope: float) -> np.ndarray:
    """Return the y that the line of each end has at `x`, `(ends,)`."""
    return ends[:, 1] - slope * (ends[:, 0] - x)
