"""Holds all that changes in a run, to be saved and restored as a whole.

The blocks at the end of the module leave random states, networks and other parts as they were, so
that a validation or a save changes nothing of a run.
"""

import copy
import logging
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from base import distributed
from base.base_data_loader import Batch, Chunk, Position, State, moved
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric, as_floats, total_state
from base.config import user_modules
from base.config.user_code import errors_as_config_fault
from base.run.checkpoint import filled, load_state, load_weights, state_of
from base.run.checkpoint_archive import make_whole
from base.run.digest import digest
from utils.checks import NOTHING, CheckpointError, UserError, short

log = logging.getLogger(__name__)

MAX_LOSS_INCREASE = 10.0
"""Maximum increase of the loss per point since the first step; with a larger one a state is not
sound. Unit: the absolute loss per point of the first step, or 1 if that is less (assumed: a warm-up
or a new task increases the loss far less, a learning rate ten times too high far more)."""
STATE_METHODS = ("state_dict", "load_state_dict")
"""The methods of a part whose state is saved."""
Layout: TypeAlias = tuple[tuple[int, ...], torch.dtype]
"""The shape and the type of a tensor."""
METRIC_WORKS = "one that works for all batches"
"""The rule for metrics in messages."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Optimiser steps made in the whole run."""
    epoch_steps: int = 0
    """Optimiser steps of the current epoch."""
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

    def add(self, loss: float, sequences: float, points: int, skipped: int = 0) -> None:
        """Add some sequences: their summed loss, their number, and the number of their points; and
        how many batches or steps were skipped."""
        self.skipped += skipped
        self.loss += loss
        self.sequences += sequences
        self.points += points

    def __add__(self, other: "Sums") -> "Sums":
        """Return the sums of loss, sequences, points and skipped of both, such as those that two
        calls of `add_gradients` return; the rest is 0."""
        total = Sums()
        for each in (self, other):
            total.add(each.loss, each.sequences, each.points, each.skipped)
        return total

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


def ratio(numerator: float, denominator: float) -> float:
    """Return a ratio, NaN for a denominator of 0."""
    return numerator / denominator if denominator else math.nan


def update(metrics: Iterable[BaseMetric], output: Any, batch: Batch) -> None:
    """Add a batch to each metric."""
    for metric in metrics:
        with errors_as_config_fault("metrics", metric, METRIC_WORKS):
            metric.update(output, batch)


def computed(metrics: Sequence[BaseMetric]) -> dict[str, float]:
    """Return the values of all metrics by name; only the main process gets values over all
    processes."""
    values: dict[str, float] = {}
    for metric in all_reduced(metrics):
        with errors_as_config_fault("metrics", metric, METRIC_WORKS):
            values |= as_floats(metric.compute(), metric)
    return values


def values_of(loss: BaseLoss, sums: Sums, metrics: Sequence[BaseMetric]) -> dict[str, float]:
    """Return the values of a loss, from its sums, and of all metrics by name; see `computed`."""
    return sums.losses(loss.name) | computed(metrics)


def all_reduced(metrics: Sequence[BaseMetric]) -> list[BaseMetric]:
    """Return the metrics with their sums and lists over all processes; unchanged outside the main
    process."""
    if distributed.world_size() == 1 and not any(metric.lists for metric in metrics):
        return list(metrics)
    result = [copy.copy(metric) for metric in metrics]
    for metric, states in zip(result, zip(*gathered(metrics), strict=True), strict=False):
        metric.load_state_dict(total_state(metric, states))
    return result


def gathered(metrics: Sequence[BaseMetric]) -> list[list[dict[str, Tensor]]]:
    """Return each process's list of the metrics' states, by rank; [] outside the main process."""
    return distributed.all_gather_object([metric.state_dict() for metric in metrics])


@runtime_checkable
class HasModes(Protocol):
    """An optimiser, as a schedule-free one, with further weights to evaluate with, which `eval`
    puts into the network, and `train` takes out again."""

    def eval(self) -> object: ...

    def train(self) -> object: ...


def weights_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the weights of all groups of an optimiser."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


