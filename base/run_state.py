"""All that changes in a run, beside the weights and the optimiser's state."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from base import distributed
from base.base_metric import BaseMetric, gathered, merged
from base.checkpoint import filled

log = logging.getLogger(__name__)

Carried = dict[str, Tensor]
"""A network's state after a chunk of some sequences, `(rows, ...)` each."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Optimiser steps made."""
    epoch_steps: int = 0
    """Optimiser steps of the current epoch."""
    epoch_pass: int = 0
    """The pass over the data in which the current epoch began."""
    skipped_in_row: int = 0
    """Steps skipped in a row up to now, because they were not finite."""
    first_loss: float | None = None
    """Loss per point of the first step that was made."""

    data_pass: int = 0
    """The pass over the data of the next step's batches, counted from 0."""
    batch: int = 0
    """The place of the first of these batches in the pass, counted from 0."""
    chunk: int = 0
    """The chunk of these batches' time steps, counted from 0."""

    best: float | None = None
    """The best value of the monitored metric so far."""
    best_epoch: int | None = None
    """The epoch of that value."""
    not_improved: int = 0
    """Epochs since the best epoch."""


@dataclass
class Sums:
    """Numerators and denominators of a step, an epoch or a validation, divided once at its end.

    The sums of an epoch are over all processes, and the same in each.
    """

    loss: float = 0.0
    sequences: float = 0.0
    points: int = 0
    gradient_norm: float = 0.0
    steps: int = 0
    skipped: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0
    """Learning rate of the last step."""

    def add(self, loss: float, sequences: float, points: int, skipped: bool = False) -> None:
        """Add the summed loss of so many sequences and points, perhaps of a skipped step."""
        self.skipped += skipped
        self.loss += loss
        self.sequences += sequences
        self.points += points

    def all_reduced(self) -> "Sums":
        """Return loss, sequences, points and number of the skipped, summed over all processes."""
        totals = [self.loss, self.sequences, self.points, self.skipped]
        *totals, skipped = distributed.all_reduce_sum(totals)
        return Sums(*totals, skipped=skipped)

    @property
    def loss_per_point(self) -> float:
        """The loss per point; NaN without points."""
        return ratio(self.loss, self.points)

    def losses(self, name: str) -> dict[str, float]:
        """Return the loss per sequence and per point, under `name` and `name`_per_point."""
        per_sequence = ratio(self.loss, self.sequences)
        return {name: per_sequence, f"{name}_per_point": self.loss_per_point}

    def rates(self) -> dict[str, float]:
        """Return rates that describe the training, by name."""
        return {
            "learning_rate": self.learning_rate,
            "gradient_norm": ratio(self.gradient_norm, self.steps),
            "points_per_second": ratio(self.points, self.seconds),
        }


