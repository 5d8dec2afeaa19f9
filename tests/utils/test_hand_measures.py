"""The measures of lines against known writers, known changes of their lines, and values by hand."""

import math
import tracemalloc

import numpy as np
import pytest

from data_loader.synthetic.corpus import held_out
from data_loader.synthetic.embedded import EmbeddedDataset, write
from tests.data_loader.synthetic.hands import turned
from utils.checks import DataError
from utils.hand_features import hand_features
from utils.hand_measures import (
    MEASURES,
    baseline_angle,
    clear_dots,
    curvature,
    hidden_marks,
    measure,
    ring_area,
    too_wide,
    word_gaps,
)
from utils.ink import from_strokes, strokes, to_points, x_height

TEXTS = held_out(24)
PEOPLE = EmbeddedDataset(seed=7, fonts=["print", "italic", "cursive"])


def hand(number):
    return PEOPLE.invent(0, number)


def lines(rate=75.0):
    return [
        write(text, hand(number), np.random.default_rng(number), rate)
        for number, text in enumerate(TEXTS)
    ]


def measured(inks):
    """Return each measure of lines of the texts, `(lines,)`."""
    found = [measure(ink, text) for ink, text in zip(inks, TEXTS, strict=True)]
    return {name: np.array([one[name] for one in found]) for name in MEASURES}


LINES = lines()
PLAIN = measured(LINES)


def moved(ink, change):
    """Return the ink whose points are `change` of those of `ink`."""
    result = ink.copy()
    result[1:, :2] = np.diff(change(to_points(ink)), axis=0)
    return result


@pytest.mark.parametrize("far", [1e6, 1e9])
def test_a_point_far_off_does_not_fill_the_memory(far):
    ink = from_strokes([np.array([[0.0, 0], [far, 0]]), np.array([[far, 0], [far, 1.0]])])
    tracemalloc.start()
    found = measure(ink, "hello"), hand_features(ink)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[0]["curvature"] == 0 and np.isfinite(found[1]).all()
    assert peak < 64 * 2**20


def test_a_line_is_too_wide_for_its_text_by_a_point_far_off_alone():
    for ink, text in zip(LINES, TEXTS, strict=True):
        far = ink.copy()
        far[-1, 0] = 1e9
        assert too_wide(far, text) and not too_wide(ink, text)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_letters_that_grow_in_the_second_half_raise_the_ratio(factor):
    def grown(points):
        x = points[:, 0]
        level = points[:, 1] - np.polyval(np.polyfit(*points.T, 1), x)
        # About the baseline, which the low points are near to, so that it stays.
        level -= np.quantile(level, 0.8)
        return np.stack([x, np.where(x > (x.min() + x.max()) / 2, factor, 1) * level], axis=1)

    found = measured([moved(ink, grown) for ink in LINES])
    ratios = found["x_height_ratio"] / PLAIN["x_height_ratio"]
    assert np.median(ratios) == pytest.approx(factor, rel=0.05)
    assert np.quantile(np.abs(np.log(ratios / factor)), 0.75) < 0.1
    assert np.nanmedian(found["x_height_spread"]) > 1.5 * np.nanmedian(PLAIN["x_height_spread"])


def test_known_hands_are_told_apart():
    for name in ("slant", "word_space"):
        known = [getattr(hand(number), name) for number in range(len(TEXTS))]
        assert np.corrcoef(known, PLAIN[name])[0, 1] > 0.7


@pytest.mark.parametrize("degrees", [-3.0, 10.0])
def test_a_turned_line_has_another_slope_and_nothing_else(degrees):
    found = measured([turned(ink, degrees) for ink in LINES])
    signed = [math.degrees(baseline_angle(ink)) + degrees for ink in LINES]
    assert np.median(np.abs(found["slope"] - np.abs(signed))) < 0.2
    for name in ("slant", "letter_width", "curvature", "word_space"):
        change = np.nanmedian(np.abs(found[name] - PLAIN[name]))
        assert change < 0.05 * np.nanstd(PLAIN[name]) + 0.02


def test_unit_and_sampling_rate_do_not_matter():
    larger = measured([ink * np.array([32, 32, 1], dtype=np.float32) for ink in LINES])  # exact
    for name in MEASURES:
        np.testing.assert_allclose(larger[name], PLAIN[name], rtol=1e-3, atol=1e-6)
    denser = measured(lines(rate=200.0))
    for name in ("x_height_ratio", "letter_width", "lifts", "curvature", "word_space"):
        assert np.nanmedian(denser[name] / PLAIN[name]) == pytest.approx(1, abs=0.03), name
    assert np.nanmedian(denser["slant"] - PLAIN["slant"]) == pytest.approx(0, abs=0.5)


def test_curvature_by_hand():
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = from_strokes([50 * np.stack([np.cos(angle), np.sin(angle)], axis=1)])
    assert x_height(circle) == pytest.approx(100, rel=1e-3)
    # The radius is half an x-height. The last step has no turn after it.
    assert curvature(circle) == pytest.approx(2.0, abs=0.1)
    corner = from_strokes([np.array([[0, 0], [0, 100], [100, 100]])])
    assert curvature(corner) == pytest.approx(math.pi / 2 / 2)


def bar(x, width=0.0):
    return np.array([[x, 0], [x + width, 10]])


