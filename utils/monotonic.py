"""The best path through a table that goes on by one column or stays."""

import numpy as np


def best_monotonic_path(scores: np.ndarray) -> np.ndarray:
    """Return the columns of the path with the greatest sum, `(rows,)` int64.

    It begins in the first column, ends in the last, and goes from row to row to the same column or
    the next one.

    Args:
        scores: `(rows, columns)`, finite, with at least as many rows as columns.

    Raises:
        ValueError: if there are fewer rows than columns.
    """
    rows, columns = scores.shape
    if rows < columns:
        raise ValueError(f"{columns} columns cannot be passed in {rows} rows")
    best = np.full(columns, -np.inf)
    best[0] = scores[0, 0]
    moved = np.zeros((rows, columns), dtype=bool)
    for row in range(1, rows):
        before = np.concatenate([[-np.inf], best[:-1]])
        moved[row] = before > best
        best = np.maximum(best, before) + scores[row]
    path = np.empty(rows, dtype=np.int64)
    column = columns - 1
    for row in range(rows - 1, -1, -1):
        path[row] = column
        column -= moved[row, column]
    return path
