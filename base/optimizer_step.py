"""How gradients become weights: scaling, clipping, noise, the step, the schedule, the average."""

import copy
import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from base import distributed
from base.checkpoint import like, load_weights
from base.weight_noise import WeightNoise
from utils.checks import CheckpointError

log = logging.getLogger(__name__)

DECAYS = {"weight_decay", "lambd"}
"""Settings of torch's optimisers that control weight decay."""

RATES = {"lr", "betas", "momentum"}
"""What a schedule changes in a group of an optimiser; the rest stays as it was at the start."""
POSITION = {
    *("last_epoch", "_step_count", "_last_lr", "_is_initial", "_get_lr_called_within_step"),
    *("best", "num_bad_epochs", "cooldown_counter", "T_cur", "T_i"),
}
"""What a step changes in a schedule; the rest stays as it was at the start."""


class OptimizerStep:
    """Makes the steps of an optimiser, and holds all that they depend on except the data.

    A step: `start`; inside `noisy()` any number of forward passes, each followed by `backward` of
    a summed loss; then `step`.

    Args:
        model: the network, on its device.
        optimizer: over its weights.
        lr_scheduler: over `optimizer`, or None.
        device_type: such as "cuda".
        scaled: whether to scale the loss, which float16 needs.
        schedule_by, clip_norm, ema_decay, weight_noise, weight_noise_std: as of `BaseTrainer`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        lr_scheduler: LRScheduler | None,
        device_type: str,
        *,
        scaled: bool = False,
        schedule_by: str = "batch",
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        weight_noise: str = "off",
        weight_noise_std: float = 0.075,
    ) -> None:
        self.model, self.optimizer, self.lr_scheduler = model, optimizer, lr_scheduler
        self.schedule_by = schedule_by
        self.clip_norm = math.inf if clip_norm is None else clip_norm
        self.weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.scaler = torch.amp.GradScaler(device_type, enabled=scaled)
        self.average = None
        if ema_decay is not None:
            self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema_decay))
        self.noise = self.noise_optimizer = None
        if weight_noise != "off":
            self.noise = WeightNoise(model, weight_noise_std, weight_noise == "adaptive")
        if weight_noise == "adaptive":
            # As one more group of `optimizer` it would come too late for the schedule, which was
            # built on that; so it follows the settings of the first group at every step.
            self.noise_optimizer = type(optimizer)(self.noise.log_stds)
        self._optimizer_start = _settings(optimizer)
        self._scheduler_start = copy.deepcopy(lr_scheduler.state_dict()) if lr_scheduler else None

    @property
    def evaluated_model(self) -> nn.Module:
        """The network with the weights to evaluate with: their average, if there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def learning_rate(self) -> float:
        """The rate of the next step, of the first group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def start(self) -> None:
        """Clear the gradient."""
        self.optimizer.zero_grad(set_to_none=True)
        self.model.gradient_scale = self.scaler.get_scale()

    def noisy(self) -> AbstractContextManager:
        """Return a context in which the weights are noisy, if noise is configured."""
        return nullcontext() if self.noise is None else self.noise.applied()

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a summed loss."""
        self.scaler.scale(loss).backward()

    def step(self, divisor: int, divergence_factor: float) -> float:
        """Make the step, unless the gradient, that of all processes, is not finite.

        Args:
            divisor: of the summed gradient.
            divergence_factor: weight of adaptive noise's divergence in the divided loss.

        Returns:
            the norm of the gradient before clipping; not finite where no step was made.
        """
        distributed.all_reduce_gradients(self.weights)
        self.scaler.unscale_(self.optimizer)
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        torch._foreach_div_(gradients, float(divisor))
        trained = self.weights
        if self.noise is not None:
            self.noise.add_gradients(divergence_factor)
            trained = [*trained, *self.noise.log_stds]
        norm = float(nn.utils.clip_grad_norm_(trained, self.clip_norm))
        if math.isfinite(norm):
            self.scaler.step(self.optimizer)
            if self.noise_optimizer is not None:
                self._update_noise_settings()
                self.noise_optimizer.step()
            if self.average is not None:
                self.average.update_parameters(self.model)
        self.scaler.update()
        if math.isfinite(norm) and self.schedule_by == "batch":
            self._step_schedule()
        return norm

    def _update_noise_settings(self) -> None:
        settings = _settings(self.optimizer)[0]
        # These pull weights towards zero, which makes no sense for ln s.
        settings |= dict.fromkeys(settings.keys() & DECAYS, 0.0)
        self.noise_optimizer.param_groups[0].update(settings)

    def end_epoch(self, value: float | None) -> None:
        """Advance a schedule that steps by epochs; `value` is what ReduceLROnPlateau looks at."""
        if self.schedule_by == "epoch":
            self._step_schedule(value)

    def _step_schedule(self, value: float | None = None) -> None:
        schedule = self.lr_scheduler
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(value)
        # A schedule of fixed length stays at its end; smaller batches may have added steps.
        elif schedule and schedule.last_epoch < getattr(schedule, "total_steps", math.inf) - 1:
            with warnings.catch_warnings():
                # The warning of a schedule that steps first, after skipped steps.
                warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
                schedule.step()

    def divergence(self) -> float | None:
        """Return the divergence of adaptive noise in nats, or None."""
        return None if self.noise_optimizer is None else float(self.noise.divergence())

    def are_finite(self) -> bool:
        """Return whether all weights are finite."""
        return all(bool(torch.isfinite(weight).all()) for weight in self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return what resuming needs beside the weights of `evaluated_model`."""
        noise = self.noise_optimizer
        return {
            "model": None if self.average is None else self.model.state_dict(),
            "averaged": None if self.average is None else int(self.average.n_averaged),
            "optimizer_type": type(self.optimizer).__name__,
            "optimizer": self.optimizer.state_dict(),
            "optimizer_start": self._optimizer_start,
            "lr_scheduler_type": type(self.lr_scheduler).__name__,
            "lr_scheduler": self.lr_scheduler.state_dict() if self.lr_scheduler else None,
            "lr_scheduler_start": self._scheduler_start,
            "scaler": self.scaler.state_dict(),
            "weight_noise": {"log_stds": [one.detach() for one in self.noise.log_stds]}
            if noise
            else {},
            # Its settings are those of `optimizer` in each step.
            "weight_noise_optimizer": {"state": noise.state_dict()["state"]} if noise else None,
        }

    def load_state_dict(
        self,
        state: Mapping[str, Any],
        evaluated: Mapping[str, Tensor],
        source: Path,
        epochs: int,
        steps: int,
    ) -> None:
        """Restore what `state_dict` returned.

        Args:
            state: as `state_dict` returned it, possibly damaged since.
            evaluated: the weights of `evaluated_model` then.
            source: the file, for messages.
            epochs, steps: made so far; in steps of the present size.

        Raises:
            Exception: of any kind, if something does not fit.
        """
        load_weights(self.model, state["model"] or evaluated, source)
        if self.average is not None:
            load_weights(self.average.module, evaluated, source)
            self.average.n_averaged.fill_(state["averaged"] or 0)
        if self.scaler.is_enabled() and state["scaler"]:
            own = self.scaler.state_dict()
            like(state["scaler"], own, f"{source}: training.update.scaler")
            self.scaler.load_state_dict(state["scaler"])
        kind, schedule = type(self.optimizer).__name__, self.lr_scheduler
        same_kind = state["optimizer_type"] == kind
        if same_kind:
            _restore(self.optimizer, state["optimizer"]["state"], source)
        else:
            used = state["optimizer_type"]
            log.warning("%s used %s: %s starts from a fresh state", source, used, kind)
        if self.noise_optimizer is not None and state["weight_noise"]:
            own, former = self.noise.log_stds, state["weight_noise"]["log_stds"]
            like(former, own, f"{source}: training.update.weight_noise.log_stds")
            with torch.no_grad():
                torch._foreach_copy_(own, former)
            if same_kind and (former := state["weight_noise_optimizer"]):
                self._update_noise_settings()
                _restore(self.noise_optimizer, former["state"], source)
        # What a plateau has reduced so far stands, whatever its settings are now.
        plateau = isinstance(schedule, ReduceLROnPlateau)
        same_schedule = state["lr_scheduler_type"] == type(schedule).__name__ and (
            plateau or state["lr_scheduler_start"] == self._scheduler_start
        )
        if same_kind and same_schedule and state["optimizer_start"] == self._optimizer_start:
            _restore_rates(self.optimizer, state["optimizer"]["param_groups"], source)
            if schedule is not None:
                _restore_position(schedule, state["lr_scheduler"], source)
            return
        log.info("the settings of the optimiser or its schedule have changed")
        if not plateau:
            for _ in range(steps if self.schedule_by == "batch" else epochs):
                self._step_schedule()


def _restore(optimizer: Optimizer, state: Mapping[int, Any], source: Path) -> None:
    """Restore what an optimiser keeps for each weight; its settings stay.

    A first step of another one shows what it keeps.
    """
    key = f"{source}: training.update.optimizer.state"
    slow = {"foreach", "fused", "capturable"}
    groups = [
        group
        | dict.fromkeys(group.keys() & slow, False)
        | {"params": [nn.Parameter(torch.zeros_like(one, device="cpu")) for one in group["params"]]}
        for group in optimizer.param_groups
    ]
    other = type(optimizer)(groups)
    for weight in (weight for group in groups for weight in group["params"]):
        weight.grad = torch.zeros_like(weight)
    other.step()
    example = other.state_dict()
    for place, values in state.items():
        if values:
            like(values, example["state"][place], f"{key}.{place}")
        for name, value in values.items():
            if isinstance(value, Tensor) and not value.ndim and value < 0:
                raise CheckpointError(f"{key}.{place}.{name} = {value.item()}: at least 0")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": dict(state)})


def _restore_rates(optimizer: Optimizer, former: Sequence[Any], source: Path) -> None:
    """Restore the settings that a schedule changes."""
    for place, (group, values) in enumerate(zip(optimizer.param_groups, former, strict=True)):
        own = {name: group[name] for name in RATES & group.keys()}
        like(values, own, f"{source}: training.update.optimizer.param_groups.{place}")
        group |= {name: values[name] for name in own}
        type(optimizer)(group["params"], **{name: group[name] for name in own})  # checks them


def _restore_position(schedule: LRScheduler, former: Mapping[str, Any], source: Path) -> None:
    """Restore what a step changes in a schedule; its settings stay."""
    own = schedule.state_dict()
    position = {name: own[name] for name in POSITION & own.keys()}
    like(former, position, f"{source}: training.update.lr_scheduler")
    if not former.get("T_i", 1):
        raise ValueError("lr_scheduler.T_i is 0")
    schedule.load_state_dict(own | {name: former[name] for name in position})


def _settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return the settings of each of the optimiser's groups."""
    return [
        {name: copy.copy(value) for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]
