"""The words of a written line, planted."""

import numpy as np

from model import Line
from model.generation.words import words
from utils.ink import from_strokes

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
    return Line(ink, primed, windows[1:], before + text, True, np.zeros(len(ink) - 1), title=text)


def test_strokes_go_to_the_word_that_the_window_is_at():
    """ "to be": letters of two strokes, and a stroke through `be`."""
    found = words(written("to be", [[0], [1], [3, 4]]))
    assert [one.text for one in found] == ["to", "be"]
    assert [len(one.strokes) for one in found] == [2, 1]
    edges = [(one.left, one.right) for one in found]
    np.testing.assert_allclose(edges, [(0.0, 18.0), (30.0, 48.0)], atol=1e-4)


def test_a_bar_that_is_drawn_late_goes_to_the_word_that_it_lies_over():
    """The `t` of "at" is crossed when "me" has been begun, and once at the blank between."""
    for window in (3, 2):
        found = words(written("at me", [[0], [1], [3, 4], ([window], 12.0)]))
        assert [one.text for one in found] == ["at", "me"]
        assert [len(one.strokes) for one in found] == [3, 1]


def test_a_dot_of_its_own_word_stays_there():
    found = words(written("at it", [[0], [1], [3], [4], ([4], 34.0)]))
    assert [len(one.strokes) for one in found] == [2, 3]


def test_words_that_a_stroke_runs_through_are_kept_together():
    found = words(written("a big cat", [[0], [2, 3, 4, 5, 6, 7], [8]]))
    assert [one.text for one in found] == ["a", "big cat"]
    assert [len(one.strokes) for one in found] == [1, 2]


def test_a_few_points_of_the_next_word_do_not_join_two():
    """The window moves on to the next word two points before the pen is lifted."""
    line = written("ab cd", [[0, 1], [3, 4]])
    line.peaks[9:11] = 3
    assert [one.text for one in words(line)] == ["ab", "cd"]


def test_a_word_without_ink_is_missing():
    assert [one.text for one in words(written("a b c", [[0], [4]]))] == ["a", "c"]


def test_a_repeated_word_is_told_from_the_first():
    found = words(written("an an a", [[0, 1], [3, 4], [6]]))
    assert [one.text for one in found] == ["an", "an", "a"]
    np.testing.assert_allclose([one.left for one in found], [0.0, 30.0, 60.0], atol=1e-4)


def test_a_primer_is_left_out():
    """Its text holds the same word; positions begin at the first point written."""
    line = written("to be", [[0], [1], [3, 4]], primer=("to be ", 9))
    found = words(line)
    assert [one.text for one in found] == ["to", "be"]
    assert [len(one.strokes) for one in found] == [2, 1]
    np.testing.assert_allclose([one.left for one in found], [0.0, 30.0], atol=1e-4)


def test_strokes_of_one_point_behind_a_primer_go_to_their_own_words():
    """The window's peak before a point is that of the point: one too late would be the next dot."""
    dots = from_strokes([np.array([[x, 0.0]]) for x in (0.0, 20.0, 40.0)])
    ink = np.concatenate([from_strokes([np.array([[-30.0, 0], [-20, 0], [-10, 0]])]), dots])
    line = Line(ink, 3, np.array([0, 1, 2, 4, 6]), "a . , :", True, np.zeros(5), title=". , :")
    found = words(line)
    assert [one.text for one in found] == [".", ",", ":"]
    assert [one.left for one in found] == [0.0, 20.0, 40.0]
