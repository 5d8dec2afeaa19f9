from itertools import product

import numpy as np
import pytest

from utils.monotonic import best_monotonic_path


def all_paths(rows, optional):
    """Every path that never goes back and leaves out nothing but optional columns."""
    for path in product(range(len(optional)), repeat=rows):
        left_out = set(range(len(optional))) - set(path)
        if sorted(path) == list(path) and all(optional[n] for n in left_out):
            yield np.array(path)


@pytest.mark.parametrize("rows", [2, 4, 6])
@pytest.mark.parametrize(
    "optional",
    [[1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 0, 1], [0, 1, 0], [1, 0], [0, 1], [0], [0] * 4],
)
def test_it_is_the_best_of_all_paths(rows, optional):
    optional, columns = np.array(optional, dtype=bool), len(optional)
    if rows < (needed := np.count_nonzero(~optional)):
        with pytest.raises(ValueError, match=f"{needed} columns cannot be passed in {rows} rows"):
            best_monotonic_path(np.zeros((rows, columns)), optional)
        return
    paths = list(all_paths(rows, optional))
    generator = np.random.default_rng(rows)
    for scores in generator.standard_normal((20, rows, columns)):
        sums = [scores[np.arange(rows), path].sum() for path in paths]
        best = paths[int(np.argmax(sums))]
        np.testing.assert_array_equal(best_monotonic_path(scores, optional), best)
        if not optional.any():
            np.testing.assert_array_equal(best_monotonic_path(scores), best)
    for scores in generator.integers(0, 3, (20, rows, columns)).astype(float):  # with ties
        sums = [scores[np.arange(rows), path].sum() for path in paths]
        found = best_monotonic_path(scores, optional)
        assert any(np.array_equal(found, path) for path in paths)
        assert scores[np.arange(rows), found].sum() == max(sums)
