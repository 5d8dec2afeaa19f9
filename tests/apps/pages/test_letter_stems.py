"""Stems, arches and arms of letters, in a hand with an x-height of 1."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from apps.pages.letter_loops import with_clear_parts
from apps.pages.letter_stems import with_ended_arms
from apps.pages.letter_strokes import Fall, LetterStrokes, falls_of
from apps.pages.repairs import with_ways_to_t
from tests.apps.pages.builders import across, letters

CUP = [(0.0, -1.0), (0.0, -0.3), (0.3, 0.0), (0.6, -0.4), (0.7, -1.0)]
HOOK, TO_E, STEM = [(0.72, -0.6)], [(1.0, -0.4), (1.3, -0.8)], [(0.7, 0.0), (1.0, -0.4)]


@pytest.mark.parametrize(
    ("text", "behind", "kept"), [("u", [], []), ("u", HOOK, []), ("ue", TO_E, TO_E[1:])]
)
@pytest.mark.parametrize("lean", [0.0, 0.3])
def test_the_second_stem_of_a_u_comes_down(text, behind, kept, lean):
    """Otherwise it is a `v`. The stroke goes on to an `e` from its foot."""
    stroke = np.array([*CUP, *behind])
    indices = np.minimum(np.arange(len(stroke)) // len(CUP), len(text) - 1)
    word = with_clear_parts(LetterStrokes(text, [stroke], [indices]), 1.0, lean)
    (changed,) = word.strokes
    assert len(word.indices[0]) == len(changed)
    assert_array_equal(changed[: len(CUP)], CUP)
    upright = changed[len(CUP) - 1 :] @ [[1.0, 0.0], [lean, 1.0]]
    foot = int(upright[:, 1].argmax())
    np.testing.assert_allclose(upright[: foot + 1, 0], 0.7 - lean, atol=1e-9)
    assert upright[foot, 1] == pytest.approx(0.0)
    way = upright[foot : len(upright) - len(kept)]
    assert (np.diff(way, axis=0) * (1, -1) >= 0.0).all()  # to the right and up
    assert_array_equal(changed[len(changed) - len(kept) :], np.reshape(kept, (-1, 2)))


def test_a_joined_u_with_a_high_way_out_gets_its_second_stem():
    """The stroke leads to the first top of the `u`, and on to an `o` without coming down."""
    to_u = [(-1.0, -0.9), (-0.7, -0.8), (-0.3, -0.85)]
    stroke = np.array([*to_u, *CUP, (0.8, -0.85), (1.2, -0.9), (1.4, -1.0), (1.2, -0.5), (1.4, 0)])
    indices = np.array([0] * 8 + [1] * 5)
    (changed,) = with_clear_parts(LetterStrokes("uo", [stroke], [indices]), 1.0, 0.0).strokes
    assert_array_equal(changed[:8], stroke[:8])
    assert_array_equal(changed[-3:], stroke[-3:])
    assert changed[8:-3, 1].max() == pytest.approx(0.0)  # the foot of the new stem


@pytest.mark.parametrize(("text", "behind"), [("u", STEM), ("v", []), ("m", HOOK)])
def test_a_whole_u_and_other_letters_keep_their_stems(text, behind):
    stroke = np.array([*CUP, *behind])
    word = LetterStrokes(text, [stroke], [np.zeros(len(stroke), int)])
    assert with_clear_parts(word, 1.0, 0.0).strokes[0] is stroke


def two_stems(gap: float) -> np.ndarray:
    """Return two stems, 1 high and 0.5 apart, behind an upstroke and before another one. The way
    up from the first is straight but for its middle, which is so far from the first stem."""
    corners = [(-0.5, 0.0), (0.0, -1.0), (0.0, 0.0), (gap, -0.5), (0.5, -1.0), (0.5, 0.0), (1, -1)]
    ways = [np.linspace(*ends, 9)[:-1] for ends in pairwise(corners)]
    return np.concatenate([*ways, corners[-1:]])


IN_N = np.repeat([0, 1, 2], [3, 27, 19])
"""The window reaches the `n` before the pen, and leaves it before the second stem."""


@pytest.mark.parametrize("gap", [0.24, 0.4])
@pytest.mark.parametrize(("lean", "size"), [(0.0, 1.0), (0.4, 20.0)])
def test_an_n_has_an_arch(gap, lean, size):
    """The upstroke follows the first stem, and turns to the second one in a round top. Otherwise it
    is a `u`: in half of its height it is farther than 0.4 of the way to the second stem."""
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]]) * size
    word = LetterStrokes("mnm", [two_stems(gap) @ slanted], [IN_N])
    changed = with_clear_parts(word, size, lean)
    (stroke,), (indices,) = changed.strokes, changed.indices
    assert len(indices) == len(stroke)
    upright = stroke @ np.linalg.inv(slanted)
    np.testing.assert_allclose(upright[:9], two_stems(gap)[:9], atol=1e-9)
    np.testing.assert_allclose(upright[-9:], two_stems(gap)[-9:], atol=1e-9)
    foot = int(np.hypot(*upright.T).argmin())
    top = foot + int(upright[foot : foot + 14, 1].argmin())
    np.testing.assert_allclose(upright[foot], (0.0, 0.0), atol=1e-9)
    up = upright[foot : top + 1]
    assert (np.diff(up[:, 1]) < 0.0).all()
    assert np.interp(0.5, -up[:, 1], up[:, 0]) < 0.1
    assert up[-1] == pytest.approx((0.35, -1.0), abs=0.1)
    assert np.ptp(upright[(upright[:, 1] < -0.8) & (np.arange(len(upright)) > foot), 0]) > 0.4


@pytest.mark.parametrize(
    ("text", "gap", "indices"),
    [
        ("ana", 0.16, IN_N),  # an arch
        ("aua", 0.4, IN_N),
        ("an", 0.4, np.repeat([0, 1], [20, 29])),  # The first stem is of the `a`.
    ],
)
def test_an_arch_and_other_stems_stay(text, gap, indices):
    stroke = two_stems(gap)
    word = with_clear_parts(LetterStrokes(text, [stroke], [indices]), 1.0, 0.0)
    assert word.strokes[0] is stroke


V_SIDE = np.linspace((0.1, 0.0), (0.7, -1.0), 7)[1:]


def r_with(arm: np.ndarray) -> np.ndarray:
    """Return an `r` whose stem is 0.9 high, and ends at x 0 or beside it."""
    return np.concatenate([np.linspace((0.0, -0.9), (0.05, 0.0), 6), arm])


@pytest.mark.parametrize(("lean", "size"), [(0.0, 1.0), (0.4, 20.0)])
@pytest.mark.parametrize("hook", [[], [(0.75, -0.9)]])
def test_the_arm_of_an_r_follows_its_stem(hook, lean, size):
    """A straight side of a `v` is 0.3 from the stem at half of its height."""
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]]) * size
    r = r_with(np.concatenate([V_SIDE, np.reshape(hook, (-1, 2))]))
    word = letters("r", [r @ slanted], 0)
    changed = with_clear_parts(word, size, lean)
    (stroke,), (indices,) = changed.strokes, changed.indices
    assert len(indices) == len(stroke)
    upright = stroke @ np.linalg.inv(slanted)
    np.testing.assert_allclose(upright[:4], r[:4], atol=1e-9)
    np.testing.assert_allclose(upright[-1 - len(hook) :], r[-1 - len(hook) :], atol=1e-9)
    foot = int(upright[:, 1].argmax())
    arm = upright[foot : len(upright) - len(hook)]
    assert (np.diff(arm[:, 1]) < 0.0).all()
    assert np.interp(0.45, -arm[:, 1], arm[:, 0]) < 0.1
    assert np.interp(0.85, -arm[:, 1], arm[:, 0]) > 0.2


ARM = [(0.03, -0.3), (0.06, -0.6), (0.25, -0.85), (0.5, -0.95)]
"""An arm 0.05 from the stem at half of its height."""


@pytest.mark.parametrize(("text", "arm"), [("r", ARM), ("v", V_SIDE), ("r", V_SIDE * (3.0, 1.0))])
def test_an_arm_beside_its_stem_and_other_letters_stay(text, arm):
    """A way that is far from the stem leads to another letter."""
    r = r_with(np.array(arm))
    (stroke,) = with_clear_parts(letters(text, [r], 0), 1.0, 0.0).strokes
    assert_array_equal(stroke, r)


@pytest.mark.parametrize(("lean", "size"), [(0.0, 1.0), (0.4, 20.0)])
@pytest.mark.parametrize(("written", "gap"), [(0.8, 0.8), (0.4, 0.6)])
def test_the_arm_of_an_r_ends_before_the_next_stem(written, gap, lean, size):
    """Two stems with an arch look like an `n`: "ri". Near ones are moved apart."""
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]]) * size
    arch = two_stems(0.16) * (2 * written, 1.0)
    word = LetterStrokes("ari", [arch @ slanted], [IN_N])
    changed = with_ended_arms(word, size, lean)
    for stroke, indices in changed.pairs():
        assert len(stroke) == len(indices)
    before, behind = (stroke @ np.linalg.inv(slanted) for stroke in changed.strokes)
    np.testing.assert_allclose(before[:9], arch[:9], atol=1e-9)
    np.testing.assert_allclose(behind[-9:] - arch[-9:], [(gap - written, 0.0)] * 9, atol=1e-9)
    arm_end = 0.48 * gap, -0.95  # an arm, nearly flat at its end
    assert before[-1] == pytest.approx(arm_end, abs=0.05)
    assert behind[0] == pytest.approx((gap, -1.0), abs=0.01)
    foot = int(behind[:, 1].argmax())
    np.testing.assert_allclose(behind[: foot + 1, 0], gap, atol=1e-9)
    assert set(changed.indices[1]) == {2}


@pytest.mark.parametrize(
    ("text", "width"), [("ari", 0.3), ("ari", 2.6), ("ara", 1.6), ("ani", 1.6)]
)
def test_arms_without_room_and_other_letters_stay(text, width):
    stroke = two_stems(0.16) * (width, 1.0)
    word = with_ended_arms(LetterStrokes(text, [stroke], [IN_N]), 1.0, 0.0)
    assert word.strokes[0] is stroke


def zigzag(*corners: tuple[float, float]) -> np.ndarray:
    """Return straight ways between corners, with five points to each next one."""
    ways = [np.linspace(*ends, 6)[:-1] for ends in pairwise(corners)]
    return np.concatenate([*ways, corners[-1:]])


def t_behind(*way: tuple[float, float]) -> np.ndarray:
    """Return a `t` without its bar behind corners of a way: its stem is 1.6 high. The pen goes on
    to the next letter."""
    return zigzag(*way, (0.0, -1.6), (0.0, 0.0), (0.3, -0.9))


@pytest.mark.parametrize("hook", [[], [(-0.9, -0.1)]])
@pytest.mark.parametrize("start", [0.0, -1.1])
def test_no_way_leads_up_to_a_t_that_begins_a_word(start, hook):
    """With its bar it would be an `A`, or a 7 if the way begins above the bar. A `t` within a word
    would stand apart."""
    t = t_behind((-0.8, start))
    hook = np.reshape(hook, (-1, 2)) + np.array([0.0, start])
    stroke = np.concatenate([hook, t])
    (changed,) = with_clear_parts(letters("t", [stroke], 0), 1.0, 0.0).strokes
    assert_array_equal(changed, t[5:])
    (kept,) = with_clear_parts(letters("it", [stroke], 1), 1.0, 0.0).strokes
    assert_array_equal(kept, stroke)


def joined_t(text: str, t: np.ndarray, bar: np.ndarray) -> LetterStrokes:
    """Return a `t` behind four points of the letter before it, and its bar."""
    return LetterStrokes(text, [t, bar], [np.repeat([0, 1], [4, len(t) - 4]), np.ones(4, int)])


BAR = across(*np.linspace(-0.3, 0.3, 4))
WAY = [(-1.0, -1.0), (-1.0, 0.0)]


@pytest.mark.parametrize(("lean", "size"), [(0.0, 1.0), (0.4, 20.0)])
def test_the_way_up_to_a_joined_t_follows_its_stem(lean, size):
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]]) * size
    t = t_behind(*WAY)
    changed = with_ways_to_t(joined_t("it", t @ slanted, BAR @ slanted), size, lean)
    stroke, bar = (stroke @ np.linalg.inv(slanted) for stroke in changed.strokes)
    assert len(changed.indices[0]) == len(stroke)
    np.testing.assert_allclose(bar, BAR, atol=1e-9)
    np.testing.assert_allclose(stroke[:6], t[:6], atol=1e-9)
    np.testing.assert_allclose(stroke[-11:], t[-11:], atol=1e-9)
    way = stroke[6:-11]
    np.testing.assert_allclose(way[way[:, 1] < -0.26, 0], 0.0, atol=1e-9)
    assert (np.diff(way[:, 0]) > -1e-9).all()


@pytest.mark.parametrize(
    ("text", "way", "bar"),
    [
        ("it", [(-0.8, -1.0), (-0.8, 0.0)], BAR),  # The way is near the stem.
        ("yt", [(-1.0, -1.0), (-1.0, 0.4)], BAR),  # It leads from a tail.
        ("it", [(-0.8, 0.0), (-0.8, -0.7)], BAR),  # It begins as high as the bar.
        ("ot", WAY, BAR),  # It is the side of a ring.
        ("it", WAY, BAR + np.array([0.0, 0.4])),  # The bar is near the path that would be drawn.
        ("il", WAY, BAR),
    ],
)
def test_other_ways_up_stay(text, way, bar):
    t = t_behind(*way)
    word = with_ways_to_t(joined_t(text, t, bar), 1.0, 0.0)
    assert_array_equal(word.strokes[0], t)


W = [(0.0, -1.0), (0.2, 0.0), (0.5, -0.9), (0.7, 0.0), (1.0, -0.9)]


@pytest.mark.parametrize(("text", "height"), [("w", 1.0), ("W", 2.0), ("N", 2.0), ("U", 2.0)])
def test_no_way_leads_up_to_a_w_that_begins_a_word(text, height):
    """With it the letter begins like an `n` or `N`."""
    stroke = zigzag((-0.5, 0.0), *W) * (1.0, height)
    (changed,) = with_clear_parts(letters(text, [stroke], 0), 1.0, 0.0).strokes
    assert_array_equal(changed, zigzag(*W) * (1.0, height))


@pytest.mark.parametrize(
    ("text", "corners"),
    [
        ("w", W),
        ("w", [(-0.5, -0.9), *W]),  # The way is low.
        ("w", [(-0.5, 0.0), *W[:3], (0.7, -0.6), (1.0, -0.9)]),  # The rest would be a `v`.
        ("aw", [(-0.9, -0.9), (-0.5, 0.0), *W]),  # The stroke begins with an `a`.
        ("m", [(-0.5, 0.0), *W]),
    ],
)
def test_a_w_without_such_a_way_and_other_letters_stay(text, corners):
    stroke = zigzag(*corners)
    num_points = 5 * (len(text) - 1)
    indices = np.repeat([0, len(text) - 1], [num_points, len(stroke) - num_points])
    word = LetterStrokes(text, [stroke], [indices])
    assert with_clear_parts(word, 1.0, 0.0).strokes[0] is stroke


@pytest.mark.parametrize(("heights", "falls"), [((0, 1), [Fall(0, 60)]), ((1, 0), [])])
def test_a_slow_way_up_is_no_fall(heights, falls):
    """Each of its steps is as small as a tremble."""
    y = np.linspace(*heights, 61)
    assert [*falls_of(np.stack([y / 2, y], 1))] == falls


@pytest.mark.parametrize("lean", [0.0, 0.3])
@pytest.mark.parametrize("height", [1.0, 0.7])  # of the second top
def test_a_round_v_is_pointed(lean, height):
    """Also one that the pen comes to from another letter, and leaves for one."""
    turns = np.linspace(np.pi, 0.0, 21)
    depths = np.where(turns > np.pi / 2, 1.0, height) * (np.sin(turns) - 1.0)
    v = np.stack((0.5 * np.cos(turns), depths), 1)
    stroke = np.array([(-0.9, -0.8), *v, (0.8, -height), (0.9, 0.0)])
    slanted = np.array([[1.0, 0.0], [-lean, 1.0]])
    word = letters("ava", [stroke @ slanted], [0] + [1] * 21 + [2] * 2)
    (changed,) = with_clear_parts(word, 1.0, lean).strokes
    upright = changed @ np.linalg.inv(slanted)
    np.testing.assert_allclose(upright[:, 1], stroke[:, 1], atol=1e-9)
    np.testing.assert_allclose(upright[[0, 1, -3, -2, -1]], stroke[[0, 1, -3, -2, -1]], atol=1e-9)
    is_low = (upright[:, 1] > -0.25) & (upright[:, 0] < 0.9)
    assert np.ptp(upright[is_low, 0]) < 0.45
    assert np.ptp(v[v[:, 1] > -0.25, 0]) > 0.5


def test_a_pointed_v_stays():
    v = zigzag((-0.4, -1.0), (0.0, 0.0), (0.4, -1.0))
    (same,) = with_clear_parts(letters("v", [v], 0), 1.0, 0.0).strokes
    assert_array_equal(same, v)
