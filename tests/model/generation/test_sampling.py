"""Writing: seeds, bias, primer, where lines end, and the limit."""

import copy
import math
import re

import numpy as np
import pytest
import torch

from model import PredictionNetwork, SynthesisNetwork, sample
from model.generation.options import Sampling
from model.generation.stepper import PERIOD
from model.generation.stopping import Stopping
from utils.alphabet import Alphabet, UnknownCharacters
from utils.checks import DataError, UserError
from utils.normalisation import Normalisation

NORMALISATION = Normalisation((8.0, 0.5), (40.0, 30.0))


@pytest.fixture(scope="module")
def synthesis() -> SynthesisNetwork:
    torch.manual_seed(0)
    network = SynthesisNetwork(
        NORMALISATION,
        Alphabet("abc "),
        hidden_size=16,
        num_mixtures=3,
        num_windows=2,
        window_advance=0.1,
    )
    return network.eval()


@pytest.fixture(scope="module")
def prediction() -> PredictionNetwork:
    torch.manual_seed(0)
    return PredictionNetwork(NORMALISATION, hidden_size=16, num_mixtures=3).eval()


def lifting(up: float, mean: float = 8.0) -> SynthesisNetwork:
    """Return a network that lifts the pen at each point with the same log-odds."""
    torch.manual_seed(0)
    network = SynthesisNetwork(
        Normalisation((mean, 0.5), (40.0, 30.0)),
        Alphabet("abc. "),
        hidden_size=16,
        num_mixtures=3,
        num_windows=2,
        window_advance=0.1,
    ).eval()
    with torch.no_grad():
        network.output.weight[0] = 0.0
        network.output.bias[0] = -up
    return network


def with_no_batch(network, seed: int, text: str, limit: int):
    """Return the points of a line, `(steps, 3)` normalised, and its end: step by step."""
    letters = torch.from_numpy(network.alphabet.encode(text))[None]
    still = -torch.tensor(network.normalisation.mean) / torch.tensor(network.normalisation.std)
    uniform, normal = numbers_of(seed)
    point, state = torch.tensor([[[*still.tolist(), 0.0]]]), network.initial_state(1)
    stopping = Stopping(point[0], network.normalisation, [text], [limit])
    points = []
    for step in range(limit):
        with torch.no_grad():
            output = network(point, letters, torch.tensor([len(text)]), state)
        state, now = output.state, slice(step, step + 1)
        point = output.prediction[:, -1].sample(uniform[now], normal[now])[None]
        points.append(point[0, 0])
        if not stopping.feed(torch.tensor([0]), point, output.attention):
            break
    return torch.stack(points), *stopping.ends()[0]


@pytest.mark.slow
@pytest.mark.parametrize("mean", [8.0, -8.0])
@pytest.mark.parametrize("text", ["abcabc", "abcab."])
@pytest.mark.parametrize("up", [-30.0, -2.5, 1.5, 30.0], ids=["never", "seldom", "often", "always"])
def test_a_line_is_what_the_network_draws_until_it_ends(mean, text, up, monkeypatch):
    """Where the text ends in a letter, and to the other side where the hand runs to the left."""
    monkeypatch.setattr("model.generation.stopping.Stopping.surplus", lambda *_: 0)
    network = lifting(up, mean)

    def check(line, seed, limit):
        points, steps, ended = with_no_batch(network, seed, text, limit)
        assert line.ended == ended and len(line.ink) == steps + 1
        offsets = points[:steps, :2].numpy() * [40.0, 30.0] + [mean, 0.5]
        np.testing.assert_allclose(line.ink[1:, :2], offsets, atol=0.05)

    for limit in (250, 61):
        for seed, line in enumerate(
            sample(network, range(6), [text] * 6, Sampling(bias=0.0, max_steps=limit))
        ):
            check(line, seed, limit)
            if line.ended and seed < 3:  # of a limit within the last stroke
                short = len(line.ink) - 2
                check(
                    *sample(network, [seed], [text], Sampling(bias=0.0, max_steps=short)),
                    seed,
                    short,
                )


