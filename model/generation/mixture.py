"""The mixture density over the next pen point (the paper, section 4.1).

Shapes: `...` any leading dimensions, M components, 2 the axes (x, y).
"""

import copy
import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.generation.sampling_options import PEN_SHARPNESS
from utils.normalisation import Normalisation

LIMIT = 1e4
"""Bound on a network's outputs: all values and gradients stay finite, and means within 1e4 standard
deviations (assumed: real offsets stay within 100)."""
PEN_PIVOT = -1.5
"""Log-odds of ends that a bias leaves unchanged: a probability of 0.18 (measured, lab notebook:
stopping and the pen)."""


class _ClampInwards(torch.autograd.Function):
    """Clamp to bounds; outside them, only gradients that lead back inside pass.

    With a plain clamp a value that has left the bounds gets no gradient and never returns.
    """

    @staticmethod
    def forward(ctx, value: Tensor, low: Tensor, high: Tensor) -> Tensor:
        ctx.save_for_backward(value < low, value > high)
        return value.clamp(low, high)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        below, above = ctx.saved_tensors
        # Descent moves against the gradient: below the bound only a negative gradient leads back.
        stuck = (below & (gradient > 0)) | (above & (gradient < 0))
        return gradient.masked_fill(stuck, 0.0), None, None


