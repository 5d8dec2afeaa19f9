"""Writer identification: which hand a line is in, whatever its text, unit, place and sampling rate.

`hand_features` makes a line level, scales it to its x-height and smooths it; then it counts
directions, turns, heights and gaps. A linear discriminant analysis of the forms of IAM-OnDB's
trainset gives the axes of a `HandSpace`. Along each axis, lines of a hand have variance 1 about
their hand, and hands have the variance `between`. `likelihoods` follow from these variances.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from base.run.pretrained import weights_file
from ink.geometry import strokes, x_height
from ink.measures import (
    PATH_STEP,
    at_steps,
    baseline,
    gaps,
    levelled,
    median_lean,
    median_x_height,
)
from utils.checks import DataError

SMOOTHING = 0.1
"""Standard deviation of the smoothing along a path, in x-heights (assumed: more than the jitter of
a digitiser, less than the curves of a letter)."""
FINE_FACTOR = 2
"""Number of points per `PATH_STEP` while a path is smoothed (assumed)."""
LEG_LENGTHS = (1, 3, 6)
"""Lengths of the two pieces of path, before and after a point, whose directions make a hinge; in
steps of `PATH_STEP` (assumed; one length identifies fewer lines)."""
HINGE_BINS = 12
"""Number of bins of a leg's direction (assumed)."""
DIRECTION_BINS = 16
"""Number of bins of the direction in the histograms of turns and heights (assumed)."""
TURN_LEGS = 3
"""Length of the legs in the histograms of turns and heights, in steps of `PATH_STEP` (assumed)."""
TURN_KNOTS = np.array([-2.5, -1.5, -0.8, -0.3, 0, 0.3, 0.8, 1.5, 2.5])
"""Knots of the histogram of turns, in radians (assumed: closer where turns are more frequent)."""
HEIGHT_KNOTS = np.array([-2.2, -1.5, -1, -0.5, 0, 0.6, 1.2])
"""Knots of the histogram of heights, in x-heights (assumed, as above)."""
GAP_KNOTS = np.array([-2, -1, -0.5, -0.25, 0, 0.15, 0.3, 0.5, 0.8, 1.2, 1.7, 2.4, 3.5, 5])
"""Knots of the histogram of gaps, in x-heights (assumed, as above)."""
HISTOGRAM_SIZES = {
    **{f"hinges of {legs}": HINGE_BINS * HINGE_BINS for legs in LEG_LENGTHS},
    "turns": DIRECTION_BINS * len(TURN_KNOTS),
    "heights": DIRECTION_BINS * len(HEIGHT_KNOTS),
    "gaps": len(GAP_KNOTS),
}
"""Number of bins of each histogram; the feature vector consists of the histograms in this order.

- hinges: the directions of the path before and after a point (Bulacu and Schomaker,
  "Text-independent writer identification and verification using textural and allographic features",
  2007; here in the direction in which the pen moves).
- turns: the direction and the turn at a point.
- heights: the direction at a point, and the height of the point above the baseline.
- gaps: the gaps between strokes along the line, after the slant is removed.
"""
NUM_FEATURES = sum(HISTOGRAM_SIZES.values())


class HandSpace(NamedTuple):
    """A space in which lines of one hand lie close together.

    Attributes:
        mean: mean of the features, `(NUM_FEATURES,)` float32.
        projection: matrix from features to axes, `(NUM_FEATURES, axes)` float32; along each axis
            the variance of the lines of a hand is 1.
        between: variance of the hands along each axis, `(axes,)` float32, in falling order.
    """

    mean: np.ndarray
    projection: np.ndarray
    between: np.ndarray

    def embed(self, lines: Sequence[np.ndarray]) -> np.ndarray:
        """Return the coordinates of lines of ink, `(points, 3)` each, as `(lines, axes)` float64.

        Raises:
            DataError: see `hand_features`.
        """
        features = np.array([hand_features(line) for line in lines]).reshape(-1, NUM_FEATURES)
        return (features - self.mean) @ self.projection.astype(np.float64)


def load() -> HandSpace:
    """Read the space that comes with the project, whose file has the projection over `largest`."""
    with np.load(weights_file("hands")) as arrays:
        projection = arrays["projection"].astype(np.float32) * arrays["largest"]
        return HandSpace(arrays["mean"], projection.astype(np.float32), arrays["between"])


def likelihoods(
    lines: np.ndarray, enrolled: Sequence[np.ndarray], between: np.ndarray
) -> np.ndarray:
    """Return the log-likelihood that each line is in each hand, `(lines, hands)`, up to a constant.

    Along each axis, lines are normally distributed about their hand with variance 1, and hands are
    normally distributed about 0 with the variance b = `between` (Ioffe, "Probabilistic linear
    discriminant analysis", 2006). If n lines of a hand have the mean m, a further line of the hand
    is normally distributed about m b / (b + 1/n) with the variance 1 + b / (1 + n b).

    Args:
        lines: coordinates of lines, `(lines, axes)`, see `HandSpace.embed`.
        enrolled: for each hand, the coordinates of n lines known to be in the hand, `(n, axes)`.
        between: see `HandSpace`.
    """
    columns = []
    for hand_lines in enrolled:
        count = len(hand_lines)
        mean = hand_lines.mean(axis=0) * between / (between + 1 / count)
        variance = 1 + between / (1 + count * between)
        columns.append(-0.5 * ((lines - mean) ** 2 / variance + np.log(variance)).sum(axis=1))
    return np.stack(columns, axis=1)


