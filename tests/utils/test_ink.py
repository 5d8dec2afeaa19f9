"""Geometry of ink against values worked by hand, and against other ways to the same curve."""

from itertools import pairwise

import numpy as np
import pytest

from utils.checks import DataError
from utils.ink import (
    at_equal_steps,
    bezier,
    bounds,
    check_ink,
    from_strokes,
    path_along,
    pieces,
    row_starts,
    strokes,
    to_points,
    x_height,
)

# An L of three points, a dot, and a line that the pen has not left yet.
INK = np.array(
    [[0, 0, 0], [0, 4, 0], [3, 0, 1], [2, -5, 1], [-4, 1, 0], [1, 1, 0]], dtype=np.float32
)
POINTS = [(0, 0), (0, 4), (3, 4), (5, -1), (1, 0), (2, 1)]


def test_points_and_strokes_by_hand():
    assert to_points(INK).tolist() == [list(map(float, point)) for point in POINTS]
    assert to_points(INK).dtype == np.float64
    parts = [part.tolist() for part in strokes(INK)]
    assert parts == [[[0, 0], [0, 4], [3, 4]], [[5, -1]], [[1, 0], [2, 1]]]


def test_from_strokes_and_back():
    parts = [np.array([[10, 20], [10, 24.5]]), np.empty((0, 2)), np.array([[7, 7]])]
    ink = from_strokes(parts)
    assert ink.dtype == np.float32
    assert ink.tolist() == [[0, 0, 0], [0, 4.5, 1], [-3, -17.5, 1]]
    assert [stroke.tolist() for stroke in strokes(ink)] == [[[0, 0], [0, 4.5]], [[-3, -13]]]


def test_letter_height_is_the_height_of_the_ways_up_and_down():
    zigzag = [(0, 0), (1, 5), (1, 10), (2, 0), (2, 0), (3, 10), (4, 0), (5, 30), (6, 20)]
    ink = from_strokes([np.array(zigzag)])
    # Ways: 10, 10, 10, 10, 30, 10; half of their sum of 80 is reached among those of 10.
    assert x_height(ink) == pytest.approx(10)
    # A line that climbs all the way has larger bounds, but letters as high as before.
    drifting = from_strokes([np.add(zigzag[:7], (8.0 * n, 50.0 * n)) for n in range(20)])
    assert x_height(drifting) == pytest.approx(10)
    assert bounds(drifting)[3] == 960


@pytest.mark.parametrize(
    ("points", "height"), [([(3, 3)], 1.0), ([(0, 0), (7, 0)], 7.0), ([(0, 0), (0, 2)], 2.0)]
)
def test_letter_height_is_positive_for_any_ink(points, height):
    assert x_height(from_strokes([np.array(points)])) == pytest.approx(height)


@pytest.mark.parametrize(
    ("ink", "message"),
    [
        (np.zeros((0, 3)), "empty"),
        (np.zeros((4, 2)), r"\(4, 2\)"),
        (np.zeros(3), r"\(3,\)"),
        (np.array([[0, 0, 0], [np.nan, 0, 1]]), "row 1"),
        (np.array([[0, np.inf, 0]]), "row 0"),
    ],
)
def test_what_is_no_ink_is_refused(ink, message):
    with pytest.raises(DataError, match=message):
        check_ink(ink)


def at(curve, t):
    """De Casteljau: a second way to a point of a Bezier curve."""
    points = list(curve)
    while len(points) > 1:
        points = [(1 - t) * a + t * b for a, b in pairwise(points)]
    return points[0]


