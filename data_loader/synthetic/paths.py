"""Paths: ink as positions, so that it can be cut, moved and set together.

A path is an array `(points, 3)` float64 of x, y (downwards), and lift: 1 where the pen is lifted
after the point, as after the last point; else 0.
"""

from collections.abc import Sequence

import numpy as np

from utils.ink import at_equal_steps, to_points

BAND = 0.25
"""Height of the bands in which the distance of two paths is measured, in x-heights."""


def to_path(ink: np.ndarray) -> np.ndarray:
    """Return the path of ink `(points, 3)`."""
    path = np.column_stack([to_points(ink), ink[:, 2] > 0.5])
    path[-1, 2] = 1
    return path


def to_ink(path: np.ndarray, grid: float | None = None) -> np.ndarray:
    """Return the ink `(points, 3)` float32 of a path, rounded to a grid if a spacing is given."""
    ink = path.astype(np.float32)
    points = path[:, :2] if grid is None else np.rint(path[:, :2] / grid) * grid
    ink[:, :2] = np.diff(points, axis=0, prepend=points[:1])
    return ink


def to_strokes(path: np.ndarray) -> list[np.ndarray]:
    """Return the strokes of a path, each `(n, 2)`."""
    return np.split(path[:, :2], np.flatnonzero(path[:-1, 2]) + 1)


def from_strokes(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the path of strokes `(n, 2)`."""
    points = np.concatenate(strokes)
    path = np.column_stack([points, np.zeros(len(points))])
    path[np.cumsum([len(stroke) for stroke in strokes]) - 1, 2] = 1
    return path


def moved(path: np.ndarray, x: float, y: float = 0.0) -> np.ndarray:
    """Return a path moved by `x` to the right and by `y` down."""
    return path + np.array([x, y, 0.0])


def from_left(path: np.ndarray) -> np.ndarray:
    """Return a path moved so that its left edge is x = 0."""
    return path - np.array([path[:, 0].min(), 0.0, 0.0])


def leaning(path: np.ndarray, slant: float) -> np.ndarray:
    """Return an upright path slanted to the right by `slant`, x over y."""
    return path - np.outer(path[:, 1], (slant, 0.0, 0.0))


def side_by_side(paths: Sequence[np.ndarray], gap: float | Sequence[float]) -> np.ndarray:
    """Return paths as one path, side by side with a gap after each: one gap, or a gap for each."""
    placed, right = [], 0.0
    for path, gap_behind in zip(paths, np.broadcast_to(gap, len(paths)), strict=True):
        placed.append(moved(path, right - path[:, 0].min()))
        right = placed[-1][:, 0].max() + gap_behind
    return np.concatenate(placed)


def steps_within(path: np.ndarray) -> np.ndarray:
    """Return the steps within strokes, `(steps, 2)`."""
    return np.diff(path[:, :2], axis=0)[path[:-1, 2] == 0]


def mean_step(path: np.ndarray) -> float:
    """Return the mean length of the steps within strokes; 1 if there are no steps."""
    steps = steps_within(path)
    return max(float(np.hypot(*steps.T).mean()), 1e-6) if len(steps) else 1.0


def at_speed(path: np.ndarray, factor: float) -> np.ndarray:
    """Return a path with `factor` times fewer points, at equal times; the path itself if the factor
    is near 1."""
    if 0.87 < factor < 1.15:
        return path
    strokes = to_strokes(path)
    for number, stroke in enumerate(strokes):
        if len(stroke) > 1:
            count = max(1, round((len(stroke) - 1) / factor))
            strokes[number] = at_equal_steps(stroke, np.arange(len(stroke), dtype=float), count)
    return from_strokes(strokes)


def overlap(left: np.ndarray, right: np.ndarray) -> float:
    """Return the shift to the right, in x-heights, with which `right` just touches `left`.

    The shift is measured in horizontal bands, each widened by half a band; it is minus infinity if
    the paths have no band in common.
    """
    edges, starts = _profile(left, np.fmax), _profile(right, np.fmin)
    common = np.isfinite(edges) & np.isfinite(starts)
    return float((edges - starts)[common].max()) if common.any() else -np.inf


def _profile(path: np.ndarray, further: np.ufunc) -> np.ndarray:
    """Return the furthest x of a path in each band from -4 to 4 x-heights; nan in empty bands."""
    profile = np.full(int(8 / BAND), np.nan)
    for shift in (-0.5, 0.5):
        bands = np.clip((path[:, 1] + 4) / BAND + shift, 0, len(profile) - 1).astype(int)
        further.at(profile, bands, path[:, 0])
    return profile
