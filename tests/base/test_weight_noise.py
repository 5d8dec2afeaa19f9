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


def flat(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def test_prior_and_divergence_against_distributions(model):
    _, group = parameter_groups(model, True)
    noise = WeightNoise(model, 0.075, group["params"])
    with torch.no_grad():
        for log_std in noise.log_stds:  # of different widths
            log_std.add_(0.5 * torch.randn_like(log_std))
    posterior = Normal(flat(model.parameters()), flat(noise.log_stds).exp())
    mean = posterior.mean.mean()
    variance = (posterior.variance + (posterior.mean - mean) ** 2).mean()
    expected = kl_divergence(posterior, Normal(mean, variance.sqrt())).sum()
    assert float(noise.divergence()) == pytest.approx(expected.item(), rel=1e-12)
    # The prior is the best one: any other makes the divergence larger.
    mean, variance = noise.prior()
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
