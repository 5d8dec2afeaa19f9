"""The mixture against torch.distributions, hand-worked values and finite differences."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, MixtureSameFamily, MultivariateNormal

from model.generation.line import PEN_SHARPNESS
from model.generation.mixture import Mixture, clamp_inwards, stretched_output
from tests.model.builders import NORMALISATION

BOUNDS = 0.01, 0.999
"""The least scale and the largest correlation."""


def by_torch(raw, bias=0.0):
    """Return the density of offsets by the paper's equations 17-22 (and 61-62)."""
    pi, mu_x, mu_y, s_x, s_y, rho = raw[..., 1:25].chunk(6, -1)
    s_x = (s_x - bias).exp()
    s_y = (s_y - bias).exp()
    rho = 0.999 * rho.tanh()
    covariance = torch.stack((s_x**2, rho * s_x * s_y, rho * s_x * s_y, s_y**2), -1)
    parts = MultivariateNormal(torch.stack((mu_x, mu_y), -1), covariance.unflatten(-1, (2, 2)))
    return MixtureSameFamily(Categorical(logits=pi * (1.0 + bias)), parts)


def ends_by_torch(raw, bias=0.0):
    """Return the Bernoulli of an end: odds of 1 to exp(1.5) stay, others are pushed from them."""
    odds = 1.0 / raw.exp()  # e-hat has the sign of eq. 18
    odds = odds * (odds * math.exp(1.5)) ** (3.0 * bias)
    return Bernoulli(odds / (1.0 + odds))


def mixture(raw, ends=False):
    return Mixture.from_parameters(raw, *BOUNDS, end_of_sequence=ends)


