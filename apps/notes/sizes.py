"""Classifies the strokes of a page by the size of the writing, so that rows of each size are found.

A size is the mean logarithm of the heights of the `vertical_segments`, weighted by the heights.
"""

from collections.abc import Sequence

import numpy as np

from ink.geometry import from_strokes, vertical_segments

# Measured, notebook: notes, rows of several sizes.
MIN_RATIO = 2.1  # of the mean sizes of two classes
MIN_PIECE_SEGMENTS = 10.0  # vertical segments of a piece that has a size of its own
UNIT_STROKES = 8  # strokes before and behind a move, of which the smaller are its unit (assumed)
# Moves of the pen that begin a new piece, in units (measured, as above):
MAX_PIECE_DROP = 3.0  # up or down
MAX_PIECE_MOVE = 10.0  # ahead or back
LINE_BREAK_DROP = 1.2  # up or down, together with `LINE_BREAK_BACK`
LINE_BREAK_BACK = 3.0  # back, together with `LINE_BREAK_DROP`


def size_classes(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the class of each stroke by the size of the writing around it, `(strokes,)`.

    Classes rise with their sizes, from 0. A page of one size has only the class 0.

    Far moves of the pen divide the strokes into pieces; pieces of similar sizes are a class. A
    piece of few letters gets the class of the piece before or behind it, if the pen did not move
    far in between, or else the class of the nearest stroke.
    """
    if len(strokes) < 2:
        return np.zeros(len(strokes), int)
    height_sums = _height_sums(strokes)  # (strokes + 1, 2)
    low = np.array([stroke.min(axis=0) for stroke in strokes])
    high = np.array([stroke.max(axis=0) for stroke in strokes])
    drop = np.abs(np.diff([stroke[:, 1].mean() for stroke in strokes]))
    back = low[:-1, 0] - high[1:, 0]
    ahead = low[1:, 0] - high[:-1, 0]
    moves = np.column_stack([drop, back, ahead])
    # The unit of each move is the smaller size of the strokes before and behind it.
    numbers = np.arange(1, len(strokes))
    first = np.maximum(numbers - UNIT_STROKES, 0)
    stop = np.minimum(numbers + UNIT_STROKES, len(strokes))
    before = _sizes(height_sums[first], height_sums[numbers])
    behind = _sizes(height_sums[numbers], height_sums[stop])
    is_far = _are_far(moves, np.exp(np.fmin(before, behind)))
    starts = np.flatnonzero(np.append(True, is_far))
    ends = np.append(starts[1:], len(strokes))
    sizes = _sizes(height_sums[starts], height_sums[ends])
    heights = np.diff(height_sums[:, 0][[*starts, -1]])  # the sum for each piece
    is_sized = heights >= MIN_PIECE_SEGMENTS * np.exp(sizes)
    num_segments = heights[is_sized] / np.exp(sizes[is_sized])
    bounds = _bounds(sizes[is_sized], num_segments)
    if not bounds:
        return np.zeros(len(strokes), int)
    of_piece = np.where(is_sized, np.searchsorted(bounds, sizes), -1)
    # From behind and from before, so that pieces next to each other follow one that has a class.
    for step in (-1, 1):
        for piece in range(len(starts))[::step]:
            other = piece - step
            if of_piece[piece] >= 0 or not 0 <= other < len(starts):
                continue
            move = starts[max(piece, other)] - 1  # from one to the other
            if of_piece[other] >= 0 and not _are_far(moves[move], np.exp(sizes[other])):
                of_piece[piece] = of_piece[other]
                sizes[piece] = sizes[other]
    classes = np.repeat(of_piece, ends - starts)
    units = np.repeat(np.exp(sizes), ends - starts)
    classified = np.flatnonzero(classes >= 0)
    for number in np.flatnonzero(classes < 0):
        gaps = np.maximum(low[classified] - high[number], low[number] - high[classified])
        distances = np.hypot(*np.maximum(gaps, 0).T) / units[classified]
        nearest = classified[distances.argmin()]
        classes[number] = classes[nearest]
    return classes


def _are_far(moves: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return whether moves begin a piece.

    Args:
        moves: distances up or down, back, and ahead, `(..., 3)`.
        units: size of the letters at each move, `(...)`.
    """
    drop, back, ahead = moves.T / units
    is_break = (drop > LINE_BREAK_DROP) & (back > LINE_BREAK_BACK)
    return is_break | (drop > MAX_PIECE_DROP) | (np.maximum(ahead, back) > MAX_PIECE_MOVE)


def _height_sums(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return sums over all segments before each stroke, and over all: of their heights h, and of
    h log h, `(strokes + 1, 2)`."""
    # Heights do not depend on x: the number of the stroke stands for it.
    numbered = []
    for n, points in enumerate(strokes):
        y = points[:, 1]
        numbered.append(np.column_stack([np.full(len(y), n, float), y]))
    number, _, _, heights = np.abs(vertical_segments(from_strokes(numbered))).T
    weighted = np.column_stack([heights, heights * np.log(heights)])
    sums = np.vstack([np.zeros((1, 2)), np.cumsum(weighted, axis=0)])
    # Half a number lower, so that rounding of the numbers does not count.
    return sums[np.searchsorted(number, np.arange(len(strokes) + 1) - 0.5)]


def _sizes(before: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Return the sizes between rows of height sums, `(rows,)`; NaN for dots and level lines."""
    heights, logarithms = (behind - before).T
    return logarithms / np.where(heights > 0, heights, np.nan)


def _bounds(sizes: np.ndarray, amounts: np.ndarray) -> list[float]:
    """Return the rising bounds between classes of sizes, which have these `amounts` of segments.

    A bound is where the variance between the two sides is largest, if their means differ by
    `MIN_RATIO`. Each side is divided in the same way (as in Otsu's method).
    """
    order = np.argsort(sizes)
    sizes = sizes[order]
    amounts = amounts[order]
    below = np.cumsum(amounts)[:-1]
    total = amounts.sum()
    sums = np.cumsum(amounts * sizes)[:-1]
    steps = (amounts @ sizes - sums) / (total - below) - sums / below
    if not len(steps):
        return []
    cut = int((below * (total - below) * steps**2).argmax())
    if steps[cut] < np.log(MIN_RATIO):  # Sizes are logarithms.
        return []
    first = slice(cut + 1)
    last = slice(cut + 1, None)
    bound = float(sizes[cut] + sizes[cut + 1]) / 2
    return [*_bounds(sizes[first], amounts[first]), bound, *_bounds(sizes[last], amounts[last])]
