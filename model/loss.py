"""The loss of the generation networks."""

from typing import Any, ClassVar, Literal

from torch import Tensor

from base.base_loss import BaseLoss


class NegativeLogLikelihood(BaseLoss):
    """The negative log-probability of the points under the mixture (the paper, eq. 26).

    Args:
        reduction: whether a batch's gradient is divided by its sequences, as the paper's bounds
            on gradients assume, or by its points, which makes a step independent of lengths.
    """

    name: ClassVar[str] = "log_loss"

    def __init__(self, *, reduction: Literal["sequence", "point"] = "point") -> None:
        self.reduction = reduction

    def __call__(self, output: Any, batch: Any) -> Tensor:
        """Return the nats of each sequence, `(batch,)`; padding does not count.

        Args:
            output: with a `mixture` of leading dimensions `(batch, time)`.
            batch: with `targets` `(batch, time, 3)` and the `mask` of real points.
        """
        nats = -output.mixture.log_prob(batch.targets)  # (batch, time)
        return nats.masked_fill(~batch.mask, 0.0).sum(1)

    def divisor(self, batch: Any) -> int:
        """Return the number of sequences of `batch`, or of points."""
        return len(batch.lengths) if self.reduction == "sequence" else int(batch.lengths.sum())
