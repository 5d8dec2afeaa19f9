"""Bars and small signs, in a hand with an x-height of 1 that is upright."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from apps.pages.letter_dots import with_dots, without_touches
from apps.pages.letter_shapes import with_legs
from apps.pages.letter_strokes import LetterStrokes
from apps.pages.page_hands import Hands
from apps.pages.page_options import PageOptions
from apps.pages.repairs import (
    repair_signs,
    with_bars,
    with_bars_of_h,
    with_colons_on_line,
    with_figures_apart,
    with_stems_to_roofs,
    with_tails_of_q,
)
from apps.pages.styles import styles
from tests.apps.pages.builders import across, down, letters, line


def repaired(text, strokes, *numbers):
    return repair_signs(letters(text, strokes, *numbers), max_hole=1.0)


def test_strokes_that_are_added_follow_those_of_their_letters():
    stems, bars = [down(0.0, 2.0), down(2.0, 2.0)], [line(-0.3, 0.3), line(1.7, 2.3)]
    word = letters("tt", stems, 0, 1).with_added([(0, 0, bars[0]), (1, 1, bars[1])])
    order = stems[0], bars[0], stems[1], bars[1]
    assert [*map(len, word.indices)] == [*map(len, order)]
    assert_array_equal(np.concatenate(word.strokes), np.concatenate(order))


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


@pytest.mark.parametrize(("text", "right"), [("tell", 1.2), ("tt", 2.2)])
def test_the_bar_of_a_t_does_not_cross_out_the_letters_behind_it(text, right):
    stems = [down(1.0 * k, 1.6) for k in range(len(text))]
    word = with_bars(letters(text, [*stems, line(-0.3, 3.0)], *range(len(text)), 0), 1.0, 1.0)
    bar = word.strokes[len(text)]
    assert bar[:, 0].min() == pytest.approx(-0.3, abs=0.02)
    assert bar[:, 0].max() == pytest.approx(right, abs=0.02)


@pytest.mark.parametrize(("text", "owner"), [("t!", 0), ("t.", 0), ("t-", 1), ("tA", 1)])
def test_a_late_bar_belongs_to_its_t_and_does_not_move_with_the_sign_behind(text, owner):
    """A hyphen, or the bar of a letter behind, may be as near."""
    strokes = [down(0.0, 1.6), line(-0.3, 0.4), down(0.6, 1.6)]
    word = with_bars(letters(text, strokes, 0, 1, 1), 1.0, 1.0)
    assert [set(indices) for indices in word.indices] == [{0}, {owner}, {1}]


@pytest.mark.parametrize("sign", "!?")
@pytest.mark.parametrize(("height", "foot", "x"), [(0.6, -1.0, 0.1), (1.8, 0.6, 3.0), (1.8, 0, 1)])
def test_an_end_sign_stands_on_its_row_beside_its_word(sign, height, foot, x):
    """One that is small and high looks like a quotation mark."""
    stem = np.array([[x, foot - height], [x, foot - height / 2], [x, foot - height / 3]])
    dot = np.array([[x, foot - 0.15], [x, foot]])
    letter, *sign_strokes = repaired(f"l{sign}", [down(0.0, 1.6), stem, dot], 0, 1, 1)
    points = np.concatenate(sign_strokes)
    assert points[:, 1].max() == pytest.approx(0.0, abs=1e-9)
    assert 1.4 <= np.ptp(points[:, 1]) <= 2.2
    assert 0.25 <= points[:, 0].min() - letter[:, 0].max() <= 0.5


@pytest.mark.parametrize(
    ("text", "foot", "expected"),
    [(":", -1.2, -0.25), (":", 0.4, 0.05), ("l:", -0.1, -0.1), ("l:", 0.3, 0.05)],
)
@pytest.mark.parametrize(("rise", "expected_rise"), [(0.6, 0.6), (0.2, 0.5), (1.3, 0.9)])
def test_a_colon_stands_on_its_row(text, foot, expected, rise, expected_rise):
    """In French it is a word, and so without letters that show the row."""
    dots = [np.add([[0.5, -0.1], [0.5, 0.0]], (0.0, y)) for y in (foot - rise, foot)]
    before = [down(0.0, 1.6)] * (len(text) - 1)
    *others, upper, lower = repaired(text, before + dots, *range(len(text)), len(text) - 1)
    assert lower[:, 1].max() == pytest.approx(expected)
    assert lower[:, 1].max() - upper[:, 1].max() == pytest.approx(expected_rise)
    assert all((np.diff(stroke[:, 1]) >= 0.0).all() for stroke in others)


def test_the_late_end_of_a_quotation_mark_is_no_dot_of_the_colon_behind_it():
    quotes = [np.array([(x, -1.9), (x - 0.1, -1.4)]) for x in (0.0, 0.3)]
    dots = [np.array([(0.7, y - 0.1), (0.7, y)]) for y in (-0.8, 0.0)]
    strokes = with_colons_on_line(letters('":', [*quotes, *dots], 0, 1, 1, 1))
    for stroke, before in zip(strokes, [*quotes, *dots], strict=True):
        assert stroke[:, 1] == pytest.approx(before[:, 1])


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
    first, first_bar, second = with_figures_apart(word, max_hole=1.0)
    assert (first == seven).all() and (first_bar == bar).all()
    upper = second[second[:, 1] < -1.7]
    assert upper[:, 0].min() - 0.9 == pytest.approx(max(gap, -0.2), abs=0.11)


@pytest.mark.parametrize(
    ("text", "x", "new_x"),
    [
        ("25.", 0.5, 0.5),
        ("25.", 0.9, 0.6),
        ("I5.", 0.9, 0.9),  # between a letter and a figure
        ("25.", 0.05, 0.13),
    ],
)
def test_a_hole_in_a_number_is_no_wider_than_one_in_a_word(text, x, new_x):
    """A figure may reach over the next without ink beside it."""
    first = np.concatenate([across(*np.linspace(1.0, 0.0, 11), y=-1.9), down(0.0, 1.4)])
    word = letters(text, [first, down(x, 1.4), [(x + 0.4, -0.1), (x + 0.4, 0.0)]], 0, 1, 2)
    kept, *moved = with_figures_apart(word, max_hole=0.6)
    assert_array_equal(kept, first)
    for stroke, before in zip(moved, word.strokes[1:], strict=True):
        np.testing.assert_allclose(stroke, np.add(before, (new_x - x, 0.0)))


@pytest.mark.parametrize(
    ("text", "depth", "expected"),
    [("q", 0.5, 0.95), ("q", 1.4, 1.4), ("q", 0.1, 0.1), ("y", 0.5, 0.5)],
)
def test_the_tail_of_a_q_is_long_enough_to_tell_it_from_an_a(text, depth, expected):
    ring = [(0.6, -0.9), (0.0, -0.5), (0.6, -0.1), (0.6, -0.9), (0.6, depth)]
    (stroke,) = with_tails_of_q(letters(text, [ring], 0))
    np.testing.assert_allclose(stroke, [*ring[:-1], (0.6, expected)])


@pytest.mark.parametrize(
    ("text", "roof", "is_reached"),
    [
        *((letter, 2.0, True) for letter in "PRBD"),
        ("P", 1.72, False),  # near enough
        ("P", 2.4, False),  # too far to be its roof
        ("K", 2.0, False),
    ],
)
@pytest.mark.parametrize("lean", [0.0, 0.4])
def test_the_stem_of_a_letter_reaches_its_roof(text, roof, is_reached, lean):
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]])
    bowl = np.array([(-0.4, -roof), (0.9, -roof), (1.0, -1.2), (0.2, -0.8)])
    word = letters(text, [down(0.0, 1.6) @ slanted, bowl @ slanted], 0, 0)
    repaired_word = with_stems_to_roofs(word, 1.0)
    stem, same_bowl = repaired_word.strokes
    assert_array_equal(same_bowl, word.strokes[1])
    assert_array_equal(stem[is_reached:], word.strokes[0])
    assert [*map(len, repaired_word.indices)] == [len(stem), 4]
    if is_reached:
        x, y = stem[0] @ np.linalg.inv(slanted)
        assert x == pytest.approx(0.0, abs=1e-9) and -roof - 0.1 < y <= -roof


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((-0.2, 0.3), (-0.2, 0.8)),
        ((0.3, 1.0), (0.0, 1.0)),
        ((0.2, 0.6), (0.0, 0.8)),
        ((-0.2, 1.0), (-0.2, 1.0)),
    ],
)
@pytest.mark.parametrize("lean", [0.0, 0.2])
def test_the_bar_of_an_h_reaches_both_of_its_stems(ends, expected, lean):
    """With a short one it looks like `tl`. The bar is 1.0 high in a hand that may lean."""
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]])
    stems = [down(x, 2.0) @ slanted for x in (0.0, 0.8)]
    word = letters("He", [*stems, line(*ends) * (1.0, 1.25) @ slanted], 0, 0, 1)
    left, right, bar = with_bars_of_h(word, 1.0).strokes
    np.testing.assert_allclose(bar @ np.linalg.inv(slanted), line(*expected) * (1.0, 1.25))
    assert left is word.strokes[0] and right is word.strokes[1]


@pytest.mark.parametrize(
    ("text", "height", "bar"),
    [
        ("tl", 2.0, line(-0.2, 0.3)),
        ("He", 1.0, line(-0.2, 0.3)),  # no stems of an `H`
        ("He", 2.0, across(-0.2, 0.3) - ((0.0, 0.5), (0.0, 0.0))),  # not flat
    ],
)
def test_other_bars_beside_two_stems_stay(text, height, bar):
    word = letters(text, [down(0.0, height), down(0.8, height), bar], 0, 0, 0)
    assert with_bars_of_h(word, 1.0).strokes[2] is word.strokes[2]


@pytest.mark.parametrize(("text", "y"), [("a,", 1.5), ("a°", -1.5)])
def test_a_touch_of_the_pen_at_a_sign_stays(text, y):
    _, touch = repaired(text, [down(0.0, 1.0), [(0.5, y)]], 0, 1)
    assert touch[0, 1] == y and np.isfinite(touch).all()


@pytest.mark.parametrize(
    ("text", "x", "numbers"),
    [
        ("TH", 0.0, (0, 0, 1, 1, 1)),
        ("HT", 2.0, (1, 1, 0, 0, 0)),
        ("EHE", 0.0, (0, 0, 1, 2, 1)),  # The bar of the `H` is late.
    ],
)
def test_the_bar_of_a_letter_beside_does_not_reach_over_an_h(text, x, numbers):
    beside = [down(x, 2.0), line(x - 0.6, x + 0.6) * (1.0, 2.4)]
    others = [down(0.8, 2.0), line(0.9, 1.5), down(1.5, 2.0)]
    word = letters(text, [*beside, *others], *numbers)
    repaired_word = with_bars_of_h(word, 1.0)
    assert repaired_word.strokes[1] is word.strokes[1]
    assert repaired_word.strokes[3][[0, -1], 0].tolist() == [0.8, 1.5]


TEXTS = ("abcdefg hijklm", "nopqrst uvwxyz", "ABCDEFGHI JKLMN", "OPQRSTUVWXYZ")


@pytest.fixture(scope="module")
def hands():
    """Hands that share their networks."""
    return Hands(None, PageOptions(proofread=False), "cpu", progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("style", styles())
def test_no_repair_takes_more_than_a_dot_from_a_letter_of_a_style(style, hands):
    hand = hands.of(PageOptions(style=style).look)
    width = hand.shape.letter_width
    lean = hand.shape.lean
    for written_line in hand.write_texts(TEXTS, range(len(TEXTS))):
        written = LetterStrokes.of(written_line)
        written.strokes[:] = [stroke / hand.shape.x_height for stroke in written.strokes]
        for changed, repair in (
            ("", with_legs),
            ("t", lambda word: with_bars(word, 1.0, width)),
            ("H", lambda word: with_bars_of_h(word, 1.0)),
            ("ij", lambda word: with_dots(word, 1.0, lean)),
            ("ij", lambda word: without_touches(word, 1.0)),
        ):
            left = {point.tobytes() for stroke in repair(written).strokes for point in stroke}
            for stroke, indices in written.pairs():
                letter = f"{written.text} "[np.bincount(indices).argmax()]
                is_left = left.issuperset(map(np.ndarray.tobytes, stroke))
                assert is_left or letter in changed or np.ptp(stroke, axis=0).max() < 0.5


@pytest.mark.parametrize(("height", "expected"), [(0.3, 0.6), (0.7, 0.7)])
def test_a_comma_is_longer_than_a_full_stop(height, expected):
    letter, comma = across(0, 0), [(0.5, -0.1), (0.4, height - 0.1)]
    comma, kept = repaired("l,", [comma, letter], 1, 0)
    assert_array_equal(kept, letter)
    assert np.ptp(comma, axis=0) == pytest.approx([0.1 * expected / height, expected])


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("l,", [[(2.0, -0.1), (1.9, 0.6)]], [0.5]),
        ("l.", [across(0.4, y=0.0)], [0.4]),  # near enough
        ("l:", [across(2.0, y=-0.9), across(1.8, y=-0.1)], [0.7, 0.5]),
        ("l;", [across(0.2, y=-0.9), across(0.1, y=0.2)], [0.4, 0.3]),
        ("'.", [across(2.0, y=0.0)], [2.0]),  # not below an apostrophe
    ],
)
def test_a_mark_is_moved_near_its_word(text, mark, expected):
    foot, *moved = repaired(text, [down(0.0, 1.0), *mark], 0, *[1] * len(mark))
    assert foot[:, 0].tolist() == [0.0] * 11
    assert [stroke[:, 0].min() for stroke in moved] == pytest.approx(expected)


def test_a_mark_is_not_moved_below_what_hangs_over_it():
    hook, stop = [(0.0, 0.0), (0.0, -2.0), (1.2, -1.9)], across(2.0, y=0.0)
    assert repaired("f.", [hook, stop], 0, 1)[1][0, 0] == pytest.approx(1.2)


def test_what_follows_a_mark_moves_with_it_but_for_late_strokes_before_it():
    dot, quote = across(0.1, y=-1.5), across(3.6, 3.7, y=-1.6)
    strokes = [down(0.0, 1.0), across(2.0, y=0.0), down(3.4, 1.0), dot, quote]
    word = repaired("i.n'", strokes, 0, 1, 2, 2, 3)
    assert [stroke[0, 0] for stroke in word] == pytest.approx([0.0, 0.5, 1.0, 0.1, 1.2])


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
    strokes = [[(-0.1, -0.1), (-0.1, 0.0)], [(0, -1.5), (0.6, -0.5)], [(0.4, -0.5), (0.4, 0.2)]]
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
