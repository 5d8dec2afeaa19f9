"""Shapes of digits and signs, in a hand with an x-height of 1."""

import numpy as np
import pytest

from apps.pages.sign_shapes import (
    NO_RING,
    has_its_dots,
    shape_faults,
    without_unknown,
)
from apps.pages.written_word import WrittenWord

RING = [(0.6, -1.1), (0.5, -1.2), (0, -1.2), (0, -0.7), (0.6, -0.7), (0.6, -1.1), (0.6, 0)]
HOOK = [(0.2, -1.1), (0, -1.2), (0, -1.0), (0.4, -1.0), (0.4, 0.0)]
BAR, LOW_BAR = [(0, -0.7), (1, -0.7)], [(0, -0.3), (1, -0.3)]
UP, DOWN = [(0, 0.0), (0.6, -1.0)], [(0, -1.0), (0.6, 0.0)]
BOW = [(0.8, -1.4), (0, -1.0), (0, -0.4), (0.8, 0.0)]
DEGREE = [(0, -1.5), (0.4, -1.5), (0.4, -1.9), (0, -1.9), (0, -1.5)]
ACUTE = [(0.3, -1.3), (0.5, -1.6)]
DOT = [(0, -1.5), (0.05, -1.65)]
STEM, STOP = [(0, -1.8), (0, 0)], [(0, -0.1), (0, 0.0)]


def word(text, *strokes):
    """A word of strokes, each with the number of its character, and an x."""
    points = [np.add(stroke, (x, 0.0)) for _, x, stroke in strokes]
    indices = [np.full(len(stroke), number) for number, _, stroke in strokes]
    return WrittenWord(tuple(points), 1.0, 1.0, text, tuple(indices))


def moved(stroke, x):
    return [(a + x, b) for a, b in stroke]


@pytest.mark.parametrize(
    ("text", "strokes", "fault"),
    [
        ("9", [RING], None),
        ("9", [HOOK], NO_RING),
        ("1", [[(0, 0), (0, -1.8)]], None),
        ("2", [[(0, -1.6), (0.6, -1.8), (0, 0), (0.7, 0)]], None),
        ("2", [[(0, -1.6), (0.6, -1.8), (0, 0), (0.1, 0)]], "no clear 2"),  # looks like a ?
        ("4", [BOW, DOWN], None),
        ("4", [BOW], "no clear 4"),  # without its stem
        ("=", [BAR, LOW_BAR], None),
        ("=", [BAR], "no clear ="),
        ("+", [BAR, moved(DOWN, 0.2)], None),
        ("+", [BAR, moved(DOWN, 2.0)], "no clear +"),
        ("–", [BAR], None),
        ("–", [DOWN], "no clear –"),
        ("$", [BOW, moved(DOWN, 0.1)], None),
        ("$", [BOW], "no clear $"),
        ("°", [DEGREE], None),
        ("°", [DEGREE, LOW_BAR], None),  # with the bar of a 7, which was written last
        ("°", [[(0, -1.5), (0.1, -1.9)]], "no clear °"),
        ("!", [STEM, STOP], None),
        ("!", [STEM], "no clear !"),
        ("!", [np.subtract(STEM, (0, 1.0)), np.subtract(STOP, (0, 1.0))], "no clear !"),  # high
        ("!", [[(0, -0.9), (0, -0.5)], STOP], "no clear !"),  # small
        ("x", [UP, DOWN], None),
        ("lȚ", [DOWN], "Ț without its mark"),
        ("lé", [DOWN], "é without its mark"),
        ("le", [DOWN], None),
        ("x", [UP, moved(DOWN, 0.7)], "an x that does not cross"),
    ],
)
def test_a_character_without_the_strokes_that_distinguish_it_has_a_fault(text, strokes, fault):
    faults = [*shape_faults(word(text, *[(0, 0.0, stroke) for stroke in strokes]))]
    assert faults == [fault] * (fault is not None)


