"""Features of ink for recognisers, independent of the size and the speed of writing.

Ink is scaled to an x-height of 1 and resampled at equal distances. So the features do not depend on
the digitiser's unit and sampling rate, nor on how fast the person writes.
"""

from dataclasses import dataclass

import numpy as np

from ink.delayed_strokes import undelayed
from ink.geometry import strokes, x_height

SPACING = 0.35
"""Default distance between points in x-heights (measured: IAM-OnDB then has about 10 points per
character, and 22 as recorded). Features of `parts` show details smaller than this distance."""
NUM_FEATURES = 10
"""Number of features per point without `parts`, see `stroke_features`."""
MAX_POINTS = 20_000
"""Maximum number of points of a sample, not counting up to two of each stroke; longer ink is
resampled at a wider spacing (assumed: 60 times a line of IAM-OnDB)."""
_DETAIL = 3.0
"""Factor that makes the features of `parts` as large as the others (measured on IAM-OnDB)."""
_FAR = 8.0
"""X-heights beyond which the features 6 to 9 grow only logarithmically (assumed)."""


def num_features(parts: int) -> int:
    """Return the number of features per point, see `stroke_features`."""
    return NUM_FEATURES + (2 * parts if parts > 1 else 0)


def stroke_features(
    ink: np.ndarray,
    spacing: float = SPACING,
    parts: int = 1,
    height: float | None = None,
    *,
    undelays: bool = True,
) -> np.ndarray:
    """Return the features of ink of any unit and sampling rate.

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
        features 0 and 1, times `_DETAIL`; 0 if the path is straight, and at the first point of
        a stroke.

    The features 6 to 9 grow logarithmically beyond `_FAR`.

    Args:
        ink: `(points, 3)`, any unit, y downwards.
        spacing: distance between points in x-heights, above 0.
        parts: number of parts between two points, at least 1.
        height: the x-height in the ink's unit; None: the x-height is measured.
        undelays: whether delayed dots, bars and accents are moved next to their letters.

    Returns:
        `(points, num_features(parts))` float32.

    Raises:
        DataError: if the ink is empty, or not all numbers are finite.
    """
    height = height or x_height(ink)
    ordered = undelayed(ink, height) if undelays else strokes(ink)
    paths = _Paths.of(ordered, spacing * height)
    with_parts = paths.at_equal_steps(parts * paths.counts)
    counts = paths.counts + 1
    starts, ends = np.cumsum(counts) - counts, np.cumsum(counts) - 1
    # Of each stroke every point between parts; strokes before it end with one point more.
    stroke = np.repeat(np.arange(len(counts)), counts)
    points = with_parts[parts * np.arange(len(stroke)) - (parts - 1) * stroke] / height

    features = np.zeros((len(points), num_features(parts)))
    steps = np.diff(points, axis=0, prepend=points[:1])  # (points, 2)
    features[starts[1:], 6:8] = steps[starts[1:]]
    steps[starts] = 0.0
    direction = features[:, 0:2]
    # A step may have no length: a stroke may turn back between two points.
    np.divide(steps, np.maximum(np.hypot(*steps.T), 1e-12)[:, None], out=direction)
    (x, y), (next_x, next_y) = direction[:-1].T, direction[1:].T
    turns = np.stack((x * next_x + y * next_y - 1.0, x * next_y - y * next_x), 1)
    inner = np.ones(len(points), dtype=bool)
    inner[starts] = inner[ends] = False
    features[inner, 2:4] = turns[inner[:-1]]
    features[starts, 4] = 1.0
    features[ends, 5] = 1.0
    features[:, 8] = _height_above_line(points)
    features[:, 9] = np.maximum.accumulate(points[:, 0]) - points[:, 0]
    features[:, 6:NUM_FEATURES] = _FAR * np.arcsinh(features[:, 6:NUM_FEATURES] / _FAR)
    if parts > 1:
        has_previous = features[:, 4] == 0.0
        of_strokes = parts * paths.counts
        last = np.cumsum(of_strokes + 1)[:-1] - 1
        changes = np.delete(np.diff(with_parts, axis=0), last, axis=0)  # within strokes
        lengths = np.repeat(paths.lengths / np.maximum(of_strokes, 1), of_strokes)
        directions = (changes / lengths[:, None]).reshape(-1, parts, 2)
        differences = directions - direction[has_previous, None]
        features[has_previous, NUM_FEATURES:] = _DETAIL * differences.reshape(-1, 2 * parts)
    return features.astype(np.float32)


