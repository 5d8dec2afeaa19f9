"""Loops and rings of letters, in a hand with an x-height of 1."""

import numpy as np
import pytest

from apps.pages.letter_loops import circle_width, with_clear_parts
from tests.apps.pages.builders import letters

UPSTROKE = [(-1.0, 0.0), (-0.6, -0.05), (-0.3, -0.2)]
BACK = [(0.0, -0.75), (0.0, -0.5), (0.0, -0.3), (0.05, -0.15), (0.2, 0.0), (0.4, -0.05)]


def joined_e(width: float) -> list[tuple[float, float]]:
    """Return an upright `e` behind an upstroke: its loop crosses its back, a straight line, and is
    a rhombus of this width, 0.7 high."""
    top = (width / 2, -1.0)
    return [*UPSTROKE, (-0.02, -0.3), (width, -0.65), top, *BACK]


@pytest.mark.parametrize(
    ("corners", "width"),
    [
        ([(0, 0), (1, 0), (1, 1), (0, 1)], 1.0),
        ([(0, 0), (4, 0), (0, 3)], 2.0),  # The inscribed circle of this triangle has radius 1.
        ([(0, 0), (3, 0), (3, 1), (1, 1), (1, 3), (0, 3)], 2 * (2 - np.sqrt(2))),  # an L
        ([(0, 0), (1, 1), (2, 2)], 0.0),
    ],
)
def test_the_largest_circle_in_a_polygon(corners, width):
    """The circle in an L touches both outer sides and the inner corner: (r - 1)^2 * 2 = r^2."""
    assert circle_width(np.array(corners, dtype=float)) == pytest.approx(width, abs=0.2)


@pytest.mark.parametrize("lean", [0.0, 0.4])
@pytest.mark.parametrize("width", [0.0, 0.1, 0.2])
def test_the_loop_of_an_e_is_open(width, lean):
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]])
    e = np.array(joined_e(width)) @ slanted
    word = letters("le", [e], [0] * 3 + [1] * (len(e) - 3))
    changed = with_clear_parts(word, 1.0, lean)
    (stroke,), (indices,) = changed.strokes, changed.indices
    upright = stroke @ np.linalg.inv(slanted)
    assert len(indices) == len(stroke)
    np.testing.assert_array_equal(stroke[:3], e[:3])
    np.testing.assert_array_equal(stroke[-4:], e[-4:])
    is_high = upright[:, 1] < -0.4
    assert np.ptp(upright[is_high, 0]) == pytest.approx(0.42, abs=0.06)
    assert upright[:, 1].min() == pytest.approx(-1.0, abs=0.03)


@pytest.mark.parametrize(("text", "width"), [("le", 0.6), ("lc", 0.0), ("li", 0.1)])
def test_open_loops_and_other_letters_stay(text, width):
    e = joined_e(width)
    word = letters(text, [e], [0] * 3 + [1] * (len(e) - 3))
    (stroke,) = with_clear_parts(word, 1.0, 0.0).strokes
    np.testing.assert_array_equal(stroke, e)


@pytest.mark.parametrize(("start", "is_open"), [((0.1, -0.5), True), ((0.45, -0.75), False)])
def test_an_e_that_begins_a_stroke_may_begin_beside_its_back(start, is_open):
    """A `c` begins far from its back."""
    e = [start, (0.6, -0.7), (0.5, -0.95), (0.3, -1.0), *BACK]
    (stroke,) = with_clear_parts(letters("e", [e], 0), 1.0, 0.0).strokes
    assert (len(stroke) == len(e)) == is_open
    if not is_open:
        np.testing.assert_allclose(stroke[0], (0.0, -0.35), atol=0.05)  # on the back


def test_the_loop_of_an_e_dips_behind_a_high_join():
    """An `o` ends at its top, and the `e` behind it begins there, like a `c`."""
    e = [(-0.9, -0.9), (-0.6, -0.85), (-0.3, -0.85), (0.1, -0.9), (0.3, -0.95), *BACK]
    word = letters("oe", [e], [0, 0, *[1] * (len(e) - 2)])
    (stroke,) = with_clear_parts(word, 1.0, 0.0).strokes
    crossing = np.flatnonzero(np.hypot(*(stroke - (0.0, -0.35)).T) < 0.05)
    assert len(crossing) and np.argmin(stroke[:, 1]) > crossing[0]
    assert stroke[:, 0].max() > 0.35


def ring(degrees: float) -> np.ndarray:
    """Return a circle, 1 high, that begins right of its top and ends so many degrees later."""
    angles = np.deg2rad(np.linspace(80.0, 80.0 + degrees, 25))
    return np.stack([0.5 * np.cos(angles), -0.5 - 0.5 * np.sin(angles)], 1)


@pytest.mark.parametrize(
    ("degrees", "behind"), [(270.0, []), (310.0, []), (310.0, [(0.6, -0.7), (1.0, -0.8)])]
)
def test_the_ring_of_an_o_is_closed(degrees, behind):
    """An arc of 310 degrees ends 50 degrees before its start, and 2 * 0.5 * sin(25) from it."""
    o = np.concatenate([circle := ring(degrees), np.reshape(behind, (-1, 2))])
    (stroke,) = with_clear_parts(letters("o", [o], 0), 1.0, 0.0).strokes
    np.testing.assert_array_equal(stroke[:25], circle)
    lid = stroke[25 : len(stroke) - len(behind)]
    assert np.hypot(*(lid - circle[0]).T).min() < 1e-9
    radii = np.hypot(*(lid - (0.0, -0.5)).T)
    assert radii.min() > 0.45 * np.cos(np.deg2rad(360.0 - degrees) / 2)
    assert radii.max() < 0.55
    if behind:
        np.testing.assert_allclose(stroke[-3:], [circle[-1], *behind], atol=1e-9)