def joined_word(text, width, gap=0.0):
    """Two letters of one stroke: a stem, then an ellipse of this width, 1 high, whose ends are
    apart by a `gap`, and a way out."""
    to_gap = 2 * np.arcsin(gap)  # radians, for a circle
    angles = np.linspace(np.pi / 2, np.pi * 5 / 2 - to_gap, 20)
    ring = np.stack([1.0 + width / 2 * np.cos(angles), -0.5 - np.sin(angles) / 2], 1)
    way_out = [ring[-1] + 1.4 * (ring[-1] - (1.0, -0.5)), (2.0, -1.0)]
    stem = np.linspace((0.3, -1.0), (0.3, 0.0), 8)
    stroke = np.concatenate([stem, ring, way_out])
    indices = np.repeat([0, 1], [8, 22])
    return WrittenWord((stroke,), 2.0, 1.0, text, (indices,))


@pytest.mark.parametrize(
    ("text", "width", "gap", "has_fault"),
    [
        ("no", 0.5, 0.0, False),
        ("no", 0.5, 0.2, False),
        ("no", 0.1, 0.0, True),  # An ellipse has pi / 4 of its width as area: 0.08.
        ("no", 0.25, 0.0, False),  # 0.2
        ("no", 0.8, 0.6, True),  # open
        ("na", 0.1, 0.0, False),
        ("No", 0.1, 0.0, False),  # The window may be early.
    ],
)
def test_a_joined_o_has_a_ring(text, width, gap, has_fault):
    faults = [*shape_faults(joined_word(text, width, gap))]
    assert faults == ["an o without a ring"] * has_fault


def test_an_o_that_stands_alone_is_not_looked_at():
    assert not [*shape_faults(word("o", (0, 0.0, BOW)))]


@pytest.mark.parametrize(
    ("text", "first", "second", "faults"),
    [
        ("l'", UP, moved(ACUTE, 0.3), []),
        ("l'", UP, moved(DOWN, 0.3), ["no clear apostrophe"]),  # not above the letters
        ("lt", UP, moved(DOWN, 0.3), []),
        ("lt", UP, moved(LOW_BAR, 0.3), ["t without its stem"]),
        ("lF", UP, moved(STEM, 0.3), []),
        ("lF", UP, moved(LOW_BAR, 0.3), ["F without its stem"]),
        ("lF", UP, moved([(0, -1.8), (0, -1.0)], 0.3), ["F without its stem"]),  # short
        ("1.", STEM, moved(STOP, 0.4), []),
        ("1.", STEM, STOP, ["a stop that is not clear"]),  # on the digit
        ("1.", STEM, np.add(STOP, (0.4, -0.8)), ["a stop that is not clear"]),  # not on the line
    ],
)
def test_a_character_that_its_neighbour_makes_unclear_has_a_fault(text, first, second, faults):
    assert [*shape_faults(word(text, (0, 0.0, first), (1, 0.0, second)))] == faults


@pytest.mark.parametrize(
    ("text", "marks", "expected"),
    [
        ("n–", [moved(BAR, 1.0)], ("n", 1)),
        ("né", [moved(ACUTE, 1.0)], None),
        ("nß", [], None),
    ],
)
def test_a_reader_of_ascii_sees_words_without_the_signs_that_it_lacks(text, marks, expected):
    written = word(text, (0, 0.0, BOW), (1, 1.0, BOW), *[(1, 0.0, mark) for mark in marks])
    shown = without_unknown(written, str.isascii)
    assert (shown and (shown[0], len(shown[1]))) == expected


def test_a_letter_within_a_strange_sign_s_stroke_cannot_be_shown_alone():
    assert without_unknown(word("n–", (1, 0.0, [*BOW, *BAR])), str.isascii) is None


@pytest.mark.parametrize(
    ("text", "dots", "expected"),
    [
        ("in", [DOT], True),
        ("in", [], False),
        ("in", [DOT, np.add(DOT, (1.0, 0.0))], False),
        ("in", [[(0.0, -1.5), (0.2, -1.5)]], True),  # a dash
        ("nt", [[(1.0, -1.5), (1.2, -1.5)]], True),  # a part of the bar of the `t`
        ("no", [DOT], False),
        ("no", [np.add(DOT, (0.0, 1.5))], True),  # a full stop
        ("nï", [DOT, np.add(DOT, (0.3, 0.0))], True),  # Its marks are drawn.
        ('"n"', [DOT], True),
    ],
)
def test_a_word_has_the_dots_of_its_letters(text, dots, expected):
    stems = [(k, float(k), STEM) for k in range(2)]
    assert has_its_dots(word(text, *stems, *((0, 0.0, dot) for dot in dots))) == expected
