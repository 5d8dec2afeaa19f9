"""Where lines end, on points and phi by hand; phi: the weights of the window over characters."""

import numpy as np
import pytest
import torch

from ink.geometry import from_strokes
from ink.normalisation import Normalisation
from model.generation.sampling import MAX_REST_OFFSET, Stopping
from tests.model.builders import NORMALISATION

STILL = torch.tensor([-8.0 / 40.0, -0.5 / 30.0])


def towards(mean):
    """Return the normalisation of a hand whose mean offset in x is so large."""
    return Normalisation((mean, 0.5), (40.0, 30.0))


def feed(stopping, points, phi=None, *, period=16, drop=True):
    """Feed lines `(T, B, I)` until all have ended; return their ends, as `sample` asks for them."""
    active = torch.arange(points.shape[1])
    for first in range(0, len(points), period):
        part = slice(first, first + period)
        weights = None if phi is None else phi[part, active]
        continuing = stopping.feed(active, points[part, active], weights)
        if not continuing.any():
            break
        active = active[continuing] if drop else active
    return stopping.ends()


def ends(points, positions, texts, *, mean=8.0, limits=None, end_of_sequence=False, **how):
    """Return the ends of lines `(T, B, I)` whose windows stand at `positions` `(T, B)`."""
    start = torch.zeros(len(texts), points.shape[-1])
    limits = limits or [len(points)] * len(texts)
    stopping = Stopping(start, towards(mean), texts, limits, end_of_sequence)
    steps = slice(max(limits))
    phi = torch.nn.functional.one_hot(positions[steps], max(map(len, texts)) + 1).float()
    return feed(stopping, points[steps], phi, **how)


LINES = [  # text, where the pen is lifted, moves back, limit, and the end with its reason
    ("ab", [5, 24, 30], [], 150, (25, True)),  # steps up to the point at which the pen is lifted
    ("ab", [18, 59], [], 150, (60, True)),
    ("ab", [18, 60], [], 150, (20, True)),  # at the paper's step: 41 steps more are too many
    ("a.", [24], [], 150, (25, True)),
    ("ab", [24, 34], [25], 150, (35, True)),  # a delayed stroke
    ("ab", [24, 34, 44], [25, 35], 150, (45, True)),
    ("ab", [24, 34, 44], [35], 150, (25, True)),
    ("a.", [24, 34], [25], 150, (25, True)),  # a sign has none
    ("1 ", [24, 34], [25], 150, (35, True)),
    (".b", [24, 34], [25], 150, (35, True)),
    ("ab", [24, 64], [25], 150, (65, True)),
    ("ab", [24, 65], [25], 150, (25, True)),  # they took too long, and are left out
    ("ab", [24, 44, 65], [25, 45], 150, (25, True)),
    ("ab", [24, 44], [25], 40, (25, True)),  # the limit cuts a delayed stroke
    ("ab", [24], [], 25, (25, True)),
    ("ab", [5], [], 40, (40, False)),
    ("abc", [5], [], 150, (150, False)),  # the window never passes it
]


def line(lifted, back, direction=1.0):
    """Return the points `(150, 1, 3)` of a pen that moves to a side, and back at some steps."""
    points = torch.zeros(150, 1, 3)
    points[:, 0, 0] = direction * (STILL[0] + 1.0)
    points[back, 0, 0] = direction * (STILL[0] - 1.0)
    points[lifted, 0, 2] = 1.0
    return points


POSITIONS = torch.tensor([0] * 10 + [1] * 10 + [2] * 130)[:, None]
"""The window is behind a text of two characters from the 21st step on."""


@pytest.mark.parametrize(("text", "lifted", "back", "limit", "end"), LINES)
def test_line_ends_after_the_stroke_under_way_and_delayed_strokes(text, lifted, back, limit, end):
    assert ends(line(lifted, back), POSITIONS, [text], limits=[limit]) == [end]


@pytest.mark.parametrize("drop", [True, False], ids=["dropped", "kept"])
@pytest.mark.parametrize("period", [5, 16, 150])
@pytest.mark.parametrize("direction", [1.0, -1.0], ids=["to the right", "to the left"])
def test_lines_of_a_batch_end_as_each_line_does_by_itself(direction, period, drop):
    texts, lifted, back, limits, expected = zip(*LINES, strict=True)
    points = [line(*strokes, direction) for strokes in zip(lifted, back, strict=True)]
    positions = POSITIONS.expand(-1, len(texts))
    how = {"mean": 8.0 * direction, "limits": limits, "period": period, "drop": drop}
    assert ends(torch.cat(points, 1), positions, texts, **how) == [*expected]


@pytest.mark.parametrize(("end_of_sequence", "end"), [(True, (8, True)), (False, (40, False))])
def test_line_without_a_text_ends_where_its_network_ends_it_or_at_its_limit(end_of_sequence, end):
    points = torch.zeros(40, 2, 3 + end_of_sequence)
    points[7, 1, 3:] = 1.0
    stopping = Stopping(torch.zeros_like(points[0]), NORMALISATION, None, [40, 40], end_of_sequence)
    assert feed(stopping, points) == [(40, False), end]


