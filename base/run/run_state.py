"""Holds the progress and the sums of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from base import distributed
from base.base_metric import BaseMetric, all_reduced, gathered
from base.run.checkpoint import filled


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Optimiser steps made in the whole run."""
    epoch_steps: int = 0
    """Optimiser steps of the current epoch."""
    epoch_pass: int = 0
    """The pass over the data in which the current epoch began."""
    skipped_in_row: int = 0
    """How many steps in a row, up to the last step, were skipped as not finite."""
    first_loss: float | None = None
    """Loss per point of the run's first step that was not skipped; None before this step."""

    best: float | None = None
    """The best value of the monitored metric so far."""
    best_epoch: int | None = None
    """The epoch with the best value."""
    not_improved: int = 0
    """Epochs since the best epoch."""


@dataclass
class Sums:
    """Numerators and denominators of the values of a step, an epoch or a validation.

    The sums of an epoch are over all processes, and are the same in every process.
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
        """Add some sequences: their summed loss, their number, and the number of their points."""
        self.skipped += skipped
        self.loss += loss
        self.sequences += sequences
        self.points += points

    def all_reduced(self) -> "Sums":
        """Return sums of loss, sequences, points and skipped over all processes; the rest is 0."""
        loss, sequences, points, skipped = distributed.all_reduce_sum(
            [self.loss, self.sequences, self.points, self.skipped]
        )
        return Sums(loss, sequences, int(points), skipped=int(skipped))

    @property
    def loss_per_point(self) -> float:
        """The loss per point; NaN without points."""
        return ratio(self.loss, self.points)

    def losses(self, name: str) -> dict[str, float]:
        """Return the loss per sequence as `name`, and the loss per point as `name`_per_point."""
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
    """Progress and sums of a run; only methods of this class change these.

    Args:
        metrics: the metrics of training, whose sums are part of the state.

    Attributes:
        progress: how far the run has come.
        sums: the sums of the current epoch.
        values: the values of the last complete epoch, by name.
        resumed_from: the checkpoint from which the run was resumed; None for a new run.
    """

    def __init__(self, metrics: Sequence[BaseMetric] = ()) -> None:
        self.metrics, self.sums, self.progress = metrics, Sums(), Progress()
        self.values: dict[str, float] = {}
        self.resumed_from: Path | None = None

    # Changes by a step.

    def count(self, step: Sums, norm: float, rate: float, seconds: float) -> None:
        """Count a step: its sums, the norm of its gradient, its learning rate and its duration.

        A step whose norm is not finite counts as skipped; its sums are added too.
        """
        progress, first_loss, sums = self.progress, self.progress.first_loss, self.sums
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
            first_loss=step.loss_per_point if first_loss is None else first_loss,
        )

    def forget_skipped(self) -> None:
        """Count skipped steps from 0 again: a resumed run may skip as many as a new run."""
        self.progress = replace(self.progress, skipped_in_row=0)

    # Changes by an epoch.

    def end_epoch(self, values: Mapping[str, float], progress: Progress, data_pass: int) -> Sums:
        """Complete an epoch; return its sums.

        Args:
            values: the values of the epoch, by name.
            progress: the progress from `TrainingSettings.judge`.
            data_pass: the pass over the data in which the next epoch begins.
        """
        sums, self.sums, self.values = self.sums, Sums(), dict(values)
        epoch = progress.epoch + 1
        self.progress = replace(progress, epoch=epoch, epoch_steps=0, epoch_pass=data_pass)
        for metric in self.metrics:
            metric.reset()
        return sums

    def forget_best(self) -> None:
        """Let the next epoch be the best."""
        self.progress = replace(self.progress, best=None, best_epoch=None, not_improved=0)

    # Saving and resuming.

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors and plain values; all processes call this together."""
        return {
            "progress": asdict(self.progress),
            "sums": asdict(self.sums),
            "metric_sums": [metric.state_dict() for metric in all_reduced(self.metrics)],
            "metric_sums_of_ranks": gathered(self.metrics) if distributed.world_size() > 1 else [],
        }

    def load_state_dict(
        self, saved: Mapping[str, Any], values: Mapping[str, float], source: Path
    ) -> None:
        """Resume from a saved state; raise an exception of any kind if the state does not fit.

        Args:
            saved: the result of `state_dict`.
            values: the values of the last complete epoch, by name.
            source: the file of the checkpoint.
        """
        self.progress, self.resumed_from = filled(Progress, saved["progress"]), source
        self.sums, self.values = filled(Sums, saved["sums"]), dict(values)
        self._load_metrics(saved)

    def _load_metrics(self, saved: Mapping[str, Any]) -> None:
        """Restore the metrics of the current epoch: each process gets its own sums.

        If the number of processes has changed, the main process gets the sums over all processes.
        """
        states = saved["metric_sums"] if distributed.is_main() else []
        if len(of_ranks := saved["metric_sums_of_ranks"]) == distributed.world_size():
            states = of_ranks[distributed.rank()]
        if states:
            for metric, state in zip(self.metrics, states, strict=True):
                metric.load_state_dict(state)


def ratio(numerator: float, denominator: float) -> float:
    """Return a ratio, NaN for a denominator of 0."""
    return numerator / denominator if denominator else math.nan
