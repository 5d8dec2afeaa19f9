"""The parts and the settings of a run."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from base.base_data_loader import BaseDataLoader
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.checkpoint import Checkpoint
from base.run_folder import RunFolder
from base.run_state import Progress
from utils.checks import ConfigFault, Range
from utils.strict_json import Config


@dataclass(frozen=True)
class TrainingParts:
    """The parts of a run."""

    model: BaseModel  # on `device`
    loss: BaseLoss
    metrics: Sequence[BaseMetric]  # of training and validation
    optimizer: Optimizer  # over the network's weights
    lr_scheduler: LRScheduler | None  # over `optimizer`
    train_loader: BaseDataLoader  # prepared
    valid_loader: BaseDataLoader | None
    run: RunFolder  # nothing is written there before `train`
    device: torch.device
    checkpoint_header: Checkpoint  # further contents of checkpoints: config, alphabet and so on
    rebuild: Callable[[], BaseModel] | None = None  # makes the network again, for its trial
    config: Config | None = None  # for the run's folder; None for that of the header
    weights_from: Path | None = None  # the checkpoint with whose weights the run began


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The settings of all trainers.

    Args:
        epochs: epochs of the whole run.
        seed: seed of all random numbers of the run.
        monitor: what decides which epoch is best: "min NAME", "max NAME", or null for none.
        early_stop: epochs without improvement after which the run ends.
        save_period: epochs from checkpoint to checkpoint.
        save_minutes: minutes from checkpoint to checkpoint within an epoch.
        keep_last: checkpoints kept beside the best one during the run; at its end only the newest
            is kept. Null keeps all.
        time_limit_minutes: minutes after which the run saves and stops; it can be resumed.
        steps_per_epoch: optimiser steps of an epoch; null for a pass over the data.
        precision: precision of the network's matrix products; its weights stay float32.
        clip_norm: bound on the norm of the gradient.
        accumulate: batches whose gradients make one step.
        ema_decay: per step, of an exponential moving average of the weights; less at first.
        weight_noise: on the weights in training.
        weight_noise_std: its standard deviation.
        truncate: steps of a sequence that the gradient flows through: the sequences are cut into
            chunks of that length, each chunk makes an optimiser step, the state is carried over;
            in one process only.
        schedule_by: whether the schedule of the learning rate steps with each optimiser step or
            with each epoch.
        warmup_steps: the first optimiser steps, whose rates rise to those of the schedule in
            proportion to their number.
        max_skipped: consecutive skipped steps that end the run.
        log_steps: optimiser steps from one point of TensorBoard's curves to the next.
        tensorboard: whether to write TensorBoard's log.
        anomaly: whether to end the run at the first value that is not finite, and say from which
            module or operation it is; slow.
        keep_normalisation: in fine-tuning, whether the old run's normalisation is kept.
    """

    epochs: Annotated[int, Range(1)]
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    monitor: str | None = None
    early_stop: Annotated[int, Range(1)] | None = None
    save_period: Annotated[int, Range(1)] = 1
    save_minutes: Annotated[float, Range(0.0)] = 10.0
    keep_last: Annotated[int, Range(1)] | None = 3
    time_limit_minutes: Annotated[float, Range(0.0)] | None = None
    steps_per_epoch: Annotated[int, Range(1)] | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    clip_norm: Annotated[float, Range(1e-12)] | None = None
    accumulate: Annotated[int, Range(1)] = 1
    ema_decay: Annotated[float, Range(0.0, 1.0)] | None = None
    weight_noise: Literal["off", "fixed"] = "off"
    weight_noise_std: Annotated[float, Range(1e-12)] = 0.075
    truncate: Annotated[int, Range(1)] | None = None
    schedule_by: Literal["batch", "epoch"] = "batch"
    warmup_steps: Annotated[int, Range(0)] = 0
    max_skipped: Annotated[int, Range(1)] = 30
    log_steps: Annotated[int, Range(1)] = 10
    tensorboard: bool = True
    anomaly: bool = False
    keep_normalisation: bool = False  # Looked at before the data are prepared.

    @property
    def monitored(self) -> tuple[str, str | None]:
        """The direction, "min" or "max", and the name of the monitored value; or "" and None."""
        mode, _, name = (self.monitor or "").partition(" ")
        return mode, name or None

    def judge(self, now: Progress, values: Mapping[str, float], sound: bool) -> Progress:
        """Return the progress with the best epoch: the present epoch if it is sound and better."""
        mode, name = self.monitored
        if name is None:
            return now
        value, sign = values[name], -1.0 if mode == "max" else 1.0
        limit = math.inf if now.best is None else sign * now.best
        if sound and math.isfinite(value) and sign * value < limit:
            return replace(now, best=value, best_epoch=now.epoch + 1, not_improved=0)
        return replace(now, not_improved=now.not_improved + 1)

    def describe_best(self, now: Progress) -> str:
        """Return the best epoch in words."""
        if self.monitor is None:
            return "nothing was monitored"
        if now.best is None:
            return f"no epoch had a finite {self.monitored[1]}"
        return f"best {self.monitor}: {now.best:.6g} in epoch {now.best_epoch}"

    def planned_steps(self, batches: int) -> int:
        """Return the steps of a schedule in a whole run, given the batches of a pass over the data.

        `validate` refuses settings with which the number is unknown.
        """
        if self.schedule_by == "epoch":
            return self.epochs
        steps = self.steps_per_epoch or math.ceil(batches / self.accumulate)
        return self.epochs * steps

    def validate(
        self, schedule: LRScheduler | object, logged: Collection[str] | None
    ) -> Iterator[ConfigFault]:
        """Yield a fault for each setting that does not fit the others.

        Args:
            schedule: of the learning rate; `ABSENT` if it has faults itself.
            logged: the names of the values that are logged after each epoch; None if unknown.
        """
        mode, name = self.monitored
        if self.monitor is None and self.early_stop is not None:
            expected = "null, because nothing is monitored"
            yield ConfigFault("trainer.args.early_stop", self.early_stop, expected)
        is_known = logged is None or (mode in ("min", "max") and name in logged)
        if self.monitor is not None and not is_known:
            expected = f'"min NAME" or "max NAME" with one of {", ".join(logged)}; or null'
            yield ConfigFault("trainer.args.monitor", self.monitor, expected)
        by_batch = isinstance(schedule, LRScheduler) and self.schedule_by == "batch"
        if by_batch and self.truncate and not self.steps_per_epoch:
            expected = (
                "how many steps a pass has then depends on the lengths, so that a schedule needs "
                'steps_per_epoch, or schedule_by "epoch"'
            )
            yield ConfigFault("trainer.args.truncate", self.truncate, expected)
        if isinstance(schedule, ReduceLROnPlateau):
            if by_batch:
                expected = '"epoch", because ReduceLROnPlateau looks at a value of each epoch'
                yield ConfigFault("trainer.args.schedule_by", self.schedule_by, expected)
            elif mode != schedule.mode and mode in ("", "min", "max"):
                expected = f'"{schedule.mode} NAME": a value at which ReduceLROnPlateau looks'
                yield ConfigFault("trainer.args.monitor", self.monitor, expected)