class RunState:
    """Progress, sums and carried states of a run.

    Its methods alone change it.

    Args:
        metrics: of training, whose sums are saved as well.

    Attributes:
        progress: how far the run has come.
        carried: for each batch of the step the initial state of its chunk, None at the start.
        sums: of the current epoch.
        values: by name, of the last complete epoch.
        source: the checkpoint that the run was resumed from, if any.
    """

    def __init__(self, metrics: Sequence[BaseMetric] = ()) -> None:
        self.metrics, self.sums, self.values = metrics, Sums(), {}
        self.progress, self.carried = Progress(), list[Carried | None]()
        self.source: Path | None = None

    # Changes by a step.

    def restart_batches(self, count: int) -> None:
        """Begin with the first chunk of each of `count` batches."""
        if self.progress.chunk:
            log.warning("the data have changed since %s: restarting a batch", self.source)
        self.progress, self.carried = replace(self.progress, chunk=0), [None] * count

    def carry(self, number: int, state: Carried | None) -> None:
        """Set the initial state of the next chunk of a batch of the step."""
        self.carried[number] = state

    def advance(self, chunks: int, batches: int, batches_per_pass: int) -> None:
        """Move on to the next chunk; after all chunks of a step's batches to the next batches."""
        now = self.progress
        if now.chunk + 1 < chunks:
            self.progress = replace(now, chunk=now.chunk + 1)
        elif now.batch + batches < batches_per_pass:
            self.progress = replace(now, batch=now.batch + batches, chunk=0)
        else:
            self.progress = replace(now, data_pass=now.data_pass + 1, batch=0, chunk=0)

    def count(self, step: Sums, norm: float, rate: float, seconds: float) -> None:
        """Count a step by its sums, the norm of its gradient, its learning rate and its duration.

        A step with a norm that is not finite was skipped; its sums count all the same.
        """
        progress, first, sums = self.progress, self.progress.first_loss, self.sums
        skipped = not math.isfinite(norm)
        sums.add(step.loss, step.sequences, step.points, skipped)
        sums.seconds += seconds
        if skipped:
            self.progress = replace(progress, skipped_in_row=progress.skipped_in_row + 1)
            return
        sums.steps += 1
        sums.gradient_norm += norm
        sums.learning_rate = rate
        self.progress = replace(
            progress,
            step=progress.step + 1,
            epoch_steps=progress.epoch_steps + 1,
            skipped_in_row=0,
            first_loss=step.loss_per_point if first is None else first,
        )

    def forget_skipped(self) -> None:
        """Let a run that resumes from here skip as many steps in a row as a new run."""
        self.progress = replace(self.progress, skipped_in_row=0)

    # Changes by an epoch.

    def end_epoch(self, values: Mapping[str, float], judged: Progress) -> Sums:
        """Complete an epoch with its values and judged progress; return its sums."""
        sums, self.sums, self.values = self.sums, Sums(), dict(values)
        epoch, data_pass = judged.epoch + 1, judged.data_pass
        self.progress = replace(judged, epoch=epoch, epoch_steps=0, epoch_pass=data_pass)
        for metric in self.metrics:
            metric.reset()
        return sums

    def forget_best(self) -> None:
        """Let the next epoch be the best."""
        self.progress = replace(self.progress, best=None, best_epoch=None, not_improved=0)

    # Saving and resuming.

    def state_dict(self) -> dict[str, Any]:
        """Return everything as tensors and plain values; all processes call this together."""
        return {
            "progress": asdict(self.progress),
            "sums": asdict(self.sums),
            "states": [state and moved(state, "cpu") for state in self.carried],
            "metrics": [metric.state_dict() for metric in merged(self.metrics)],
            "shares": gathered(self.metrics) if distributed.world_size() > 1 else [],
        }

    def load_state_dict(
        self,
        saved: Mapping[str, Any],
        values: Mapping[str, float],
        source: Path,
        layout: Mapping[str, int | None],
    ) -> None:
        """Resume from a saved state; an exception of any kind says what does not fit.

        If a pass now has another number of batches, it resumes at the same fraction of the pass.

        Args:
            saved: what `state_dict` returned, and the `BatchStream.layout` of the former run.
            values: of the last complete epoch.
            source: the file.
            layout: the present `BatchStream.layout`.
        """
        before, now = saved["batches"], layout["batches"]
        if before != now:
            log.warning("a pass over the data has %d batches instead of %d", now, before)
        same_layout = all(saved[name] == value for name, value in layout.items())
        progress = filled(Progress, saved["progress"])
        self.progress = replace(
            progress,
            epoch_pass=min(progress.epoch_pass, progress.data_pass),
            batch=min(progress.batch * now // before, now - 1),
            chunk=progress.chunk if same_layout else 0,
        )
        self.sums, self.values, self.source = filled(Sums, saved["sums"]), dict(values), source
        self._load_metrics(saved)
        self.carried = list(saved["states"])

    def _load_metrics(self, saved: Mapping[str, Any]) -> None:
        """Restore the metrics of the current epoch: each process goes on with its sums.

        If the number of processes has changed, the main process gets the sums over all.
        """
        sums = saved["metrics"] if distributed.is_main() else []
        if len(saved.get("shares", [])) == distributed.world_size():
            sums = saved["shares"][distributed.rank()]
        for metric, state in zip(self.metrics, [*sums, *[{} for _ in self.metrics]], strict=False):
            if state.keys() >= {*metric.sums}:
                metric.load_state_dict(state)
            elif self.progress.epoch_steps:
                name, epoch = type(metric).__name__, self.progress.epoch + 1
                log.warning("%s of epoch %d is of what follows alone", name, epoch)


def moved(state: Carried, device: torch.device | str) -> Carried:
    """Return a state on a device."""
    return {name: value.to(device) for name, value in state.items()}


def ratio(numerator: float, denominator: float) -> float:
    """Return a ratio, NaN for a denominator of 0."""
    return numerator / denominator if denominator else math.nan
