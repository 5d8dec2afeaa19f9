"""Noise on the weights during training: of a fixed size, or adaptive.

Adaptive weight noise is after Graves 2011, "Practical Variational Inference for Neural Networks",
as the paper uses it (section 4.2): every weight is a Gaussian of learned mean and width, and the
description length of these Gaussians is added to the loss.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def parameter_groups(model: nn.Module, adaptive: bool) -> list[dict[str, Any]]:
    """Return what an optimiser trains: the weights and, if noise is adaptive, ln s of each.

    What pulls weights towards zero (`lambd` is that of ASGD) makes no sense for ln s.
    """
    weights = list(model.parameters())
    if not adaptive:
        return [{"params": weights}]
    log_stds = [nn.Parameter(torch.zeros_like(one)) for one in weights if one.requires_grad]
    return [{"params": weights}, {"params": log_stds, "weight_decay": 0.0, "lambd": 0.0}]


class WeightNoise:
    """Gaussian noise on every trainable weight, w = mu + s * noise, drawn for each step.

    The model's weights are the means mu, the weights to evaluate with. The size s of adaptive noise
    is learned for each weight, as ln s. Then to the loss of a sequence comes
    KL / (number of training sequences), with

        KL = sum_i ln(sigma_p / s_i) + ((mu_i - mu_p)^2 + s_i^2) / (2 sigma_p^2) - 1/2

    and the prior that makes it least: mu_p = mean of mu_i,
    sigma_p^2 = mean of s_i^2 + (mu_i - mu_p)^2, over all weights of the network.

    Args:
        model: the network; between steps it holds the weights without noise.
        std: standard deviation of the noise, or where it starts (Graves 2011, the paper: 0.075).
        log_stds: ln s of adaptive noise, one tensor for each weight, which are set here; else
            empty.
    """

    def __init__(self, model: nn.Module, std: float, log_stds: Sequence[Tensor] = ()) -> None:
        self.std, self.log_stds = std, list(log_stds)
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.count = sum(weight.numel() for weight in self.weights)
        self._noise: list[Tensor] = []
        with torch.no_grad():
            for log_std in self.log_stds:
                log_std.fill_(math.log(std))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the weights are noisy; afterwards they are the means again, exactly."""
        means = [weight.detach().clone() for weight in self.weights]
        self._noise = [torch.randn_like(weight) for weight in self.weights]
        widths = [one.detach().exp() for one in self.log_stds] or [self.std] * len(self.weights)
        try:
            with torch.no_grad():
                for weight, width, noise in zip(self.weights, widths, self._noise, strict=True):
                    weight.add_(noise * width)
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self.weights, means)

    @torch.no_grad()
    def prior(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the prior that fits adaptive noise best, scalars."""
        mean = sum(weight.sum() for weight in self.weights) / self.count
        squares = sum(
            ((weight - mean) ** 2).sum() + (2 * log_std).exp().sum()
            for weight, log_std in zip(self.weights, self.log_stds, strict=True)
        )
        return mean, squares / self.count

    @torch.no_grad()
    def divergence(self) -> Tensor:
        """Return KL in nats, a scalar.

        With the prior that fits best, all but the logarithms cancels: the sum of
        ((mu_i - mu_p)^2 + s_i^2) / (2 sigma_p^2) is half the number of weights.
        """
        _, variance = self.prior()
        return 0.5 * self.count * variance.log() - sum(part.sum() for part in self.log_stds)

    @torch.no_grad()
    def add_gradients(self, factor: float) -> None:
        """Complete the gradients after the backward pass; nothing to add for a fixed size.

        The weights hold dL/dw at the noisy weights. dL/dmu is the same, dL/d(ln s) is
        dL/dw * noise * s; to both comes `factor` times the gradient of KL, whose prior may be held
        fixed, as it is where KL is least.

        Args:
            factor: the weight of KL in the loss.
        """
        if not self.log_stds:
            return
        mean, variance = self.prior()
        for weight, log_std, noise in zip(self.weights, self.log_stds, self._noise, strict=True):
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            std = log_std.exp()
            log_std.grad = weight.grad * noise * std + factor * (std**2 / variance - 1)
            weight.grad.add_((weight - mean) / variance, alpha=factor)
