"""Lines of simple strokes cut into characters."""

import numpy as np
import pytest

from data_loader.pen_paths import to_ink, touching_shift
from data_loader.synthetic.composed.cutting import CUT, LIFT, NONE, parts_of
from data_loader.synthetic.composed.recorded_hands import RecordedHand
from ink.sample import Sample
from tests.data_loader.synthetic.composed.drawn_lines import (
    BAR,
    BOX,
    DOT,
    STEM,
    at,
    boxes,
    drawn,
    owners,
)

REST = boxes(5, 6, 7, 8)
"""The letters of a second word."""


@pytest.mark.parametrize("window", [3, 4], ids=["at the last letter", "behind the word"])
def test_a_bar_and_a_dot_set_later_go_to_their_letters(window):
    text, word = "otin aceo", [*boxes(0), (at(1, STEM), 1), (at(2, STEM), 2), *boxes(3)]
    line = drawn([*word, (at(1, BAR), window), (at(2, DOT), window), *REST], text)
    assert owners(line) == [[0], [1], [2], [3], [1], [2], [5], [6], [7], [8]]
    assert line.boundaries[:3].tolist() == [LIFT] * 3
    assert line.is_usable.tolist() == [sign != " " for sign in text]
    piece = line.piece(1, 2)
    assert piece.text == "ti" and not piece.cut_before and not piece.cut_after
    assert np.flatnonzero(piece.path[:, 2]).tolist() == [6, 13, 18, 19]
    both = np.concatenate([at(1, STEM), at(2, STEM), at(1, BAR), at(2, DOT)])
    left = both[:, 0].min()
    np.testing.assert_allclose(piece.path[:, :2], both - np.array([left, 0.0]), atol=1e-5)


def test_a_late_stroke_over_letters_that_lack_none_belongs_to_no_letter():
    parts = [*boxes(0, 1, 2, 3), (at(0, BAR), 4), (at(4, BOX), 5)]
    line = drawn(parts, "aceona")
    assert owners(line)[4] == [-1]
    # Where it lies no character can be cut out; further away they can.
    assert line.boundaries[0] == line.boundaries[1] == NONE and line.boundaries[2] == LIFT
    assert line.edges(2, 2) is None and line.edges(1, 3) is None
    assert owners(drawn(parts, "tceona"))[4] == [0]


def test_a_stroke_through_two_letters_is_cut_between_them():
    """The window is ahead of the pen by 0.3 of a letter's seven points: two are the first's."""
    text = "aceno"
    stroke = np.concatenate([at(1, BOX), at(2, BOX)])
    line = drawn([*boxes(0), (stroke, np.repeat([1, 2], 7)), *boxes(3, 4)], text)
    assert line.boundaries[:4].tolist() == [LIFT, CUT, LIFT, LIFT]
    assert line.owner.tolist() == [0] * 7 + [1] * 9 + [2] * 5 + [3] * 7 + [4] * 7
    assert line.edges(1, 1) == (False, True) and line.edges(2, 3) == (True, False)
    assert line.edges(1, 2) == (False, False) and line.edges(0, 4) == (False, False)
    first, second = line.piece(1, 1), line.piece(2, 2)
    edges = [(piece.cut_before, piece.cut_after) for piece in (first, second)]
    assert edges == [(False, True), (True, False)]
    assert len(first.path) == 9 and np.flatnonzero(first.path[:, 2]).tolist() == [8]
    np.testing.assert_allclose(second.path[:, :2], np.array(BOX[2:]) - BOX[2], atol=1e-5)
    # A few points of a letter's window are not the letter.
    line = drawn([*boxes(0), (stroke, np.repeat([1, 2], [12, 2])), *boxes(3, 4)], text)
    assert owners(line)[1] == [1] and line.boundaries[1] == NONE