def hand_features(ink: np.ndarray) -> np.ndarray:
    """Return the features of a line, `(NUM_FEATURES,)` float64, in the order of `HISTOGRAM_SIZES`.

    Each value is shared between its two adjacent bins. A feature is the square root of the fraction
    of values in a bin (Hellinger); the features of an empty histogram are 0.

    Args:
        ink: `(points, 3)` in any unit, y downwards.

    Raises:
        DataError: if the ink is empty, has numbers that are not finite, or no stroke longer than a
            dot.
    """
    paths, lean = prepared(ink)
    histograms = []
    for legs in LEG_LENGTHS:
        before, after, _ = _hinges(paths, legs)
        weights_before = _direction_weights(before, HINGE_BINS)
        weights_after = _direction_weights(after, HINGE_BINS)
        histograms.append(_histogram(weights_before, weights_after))
    before, after, height = _hinges(paths, TURN_LEGS)
    turn = (after - before + math.pi) % (2 * math.pi) - math.pi
    direction = _direction_weights(before + turn / 2, DIRECTION_BINS)
    histograms.append(_histogram(direction, _bin_weights(turn, TURN_KNOTS)))
    histograms.append(_histogram(direction, _bin_weights(height, HEIGHT_KNOTS)))
    stroke_gaps, _ = gaps(paths, lean)
    gap_weights = _bin_weights(stroke_gaps, GAP_KNOTS)
    histograms.append(_histogram(np.ones((len(stroke_gaps), 1)), gap_weights))
    return np.concatenate(histograms)


def prepared(ink: np.ndarray) -> tuple[list[np.ndarray], float]:
    """Make a line level, scale it to its x-height and smooth it.

    Args:
        ink: `(points, 3)`.

    Returns:
        the smoothed paths of strokes longer than a dot, and the slant of the line. A path has
        n >= 3 points at steps of `PATH_STEP`, `(n, 2)`, in x-heights from the baseline; slant: x
        over y, positive to the right; 0 if it cannot be measured.

    Raises:
        DataError: see `hand_features`.
    """
    level, _ = levelled(ink)
    lean = median_lean(level)
    origin = np.array([0.0, baseline(level)])
    height = median_x_height(level)
    if math.isnan(height):
        height = x_height(level)
    scaled = [(stroke - origin) / height for stroke in strokes(level)]
    fine = at_steps(scaled, PATH_STEP, FINE_FACTOR)
    paths = [_smoothed(points)[::FINE_FACTOR] for points in fine]
    if not paths:
        raise DataError("the ink has no stroke longer than a dot; give lines of words")
    return paths, 0.0 if math.isnan(lean) else lean


def _smoothed(path: np.ndarray) -> np.ndarray:
    """Return a path with points at equal steps, `(n, 2)`, smoothed with its ends fixed."""
    half = min(round(3 * SMOOTHING / PATH_STEP * FINE_FACTOR), len(path) - 1)
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) * PATH_STEP / FINE_FACTOR / SMOOTHING) ** 2)
    # The path is extended at both ends by its reflection at the end point.
    head = 2 * path[0] - path[half:0:-1]
    tail = 2 * path[-1] - path[-2 : -half - 2 : -1]
    extended = np.concatenate([head, path, tail])
    smooth = [np.convolve(extended[:, axis], weights / weights.sum(), "valid") for axis in (0, 1)]
    return np.stack(smooth, axis=1)


def _hinges(paths: list[np.ndarray], legs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return measures of the points with at least `legs` steps on either side, `(points,)` each.

    These are the direction of the leg before the point and of the leg after it, in radians, and y
    in x-heights.
    """
    columns = [np.empty((3, 0))]
    for path in paths:
        steps = path[legs:] - path[:-legs]
        direction = np.arctan2(steps[:, 1], steps[:, 0])
        if len(path) > 2 * legs:
            columns.append(np.stack([direction[:-legs], direction[legs:], path[legs:-legs, 1]]))
    return tuple(np.concatenate(columns, axis=1))


def _bin_weights(values: np.ndarray, knots: np.ndarray, period: float | None = None) -> np.ndarray:
    """Return the weight of each value in the bin of each knot, `(values, knots)`.

    A value is divided linearly between the two adjacent knots. With a period, the last and the
    first knot are adjacent.
    """
    hats = np.eye(len(knots))
    return np.stack([np.interp(values, knots, hat, period=period) for hat in hats], axis=1)


def _direction_weights(angles: np.ndarray, count: int) -> np.ndarray:
    """Return the weights of angles in `count` bins around the circle, the first bin at 0."""
    turn = 2 * math.pi
    return _bin_weights(angles, np.arange(count) * turn / count, turn)


def _histogram(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the square root of the fraction of points in each pair of bins, one of `first` and one
    of `second`; both are weights of the points in bins, `(points, bins)`."""
    total = (first.T @ second).ravel()
    return np.sqrt(total / total.sum()) if total.sum() else total
