"""Dots, bars and small signs, in a hand with an x-height of 1 that is upright."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from apps.pages.page_hands import Hands
from apps.pages.page_options import PageOptions
from apps.pages.repairs import (
    LetterStrokes,
    crosses,
    repair_signs,
    with_bars,
    with_corners,
    with_crosses,
    with_dots,
    with_figures_apart,
    with_legs,
    with_points,
    with_short_flags,
    with_tails_of_q,
    with_visible_dot,
    without_touches,
)
from apps.pages.styles import styles


def down(x, height):
    """A stem, from its top to the baseline, of eleven points."""
    return np.stack([np.full(11, x), np.linspace(-height, 0.0, 11)], 1)


def across(*xs, y=-0.8):
    return np.array([(x, y) for x in xs])


def line(*ends):
    """A bar that was drawn on: four points a side."""
    return across(*np.linspace(*ends, 4))


def letters(text, strokes, *numbers):
    """A word whose strokes were made at the characters with these numbers."""
    strokes = [np.array(stroke, dtype=float) for stroke in strokes]
    indices = [np.full(len(part), number) for part, number in zip(strokes, numbers, strict=True)]
    return LetterStrokes(text, strokes, indices)


def repaired(text, strokes, *numbers):
    return repair_signs(letters(text, strokes, *numbers))


def test_strokes_that_are_added_follow_those_of_their_letters():
    stems, bars = [down(0.0, 2.0), down(2.0, 2.0)], [line(-0.3, 0.3), line(1.7, 2.3)]
    word = letters("tt", stems, 0, 1).with_added([(0, 0, bars[0]), (1, 1, bars[1])])
    order = stems[0], bars[0], stems[1], bars[1]
    assert [*map(len, word.indices)] == [*map(len, order)]
    assert_array_equal(np.concatenate(word.strokes), np.concatenate(order))


def dots_of_first(word):
    """Return the dots of a word's first letter."""
    dots = [part for part, of in word.pairs() if len(part) == 1 and of[0] == 0]
    return np.concatenate(dots)


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
    dots = [] if dot is None else [[dot]]
    word = letters("in", [down(0.0, 1.0), down(2.0, 1.0), *dots], 0, 1, *[2] * len(dots))
    np.testing.assert_allclose(dots_of_first(with_dots(word, 1.0, lean)), [expected])


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
def test_a_dot_may_be_drawn_late_high_and_above_a_long_letter(text, stem, behind, above, is_taken):
    dot = (0.1, -stem - above)
    word = with_dots(letters(text, [down(0.0, stem), [dot]], 0, behind), 1.0, 0.0)
    np.testing.assert_allclose(dots_of_first(word), [dot if is_taken else (0.0, -stem - 0.6)])


def test_an_apostrophe_is_not_taken_for_the_dot_of_an_i():
    word = letters("i's", [down(0.0, 1.0), across(0.5, y=-1.5), down(1.0, 1.0)], 0, 1, 2)
    dots = [part for part in with_dots(word, 1.0, 0.0).strokes if len(part) == 1]
    np.testing.assert_allclose(np.concatenate(dots), [(0.0, -1.6), (0.5, -1.5)])


def test_of_two_small_strokes_at_an_apostrophe_the_first_is_the_dot_before_it():
    """In joined hands the window is already at the apostrophe then; a letter may begin there."""
    tick, letter = [(0.6, -1.7), (0.6, -1.4)], [(1.0, -1.0), (1.0, 0.0)]
    word = letters("j's", [down(0.0, 1.0), across(0.2, y=-1.5), tick, letter], 0, 1, 1, 1)
    repaired_word = with_dots(word, 1.0, 0.0)
    assert [len(part) for part in repaired_word.strokes] == [11, 1, 2, 2]
    np.testing.assert_allclose(dots_of_first(repaired_word), [(0.2, -1.5)])


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        (across(-0.3, 0.3), [across(-0.3, 0.3)]),
        (across(-0.3, 0.05), [np.concatenate([across(-0.3), line(0.05, 0.25)])]),
        # From right to left.
        (across(0.3, -0.05), [np.concatenate([across(0.3), line(-0.05, -0.25)])]),
        (across(0.1, -0.1), [np.concatenate([line(0.25, 0.1), line(-0.1, -0.25)])]),
        (across(0.5, 1.0), [across(*np.linspace(-0.25, 0.25, 8)), across(0.5, 1.0)]),  # beside it
        # An upstroke of 45 degrees, which crosses it.
        (
            np.array([(-0.5, -0.3), (0.3, -1.1)]),
            [across(*np.linspace(-0.25, 0.25, 8)), np.array([(-0.5, -0.3), (0.3, -1.1)])],
        ),
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
    word = with_bars(letters("t", [down(0.0, 1.6), bar], 0, 0), 1.0, 1.0)
    assert [*map(len, word.strokes)] == [*map(len, word.indices)]
    for part, repaired_part in zip(word.strokes[1:], expected, strict=True):
        np.testing.assert_allclose(part, repaired_part, atol=0.02)


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


