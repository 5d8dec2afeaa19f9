"""Orders the strokes of a page by their places where the order of writing is lost."""

from collections.abc import Sequence

import numpy as np

from apps.notes.rows import MAX_MARK_HEIGHT
from ink.geometry import from_strokes, turned_back, x_height
from utils.time_limit import check_time

# Lengths are in x-heights.
MAX_MOVE_OF_WRITING = 5.0  # between strokes, mostly (assumed)
MAX_FAR_MOVES = 0.5  # fraction of the strokes; with more there is no order of writing (assumed)
TRIED_ANGLES = np.radians(np.arange(-20, 20.5, 0.5))  # of rows (assumed)
PROFILE_STEP = 0.25  # height of the bins in which points are counted (assumed)
NUM_BEFORE = 6  # strokes whose mean height is that of the row (assumed)
MAX_LETTER_STEP = 1.3  # from the height of a row to a letter of it (measured on testset_f)
MAX_NEXT_GAP = 10.0  # from a letter of a row to the next one (assumed)


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
    low = np.array([stroke.min(axis=0) for stroke in strokes])
    high = np.array([stroke.max(axis=0) for stroke in strokes])
    # From the box of each stroke to that of the next one, along x or along y.
    gaps = np.maximum(low[1:] - high[:-1], low[:-1] - high[1:]).max(axis=1)
    return np.count_nonzero(gaps > MAX_MOVE_OF_WRITING) > MAX_FAR_MOVES * len(strokes)


def _angle(points: np.ndarray) -> float:
    """Return the angle of rows in radians: that at which the profile of the points' heights, which
    is high at rows and low between them, has the largest sum of squares."""
    unevenness = []
    for angle in TRIED_ANGLES:
        y = turned_back(points, angle)[:, 1] / PROFILE_STEP
        counts = np.bincount((y - y.min()).astype(int))
        unevenness.append(float(counts @ counts))
    return float(TRIED_ANGLES[np.argmax(unevenness)])


def _by_place(strokes: Sequence[np.ndarray]) -> list[int]:
    """Return the numbers of level strokes by their places.

    After each stroke comes the next one at the height of its row or, if there is none, the first
    stroke of another row. Marks are last, from left to right, as if they were late.
    """
    low = np.array([stroke.min(axis=0) for stroke in strokes])
    high = np.array([stroke.max(axis=0) for stroke in strokes])
    x = (low[:, 0] + high[:, 0]) / 2
    y = np.array([stroke[:, 1].mean() for stroke in strokes])
    # The length of a stroke's ink; the small number is for dots.
    weights = np.array([0.1 + np.abs(np.diff(stroke, axis=0)).sum() for stroke in strokes])
    is_mark = high[:, 1] - low[:, 1] < MAX_MARK_HEIGHT
    order = list[int]()
    row = list[int]()
    is_left = ~is_mark
    while is_left.any():
        check_time()
        is_next = np.zeros_like(is_left)
        if row:
            height = np.average(y[row[-NUM_BEFORE:]], weights=weights[row[-NUM_BEFORE:]])
            is_next = is_left & (np.abs(y - height) < MAX_LETTER_STEP) & (x >= x[row[-1]])
            is_next &= low[:, 0] - high[row, 0].max() < MAX_NEXT_GAP
        if not is_next.any():
            row = []
        # A row begins with the stroke that is nearest to the page's upper left corner.
        places = x if row else low[:, 0] + low[:, 1]
        candidates = is_next if row else is_left
        number = int(np.where(candidates, places, np.inf).argmin())
        row.append(number)
        order.append(number)
        is_left[number] = False
    return [*order, *sorted(np.flatnonzero(is_mark).tolist(), key=x.__getitem__)]
