"""The windowed layer: its written-out backward pass against autograd, its cells against torch's."""

from functools import partial

import pytest
import torch
from torch import nn

from model.layers.kernels import library, lstm
from model.layers.recurrent import clip_gradient
from model.layers.window import WindowedLayer
from tests.model.layers.states import random_state


def windowed(cell: str = "LSTM", **changes) -> WindowedLayer:
    sizes = dict(
        input_size=3, hidden_size=5, vocab_size=4, components=2, forget_bias=1.0, advance=0.3
    )
    return WindowedLayer(cell, **(sizes | changes)).double()


TEXT = torch.tensor([[0, 3, 1], [2, 2, 0]])
TEXT_LENGTHS = torch.tensor([3, 2])


def by_autograd(layer, inputs, text, text_lengths, state, bound):
    """The LSTM layer by its formulas: the paper, eqs 7-11 without peepholes and 46-53."""
    one_hot = nn.functional.one_hot(nn.functional.pad(text, (0, 1)), layer.vocab_size).double()
    one_hot[torch.arange(one_hot.shape[1]) >= text_lengths[:, None]] = 0.0
    positions, steps = torch.arange(1.0, one_hot.shape[1] + 1.0).double(), []
    hidden, cell, window, kappa = (state[name] for name in ("hidden", "cell", "window", "kappa"))
    for point in inputs:
        seen = torch.cat((point, hidden, window), 1)
        weights = torch.cat((layer.weight_input, layer.weight_hidden, layer.weight_window), 1)
        gates = clip_gradient(seen @ weights.t() + layer.bias, bound)
        input_gate, forget_gate, output_gate, candidate = gates.chunk(4, 1)
        cell = forget_gate.sigmoid() * cell + input_gate.sigmoid() * candidate.tanh()
        hidden = output_gate.sigmoid() * cell.tanh()
        alpha, beta, advance = layer.window(hidden).exp()[..., None].chunk(3, 1)
        kappa = kappa + advance[..., 0]
        phi = (alpha * torch.exp(-beta * (kappa[..., None] - positions) ** 2)).sum(1)
        window = (phi[..., None] * one_hot).sum(1)
        steps.append((hidden, window, phi.detach()))
    last = {"hidden": hidden, "cell": cell, "window": window, "kappa": kappa}
    return *map(torch.stack, zip(*steps, strict=True)), last


def gradients(layer, run, bound=None, steps=40):
    """Outputs and all gradients of a fixed, uneven scalar of what the layer returns."""
    torch.manual_seed(3)
    inputs = torch.randn(steps, 2, 3, dtype=torch.float64, requires_grad=True)
    state = random_state(layer, 2, torch.float64)
    hidden, window, phi, last = run(inputs, TEXT, TEXT_LENGTHS, state, bound)
    total = (hidden * torch.randn_like(hidden)).sum() + (window * torch.randn_like(window)).sum()
    for name in sorted(last):
        total = total + (last[name] * torch.randn_like(last[name])).sum()
    wanted = [inputs, *state.values(), *layer.parameters()]
    return [hidden, window, phi, *last.values()], torch.autograd.grad(total, wanted)


@pytest.mark.parametrize("bound", [None, 0.02])
def test_the_written_out_backward_equals_autograd(bound):
    torch.manual_seed(0)
    layer = windowed()
    values, fast = gradients(layer, layer, bound)
    expected, plain = gradients(layer, partial(by_autograd, layer), bound)
    for one, other in zip([*values[:3], *fast], [*expected[:3], *plain], strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-10)
    if bound is not None:  # the bound must bite here, or nothing is tested
        free = gradients(layer, layer)[1]
        assert any((a - b).abs().max() > 1e-3 for a, b in zip(fast, free, strict=True))


def test_the_windowed_layer_passes_gradcheck():
    torch.manual_seed(1)
    layer = windowed()
    inputs = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    state = random_state(layer, 2, torch.float64)
    names = [name for name, _ in layer.named_parameters()]

    def run(inputs, *values):
        carried = dict(zip(state, values, strict=False))
        weights = dict(zip(names, values[len(state) :], strict=True))
        arguments = (inputs, TEXT, TEXT_LENGTHS, carried)
        hidden, window, _, last = torch.func.functional_call(layer, weights, arguments)
        return hidden, window, last["cell"], last["kappa"]

    values = [*state.values(), *(weight.detach().requires_grad_() for weight in layer.parameters())]
    assert torch.autograd.gradcheck(run, (inputs, *values))


