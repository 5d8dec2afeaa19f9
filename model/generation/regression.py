"""A point estimate of the next pen point, for networks trained by squared error.

Shapes: `...` any leading dimensions, 2 the axes (x, y).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from model.generation.mixture import NextPoint, cross_entropy, draw_ends, limited


@dataclass
class PointEstimate(NextPoint):
    """The expected offset of the next point, and the Bernoulli distributions of `Mixture`.

    Attributes:
        end_logits, sequence_logits: see `NextPoint`.
        mean: the expected offset, `(..., 2)`, in normalised units.
    """

    draws_offset: ClassVar[bool] = False

    end_logits: Tensor
    mean: Tensor
    sequence_logits: Tensor | None = None

    @classmethod
    def from_parameters(
        cls,
        raw: Tensor,
        min_scale: Tensor | float = 0.0,
        max_correlation: float = 0.0,
        end_of_sequence: bool = False,
    ) -> Self:
        """Return the estimate that a network's outputs describe, in float32 or float64.

        Args:
            raw: `(..., 3)`: the offset (x, y) and e-hat, the log-odds against the end of stroke
                (the paper, eq. 18). With `end_of_sequence` `(..., 4)`: a second e-hat is last.
            min_scale, max_correlation: not used.
            end_of_sequence: whether the network predicts the end of the sequence.
        """
        raw = limited(raw)
        return cls(
            end_logits=-raw[..., 2],
            mean=raw[..., :2],
            sequence_logits=-raw[..., 3] if end_of_sequence else None,
        )

    def biased(self, bias: Tensor | float, pen_sharpness: float = 0.0) -> Self:
        """Return the estimate itself: there is nothing to sharpen."""
        return self

    def sample(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the expected offset with drawn ends, `(..., 3)` or `(..., 4)`; see
        `Mixture.sample`. Only the second uniform number is used."""
        ends = draw_ends(uniform, self.end_logits, self.sequence_logits)
        return torch.cat((self.mean, ends), -1)

    def half_squares(self, points: Tensor) -> Tensor:
        """Return half the squared distance of `mean` from points `(..., 3 or 4)`, as `(...)`."""
        return 0.5 * (self.mean - points[..., :2]).square().sum(-1)

    def end_nats(self, points: Tensor) -> Tensor:
        """Return the nats of the ends of points `(..., 3 or 4)`, as `(...)`."""
        nats = cross_entropy(self.end_logits, points[..., 2])
        if self.sequence_logits is not None:
            nats = nats + cross_entropy(self.sequence_logits, points[..., 3])
        return nats
