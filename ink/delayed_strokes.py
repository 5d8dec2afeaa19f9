"""Delayed strokes: dots, bars and accents that are written after the letters that follow them."""

import numpy as np

from ink.geometry import strokes, to_points
from ink.measures import baseline, levelled

MIN_LATE_DISTANCE = 5.0
"""Minimum distance in x-heights from the right end of the ink back to a late mark (measured on
testset_v and testset_t, with dots and bars written last: 3, 5 and 8 give nearly the same)."""
MIN_MARK_HEIGHT = 0.6
"""Minimum height in x-heights of a mark's lower end above the baseline (assumed)."""
MAX_MARK_WIDTH = 2.5
"""Maximum width of a mark in x-heights (assumed)."""
X_WEIGHT = 4.0
"""Weight of a distance in x relative to a distance in y (assumed: a quotation mark then belongs to
the full stop before it)."""
MIN_DISTANCE_BEFORE = 0.25
"""Minimum distance in x-heights from a mark to a letter that the mark precedes; a nearer mark
follows the letter (assumed: a quotation mark is further away, the dot of a leaning `i` nearer)."""


def are_marks(ink: np.ndarray, height: float) -> np.ndarray:
    """Return whether each stroke of a row, of x-height `height`, is a mark above letters,
    `(strokes,)` bool."""
    level, _ = levelled(ink)
    max_y = baseline(level) - MIN_MARK_HEIGHT * height
    max_width = MAX_MARK_WIDTH * height
    parts = strokes(level)
    is_high = [part[:, 1].max() < max_y for part in parts]
    is_narrow = [np.ptp(part[:, 0]) < max_width for part in parts]
    return np.logical_and(is_high, is_narrow)


def are_late(right: np.ndarray, height: float, late: float = MIN_LATE_DISTANCE) -> np.ndarray:
    """Return whether each stroke of a row is written behind ink that lies further to the right,
    `(strokes,)` bool.

    Args:
        right: the right end of each stroke, `(strokes,)`.
        height: the x-height.
        late: see `MIN_LATE_DISTANCE`.
    """
    return np.maximum.accumulate(right) - right >= late * height


def undelayed(ink: np.ndarray, height: float, late: float = MIN_LATE_DISTANCE) -> list[np.ndarray]:
    """Return the strokes of a row, each `(n, 2)`, in their `undelayed_order`."""
    written = strokes(ink)
    return [written[number] for number in undelayed_order(ink, height, late)]


def undelayed_order(ink: np.ndarray, height: float, late: float = MIN_LATE_DISTANCE) -> np.ndarray:
    """Return the indices of a row's strokes, `(strokes,)`, with late marks next to their letters.

    Args:
        ink: `(points, 3)`.
        height: the x-height.
        late: see `MIN_LATE_DISTANCE`; with 0 all marks are late.
    """
    first = np.append(0, np.flatnonzero(np.asarray(ink)[:-1, 2] > 0.5) + 1)
    is_late = are_late(np.maximum.reduceat(to_points(ink)[:, 0], first), height, late)
    if not is_late.any():
        return np.arange(len(first))
    level, _ = levelled(ink)
    parts = strokes(level)
    is_mark = are_marks(ink, height)
    letters = np.flatnonzero(~is_mark)
    if not len(letters):
        return np.arange(len(first))
    points = np.concatenate(parts)
    starts = np.cumsum([0, *map(len, parts[:-1])])
    left = np.minimum.reduceat(points[:, 0], starts)
    right = np.maximum.reduceat(points[:, 0], starts)
    middle_x = (left + right) / 2
    order = np.arange(len(parts), dtype=np.float64)
    for mark in np.flatnonzero(is_mark & is_late):
        middle = (parts[mark].min(axis=0) + parts[mark].max(axis=0)) / 2
        x, y = (points - middle).T
        distances = np.minimum.reduceat(np.hypot(X_WEIGHT * x, y), starts)
        nearest = letters[distances[letters].argmin()]
        is_before = middle_x[mark] < left[nearest] - MIN_DISTANCE_BEFORE * height
        order[mark] = nearest + (-0.5 if is_before else 0.5)
    return np.lexsort((middle_x, order))  # the marks of a letter go from left to right
