"""Delayed strokes: dots, bars and accents, which people write at once, after the word or later."""

import numpy as np

from utils.hand_measures import baseline, levelled
from utils.ink import strokes

LATE = 5.0
"""X-heights by which a mark is late that people do not make at once or after its word (measured on
testset_v and testset_t, dots and bars written last: with 3, 5 and 8 it is nearly the same)."""
MARK_ABOVE, MARK_WIDTH = 0.6, 2.5
"""X-heights above the baseline where the lower end of a mark is, at least, and its width at most
(assumed)."""
ACROSS = 4.0
"""How much more a distance along the row counts than one across it (assumed: a quotation mark then
belongs to the full stop before it)."""
BEFORE = 0.25
"""X-heights between a mark and the letter behind it, from which it comes before that (assumed: the
quotation mark before a word does, the dot of an `i` that leans back does not)."""


def are_marks(ink: np.ndarray, height: float) -> np.ndarray:
    """Return which strokes of a row are marks over letters, `(strokes,)` bool; see `undelayed`."""
    level, _ = levelled(ink)
    above, widest = baseline(level) - MARK_ABOVE * height, MARK_WIDTH * height
    return np.array([p[:, 1].max() < above and np.ptp(p[:, 0]) < widest for p in strokes(level)])


def undelayed(ink: np.ndarray, height: float, late: float = LATE) -> list[np.ndarray]:
    """Return the strokes of a row, `(n, 2)` each, in their `undelayed_order`."""
    written = strokes(ink)
    return [written[number] for number in undelayed_order(ink, height, late)]


def undelayed_order(ink: np.ndarray, height: float, late: float = LATE) -> np.ndarray:
    """Return the numbers of a row's strokes, `(strokes,)`, late marks next to the letters that they
    are nearest, as if they had been written at once.

    Args:
        ink: `(points, 3)`.
        height: its x-height.
        late: X-heights by which a late mark ends behind the ink before it, at least; all marks are
            late by 0.
    """
    written = strokes(ink)
    right = np.array([part[:, 0].max() for part in written])
    is_late = np.maximum.accumulate(right) - right >= late * height
    if not is_late.any():
        return np.arange(len(written))
    parts, is_mark = strokes(levelled(ink)[0]), are_marks(ink, height)
    letters = np.flatnonzero(~is_mark)
    if not len(letters):
        return np.arange(len(written))
    points, starts = np.concatenate(parts), np.cumsum([0, *map(len, parts[:-1])])
    left, right = (edge.reduceat(points[:, 0], starts) for edge in (np.minimum, np.maximum))
    place = np.arange(len(parts), dtype=np.float64)
    for mark in np.flatnonzero(is_mark & is_late):
        x, y = (points - (parts[mark].min(axis=0) + parts[mark].max(axis=0)) / 2).T
        apart = np.minimum.reduceat(np.hypot(ACROSS * x, y), starts)
        nearest = letters[apart[letters].argmin()]
        is_before = left[mark] + right[mark] < 2 * (left[nearest] - BEFORE * height)
        place[mark] = nearest + (-0.5 if is_before else 0.5)
    return np.lexsort((left + right, place))
