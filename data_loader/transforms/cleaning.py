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
"""Most points of a glitch (measured in IAM-OnDB's trainset: 51 have one point, 8 two, 3 three)."""
BACK = 0.6
"""Largest distance of the points before and after a glitch, over its shorter jump (assumed)."""
SLOW = 0.5
"""Longest step before and after a glitch, over its shorter jump (assumed)."""


@dataclass(kw_only=True)
class RemoveSlips(BaseTransform):
    """Removes glitches within strokes, and taps before strokes.

    A glitch is one to three points to which the pen jumps and from which it jumps back, although it
    moves slowly before and after; the ink needs equal time steps. Removed points count as missing.
    A tap is a tiny stroke on the next stroke, from a pen that bounces before it is down, or a dot
    made twice. A tap on the previous stroke stays: it may be a full stop, or the bar of a t.

    The defaults were chosen by looking at the ink removed from IAM-OnDB's trainset: glitches in 61
    of 5,355 lines, taps in 177; the shipped recogniser reads these lines as well as before.

    Args:
        jump: the shortest jump of a glitch, in x-heights; 0 removes no glitches.
        tap: the largest size of a tap, and the largest distance of its middle from the next stroke,
            in x-heights; 0 removes no taps.
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
            has_next = number + 1 < len(pieces)
            if self.tap and has_next and is_tap(stroke, pieces[number + 1], self.tap * height):
                chosen[rows] = False
            start = rows.stop
        if chosen.all():
            return ink, missing
        points = np.concatenate(pieces)[chosen]
        changed = np.array(ink[chosen], dtype=np.float32)
        changed[0, :2] = ink[0, :2]
        changed[1:, :2] = np.diff(points, axis=0)
        # The time of removed points passes before the next point.
        clock = np.cumsum(missing.astype(np.int64) + 1)[chosen]
        gaps = np.diff(clock, prepend=clock[0] - 1) - 1
        return changed, np.minimum(gaps, 255).astype(np.uint8)


def glitches(points: np.ndarray, missing: np.ndarray, jump: float) -> np.ndarray:
    """Return which points of a stroke `(n, 2)` are glitches of at least `jump`, `(n,)` bool.

    Where points are missing, the pen had time to move far: such a step is divided by its periods.
    """
    is_glitch = np.zeros(len(points), dtype=bool)
    steps = np.hypot(*np.diff(points, axis=0).T) / (missing[1:] + 1.0)
    if not (steps >= jump).any():
        return is_glitch
    around = np.pad(steps, 1, constant_values=np.inf)
    for count in range(1, LONGEST_GLITCH + 1):
        shorter = np.minimum(steps[:-count], steps[count:])
        distance = np.hypot(*(points[count + 1 :] - points[: -count - 1]).T)
        slow = np.maximum(around[: -count - 2], around[count + 2 :]) <= SLOW * shorter
        for start in np.flatnonzero((shorter >= jump) & (distance <= BACK * shorter) & slow):
            is_glitch[start + 1 : start + 1 + count] = True
    return is_glitch


def is_tap(stroke: np.ndarray, after: np.ndarray, size: float) -> bool:
    """Return whether a stroke `(n, 2)` is a tap of at most `size` on the stroke `after` it."""
    return np.ptp(stroke, axis=0).max() <= size and _distance(stroke.mean(0), after) <= size


def _distance(point: np.ndarray, line: np.ndarray) -> float:
    """Return the distance of a point from the line through the points `line` `(n, 2)`."""
    start, segments = line[:-1] - point, np.diff(line, axis=0)
    if not len(segments):
        return float(np.hypot(*(line[0] - point)))
    square = np.maximum((segments**2).sum(axis=1), 1e-12)
    along = np.clip(-(start * segments).sum(axis=1) / square, 0, 1)
    return float(np.hypot(*(start + along[:, None] * segments).T).min())


@dataclass(kw_only=True)
class Smooth(BaseTransform):
    """Smooths strokes: a point becomes the middle of a polynomial fitted to the points around it.

    The fit is by least squares in x and in y over equally spaced points (Savitzky and Golay 1964):
    put `FillMissing` before this. The first and last points of a stroke come from the fits of its
    first and last windows. A stroke shorter than the window has the largest odd window that it
    fills; if this window has at most `order` + 1 points, as in a dot, the stroke stays unchanged.
    By default a recogniser reads IAM-OnDB as well as before, and half of the jitter goes: 17 % of
    the turns at points change their sign, not 33 % (measured on testset_v; 13 % with `window` 7).

    Args:
        window: points of a fit, an odd number.
        order: degree of the polynomials, less than `window`; 2 and 3 differ in short
            strokes and at the ends only, and so do 4 and 5.

    Raises:
        ConfigFault: if `window` is even, or `order` not less than `window`.
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
    """Return the matrix `(window, window)` that turns values into those of the fitted polynomial.

    The matrix is the projection onto polynomials at equally spaced positions; float64.
    """
    # Positions from -1 to 1 keep the powers well conditioned; the columns span all polynomials.
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, window), order + 1))
    return basis @ basis.T
