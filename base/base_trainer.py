"""Trains networks of all tasks: epochs, steps, validation."""

import copy
import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from base import distributed
from base.base_data_loader import Batch, BatchStream, Chunk, loaded
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric, as_floats
from base.base_model import BaseModel
from base.config.user_code import errors_as_config_fault
from base.run.run_log import RunLog, logged_errors
from base.run.run_state import (
    Progress,
    RunState,
    Sums,
    random_state_kept,
    states_kept,
    update,
    values_of,
)
from base.run.stop_request import StopRequest
from base.run.training_checkpoint import RunCheckpoints
from base.run.training_parts import TrainingParts, TrainingSettings, logged_names
from base.step.device import fast_precision, plain_layers
from base.step.soundness import detecting_anomalies
from base.step.step import OptimizerStep, summed
from logger.metrics_csv import VALID
from utils.checks import ConfigFault, NotFinite, TrainingFailed, first_line
from utils.program import typed

log = logging.getLogger(__name__)

Stateful = TypeVar("Stateful")


class BaseTrainer(ABC):
    """Trains a network; a subclass per task defines `forward_batch`.

    A step sums the loss over `accumulate` batches, and divides the gradient of this sum by the
    loss's divisor (sequences or points). A step whose loss or gradient is not finite is skipped: it
    changes no weight, and advances neither schedule nor average. A subclass may override `step`.

    Checkpoints are written between steps and contain the whole state of the run: on a CPU, a
    resumed run gives bit for bit the weights of an uninterrupted run.

    With several processes (see `base.distributed`) each process computes its rows of every batch.
    The number of processes changes only the order of sums and the random draws of dropout, which
    steps may amplify (see `base.distributed`); a run can be resumed with any number. Only the main
    process writes files, logs and draws pictures.
    """

    task: ClassVar[str] = "learns"
    """What the networks do, for messages: the words after "a network that"."""
    use: ClassVar[str] = "evaluate"
    """The command of `experiments.py` that uses the networks, for the message at a run's end."""
    losses: ClassVar[tuple[type[BaseLoss], ...]] = ()
    """The losses of the task, one for each `head` of a network; if empty, any loss is accepted."""
    output_type: ClassVar[type] = object
    """The type of the networks' output."""
    carries_state: ClassVar[bool] = False
    """Whether the networks' output has a `state`, so that sequences may be cut into chunks."""
    plain_layers: ClassVar[bool] = False
    """Whether steps use slower layers made only of torch operations. A penalty on a gradient needs
    these: compiled layers cannot be differentiated twice (`create_graph=True`)."""

    def __init__(self, parts: TrainingParts, *, settings: TrainingSettings) -> None:
        self.settings = settings
        self.epochs = self.settings.epochs
        self.seed = self.settings.seed
        self.model = parts.model
        self.loss = parts.loss
        self.train_loader = parts.train_loader
        self.sampler = parts.train_loader.keys.sampler
        self.valid_loader = parts.valid_loader or None  # None for an empty loader too
        self.valid_metrics = copy.deepcopy(list(parts.metrics))
        self.lr_scheduler = parts.lr_scheduler
        self.run = parts.run
        self.device = parts.device
        self.facts = parts.facts
        precision = self.settings.precision
        self.precision = fast_precision(self.device) if precision == "auto" else precision
        self._stop = StopRequest(self.settings.time_limit_minutes)
        self.optimizer_step = OptimizerStep(parts, self.settings, self._forward, self._report)
        self.metrics = self.optimizer_step.metrics
        # All parts that a checkpoint has the state of, besides those that `keep` adds.
        self.state = RunState(
            {
                "model": self.model,
                "average": self.optimizer_step.average,
                "optimizer": parts.optimizer,
                "lr_scheduler": self.lr_scheduler,
            },
            {"loss": self.loss, "trainer": self, "sampler": self.train_loader.keys},
            self.metrics,
            evaluate=self._evaluate,
        )
        self.stream = BatchStream(
            self.train_loader,
            self.device,
            self._stop.fail,
            accumulate=self.settings.accumulate,
            truncate=self.settings.truncate,
        )
        self.run_checkpoints = RunCheckpoints(parts, self.settings, self.state)
        self.run_log = RunLog(parts, self.settings, self._stop)

    # Methods that a task may override.

    def check(self) -> None:
        """Raise a ConfigFault if settings do not fit the network, data or device; write nothing.

        `TrainingSettings.validate` and `incompatibilities` are also called before data are loaded.
        """
        truncate = self.settings.truncate
        expected = ""
        if not self.carries_state:
            expected = f"null: {type(self).__name__} does not cut its sequences"
        elif distributed.world_size() > 1:
            expected = "null: several processes, as torchrun has started, cannot cut sequences"
        if truncate is not None and expected:
            raise ConfigFault("trainer.args.truncate", truncate, expected)
        for fault in self.incompatibilities(self.model, self.loss, self.valid_metrics):
            raise fault
        names = logged_names(self.loss, self.valid_metrics, self.valid_loader is not None)
        for fault in self.settings.validate(self.lr_scheduler, names):
            raise fault

    @abstractmethod
    def forward_batch(
        self, model: Any, batch: Batch, state: dict[str, Tensor] | None = None
    ) -> Any:
        """Return the output of `model` for a batch, or for a chunk of its time steps.

        Args:
            model: the network to use.
            batch: the batch or chunk, on the device.
            state: the network's state after the previous chunk; None for the initial state.
        """

    def extra_metrics(self, values: dict[str, float], sums: Sums) -> dict[str, float]:
        """Return further values of a validation by name, computed from its values and sums.

        The networks are in evaluation mode, and have their buffers of before again afterwards.
        """
        return {}

    def dry_run(self, batch: Batch, output: Any) -> None:
        """In a trial of the parts (`base.trial.contract`), use `evaluated_model` as `draw` does.

        Args:
            batch: a batch of two samples.
            output: the output of `forward_batch` for the batch.
        """

    def draw(self, epoch: int, step: int) -> None:
        """Draw pictures with `evaluated_model` after an epoch, into `run.log` and TensorBoard."""

    def state_dict(self) -> dict[str, Any]:
        """Return the task's state, which changes from step to step, as tensors and plain values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""

    def on_start(self) -> None:
        """Write further files into the run's folder, which now exists."""

    def on_epoch(self, row: dict[str, float]) -> None:
        """Receive the epoch's row of `metrics.csv`, after each epoch, in the main process."""

    def is_complete(self) -> bool:
        """Return whether the run ends, after an epoch or when it goes on after one: all epochs are
        done, or the last `early_stop` epochs brought no improvement.

        The main process alone asks. `state.values` has the values of the last epoch, by the names
        in `metrics.csv`.
        """
        progress = self.progress
        early_stop = self.settings.early_stop
        stops_early = early_stop is not None and progress.not_improved >= early_stop
        return progress.epoch >= self.epochs or stops_early

    def on_end(self) -> None:
        """Log how to use the trained network, after all epochs, in the main process."""
        log.info("to use it: %s -r %s", typed(self.use), self.run.argument)

    def progress_bar(self, total: int | None) -> "tqdm[Any]":
        """Return the epoch's progress bar; `total` is None if the number of steps is unknown."""
        return distributed.bar(
            description=f"epoch {self.progress.epoch + 1}/{self.epochs}",
            total=total,
            initial=self.progress.epoch_steps,
            unit="step",
            leave=False,
        )

    @classmethod
    def incompatibilities(
        cls, model: BaseModel, loss: BaseLoss, metrics: Sequence[BaseMetric]
    ) -> Iterator[ConfigFault]:
        """Yield a fault for each part that does not fit the others or the task of the trainer."""
        head = getattr(model, "head", None)
        losses = {loss_class.head: loss_class for loss_class in cls.losses}
        if losses and head not in losses:
            expected = f"a network that {cls.task}, because the trainer is a {cls.__name__}"
            yield ConfigFault("arch", type(model).__name__, expected)
        elif losses and loss.head != head:
            name = losses[head].__name__
            expected = f"a loss for the network's head {head!r}, such as {name}"
            yield ConfigFault("loss", type(loss).__name__, expected)
        for number, metric in enumerate(metrics):
            if metric.heads is not None and head not in metric.heads:
                expected = f"a metric for the network's head {head!r}"
                yield ConfigFault(f"metrics.{number}", type(metric).__name__, expected)

    # What a task may use.

    def autocast(self) -> torch.autocast:
        """Return a context in which matrix products have the run's precision."""
        dtype = getattr(torch, self.precision)
        return torch.autocast(self.device.type, dtype, enabled=self.precision != "float32")

    @property
    def evaluated_model(self) -> Any:  # a network of the task's base class
        """The network with the weights to evaluate with."""
        return self.state.evaluated_model

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return self.state.progress

    def keep(self, name: str, part: Stateful) -> Stateful:
        """Save a further part of a subclass, such as a second network, in checkpoints; return it.

        The constructor calls this, as a resumed run restores the parts that it then has.
        Checkpoints contain the part's state. A network begins with the weights of the main process,
        whose buffers it gets after each step. While the run is evaluated, in a validation and
        before a save, a network is in evaluation mode; its modes and buffers are then as before.
        States of other parts must be alike in all processes.
        Before such an optimiser steps, the gradients of its weights are summed over all processes,
        so all processes have to make this step, even without a row of the batch. Gradients that are
        not finite are dropped.

        Args:
            name: a name that no other part of the trainer has.
            part: an object with `state_dict` and `load_state_dict`, such as a network.

        Raises:
            UserError: if the name is taken, or the run has begun.
        """
        self.state.add(name, part)
        if isinstance(part, Optimizer):
            self.optimizer_step.add_optimizer(name, part)
        return part

    # The loop.

    def train(self) -> int | None:
        """Train to the end, or until a signal or the time limit; then log how to resume the run.

        Returns:
            the number of the signal that stopped the run, or None.

        Raises:
            ConfigFault: if settings do not fit, before anything is written.
            TrainingFailed: if too many steps in a row were not finite, if the trained network is
                not sound, or if a worker process was lost.
            OSError: if a file cannot be written. The last checkpoint is complete; it has the run's
                last step if the file is TensorBoard's log or a picture.
        """
        self.check()
        for module in self.state.modules:
            distributed.broadcast_tensors([*module.parameters(), *module.buffers()])
        is_over = self.progress.epoch > 0 and self._is_over()
        self.state.hold_layouts()
        anomalies = detecting_anomalies(self.model, self._report, self.settings.anomaly)
        works = "one whose run works from its start to its end"
        # The session ends after the signals' handlers are removed: even if a signal interrupts
        # `on_end`, the end of the run is recorded and the lock is released.
        with ExitStack() as session:
            with self._stop, closing(self.stream), anomalies:
                session.enter_context(self.run_log.session(self.state))
                session.enter_context(errors_as_config_fault("trainer", self, works))
                if distributed.is_main():
                    self.on_start()
                self.run_checkpoints.begin()
                self.run_log.started(self.state, self.precision)
                while not (is_over or self._stop.requested):
                    with self._saving_after_errors():
                        values = self.run_epoch()
                    is_over = self.commit(values)
                if is_over:
                    self.run_log.finished(self.progress)
                    self.run_checkpoints.at_end()
            self._stop.raise_failure()
            if is_over and distributed.is_main():
                self.on_end()
        return self._stop.signal

    def run_epoch(self) -> dict[str, float] | None:
        """Make the remaining steps of an epoch, and validate.

        Returns:
            the epoch's values by name; None if a signal, a failure or the time limit interrupted
            the epoch.
        """
        with self.progress_bar(self.settings.epoch_steps(len(self.train_loader))) as bar:
            while not self.state.epoch_is_trained(self.settings.steps_per_epoch):
                started = time.perf_counter()
                chunks = self.stream.chunks(self.state.position, self.state.carried)
                if chunks:  # else the loader has failed
                    self._count(self.make_step(chunks), chunks, started, bar)
                is_trained = self.state.epoch_is_trained(self.settings.steps_per_epoch)
                if self._stop.poll() and (self._stop.immediate or not is_trained):
                    return None
                if self.progress.skipped_in_row >= self.settings.max_skipped:
                    raise self._all_skipped()
                if not is_trained and self.run_checkpoints.is_due():
                    self.run_checkpoints.save(self.state.fault())
        validation = self.validate()
        if validation is None:
            return None
        sums = self.state.sums
        values = values_of(self.loss, sums, self.metrics) | sums.rates()
        values |= {f"{VALID}{name}": value for name, value in validation.items()}
        return distributed.broadcast_object(lambda: values)

    def commit(self, values: dict[str, float] | None) -> bool:
        """Log and save an epoch, or save an interrupted epoch; return whether the run is over.

        Args:
            values: the result of `run_epoch`.
        """
        if values is None:
            self.run_checkpoints.save(self.state.fault())  # nothing, if there is a fault
            return False
        sums, fault = self.state.end_epoch(values, self.settings.monitored)
        epoch = self.progress.epoch
        self.optimizer_step.end_epoch(values)
        if distributed.is_main():
            if fault is None:
                self.evaluated_model.eval()
                with self.run_log.drawing(epoch):
                    self.draw(epoch, self.progress.step)
            row = self.run_log.epoch(values, sums, self.progress)
            with logged_errors("on_epoch failed after epoch %d: %s", epoch):
                self.on_epoch(row)
        with self._saving_after_errors():
            is_over = self._is_over()
        self.run_checkpoints.after_epoch(fault, is_over=is_over, stops=self._stop.poll())
        return is_over

    # A step.

    def make_step(self, chunks: Sequence[Chunk | None]) -> Sums:
        """Make an optimiser step by `step`; return its sums over all processes, with its learning
        rate and the norm of its gradient."""
        self.model.train()
        rate = self.optimizer_step.start(self.progress.step)
        with plain_layers(self.plain_layers):
            sums, norm = self.step(chunks)
        return replace(sums.all_reduced(), gradient_norm=norm, learning_rate=rate)

    def step(self, chunks: Sequence[Chunk | None]) -> tuple[Sums, float]:
        """Make an optimiser step; a subclass may override this.

        The network is in training mode, and its gradients are cleared. An override may call
        `add_gradients` several times, and clear the gradients in between. Lasting changes
        of weights come from `apply_gradients` (or `reduce`, `clip`, `update` of `optimizer_step`)
        and from optimisers passed to `keep`; an override undoes others, also after an error. It
        changes no weight if a loss or gradient is not finite. The processes wait for each other in
        these methods, so every process calls each method equally often. Outside `add_gradients`,
        all processes draw the same random numbers.

        Args:
            chunks: for each batch of the step, this process's rows, on the device; None if it has
                no row.

        Returns:
            the sums that `add_gradients` returned, and the norm of the gradient before clipping,
            NaN if the step is skipped.
        """
        with self.optimizer_step.noisy():
            sums, finite = self.add_gradients(chunks)
        return sums, self.apply_gradients(chunks) if finite else math.nan

    def add_gradients(
        self, chunks: Sequence[Chunk | None], *, counts: bool = True
    ) -> tuple[Sums, bool]:
        """Add the gradient of some chunks; see `OptimizerStep.add_gradients`."""
        return self.optimizer_step.add_gradients(chunks, counts=counts)

    def divisor(self, chunks: Sequence[Chunk | None]) -> int:
        """Return the divisor of the gradient of some chunks; see `OptimizerStep.divisor`."""
        return self.optimizer_step.divisor(chunks)

    def apply_gradients(self, chunks: Sequence[Chunk | None]) -> float:
        """Update the weights by the gradient of some chunks, and return its norm before clipping;
        see `OptimizerStep.apply_gradients`."""
        return self.optimizer_step.apply_gradients(chunks)

    def _forward(self, model: Any, batch: Batch, state: dict[str, Tensor] | None = None) -> Any:
        """Return what `forward_batch` returns in the run's precision."""
        works = f"a network that {self.task}"
        with self.autocast(), errors_as_config_fault("arch", model, works):
            return self.forward_batch(model, batch, state)

    def _count(
        self, sums: Sums, chunks: Sequence[Chunk | None], started: float, bar: "tqdm[Any]"
    ) -> None:
        """Count and log an optimiser step.

        Args:
            sums, chunks: what `make_step` returned, and what it took.
            started: when the step began, by `time.perf_counter`.
            bar: the epoch's progress bar.
        """
        for module in self.state.modules:  # A process has seen its rows alone, as with BatchNorm.
            distributed.broadcast_tensors(module.buffers())
        sums = replace(sums, seconds=time.perf_counter() - started)
        self.state.end_step(sums, chunks, self.stream.after(self.state.position))
        bar.update(self.progress.epoch_steps - bar.n)
        loss = f"{sums.loss_per_point:.3f}"
        bar.set_postfix({f"{self.loss.name}/point": loss}, refresh=False)
        if math.isfinite(sums.gradient_norm):
            self.run_log.step(sums, self.progress.step)

    def _report(self, cause: str) -> None:
        """Log once an epoch why a step is skipped; with `anomaly`, end the run instead."""
        cause = f"step {self.progress.step + 1}: {cause}"
        if self.settings.anomaly:
            raise self.run_checkpoints.failure(cause)
        if not self.state.sums.skipped:
            log.warning("%s, so that the step is skipped", cause)

    # A validation.

    @torch.no_grad()
    def validate(self) -> dict[str, float] | None:
        """Validate; return the values by name, or None if a signal or failure interrupts.

        Without a validation loader there are no values. The random generators stay as they were.
        """
        if self.valid_loader is None:
            return {}
        for metric in self.valid_metrics:
            metric.reset()
        bar = distributed.bar(self.valid_loader, "validating", unit="batch", leave=False, delay=1)
        batches = self._stop.interrupting(loaded(bar, self._stop.fail))
        on_device = (batch and batch.to(self.device, non_blocking=True) for batch in batches)
        with self.state.evaluating() as model:
            sums = self._evaluate(model, on_device, self.valid_metrics)
            if self._stop.immediate:
                return None
            values = values_of(self.loss, sums, self.valid_metrics)
            values |= as_floats(self.extra_metrics(values, sums), self)
        # Values over only some of the batches would be misleading.
        return dict.fromkeys(values, math.nan) if sums.skipped else values

    @torch.no_grad()
    def _evaluate(
        self,
        model: nn.Module,
        batches: Iterable[Batch | None],
        metrics: Sequence[BaseMetric] = (),
    ) -> Sums:
        """Return the sums over some batches and all processes, and add the batches to metrics.

        A batch without finite outputs is skipped. The random generators and the loss's state stay
        as they were; see `RunState.evaluating` for networks.

        Args:
            model: the network to evaluate.
            batches: this process's rows, on the device; None if it has no row.
            metrics: to update.
        """
        sums = Sums()
        with random_state_kept(), states_kept([self.loss]):
            for batch in batches:
                if batch is not None:
                    loss = math.nan
                    is_skipped = True
                    with suppress(NotFinite):
                        output, losses = self.optimizer_step.losses(model, batch)
                        loss = summed(losses)
                        is_skipped = False
                    sums.add(loss, len(batch), batch.points, is_skipped)
                    if not is_skipped:
                        update(metrics, output, batch)
                distributed.rows_done()
        return sums.all_reduced()

    # The saves of a run and its end.

    @contextmanager
    def _saving_after_errors(self) -> Iterator[None]:
        """A block in which an error of a user's code first saves the run as of its last step; with
        `anomaly`, the run ends at NaN."""
        try:
            yield
        except (OSError, TrainingFailed, distributed.Lost):
            raise
        except (Exception, SystemExit) as error:
            if self.settings.anomaly and "returned nan" in str(error):
                self._report(f"in the backward pass, {first_line(error)}")
            # Several processes would have to save together; only this process has the error.
            if distributed.world_size() == 1 and self.progress.step > 0:
                # The loss might fail again.
                self.run_checkpoints.save(self.state.fault(with_loss=False))
            raise

    def _all_skipped(self) -> TrainingFailed:
        """Save the run, of which too many steps in a row were skipped; return the error that ends
        it."""
        fault = self.state.fault()
        self.state.forget_skipped()
        self.run_checkpoints.save(fault)
        cause = "steps in a row had a loss or gradient that is not finite"
        return self.run_checkpoints.failure(f"{self.settings.max_skipped} {cause}")

    def _is_over(self) -> bool:
        """Return whether the run is complete, by the rule of the main process."""
        # Of the class: a property of this name fails here, and does not pass for the method.
        rule = type(self).is_complete
        return distributed.broadcast_object(lambda: bool(rule(self)))
