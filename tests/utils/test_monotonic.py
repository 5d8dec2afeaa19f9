from itertools import combinations

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
