"""Orders the strokes of a page by their places where the order of writing is lost."""

from collections.abc import Sequence

import numpy as np

from ink.geometry import from_strokes, turned_back, x_height
from utils.time_limit import check_time

# Lengths are in x-heights.
MAX_MOVE_OF_WRITING = 5.0  # between strokes, mostly (assumed)
MAX_FAR_MOVES = 0.5  # fraction of the strokes; with more there is no order of writing (assumed)
TRIED_ANGLES = np.radians(np.arange(-20, 20.5, 0.5))  # of rows (assumed)
PROFILE_STEP = 0.25  # height of the bins in which points are counted (assumed)
MAX_MARK_HEIGHT = 0.6  # height of a dot or bar (measured)
NUM_BEFORE = 6  # strokes whose mean height is that of the row (assumed)
MAX_STEP = 1.3  # from the height of a row to a letter of it (measured on testset_f)
MAX_GAP = 10.0  # from a letter of a row to the next one (assumed)


def likely_order(strokes: Sequence[np.ndarray]) -> list[int]:
    """Return the numbers of a page's strokes, `(n, 2)` each, in a likely order of writing: as they
    are given, unless most moves from a stroke to the next one are far."""
    if len(strokes) < 2:
        return [*range(len(strokes))]
    unit = x_height(from_strokes(strokes))
    if not _is_unordered([stroke / unit for stroke in strokes]):
        return [*range(len(strokes))]
    angle = _angle(np.concatenate(strokes) / unit)
    return _by_place([turned_back(stroke, angle) / unit for stroke in strokes])


def _is_unordered(strokes: Sequence[np.ndarray]) -> bool:
    """Return whether most moves between strokes are far, as if they were in no order of writing."""
    low, high = (np.array([edge(p, axis=0) for p in strokes]) for edge in (np.min, np.max))
    gaps = np.maximum(low[1:] - high[:-1], low[:-1] - high[1:]).max(axis=1)
    return np.count_nonzero(gaps > MAX_MOVE_OF_WRITING) > MAX_FAR_MOVES * len(strokes)


def _angle(points: np.ndarray) -> float:
    """Return the angle of rows in radians: that at which the heights of points differ most in how
    frequent they are."""
    unevenness = []
    for angle in TRIED_ANGLES:
        y = turned_back(points, angle)[:, 1] / PROFILE_STEP
        counts = np.bincount((y - y.min()).astype(int))
        unevenness.append(float(counts @ counts))
    return float(TRIED_ANGLES[np.argmax(unevenness)])


def _by_place(strokes: Sequence[np.ndarray]) -> list[int]:
    """Return the numbers of level strokes by their places: after each stroke comes the next one at
    the height of its row or, if there is none, the uppermost stroke that remains. Marks are last,
    from left to right, as if they were late."""
    low, high = (np.array([edge(p, axis=0) for p in strokes]) for edge in (np.min, np.max))
    x, y = (low[:, 0] + high[:, 0]) / 2, np.array([stroke[:, 1].mean() for stroke in strokes])
    weights = np.array([0.1 + np.abs(np.diff(stroke, axis=0)).sum() for stroke in strokes])
    is_mark = high[:, 1] - low[:, 1] < MAX_MARK_HEIGHT
    order, row, is_left = list[int](), list[int](), ~is_mark
    while is_left.any():
        check_time()
        is_next = is_left & False
        if row:
            height = np.average(y[row[-NUM_BEFORE:]], weights=weights[row[-NUM_BEFORE:]])
            is_next = is_left & (np.abs(y - height) < MAX_STEP) & (x >= x[row[-1]])
            is_next &= low[:, 0] - high[row, 0].max() < MAX_GAP
        if not is_next.any():
            row = []
        places = x if row else low[:, 0] + low[:, 1]
        row.append(int(np.where(is_next if row else is_left, places, np.inf).argmin()))
        order.append(row[-1])
        is_left[row[-1]] = False
    return [*order, *sorted(np.flatnonzero(is_mark).tolist(), key=x.__getitem__)]
