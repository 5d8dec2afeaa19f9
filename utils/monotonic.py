"""The best path through a table, on which the column stays or advances by one."""

import numpy as np


def best_monotonic_path(scores: np.ndarray, optional: np.ndarray | None = None) -> np.ndarray:
    """Return the columns of the path with the greatest sum, `(rows,)` int64.

    The path begins in the first column, ends in the last, and goes from row to row to the same
    column, to the next, or over an optional column.

    Args:
        scores: `(rows, columns)`, finite, with at least as many rows as columns that are not
            optional.
        optional: which columns may be left out, `(columns,)` bool, no two of them side by side;
            None for none. If these are CTC's blanks between different characters, the path is the
            likeliest labelling (Graves et al. 2006, section 3.2).

    Raises:
        ValueError: if there are fewer rows than columns that are not optional.
    """
    rows, columns = scores.shape
    optional = np.zeros(columns, dtype=bool) if optional is None else optional
    needed = columns - np.count_nonzero(optional)
    if rows < needed:
        raise ValueError(f"{needed} columns cannot be passed in {rows} rows")
    over = np.concatenate([[False, False], optional[1:-1]])[:columns]  # may come from two before
    best = np.full(columns, -np.inf)
    best[0] = scores[0, 0]
    if optional[0] and columns > 1:
        best[1] = scores[0, 1]
    steps = np.zeros((rows, columns), dtype=np.int64)
    for row in range(1, rows):
        padded = np.concatenate([[-np.inf, -np.inf], best])
        options = np.stack([best, padded[1:-1], np.where(over, padded[:-2], -np.inf)])
        steps[row] = options.argmax(axis=0)
        best = options.max(axis=0) + scores[row]
    path = np.empty(rows, dtype=np.int64)
    column = columns - 1
    if optional[-1] and columns > 1 and best[-2] > best[-1]:
        column -= 1
    for row in range(rows - 1, -1, -1):
        path[row] = column
        column -= steps[row, column]
    return path
