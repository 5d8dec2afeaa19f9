"""The words of a written line, planted."""

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from apps.pages.hand_shape import HandShape
from apps.pages.letter_strokes import LetterStrokes
from apps.pages.word_cutting import (
    as_high,
    cut_words,
    level,
    limited_gap,
    on_baseline,
    shear,
    to_written_words,
    widen,
    without_holes,
    written_words,
)
from ink.geometry import from_strokes, turned_back
from model import Line

WIDTH = 10.0
"""Of a character."""


def written(text, strokes, primer=None):
    """A line of strokes, each a list of characters' numbers that it is drawn at, 6 points each.

    A stroke may also be `(numbers, x)`: a small mark at x, drawn while the window is at `numbers`.
    """
    parts, seen = [], []
    for stroke in strokes:
        numbers, x = stroke if isinstance(stroke, tuple) else (stroke, None)
        if x is None:
            along = np.linspace(numbers[0] * WIDTH, (numbers[-1] + 0.8) * WIDTH, 6 * len(numbers))
            parts.append(np.stack([along, np.sin(along)], axis=1))
        else:
            parts.append(np.array([[x, -20.0], [x + 3, -20.0], [x + 4, -20.0]]))
        seen.append(np.repeat(numbers, len(parts[-1]) // len(numbers)))
    ink, windows = from_strokes(parts), np.concatenate(seen)
    primed, before = 0, ""
    if primer is not None:
        before, points = primer
        lead = from_strokes([np.stack([np.linspace(-90, -10, points), np.zeros(points)], axis=1)])
        ink[0, 0] = 10.0
        ink, primed = np.concatenate([lead, ink]), points
        windows = np.concatenate([np.zeros(points, int), windows + len(before)])
    return Line(
        ink, primed, windows[1:], before + text, True, np.zeros(len(ink) - 1), written_text=text
    )


@pytest.mark.parametrize(
    ("text", "strokes", "expected"),
    [
        ("to be", [[0], [1], [3, 4]], [("to", 2, 0.0), ("be", 1, 30.0)]),
        ("a b c", [[0], [4]], [("a", 1, 0.0), ("b", 0, None), ("c", 1, 40.0)]),  # b has no ink
        # A short word in the stroke of a long word.
        (
            "a 4 clocks",
            [[0], [2, *[k for k in range(4, 10) for _ in (1, 2)]]],
            [("a", 1, 0.0), ("4 clocks", 1, 20.0)],
        ),
        ("an an a", [[0, 1], [3, 4], [6]], [("an", 1, 0.0), ("an", 1, 30.0), ("a", 1, 60.0)]),
        # A stroke that runs through two words, which are kept together.
        ("a big cat", [[0], [2, 3, 4, 5, 6, 7], [8]], [("a", 1, 0.0), ("big cat", 2, 20.0)]),
        # The t of "at" is crossed when "me" has been begun, or at the blank between.
        ("at me", [[0], [1], [3, 4], ([3], 12.0)], [("at", 3, 0.0), ("me", 1, 30.0)]),
        ("at me", [[0], [1], [3, 4], ([2], 12.0)], [("at", 3, 0.0), ("me", 1, 30.0)]),
        # The bar of a 5 is made before "me" is begun, while the window is there; it stands out.
        ("a5 me", [[0], [1], ([3], 16.5), [3, 4]], [("a5", 3, 0.0), ("me", 1, 30.0)]),
        # So does the first dash of "me", which is nearer to its own word.
        ("a5 me", [[0], [1], ([3], 25.5), [3, 4]], [("a5", 2, 0.0), ("me", 2, 25.5)]),
        # A dot over its own word.
        ("at it", [[0], [1], [3], [4], ([4], 34.0)], [("at", 2, 0.0), ("it", 3, 30.0)]),
    ],
)
@pytest.mark.parametrize("primer", [None, ("to be ", 9)])
def test_each_stroke_of_a_line_goes_to_the_word_that_it_belongs_to(text, strokes, expected, primer):
    """Also behind a primer, whose text may hold the same word."""
    texts, inks = words(written(text, strokes, primer))
    assert [*zip(texts, map(len, inks), strict=True)] == [word[:2] for word in expected]
    given = [left for *_, left in expected if left is not None]
    np.testing.assert_allclose(lefts([*filter(None, inks)]), given, atol=1e-4)


def words(line):
    cut = cut_words(LetterStrokes.of(line), line.written_text)
    return [word.text for word in cut], [word.strokes for word in cut]


def letters(text, strokes):
    """A word whose strokes were made at its characters, one at each."""
    indices = [np.full(len(stroke), k) for k, stroke in enumerate(strokes)]
    return LetterStrokes(text, strokes, indices)


def lefts(inks):
    return [np.concatenate(ink)[:, 0].min() for ink in inks]


def zigzag(lean=0.0):
    """Straight down, then up to the right: 16 strokes of the pen down, which lean."""
    corners = np.array([[12.0 * (k // 2), 10.0 * (k % 2)] for k in range(32)])
    steps = np.linspace(0, 1, 10, endpoint=False)[:, None]
    points = np.concatenate([a + steps * (b - a) for a, b in pairwise(corners)])
    return points - lean * points[:, 1:] * [1.0, 0.0]


def shape_of(points):
    return HandShape.of((from_strokes([points]), "zzzzzzzz"))


def lean_of(points):
    down = points[9::20] - points[:-9:20]
    return -down[:, 0] / down[:, 1]


def slopes_of(points):
    """Return the slopes between the low turning points of a zigzag."""
    low = points[10::20]
    return np.diff(low[:, 1]) / np.diff(low[:, 0])


def test_words_are_turned_back_by_the_slope_of_the_hand_and_partly_by_their_own():
    """Of the slope that remains in 8 characters, 8 / (8 + 2) are undone."""
    hand, own = 0.1, 0.15
    shape = shape_of(turned_back(zigzag(), -hand))
    ((ink,),) = level([[turned_back(zigzag(), -own)]], shape.angle, 8)
    assert shape.angle == pytest.approx(hand, abs=1e-3)
    np.testing.assert_allclose(slopes_of(ink), math.tan(0.2 * (own - hand)), atol=1e-3)


@pytest.mark.parametrize(("primed", "left"), [(0, 0.0), (1, -0.2)])
def test_only_a_line_that_continues_a_primer_is_turned_by_the_slope_of_the_primer(primed, left):
    """The primer has a slope of 0.1. A level line of 8 characters turns by 2 / (8 + 2) of it."""
    strokes = [np.zeros((1, 2))] * primed + [zigzag()]
    word = written_word("z" * 8, strokes, primed, turned_back(zigzag(), -0.1))
    np.testing.assert_allclose(slopes_of(word.strokes[0]), math.tan(0.1 * left), atol=2e-3)


@pytest.mark.parametrize("own", [-20.0, 0.0, 25.0])
@pytest.mark.parametrize(("is_of_hand", "remaining"), [(False, 0.2), (True, 0.0)])
def test_words_get_the_slant_that_is_asked_for_whatever_their_hand(own, is_of_hand, remaining):
    """Of what 8 characters lean more than the primer, 8 / (8 + 2) are undone, and 0.2 remain."""
    lean, asked = math.tan(math.radians(own)), math.tan(math.radians(15.0))
    ink = zigzag(lean)
    ((sheared,),) = shear([[ink]], shape_of(ink if is_of_hand else zigzag()), asked, 8)
    np.testing.assert_allclose(sheared[:, 1], ink[:, 1])
    np.testing.assert_allclose(lean_of(sheared), asked + remaining * lean, atol=2e-3)


@pytest.mark.parametrize(("stretch", "left"), [(1.2, 1.2 ** (6 / 14)), (3.0, 3.0 / 1.33), (1, 1)])
def test_letters_become_nearly_as_wide_as_those_of_the_primer(stretch, left):
    """Of 8 characters, 8 / (8 + 6) of how much wider they are is believed; they lean as before."""
    ink = zigzag(0.3 / stretch) * [stretch, 1.0]
    ((widened,),) = widen([[ink]], shape_of(zigzag(0.3)), "z" * 8, 8)
    assert np.ptp(widened[:, 0]) == pytest.approx(left * np.ptp(zigzag(0.3)[:, 0]), 0.01)
    np.testing.assert_allclose(lean_of(widened), 0.3, atol=0.02)


@pytest.mark.parametrize(("factor", "left"), [(1.2, 1.2 ** (5 / 10)), (0.8, 0.8 ** (5 / 10))])
def test_a_line_becomes_nearly_as_high_as_its_hand(factor, left):
    """Of 5 small letters, 5 / (5 + 5) of how much higher they are is believed. Figures, capitals
    and letters that are higher show nothing, though most of the line is theirs."""
    ink, tall = zigzag() * factor, zigzag() * 2 * factor
    words = {"55": [tall], "zzzzz": [ink] * 5, "HUT": [tall], "till": [tall] * 4}
    cut = []
    for text, strokes in words.items():
        cut.append(
            LetterStrokes(text, strokes, [np.full(len(ink), k) for k in range(len(strokes))])
        )
    changed = as_high([*words.values()], cut, np.ptp(zigzag()[:, 1]))
    assert np.ptp(changed[1][0][:, 1]) == pytest.approx(left * np.ptp(zigzag()[:, 1]), 0.01)
    assert_array_equal(as_high([[tall]], cut[:1], 10.0)[0][0], tall)


@pytest.mark.parametrize("own", [-0.2, 0.3])
def test_words_of_a_hand_lean_as_it_does_also_without_a_slant(own):
    """Of what 8 characters lean more than the hand, 8 / (8 + 2) are undone."""
    word = written_word("z" * 8, [zigzag(own)])
    np.testing.assert_allclose(lean_of(word.strokes[0]), 0.2 * own, atol=0.02)


def written_word(text, strokes, primed=0, hand=None):
    """The word of a line of `strokes` in a hand of zigzags; `primed` points are the primer."""
    ink = from_strokes(strokes)
    bias = np.zeros(len(ink) - 1)
    line = Line(ink, primed, np.zeros(len(bias), int), text, True, bias, written_text=text)
    (word,) = written_words(line, text, shape_of(zigzag() if hand is None else hand), None)
    return word


@pytest.mark.parametrize("text", ["z", "zzz", "/", "///"])
def test_a_line_that_continues_no_primer_stands_on_the_feet_of_its_own_letters(text):
    """It begins with another letter than the hand's primer, half an x-height lower."""
    strokes = [np.concatenate([[[-3.0, 5.0]], zigzag()])]
    assert written_word(text, strokes).strokes[0][:, 1].max() == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("depth", [30.0, 60.0])
def test_a_word_stands_on_its_small_letters_however_long_its_tail(depth):
    """The letters, five strokes of 10 units down, stand at 10; the tail comes first."""
    tail = np.array([[-6.0, 0.0], [-8.0, depth], [-9.0, depth], [-2.0, 10.0]])
    word = written_word("jam", [tail, zigzag()[:100]])
    assert word.strokes[1][:, 1].max() == pytest.approx(0.0, abs=0.1)


def test_a_dash_alone_stands_above_the_baseline():
    word = written_word("–", [np.array([[0.0, 0.0], [8.0, 2.0]])])
    np.testing.assert_allclose(word.strokes[0][:, 1], [-0.6, -0.4], atol=0.01)


@pytest.mark.parametrize(
    ("text", "low", "bottom"), [("z.", 5.0, 0.0), ("z.", -6.0, -0.12), ("z,", 5.0, 0.9)]
)
def test_a_full_stop_is_set_on_the_baseline_and_a_short_comma_becomes_longer(text, low, bottom):
    mark = np.array([[220.0, low - 2.0], [220.0, low]]) + np.array([0.0, zigzag()[:, 1].max()])
    (word,) = to_written_words([letters(text, [zigzag(), mark])], shape_of(zigzag()), 10.0)
    feet = [stroke[:, 1].max() for stroke in word.strokes]
    assert feet[1] - feet[0] == pytest.approx(bottom, abs=0.01)


def test_words_keep_the_heights_at_which_they_were_written_relative_to_each_other():
    """The second word is 3 units, 0.3 x-heights, lower."""
    inks = [letters("z" * 8, [zigzag() + shift]) for shift in ((0.0, 0.0), (220.0, 3.0))]
    feet = [word.strokes[0][:, 1].max() for word in to_written_words(inks, shape_of(zigzag()), 0.0)]
    assert feet[1] - feet[0] == pytest.approx(0.3, abs=0.01)


def word_at(text, heights, step=12.0):
    """A word of upright stems of 10 units, one a character, which stand at `heights`."""
    stems = [np.array([[step * k, y - 10.0], [step * k, y]]) for k, y in enumerate(heights)]
    return letters(text, stems)


def heights_of(word):
    return [stroke[-1, 1] for stroke in word.strokes]


@pytest.mark.parametrize("low", [12.0, 4.0, -6.0])
@pytest.mark.parametrize("text", ["On", "at", "145", "HUT", "nij"])
def test_a_word_stands_on_its_row_and_a_sign_beside_it_moves_with_it(text, low):
    """Of how far n feet are off, n / (n + 0.25) are undone; the tail of a `j` is no foot."""
    heights = [low + 15.0 * (letter == "j") for letter in text]
    words = [word_at(text, heights), word_at("&", [0.0]), word_at("nnnn", [0.0] * 4)]
    moved = on_baseline(words, 0.0, 10.0)
    num_feet = len(text) - text.count("j")
    assert heights_of(moved[0])[0] == pytest.approx(low * 0.25 / (num_feet + 0.25), abs=0.01)
    shift = low - heights_of(moved[0])[0]
    assert heights_of(moved[1])[0] == pytest.approx(-shift / 2, abs=0.01)
    assert_array_equal(moved[2].strokes, words[2].strokes)
    assert_array_equal(on_baseline(words[1:2], 0.0, 10.0)[0].strokes, words[1].strokes)


@pytest.mark.parametrize(("rise", "left"), [(8.0, 2.5), (-8.0, -2.5), (2.0, 2.0)])
def test_a_word_that_rises_is_turned_until_it_rises_a_quarter_of_an_x_height(rise, left):
    """A capital half a letter below the letter behind it was the first word of a line."""
    (moved,) = on_baseline([word_at("On", [rise / 2, -rise / 2])], 0.0, 10.0)
    first, last = heights_of(moved)
    assert first - last == pytest.approx(left, abs=0.01)
    assert (first + last) / 2 == pytest.approx(0.0, abs=0.3)


def test_a_tail_that_the_window_counts_to_the_next_letter_is_no_foot():
    """In joined hands the window is at the `e` while the pen is still in the tail of the `y`."""
    tail = np.array([[0.0, -10.0], [2.0, 0.0], [4.0, 14.0], [8.0, -8.0], [10.0, 0.0], [12.0, -8.0]])
    word = LetterStrokes("ye", [tail], [np.array([0, 0, 1, 1, 1, 1])])
    assert_array_equal(on_baseline([word], 0.0, 10.0)[0].strokes, word.strokes)


@pytest.mark.parametrize(
    ("apart", "space", "gap"), [(0.1, 2.0, 1.6), (2.1, 2.0, 2.1), (50.0, 2.0, 2.7), (0.1, 1.0, 1.0)]
)
def test_blanks_are_neither_too_narrow_nor_too_wide(apart, space, gap):
    assert limited_gap(apart, space) == pytest.approx(gap)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (4, -1.5, 1.9),  # 0.45 of the gap between words
        (1.2, -1.5, 1.2),  # near enough
    ],
)
def test_ink_that_stands_off_its_word_is_moved_to_it(x, y, expected):
    letter, stem = np.array([(0, 0), (1, -1.0)]), np.array([(x, 0), (x, y)])
    bar = np.array([(0.5, -1.2), (0.7, -1.2)])  # written last, over the letter
    strokes = without_holes([letter, stem, bar], 2.0)
    assert strokes[1][:, 0] == pytest.approx([expected] * 2)
    assert_array_equal([strokes[0], strokes[2]], [letter, bar])


@pytest.mark.parametrize(("text", "dotted"), [("it is", True), ("is in it", False), ("a b", True)])
def test_a_hand_is_dotted_unless_most_i_of_its_primer_lack_dots(text, dotted):
    t = np.linspace(0, 8 * math.pi, 400)
    dot = np.array([(40, -13.0), (40, -13.5)])
    ink = from_strokes([np.stack([10 * t, -5 + 5 * np.sin(t)], 1), dot])
    assert HandShape.of((ink, text)).dotted == dotted
