"""Where lines end: the rules on tables of points and phi made by hand and at random."""

import numpy as np
import pytest
import torch

from model.generation.stopping import LONGEST_FINISH, REST, Stopping
from utils.ink import from_strokes
from utils.normalisation import Normalisation

NORMALISATION = Normalisation((8.0, 0.5), (40.0, 30.0))
STILL = torch.tensor([-8.0 / 40.0, -0.5 / 30.0])


def windows(positions, characters):
    """Return phi `(T, characters + 1)` with its peak at each of the places."""
    return torch.nn.functional.one_hot(torch.as_tensor(positions), characters + 1).float()


def feed(stopping, points, phi=None, period=16, drop=True):
    """Feed lines `(T, B, I)` until all have ended; return their ends, as `sample` asks for them."""
    active = torch.arange(points.shape[1])
    for first in range(0, len(points), period):
        part = slice(first, first + period)
        going_on = stopping.feed(
            active, points[part, active], None if phi is None else phi[part, active]
        )
        if not going_on.any():
            break
        active = active[going_on] if drop else active
    return stopping.ends()


def ends(points, positions, texts, *, mean=8.0, limits=None, own=False, **how):
    """Return the ends of lines `(T, B, I)` whose windows stand at `positions` `(T, B)`."""
    start = torch.zeros(len(texts), points.shape[-1])
    normalisation = Normalisation((mean, 0.5), (40.0, 30.0))
    limits = limits or [len(points)] * len(texts)
    stopping = Stopping(start, normalisation, texts, limits, own)
    return feed(stopping, points, windows(positions, max(map(len, texts))), **how)


def table(lifted, steps):
    """Return the points `(steps, 1, 3)` of a pen that goes on and is lifted at some of them."""
    points = torch.zeros(steps, 1, 3)
    points[:, 0, :2] = STILL + torch.tensor([1.0, 0.0])
    points[list(lifted), 0, 2] = 1.0
    return points


def surplus_of(ink, phi, text, mean=8.0):
    """Return the points of a stroke too many; the hand runs to the left where `mean` is below 0."""
    stopping = Stopping(torch.zeros(1, 3), Normalisation((mean, 0.5), (40.0, 30.0)), [text], [99])
    stopping.feed(torch.tensor([0]), torch.zeros(len(phi), 1, 3), torch.tensor(phi)[:, None])
    return stopping.surplus(0, ink)


@pytest.mark.parametrize(
    ("text", "lifted", "back", "end"),
    [
        ("ab", [5, 24, 30], [], 25),  # steps up to the point at which the pen is lifted
        ("ab", [18, 59], [], 60),
        ("ab", [18, 60], [], 20),  # as the paper ends it: 41 steps are too many
        ("a.", [24], [], 25),
        ("ab", [24, 34], [25], 35),  # a delayed stroke
        ("ab", [24, 34, 44], [25, 35], 45),
        ("ab", [24, 34, 44], [35], 25),
        ("a.", [24, 34], [25], 25),  # a sign has none
        ("1 ", [24, 34], [25], 35),
        ("ab", [24, 64], [25], 65),
        ("ab", [24, 65], [25], 25),  # they took too long, and are left out
        ("ab", [24, 44, 65], [25, 45], 25),
    ],
)
def test_a_line_ends_with_the_stroke_under_way_and_those_delayed(text, lifted, back, end):
    """The window is behind the text from the 21st step on."""
    points = table(lifted, 150)
    points[back, 0, 0] = STILL[0] - 1.0
    positions = torch.tensor([0] * 10 + [1] * 10 + [2] * 130)[:, None]
    assert ends(points, positions, [text]) == [(end, True)]


def by_rule(points, positions, text, mean):
    """Return the steps of a line `(T, I)`, whether it ended, and how many strokes it has behind the
    one with which the window left the text: step by step, with no batch."""
    still, limit = -torch.tensor([mean / 40.0]), len(points)
    behind, finished, strokes = None, None, 0
    for step in range(limit + 1):
        up = step > 0 and points[step - 1, 2] > 0.5
        back = False
        if step < limit:
            if behind is None and positions[step] == len(text):
                behind = step
            back = text[-1].isalnum() and step > 0 and (points[step, 0] - still) * mean < 0
        if behind is not None:
            if finished is None and up:
                finished = step
            if finished is None and step - behind > LONGEST_FINISH:
                return behind, True, 0
            if finished is not None and step - finished > LONGEST_FINISH:
                return finished, True, 0
            if up and not back and step < limit:
                return step, True, strokes
            strokes += up
    return (limit if finished is None else finished), finished is not None, 0