@pytest.mark.parametrize(
    ("text", "numbers", "gap"),
    [
        ("77", (0, 0, 1), 0.13),
        ("77", (0, 1, 1), 0.13),  # The window is at the second 7 when the first gets its bar.
        ("zz", (0, 0, 1), -0.3),
    ],
)
def test_figures_stand_apart(text, numbers, gap):
    seven = np.array([(0.0, -1.8), (0.9, -1.8), (0.4, 0.0)])
    bar = across(0.3, 1.0, y=-0.9)
    word = letters(text, [seven, bar, np.add(seven, (0.7, 0.0))], *numbers)
    first, first_bar, second = with_figures_apart(word)
    assert (first == seven).all() and (first_bar == bar).all()
    upper = second[second[:, 1] < -1.7]
    assert upper[:, 0].min() - 0.9 == pytest.approx(max(gap, -0.2), abs=0.11)


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


@pytest.mark.parametrize(
    ("text", "depth", "expected"),
    [("q", 0.5, 0.95), ("q", 1.4, 1.4), ("q", 0.1, 0.1), ("y", 0.5, 0.5)],
)
def test_the_tail_of_a_q_is_long_enough_to_tell_it_from_an_a(text, depth, expected):
    ring = [(0.6, -0.9), (0.0, -0.5), (0.6, -0.1), (0.6, -0.9), (0.6, depth)]
    (stroke,) = with_tails_of_q(letters(text, [ring], 0))
    np.testing.assert_allclose(stroke, [*ring[:-1], (0.6, expected)])


@pytest.mark.parametrize(
    ("text", "stem", "touch", "kept"),
    [
        ("kept", 0, 1, False),
        ("kit", 0, 1, True),
        ("kä", 0, 0, True),
        ("ke", 0, 2, True),  # behind the text
        ("k.ept", 0, 2, True),  # the point, of which the window is late
        ("k.ept", 1, 2, False),  # That is drawn already.
        ("a k", 2, 0, True),  # It is all of the ink of its word.
    ],
)
def test_a_touch_of_the_pen_is_left_out_unless_the_text_has_a_dot_there(text, stem, touch, kept):
    word = without_touches(letters(text, [down(0.0, 1.0), [[0.4, 0.4]] * 2], stem, touch), 1.0)
    assert [*map(len, word.strokes)] == [*map(len, word.indices)] == [11, *[2] * kept]


@pytest.mark.parametrize(
    ("text", "stroke", "index", "is_kept"),
    [
        ("ion", [(2.0, -1.5), (2.1, -1.7)], 2, False),  # a dot above the last letter
        ("ion", [(1.6, -1.5), (2.2, -1.5)], 2, False),  # a dash
        ("ion", [(1.5, -1.5), (2.3, -1.5)], 2, True),  # as long as a bar
        ("ion", [(2.1, 0.1), (2.1, 0.3)], 2, True),  # a mark at the foot
        ("ion", [(2.0, -1.05), (2.2, -1.25)], 2, True),  # It touches the letter.
        ("io'n", [(2.0, -1.5), (2.1, -1.7)], 3, True),  # the apostrophe, made late
        ("ion!", [(1.2, -1.5), (1.3, -1.7)], 3, False),  # made while the window is at the sign
        ("ion!", [(2.2, -1.5), (2.3, -1.7)], 3, True),  # a part of the sign
        ("iin", [(2.0, -1.5), (2.1, -1.7)], 2, True),  # The second `i` has no stem to be above.
    ],
)
def test_a_dot_of_no_letter_is_left_out(text, stroke, index, is_kept):
    strokes = [down(0.0, 1.0), [(0.0, -1.5), (0.0, -1.7)], down(2.0, 1.0), stroke]
    word = with_dots(letters(text, strokes, 0, 0, text.index("n"), index), 1.0, 0.0)
    assert len(without_touches(word, 1.0).strokes) == 3 + is_kept


