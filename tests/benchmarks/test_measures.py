"""The measures of lines against known changes of them, and values by hand."""

import math

import numpy as np
import pytest

from benchmarks.measures import MEASURES, curvature, measure
from data_loader.invented.embedded import EmbeddedDataset, write
from data_loader.texts.corpus import held_out
from utils.ink import from_strokes, x_height

TEXTS = held_out(24)
PEOPLE = EmbeddedDataset(seed=7, fonts=["print", "italic", "cursive"])


def hand(number):
    return PEOPLE.invent(0, number)


def lines(rate=75.0):
    generators = map(np.random.default_rng, range(len(TEXTS)))
    return [write(text, hand(n), next(generators), rate) for n, text in enumerate(TEXTS)]


def measured(inks):
    """Return each measure of lines of the texts, `(lines,)`."""
    result = [measure(ink, text) for ink, text in zip(inks, TEXTS, strict=True)]
    return {name: np.array([each[name] for each in result]) for name in MEASURES}


def test_measures_hardly_change_with_unit_and_sampling_rate():
    plain = measured(lines())
    larger = measured([ink * np.array([32, 32, 1], dtype=np.float32) for ink in lines()])  # exact
    for name in MEASURES:
        np.testing.assert_allclose(larger[name], plain[name], rtol=1e-3, atol=1e-6)
    denser = measured(lines(rate=200.0))
    for name in ("x_height_ratio", "letter_width", "lifts", "curvature", "word_space"):
        assert np.nanmedian(denser[name] / plain[name]) == pytest.approx(1, abs=0.03), name
    assert np.nanmedian(denser["slant"] - plain["slant"]) == pytest.approx(0, abs=0.5)


def test_curvature_of_a_circle_and_a_corner_are_those_worked_by_hand():
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = from_strokes([50 * np.stack([np.cos(angle), np.sin(angle)], axis=1)])
    assert x_height(circle) == pytest.approx(100, rel=1e-3)
    # The radius is half an x-height. The last step has no turn after it.
    assert curvature(circle) == pytest.approx(2.0, abs=0.1)
    corner = from_strokes([np.array([[0, 0], [0, 100], [100, 100]])])
    assert curvature(corner) == pytest.approx(math.pi / 2 / 2)


def test_lifts_and_widths_of_bars_are_those_worked_by_hand():
    # Two words of two bars each and one of one; all upright, 10 high.
    bars = from_strokes([np.array([[x, 0], [x, 10]]) for x in (0, 4, 24, 28, 58)])
    result = measure(bars, "ab cd e")
    assert result["letter_width"] == pytest.approx(5.8 / 7) and result["lifts"] == 1.0
    assert result["word_space"] == pytest.approx(2.5)
