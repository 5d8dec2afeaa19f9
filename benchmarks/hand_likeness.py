"""Writer identification: whose hand a line is in, whatever its text, unit, place and sampling rate.

A line is made level, scaled to its x-height and smoothed; then `hand_features` counts directions,
turns, heights and gaps. Along each axis of a `HandSpace`, a linear discriminant analysis of the
forms of IAM-OnDB's trainset, lines of a hand have variance 1 about their hand, and hands have the
variance `between`. From these variances follows the likelihood that a line is in a hand.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from base.pretrained import PRETRAINED
from utils.checks import DataError
from utils.hand_measures import STEP, at_steps, baseline, gaps, levelled, slant, x_heights
from utils.ink import bounds, strokes, x_height

BLUR = 0.1
"""Standard deviation of the smoothing along a path, in x-heights (assumed: more than the jitter of
a digitiser, less than the curves of a letter)."""
FINER = 2
"""Points per `STEP` while a path is smoothed (assumed)."""
LEGS = (1, 3, 6)
"""Steps of a hinge's legs (assumed; with a single length fewer lines are identified)."""
HINGE = 12
"""Bins of a leg's direction (assumed)."""
DIRECTIONS = 16
"""Bins of the direction in the histograms of turns and heights (assumed)."""
MIDDLE = 3
"""Steps of the legs in the histograms of turns and heights (assumed)."""
TURN = np.array([-2.5, -1.5, -0.8, -0.3, 0, 0.3, 0.8, 1.5, 2.5])
"""Knots of the histogram of turns, in radians (assumed: closer where turns are more frequent)."""
HEIGHT = np.array([-2.2, -1.5, -1, -0.5, 0, 0.6, 1.2])
"""Knots of the histogram of heights, in x-heights (assumed, as above)."""
GAP = np.array([-2, -1, -0.5, -0.25, 0, 0.15, 0.3, 0.5, 0.8, 1.2, 1.7, 2.4, 3.5, 5])
"""Knots of the histogram of gaps, in x-heights (assumed, as above)."""
BLOCKS = {
    **{f"hinges of {legs}": HINGE * HINGE for legs in LEGS},
    "turns": DIRECTIONS * len(TURN),
    "heights": DIRECTIONS * len(HEIGHT),
    "gaps": len(GAP),
}
"""The parts of the vector, each a histogram, and their sizes.

- hinges: directions of the path before and after a point (Bulacu and Schomaker, "Text-independent
  writer identification and verification using textural and allographic features", 2007; here in
  the sense in which the pen moves).
- turns: the direction and the turn at a point; heights: the direction and the height above the
  baseline.
- gaps: the gaps between strokes along the line, the slant undone.
"""
SIZE = sum(BLOCKS.values())


class HandSpace(NamedTuple):
    """A space in which lines of one hand lie close together.

    Attributes:
        mean: mean of the features, `(SIZE,)` float32.
        projection: from features to axes, `(SIZE, axes)` float32; along each axis the variance
            within a hand is 1.
        between: variance of the hands along each axis, `(axes,)` float32, falling.
    """

    mean: np.ndarray
    projection: np.ndarray
    between: np.ndarray

    def embed(self, lines: Sequence[np.ndarray]) -> np.ndarray:
        """Return the coordinates of lines `(points, 3)`, `(lines, axes)` float64.

        Raises:
            DataError: for ink that shows no hand (`hand_features`).
        """
        features = np.array([hand_features(line) for line in lines]).reshape(-1, SIZE)
        return (features - self.mean) @ self.projection.astype(np.float64)


def load() -> HandSpace:
    """Read the space that comes with the project."""
    with np.load(PRETRAINED / "hands.npz") as parts:
        projection = parts["projection"].astype(np.float32) * parts["largest"]
        return HandSpace(parts["mean"], projection.astype(np.float32), parts["between"])


def likelihoods(
    lines: np.ndarray, samples: Sequence[np.ndarray], between: np.ndarray
) -> np.ndarray:
    """Return the log-likelihoods that lines are in hands, `(lines, hands)`, up to a constant.

    Along each axis, lines are normal about their hand with variance 1, and hands are normal about 0
    with variance b, `between` (Ioffe, "Probabilistic linear discriminant analysis", 2006). Given n
    lines of a hand with mean m, a further line of the hand is normal about m b / (b + 1/n), with
    variance 1 + b / (1 + n b).

    Args:
        lines: coordinates, see `HandSpace.embed`, `(lines, axes)`.
        samples: lines of each hand, `(n, axes)`.
        between: `(axes,)`.
    """
    columns = []
    for sample in samples:
        count = len(sample)
        mean = sample.mean(axis=0) * between / (between + 1 / count)
        variance = 1 + between / (1 + count * between)
        columns.append(-0.5 * ((lines - mean) ** 2 / variance + np.log(variance)).sum(axis=1))
    return np.stack(columns, axis=1)


