"""The regression head and its loss, against torch.distributions and values worked by hand."""

import math

import torch

from model import PointEstimate


def test_a_sample_is_the_mean_and_drawn_ends():
    """100,000 draws within 5 standard errors (false alarm < 1e-5)."""
    torch.manual_seed(2)
    count = 100_000
    raw = torch.tensor([0.3, -4.0, 0.8, -0.6], dtype=torch.float64).expand(count, -1)
    estimate = PointEstimate.from_parameters(raw, True)
    uniform = torch.rand(count, 2, dtype=torch.float64)
    points = estimate.sample(uniform, torch.randn(count, 2))
    assert points.shape == (count, 4)
    assert torch.equal(points[:, :2], raw[:, :2])
    for column, logit in ((2, -0.8), (3, 0.6)):
        chance = 1 / (1 + math.exp(-logit))
        error = 5 * (chance * (1 - chance) / count) ** 0.5
        assert abs(points[:, column].mean().item() - chance) < error
    assert estimate.biased(3.0) is estimate
    without = PointEstimate.from_parameters(raw[:, :3]).sample(uniform, uniform)
    assert torch.equal(without, points[:, :3])


def test_a_step():
    raw = torch.randn(2, 5, 4)
    last = PointEstimate.from_parameters(raw, True)[:, -1]
    assert torch.equal(last.mean, raw[:, -1, :2])
    assert torch.equal(last.end_logits, -raw[:, -1, 2])
    assert torch.equal(last.sequence_logits, -raw[:, -1, 3])
