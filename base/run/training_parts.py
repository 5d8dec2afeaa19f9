"""Defines the parts and the settings of a run."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from base.base_data_loader import BaseDataLoader
from base.base_dataset import Facts
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.config.binder import BoundClass
from base.run.run_folder import RunFolder, RunRecord
from base.run.run_state import Progress, Sums
from logger.metrics_csv import VALID
from utils.checks import ConfigFault, Range

TRAINER_SETTINGS = "settings"
"""The parameter of trainers that takes `TrainingSettings`."""


@dataclass(frozen=True)
class TrainingParts:
    """The parts of a run."""

    model: BaseModel  # on `device`
    loss: BaseLoss
    metrics: Sequence[BaseMetric]  # for training and validation
    optimizer: Optimizer | None  # of the network's weights; None: they are only evaluated
    lr_scheduler: LRScheduler | None  # of `optimizer`
    train_loader: BaseDataLoader
    valid_loader: BaseDataLoader | None
    run: RunFolder  # `train` creates it, unless it has been created
    device: torch.device
    facts: Facts  # of the data
    record: RunRecord = field(default_factory=RunRecord)  # of the run's folder and checkpoints


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The settings of all trainers.

    Args:
        epochs: epochs of the whole run.
        seed: seed of all random numbers of the run.
        monitor: the value that decides which epoch is best: "min NAME" or "max NAME"; null for no
            such value.
        early_stop: consecutive epochs without improvement after which the run ends.
        save_period: number of epochs from one checkpoint to the next.
        save_minutes: minutes from one checkpoint to the next within an epoch.
        keep_last: number of newest checkpoints kept besides the best; after the run's end only the
            newest is kept. Null keeps all.
        time_limit_minutes: minutes after which the run saves and stops; the run can be resumed.
        steps_per_epoch: optimiser steps of an epoch; null for a pass over the data.
        precision: precision of the network's matrix products; the weights stay float32. "auto" is
            bfloat16 where the processor has instructions for it, else float32.
        clip_norm: maximum norm of the gradient; a longer gradient is scaled down.
        accumulate: number of batches whose gradients are summed for one step.
        ema_decay: decay per step of an exponential moving average of the weights; smaller at first.
        weight_noise: Gaussian noise on the weights in training.
        weight_noise_std: standard deviation of this noise.
        truncate: number of time steps through which the gradient flows. Sequences are cut into
            chunks of this length; each chunk makes an optimiser step, and the state is carried over
            to the next chunk. Only a single process can cut sequences.
        schedule_by: whether the schedule of the learning rate steps with each optimiser step or
            with each epoch.
        warmup_steps: number of optimiser steps at the start of the run in which the learning rate
            rises linearly to the schedule's rate.
        max_skipped: number of consecutive skipped steps after which the run ends.
        log_steps: optimiser steps from one point of TensorBoard's curves to the next.
        tensorboard: whether to write TensorBoard's log.
        anomaly: whether to end the run at the first value that is not finite, and to name the
            module or operation that computed the value; slow.
        keep_normalisation: whether fine-tuning keeps the normalisation of the previous run.
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
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
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
    keep_normalisation: bool = False  # used before the trainer, where the data are prepared

    adjustable: ClassVar[tuple[str, ...]] = (
        *("keep_last", "save_minutes", "save_period", "time_limit_minutes"),
        *("log_steps", "tensorboard", "anomaly"),
    )
    """Settings that may differ when a run is resumed, as no step depends on them."""

    @property
    def depends_on_epochs(self) -> str:
        """The name of a setting by which steps depend on the number of epochs, so that a run cannot
        go on for more; "" if there is none."""
        return ""

    @property
    def monitored(self) -> tuple[str, str]:
        """The direction, "min" or "max", and the name of the monitored value; or "" and ""."""
        mode, _, name = (self.monitor or "").partition(" ")
        return mode, name

    def describe_best(self, progress: Progress) -> str:
        """Return the best epoch in words."""
        if self.monitor is None:
            return "nothing was monitored"
        if progress.best is None:
            return f"no epoch had a finite {self.monitored[1]}"
        return f"best {self.monitor}: {progress.best:.6g} in epoch {progress.best_epoch}"

    def epoch_steps(self, batches: int) -> int | None:
        """Return the number of steps of an epoch if a pass has `batches` batches; None if it is
        unknown, because sequences are cut."""
        if self.truncate is not None and self.steps_per_epoch is None:
            return None
        return self.steps_per_epoch or math.ceil(batches / self.accumulate)

    def planned_steps(self, batches: int) -> int:
        """Return how often the schedule steps in a run whose passes have `batches` batches each; 0
        if this is unknown, which `validate` refuses if there is a schedule."""
        steps = 1 if self.schedule_by == "epoch" else self.epoch_steps(batches)
        return self.epochs * (steps or 0)

    def validate(
        self, schedule: LRScheduler | None, logged: Collection[str] | None
    ) -> Iterator[ConfigFault]:
        """Yield a fault for each setting that does not fit the others.

        Args:
            schedule: the schedule of the learning rate, if there is one.
            logged: the names of the values that are logged after each epoch; None if unknown.
        """
        mode, name = self.monitored
        if self.monitor is None and self.early_stop is not None:
            expected = "null, because nothing is monitored"
            yield ConfigFault("trainer.args.early_stop", self.early_stop, expected)
        is_known = mode in ("min", "max") and name in (logged or ())
        if self.monitor is not None and logged is not None and not is_known:
            expected = f'"min NAME" or "max NAME" with one of {", ".join(logged)}; or null'
            yield ConfigFault("trainer.args.monitor", self.monitor, expected)
        by_batch = isinstance(schedule, LRScheduler) and self.schedule_by == "batch"
        if by_batch and self.truncate and not self.steps_per_epoch:
            expected = (
                "with truncation, the number of steps in a pass depends on the lengths, so a "
                'schedule needs steps_per_epoch, or schedule_by "epoch"'
            )
            yield ConfigFault("trainer.args.truncate", self.truncate, expected)
        if isinstance(schedule, ReduceLROnPlateau):
            if by_batch:
                expected = '"epoch", because ReduceLROnPlateau needs a value of each epoch'
                yield ConfigFault("trainer.args.schedule_by", self.schedule_by, expected)
            elif mode != schedule.mode and mode in ("", "min", "max"):
                expected = f'"{schedule.mode} NAME", because ReduceLROnPlateau has this mode'
                yield ConfigFault("trainer.args.monitor", self.monitor, expected)


def settings_of(trainer: BoundClass) -> TrainingSettings:
    """Return the settings of a config's trainer, with defaults.

    Raises:
        ConfigFault: if the trainer's constructor takes none.
    """
    kind = trainer.signature.settings.get(TRAINER_SETTINGS, object)
    if not issubclass(kind, TrainingSettings):
        expected = f"one whose constructor takes `{TRAINER_SETTINGS}: TrainingSettings` after *"
        raise ConfigFault("trainer.type", trainer.cls.__name__, expected)
    return trainer.signature.keywords(trainer.values)[TRAINER_SETTINGS]


def logged_names(loss: BaseLoss, metrics: Sequence[BaseMetric], validates: bool) -> list[str]:
    """Return the names of the values logged after each epoch.

    Args:
        loss, metrics: the loss and metrics of the run; their classes may be a user's.
        validates: whether there is a validation.

    Raises:
        ConfigFault: if the loss or a metric has no name, or one that is not valid or not unique.
    """
    rates = [*Sums().rates()]
    training = list[str]()
    validation = list[str]()
    reserved = {"epoch", "step", "skipped_steps", *rates}  # further columns of metrics.csv
    parts: list[tuple[str, BaseLoss | BaseMetric]] = [("loss", loss)]
    parts += [(f"metrics.{number}", metric) for number, metric in enumerate(metrics)]
    for key, part in parts:
        names: Any = getattr(part, "name" if isinstance(part, BaseLoss) else "names", None)
        if isinstance(part, BaseLoss):
            names = [*Sums().losses(names)]
        for name in names if isinstance(names, Collection) else [names]:
            is_name = isinstance(name, str) and name.isidentifier()
            if not is_name or name in {*reserved, *validation}:
                expected = "one whose values have unique names of letters, digits and _"
                raise ConfigFault(key, type(part).__name__, f"{expected}, not {name!r}")
        validation += names
        training += names if isinstance(part, BaseLoss) or part.in_training else []
    return [*training, *rates, *(f"{VALID}{name}" for name in validation if validates)]
