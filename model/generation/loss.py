"""The losses of the generation networks."""

from typing import Annotated, ClassVar, Literal

from torch import Tensor

from base.base_data_loader import Batch
from base.base_loss import BaseLoss
from model.generation.generators import Output
from utils.checks import Range

Reduction = Literal["sequence", "point"]


class _PointLoss(BaseLoss):
    """A loss that is a sum over the points of a sequence.

    Args:
        reduction: divisor of a batch's gradient: `sequence` for the number of sequences, which
            the paper's bounds on gradients assume; `point` for the number of points, so that the
            size of a step does not depend on the lengths of sequences.
    """

    def __init__(self, *, reduction: Reduction = "point") -> None:
        self.reduction = reduction

    def divisor(self, batch: Batch) -> int:
        """Return the number of sequences or of points in `batch`, by `reduction`."""
        return len(batch.lengths) if self.reduction == "sequence" else int(batch.lengths.sum())


class NegativeLogLikelihood(_PointLoss):
    """The negative log-probability of the points under the mixture (the paper, eq. 26).

    The end of the sequence is included if the network predicts it.
    """

    name: ClassVar[str] = "log_loss"
    head: ClassVar[str] = "mixture"

    def __call__(self, output: Output, batch: Batch) -> Tensor:
        """Return the nats of each sequence, `(batch,)`; padding does not count.

        Args:
            output: its `prediction` is a `Mixture` with leading dimensions `(batch, time)`.
            batch: `targets` `(batch, time, 3 or 4)`, and the `mask` of real points.
        """
        nats = -output.prediction.log_prob(batch.targets)  # (batch, time)
        return nats.masked_fill(~batch.mask, 0.0).sum(1)


class SquaredError(_PointLoss):
    """Half the squared distance from the estimated offset, plus the cross-entropy of the pen.

    Half the squared distance, in normalised units, is the negative log-density of the offset under
    a Gaussian of standard deviation 1 in both axes, up to the constant ln(2 pi). So both terms are
    nats, and at `pen_weight` 1 the loss is a negative log-likelihood up to ln(2 pi) per point. If
    the network predicts the end of the sequence, the cross-entropy of that end is added.

    Args:
        reduction: see `_PointLoss`.
        pen_weight: factor on the cross-entropies.
    """

    name: ClassVar[str] = "squared_error"
    head: ClassVar[str] = "regression"

    def __init__(
        self, *, reduction: Reduction = "point", pen_weight: Annotated[float, Range(0.0, 1e6)] = 1.0
    ) -> None:
        super().__init__(reduction=reduction)
        self.pen_weight = pen_weight

    def __call__(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss of each sequence, `(batch,)`; padding does not count.

        Args:
            output: its `prediction` is a `PointEstimate` with leading dimensions `(batch, time)`.
            batch: as for `NegativeLogLikelihood`.
        """
        estimate = output.prediction
        targets = batch.targets.to(output.prediction.mean.dtype)
        end_loss = self.pen_weight * estimate.end_nats(targets)  # (batch, time)
        total = estimate.half_squares(targets) + end_loss
        return total.masked_fill(~batch.mask, 0.0).sum(1)