def barry_goldman(p, t):
    """Centripetal Catmull-Rom spline by the pyramid of Barry and Goldman (1988)."""
    knots = [0.0]
    for a, b in pairwise(p):
        knots.append(knots[-1] + np.linalg.norm(b - a) ** 0.5)
    k0, k1, k2, k3 = knots
    t = k1 + t * (k2 - k1)
    a1 = (k1 - t) / (k1 - k0) * p[0] + (t - k0) / (k1 - k0) * p[1]
    a2 = (k2 - t) / (k2 - k1) * p[1] + (t - k1) / (k2 - k1) * p[2]
    a3 = (k3 - t) / (k3 - k2) * p[2] + (t - k2) / (k3 - k2) * p[3]
    b1 = (k2 - t) / (k2 - k0) * a1 + (t - k0) / (k2 - k0) * a2
    b2 = (k3 - t) / (k3 - k1) * a2 + (t - k1) / (k3 - k1) * a3
    return (k2 - t) / (k2 - k1) * b1 + (t - k1) / (k2 - k1) * b2


def test_bezier_is_the_centripetal_catmull_rom_spline():
    points = np.array([[0, 0], [1, 2], [4, 2.5], [4.5, -3], [9, 0]])
    curves = bezier(points)
    assert curves.shape == (4, 4, 2)
    for inner in (1, 2):
        for t in (0.0, 0.13, 0.5, 0.9, 1.0):
            expected = barry_goldman(points[inner - 1 : inner + 3], t)
            np.testing.assert_allclose(at(curves[inner], t), expected, atol=1e-12)


def test_bezier_of_two_points_is_their_chord_and_none_of_points_that_repeat():
    found = bezier(np.array([[0, 0], [3, 6]]))
    np.testing.assert_allclose(found, [[[0, 0], [1, 2], [2, 4], [3, 6]]])
    level = bezier(np.array([[0, 0], [3, 0]]))
    np.testing.assert_allclose(level, [[[0, 0], [1, 0], [2, 0], [3, 0]]])
    assert bezier(np.array([[2, 3]])).shape == (0, 4, 2)
    assert bezier(np.array([[2, 3], [2, 3], [2, 3]])).shape == (0, 4, 2)
    curves = bezier(np.array([[0, 0], [0, 0], [1, 1], [1, 1], [2, 0]]))
    assert np.isfinite(curves).all()
    assert curves[:, 3].tolist() == [[1, 1], [2, 0]]


def test_points_at_equal_steps_worked_by_hand():
    corner = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0], [3.0, 14.0]])
    path = path_along(corner)
    assert path.tolist() == [0, 5, 5, 15]
    found = at_equal_steps(corner, path, 3)
    np.testing.assert_allclose(found, [[0, 0], [3, 4], [3, 9], [3, 14]])
    clock = np.array([0.0, 1.0, 2.0, 4.0])
    np.testing.assert_allclose(at_equal_steps(corner, clock, 2), [[0, 0], [3, 4], [3, 14]])


def test_pieces_of_a_stroke_go_on_from_the_point_before():
    """Shades change within the first stroke and between the two."""
    ink = from_strokes([np.array([[0, 0], [1, 0], [2, 0], [3, 0]]), np.array([[9, 9], [9, 8]])])
    found = pieces(ink, np.array([0, 0, 1, 1, 0, 0]))
    assert [shade for _, shade in found] == [0, 1, 0]
    assert [points[:, 0].tolist() for points, _ in found] == [[0, 1], [1, 2, 3], [9, 9]]


def test_rows_begin_lower_and_at_the_left():
    def word(x, y):
        return np.array([(x, y), (x + 5, y + 10), (x + 10, y), (x + 15, y + 10), (x + 20, y)])

    row = [word(0, 0), word(25, 0), word(50, 0)]
    second, third = [word(3, 30), word(28, 30)], [word(0, 60), word(25, 62)]
    assert row_starts(from_strokes([*row, np.array([(10, -6)])])) == [0]
    assert row_starts(from_strokes([*row, *second, *third])) == [0, 3, 5]
    assert row_starts(from_strokes([*row, word(75, 30)])) == [0]  # a line that falls
    assert row_starts(from_strokes([*row, word(50, 30)])) == [0]  # a correction under its end
    assert row_starts(from_strokes([*row, np.array([(0, 18), (70, 18)])])) == [0]  # underlined
