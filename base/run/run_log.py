"""Opens and closes a run's folder; logs messages, a row of metrics an epoch, and curves."""

import gc
import logging
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress

import torch

from base import distributed
from base.run.checkpoint import checkpoints
from base.run.run_state import Progress, RunState, Sums, random_state_kept, ratio
from base.run.stop_request import StopRequest
from base.run.training_parts import TrainingParts, TrainingSettings, logged_names
from logger.logger import log_file
from logger.metrics_csv import VALID, MetricsTable
from logger.tensorboard import TensorBoardWriter
from utils.checks import described, first_line
from utils.program import typed

log = logging.getLogger(__name__)

LOG_SECONDS = 60.0
"""Minimum seconds from one step in the log to the next (assumed)."""


class RunLog:
    """The logs of a run, which the main process writes into the run's folders.

    If TensorBoard's files cannot be written, the run is asked to stop.

    Attributes:
        events: the log that TensorBoard shows; exists only within `session`.
    """

    events: TensorBoardWriter

    def __init__(self, parts: TrainingParts, settings: TrainingSettings, stop: StopRequest) -> None:
        self._parts = parts
        self.settings = settings
        self._stop = stop
        self.run = parts.run
        self.device = parts.device
        loss = parts.loss.name
        self._shown = [f"{loss}_per_point", f"{VALID}{loss}_per_point", settings.monitored[1]]
        self._logged = time.monotonic()
        self._is_finished = False  # Whether `finished` was called in this session.

    @contextmanager
    def session(self, state: RunState) -> Iterator[None]:
        """A block, a launch or a resume, in which the run is locked and its logs are open.

        Its end is recorded in the run's folder; if the run can go on, the log says how.

        Args:
            state: the state of the run; later entries of the logs are dropped or hidden.

        Raises:
            RunInUse, RunExists: see `RunFolder.create`.
        """
        progress = state.progress
        with ExitStack() as stack:
            stack.callback(self.run.release)
            if distributed.is_main():
                source, device = state.resumed_from, self.device
                record, seed = self._parts.record, self.settings.seed
                self.run.create(record, seed, resumed_from=source, device=device)
                stack.enter_context(log_file(self.run.models / "train.log"))
                self._table = MetricsTable(self.run.models / "metrics.csv", progress.epoch)
                log.info("weights and metrics: %s; TensorBoard: %s", self.run.models, self.run.log)
            step = progress.step if self.run.existed else None
            enabled = self.settings.tensorboard and distributed.is_main()
            self.events = stack.enter_context(
                closing(TensorBoardWriter(self.run.log, enabled=enabled, step=step))
            )
            self.events.config(self._parts.record.resolved_config, progress.step)
            try:
                yield
            except BaseException as error:
                self._record_end(error)
                raise
            self._record_end(None)

    def started(self, state: RunState, precision: str) -> None:
        """Pair the training and validation curves in TensorBoard; log an automatic precision, the
        best epoch so far, and a new run's network."""
        if self.settings.precision == "auto":
            has = "has no" if precision == "float32" else "has"
            reason = f"as the processor {has} instructions for bfloat16"
            log.info("matrix products are of %s, %s", precision, reason)
        parts = self._parts
        names = logged_names(parts.loss, parts.metrics, bool(parts.valid_loader))
        self.events.pairs(names, "epoch")
        self.best(state.progress)
        if state.resumed_from is None:
            # Weights from a checkpoint: one summary line instead of the whole network.
            model = parts.model
            weights = self.run.first_weights()
            name = type(model).__name__
            summary = f"{name} from {weights}: {model.num_parameters:,} trainable parameters"
            log.info("%s", summary if weights else model)

    def finished(self, progress: Progress) -> None:
        """Log why a run is complete, and its best epoch; remember that it is complete."""
        epoch = progress.epoch
        best = self.settings.describe_best(progress)
        reason = "all epochs are done" if epoch >= self.settings.epochs else "early stopping"
        log.info("finished after epoch %d: %s; %s", epoch, reason, best)
        self._is_finished = True

    def _record_end(self, error: BaseException | None) -> None:
        """Record in the run's folder how this session ended, and log how the run goes on.

        Args:
            error: the error that ended the session; None if the run finished, or was stopped
                cleanly between two steps.
        """
        if not distributed.is_main():
            return
        state, reason = "stopped", "time_limit_minutes"
        if isinstance(error, Exception | SystemExit):
            state, reason = "failed", first_line(error)
        elif self._is_finished and error is None:
            state, reason = "finished", ""
        elif self._stop.signal or error is not None:
            reason = signal.Signals(self._stop.signal or signal.SIGINT).name
        if state != "finished" and checkpoints(self.run.models):
            verb = "finish" if self._is_finished and self._stop.failure is None else "resume"
            log.info("to %s: %s -r %s", verb, typed("train"), self.run.argument)
        with suppress(OSError) if error else nullcontext():  # Only the first error is reported.
            self.run.end(state, reason)

    def best(self, progress: Progress) -> None:
        """Log the monitored value of the best epoch, if there is a best epoch."""
        if progress.best is not None:
            self.events.scalars({self._shown[-1]: progress.best}, progress.step, "best")

    def step(self, sums: Sums, step: int) -> None:
        """Log the values of an optimiser step, if a log is due for its next entry.

        Args:
            sums: the sums of the step, with the norm of its gradient, its rate and its duration.
            step: the number of steps in the run.
        """
        values = {f"{self._parts.loss.name}_per_point": sums.loss_per_point}
        values |= {"gradient_norm": sums.gradient_norm, "learning_rate": sums.learning_rate}
        values |= {"points_per_second": ratio(sums.points, sums.seconds)}
        if time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            log.info("step %d: %s", step, "  ".join(f"{k} {values[k]:.5g}" for k in values))
        is_due = self.settings.tensorboard and step % self.settings.log_steps == 0
        if is_due and distributed.is_main():
            memory = {}
            if self.device.type == "cuda":
                memory["gpu_gibibytes"] = torch.cuda.max_memory_allocated(self.device) / 2**30
            with self._stop.catch_os_errors():
                self.events.scalars({**values, **memory}, step, "step")

    def epoch(
        self, values: Mapping[str, float], sums: Sums, progress: Progress
    ) -> dict[str, float]:
        """Log an epoch; return its row of metrics.csv.

        Args:
            values, sums: the epoch's values by name, and its sums.
            progress: the progress at the end of the epoch.
        """
        epoch, epochs = progress.epoch, self.settings.epochs
        values = {**values, "skipped_steps": sums.skipped}
        with self._stop.catch_os_errors():
            self.events.scalars(values, progress.step, "epoch")
            self.best(progress)
        row = {"epoch": epoch, "step": progress.step, **values}
        self._table.append(row)
        words = [f"epoch {epoch:>{len(str(epochs))}}/{epochs}:"]
        shown = [name for name in dict.fromkeys(self._shown) if name in values]
        words += [f"{name} {values[name]:11.5g}" for name in shown] + [f"{sums.seconds:7.1f} s"]
        words += ["best so far"] if progress.best_epoch == epoch else []
        words += [f"skipped_steps {sums.skipped}"] if sums.skipped else []
        log.info("%s", "  ".join(words))
        return dict(row)

    @contextmanager
    def drawing(self, epoch: int) -> Iterator[None]:
        """A block that draws the pictures of an epoch; its errors do not end the run, but that of a
        file stops it."""
        message = "the pictures of epoch %d could not be drawn: %s"
        with frozen_objects():
            with logged_errors(message, epoch), self._stop.catch_os_errors():
                yield
            # A figure refers to itself, so its pixels stay until Python collects cycles.
            gc.collect()


@contextmanager
def frozen_objects() -> Iterator[None]:
    """A block in which a collection of garbage looks only at what the block has made: with all
    modules and data it would take 0.4 s, longer than an epoch of a small run (measured)."""
    if gc.get_freeze_count():  # Whoever froze objects wants these to stay so.
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def logged_errors(message: str, epoch: int) -> Iterator[None]:
    """A block whose error is only logged, by a message with places for the epoch and the error, and
    whose random draws change nothing."""
    with random_state_kept():
        try:
            yield
        except (Exception, SystemExit) as error:
            log.error(message, epoch, described(error))