@pytest.mark.parametrize(("drawn", "end"), [([3, 12, 14], 13), ([], 25)])
def test_end_that_the_network_draws_counts_from_the_last_character_on(drawn, end):
    points = torch.nn.functional.pad(line([24], []), (0, 1))
    points[drawn, 0, 3] = 1.0
    assert ends(points, POSITIONS, ["ab"], end_of_sequence=True) == [(end, True)]


@pytest.mark.parametrize(
    ("step", "point", "rests"),
    [
        (0, [0.9, -0.9, 0], True),
        (5, [1.1, 0, 0], False),
        (5, [0, -1.1, 0], False),
        (15, [0, 0, 1], False),  # lifted
        (0, [0, 0, 1], False),
    ],
)
def test_pen_rests_while_it_is_down_and_stays_near_its_place(step, point, rests):
    points = torch.zeros(16, 1, 3)
    points[step, 0] = torch.tensor(point) * torch.tensor([MAX_REST_OFFSET, MAX_REST_OFFSET, 1.0])
    points[..., :2] += STILL
    stopping = Stopping(points[0], NORMALISATION, None, [16])
    assert stopping.at_rest(points).tolist() == [rests]


def surplus(strokes, text, phi, mean=8.0):
    """Return the points of a stroke too many, of a hand that goes to the side of `mean`."""
    ink = from_strokes([np.array(stroke, float) for stroke in strokes])
    stopping = Stopping(torch.zeros(1, 3), towards(mean), [text], [99])
    stopping.feed(torch.tensor([0]), torch.zeros(len(phi), 1, 3), torch.tensor(phi)[:, None])
    return stopping.surplus(0, ink, stopping.peaks[:, 0].numpy())


def surplus_after_sign(text="a.", gap=8.0, peaks=(1, 1), place=9.0, mirror=1.0, mean=8.0):
    """Of a letter 10 high, a full stop at x `place`, a stroke beyond; `peaks` where each begins."""
    x = max(place, 6) + gap
    letter = [[0, 0], [2, 10], [4, 0], [6, 10]]
    strokes = (letter, [[place, 10], [place, 11]], [[x, 0], [x, 10]])
    phi = np.zeros((7, len(text) + 1), np.float32)
    phi[:3, 0] = phi[3:5, peaks[0]] = phi[5:, peaks[1]] = 1.0
    return surplus([np.array(stroke) * [mirror, 1] for stroke in strokes], text, phi, mean)


def surplus_after_letter(text="ab", gap=8.0, back=0.0, leaving=0.6, first=1):
    """Of three stems 10 high, the first an `a`, the second a `b`, the third 8 beyond it."""
    last = [[6 + gap, 0], [6 + gap - back, 10]]
    phi = np.zeros((5, len(text) + 1), np.float32)
    phi[:1, 0] = phi[1:3, first] = phi[3:, 1] = 1.0
    phi[3:, 2] = leaving
    return surplus(([[0, 0], [0, 10]], [[6, 0], [6, 10]], last), text, phi)


LEFT = {"mirror": -1, "mean": -8}


@pytest.mark.parametrize(
    "case", [{}, LEFT, {"text": "a. "}, {"text": "a!", "gap": 4.6}, {"peaks": (1, 2)}]
)
def test_stroke_begun_beyond_a_last_sign_is_surplus(case):
    assert surplus_after_sign(**case) == 2


@pytest.mark.parametrize(
    "case",
    [
        {"gap": 4.4},  # 0.44 x-heights beyond the sign
        {"gap": -3.0},  # before the sign
        {"mirror": -1},  # to the left, in a hand that goes to the right
        {"place": 4.0},  # the sign is over its letter, so the stroke may be the sign
        {"text": "ab"},  # the window has not left the last letter
        {"text": "  "},  # no last character
        {"peaks": (0, 1)},  # the only stroke that is begun at the last sign
        {"peaks": (0, 2)},  # likewise, when the window has passed the text
        {"peaks": (1, 0)},  # begun at the letter
    ],
)
def test_stroke_near_other_ink_or_begun_at_an_earlier_character_is_not_surplus(case):
    """Such as a delayed dot, or the sign itself."""
    assert surplus_after_sign(**case) == 0


@pytest.mark.parametrize(
    ("case", "points"),
    [
        ({}, 2),
        ({"text": "ab "}, 2),
        ({"text": "a1"}, 2),
        ({"back": 7.0}, 2),
        ({"leaving": 0.4}, 0),  # the window waits for it: the last of a `w`
        ({"back": 9.0}, 0),  # it comes back: the second of a `y`
        ({"gap": 4.0}, 0),
        ({"first": 0}, 0),
    ],
)
def test_stroke_begun_beyond_a_last_letter_is_surplus_when_the_window_leaves_it(case, points):
    assert surplus_after_letter(**case) == points
