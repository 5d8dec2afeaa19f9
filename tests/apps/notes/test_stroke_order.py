"""Strokes that are in no order are ordered by their places, so that their rows are found."""

import numpy as np
import pytest

from apps.notes.rows import find_rows
from apps.notes.stroke_order import likely_order
from tests.apps.notes.test_rows import page, row, turned

HEIGHTS = (0, 35, 70, 105)


@pytest.mark.parametrize("degrees", [-12, 0, 5])
@pytest.mark.parametrize("seed", range(3))
def test_rows_of_strokes_in_no_order_are_those_of_the_page(seed, degrees):
    parts, rows = page(*(row(y, 3 * (4, 3, 5, 4)) for y in HEIGHTS))
    parts = turned(parts, degrees)
    shuffled = np.random.default_rng(seed).permutation(len(parts)).tolist()
    order = [shuffled[n] for n in likely_order([parts[n] for n in shuffled])]
    assert sorted(order) == [*range(len(parts))]
    read = [[order[n] for n in each] for each in find_rows([parts[n] for n in order])[0]]
    assert [sorted(each) for each in read] == rows
    letters = [[n for n in each if len(parts[n]) > 2] for each in read]
    assert [n for each in letters for n in each] == sorted(n for each in letters for n in each)


def _some_moved(parts):
    """The numbers of strokes, of which each fourth one came elsewhere."""
    moved = np.random.default_rng(0).permutation(np.arange(0, len(parts), 4)).tolist()
    order = [n for n in range(len(parts)) if n % 4]
    return [n for pair in zip(moved, order, strict=False) for n in pair] + order[len(moved) :]


PARTLY_ORDERED = {
    "some strokes moved": _some_moved,
    "from left to right": lambda parts: sorted(range(len(parts)), key=lambda n: parts[n][0, 0]),
    "in pieces of three": lambda parts: [n for k in (1, 3, 0, 2) for n in _pieces(parts, 3, k)],
    "in pieces of eight": lambda parts: [n for k in (1, 3, 0, 2) for n in _pieces(parts, 8, k)],
    "backwards": lambda parts: [*range(len(parts))][::-1],
}


def _pieces(parts, length, k):
    """The numbers of the strokes in every fourth piece of so many strokes."""
    return [n for n in range(len(parts)) if n // length % 4 == k]


@pytest.mark.parametrize("way", PARTLY_ORDERED)
def test_rows_of_strokes_that_are_partly_in_order_are_those_of_the_page(way):
    parts, rows = page(*(row(y, 3 * (4, 3, 5, 4)) for y in HEIGHTS))
    given = PARTLY_ORDERED[way](parts)
    assert sorted(given) == [*range(len(parts))]
    order = [given[n] for n in likely_order([parts[n] for n in given])]
    read = [[order[n] for n in each] for each in find_rows([parts[n] for n in order])[0]]
    assert [sorted(each) for each in read] == rows


def test_strokes_as_they_were_written_stay_in_their_order():
    parts, _ = page(*(row(y) for y in HEIGHTS))
    late = sorted(range(len(parts)), key=lambda n: len(parts[n]) == 2)
    for order in (range(len(parts)), late):
        assert likely_order([parts[n] for n in order]) == [*range(len(parts))]
    assert likely_order([]) == [] and likely_order(parts[:1]) == [0]
