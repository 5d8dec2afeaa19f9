"""The training loop shared by all tasks: epochs, steps, validation."""

import copy
import logging
import math
import shlex
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from functools import partial
from typing import Annotated, Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from base import distributed
from base.base_data_loader import Batch
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric, as_floats, computed
from base.base_model import BaseModel
from base.batch_stream import BatchStream, Chunk, loaded
from base.checkpoint import checkpoints
from base.config import user_modules
from base.device import plain_layers
from base.dry_run import dry_run, trying
from base.not_finite import cause_of_gradient, cause_of_loss, watched
from base.optimizer_step import OptimizerStep
from base.random_state import random_state_kept
from base.run_log import RunLog
from base.run_state import Carried, Progress, RunState, Sums, ratio
from base.stop_request import StopRequest, TrainingFailed
from base.training_checkpoint import TrainingCheckpoint
from base.training_parts import TrainingParts, TrainingSettings
from utils.checks import ConfigFault, NotFinite, first_line

log = logging.getLogger(__name__)

Kept = TypeVar("Kept")


class BaseTrainer(ABC):
    """Trains a network; a subclass per task defines `forward_batch`.

    The gradient of a step is that of the loss summed over `accumulate` batches, divided once by
    the loss's divisor (sequences or points). A step whose loss or gradient is not finite is
    skipped: it changes no weight, and advances neither schedule nor average. A subclass may make
    its steps in another way: see `step`.

    Checkpoints are written between steps and contain all that the run depends on, so that a
    resumed run on a CPU gives the weights of an uninterrupted one bit for bit.

    With several processes (see `base.distributed`) each computes its rows of every batch. Except
    for the order of sums and the draws of dropout a run does not depend on the number of processes,
    and it can be resumed with any number. Only the main process writes, logs and draws.

    Args:
        parts: of the run.
        settings: as of `TrainingSettings`.
    """

    task: ClassVar[str] = "learns"
    """The networks' task, for messages: "a network that ..."."""
    use: ClassVar[str] = "evaluate"
    """The command of `experiments.py` for the networks, for the message at the end of a run."""
    losses: ClassVar[tuple[type[BaseLoss], ...]] = ()
    """The losses of the task, one for each `head` that the networks may have; empty for any."""
    output_type: ClassVar[type] = object
    """The type of the networks' output."""
    carries_state: ClassVar[bool] = False
    """Whether sequences may be cut into chunks: the networks' output has a `state`."""
    plain_layers: ClassVar[bool] = False
    """Whether steps use slower layers of torch operations alone: the compiled layers cannot be
    differentiated twice (`create_graph=True`), as for a penalty on a gradient."""

    def __init__(self, parts: TrainingParts, **settings: Annotated[Any, TrainingSettings]) -> None:
        self.settings = TrainingSettings(**settings)
        self.epochs, self.seed = self.settings.epochs, self.settings.seed
        self.model, self.loss, self.train_loader = parts.model, parts.loss, parts.train_loader
        self.valid_loader = parts.valid_loader or None  # a loader without a batch is false
        self.metrics = [metric for metric in parts.metrics if metric.in_training]
        self.valid_metrics = copy.deepcopy(list(parts.metrics))
        self.lr_scheduler = parts.lr_scheduler
        self.run, self.device, self.header = parts.run, parts.device, parts.checkpoint_header
        self.rebuild = parts.rebuild
        self.state = RunState(self.metrics)
        self._stop = StopRequest(self.settings.time_limit_minutes)
        self.optimizer_step = OptimizerStep(parts, self.settings)
        self.stream = BatchStream(parts, self.settings, self.state, self._stop)
        saved = (self.state, self.optimizer_step, self.stream)
        self.checkpoint = TrainingCheckpoint(parts, self.settings, *saved, self._last_loss)
        self.checkpoint.stateful |= {"loss": self.loss, "trainer": self}
        self.run_log = RunLog(parts, self.settings, self._stop)
        self._last_batches: list[Batch] | None = None  # or chunks, of the last step
        self._nonfinite: list[str] = []  # with `anomaly`: modules whose output was not finite
        self._is_trained = False

    # For a task to override.

    def check(self) -> None:
        """Raise a ConfigFault if settings do not fit the network, data or device. Writes nothing.

        `TrainingSettings.validate` and `incompatibilities` need no data, and are checked earlier,
        too.
        """
        truncate, expected = self.settings.truncate, ""
        if not self.carries_state:
            expected = f"null: {type(self).__name__} does not cut its sequences"
        elif distributed.world_size() > 1:
            expected = "null, as torchrun has started several processes: sequences are cut in one"
        if truncate is not None and expected:
            raise ConfigFault("trainer.args.truncate", truncate, expected)
        for fault in self.incompatibilities(self.model, self.loss, self.valid_metrics):
            raise fault
        for fault in self.settings.validate(self.lr_scheduler, self.logged_names):
            raise fault

    @abstractmethod
    def forward_batch(
        self, model: nn.Module, batch: Batch, state: dict[str, Tensor] | None = None
    ) -> Any:
        """Return the output of `model` for a batch, or for a chunk of its time steps.

        Args:
            model: the network to use.
            batch: on the device.
            state: carried over from the chunk before; None for the initial state.
        """

    def extra_metrics(self, values: dict[str, float], sums: Sums) -> dict[str, float]:
        """Return further values by name, computed from the values and sums of a validation."""
        return {}

    def dry_run(self, batch: Batch, output: Any) -> None:
        """Use `evaluated_model`, before the first epoch, for a moment as `draw` will.

        Args:
            batch, output: two samples, and the output of `forward_batch` for them.
        """

    def draw(self, epoch: int, step: int) -> None:
        """Draw pictures with `evaluated_model` after an epoch, into `run.log` and TensorBoard."""

    def state_dict(self) -> dict[str, Any]:
        """Return the task's state, which changes from step to step, as tensors and plain values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a state that `state_dict` returned."""

    def on_start(self) -> None:
        """Write further files into the run's folder, which exists from here on."""

    def on_epoch(self, row: dict[str, float]) -> None:
        """Take a row of `metrics.csv`, after each epoch; the main process calls it."""

    def on_end(self) -> None:
        """Log how to use the trained network, after all epochs; the main process calls it."""
        log.info("to use it: python experiments.py %s -r %s", self.use, self.resume_argument)

    @property
    def logged_names(self) -> list[str]:
        """The names of the values logged after each epoch, which `monitor` may name."""
        return logged_names(self.loss, self.valid_metrics, self.valid_loader is not None)

    @classmethod
    def incompatibilities(
        cls, model: BaseModel, loss: BaseLoss, metrics: Sequence[BaseMetric]
    ) -> Iterator[ConfigFault]:
        """Yield a fault for each of the network, loss and metrics that does not fit the others."""
        head, losses = getattr(model, "head", None), {loss.head: loss for loss in cls.losses}
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

    @property
    def resume_argument(self) -> str:
        """The run's folder, and the user's modules, as a command line has them."""
        return f"{shlex.quote(str(self.run.models))}{user_modules.options()}"

    @contextmanager
    def layers(self) -> Iterator[None]:
        """Inside, layers are plain if the class asks for that."""
        with plain_layers() if self.plain_layers else nullcontext():
            yield

    def autocast(self) -> torch.autocast:
        """Return a context in which products are of the run's precision."""
        name = self.settings.precision
        return torch.autocast(self.device.type, getattr(torch, name), enabled=name != "float32")

    @property
    def evaluated_model(self) -> nn.Module:
        """The network with the weights to evaluate with."""
        return self.optimizer_step.evaluated_model

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return self.state.progress

    def keep(self, name: str, part: Kept) -> Kept:
        """Keep a further part of a subclass, such as a second network, and return the part.

        The part is saved, resumed, and put back after the trial before a run. A network begins with
        the weights of the main process. An optimiser, in each of its steps, first sums its
        gradients over all processes, which have to call it together, also where one has no row of a
        batch; gradients that are not finite are dropped.

        Args:
            name: unique in the trainer.
            part: has `state_dict` and `load_state_dict`: a network, an optimiser, a queue.

        Raises:
            ConfigFault: if the name is taken.
        """
        if name in self.checkpoint.stateful:
            expected = f"one that keeps each part under a name of its own, not two as {name!r}"
            raise ConfigFault("trainer", type(self).__name__, expected)
        self.checkpoint.stateful[name] = part
        if isinstance(part, Optimizer):
            part.register_step_pre_hook(partial(self._complete_gradients, name))
        return part

    def train(self) -> int | None:
        """Train to the end, or until a signal or the time limit; then log how to go on.

        Returns:
            the number of the signal that stopped it, or None.

        Raises:
            ConfigFault: if settings do not fit, before anything is written.
            TrainingFailed: if too many steps in a row were not finite, if the trained network is
                not sound, or if a worker process was lost.
            OSError: if a file cannot be written. The last checkpoint is complete, and is of the
                last step if only TensorBoard's log or a picture could not be written.
        """
        self.check()
        dry_run(self)
        for part in (self.model, *self.checkpoint.stateful.values()):
            if isinstance(part, nn.Module):
                distributed.broadcast_tensors([*part.parameters(), *part.buffers()])
        with self._session():
            while not (self.is_complete or self._stop.requested):
                values = self.run_epoch()
                self.commit(values)
        return self._stop.signal

    @contextmanager
    def _session(self) -> Iterator[None]:
        """Inside, the run's folder and logs are open, and a Ctrl-C waits until all is saved."""
        # The stack outlives the signals' handlers: after an interrupt of `on_end`, too, the end is
        # recorded and the lock released.
        with ExitStack() as stack:
            if self.settings.anomaly:
                stack.enter_context(torch.autograd.set_detect_anomaly(True))
                self._nonfinite = stack.enter_context(watched(self.model))
            with self._stop:
                stack.enter_context(self.run_log.opened(self.checkpoint))
                stack.push(self._record_end)
                with closing(self.stream):
                    self._start()
                    yield
                    self._finish()
                self._stop.poll()
            if self._stop.failure is not None:
                raise self._stop.failure
            self._is_trained = self.is_complete
            if self.is_complete and distributed.is_main():
                with trying("trainer", self, "one whose on_end works"):
                    self.on_end()

    def _start(self) -> None:
        """Log the network; save a run that goes on in another folder."""
        self.run_log.events.pairs(self.logged_names, "epoch")
        self.run_log.best(self.progress)
        if distributed.is_main():
            with trying("trainer", self, "one whose on_start works"):
                self.on_start()
        if self.state.source is None:
            log.info("%s", self.model)
        elif self.state.source.parent.resolve() != self.run.models.resolve():
            # From here on the new run is resumed from itself.
            within_epoch = self.progress.epoch_steps > 0 or self.progress.epoch == 0
            self.checkpoint.save(None, within_epoch=within_epoch)

    def _finish(self) -> None:
        """Log why a run is complete, if it is, and keep its newest and its best checkpoint."""
        epoch = self.progress.epoch
        if self.is_complete:
            reason = "all epochs are done" if epoch >= self.epochs else "early stopping"
            best = self.settings.describe_best(self.progress)
            log.info("finished after epoch %d: %s; %s", epoch, reason, best)
            self.run.keep_last(self.settings.keep_last and 1)

    def _record_end(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Record how this start of the run ended, and log how it goes on."""
        if not distributed.is_main():
            return
        is_finished = self.is_complete and error is None
        if not is_finished and checkpoints(self.run.models):
            what = "finish" if self._is_trained else "resume"
            log.info("to %s: python train.py -r %s", what, self.resume_argument)
        state = "finished" if is_finished else "stopped"
        number, reason = self._stop.signal, "" if is_finished else "time_limit_minutes"
        if isinstance(error, Exception):
            state, reason = "failed", first_line(error)
        elif error is not None or (number and state == "stopped"):
            reason = signal.Signals(number or signal.SIGINT).name
        with suppress(OSError) if error else nullcontext():  # The first error is reported.
            self.run.end(state, reason)

    # The loop.

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done, or the last `early_stop` epochs brought no improvement."""
        now, patience = self.progress, self.settings.early_stop
        return now.epoch >= self.epochs or (patience is not None and now.not_improved >= patience)

    def run_epoch(self) -> dict[str, float] | None:
        """Make the remaining steps of an epoch, and validate.

        Returns:
            the epoch's values for the log, by name; None if a signal, a failure or the time limit
            interrupted the epoch.
        """
        if not self._train_epoch() or (validation := self.validate()) is None:
            return None
        sums = self.state.sums
        values = sums.losses(self.loss.name) | computed(self.metrics) | sums.rates()
        values |= {f"valid_{name}": value for name, value in validation.items()}
        return distributed.broadcast_object(lambda: values)

    def _train_epoch(self) -> bool:
        """Make the remaining steps of an epoch; return False if interrupted."""
        total = self.settings.steps_per_epoch
        if total is None and self.settings.truncate is None:
            total = math.ceil(len(self.train_loader) / self.settings.accumulate)
        with self.progress_bar(total) as bar:
            while not self._epoch_is_trained():
                before = self.progress.epoch_steps
                with self._saving_after_errors():
                    loss = self._train_step()
                bar.update(self.progress.epoch_steps - before)
                bar.set_postfix({f"{self.loss.name}/point": f"{loss:.3f}"}, refresh=False)
                if self._stop.poll():
                    return not self._stop.immediate and self._epoch_is_trained()
                due = distributed.broadcast_object(lambda: self.checkpoint.due)
                if due and not self._epoch_is_trained():
                    self._save_within_epoch()
        return True

    @contextmanager
    def _saving_after_errors(self) -> Iterator[None]:
        """Inside, an error of the user's code leaves a checkpoint of the state before the step."""
        try:
            yield
        except (OSError, TrainingFailed, distributed.Lost):
            raise
        except Exception:
            # Several processes would have to save together, and the others know of no error.
            if distributed.world_size() == 1 and self.progress.step > 0:
                reason = None if self.optimizer_step.are_finite() else "weights are not finite"
                self.checkpoint.save(reason, within_epoch=True)
            raise

    def progress_bar(self, total: int | None) -> "tqdm[Any]":
        """Return the epoch's progress bar; `total` is None if the number of steps is unknown."""
        return distributed.bar(
            what=f"epoch {self.progress.epoch + 1}/{self.epochs}",
            total=total,
            initial=self.progress.epoch_steps,
            unit="step",
            leave=False,
        )

    def _epoch_is_trained(self) -> bool:
        if self.settings.steps_per_epoch is not None:
            return self.progress.epoch_steps >= self.settings.steps_per_epoch
        return self.progress.data_pass > self.progress.epoch_pass

    def commit(self, values: dict[str, float] | None) -> None:
        """Judge, log and save an epoch, or save an interrupted one.

        Args:
            values: as `run_epoch` returned them.
        """
        if values is None:
            self._save_within_epoch()
            return
        # Before the epoch ends, as the last step tells whether the state is sound.
        epoch, reason = self.progress.epoch + 1, self.checkpoint.reason_not_to_save()
        judged = self.settings.judge(self.progress, values, sound=reason is None)
        sums, improved = self.state.end_epoch(values, judged), judged.best_epoch == epoch
        self.optimizer_step.end_epoch(values.get(self.settings.monitored[1]))
        if distributed.is_main():
            if reason is None:
                self.evaluated_model.eval()
                self.run_log.draw(self.draw, epoch, self.progress.step)
            row = values | {"skipped_steps": sums.skipped}
            self.run_log.epoch(row, self.progress, sums.seconds, self.on_epoch)
        # The best first: a run killed in between resumes before this epoch, and repeats it.
        if improved:
            self.checkpoint.save_best()
        if self.progress.step == 0:
            reason = reason or "every step was skipped"
        if self.is_complete and reason is not None:
            raise self._failure(f"the run ends after epoch {epoch}, but {reason}")
        stopped = self._stop.poll()
        if self.is_complete or stopped or epoch % self.settings.save_period == 0:
            self.checkpoint.save(reason)

    def _save_within_epoch(self) -> None:
        self.checkpoint.save(self.checkpoint.reason_not_to_save(), within_epoch=True)

    # A step.

    def _train_step(self) -> float:
        """Make an optimiser step, and return its loss per point.

        A step takes one batch, `accumulate` batches or, with truncation, the next chunk of each.
        """
        started, stream = time.perf_counter(), self.stream
        if not stream.load():  # A loader failed: the run ends.
            return math.nan
        self.model.train()
        self.optimizer_step.start(self.progress.step)
        chunks, rate = stream.chunks(), self.optimizer_step.learning_rate
        with self.layers():
            sums, norm = self.step(chunks)
        sums = sums.all_reduced()
        if math.isfinite(norm):
            self._last_batches = [chunk.batch for chunk in chunks if chunk is not None]
        stream.advance()
        self._count(sums, norm, rate, time.perf_counter() - started)
        return sums.loss_per_point

    def step(self, chunks: Sequence[Chunk | None]) -> tuple[Sums, float]:
        """Make an optimiser step; a subclass may make it in another way.

        The network is in training mode, and its gradients are cleared. An override may call
        `add_gradients` several times, with gradients cleared in between, and owes: to change
        weights by `apply_gradients` (or `reduce`, `clip` and `update` of `optimizer_step`) and by
        optimisers that it `keep`s alone, or else to restore them, also after an error; to change
        no weight if a loss or gradient is not finite; to call, in all processes, these methods and
        optimisers equally often, as they wait for each other; to draw outside `add_gradients` only
        numbers that all processes may have in common.

        Args:
            chunks: this process's rows of each batch of the step, on the device; None where it has
                no rows.

        Returns:
            the sums of `add_gradients`, and the norm of the gradient before clipping, NaN if the
            step is skipped.
        """
        with self.optimizer_step.noisy():
            sums, finite = self.add_gradients(chunks)
        return sums, self.apply_gradients(chunks) if finite else math.nan

    def add_gradients(
        self, chunks: Sequence[Chunk | None], *, counts: bool = True
    ) -> tuple[Sums, bool]:
        """Add the gradient of the summed loss of some chunks.

        `forward_batch` computes an output for each chunk, the loss a value for each sequence.
        Random draws depend on the place in the data alone.

        Args:
            chunks: as `step` takes them.
            counts: whether metrics count the outputs, and the states are carried on; False for a
                further pass over the same chunks.

        Returns:
            the sums of this process, and whether the losses of all processes are finite.
        """
        sums, finite, now = Sums(), True, self.progress
        place = now.data_pass, now.batch, now.chunk
        with distributed.own_randomness(self.device, self.seed, *place):
            for number, chunk in enumerate(chunks):
                loss = 0.0  # in a process without a row of this batch
                if chunk is not None:
                    output, losses, loss = self._forward(self.model, chunk.batch, chunk.state)
                    if finite and (self._nonfinite or not math.isfinite(loss)):
                        cause = cause_of_loss(self.model, self._forward, chunk)
                        self._report(f"{[*self._nonfinite, cause][0]} is not finite")
                    if counts and chunk.goes_on is not None:
                        self.stream.carry(number, chunk.goes_on, output.state)
                # A loss that is not finite in one process is dropped in all.
                (dropped,) = distributed.all_reduce_max([not math.isfinite(loss)])
                finite = finite and not dropped
                if chunk is not None and not dropped:
                    self._backward(losses.sum())
                    sums.add(loss, chunk.sequences, chunk.batch.points)
                    for metric in self.metrics if counts else ():
                        with torch.no_grad():
                            metric.update(output, chunk.batch)
        return sums, finite

    def apply_gradients(self, chunks: Sequence[Chunk | None]) -> float:
        """Update the weights by the gradient of some chunks; return its norm before clipping.

        A gradient that is not finite changes nothing.
        """
        self.optimizer_step.reduce(self.divisor(chunks))
        norm = self.optimizer_step.clip()
        if math.isfinite(norm):
            self.optimizer_step.update()
        else:
            self._report(f"{cause_of_gradient(self.model)} is not finite")
        return norm

    def divisor(self, chunks: Sequence[Chunk | None]) -> int:
        """Return the loss's divisor of a gradient summed over some chunks of all processes."""
        divisors = [self.loss.divisor(chunk.batch) for chunk in chunks if chunk is not None]
        (divisor,) = distributed.all_reduce_sum([sum(divisors)])
        return divisor

    def _complete_gradients(self, name: str, optimizer: Optimizer, *_: object) -> None:
        """Sum a kept optimiser's gradients over all processes, before the optimiser steps."""
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        distributed.all_reduce_gradients(weights)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if not math.isfinite(nn.utils.get_total_norm(gradients)):
            optimizer.zero_grad(set_to_none=True)  # A weight without a gradient stays as it is.
            self._report(f"the gradient of {name} is not finite")

    def _backward(self, loss: Tensor) -> None:
        """Add the gradient of a summed loss; with `anomaly`, torch names what is not finite."""
        try:
            loss.backward()
        except RuntimeError as error:
            if self.settings.anomaly and "returned nan" in str(error):
                self._report(f"in the backward pass, {first_line(error)}")
            raise

    def _report(self, why: str) -> None:
        """Say, once an epoch, why a step is left out; with `anomaly`, end the run there."""
        why = f"step {self.progress.step + 1}: {why}"
        if self.settings.anomaly:
            raise self._failure(why)
        if not self.state.sums.skipped:
            log.warning("%s, so that the step is left out", why)

    def _count(self, sums: Sums, norm: float, rate: float, seconds: float) -> None:
        """Count and log a step (`RunState.count`); end the run if too many in a row are skipped."""
        self.state.count(sums, norm, rate, seconds)
        if self.progress.skipped_in_row >= self.settings.max_skipped:
            reason = self.checkpoint.reason_not_to_save()
            self.state.forget_skipped()
            self.checkpoint.save(reason, within_epoch=True)
            what = "steps in a row had a loss or gradient that is not finite"
            raise self._failure(f"{self.settings.max_skipped} {what}")
        if math.isfinite(norm):
            curves = {f"{self.loss.name}_per_point": sums.loss_per_point, "gradient_norm": norm}
            curves |= {"learning_rate": rate, "points_per_second": ratio(sums.points, seconds)}
            self.run_log.step(curves, self.progress.step)

    def _forward(
        self, model: nn.Module, batch: Batch, state: Carried | None = None
    ) -> tuple[Any, Tensor, float]:
        """Return a network's output for a batch, the losses of the sequences, `(batch,)`, and the
        sum of these."""
        with self.autocast():
            output = self.forward_batch(model, batch, state)
        losses = self.loss(output, batch)
        return output, losses, losses.detach().cpu().double().sum().item()

    def _failure(self, what: str) -> TrainingFailed:
        """Return the error with which a diverged run ends."""
        advice = "A smaller learning rate, clip_norm, or float32 may help"
        return TrainingFailed(f"{what}; {self.checkpoint.last_sound()}. {advice}")

    @torch.no_grad()
    def validate(self) -> dict[str, float] | None:
        """Validate; return the values by name, or None if a signal or failure interrupted it.

        The random generators stay as they were.
        """
        if self.valid_loader is None:
            return {}
        sums, model = Sums(), self.evaluated_model.eval()
        for metric in self.valid_metrics:
            metric.reset()
        with self._evaluating():
            batches = distributed.bar(
                self.valid_loader, "validating", unit="batch", leave=False, delay=1
            )
            for batch in loaded(batches, self._stop):
                self._stop.poll()
                if self._stop.immediate:
                    return None
                if batch is None:
                    continue
                batch = batch.to(self.device, non_blocking=True)
                output, loss = self._evaluated(model, batch)
                sums.add(loss, len(batch), batch.points, skipped=output is None)
                for metric in self.valid_metrics if output is not None else ():
                    metric.update(output, batch)
        sums = sums.all_reduced()
        values = sums.losses(self.loss.name) | computed(self.valid_metrics)
        values |= as_floats(self.extra_metrics(values, sums), self)
        # Values of a part of the split would be misleading.
        return dict.fromkeys(values, math.nan) if sums.skipped else values

    @torch.no_grad()
    def _last_loss(self) -> float | None:
        """Return the loss per point of the present weights on the batches of the last step."""
        if self._last_batches is None:
            return None
        sums = Sums()
        self.model.eval()
        with self._evaluating():
            for batch in self._last_batches:
                sums.add(self._evaluated(self.model, batch)[1], len(batch), batch.points)
        return sums.all_reduced().loss_per_point

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Inside, nothing changes the random generators, nor a loss that warms up."""
        state = copy.deepcopy(self.loss.state_dict())
        with random_state_kept():
            yield
        self.loss.load_state_dict(state)

    def _evaluated(self, model: nn.Module, batch: Batch) -> tuple[Any, float]:
        """Return the output for a batch, and the sum of its losses; None and NaN if not finite."""
        try:
            output, _, loss = self._forward(model, batch)
        except NotFinite:
            return None, math.nan
        return output, loss


def logged_names(loss: BaseLoss, metrics: Sequence[BaseMetric], validates: bool) -> list[str]:
    """Return the names of the values logged after each epoch.

    Args:
        loss, metrics: may be of a user's classes.
        validates: whether there is a validation.

    Raises:
        ConfigFault: if a name of the loss or of a metric is missing, or stands for two values.
    """
    rates = [*Sums().rates()]
    reserved = {"epoch", "step", "skipped_steps", *rates}  # further columns of metrics.csv
    training: list[str] = []
    validation: list[str] = []
    keys = ["loss", *(f"metrics.{number}" for number in range(len(metrics)))]
    for key, part in zip(keys, [loss, *metrics], strict=True):
        with trying(key, part, "one with a name"):
            names = [*Sums().losses(loss.name)] if part is loss else [*part.names]
            for name in names:
                is_name = isinstance(name, str) and name.isidentifier()
                if not is_name or name in {*reserved, *validation}:
                    expected = (
                        "one whose values have names of letters, digits and _ that no others "
                        f"have, not {name!r}"
                    )
                    raise ConfigFault(key, type(part).__name__, expected)
            validation += names
            training += names if part is loss or part.in_training else []
    return [*training, *rates, *(f"valid_{name}" for name in validation if validates)]