def hand_features(ink: np.ndarray) -> np.ndarray:
    """Return the features of a line, `(SIZE,)` float64, in the order of `BLOCKS`.

    A value counts for the two adjacent bins. Histograms are square roots of the fractions
    (Hellinger); an empty histogram is all 0.

    Args:
        ink: `(points, 3)` in any unit, y downwards.

    Raises:
        DataError: if the ink is empty, has numbers that are not finite, or no stroke longer than a
            dot.
    """
    paths, lean = prepared(ink)
    histograms = []
    for legs in LEGS:
        before, after, _ = _hinges(paths, legs)
        histograms.append(_histogram(_directions(before, HINGE), _directions(after, HINGE)))
    before, after, height = _hinges(paths, MIDDLE)
    turn = (after - before + math.pi) % (2 * math.pi) - math.pi
    direction = _directions(before + turn / 2, DIRECTIONS)
    histograms.append(_histogram(direction, _bins(turn, TURN)))
    histograms.append(_histogram(direction, _bins(height, HEIGHT)))
    apart, _ = gaps(paths, lean)
    histograms.append(_histogram(np.ones((len(apart), 1)), _bins(apart, GAP)))
    return np.concatenate(histograms)


def prepared(ink: np.ndarray) -> tuple[list[np.ndarray], float]:
    """Return the smooth paths of a line's strokes, and its slant.

    Args:
        ink: `(points, 3)`.

    Returns:
        the paths, `(n, 2)` each, n at least 3, every `STEP` of the path: in x-heights, of a level
        line whose baseline is at 0, without dots; and the slant as x over y, positive to the right,
        or 0 if it cannot be measured.

    Raises:
        DataError: see `hand_features`.
    """
    level, _ = levelled(ink)
    lean, below = slant(level), np.array([0.0, baseline(level)])
    left, _, right, _ = bounds(level)
    (letter,) = x_heights(level, np.array([left, right])).tolist()
    if math.isnan(letter):
        letter = x_height(level)
    parts = [(stroke - below) / letter for stroke in strokes(level)]
    paths = [_smoothed(points)[::FINER] for points, _ in at_steps(parts, STEP, FINER)]
    if not paths:
        raise DataError("the ink has no stroke longer than a dot: a hand shows in lines of words")
    return paths, 0.0 if math.isnan(lean) else lean


def _smoothed(path: np.ndarray) -> np.ndarray:
    """Return points at equal steps `(n, 2)` smoothed; both ends stay where they are."""
    half = min(round(3 * BLUR / STEP * FINER), len(path) - 1)
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) * STEP / FINER / BLUR) ** 2)
    # Beyond its ends the path continues as its point reflection.
    head, tail = 2 * path[0] - path[half:0:-1], 2 * path[-1] - path[-2 : -half - 2 : -1]
    longer = np.concatenate([head, path, tail])
    smooth = [np.convolve(longer[:, axis], weights / weights.sum(), "valid") for axis in (0, 1)]
    return np.stack(smooth, axis=1)


def _hinges(paths: list[np.ndarray], legs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the directions before and after in radians, and the height y in x-heights, of all
    points with `legs` steps on either side, `(points,)` each."""
    columns = [np.empty((3, 0))]
    for path in paths:
        steps = path[legs:] - path[:-legs]
        direction = np.arctan2(steps[:, 1], steps[:, 0])
        if len(path) > 2 * legs:
            columns.append(np.stack([direction[:-legs], direction[legs:], path[legs:-legs, 1]]))
    return tuple(np.concatenate(columns, axis=1))


def _bins(values: np.ndarray, knots: np.ndarray, period: float | None = None) -> np.ndarray:
    """Return the fractions of values in the bins of the two adjacent `knots`, `(values, bins)`;
    with a period the last and the first knot are adjacent."""
    hats = np.eye(len(knots))
    return np.stack([np.interp(values, knots, hat, period=period) for hat in hats], axis=1)


def _directions(angles: np.ndarray, count: int) -> np.ndarray:
    """Return the fractions of angles in `count` bins around the circle, the first at 0."""
    turn = 2 * math.pi
    return _bins(angles, np.arange(count) * turn / count, turn)


def _histogram(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the square roots of the fractions of points in the pairs of bins of two scales."""
    total = (first.T @ second).ravel()
    return np.sqrt(total / total.sum()) if total.sum() else total
