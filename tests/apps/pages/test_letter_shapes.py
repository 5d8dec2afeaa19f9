"""Shapes of letters, in a hand with an x-height of 1."""

from itertools import chain

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from apps.pages.letter_shapes import (
    with_clear_i,
    with_clear_z,
    with_corners,
    with_crosses,
    with_legs,
    with_points,
    with_short_flags,
)
from apps.pages.letter_strokes import LetterStrokes, crosses
from tests.apps.pages.builders import across, down, letters


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


@pytest.mark.parametrize(("text", "is_pointed"), [("v", True), ("u", False), ("nv", False)])
def test_a_round_v_that_stands_alone_is_pointed(text, is_pointed):
    """See also `test_joined_letters_keep_their_shape`."""
    angles = np.linspace(np.pi, 0.0, 21)
    round_v = np.stack((0.5 * np.cos(angles), np.sin(angles) - 1.0), 1)
    if text == "nv":  # Joined from the baseline.
        round_v = np.concatenate([[(-1.5, 0.0)], round_v])
    (stroke,) = with_points(letters(text, [round_v], len(text) - 1), 1.0).strokes
    low = stroke[(stroke[:, 1] > -0.25) & (stroke[:, 0] > -1.0)]
    assert (np.ptp(low[:, 0]) < 0.45) == is_pointed
    np.testing.assert_array_equal(stroke[:, 1], round_v[:, 1])


def test_joined_letters_keep_their_shape():
    """Most of the stroke of "ver" is its v, and of "11" its second 1."""
    angles = np.linspace(np.pi, 0.0, 21)
    round_v = np.stack((0.5 * np.cos(angles), np.sin(angles) - 1.0), 1)
    rest = [(1.0, -0.2), (1.3, 0.0), (1.6, -1.0)]
    ver = LetterStrokes("ver", [np.concatenate([round_v, rest])], [np.array([0] * 16 + [1] * 8)])
    (stroke,) = with_points(ver, 1.0).strokes
    np.testing.assert_array_equal(stroke, ver.strokes[0])
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


J = [(-0.7, -1.2), (-0.1, -2.0), (0.0, -2.0), (0.0, -1.0), (0.0, -0.2), (-0.3, 0.0), (-0.8, -0.2)]
TOP, MIDDLE, FOOT = (across(-0.3, 0.0, 0.3, y=y) for y in (-2.0, -1.0, 0.0))
LEANS = (0.0, 0.4, -0.2)


def leaning(word, lean):
    strokes = [stroke - np.outer(stroke[:, 1], (lean, 0.0)) for stroke in word.strokes]
    return LetterStrokes(word.text, strokes, word.indices)


def bars_of_stem(word, lean):
    """Return the heights of the bars that cross an upright stem of a word's first letter."""
    upright = leaning(word, -lean)
    own = [stroke for stroke, indices in upright.pairs() if (indices == 0).all()]
    stem = max(own, key=lambda stroke: np.ptp(stroke[:, 1]))
    assert np.ptp(stem[:, 0]) == pytest.approx(0.0, abs=1e-9)
    sides = ((each - stem[0])[:, 0] for each in own)
    is_bar = [side.min() < -0.1 and side.max() > 0.1 for side in sides]
    return sorted(round(float(s[:, 1].mean()), 1) for s, b in zip(own, is_bar, strict=True) if b)


