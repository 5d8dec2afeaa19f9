"""Losses, regression head and SSE against torch.distributions and values worked by hand."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal

from model import SSE, NegativeLogLikelihood, PointEstimate, SquaredError
from model.generation.generators import Output
from tests.model.builders import batch


@pytest.mark.parametrize("ends", [False, True])
def test_squared_error_is_the_likelihood_under_a_unit_gaussian_but_for_a_constant(ends):
    """The constant is ln(2 pi) for a point; padding does not count."""
    torch.manual_seed(0)
    raw, targets = torch.randn(2, 2, 5, 4, dtype=torch.float64)
    targets[..., 2:] = (targets[..., 2:] > 0.5).double()
    nats = -Normal(raw[..., :2], 1.0).log_prob(targets[..., :2]).sum(-1) - math.log(2 * math.pi)
    pens = -Bernoulli(logits=-raw[..., 2:]).log_prob(targets[..., 2:])
    nats += pens.sum(-1) if ends else pens[..., 0]
    expected = torch.stack((nats[0].sum(), nats[1, :2].sum()))
    estimate = PointEstimate.from_parameters(raw[..., : 3 + ends], end_of_sequence=ends)
    loss = SquaredError()(Output(estimate, {}), batch(targets=targets, lengths=[5, 2]))
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("loss", [SquaredError, NegativeLogLikelihood])
@pytest.mark.parametrize(("reduction", "divisor"), [("sequence", 2), ("point", 7)])
def test_gradient_is_divided_by_the_number_of_sequences_or_points(loss, reduction, divisor):
    points = batch(targets=torch.zeros(2, 5, 4), lengths=[5, 2])
    assert loss(reduction=reduction).divisor(points) == divisor


@pytest.mark.parametrize("ends", [False, True])
def test_sample_of_a_regression_head_is_its_mean_with_drawn_ends(ends):
    """100,000 draws within 5 standard errors (false alarm < 1e-5)."""
    torch.manual_seed(2)
    count = 100_000
    raw = torch.tensor([0.3, -4.0, 0.8, -0.6][: 3 + ends], dtype=torch.float64).expand(count, -1)
    estimate = PointEstimate.from_parameters(raw, end_of_sequence=ends).biased(3.0)
    points = estimate.sample(torch.rand(count, 2, dtype=torch.float64), torch.randn(count, 2))
    assert torch.equal(points[:, :2], raw[:, :2])
    chances = (-raw[0, 2:]).sigmoid()
    error = 5 * (chances * (1 - chances) / count).sqrt()
    assert ((points[:, 2:].mean(0) - chances).abs() < error).all()


def sse_of(scale=None, updates=1):
    means = torch.tensor([[[1.0, 0], [0, 2], [9, 9]], [[0, 0], [3, 0], [0.5, 0]]])
    inputs = torch.zeros(2, 3, 3)
    inputs[0, 1, 2] = inputs[1, 2, 2] = 1.0  # the pen was lifted
    points = batch(targets=torch.zeros(2, 3, 3), inputs=inputs, lengths=[2, 3])
    metric = SSE()
    metric.scale = scale
    for _ in range(updates):
        metric.update(Output(PointEstimate(torch.zeros(2, 3), means), {}), points)
    return metric


@pytest.mark.parametrize(
    ("scale", "strokes", "jumps"),
    [(None, [1, 0, 9], [4, 0.25]), (torch.tensor([2.0, 1.0]), [4, 0, 36], [4, 1])],
)
@pytest.mark.parametrize("updates", [1, 2])
def test_sse_is_a_mean_of_squared_distances_by_kind_of_point(scale, strokes, jumps, updates):
    expected = {"sse": sum(strokes + jumps) / 5, "sse_strokes": sum(strokes) / 3}
    assert sse_of(scale, updates).compute() == pytest.approx(
        expected | {"sse_jumps": sum(jumps) / 2}
    )


def test_sse_is_nan_after_a_reset():
    metric = sse_of()
    metric.reset()
    assert math.isnan(metric.compute()["sse"])
