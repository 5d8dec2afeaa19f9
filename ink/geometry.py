"""Geometry of ink: points, strokes, bounds and smooth curves.

Ink is an array `(points, 3)` with a row `(dx, dy, end_of_stroke)` for each point: the offset from
the previous point, and 1 if the point is the last of its stroke, else 0. x grows to the right, y
downwards. The first row has the offset (0, 0). A stroke of one point is a dot.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from utils.checks import DataError

ROW_STEP = 1.6
"""X-heights from the strokes of a row down to the next row, at least (measured on lists and
sentences of UNIPEN: of 32,000 single words 9 seem to have a second row, mostly because the word is
underlined)."""
ROW_START_FRACTION = 0.4
"""Fraction of a row from its left in which the next row begins (measured, as `ROW_STEP`)."""
DOT_INK = np.array([[0.0, 0.0, 1.0]], np.float32)
"""Ink of a single dot."""


def check_ink(ink: np.ndarray) -> np.ndarray:
    """Return `ink` as an array `(points, 3)` of finite numbers, at least one point.

    Raises:
        DataError: if `ink` does not have this form; the message says why.
    """
    ink = np.asarray(ink)
    if ink.ndim != 2 or ink.shape[1] != 3:
        raise DataError(f"ink must be an array (points, 3), not one of shape {ink.shape}")
    if len(ink) == 0:
        raise DataError("the ink is empty: it has no points")
    if not np.isfinite(ink).all():
        row = int(np.flatnonzero(~np.isfinite(ink).all(axis=1))[0])
        raise DataError(f"the ink has a value that is not a number in row {row}")
    return ink


def to_points(ink: np.ndarray) -> np.ndarray:
    """Return the positions of the points, `(points, 2)` float64, from the sum of the offsets."""
    return np.cumsum(check_ink(ink)[:, :2], axis=0, dtype=np.float64)


def strokes(ink: np.ndarray) -> list[np.ndarray]:
    """Return each stroke's positions, `(n, 2)` float64 with n >= 1; the last may lack its end."""
    points = to_points(ink)
    ends = np.flatnonzero(np.asarray(ink)[:-1, 2] > 0.5) + 1
    return np.split(points, ends)


