"""The steppers against the network itself, run step by step, and its mixture."""

import pytest
import torch

from model import PredictionNetwork, SynthesisNetwork
from model.generation.line import Sampling
from model.generation.stepping import STEPS_PER_CALL, CompiledStepper, Stepper, WritingState
from model.layers.recurrent import RecurrentLayer
from tests.model.builders import NORMALISATION, generator, needs_compiler, num_threads

STEPPERS = [Stepper, pytest.param(CompiledStepper, marks=needs_compiler)]
SAMPLING = Sampling(pen_sharpness=1.7, stretch=(1.1, 0.9))


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def build(kind=SynthesisNetwork, cell="LSTM", **options):
    """Return a network whose weights are so far from zero that every part counts."""
    if kind is SynthesisNetwork:
        options |= {"alphabet": "abcde", "window_advance": 0.3}
    options = {"hidden_size": 20, "hand_size": 3 if cell == "LSTM" else None} | options
    network = generator(kind, cell=cell, **options)
    for weights in network.parameters():
        weights.add_(0.3 * torch.randn_like(weights))
    return network


def begin(network, count):
    """Return lines in the midst of writing."""
    state = {name: 0.5 * torch.randn_like(v) for name, v in network.initial_state(count).items()}
    text = lengths = None
    if network.needs_text:
        state["0.kappa"] = state["0.kappa"].abs()
        text, lengths = torch.randint(0, 5, (count, 7)), torch.randint(1, 8, (count,))
    return WritingState(torch.randn(count, network.input_size), state, SAMPLING, text, lengths)


def numbers(steps, count):
    return torch.rand(steps, count, 2), torch.randn(steps, count, 2)


@needs_compiler
@pytest.mark.parametrize(("mixtures", "ends"), [(20, False), (1, True)])
@pytest.mark.parametrize(
    ("kind", "cell", "layers", "hidden"),
    [
        (SynthesisNetwork, "LSTM", 3, 20),
        (SynthesisNetwork, "GRU", 4, 17),
        (PredictionNetwork, "LSTM", 1, 33),
        (PredictionNetwork, "GRU", 2, 7),
    ],
)
def test_compiled_stepper_writes_the_same_as_the_plain_stepper(
    kind, cell, layers, hidden, mixtures, ends
):
    """For few steps, as rounding grows from step to step."""
    options = dict(num_layers=layers, hidden_size=hidden, num_mixtures=mixtures)
    network = build(kind, cell, end_of_sequence=ends, **options)
    if ends:
        network.output.bias[-1] = 0.0  # else it hardly ever draws an end
    lines, (uniform, normal) = begin(network, 8), numbers(6, 8)
    plain, compiled = (kind(network, lines, torch.float32) for kind in (Stepper, CompiledStepper))
    bias = torch.rand(8)
    for stepper in (plain, compiled):
        stepper.bias.copy_(bias)
    for part in (slice(0, 3), slice(3, 5), slice(5, 6)):  # odd and even numbers of steps
        expected, results = (
            stepper.run(uniform[part], normal[part]) for stepper in (plain, compiled)
        )
        torch.testing.assert_close(results, expected, rtol=1e-3, atol=1e-3)