def rows_of_features(ink: np.ndarray, spacing: float = SPACING) -> np.ndarray:
    """Return the row of `ink` at each point of `stroke_features` without `undelays`, `(points,)`
    float64. A point between the rows 2 and 3 of the ink has a row such as 2.5."""
    paths = _Paths.of(strokes(ink), spacing * x_height(ink))
    return paths.interpolated(paths.counts, np.arange(len(ink), dtype=np.float64))


@dataclass(frozen=True)
class _Paths:
    """The paths of all strokes of a sample, in one array.

    Attributes:
        points: the strokes' points, `(points, 2)`.
        along: the length along the stroke's path up to each point, `(points,)`.
        starts, ends: each stroke's first and last point, `(strokes,)`.
        counts: number of equal steps that divide the path, `(strokes,)`.
    """

    points: np.ndarray
    along: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, ordered: list[np.ndarray], spacing: float) -> "_Paths":
        """Return the paths of strokes; a step is at most `spacing` long, unless `MAX_POINTS`
        applies."""
        points = np.concatenate(ordered)
        stops = np.cumsum(list(map(len, ordered)))
        starts, along = stops - list(map(len, ordered)), np.zeros(len(points))
        steps = np.diff(points, axis=0)
        lengths = np.sqrt(steps[:, 0] ** 2 + steps[:, 1] ** 2)
        # The sum of each stroke by itself, which rounds as that of `path_along` does.
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            lengths[start : stop - 1].cumsum(out=along[start + 1 : stop])
        whole = along[stops - 1]
        max_step = max(spacing, sum(whole.tolist()) / MAX_POINTS)
        return cls(points, along, starts, stops - 1, np.ceil(whole / max_step).astype(np.int64))

    @property
    def lengths(self) -> np.ndarray:
        """The length of each path, `(strokes,)`."""
        return self.along[self.ends]

    def interpolated(self, counts: np.ndarray, *values: np.ndarray) -> np.ndarray:
        """Return `values`, `(points,)` each, at the `counts` + 1 ends of equal steps of each path,
        as `np.linspace` and `np.interp` compute them for a single path, `(ends,)` or stacked."""
        stroke = np.repeat(np.arange(len(counts)), counts + 1)
        last = np.cumsum(counts + 1) - 1
        number = np.arange(len(stroke)) - (last - counts)[stroke]
        place = number * (self.lengths / np.maximum(counts, 1))[stroke]
        place[last] = self.lengths
        # The point before each end: found among all paths one behind the other, whose lengths
        # round, and then put right.
        offsets = np.concatenate([[0.0], np.cumsum(self.lengths)[:-1]])
        sizes = self.ends - self.starts + 1
        joined = self.along + np.repeat(offsets, sizes)
        before = np.searchsorted(joined, place + offsets[stroke], "right") - 1
        before = np.clip(before, self.starts[stroke], self.ends[stroke])
        while (is_beyond := self.along[before] > place).any():
            before -= is_beyond
        while True:
            after = np.minimum(before + 1, self.ends[stroke])
            if not (is_short := (after > before) & (self.along[after] <= place)).any():
                break
            before += is_short
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


def _height_above_line(points: np.ndarray) -> np.ndarray:
    """Return the heights of points above their least-squares line, or above the mean of the points
    for narrow ink: a line through narrow ink would follow the shape of the letters."""
    x, y = (points - points.mean(0)).T
    spread = (x * x).sum()
    if np.ptp(x) <= 2.0 * np.ptp(y):
        return -y
    return (x * y).sum() / spread * x - y
