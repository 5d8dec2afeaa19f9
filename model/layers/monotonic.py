"""The best path through a table from its first row to its last, on which columns never decrease."""

import numpy as np


def best_monotonic_path(scores: np.ndarray, optional: np.ndarray | None = None) -> np.ndarray:
    """Return the column, in each row, of the path with the greatest sum of scores, `(rows,)` int64.

    The path begins in the first column and ends in the last, or in the column next to it if the
    first or last is optional. From one row to the next the path keeps its column, moves to the next
    column, or skips an optional column.

    Args:
        scores: `(rows, columns)`, finite, with at least as many rows as columns that are not
            optional.
        optional: whether each column may be skipped, `(columns,)` bool; no two neighbouring columns
            are optional. None if no column is. With CTC's blanks between different characters as
            optional columns, the path is the likeliest alignment (Graves et al. 2006).

    Raises:
        ValueError: if there are fewer rows than columns that are not optional.
    """
    rows, columns = scores.shape
    optional = np.zeros(columns, dtype=bool) if optional is None else optional
    needed = columns - np.count_nonzero(optional)
    if rows < needed:
        raise ValueError(f"{needed} columns cannot be passed in {rows} rows")
    # The path may come from two columns before only if the column between is optional.
    may_skip = np.concatenate([[False, False], optional[1:-1]])[:columns]
    skip_scores = np.where(may_skip, 0.0, -np.inf)
    padded = np.full(columns + 2, -np.inf)  # with two columns before the first
    best = padded[2:]  # the best path's sum up to this row, for each column
    options = np.empty((3, columns))  # sums of the paths that come from 0, 1 and 2 columns before
    num_first = 1 + int(optional[0])  # columns in which the path may begin
    best[:num_first] = scores[0, :num_first]
    steps = np.zeros((rows, columns), dtype=np.int64)
    for row in range(1, rows):
        options[0] = best
        options[1] = padded[1:-1]
        np.add(padded[:-2], skip_scores, out=options[2])
        options.argmax(axis=0, out=steps[row])
        np.add(options.max(axis=0), scores[row], out=best)
    path = np.empty(rows, dtype=np.int64)
    column = columns - 1
    if optional[-1] and columns > 1 and best[-2] > best[-1]:
        column -= 1  # the path skips the last column
    for row in range(rows - 1, -1, -1):
        path[row] = column
        column -= steps[row, column]
    return path
