from itertools import combinations, product

import numpy as np
import pytest

from utils.monotonic import best_monotonic_path


def all_paths(rows, columns):
    """Every path: which of the later rows go on by one column."""
    for moves in combinations(range(1, rows), columns - 1):
        yield np.isin(np.arange(rows), moves).cumsum()


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("more", [0, 1, 2, 4])
def test_it_is_the_best_of_all_paths(columns, more):
    generator, rows = np.random.default_rng([columns, more]), columns + more
    paths = list(all_paths(rows, columns))
    for scores in (
        *generator.standard_normal((20, rows, columns)),
        *generator.integers(0, 3, (20, rows, columns)).astype(float),  # with ties
        np.log(np.eye(rows, columns) + 1e-9),
    ):
        sums = [scores[np.arange(rows), path].sum() for path in paths]
        found = best_monotonic_path(scores)
        assert any(np.array_equal(found, path) for path in paths)
        assert scores[np.arange(rows), found].sum() == pytest.approx(max(sums))


def test_columns_that_cannot_all_be_passed_are_refused():
    with pytest.raises(ValueError, match="3 columns cannot be passed in 2 rows"):
        best_monotonic_path(np.zeros((2, 3)))


def all_labellings(columns, rows, optional):
    """Every path that never goes back and leaves out nothing but optional columns."""
    for path in product(range(columns), repeat=rows):
        left_out = set(range(columns)) - set(path)
        if sorted(path) == list(path) and all(optional[n] for n in left_out):
            yield np.array(path)


@pytest.mark.parametrize("rows", [2, 4, 5])
@pytest.mark.parametrize(
    "optional", [[1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 0, 1], [0, 1, 0], [1, 0], [0, 1], [0]]
)
def test_it_is_the_best_of_all_paths_that_may_leave_out_columns(rows, optional):
    optional, columns = np.array(optional, dtype=bool), len(optional)
    if rows < np.count_nonzero(~optional):
        with pytest.raises(ValueError, match="cannot be passed"):
            best_monotonic_path(np.zeros((rows, columns)), optional)
        return
    paths = list(all_labellings(columns, rows, optional))
    for scores in np.random.default_rng(rows).standard_normal((20, rows, columns)):
        sums = [scores[np.arange(rows), path].sum() for path in paths]
        np.testing.assert_array_equal(
            best_monotonic_path(scores, optional), paths[int(np.argmax(sums))]
        )
