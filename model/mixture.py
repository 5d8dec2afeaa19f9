"""The mixture density over the next pen point (the paper, section 4.1).

Shapes: `...` any leading dimensions, M components, 2 the axes (x, y).
"""

import math
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

LIMIT = 1e4
"""Bound on every raw output of a network, so that all values and gradients stay finite. Means
thus stay within 1e4 standard deviations (assumed: real offsets stay within 100)."""


class _ClampInwards(torch.autograd.Function):
    """Clamp to bounds; of the gradient outside them, only what leads back inside passes.

    With the plain clamp a value that has left the bounds gets no gradient and never returns.
    """

    @staticmethod
    def forward(ctx, value: Tensor, low: Tensor, high: Tensor) -> Tensor:
        ctx.save_for_backward(value < low, value > high)
        return value.clamp(low, high)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        below, above = ctx.saved_tensors
        # Descent moves against the gradient: below the bound only a negative one leads back.
        stuck = (below & (gradient > 0)) | (above & (gradient < 0))
        return gradient.masked_fill(stuck, 0.0), None, None


def clamp_inwards(value: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Clamp `value` to `[low, high]`, letting through gradients that lead back inside."""
    low, high = (
        torch.as_tensor(bound, dtype=value.dtype, device=value.device) for bound in (low, high)
    )
    return _ClampInwards.apply(value, low, high)


class Mixture:
    """A mixture of bivariate Gaussians for the offset, and a Bernoulli for the end of stroke.

    Attributes:
        end_logits: log-odds of the end of a stroke, `(...)`.
        weight_logits: unnormalised log-weights of the components, `(..., M)`.
        means: `(..., 2, M)`, in normalised units.
        log_scales: logarithms of the standard deviations, `(..., 2, M)`.
        correlations: `(..., M)`.
    """

    def __init__(
        self,
        end_logits: Tensor,
        weight_logits: Tensor,
        means: Tensor,
        log_scales: Tensor,
        correlations: Tensor,
    ) -> None:
        self.end_logits = end_logits
        self.weight_logits = weight_logits
        self.means = means
        self.log_scales = log_scales
        self.correlations = correlations

    @staticmethod
    def num_parameters(components: int) -> int:
        """Return how many outputs of a network describe one point (the paper, eq. 17)."""
        return 6 * components + 1

    @classmethod
    def from_parameters(
        cls, raw: Tensor, min_scale: Tensor | float, max_correlation: float
    ) -> Self:
        """Build the mixture that a network's outputs describe (the paper, eqs 18-22).

        Scales are exp(sigma-hat), at least `min_scale`; correlations are
        `max_correlation` * tanh(rho-hat). All is computed in float32 or better.

        Args:
            raw: `(..., 6 M + 1)`: e-hat, then M each of pi-hat, mu-hat (x, y), sigma-hat (x, y)
                and rho-hat.
            min_scale: lower bound on the scales in normalised units, a number or `(2,)`.
            max_correlation: upper bound on the absolute correlation, below 1.
        """
        raw = raw if raw.dtype == torch.float64 else raw.float()
        raw = clamp_inwards(raw, -LIMIT, LIMIT)
        parts = raw[..., 1:].unflatten(-1, (6, -1))  # (..., 6, M)
        lowest = torch.as_tensor(min_scale).to(raw).log().reshape(-1, 1)  # (2 or 1, 1)
        return cls(
            end_logits=-raw[..., 0],
            weight_logits=parts[..., 0, :],
            means=parts[..., 1:3, :],
            log_scales=clamp_inwards(parts[..., 3:5, :], lowest, math.log(LIMIT)),
            correlations=max_correlation * torch.tanh(parts[..., 5, :]),
        )

    def biased(self, bias: Tensor | float) -> Self:
        """Return the mixture sharpened by `bias` >= 0 (the paper, eqs 61-62).

        Args:
            bias: a number, or `(...)` for a bias of its own at each place.
        """
        bias = torch.as_tensor(bias).to(self.means)[..., None]
        return type(self)(
            self.end_logits,
            self.weight_logits * (1.0 + bias),
            self.means,
            self.log_scales - bias[..., None],
            self.correlations,
        )

    def last_step(self) -> Self:
        """Return the mixtures `(B, ...)` of the last step of mixtures `(B, T, ...)`."""
        return type(self)(
            self.end_logits[:, -1],
            self.weight_logits[:, -1],
            self.means[:, -1],
            self.log_scales[:, -1],
            self.correlations[:, -1],
        )

    @property
    def weights(self) -> Tensor:
        """Probabilities of the components, `(..., M)`."""
        return self.weight_logits.softmax(-1)

    @property
    def end_of_stroke(self) -> Tensor:
        """Probability that the stroke ends at the point, `(...)`."""
        return self.end_logits.sigmoid()

    @property
    def mean(self) -> Tensor:
        """Mean of the offset, `(..., 2)`."""
        return (self.weights[..., None, :] * self.means).sum(-1)

    def log_prob_offset(self, offset: Tensor) -> Tensor:
        """Return the log-density of offsets (the paper, eqs 23-25 without the pen).

        Args:
            offset: `(..., 2)`, in normalised units.

        Returns:
            `(...)`, in nats.
        """
        x, y = ((offset[..., None] - self.means) * torch.exp(-self.log_scales)).unbind(-2)
        rho = self.correlations
        remainder = (1.0 - rho) * (1.0 + rho)
        # Z / (1 - rho^2) of eq. 25 as a sum of squares, which rounding cannot make negative.
        distance = (x - rho * y).square() / remainder + y.square()
        component = -0.5 * (distance + remainder.log()) - self.log_scales.sum(-2)
        log_weights = functional.log_softmax(self.weight_logits, -1)
        return torch.logsumexp(log_weights + component, -1) - math.log(2.0 * math.pi)

    def log_prob(self, point: Tensor) -> Tensor:
        """Return the log-probability of points: offset and end of stroke (the paper, eq. 26).

        Args:
            point: `(..., 3)`: the offset in normalised units, and 1 or 0 for the end of stroke.

        Returns:
            `(...)`, in nats.
        """
        point = point.to(self.means.dtype)
        pen = -functional.binary_cross_entropy_with_logits(
            self.end_logits, point[..., 2], reduction="none"
        )
        return self.log_prob_offset(point[..., :2]) + pen

    def sample(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """Turn random numbers into points.

        Args:
            uniform: `(..., 2)` in [0, 1): one picks the component, one decides on the pen.
            normal: `(..., 2)` of the standard normal distribution.

        Returns:
            `(..., 3)`: the offset in normalised units, and the end of stroke as 1 or 0.
        """
        cumulative = self.weights.cumsum(-1)
        # Scaled by the last sum, so that rounding never leaves the number past the end.
        chosen = (cumulative <= uniform[..., :1] * cumulative[..., -1:]).sum(-1, keepdim=True)
        chosen = chosen.clamp_max(cumulative.shape[-1] - 1)  # (..., 1)
        both = chosen[..., None, :].expand(*chosen.shape[:-1], 2, 1)
        mean = self.means.gather(-1, both)[..., 0]
        scale = self.log_scales.gather(-1, both)[..., 0].exp()
        rho = self.correlations.gather(-1, chosen)[..., 0]
        first, second = normal.unbind(-1)
        second = rho * first + ((1.0 - rho) * (1.0 + rho)).sqrt() * second
        offset = mean + scale * torch.stack((first, second), -1)
        end = uniform[..., 1] < self.end_of_stroke
        return torch.cat((offset, end[..., None].to(offset)), -1)
