"""Classifies the strokes of a page by the size of the writing, so that rows of each size are found.

A size is the mean logarithm of the heights of the `vertical_segments`, weighted by the heights.
"""

from collections.abc import Sequence

import numpy as np

from ink.geometry import from_strokes, vertical_segments

# Measured, notebook: notes, rows of several sizes.
MIN_RATIO = 2.1  # of the mean sizes of two classes
MIN_PIECE = 10.0  # vertical segments of a piece that has a size of its own
WINDOW = 8  # strokes before and behind a move, of which the smaller are its unit (assumed)
# Moves of the pen that begin a new piece, in units (measured, as above):
MAX_DROP = 3.0  # up or down
MAX_MOVE = 10.0  # ahead or back
LINE_BREAK = (1.2, 3.0)  # up or down together with back


def size_classes(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the class of each stroke by the size of the writing around it, `(strokes,)`: 0 if the
    page has one size; classes rise with their sizes.

    Far moves of the pen divide the strokes into pieces; pieces of similar sizes are a class. A
    piece of few letters gets the class of the piece before or behind it, if the pen did not move
    far in between, or else the class of the nearest stroke.
    """
    if len(strokes) < 2:
        return np.zeros(len(strokes), int)
    totals, moves = _totals(strokes), np.arange(1, len(strokes))
    low, high = (np.array([edge(p, axis=0) for p in strokes]) for edge in (np.min, np.max))
    drop = np.abs(np.diff([stroke[:, 1].mean() for stroke in strokes]))
    back, ahead = low[:-1, 0] - high[1:, 0], low[1:, 0] - high[:-1, 0]
    before = _sizes(totals[np.maximum(moves - WINDOW, 0)], totals[moves])
    behind = _sizes(totals[moves], totals[np.minimum(moves + WINDOW, len(strokes))])
    away = np.column_stack([drop, back, ahead])
    is_far = _are_far(away, np.exp(np.fmin(before, behind)))
    starts = np.flatnonzero(np.append(True, is_far))
    ends = np.append(starts[1:], len(strokes))
    sizes, amounts = _sizes(totals[starts], totals[ends]), np.diff(totals[:, 0][[*starts, -1]])
    is_sized = amounts >= MIN_PIECE * np.exp(sizes)
    bounds = _bounds(sizes[is_sized], amounts[is_sized] / np.exp(sizes[is_sized]))
    if not bounds:
        return np.zeros(len(strokes), int)
    of_piece = np.where(is_sized, np.searchsorted(bounds, sizes), -1)
    for step in (-1, 1):
        for piece in range(len(starts))[::step]:
            other = piece - step
            if of_piece[piece] < 0 <= other < len(starts) and of_piece[other] >= 0:
                move = starts[max(piece, other)] - 1
                if not _are_far(away[move], np.exp(sizes[other])):
                    of_piece[piece], sizes[piece] = of_piece[other], sizes[other]
    classes, units = (np.repeat(each, ends - starts) for each in (of_piece, np.exp(sizes)))
    classified = np.flatnonzero(classes >= 0)
    for number in np.flatnonzero(classes < 0):
        gaps = np.maximum(low[classified] - high[number], low[number] - high[classified])
        distances = np.hypot(*np.maximum(gaps, 0).T) / units[classified]
        classes[number] = classes[classified[distances.argmin()]]
    return classes


def _are_far(away: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return whether moves `(..., 3)`, by how far they go up or down, back and ahead, begin a piece
    where the letters have these sizes, `(...)`."""
    drop, back, ahead = away.T / units
    is_break = (drop > LINE_BREAK[0]) & (back > LINE_BREAK[1])
    return is_break | (drop > MAX_DROP) | (np.maximum(ahead, back) > MAX_MOVE)


def _totals(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return, before each stroke and at the end, the sum of the heights h of all segments so far,
    and the sum of h log h, `(strokes + 1, 2)`."""
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
