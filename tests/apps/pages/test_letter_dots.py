"""Dots of `i` and `j`, stray dots and touches, in a hand with an x-height of 1 that is upright."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from apps.pages.letter_dots import with_dots, with_visible_dot, without_touches
from apps.pages.letter_strokes import LetterStrokes
from tests.apps.pages.builders import across, down, letters


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
        ((0.1, -1.1), 0.0, (0.1, -1.35)),  # it would touch the stem
        ((0.1, -1.1), 0.4, (0.2, -1.35)),
        (None, 0.5, (0.3, -1.6)),
        ((2.0, 0.0), 0.0, (0.0, -1.6)),  # a full stop
    ],
)
def test_the_dot_of_an_i_is_above_it(dot, lean, expected):
    dots = [] if dot is None else [[dot]]
    word = letters("in", [down(0.0, 1.0), down(2.0, 1.0), *dots], 0, 1, *[2] * len(dots))
    np.testing.assert_allclose(dots_of_first(with_dots(word, 1.0, lean)), [expected])


def joined(text, x_of_stems, *numbers):
    """A stroke of stems and of ways up between them, each made at the character of its number."""
    parts = [down(x_of_stems[0], 1.0)]
    for x in x_of_stems[1:]:
        parts += [np.linspace((x - 1.0, 0.0), (x, -1.0), 6)[1:-1], down(x, 1.0)]
    indices = [np.full(len(part), number) for part, number in zip(parts, numbers, strict=True)]
    return LetterStrokes(text, [np.concatenate(parts)], [np.concatenate(indices)])


@pytest.mark.parametrize("dot", [(1.2, -1.6), (2.2, -1.6), (3.0, -1.6)])
def test_a_dot_above_the_end_of_the_letter_before_moves_to_the_stem_of_its_own(dot):
    """The window is at the `i` while the pen is still in the `n`."""
    word = joined("ni", [0.0, 1.0, 2.0], 0, 0, 1, 1, 1).with_added([(0, 1, np.array([dot]))])
    x = dot[0] if abs(dot[0] - 2.0) < 0.3 else 2.0
    np.testing.assert_allclose(with_dots(word, 1.0, 0.0).strokes[1], [(x, dot[1])])


@pytest.mark.parametrize(("early", "x"), [(0, 1.0), (3, -0.6)])
def test_a_dot_finds_the_stem_that_is_made_after_the_window_has_left_its_letter(early, x):
    """Too `early`, as many points before the stem, and it stays where it was."""
    way_up = np.linspace((0.0, 0.0), (1.0, -1.0), 6)[:-1]
    stroke = np.concatenate([way_up, down(1.0, 1.0)])
    num_points = len(way_up) - early
    indices = np.repeat([0, 1], [num_points, len(stroke) - num_points])
    word = LetterStrokes("i", [stroke, np.array([(-0.6, -1.6)])], [indices, np.array([1])])
    np.testing.assert_allclose(with_dots(word, 1.0, 0.0).strokes[1], [(x, -1.6)])


@pytest.mark.parametrize(
    ("text", "x", "of_second", "num_dots"),
    [
        ("joy", 0.1, 0, 1),
        ("joy", 0.1, 1, 1),
        ("joy", 1.8, 0, 1),  # above the `y`, made while the window is at the `j`
        ("j'o", 1.0, 1, 2),  # the apostrophe
        ("jöy", 0.1, 0, 2),  # It may be a mark of the `ö`.
        ("jiy", 0.1, 0, 2),  # It may be the dot of the `i`, which has no stem.
    ],
)
def test_a_j_has_one_dot(text, x, of_second, num_dots):
    """The second dot is higher than dots are, so that it is not the letter's own."""
    dots = [[(0.0, -1.5)], [(x, -2.7), (x, -2.6)]]
    word = letters(text, [down(0.0, 1.0), down(2.0, 1.0), *dots], 0, 2, 0, of_second)
    repaired_word = with_dots(word, 1.0, 0.0)
    assert [*map(len, repaired_word.strokes)] == [11, 11, 1, 2][: 2 + num_dots]


@pytest.mark.parametrize(
    ("x", "y", "is_kept"),
    [
        (1.2, -1.6, False),  # a dot above the `n`
        (1.2, 0.0, True),  # a stop that is beneath the end of the word
        (2.5, -1.6, True),
    ],
)
@pytest.mark.parametrize("sign", [*".,"])
def test_a_dot_over_a_word_is_no_full_stop_or_comma(sign, x, y, is_kept):
    strokes = [down(0.0, 1.0), down(2.0, 1.0), [(x, y), (x, y + 0.2)]]
    word = without_touches(letters(f"on{sign}", strokes, 0, 1, 2), 1.0)
    assert len(word.strokes) == 2 + is_kept


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


@pytest.mark.parametrize("sign", [":", ";", "!", "?"])
@pytest.mark.parametrize("is_late", [True, False])
def test_a_dot_made_at_the_sign_behind_its_word_is_no_part_of_the_sign(sign, is_late):
    """In joined hands `poi:` looked like `poï:`. A sign without such a dot keeps its strokes."""
    upper = down(0.8, 0.2) - (0.0, 0.6) if sign in ":;" else down(0.8, 1.8) - (0.0, 0.3)
    lower = [(0.8, -0.1), (0.8, 0.0)]
    dot = [(0.1, -1.5), (0.1, -1.6)]
    late = [dot] if is_late else []
    word = letters(f"i{sign}", [down(0.0, 1.0), *late, upper, lower], 0, *[1] * len(late), 1, 1)
    repaired_word = with_dots(word, 1.0, 0.0)
    assert [*map(len, repaired_word.indices)] == [11, 2 if is_late else 1, 11, 2]
    assert [indices[0] for indices in repaired_word.indices] == [0, 0, 1, 1]
    expected = dot if is_late else [(0.0, -1.6)]
    np.testing.assert_allclose(repaired_word.strokes[1], expected)
    assert_array_equal(np.concatenate(repaired_word.strokes[2:]), [*upper, *lower])


