"""The words of a written line, planted."""

import numpy as np
import pytest

from handwriting.words import words
from model import Line
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


@pytest.mark.parametrize(
    ("text", "strokes", "expected"),
    [
        ("to be", [[0], [1], [3, 4]], [("to", 2, 0.0), ("be", 1, 30.0)]),
        ("a b c", [[0], [4]], [("a", 1, 0.0), ("c", 1, 40.0)]),  # b has no ink
        ("an an a", [[0, 1], [3, 4], [6]], [("an", 1, 0.0), ("an", 1, 30.0), ("a", 1, 60.0)]),
        # A stroke that runs through two words, which are kept together.
        ("a big cat", [[0], [2, 3, 4, 5, 6, 7], [8]], [("a", 1, 0.0), ("big cat", 2, 20.0)]),
        # The t of "at" is crossed when "me" has been begun, or at the blank between.
        ("at me", [[0], [1], [3, 4], ([3], 12.0)], [("at", 3, 0.0), ("me", 1, 30.0)]),
        ("at me", [[0], [1], [3, 4], ([2], 12.0)], [("at", 3, 0.0), ("me", 1, 30.0)]),
        # A dot over its own word.
        ("at it", [[0], [1], [3], [4], ([4], 34.0)], [("at", 2, 0.0), ("it", 3, 30.0)]),
    ],
)
@pytest.mark.parametrize("primer", [None, ("to be ", 9)])
def test_strokes_go_to_their_words(text, strokes, expected, primer):
    """Also behind a primer, whose text may hold the same word."""
    found = words(written(text, strokes, primer))
    assert [(one.text, len(one.strokes)) for one in found] == [one[:2] for one in expected]
    np.testing.assert_allclose(lefts(found), [left for *_, left in expected], atol=1e-4)


def lefts(found):
    return [np.concatenate(one.strokes)[:, 0].min() for one in found]


def test_strokes_of_one_point_behind_a_primer_go_to_their_own_words():
    """The window's peak before a point is that of the point: one too late would be the next dot."""
    dots = from_strokes([np.array([[x, 0.0]]) for x in (0.0, 20.0, 40.0)])
    ink = np.concatenate([from_strokes([np.array([[-30.0, 0], [-20, 0], [-10, 0]])]), dots])
    line = Line(ink, 3, np.array([0, 1, 2, 4, 6]), "a . , :", True, np.zeros(5), title=". , :")
    found = words(line)
    assert [one.text for one in found] == [".", ",", ":"]
    assert lefts(found) == [0.0, 20.0, 40.0]
