"""The paper's RMSprop against its equations worked out in a loop."""

import numpy as np
import pytest
import torch
from torch import nn

from trainer import GravesRMSprop


def by_hand(start, gradients, lr=1e-4, decay=0.95, momentum=0.9, damping=1e-4):
    """Equations (38)-(41), one weight and one step at a time."""
    weight = float(start)
    n = 0.0
    m = 0.0
    delta = 0.0
    for g in map(float, gradients):
        n = decay * n + (1 - decay) * g * g
        m = decay * m + (1 - decay) * g
        delta = momentum * delta - lr * g / (n - m * m + damping) ** 0.5
        weight += delta
    return weight


@pytest.mark.parametrize("options", [{}, dict(lr=0.02, decay=0.8, momentum=0.5, damping=1e-2)])
def test_rmsprop_follows_the_equations_of_the_paper(options):
    generator = np.random.default_rng(0)
    starts = [generator.standard_normal(shape) for shape in ((3, 2), (4,))]
    weights = [nn.Parameter(torch.tensor(start)) for start in starts]
    gradients = [generator.standard_normal((7, *start.shape)) for start in starts]
    optimizer = GravesRMSprop(weights, **options)
    for step in range(7):
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = torch.tensor(gradient[step])
        optimizer.step()
    for weight, start, gradient in zip(weights, starts, gradients, strict=True):
        expected = [
            by_hand(start[place], gradient[(slice(None), *place)], **options)
            for place in np.ndindex(start.shape)
        ]
        np.testing.assert_allclose(weight.detach().numpy().ravel(), expected, rtol=1e-12)


def test_a_complex_weight_counts_as_two():
    pairs, turns = (torch.randn(3, 2, generator=torch.manual_seed(n)) for n in (0, 1))
    real = nn.Parameter(pairs.clone())
    whole = nn.Parameter(torch.view_as_complex(pairs.clone()))
    for weight, gradient in ((real, turns), (whole, torch.view_as_complex(turns))):
        optimizer = GravesRMSprop([weight], lr=0.1)
        for step in range(3):
            weight.grad = gradient * (step + 1)
            optimizer.step()
    assert torch.equal(torch.view_as_real(whole), real) and not torch.equal(real, pairs)


def test_constant_gradients_leave_the_weights_finite():
    """The variance of equal gradients is zero, and rounding must not take it below."""
    weight = nn.Parameter(torch.zeros(1000))
    optimizer = GravesRMSprop([weight], damping=1e-12)
    for _ in range(200):
        weight.grad = torch.full((1000,), 123.456)
        optimizer.step()
    assert bool(torch.isfinite(weight).all())
