"""Weight noise against torch.distributions and autograd."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from base.weight_noise import WeightNoise, parameter_groups


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def adaptive(model):
    _, log_stds = parameter_groups(model, True)
    return WeightNoise(model, 0.075, log_stds["params"])


def widened(model):
    """Return adaptive noise of different widths."""
    noise = adaptive(model)
    with torch.no_grad():
        for log_std in noise.log_stds:
            log_std.add_(0.5 * torch.randn_like(log_std))
    return noise


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def divergence(means, log_stds):
    """The description length as a function of all it depends on, the prior included."""
    mean = means.mean()
    variance = (log_stds.exp() ** 2 + (means - mean) ** 2).mean()
    posterior = Normal(means, log_stds.exp())
    return kl_divergence(posterior, Normal(mean, variance.sqrt())).sum()


def test_fixed_noise_has_its_size_and_goes_away():
    torch.manual_seed(0)
    model = nn.Linear(200, 200)
    before = [weight.detach().clone() for weight in model.parameters()]
    noise = WeightNoise(model, 0.1)
    drawn = []
    for _ in range(2):
        with noise.applied():
            drawn.append(model.weight.detach() - before[0])
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    # The standard deviation of 40,000 draws: 5 standard errors are 1.8 % (chance 6e-7).
    assert float(drawn[0].std()) == pytest.approx(0.1, rel=0.018)
    assert not torch.equal(*drawn)


def test_prior_and_divergence_against_distributions(model):
    noise = widened(model)
    means, log_stds = flat(model.parameters()), flat(noise.log_stds)
    expected = divergence(means, log_stds)
    assert float(noise.divergence()) == pytest.approx(expected.item(), rel=1e-12)
    # The prior is the best one: any other makes the divergence larger.
    mean, variance = noise.prior()
    posterior = Normal(means, log_stds.exp())
    for shift, factor in [(0.01, 1), (-0.01, 1), (0, 1.01), (0, 0.99)]:
        other = Normal(mean + shift, variance.sqrt() * factor)
        assert kl_divergence(posterior, other).sum() > expected


def test_what_decays_weights_leaves_the_size_of_the_noise_alone(model):
    """Graves 2011 has a prior for the weights and their widths, and no other pull on ln s."""
    groups = parameter_groups(model, True)
    before = [[weight.detach().clone() for weight in group["params"]] for group in groups]
    optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.5)
    for weight in [*groups[0]["params"], *groups[1]["params"]]:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert all(map(torch.equal, groups[1]["params"], before[1]))
    assert not any(map(torch.equal, groups[0]["params"], before[0]))
