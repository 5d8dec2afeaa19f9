"""Resamples ink, and makes it like that of another device."""

from collections.abc import Sequence

import numpy as np

from ink.geometry import at_equal_steps, from_strokes, path_along, strokes, x_height
from ink.measures import levelled
from utils.checks import DataError

MAX_RESAMPLED_POINTS = 1_000_000  # of a resampled sample (assumed)
# Bounds on the ratio of the sampling periods of two devices (assumed):
MIN_PERIOD = 0.01
MAX_PERIOD = 100.0


def resampled(
    ink: np.ndarray, step: float, clock: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return ink whose strokes have points at equal steps, and counts of missing points (zeros).

    Each stroke keeps its first and last points; its steps are equal, as near to `step` as can be.

    Args:
        ink: `(points, 3)`.
        step: length of a step, in the unit of `clock` or of the ink.
        clock: the time of each point, `(points,)` ascending; None for steps along the path.
    """
    new_strokes = strokes(ink)
    if clock is None:
        parameters = [path_along(stroke) for stroke in new_strokes]
    else:
        edges = np.cumsum([len(stroke) for stroke in new_strokes[:-1]], dtype=np.int64)
        parameters = [times - times[0] for times in np.split(clock, edges)]
    if sum(values[-1] for values in parameters) / step > MAX_RESAMPLED_POINTS:
        raise DataError(f"resampling makes more than {MAX_RESAMPLED_POINTS:,} points of one sample")
    for number, values in enumerate(parameters):
        if len(values) > 1:
            count = max(1, round(values[-1] / step))
            new_strokes[number] = at_equal_steps(new_strokes[number], values, count)
    result = from_strokes(new_strokes)
    result[0, :2] = ink[0, :2]
    result[-1, 2] = ink[-1, 2]
    return result, np.zeros(len(result), dtype=np.uint8)


def match_device(ink: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Return ink as if the device of `others` had recorded it.

    The ink is turned level and scaled to the x-height of `others`. Then it is resampled in time, so
    that its steps within strokes are as long as the steps of `others`.

    Args:
        ink: `(points, 3)`, of any unit, sampling rate and slope.
        others: ink of another device, each of at least two points.
    """
    result, _ = levelled(ink)
    other_height = np.median([x_height(other) for other in others])
    result[:, :2] *= other_height / x_height(result)
    other_steps = [step for step in map(mean_step, others) if step > 0]
    step = mean_step(result)
    if other_steps and step > 0:
        ratio = float(np.median(other_steps)) / step
        period = min(max(ratio, MIN_PERIOD), MAX_PERIOD)
        clock = np.arange(1.0, len(result) + 1)  # points at equal times
        result, _ = resampled(result, period, clock)
    return result.astype(np.float32)


def mean_step(ink: np.ndarray) -> float:
    """Return the mean length of the steps within strokes, or 0 if there is no such step."""
    steps = ink[1:, :2][ink[:-1, 2] < 0.5]
    return float(np.hypot(steps[:, 0], steps[:, 1]).mean()) if len(steps) else 0.0