def pieces(ink: np.ndarray, shades: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Return pieces of strokes, `(n, 2)` each, and the shade of each piece.

    A shade is an integer by which a picture colours points; `shades` has one for each point.

    A stroke is divided where the shades of its points change; a later piece of a stroke begins with
    the last point of the piece before.
    """
    divided = []
    start = 0
    for points in strokes(ink):
        stroke_shades = np.asarray(shades[start : start + len(points)]).astype(int)
        changes = np.flatnonzero(np.diff(stroke_shades)) + 1
        for first, last in pairwise([0, *changes.tolist(), len(points)]):
            divided.append((points[max(first - 1, 0) : last], int(stroke_shades[first])))
        start += len(points)
    return divided


def from_strokes(positions: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ink, `(points, 3)` float32, of strokes of positions `(n, 2)`.

    The position of the first point is lost. Strokes without points are left out.

    Raises:
        DataError: if there are no points.
    """
    drawn = [np.asarray(stroke, dtype=np.float64) for stroke in positions if len(stroke)]
    if not drawn:
        raise DataError("the ink is empty: it has no points")
    points = np.concatenate(drawn)
    ink = np.zeros((len(points), 3), dtype=np.float32)
    ink[1:, :2] = np.diff(points, axis=0)
    last_points = np.cumsum([len(stroke) for stroke in drawn]) - 1
    ink[last_points, 2] = 1
    return check_ink(ink)


def path_along(points: np.ndarray) -> np.ndarray:
    """Return the length of the line through `points` `(n, 2)` up to each point, `(n,)`."""
    steps = np.diff(points, axis=0)
    lengths = np.sqrt(steps[:, 0] ** 2 + steps[:, 1] ** 2)
    return np.concatenate([[0.0], np.cumsum(lengths)])


def at_equal_steps(points: np.ndarray, scale: np.ndarray, num_steps: int) -> np.ndarray:
    """Return `num_steps` + 1 points on the line through `points`, at equal steps of `scale`.

    Args:
        points: `(n, 2)`.
        scale: the length of the path or the time up to each point, `(n,)`; grows from 0.
        num_steps: at least 1.
    """
    values = np.linspace(0, scale[-1], num_steps + 1)
    x = np.interp(values, scale, points[:, 0])
    y = np.interp(values, scale, points[:, 1])
    return np.stack([x, y], axis=1)


def bounds(ink: np.ndarray) -> tuple[float, float, float, float]:
    """Return `(left, top, right, bottom)` of the points, in the coordinates of `to_points`."""
    points = to_points(ink)
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    return left, top, right, bottom


def vertical_segments(ink: np.ndarray) -> np.ndarray:
    """Return the parts of strokes between turning points in y, `(segments, 4)` float64.

    A row `(x, y, dx, dy)` has the beginning of a segment and the offset of its end; dy is not 0.
    """
    points = to_points(ink)
    starts, ends = _turning_points(points[:, 1], np.asarray(ink)[:-1, 2] > 0.5)
    return np.concatenate([points[starts], points[ends] - points[starts]], axis=1)


def _turning_points(y: np.ndarray, is_end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last point of each of the `vertical_segments`, `(segments,)` each.

    Args:
        y: the positions of points, `(points,)`.
        is_end: whether each point but the last is the last of its stroke, `(points - 1,)`.
    """
    steps = np.diff(y)
    moving = np.flatnonzero((steps != 0) & ~is_end)
    if not len(moving):
        return moving, moving
    stroke = np.cumsum(is_end)[moving]
    is_first = np.diff(stroke, prepend=-1) != 0
    is_start = is_first | (np.diff(np.sign(steps[moving]), prepend=0) != 0)
    starts = moving[is_start]
    # A segment ends where the next of its stroke starts, or behind the stroke's last movement.
    is_last_of_stroke = np.append(is_first[is_start][1:], True)
    after_last_movement = moving[np.append(is_start[1:], True)] + 1
    next_starts = np.append(starts[1:], 0)  # the last segment has none
    return starts, np.where(is_last_of_stroke, after_last_movement, next_starts)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the smallest value that has, together with all smaller values, at least half of the
    total weight; `values` and `weights` are `(n,)` with n >= 1."""
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(sums, sums[-1] * 0.5)])


def turned_back(points: np.ndarray, angle: float) -> np.ndarray:
    """Return points or offsets turned so that a line at `angle` becomes level, as float64.

    Args:
        points: `(n, 2)`.
        angle: in radians, positive if the line falls to the right; NaN counts as 0.
    """
    if math.isnan(angle):
        angle = 0.0
    cosine = math.cos(angle)
    sine = math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray(points, dtype=np.float64) @ turn


def x_height(ink: np.ndarray) -> float:
    """Return an estimate of the x-height, always positive.

    The estimate is the median height of the `vertical_segments`, weighted by their heights. Unlike
    the height of the bounds, it does not grow if the line is not level. For ink without vertical
    movement it is the width of the bounds, for a dot 1.
    """
    return x_heights([ink])[0]


def x_heights(inks: Sequence[np.ndarray]) -> list[float]:
    """Return the `x_height` of each ink; several at once take less time."""
    points = np.concatenate([*map(to_points, inks)])
    line_ends = np.cumsum([*map(len, inks)])
    is_end = np.concatenate([np.asarray(ink)[:, 2] > 0.5 for ink in inks])
    is_end[line_ends - 1] = True
    starts, ends = _turning_points(points[:, 1], is_end[:-1])
    heights = np.abs(points[ends, 1] - points[starts, 1])
    heights_of_lines = np.split(heights, np.searchsorted(starts, line_ends[:-1]))
    return [
        weighted_median(of_line, of_line) if len(of_line) else _longer_side(ink)
        for ink, of_line in zip(inks, heights_of_lines, strict=True)
    ]


def _longer_side(ink: np.ndarray) -> float:
    left, top, right, bottom = bounds(ink)
    return max(right - left, bottom - top) or 1.0