class RunState:
    """All that changes in a run, but for its files. The parts change themselves; the rest is
    changed only by methods of this class.

    Args:
        trained: the parts that each step changes, by name: "model", "average" of its weights,
            "optimizer" and "lr_scheduler"; None for those that a run lacks.
        kept: further parts, by name: "loss", "trainer" and "sampler".
        metrics: the metrics of training, whose sums are part of the state.
        evaluate: returns the sums over some batches for a network, by which a state is judged; None
            if the weights alone are judged.

    Attributes:
        progress: how far the run has come.
        position: the position in the data of the next step: what was prefetched is not counted.
        carried: for each batch of the next step, the network's state before the batch's chunk; None
            for the initial state.
        sums: the sums of the current epoch.
        values: the values of the last complete epoch, by name.
        kept: further parts, by name, with those of `BaseTrainer.keep`.

    No checkpoint has these attributes:
        resumed_from: the checkpoint from which the run was resumed; None for a new run.
        saved: the progress in the last checkpoint, also in the one from which the run was resumed;
            None if there is none.
        last_batches: the batches, or chunks of them, of the last step that was not skipped, by
            whose loss a save is judged. None before such a step: a resumed run is judged by its
            weights.
    """

    def __init__(
        self,
        trained: Mapping[str, Any],
        kept: Mapping[str, Any] = NOTHING,
        metrics: Sequence[BaseMetric] = (),
        *,
        evaluate: Callable[[nn.Module, Sequence[Batch | None]], Sums] | None = None,
    ) -> None:
        self.trained = {name: part for name, part in trained.items() if part is not None}
        self.metrics = metrics
        self._evaluate = evaluate
        self.progress = Progress()
        self.position = Position()
        self.sums = Sums()
        self.carried: list[State | None] = []
        self.values: dict[str, float] = {}
        self.kept: dict[str, Any] = {}
        self.resumed_from: Path | None = None
        self.saved: Progress | None = None
        self.last_batches: list[Batch | None] | None = None
        self._layouts: dict[str, dict[str, Layout]] = {}  # see `hold_layouts`
        self._group_sizes: dict[str, list[int]] = {}  # of each optimiser, there as well
        self._with_modes = None  # the network with the weights of an optimiser that `HasModes`
        if isinstance(self.trained.get("optimizer"), HasModes):
            self._with_modes = copy.deepcopy(self.trained["model"])
        for name, part in kept.items():
            self.add(name, part)

    @property
    def parts(self) -> dict[str, Any]:
        """All parts, by name; each has a `state_dict`."""
        return {**self.trained, **self.kept}

    @property
    def modules(self) -> list[nn.Module]:
        """The networks, and other parts with parameters or buffers."""
        return [part for part in self.parts.values() if isinstance(part, nn.Module)]

    def epoch_is_trained(self, steps_per_epoch: int | None) -> bool:
        """Return whether the current epoch has all its steps; None stands for a pass over the
        data."""
        if steps_per_epoch is None:
            return self.position.data_pass > self.progress.epoch
        return self.progress.epoch_steps >= steps_per_epoch

    def add(self, name: str, part: Any) -> None:
        """Keep a further part; see `BaseTrainer.keep`."""
        owner = type(self.kept.get("trainer", part)).__name__
        if name in self.parts:
            raise UserError(f"{owner} keeps two parts as {name!r}: each needs a name of its own")
        if not all(callable(getattr(part, method, None)) for method in STATE_METHODS):
            problem = f"{owner}.keep({name!r}, ...) takes a part with {' and '.join(STATE_METHODS)}"
            raise UserError(f"{problem}, not {short(part)}: plain values belong to its own state")
        if self._layouts:
            problem = f"{owner}.keep({name!r}, ...) comes after the constructor, so that a resumed"
            raise UserError(f"{problem} run has no such part: call it in the constructor")
        if isinstance(part, nn.Module):
            make_whole(part)
        self.kept[name] = part

    # The networks in evaluation.

    @property
    def evaluated_model(self) -> nn.Module:
        """The network with the weights to evaluate with: their average if there is one, or the
        weights of the optimiser's evaluation mode."""
        if "average" in self.trained:
            return self.trained["average"].module
        if self._with_modes is None:
            return self.trained["model"]
        # Back in the training mode, weights would differ by rounding: a run in which this happened
        # more often, as one that was stopped and saved, would be another one.
        optimizer = self.trained["optimizer"]
        with torch.no_grad():
            trained = [weight.clone() for weight in weights_of(optimizer)]
            optimizer.eval()
            self._with_modes.load_state_dict(self.trained["model"].state_dict())
            optimizer.train()
            torch._foreach_copy_(weights_of(optimizer), trained)
        return self._with_modes

    @contextmanager
    def evaluating(self) -> Iterator[nn.Module]:
        """A block in which all networks are in evaluation mode, also those that a trainer keeps;
        yield the network to evaluate with. After it, modes and buffers are as before."""
        model = self.evaluated_model
        with evaluating([*self.modules, model]):
            yield model

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """A block in which all networks are in evaluation mode, and after which no part of a
        checkpoint has changed, as a save changes nothing."""
        parts = self.kept.values()
        others = [part for part in parts if not isinstance(part, nn.Module | Optimizer)]
        with self.evaluating(), states_kept(others):
            yield

    # Changes by a step.

    def end_step(self, step: Sums, chunks: Sequence[Chunk | None], position: Position) -> None:
        """Count a step, and let the next step begin at `position`, in the states that the last
        chunks carry. A step whose norm is not finite counts as skipped; its sums are added too.

        Args:
            step: the step's sums, with the norm of its gradient, its learning rate and duration.
            chunks: the chunks of the step; if it is not skipped, a save is judged by them.
            position: the position of the next step.
        """
        self.position = position
        self.carried = [None if chunk is None else chunk.next_state for chunk in chunks]
        progress = self.progress
        is_skipped = not math.isfinite(step.gradient_norm)
        self.sums.add(step.loss, step.sequences, step.points, is_skipped)
        self.sums.seconds += step.seconds
        if is_skipped:
            self.progress = replace(progress, skipped_in_row=progress.skipped_in_row + 1)
            return
        self.last_batches = [None if chunk is None else chunk.batch for chunk in chunks]
        self.sums.steps += 1
        self.sums.gradient_norm += step.gradient_norm
        self.sums.learning_rate = step.learning_rate
        is_first = progress.first_loss is None
        self.progress = replace(
            progress,
            step=progress.step + 1,
            epoch_steps=progress.epoch_steps + 1,
            skipped_in_row=0,
            first_loss=step.loss_per_point if is_first else progress.first_loss,
        )

    def forget_skipped(self) -> None:
        """Count skipped steps from 0 again: a resumed run may skip as many as a new run."""
        self.progress = replace(self.progress, skipped_in_row=0)

    # Changes by an epoch.

    def end_epoch(
        self, values: Mapping[str, float], monitored: tuple[str, str]
    ) -> tuple[Sums, str | None]:
        """Complete an epoch. With a sound state and a better monitored value it is the new best.

        Args:
            values: the values of the epoch, by name.
            monitored: see `TrainingSettings.monitored`.

        Returns:
            the sums of the epoch, and why its last state is not sound; None if it is sound.
        """
        fault = self.fault()
        progress = replace(self.progress, epoch=self.progress.epoch + 1, epoch_steps=0)
        mode, name = monitored
        if name:
            value = values[name]
            sign = -1.0 if mode == "max" else 1.0
            limit = math.inf if progress.best is None else sign * progress.best
            if fault is None and math.isfinite(value) and sign * value < limit:
                progress = replace(progress, best=value, best_epoch=progress.epoch, not_improved=0)
            else:
                progress = replace(progress, not_improved=progress.not_improved + 1)
        sums = self.sums
        self.sums = Sums()
        self.progress = progress
        self.values = dict(values)
        for metric in self.metrics:
            metric.reset()
        if progress.step == 0:
            fault = fault or "every step was skipped"
        return sums, fault

    def forget_best(self) -> None:
        """Let the next epoch be the best."""
        self.progress = replace(self.progress, best=None, best_epoch=None, not_improved=0)

    # Whether the state is sound: a run that diverges keeps its last sound checkpoint.

    def fault(self, *, with_loss: bool = True) -> str | None:
        """Return why the present state is not sound, so that it is not saved. None if it is sound:
        its weights are finite, and, unless `with_loss` is False, their loss on the last step's
        batches is not far beyond the first one. All processes call this together."""
        progress = self.progress
        saved = self.saved or progress
        has_skipped = progress.skipped_in_row > saved.skipped_in_row
        if has_skipped and saved.step == progress.step and self.sums.steps == 0:
            return "every step since the last checkpoint was skipped"
        if not self.weights_are_finite():
            return "weights are not finite"
        first = progress.first_loss
        batches = self.last_batches
        if not with_loss or self._evaluate is None or batches is None or first is None:
            return None
        with self.unchanged():
            present = self._evaluate(self.trained["model"], batches).loss_per_point
        if present <= first + MAX_LOSS_INCREASE * max(1.0, abs(first)):
            return None
        return f"the loss per point went from {first:.3g} in the first step to {present:.3g}"

    def weights_are_finite(self) -> bool:
        """Return whether all weights of the run's optimiser are finite."""
        weights = weights_of(self.trained["optimizer"])
        return all(bool(torch.isfinite(weight).all()) for weight in weights)

    # Saving and resuming.

    def note_saved(self) -> None:
        """Note that a checkpoint has the present state."""
        self.saved = self.progress

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors and plain values; all processes call this together.

        Raises:
            CheckpointError: if a network has other tensors than when it was made, or if the state
                of a part is no dictionary.
        """
        parts = self.part_states()
        self._check_layouts(parts)
        return {
            "progress": asdict(self.progress),
            "position": self.position._asdict(),
            "carried": [state and moved(state, "cpu") for state in self.carried],
            "sums": asdict(self.sums),
            "metric_sums": [metric.state_dict() for metric in all_reduced(self.metrics)],
            "metric_sums_of_ranks": gathered(self.metrics) if distributed.world_size() > 1 else [],
            "values": self.values,
            "parts": parts,
            "random_state": random_state(),
        }

    def part_states(self) -> dict[str, Any]:
        """Return the states of all parts, by name."""
        return {name: state_of(part) for name, part in self.parts.items()}

    def load_state_dict(self, saved: Mapping[str, Any], source: Path) -> None:
        """Resume from what `state_dict` returned, read from the file `source`; raise an exception
        of any kind if the state does not fit."""
        self.progress = filled(Progress, saved["progress"])
        self.note_saved()
        self.resumed_from = source
        self.position = Position(*(saved["position"][name] for name in Position._fields))
        self.carried = list(saved["carried"])
        self.sums = filled(Sums, saved["sums"])
        self.values = dict(saved["values"])
        self._load_metrics(saved)
        states = saved["parts"]
        for name, part in self.trained.items():
            state = states[name]
            if isinstance(part, nn.Module):
                load_weights(part, state, source)
            else:  # A copy, as torch's CyclicLR changes its argument.
                load_state(part, copy.deepcopy(state) if isinstance(part, LRScheduler) else state)
        for name, part in self.kept.items():
            if state := states.get(name):
                load_state(part, state)
                continue
            with suppress(Exception):  # A part that had no state then may need one now.
                part.load_state_dict(states[name])
            if part.state_dict():
                log.warning("%s has no state of the %s: it begins anew", source, name)
        set_random_state(saved["random_state"])  # last, as the parts above may have drawn numbers

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

    # What a resumed run could not take.

    def hold_layouts(self) -> None:
        """From now on, hold the networks to the names, shapes and types of their tensors, and the
        optimisers to their groups: those that are made again, for a resumed run or to be used, take
        no others. Nor is a further part kept."""
        networks = {"model": self.trained["model"]}
        for name, part in self.kept.items():
            if isinstance(part, nn.Module) and not _loads_otherwise(part):
                networks[name] = part
        self._layouts = {name: _layout(part.state_dict()) for name, part in networks.items()}
        self._group_sizes = _group_sizes(self.parts)

    def check_groups(self) -> None:
        """Raise a CheckpointError if an optimiser has other groups than when the run began."""
        for name, sizes in _group_sizes(self.parts).items():
            initial = self._group_sizes.get(name, sizes)
            if sizes != initial:
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
            layout = _layout(states[name])
            for key in sorted(layout.keys() | initial.keys()):
                present = layout.get(key)
                before = initial.get(key)
                if present != before:
                    problem = f"{name}: {key} is {_described(present)}, and was"
                    problem += f" {_described(before)}"
                    remedy = "register a buffer with the shape and type that it keeps"
                    raise CheckpointError(f"{problem} when the network was made: {remedy}")


def _layout(state: Mapping[str, Any]) -> dict[str, Layout]:
    """Return the shape and the type of each tensor in a network's state, by name."""
    layouts = {}
    for name, value in state.items():
        # Extra states are no tensors; a nested tensor, which has no shape, is not saved.
        if isinstance(value, Tensor) and not value.is_nested:
            layouts[name] = (tuple(value.shape), value.dtype)
    return layouts


