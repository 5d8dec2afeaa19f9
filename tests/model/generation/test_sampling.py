"""Writing: where a line stops, the bias of a pen at rest, primers, threads, and what is refused."""

import math
import re

import numpy as np
import pytest
import torch

from model import PredictionNetwork, sample
from model.generation.line import Sampling
from model.generation.sampling import BLOCK, Stopping, _begin
from model.generation.stepping import STEPS_PER_CALL
from model.layers.kernels import library
from tests.model.builders import PRIMER, generator, needs_compiler, num_threads, over
from utils.checks import DataError, UserError


@pytest.fixture(scope="module")
def network():
    return generator(hidden_size=16, window_advance=0.1)


def test_ended_line_loses_its_surplus_points(network, monkeypatch):
    (whole,) = sample(network, [2], ["cab"], Sampling(bias=0.5))
    monkeypatch.setattr(Stopping, "surplus", lambda *_: 2)
    (line,) = sample(network, [2], ["cab"], Sampling(bias=0.5))
    assert line.ended and len(line.peaks) == len(line.bias) == len(line.ink) - 1
    np.testing.assert_array_equal(line.ink[:, :2], whole.ink[:-2, :2])


@pytest.mark.parametrize("lifts", [False, True])
@pytest.mark.parametrize(("seed", "bias"), [(4, 4.0), (6, 3.0)])
def test_bias_is_halved_after_each_period_in_which_the_pen_rests(seed, bias, lifts):
    """The network draws every offset from one Gaussian around the offset of a pen at rest."""
    network, scale = generator(PredictionNetwork, hidden_size=4, num_mixtures=1), 0.2
    pen, width = -30.0 if lifts else 30.0, math.log(scale)
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.output.bias[:6] = torch.tensor([pen, 0.0, -8 / 40, -0.5 / 30, width, width])
    random = torch.Generator().manual_seed(seed)
    _, normal = (draw(BLOCK, 2, generator=random) for draw in (torch.rand, torch.randn))
    biases, moves = [bias], []
    for numbers in normal[: 4 * STEPS_PER_CALL].split(STEPS_PER_CALL):
        moves.append(scale * math.exp(-biases[-1]) * numbers)
        rests = not lifts and moves[-1].abs().max() <= 0.1
        biases.append(biases[-1] / 2 if rests else biases[-1])
    line, _ = sample(network, [seed, 9], sampling=Sampling(bias=bias, max_steps=4 * STEPS_PER_CALL))
    np.testing.assert_array_equal(line.bias, np.repeat(biases[:-1], STEPS_PER_CALL))
    offsets = torch.cat(moves) * torch.tensor([40.0, 30.0])
    np.testing.assert_allclose(line.ink[1:, :2], offsets, atol=1e-4)
    assert lifts == (len(set(biases[:-1])) == 1)


def test_limit_of_a_line_is_that_of_its_own_text_beside_longer_texts():
    network, texts = generator(), ["ab", "abcabcabc", "abc"]
    with torch.no_grad():
        network.layers[0].window.bias.fill_(-9.0)  # the window never moves
    lines = sample(network, [1, 2, 3], texts, Sampling(bias=0.0))
    assert not any(line.ended for line in lines)
    assert [len(line.ink) for line in lines] == [101 + 40 * len(text) for text in texts]


def test_line_goes_on_with_its_own_random_numbers_once_other_lines_have_ended():
    network, texts = generator(), ["ab", "abcabcabc"]
    with torch.no_grad():
        network.layers[0].window.bias.fill_(-9.0)  # the window never moves
    _, line = sample(network, [1, 2], texts, Sampling(bias=0.0))
    (alone,) = sample(network, [2], texts[1:], Sampling(bias=0.0))
    assert 180 < BLOCK < len(line.ink)  # the other line has 180 steps
    np.testing.assert_allclose(line.ink, alone.ink, atol=1e-2)


@pytest.mark.parametrize("is_compiled", [False, pytest.param(True, marks=needs_compiler)])
def test_writing_without_kernels_runs_on_a_single_thread(network, monkeypatch, is_compiled):
    compiled = library.kernels(False) if is_compiled else None
    monkeypatch.setattr(library, "kernels", lambda bfloat16: compiled)
    threads, ends = [], Stopping.ends
    monkeypatch.setattr(
        Stopping, "ends", lambda self: threads.append(torch.get_num_threads()) or ends(self)
    )
    with num_threads(3):
        sample(network, [0], ["abc"], Sampling(max_steps=5))
        assert (threads, torch.get_num_threads()) == ([3 if is_compiled else 1], 3)
        with pytest.raises(UserError):
            sample(network, [0], [""])
        assert torch.get_num_threads() == 3


def test_line_continues_its_primer(network):
    (line,) = sample(network, [1], ["ab"], Sampling(bias=0.5, max_steps=10), primer=PRIMER)
    assert line.text == "c ab" and line.primed == 3 and len(line.ink) <= 13
    np.testing.assert_array_equal(line.ink[:3], PRIMER[0])
    assert line.bias.tolist() == [0.5] * len(line.peaks)
    expected = over(network, PRIMER[0], "c ab").attention[0, :2].argmax(1)
    np.testing.assert_array_equal(line.peaks[:2], expected)


@pytest.mark.parametrize(("row", "text"), [(0, "c ab"), (1, "c abcabcabc")])
def test_median_of_the_window_is_moved_to_the_character_after_the_primer(network, row, text):
    ink, given = np.zeros((4, 3), np.float32), network.make_conditions(2, seeds=[1, 2])
    lines, _ = _begin(network, ink, ["c ab", "c abcabcabc"], 2, given, Sampling())
    output = over(network, ink[:-1], text)
    weights = output.attention[0, -1].double()
    median = next(k for k in range(len(text)) if weights[: k + 1].sum() >= weights.sum() / 2)
    moved = lines.state["0.kappa"][row] - output.state["0.kappa"][0]
    assert median != 2 and moved.tolist() == pytest.approx([2 - median] * len(moved))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"texts": ["az"]}, UserError, "U\\+007A"),
        ({"texts": [""]}, UserError, "at least one character"),
        ({"texts": ["a", "b"]}, UserError, "1 seeds need as many texts"),
        ({"primer": (np.float32([[0, 0, 0], [1, np.nan, 1]]), "b")}, DataError, "in row 1"),
    ],
)
def test_texts_and_primers_that_cannot_be_written_are_refused(network, options, error, message):
    with pytest.raises(error, match=message):
        sample(network, [1], **{"texts": ["a"]} | options)


@pytest.mark.parametrize(
    "option",
    [{"bias": -1.0}, {"bias": math.nan}, {"pen_sharpness": -1.0}, {"max_steps": 0}]
    + [{"stretch": factors} for factors in ((1.0,), (math.inf, 1.0), (1.0, 0.0))],
)
def test_sampling_refuses_values_out_of_range(option):
    ((name, value),) = option.items()
    with pytest.raises(UserError, match=f"{name} {re.escape(str(value))} does not fit"):
        Sampling(**option)