def test_a_line_is_left_without_what_is_too_many(synthesis, monkeypatch):
    primer = (np.array([[0, 0, 0], [9, 3, 0], [8, -2, 1]], np.float32), "c ")
    words = {"sampling": Sampling(bias=0.5, max_steps=300), "primer": primer}
    monkeypatch.setattr("model.generation.stopping.Stopping.surplus", lambda *_: 0)
    whole = sample(synthesis, [1, 2], ["ab", "cab"], **words)
    for surplus in (2, 1000):
        monkeypatch.setattr("model.generation.stopping.Stopping.surplus", lambda *_: surplus)  # noqa: B023
        for line, before in zip(
            sample(synthesis, [1, 2], ["ab", "cab"], **words), whole, strict=True
        ):
            kept = max(len(before.ink) - surplus, 3)
            assert line.ended and len(line.ink) == kept
            np.testing.assert_array_equal(line.ink[:, :2], before.ink[:kept, :2])
            np.testing.assert_array_equal(line.peaks, before.peaks[: kept - 1])
            np.testing.assert_array_equal(line.bias, before.bias[: kept - 1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lifts", [False, True])
def test_the_bias_is_halved_while_the_pen_rests(dtype, lifts):
    """Points drawn by hand from one Gaussian around the offset of a pen that rests."""
    network = PredictionNetwork(NORMALISATION, hidden_size=4, num_mixtures=1)
    still, scale = torch.tensor([-8.0 / 40.0, -0.5 / 30.0]), 0.2
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.output.bias[0] = -30.0 if lifts else 30.0
        network.output.bias[2:4], network.output.bias[4:6] = still, math.log(scale)
    network = network.to(dtype)
    for seed, bias in zip([4, 5, 6], [4.0, 0.0, 3.0], strict=True):
        line, _ = sample(network, [seed, 9], sampling=Sampling(bias=bias, max_steps=4 * PERIOD))
        normal, biases = numbers_of(seed)[1], []
        for start in range(0, 4 * PERIOD, PERIOD):
            biases.append(bias)
            part = scale * math.exp(-bias) * normal[start : start + PERIOD]
            if not lifts and part.abs().max() <= 0.1:
                bias /= 2
            drawn = line.ink[1 + start : 1 + start + PERIOD, :2]
            np.testing.assert_allclose(drawn, part * torch.tensor([40.0, 30.0]), atol=1e-4)
        np.testing.assert_array_equal(line.bias, np.repeat(biases, PERIOD))
        halved = {4.0: [4.0, 2.0, 1.0, 1.0], 0.0: [0.0] * 4, 3.0: [3.0, 1.5, 0.75, 0.75]}
        assert biases == (biases[:1] * 4 if lifts else halved[biases[0]])


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


def test_a_primer_is_continued(synthesis):
    primer = np.array([[0, 0, 0], [9, 3, 0], [8, -2, 1]], np.float32)
    line = sample(synthesis, [1], ["ab"], Sampling(bias=0.5, max_steps=10), primer=(primer, "c "))[
        0
    ]
    assert line.text == "c ab" and line.primed == 3 and len(line.ink) <= 13
    np.testing.assert_array_equal(line.ink[:3], primer)
    assert line.peaks.shape == (len(line.ink) - 1,)
    assert line.bias.tolist() == [0.5] * (len(line.ink) - 1)
    assert line.written[0, :2].tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(line.written[1:], line.ink[4:])
    # The window at the primer's steps is that of the network over the primer.
    inputs = torch.from_numpy(NORMALISATION.apply(primer))[None]
    text = torch.from_numpy(synthesis.alphabet.encode("c ab"))[None]
    with torch.no_grad():
        output = synthesis(inputs, text, torch.tensor([4]))
    np.testing.assert_array_equal(line.peaks[:3], output.attention[0].argmax(1))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"texts": ["az"]}, UnknownCharacters, "U\\+007A"),
        ({"texts": [""]}, UserError, "at least one character"),
        ({"texts": ["a", "b"]}, UserError, "1 seeds need as many texts"),
        ({"primer": (np.float32([[0, 0, 0], [1, np.nan, 1]]), "b")}, DataError, "in row 1"),
    ],
)
def test_what_cannot_be_written_is_refused(synthesis, options, error, message):
    with pytest.raises(error, match=message):
        sample(synthesis, [1], **{"texts": ["a"]} | options)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"bias": -1.0}, {"bias": math.nan}, {"pen_sharpness": -1.0}, {"stretch": (1.0,)}),
        *({"stretch": (math.inf, 1.0)}, {"stretch": (1.0, 0.0)}, {"max_steps": 0}),
    ],
)
def test_values_of_a_sampling_are_checked_where_it_is_made(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UserError, match=f"{name} {re.escape(str(value))} does not fit"):
        Sampling(**wrong)


