"""The steppers against the network itself, run step by step, and its mixture."""

import copy

import pytest
import torch

from model import PredictionNetwork, SynthesisNetwork
from model.generation.compiled_stepper import CompiledStepper
from model.generation.sampling_options import Sampling
from model.generation.stepper import PERIOD, Stepper, WritingState
from model.layers.kernels import library
from model.layers.recurrent import RecurrentLayer
from utils.alphabet import Alphabet
from utils.normalisation import Normalisation

NORMALISATION = Normalisation((8.0, 0.5), (40.0, 30.0))
NEEDS_COMPILER = pytest.mark.skipif(
    not library.available(torch.device("cpu"), torch.float32), reason="there is no C compiler"
)
STEPPERS = [Stepper, pytest.param(CompiledStepper, marks=NEEDS_COMPILER)]


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def make(cell="LSTM", layers=3, conditional=True, hidden=20, mixtures=3, **more):
    torch.manual_seed(1)
    more |= {"hidden_size": hidden, "num_layers": layers, "cell": cell, "num_mixtures": mixtures}
    more["hand_size"] = 3 if cell == "LSTM" else None
    if conditional:
        window = {"num_windows": 2, "window_advance": 0.3}
        network = SynthesisNetwork(NORMALISATION, Alphabet("abcde"), **window, **more)
    else:
        network = PredictionNetwork(NORMALISATION, **more)
    for weights in network.parameters():  # far enough from zero that every part tells
        weights.add_(0.3 * torch.randn_like(weights))
    return network.eval()


def begin(network, count) -> WritingState:
    """Return lines in the midst of writing."""
    state = {name: 0.5 * torch.randn_like(v) for name, v in network.initial_state(count).items()}
    text = lengths = None
    if network.needs_text:
        state["0.kappa"] = state["0.kappa"].abs()
        text, lengths = torch.randint(0, 5, (count, 7)), torch.randint(1, 8, (count,))
    dtype = network.output.weight.dtype
    point, bias = torch.randn(count, network.input_size).to(dtype), torch.rand(count).to(dtype)
    sampling = Sampling(pen_sharpness=1.7, stretch=(1.1, 0.9))
    return WritingState(point, state, bias, text, lengths, sampling)


def plainly(network, lines, uniform, normal):
    """Return points and phi by the network and its mixture."""
    inputs, state, points, phis = lines.point[:, None], lines.state, [], []
    for one, two in zip(uniform, normal, strict=True):
        output = network(inputs, lines.text, lines.text_lengths, state)
        state = output.state
        mixture = output.prediction[:, -1].biased(lines.bias, lines.sampling.pen_sharpness)
        # Offsets in the units of the data are stretched, not the network's.
        for axis, factor in enumerate(lines.stretch(network) if network.head == "mixture" else ()):
            deviation, mean = NORMALISATION.std[axis], NORMALISATION.mean[axis]
            offsets = mixture.means[:, axis] * deviation + mean
            mixture.means[:, axis] = (offsets * factor - mean) / deviation
        points.append(mixture.sample(one, two))
        inputs = points[-1][:, None].clone()
        inputs[..., 3:] = 0.0  # what goes on has not ended
        phis.append(None if output.attention is None else output.attention[:, -1])
    return torch.stack(points), None if phis[0] is None else torch.stack(phis)


def numbers(steps, count):
    return torch.rand(steps, count, 2), torch.randn(steps, count, 2)


