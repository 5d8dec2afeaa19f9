"""Features of ink for recognisers, independent of the size and the speed of writing.

Ink is scaled to an x-height of 1 and resampled at equal distances. So the features do not depend on
the digitiser's unit and sampling rate, nor on how fast the person writes.
"""

import numpy as np

from ink.delayed_strokes import undelayed
from ink.geometry import at_equal_steps, path_along, strokes, x_height

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
    divided = _equal_steps(ordered, spacing * height)
    with_parts = [at_equal_steps(stroke, path, parts * count) for stroke, path, count in divided]
    resampled = [stroke[::parts] for stroke in with_parts]
    counts = np.array([len(stroke) for stroke in resampled])
    points = np.concatenate(resampled) / height
    starts = np.cumsum(counts) - counts
    ends = starts + counts - 1

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
        directions = []
        for stroke, (_, path, count) in zip(with_parts, divided, strict=True):
            part_length = path[-1] / max(parts * count, 1) or 1.0  # a dot has no length
            directions.append((np.diff(stroke, axis=0) / part_length).reshape(-1, parts, 2))
        differences = np.concatenate(directions) - direction[has_previous, None]
        features[has_previous, NUM_FEATURES:] = _DETAIL * differences.reshape(-1, 2 * parts)
    return features.astype(np.float32)


def rows_of_features(ink: np.ndarray, spacing: float = SPACING) -> np.ndarray:
    """Return the row of `ink` at each point of `stroke_features` without `undelays`, `(points,)`
    float64. A point between the rows 2 and 3 of the ink has a row such as 2.5."""
    rows, start = [], 0
    for _, path, count in _equal_steps(strokes(ink), spacing * x_height(ink)):
        stroke_rows = np.arange(start, start + len(path), dtype=np.float64)
        lengths = np.linspace(0, path[-1], count + 1)
        rows.append(np.interp(lengths, path, stroke_rows) if count else stroke_rows[:1])
        start += len(path)
    return np.concatenate(rows)


def _equal_steps(
    ordered: list[np.ndarray], spacing: float
) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Return each stroke with the lengths along its path, `(points,)`, and the number of equal
    steps that divide the path; a step is at most `spacing` long, unless `MAX_POINTS` applies."""
    paths = [path_along(stroke) for stroke in ordered]
    max_step = max(spacing, sum(path[-1] for path in paths) / MAX_POINTS)
    counts = [int(np.ceil(path[-1] / max_step)) for path in paths]
    return list(zip(ordered, paths, counts, strict=True))


def _height_above_line(points: np.ndarray) -> np.ndarray:
    """Return the heights of points above their least-squares line, or above the mean of the points
    for narrow ink: a line through narrow ink would follow the shape of the letters."""
    x, y = (points - points.mean(0)).T
    spread = (x * x).sum()
    if np.ptp(x) <= 2.0 * np.ptp(y):
        return -y
    return (x * y).sum() / spread * x - y