def o_behind_a_way(side: float) -> np.ndarray:
    """Return a ring of 380 degrees behind a way from the foot of the letter before, straight from
    the left of the ring to `side`, on its middle, and up to its top."""
    way = [(-1.0, 0.0), (-0.8, -0.2), (side, -0.5), (side, -0.7), (0.0, -0.98)]
    return np.concatenate([np.array(way), ring(380.0)])


@pytest.mark.parametrize("lean", [0.0, 0.4])
@pytest.mark.parametrize("side", [-0.1, 0.1])
def test_no_way_leads_through_the_ring_of_an_o(side, lean):
    """A way through a ring looks like the bar of an `ø`: it leads up the ring's left side now."""
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]])
    o = o_behind_a_way(side)
    indices = [0] * 2 + [1] * (len(o) - 2)
    changed = with_clear_parts(letters("lo", [o @ slanted], indices), 1.0, lean)
    (stroke,), (new_indices,) = changed.strokes, changed.indices
    assert len(new_indices) == len(stroke)
    upright = stroke @ np.linalg.inv(slanted)
    np.testing.assert_allclose(upright[:2], o[:2], atol=1e-9)
    np.testing.assert_allclose(upright[-24:], o[-24:], atol=1e-9)  # from the ring's top on
    radii = np.hypot(*(upright[2:] - (0.0, -0.5)).T)
    np.testing.assert_allclose(radii, 0.5)
    assert upright[2:-24, 0].max() < 0.0


@pytest.mark.parametrize(
    ("text", "side"), [("lo", -0.42), ("la", 0.0)], ids=["beside the left side", "another letter"]
)
def test_ways_that_do_not_halve_a_ring_stay(text, side):
    o = o_behind_a_way(side)
    word = letters(text, [o], [0] * 2 + [1] * (len(o) - 2))
    (stroke,) = with_clear_parts(word, 1.0, 0.0).strokes
    np.testing.assert_array_equal(stroke, o)


def test_the_loop_of_a_letter_before_an_o_stays():
    """It is higher than a ring."""
    o = o_behind_a_way(0.0) * (1.0, 1.6)
    word = letters("lo", [o], [0] * 2 + [1] * (len(o) - 2))
    (stroke,) = with_clear_parts(word, 1.0, 0.0).strokes
    np.testing.assert_array_equal(stroke, o)


@pytest.mark.parametrize(
    ("text", "degrees"), [("o", 345.0), ("o", 400.0), ("o", 170.0), ("c", 290.0)]
)
def test_closed_rings_and_other_letters_stay(text, degrees):
    """The points of a ring that is closed are at most 0.2 apart; half a circle is no ring."""
    (stroke,) = with_clear_parts(letters(text, [ring(degrees)], 0), 1.0, 0.0).strokes
    np.testing.assert_array_equal(stroke, ring(degrees))


BOWL = [(-0.45, -0.9), (-0.6, -0.95), (-0.8, -0.6), (-0.75, -0.2), (-0.5, 0.0), (-0.2, -0.3)]
"""The bowl of a `d` from its head on, which is 0.4 from the stem."""
D_STEM = [(0.0, -1.4), (0.0, -2.0), (-0.05, -1.3), (-0.05, -0.6), (0.0, -0.2), (0.1, 0.0)]


@pytest.mark.parametrize("lean", [0.0, 0.4])
@pytest.mark.parametrize("before", [[], [(-1.4, 0.0), (-1.0, -0.6)]])
def test_the_bowl_of_a_d_is_closed(before, lean):
    """An open one looks like "cl". Behind another letter the pen goes to the stem and back."""
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]])
    d = np.array([*before, *BOWL, *D_STEM])
    word = letters("id", [d @ slanted], [0] * len(before) + [1] * 12)
    changed = with_clear_parts(word, 1.0, lean)
    (stroke,), (indices,) = changed.strokes, changed.indices
    upright = stroke @ np.linalg.inv(slanted)
    assert len(indices) == len(upright)
    np.testing.assert_allclose(upright[: len(before)], np.reshape(before, (-1, 2)), atol=1e-9)
    np.testing.assert_allclose(upright[-11:], d[-11:], atol=1e-9)
    way = upright[len(before) : -11]
    nearest = way[way[:, 0].argmax()]
    assert nearest == pytest.approx((-0.05, -0.9), abs=0.06)
    assert (way[:, 1] < -0.85).all()


@pytest.mark.parametrize(
    ("text", "start"),
    [("d", [(-0.15, -0.8)]), ("d", [(-0.1, -0.75), (-0.2, -0.85), (-0.35, -0.9)]), ("a", [])],
)
def test_closed_bowls_and_other_letters_stay(text, start):
    d = np.array([*start, *BOWL, *D_STEM])
    (same,) = with_clear_parts(letters(text, [d], 0), 1.0, 0.0).strokes
    np.testing.assert_array_equal(same, d)