@pytest.mark.parametrize(
    ("head", "mixtures", "ends"),
    [("mixture", 20, False), ("mixture", 1, True), ("regression", 1, True)],
)
@pytest.mark.parametrize(
    ("cell", "layers", "conditional", "hidden"),
    [("LSTM", 3, True, 20), ("GRU", 4, True, 17), ("LSTM", 1, False, 33), ("GRU", 2, False, 7)],
)
@pytest.mark.parametrize("kind", STEPPERS)
def test_a_stepper_is_the_network(kind, cell, layers, conditional, hidden, head, mixtures, ends):
    """For few steps, as rounding grows from step to step."""
    network = make(cell, layers, conditional, hidden, mixtures, head=head, end_of_sequence=ends)
    if ends and head == "mixture":
        network.output.bias[-1] = 0.0  # made, it hardly ever draws one
    if kind is CompiledStepper and head == "regression":
        assert type(network.stepper(begin(network, 1), torch.float32)) is Stepper
        return
    lines = begin(network, 8)
    uniform, normal = numbers(6, 8)
    expected, expected_phi = plainly(network, lines, uniform, normal)
    steps = kind(network, lines, torch.float32)
    for part in (slice(0, 3), slice(3, 5), slice(5, 6)):  # odd and even numbers of steps
        points, phi = steps.run(uniform[part], normal[part])
        torch.testing.assert_close(points, expected[part], rtol=1e-3, atol=1e-3)
        if conditional:
            torch.testing.assert_close(phi, expected_phi[part], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", STEPPERS)
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_lines_can_be_dropped(kind, cell):
    """And be written with other biases from a step on."""
    network = make(cell)
    lines, rows = begin(network, 5), torch.tensor([0, 3])
    uniform, normal = numbers(8, 5)
    whole, bias = kind(network, lines, torch.float32), torch.tensor([0.0, 2.0, 1.0, 3.0, 0.5])
    expected = [whole.run(uniform[:5], normal[:5])[0].clone()[:, rows]]
    whole.sharpen(bias)
    expected.append(whole.run(uniform[5:], normal[5:])[0][:, rows])
    some = kind(network, lines, torch.float32)
    points = [some.run(uniform[:5], normal[:5])[0].clone()[:, rows]]
    some.sharpen(bias)
    some.keep(rows)
    points.append(some.run(uniform[5:, rows], normal[5:, rows])[0])
    torch.testing.assert_close(torch.cat(points), torch.cat(expected), rtol=1e-4, atol=1e-4)


@NEEDS_COMPILER
@pytest.mark.parametrize("matmul_dtype", [torch.float32, torch.bfloat16])
def test_compiled_lines_do_not_depend_on_others_nor_on_threads(matmul_dtype):
    network = make(hidden=40, mixtures=20)
    lines = begin(network, 21)
    uniform, normal = numbers(PERIOD, 21)
    expected = None
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3, 4):
            torch.set_num_threads(threads)
            points, _ = CompiledStepper(network, lines, matmul_dtype).run(uniform, normal)
            expected = points.clone() if expected is None else expected
            assert torch.equal(points, expected)
            row = torch.tensor([13])
            alone = CompiledStepper(network, lines[row], matmul_dtype)
            assert torch.equal(alone.run(uniform[:, row], normal[:, row])[0], expected[:, row])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", STEPPERS)
def test_bfloat16_is_near(kind):
    """Of the first step: the same components and pens, and offsets that are close."""
    network = make(hidden=64)
    for weights in network.parameters():
        weights.mul_(0.3)
    lines = begin(network, 50)
    uniform, normal = numbers(1, 50)
    exact, exact_phi = kind(network, lines, torch.float32).run(uniform, normal)
    rough, rough_phi = kind(network, lines, torch.bfloat16).run(uniform, normal)
    # bfloat16 has 8 bits; a component on the brink may change.
    assert ((rough - exact).abs().amax(2) < 0.05).float().mean() > 0.9
    torch.testing.assert_close(rough_phi, exact_phi, rtol=0.05, atol=0.02)
    assert not torch.equal(rough, exact)


@NEEDS_COMPILER
def test_a_text_of_no_letters_is_an_error():
    network = make()
    lines = begin(network, 2)
    lines.text[1, 0] = 5
    with pytest.raises(IndexError, match="beyond the alphabet"):
        CompiledStepper(network, lines, torch.float32).run(*numbers(1, 2))


class LargerSynthesis(SynthesisNetwork):
    """Sees its inputs larger."""

    def forward(self, inputs, *others):
        return super().forward(1.5 * inputs, *others)


class DoubledLayer(RecurrentLayer):
    """Its hidden states are twice as large for those above."""

    def forward(self, *inputs):
        hidden, state = super().forward(*inputs)
        return 2 * hidden, state


@pytest.mark.parametrize("of_layer", [False, True])
def test_what_a_user_computes_otherwise_is_written_so(of_layer):
    """By a network of its own, or a layer in a network of ours."""
    usual = network = make()
    if of_layer:
        network = copy.deepcopy(usual)
        network.layers[1] = DoubledLayer("LSTM", 28, 20)
    else:
        sizes = {"hidden_size": 20, "num_mixtures": 3, "num_windows": 2, "hand_size": 3}
        network = LargerSynthesis(NORMALISATION, usual.alphabet, **sizes).eval()
        network.load_state_dict(usual.state_dict())
    lines, (uniform, normal) = begin(network, 3), numbers(5, 3)
    expected, expected_phi = plainly(network, lines, uniform, normal)
    points, phi = network.stepper(lines, torch.float32).run(uniform, normal)
    torch.testing.assert_close(points, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(phi, expected_phi, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(points, plainly(usual, lines, uniform, normal)[0], atol=0.01)
