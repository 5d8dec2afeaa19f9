"""Makes the steps of a run: from the losses of a step's batches to new weights.

The methods of `OptimizerStep` stand in the order in which a step calls them: the start, the
gradients of chunks, their divisor, the sum over processes, clipping, and the update of the weights,
their average and the schedule. `BaseTrainer.step` calls them, and so does a user's own step.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from base import distributed
from base.base_data_loader import Batch, Chunk, State
from base.config.torch_parts import FROM_STEP
from base.config.user_code import errors_as_config_fault
from base.run.checkpoint_archive import make_whole
from base.run.run_state import HasModes, Sums, update, weights_of
from base.run.training_parts import TrainingParts, TrainingSettings
from base.step.soundness import cause_of_gradient, cause_of_loss
from utils.checks import ConfigFault

Tensors: TypeAlias = list[Tensor] | tuple[Tensor, ...]


class OptimizerStep:
    """Makes optimiser steps, and holds all that steps depend on except the data.

    A step calls `start`; makes, inside `noisy()`, any number of calls of `add_gradients`; then
    calls `apply_gradients`, or its parts `reduce`, `clip` and, if the norm is finite, `update`.

    Args:
        parts, settings: the parts and settings of the run.
        forward: returns the output of a network for a batch, or for a chunk that begins in a state.
        report: called with the reason if a step is skipped.

    Attributes:
        metrics: the metrics of training.
        weights: the weights of the optimiser.
        frozen: the weights that the present step does not train.
        average: the average of the weights; None for a run without one.
        misused: what a trainer does otherwise than it should, in words.
    """

    def __init__(
        self,
        parts: TrainingParts,
        settings: TrainingSettings,
        forward: Callable[[nn.Module, Batch, State | None], Any],
        report: Callable[[str], None],
    ) -> None:
        self.model = parts.model
        self.loss = parts.loss
        self.device = parts.device
        self.metrics = [metric for metric in parts.metrics if metric.in_training]
        self.lr_scheduler = parts.lr_scheduler
        self.settings = settings
        self._optimizer = parts.optimizer
        self._forward = forward
        self._report = report
        make_whole(self.model)
        self.warmup_factor = 1.0
        self.clip_norm = math.inf if settings.clip_norm is None else settings.clip_norm
        self.weights = [] if self._optimizer is None else weights_of(self._optimizer)
        self.frozen: set[Tensor] = set()
        self.misused = set[str]()
        self._stage: Literal["started", "reduced", "updating", "updated"] = "started"
        self.average = None
        if self._optimizer is None:  # The network is only evaluated.
            return
        # A trainer's override of `step` might call the optimiser itself.
        self._optimizer.register_step_pre_hook(self._note_step_elsewhere)
        if settings.ema_decay is not None:
            move = partial(move_average, settings.ema_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=move)
        if isinstance(self._optimizer, HasModes):
            if self.average is not None:
                name = type(self._optimizer).__name__
                expected = f"null: {name} has weights to evaluate with, by eval() and train()"
                raise ConfigFault("ema_decay", settings.ema_decay, expected)
            self._optimizer.train()
        # torch warns if a schedule steps before its optimiser, as after a skipped step.
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser of the network's weights.

        Raises:
            ValueError: if there is none, as the network is only evaluated.
        """
        if self._optimizer is None:
            raise ValueError("there is no optimiser: the network is only evaluated, not trained")
        return self._optimizer

    @property
    def learning_rate(self) -> float:
        """The first group's learning rate of the present step, with the warm-up."""
        return self.warmup_factor * float(self.optimizer.param_groups[0]["lr"])

    def start(self, number: int) -> float:
        """Clear the gradient, and set the warm-up and the frozen weights for step `number` of the
        run, counted from 0; return the learning rate of the step."""
        self.warmup_factor = min(1.0, (number + 1) / max(self.settings.warmup_steps, 1))
        groups = self.optimizer.param_groups
        frozen = (group["params"] for group in groups if group.get(FROM_STEP, 0) > number)
        self.frozen = {*chain.from_iterable(frozen)}
        self._stage = "started"
        self.optimizer.zero_grad(set_to_none=True)
        return self.learning_rate

    @contextmanager
    def noisy(self) -> Iterator[None]:
        """A block in which each weight has Gaussian noise, if configured (paper, section 4.2);
        after the block the weights are exactly as before."""
        if self.settings.weight_noise == "off":
            yield
            return
        weights = [weight for weight in self._trained if weight.requires_grad]
        clean_weights = [weight.detach().clone() for weight in weights]
        try:
            with torch.no_grad():
                for weight in weights:
                    weight.add_(torch.randn_like(weight), alpha=self.settings.weight_noise_std)
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(weights, clean_weights)

    def add_gradients(
        self, chunks: Sequence[Chunk | None], *, counts: bool = True
    ) -> tuple[Sums, bool]:
        """Add the gradient of the summed loss of some chunks.

        Random draws depend only on the position in the data. The chunks of a step may be added in
        several calls, in any order.

        Args:
            chunks: as in `BaseTrainer.step`, or some of these.
            counts: whether to update the metrics, and to carry states over to the next chunks;
                False for a further pass over the same chunks.

        Returns:
            the sums of this process, and whether the losses of all processes are finite.
        """
        sums = Sums()
        finite = True
        for chunk in chunks:
            if chunk is None:  # This process has no row of this batch, and waits for the others.
                finite = not distributed.any_rank(False) and finite  # forward
                distributed.rows_done()  # backward
                continue
            with distributed.own_randomness(self.device, self.settings.seed, *chunk.position):
                output, losses = self.losses(self.model, chunk.batch, chunk.state)
                loss = summed(losses)
                if finite and not math.isfinite(loss):  # The first cause of a step is reported.
                    self._report(cause_of_loss(self.model, self._forward, chunk))
                if counts and chunk.goes_on is not None:
                    wanted = "one with a state that a checkpoint may hold"
                    with errors_as_config_fault("arch", self.model, wanted):
                        chunk.carry(output.state)
                is_dropped = distributed.any_rank(not math.isfinite(loss))  # forward
                if not is_dropped:
                    losses.sum().backward()
                    with torch.no_grad():
                        update(self.metrics if counts else (), output, chunk.batch)
                    sums.add(loss, chunk.sequences, chunk.batch.points)
                distributed.rows_done()  # backward
            finite = finite and not is_dropped
        return sums, finite

    def losses(
        self, model: nn.Module, batch: Batch, state: State | None = None
    ) -> tuple[Any, Tensor]:
        """Return the output of a network for a batch or chunk, and the loss of each sequence,
        `(batch,)`."""
        output = self._forward(model, batch, state)
        with errors_as_config_fault("loss", self.loss, "one that works for all batches"):
            return output, self.loss(output, batch)

    def divisor(self, chunks: Sequence[Chunk | None]) -> int:
        """Return the divisor of the gradient of some chunks, summed over all processes."""
        divisors = [self.loss.divisor(chunk.batch) for chunk in chunks if chunk is not None]
        (divisor,) = distributed.all_reduce_sum([sum(divisors)])
        return divisor

    def apply_gradients(self, chunks: Sequence[Chunk | None]) -> float:
        """Divide the gradient of some chunks and update the weights by it; return its norm before
        clipping. A gradient that is not finite changes nothing."""
        self.reduce(self.divisor(chunks))
        norm = self.clip()
        if math.isfinite(norm):
            self.update()
        else:
            self._report(cause_of_gradient(self.model))
        return norm

    def reduce(self, divisor: float) -> None:
        """Sum the gradient over all processes, and divide it; all processes call this together.

        Frozen weights lose their gradient: it is no part of the norm, and optimisers leave weights
        without a gradient as they are.
        """
        if self._stage == "started":
            self._stage = "reduced"
        for weight in self.frozen:
            weight.grad = None
        distributed.all_reduce_gradients(self._trained)
        if gradients := gradients_of(self.weights):  # There are none where all are frozen.
            torch._foreach_div_(gradients, float(divisor))

    def clip(self) -> float:
        """Clip a finite gradient; return the norm before clipping."""
        total = nn.utils.get_total_norm(gradients_of(self.weights))
        norm = float(total)
        if math.isfinite(norm):
            nn.utils.clip_grads_with_norm_(self.weights, self.clip_norm, total)
        return norm

    def update(self) -> None:
        """Update the weights by their gradient, then the average of the weights and the schedule.

        During the warm-up the step uses lower learning rates than the schedule's.
        """
        if self._stage == "started":
            problem = "calls update() without reduce(), which divides gradients, and sums them over"
            self.misused.add(f"{problem} processes: use apply_gradients")
        if self._stage == "updated":
            problem = "updates the weights twice in a step, which counts as one: schedule and"
            self.misused.add(f"{problem} average move on twice")
        groups = self.optimizer.param_groups
        rates = [group["lr"] for group in groups]
        for group in groups:
            group["lr"] *= self.warmup_factor
        self._stage = "updating"
        self.optimizer.step()
        self._stage = "updated"
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        if self.average is not None:
            self.average.update_parameters(self.model)
        if self.settings.schedule_by == "batch":
            step_schedule(self.lr_scheduler)

    def end_epoch(self, values: Mapping[str, float]) -> None:
        """Advance a schedule that steps with each epoch, of which `values` are the values by name;
        ReduceLROnPlateau needs the monitored one."""
        if self.settings.schedule_by == "epoch":
            _, monitored = self.settings.monitored
            step_schedule(self.lr_scheduler, values.get(monitored, math.nan))

    @property
    def _trained(self) -> list[Tensor]:
        return [weight for weight in self.weights if weight not in self.frozen]

    def _note_step_elsewhere(self, *_: object) -> None:
        """Note a step of the optimiser that `update` does not make."""
        if self._stage != "updating":
            problem = "calls step() of the optimiser, without clipping, warm-up, schedule and"
            self.misused.add(f"{problem} average: use apply_gradients")

    def add_optimizer(self, name: str, optimizer: Optimizer) -> None:
        """Complete the gradients of a further optimiser before each of its steps, which a trainer
        makes itself; note an optimiser of weights that the run's optimiser has."""
        optimizer.register_step_pre_hook(partial(self._complete_gradients, name))
        if {*map(id, self.weights)} & {*map(id, weights_of(optimizer))}:
            problem = f"keeps the optimiser {name} of weights that the run's optimiser trains, too:"
            self.misused.add(f"{problem} a step of both changes them twice")

    def _complete_gradients(self, name: str, optimizer: Optimizer, *_: object) -> None:
        """Sum the gradients of a further optimiser over all processes; drop gradients that are not
        finite, and report them by the optimiser's name."""
        weights = weights_of(optimizer)
        distributed.all_reduce_gradients(weights)
        if not math.isfinite(nn.utils.get_total_norm(gradients_of(weights))):
            optimizer.zero_grad(set_to_none=True)  # Weights without a gradient do not change.
            self._report(f"the gradient of {name} is not finite")


def gradients_of(weights: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients of the weights that have one."""
    return [weight.grad for weight in weights if weight.grad is not None]


def summed(losses: Tensor) -> float:
    """Return the sum of some losses, in double precision."""
    return losses.detach().cpu().double().sum().item()


@torch.no_grad()
def move_average(max_decay: float, average: Tensors, weights: Tensors, count: Tensor | int) -> None:
    """Move the average towards the weights, faster in the first steps.

    The decay is that of TensorFlow's ExponentialMovingAverage with `num_updates`: a constant decay
    would keep a trace of the initial weights for many times 1 / (1 - decay) steps.
    """
    decay = min(max_decay, (1 + int(count)) / (10 + int(count)))
    torch._foreach_lerp_(average, weights, 1 - decay)


def step_schedule(schedule: LRScheduler | None, value: float = math.nan) -> None:
    """Advance a schedule, if there is one; ReduceLROnPlateau needs the `value`.

    A schedule of fixed length ends with the run's last step, and stays there.
    """
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(value)
    elif schedule and schedule.last_epoch < getattr(schedule, "total_steps", math.inf) - 1:
        schedule.step()
