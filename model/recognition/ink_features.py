"""The features of ink that a recogniser sees, independent of the size and speed of writing.

The ink is measured in its own x-height and resampled at equal distances, so that neither the unit
nor the sampling rate of a digitiser, nor the speed of a hand, changes them.
"""

import numpy as np

from utils.delayed_strokes import undelayed
from utils.ink import at_equal_steps, path_along, strokes, x_height

SPACING = 0.35
"""Default distance between points in x-heights (measured: IAM-OnDB then has about 10 points per
character, against 22 as recorded). `parts` show smaller details, such as the tip of a brace."""
NUM_FEATURES = 10
"""Numbers per point without `parts`, see `stroke_features`."""
MAX_POINTS = 20_000
"""Limit on the points of a sample, besides two for each stroke; longer ink is resampled at a wider
spacing (assumed: 60 times a line of IAM-OnDB)."""
_DETAIL = 3.0
"""Factor on the features of `parts`, a third as large as the others (measured on IAM-OnDB)."""
_FAR = 8.0
"""X-heights beyond which positions and jumps grow only logarithmically (assumed)."""


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

    Every stroke gives points at equal distances of about `spacing` x-heights, from the stroke's
    first point to its last; a dot gives one point. Each point has:

    0, 1: cosine and sine of the direction from the previous point of the stroke (0 at the stroke's
        first point);
    2, 3: cosine and sine of the turn from this direction to the next direction, minus (1, 0): zeros
        where the path is straight, or where the stroke begins or ends;
    4: 1 at the first point of a stroke;
    5: 1 at the last point of a stroke;
    6, 7: the jump in x and y from the previous stroke, in x-heights (0 but at a stroke's first
        point, and at the first stroke);
    8: height above the line that the writing runs along, in x-heights;
    9: distance to the left of the rightmost point so far, in x-heights: delayed dots and bars.

    10, 11, 12, ...: with `parts` above 1: the path from the previous point is divided into `parts`;
        three times the difference between a part's offset (x, y), in lengths of a part, and the
        direction 0, 1; zeros where the path is straight, or where the stroke begins.

    The values of 6 to 9 grow logarithmically beyond some x-heights.

    Args:
        ink: `(points, 3)`, any unit, y downwards.
        spacing: above 0.
        parts: at least 1.
        height: the x-height in the ink's unit; None: the x-height is measured.
        undelays: whether to move late dots, bars and accents right after their letters.

    Returns:
        `(points, num_features(parts))` float32.

    Raises:
        DataError: if the ink is empty, or not all numbers are finite.
    """
    height = height or x_height(ink)
    pieces = undelayed(ink, height) if undelays else strokes(ink)
    divided = _equal_steps(pieces, spacing * height)
    fine = [at_equal_steps(stroke, path, parts * count) for stroke, path, count in divided]
    coarse = [points[::parts] for points in fine]
    counts = np.array([len(stroke) for stroke in coarse])
    points = np.concatenate(coarse) / height
    starts = np.cumsum(counts) - counts
    ends = starts + counts - 1

    features = np.zeros((len(points), num_features(parts)))
    steps = np.diff(points, axis=0, prepend=points[:1])  # (points, 2)
    features[starts[1:], 6:8] = steps[starts[1:]]
    steps[starts] = 0.0
    direction = features[:, 0:2]
    # Equal points have no direction: a stroke may turn back between two points.
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
        for stroke, (_, path, count) in zip(fine, divided, strict=True):
            length = path[-1] / max(parts * count, 1) or 1.0
            directions.append((np.diff(stroke, axis=0) / length).reshape(-1, parts, 2))
        differences = np.concatenate(directions) - direction[has_previous, None]
        features[has_previous, NUM_FEATURES:] = _DETAIL * differences.reshape(-1, 2 * parts)
    return features.astype(np.float32)


def rows_of_features(ink: np.ndarray, spacing: float = SPACING) -> np.ndarray:
    """Return the row of the ink for each point of `stroke_features` without `undelays`,
    `(points,)` float64; 2.5 is half way between the rows 2 and 3.

    Args:
        ink, spacing: see `stroke_features`.
    """
    rows, start = [], 0
    for _, path, count in _equal_steps(strokes(ink), spacing * x_height(ink)):
        stroke_rows = np.arange(start, start + len(path), dtype=np.float64)
        lengths = np.linspace(0, path[-1], count + 1)
        rows.append(np.interp(lengths, path, stroke_rows) if count else stroke_rows[:1])
        start += len(path)
    return np.concatenate(rows)


def _equal_steps(
    pieces: list[np.ndarray], spacing: float
) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Return each stroke, the path along the stroke, and the number of the stroke's equal steps: at
    most `spacing` long, or longer for more than `MAX_POINTS`."""
    paths = [path_along(piece) for piece in pieces]
    distance = max(spacing, sum(path[-1] for path in paths) / MAX_POINTS)
    counts = [int(np.ceil(path[-1] / distance)) for path in paths]
    return list(zip(pieces, paths, counts, strict=True))


def _height_above_line(points: np.ndarray) -> np.ndarray:
    """Return the heights of points above their least-squares line, or above the middle of narrow
    ink: a line through narrow ink would follow the letters."""
    x, y = (points - points.mean(0)).T
    spread = (x * x).sum()
    if np.ptp(x) <= 2.0 * np.ptp(y):
        return -y
    return (x * y).sum() / spread * x - y