# Networks that end their sequences themselves


def ending(kind: str, logit: float):
    """An untrained network whose sequences end with about the chance of `logit` at each point."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_mixtures": 3, "end_of_sequence": True}
    if kind == "prediction":
        network = PredictionNetwork(NORMALISATION, **sizes)
    else:
        network = SynthesisNetwork(
            NORMALISATION, Alphabet("abc "), num_windows=2, window_advance=0.1, **sizes
        )
    with torch.no_grad():
        network.output.bias[-1] = -logit
    return network.eval()


def numbers_of(seed: int):
    """The random numbers of a line's first steps, as drawn by hand."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(make(256, 2, generator=generator) for make in (torch.rand, torch.randn))


def by_hand(network, seed: int, steps: int):
    """Return the points of a line, `(steps, 4)` normalised, by the network and its mixture."""
    uniform, normal = numbers_of(seed)
    point, state, points = torch.tensor([[[-8.0 / 40.0, -0.5 / 30.0, 0.0, 0.0]]]), None, []
    with torch.no_grad():
        for step in range(steps):
            output = network(point, state=state)
            state = output.state
            drawn = output.prediction[:, -1].sample(
                uniform[step : step + 1], normal[step : step + 1]
            )
            points.append(drawn[0])
            point = drawn[None] * torch.tensor([1.0, 1.0, 1.0, 0.0])  # it has not ended
    return torch.stack(points)


def test_a_line_ends_with_its_first_drawn_end():
    network = ending("prediction", -3.0)
    lines = sample(network, range(12), sampling=Sampling(bias=0.0, max_steps=40))
    assert 3 < sum(line.ended for line in lines) < 12
    for seed, line in enumerate(lines):
        points = by_hand(network, seed, 40)
        ends = (points[:, 3] == 1).nonzero()[:, 0].tolist()
        assert line.ended == bool(ends)
        count = ends[0] + 1 if ends else 40  # the point at which it ends is part of it
        assert line.ink.shape == (count + 1, 3) and line.ink[-1, 2] == 1
        offsets = points[:count, :2].numpy() * [40.0, 30.0] + [8.0, 0.5]
        np.testing.assert_allclose(line.ink[1:, :2], offsets, atol=0.05)
        np.testing.assert_array_equal(line.ink[1:-1, 2], points[: count - 1, 2])
        # Neither the others of the batch nor the limit have a say in it.
        alone = sample(network, [seed], sampling=Sampling(bias=0.0, max_steps=300))[0]
        assert alone.ended and len(alone.ink) >= len(line.ink)
        np.testing.assert_allclose(alone.ink[:count], line.ink[:count], atol=0.05)


def test_the_earlier_of_window_and_end_ends_a_line():
    texts, sampling = ["abcabc"] * 20, Sampling(bias=0.0, max_steps=400)
    by_window, mixed, always = (
        sample(ending("synthesis", logit), range(20), texts, sampling)
        for logit in (-30.0, -4.0, 30.0)
    )
    for line in always:  # Every point is drawn as an end: the text decides.
        assert line.ended and line.peaks[-1] == len(line.text) - 1 > line.peaks[:-1].max()
    lengths = [[len(line.ink) for line in lines] for lines in (mixed, by_window)]
    assert all(line.ended for line in (*mixed, *by_window))
    shorter = [one < other for one, other in zip(*lengths, strict=True)]
    assert 0 < sum(shorter) < 20 and all(a <= b for a, b in zip(*lengths, strict=True))


def test_a_regression_network_writes_means():
    torch.manual_seed(0)
    network = PredictionNetwork(NORMALISATION, hidden_size=16, head="regression").eval()
    one, other = sample(network, [1, 2], sampling=Sampling(bias=5.0, max_steps=50))
    first = torch.tensor([[[-8.0 / 40.0, -0.5 / 30.0, 0.0]]])
    with torch.no_grad():
        mean = network(first).prediction.mean[0, 0]
    for line in (one, other):  # what differs from line to line is the pen only
        np.testing.assert_allclose(
            line.ink[1, :2], mean.numpy() * [40.0, 30.0] + [8.0, 0.5], rtol=1e-4
        )
    assert not np.array_equal(one.ink[:, 2], other.ink[:, 2])