def clamp_inwards(value: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Clamp `value` to `[low, high]`; gradients that lead back inside pass."""
    dtype, device = value.dtype, value.device
    low, high = (torch.as_tensor(bound, dtype=dtype, device=device) for bound in (low, high))
    return _ClampInwards.apply(value, low, high)


def limited(raw: Tensor) -> Tensor:
    """Return a network's outputs within +-`LIMIT`, in float32 or better."""
    return clamp_inwards(raw if raw.dtype == torch.float64 else raw.float(), -LIMIT, LIMIT)


class NextPoint:
    """A prediction of the next point; each head has a class.

    Attributes:
        end_logits: log-odds of the end of a stroke, `(...)`.
        sequence_logits: log-odds that the sequence ends at the point, `(...)`; None if points have
            no fourth number.
        has_density: whether the class gives a probability density of the offset.
    """

    end_logits: Tensor
    sequence_logits: Tensor | None
    has_density: ClassVar[bool]

    def __getitem__(self, index: int | slice | Tensor | tuple) -> Self:
        """Return the prediction at an index of the leading dimensions."""
        tensors = {name: value[index] for name, value in vars(self).items() if value is not None}
        return replace(self, **tensors)


@dataclass
class Mixture(NextPoint):
    """A mixture of bivariate Gaussians for the offset, and a Bernoulli for the end of stroke.

    If the network ends sequences, a point has a fourth number, 1 for the last point of a sequence,
    with a second Bernoulli.

    Attributes:
        end_logits, sequence_logits: see `NextPoint`.
        weight_logits: unnormalised log-weights of the components, `(..., M)`.
        means: `(..., 2, M)`, in normalised units.
        log_scales: logarithms of the standard deviations, `(..., 2, M)`.
        correlations: `(..., M)`.
    """

    has_density: ClassVar[bool] = True

    end_logits: Tensor
    weight_logits: Tensor
    means: Tensor
    log_scales: Tensor
    correlations: Tensor
    sequence_logits: Tensor | None = None

    @classmethod
    def from_parameters(
        cls,
        raw: Tensor,
        min_scale: Tensor | float,
        max_correlation: float,
        end_of_sequence: bool = False,
    ) -> Self:
        """Build the mixture that a network's outputs describe (the paper, eqs 18-22).

        Scales are exp(sigma-hat), at least `min_scale`; correlations are
        `max_correlation` * tanh(rho-hat). All is computed in float32 or better.

        Args:
            raw: `(..., 6 M + 1)`: e-hat, then M each of pi-hat, mu-hat (x, y), sigma-hat (x, y)
                and rho-hat; with an end of the sequence `(..., 6 M + 2)`: a second e-hat last.
            min_scale: lower bound on the scales in normalised units, a number or `(2,)`.
            max_correlation: upper bound on the absolute correlation, below 1.
            end_of_sequence: whether there is an end of the sequence.
        """
        raw, ends = limited(raw), None
        if end_of_sequence:
            raw, ends = raw[..., :-1], -raw[..., -1]
        parts = raw[..., 1:].unflatten(-1, (6, -1))  # (..., 6, M)
        lowest = torch.as_tensor(min_scale).to(raw).log().reshape(-1, 1)  # (2 or 1, 1)
        return cls(
            end_logits=-raw[..., 0],  # eq. 18: e = 1 / (1 + exp(raw))
            weight_logits=parts[..., 0, :],
            means=parts[..., 1:3, :],
            log_scales=clamp_inwards(parts[..., 3:5, :], lowest, math.log(LIMIT)),
            correlations=max_correlation * torch.tanh(parts[..., 5, :]),
            sequence_logits=ends,
        )

    def biased(self, bias: Tensor | float, pen_sharpness: float = PEN_SHARPNESS) -> Self:
        """Return the mixture with densities (the paper, eqs 61-62) and ends sharpened by `bias`.

        Args:
            bias: at least 0; a number for all points, or `(...)`.
            pen_sharpness: how much the ends are sharpened, see `sharpen_ends`; 0 as in the paper.
        """
        bias, ends = torch.as_tensor(bias).to(self.means), self.sequence_logits
        return type(self)(
            sharpen_ends(self.end_logits, bias, pen_sharpness),
            self.weight_logits * (1.0 + bias[..., None]),
            self.means,
            self.log_scales - bias[..., None, None],
            self.correlations,
            None if ends is None else sharpen_ends(ends, bias, pen_sharpness),
        )

    def stretched(self, factors: tuple[float, float], normalisation: Normalisation) -> Self:
        """Return the mixture with larger means: see the function `stretched`."""
        axis_values = (factors, normalisation.mean, normalisation.std)
        factor, mean, std = self.means.new_tensor(axis_values)[..., None]  # (2, 1) each
        means = factor * self.means + (factor - 1.0) * mean / std
        return replace(self, means=means)

    @property
    def weights(self) -> Tensor:
        """Probabilities of the components, `(..., M)`."""
        return self.weight_logits.softmax(-1)

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
        """Return the log-probability of points: offset and ends (the paper, eq. 26).

        Args:
            point: `(..., 3)`: the offset in normalised units, and 1 or 0 for the end of stroke;
                or `(..., 4)`: also 1 or 0 for the end of the sequence, required if the mixture
                predicts that end, ignored otherwise.

        Returns:
            `(...)`, in nats.
        """
        point = point.to(self.means.dtype)
        log_prob = self.log_prob_offset(point[..., :2])
        log_prob = log_prob - cross_entropy(self.end_logits, point[..., 2])
        if self.sequence_logits is not None:
            log_prob = log_prob - cross_entropy(self.sequence_logits, point[..., 3])
        return log_prob

    def sample(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """Turn random numbers into points.

        Args:
            uniform: `(..., 2)` in [0, 1): the first picks the component, the second draws the ends.
            normal: `(..., 2)` of the standard normal distribution.

        Returns:
            `(..., 3)`: the offset in normalised units, and the end of stroke as 1 or 0;
            `(..., 4)` if the network ends sequences: also the end of the sequence as 1 or 0.
        """
        cumulative = self.weights.cumsum(-1)
        # Scaled by the last sum, so that rounding never leaves the number past the end.
        chosen = (cumulative <= uniform[..., :1] * cumulative[..., -1:]).sum(-1, keepdim=True)
        chosen = chosen.clamp_max(cumulative.shape[-1] - 1)  # (..., 1)
        both_axes = chosen[..., None, :].expand(*chosen.shape[:-1], 2, 1)
        mean = self.means.gather(-1, both_axes)[..., 0]
        scale = self.log_scales.gather(-1, both_axes)[..., 0].exp()
        rho = self.correlations.gather(-1, chosen)[..., 0]
        first, second = normal.unbind(-1)
        second = rho * first + ((1.0 - rho) * (1.0 + rho)).sqrt() * second
        offset = mean + scale * torch.stack((first, second), -1)
        return torch.cat((offset, draw_ends(uniform, self.end_logits, self.sequence_logits)), -1)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the nats of targets, 1 or 0, given their log-odds `logits`; all `(...)`."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def sharpen_ends(logits: Tensor, bias: Tensor, sharpness: float) -> Tensor:
    """Return the log-odds of ends under a bias, both `(...)`.

    The paper sharpens the offsets alone. But a probability of a few per cent at each point lifts
    the pen within every second letter, and the probability of an end that is due is spread over
    several points. So log-odds below `PEN_PIVOT` fall, and those above rise.
    """
    return logits + sharpness * bias * (logits - PEN_PIVOT)


def draw_ends(uniform: Tensor, end_logits: Tensor, sequence_logits: Tensor | None) -> Tensor:
    """Draw the end of stroke and, if there are `sequence_logits`, of the sequence, as 1 or 0.

    One random number decides on both ends. So the pen is lifted where a sequence ends, as in the
    data, if the end of stroke is at least as likely. Independent draws would often end the last
    stroke without the sequence, which never occurs in training.

    Args:
        uniform: `(..., 2)`, see `Mixture.sample`.
        end_logits, sequence_logits: `(...)`, see `NextPoint`.

    Returns:
        `(..., 1)` or `(..., 2)`, of the dtype of `end_logits`.
    """
    ends = [end_logits] if sequence_logits is None else [end_logits, sequence_logits]
    return torch.stack([uniform[..., 1] < end.sigmoid() for end in ends], -1).to(end_logits)


def stretched(
    output: nn.Linear, factors: tuple[float, float], normalisation: Normalisation
) -> nn.Linear:
    """Return a copy of a mixture's output layer whose means in x and y, in the units of the data,
    are larger by `factors`."""
    if factors == (1.0, 1.0):
        return output
    stretched, count = copy.deepcopy(output), len(output.bias) // 6
    rows = slice(1 + count, 1 + 3 * count)  # of the means
    pairs = zip(normalisation.mean, normalisation.std, strict=True)
    origin = [mean / deviation for mean, deviation in pairs]
    factor = output.bias.new_tensor(factors).repeat_interleave(count)
    origin = output.bias.new_tensor(origin).repeat_interleave(count)
    with torch.no_grad():
        stretched.weight[rows] *= factor[:, None]
        stretched.bias[rows] = factor * (stretched.bias[rows] + origin) - origin
    return stretched
