"""Outlines of strokes against the discs that leave them."""

import numpy as np
import pytest

from utils.page.nib import NARROWEST, WIDEST, around, outlines
from utils.page.page import Page, Pen, Row
from utils.page.svg import to_svg


def windings(polygon, places):
    """How often a closed polygon goes around each place, by the angles at which it is seen."""
    seen = polygon @ (1, 1j) - (places @ (1, 1j))[:, None]
    turns = np.angle(np.roll(seen, -1, axis=1) / seen)
    return np.rint(turns.sum(axis=1) / (2 * np.pi)).astype(int)


def depth(points, radii, places):
    """How deep each place lies in the disc that moves along a line."""
    at = np.linspace(0, len(points) - 1, 200 * len(points))
    centres = np.stack([np.interp(at, np.arange(len(points)), axis) for axis in points.T], axis=1)
    there = np.interp(at, np.arange(len(points)), radii)
    return (there - np.linalg.norm(places[:, None] - centres, axis=2)).max(axis=1)


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0], [8, 0]],
        [[0, 0], [5, 0], [0, 0.0]],  # back on its own way
        [[0, 0], [4, 0], [4, 4], [0, 4], [0, -2]],
        [[0, 0], [3, 0], [3.2, 0.3], [3, 0.6], [0, 0.6]],  # a turn narrower than the pen
        [[0, 0], [3, 3], [3, 3], [0.5, 2], [4, 0.2], [2, 3], [2.1, 0]],
    ],
)
@pytest.mark.parametrize("taper", [0.0, 0.3])
def test_an_outline_is_what_discs_leave(points, taper):
    points = np.array(points, dtype=float)
    radii = 0.7 - taper * np.linspace(0, 1, len(points))
    polygon = around(points, radii)
    places = np.random.default_rng(1).uniform(points.min(0) - 1.2, points.max(0) + 1.2, (1500, 2))
    inside = depth(points, radii, places)
    clear = np.abs(inside) > 0.05  # corners are cut, and a cone is no disc
    found = windings(polygon, places)
    assert ((found > 0) == (inside > 0))[clear].all()
    assert (found >= 0).all()
    assert (inside[clear] > 0).sum() > 50


def test_the_fast_part_is_thinner():
    # The usual speed, then 16 times that, then a pause and a hundredth of it.
    steps = np.concatenate([np.full(60, 0.5), np.full(20, 8.0), np.full(10, 0.005)])
    x = np.concatenate([[0.0], np.cumsum(steps)])
    (polygon,) = outlines(Row((np.stack([x, 0 * x], axis=1),), pen=Pen(0.4)))

    def width(left, right):
        within = polygon[(polygon[:, 0] > left) & (polygon[:, 0] < right), 1]
        return within.max() - within.min()

    assert width(5, 25) == pytest.approx(0.4, rel=0.01)
    assert width(60, 150) == pytest.approx(0.4 * NARROWEST, rel=0.01)
    assert width(190, 191) == pytest.approx(0.4 * WIDEST, rel=0.01)


def test_dots_have_an_outline_too():
    row = Row((np.array([[5.0, 5]]), np.array([[7.0, 7], [7, 7]])))
    for polygon, centre in zip(outlines(row), ((5, 5), (7, 7)), strict=True):
        np.testing.assert_allclose(polygon.mean(axis=0), centre, atol=0.02)
        assert windings(polygon, np.array([centre], dtype=float)) == 1
    assert outlines(Row(())) == []
    assert to_svg(Page(9, 9, (row,)), speed_widths=True).count("<path") == 2
