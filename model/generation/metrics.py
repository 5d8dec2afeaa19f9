"""Metrics of the generation networks."""

from typing import ClassVar

import torch
from torch import Tensor

from base.base_data_loader import Batch
from base.base_metric import BaseMetric
from model.generation.generators import Output


class SSE(BaseMetric):
    """Squared distance between the prediction's mean and the point (the paper's "SSE").

    The metrics are means, in normalised units, over all points, over points in strokes, and over
    jumps: points that follow a pen lift. A first offset is a jump only if the first point is a dot.
    """

    names: ClassVar[tuple[str, ...]] = ("sse", "sse_strokes", "sse_jumps")
    sums: ClassVar[tuple[str, ...]] = ("_sums", "_counts")
    heads: ClassVar[tuple[str, ...]] = ("mixture", "regression")
    scale: Tensor | None = None
    """Factor on the distances along the axes, `(2,)`; None for 1."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything added so far."""
        self._sums = torch.zeros(2, dtype=torch.float64)
        self._counts = torch.zeros(2, dtype=torch.float64)

    @torch.no_grad()
    def update(self, output: Output, batch: Batch) -> None:
        """Add one batch.

        Args:
            output: its `prediction` has leading dimensions `(batch, time)`.
            batch: `inputs` and `targets` `(batch, time, 3 or 4)`, and the `mask` of real points.
        """
        difference = output.prediction.mean - batch.targets[..., :2]
        if self.scale is not None:
            difference *= self.scale.to(difference.device)
        squares = difference.double().square().sum(-1)  # (batch, time)
        is_jump = batch.inputs[..., 2] > 0.5
        # In the order of `names`; `compute` puts the sum over both kinds before them.
        for kind, mask in enumerate((~is_jump & batch.mask, is_jump & batch.mask)):
            self._sums[kind] += squares[mask].sum().cpu()
            self._counts[kind] += mask.sum().cpu()

    def compute(self) -> dict[str, float]:
        """Return the means by name; nan for a kind of point that does not occur."""
        sums = torch.cat((self._sums.sum()[None], self._sums))
        counts = torch.cat((self._counts.sum()[None], self._counts))
        return dict(zip(self.names, (sums / counts).tolist(), strict=True))
