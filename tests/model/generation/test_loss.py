"""The losses against torch.distributions and values worked by hand."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal

from model import Mixture, NegativeLogLikelihood, PointEstimate, SquaredError


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
    estimate = PointEstimate.from_parameters(raw, ends)
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


@pytest.mark.parametrize("ends", [False, True])
def test_gradcheck(ends):
    torch.manual_seed(1)
    raw = torch.randn(2, 3, 3 + ends, dtype=torch.float64, requires_grad=True)
    batch, loss = batch_of(random_points(2, 3), [3, 2]), SquaredError(pen_weight=0.5)

    def total(raw):
        return loss(SimpleNamespace(prediction=PointEstimate.from_parameters(raw, ends)), batch)

    assert torch.autograd.gradcheck(total, raw)


def test_values_and_gradients_are_finite_for_all_finite_outputs():
    largest = torch.finfo(torch.float32).max
    raw = torch.tensor([[[largest] * 4, [-largest] * 4, [1e30, -1e30, 1e9, -1e9]]])
    raw.requires_grad_()
    batch = batch_of(torch.ones(1, 3, 4), [3])
    loss = SquaredError()(
        SimpleNamespace(prediction=PointEstimate.from_parameters(raw, True)), batch
    )
    loss.sum().backward()
    assert loss.isfinite().all() and raw.grad.isfinite().all()


def test_the_likelihood_is_the_sum_over_real_points():
    """Of a mixture of one component, which torch has as a distribution."""
    torch.manual_seed(4)
    raw, targets = torch.randn(2, 4, 7, dtype=torch.float64), random_points(2, 4)[..., :3]
    mixture = Mixture.from_parameters(raw, torch.full((2,), 1e-6, dtype=torch.float64), 0.999)
    covariance = torch.zeros(2, 4, 2, 2, dtype=torch.float64)
    scales, rho = mixture.log_scales.exp()[..., 0], mixture.correlations[..., 0]
    covariance[..., 0, 0], covariance[..., 1, 1] = scales[..., 0] ** 2, scales[..., 1] ** 2
    covariance[..., 0, 1] = covariance[..., 1, 0] = rho * scales.prod(-1)
    nats = -MultivariateNormal(mixture.means[..., 0], covariance).log_prob(targets[..., :2])
    nats -= Bernoulli(logits=mixture.end_logits).log_prob(targets[..., 2])
    batch = batch_of(targets, [4, 2])
    loss = NegativeLogLikelihood(reduction="sequence")
    found = loss(SimpleNamespace(prediction=mixture), batch)
    torch.testing.assert_close(found, torch.stack((nats[0].sum(), nats[1, :2].sum())))
    assert loss.divisor(batch) == 2
    assert NegativeLogLikelihood(reduction="point").divisor(batch) == 6
