"""Geometry of ink against values worked by hand, and against other ways to the same curve."""

import numpy as np
import pytest
from scipy.interpolate import BPoly

from ink.geometry import (
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
from utils.checks import DataError

ZIGZAG = [(0, 0), (1, 5), (1, 10), (2, 0), (2, 0), (3, 10), (4, 0), (5, 30), (6, 20)]


def word(x, y):
    return np.array([(x, y), (x + 5, y + 10), (x + 10, y), (x + 15, y + 10), (x + 20, y)])


def test_points_and_strokes_are_sums_of_offsets():
    # An L of three points, a dot, and a line that the pen has not left yet.
    rows = [[0, 0, 0], [0, 4, 0], [3, 0, 1], [2, -5, 1], [-4, 1, 0], [1, 1, 0]]
    ink = np.array(rows, dtype=np.float32)
    first = [[0, 0], [0, 4], [3, 4]]
    dot = [[5, -1]]
    last = [[1, 0], [2, 1]]
    assert to_points(ink).tolist() == first + dot + last and to_points(ink).dtype == np.float64
    assert [stroke.tolist() for stroke in strokes(ink)] == [first, dot, last]


def test_ink_of_strokes_begins_at_the_first_point_and_has_no_empty_stroke():
    ink = from_strokes([np.array([[10, 20], [10, 24.5]]), np.empty((0, 2)), np.array([[7, 7]])])
    assert ink.dtype == np.float32
    assert ink.tolist() == [[0, 0, 0], [0, 4.5, 1], [-3, -17.5, 1]]


@pytest.mark.parametrize(
    ("stroke", "height"),
    [
        (ZIGZAG, 10),  # segments of 10, 10, 10, 10, 30, 10: the half of their sum is in those of 10
        ([(3, 3)], 1),
        ([(0, 0), (7, 0)], 7),
        ([(0, 0), (0, 2)], 2),
    ],
)
def test_x_height_is_the_median_height_of_segments_and_positive(stroke, height):
    assert x_height(from_strokes([np.array(stroke)])) == pytest.approx(height)


def test_x_height_of_a_line_that_is_not_level_is_that_of_its_letters():
    ink = from_strokes([np.add(ZIGZAG[:7], (8.0 * n, 50.0 * n)) for n in range(20)])
    assert x_height(ink) == pytest.approx(10) and bounds(ink) == (0, 0, 156, 960)


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
def test_an_array_without_the_form_of_ink_is_refused(ink, message):
    with pytest.raises(DataError, match=message):
        check_ink(ink)


def barry_goldman(points, t):
    """Return a point of the centripetal Catmull-Rom spline by the pyramid of Barry and Goldman."""
    knots = np.cumsum([0, *np.linalg.norm(np.diff(points, axis=0), axis=1) ** 0.5])
    t = knots[1] + t * (knots[2] - knots[1])
    for spans in ([(0, 1), (1, 2), (2, 3)], [(0, 2), (1, 3)], [(1, 2)]):
        weights = [(t - knots[start]) / (knots[end] - knots[start]) for start, end in spans]
        points = [(1 - w) * points[n] + w * points[n + 1] for n, w in enumerate(weights)]
    return points[0]


@pytest.mark.parametrize("segment", [1, 2])
def test_bezier_is_the_centripetal_catmull_rom_spline(segment):
    points = np.array([[0, 0], [1, 2], [4, 2.5], [4.5, -3], [9, 0]])
    times = np.linspace(0, 1, 7)
    curve = BPoly(bezier(points)[segment][:, None], [0, 1])(times)
    expected = [barry_goldman(points[segment - 1 : segment + 3], t) for t in times]
    np.testing.assert_allclose(curve, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("points", "curves"),
    [
        ([[0, 0], [3, 6]], [[[0, 0], [1, 2], [2, 4], [3, 6]]]),
        ([[0, 0], [0, 0], [3, 0], [3, 0]], [[[0, 0], [1, 0], [2, 0], [3, 0]]]),
        ([[2, 3], [2, 3]], np.empty((0, 4, 2))),
    ],
)
def test_bezier_of_two_points_is_their_chord_and_of_repeated_points_nothing(points, curves):
    np.testing.assert_allclose(bezier(np.array(points)), curves)


@pytest.mark.parametrize(
    ("scale", "num_steps", "points"),
    [
        ([0, 5, 5, 15], 3, [[0, 0], [3, 4], [3, 9], [3, 14]]),  # lengths of the path
        ([0, 1, 2, 4], 2, [[0, 0], [3, 4], [3, 14]]),  # times
    ],
)
def test_points_are_at_equal_steps_of_a_scale(scale, num_steps, points):
    corner = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0], [3.0, 14.0]])
    assert path_along(corner).tolist() == [0, 5, 5, 15]
    np.testing.assert_allclose(at_equal_steps(corner, np.array(scale), num_steps), points)


def test_pieces_of_a_stroke_begin_with_the_last_point_of_the_piece_before():
    ink = from_strokes([np.array([[0, 0], [1, 0], [2, 0], [3, 0]]), np.array([[9, 9], [9, 8]])])
    divided = pieces(ink, np.array([0, 0, 1, 1, 0, 0]))
    assert [(points[:, 0].tolist(), shade) for points, shade in divided] == [
        ([0, 1], 0), ([1, 2, 3], 1), ([9, 9], 0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("below", "starts"),
    [
        ([word(3, 30), word(28, 30), word(0, 60), word(25, 62)], [0, 3, 5]),
        ([np.array([(10, -6)])], [0]),  # a dot
        ([word(75, 30)], [0]),  # a line that falls
        ([word(50, 30)], [0]),  # a correction under its end
        ([np.array([(0, 18), (70, 18)])], [0]),  # underlined
    ],
)
def test_a_new_row_begins_where_the_pen_moves_lower_and_far_to_the_left(below, starts):
    assert row_starts(from_strokes([word(0, 0), word(25, 0), word(50, 0), *below])) == starts
