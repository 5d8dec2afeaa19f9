"""Sheets of paper."""

import pytest

from apps.pages.paper import Paper, size_of
from utils.checks import UserError


@pytest.mark.parametrize(("large", "small"), [("A3", "a4"), ("A4", "A5"), ("a5", "a6")])
def test_a_size_of_iso_216_is_half_of_the_next_rounded_down_to_a_millimetre(large, small):
    width, height = size_of(large)
    assert size_of(small) == (height // 2, width)


def test_a_size_may_be_letter_or_in_millimetres():
    assert size_of("Letter") == pytest.approx((8.5 * 25.4, 11 * 25.4))
    assert size_of("120x80.5") == (120.0, 80.5)


@pytest.mark.parametrize("name", ["a44", "", "x", "210", "210x", "39x100", "100x6000", "nanx100"])
def test_sizes_that_are_unknown_or_out_of_range_are_refused(name):
    with pytest.raises(UserError, match=r"a3, a4, .* such as 210x297, each from 40 to 5000"):
        size_of(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(width=100, margins=(10, 45, 10, 40)), "leaves less than 20 mm for the writing"),
        (dict(margins=(-1, 0, 0, 0)), "each must be at least 0"),
        (dict(ruling="ruled"), "needs a spacing"),
    ],
)
def test_a_paper_without_room_or_spacing_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        Paper(**options)


def test_a_ruled_sheet_has_lines_between_its_margins():
    rules = Paper(100, 100, (20, 10, 15, 10), "ruled", 10.0).rules()
    assert rules[:, 0, 1].tolist() == [30, 40, 50, 60, 70, 80]
    assert (rules[:, 0, 0] == 0).all() and (rules[:, 1, 0] == 100).all()


def test_squares_and_dots_lie_on_a_grid_that_meets_the_margins():
    squared = Paper(100, 80, (12, 10, 10, 11), "squared", 5.0)
    across = {y for (_, y), (_, other) in squared.rules().tolist() if y == other}
    down = {x for (x, _), (other, _) in squared.rules().tolist() if x == other}
    assert across == {2.0 + 5 * k for k in range(16)}
    assert down == {1.0 + 5 * k for k in range(20)}
    dots = Paper(100, 80, (12, 10, 10, 11), "dotted", 5.0).dots()
    assert len(dots) == 16 * 20 and {y for _, y in dots.tolist()} == across
    # Where margins are whole multiples of the spacing, no dot is on the edge of the sheet.
    dots = Paper(100, 80, (10, 10, 10, 15), "dotted", 5.0).dots()
    assert dots.min() == 5.0 and len(dots) == 15 * 19
