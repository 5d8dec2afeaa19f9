"""Noise on the weights during training: of a fixed size, or adaptive.

Adaptive weight noise is after Graves 2011, "Practical Variational Inference for Neural Networks",
as the paper uses it (section 4.2): every weight is a Gaussian of learned mean and width, and the
description length of these Gaussians is added to the loss.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class FixedWeightNoise:
    """Gaussian noise of constant size on every trainable weight, drawn for each step.

    Args:
        model: the network; between steps it holds the weights without noise.
        std: standard deviation of the noise.
    """

    def __init__(self, model: nn.Module, std: float) -> None:
        self.std = std
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._noise: list[Tensor] = []

    def parameters(self) -> list[nn.Parameter]:
        """Return what is learned beside the weights: nothing."""
        return []

    def _widths(self) -> list[Tensor | float]:
        return [self.std] * len(self.weights)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the weights are `mean + width * noise`; afterwards the means again, exactly."""
        means = [weight.detach().clone() for weight in self.weights]
        self._noise = [torch.randn_like(weight) for weight in self.weights]
        try:
            with torch.no_grad():
                for weight, width, noise in zip(
                    self.weights, self._widths(), self._noise, strict=True
                ):
                    weight.add_(noise * width)
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self.weights, means)

    def add_gradients(self, factor: float) -> None:
        """Complete the gradients after the backward pass; nothing to add for a fixed size."""

    def state_dict(self) -> dict:
        """Return what resuming needs: nothing, the noise comes from the global generator."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Restore what `state_dict` returned."""


class AdaptiveWeightNoise(FixedWeightNoise):
    """Gaussian noise whose size is learned for each weight, w = mu + s * noise.

    The model's weights are the means mu, the weights to evaluate with; ln s is learned beside
    them. `std` is the starting value of every s (Graves 2011, the paper: 0.075).

    To the loss of a sequence comes KL / (number of training sequences), with

        KL = sum_i ln(sigma_p / s_i) + ((mu_i - mu_p)^2 + s_i^2) / (2 sigma_p^2) - 1/2

    and the prior that makes it least: mu_p = mean of mu_i,
    sigma_p^2 = mean of s_i^2 + (mu_i - mu_p)^2, over all weights of the network.
    """

    def __init__(self, model: nn.Module, std: float) -> None:
        super().__init__(model, std)
        self.log_stds = [
            nn.Parameter(torch.full_like(weight, math.log(std))) for weight in self.weights
        ]
        self.count = sum(weight.numel() for weight in self.weights)

    def parameters(self) -> list[nn.Parameter]:
        """Return the ln s, one tensor for each of the weights, in their order."""
        return self.log_stds

    def _widths(self) -> list[Tensor | float]:
        return [log_std.detach().exp() for log_std in self.log_stds]

    @torch.no_grad()
    def prior(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the prior that fits best, scalars."""
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
        """Complete the gradients after the backward pass.

        The weights hold dL/dw at the noisy weights. dL/dmu is the same, dL/d(ln s) is
        dL/dw * noise * s; to both comes `factor` times the gradient of KL, whose prior may be held
        fixed, as it is where KL is least.

        Args:
            factor: the weight of KL in the loss.
        """
        mean, variance = self.prior()
        for weight, log_std, noise in zip(self.weights, self.log_stds, self._noise, strict=True):
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            std = log_std.exp()
            log_std.grad = weight.grad * noise * std + factor * (std**2 / variance - 1)
            weight.grad.add_((weight - mean) / variance, alpha=factor)

    def state_dict(self) -> dict:
        """Return the ln s as plain tensors."""
        return {"log_stds": [log_std.detach().clone() for log_std in self.log_stds]}

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        """Restore what `state_dict` returned."""
        for log_std, saved in zip(self.log_stds, state["log_stds"], strict=True):
            log_std.copy_(saved)
