"""How a line of handwriting looks, in numbers, for ink of any unit and sampling rate."""

import math

import numpy as np

from utils.ink import bounds, turning_ways, weighted_median, x_height


def baseline_angle(ink: np.ndarray, min_letters: float = 4.0) -> float:
    """Return the angle of the baseline in radians, positive where it falls to the right.

    It is the median slope over pairs of low turning points that are well apart (Theil-Sen), which
    a few descenders do not change.

    Args:
        ink: `(points, 3)`.
        min_letters: the minimum width of a line in x-heights.

    Returns:
        NaN for ink that is narrower, or has too few low turning points.
    """
    letter = x_height(ink)
    low = _low_points(ink, letter)
    # In very long lines only every n-th: all pairs would be too many.
    low = low[:: max(1, math.ceil(len(low) / 400))]
    first, second = np.triu_indices(len(low), 1)
    run = low[second] - low[first]
    run = run[np.abs(run[:, 0]) > 0.5 * min_letters * letter]
    left, _, right, _ = bounds(ink)
    if len(run) < 3 or right - left < min_letters * letter:
        return math.nan
    return math.atan(float(np.median(run[:, 1] / run[:, 0])))


def _low_points(ink: np.ndarray, letter: float) -> np.ndarray:
    """Return where the ways down that are not flat end, `(n, 2)`."""
    ways = turning_ways(ink)
    down = ways[ways[:, 3] > 0.3 * letter]
    return down[:, :2] + down[:, 2:]


def slant(ink: np.ndarray, max_degrees: float = 50.0) -> float:
    """Return how far downstrokes lean to the right, x over y, of a level line.

    It is the median over the pen's ways down that are not flat, weighted by their height.

    Args:
        ink: `(points, 3)`.
        max_degrees: the strongest slant accepted; ways that lean more are not counted.

    Returns:
        NaN for ink without such ways.
    """
    ways = turning_ways(ink)
    down = ways[ways[:, 3] > 0.5 * x_height(ink)]
    lean = -down[:, 2] / down[:, 3]
    kept = np.abs(lean) <= math.tan(math.radians(max_degrees))
    return weighted_median(lean[kept], down[kept, 3]) if kept.any() else math.nan
