"""Transforms that remove slips of the pen and the digitiser, and smooth strokes."""

import functools
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from ink.geometry import strokes, x_height
from utils.checks import ConfigFault, Range

# Measured in IAM-OnDB's trainset: 51 glitches have one point, 8 two, 3 three.
MAX_GLITCH_POINTS = 3
# Relative to the shorter jump of a glitch (assumed):
MAX_RETURN_RATIO = 0.6  # maximum distance of the point before the glitch from the point after it
MAX_STEP_RATIO = 0.5  # maximum length of the step before the glitch and of the step after it


@dataclass(kw_only=True)
class RemoveSlips(BaseTransform):
    """Removes glitches within strokes, and taps before strokes.

    A glitch is one to three points to which the pen jumps and from which the pen jumps back,
    although it moves slowly before and after. The ink needs equal time steps; removed points count
    as missing. A tap is a tiny stroke on the next stroke: the pen bounced, or made a dot twice. A
    tiny stroke on the previous stroke stays, since it may be a full stop or the bar of a t.

    The defaults were chosen by looking at the ink removed from IAM-OnDB's trainset: glitches in 61
    of 5,355 lines, taps in 177. The shipped recogniser reads these lines as well as before.

    Args:
        jump: the minimum length of a glitch's jumps, in x-heights; 0 removes no glitches.
        tap: the maximum size of a tap, and the maximum distance of its middle from the next stroke,
            in x-heights; 0 removes no taps.
    """

    jump: Annotated[float, Range(0, 100)] = 0.6
    tap: Annotated[float, Range(0, 10)] = 0.1

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        all_strokes = strokes(ink)
        height = x_height(ink)
        start = 0
        is_clean = np.ones(len(ink), dtype=bool)
        for number, stroke in enumerate(all_strokes):
            rows = slice(start, start + len(stroke))
            if self.jump:
                is_clean[rows] = ~glitches(stroke, missing[rows], self.jump * height)
            has_next = number + 1 < len(all_strokes)
            if self.tap and has_next and is_tap(stroke, all_strokes[number + 1], self.tap * height):
                is_clean[rows] = False
            start = rows.stop
        if is_clean.all():
            return ink, missing
        points = np.concatenate(all_strokes)[is_clean]
        clean_ink = np.array(ink[is_clean], dtype=np.float32)
        clean_ink[0, :2] = ink[0, :2]
        clean_ink[1:, :2] = np.diff(points, axis=0)
        # The times of removed points count as missing points before the next point.
        clock = np.cumsum(missing.astype(np.int64) + 1)[is_clean]
        periods = np.diff(clock, prepend=clock[0] - 1)  # None is missing before the first point.
        gaps = np.minimum(periods - 1, np.iinfo(np.uint8).max)
        return clean_ink, gaps.astype(np.uint8)


def glitches(points: np.ndarray, missing: np.ndarray, jump: float) -> np.ndarray:
    """Return a mask `(n,)` of the points of a stroke `(n, 2)` that are in glitches.

    A glitch has jumps of at least `jump`. A step over missing points is divided by its periods.
    """
    is_glitch = np.zeros(len(points), dtype=bool)
    steps = np.hypot(*np.diff(points, axis=0).T) / (missing[1:] + 1.0)
    if not (steps >= jump).any():
        return is_glitch
    # The pen is fast before the first and after the last point, so that no glitch is there.
    padded = np.pad(steps, 1, constant_values=np.inf)
    for count in range(1, MAX_GLITCH_POINTS + 1):
        # Each array has an item for each point that `count` points and one more point follow.
        jump_out, jump_back = steps[:-count], steps[count:]
        step_before, step_after = padded[: -count - 2], padded[count + 2 :]
        distance = np.hypot(*(points[count + 1 :] - points[: -count - 1]).T)
        shorter = np.minimum(jump_out, jump_back)
        is_slow = np.maximum(step_before, step_after) <= MAX_STEP_RATIO * shorter
        returns = distance <= MAX_RETURN_RATIO * shorter
        for before in np.flatnonzero((shorter >= jump) & returns & is_slow):
            is_glitch[before + 1 : before + 1 + count] = True
    return is_glitch