def test_gaps_lifts_and_widths_by_hand():
    # Two words of two bars each and one of one; all upright, 10 high.
    upright = from_strokes([bar(0), bar(4), bar(24), bar(28), bar(58)])
    assert word_gaps(upright, "ab cd e").tolist() == [2.0, 3.0]
    found = measure(upright, "ab cd e")
    assert found["letter_width"] == pytest.approx(5.8 / 7) and found["lifts"] == 1.0
    assert found["word_space"] == pytest.approx(2.5)
    # A bar below another one, as of a t crossed late, closes a gap.
    late = from_strokes([*strokes(upright), np.array([[4, 0], [14, 0]])])
    assert word_gaps(late, "ab cd e").tolist() == [1.0, 3.0]
    leaning = from_strokes([stroke + np.array([[5, 0], [0, 0]]) for stroke in strokes(upright)])
    assert word_gaps(leaning, "ab cd e").tolist() == [1.5, 2.5]
    assert word_gaps(leaning, "ab cd e", lean=0.5).tolist() == [2.0, 3.0]
    assert len(word_gaps(upright, "ab")) == len(word_gaps(upright, "a b c d e f g")) == 0


def test_what_is_too_short_is_not_a_number():
    def nothing(ink, text):
        return {name for name, value in measure(ink, text).items() if math.isnan(value)}

    letter = write("a", hand(0), np.random.default_rng(0), 75.0)
    assert nothing(letter, "a") >= {"slope", "x_height_ratio", "x_height_spread", "word_space"}
    assert not nothing(letter, "a") & {"lifts", "letter_width", "curvature"}
    assert nothing(from_strokes([np.zeros((1, 2))]), "") == set(MEASURES)
    assert nothing(LINES[0], "") == {"letter_width", "lifts", "word_space"}
    with pytest.raises(DataError, match="it has no points"):
        measure(np.empty((0, 3)))


LETTER = np.array([(0, 0), (0, -10), (6, -10), (6, 0), (0, 0)], dtype=float)


@pytest.mark.parametrize("degrees", [0, 4])
def test_dots_that_can_be_seen_by_hand(degrees):
    """Eight letters of an x-height of 10, a dot behind the fourth, of which others are no dots."""
    letters = [LETTER + np.array([10 * n, 0]) for n in (0, 1, 2, 3, 5, 6, 7, 8)]
    high = np.array([(11, -18), (12, -18)], dtype=float)  # of an i

    def clear(dot, text="nooi.noon"):
        line = from_strokes([*letters[:4], high, np.array(dot, dtype=float), *letters[4:]])
        return clear_dots(turned(line, degrees), text)

    assert clear([(43, 0), (44, 0)]) == (1, 1)
    assert clear([(43, 0), (44, 0)], "nooi!?oon.") == (1, 3)
    assert clear([(43, 0), (44, 0)], "nooioon") == (0, 0)
    assert clear([(37, 0), (37.5, 0)]) == (0, 1)  # beside a letter, nearer than a fifth
    assert clear([(33, -4), (34, -4)]) == (1, 1)  # in a large letter, with room around it
    assert clear([(43, 7), (44, 7)]) == (0, 1)  # too low
    assert clear([(42, 0), (47, 0)]) == (0, 1)  # a dash


def test_no_more_dots_are_clear_than_the_text_has():
    letters = [LETTER + np.array([20 * n, 0]) for n in range(8)]
    dots = [np.array([(x, 0.0), (x + 1, 0.0)]) for x in (13.0, 53.0)]
    assert clear_dots(from_strokes([*letters, *dots]), "nooinoon..") == (2, 2)
    assert clear_dots(from_strokes([*letters, *dots]), "nooinoon.") == (1, 1)


@pytest.mark.parametrize(
    ("text", "marks", "hidden"),
    [
        ("ab.", [(3.0, 0.0)], 0),
        ("ab.", [], 1),
        ("ab.", [(1.1, 0.0)], 1),  # in the ink of a letter
        ("ab.", [(3.0, -1.0)], 1),  # too high
        ("ab,", [(3.0, 0.4)], 0),
        ("ab,", [(3.0, 0.0)], 1),  # like a full stop
        ("ab,", [], 2),
        ("ab:", [(3.0, 0.0), (3.2, -0.8)], 0),
        ("ab:", [(3.0, 0.0)], 1),
        ("ab:", [(3.0, 0.0), (4.2, -0.8)], 1),  # an upper dot that is too far aside
        ("a:b:", [(3.0, 0.0), (3.0, -0.8), (3.3, -0.9), (5.0, 0.0)], 1),  # two upper, one lower
        ("ab;", [(3.0, 0.4), (3.2, -0.6)], 0),
        ("a…", [(3.0, 0.0), (4.0, 0.0)], 1),
        ("a-b'", [], 0),
    ],
)
def test_marks_that_nobody_sees(text, marks, hidden):
    """A mark is a stroke of a tenth, or, below the baseline, of half an x-height."""
    letters = [np.array([(k, -1.0), (k, 0.0)]) for k in (0.0, 1.0)]
    parts = [np.array([(x, y - 0.05), (x, y + (0.4 if y > 0 else 0.05))]) for x, y in marks]
    assert hidden_marks([*letters, *parts], text) == hidden


def test_what_a_ring_encloses_by_hand():
    ring = np.array([(8, 0), (0, 0), (0, 10), (8, 10), (8, 1.5)], dtype=float)
    tail = np.array([(8, 1.5), (20, 0)], dtype=float)
    assert ring_area([ring]) == pytest.approx(0.8, abs=1e-3)
    assert ring_area([ring[:3], ring[2:]]) == pytest.approx(0.8, abs=1e-3)  # in two strokes
    assert ring_area([ring, tail]) == pytest.approx(0.8, abs=1e-3)
    assert ring_area([np.array([(0, 0), (0, 10.0)])]) == pytest.approx(0.0, abs=1e-6)
    assert ring_area([np.zeros((1, 2))]) == 0.0
