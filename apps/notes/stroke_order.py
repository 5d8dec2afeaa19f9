"""Orders the strokes of a page by their places where the order of writing is lost."""

from collections.abc import Sequence

import numpy as np

from apps.notes.rows import MAX_MARK_HEIGHT
from ink.geometry import from_strokes, turned_back, x_height
from utils.time_limit import check_time

# Lengths are in x-heights.
MAX_MOVE_OF_WRITING = 5.0  # between letters, mostly (assumed)
# Odd moves of pages in no order, as a fraction of the moves (measured on testset_f).
MIN_SAVED_MOVES = 0.045  # more than the order by places has
MIN_ODD_RATIO = 1.5  # as a multiple of those that the order by places has
TRIED_ANGLES = np.radians(np.arange(-20, 20.5, 0.5))  # of rows (assumed)
PROFILE_STEP = 0.25  # height of the bins in which points are counted (assumed)
NUM_BEFORE = 6  # strokes whose mean height is that of the row (assumed)
MAX_LETTER_STEP = 1.3  # from the height of a row to a letter of it (measured on testset_f)
MAX_NEXT_GAP = 10.0  # from a letter of a row to the next one (assumed)


def likely_order(strokes: Sequence[np.ndarray]) -> list[int]:
    """Return the numbers of strokes that are not turned, `(n, 2)` each, in a likely order of
    writing.

    They stay as they are given, unless many more moves from letter to letter are odd than in the
    order by places: at least a part of the strokes is then in no order of writing.
    """
    as_given = [*range(len(strokes))]
    if len(strokes) < 2:
        return as_given
    unit = x_height(from_strokes(strokes))
    angle = _angle(np.concatenate(strokes) / unit)
    level = [turned_back(stroke, angle) / unit for stroke in strokes]
    if _odd_moves(level) < MIN_SAVED_MOVES:  # so that most pages take no time
        return as_given
    by_place = _by_place(level)
    odd_by_place = _odd_moves([level[number] for number in by_place])
    is_ordered = _odd_moves(level) < MIN_SAVED_MOVES + MIN_ODD_RATIO * odd_by_place
    return as_given if is_ordered else by_place


def _odd_moves(strokes: Sequence[np.ndarray]) -> float:
    """Return the fraction of odd moves among the moves between level strokes that are no marks.

    Moves are odd if they are far, or if they go back within a row to a letter before the last.
    """
    boxes = np.array([(stroke.min(axis=0), stroke.max(axis=0)) for stroke in strokes])
    is_letter = boxes[:, 1, 1] - boxes[:, 0, 1] >= MAX_MARK_HEIGHT
    low, high = boxes[is_letter].transpose(1, 0, 2)
    gaps = np.maximum(low[1:] - high[:-1], low[:-1] - high[1:]).max(axis=1)
    steps = np.abs(np.diff(low[:, 1] + high[:, 1])) / 2
    is_back = (high[1:, 0] < low[:-1, 0]) & (steps < MAX_LETTER_STEP)
    return np.count_nonzero(is_back | (gaps > MAX_MOVE_OF_WRITING)) / max(len(gaps), 1)


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
        is_next = is_left & False
        if row:
            height = np.average(y[row[-NUM_BEFORE:]], weights=weights[row[-NUM_BEFORE:]])
            is_next = is_left & (np.abs(y - height) < MAX_LETTER_STEP) & (x >= x[row[-1]])
            is_next &= low[:, 0] - high[row, 0].max() < MAX_NEXT_GAP
        if not is_next.any():
            row = []
        # A row begins with the stroke that is nearest to the page's upper left corner.
        places = x if row else low[:, 0] + low[:, 1]
        row.append(int(np.where(is_next if row else is_left, places, np.inf).argmin()))
        order.append(row[-1])
        is_left[row[-1]] = False
    return [*order, *sorted(np.flatnonzero(is_mark).tolist(), key=x.__getitem__)]
