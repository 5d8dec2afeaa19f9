"""Writes the state of a run into files of its folder, and resumes a run from a file."""

import logging
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from base import distributed
from base.config import user_modules
from base.run.checkpoint import (
    BEST,
    TRAINING_FORMAT,
    Checkpoint,
    checkpoint_name,
    checkpoints,
    epoch_and_step,
    epochs_and_steps,
    load_checkpoint,
    save_checkpoint,
)
from base.run.digest import digest
from base.run.provenance import versions
from base.run.run_state import RunState
from base.run.training_parts import TrainingParts, TrainingSettings
from utils.checks import CheckpointError, TrainingFailed, first_line
from utils.files import link_or_copy, set_aside

log = logging.getLogger(__name__)


class RunCheckpoints:
    """Saves a run in checkpoints in its folder: as what, and which ones are removed; resumes a run
    from a checkpoint.

    A checkpoint holds what it takes to use the network, a record, and the state of the run. All
    processes call the methods together; the main process writes the file.

    Args:
        parts, settings: the parts and settings of the run.
        state: the state of the run.
    """

    def __init__(self, parts: TrainingParts, settings: TrainingSettings, state: RunState) -> None:
        self._parts = parts
        self.settings = settings
        self.run = parts.run
        self.state = state
        self._warned_of: set[str] = set()  # parts whose states differ between processes
        self._last_save = time.monotonic()  # no state of the run, but of this process's clock

    # Resuming.

    def load(self, checkpoint: Checkpoint, source: Path) -> None:
        """Resume from a checkpoint of this run, or of the run that this one branches from.

        Args:
            checkpoint: the result of `load_checkpoint`.
            source: the file of the checkpoint.

        Raises:
            CheckpointError: if the training state does not fit.
        """
        fault = None
        try:
            self.state.load_state_dict(checkpoint["training"]["run"], source)
        except CheckpointError as error:
            fault = error
        except Exception as error:  # a damaged state may raise anything
            cause = f"{type(error).__name__}: {first_line(error)}"
            fault = CheckpointError(f"{source}: its training state does not fit ({cause})")
        if any(distributed.all_reduce_max([fault is not None])):  # All processes refuse together.
            raise fault or CheckpointError(f"{source}: it does not fit in another process")
        progress = self.state.progress
        counts = progress.epoch, progress.step
        log.info("resumed from %s: %d epochs complete, %d steps", source, *counts)

    def restore_exactly(self, checkpoint: Checkpoint, source: Path) -> list[str]:
        """Restore the state in a checkpoint, which may raise an exception of any kind; return the
        values, as PART.NAME, that are then others, as a user's part restores them."""
        run = checkpoint["training"]["run"]
        saved = _digests(run["parts"])
        self.state.load_state_dict(run, source)
        present = _digests(self.state.part_states())
        return [name for name in saved if saved[name] != present.get(name)]

    def begin(self) -> None:
        """Set aside checkpoints that are newer than the resumed checkpoint, and find the best; save
        a run that is resumed in a new folder, from which it can then be resumed."""
        source = self.state.resumed_from
        progress = self.state.progress
        lost_best = False
        if distributed.is_main() and source is not None:
            resumed = epoch_and_step(source) or (progress.epoch, math.inf)
            for path, epoch_step in epochs_and_steps(self.run.models).items():
                if epoch_step > resumed:  # It is damaged, as it was not resumed.
                    log.warning("%s is not resumed; renamed to %s", path, set_aside(path))
            epoch = progress.best_epoch
            lost_best = epoch is not None and not self._find_best(source, epoch)
        if distributed.broadcast_object(lambda: lost_best):
            self.state.forget_best()
        self._last_save = time.monotonic()
        if source is not None and not self.run.contains(source):
            self.save(self.state.fault())

    def _find_best(self, source: Path, epoch: int) -> bool:
        """Find the checkpoint of the best `epoch` in the folder of `source`, and make it the best
        checkpoint of this run; return whether it was found."""
        best = self.state.progress.best
        _, monitored = self.settings.monitored
        for name in (BEST, checkpoint_name(epoch)):
            with suppress(CheckpointError):
                checkpoint = load_checkpoint(source.with_name(name))
                value = checkpoint["metrics"].get(monitored)
                if (checkpoint["epoch"], value) == (epoch, best):
                    link_or_copy(source.with_name(name), self.run.best)
                    return True
        return False

    # Saving.

    def is_due(self) -> bool:
        """Return whether it is time to save the run within an epoch, by the clock of the main
        process."""
        seconds = time.monotonic() - self._last_save
        return distributed.broadcast_object(lambda: seconds >= 60 * self.settings.save_minutes)

    def after_epoch(self, fault: str | None, *, is_over: bool, stops: bool) -> None:
        """Save the run after an epoch, if the period, a stop or the run's end asks for it.

        Args:
            fault: as of `save`.
            is_over: whether the run is complete.
            stops: whether the run stops here, and may go on later.

        Raises:
            TrainingFailed: if the run is complete, and its state is not sound.
        """
        progress = self.state.progress
        is_best = progress.best_epoch == progress.epoch
        # The best is saved first: a run that is killed between both files repeats this epoch.
        if is_best:
            self._write(self.run.best)
        if is_over and fault is not None:
            raise self.failure(f"the run ends after epoch {progress.epoch}, but {fault}")
        if is_over or stops or progress.epoch % self.settings.save_period == 0:
            self.save(fault, is_best=is_best)

    def at_end(self) -> None:
        """Remove all checkpoints of a complete run but the newest and the best, if any are to be
        removed."""
        self._keep(1)

    def save(self, fault: str | None, *, is_best: bool = False) -> None:
        """Write a checkpoint and remove old ones; a state with a fault is only logged.

        Args:
            fault: why the state is not sound; None if it is sound.
            is_best: whether the best checkpoint has just got the same state.
        """
        progress = self.state.progress
        if fault is not None:
            log.warning("not saved: %s; %s", fault, self._last_sound())
            self._last_save = time.monotonic()
            return
        name = checkpoint_name(progress.epoch)
        if progress.epoch_steps > 0 or progress.epoch == 0:  # within an epoch
            name = checkpoint_name(progress.epoch + 1, progress.step)
        path = self.run.models / name
        if not is_best:
            self._write(path)
        elif distributed.is_main():
            link_or_copy(self.run.best, path)
        self._keep(self.settings.keep_last)
        self.state.note_saved()
        self._last_save = time.monotonic()
        log.info("saved %s", path)

    def _keep(self, count: int | None) -> None:
        """Remove all but the best and the newest `count` checkpoints, if any are to be removed."""
        if self.settings.keep_last is not None and distributed.is_main():
            for path in checkpoints(self.run.models)[count:]:
                path.unlink(missing_ok=True)

    def failure(self, cause: str) -> TrainingFailed:
        """Return the error with which a diverged run ends."""
        advice = "A smaller learning rate, clip_norm, or float32 may help"
        return TrainingFailed(f"{cause}; {self._last_sound()}. {advice}")

    def _last_sound(self) -> str:
        """Name the newest checkpoint; it is sound, as only sound states are saved."""
        newest = next(iter(checkpoints(self.run.models)), self.state.resumed_from)
        return f"the last sound checkpoint is {newest}" if newest else "no checkpoint was saved"

    def _warn_of_differences(self) -> None:
        """Warn once of each part whose state differs between the processes."""
        if distributed.world_size() == 1:
            return
        parts = self.state.parts
        digests = {name: digest(part.state_dict()) for name, part in parts.items()}
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

    # What a checkpoint holds.

    def content(self) -> Checkpoint:
        """Return the contents of a checkpoint of the present state; all processes call this.

        Raises:
            CheckpointError: see `RunState.state_dict`.
        """
        facts, record, state = self._parts.facts, self._parts.record, self.state
        model = self._parts.model
        content: Checkpoint = {
            "config": record.given_config,
            "state_dict": state.evaluated_model.state_dict(),
            "normalisation": facts.normalisation.to_dict(),
            "alphabet": facts.alphabet.characters if model.needs_text else None,
            "dataset": facts.loaded.record,
            "versions": versions(self._parts.device),
            "modules": user_modules.digests(),
            "metrics": state.values,
            "epoch": state.progress.epoch,
            "step": state.progress.step,
            "training": {
                "format": TRAINING_FORMAT,
                "run": state.state_dict(),
                "resolved_config": record.resolved_config,
            },
            "licence": record.licence,
        }
        if model.extras:
            content["extras"] = {name: [*shape] for name, shape in model.extras.items()}
        return content

    def _write(self, path: Path) -> None:
        self._warn_of_differences()
        self.state.check_groups()
        content = self.content()
        if distributed.is_main():
            save_checkpoint(path, content)


def _digests(states: Mapping[str, Any]) -> dict[str, bytes]:
    """Return a digest of each value in the states of some parts, by PART.NAME."""
    return {
        f"{part}.{name}": digest(value)
        for part, state in states.items()
        for name, value in (state.items() if isinstance(state, dict) else [("", state)])
    }
