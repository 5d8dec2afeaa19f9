"""Features of ink for recognisers, independent of the size and the speed of writing.

Ink is scaled to an x-height of 1 and resampled at equal distances. So the features do not depend on
the digitiser's unit and sampling rate, nor on how fast the person writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ink.delayed_strokes import are_late, undelayed_order
from ink.geometry import to_points, x_heights

FEATURE_SPACING = 0.35
"""Default distance between points in x-heights (measured: IAM-OnDB then has about 10 points per
character, and 22 as recorded). Features of `parts` show details smaller than this distance."""
STRIDE = 2
"""Points per frame of a network. At the default `FEATURE_SPACING` lines of IAM-OnDB have 9 points
per character, hardly ever below 6 (measured): enough frames for each character, and for the blank
between repeated characters."""
NUM_FEATURES = 10
"""Number of features per point without `parts`, see `StrokeFeatures`."""
MAX_FEATURE_POINTS = 20_000
"""Maximum number of points of a sample, not counting up to two of each stroke; longer ink is
resampled at a wider spacing (assumed: 60 times a line of IAM-OnDB)."""
_DETAIL = 3.0
"""Factor that makes the features of `parts` as large as the others (measured on IAM-OnDB)."""
_FAR = 8.0
"""X-heights beyond which the features 6 to 9 grow only logarithmically (assumed)."""


def num_features(parts: int) -> int:
    """Return the number of features per point, see `StrokeFeatures`."""
    return NUM_FEATURES + (2 * parts if parts > 1 else 0)


def stroke_features(
    ink: np.ndarray,
    spacing: float = FEATURE_SPACING,
    parts: int = 1,
    height: float | None = None,
    *,
    undelays: bool = True,
) -> np.ndarray:
    """Return the `StrokeFeatures` of ink of any unit and sampling rate.

    Args:
        ink: `(points, 3)`, any unit, y downwards.
        spacing, parts: see `StrokeFeatures`.
        height: the x-height in the ink's unit; None: the x-height is measured.
        undelays: whether delayed dots, bars and accents are moved next to their letters.

    Returns:
        `(points, num_features(parts))` float32.

    Raises:
        DataError: if the ink is empty, or not all numbers are finite.
    """
    return StrokeFeatures(spacing, parts)(ink, height, undelays)


def _features(paths: "_Paths", heights: np.ndarray, parts: int) -> list[np.ndarray]:
    """Return the features of the lines of `paths`, whose x-heights are `heights`, `(lines,)`."""
    with_parts = paths.at_equal_steps(parts * paths.counts)
    counts = paths.counts + 1
    starts = np.cumsum(counts) - counts
    ends = np.cumsum(counts) - 1
    # A stroke of n steps has `parts` n + 1 points in `with_parts`; every `parts`-th is taken. Each
    # stroke before it adds a last point, which is no part of a step.
    stroke = np.repeat(np.arange(len(counts)), counts)
    points = with_parts[parts * np.arange(len(stroke)) - (parts - 1) * stroke]
    points /= heights[paths.lines[stroke], None]

    features = np.zeros((len(points), num_features(parts)))
    steps = np.diff(points, axis=0, prepend=points[:1])  # (points, 2)
    is_later = np.diff(paths.lines, prepend=-1) == 0  # whether a stroke of the line is before it
    features[starts[is_later], 6:8] = steps[starts[is_later]]
    steps[starts] = 0.0
    direction = features[:, 0:2]
    # A step may have no length: a stroke may turn back between two points.
    np.divide(steps, np.maximum(np.hypot(*steps.T), 1e-12)[:, None], out=direction)
    x, y = direction[:-1].T
    next_x, next_y = direction[1:].T
    turns = np.stack((x * next_x + y * next_y - 1.0, x * next_y - y * next_x), 1)
    inner = np.ones(len(points), dtype=bool)
    inner[starts] = False
    inner[ends] = False
    features[inner, 2:4] = turns[inner[:-1]]  # the last point has no turn
    features[starts, 4] = 1.0
    features[ends, 5] = 1.0
    line_starts = starts[~is_later]  # the first stroke's
    line_ends = [*line_starts[1:].tolist(), len(points)]
    for start, end in zip(line_starts.tolist(), line_ends, strict=True):
        of_line = points[start:end]
        features[start:end, 8] = _height_above_line(of_line)
        features[start:end, 9] = np.maximum.accumulate(of_line[:, 0]) - of_line[:, 0]
    features[:, 6:NUM_FEATURES] = _FAR * np.arcsinh(features[:, 6:NUM_FEATURES] / _FAR)
    if parts > 1:
        has_previous = features[:, 4] == 0.0
        differences = _parts_directions(paths, with_parts, parts) - direction[has_previous, None]
        features[has_previous, NUM_FEATURES:] = _DETAIL * differences.reshape(-1, 2 * parts)
    return np.split(features.astype(np.float32), line_starts[1:])


def _parts_directions(paths: "_Paths", with_parts: np.ndarray, parts: int) -> np.ndarray:
    """Return x and y of the direction of each part of the way to each point but the first of a
    stroke, `(points, parts, 2)`; `with_parts` are the ends of all parts."""
    of_strokes = parts * paths.counts
    between_strokes = np.cumsum(of_strokes + 1)[:-1] - 1  # behind the last end of each
    changes = np.delete(np.diff(with_parts, axis=0), between_strokes, axis=0)
    lengths = np.repeat(paths.lengths / np.maximum(of_strokes, 1), of_strokes)
    return (changes / lengths[:, None]).reshape(-1, parts, 2)


@dataclass(frozen=True)
class StrokeFeatures:
    """Computes the features of ink, of one line or of several at once.

    Every stroke is resampled at equal distances of about `spacing` x-heights, from its first point
    to its last; a dot becomes one point. The features of a point are:

    0, 1: cosine and sine of the direction from the previous point to this point; 0 at the first
        point of a stroke;
    2, 3: cosine and sine of the turn at this point, minus (1, 0); so 0 if the path is straight,
        and at the first and last point of a stroke;
    4: 1 at the first point of a stroke, else 0;
    5: 1 at the last point of a stroke, else 0;
    6, 7: x and y of the jump from the previous stroke, in x-heights, at the first point of a
        stroke; 0 at other points, and for the first stroke;
    8: height above a straight line through the writing, in x-heights;
    9: distance to the rightmost point so far, in x-heights; large for delayed dots and bars.

    10, 11, 12, ...: only with `parts` above 1. The path from the previous point is divided into
        `parts` of equal length. The features are x and y of each part's direction, minus the
        features 0 and 1, times 3 (`_DETAIL`); 0 if the path is straight, and at the first point of
        a stroke.

    The features 6 to 9 grow logarithmically: x becomes 8 arcsinh(x / 8) (`_FAR`).

    Attributes:
        spacing: distance between points in x-heights, above 0.
        parts: number of parts between two points, at least 1.
    """

    spacing: float = FEATURE_SPACING
    parts: int = 1

    def __call__(
        self, ink: np.ndarray, height: float | None = None, undelays: bool = True
    ) -> np.ndarray:
        """Return the features of one line; for the arguments see `stroke_features`."""
        return self.batch([ink], height, undelays)[0]

    def batch(
        self, inks: Sequence[np.ndarray], height: float | None = None, undelays: bool = True
    ) -> list[np.ndarray]:
        """Return the features of each of several lines, bit for bit as of each by itself.

        Args:
            inks: the lines, `(points, 3)` each.
            height: the x-height of all lines; None: each line's is measured.
            undelays: see `stroke_features`.
        """
        if not inks:
            return []
        heights = [height] * len(inks) if height else x_heights(inks)
        paths = _Paths.of(inks, np.array(heights), self.spacing, undelays)
        return _features(paths, np.array(heights), self.parts)


def rows_of_features(ink: np.ndarray, spacing: float = FEATURE_SPACING) -> np.ndarray:
    """Return the row of `ink` at each point of `stroke_features` without `undelays`, `(points,)`
    float64. A point between the rows 2 and 3 of the ink has a row such as 2.5."""
    paths = _Paths.of([ink], np.array(x_heights([ink])), spacing, undelays=False)
    return paths.interpolated(paths.counts, np.arange(len(ink), dtype=np.float64))


@dataclass(frozen=True)
class _Paths:
    """The paths of all strokes of several lines, in one array.

    Attributes:
        points: the strokes' points, `(points, 2)`.
        along: the length along the stroke's path up to each point, `(points,)`.
        starts, ends: each stroke's first and last point, `(strokes,)`.
        counts: number of equal steps that divide the path, `(strokes,)`.
        lines: the number of each stroke's line, `(strokes,)`, ascending.
    """

    points: np.ndarray
    along: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    lines: np.ndarray

    @classmethod
    def of(
        cls, inks: Sequence[np.ndarray], heights: np.ndarray, spacing: float, undelays: bool
    ) -> "_Paths":
        """Return the paths of lines of the x-heights `heights`, `(lines,)`; a step is at most
        `spacing` x-heights long, unless `MAX_FEATURE_POINTS` applies. For `undelays` see
        `stroke_features`."""
        line_ends = np.cumsum([*map(len, inks)])
        points = np.concatenate([*map(to_points, inks)])
        is_end = np.concatenate([np.asarray(ink)[:, 2] > 0.5 for ink in inks])
        is_end[line_ends - 1] = True
        stops = np.flatnonzero(is_end) + 1
        sizes = np.diff(stops, prepend=0)
        last_strokes = np.searchsorted(stops, line_ends)
        strokes_of_lines = np.diff(last_strokes, prepend=-1)
        if undelays:
            order = _undelayed_order(inks, heights, points, stops - sizes, strokes_of_lines)
            if order is not None:
                old_starts = (stops - sizes)[order]
                sizes = sizes[order]
                stops = np.cumsum(sizes)
                new_starts = stops - sizes
                # All points of a stroke move by the same number of rows.
                shifts = np.repeat(old_starts - new_starts, sizes)
                points = points[np.arange(len(points)) + shifts]
        along = np.zeros(len(points))
        steps = np.diff(points, axis=0)
        lengths = np.sqrt(steps[:, 0] ** 2 + steps[:, 1] ** 2)
        # The sum of each stroke by itself, which rounds as that of `path_along` does.
        for start, stop in zip((stops - sizes).tolist(), stops.tolist(), strict=True):
            lengths[start : stop - 1].cumsum(out=along[start + 1 : stop])
        whole = along[stops - 1]
        by_line = np.split(whole, np.cumsum(strokes_of_lines)[:-1])
        line_lengths = np.array([sum(of_line.tolist()) for of_line in by_line])
        lines = np.repeat(np.arange(len(inks)), strokes_of_lines)
        spacings = np.maximum(spacing * heights, line_lengths / MAX_FEATURE_POINTS)
        counts = np.ceil(whole / spacings[lines]).astype(np.int64)
        return cls(points, along, stops - sizes, stops - 1, counts, lines)

    @property
    def lengths(self) -> np.ndarray:
        """The length of each path, `(strokes,)`."""
        return self.along[self.ends]

    def interpolated(self, counts: np.ndarray, *values: np.ndarray) -> np.ndarray:
        """Return `values`, `(points,)` each, at the `counts` + 1 ends of equal steps of each path,
        as `np.linspace` and `np.interp` compute them for a single path, `(ends,)` or stacked."""
        stroke = np.repeat(np.arange(len(counts)), counts + 1)
        last = np.cumsum(counts + 1) - 1
        number = np.arange(len(stroke)) - (last - counts)[stroke]  # within the stroke, from 0
        place = number * (self.lengths / np.maximum(counts, 1))[stroke]
        place[last] = self.lengths  # which the product may miss by rounding
        # The point before each end: found among all paths one behind the other, whose lengths
        # round. So it may lie a few points too far ahead or back, and moves point by point.
        offsets = np.concatenate([[0.0], np.cumsum(self.lengths)[:-1]])
        sizes = self.ends - self.starts + 1
        joined = self.along + np.repeat(offsets, sizes)
        before = np.searchsorted(joined, place + offsets[stroke], "right") - 1
        before = np.clip(before, self.starts[stroke], self.ends[stroke])
        is_ahead = self.along[before] > place
        while is_ahead.any():
            before -= is_ahead
            is_ahead = self.along[before] > place
        after = np.minimum(before + 1, self.ends[stroke])
        is_behind = (after > before) & (self.along[after] <= place)
        while is_behind.any():
            before += is_behind
            after = np.minimum(before + 1, self.ends[stroke])
            is_behind = (after > before) & (self.along[after] <= place)
        # A path without steps, such as a dot, has one end: its first point.
        before = np.where(counts[stroke] == 0, self.starts[stroke], before)
        step = self.along[after] - self.along[before]
        rest = place - self.along[before]
        is_between = (step > 0) & (rest > 0)
        step[~is_between] = 1.0
        results = []
        for value in values:
            slope = (value[after] - value[before]) / step
            results.append(np.where(is_between, slope * rest + value[before], value[before]))
        return results[0] if len(results) == 1 else np.stack(results, 1)

    def at_equal_steps(self, counts: np.ndarray) -> np.ndarray:
        """Return the points at the `counts` + 1 ends of equal steps of each path, `(ends, 2)`."""
        return self.interpolated(counts, self.points[:, 0], self.points[:, 1])


def _undelayed_order(
    inks: Sequence[np.ndarray],
    heights: np.ndarray,
    points: np.ndarray,
    starts: np.ndarray,
    counts: np.ndarray,
) -> np.ndarray | None:
    """Return the indices of all lines' strokes in the `undelayed_order` of each line, `(strokes,)`;
    None if no line has a late stroke.

    Args:
        inks, heights: the lines and their x-heights.
        points: the positions of all lines' points, `(points, 2)`.
        starts: the first point of each stroke, `(strokes,)`.
        counts: the number of strokes of each line, `(lines,)`.
    """
    order = np.arange(len(starts))
    stops = np.cumsum(counts)  # of the lines' strokes
    right_edges = np.split(np.maximum.reduceat(points[:, 0], starts), stops[:-1])
    late = [k for k, edges in enumerate(right_edges) if are_late(edges, heights[k]).any()]
    for number in late:
        line = slice(stops[number] - counts[number], stops[number])
        order[line] = line.start + undelayed_order(inks[number], float(heights[number]))
    return order if late else None


def _height_above_line(points: np.ndarray) -> np.ndarray:
    """Return the heights of points above their least-squares line, or above the mean of the points
    for narrow ink: a line through narrow ink would follow the shape of the letters."""
    x, y = (points - points.mean(0)).T
    spread = (x * x).sum()
    if np.ptp(x) <= 2.0 * np.ptp(y):
        return -y
    return (x * y).sum() / spread * x - y
