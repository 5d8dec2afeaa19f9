"""Geometry of ink: points, strokes, bounds, and smooth curves through them.

Ink is an array `(points, 3)` of rows `(dx, dy, end_of_stroke)`: the offset from the previous
point and 1 where the point is the last of its stroke; x to the right, y downwards. The first
row is the first point and has the offset (0, 0). A stroke of one point is a dot.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from utils.checks import DataError

DOT_INK = np.array([[0.0, 0.0, 1.0]], np.float32)
"""The least ink."""


def check_ink(ink: np.ndarray) -> np.ndarray:
    """Return `ink` as an array `(points, 3)` of finite numbers, at least one point.

    Raises:
        DataError: if `ink` is something else, saying what.
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
    """Return the positions of the points, `(points, 2)` float64, the first at its offset."""
    return np.cumsum(check_ink(ink)[:, :2], axis=0, dtype=np.float64)


def strokes(ink: np.ndarray) -> list[np.ndarray]:
    """Return the positions stroke by stroke, each `(n, 2)` float64 with n >= 1.

    The last stroke need not have an end.
    """
    points = to_points(ink)
    ends = np.flatnonzero(np.asarray(ink)[:-1, 2] > 0.5) + 1
    return np.split(points, ends)


def pieces(ink: np.ndarray, shades: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Return the strokes `(n, 2)` with their shade, divided where the points' shades change.

    Each later piece of a stroke starts at the last point of the one before.
    """
    divided, start = [], 0
    for points in strokes(ink):
        of_stroke = np.asarray(shades[start : start + len(points)]).astype(int)
        changes = np.flatnonzero(np.diff(of_stroke)) + 1
        for first, last in pairwise([0, *changes.tolist(), len(points)]):
            divided.append((points[max(first - 1, 0) : last], int(of_stroke[first])))
        start += len(points)
    return divided


def from_strokes(positions: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ink of strokes given by positions `(n, 2)`, as `(points, 3)` float32.

    The position of the first point is not kept. Strokes without points are left out.

    Raises:
        DataError: if there are no points.
    """
    kept = [np.asarray(stroke, dtype=np.float64) for stroke in positions if len(stroke)]
    if not kept:
        raise DataError("the ink is empty: it has no points")
    points = np.concatenate(kept)
    ink = np.zeros((len(points), 3), dtype=np.float32)
    ink[1:, :2] = np.diff(points, axis=0)
    ink[np.cumsum([len(stroke) for stroke in kept]) - 1, 2] = 1
    return check_ink(ink)


def path_along(points: np.ndarray) -> np.ndarray:
    """Return the length of the line through `points` `(n, 2)` up to each of them, `(n,)`."""
    steps = np.diff(points, axis=0)
    lengths = np.sqrt(steps[:, 0] ** 2 + steps[:, 1] ** 2)
    return np.concatenate([[0.0], np.cumsum(lengths)])


def at_equal_steps(points: np.ndarray, place: np.ndarray, count: int) -> np.ndarray:
    """Return `count` + 1 points at equal steps of `place` on the line through `points`.

    Args:
        points: `(n, 2)`.
        place: of each point on a scale that grows from 0, such as `path_along` or a clock, `(n,)`.
        count: of the steps, at least 1.
    """
    at = np.linspace(0, place[-1], count + 1)
    x = np.interp(at, place, points[:, 0])
    y = np.interp(at, place, points[:, 1])
    return np.stack([x, y], axis=1)


def bounds(ink: np.ndarray) -> tuple[float, float, float, float]:
    """Return `(left, top, right, bottom)` of the points, relative to `to_points`."""
    points = to_points(ink)
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    return left, top, right, bottom


def vertical_segments(ink: np.ndarray) -> np.ndarray:
    """Return the parts of strokes between turning points in y, `(segments, 4)` float64.

    Each row is x and y of the segment's beginning, dx, and dy, which is not 0.
    """
    segments = []
    for stroke in strokes(ink):
        steps = np.sign(np.diff(stroke[:, 1]))
        moving = np.flatnonzero(steps)
        if not len(moving):
            continue
        turns = moving[1:][np.diff(steps[moving]) != 0]
        corners = stroke[[moving[0], *turns.tolist(), moving[-1] + 1]]
        segments.append(np.concatenate([corners[:-1], np.diff(corners, axis=0)], axis=1))
    return np.concatenate(segments) if segments else np.empty((0, 4))


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the lowest of `values` `(n,)` up to which half of the `weights` lie; n at least 1."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] * 0.5)])


def turned_back(points: np.ndarray, angle: float) -> np.ndarray:
    """Return points or offsets `(n, 2)`, as float64, of a line that is turned back by its angle.

    Args:
        points: of the line.
        angle: of the line, in radians, y downwards; NaN, if it could not be measured, counts as 0.
    """
    if math.isnan(angle):
        angle = 0.0
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray(points, dtype=np.float64) @ turn


def x_height(ink: np.ndarray) -> float:
    """Return an estimate of the x-height, always positive.

    The estimate is the median height of the pen's upward and downward movements, each between two
    turning points and weighted by its height; unlike the height of the bounds it does not grow when
    the line drifts. Ink without vertical movement has the extent of its bounds, a dot 1.
    """
    heights = np.abs(vertical_segments(ink)[:, 3])
    if len(heights):
        return weighted_median(heights, heights)
    left, top, right, bottom = bounds(ink)
    return max(right - left, bottom - top) or 1.0


def row_starts(ink: np.ndarray) -> list[int]:
    """Return the strokes with which rows of writing begin, the first of them 0.

    A row begins with a stroke that lies lower than those of the row before, by more than 1.6
    x-heights, and in the left part of that row (measured on lists and sentences of UNIPEN: of
    32,000 single words 9 seem to have a second row, mostly by a line drawn under them).
    """
    parts, height = strokes(ink), x_height(ink)
    left, right, middles = np.inf, -np.inf, []
    starts = [0]
    for number, part in enumerate(parts):
        middle, begin, end = part[:, 1].mean(), part[:, 0].min(), part[:, 0].max()
        if (
            middles
            and middle - np.median(middles) > 1.6 * height
            and begin < left + 0.4 * (right - left)
            and end < right - height
        ):
            starts.append(number)
            left, right, middles = np.inf, -np.inf, []
        left, right = min(left, begin), max(right, end)
        middles.append(middle)
    return starts


def bezier(points: np.ndarray) -> np.ndarray:
    """Return the smooth curve through `points` as cubic Bezier segments `(segments, 4, 2)`.

    The curve is the centripetal Catmull-Rom spline, which passes through every point and makes
    no loop or cusp between neighbours, however unevenly points lie (Yuksel, Schaefer and Keyser,
    "Parameterization and applications of Catmull-Rom curves", 2011). Repeated points make no
    segment; at both ends the curve leaves along the chord.
    """
    points = np.asarray(points, dtype=np.float64)
    moves = np.concatenate([[True], (np.diff(points, axis=0) != 0).any(axis=1)])
    points = points[moves]
    if len(points) < 2:
        return np.empty((0, 4, 2))
    first, last = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    points = np.concatenate([[first], points, [last]])
    before, start, end, after = points[:-3], points[1:-2], points[2:-1], points[3:]
    chords = np.linalg.norm(np.diff(points, axis=0), axis=1, keepdims=True)
    leave = _control(before, start, end, chords[:-2], chords[1:-1])
    arrive = _control(after, end, start, chords[2:], chords[1:-1])
    return np.stack([start, leave, arrive, end], axis=1)


def _control(
    before: np.ndarray, point: np.ndarray, after: np.ndarray, d1: np.ndarray, d2: np.ndarray
) -> np.ndarray:
    """Return the control points on the side of `after`; d1 and d2 are the chords' lengths."""
    r1, r2 = np.sqrt(d1), np.sqrt(d2)
    weight = 2 * d1 + 3 * r1 * r2 + d2
    return (d1 * after - d2 * before + weight * point) / (3 * r1 * (r1 + r2))


def side_by_side(inks: Sequence[np.ndarray], pitch: float) -> np.ndarray:
    """Return lines of ink as a single line: left edges are `pitch` apart, middles level."""
    moved = []
    for number, ink in enumerate(inks):
        left, top, _, bottom = bounds(ink)
        shift = np.array([number * pitch - left, -(top + bottom) / 2])
        moved += [stroke + shift for stroke in strokes(ink)]
    return from_strokes(moved)