def _group_sizes(parts: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the number of weights in each group of each optimiser, by its name."""
    sizes = {}
    for name, part in parts.items():
        if isinstance(part, Optimizer):
            sizes[name] = [len(group["params"]) for group in part.param_groups]
    return sizes


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


# Random states, and blocks that change nothing.


def seed_all(seed: int) -> None:
    """Seed the generators of PyTorch (all devices), NumPy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def random_state() -> dict[str, Any]:
    """Return the states of all generators as tensors and plain values."""
    version, numbers, gaussian = random.getstate()
    full = np.random.get_state(legacy=False)
    algorithm, keys = full["bit_generator"], full["state"]["key"]
    rest = full["state"]["pos"], full["has_gauss"], full["gauss"]
    state = {
        "torch": torch.get_rng_state(),
        "python": [version, list(numbers), gaussian],
        "numpy": [algorithm, torch.from_numpy(keys.astype(np.int64)), *rest],
    }
    if torch.cuda.is_available():
        # Each of several processes has its own GPU, and must not touch the others.
        several = distributed.world_size() > 1
        state["cuda"] = [torch.cuda.get_rng_state()] if several else torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Restore the states that `random_state` returned, except those of missing devices."""
    version, numbers, gaussian = state["python"]
    algorithm, keys, *rest = state["numpy"]
    if not 0 <= rest[0] <= len(keys):  # NumPy does not check the position.
        raise ValueError(f"{rest[0]} is no valid position in the state of NumPy's generator")
    torch.set_rng_state(state["torch"])
    random.setstate((version, tuple(numbers), gaussian))
    np.random.set_state((algorithm, keys.numpy().astype(np.uint32), *rest))
    if torch.cuda.is_available():
        # A process among several uses only its current device; a single process may use any.
        several = distributed.world_size() > 1
        devices: Iterable[int | str] = ["cuda"] if several else range(torch.cuda.device_count())
        for device, generator in zip(devices, state.get("cuda", ()), strict=False):
            torch.cuda.set_rng_state(generator, device)
    if torch.backends.mps.is_available() and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def random_state_kept() -> Iterator[None]:
    """A block after which all generators are restored, so that draws in it change nothing later."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)


@contextmanager
def states_kept(parts: Iterable[Any]) -> Iterator[None]:
    """A block after which parts have their states again; a part is an object with `state_dict` and
    `load_state_dict`."""
    states = [(part, copy.deepcopy(state_of(part))) for part in parts]
    try:
        yield
    finally:
        for part, state in states:
            if state or part.state_dict():
                part.load_state_dict(state)


@contextmanager
def evaluating(networks: Sequence[nn.Module]) -> Iterator[None]:
    """A block in which networks are in evaluation mode.

    After it each of their modules is in the mode in which it was, and has the buffers that it had:
    a network may change them also in evaluation, as a queue of what it has seen.
    """
    modules = list(dict.fromkeys(chain.from_iterable(map(nn.Module.modules, networks))))
    modes = [(module, module.training) for module in modules]
    buffers = [(module, *item) for module in modules for item in module._buffers.items()]
    kept = [(buffer, buffer.clone()) for *_, buffer in buffers if buffer is not None]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode  # `train` would set all of its modules.
        for tensor, value in kept:
            if digest(tensor) != digest(value):
                tensor.copy_(value)
        for module, name, buffer in buffers:
            # `forward` may have put another tensor in its place; setattr would take a parameter
            # that is registered as a buffer for a parameter of the module.
            module._buffers[name] = buffer
