"""Makes optimiser steps: clipping, noise on the weights, schedule, average of the weights."""

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from base import distributed
from base.config.torch_parts import FROM_STEP
from base.run.checkpoint_archive import make_whole
from base.run.digest import tensors_in
from base.run.run_state import HasModes
from base.run.training_parts import TrainingParts, TrainingSettings
from utils.checks import ConfigFault

log = logging.getLogger(__name__)

Tensors: TypeAlias = list[Tensor] | tuple[Tensor, ...]


@torch.no_grad()
def move_average(max_decay: float, average: Tensors, weights: Tensors, count: Tensor | int) -> None:
    """Move the average towards the weights, faster in the first steps.

    The decay is that of TensorFlow's ExponentialMovingAverage with `num_updates`: a constant decay
    would keep a trace of the initial weights for many times 1 / (1 - decay) steps.
    """
    decay = min(max_decay, (1 + int(count)) / (10 + int(count)))
    torch._foreach_lerp_(average, weights, 1 - decay)


def are_inverse(optimizer: Optimizer) -> bool:
    """Return whether an optimiser has no modes, or its `train()` takes back what its `eval()` does;
    leave it in the mode of training. See `HasModes`."""
    if not isinstance(optimizer, HasModes):
        return True
    optimizer.train()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    # A state_dict refers to the optimiser's tensors, which eval() and train() change in place.
    held = [*tensors_in([weights, optimizer.state_dict()])]
    before = [tensor.detach().clone() for tensor in held]
    optimizer.eval()
    optimizer.train()
    are_close = partial(torch.allclose, rtol=1e-5, atol=1e-5, equal_nan=True)
    return all(map(are_close, held, before))


def step_schedule(schedule: LRScheduler | None, value: float = math.nan) -> None:
    """Advance a schedule, if there is one; ReduceLROnPlateau needs the `value`.

    A schedule of fixed length ends with the run's last step, and stays there.
    """
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(value)
    elif schedule and schedule.last_epoch < getattr(schedule, "total_steps", math.inf) - 1:
        schedule.step()


def complete_gradients(
    report: Callable[[str], None], name: str, optimizer: Optimizer, *_: object
) -> None:
    """Sum the gradients of a further optimiser over all processes before it steps; drop gradients
    that are not finite, and report them by the optimiser's name."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    distributed.all_reduce_gradients(weights)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if not math.isfinite(nn.utils.get_total_norm(gradients)):
        optimizer.zero_grad(set_to_none=True)  # Weights without a gradient do not change.
        report(f"the gradient of {name} is not finite")


class OptimizerStep:
    """Makes the steps of an optimiser, and holds all that steps depend on except the data.

    A step calls `start`; makes, inside `noisy()`, any number of forward passes, each followed by
    `backward()` of a summed loss; then calls `apply`, or its parts `reduce`, `clip` and, if the
    norm is finite, `update`.
    """

    def __init__(self, parts: TrainingParts, settings: TrainingSettings) -> None:
        self.model = parts.model
        self._optimizer = parts.optimizer
        self.lr_scheduler = parts.lr_scheduler
        make_whole(self.model)
        self.settings = settings
        self.warmup_factor = 1.0
        self.clip_norm = math.inf if settings.clip_norm is None else settings.clip_norm
        groups = [] if self._optimizer is None else self._optimizer.param_groups
        self.weights = [weight for group in groups for weight in group["params"]]
        self.frozen: set[Tensor] = set()  # those that the present step does not train
        self.misused = set[str]()  # what a trainer does otherwise than it should, in words
        self._is_updating = self._is_reduced = self._is_updated = False
        self.average = None
        if self._optimizer is None:  # The network is only evaluated.
            return
        # A trainer's override of `step` might call the optimiser itself.
        self.optimizer.register_step_pre_hook(self._note_step_elsewhere)
        if settings.ema_decay is not None:
            move = partial(move_average, settings.ema_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=move)
        if isinstance(self.optimizer, HasModes):
            if self.average is not None:
                name = type(self.optimizer).__name__
                expected = f"null: {name} has weights to evaluate with, by eval() and train()"
                raise ConfigFault("ema_decay", settings.ema_decay, expected)
            self.optimizer.train()
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
    def _trained(self) -> list[Tensor]:
        return [weight for weight in self.weights if weight not in self.frozen]

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
        self._is_reduced = self._is_updated = False
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

    def apply(self, divisor: float) -> float:
        """Divide the summed gradient and update the weights by it; return its norm before clipping.
        A gradient that is not finite changes nothing."""
        self.reduce(divisor)
        norm = self.clip()
        if math.isfinite(norm):
            self.update()
        return norm

    def reduce(self, divisor: float) -> None:
        """Sum the gradient over all processes, and divide it; all processes call this together.

        Frozen weights lose their gradient: it is no part of the norm, and optimisers leave weights
        without a gradient as they are.
        """
        self._is_reduced = True
        for weight in self.frozen:
            weight.grad = None
        distributed.all_reduce_gradients(self._trained)
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        if gradients:  # There are none where all weights are frozen.
            torch._foreach_div_(gradients, float(divisor))

    def clip(self) -> float:
        """Clip a finite gradient; return the norm before clipping."""
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        total = nn.utils.get_total_norm(gradients)
        norm = float(total)
        if math.isfinite(norm):
            nn.utils.clip_grads_with_norm_(self.weights, self.clip_norm, total)
        return norm

    def update(self) -> None:
        """Update the weights by their gradient, then the average of the weights and the schedule.

        During the warm-up the step uses lower learning rates than the schedule's.
        """
        if not self._is_reduced:
            problem = "calls update() without reduce(), which divides gradients, and sums them over"
            self.misused.add(f"{problem} processes: use apply_gradients")
        if self._is_updated:
            problem = "updates the weights twice in a step, which counts as one: schedule and"
            self.misused.add(f"{problem} average move on twice")
        self._is_updated = True
        groups = self.optimizer.param_groups
        rates = [group["lr"] for group in groups]
        for group in groups:
            group["lr"] *= self.warmup_factor
        self._is_updating = True
        self.optimizer.step()
        self._is_updating = False
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

    def _note_step_elsewhere(self, *_: object) -> None:
        """Note a step of the optimiser that `update` does not make."""
        if not self._is_updating:
            problem = "calls step() of the optimiser, without clipping, warm-up, schedule and"
            self.misused.add(f"{problem} average: use apply_gradients")

    def note_other(self, name: str, optimizer: Optimizer) -> None:
        """Note a further optimiser of a trainer that has weights of the run's optimiser."""
        weights = {id(weight) for weight in self.weights}
        groups = optimizer.param_groups
        if weights & {id(weight) for group in groups for weight in group["params"]}:
            problem = f"keeps the optimiser {name} of weights that the run's optimiser trains, too:"
            self.misused.add(f"{problem} a step of both changes them twice")
