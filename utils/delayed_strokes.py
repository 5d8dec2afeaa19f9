"""Delayed strokes: dots, bars and accents, which people write at once, after the word or later."""

import numpy as np

from utils.hand_measures import baseline, levelled
from utils.ink import strokes

LATE = 5.0
"""X-heights from a mark back to the end of the ink before it, from which the mark is late (measured
on testset_v and testset_t, dots and bars written last: 3, 5 and 8 give nearly the same)."""
MARK_ABOVE = 0.6
"""X-heights from the baseline up to the lower end of a mark, at least (assumed)."""
MARK_WIDTH = 2.5
"""X-heights of a mark's width, at most (assumed)."""
ACROSS = 4.0
"""Weight of a distance along the row, where a distance across it has 1 (assumed: a quotation mark
then belongs to the full stop before it)."""
BEFORE = 0.25
"""X-heights from a mark to the letter behind it, from which the mark comes before the letter
(assumed: true of the quotation mark before a word, not of the dot of an `i` that leans back)."""


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
    """Return the numbers of a row's strokes, `(strokes,)`, late marks next to the nearest letter.

    Args:
        ink: `(points, 3)`.
        height: the x-height.
        late: as `LATE`; by 0 all marks are late.
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