@pytest.mark.parametrize("period", [5, 16])
@pytest.mark.parametrize("mean", [8.0, -8.0])
@pytest.mark.parametrize("up", [0.0, 0.05, 0.8, 1.0], ids=["never", "seldom", "often", "always"])
def test_lines_of_a_batch_end_as_each_does_by_itself(up, mean, period):
    """Random ones of random limits, and to the other side where the hand runs to the left."""
    generator = torch.Generator().manual_seed(4)
    texts, steps = ["abcabc", "abcab.", "a", "ab, c"] * 20, 250
    points = torch.randn(steps, len(texts), 3, generator=generator)
    points[:, ::2, 0] -= 2.0 * (1.0 if mean > 0 else -1.0)  # mostly back
    points[..., 2] = (torch.rand(steps, len(texts), generator=generator) < up).float()
    ways = torch.rand(steps, len(texts), generator=generator).cumsum(0) / 10
    positions = torch.minimum(ways.long(), torch.tensor([len(text) for text in texts]))
    limits = torch.randint(1, steps + 1, (len(texts),), generator=generator).tolist()
    expected = [
        by_rule(points[:limit, n], positions[:limit, n], text, mean)
        for n, (text, limit) in enumerate(zip(texts, limits, strict=True))
    ]
    assert any(strokes for *_, strokes in expected) == (up > 0.0)
    for drop in (True, False):  # those that have ended may stay in the batch
        found = ends(points, positions, texts, mean=mean, period=period, drop=drop, limits=limits)
        assert found == [tuple(one[:2]) for one in expected]


def test_without_a_text_only_the_limit_or_the_network_ends_a_line():
    points = torch.zeros(40, 3, 4)
    points[7, 1, 3] = points[39, 2, 3] = 1.0
    start = torch.zeros(3, 4)
    assert feed(Stopping(start, NORMALISATION, None, [40] * 3, True), points) == [
        (40, False), (8, True), (40, True),
    ]  # fmt: skip
    plain = Stopping(start[:, :3], NORMALISATION, None, [40] * 3)
    assert feed(plain, points[..., :3]) == [(40, False)] * 3


@pytest.mark.parametrize(("drawn", "end"), [([3, 12, 14], 13), ([], 25)])
def test_the_network_s_own_end_counts_from_the_last_character_on(drawn, end):
    points = torch.cat((table([24], 60), torch.zeros(60, 1, 1)), 2)
    points[drawn, 0, 3] = 1.0
    positions = torch.tensor([0] * 10 + [1] * 10 + [2] * 40)[:, None]
    assert ends(points, positions, ["ab"], own=True) == [(end, True)]


def test_a_pen_rests_while_both_parts_of_its_offset_stay_near_those_of_no_move():
    points = STILL.repeat(16, 6, 1) + torch.tensor([0.9 * REST, -0.9 * REST])
    points = torch.nn.functional.pad(points, (0, 1))
    points[5, 1, 0] = STILL[0] + 1.1 * REST
    points[5, 2, 1] = STILL[1] - 1.1 * REST
    points[15, 3, 2] = 1.0  # lifted
    points[0, 4, 2] = 1.0
    stopping = Stopping(points[0], NORMALISATION, None, [16] * 6)
    assert stopping.at_rest(points).tolist() == [True, False, False, False, False, True]


def test_a_stroke_begun_beyond_a_last_sign_is_too_many():
    """A letter 10 high, a full stop and a stroke 8 beyond it; peaks where each is begun."""

    def surplus(text="a.", gap=8.0, peaks=(1, 1), onward=1.0, mirror=1.0, place=9.0):
        letter = np.array([[0, 0], [2, 10], [4, 0], [6, 10]])
        more = np.array([[max(place, 6) + gap, 0], [max(place, 6) + gap, 10]])
        stop = np.array([[place, 10], [place, 11]])
        ink = from_strokes([one * [mirror, 1] for one in (letter, stop, more)])
        window = np.zeros((len(ink) - 1, len(text) + 1), np.float32)
        window[:3, 0] = window[3:5, peaks[0]] = window[5:, peaks[1]] = 1.0
        return surplus_of(ink, window, text, 8.0 * onward)

    assert surplus() == surplus("a. ") == surplus("a!", 4.6) == surplus(peaks=(1, 2)) == 2
    assert surplus("ab") == surplus("  ") == surplus(gap=4.4) == surplus(gap=-3.0) == 0
    assert surplus(peaks=(0, 1)) == surplus(peaks=(0, 2)) == surplus(peaks=(1, 0)) == 0
    assert surplus(place=4.0) == 0  # a delayed dot, and the sign itself
    assert surplus(mirror=-1.0) == 0 and surplus(onward=-1.0, mirror=-1.0) == 2


def test_a_stroke_begun_beyond_a_last_letter_is_too_many_as_the_window_leaves_it():
    """Three stems 10 high, the first an `a`, the second a `b`, the third 8 beyond it."""

    def surplus(text="ab", gap=8.0, back=0.0, leaving=0.6, first=1):
        stems = [np.array([[x, 0], [x, 10]]) for x in (0.0, 6.0)]
        more = np.array([[6 + gap, 0], [6 + gap - back, 10]])
        window = np.zeros((5, len(text) + 1), np.float32)
        window[:1, 0] = window[1:3, first] = window[3:, 1] = 1.0
        window[3:, 2] = leaving
        return surplus_of(from_strokes([*stems, more]), window, text)

    assert surplus() == surplus("ab ") == surplus("a1") == surplus(back=7.0) == 2
    assert surplus(leaving=0.4) == 0  # the window waits for it: the last of a `w`
    assert surplus(back=9.0) == 0  # it comes back: the second of a `y`
    assert surplus(gap=4.0) == surplus(first=0) == 0
