"""The losses, the regression head and SSE against torch.distributions and values worked by hand."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.distributions import Bernoulli, Normal

from model import SSE, NegativeLogLikelihood, PointEstimate, SquaredError


def batch_of(targets, lengths):
    lengths = torch.tensor(lengths)
    mask = torch.arange(targets.shape[1]) < lengths[:, None]
    return SimpleNamespace(targets=targets, lengths=lengths, mask=mask)


def random_points(*shape):
    points = torch.randn(*shape, 4, dtype=torch.float64)
    points[..., 2:] = (points[..., 2:] > 0.5).double()
    return points


@pytest.mark.parametrize("ends", [False, True])
def test_the_loss_is_a_likelihood_under_a_unit_gaussian(ends):
    """But for ln(2 pi) a point, at a weight of 1; padding does not count."""
    torch.manual_seed(0)
    raw, targets = torch.randn(2, 5, 3 + ends, dtype=torch.float64), random_points(2, 5)
    estimate = PointEstimate.from_parameters(raw, end_of_sequence=ends)
    nats = -Normal(raw[..., :2], 1.0).log_prob(targets[..., :2]).sum(-1)
    nats -= Bernoulli(logits=-raw[..., 2]).log_prob(targets[..., 2])
    if ends:
        nats -= Bernoulli(logits=-raw[..., 3]).log_prob(targets[..., 3])
    expected = (nats - math.log(2 * math.pi)) * torch.tensor([[1] * 5, [1, 1, 0, 0, 0]])
    found = SquaredError()(SimpleNamespace(prediction=estimate), batch_of(targets, [5, 2]))
    torch.testing.assert_close(found, expected.sum(1))


def test_reduction_is_that_of_the_likelihood():
    batch = batch_of(torch.zeros(2, 5, 4), [5, 2])
    for reduction, expected in (("sequence", 2), ("point", 7)):
        for loss in (SquaredError, NegativeLogLikelihood):
            assert loss(reduction=reduction).divisor(batch) == expected


def test_a_sample_is_the_mean_and_drawn_ends():
    """100,000 draws within 5 standard errors (false alarm < 1e-5)."""
    torch.manual_seed(2)
    count = 100_000
    raw = torch.tensor([0.3, -4.0, 0.8, -0.6], dtype=torch.float64).expand(count, -1)
    estimate = PointEstimate.from_parameters(raw, end_of_sequence=True)
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


def test_sse_by_hand():
    means = torch.tensor(
        [[[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]], [[0.0, 0.0], [3.0, 0.0], [0.5, 0.0]]]
    )
    pens = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    batch = SimpleNamespace(
        inputs=torch.cat((torch.zeros(2, 3, 2), pens[..., None]), -1),
        targets=torch.zeros(2, 3, 3),
        mask=torch.tensor([[True, True, False], [True, True, True]]),
    )
    metric, output = SSE(), SimpleNamespace(prediction=SimpleNamespace(mean=means))
    metric.update(output, batch)
    assert metric.compute() == pytest.approx(
        {"sse": (1 + 4 + 0 + 9 + 0.25) / 5, "sse_strokes": 10 / 3, "sse_jumps": 4.25 / 2}
    )
    metric.update(output, batch, torch.tensor([2.0, 1.0]))
    assert metric.compute()["sse_strokes"] == pytest.approx((10 + 40) / 6)
    metric.reset()
    assert math.isnan(metric.compute()["sse"])
