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

from ink.normalisation import Normalisation

MAX_OUTPUT = 1e4
"""Bound on the absolute value of a network's outputs, so that all values and gradients stay finite
(assumed: real offsets stay within 100 standard deviations)."""
PEN_PIVOT = -1.5
"""Log-odds of ends that a bias leaves unchanged: a probability of 0.18 (measured, notebook: writer,
stopping and the pen)."""


class _ClampInwards(torch.autograd.Function):
    """Clamps to bounds; outside the bounds only a gradient that leads back inside passes.

    With a plain clamp, a value outside the bounds gets no gradient and never returns.
    """

    @staticmethod
    def forward(ctx, value: Tensor, low: Tensor, high: Tensor) -> Tensor:
        ctx.save_for_backward(value < low, value > high)
        return value.clamp(low, high)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        below, above = ctx.saved_tensors
        # Descent moves a value against its gradient: from below, a negative gradient leads back.
        stuck = (below & (gradient > 0)) | (above & (gradient < 0))
        return gradient.masked_fill(stuck, 0.0), None, None


def clamp_inwards(value: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Clamp `value` to `[low, high]`, with the gradients of `_ClampInwards`."""
    dtype = value.dtype
    device = value.device
    low, high = (torch.as_tensor(bound, dtype=dtype, device=device) for bound in (low, high))
    return _ClampInwards.apply(value, low, high)


def limited(raw: Tensor) -> Tensor:
    """Return a network's outputs clamped to +-`MAX_OUTPUT`, in float32 or, if `raw` is, float64."""
    raw = raw if raw.dtype == torch.float64 else raw.float()
    return clamp_inwards(raw, -MAX_OUTPUT, MAX_OUTPUT)


class NextPoint:
    """The base class of predictions of the next point, dataclasses; each head has a subclass.

    Attributes:
        end_logits: log-odds of the end of a stroke, `(...)`.
        sequence_logits: log-odds that the sequence ends at the point, `(...)`; None if points have
            no fourth number.
        has_density: whether the prediction is a probability density of the offset.
        draws_offset: whether `sample` draws the offset, so that a bias can sharpen it.
    """

    end_logits: Tensor
    sequence_logits: Tensor | None = None
    has_density: ClassVar[bool] = False
    draws_offset: ClassVar[bool] = True

    def __getitem__(self, index: int | slice | Tensor | tuple) -> Self:
        """Return the prediction at an index of the leading dimensions, which all tensors have."""
        tensors = {name: value[index] for name, value in vars(self).items() if value is not None}
        return replace(self, **tensors)

    def biased(self, bias: Tensor | float, pen_sharpness: float) -> Self:
        """Return the prediction sharpened by `bias`, see `Mixture.biased`."""
        raise NotImplementedError(f"{type(self).__name__} has no biased(bias, pen_sharpness)")

    def stretched(self, factors: tuple[float, float], normalisation: Normalisation) -> Self:
        """Return the prediction of offsets times `factors`; without a density, the same one."""
        return self

    def sample(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """Turn random numbers into points, see `Mixture.sample`."""
        raise NotImplementedError(f"{type(self).__name__} has no sample(uniform, normal)")


@dataclass
class Mixture(NextPoint):
    """A mixture of bivariate Gaussians for the offset, and a Bernoulli for the end of stroke.

    If the network ends sequences, a point has a fourth number, 1 for the last point of a sequence.
    A second Bernoulli predicts that number.

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
        """Return the mixture that a network's outputs describe (the paper, eqs 18-22).

        Scales are exp(sigma-hat), at least `min_scale`; correlations are
        `max_correlation` * tanh(rho-hat). All is computed in float32 or float64.

        Args:
            raw: `(..., 6 M + 1)`: e-hat, then M numbers each of pi-hat, mu-hat x, mu-hat y,
                sigma-hat x, sigma-hat y and rho-hat. With `end_of_sequence` `(..., 6 M + 2)`: the
                last number is a second e-hat.
            min_scale: lower bound on the scales in normalised units, a number or `(2,)`.
            max_correlation: upper bound on the absolute correlation, below 1.
            end_of_sequence: whether the network predicts the end of the sequence.
        """
        raw = limited(raw)
        sequence_logits = None
        if end_of_sequence:
            sequence_logits = -raw[..., -1]
            raw = raw[..., :-1]
        parameters = raw[..., 1:].unflatten(-1, (6, -1))  # (..., 6, M)
        log_min_scale = torch.as_tensor(min_scale).to(raw).log().reshape(-1, 1)  # (2 or 1, 1)
        return cls(
            end_logits=-raw[..., 0],  # eq. 18: e = 1 / (1 + exp(raw))
            weight_logits=parameters[..., 0, :],
            means=parameters[..., 1:3, :],
            log_scales=clamp_inwards(parameters[..., 3:5, :], log_min_scale, math.log(MAX_OUTPUT)),
            correlations=max_correlation * torch.tanh(parameters[..., 5, :]),
            sequence_logits=sequence_logits,
        )

    def biased(self, bias: Tensor | float, pen_sharpness: float) -> Self:
        """Return the mixture sharpened by `bias`: the density (the paper, eqs 61-62) and the ends.

        Args:
            bias: at least 0; a number for all points, or `(...)`.
            pen_sharpness: how much the ends are sharpened, see `sharpen_ends`; the paper: 0.
        """
        bias = torch.as_tensor(bias).to(self.means)
        ends = self.sequence_logits
        return type(self)(
            sharpen_ends(self.end_logits, bias, pen_sharpness),
            self.weight_logits * (1.0 + bias[..., None]),
            self.means,
            self.log_scales - bias[..., None, None],
            self.correlations,
            None if ends is None else sharpen_ends(ends, bias, pen_sharpness),
        )

    def stretched(self, factors: tuple[float, float], normalisation: Normalisation) -> Self:
        """Return the mixture with its means in x and y, in the units of the data, times `factors`;
        see `stretched_output`."""
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
        """Return the log-density of offsets in nats, `(...)` (the paper, eqs 23-25).

        Args:
            offset: `(..., 2)`, in normalised units.
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
        """Return the log-probability of points in nats, `(...)`: offsets and ends (eq. 26).

        Args:
            point: `(..., 3)`: the offset in normalised units, and 1 or 0 for the end of stroke; or
                `(..., 4)`: the fourth number is 1 or 0 for the end of the sequence. A mixture that
                predicts this end needs the fourth number; any other mixture ignores it.
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
            normal: `(..., 2)`, from the standard normal distribution.

        Returns:
            `(..., 3)`: the offset in normalised units, and the end of stroke as 1 or 0; or
            `(..., 4)` if the network ends sequences: also the end of the sequence as 1 or 0.
        """
        cumulative = self.weights.cumsum(-1)
        # The last sum may differ from 1 by rounding; multiplying by it makes up for that.
        threshold = uniform[..., :1] * cumulative[..., -1:]
        chosen = (cumulative <= threshold).sum(-1, keepdim=True)
        # The product may round to the last sum, which would pick a component behind the last.
        chosen = chosen.clamp_max(cumulative.shape[-1] - 1)  # (..., 1)
        both_axes = chosen[..., None, :].expand(*chosen.shape[:-1], 2, 1)
        mean = self.means.gather(-1, both_axes)[..., 0]
        scale = self.log_scales.gather(-1, both_axes)[..., 0].exp()
        rho = self.correlations.gather(-1, chosen)[..., 0]
        x, y = normal.unbind(-1)
        y = rho * x + ((1.0 - rho) * (1.0 + rho)).sqrt() * y
        offset = mean + scale * torch.stack((x, y), -1)
        return torch.cat((offset, draw_ends(uniform, self.end_logits, self.sequence_logits)), -1)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the nats of `targets`, 1 or 0, whose log-odds are `logits`; all `(...)`."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def sharpen_ends(logits: Tensor, bias: Tensor, sharpness: float) -> Tensor:
    """Return the log-odds of ends, `(...)`, sharpened by a bias, `(...)`.

    The paper sharpens only the offsets. But a probability of a few per cent at each point lifts the
    pen within every second letter, and the probability of an end that is due is spread over several
    points. So log-odds below `PEN_PIVOT` fall, and log-odds above it rise.
    """
    return logits + sharpness * bias * (logits - PEN_PIVOT)


def draw_ends(uniform: Tensor, end_logits: Tensor, sequence_logits: Tensor | None) -> Tensor:
    """Draw the end of stroke and, with `sequence_logits`, the end of the sequence, as 1 or 0.

    One random number decides both ends. So if the end of stroke is at least as likely as the end of
    the sequence, the pen is lifted where the sequence ends, as in the data. Independent draws would
    often end the last stroke without the sequence, which never occurs in training.

    Args:
        uniform: `(..., 2)`, see `Mixture.sample`.
        end_logits, sequence_logits: `(...)`, see `NextPoint`.

    Returns:
        `(..., 1)` or `(..., 2)`, of the dtype of `end_logits`.
    """
    all_logits = [end_logits] if sequence_logits is None else [end_logits, sequence_logits]
    is_end = [uniform[..., 1] < logits.sigmoid() for logits in all_logits]
    return torch.stack(is_end, -1).to(end_logits)


def stretched_output(
    output: nn.Linear, factors: tuple[float, float], normalisation: Normalisation
) -> nn.Linear:
    """Return a copy of an output layer of mixtures that multiplies their means in x and y, in the
    units of the data, by `factors`: for the compiled loop, which computes no `Mixture` that could
    be `stretched`."""
    if factors == (1.0, 1.0):
        return output
    layer = copy.deepcopy(output)
    num_mixtures = len(output.bias) // 6  # of 6 M + 1 or 6 M + 2 rows, see `from_parameters`
    mean_rows = slice(1 + num_mixtures, 1 + 3 * num_mixtures)
    pairs = zip(normalisation.mean, normalisation.std, strict=True)
    shifts = [mean / deviation for mean, deviation in pairs]  # means are relative to the data's
    factor = output.bias.new_tensor(factors).repeat_interleave(num_mixtures)
    shift = output.bias.new_tensor(shifts).repeat_interleave(num_mixtures)
    with torch.no_grad():
        layer.weight[mean_rows] *= factor[:, None]
        layer.bias[mean_rows] = factor * (layer.bias[mean_rows] + shift) - shift
    return layer
