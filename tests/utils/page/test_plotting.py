"""Orders for plotters against all orders, and planted ones."""

import itertools

import numpy as np
import pytest

from utils.page.layers import curves
from utils.page.page import Page, Row
from utils.page.plotting import pen_up_travel, shortened, travel


def lines(ends):
    return [curves(np.array(pair, dtype=float)) for pair in ends]


def chords(ways):
    """The segments of curves, whatever their order and direction."""
    pairs = [segment[[0, 3]].tolist() for way in ways for segment in way]
    return sorted(sorted(map(tuple, pair)) for pair in pairs)


def test_travel_by_hand():
    ways = lines([[[0, 0], [10, 0]], [[13, 4], [20, 4]], [[20, 0], [0, 0]]])
    assert travel(ways) == pytest.approx(5 + 4)
    assert travel(ways[:1]) == travel([]) == 0


def test_a_planted_order_is_found():
    # Lines of 2 with gaps of 1 in a row: nothing is shorter than the gaps.
    generator = np.random.default_rng(5)
    row = [[[3 * n, 0], [3 * n + 2, 0]] for n in range(200)]
    mixed = [row[n][:: generator.choice([-1, 1])] for n in generator.permutation(200)]
    found = shortened(lines(mixed))
    assert travel(found) == pytest.approx(199)
    assert chords(found) == chords(lines(mixed))


def shortest(ends):
    """The least travel of all orders and directions of strokes from end to end."""
    return min(
        sum(np.hypot(*(after[0] - before[1])) for before, after in itertools.pairwise(drawn))
        for order in itertools.permutations(ends)
        for ways in itertools.product((1, -1), repeat=len(ends))
        for drawn in [[pair[::way] for pair, way in zip(order, ways, strict=True)]]
    )


def test_a_few_strokes_are_in_nearly_the_best_order():
    generator, excess = np.random.default_rng(0), []
    for _ in range(12):
        ends = generator.uniform(0, 20, (4, 2, 2)).round(3)
        before, best = lines(ends), shortest(ends)
        after = travel(shortened(before))
        assert best - 1e-9 <= after <= travel(before)
        excess.append(after / best - 1)
    assert np.mean(excess) < 0.1  # turning stretches around finds most of it, and not all


def test_a_good_order_stays():
    writing = lines([[[3 * n, 0], [3 * n + 2, 0]] for n in range(30)])
    assert [way.tolist() for way in shortened(writing)] == [way.tolist() for way in writing]
    assert shortened([]) == [] and shortened(writing[:1]) == writing[:1]


def test_strokes_that_touch_are_joined_and_nothing_else():
    # A square of four strokes that meet at their corners, and a dot in its middle.
    square = [[[0, 0], [4, 0]], [[0, 4], [0, 0]], [[4, 4], [4, 0]], [[4, 4], [0, 4]]]
    ways = [*lines(square), curves(np.array([[2.0, 2.0]]))]
    found = shortened(ways)
    assert sorted(map(len, found)) == [1, 4]
    assert chords(found) == chords(ways)
    (joined,) = (way for way in found if len(way) == 4)
    assert (joined[1:, 0] == joined[:-1, 3]).all()


def test_travel_of_a_page_is_told_before_and_after():
    strokes = tuple(np.array([[x, 10.0], [x + 2, 10]]) for x in (0.0, 6, 3))
    page = Page(50, 50, (Row(strokes),), rules=np.array([[[0, 20], [9, 20]], [[0, 25], [9, 25]]]))
    # 2 to 6 and 8 to 3; the rules: back by 9 and down by 5, then down alone.
    assert pen_up_travel(page) == pytest.approx((4 + 5 + np.hypot(9, 5), 1 + 1 + 5))
    assert pen_up_travel(Page(50, 50, page.rows)) == pytest.approx((9, 2))
