"""The mixture against torch.distributions, hand-worked values and finite differences."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, MixtureSameFamily, MultivariateNormal

from model.generation.mixture import Mixture, clamp_inwards, sharpen_ends, stretched
from utils.normalisation import Normalisation


def random_mixture(*shape: int, components: int = 4) -> tuple[torch.Tensor, Mixture]:
    raw = torch.randn(*shape, 6 * components + 1, dtype=torch.float64)
    return raw, Mixture.from_parameters(raw, 0.01, 0.999)


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
    torch.manual_seed(0)
    raw, mixture = random_mixture(5, 7)
    points = torch.randn(5, 7, 3, dtype=torch.float64)
    points[..., 2] = (points[..., 2] > 0).double()
    offsets, pen = independent(raw, bias)
    mixture = mixture.biased(bias)
    expected = offsets.log_prob(points[..., :2]) + pen.log_prob(points[..., 2])
    torch.testing.assert_close(mixture.log_prob(points), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(mixture.mean, offsets.mean)
    torch.testing.assert_close(mixture.end_logits.sigmoid(), pen.probs)


def test_log_prob_of_one_component_by_hand():
    """Equation 24 worked by hand, and the pen by equation 25."""
    raw = torch.tensor([0.3, 0.0, 1.0, -1.0, math.log(2.0), math.log(0.5), math.atanh(0.5)])
    mixture = Mixture.from_parameters(raw.double().expand(2, -1), 0.01, 0.999)
    rho = 0.999 * 0.5
    x, y = (2.0 - 1.0) / 2.0, (-0.5 + 1.0) / 0.5
    z = x * x + y * y - 2 * rho * x * y
    density = math.exp(-z / (2 * (1 - rho**2))) / (2 * math.pi * math.sqrt(1 - rho**2))
    end = 1.0 / (1.0 + math.exp(0.3))
    got = mixture.log_prob(torch.tensor([[2.0, -0.5, 1.0], [2.0, -0.5, 0.0]]).double())
    expected = [math.log(density * end), math.log(density * (1.0 - end))]
    assert got.tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("bias", [0.0, 0.75])
def test_the_end_of_the_sequence_is_a_bernoulli_of_its_own(bias):
    torch.manual_seed(0)
    raw, plain = random_mixture(5, 7)
    raw_ends = torch.randn(5, 7, 1, dtype=torch.float64)
    both = torch.cat((raw, raw_ends), -1)
    both = Mixture.from_parameters(both, 0.01, 0.999, end_of_sequence=True)
    both, plain = both.biased(bias), plain.biased(bias)
    points = torch.randn(5, 7, 4, dtype=torch.float64)
    points[..., 2:] = (points[..., 2:] > 0).double()
    end = ends(raw_ends[..., 0], bias)
    expected = plain.log_prob(points[..., :3]) + end.log_prob(points[..., 3])
    torch.testing.assert_close(both.log_prob(points), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(both.sequence_logits.sigmoid(), end.probs)
    assert plain.sequence_logits is None
    torch.testing.assert_close(plain.log_prob(points), plain.log_prob(points[..., :3]))
    assert both[2].sequence_logits.equal(both.sequence_logits[2])


def test_the_number_of_the_pen_draws_the_end_of_the_sequence_too():
    """And changes nothing else. 100,000 draws within 5 standard errors (false alarm < 1e-5)."""
    torch.manual_seed(5)
    raw, plain = random_mixture(1)
    count = 100_000
    raw = torch.cat((raw, torch.tensor([[0.7]])), -1).expand(count, -1)
    mixture = Mixture.from_parameters(raw, 0.01, 0.999, end_of_sequence=True)
    uniform = torch.rand(count, 2, dtype=torch.float64)
    normal = torch.randn(count, 2, dtype=torch.float64)
    points = mixture.sample(uniform, normal)
    assert points.shape == (count, 4) and set(points[:, 3].unique().tolist()) == {0.0, 1.0}
    plain = plain[torch.zeros(count, dtype=torch.int64)]
    torch.testing.assert_close(points[:, :3], plain.sample(uniform, normal))
    both = points[:, 2] * points[:, 3]
    assert torch.equal(both, points[:, 2:].amin(1)) and (both == points[:, 2]).any()
    rarer = points[:, 2:].mean(0).argmin()
    assert torch.equal(both, points[:, 2 + rarer])  # the rarer of the two comes with the other only
    expected = 1.0 / (1.0 + math.exp(0.7))
    error = 5 * (expected * (1 - expected) / count) ** 0.5
    assert abs(points[:, 3].mean().item() - expected) < error


@pytest.mark.parametrize("end_of_sequence", [False, True])
def test_gradcheck(end_of_sequence):
    torch.manual_seed(1)
    raw = torch.randn(3, 13 + end_of_sequence, dtype=torch.float64, requires_grad=True)
    points = torch.randn(3, 4, dtype=torch.float64)
    points[:, 2:] = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert torch.autograd.gradcheck(
        lambda raw: Mixture.from_parameters(raw, 0.01, 0.999, end_of_sequence).log_prob(points),
        raw,
    )


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
    raw, _ = random_mixture(1)
    count = 200_000
    mixture = Mixture.from_parameters(raw.expand(count, -1), 0.01, 0.999)
    generator = torch.Generator().manual_seed(4)
    points = mixture.sample(
        torch.rand(count, 2, generator=generator, dtype=torch.float64),
        torch.randn(count, 2, generator=generator, dtype=torch.float64),
    )
    offsets, pen = independent(raw[0])
    sample = points[:, :2]
    error = sample.std(0) / count**0.5
    assert ((sample.mean(0) - offsets.mean).abs() < 5 * error).all()
    squares = (sample - offsets.mean) ** 2
    assert ((squares.mean(0) - offsets.variance).abs() < 5 * squares.std(0) / count**0.5).all()
    parts = offsets.component_distribution
    weights = offsets.mixture_distribution.probs
    second = parts.covariance_matrix[:, 0, 1] + parts.mean[:, 0] * parts.mean[:, 1]
    product = sample[:, 0] * sample[:, 1]
    assert abs(product.mean() - (weights * second).sum()) < 5 * product.std() / count**0.5
    rate = points[:, 2].mean()
    assert abs(rate - pen.probs) < 5 * (pen.probs * (1 - pen.probs) / count) ** 0.5


def test_a_bias_makes_ends_surer():
    """A chance of a hundredth and one of a half, by hand; one of 0.18 stays."""
    chances = torch.tensor([0.01, 0.5, 1.0 / (1.0 + math.exp(1.5))]).double()
    for bias in (0.0, 0.5, 1.0):
        told = sharpen_ends(chances.logit(), torch.tensor(bias), 3.0).sigmoid()
        low, even = (1 / 99) * (math.exp(1.5) / 99) ** (3 * bias), math.exp(1.5) ** (3 * bias)
        expected = [low / (1 + low), even / (1 + even), chances[2].item()]
        assert told.tolist() == pytest.approx(expected, rel=1e-6)


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