@pytest.mark.parametrize(
    ("text", "of_arm", "of_stem", "size", "is_kept"),
    [
        ("fly", 2, 2, 0.6, True),  # the left arm of a `y` of two strokes
        ("zoe", 1, 1, 0.4, True),  # the bar of the `z`, made when the window was at the `o`
        ("fly", 2, 2, 0.2, False),  # a dot
        ("soo", 2, 2, 0.6, False),
        ("ran", 2, 0, 0.6, True),  # all of the last letter's ink
    ],
)
def test_a_stroke_without_which_its_letter_is_not_whole_is_kept(
    text, of_arm, of_stem, size, is_kept
):
    arm = across(-size / 2 - 0.5, size / 2 - 0.5, y=-1.0)
    stem = down(0.0, 1.9) + np.array([0.0, 0.9])
    kept = without_touches(letters(text, [stem, arm], of_stem, of_arm), 1.0)
    assert len(kept.strokes) == 1 + is_kept


TEXTS = ("abcdefg hijklm", "nopqrst uvwxyz", "ABCDEFGHI JKLMN", "OPQRSTUVWXYZ")


@pytest.fixture(scope="module")
def hands():
    """Hands that share their networks."""
    return Hands(None, PageOptions(proofread=False), "cpu", progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("style", styles())
def test_no_repair_takes_more_than_a_dot_from_a_letter_of_a_style(style, hands):
    hand = hands.of(PageOptions(style=style).look)
    x_height = hand.shape.x_height
    width = hand.shape.letter_width
    lean = hand.shape.lean
    for line in hand.write_texts(TEXTS, range(len(TEXTS))):
        written = LetterStrokes.of(line)
        for repair in (
            with_legs,
            lambda word: with_bars(word, x_height, width),
            lambda word: with_dots(word, x_height, lean),
            lambda word: without_touches(word, x_height),
        ):
            left = {point.tobytes() for stroke in repair(written).strokes for point in stroke}
            for stroke, indices in written.pairs():
                letter = f"{written.text} "[np.bincount(indices).argmax()]
                is_left = left.issuperset(map(np.ndarray.tobytes, stroke))
                is_dot = letter in "ij" or np.ptp(stroke, axis=0).max() < 0.5 * x_height
                assert is_left or is_dot


@pytest.mark.parametrize(("length", "expected"), [(0.2, 0.2), (0.4, 0.25)])
def test_the_dot_of_an_i_is_shorter_than_an_accent(length, expected):
    dot = [(0.0, -1.5), (length / 2, -1.5 - length)]
    word = with_dots(letters("i", [down(0.0, 1.0), dot], 0, 0), 1.0, 0.0)
    assert np.ptp(word.strokes[1], axis=0).max() == pytest.approx(expected)


def test_a_dot_becomes_a_visible_stroke():
    np.testing.assert_allclose(with_visible_dot(np.full((3, 2), 2.0)), [[2, 1.925], [2, 2.075]])
    line = np.array([[0.0, 0.0], [0.2, 0.0]])
    assert with_visible_dot(line) is line


@pytest.mark.parametrize(("height", "expected"), [(0.3, 0.6), (0.7, 0.7)])
def test_a_comma_is_longer_than_a_full_stop(height, expected):
    letter, comma = across(0, 0), [(0.5, -0.1), (0.4, height - 0.1)]
    comma, kept = repaired("l,", [comma, letter], 1, 0)
    assert_array_equal(kept, letter)
    assert np.ptp(comma, axis=0) == pytest.approx([0.1 * expected / height, expected])


@pytest.mark.parametrize("text", ["7.11", "z.il"])
def test_a_full_stop_within_a_word_is_moved_clear_of_its_neighbours(text):
    seven = [(0, -1.5), (0.8, -1.5), (0.2, 0.0)]  # Its head is over the point.
    point = [(0.3, -0.1), (0.3, 0.0)]
    stems = [[(x, 0.0), (x, -1.5)] for x in (0.4, 1.4)]
    word = repaired(text, [seven, point, *stems], 0, 1, 2, 3)
    assert [stroke[-1, 0] for stroke in word] == pytest.approx([0.2, 0.5, 0.8, 1.8])
    again = repaired(text, word, 0, 1, 2, 3)
    np.testing.assert_allclose(np.concatenate(again), np.concatenate(word))


@pytest.mark.parametrize(("text", "depth", "expected"), [("z;", 2.5, 1.1), ("z;", 0.8, 0.8)])
def test_the_tail_of_a_sign_ends_above_the_row_below(text, depth, expected):
    letter, tail = [(0.0, -1.0), (0.5, 0.0)], [(1.0, -0.2), (0.9, 0.3), (0.6, depth)]
    _, shortened = repaired(text, [letter, tail], 0, 1)
    assert shortened[:, 1].max() == pytest.approx(expected)
    assert shortened[:, 1].min() == pytest.approx(-0.2)


@pytest.mark.parametrize(("depth", "expected"), [(3.5, 2.2), (1.9, 1.9)])
def test_the_tail_of_a_letter_ends_above_the_letters_of_the_row_below(depth, expected):
    (tail,) = repaired("y", [[(0.5, -1.0), (0.4, 0.4), (0.1, depth), (0.0, depth - 0.3)]], 0)
    assert tail[:2].tolist() == [[0.5, -1.0], [0.4, 0.4]] and tail[2, 0] == 0.1
    assert tail[2, 1] == pytest.approx(expected) and tail[3, 1] < tail[2, 1]


def test_the_stem_of_a_4_is_not_taken_for_a_full_stop():
    """It is as low and as narrow as a full stop."""
    strokes = [[(-1.0, -0.1), (-1.0, 0.0)], [(0, -1.5), (0.6, -0.5)], [(0.4, -0.5), (0.4, 0.2)]]
    assert_array_equal(repaired("7.4", strokes, 1, 2, 2), strokes)


@pytest.mark.parametrize(
    ("text", "mark", "left", "bottom"),
    [("7.", [(0.4, -0.4), (0.4, -0.3)], 0.9, -0.12), ("7,", [(0.5, -0.3), (0.4, 0.5)], 0.9, 0.5)],
)
def test_a_full_stop_or_comma_over_a_letter_is_moved_behind_the_foot_of_the_letter(
    text, mark, left, bottom
):
    """Also below the arm of a letter."""
    letter = [(1.2, -1.0), (0.0, -0.9), (0.6, 0.0)]
    _, moved = repaired(text, [letter, mark], 0, 1)
    assert (moved[:, 0].min(), moved[:, 1].max()) == pytest.approx((left, bottom))


@pytest.mark.parametrize(
    ("text", "gap", "expected"),
    [("=", 0.1, 0.3), ("=", 0.4, 0.4), ("z", 0.1, 0.1)],
)
def test_the_two_bars_of_a_sign_are_moved_apart_when_they_are_close(text, gap, expected):
    bars = [across(0, 1, y=-0.5), across(0, 1, y=gap - 0.5)]
    upper, lower = repaired(text, bars, 0, 0)
    assert lower[0, 1] - upper[0, 1] == pytest.approx(expected)


def test_the_ring_of_a_degree_is_wider_than_a_dot():
    ring = np.array([(0, -1.8), (0.2, -1.8), (0.2, -2.0), (0, -2.0)])
    (wider,) = repaired("°", [ring], 0)
    assert np.ptp(wider[:, 0]) == pytest.approx(0.45)
    assert wider.mean(0) == pytest.approx(ring.mean(0))