@pytest.mark.parametrize("lean", LEANS)
@pytest.mark.parametrize(
    ("strokes", "heights"),
    [
        ([J], [-2.0, 0.0]),
        ([J[2:]], [-2.0, 0.0]),  # a hook alone
        ([J[:5]], [-2.0, -0.2]),  # a flag alone, as of a `1`
        ([J, np.add(TOP, (0.2, -0.4))], [-2.4, 0.0]),  # It floats above the `J`.
        ([down(0.0, 2.0), MIDDLE], [-2.0]),  # a `t`
        ([down(0.0, 2.0), MIDDLE, np.add(MIDDLE, (0.0, -0.3))], [-2.0, 0.0]),
        ([down(0.0, 2.0), FOOT], [-2.0, 0.0]),
    ],
)
def test_an_i_that_looks_like_another_letter_gets_bars_at_its_ends(strokes, heights, lean):
    word = letters("Iz", [*strokes, down(1.5, 1.0)], *[0] * len(strokes), 1)
    clear = with_clear_i(leaning(word, lean), lean)
    assert bars_of_stem(clear, lean) == heights
    assert [*map(len, clear.strokes)] == [*map(len, clear.indices)]
    assert_array_equal(clear.strokes[-1], leaning(word, lean).strokes[-1])
    again = with_clear_i(clear, lean)
    np.testing.assert_allclose(np.concatenate(again.strokes), np.concatenate(clear.strokes))


def test_the_stem_of_an_i_reaches_the_bar_that_floats_above_it():
    """Otherwise it is an `i`, or an `Ī`."""
    word = letters("Iz", [down(0.0, 1.4), TOP, FOOT, down(1.5, 1.0)], 0, 1, 0, 1)
    added, *others = with_clear_i(word, 0.0).strokes[1:]
    assert added.min(0).tolist() == [0.0, -2.0] and added.max(0).tolist() == [0.0, -1.4]
    assert_array_equal(np.concatenate(others), np.concatenate([TOP, FOOT, down(1.5, 1.0)]))


@pytest.mark.parametrize(
    ("text", "start", "num_added"),
    [
        ("In", (-0.2, 0.0), 1),  # From the foot of the `I` to an `n`: an `L` or `h`.
        ("IN", (-0.2, 0.0), 0),  # the `N` beside it
        ("In", (0.6, 0.0), 0),
    ],
)
def test_an_i_that_is_joined_at_its_foot_gets_a_bar_at_its_top(text, start, num_added):
    joined = np.array([start, (0.4, -1.0), (0.9, -1.0), (0.9, 0.0)])
    word = LetterStrokes(
        text, [down(0.0, 2.0), joined], [np.zeros(11, int), np.array([0, 1, 1, 1])]
    )
    clear = with_clear_i(word, 0.0)
    added = clear.strokes[1 : 1 + num_added]
    assert [stroke[:, 1].mean() for stroke in added] == pytest.approx([-2.0] * num_added)
    assert_array_equal(
        np.concatenate(clear.strokes[:1] + clear.strokes[1 + num_added :]),
        np.concatenate(word.strokes),
    )


@pytest.mark.parametrize(
    ("text", "strokes", "numbers"),
    [
        ("I", [down(0.0, 2.0)], [0]),
        ("I", [down(0.0, 2.0), TOP, FOOT], [0, 0, 0]),
        ("J", [J], [0]),
        ("TI", [down(-0.8, 2.0), across(-1.4, -0.2, y=-2.0), down(0.0, 2.0)], [0, 1, 1]),
        ("IT", [down(0.0, 1.5), down(0.7, 2.0), across(-0.1, 1.5, y=-2.0)], [0, 1, 1]),
        ("IE", [down(0.0, 2.0), down(0.3, 2.0), across(0.1, 0.9, y=-1.0)], [0, 1, 1]),
        ("IE", [[*J, (-0.5, -0.3), (1.0, 0.0), (1.0, -1.0)]], [0]),  # a stroke joins them
    ],
)
def test_other_letters_and_a_clear_i_keep_their_shape(text, strokes, numbers):
    word = letters(text, strokes, *numbers)
    clear = with_clear_i(word, 0.2)
    assert len(clear.strokes) == len(strokes)
    for before, after in zip(word.strokes, clear.strokes, strict=True):
        assert before is after


