"""Layers that run side by side compute what each computes by itself."""

import pytest
import torch

from model.layers.recurrent import RecurrentLayer, run_side_by_side
from tests.model.builders import needs_compiler, num_threads


def case(cell="LSTM", inputs=7, cells=21, batch=9, steps=40):
    """Return two layers and the inputs of each."""
    torch.manual_seed(0)
    layers = [RecurrentLayer(cell, inputs, cells) for _ in range(2)]
    return layers, torch.randn(2, steps, batch, inputs, requires_grad=True)


def results(layers, inputs, run, dtype):
    """Return the hidden states of both layers, and the gradients of inputs and weights."""
    with torch.autocast("cpu", torch.bfloat16, dtype == torch.bfloat16):
        hiddens = run(layers, inputs)
    leaves = [inputs, *(weight for layer in layers for weight in layer.parameters())]
    factors = torch.randn(
        len(hiddens), *hiddens[0].shape, generator=torch.Generator().manual_seed(1)
    )
    loss = sum((hidden * factor).sum() for hidden, factor in zip(hiddens, factors, strict=True))
    return [*hiddens, *torch.autograd.grad(loss, leaves)]


def one_by_one(layers, inputs):
    batch = inputs.shape[2]
    states = [{n: torch.zeros(batch, s) for n, s in one.state_sizes.items()} for one in layers]
    return [one(*given)[0] for one, *given in zip(layers, inputs, states, strict=True)]


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_compiled_layers_have_the_bits_of_each_by_itself(dtype, threads):
    expected = results(*case(), one_by_one, dtype)
    with num_threads(threads):
        found = results(*case(), run_side_by_side, dtype)
    assert all(map(torch.equal, found, expected))
    assert all(value.abs().max() > 0 for value in expected)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_other_layers_run_one_by_one(cell):
    layers, inputs = case(cell)
    layers = [layer.double() for layer in layers]
    inputs = inputs.detach().double().requires_grad_()
    expected = results(layers, inputs, one_by_one, torch.float64)
    found = results(layers, inputs, run_side_by_side, torch.float64)
    assert all(map(torch.equal, found, expected))