def test_the_window_follows_the_equations():
    """One step by hand: eqs 46, 47, 49-51 in plain Python, u counting from 1."""
    import math

    layer = windowed()
    state = {name: torch.zeros(1, size).double() for name, size in layer.state_sizes.items()}
    state["kappa"] = torch.tensor([[0.5, 1.5]]).double()
    with torch.no_grad():
        layer.window.weight.zero_()
        layer.window.bias.copy_(torch.tensor([0.1, -0.2, 0.3, 0.4, -1.0, 0.2]))
    _, window, phi, last = layer(torch.zeros(1, 1, 3).double(), TEXT[:1], TEXT_LENGTHS[:1], state)
    alpha, beta = [math.exp(0.1), math.exp(-0.2)], [math.exp(0.3), math.exp(0.4)]
    kappa = [0.5 + math.exp(-1.0), 1.5 + math.exp(0.2)]
    expected = [
        sum(a * math.exp(-b * (k - u) ** 2) for a, b, k in zip(alpha, beta, kappa, strict=True))
        for u in (1, 2, 3, 4)
    ]
    assert last["kappa"][0].tolist() == pytest.approx(kappa)
    assert phi[0, 0].tolist() == pytest.approx(expected)
    # The text is 0, 3, 1; the place behind its end adds nothing.
    assert window[0, 0].tolist() == pytest.approx([expected[0], expected[2], 0.0, expected[1]])


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_the_windowed_layer_without_a_window_is_torch_s(cell):
    torch.manual_seed(2)
    layer = windowed(cell)
    reference = {"LSTM": nn.LSTM, "GRU": nn.GRU}[cell](3, 5).double()
    order = [0, 1, 3, 2] if cell == "LSTM" else [0, 1, 2]
    with torch.no_grad():
        layer.weight_window.zero_()
        blocks = lambda weight: torch.cat([weight.chunk(len(order))[i] for i in order])  # noqa: E731
        layer.weight_input.copy_(blocks(reference.weight_ih_l0))
        layer.weight_hidden.copy_(blocks(reference.weight_hh_l0))
        if cell == "LSTM":
            layer.bias.copy_(blocks(reference.bias_ih_l0 + reference.bias_hh_l0))
        else:
            layer.bias.copy_(reference.bias_ih_l0)
            layer.bias[:10] += reference.bias_hh_l0[:10]
            layer.bias_candidate.copy_(reference.bias_hh_l0[10:])
    inputs = torch.randn(7, 2, 3).double()
    state = {name: torch.zeros(2, size).double() for name, size in layer.state_sizes.items()}
    hidden, *_ = layer(inputs, TEXT, TEXT_LENGTHS, state)
    torch.testing.assert_close(hidden, reference(inputs)[0], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_the_window_carries_its_state(cell):
    layer = windowed(cell)
    inputs = torch.randn(6, 2, 3).double()
    zeros = {name: torch.zeros(2, size).double() for name, size in layer.state_sizes.items()}
    whole = layer(inputs, TEXT, TEXT_LENGTHS, zeros)
    first = layer(inputs[:2], TEXT, TEXT_LENGTHS, zeros)
    second = layer(inputs[2:], TEXT, TEXT_LENGTHS, first[3])
    for one, two, all_ in zip(first[:3], second[:3], whole[:3], strict=True):
        torch.testing.assert_close(torch.cat((one, two)), all_)


def test_bfloat16_products_keep_the_states_in_float32(path):
    torch.manual_seed(7)
    layer = windowed(hidden_size=16).float()
    inputs = torch.randn(50, 2, 3)
    zeros = {name: torch.zeros(2, size) for name, size in layer.state_sizes.items()}
    exact = layer(inputs, TEXT, TEXT_LENGTHS, zeros)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(inputs, TEXT, TEXT_LENGTHS, zeros)
    assert rough[0].dtype == torch.bfloat16
    assert rough[3]["cell"].dtype == rough[3]["kappa"].dtype == torch.float32
    # bfloat16 has 8 bits of mantissa.
    torch.testing.assert_close(rough[0].float(), exact[0], rtol=0.05, atol=0.05)
    torch.testing.assert_close(rough[3]["kappa"], exact[3]["kappa"], rtol=0.02, atol=0.02)


def test_float64_never_goes_by_the_kernels(monkeypatch):
    monkeypatch.setattr(lstm, "run", lambda *arguments: pytest.fail("it did"))
    layer = windowed()
    gradients(layer, layer)


def test_weights_of_the_window_beyond_all_bounds_stay_finite():
    """Four components of the largest weight, each as wide as the whole text, are added up."""
    device = torch.device("cpu")
    if not library.available(device, torch.float32):
        pytest.skip("there is no C compiler")
    layer = windowed(components=4).float()
    with torch.no_grad():
        alpha, beta, _ = layer.window.bias.chunk(3)
        alpha.fill_(1000.0)
        beta.fill_(-1000.0)
        state = random_state(layer, 2, torch.float32)
        _, window, phi, _ = layer(torch.zeros(2, 2, 3), TEXT, TEXT_LENGTHS, state)
    assert phi.isfinite().all() and window.isfinite().all() and phi.max() > 1e34
