"""The ink of written words as a network learns it."""

import numpy as np
import pytest

from apps.datasets.line_ink import (
    as_by_pen,
    at_speed,
    least_joined_left_out,
    marks_behind_letters,
    with_tremor,
    within_speed,
)
from apps.pages.written_word import WrittenWord

STEP = 0.25


def wave(first, last):
    """A joined stroke with a letter in each x-height from `first` to `last`, ten points each."""
    x = np.arange(first, last, 0.1)
    return np.stack([x, -0.5 + 0.5 * np.cos(2 * np.pi * x)], 1), np.floor(x + 1e-6).astype(int)


def accent(index):
    """A mark of one letter, above its middle."""
    mark = np.array([(index + 0.4, -1.5), (index + 0.6, -1.7)])
    return mark, np.full(2, index)


def word(text, *strokes):
    points, indices = zip(*strokes, strict=True)
    return WrittenWord(points, float(len(text)), 0.5, text, indices)


def test_a_joined_stroke_is_cut_behind_each_letter_with_a_mark():
    stroke, indices = wave(0, 5)
    marks = [accent(3), accent(1)]
    ordered = marks_behind_letters(word("pését", (stroke, indices), *marks))
    kinds = ["mark" if len(each) == 2 else "letters" for each in ordered]
    assert kinds == ["letters", "mark", "letters", "mark", "letters"]
    np.testing.assert_array_equal(ordered[1], marks[1][0])
    np.testing.assert_array_equal(ordered[3], marks[0][0])
    # The pen goes on where it left the letter, and no other point is there twice.
    first, _, second, _, third = ordered
    np.testing.assert_array_equal(first[-1], second[0])
    np.testing.assert_array_equal(second[-1], third[0])
    np.testing.assert_array_equal(np.concatenate([first, second[1:], third[1:]]), stroke)
    # A letter ends a little later than in the window, and before the next one's middle.
    assert 2.0 <= first[-1, 0] <= 2.5 and 4.0 <= second[-1, 0] <= 4.5


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("été", 0, 1),  # The first letter is not joined: its mark is behind it already.
        ("eté", 0, 3),  # The mark is at the end of the stroke.
        ("ete", 0, 3),  # It is a late bar of a letter without a mark.
    ],
)
def test_a_stroke_that_ends_with_its_letter_stays_whole(text, first, last):
    stroke, indices = wave(first, last)
    index = last - 1 if text != "ete" else 1
    ordered = marks_behind_letters(word(text, (stroke, indices), accent(index)))
    assert [*map(len, ordered)] == [len(stroke), 2]


def test_a_drawn_part_gets_the_speed_of_the_pen_and_a_fast_one_stays():
    fast = np.stack([np.arange(0.0, 2.0, STEP), np.zeros(8)], 1)
    slow = np.stack([np.full(20, 1.75), -np.linspace(0.05, 1.0, 20)], 1)
    made = at_speed(np.concatenate([fast, slow]), STEP)
    steps = np.hypot(*np.diff(made, axis=0).T)
    assert steps.min() > 0.5 * STEP and len(made) < 8 + 20 / 2
    np.testing.assert_allclose(made[[0, -1]], [(0.0, 0.0), (1.75, -1.0)])
    np.testing.assert_array_equal(at_speed(fast, STEP), fast)
    dot = np.full((8, 2), 0.5) + np.linspace(0, 0.05, 8)[:, None]
    np.testing.assert_array_equal(at_speed(dot, STEP), dot)  # The pen rests.


def test_a_long_step_gets_points_on_it():
    made = within_speed(np.array([(0.0, 0.0), (0.3, 0.0), (0.3, 2.0)]))
    np.testing.assert_allclose(made, [(0, 0), (0.3, 0), (0.3, 2 / 3), (0.3, 4 / 3), (0.3, 2)])


def test_only_points_at_equal_steps_on_a_line_get_a_tremor():
    curve = wave(0, 1)[0]
    bar = np.stack([np.linspace(1.0, 2.0, 9), np.full(9, -0.5)], 1)
    made = with_tremor(np.concatenate([curve, bar]), np.random.default_rng(0))
    np.testing.assert_array_equal(made[: len(curve) - 1], curve[:-1])
    moved = made[len(curve) :] - bar
    assert (moved != 0).all() and 0.003 < np.std(moved) < 0.03  # one in millions is beyond


def test_words_of_a_network_keep_their_place():
    stroke, indices = wave(0, 4)
    made = as_by_pen(word("aéio", (stroke, indices), accent(1)), STEP, np.random.default_rng(0))
    assert len(made.strokes) == 3 and made.text == "aéio" and made.indices == ()
    x = np.concatenate(made.strokes)[:, 0]
    assert abs(x.min()) < 0.1 and abs(x.max() - 3.9) < 0.1


@pytest.mark.parametrize(
    ("ratios", "limit", "stays"),
    [
        ([0.5, 0.7, 0.6], 0.61, [True, True, True]),
        ([0.5, 0.9, 0.6], 0.6, [True, False, True]),
        ([0.9, 0.8], 0.6, [False, False]),
        ([0.9, np.nan, 0.3], 0.5, [False, True, True]),
    ],
)
def test_lines_with_the_most_strokes_are_left_out_until_the_mean_is_right(ratios, limit, stays):
    assert least_joined_left_out(ratios, limit) == stays
