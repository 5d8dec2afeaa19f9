"""Saving a run while it trains, and resuming it."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from base import distributed
from base.base_metric import BaseMetric, gathered, merged
from base.batch_stream import BatchStream
from base.checkpoint import (
    BEST,
    Checkpoint,
    check_like,
    checkpoint_name,
    checkpoints,
    filled,
    load_checkpoint,
    position,
    save_checkpoint,
)
from base.monitor import Best, Monitor
from base.optimizer_step import OptimizerStep
from base.random_state import random_state, set_random_state
from base.run_folder import RunFolder
from base.training_state import Progress, Sums, TrainingState
from utils.checks import CheckpointError, first_line
from utils.files import link_or_copy, set_aside

log = logging.getLogger(__name__)

EXPLODED = 10.0
"""How far the loss per point of a sound state may exceed that of the first step, in units of the
latter's absolute value, or of 1 if that is larger (assumed: far more than a warm-up or a new task
costs, and far less than a rate ten times too high leads to)."""


Saved: TypeAlias = dict[str, Any]
"""What a part of a training state is saved as."""


@dataclass(eq=False)
class TrainingCheckpoint:
    """Writes all that a run depends on into its folder, and restores it.

    The `state_dict` of a checkpoint is what to evaluate with: the average of the weights if there
    is one, the means of noisy weights. Only a sound state is saved (see `reason_not_to_save`): a
    diverging run keeps what it had. All processes call these together; the main one writes.

    Attributes:
        run: the folder.
        header: further contents of checkpoints: config, alphabet and so on.
        state: of the run, filled by `load`.
        optimizer_step, stream, monitor, metrics: whose states are saved as well.
        last_loss: returns the loss per point of the present weights on the data of the last step;
            None before any.
        save_minutes: after which a checkpoint is due.
        keep_last: checkpoints that are kept; None for all.
        source: the file that the run was resumed from, if any.
        inside: whether `source` is in `run`; known after `begin`.
    """

    run: RunFolder
    header: Checkpoint
    state: TrainingState
    optimizer_step: OptimizerStep
    stream: BatchStream
    monitor: Monitor
    metrics: Sequence[BaseMetric]
    last_loss: Callable[[], float | None]
    save_minutes: float
    keep_last: int | None
    source: Path | None = field(default=None, init=False)
    inside: bool = field(default=False, init=False)
    _last_save: float = field(default_factory=time.monotonic, init=False)
    _saved: Saved | None = field(default=None, init=False)
    """The progress in the last checkpoint."""
    _saved_best: Saved | None = field(default=None, init=False)
    """The progress in the best one written here."""

    # Resuming.

    def load(
        self, checkpoint: Checkpoint, source: Path, steps_per_epoch: int | None = None
    ) -> None:
        """Resume from a checkpoint.

        Settings that differ from those of the run so far apply from here on; a changed schedule
        continues as if it had been used from the start.

        Args:
            checkpoint: as `load_checkpoint` returned it.
            source: its file.
            steps_per_epoch: as of `BaseTrainer`.

        Raises:
            CheckpointError: if its training state does not fit.
        """
        fault = None
        try:
            self._load(checkpoint, source, steps_per_epoch)
        except CheckpointError as error:
            fault = error
        except Exception as error:  # a damaged state may raise anything
            cause = f"{type(error).__name__}: {first_line(error)}"
            fault = CheckpointError(f"{source}: its training state does not fit ({cause})")
        if any(distributed.all_reduce_max([fault is not None])):  # What one refuses, all do.
            raise fault or CheckpointError(f"{source}: it does not fit in another process")
        self.source, self._saved = source, self.progress()
        done = self.state.progress
        log.info("resumed from %s: %d epochs complete, %d steps", source, done.epoch, done.step)

    def _load(self, checkpoint: Checkpoint, source: Path, steps_per_epoch: int | None) -> None:
        training, key = checkpoint["training"], f"{source}: training"
        example = self._training()
        for name in ("cuda", "mps"):  # of which there may be others
            example["random_state"].pop(name, None)
        checked = ("progress", "sums", "random_state", "batches", "accumulate")
        check_like(training, {name: example[name] for name in checked}, key)
        initial = self.optimizer_step.model.initial_state(1)
        for state in training["states"]:
            if state is not None:
                # Without memory: a file can claim more rows than it stores.
                count = max(map(len, state.values()), default=0)
                several = {name: one.expand(count, *one.shape[1:]) for name, one in initial.items()}
                check_like(state, several, f"{key}.states")
        saved = training["progress"]
        progress = self.state.progress = filled(Progress, saved)
        progress.epoch_pass = min(progress.epoch_pass, saved["data_pass"])
        self.state.sums = filled(Sums, training["sums"])
        self.state.values = dict(checkpoint["metrics"])
        done = (progress.epoch, self._schedule_steps(training, steps_per_epoch))
        weights = checkpoint["state_dict"]
        self.optimizer_step.load_state_dict(training["update"], weights, source, *done)
        # Each process goes on with its own sums; of another number one has those over all.
        sums = training["metrics"] if distributed.is_main() else []
        if len(training.get("shares", [])) == distributed.world_size():
            sums = training["shares"][distributed.rank()]
        for metric, state in zip(self.metrics, [*sums, *[{} for _ in self.metrics]], strict=False):
            if state.keys() >= {*metric.sums}:
                metric.load_state_dict(state)
            elif progress.epoch_steps:
                name, epoch = type(metric).__name__, progress.epoch + 1
                log.warning("%s of epoch %d is of what follows alone", name, epoch)
        self.monitor.record = filled(Best, saved)
        self.stream.load_state_dict(training, saved, source)
        set_random_state(training["random_state"])

    def _schedule_steps(self, training: Saved, steps_per_epoch: int | None) -> int:
        """Return the steps that would have led here if all had been of the present size.

        A schedule counts these: its length is in them.
        """
        progress, stream = self.state.progress, self.stream
        if stream.truncate is not None and steps_per_epoch is None:
            return progress.step  # How many an epoch has is not known.
        now = steps_per_epoch or math.ceil(len(stream.loader) / stream.accumulate)
        before = steps_per_epoch or math.ceil(training["batches"] / training["accumulate"])
        return progress.epoch * now + min(round(progress.epoch_steps * now / before), now)

    def begin(self) -> None:
        """Set aside what did not lead to `source`."""
        source = self.source
        self.inside = source is not None and source.parent.resolve() == self.run.models.resolve()
        if distributed.is_main() and source is not None:
            here = position(source) or (self.state.progress.epoch, math.inf)
            for path in checkpoints(self.run.models):
                if position(path) > here:  # It is damaged.
                    log.warning("%s is not resumed; kept as %s", path, set_aside(path))
            if self.monitor.record.best_epoch is not None:
                self._find_best(source)
        self.monitor.record = distributed.broadcast_object(lambda: self.monitor.record)
        self._last_save = time.monotonic()

    def _find_best(self, source: Path) -> None:
        """Make the best checkpoint that of the best epoch that led to `source`.

        A new run takes it along. If there is none, as when another value is monitored now, the
        next epoch is the best.
        """
        record = self.monitor.record
        for name in (BEST, checkpoint_name(record.best_epoch)):
            with suppress(CheckpointError):
                found = load_checkpoint(source.with_name(name))
                value = found["metrics"].get(self.monitor.name)
                if (found["epoch"], value) == (record.best_epoch, record.best):
                    link_or_copy(source.with_name(name), self.run.best)
                    return
        self.monitor.record = Best()

    # Saving.

    @property
    def due(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return time.monotonic() - self._last_save >= 60 * self.save_minutes

    def reason_not_to_save(self) -> str | None:
        """Return why the present state is not sound and must not be saved; None if it is.

        A state is sound if its weights are finite and the loss of the last step's batches (or
        chunks) under them is finite and has not exploded.
        """
        progress, saved = self.state.progress, self._saved
        made_none = saved and saved["step"] == progress.step and self.state.sums.steps == 0
        if made_none and progress.skipped_in_row > saved["skipped_in_row"]:
            return "every step since the last checkpoint was skipped"
        if not self.optimizer_step.are_finite():
            return "weights are not finite"
        if (loss := self.last_loss()) is None:
            return None
        first = progress.first_loss
        if loss <= first + EXPLODED * max(1.0, abs(first)):
            return None
        return f"the loss per point went from {first:.3g} in the first step to {loss:.3g}"

    def save(self, reason: str | None, *, within_epoch: bool = False) -> None:
        """Write a checkpoint, unless there is a `reason` not to; then remove the oldest ones."""
        progress, saved = self.state.progress, self.progress()
        if reason is not None:
            log.warning("not saved: %s; %s", reason, self.last_sound())
            self._last_save = time.monotonic()
            return
        name = checkpoint_name(progress.epoch)
        if within_epoch:
            name = checkpoint_name(progress.epoch + 1, progress.step)
        path = self.run.models / name
        if saved != self._saved_best:
            self._write(path)
        elif distributed.is_main():
            link_or_copy(self.run.best, path)
        if distributed.is_main() and self.keep_last is not None:
            self.run.keep_last(self.keep_last)
        self._saved, self._last_save = saved, time.monotonic()
        log.info("saved %s", path)

    def save_best(self) -> None:
        """Write the present state, which must be sound, as the best."""
        self._write(self.run.best)
        self._saved_best = self.progress()

    def finish(self) -> None:
        """Keep only the newest checkpoint and the best of a finished run."""
        if distributed.is_main() and self.keep_last is not None:
            self.run.keep_last(1)

    def last_sound(self) -> str:
        """Describe the newest checkpoint; all of them are sound."""
        newest = next(iter(checkpoints(self.run.models)), self.source)
        return f"the last sound checkpoint is {newest}" if newest else "no checkpoint was saved"

    def progress(self) -> Saved:
        """Return the progress of the run as it is saved."""
        parts = (self.state.progress, self.stream.position, self.monitor.record)
        return {name: value for part in parts for name, value in asdict(part).items()}

    def _training(self) -> Saved:
        """Return what only a resumed run needs."""
        return {
            "update": self.optimizer_step.state_dict(),
            "random_state": random_state(),
            "progress": self.progress(),
            **self.stream.state_dict(),
            "sums": asdict(self.state.sums),
            "metrics": [metric.state_dict() for metric in merged(self.metrics)],
            "shares": gathered(self.metrics) if distributed.world_size() > 1 else [],
        }

    def _write(self, path: Path) -> None:
        content = {
            **self.header,
            "state_dict": self.optimizer_step.evaluated_model.state_dict(),
            "metrics": self.state.values,
            "epoch": self.state.progress.epoch,
            "step": self.state.progress.step,
            "training": self._training(),
        }
        if distributed.is_main():
            save_checkpoint(path, content)
