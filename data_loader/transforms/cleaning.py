"""Smoother strokes, without slips of the pen and of the digitiser."""

import functools
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from utils.checks import ConfigFault, Range
from utils.ink import strokes, x_height

LONGEST_GLITCH = 3
"""Points of a glitch (measured: 51 of those in IAM-OnDB's trainset have one, 8 two, 3 three)."""
BACK = 0.6
"""Largest distance of the points before and after a glitch, over its shorter jump (assumed)."""
SLOW = 0.5
"""Longest step before and after a glitch, over its shorter jump (assumed)."""


@dataclass(kw_only=True)
class RemoveSlips(BaseTransform):
    """Removes glitches within strokes, and taps before strokes.

    A glitch is up to three points to which the pen jumps and from which it jumps back, while it
    moves slowly before and after, as ink of equal time steps shows; its points count as missing
    from then on. A tap is a tiny stroke that lies on the stroke written next, as of a pen that
    bounces before it is down, or of a dot made twice. A tap on the stroke before stays: it may be a
    full stop, or the bar of a t.

    The defaults were chosen by looking at what goes from IAM-OnDB's trainset: glitches in 61 of its
    5,355 lines, taps in 177; the shipped recogniser reads these lines as well as before.

    Args:
        jump: the shortest jump of a glitch, in x-heights; 0 removes none.
        tap: the largest tap, and how far its middle is from the next stroke at most, in x-heights;
            0 removes none.
    """

    jump: Annotated[float, Range(0, 100)] = 0.6
    tap: Annotated[float, Range(0, 10)] = 0.1

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        pieces, height, start = strokes(ink), x_height(ink), 0
        chosen = np.ones(len(ink), dtype=bool)
        for number, stroke in enumerate(pieces):
            rows = slice(start, start + len(stroke))
            if self.jump:
                chosen[rows] = ~glitches(stroke, missing[rows], self.jump * height)
            after = pieces[number + 1 : number + 2]
            if self.tap and after and is_tap(stroke, after[0], self.tap * height):
                chosen[rows] = False
            start = rows.stop
        if chosen.all():
            return ink, missing
        points = np.concatenate(pieces)[chosen]
        changed = np.array(ink[chosen], dtype=np.float32)
        changed[0, :2] = ink[0, :2]
        changed[1:, :2] = np.diff(points, axis=0)
        # The time of what was removed passes before the next point.
        clock = np.cumsum(missing.astype(np.int64) + 1)[chosen]
        gaps = np.diff(clock, prepend=clock[0] - 1) - 1
        return changed, np.minimum(gaps, 255).astype(np.uint8)


def glitches(points: np.ndarray, missing: np.ndarray, jump: float) -> np.ndarray:
    """Return which points of a stroke `(n, 2)` are glitches of at least `jump`, `(n,)` bool.

    Where points are missing the pen had time to move far: a step is its part in one period.
    """
    is_glitch = np.zeros(len(points), dtype=bool)
    steps = np.hypot(*np.diff(points, axis=0).T) / (missing[1:] + 1.0)
    if not (steps >= jump).any():
        return is_glitch
    around = np.pad(steps, 1, constant_values=np.inf)
    for count in range(1, LONGEST_GLITCH + 1):
        out, home = steps[:-count], steps[count:]
        back = np.hypot(*(points[count + 1 :] - points[: -count - 1]).T)
        shorter = np.minimum(out, home)
        slow = np.maximum(around[: -count - 2], around[count + 2 :]) <= SLOW * shorter
        for start in np.flatnonzero((shorter >= jump) & (back <= BACK * shorter) & slow):
            is_glitch[start + 1 : start + 1 + count] = True
    return is_glitch


def is_tap(stroke: np.ndarray, after: np.ndarray, size: float) -> bool:
    """Return whether a stroke `(n, 2)` is a tap of at most `size` on the one written next."""
    return np.ptp(stroke, axis=0).max() <= size and _distance(stroke.mean(0), after) <= size


def _distance(point: np.ndarray, line: np.ndarray) -> float:
    """Return the distance of a point from the line through `line` `(n, 2)`."""
    start, segments = line[:-1] - point, np.diff(line, axis=0)
    if not len(segments):
        return float(np.hypot(*(line[0] - point)))
    square = np.maximum((segments**2).sum(axis=1), 1e-12)
    along = np.clip(-(start * segments).sum(axis=1) / square, 0, 1)
    return float(np.hypot(*(start + along[:, None] * segments).T).min())


@dataclass(kw_only=True)
class Smooth(BaseTransform):
    """Smooths each stroke: a point becomes the middle of a polynomial fitted to those around it.

    The fit is of least squares in x and in y over equally spaced points (Savitzky and Golay 1964),
    so that `FillMissing` belongs before it. The first and the last points of a stroke come from the
    fits of its first and last windows. A stroke of fewer points than the window has the largest
    odd window that it fills; if that has `order` + 1 points or fewer, as a dot, it stays unchanged.
    By default a recogniser reads IAM-OnDB as well as before, and half of the jitter goes: 17 % of
    the turns at points change their sign, not 33 % (measured on testset_v; by 7 points 13 %).

    Args:
        window: points of a fit, an odd number.
        order: degree of the polynomials, less than `window`; 2 and 3 differ in short
            strokes and at the ends only, and so do 4 and 5.

    Raises:
        ConfigFault: if `window` is even, or `order` not less than it.
    """

    window: Annotated[int, Range(3, 101)] = 5
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
        window = min(self.window, len(stroke) - 1 + len(stroke) % 2)
        if window <= self.order + 1:
            return stroke
        fit, half = fitted(window, self.order), window // 2
        windows = np.lib.stride_tricks.sliding_window_view(stroke, window, axis=0)
        smoothed = np.empty_like(stroke)
        smoothed[half : len(stroke) - half] = windows @ fit[half]
        smoothed[:half] = fit[:half] @ stroke[:window]
        smoothed[len(stroke) - half :] = fit[half + 1 :] @ stroke[-window:]
        return smoothed


@functools.cache
def fitted(window: int, order: int) -> np.ndarray:
    """Return the matrix `(window, window)` from values to values of the polynomial fitted to them.

    The matrix is the projection onto polynomials, at equally spaced places; float64.
    """
    # Places from -1 to 1 keep the powers well conditioned; the columns span all polynomials.
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, window), order + 1))
    return basis @ basis.T