def test_a_dot_stands_above_a_stem_and_not_the_sinking_arm_that_leads_to_it():
    """In "ring" it stood above the `r`."""
    arm = [(-0.7, -1.05), (-0.4, -1.03), (-0.1, -1.01)]
    stroke = np.concatenate([[(-0.8, 0.0), (-0.8, -0.6)], arm, down(0.0, 1.0)])
    word = letters("ri", [stroke, [(0.1, -1.6)]], [0] * 2 + [1] * 14, 1)
    _, dot = with_dots(word, 1.0, 0.0).strokes
    np.testing.assert_allclose(dot, [(0.1, -1.6)], atol=0.05)


@pytest.mark.parametrize("width", [0.2, 0.6])
@pytest.mark.parametrize("dot", [[(0.1, -1.5), (0.1, -1.6)], [(0.07, -1.5), (0.13, -1.5)]])
def test_a_dot_made_at_a_hyphen_is_no_part_of_it(width, dot):
    """Otherwise the `i` of `Wi-Fi` gets a second dot. The hyphen may be as small as a dot."""
    hyphen = across(0.8, 0.8 + width, y=-0.5)
    word = letters("i-", [down(0.0, 1.0), dot, hyphen], 0, 1, 1)
    dotted = with_dots(word, 1.0, 0.0)
    assert [*map(len, dotted.strokes)] == [11, 2, 2]
    np.testing.assert_allclose(dotted.strokes[1], dot)
    assert_array_equal(dotted.strokes[2], hyphen)


def test_of_two_small_strokes_at_an_apostrophe_the_first_is_the_dot_before_it():
    """In joined hands the window is already at the apostrophe then; a letter may begin there."""
    tick, letter = [(0.6, -1.7), (0.6, -1.4)], [(1.0, -1.0), (1.0, 0.0)]
    word = letters("j's", [down(0.0, 1.0), across(0.2, y=-1.5), tick, letter], 0, 1, 1, 1)
    repaired_word = with_dots(word, 1.0, 0.0)
    assert [len(part) for part in repaired_word.strokes] == [11, 1, 2, 2]
    np.testing.assert_allclose(dots_of_first(repaired_word), [(0.2, -1.5)])


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
        ("ion", [(1.2, -1.5), (2.8, -1.5)], 2, True),  # longer than a bar
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


@pytest.mark.parametrize(
    ("text", "size", "height", "index", "is_kept"),
    [
        ("soo a", 1.3, 0.1, 3, False),  # a bar that no letter needs, made behind the word
        ("son t", 1.3, 0.1, 3, False),
        ("soo a", 1.7, 0.1, 3, True),
        ("soo a", 1.3, 0.6, 3, True),  # not flat
        ("Tso a", 1.3, 0.1, 3, True),  # the bar of the `T`, to which it has a gap
        ("soi a", 0.4, 0.1, 3, True),  # It may be the dot of the `i`.
    ],
)
def test_a_bar_over_letters_without_bars_is_left_out(text, size, height, index, is_kept):
    stems = [down(x, 1.0) for x in (0.0, 0.5, 1.0)]
    stroke = [(0.0, -1.3), (size, -1.3 - height)]
    last = [(1.5, 0.5), (1.6, 0.5)]  # of the last letter, when the window is behind it
    word = letters(text, [*stems, last, stroke], 0, 1, 2, index, index)
    assert len(without_touches(word, 1.0).strokes) == 4 + is_kept


@pytest.mark.parametrize(
    ("lean", "size", "factor"),
    [
        (0.0, (0.06, 0.08), 1.0),
        (0.0, (0.0, 0.36), 0.5),  # long
        (0.0, (0.16, 0.08), 0.5),  # flat
        (0.0, (0.16, 0.2), 0.5),  # slanting
        (0.75, (0.09, 0.12), 1.0),  # It slants as the hand does.
        (0.75, (0.24, 0.32), 0.45),
    ],
)
def test_the_dot_of_an_i_is_no_accent(lean, size, factor):
    width, height = size
    dot = np.array([(0.0, -1.6), (width, -1.6 - height)])
    stem = down(0.0, 1.0) @ [(1.0, 0.0), (-lean, 1.0)]
    word = letters("i", [stem, np.add(dot, (lean * 1.6, 0.0))], 0, 0)
    moved = with_dots(word, 1.0, lean).strokes[1]
    np.testing.assert_allclose(np.ptp(moved, axis=0), np.multiply(size, factor), atol=1e-9)


def test_a_dot_becomes_a_visible_stroke():
    np.testing.assert_allclose(with_visible_dot(np.full((3, 2), 2.0)), [[2, 1.925], [2, 2.075]])
    line = np.array([[0.0, 0.0], [0.2, 0.0]])
    assert with_visible_dot(line) is line
