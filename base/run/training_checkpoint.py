"""Saves the state of a run in training, and restores it."""

import logging
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from base import distributed
from base.config import user_modules
from base.data.batch_stream import BatchStream
from base.run.checkpoint import (
    BEST,
    Checkpoint,
    checkpoint_name,
    checkpoints,
    load_checkpoint,
    load_state,
    position,
    positions,
    save_checkpoint,
    state_of,
)
from base.run.checkpoint_archive import make_whole
from base.run.digest import digest
from base.run.random_state import random_state, set_random_state
from base.run.run_state import Progress, RunState
from base.run.training_parts import TrainingParts, TrainingSettings
from utils.checks import CheckpointError, UserError, first_line, short
from utils.files import link_or_copy, set_aside

log = logging.getLogger(__name__)

STATE_METHODS = ("state_dict", "load_state_dict")
"""The methods of a part whose state is saved in checkpoints."""


Layout: TypeAlias = tuple[tuple[int, ...], torch.dtype]
"""The shape and the type of a tensor."""


class StepState(Protocol):
    """The state that `base.step.optimizer_step.OptimizerStep` has, with the weights."""

    @property
    def stateful(self) -> dict[str, Any]: ...

    @property
    def evaluated_model(self) -> nn.Module: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(
        self, state: dict[str, Any], evaluated: Mapping[str, Tensor], source: Path
    ) -> None: ...


