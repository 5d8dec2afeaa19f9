"""Blind votes, against scipy and by hand."""

import math

import pytest
from scipy.stats import binomtest

from utils.checks import UserError
from utils.preference import Tally, first_is_left, votes_of, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (1, 1), (3, 4), (57, 100), (500, 901)])
def test_wilson_is_that_of_scipy(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_each_is_left_in_half_of_the_pairs():
    assert [int(first_is_left(count, 5).sum()) for count in (1, 2, 7, 100)] == [0, 1, 3, 50]
    order = first_is_left(100, 0).tolist()
    assert order != sorted(order) and order == first_is_left(100, 0).tolist()


def test_a_tally_by_hand():
    left = [True, False, True]
    votes = [{1: "left", 2: "left", 3: "equal"}, {2: "right", 3: "right"}, {}]
    tally = Tally.count(votes, left)
    assert tally == Tally(first=2, second=2, equal=1, pairs=3) and tally.share == 0.5
    none = Tally.count([{1: "equal"}], left)
    assert math.isnan(none.share) and none.interval == (0.0, 1.0)


def test_a_second_judge_of_the_same_pairs_narrows_no_interval():
    left = [True] * 100
    votes = {pair: "left" if pair <= 88 else "right" for pair in range(1, 101)}
    one, two = Tally.count([votes], left), Tally.count([votes, votes], left)
    expected = binomtest(88, 100).proportion_ci(method="wilson")
    assert two.first == 176 and two.pairs == 100
    for tally in (one, two):
        assert tally.interval == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_votes_that_are_none_are_refused():
    assert votes_of(["2 left", " 1\tRIGHT "], 2, "v") == {2: "left", 1: "right"}
    for line in ("3 left", "0 left", "1", "1 up", "left 1", "-1 left", "1 left or right"):
        with pytest.raises(UserError, match=f"v: '{line}': a pair from 1 to 2"):
            votes_of([line], 2, "v")
    with pytest.raises(UserError, match="v: pair 1 has two votes"):
        votes_of(["1 left", "1 left"], 2, "v")
