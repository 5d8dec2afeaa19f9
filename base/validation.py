"""Runs a network on batches without training it: the validation split, the last step again."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from base import distributed
from base.base_data_loader import BaseDataLoader, Batch
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric, merged
from base.batch_stream import loaded
from base.random_state import random_state_kept
from base.stop_request import StopRequest
from base.training_state import Sums, ratio
from utils.checks import ConfigFault, NotFinite

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class StepOutput:
    """The result of one call of the network on a batch, or on a chunk of its steps.

    Attributes:
        output: of the network.
        batch: the rows and steps that `output` belongs to.
        sequences: their number; a row cut into chunks counts by its share.
        state: carried to the next chunk, for the rows that have one; None after the last.
        rows: rows of the whole batch that `state` belongs to, `(rows,)` int64, ascending.
    """

    output: Any
    batch: Batch
    sequences: float
    state: dict[str, Tensor] | None
    rows: Tensor | None = None


def losses_of(loss: BaseLoss, result: StepOutput) -> Tensor:
    """Return the loss of each sequence, `(batch,)`; raise a ConfigFault for a mean or the like."""
    losses, expected = loss(result.output, result.batch), (len(result.batch),)
    if (shape := tuple(losses.shape)) != expected:
        values = f"one that returns a value for each sequence, of shape {expected}, not {shape}"
        raise ConfigFault("loss", type(loss).__name__, values)
    return losses


def autocast(device: torch.device, precision: str) -> torch.autocast | nullcontext:
    """Return a context in which a network's matrix products have that precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, DTYPES[precision])


class Validation:
    """Computes losses and metrics of batches; leaves the random generators as they were.

    Attributes:
        last_batches: the batches, or chunks, of the last step that was made; None before any.

    Args:
        forward_batch: runs a network on a batch, see `BaseTrainer.forward_batch`.
        loss: summed over each sequence.
        metrics: of the validation split.
        loader: of the validation split, or None.
        device: to compute on.
        precision: as of `BaseTrainer`.
        stop: the request to stop; receives a failure of the loader.
    """

    def __init__(
        self,
        forward_batch: Callable[[nn.Module, Batch], StepOutput],
        loss: BaseLoss,
        metrics: Sequence[BaseMetric],
        loader: BaseDataLoader | None,
        device: torch.device,
        precision: str,
        stop: StopRequest,
    ) -> None:
        self.forward_batch, self.loss, self.metrics = forward_batch, loss, list(metrics)
        self.loader, self.device, self.precision = loader, device, precision
        self.last_batches: list[Batch] | None = None
        self._stop = stop

    @torch.no_grad()
    def split(self, model: nn.Module) -> tuple[dict[str, float], Sums] | None:
        """Return the values of the validation split by name, and its sums; None if interrupted."""
        sums = Sums()
        model.eval()
        for metric in self.metrics:
            metric.reset()
        with random_state_kept():
            batches = distributed.bar(self.loader, "validating", unit="batch", leave=False)
            for batch in loaded(batches, self._stop):
                self._stop.poll()
                if self._stop.immediate:
                    return None
                if batch is None:
                    continue
                batch = batch.to(self.device, non_blocking=True)
                result, loss = self.output_and_loss(model, batch)
                sums.add(loss, len(batch), batch.points)
                if result is None:
                    sums.skipped += 1
                    continue
                for metric in self.metrics:
                    metric.update(result.output, result.batch)
        sums.loss, sums.sequences, sums.points, sums.skipped = distributed.all_reduce_sum(
            [sums.loss, sums.sequences, sums.points, sums.skipped]
        )
        values = sums.losses(self.loss.name)
        for metric in merged(self.metrics):
            values |= metric.compute()
        return values, sums

    @torch.no_grad()
    def last_loss(self, model: nn.Module) -> float | None:
        """Return the loss per point of `model` on the batches of the last step; None before any."""
        if self.last_batches is None:
            return None
        loss, points = 0.0, 0
        model.eval()
        with random_state_kept():
            for batch in self.last_batches:
                loss += self.output_and_loss(model, batch)[1]
                points += batch.points
        return ratio(*distributed.all_reduce_sum([loss, points]))

    def output_and_loss(self, model: nn.Module, batch: Batch) -> tuple[StepOutput | None, float]:
        """Return the result of a whole batch, and the sum of its losses; None and NaN if that is
        not finite."""
        try:
            with autocast(self.device, self.precision):
                result = self.forward_batch(model, batch)
        except NotFinite:
            return None, math.nan
        return result, losses_of(self.loss, result).cpu().double().sum().item()
