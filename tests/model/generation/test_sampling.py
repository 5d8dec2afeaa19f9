"""Writing: seeds, bias, primer, where lines end, and the limit."""

import copy
import math
import re

import numpy as np
import pytest
import torch

from model import PredictionNetwork, SynthesisNetwork, sample
from model.generation import sampling
from model.generation.sampling import BLOCK, _begin
from model.generation.sampling_options import Sampling
from model.generation.stepper import PERIOD
from model.layers.kernels import library
from utils.alphabet import Alphabet
from utils.checks import DataError, UserError
from utils.normalisation import Normalisation

NORMALISATION = Normalisation((8.0, 0.5), (40.0, 30.0))


@pytest.fixture(scope="module")
def synthesis() -> SynthesisNetwork:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_mixtures": 3, "num_windows": 2, "window_advance": 0.1}
    return SynthesisNetwork(NORMALISATION, Alphabet("abc "), **sizes).eval()


def test_a_line_is_left_without_what_is_too_many(synthesis, monkeypatch):
    (before,) = sample(synthesis, [2], ["cab"], Sampling(bias=0.5))
    monkeypatch.setattr("model.generation.stopping.Stopping.surplus", lambda *_: 2)
    (line,) = sample(synthesis, [2], ["cab"], Sampling(bias=0.5))
    assert line.ended and len(line.ink) == len(before.ink) - 2
    np.testing.assert_array_equal(line.ink[:, :2], before.ink[:-2, :2])
    assert len(line.peaks) == len(line.bias) == len(line.ink) - 1


@pytest.mark.parametrize("lifts", [False, True])
def test_the_bias_is_halved_while_the_pen_rests(lifts):
    """Points drawn by hand from one Gaussian around the offset of a pen that rests."""
    network = PredictionNetwork(NORMALISATION, hidden_size=4, num_mixtures=1)
    still, scale = torch.tensor([-8.0 / 40.0, -0.5 / 30.0]), 0.2
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.output.bias[0] = -30.0 if lifts else 30.0
        network.output.bias[2:4], network.output.bias[4:6] = still, math.log(scale)
    for seed, bias in zip([4, 6], [4.0, 3.0], strict=True):
        line, _ = sample(network, [seed, 9], sampling=Sampling(bias=bias, max_steps=4 * PERIOD))
        generator, biases = torch.Generator().manual_seed(seed), []
        _, normal = (draw(BLOCK, 2, generator=generator) for draw in (torch.rand, torch.randn))
        for start in range(0, 4 * PERIOD, PERIOD):
            biases.append(bias)
            part = scale * math.exp(-bias) * normal[start : start + PERIOD]
            if not lifts and part.abs().max() <= 0.1:
                bias /= 2
            drawn = line.ink[1 + start : 1 + start + PERIOD, :2]
            np.testing.assert_allclose(drawn, part * torch.tensor([40.0, 30.0]), atol=1e-4)
        np.testing.assert_array_equal(line.bias, np.repeat(biases, PERIOD))
        assert lifts == (len(set(biases)) == 1)


def test_the_limit_of_a_line_is_that_of_its_own_text(synthesis):
    """Also beside longer ones: here no line ends by itself."""
    still = copy.deepcopy(synthesis)
    with torch.no_grad():
        still.layers[0].window.bias.fill_(-9.0)  # The window never moves.
    texts = ["ab", "abcabcabc", "abc"]
    together = sample(still, [1, 2, 3], texts, Sampling(bias=0.0))
    for seed, text, line in zip((1, 2, 3), texts, together, strict=True):
        (alone,) = sample(still, [seed], [text], Sampling(bias=0.0))
        assert not line.ended and len(line.ink) == 101 + 40 * len(text)
        np.testing.assert_allclose(line.ink, alone.ink, atol=1e-3)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_without_compiled_kernels_one_thread_writes(synthesis, monkeypatch, is_compiled):
    """With several it takes up to 20 times as long where others compute as well."""
    compiled, before, threads = library.kernels(False), torch.get_num_threads(), []
    if is_compiled and compiled is None:
        pytest.skip("there is no C compiler that compiles the kernels")
    monkeypatch.setattr(library, "kernels", lambda bfloat16: compiled if is_compiled else None)
    stopping = sampling.Stopping
    monkeypatch.setattr(
        sampling,
        "Stopping",
        lambda *given: threads.append(torch.get_num_threads()) or stopping(*given),
    )
    try:
        torch.set_num_threads(3)
        sample(synthesis, [0], ["abc"], Sampling(max_steps=5))
        with pytest.raises(UserError):
            sample(synthesis, [0], [""])
        assert (threads, torch.get_num_threads()) == ([3 if is_compiled else 1], 3)
    finally:
        torch.set_num_threads(before)


def test_a_primer_is_continued(synthesis):
    primer = np.array([[0, 0, 0], [9, 3, 0], [8, -2, 1]], np.float32)
    sampling = Sampling(bias=0.5, max_steps=10)
    (line,) = sample(synthesis, [1], ["ab"], sampling, primer=(primer, "c "))
    assert line.text == "c ab" and line.primed == 3 and len(line.ink) <= 13
    np.testing.assert_array_equal(line.ink[:3], primer)
    assert line.bias.tolist() == [0.5] * len(line.peaks)
    # The window at the primer's steps is that of the network over the primer.
    inputs = torch.from_numpy(NORMALISATION.apply(primer))[None]
    text = torch.from_numpy(synthesis.alphabet.encode("c ab"))[None]
    with torch.no_grad():
        output = synthesis(inputs, text, torch.tensor([4]))
    np.testing.assert_array_equal(line.peaks[:2], output.attention[0, :2].argmax(1))


def test_after_a_primer_the_middle_of_the_window_is_on_the_character_after_it(synthesis):
    primer, texts = np.zeros((4, 3), np.float32), ["c ab", "c abcabcabc"]
    begun, _ = _begin(synthesis, primer, texts, 2, synthesis.told(2, seeds=[1, 2]), Sampling())
    for row, text in enumerate(texts):
        codes = torch.from_numpy(synthesis.alphabet.encode(text))[None]
        inputs = torch.from_numpy(NORMALISATION.apply(primer[:-1]))[None]
        with torch.no_grad():
            output = synthesis(inputs, codes, torch.tensor([len(text)]))
        weights = output.attention[0, -1].double()
        middle = next(k for k in range(len(text)) if weights[: k + 1].sum() >= weights.sum() / 2)
        moved = begun.state["0.kappa"][row] - output.state["0.kappa"][0]
        assert middle != 2 and moved.tolist() == pytest.approx([2 - middle] * len(moved))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"texts": ["az"]}, UserError, "U\\+007A"),
        ({"texts": [""]}, UserError, "at least one character"),
        ({"texts": ["a", "b"]}, UserError, "1 seeds need as many texts"),
        ({"primer": (np.float32([[0, 0, 0], [1, np.nan, 1]]), "b")}, DataError, "in row 1"),
    ],
)
def test_what_cannot_be_written_is_refused(synthesis, options, error, message):
    with pytest.raises(error, match=message):
        sample(synthesis, [1], **{"texts": ["a"]} | options)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bias", [-1.0, math.nan]),
        ("pen_sharpness", [-1.0]),
        ("stretch", [(1.0,), (math.inf, 1.0), (1.0, 0.0)]),
        ("max_steps", [0]),
    ],
)
def test_values_of_a_sampling_are_checked_where_it_is_made(name, values):
    for value in values:
        with pytest.raises(UserError, match=f"{name} {re.escape(str(value))} does not fit"):
            Sampling(**{name: value})
