"""Dots, bars and small signs, in a hand with an x-height of 1 that is upright."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from handwriting.repairs import (
    LetterStrokes,
    repair_signs,
    with_bars,
    with_corners,
    with_dots,
    with_visible_dot,
    without_touches,
)


def down(x, height):
    """A stem, from its top to the baseline, of eleven points."""
    return np.stack([np.full(11, x), np.linspace(-height, 0.0, 11)], 1)


def across(*xs, y=-0.8):
    return np.array([(x, y) for x in xs])


def line(*ends):
    """A bar that was drawn on: four points a side."""
    return across(*np.linspace(*ends, 4))


def at(number, stroke):
    return np.full(len(stroke), number)


def repaired(text, strokes, *numbers):
    """The signs of a word whose strokes were made at the characters with these numbers."""
    return repair_signs(LetterStrokes(text, strokes, [*map(at, numbers, strokes)]))


@pytest.mark.parametrize(
    ("dot", "lean", "expected"),
    [
        ((0.2, -1.5), 0.0, (0.2, -1.5)),  # above it
        ((2.0, -1.5), 0.0, (0.0, -1.5)),  # above another letter
        ((2.0, -1.5), 0.5, (0.25, -1.5)),
        (None, 0.5, (0.3, -1.6)),
        ((2.0, 0.0), 0.0, (0.0, -1.6)),  # a full stop
    ],
)
def test_the_dot_of_an_i_is_above_it(dot, lean, expected):
    strokes = [down(0.0, 1.0), down(2.0, 1.0)]
    peaks = [at(0, strokes[0]), at(1, strokes[1])]
    if dot is not None:
        strokes, peaks = [*strokes, np.array([dot])], [*peaks, np.array([2])]
    letters = with_dots(LetterStrokes("in", strokes, peaks), 1.0, lean)
    dots = [part for part, of in letters.pairs() if len(part) == 1 and of[0] == 0]
    np.testing.assert_allclose(np.concatenate(dots), [expected])


@pytest.mark.parametrize(
    ("text", "stem", "behind", "above", "is_taken"),
    [
        ("illumed in", 1.0, 7, 1.3, True),  # behind its word
        ("illumed in", 1.0, 9, 1.3, False),  # in the next word
        ("illumed in", 1.0, 7, 1.9, False),
        ("in. So", 1.0, 2, 1.3, True),  # while the window is at the full stop
        ("jammed", 3.0, 6, 1.3, True),
    ],
)
def test_dots_may_be_made_late_high_and_above_long_letters(text, stem, behind, above, is_taken):
    strokes = [down(0.0, stem), np.array([(0.1, -stem - above)])]
    letters = LetterStrokes(text, strokes, [at(0, strokes[0]), at(behind, strokes[1])])
    letters = with_dots(letters, 1.0, 0.0)
    dots = [part for part, of in letters.pairs() if len(part) == 1 and of[0] == 0]
    expected = strokes[1] if is_taken else [(0.0, -stem - 0.6)]
    np.testing.assert_allclose(np.concatenate(dots), expected)


def test_a_dot_is_not_taken_from_the_sign_that_it_is():
    """The window is at the apostrophe when it is written."""
    strokes = [down(0.0, 1.0), across(0.5, y=-1.5), down(1.0, 1.0)]
    letters = LetterStrokes("i's", strokes, [at(n, one) for n, one in enumerate(strokes)])
    found = with_dots(letters, 1.0, 0.0)
    dots = [part[0].tolist() for part in found.strokes if len(part) == 1]
    assert dots == [[0.0, -1.6], [0.5, -1.5]]


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        (across(-0.3, 0.3), [across(-0.3, 0.3)]),
        (across(-0.3, 0.05), [np.concatenate([across(-0.3), line(0.05, 0.25)])]),
        (
            across(0.3, -0.05),
            [np.concatenate([across(0.3), line(-0.05, -0.25)])],
        ),  # from right to left
        (across(0.1, -0.1), [np.concatenate([line(0.25, 0.1), line(-0.1, -0.25)])]),
        (across(0.5, 1.0), [across(*np.linspace(-0.25, 0.25, 8)), across(0.5, 1.0)]),  # beside it
        # It runs on into the next letter, and begins too late.
        (
            np.array([(-0.05, -0.8), (0.3, -0.8), (0.5, 0.0)]),
            [np.concatenate([line(-0.25, -0.05), [(0.3, -0.8), (0.5, 0.0)]])],
        ),
        # It runs on from the letter before, and ends too early.
        (
            np.array([(-0.5, 0.0), (-0.3, -0.8), (0.05, -0.8), (-0.2, -1.6)]),
            [np.array([(-0.5, 0.0), (-0.3, -0.8), (0.05, -0.8), (-0.2, -1.6)]), line(0.05, 0.25)],
        ),
    ],
)
def test_the_bar_of_a_t_reaches_to_both_sides_of_it(bar, expected):
    strokes = [down(0.0, 1.6), bar]
    letters = LetterStrokes("t", strokes, [at(0, one) for one in strokes])
    found = with_bars(letters, 1.0, 1.0)
    assert [*map(len, found.strokes)] == [*map(len, found.indices)]
    for part, right in zip(found.strokes[1:], expected, strict=True):
        np.testing.assert_allclose(part, right, atol=0.02)


def test_the_stem_of_a_t_is_not_that_of_the_letter_before():
    """The window is at the `t` a little before the pen is, and leaves it before."""
    strokes = [down(0.0, 1.0), down(1.0, 1.6)]
    peaks = [np.repeat([0, 1], [5, 6]), np.repeat([1, 2], [8, 3])]
    found = with_bars(LetterStrokes("nto", strokes, peaks), 1.0, 1.0)
    np.testing.assert_allclose(found.strokes[2], across(*np.linspace(0.75, 1.25, 8)), atol=0.02)


S = np.array([(8, 1), (6, 0), (3, 0), (1, 1), (1, 3), (3, 4.5), (6, 5), (8, 7), (4, 10), (0, 9)])
BARE = np.array([(1, 0), (1, 3), *S[5:]])
FAR, OVERHANGING = across(9, 12, y=0.0), across(-1, 6, y=0.0)
QUOTE = np.array([(3, 0), (2, 2.0)])


@pytest.mark.parametrize(
    ("strokes", "lean", "tip", "corner", "waist"),
    [
        ([S], 0.0, (8, 0), (1, 0.5), (1, 4)),
        ([S], 0.2, (8, 0), (1.2, 0.5), (0.4, 4)),
        ([S[2:], S[2::-1]], 0.0, (8, 0), (1, 0.5), (1, 4)),  # It begins with the second stroke.
        ([BARE], 0.0, (4, 0), (1, 0.5), (1, 4)),
        ([BARE, FAR], 0.0, (4, 0), (1, 0.5), (1, 4)),
        ([BARE, QUOTE], 0.0, (4, 0), (1, 0.5), (1, 4)),
        ([BARE, OVERHANGING], 0.0, (6, 0), (1, 0.5), (1, 4)),
    ],
)
def test_a_5_has_a_corner(strokes, lean, tip, corner, waist):
    """The height of its ink is 10; bar and stem are of four points each."""
    peaks = [at(1 + n, stroke) for n, stroke in enumerate(strokes)]
    found = with_corners(LetterStrokes('45"', strokes, peaks), lean)
    ways = np.linspace(tip, corner, 4), np.linspace(corner, waist, 4)[1:]
    np.testing.assert_allclose(found.strokes[0], np.concatenate([*ways, S[5:]]))
    assert found.indices[0].tolist() == [1] * len(found.strokes[0])
    assert found.strokes[1:] == [stroke for stroke in strokes if stroke is FAR or stroke is QUOTE]


def test_what_is_begun_below_or_belongs_to_another_letter_gets_no_corner():
    first, joined = at(1, S), np.repeat([0, 1], [4, 6])
    for stroke, characters in ((S[::-1], first), (S, joined)):
        (found,) = with_corners(LetterStrokes("45", [stroke], [characters]), 0.0).strokes
        assert found is stroke


@pytest.mark.parametrize(
    ("text", "stem", "touch", "kept"),
    [
        ("kept", 0, 1, False),
        ("kit", 0, 1, True),
        ("kä", 0, 0, True),
        ("ke", 0, 2, True),  # behind the text
        ("k.ept", 0, 2, True),  # the point, of which the window is late
        ("k.ept", 1, 2, False),  # That is drawn already.
    ],
)
def test_a_touch_of_the_pen_is_no_ink_where_no_dot_is(text, stem, touch, kept):
    strokes = [down(0.0, 1.0), np.full((2, 2), 0.4)]
    peaks = [at(stem, strokes[0]), at(touch, strokes[1])]
    found = without_touches(LetterStrokes(text, strokes, peaks), 1.0)
    assert [*map(len, found.strokes)] == [*map(len, found.indices)] == [11, *[2] * kept]
    touch_alone = LetterStrokes(text, strokes[1:], peaks[1:])
    assert without_touches(touch_alone, 1.0) == touch_alone


def test_a_dot_can_be_seen():
    np.testing.assert_allclose(with_visible_dot(np.full((3, 2), 2.0)), [[2, 1.925], [2, 2.075]])
    line = np.array([[0.0, 0.0], [0.2, 0.0]])
    assert with_visible_dot(line) is line


@pytest.mark.parametrize(("height", "expected"), [(0.3, 0.6), (0.7, 0.7)])
def test_a_comma_is_longer_than_a_full_stop(height, expected):
    letter, comma = np.array([(0, -1.0), (0, 0.0)]), np.array([(0.5, -0.1), (0.4, height - 0.1)])
    found = repaired("l,", [comma, letter], 1, 0)
    assert_array_equal(found[1], letter)
    assert np.ptp(found[0], axis=0) == pytest.approx([0.1 * expected / height, expected])


@pytest.mark.parametrize("text", ["7.11", "z.il"])
def test_nothing_touches_a_point_within_a_word(text):
    seven = np.array([(0, -1.5), (0.8, -1.5), (0.2, 0.0)])  # Its head is over the point.
    one = np.array([(0, 0.0), (0, -1.5)])
    point, right = np.array([(0, -0.1), (0, 0.0)]), np.array([1, 0])
    crowded = [seven, point + right * 0.3, one + right * 0.4, one + right * 1.4]
    found = repaired(text, crowded, 0, 1, 2, 3)
    assert [stroke[-1, 0] for stroke in found] == pytest.approx([0.2, 0.5, 0.8, 1.8])
    foot = np.array([(0, 0.0), (1.0, 0.0)])  # Of a pound sign.
    assert_array_equal(
        np.concatenate(repaired("7.1", [foot, one], 0, 2)), np.concatenate([foot, one])
    )
    assert np.concatenate(repaired("7.11", found, 0, 1, 2, 3)) == pytest.approx(
        np.concatenate(found)
    )


def test_the_stem_of_a_4_is_no_full_stop():
    """It is as low and as narrow as one."""
    foot, stem = np.array([(0, -1.5), (0.6, -0.5)]), np.array([(0.4, -0.5), (0.4, 0.2)])
    point = np.array([(-1.0, -0.1), (-1.0, 0.0)])
    found = repaired("7.4", [point, foot, stem], 1, 2, 2)
    assert_array_equal(found, [point, foot, stem])


@pytest.mark.parametrize(
    ("text", "mark", "left", "bottom"),
    [("7.", [(0.4, -0.4), (0.4, -0.3)], 0.75, -0.12), ("7,", [(0.5, -0.3), (0.4, 0.5)], 0.75, 0.5)],
)
def test_a_full_stop_or_comma_stands_behind_the_foot_that_it_was_written_over(
    text, mark, left, bottom
):
    """Also below the arm of a letter, where no full stop was looked for."""
    letter = np.array([(1.2, -1.0), (0.0, -0.9), (0.6, 0.0)])
    _, moved = repaired(text, [letter, np.array(mark)], 0, 1)
    assert (moved[:, 0].min(), moved[:, 1].max()) == pytest.approx((left, bottom))


@pytest.mark.parametrize(
    ("text", "gap", "expected"),
    [("=", 0.1, 0.3), ("€", 0.1, 0.3), ("=", 0.4, 0.4), ("z", 0.1, 0.1)],
)
def test_two_bars_of_a_sign_do_not_run_into_one_another(text, gap, expected):
    bars = [across(0, 1, y=-0.5), across(0, 1, y=gap - 0.5)]
    upper, lower = repaired(text, bars, 0, 0)
    assert lower[0, 1] - upper[0, 1] == pytest.approx(expected)


def test_the_ring_of_a_degree_is_no_dot():
    ring = np.array([(0, -1.8), (0.2, -1.8), (0.2, -2.0), (0, -2.0)])
    (found,) = repaired("°", [ring], 0)
    assert np.ptp(found[:, 0]) == pytest.approx(0.45)
    assert found.mean(0) == pytest.approx(ring.mean(0))