def test_a_line_is_measured_by_its_small_letters():
    parts = [*boxes(0), (at(1, STEM), 1), *boxes(*range(2, 8))]
    points = np.concatenate([stroke for stroke, _ in parts])
    for unit in (1.0, 250.0):
        line = drawn(parts, "atcenose", unit=unit)
        assert line.height == pytest.approx(unit, rel=1e-5)
        np.testing.assert_allclose(line.path[:, :2], points, atol=1e-4)
    # A line that rises: a letter is 0.6 wide, so that its height shows 0.06 of the slope more.
    line = drawn(parts, "atcenose", rise=-0.1)
    assert line.height == pytest.approx(100, rel=0.07)
    letters = [line.points_of(n)[:, 1] for n in range(2, 8)]
    tops, bottoms = np.transpose([(y.min(), y.max()) for y in letters])
    assert np.ptp(tops) < 1e-4 and np.ptp(bottoms) < 1e-4 and np.abs(bottoms).max() < 0.07


def test_a_line_with_few_small_letters_is_left_out():
    assert drawn(boxes(*range(6)), "IBMace") is None
    assert drawn(boxes(*range(7)), "IBMaceo") is not None
    assert drawn(boxes(*range(7)), "IBMaceo", read=np.arange(7) != 4) is None


def test_a_character_beside_a_misread_character_is_not_used():
    line = drawn(boxes(0, 1, 2, 3, 5, 6, 7, 8), "aceo nexo", read=np.arange(9) != 2)
    assert line.is_usable.tolist() == [True, False, False, False, False, True, True, True, True]
    others = {"nexo"[a:b] for a in range(4) for b in range(a + 1, 5)}
    assert set(RecordedHand([line]).places) == {"a"} | others


def test_overlap_is_that_of_points_at_about_the_same_height():
    """Bands are 0.25 high and widened by half: nearer points share one, those 0.5 apart none."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        left, right = generator.uniform(-1.5, 0.5, (2, 6, 3))
        apart = np.abs(left[:, None, 1] - right[None, :, 1])
        run = left[:, None, 0] - right[None, :, 0]
        low, high = (run[apart < limit].max(initial=-np.inf) for limit in (0.25, 0.5))
        assert low - 1e-12 <= touching_shift(left, right) <= high + 1e-12


def test_a_word_with_few_small_letters_is_measured_by_other_words_of_its_hand():
    word = [*boxes(0), (at(1, STEM), 1)]
    assert drawn(word, "at") is None and drawn(word, "at", usual=20.0) is None
    assert drawn(word, ",;", usual=80.0) is None  # neither stands on the baseline
    line = drawn(word, "at", usual=80.0)
    assert line.height == 80.0 and line.points_of(0)[:, 1].max() == pytest.approx(0.0)
    assert np.ptp(line.points_of(0)[:, 1]) == pytest.approx(1.25)


@pytest.mark.parametrize("count", [11, 16])
def test_letters_that_shrink_along_a_line_become_even(count):
    """With enough of them; else the line as a whole is brought to its x-height."""
    sizes = np.linspace(1.2, 0.8, count)
    shrinking = [(at(n, np.array(BOX) * [1, size]), n) for n, size in enumerate(sizes)]
    line = drawn(shrinking, ("aceno" * 4)[:count])
    widths, heights, _ = np.transpose([np.ptp(line.points_of(n), axis=0) for n in range(count)])
    if count == 16:
        np.testing.assert_allclose(heights, 1, atol=0.02)
        assert widths[-1] / widths[0] == pytest.approx(1.2 / 0.8, rel=0.05)  # no letter is squeezed
    else:
        np.testing.assert_allclose(heights, sizes / np.median(sizes), rtol=1e-5)
        np.testing.assert_allclose(widths, 0.6, rtol=1e-5)
    assert line.height == pytest.approx(100, rel=0.01)


def test_a_word_without_points_is_no_part_of_a_line():
    text = "aceno aceno"
    line = drawn(boxes(0, 1, 2, 3, 4), text)
    sample = Sample(to_ink(line.path), text, "line")
    assert [part.text for part, _ in parts_of(sample, line, 6)] == ["aceno"]
