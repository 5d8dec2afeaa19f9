from itertools import product

import numpy as np
import pytest

from model.layers.monotonic import best_monotonic_path


def all_paths(rows, optional):
    """Return every path that never goes back and passes all columns that are not optional."""
    required = {*np.flatnonzero(~optional)}
    paths = product(range(len(optional)), repeat=rows)
    return [path for path in paths if sorted(path) == list(path) and required <= {*path}]


@pytest.mark.parametrize("rows", [3, 6])
@pytest.mark.parametrize(
    "optional", [[1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 0, 1], [0, 1, 0], [1, 0], [0, 1], [0]]
)
@pytest.mark.parametrize("has_ties", [False, True])
def test_the_best_monotonic_path_has_the_greatest_sum_of_all_paths(rows, optional, has_ties):
    optional, generator = np.array(optional, dtype=bool), np.random.default_rng(rows)
    paths = all_paths(rows, optional)
    for scores in generator.standard_normal((20, rows, len(optional))):
        scores = np.round(scores) if has_ties else scores
        path = tuple(best_monotonic_path(scores, optional))
        sums = {path: scores[np.arange(rows), path].sum() for path in paths}
        assert sums[path] == max(sums.values())


def test_the_best_path_visits_every_column_by_default():
    assert best_monotonic_path(np.array([[0, 9], [0, 9], [0, 1]])).tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match="4 columns cannot be passed in 3 rows"):
        best_monotonic_path(np.zeros((3, 4)))
