"""The training loop that every task shares: steps, epochs, checkpoints, and stopping."""

import copy
import json
import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from base import carried_state, distributed
from base.base_data_loader import BaseDataLoader, Batch
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric, merged
from base.base_model import BaseModel
from base.checkpoint import (
    BEST,
    checkpoint_name,
    checkpoints,
    load_checkpoint,
    position,
    save_checkpoint,
)
from base.checkpoint_schema import check_training
from base.optimizer_step import WeightUpdate
from base.random_state import random_state, random_state_kept, set_random_state
from base.run_folder import RunFolder
from base.schema import filled, like, naming
from base.step_profiler import StepProfiler
from base.stop_request import StopRequest
from logger.logger import add_log_file, remove_log_file
from logger.metrics_csv import MetricsTable
from logger.tensorboard import TensorBoardWriter
from utils.checks import CheckpointError, ConfigFault, NotFinite, Range, first_line
from utils.files import atomic_write

log = logging.getLogger(__name__)

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}

ADVICE = "A smaller learning rate, clip_norm, or float32 may help"

EXPLODED = 10.0
"""How far the loss per point of a sound state may be above that of the first step, in units of
this loss's size, or of 1 if that is larger (assumed: far more than a warm-up or a new task costs,
and far less than what comes of a rate that is ten times too high)."""


class TrainingFailed(Exception):
    """A run that cannot go on; its message says where the last good weights are."""


@dataclass
class Part:
    """What one call of the network on a batch, or on a chunk of its steps, came to.

    Attributes:
        output: of the network.
        batch: the rows and steps that `output` is of.
        sequences: how many sequences these are, a row cut into chunks counted by its share.
        state: to carry to the next chunk, for the rows that have one; None after the last.
        rows: of the whole batch that `state` is of, `(rows,)` int64, ascending.
    """

    output: Any
    batch: Batch
    sequences: float
    state: dict[str, Tensor] | None
    rows: Tensor | None = None


@dataclass
class Progress:
    """How far a run is; all of it is saved. Passes, batches and chunks count from 0."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Optimiser steps made."""
    epoch_steps: int = 0
    """Those of the epoch under way."""
    epoch_pass: int = 0
    """The pass over the data in which the epoch under way began."""
    data_pass: int = 0
    """Where the next step takes its batches from: the pass,"""
    batch: int = 0
    """the first of them,"""
    chunk: int = 0
    """and the chunk of their steps."""
    skipped_in_row: int = 0
    """Steps just before that were skipped, because they were not finite."""
    first_loss: float | None = None
    """Loss per point of the first step that was made."""
    best: float | None = None
    """The best value of the monitored metric,"""
    best_epoch: int | None = None
    """and the epoch it is of."""
    not_improved: int = 0
    """Epochs since then."""


@dataclass
class Sums:
    """Numerators and denominators of an epoch under way; they are divided once, at its end.

    Of several processes all have those of all.
    """

    loss: float = 0.0
    sequences: Annotated[float, Range(0.0)] = 0.0
    points: int = 0
    gradient_norm: Annotated[float, Range(0.0)] = 0.0
    steps: int = 0
    skipped: int = 0
    seconds: Annotated[float, Range(0.0)] = 0.0
    learning_rate: Annotated[float, Range(0.0)] = 0.0
    """Of the last step."""


