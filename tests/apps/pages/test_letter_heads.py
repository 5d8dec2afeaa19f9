"""Heads of letters, in a hand with an x-height of 1."""

import numpy as np
import pytest

from apps.pages.letter_heads import with_heads
from tests.apps.pages.builders import letters

TURNS = np.linspace(0.0, 2 * np.pi, 13)
RING = np.stack([-0.8 - 0.3 * np.sin(TURNS), -0.45 - 0.45 * np.cos(TURNS)], 1)
"""An `o` that ends at its top, -0.9 high."""
HOOK = [(-0.4, -0.88), (-0.1, -0.9), (0.0, -0.85), (0.0, -0.5), (0.0, -0.2), (-0.08, 0.0)]
"""The way from an `o` to the foot of an `s` without a head."""
TAIL = [(-0.3, -0.05), (0.0, 0.05), (0.4, -0.1), (0.5, -0.9)]


def assert_s(way: np.ndarray) -> None:
    """Check that the pen turns to the left around a head and to the right around a belly."""
    steps = np.diff(way, axis=0)
    turns = np.diff(np.unwrap(np.arctan2(-steps[:, 1], steps[:, 0])))  # to the left
    assert turns[: len(way) // 3].sum() > 0.6
    assert turns[len(way) // 2 :].sum() < -0.6


@pytest.mark.parametrize(("lean", "size"), [(0.0, 1.0), (0.4, 20.0)])
def test_an_s_behind_an_o_begins_with_its_head(lean, size):
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]]) * size
    stroke = np.concatenate([RING, HOOK, TAIL])
    dot = np.array([[0.9, -1.5], [0.9, -1.4]])
    word = letters("osi", [stroke @ slanted, dot @ slanted], [0] * 13 + [1] * 8 + [2] * 2, 2)
    changed = with_heads(word, size, lean)
    for some, indices in changed.pairs():
        assert len(some) == len(indices)
    before, behind, new_dot = (stroke @ np.linalg.inv(slanted) for stroke in changed.strokes)
    np.testing.assert_allclose(before[:13], RING, atol=1e-9)
    shift = behind[-1] - TAIL[-1]
    np.testing.assert_allclose(behind[-4:], TAIL + shift, atol=1e-9)
    np.testing.assert_allclose(new_dot, dot + shift, atol=1e-9)
    assert 0.0 < shift[0] < 0.5
    assert shift[1] == pytest.approx(0.0, abs=1e-9)
    assert 0.1 < behind[:, 0].min() - before[:, 0].max() < 0.25
    assert before[-1, 0] - before[:13, 0].max() == pytest.approx(0.2)
    assert_s(behind[:-4])
    assert {*changed.indices[0]} == {0}
    assert changed.indices[1][0] == 1


@pytest.mark.parametrize(("text", "height"), [("se", 0.9), ("Se", 1.7)])
def test_an_s_that_begins_a_word_begins_with_its_head(text, height):
    """The way up to it from the baseline, with which it looks like a `2` or `L`, goes."""
    way_up = [(-0.9, 0.0), (-0.7, -0.4), (-0.4, -0.8)]
    stroke = np.array([*way_up, *HOOK[1:], *TAIL])
    (changed,) = with_heads(letters(text, [stroke], [0] * 10 + [1] * 2), 1.0, 0.0).strokes
    np.testing.assert_allclose(changed[-4:], TAIL, atol=1e-9)
    assert np.ptp(changed[:-4, 1]) == pytest.approx(height, rel=0.1)
    assert changed[0, 1] < -0.6 * height
    assert changed[:, 0].min() > -0.65 * height
    assert_s(changed[:-4])


PEAKED = [(-0.4, -0.1), (-0.1, -0.95), *HOOK[2:]]
HEADED = [(0.0, -0.8), (-0.2, -0.95), (-0.45, -0.75), (-0.2, -0.5), (0.05, -0.25), HOOK[-1]]


@pytest.mark.parametrize(
    ("text", "before", "s"),
    [("os", RING, PEAKED), ("s", RING[:0], HEADED), ("oz", RING, HOOK)],
)
def test_an_s_that_has_a_head_or_a_way_up_stays(text, before, s):
    stroke = np.concatenate([before, s, TAIL[:2]])
    index = [0] * len(before) + [len(text) - 1] * 8
    (same,) = with_heads(letters(text, [stroke], index), 1.0, 0.0).strokes
    np.testing.assert_array_equal(same, stroke)


@pytest.mark.parametrize("letter", ["f", "t"])
def test_the_bar_of_a_letter_from_which_the_pen_goes_on_to_an_s_stays(letter):
    """It begins its stroke, and crosses the stem, which is another one."""
    stem = [(-0.9, -1.8), (-0.9, -0.6), (-0.9, 0.0)]
    bar = [(-1.2, -0.88), (-0.8, -0.88)]
    word = letters(f"{letter}se", [stem, [*bar, *HOOK, *TAIL]], 0, [0] * 2 + [1] * 8 + [2] * 2)
    same_stem, new_bar, s = with_heads(word, 1.0, 0.0).strokes
    np.testing.assert_array_equal(same_stem, stem)
    np.testing.assert_allclose(new_bar[:2], bar)
    assert new_bar[:, 0].max() > -0.9 + 0.15
    assert s[:, 0].min() > new_bar[:, 0].max() + 0.05


def test_a_hook_before_an_s_that_begins_a_stroke_goes():
    """The letter before is another stroke: the hook looked like an apostrophe."""
    stroke = np.array([(-0.6, -0.75), (-0.55, -0.9), *HOOK, *TAIL])
    word = letters("ose", [RING, stroke], 0, [1] * 10 + [2] * 2)
    ring, s = with_heads(word, 1.0, 0.0).strokes
    np.testing.assert_array_equal(ring, RING)
    assert_s(s[:-4])


def test_only_what_is_behind_a_place_is_moved():
    """The dot of a letter before may be made late."""
    dots = [[(-1.0, -1.5), (-0.9, -1.5)], [(0.9, -1.5), (1.0, -1.5)]]
    moved = letters("isi", dots, 2, 2).moved_behind(1, np.array([0.5, 0.0]), 0.0)
    np.testing.assert_array_equal(moved.strokes[0], dots[0])
    np.testing.assert_allclose(moved.strokes[1], np.add(dots[1], (0.5, 0.0)))
