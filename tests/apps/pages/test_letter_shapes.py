"""Shapes of letters, in a hand with an x-height of 1."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from apps.pages.letter_shapes import (
    with_corners,
    with_crosses,
    with_legs,
    with_open_c,
    with_short_flags,
    with_touching_bars,
)
from apps.pages.letter_strokes import LetterStrokes, crosses
from tests.apps.pages.builders import across, down, letters


@pytest.mark.parametrize(
    ("text", "bar", "top", "left"),
    [
        ("T", [(-0.6, -2.4), (0.6, -2.4)], -2.4, -0.6),  # floats
        ("T", [(-0.6, -3.0), (0.6, -3.0)], -2.0, -0.6),  # of another row
        ("T", [(0.7, -2.4), (1.2, -2.4)], -2.0, 0.7),  # of another letter
        ("E", [(-0.1, -1.0), (0.9, -1.0)], -2.0, 0.1),  # crosses the stem
        ("E", [(0.4, -1.0), (0.9, -1.0)], -2.0, 0.1),  # does not reach it
        ("E", [(0.6, -1.0), (0.9, -1.0)], -2.0, 0.6),
        ("F", [(0.9, -2.2), (0.0, -2.2)], -2.2, 0.22),
        ("H", [(-0.1, -1.0), (0.9, -1.0)], -2.0, -0.1),
    ],
)
def test_the_bars_of_a_capital_touch_its_stem(text, bar, top, left):
    stem = np.linspace((0.2, -2.0), (0.0, 0.0), 11)  # leans to the right
    word = with_touching_bars(letters(text, [stem, bar], 0, 0), x_height=1.0)
    raised, moved = word.strokes
    assert (
        raised[0] == pytest.approx((-0.1 * top, top)) and raised[1:].tolist() == stem[1:].tolist()
    )
    assert moved[:, 0].min() == pytest.approx(left)
    assert moved[:, 0].max() == max(x for x, _ in bar)


def test_a_touch_of_the_pen_beside_the_stem_of_a_capital_is_no_bar():
    word = letters("E", [down(0.0, 2.0), [(0.1, -1.0)]], 0, 0)
    for stroke, same in zip(word.strokes, with_touching_bars(word, 1.0).strokes, strict=True):
        assert_array_equal(same, stroke)


@pytest.mark.parametrize(
    ("text", "start", "foot"),
    [
        ("A", -0.6, (-1.0, 0.0)),  # The leg goes on as it is, down to the other foot.
        ("A", -0.1, (-0.95, -0.1)),  # as low as need be
        ("A", -1.5, (-0.25, -1.5)),  # no leg, but the turn of an `A` like a large `a`
        ("M", -0.6, (-0.7, -0.6)),
    ],
)
def test_the_left_leg_of_an_a_that_begins_high_reaches_the_other_foot(text, start, foot):
    left, right = (start / -2.0 - 1.0, start), (1.0, 0.0)  # on the line from (-1, 0) to (0, -2)
    bar = across(-0.5, 0.5)
    word = letters(f"k{text}", [down(-4.0, 2.0), [left, (0.0, -2.0), right], bar], 0, 1, 1)
    stem, leg, same_bar = (changed := with_legs(word)).strokes
    np.testing.assert_allclose(leg[[0, -3, -2, -1]], [foot, left, (0.0, -2.0), right], atol=1e-12)
    assert [*map(len, changed.indices)] == [*map(len, changed.strokes)]
    assert_array_equal(stem, word.strokes[0])
    assert_array_equal(same_bar, bar)


@pytest.mark.parametrize(("depths", "num_kept"), [((1.9, 1.2, 0.7, 0.3), 2), ((0.7, 0.3), 2)])
def test_the_flag_of_a_one_is_short(depths, num_kept):
    flag = [(-0.3 * depth, depth - 2.0) for depth in depths]
    word = with_short_flags(letters("1", [[*flag, (0.0, -2.0), (0.0, 0.0)]], 0), 1.0)
    (stroke,), (indices,) = word.strokes, word.indices
    np.testing.assert_allclose(stroke, [*flag[-num_kept:], (0.0, -2.0), (0.0, 0.0)])
    assert len(indices) == len(stroke)


def test_joined_ones_keep_their_shape():
    """Most of the stroke is the second 1."""
    ones = [
        (-0.3, -1.2),
        (0.0, -1.9),
        (0.0, 0.0),
        (0.4, -1.2),
        (0.6, -2.0),
        (0.6, -1.0),
        (0.6, 0.0),
    ]
    eleven = LetterStrokes("11", [np.array(ones)], [np.array([0] * 3 + [1] * 4)])
    (stroke,) = with_short_flags(eleven, 1.0).strokes
    np.testing.assert_array_equal(stroke, ones)


RISING, FALLING = [(0.0, 0.0), (0.8, -1.0)], [(0.0, -1.0), (0.2, -0.75), (0.8, 0.0)]
LOOP = [(0.0, 0.0), (0.5, -0.9), (0.2, -0.9), (0.5, -0.2), (0.9, -0.6), (1.2, 0.0)]


@pytest.mark.parametrize(
    ("text", "strokes", "numbers", "num_strokes"),
    [
        ("x", [FALLING], [[0] * 3], 2),
        ("x", [RISING[::-1]], [[0] * 2], 2),
        ("x", [FALLING, RISING], [[0] * 3, [0] * 2], 2),
        ("xa", [FALLING, RISING], [[0] * 3, [1] * 2], 2),  # The second one is late.
        ("z", [FALLING], [[0] * 3], 1),
        ("axa", [[(-1.0, 0.0), *LOOP, (2.0, -1.0)]], [[0, *[1] * 6, 2]], 2),
    ],
)
@pytest.mark.parametrize("lean", [0.0, 0.5])
def test_two_strokes_cross_in_each_x(text, strokes, numbers, num_strokes, lean):
    leaning = [np.array(s) - np.outer(np.array(s)[:, 1], (lean, 0.0)) for s in strokes]
    word = LetterStrokes(text, leaning, [*map(np.array, numbers)])
    crossed = with_crosses(word, 1.0, lean)
    assert [*map(len, crossed.strokes)] == [*map(len, crossed.indices)]
    assert len(crossed.strokes) == num_strokes
    if num_strokes > 1:
        assert crosses(crossed.strokes[:1], crossed.strokes[1:])
    for before, after in zip(leaning, crossed.strokes, strict=False):
        np.testing.assert_array_equal(after[[0, -1]], before[[0, -1]])  # Joins stay.


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
    word = letters('45"', strokes, *range(1, 1 + len(strokes)))
    five, *others = with_corners(word, lean).strokes
    bar, stem = np.linspace(tip, corner, 4), np.linspace(corner, waist, 4)[1:]
    np.testing.assert_allclose(five, np.concatenate([bar, stem, S[5:]]))
    assert with_corners(word, lean).indices[0].tolist() == [1] * len(five)
    kept = [stroke.tolist() for stroke in strokes if stroke is FAR or stroke is QUOTE]
    assert [stroke.tolist() for stroke in others] == kept


@pytest.mark.parametrize(
    ("stroke", "indices"),
    [(S[::-1], [1] * 10), (S, [0] * 4 + [1] * 6)],
    ids=["begins below", "belongs to another letter"],
)
def test_a_5_gets_no_corner_when_its_stroke_begins_below_or_is_of_another_letter(stroke, indices):
    (kept,) = with_corners(LetterStrokes("45", [stroke], [np.array(indices)]), 0.0).strokes
    assert kept is stroke


C = [(0.6, -0.85), (0.3, -1.0), (0.0, -0.5), (0.3, 0.0)]
L = [(0.75, -1.0), (0.9, -2.0), (0.7, -1.0), (0.8, 0.0)]
FAR_L = [(1.75, -0.1), (1.9, -2.0), (1.7, -1.0), (1.8, 0.0)]


@pytest.mark.parametrize(
    ("text", "next_letter", "shift"),
    [("clo", L, 1.05), ("ceo", L, 0.75), ("cao", L, 0.0), ("elo", L, 0.0), ("clo", FAR_L, 0.0)],
)
@pytest.mark.parametrize("size", [1.0, 20.0])
def test_an_upstroke_does_not_close_a_c(text, next_letter, shift, size):
    """The tip of the `c` is 0.08 from the `l` at its height, and in reach of it 0.15 below."""
    joined = np.concatenate([C, next_letter]) * size
    later = down(2.5, 1.0) * size
    word = LetterStrokes(text, [joined, later], [np.repeat([0, 1], 4), np.full(len(later), 2)])
    first, second = with_open_c(word, size).strokes
    assert_array_equal(first[:4], joined[:4])
    for before, after in ((joined[4:], first[4:]), (later, second)):
        np.testing.assert_allclose((after - before)[:, 0] / size, shift, atol=0.12)
        assert_array_equal(after[:, 1], before[:, 1])
    if not shift:
        assert first is joined and second is later


def test_a_c_that_is_not_joined_keeps_its_gap():
    strokes = [np.array(C), np.array(L)]
    word = with_open_c(LetterStrokes("cl", strokes, [np.zeros(4, int), np.ones(4, int)]), 1.0)
    assert word.strokes[0] is strokes[0] and word.strokes[1] is strokes[1]
