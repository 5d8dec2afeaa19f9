"""The mixture against torch.distributions, hand-worked values and finite differences."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, MixtureSameFamily, MultivariateNormal

from model.generation.mixture import Mixture, clamp_inwards, stretched
from utils.normalisation import Normalisation


def independent(raw: torch.Tensor, bias: float = 0.0) -> tuple[MixtureSameFamily, Bernoulli]:
    """The same density by the paper's equations 17-22 (and 61-62), built by torch."""
    pi, mu_x, mu_y, s_x, s_y, rho = raw[..., 1:].chunk(6, -1)
    s_x, s_y, rho = (s_x - bias).exp(), (s_y - bias).exp(), 0.999 * rho.tanh()
    covariance = torch.stack((s_x**2, rho * s_x * s_y, rho * s_x * s_y, s_y**2), -1)
    parts = MultivariateNormal(torch.stack((mu_x, mu_y), -1), covariance.unflatten(-1, (2, 2)))
    weights = Categorical(logits=pi * (1.0 + bias))
    return MixtureSameFamily(weights, parts), ends(raw[..., 0], bias)


def ends(raw, bias=0.0):
    """An end's Bernoulli: odds of 1 to exp(1.5) stay, those beyond are pushed away from them."""
    odds = 1.0 / raw.exp()  # e-hat has the sign of eq. 18
    odds = odds * (odds * math.exp(1.5)) ** (3.0 * bias)
    return Bernoulli(odds / (1.0 + odds))


@pytest.mark.parametrize("bias", [0.0, 0.75])
def test_log_prob_and_mean_equal_torch_distributions(bias):
    """With an end of the sequence, which is a Bernoulli of its own, and without."""
    torch.manual_seed(0)
    raw = torch.randn(5, 7, 26, dtype=torch.float64)
    points = torch.randn(5, 7, 4, dtype=torch.float64)
    points[..., 2:] = (points[..., 2:] > 0).double()
    offsets, pen = independent(raw[..., :-1], bias)
    end = ends(raw[..., -1], bias)
    both = Mixture.from_parameters(raw, 0.01, 0.999, end_of_sequence=True).biased(bias)
    plain = Mixture.from_parameters(raw[..., :-1], 0.01, 0.999).biased(bias)
    expected = offsets.log_prob(points[..., :2]) + pen.log_prob(points[..., 2])
    torch.testing.assert_close(plain.log_prob(points), expected, rtol=1e-9, atol=1e-9)
    expected = expected + end.log_prob(points[..., 3])
    torch.testing.assert_close(both.log_prob(points), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(both.mean, offsets.mean)
    torch.testing.assert_close(both[2].sequence_logits.sigmoid(), end.probs[2])


def test_the_number_of_the_pen_draws_the_end_of_the_sequence_too():
    """And changes nothing else. 100,000 draws within 5 standard errors (false alarm < 1e-5)."""
    torch.manual_seed(5)
    count = 100_000
    raw = torch.randn(26, dtype=torch.float64).expand(count, -1)
    mixture = Mixture.from_parameters(raw, 0.01, 0.999, end_of_sequence=True)
    uniform = torch.rand(count, 2, dtype=torch.float64)
    normal = torch.randn(count, 2, dtype=torch.float64)
    points = mixture.sample(uniform, normal)
    plain = Mixture.from_parameters(raw[:, :-1], 0.01, 0.999)
    torch.testing.assert_close(points[:, :3], plain.sample(uniform, normal))
    rarer = points[:, 2:].mean(0).argmin()
    # The rarer of the two comes with the other only.
    assert torch.equal(points[:, 2] * points[:, 3], points[:, 2 + rarer])
    expected = 1.0 / (1.0 + math.exp(raw[0, -1]))
    error = 5 * (expected * (1 - expected) / count) ** 0.5
    assert abs(points[:, 3].mean().item() - expected) < error


@pytest.mark.parametrize("end_of_sequence", [False, True])
def test_gradcheck(end_of_sequence):
    torch.manual_seed(1)
    raw = torch.randn(3, 13 + end_of_sequence, dtype=torch.float64, requires_grad=True)
    points = torch.randn(3, 4, dtype=torch.float64)
    points[:, 2:] = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])

    def log_prob(raw):
        return Mixture.from_parameters(raw, 0.01, 0.999, end_of_sequence).log_prob(points)

    assert torch.autograd.gradcheck(log_prob, raw)