@pytest.mark.parametrize("bias", [0.0, 0.75])
@pytest.mark.parametrize("ends", [False, True])
def test_log_prob_mean_and_ends_are_those_of_torch_distributions(bias, ends):
    torch.manual_seed(0)
    raw, points = torch.randn(5, 7, 25 + ends).double(), torch.randn(5, 7, 4).double()
    points[..., 2:] = (points[..., 2:] > 0).double()
    offsets, pen = by_torch(raw, bias), ends_by_torch(raw[..., 0], bias)
    expected = offsets.log_prob(points[..., :2]) + pen.log_prob(points[..., 2])
    biased = mixture(raw, ends).biased(bias, PEN_SHARPNESS)
    if ends:
        end = ends_by_torch(raw[..., -1], bias)
        expected = expected + end.log_prob(points[..., 3])
        torch.testing.assert_close(biased[2].sequence_logits.sigmoid(), end.probs[2])
    torch.testing.assert_close(biased.log_prob(points), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(biased.mean, offsets.mean)


def draws(raw, count, ends=False):
    """Return points that are drawn with the same random numbers each time."""
    torch.manual_seed(5)
    uniform, normal = (draw(count, 2, dtype=torch.float64) for draw in (torch.rand, torch.randn))
    return mixture(raw.expand(count, -1), ends).sample(uniform, normal)


def test_end_of_the_sequence_is_drawn_with_the_end_of_the_stroke():
    """And changes nothing else. 100,000 draws within 5 standard errors (false alarm < 1e-5)."""
    torch.manual_seed(5)
    raw, count = torch.randn(26, dtype=torch.float64), 100_000
    points = draws(raw, count, ends=True)
    torch.testing.assert_close(points[:, :3], draws(raw[:-1], count))
    rarer = points[:, 2:].mean(0).argmin()  # comes with the other only
    assert torch.equal(points[:, 2] * points[:, 3], points[:, 2 + rarer])
    chance = 1.0 / (1.0 + math.exp(raw[-1]))
    assert abs(points[:, 3].mean().item() - chance) < 5 * (chance * (1 - chance) / count) ** 0.5


def test_samples_have_the_moments_of_the_density():
    """Mean and covariance of 200,000 samples within 5 standard errors (false alarm < 1e-5)."""
    torch.manual_seed(3)
    raw, count = torch.randn(25, dtype=torch.float64), 200_000
    points, offsets = draws(raw, count), by_torch(raw)
    parts, weights = offsets.component_distribution, offsets.mixture_distribution.probs
    second = parts.covariance_matrix[:, 0, 1] + parts.mean[:, 0] * parts.mean[:, 1]
    for values, expected in (
        (points[:, :2], offsets.mean),
        ((points[:, :2] - offsets.mean) ** 2, offsets.variance),
        (points[:, :2].prod(1), (weights * second).sum()),
        (points[:, 2], ends_by_torch(raw[0]).probs),
    ):
        assert ((values.mean(0) - expected).abs() < 5 * values.std(0) / count**0.5).all()


@pytest.mark.parametrize("ends", [False, True])
def test_gradients_are_those_of_finite_differences(ends):
    torch.manual_seed(1)
    raw = torch.randn(3, 13 + ends, dtype=torch.float64, requires_grad=True)
    points = torch.randn(3, 4, dtype=torch.float64)
    points[:, 2:] = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert torch.autograd.gradcheck(lambda raw: mixture(raw, ends).log_prob(points), raw)


def test_values_and_gradients_are_finite_for_all_finite_parameters():
    torch.manual_seed(2)
    largest = torch.finfo(torch.float32).max
    raw = torch.randn(4000, 25) * 10.0 ** torch.empty(4000, 25).uniform_(-3, 38)
    raw = raw.nan_to_num(posinf=largest, neginf=-largest)
    raw[0], raw[1] = largest, -largest
    raw.requires_grad_()
    offsets = torch.randn(4000, 2) * 10.0 ** torch.empty(4000, 1).uniform_(-3, 4)
    points = torch.cat((offsets.clamp(-1e4, 1e4), (torch.rand(4000, 1) > 0.5).float()), 1)
    log_prob = mixture(raw).log_prob(points)
    log_prob.sum().backward()
    assert log_prob.isfinite().all() and raw.grad.isfinite().all()


def test_gradient_of_a_clamped_value_passes_only_if_it_leads_back_into_the_bounds():
    """Descent adds the negative gradient: -1 lifts what lies below, 1 lowers what lies above."""
    value = torch.tensor([-2.0, -2.0, 0.5, 3.0, 3.0], requires_grad=True)
    clamped = clamp_inwards(value, -1.0, 1.0)
    clamped.backward(torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0]))
    assert clamped.tolist() == [-1.0, -1.0, 0.5, 1.0, 1.0]
    assert value.grad.tolist() == [0.0, -1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("ends", [False, True])
def test_stretched_output_layer_multiplies_the_mean_offsets_of_the_data_alone(ends):
    torch.manual_seed(2)
    output, hidden = torch.nn.Linear(7, 31 + ends).double(), torch.randn(9, 7).double()
    longer = stretched_output(output, (1.2, 0.9), NORMALISATION)
    before, after = (mixture(layer(hidden), ends) for layer in (output, longer))
    std, mean = (torch.tensor(v)[:, None] for v in (NORMALISATION.std, NORMALISATION.mean))
    expected = (before.means * std + mean) * torch.tensor([[1.2], [0.9]])
    torch.testing.assert_close((after.means * std + mean), expected, check_dtype=False)
    before.means = after.means
    torch.testing.assert_close(vars(after), vars(before))


def test_drawn_offset_is_at_most_as_wide_as_the_widest_scale():
    """The scale would be exp(50); the widest is 10,000."""
    raw = torch.tensor([[0.0, 0.0, 2.0, 3.0, 50.0, 50.0, 0.0]], dtype=torch.float64)
    uniform, normal = torch.full((1, 2), 0.9).double(), torch.tensor([[1.0, -2.0]]).double()
    point = Mixture.from_parameters(raw, 1.0, 0.9).sample(uniform, normal)
    torch.testing.assert_close(point, torch.tensor([[1e4 + 2.0, -2e4 + 3.0, 0.0]]).double())
