"""Measures of lines against values worked by hand."""

import numpy as np
import pytest

from data_loader.synthetic.invented.font_writers import write
from ink.geometry import from_strokes
from ink.measures import median_lean, ring_area, too_wide, word_gaps
from tests.data_loader.synthetic.invented.hands import hand, line, texts

RING = np.array([(8, 0), (0, 0), (0, 10), (8, 10), (8, 1.5)], dtype=float)
BARS = [np.array([[x, 0], [x, 10]]) for x in (0, 4, 24, 28, 58)]
"""Two words of two letters and one of one, 10 high."""


@pytest.mark.parametrize("number", range(12))
def test_a_line_is_too_wide_for_its_text_when_a_point_is_far_off(number):
    ink, text = line(number, number), texts(24)[number]
    assert not too_wide(ink, text)
    ink[-1, 0] = 1e9
    assert too_wide(ink, text)


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.25, 0.6])
def test_the_lean_of_a_line_is_the_slant_of_its_hand(lean):
    upright, leaning = (
        write("several words on a line", hand(slant=slant), np.random.default_rng(1), 75.0)
        for slant in (0.0, lean)
    )
    # Letters lean a little by themselves.
    assert median_lean(leaning) - median_lean(upright) == pytest.approx(lean, abs=0.08)


def test_ink_without_downstrokes_has_no_lean():
    assert np.isnan(median_lean(from_strokes([np.array([[0, 0], [5, 0]])])))


@pytest.mark.parametrize(
    ("text", "tops", "lean", "gaps"),
    [
        ("ab cd e", 0, 0, [2, 3]),
        ("ab cd e", 5, 0, [1.5, 2.5]),
        ("ab cd e", 5, 0.5, [2, 3]),
        ("ab", 0, 0, []),
        ("a b c d e f g", 0, 0, []),
    ],
)
def test_word_gaps_are_those_between_upright_words_in_x_heights(text, tops, lean, gaps):
    ink = from_strokes([bar + np.array([[tops, 0], [0, 0]]) for bar in BARS])
    assert word_gaps(ink, text, lean=lean).tolist() == gaps


def test_a_bar_below_a_gap_makes_it_narrower():
    ink = from_strokes([*BARS, np.array([[4, 0], [14, 0]])])
    assert word_gaps(ink, "ab cd e").tolist() == [1, 3]


@pytest.mark.parametrize(
    ("parts", "area"),
    [
        ([RING], 0.8),
        ([RING[:3], RING[2:]], 0.8),  # in two strokes
        ([RING, np.array([RING[-1], (20, 0)])], 0.8),  # with a tail
        ([np.array([(0, 0), (0, 10.0)])], 0),
        ([np.zeros((1, 2))], 0),
    ],
)
def test_the_area_of_a_ring_is_relative_to_its_height_squared(parts, area):
    assert ring_area(parts) == pytest.approx(area, abs=1e-3)


def test_a_long_flat_stroke_has_no_ring():
    assert ring_area([np.array([[0.0, 0.0], [5000.0, 1.0], [0.0, 0.5]])]) == 0.0