def test_values_and_gradients_are_finite_for_all_finite_parameters():
    torch.manual_seed(2)
    largest = torch.finfo(torch.float32).max
    raw = torch.randn(4000, 25) * 10.0 ** torch.empty(4000, 25).uniform_(-3, 38)
    raw = raw.nan_to_num(posinf=largest, neginf=-largest)
    raw[0], raw[1] = largest, -largest
    raw.requires_grad_()
    offsets = torch.randn(4000, 2) * 10.0 ** torch.empty(4000, 1).uniform_(-3, 4)
    points = torch.cat((offsets.clamp(-1e4, 1e4), (torch.rand(4000, 1) > 0.5).float()), 1)
    log_prob = Mixture.from_parameters(raw, 0.1 / 42.0, 0.999).log_prob(points)
    assert log_prob.isfinite().all()
    log_prob.sum().backward()
    assert raw.grad.isfinite().all()


def test_clamp_inwards_lets_only_the_way_back_pass():
    value = torch.tensor([-2.0, -2.0, 0.5, 3.0, 3.0], requires_grad=True)
    clamped = clamp_inwards(value, -1.0, 1.0)
    clamped.backward(torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0]))
    assert clamped.tolist() == [-1.0, -1.0, 0.5, 1.0, 1.0]
    # Descent adds the negative gradient: -1 lifts what lies below, 1 lowers what lies above.
    assert value.grad.tolist() == [0.0, -1.0, 1.0, 1.0, 0.0]


def test_samples_follow_the_density():
    """Mean and covariance of 200,000 samples within 5 standard errors (false alarm < 1e-5)."""
    torch.manual_seed(3)
    raw, count = torch.randn(1, 25, dtype=torch.float64), 200_000
    mixture = Mixture.from_parameters(raw.expand(count, -1), 0.01, 0.999)
    draws = (draw(count, 2, dtype=torch.float64) for draw in (torch.rand, torch.randn))
    points = mixture.sample(*draws)
    offsets, pen = independent(raw[0])
    parts, weights = offsets.component_distribution, offsets.mixture_distribution.probs
    second = parts.covariance_matrix[:, 0, 1] + parts.mean[:, 0] * parts.mean[:, 1]
    sample = points[:, :2]
    for found, expected in (
        (sample, offsets.mean),
        ((sample - offsets.mean) ** 2, offsets.variance),
        (sample.prod(1), (weights * second).sum()),
        (points[:, 2], pen.probs),
    ):
        assert ((found.mean(0) - expected).abs() < 5 * found.std(0) / count**0.5).all()


@pytest.mark.parametrize("ends", [False, True])
def test_a_stretched_output_layer_has_larger_offsets_and_is_else_the_same(ends):
    torch.manual_seed(2)
    output = torch.nn.Linear(7, 6 * 5 + 1 + ends).double()
    normalisation, hidden = Normalisation((8.0, 0.5), (40.0, 30.0)), torch.randn(9, 7).double()
    assert stretched(output, (1.0, 1.0), normalisation) is output
    other = stretched(output, (1.2, 0.9), normalisation)
    before, after = (
        Mixture.from_parameters(layer(hidden), 0.01, 0.999, ends) for layer in (output, other)
    )
    for axis, (factor, mean, deviation) in enumerate([(1.2, 8.0, 40.0), (0.9, 0.5, 30.0)]):
        offsets = before.means[:, axis] * deviation + mean
        stretch = after.means[:, axis] * deviation + mean
        torch.testing.assert_close(stretch, factor * offsets)
    for name in ("end_logits", "weight_logits", "log_scales", "correlations", "sequence_logits"):
        assert ends or name != "sequence_logits" or getattr(after, name) is None
        torch.testing.assert_close(getattr(after, name), getattr(before, name))


def test_a_drawn_offset_is_at_most_as_wide_as_the_widest_scale():
    """exp(50) would be the scale; 10,000 is the widest."""
    raw = torch.tensor([[0.0, 0.0, 2.0, 3.0, 50.0, 50.0, 0.0]], dtype=torch.float64)
    uniform, normal = torch.full((1, 2), 0.9), torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    found = Mixture.from_parameters(raw, 1.0, 0.9).sample(uniform.double(), normal)
    torch.testing.assert_close(found, torch.tensor([[1e4 + 2.0, -2e4 + 3.0, 0.0]]).double())