def row_starts(ink: np.ndarray) -> list[int]:
    """Return the indices of the strokes with which rows of writing begin; the first is 0.

    A row begins with a stroke that lies more than `ROW_STEP` lower than the strokes of the row
    before, and in the left part of that row, an x-height or more before its end.
    """
    height = x_height(ink)
    row_left = np.inf
    row_right = -np.inf
    middles = list[float]()
    starts = [0]
    for number, stroke in enumerate(strokes(ink)):
        middle = stroke[:, 1].mean()
        left = stroke[:, 0].min()
        right = stroke[:, 0].max()
        is_lower = bool(middles) and middle - np.median(middles) > ROW_STEP * height
        is_left = bool(middles) and left < row_left + ROW_START_FRACTION * (row_right - row_left)
        if is_lower and is_left and right < row_right - height:
            starts.append(number)
            row_left = np.inf
            row_right = -np.inf
            middles = []
        row_left = min(row_left, left)
        row_right = max(row_right, right)
        middles.append(middle)
    return starts


def bezier(points: np.ndarray) -> np.ndarray:
    """Return a smooth curve through `points` `(n, 2)` as Bézier segments `(segments, 4, 2)`.

    The curve is the centripetal Catmull-Rom spline, which passes through every point and has no
    loop or cusp between neighbouring points, however unequal their distances are (Yuksel, Schaefer
    and Keyser, "Parameterization and applications of Catmull-Rom curves", 2011). Repeated points
    make no segment. At both ends the curve has the direction of the chord.
    """
    points = np.asarray(points, dtype=np.float64)
    is_new = np.concatenate([[True], (np.diff(points, axis=0) != 0).any(axis=1)])
    points = points[is_new]
    if len(points) < 2:
        return np.empty((0, 4, 2))
    # The points mirrored at both ends give the curve the direction of the chord.
    first = 2 * points[0] - points[1]
    last = 2 * points[-1] - points[-2]
    points = np.concatenate([[first], points, [last]])
    before = points[:-3]
    start = points[1:-2]
    end = points[2:-1]
    after = points[3:]
    chords = np.linalg.norm(np.diff(points, axis=0), axis=1, keepdims=True)
    leave = _control(before, start, end, chords[:-2], chords[1:-1])
    arrive = _control(after, end, start, chords[2:], chords[1:-1])
    return np.stack([start, leave, arrive, end], axis=1)


def at_bezier(segments: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    """Return the points at parameters `t`, from 0 to 1, of Bézier segments `(..., 4, 2)`; `t` has a
    value for each segment, `(..., 1)`, or is a number."""
    start, leave, arrive, end = np.moveaxis(segments, -2, 0)
    rest = 1 - t
    return rest**3 * start + 3 * t * rest**2 * leave + 3 * t**2 * rest * arrive + t**3 * end


def smooth_path(points: Sequence[np.ndarray] | np.ndarray, num_steps: int) -> np.ndarray:
    """Return the smooth curve through points, see `bezier`, with `num_steps` steps from each point
    to the next."""
    segments = bezier(np.asarray(points))
    t = np.linspace(0, 1, num_steps + 1)[1:, None]  # a segment begins where the one before ends
    curves = at_bezier(segments[:, None], t)
    return np.concatenate([segments[:1, 0], curves.reshape(-1, 2)])


def _control(
    before: np.ndarray, point: np.ndarray, after: np.ndarray, d1: np.ndarray, d2: np.ndarray
) -> np.ndarray:
    """Return each point's control point towards `after`; d1 and d2 are the lengths of the chords
    from `before` and to `after`."""
    r1 = np.sqrt(d1)
    r2 = np.sqrt(d2)
    weight = 2 * d1 + 3 * r1 * r2 + d2
    return (d1 * after - d2 * before + weight * point) / (3 * r1 * (r1 + r2))


def side_by_side(inks: Sequence[np.ndarray], pitch: float) -> np.ndarray:
    """Return lines of ink as a single line, with left edges `pitch` apart and middles level."""
    moved = []
    for number, ink in enumerate(inks):
        left, top, _, bottom = bounds(ink)
        shift = np.array([number * pitch - left, -(top + bottom) / 2])
        moved += [stroke + shift for stroke in strokes(ink)]
    return from_strokes(moved)
