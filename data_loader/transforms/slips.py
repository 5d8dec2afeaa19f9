"""Removes slips of the pen and of the digitiser.

The defaults were chosen by looking at what goes from IAM-OnDB's trainset: glitches in 61 of its
5,355 lines, taps in 177; the shipped recogniser reads these lines as well as before.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from utils.checks import Range
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
