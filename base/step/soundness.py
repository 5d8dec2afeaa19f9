"""Checks whether the state of a run is sound, and finds the source of NaN or infinite values."""

import copy
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import is_dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from base.base_data_loader import Batch, Chunk
from base.run.digest import tensors_in
from base.run.random_state import random_state_kept
from base.run.run_state import RunState, Sums
from base.run.training_checkpoint import RunCheckpoints
from base.run.training_parts import TrainingSettings
from base.step.optimizer_step import OptimizerStep
from utils.checks import TrainingFailed

log = logging.getLogger(__name__)

MAX_LOSS_INCREASE = 10.0
"""Maximum increase of the loss per point since the first step; with a larger one a state is not
sound. Unit: the absolute loss per point of the first step, or 1 if that is less (assumed: a warm-up
or a new task increases the loss far less, a learning rate ten times too high far more)."""


class Soundness:
    """Judges whether the state of a run may be saved, and reports what is not finite.

    Args:
        settings, state, optimizer_step, checkpoints: the owners of the run's state.
        evaluate: returns the sums of the present network over some batches.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        state: RunState,
        optimizer_step: OptimizerStep,
        checkpoints: RunCheckpoints,
        evaluate: Callable[[Sequence[Batch | None]], Sums],
    ) -> None:
        self._settings, self._state, self._optimizer_step = settings, state, optimizer_step
        self._checkpoints, self._evaluate = checkpoints, evaluate
        self._last_batches: list[Batch | None] | None = None  # batches or chunks of the last step
        self._nonfinite: list[str] = []  # modules whose output was not finite, with `anomaly`

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """A block in which, with `anomaly`, each module and operation is watched; slow."""
        if not self._settings.anomaly:
            yield
            return
        with torch.autograd.set_detect_anomaly(True), watched(model) as self._nonfinite:
            yield

    def remember(self, chunks: Sequence[Chunk | None]) -> None:
        """Let the loss on the chunks of this step decide whether the state is sound."""
        self._last_batches = [None if chunk is None else chunk.batch for chunk in chunks]

    def forget(self) -> None:
        """Let the weights alone decide, as computing the loss may fail."""
        self._last_batches = None

    def reason_not_to_save(self) -> str | None:
        """Return why the present state is not sound and must not be saved, so that a diverging run
        keeps its last sound checkpoint; None for a sound state.

        In a sound state, the weights are finite, and their loss on the batches (or chunks) of the
        last step has increased by at most `MAX_LOSS_INCREASE` since the first step.
        """
        progress, saved = self._state.progress, self._checkpoints.saved
        skipped = 0
        if saved is not None and saved.step == progress.step:
            skipped = progress.skipped_in_row - saved.skipped_in_row
        if skipped > 0 and self._state.sums.steps == 0:
            return "every step since the last checkpoint was skipped"
        if not self._optimizer_step.are_finite():
            return "weights are not finite"
        first = progress.first_loss
        if self._last_batches is None or first is None:
            return None
        sums = self._evaluate(self._last_batches)
        if sums.loss_per_point <= first + MAX_LOSS_INCREASE * max(1.0, abs(first)):
            return None
        change = f"from {first:.3g} in the first step to {sums.loss_per_point:.3g}"
        return f"the loss per point went {change}"

    def check_loss(
        self, loss: float, model: nn.Module, forward: Callable[..., object], chunk: Chunk
    ) -> None:
        """Report the cause if the loss of a chunk, or the output of a watched module, is not
        finite; see `cause_of_loss`."""
        if self._nonfinite or not math.isfinite(loss):
            causes = [*self._nonfinite, cause_of_loss(model, forward, chunk)]
            self.report(f"{causes[0]} is not finite")

    def report(self, why: str) -> None:
        """Log once an epoch why a step is skipped; with `anomaly`, end the run instead."""
        why = f"step {self._state.progress.step + 1}: {why}"
        if self._settings.anomaly:
            raise self.failure(why)
        if not self._state.sums.skipped:
            log.warning("%s, so that the step is skipped", why)

    def failure(self, cause: str) -> TrainingFailed:
        """Return the error with which a diverged run ends."""
        advice = "A smaller learning rate, clip_norm, or float32 may help"
        return TrainingFailed(f"{cause}; {self._checkpoints.last_sound()}. {advice}")


@contextmanager
def watched(model: nn.Module) -> Iterator[list[str]]:
    """Yield a list to which each module is added whose output is not finite, in the order of calls.

    Only calls in training mode count. Minus infinity, as in a mask, counts as finite.
    """
    modules: list[str] = []

    def record(name: str, module: nn.Module, _: object, output: Any) -> None:
        if module.training and not _finite(output):
            modules.append(f"the output of {name or 'the network'} ({type(module).__name__})")

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(module.register_forward_hook(partial(record, name)).remove)
        yield modules


def cause_of_loss(model: nn.Module, forward: Callable[..., object], chunk: Chunk) -> str:
    """Name the first value that is not finite in a chunk whose loss is not finite: an input, the
    output of a module, or the loss.

    `forward` makes a second forward pass; its arguments are a network, a batch and a state.
    """
    batch = chunk.batch
    broken = ~torch.isfinite(batch.inputs).flatten(1).all(1)
    if broken.any():
        return f"an input of sample {int(batch.index[broken][0])}"
    with torch.no_grad(), random_state_kept(), watched(model) as modules:
        forward(model, batch, chunk.state)
    return [*modules, "the loss of finite outputs"][0]


def cause_of_gradient(model: nn.Module) -> str:
    """Name the last weight whose gradient is not finite, which is the nearest to the output, and
    count the other such weights."""
    names = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is not None and not bool(torch.isfinite(weight.grad).all())
    ]
    others = f" and of {len(names) - 1} other weights" if len(names) > 1 else ""
    return f"the gradient of {names[-1]}{others}" if names else "the norm of the gradient"


def _finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool((value < math.inf).all())
    parts = vars(value) if is_dataclass(value) else value
    parts = list(parts.values()) if isinstance(parts, Mapping) else parts
    return not isinstance(parts, list | tuple) or all(map(_finite, parts))


def with_other_padding(output: Any, mask: Tensor) -> Any:
    """Return a copy of an output of a network whose values at padded steps are those of the first
    step of the same line; `mask` `(batch, time)` is True at the steps of a line.

    Only tensors that begin with these dimensions are changed. An output that cannot be copied is
    returned as it is.
    """
    try:
        other = copy.deepcopy(output)
    except (RuntimeError, TypeError):  # It has a graph, or something like a generator.
        return output
    for tensor in tensors_in(other):
        if tensor.shape[:2] == mask.shape:
            tensor[~mask] = tensor[:, :1].expand_as(tensor)[~mask]
    return other
