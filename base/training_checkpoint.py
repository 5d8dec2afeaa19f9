"""Saves the state of a run in training, and restores it."""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from base import distributed
from base.batch_stream import BatchStream
from base.checkpoint import (
    BEST,
    Checkpoint,
    checkpoint_name,
    checkpoints,
    load_checkpoint,
    position,
    save_checkpoint,
)
from base.config.resumption import changes
from base.config.sources import DATASETS, LOADER
from base.optimizer_step import OptimizerStep
from base.random_state import random_state, set_random_state
from base.run_state import Progress, RunState
from base.training_parts import TrainingParts, TrainingSettings
from utils.checks import CheckpointError, first_line, shown
from utils.files import link_or_copy, set_aside

log = logging.getLogger(__name__)

MEASURE_KEYS = ("loss", "metrics", *DATASETS, f"{LOADER}.valid.")
"""Keys of a config; if the value of one changes, later epochs cannot be compared with earlier."""
MAX_LOSS_INCREASE = 10.0
"""Maximum increase of the loss per point since the first step; with a larger one a state is not
sound. Unit: the absolute loss per point of the first step, or 1 if that is less (assumed: a warm-up
or a new task increases the loss far less, a learning rate ten times too high far more)."""


class CheckpointWriter:
    """Writes the state of a run into its folder, and restores it.

    A checkpoint contains the `RunState`, the state of `OptimizerStep`, and a header. Only a sound
    state is saved (see `reason_not_to_save`): a diverging run keeps its last sound checkpoint. All
    processes call the methods together; the main process writes the file.

    Args:
        parts, settings, stream: those of the run.
        state, optimizer_step: the states to save and restore.
        last_loss: returns the loss per point of the present weights on the batches of the last
            step; None before any step.

    Attributes:
        stateful: further parts with a `state_dict`, such as the loss, by name.
        changes: for each key of the config that has changed since the resumed checkpoint, the
            former and the present value.
    """

    def __init__(
        self,
        parts: TrainingParts,
        settings: TrainingSettings,
        state: RunState,
        optimizer_step: OptimizerStep,
        stream: BatchStream,
        last_loss: Callable[[], float | None],
    ) -> None:
        self.run, self.header, self.settings = parts.run, parts.checkpoint_header, settings
        self.state, self.optimizer_step, self.stream = state, optimizer_step, stream
        self.last_loss = last_loss
        self.stateful: dict[str, Any] = {}
        self.changes: dict[str, list[Any]] = {}
        self._warned_of: set[str] = set()  # parts whose states differ between processes
        self._last_save = time.monotonic()
        self._saved: Progress | None = None  # the progress in the last checkpoint
        self._saved_best: Progress | None = None  # in the best, if written since this start

    # Resuming.

    def load(self, checkpoint: Checkpoint, source: Path) -> None:
        """Resume from a checkpoint.

        Changed settings apply from now on. A changed schedule continues as if the run had used it
        from the start.

        Args:
            checkpoint: what `load_checkpoint` returned.
            source: the file of the checkpoint.

        Raises:
            CheckpointError: if the training state does not fit.
        """
        fault = None
        try:
            self.restore(checkpoint, source)
        except CheckpointError as error:
            fault = error
        except Exception as error:  # a damaged state may raise anything
            cause = f"{type(error).__name__}: {first_line(error)}"
            fault = CheckpointError(f"{source}: its training state does not fit ({cause})")
        if any(distributed.all_reduce_max([fault is not None])):  # All processes refuse together.
            raise fault or CheckpointError(f"{source}: it does not fit in another process")
        for key, values in self.changes.items():
            former, new = map(shown, values)
            log.info("changed since %s: %s = %s, before %s", source, key, new, former)
        self._saved = progress = self.state.progress
        counts = progress.epoch, progress.step
        log.info("resumed from %s: %d epochs complete, %d steps", source, *counts)

    def restore(self, checkpoint: Checkpoint, source: Path) -> None:
        """Restore the state in a checkpoint, which may raise an exception of any kind."""
        self.changes = changes(checkpoint["config"], self.header["config"])
        saved = checkpoint["training"]
        self.state.load_state_dict(saved, checkpoint["metrics"], source, self.stream.layout)
        epochs, steps = self.state.progress.epoch, self._schedule_steps(saved)
        weights = checkpoint["state_dict"]
        self.optimizer_step.load_state_dict(saved["update"], weights, source, epochs, steps)
        for name, part in self.stateful.items():
            if state := saved.get("parts", {}).get(name):
                part.load_state_dict(state)
            elif part.state_dict():
                log.warning("%s has no state of the %s: it begins anew", source, name)
        set_random_state(saved["random_state"])  # last, as the parts above may have drawn numbers

    def _schedule_steps(self, saved: Mapping[str, Any]) -> int:
        """Return how many steps the run would have made by now with the present steps per epoch."""
        progress, layout = self.state.progress, self.stream.layout
        steps_per_epoch = self.settings.steps_per_epoch
        if layout["truncate"] is not None and steps_per_epoch is None:
            return progress.step  # The steps of an epoch are unknown.
        total = steps_per_epoch or math.ceil(layout["batches"] / layout["accumulate"])
        former_total = steps_per_epoch or math.ceil(saved["batches"] / saved["accumulate"])
        epoch_steps = round(progress.epoch_steps * total / former_total)
        return progress.epoch * total + min(epoch_steps, total)

    def discard_newer(self) -> None:
        """Set aside checkpoints that are newer than the resumed checkpoint."""
        source, progress, forgets_best = self.state.resumed_from, self.state.progress, False
        if distributed.is_main() and source is not None:
            resumed = position(source) or (progress.epoch, math.inf)
            for path in checkpoints(self.run.models):
                if position(path) > resumed:  # It is damaged, as it was not resumed.
                    log.warning("%s is not resumed; kept as %s", path, set_aside(path))
            changed_measures = [key for key in self.changes if key.startswith(MEASURE_KEYS)]
            if changed_measures and self.run.best.exists():
                former = set_aside(self.run.best, "former")
                log.info("best begins anew; the former best checkpoint is %s", former)
            # The best is also forgotten if its checkpoint is missing or has a different value.
            had_best = progress.best_epoch is not None
            forgets_best = changed_measures or (had_best and not self._find_best(source))
        if distributed.broadcast_object(lambda: forgets_best):
            self.state.forget_best()
        self._last_save = time.monotonic()

    def _find_best(self, source: Path) -> bool:
        """Find the best epoch's checkpoint in the folder of `source`, and make the checkpoint the
        best checkpoint of this run; return whether it was found."""
        progress, (_, monitored) = self.state.progress, self.settings.monitored
        for name in (BEST, checkpoint_name(progress.best_epoch)):
            with suppress(CheckpointError):
                checkpoint = load_checkpoint(source.with_name(name))
                value = checkpoint["metrics"].get(monitored)
                if (checkpoint["epoch"], value) == (progress.best_epoch, progress.best):
                    link_or_copy(source.with_name(name), self.run.best)
                    return True
        return False

    # Saving.

    @property
    def due(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return time.monotonic() - self._last_save >= 60 * self.settings.save_minutes

    def reason_not_to_save(self) -> str | None:
        """Return why the present state is not sound and must not be saved; None for a sound state.

        In a sound state, the weights are finite, and their loss on the batches (or chunks) of the
        last step has increased by at most `MAX_LOSS_INCREASE` since the first step.
        """
        progress, saved = self.state.progress, self._saved
        is_unchanged = saved and saved.step == progress.step and self.state.sums.steps == 0
        if is_unchanged and progress.skipped_in_row > saved.skipped_in_row:
            return "every step since the last checkpoint was skipped"
        if not self.optimizer_step.are_finite():
            return "weights are not finite"
        if (loss := self.last_loss()) is None:
            return None
        first_loss = progress.first_loss
        if loss <= first_loss + MAX_LOSS_INCREASE * max(1.0, abs(first_loss)):
            return None
        return f"the loss per point went from {first_loss:.3g} in the first step to {loss:.3g}"

    def save(self, reason: str | None, *, within_epoch: bool = False) -> None:
        """Write a checkpoint and remove old ones; if there is a `reason` not to, only log it."""
        progress = self.state.progress
        if reason is not None:
            log.warning("not saved: %s; %s", reason, self.last_sound())
            self._last_save = time.monotonic()
            return
        name = checkpoint_name(progress.epoch)
        if within_epoch:
            name = checkpoint_name(progress.epoch + 1, progress.step)
        path = self.run.models / name
        if progress != self._saved_best:
            self._write(path)
        elif distributed.is_main():  # The same state was just written as the best.
            link_or_copy(self.run.best, path)
        self.run.keep_last(self.settings.keep_last)
        self._saved, self._last_save = progress, time.monotonic()
        log.info("saved %s", path)

    def save_best(self) -> None:
        """Write the present state, which must be sound, as the best checkpoint."""
        self._write(self.run.best)
        self._saved_best = self.state.progress

    def last_sound(self) -> str:
        """Name the newest checkpoint; it is sound, as only sound states are saved."""
        newest = next(iter(checkpoints(self.run.models)), self.state.resumed_from)
        return f"the last sound checkpoint is {newest}" if newest else "no checkpoint was saved"

    def _warn_of_differences(self) -> None:
        """Warn once of each part whose state differs between the processes."""
        if distributed.world_size() == 1:
            return
        parts = self.optimizer_step.stateful | self.stateful
        digests = {name: _digest(part.state_dict()) for name, part in parts.items()}
        for others in distributed.all_gather_object(digests):
            for name in sorted(digests.keys() - self._warned_of):
                if others[name] != digests[name]:
                    self._warned_of.add(name)
                    log.warning(
                        "the state of the %s (%s) differs between the processes; a checkpoint has "
                        "that of the first alone, so that a resumed run is not the same: gather "
                        "what it is made of by distributed.gather_rows",
                        *(name, type(parts[name]).__name__),
                    )

    def content(self) -> Checkpoint:
        """Return what a checkpoint of the present state contains; all processes call it."""
        return {
            **self.header,
            "state_dict": self.optimizer_step.evaluated_model.state_dict(),
            "metrics": self.state.values,
            "epoch": self.state.progress.epoch,
            "step": self.state.progress.step,
            "training": {  # needed only to resume
                "update": self.optimizer_step.state_dict(),
                "random_state": random_state(),
                "parts": {name: part.state_dict() for name, part in self.stateful.items()},
                **self.state.state_dict(),
                **self.stream.layout,
            },
        }

    def _write(self, path: Path) -> None:
        self._warn_of_differences()
        content = self.content()
        if distributed.is_main():
            save_checkpoint(path, content)


def _digest(state: Any) -> str:
    """Return a digest of the tensors and plain values of a state."""
    digest = hashlib.sha256()
    for part in _as_bytes(state):
        digest.update(part)
    return digest.hexdigest()


def _as_bytes(value: Any) -> Iterator[bytes]:
    if isinstance(value, Tensor):
        yield value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, Mapping):
        for name, child in value.items():
            yield repr(name).encode()
            yield from _as_bytes(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _as_bytes(child)
    else:
        yield repr(value).encode()