class BaseTrainer(ABC):
    """Trains a network; a subclass per task says how a batch goes through it.

    The gradient of a step is that of the loss summed over `accumulate` batches, divided once by
    what the loss says (sequences or points). A step whose loss or gradient is not finite is
    skipped: it changes no weight, and advances neither schedule nor average.

    Checkpoints are written between steps and hold all that the run depends on, so that a resumed
    run on a CPU gives the weights of an uninterrupted one bit for bit. Their `state_dict` is what
    to evaluate with: the average of the weights if there is one, the means of noisy weights. Only
    a sound state is saved (see `_fault`), so that a run that diverges keeps what it had.

    Of several processes (see `base.distributed`) each computes its share of every batch. A run is
    the same for any number of them but for the order of sums and the draws of dropout, and goes on
    from a checkpoint with any number. Only the main one writes, logs and draws.

    Args:
        model: the network, on `device`.
        loss: summed over each sequence.
        metrics: of training and validation.
        optimizer: over the network's weights.
        lr_scheduler: over `optimizer`, or None.
        train_loader: of the training split; prepared.
        valid_loader: of the validation split, or None.
        run: where files go; nothing is written before `train`.
        device: to compute on.
        checkpoint_header: what checkpoints hold besides: config, alphabet and so on.
        epochs: of the whole run.
        seed: of the whole run.
        monitor: what decides which epoch is best: "min NAME", "max NAME", or null for none.
        early_stop: epochs without a better one after which the run ends.
        save_period: epochs from checkpoint to checkpoint.
        save_minutes: minutes from checkpoint to checkpoint within an epoch.
        keep_last: checkpoints that are kept.
        time_limit_minutes: after which the run saves and ends, to be resumed.
        steps_per_epoch: optimiser steps of an epoch; null for a pass over the data.
        precision: of the network's products; its weights stay float32.
        clip_norm: bound on the norm of the gradient.
        accumulate: batches whose gradients make one step.
        ema_decay: per step, of an exponential moving average of the weights.
        weight_noise: on the weights in training.
        weight_noise_std: its standard deviation; of adaptive noise the starting value.
        truncate: steps of a sequence that the gradient flows through: the sequences are cut into
            chunks of that length, each chunk makes an optimiser step, the state is carried over.
        schedule_by: whether the schedule of the learning rate steps with each optimiser step or
            with each epoch.
        max_skipped: steps skipped in a row that end the run.
        log_steps: optimiser steps from one point of TensorBoard's curves to the next.
        tensorboard: whether to write TensorBoard's log.
        profile: whether to write a trace of a few of the first steps into the run's log.
        keep_normalisation: in fine-tuning, whether the old run's normalisation is kept.
    """

    task: ClassVar[str] = "learns"
    """What the networks do that it trains, for messages: "a network that ..."."""
    losses: ClassVar[tuple[type[BaseLoss], ...]] = ()
    """The losses of its task, one for each `head` that its networks may have; none for any."""

    def __init__(
        self,
        model: BaseModel,
        loss: BaseLoss,
        metrics: Sequence[BaseMetric],
        optimizer: Optimizer,
        lr_scheduler: LRScheduler | None,
        train_loader: BaseDataLoader,
        valid_loader: BaseDataLoader | None,
        run: RunFolder,
        device: torch.device,
        checkpoint_header: Mapping[str, Any],
        *,
        epochs: Annotated[int, Range(1)],
        seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
        monitor: str | None = None,
        early_stop: Annotated[int, Range(1)] | None = None,
        save_period: Annotated[int, Range(1)] = 1,
        save_minutes: Annotated[float, Range(0.0)] = 10.0,
        keep_last: Annotated[int, Range(1)] = 3,
        time_limit_minutes: Annotated[float, Range(0.0)] | None = None,
        steps_per_epoch: Annotated[int, Range(1)] | None = None,
        precision: Literal["float32", "bfloat16", "float16"] = "float32",
        clip_norm: Annotated[float, Range(1e-12)] | None = None,
        accumulate: Annotated[int, Range(1)] = 1,
        ema_decay: Annotated[float, Range(0.0, 1.0)] | None = None,
        weight_noise: Literal["off", "fixed", "adaptive"] = "off",
        weight_noise_std: Annotated[float, Range(1e-12)] = 0.075,
        truncate: Annotated[int, Range(1)] | None = None,
        schedule_by: Literal["batch", "epoch"] = "batch",
        max_skipped: Annotated[int, Range(1)] = 30,
        log_steps: Annotated[int, Range(1)] = 10,
        tensorboard: bool = True,
        profile: bool = False,
        keep_normalisation: bool = False,
    ) -> None:
        self.model, self.loss = model, loss
        self.metrics = [metric for metric in metrics if metric.in_training]
        self.update = WeightUpdate(
            model,
            optimizer,
            lr_scheduler,
            device.type,
            scaled=precision == "float16",
            clip_norm=clip_norm,
            ema_decay=ema_decay,
            weight_noise=weight_noise,
            weight_noise_std=weight_noise_std,
        )
        self.train_loader = train_loader
        self.valid_loader = valid_loader if valid_loader is not None and len(valid_loader) else None
        self.run, self.device, self.header = run, device, dict(checkpoint_header)
        self.epochs, self.seed = epochs, seed
        self.early_stop, self.save_period, self.keep_last = early_stop, save_period, keep_last
        self.save_seconds = 60 * save_minutes
        self.time_limit = math.inf if time_limit_minutes is None else 60 * time_limit_minutes
        self.steps_per_epoch, self.accumulate, self.truncate = steps_per_epoch, accumulate, truncate
        self.precision, self.schedule_by = precision, schedule_by
        self.max_skipped, self.log_steps = max_skipped, log_steps
        self.tensorboard, self.profile = tensorboard, profile
        self.keep_normalisation = keep_normalisation
        self.valid_metrics = copy.deepcopy(list(metrics))
        self._set_monitor(monitor)
        self._check_plateau(lr_scheduler)

        self._sequences = 0  # of the training set; counted in `train`
        self.progress, self.sums, self.values = Progress(), Sums(), {}
        self.unfinished: bool | None = None
        self._source: Path | None = None
        self._saved_sizes: dict[str, int] = {}
        self._parts: list[Batch] = []  # That the present step is of,
        self._last_parts: list[Batch] | None = None  # and the last one that was made.
        self._skipped = 0  # Steps since the last checkpoint.
        self._batches: Iterator[Batch] | None = None
        self._group: list[Batch | None] | None = None
        self._states: list[dict[str, Tensor] | None] = []
        self._rows: list[Tensor | None] = []
        self._chunks = 1  # Of the present group, over all processes.
        self._stop = StopRequest()
        self._events: TensorBoardWriter | None = None

    # What a task says of itself.

    def check(self) -> None:
        """Raise a ConfigFault if settings do not fit the network, data or device. Writes nothing.

        The constructor is also called with stand-ins for these, to find faults early.
        """
        if self.truncate is not None and type(self).num_chunks is BaseTrainer.num_chunks:
            expected = f"null: {type(self).__name__} does not cut its sequences"
            raise ConfigFault("trainer.args.truncate", self.truncate, expected)
        for fault in self.misfits(self.model, self.loss, self.valid_metrics):
            raise fault

    def num_chunks(self, batch: Batch) -> int:
        """Return in how many chunks `batch` goes through the network."""
        return 1

    @abstractmethod
    def run_part(
        self,
        model: nn.Module,
        batch: Batch,
        chunk: int | None = None,
        state: dict[str, Tensor] | None = None,
    ) -> Part:
        """Send a batch, or one chunk of it, through `model`.

        Args:
            model: the network to use.
            batch: on the device.
            chunk: number of the chunk; None for the whole batch.
            state: that the chunk before carried over; None to start anew.
        """

    def derived(self, values: dict[str, float], sums: Sums) -> dict[str, float]:
        """Return further values that follow from those of a validation."""
        return {}

    def draw(self, epoch: int, step: int) -> None:  # noqa: B027 (a task may have no pictures)
        """Draw pictures with `evaluated_model` after an epoch, into `run.log` and `events`."""

    # What others ask of a trainer.

    @classmethod
    def logged_names(
        cls, loss_class: type[BaseLoss], metric_classes: Sequence[type[BaseMetric]]
    ) -> list[str]:
        """Return the names of all that every run logs after an epoch: what `monitor` may name."""
        losses = [loss_class.name, f"{loss_class.name}_per_point"]
        own = [name for metric in metric_classes if metric.in_training for name in metric.names]
        rates = ["learning_rate", "gradient_norm", "points_per_second"]
        valid = losses + [name for metric in metric_classes for name in metric.names]
        return [*losses, *own, *rates, *(f"valid_{name}" for name in valid)]

    @classmethod
    def misfits(
        cls, model: nn.Module, loss: BaseLoss, metrics: Sequence[BaseMetric]
    ) -> Iterator[ConfigFault]:
        """Yield what does not fit together of trainer, network, loss and metrics."""
        head, losses = getattr(model, "head", None), {one.head: one for one in cls.losses}
        if losses and head not in losses:
            expected = f"a network that {cls.task}, for a {cls.__name__}"
            yield ConfigFault("arch", type(model).__name__, expected)
        elif losses and loss.head != head:
            name = losses[head].__name__
            expected = f"a loss of that head, such as {name}, as the network's head is {head!r}"
            yield ConfigFault("loss", type(loss).__name__, expected)
        for number, metric in enumerate(metrics):
            if metric.heads is not None and head not in metric.heads:
                expected = f"a metric of networks whose head is {head!r}"
                yield ConfigFault(f"metrics.{number}", type(metric).__name__, expected)

    @staticmethod
    def planned_steps(batches: int, options: Mapping[str, Any]) -> int:
        """Return how often the schedule of the learning rate steps in a whole run.

        Args:
            batches: of a pass over the data.
            options: the trainer's arguments, as a config has them.

        Raises:
            ConfigFault: if it cannot be known beforehand.
        """
        if options.get("schedule_by", "batch") == "epoch":
            return options["epochs"]
        if steps := options.get("steps_per_epoch"):
            return options["epochs"] * steps
        if options.get("truncate"):
            raise ConfigFault(
                "trainer.args.truncate",
                options["truncate"],
                "how many steps a pass has then depends on the lengths, so that a schedule needs "
                'steps_per_epoch, or schedule_by "epoch"',
            )
        return options["epochs"] * -(-batches // options.get("accumulate", 1))

    @property
    def evaluated_model(self) -> nn.Module:
        """The network with the weights to evaluate with."""
        return self.update.evaluated_model

    @property
    def events(self) -> TensorBoardWriter:
        """The log that TensorBoard shows, while `train` runs."""
        assert self._events is not None
        return self._events

    def train(self) -> int | None:
        """Train to the end, or until a signal or the time limit.

        `unfinished` says afterwards whether there is something left to resume; before the first
        step is tried it is None.

        Returns:
            the number of the signal that stopped it, or None.

        Raises:
            ConfigFault: if settings do not fit, before anything is written.
            TrainingFailed: if too many steps in a row were not finite, if the network that it came
                to is not sound, or if a process that loads data was lost.
            OSError: if something cannot be written. The last checkpoint is whole, and is of the
                last step if it was only the log that could not.
        """
        self.check()
        self._sequences = sum(map(len, self.train_loader.sampler_of_batches.batches(0)))
        distributed.broadcast_tensors([*self.model.parameters(), *self.model.buffers()])
        self._stop = StopRequest(self.time_limit)
        # A Ctrl-C from here on is kept until there is something to save.
        with self._stop, self._files():
            if self._source is None:
                log.info("%s", self.model)
                self.events.text("config", _as_code(self.header.get("config")))
            try:
                self._run()
            finally:
                self._batches = None
                self.train_loader.close()
                self._profiler.close(self.progress.step)
            self._stop.now()
            if self._stop.failure is not None:
                raise self._stop.failure
        return self._stop.signal

    # The loop.

    def _run(self) -> None:
        self.unfinished = True
        while self.progress.epoch < self.epochs and not self._out_of_patience():
            if not (self._train_epoch() and self._end_epoch()):
                self._save(self._fault(), within_epoch=True)
                return
            if self._stop.now():
                if self._saved != asdict(self.progress):
                    self._save(self._fault())
                break
        complete = self.progress.epoch >= self.epochs
        self.unfinished = not (complete or self._out_of_patience())
        if self.unfinished:
            return
        reason = "all epochs are done" if complete else "no epoch was better for a while"
        best = self.progress
        log.info(
            "finished after epoch %d: %s%s",
            best.epoch,
            reason,
            ""
            if best.best is None
            else f"; best {self.monitor}: {best.best:.6g} in epoch {best.best_epoch}",
        )
        with self._stop.failing():
            self.events.hyperparameters(
                dict(_flat(self.header.get("config", {}))), self.values, self.progress.step
            )

    def _out_of_patience(self) -> bool:
        return self.early_stop is not None and self.progress.not_improved >= self.early_stop

    def _train_epoch(self) -> bool:
        """Make the steps that are left of an epoch; return whether none is left undone."""
        with distributed.bar(
            what=f"epoch {self.progress.epoch + 1}/{self.epochs}",
            total=self._steps_of_epoch(),
            initial=self.progress.epoch_steps,
            unit="step",
            leave=False,
        ) as bar:
            while not self._epoch_is_trained():
                started = time.perf_counter()
                loss = self._train_step()
                self.sums.seconds += time.perf_counter() - started
                bar.update(self.progress.epoch_steps - bar.n)
                bar.set_postfix({f"{self.loss.name}/point": f"{loss:.3f}"}, refresh=False)
                self._profiler.step(self.progress.step)
                if self._stop.now():
                    return not self._stop.at_once and self._epoch_is_trained()
                due = time.monotonic() - self._last_save >= self.save_seconds
                if distributed.main_says(due) and not self._epoch_is_trained():
                    self._save(self._fault(), within_epoch=True)
        return True

    def _steps_of_epoch(self) -> int | None:
        if self.steps_per_epoch is not None or self.truncate is not None:
            return self.steps_per_epoch
        return -(-len(self.train_loader) // self.accumulate)

    def _epoch_is_trained(self) -> bool:
        if self.steps_per_epoch is not None:
            return self.progress.epoch_steps >= self.steps_per_epoch
        return self.progress.data_pass > self.progress.epoch_pass

    def _end_epoch(self) -> bool:
        """Validate, log and save a trained epoch; return False if a signal broke that off."""
        progress = self.progress
        values = self._training_values()
        validation = self._validate()
        if validation is None:
            return False
        values |= {f"valid_{name}": value for name, value in validation.items()}
        values = distributed.broadcast_object(lambda: values)
        progress.epoch += 1
        fault = self._fault()
        improved = self._judge(values, sound=fault is None)
        if self.schedule_by == "epoch":
            self.update.step_schedule(values.get(self.monitored))
        self.values = values
        if distributed.is_main():
            self._show(values, improved, sound=fault is None)
        self.sums = Sums()
        for metric in self.metrics:
            metric.reset()
        progress.epoch_steps, progress.epoch_pass = 0, progress.data_pass
        # The best first: whoever is killed in between resumes before this epoch, and repeats it.
        if improved:
            self._write(self.run.best)
        last = progress.epoch >= self.epochs or self._out_of_patience()
        if progress.step == 0:
            fault = fault or "no step could be made"
        if last and fault is not None:
            raise TrainingFailed(
                f"the run ends after epoch {progress.epoch}, but {fault}; {self._last_sound()}. "
                f"{ADVICE}"
            )
        if last or self._stop.now() or progress.epoch % self.save_period == 0:
            self._save(fault)
        return True

    def _show(self, values: dict[str, float], improved: bool, sound: bool) -> None:
        """Draw what a sound epoch came to, and log it."""
        progress = self.progress
        self.evaluated_model.eval()
        if sound:
            self._draw()
        counts = {"skipped_steps": self.sums.skipped}
        if (divergence := self.update.divergence()) is not None:
            # In nats per sequence, to be compared with the loss.
            counts["weight_noise_divergence"] = divergence / self._sequences
        with self._stop.failing():
            self.events.scalars(
                {f"epoch/{k}": v for k, v in (values | counts).items()}, progress.step
            )
        self._table.append({"epoch": progress.epoch, "step": progress.step, **values, **counts})
        log.info(
            "epoch %d/%d: %s%s%s",
            progress.epoch,
            self.epochs,
            ", ".join(f"{name} {value:.5g}" for name, value in values.items()),
            f", {self.sums.skipped} steps skipped" if self.sums.skipped else "",
            " (best so far)" if improved else "",
        )

    def _draw(self) -> None:
        progress = self.progress
        with self._stop.failing():
            try:
                with random_state_kept():
                    self.draw(progress.epoch, progress.step)
            except OSError:
                raise
            except Exception:  # A picture is not worth the epoch.
                log.exception("the pictures of epoch %d could not be drawn", progress.epoch)

    def _train_step(self) -> float:
        """Make one optimiser step, and return its loss per point."""
        progress, sums, step = self.progress, self.sums, Sums()
        if self._group is None:
            with self._profiler.part("batch"):
                self._group = self._next_group()
            chunks = max((self.num_chunks(batch) for batch in self._group if batch), default=1)
            self._chunks, failed = distributed.all_reduce_max(
                [chunks, self._stop.failure is not None]
            )
            if failed:
                self._group = None
                return math.nan
            if len(self._states) != len(self._group):
                self._states = [None] * len(self._group)
                self._rows = [None] * len(self._group)
            if progress.chunk:
                self._check_position()
        divisor = self._add_gradients(step)
        norm, rate = math.nan, self.update.learning_rate
        if divisor is not None:
            with self._profiler.part("update"):
                norm = self.update.step(divisor, step.sequences / divisor / self._sequences)
        sums.loss += step.loss
        sums.sequences += step.sequences
        sums.points += step.points
        per_point = _ratio(step.loss, step.points)
        if math.isfinite(norm):
            if self.schedule_by == "batch":
                self.update.step_schedule()
            progress.step += 1
            progress.epoch_steps += 1
            progress.skipped_in_row = 0
            if progress.first_loss is None:
                progress.first_loss = per_point
            self._last_parts = self._parts
            sums.steps += 1
            sums.gradient_norm += norm
            sums.learning_rate = rate
            if progress.step % self.log_steps == 0:
                curves = {
                    f"step/{self.loss.name}_per_point": per_point,
                    "step/gradient_norm": norm,
                    "step/learning_rate": rate,
                }
                with self._stop.failing():
                    self.events.scalars(curves, progress.step)
        else:
            progress.skipped_in_row += 1
            self._skipped += 1
            sums.skipped += 1
        self._advance()
        if progress.skipped_in_row >= self.max_skipped:
            self._give_up()
        return per_point

    def _add_gradients(self, step: Sums) -> int | None:
        """Send the group's present chunks through the network and back.

        Args:
            step: receives what those chunks came to whose loss is finite.

        Returns:
            what to divide the gradient by; None if a loss was not finite. Both are of all
            processes; the gradient is added up over them when the step is made.
        """
        chunk, divisor, finite = self.progress.chunk, 0, True
        self._parts = []
        place = (self.progress.data_pass, self.progress.batch, chunk)
        self.model.train()
        self.update.start()
        with (
            self.update.noisy(),
            distributed.own_randomness(self.device, self.seed, *place),
        ):
            for number, batch in enumerate(self._group):
                part, loss, lost = None, 0.0, False
                if batch is not None and chunk < self.num_chunks(batch):
                    wanted = None if self.truncate is None else chunk
                    with self._autocast(), self._profiler.part("forward"):
                        part = self.run_part(self.model, batch, wanted, self._states[number])
                    losses = self.loss(part.output, part.batch)
                    self._states[number], self._rows[number] = _finite_state(part.state), part.rows
                    lost = part.state is not None and self._states[number] is None
                    loss = losses.detach().cpu().double().sum().item()
                # What is not finite in one process counts in none.
                unfit, lost = distributed.all_reduce_max([not math.isfinite(loss), lost])
                if lost:
                    self._states[number] = None
                if unfit:
                    finite = False
                if unfit or part is None:
                    continue
                with self._profiler.part("backward"):
                    self.update.backward(losses.sum())
                with torch.no_grad():
                    for metric in self.metrics:
                        metric.update(part.output, part.batch)
                divisor += self.loss.divisor(part.batch)
                self._parts.append(part.batch)
                step.loss += loss
                step.sequences += part.sequences
                step.points += part.batch.points
        step.loss, step.sequences, step.points, divisor = distributed.all_reduce_sum(
            [step.loss, step.sequences, step.points, divisor]
        )
        return divisor if finite else None

    def _advance(self) -> None:
        """Move on to the next chunk, group of batches, or pass over the data."""
        progress = self.progress
        progress.chunk += 1
        if progress.chunk < self._chunks:
            return
        progress.chunk, progress.batch = 0, progress.batch + len(self._group)
        self._group, self._states, self._rows = None, [], []
        if progress.batch >= len(self.train_loader):
            progress.data_pass, progress.batch = progress.data_pass + 1, 0
            self._batches = None

    def _next_group(self) -> list[Batch | None]:
        """Return the batches of the next step, on the device: this process's share of each."""
        progress = self.progress
        if self._batches is None:
            self.train_loader.set_position(progress.data_pass, progress.batch)
            self._batches = self._loaded(self.train_loader)
        count = min(self.accumulate, len(self.train_loader) - progress.batch)
        batches = [next(self._batches, None) for _ in range(count)]
        return [batch and batch.to(self.device, non_blocking=True) for batch in batches]

    def _loaded(self, batches: Iterable[Batch | None]) -> Iterator[Batch | None]:
        """Yield what a loader gives; one that fails asks the run to end, and gives None last."""
        try:
            yield from batches
        # What torch raises where a worker was killed, or nothing came through to it.
        except (RuntimeError, OSError) as error:
            self._stop.fail(
                TrainingFailed(f"the data loader or a worker of it failed: {first_line(error)}")
            )
            yield None

    @torch.no_grad()
    def _validate(self) -> dict[str, float] | None:
        """Return what the validation split came to by name; None if a signal broke it off."""
        if self.valid_loader is None:
            return {}
        model, sums = self.evaluated_model.eval(), Sums()
        for metric in self.valid_metrics:
            metric.reset()
        with random_state_kept():
            batches = distributed.bar(self.valid_loader, "validating", unit="batch", leave=False)
            for batch in self._loaded(batches):
                self._stop.now()
                if self._stop.at_once:
                    return None
                if batch is None:
                    continue
                batch = batch.to(self.device, non_blocking=True)
                part, loss = self._part_and_loss(model, batch)
                sums.loss += loss
                sums.sequences += len(batch)
                sums.points += batch.points
                if part is None:
                    sums.skipped += 1
                    continue
                for metric in self.valid_metrics:
                    metric.update(part.output, part.batch)
        sums.loss, sums.sequences, sums.points, sums.skipped = distributed.all_reduce_sum(
            [sums.loss, sums.sequences, sums.points, sums.skipped]
        )
        values = self._loss_values(sums)
        for metric in merged(self.valid_metrics):
            values |= metric.compute()
        values |= self.derived(values, sums)
        # Of a part of the split they would not be what they are called.
        return dict.fromkeys(values, math.nan) if sums.skipped else values

    def _part_and_loss(self, model: nn.Module, batch: Batch) -> tuple[Part | None, float]:
        """Return what a whole batch comes to, and the sum of its losses; None and NaN if what it
        comes to is of no use."""
        try:
            with self._autocast():
                part = self.run_part(model, batch)
        except NotFinite:
            return None, math.nan
        return part, self.loss(part.output, part.batch).cpu().double().sum().item()

    @torch.no_grad()
    def _fault(self) -> str | None:
        """Return why the present state is not sound, and so not to be saved; None if it is.

        Sound are finite weights with which the last step's batches, or its chunks of them, still
        have a finite loss that has not exploded. All processes call it together.
        """
        progress = self.progress
        if self._skipped and self._holds_last_step():
            return "no step could be made since the last checkpoint"
        if not self.update.are_finite():
            return "weights are not finite"
        if self._last_parts is None:
            return None
        model, loss, points = self.model.eval(), 0.0, 0
        with random_state_kept():
            for batch in self._last_parts:
                loss += self._part_and_loss(model, batch)[1]
                points += batch.points
        per_point, first = _ratio(*distributed.all_reduce_sum([loss, points])), progress.first_loss
        if per_point <= first + EXPLODED * max(1.0, abs(first)):
            return None
        return f"the loss per point went from {first:.3g} in the first step to {per_point:.3g}"

    def _training_values(self) -> dict[str, float]:
        sums, values = self.sums, self._loss_values(self.sums)
        for metric in merged(self.metrics):
            values |= metric.compute()
        return values | {
            "learning_rate": sums.learning_rate,
            "gradient_norm": _ratio(sums.gradient_norm, sums.steps),
            "points_per_second": _ratio(sums.points, sums.seconds),
        }

    def _loss_values(self, sums: Sums) -> dict[str, float]:
        name = self.loss.name
        return {
            name: _ratio(sums.loss, sums.sequences),
            f"{name}_per_point": _ratio(sums.loss, sums.points),
        }

    def _autocast(self) -> torch.autocast | nullcontext:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, DTYPES[self.precision])

    # Monitor and schedule.

    def _set_monitor(self, monitor: str | None) -> None:
        self.monitor = None if monitor == "off" else monitor
        self.monitored = None
        if self.monitor is None:
            if self.early_stop is not None:
                expected = "null, because nothing is monitored"
                raise ConfigFault("early_stop", self.early_stop, expected)
            return
        mode, _, self.monitored = self.monitor.partition(" ")
        names = self.logged_names(type(self.loss), [type(metric) for metric in self.valid_metrics])
        if self.valid_loader is None:
            names = [name for name in names if not name.startswith("valid_")]
        if mode not in ("min", "max") or self.monitored not in names:
            expected = f'"min NAME" or "max NAME" with one of {", ".join(names)}; or null'
            raise ConfigFault("monitor", monitor, expected)
        self._sign = 1.0 if mode == "min" else -1.0

    def _check_plateau(self, schedule: LRScheduler | None) -> None:
        if not isinstance(schedule, ReduceLROnPlateau):
            return
        if self.schedule_by != "epoch":
            expected = '"epoch", because ReduceLROnPlateau looks at a value of each epoch'
            raise ConfigFault("schedule_by", self.schedule_by, expected)
        if self.monitor is None:
            raise ConfigFault("monitor", None, "ReduceLROnPlateau looks at it: what to minimise")
        if schedule.mode != self.monitor[:3]:
            expected = f'"{schedule.mode} NAME", as ReduceLROnPlateau has it in its mode'
            raise ConfigFault("monitor", self.monitor, expected)

    def _judge(self, values: Mapping[str, float], sound: bool) -> bool:
        """Compare an epoch with the best before it; return whether it is sound and better."""
        if self.monitored is None:
            return False
        progress, value = self.progress, values[self.monitored]
        if (
            sound
            and math.isfinite(value)
            and (progress.best is None or self._sign * value < self._sign * progress.best)
        ):
            progress.best, progress.best_epoch, progress.not_improved = value, progress.epoch, 0
            return True
        progress.not_improved += 1
        return False

    # Files.

    @contextmanager
    def _files(self) -> Iterator[None]:
        """Make the run's folder and open what is written to all along."""
        source = self._source
        self._last_save, self._saved = time.monotonic(), None
        self._saved_step = self.progress.step
        self._profiler = StepProfiler(
            self.run.log, self.device, enabled=self.profile and distributed.is_main()
        )
        if not distributed.is_main():
            self._events = TensorBoardWriter(self.run.log, enabled=False)
            self._agree_on_best()
            yield
            return
        with ExitStack() as stack:
            stack.callback(self.run.release)
            config = self.header.get("config", {})
            begun = self.run.create(config, self.seed, resumed_from=source, device=self.device)
            stack.callback(remove_log_file, add_log_file(self.run.log_file))
            inside = source is not None and source.parent.resolve() == self.run.models.resolve()
            if inside:
                epoch = self.run.models / checkpoint_name(self.progress.epoch)
                newer = self.run.newer_than(source if position(source) else epoch)
                self._set_aside(newer, f"newer than {source.name}")
            else:
                self._saved_sizes = {}
            if source is not None:
                self._settle_best(source)
            self._agree_on_best()
            self._table = MetricsTable(self.run.metrics_file)
            self._table.take_back(self.progress.epoch)
            self._events = TensorBoardWriter(
                self.run.log,
                enabled=self.tensorboard,
                sizes=self._saved_sizes if begun else None,
                step=self.progress.step,
            )
            log.info("weights and metrics: %s; TensorBoard: %s", self.run.models, self.run.log)
            try:
                yield
            except BaseException:
                with suppress(OSError):
                    self._events.close()
                raise
            self._events.close()

    def _set_aside(self, paths: list[Path], reason: str) -> None:
        """Keep files of a branch that is left where nothing takes them for this one's."""
        if paths:
            folder = self.run.set_aside(paths)
            names = ", ".join(path.name for path in paths)
            log.warning("%s: %s, set aside in %s", names, reason, folder)

    def _settle_best(self, source: Path) -> None:
        """Let the best checkpoint be the best of those that led to `source`.

        The one that is there may be of a branch that was left. If one of that branch has taken its
        place, the best is lost; then it is `source`, or, where that is within an epoch, the next.
        """
        progress, best = self.progress, self.run.best
        if self.monitored is None:
            return

        def is_best(path: Path) -> bool:
            try:
                checkpoint = load_checkpoint(path)
            except CheckpointError:
                return False
            value = checkpoint.get("metrics", {}).get(self.monitored)
            return checkpoint["epoch"] == progress.best_epoch and value == progress.best

        names = (BEST, checkpoint_name(progress.best_epoch)) if progress.best_epoch else ()
        found = next(filter(is_best, (source.with_name(name) for name in names)), None)
        value = self.values.get(self.monitored, math.nan)
        is_whole = source.name in (BEST, checkpoint_name(progress.epoch))
        if found is None and is_whole and math.isfinite(value):
            found, progress.best, progress.best_epoch = source, value, progress.epoch
        elif found is None:
            progress.best = progress.best_epoch = None
        if best.exists():
            if found is not None and best.samefile(found):
                return
            self._set_aside([best], "of a branch that was left")
        if found is not None:
            atomic_write(best, lambda file: file.write(found.read_bytes()))

    def _agree_on_best(self) -> None:
        """Let all processes know the main one's best epoch."""
        progress = self.progress
        progress.best, progress.best_epoch = distributed.broadcast_object(
            lambda: (progress.best, progress.best_epoch)
        )

    def _save(self, fault: str | None, within_epoch: bool = False) -> Path | None:
        """Write a checkpoint of a sound state, and remove the oldest once it is whole.

        Returns:
            its file; None if the state has a `fault` and was not saved.
        """
        progress = self.progress
        if fault is not None:
            log.warning("not saved: %s; %s", fault, self._last_sound())
            self._last_save = time.monotonic()
            return None
        name = (
            checkpoint_name(progress.epoch + 1, progress.step)
            if within_epoch
            else checkpoint_name(progress.epoch)
        )
        path = self.run.models / name
        self._write(path)
        if distributed.is_main():
            self.run.keep_last(self.keep_last)
        self._last_save, self._saved = time.monotonic(), asdict(progress)
        self._saved_step, self._skipped = progress.step, 0
        log.info("saved %s", path)
        return path

    def _write(self, path: Path) -> None:
        content = self.checkpoint()
        if distributed.is_main():
            save_checkpoint(path, content)

    def _give_up(self) -> None:
        """End the run after too many steps that were not finite."""
        count, self.progress.skipped_in_row = self.progress.skipped_in_row, 0
        message = f"{count} steps in a row had a loss or gradient that is not finite"
        self._save(self._fault(), within_epoch=True)
        raise TrainingFailed(f"{message}; {self._last_sound()}. {ADVICE}")

    def _holds_last_step(self) -> bool:
        """Return whether the last checkpoint is of the last step that was made."""
        saved = self._saved is not None or self._source is not None
        return saved and self.progress.step == self._saved_step

    def _last_sound(self) -> str:
        """Say which checkpoint is the newest; all of them are sound."""
        there = [*checkpoints(self.run.models), *filter(None, [self._source])]
        if not there:
            return "nothing was saved before"
        if self._holds_last_step():
            return f"the weights of the last good step are in {there[0]}"
        return f"the last sound checkpoint is {there[0]}"

    def checkpoint(self) -> dict[str, Any]:
        """Return all that the run depends on, as tensors and plain values.

        All processes call it together; what the main one gets is whole.
        """
        states, rows = carried_state.gather(self._states, self._rows)
        with self._stop.failing():
            self._saved_sizes = self._events.sizes() if self._events else {}
        training = {
            "update": self.update.state_dict(),
            "random_state": random_state(),
            "progress": asdict(self.progress),
            "batches": len(self.train_loader),
            "accumulate": self.accumulate,
            "truncate": self.truncate,
            "states": states,
            "rows": rows,
            "sums": asdict(self.sums),
            "metrics": [_contents(metric) for metric in merged(self.metrics)],
            "event_sizes": self._saved_sizes,
        }
        return {
            **self.header,
            "state_dict": self.evaluated_model.state_dict(),
            "metrics": self.values,
            "epoch": self.progress.epoch,
            "step": self.progress.step,
            "training": training,
        }

    def resume(self, checkpoint: Mapping[str, Any], source: Path) -> None:
        """Go on from a checkpoint.

        Settings that differ from those of the run so far apply from here on; another schedule is
        put where it would be, had it been so from the start.

        Args:
            checkpoint: as `load_checkpoint` returned it.
            source: its file.

        Raises:
            CheckpointError: if it does not fit the network, or holds no training state.
        """
        with naming(source, "no state of training to go on from: "):
            check_training(checkpoint, Progress, Sums, self.model.initial_state(1))
        training = checkpoint["training"]
        progress, sums = filled(Progress, training["progress"]), filled(Sums, training["sums"])
        steps = progress.step if self.schedule_by == "batch" else progress.epoch
        self.update.load_state_dict(training["update"], checkpoint["state_dict"], steps, source)
        self.progress, self.sums, self.values = progress, sums, dict(checkpoint["metrics"])
        self._source, self._saved_sizes = source, dict(training["event_sizes"])
        # What adds up is there once.
        saved = training["metrics"] if distributed.is_main() else []
        for number, (metric, contents) in enumerate(zip(self.metrics, saved, strict=False)):
            if vars(metric).keys() == contents.keys():
                with naming(source):
                    like(vars(metric), finite=False)(contents, f"training.metrics.{number}")
                vars(metric).update(contents)
        self._resume_position(training)
        set_random_state(training["random_state"])
        log.info(
            "resumed from %s: %d epochs complete, %d steps", source, progress.epoch, progress.step
        )

    def _resume_position(self, training: Mapping[str, Any]) -> None:
        progress, before, now = self.progress, training["batches"], len(self.train_loader)
        states, rows = training["states"], training["rows"]
        if before != now:
            log.warning("a pass over the data has %d batches instead of %d", now, before)
            progress.batch = min(progress.batch * now // before, now - 1)
            progress.chunk = 0
        elif (self.accumulate, self.truncate) != (training["accumulate"], training["truncate"]):
            progress.chunk = 0
        if progress.chunk == 0:
            states = rows = []
        self._states, self._rows = carried_state.share(states, rows, self.device)

    def _check_position(self) -> None:
        """Begin a group of batches anew that is another one than the checkpoint was made in."""
        progress = self.progress
        fits = progress.chunk < self._chunks
        for batch, rows, state in zip(self._group, self._rows, self._states, strict=True):
            if fits and state is not None:
                lengths = torch.zeros(0) if batch is None else batch.lengths
                going_on = (lengths > progress.chunk * self.truncate).nonzero().flatten()
                fits = torch.equal(rows, going_on)
        if not distributed.all_reduce_max([not fits])[0]:
            return
        log.warning("the data are no longer those of %s: a batch begins anew", self._source)
        progress.chunk = 0
        self._states, self._rows = [None] * len(self._group), [None] * len(self._group)


def _contents(metric: BaseMetric) -> dict[str, Any]:
    """Return the sums of a metric, which keeps them as attributes: tensors and plain values."""
    return {
        name: value.clone() if isinstance(value, Tensor) else copy.copy(value)
        for name, value in vars(metric).items()
    }


def _finite_state(state: dict[str, Tensor] | None) -> dict[str, Tensor] | None:
    """Return a state to carry over, cut from its graph; None if it is not finite."""
    if state is None or not all(bool(torch.isfinite(value).all()) for value in state.values()):
        return None
    return {name: value.detach().clone() for name, value in state.items()}


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of nested objects and lists by dotted key."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{key}.{number}")
    else:
        yield key, value


def _as_code(value: Any) -> str:
    """Return a config as Markdown shows code."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "\n".join(f"    {line}" for line in text.splitlines())
