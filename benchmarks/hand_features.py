"""How a hand looks in a line, as one vector, whatever the text, unit, place and sampling rate.

`hand_features` counts directions, turns, heights and gaps of a line that is first made level,
scaled to its x-height and smoothed, always in the same way, be it recorded or written by a
network. `benchmarks.hand_likeness` learns which differences between such vectors distinguish hands.
"""

import math

import numpy as np

from utils.checks import DataError
from utils.hand_measures import STEP, at_steps, baseline, gaps, levelled, slant, x_heights
from utils.ink import bounds, strokes, x_height

BLUR = 0.1
"""Standard deviation of the smoothing along a path, in x-heights (assumed: more than the jitter of
a digitiser, less than the curves of a letter)."""
FINER = 2
"""How much closer than `STEP` the points are that are smoothed (assumed)."""
LEGS = (1, 3, 6)
"""Steps of the two legs of a hinge (assumed; with only one of them fewer lines are identified)."""
HINGE = 12
"""Bins of a leg's direction (assumed)."""
DIRECTIONS, MIDDLE = 16, 3
"""Bins of the direction where turns and heights are counted, and the legs that give the direction
(assumed)."""

# Knots of the histograms, in radians and x-heights (assumed: closer where there is more ink).
TURN = np.array([-2.5, -1.5, -0.8, -0.3, 0, 0.3, 0.8, 1.5, 2.5])
HEIGHT = np.array([-2.2, -1.5, -1, -0.5, 0, 0.6, 1.2])
GAP = np.array([-2, -1, -0.5, -0.25, 0, 0.15, 0.3, 0.5, 0.8, 1.2, 1.7, 2.4, 3.5, 5])

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
- gaps: those between strokes seen from above, the slant undone.
"""
SIZE = sum(BLOCKS.values())


def hand_features(ink: np.ndarray) -> np.ndarray:
    """Return the features of a line, `(SIZE,)` float64, in the order of `BLOCKS`.

    A value counts for the two bins beside it. Of each histogram these are the square roots of the
    shares (Hellinger), all 0 where there is nothing to count.

    Args:
        ink: `(points, 3)` in any unit, y downwards.

    Raises:
        DataError: if the ink is empty or contains anything but finite numbers, or has no stroke
            longer than a dot.
    """
    paths, lean = prepared(ink)
    found = []
    for legs in LEGS:
        before, after, _ = _hinges(paths, legs)
        found.append(_histogram(_directions(before, HINGE), _directions(after, HINGE)))
    before, after, height = _hinges(paths, MIDDLE)
    turn = (after - before + math.pi) % (2 * math.pi) - math.pi
    direction = _directions(before + turn / 2, DIRECTIONS)
    found.append(_histogram(direction, _shares(turn, TURN)))
    found.append(_histogram(direction, _shares(height, HEIGHT)))
    apart, _ = gaps(paths, lean)
    found.append(_histogram(np.ones((len(apart), 1)), _shares(apart, GAP)))
    return np.concatenate(found)


def prepared(ink: np.ndarray) -> tuple[list[np.ndarray], float]:
    """Return the smooth paths of a line's strokes, and its slant.

    Args:
        ink: `(points, 3)`.

    Returns:
        `(n, 2)` each, n at least 3, every `STEP` of the path: in x-heights, of a level line whose
        baseline is at 0; dots are left out.

        The slant as x over y, positive to the right; 0 where it cannot be measured.

    Raises:
        DataError: as `hand_features`.
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
    first, last = 2 * path[0] - path[half:0:-1], 2 * path[-1] - path[-2 : -half - 2 : -1]
    longer = np.concatenate([first, path, last])
    smooth = [np.convolve(longer[:, axis], weights / weights.sum(), "valid") for axis in (0, 1)]
    return np.stack(smooth, axis=1)


def _hinges(paths: list[np.ndarray], legs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the directions before and after, and the height y, of all points that have `legs`
    steps on either side, `(points,)` each, in radians and x-heights."""
    found = [np.empty((3, 0))]
    for path in paths:
        steps = path[legs:] - path[:-legs]
        direction = np.arctan2(steps[:, 1], steps[:, 0])
        if len(path) > 2 * legs:
            found.append(np.stack([direction[:-legs], direction[legs:], path[legs:-legs, 1]]))
    before, after, height = np.concatenate(found, axis=1)
    return before, after, height


def _shares(values: np.ndarray, knots: np.ndarray, period: float | None = None) -> np.ndarray:
    """Return the shares of values in bins at `knots`, `(values, bins)`: of the two beside each;
    values beyond the knots are in the last, or, with a period, between the last and the first."""
    hats = np.eye(len(knots))
    return np.stack([np.interp(values, knots, hat, period=period) for hat in hats], axis=1)


def _directions(angles: np.ndarray, count: int) -> np.ndarray:
    """Return the shares of angles in `count` bins around the circle, the first at 0."""
    turn = 2 * math.pi
    return _shares(angles, np.arange(count) * turn / count, turn)


def _histogram(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the square roots of the shares of points in the bins of two scales together."""
    total = (first.T @ second).ravel()
    return np.sqrt(total / total.sum()) if total.sum() else total