def test_plain_stepper_writes_what_the_network_predicts():
    """Stretched in the units of the data, and sharpened; the next input is what was drawn."""
    network = build(end_of_sequence=True)
    lines, (uniform, normal) = begin(network, 8), numbers(2, 8)
    std, mean = (torch.tensor(v)[:, None] for v in (NORMALISATION.std, NORMALISATION.mean))
    stepper, bias = Stepper(network, lines, torch.float32), torch.rand(8)
    stepper.bias.copy_(bias)
    points, phi = stepper.run(uniform, normal)
    inputs = torch.stack((lines.point, torch.nn.functional.pad(points[0, :, :3], (0, 1))), 1)
    output = network(inputs, lines.text, lines.text_lengths, lines.state)
    means = (output.prediction.means * std + mean) * torch.tensor(SAMPLING.stretch)[:, None]
    output.prediction.means = (means - mean) / std
    prediction = output.prediction.biased(bias[:, None].expand(-1, 2), SAMPLING.pen_sharpness)
    expected = prediction.sample(uniform.transpose(0, 1), normal.transpose(0, 1))
    torch.testing.assert_close(points.transpose(0, 1), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(phi.transpose(0, 1), output.attention, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stepper", STEPPERS)
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_lines_that_are_kept_continue_as_they_would_beside_the_dropped_lines(stepper, cell):
    network, rows = build(cell=cell), torch.tensor([0, 3])
    lines, (uniform, normal) = begin(network, 5), numbers(8, 5)
    is_halved = torch.tensor([True, False, False, True, True])
    whole, some = (stepper(network, lines, torch.float32) for _ in range(2))
    for steps in (whole, some):
        steps.run(uniform[:5], normal[:5])
        steps.halve_bias(is_halved)
    assert torch.equal(whole.bias, SAMPLING.bias * torch.tensor([0.5, 1.0, 1.0, 0.5, 0.5]))
    some.select(rows)
    points, _ = some.run(uniform[5:, rows], normal[5:, rows])
    expected, _ = whole.run(uniform[5:], normal[5:])
    torch.testing.assert_close(points, expected[:, rows], rtol=1e-4, atol=1e-4)


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bits_of_compiled_lines_depend_neither_on_other_lines_nor_on_threads(dtype, threads):
    network = build(hidden_size=40, num_mixtures=20)
    lines = begin(network, 21)
    uniform, normal = numbers(STEPS_PER_CALL, 21)
    row = torch.tensor([13])
    expected = CompiledStepper(network, lines, dtype).run(uniform, normal)[0].clone()
    with num_threads(threads):
        points, _ = CompiledStepper(network, lines, dtype).run(uniform, normal)
        alone = CompiledStepper(network, lines[row], dtype)
        alone, _ = alone.run(uniform[:, row], normal[:, row])
    assert torch.equal(points, expected) and torch.equal(alone, expected[:, row])


@pytest.mark.parametrize("stepper", STEPPERS)
def test_first_step_in_bfloat16_is_near_that_in_float32(stepper):
    network = build(hidden_size=64)
    for weights in network.parameters():
        weights.mul_(0.3)
    lines, random = begin(network, 50), numbers(1, 50)
    exact, exact_phi = stepper(network, lines, torch.float32).run(*random)
    points, phi = stepper(network, lines, torch.bfloat16).run(*random)
    # bfloat16 has 8 bits; a component on the brink may change.
    assert ((points - exact).abs().amax(2) < 0.05).float().mean() > 0.9
    torch.testing.assert_close(phi, exact_phi, rtol=0.05, atol=0.02)
    assert not torch.equal(points, exact)


@needs_compiler
def test_compiled_stepper_refuses_a_text_beyond_the_alphabet():
    lines = begin(network := build(), 2)
    lines.text[1, 0] = 5
    with pytest.raises(IndexError, match="beyond the alphabet"):
        CompiledStepper(network, lines, torch.float32).run(*numbers(1, 2))


class OwnNetwork(SynthesisNetwork):
    """Computes something else."""


class OwnLayer(RecurrentLayer):
    """Computes something else."""


@needs_compiler
@pytest.mark.parametrize(
    ("options", "own_network", "own_layer", "stepper"),
    [
        ({}, False, False, CompiledStepper),
        ({"head": "regression"}, False, False, Stepper),
        ({}, True, False, Stepper),
        ({}, False, True, Stepper),
    ],
)
def test_own_classes_and_regression_heads_run_uncompiled(options, own_network, own_layer, stepper):
    network = build(**options)
    network.__class__ = OwnNetwork if own_network else SynthesisNetwork
    network.layers[1].__class__ = OwnLayer if own_layer else RecurrentLayer
    assert type(network.stepper(begin(network, 1), torch.float32)) is stepper