def is_tap(stroke: np.ndarray, next_stroke: np.ndarray, size: float) -> bool:
    """Return whether a stroke `(n, 2)` is a tap of at most `size` on the next stroke."""
    return np.ptp(stroke, axis=0).max() <= size and _distance(stroke.mean(0), next_stroke) <= size


def _distance(point: np.ndarray, line: np.ndarray) -> float:
    """Return the distance of a point from the polyline through `line` `(n, 2)`."""
    start = line[:-1] - point
    segments = np.diff(line, axis=0)
    if not len(segments):
        return float(np.hypot(*(line[0] - point)))
    square = np.maximum((segments**2).sum(axis=1), 1e-12)
    # The place of the nearest point on each segment, from 0 at its start to 1 at its end.
    along = np.clip(-(start * segments).sum(axis=1) / square, 0, 1)
    return float(np.hypot(*(start + along[:, None] * segments).T).min())


@dataclass(kw_only=True)
class Smooth(BaseTransform):
    """Replaces each point by the value of a polynomial fitted to the points around it.

    The fit is by least squares, in x and in y, over equally spaced points (Savitzky and Golay
    1964), so `FillMissing` must come before. The fit of a stroke's first window also gives the
    points before its middle, the fit of the last window the points after its middle. A stroke
    shorter than the window gets the largest odd window that fits; if this has at most `order` + 1
    points, as in a dot, the stroke stays unchanged. With the defaults the direction of turning
    changes at 13 % of the points of IAM-OnDB instead of 33 % (17 % with `window` 5), and a
    recogniser reads it nearly as well (measured, notebook: data, smoothing).

    Args:
        window: number of points of a fit, odd.
        order: degree of the polynomials, less than `window`. The degrees 2 and 3 differ only in
            short strokes and at the ends of strokes, and so do 4 and 5.

    Raises:
        ConfigFault: if `window` is even, or `order` is not less than `window`.
    """

    window: Annotated[int, Range(3, 101)] = 7
    order: Annotated[int, Range(1, 5)] = 3

    def __post_init__(self) -> None:
        if self.window % 2 == 0:
            raise ConfigFault("window", self.window, "an odd number")
        if self.order >= self.window:
            raise ConfigFault("order", self.order, f"less than window, which is {self.window}")

    def change(self, ink: np.ndarray, generator: Generator) -> None:
        points = np.concatenate([self._smoothed(stroke) for stroke in strokes(ink)])
        ink[1:, :2] = np.diff(points, axis=0)

    def _smoothed(self, stroke: np.ndarray) -> np.ndarray:
        """Return a stroke `(n, 2)` with each point replaced by the value of its polynomial."""
        longest_odd = len(stroke) - 1 + len(stroke) % 2
        window = min(self.window, longest_odd)
        if window <= self.order + 1:
            return stroke
        fit = fit_matrix(window, self.order)
        half = window // 2
        windows = np.lib.stride_tricks.sliding_window_view(stroke, window, axis=0)
        smoothed = np.empty_like(stroke)
        smoothed[half : len(stroke) - half] = windows @ fit[half]
        smoothed[:half] = fit[:half] @ stroke[:window]
        smoothed[len(stroke) - half :] = fit[half + 1 :] @ stroke[-window:]
        return smoothed


@functools.cache
def fit_matrix(window: int, order: int) -> np.ndarray:
    """Return the matrix `(window, window)` that maps values to the values of the fitted polynomial.

    The matrix, float64, projects onto the polynomials at equally spaced positions.
    """
    # Positions from -1 to 1 keep the powers well conditioned.
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, window), order + 1))
    return basis @ basis.T