class RunCheckpoints:
    """Writes the checkpoints of a run into its folder, and resumes the run from one.

    A checkpoint contains the states of `RunState`, `BatchStream` and `OptimizerStep`, and a header.
    All processes call the methods together; the main process writes the file.

    Args:
        parts, settings: the parts and settings of the run.
        state, stream, optimizer_step: the owners of the saved states.

    Attributes:
        saved: the progress in the last checkpoint; None if there is none.
        stateful: further parts with a `state_dict`, such as the loss, by name.
    """

    def __init__(
        self,
        parts: TrainingParts,
        settings: TrainingSettings,
        state: RunState,
        stream: BatchStream,
        optimizer_step: StepState,
    ) -> None:
        self._parts, self.run, self.settings = parts, parts.run, settings
        self.header = parts.checkpoint_header
        self.state, self.stream, self.optimizer_step = state, stream, optimizer_step
        self.stateful: dict[str, Any] = {}
        self.saved: Progress | None = None
        self._warned_of: set[str] = set()  # parts whose states differ between processes
        self._last_save = time.monotonic()
        self._saved_best: Progress | None = None  # of the best checkpoint since this start
        self._layouts: dict[str, dict[str, Layout]] = {}  # see `hold_layouts`
        self._group_sizes: dict[str, list[int]] = {}  # of each optimiser, there as well

    @property
    def all_stateful(self) -> dict[str, Any]:
        """All parts whose states a checkpoint has, by name."""
        return self.optimizer_step.stateful | self.stateful

    def add(self, name: str, part: Any) -> None:
        """Save the state of a further part in checkpoints; see `BaseTrainer.keep`."""
        owner = type(self.stateful.get("trainer", part)).__name__
        if name in self.all_stateful:
            raise UserError(f"{owner} keeps two parts as {name!r}: each needs a name of its own")
        if not all(callable(getattr(part, method, None)) for method in STATE_METHODS):
            problem = f"{owner}.keep({name!r}, ...) takes a part with {' and '.join(STATE_METHODS)}"
            raise UserError(f"{problem}, not {short(part)}: plain values belong to its own state")
        if self._layouts:
            problem = f"{owner}.keep({name!r}, ...) comes after the constructor, so that a resumed"
            raise UserError(f"{problem} run has no such part: call it in the constructor")
        if isinstance(part, nn.Module):
            make_whole(part)
        self.stateful[name] = part

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
            self.restore(checkpoint, source)
        except CheckpointError as error:
            fault = error
        except Exception as error:  # a damaged state may raise anything
            cause = f"{type(error).__name__}: {first_line(error)}"
            fault = CheckpointError(f"{source}: its training state does not fit ({cause})")
        if any(distributed.all_reduce_max([fault is not None])):  # All processes refuse together.
            raise fault or CheckpointError(f"{source}: it does not fit in another process")
        self.saved = progress = self.state.progress
        counts = progress.epoch, progress.step
        log.info("resumed from %s: %d epochs complete, %d steps", source, *counts)

    def restore(self, checkpoint: Checkpoint, source: Path) -> None:
        """Restore the state in a checkpoint, which may raise an exception of any kind."""
        saved = checkpoint["training"]
        weights = checkpoint["state_dict"]
        self.state.load_state_dict(saved["run_state"], checkpoint["metrics"], source)
        # In older files of this format the run's progress has the fields of `Position`.
        self.stream.load_state_dict(saved["run_state"]["progress"] | saved["stream"])
        self.optimizer_step.load_state_dict(saved["optimizer_step"], weights, source)
        states = saved.get("parts", {})  # of the `stateful` parts, see `content`
        for name, part in self.stateful.items():
            if state := states.get(name):
                load_state(part, state)
                continue
            with suppress(Exception):  # A part that had no state then may need one now.
                part.load_state_dict(states[name])
            if part.state_dict():
                log.warning("%s has no state of the %s: it begins anew", source, name)
        set_random_state(saved["random_state"])  # last, as the parts above may have drawn numbers

    def restore_exactly(self, checkpoint: Checkpoint, source: Path) -> list[str]:
        """Restore the state in a checkpoint, which may raise an exception of any kind; return the
        values, as PART.NAME, that are then others, as a user's part restores them."""
        training = checkpoint["training"]
        saved = _digests(training["parts"] | training["optimizer_step"])
        self.restore(checkpoint, source)
        present = _digests(self._part_states() | self.optimizer_step.state_dict())
        return [name for name in saved if saved[name] != present.get(name)]

    def hold_layouts(self) -> None:
        """From now on, hold the networks to the names, shapes and types of their tensors, and the
        optimisers to their groups: those that are made again, for a resumed run or to be used, take
        no others. Nor is a further part kept."""
        parts = self.stateful.items()
        networks = {name: part for name, part in parts if isinstance(part, nn.Module)}
        networks = {name: part for name, part in networks.items() if not _loads_otherwise(part)}
        networks["model"] = self._parts.model
        self._layouts = {name: _layout(part.state_dict()) for name, part in networks.items()}
        self._group_sizes = _group_sizes(self.all_stateful)

    def _check_groups(self) -> None:
        """Raise a CheckpointError if an optimiser has other groups than when the run began."""
        for name, sizes in _group_sizes(self.all_stateful).items():
            if sizes != (initial := self._group_sizes.get(name, sizes)):
                problem = f"{name}: its groups have {sizes} weights, and had {initial} when the run"
                problem += " began, so that a resumed run could not take them"
                remedy = "make all groups in the constructor"
                if name == "optimizer":
                    remedy = "name what is trained later in optimizer.groups, with from_step"
                raise CheckpointError(f"not saved: {problem}: {remedy}")

    def _check_layouts(self, states: Mapping[str, Any]) -> None:
        """Raise a CheckpointError if a network, by its state, has other tensors than when it was
        made."""
        for name, initial in self._layouts.items():
            present = _layout(states[name])
            for key in sorted(present.keys() | initial.keys()):
                if (now := present.get(key)) != (then := initial.get(key)):
                    problem = f"{name}: {key} is {_described(now)}, and was {_described(then)}"
                    remedy = "register a buffer with the shape and type that it keeps"
                    raise CheckpointError(f"{problem} when the network was made: {remedy}")

    def begin(self) -> bool:
        """Create the run's folder, lock it, and set aside checkpoints newer than the resumed one;
        return, in the main process, whether the run existed before."""
        self.hold_layouts()
        parts, existed = self._parts, False
        if distributed.is_main():
            existed = self.run.create(
                parts.resolved_config,
                self.settings.seed,
                given_config=self.header["config"],
                resumed_from=self.state.resumed_from,
                weights_from=parts.weights_from,
                device=parts.device,
            )
        self._discard_newer()
        return existed

    def _discard_newer(self) -> None:
        """Set aside checkpoints that are newer than the resumed checkpoint."""
        source, progress, lost_best = self.state.resumed_from, self.state.progress, False
        if distributed.is_main() and source is not None:
            resumed = position(source) or (progress.epoch, math.inf)
            for path, place in positions(self.run.models).items():
                if place > resumed:  # It is damaged, as it was not resumed.
                    log.warning("%s is not resumed; renamed to %s", path, set_aside(path))
            epoch = progress.best_epoch
            lost_best = epoch is not None and not self._find_best(source, epoch)
        if distributed.broadcast_object(lambda: lost_best):
            self.state.forget_best()
        self._last_save = time.monotonic()

    def _find_best(self, source: Path, epoch: int) -> bool:
        """Find the checkpoint of the best `epoch` in the folder of `source`, and make it the best
        checkpoint of this run; return whether it was found."""
        best, (_, monitored) = self.state.progress.best, self.settings.monitored
        for name in (BEST, checkpoint_name(epoch)):
            with suppress(CheckpointError):
                checkpoint = load_checkpoint(source.with_name(name))
                value = checkpoint["metrics"].get(monitored)
                if (checkpoint["epoch"], value) == (epoch, best):
                    link_or_copy(source.with_name(name), self.run.best)
                    return True
        return False

    # Saving.

    @property
    def due(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return time.monotonic() - self._last_save >= 60 * self.settings.save_minutes

    def save(self, reason: str | None) -> None:
        """Write a checkpoint and remove old ones; if there is a `reason` not to, only log it."""
        progress = self.state.progress
        if reason is not None:
            log.warning("not saved: %s; %s", reason, self.last_sound())
            self._last_save = time.monotonic()
            return
        name = checkpoint_name(progress.epoch)
        if progress.epoch_steps > 0 or progress.epoch == 0:  # within an epoch
            name = checkpoint_name(progress.epoch + 1, progress.step)
        path = self.run.models / name
        if progress != self._saved_best:
            self._write(path)
        elif distributed.is_main():  # The same state was just written as the best.
            link_or_copy(self.run.best, path)
        self.run.remove_old(self.settings.keep_last)
        self.saved, self._last_save = progress, time.monotonic()
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
        parts = self.all_stateful
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

    def _part_states(self) -> dict[str, dict[str, Any]]:
        """Return the states of the further parts; the network, the optimiser and so on are in other
        entries of a checkpoint."""
        return {name: state_of(part) for name, part in self.stateful.items()}

    def content(self) -> Checkpoint:
        """Return the contents of a checkpoint of the present state; all processes call this.

        Raises:
            CheckpointError: if a network has other tensors than when it was made, or if the state
                of a part is no dictionary.
        """
        parts = self._part_states()
        self._check_layouts(parts | {"model": self._parts.model.state_dict()})
        return {
            **self.header,
            "state_dict": self.optimizer_step.evaluated_model.state_dict(),
            "metrics": self.state.values,
            "epoch": self.state.progress.epoch,
            "step": self.state.progress.step,
            "training": {  # needed only to resume
                "resolved_config": self._parts.resolved_config,
                "run_state": self.state.state_dict(),
                "stream": self.stream.state_dict(),
                "optimizer_step": self.optimizer_step.state_dict(),
                "parts": parts,
                "random_state": random_state(),
            },
        }

    def _write(self, path: Path) -> None:
        self._warn_of_differences()
        self._check_groups()
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


def _layout(state: Mapping[str, Any]) -> dict[str, Layout]:
    """Return the shape and the type of each tensor in a network's state, by name."""
    # Extra states are no tensors; a nested tensor, which has no shape, is not saved.
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    return {
        name: (tuple(tensor.shape), tensor.dtype)
        for name, tensor in tensors.items()
        if not tensor.is_nested
    }


def _group_sizes(parts: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the number of weights in each group of each optimiser, by its name."""
    optimizers = {name: part for name, part in parts.items() if isinstance(part, Optimizer)}
    return {
        name: [len(group["params"]) for group in optimizer.param_groups]
        for name, optimizer in optimizers.items()
    }


def _described(layout: Layout | None) -> str:
    return "none" if layout is None else f"{layout[0]} of {str(layout[1]).removeprefix('torch.')}"


def _loads_otherwise(network: nn.Module) -> bool:
    """Return whether a user's module in a network has its own way to load its state."""
    loaders = (
        getattr(type(module), name)
        for module in network.modules()
        for name in ("load_state_dict", "_load_from_state_dict")
    )
    return any(user_modules.is_module_from_user(loader.__module__) for loader in loaders)