CORNERED = [(0.0, -0.9), (0.6, -1.0), (0.3, -0.5), (0.0, 0.0), (0.3, 0.0), (0.7, 0.0)]
LIKE_R = [(0.0, -0.1), (0.2, -0.9), (0.5, -0.9), (0.6, -0.5), (0.6, 0.0), (0.7, 0.0)]
LIKE_3 = [(0.0, -0.9), (0.6, -1.0), (0.2, -0.5), (0.7, -0.3), (0.6, 0.3), (0.0, 0.4)]
ENTRY, EXIT = [(-0.8, -1.0), (-0.7, 0.0)], [(1.0, -0.6), (1.1, 0.0), (1.4, 0.0)]


def joined_word(text, *paths):
    """A word of one stroke, with a point each 0.05 along the path of each letter."""
    corners = np.array([*chain(*paths)])
    ends = np.cumsum([len(path) for path in paths])
    way = np.append(0.0, np.cumsum(np.hypot(*np.diff(corners, axis=0).T)))
    at = np.arange(0.0, way[-1], 0.05)
    stroke = np.stack([np.interp(at, way, corners[:, k]) for k in (0, 1)], 1)
    return LetterStrokes(text, [stroke], [np.searchsorted(way[ends - 1], at)])


def way_to_the_left(ink):
    """Return the greatest way to the left between a high point of ink and a later low one."""
    ways = [end - start for k, start in enumerate(ink) for end in ink[k:]]
    return max((-x for x, y in ways if y > 0.6), default=0.0)


@pytest.mark.parametrize("lean", LEANS)
@pytest.mark.parametrize(
    ("text", "middle", "is_drawn"),
    [
        ("uzi", LIKE_R, True),
        ("uzi", LIKE_3, True),
        ("uzi", CORNERED, False),
        ("uri", LIKE_R, False),
    ],
)
def test_a_joined_z_has_a_diagonal_between_two_bars(text, middle, is_drawn, lean):
    word = leaning(joined_word(text, ENTRY, middle, EXIT), lean)
    clear = with_clear_z(word, lean)
    assert [*map(len, clear.strokes)] == [*map(len, clear.indices)]
    assert len(clear.strokes) == 1 + is_drawn  # The pen is lifted before it.
    if not is_drawn:
        assert clear.strokes[0] is word.strokes[0]
        return
    first, second = leaning(clear, -lean).strokes
    assert first[0].tolist() == pytest.approx(ENTRY[0])
    assert way_to_the_left(second[: 3 * 4]) == pytest.approx(0.55)
    assert second[:, 0].min() > first[:, 0].max()
    np.testing.assert_allclose(np.diff(second[-2:], axis=0), [[0.05, 0.0]], atol=1e-9)


@pytest.mark.parametrize(("text", "top", "gap"), [("uz", -0.4, 0.15), ("wz", -1.0, 0.4)])
def test_the_letter_before_a_z_keeps_no_high_upstroke_but_its_own(text, top, gap):
    word = joined_word(text, [(-0.6, -0.2), *ENTRY[1:], (-0.3, -1.0)], LIKE_3)
    before, behind = with_clear_z(word, 0.0).strokes
    assert behind[:, 0].min() - before[:, 0].max() == pytest.approx(gap)
    assert before[:, 1].min() == pytest.approx(top, abs=0.06)
    assert len(before) < len(word.strokes[0])


@pytest.mark.parametrize(("ink", "is_drawn"), [(LIKE_3, True), (CORNERED, False), (LIKE_R, False)])
def test_a_z_that_stands_alone_is_no_3(ink, is_drawn):
    """What is behind it keeps a gap."""
    word = letters("zo", [ink, down(0.75, 1.0)], 0, 1)
    alone, other = with_clear_z(word, 0.0).strokes
    assert (alone is not word.strokes[0]) == is_drawn
    assert alone[:, 1].max() <= 0.0
    assert other[0, 0] - alone[:, 0].max() == pytest.approx(0.15 if is_drawn else 0.05)
