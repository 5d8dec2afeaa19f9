"""The written-out backward passes against autograd, and the layers against torch's own."""

import pytest
import torch
from torch import nn

from model.layers.kernels import lstm
from model.layers.recurrence import RecurrentLayer, WindowedLayer, _LSTMRecurrence, clip_gradient


def random_state(layer: nn.Module, batch: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {
        name: torch.rand(batch, size, dtype=dtype, requires_grad=True)
        for name, size in layer.state_sizes.items()
    }


def windowed(cell: str = "LSTM", **changes) -> WindowedLayer:
    sizes = dict(input_size=3, hidden_size=5, letters=4, components=2, forget_bias=1.0, advance=0.3)
    return WindowedLayer(cell, **(sizes | changes)).double()


TEXT = torch.tensor([[0, 3, 1], [2, 2, 0]])
TEXT_LENGTHS = torch.tensor([3, 2])


def gradients(layer, plain, bound=None, steps=40):
    """Outputs and all gradients of a fixed, uneven scalar of what the layer returns."""
    torch.manual_seed(3)
    inputs = torch.randn(steps, 2, 3, dtype=torch.float64, requires_grad=True)
    state = random_state(layer, 2, torch.float64)
    hidden, window, phi, last = layer(inputs, TEXT, TEXT_LENGTHS, state, bound, plain)
    total = (hidden * torch.randn_like(hidden)).sum() + (window * torch.randn_like(window)).sum()
    for name in sorted(last):
        total = total + (last[name] * torch.randn_like(last[name])).sum()
    wanted = [inputs, *state.values(), *layer.parameters()]
    return [hidden, window, phi, *last.values()], torch.autograd.grad(total, wanted)


@pytest.mark.parametrize("bound", [None, 0.02])
def test_the_written_out_backward_equals_autograd(bound):
    torch.manual_seed(0)
    layer = windowed()
    values, fast = gradients(layer, False, bound)
    expected, plain = gradients(layer, True, bound)
    for one, other in zip([*values[:3], *fast], [*expected[:3], *plain], strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-10)
    if bound is not None:  # the bound must bite here, or nothing is tested
        free = gradients(layer, False)[1]
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


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize("plain", [False, True])
def test_the_window_carries_its_state(cell, plain):
    layer = windowed(cell)
    inputs = torch.randn(6, 2, 3).double()
    zeros = {name: torch.zeros(2, size).double() for name, size in layer.state_sizes.items()}
    whole = layer(inputs, TEXT, TEXT_LENGTHS, zeros, None, plain)
    first = layer(inputs[:2], TEXT, TEXT_LENGTHS, zeros, None, plain)
    second = layer(inputs[2:], TEXT, TEXT_LENGTHS, first[3], None, plain)
    for one, two, all_ in zip(first[:3], second[:3], whole[:3], strict=True):
        torch.testing.assert_close(torch.cat((one, two)), all_)


@pytest.fixture(params=["compiled", "torch operations"])
def path(request, monkeypatch):
    """Both ways to run in float32 and bfloat16 on a CPU."""
    if request.param == "torch operations":
        monkeypatch.setattr(lstm, "kernels", lambda bfloat16: None)
    elif lstm.kernels(True) is None:
        pytest.skip("there is no C compiler")


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
    gradients(windowed(), False)
    layer = RecurrentLayer("LSTM", 3, 4, 1.0).double()
    layer(torch.randn(2, 2, 3).double(), random_state(layer, 2, torch.float64))
