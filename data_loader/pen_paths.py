"""Cuts, moves and combines ink as pen paths: positions of the pen, with its lifts.

A path is a float64 array `(points, 3)` of x, y (downwards) and lift. Lift is 1 at a point after
which the pen is lifted, such as the last point, and 0 at all other points.
"""

from collections.abc import Sequence

import numpy as np

from ink.geometry import at_equal_steps, to_points

BAND_HEIGHT = 0.25
"""Height of the bands in which `touching_shift` measures, in x-heights (assumed)."""
UNCHANGED_SPEEDS = (0.87, 1.15)
"""Bounds on the factors on a speed by which `at_speed` changes nothing (assumed)."""


def to_path(ink: np.ndarray) -> np.ndarray:
    """Return the path of ink `(points, 3)`."""
    path = np.column_stack([to_points(ink), ink[:, 2] > 0.5])
    path[-1, 2] = 1
    return path


def to_ink(path: np.ndarray, grid: float | None = None) -> np.ndarray:
    """Return ink `(points, 3)` float32 of a path, on a grid of spacing `grid` unless it is None."""
    ink = path.astype(np.float32)
    points = path[:, :2] if grid is None else np.rint(path[:, :2] / grid) * grid
    ink[:, :2] = np.diff(points, axis=0, prepend=points[:1])
    return ink


def to_strokes(path: np.ndarray) -> list[np.ndarray]:
    """Return the strokes of a path, each `(n, 2)`."""
    starts = np.flatnonzero(path[:-1, 2]) + 1  # of all strokes but the first
    return np.split(path[:, :2], starts)


def from_strokes(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the path of `strokes`, each `(n, 2)`."""
    points = np.concatenate(strokes)
    path = np.column_stack([points, np.zeros(len(points))])
    ends = np.cumsum([len(stroke) for stroke in strokes])
    path[ends - 1, 2] = 1
    return path


def moved(path: np.ndarray, x: float, y: float = 0.0) -> np.ndarray:
    """Return a path moved by `x` to the right and by `y` down."""
    return path + np.array([x, y, 0.0])


def at_left_edge(path: np.ndarray) -> np.ndarray:
    """Return a path moved so that its left edge is x = 0."""
    return path - np.array([path[:, 0].min(), 0.0, 0.0])


def slanted(path: np.ndarray, slant: float) -> np.ndarray:
    """Return a path slanted further to the right by `slant`, x over y."""
    return path - np.outer(path[:, 1], (slant, 0.0, 0.0))


def side_by_side(paths: Sequence[np.ndarray], gap: float | Sequence[float]) -> np.ndarray:
    """Return paths side by side as one path; `gap` is a number, or the gap after each path."""
    placed = []
    next_left = 0.0
    for path, gap_after in zip(paths, np.broadcast_to(gap, len(paths)), strict=True):
        placed.append(moved(path, next_left - path[:, 0].min()))
        next_left = placed[-1][:, 0].max() + gap_after
    return np.concatenate(placed)


def stroke_steps(path: np.ndarray) -> np.ndarray:
    """Return the steps from point to point without a lift of the pen, `(steps, 2)`."""
    return np.diff(path[:, :2], axis=0)[path[:-1, 2] == 0]


def mean_step(path: np.ndarray) -> float:
    """Return the mean length of the steps within strokes; 1 if there are no steps."""
    steps = stroke_steps(path)
    if not len(steps):
        return 1.0
    return max(float(np.hypot(*steps.T).mean()), 1e-6)  # Callers divide by it.


def at_speed(path: np.ndarray, factor: float) -> np.ndarray:
    """Return a path as if the pen were `factor` times as fast: the number of steps is divided by
    `factor`. If `factor` is near 1, the path is returned unchanged."""
    if UNCHANGED_SPEEDS[0] < factor < UNCHANGED_SPEEDS[1]:
        return path
    strokes = to_strokes(path)
    for number, stroke in enumerate(strokes):
        if len(stroke) > 1:
            num_steps = max(1, round((len(stroke) - 1) / factor))
            times = np.arange(len(stroke), dtype=float)
            strokes[number] = at_equal_steps(stroke, times, num_steps)
    return from_strokes(strokes)


def touching_shift(left: np.ndarray, right: np.ndarray) -> float:
    """Return the shift of `right` along x, in x-heights, after which `right` just touches `left`.

    The shift is measured in horizontal bands, each widened by half a band. The shift is minus
    infinity if no band has ink of both paths.
    """
    right_edges = _profile(left, np.fmax)
    left_edges = _profile(right, np.fmin)
    is_common = np.isfinite(right_edges) & np.isfinite(left_edges)
    return float((right_edges - left_edges)[is_common].max()) if is_common.any() else -np.inf


def _profile(path: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """Return the extreme x of a path in each band from -4 to 4 x-heights; nan in empty bands.

    Args:
        extreme: `np.fmax` for the largest x, `np.fmin` for the smallest.
    """
    profile = np.full(int(8 / BAND_HEIGHT), np.nan)
    for shift in (-0.5, 0.5):  # A band is widened by half a band on either side.
        places = (path[:, 1] + 4) / BAND_HEIGHT + shift
        bands = np.clip(places, 0, len(profile) - 1).astype(int)
        extreme.at(profile, bands, path[:, 0])
    return profile
