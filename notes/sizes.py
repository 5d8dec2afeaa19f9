"""Tells apart the sizes in which a page is written, so that rows are found at each of them.

A size is the mean logarithm of the heights of the `vertical_segments`, weighted by the heights.
"""

from collections.abc import Sequence

import numpy as np

from utils.ink import from_strokes, vertical_segments

MIN_RATIO = 1.9  # of the mean sizes of two classes (measured, lab notebook: rows of several sizes)
MIN_PIECE = 10.0  # vertical segments of a piece that has a size of its own (measured, ibid.)
WINDOW = 8  # strokes before and behind a move, of which the smaller are its unit (assumed)
# Moves of the pen that begin a new piece, in units (measured, lab notebook: rows of several sizes):
MAX_DROP = 3.0  # up or down
MAX_MOVE = 10.0  # ahead or back
LINE_BREAK = (1.2, 3.0)  # up or down together with back


def size_classes(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the class of each stroke by the size of what was written with it, `(strokes,)`: 0 if
    the page has one size; classes rise with their sizes.

    Far moves of the pen divide the strokes into pieces; pieces of like sizes are a class. A piece
    of few letters, such as dots that were written last, is of the class of the nearest stroke.
    """
    if len(strokes) < 2:
        return np.zeros(len(strokes), int)
    totals = _totals(strokes)
    low, high = (np.array([edge(p, axis=0) for p in strokes]) for edge in (np.min, np.max))
    middle, moves = np.array([p[:, 1].mean() for p in strokes]), np.arange(1, len(strokes))
    before = _sizes(totals[np.maximum(moves - WINDOW, 0)], totals[moves])
    behind = _sizes(totals[moves], totals[np.minimum(moves + WINDOW, len(strokes))])
    unit = np.exp(np.fmin(before, behind))
    drop, back = np.abs(np.diff(middle)) / unit, (low[:-1, 0] - high[1:, 0]) / unit
    ahead = (low[1:, 0] - high[:-1, 0]) / unit
    is_break = (drop > LINE_BREAK[0]) & (back > LINE_BREAK[1])
    is_far = is_break | (drop > MAX_DROP) | (np.maximum(ahead, back) > MAX_MOVE)
    starts = np.flatnonzero(np.append(True, is_far))
    ends = np.append(starts[1:], len(strokes))
    sizes = _sizes(totals[starts], totals[ends])
    amounts = (totals[ends] - totals[starts])[:, 0] / np.exp(sizes)
    is_sized = amounts >= MIN_PIECE
    bounds = _bounds(sizes[is_sized], amounts[is_sized])
    of_piece = np.where(is_sized, np.searchsorted(bounds, sizes), -1)
    classes = np.repeat(of_piece if bounds else 0 * of_piece, ends - starts)
    known = np.flatnonzero(classes >= 0)
    for number in np.flatnonzero(classes < 0):
        gaps = np.maximum(low[known] - high[number], low[number] - high[known])
        classes[number] = classes[known[np.hypot(*np.maximum(gaps, 0).T).argmin()]]
    return classes


def _totals(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sums of the heights of all segments before each stroke and at the end, and those
    of the heights times their logarithms, `(strokes + 1, 2)`."""
    # Heights do not depend on x: the number of the stroke stands for it.
    numbered = [np.column_stack([0 * p[:, 1] + n, p[:, 1]]) for n, p in enumerate(strokes)]
    number, _, _, heights = np.abs(vertical_segments(from_strokes(numbered))).T
    weighted = np.column_stack([heights, heights * np.log(heights)])
    sums = np.vstack([np.zeros((1, 2)), np.cumsum(weighted, axis=0)])
    return sums[np.searchsorted(number, np.arange(len(strokes) + 1) - 0.5)]


def _sizes(before: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Return the sizes between rows of totals, `(rows,)`; NaN for dots and level lines."""
    heights, logarithms = (behind - before).T
    return logarithms / np.where(heights > 0, heights, np.nan)


def _bounds(sizes: np.ndarray, amounts: np.ndarray) -> list[float]:
    """Return the rising bounds between classes of sizes: where the variance between the two sides
    is largest, as long as their means differ by `MIN_RATIO`, and the bounds within each side."""
    order = np.argsort(sizes)
    sizes, amounts = sizes[order], amounts[order]
    below, total = np.cumsum(amounts)[:-1], amounts.sum()
    sums = np.cumsum(amounts * sizes)[:-1]
    steps = (amounts @ sizes - sums) / (total - below) - sums / below
    if not len(steps):
        return []
    cut = int((below * (total - below) * steps**2).argmax())
    if steps[cut] < np.log(MIN_RATIO):
        return []
    first, last = slice(cut + 1), slice(cut + 1, None)
    bound = float(sizes[cut] + sizes[cut + 1]) / 2
    return [*_bounds(sizes[first], amounts[first]), bound, *_bounds(sizes[last], amounts[last])]
