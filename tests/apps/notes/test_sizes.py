"""Sizes of writing on small pages, whose letters are zigzags of one x-height."""

from itertools import pairwise

import numpy as np
import pytest

from apps.notes.sizes import size_classes
from tests.apps.notes.test_rows import page, row

SIZES = [1, 1 / 3, 2.5, 1, 2.5, 1 / 3, 1]


def sized(sizes):
    """The strokes of rows of these sizes, one below the other, and the numbers of each."""
    y = np.cumsum([0, *(20 * (a + b) for a, b in pairwise(sizes))])
    rows = zip(sizes, y, strict=True)
    return page(*([size * part + (0, top) for part in row(0)] for size, top in rows))


@pytest.mark.parametrize("unit", [0.01, 1, 300])
def test_rows_of_a_size_are_a_class_whatever_the_unit(unit):
    strokes, rows = sized(SIZES)
    classes = size_classes([unit * stroke for stroke in strokes])
    rank = {size: number for number, size in enumerate(sorted({*SIZES}))}
    assert [{*classes[numbers].tolist()} for numbers in rows] == [{rank[size]} for size in SIZES]


@pytest.mark.parametrize("sizes", [[1] * 5, [0.8, 1.2, 1, 1.4, 0.7], [1]])
def test_rows_that_differ_little_are_of_one_size(sizes):
    strokes, _ = sized(sizes)
    assert not size_classes(strokes).any()


def test_dots_that_were_written_last_are_of_the_size_of_their_letters():
    strokes, _ = sized(SIZES[:3])
    order = sorted(range(len(strokes)), key=lambda number: len(strokes[number]) == 2)
    classes = size_classes([strokes[number] for number in order])
    assert classes.tolist() == size_classes(strokes)[order].tolist()


@pytest.mark.parametrize("count", range(3))
def test_ink_without_letters_has_one_size(count):
    assert size_classes([np.zeros((1, 2))] * count).tolist() == [0] * count
    assert size_classes([np.array([(0.0, 0), (9, 0)])] * count).tolist() == [0] * count
