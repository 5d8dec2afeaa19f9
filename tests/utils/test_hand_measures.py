"""The measures of lines against values by hand."""

import numpy as np
import pytest

from data_loader.invented.embedded import EmbeddedDataset, write
from data_loader.texts.corpus import held_out
from tests.data_loader.invented.hands import hand
from utils.hand_measures import median_lean, ring_area, too_wide, word_gaps
from utils.ink import from_strokes, strokes


def test_a_line_is_too_wide_for_its_text_by_a_point_far_off_alone():
    for number, text in enumerate(held_out(24)):
        hand = EmbeddedDataset(seed=7).invent(0, number)
        ink = write(text, hand, np.random.default_rng(number), 75.0)
        far = ink.copy()
        far[-1, 0] = 1e9
        assert too_wide(far, text) and not too_wide(ink, text)


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.25, 0.6])
def test_the_slant_of_a_line_is_that_of_its_hand(lean):
    for seed in range(3):
        upright, leaning = (
            write("several words on a line", hand(slant=one), np.random.default_rng(seed), 75.0)
            for one in (0.0, lean)
        )
        # Letters lean a little by themselves.
        assert median_lean(leaning) - median_lean(upright) == pytest.approx(lean, abs=0.08)
    assert np.isnan(median_lean(from_strokes([np.array([[0, 0], [5, 0]])])))


def bar(x, width=0.0):
    return np.array([[x, 0], [x + width, 10]])


def test_gaps_between_words_by_hand():
    # Two words of two bars each and one of one; all upright, 10 high.
    upright = from_strokes([bar(0), bar(4), bar(24), bar(28), bar(58)])
    assert word_gaps(upright, "ab cd e").tolist() == [2.0, 3.0]
    # A bar below another one, as of a t crossed late, closes a gap.
    late = from_strokes([*strokes(upright), np.array([[4, 0], [14, 0]])])
    assert word_gaps(late, "ab cd e").tolist() == [1.0, 3.0]
    leaning = from_strokes([stroke + np.array([[5, 0], [0, 0]]) for stroke in strokes(upright)])
    assert word_gaps(leaning, "ab cd e").tolist() == [1.5, 2.5]
    assert word_gaps(leaning, "ab cd e", lean=0.5).tolist() == [2.0, 3.0]
    assert len(word_gaps(upright, "ab")) == len(word_gaps(upright, "a b c d e f g")) == 0


def test_what_a_ring_encloses_by_hand():
    ring = np.array([(8, 0), (0, 0), (0, 10), (8, 10), (8, 1.5)], dtype=float)
    tail = np.array([(8, 1.5), (20, 0)], dtype=float)
    assert ring_area([ring]) == pytest.approx(0.8, abs=1e-3)
    assert ring_area([ring[:3], ring[2:]]) == pytest.approx(0.8, abs=1e-3)  # in two strokes
    assert ring_area([ring, tail]) == pytest.approx(0.8, abs=1e-3)
    assert ring_area([np.array([(0, 0), (0, 10.0)])]) == pytest.approx(0.0, abs=1e-6)
    assert ring_area([np.zeros((1, 2))]) == 0.0
