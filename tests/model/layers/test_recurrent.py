"""The layer of LSTM or GRU cells against torch's own, and its written-out backward pass."""

import pytest
import torch

from model.layers.kernels import lstm
from model.layers.recurrent import RecurrentLayer, _LSTMRecurrence, clip_gradient
from tests.model.layers.states import random_state


def test_the_bounded_lstm_equals_torch_s_where_the_bound_is_wide():
    torch.manual_seed(4)
    layer = RecurrentLayer("LSTM", 3, 5, 1.0).double()
    results = []
    for bound in (None, 1e6):
        torch.manual_seed(5)
        inputs = torch.randn(9, 2, 3, dtype=torch.float64, requires_grad=True)
        state = random_state(layer, 2, torch.float64)
        hidden, last = layer(inputs, state, bound)
        total = (hidden * torch.randn_like(hidden)).sum() + last["cell"].square().sum()
        wanted = [inputs, *state.values(), *layer.parameters()]
        results.append([hidden, *last.values(), *torch.autograd.grad(total, wanted)])
    for fused, own in zip(*results, strict=True):
        torch.testing.assert_close(fused, own, rtol=0.0, atol=1e-12)


def test_the_bounded_lstm_passes_gradcheck():
    torch.manual_seed(6)
    values = [torch.randn(*size, dtype=torch.float64) for size in ((4, 2, 12), (12, 3))]
    values += [torch.randn(2, 3, dtype=torch.float64) for _ in range(2)]
    values = [value.requires_grad_() for value in values]
    assert torch.autograd.gradcheck(lambda *v: _LSTMRecurrence.apply(*v, 1e9), values)


def test_the_bound_clamps_the_gradient_of_the_gates():
    """One cell, one step: the gradient of each gate is clamped before it reaches the bias."""
    layer = RecurrentLayer("LSTM", 3, 1, 0.0).double()
    inputs, state = (
        torch.ones(1, 1, 3).double(),
        {name: torch.full((1, 1), 0.5).double() for name in ("hidden", "cell")},
    )
    biases = []
    for bound in (None, 0.01):
        hidden, _ = layer(inputs, state, bound)
        (gradient,) = torch.autograd.grad(100.0 * hidden.sum(), [layer.layer.bias_ih_l0])
        biases.append(gradient)
    assert biases[0].abs().max() > 0.01
    torch.testing.assert_close(biases[1], biases[0].clamp(-0.01, 0.01))


def test_clip_gradient_is_the_identity_with_a_clamped_gradient():
    value = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    clipped = clip_gradient(value, 0.5)
    (clipped * torch.tensor([0.3, -2.0, 7.0])).sum().backward()
    assert clipped.tolist() == [1.0, 2.0, 3.0]
    assert value.grad.tolist() == pytest.approx([0.3, -0.5, 0.5])


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_forget_bias_and_state_carry(cell):
    layer = RecurrentLayer(cell, 3, 4, 2.5)
    if cell == "LSTM":
        assert (layer.layer.bias_ih_l0[4:8] == 2.5).all()
        assert (layer.layer.bias_hh_l0[4:8] == 0.0).all()
    inputs = torch.randn(6, 2, 3)
    zeros = {name: torch.zeros(2, size) for name, size in layer.state_sizes.items()}
    whole, last = layer(inputs, zeros)
    first, carried = layer(inputs[:2], zeros)
    second, end = layer(inputs[2:], carried)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    for name in last:
        torch.testing.assert_close(end[name], last[name])


@pytest.mark.parametrize("bound", [None, 1e6])
def test_recurrent_layers_in_bfloat16_are_near_torch_s_in_float32(path, bound):
    torch.manual_seed(8)
    layer = RecurrentLayer("LSTM", 3, 16, 1.0)
    inputs = torch.randn(50, 2, 3)
    state = random_state(layer, 2, torch.float32)
    hiddens, (_, cell) = layer.layer(inputs, tuple(one[None] for one in state.values()))
    slope = torch.randn_like(hiddens)
    expected = torch.autograd.grad((hiddens * slope).sum(), [*layer.parameters()])
    with torch.autocast("cpu", torch.bfloat16):
        rough, last = layer(inputs, state, bound)
    gradients = torch.autograd.grad((rough * slope).sum(), [*layer.parameters()])
    assert rough.dtype == torch.bfloat16 and last["cell"].dtype == torch.float32
    torch.testing.assert_close(rough.float(), hiddens, rtol=0.05, atol=0.02)
    torch.testing.assert_close(last["cell"], cell[0], rtol=0.05, atol=0.02)
    for one, other in zip(gradients, expected, strict=True):
        assert (one - other).norm() < 0.02 * other.norm()


def test_float64_never_goes_by_the_kernels(monkeypatch):
    monkeypatch.setattr(lstm, "run", lambda *arguments: pytest.fail("it did"))
    layer = RecurrentLayer("LSTM", 3, 4, 1.0).double()
    layer(torch.randn(2, 2, 3).double(), random_state(layer, 2, torch.float64))
