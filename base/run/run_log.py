"""Writes the logs of a run: messages, a row of metrics for each epoch, TensorBoard's curves."""

import gc
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress

import torch

from base import distributed
from base.base_model import BaseModel
from base.run.checkpoint import checkpoints
from base.run.random_state import random_state_kept
from base.run.run_state import Progress
from base.run.stop_request import StopRequest
from base.run.training_parts import TrainingParts, TrainingSettings
from logger.logger import log_file
from logger.metrics_csv import MetricsTable
from logger.tensorboard import TensorBoardWriter
from utils.checks import described, first_line

log = logging.getLogger(__name__)

LOG_SECONDS = 60.0
"""Minimum seconds from one step in the log to the next (assumed)."""


class RunLog:
    """The logs of a run, which the main process writes into the run's folders.

    If TensorBoard's files cannot be written, the run is asked to stop.

    Attributes:
        events: the log that TensorBoard shows; exists only within `opened`.
    """

    events: TensorBoardWriter

    def __init__(self, parts: TrainingParts, settings: TrainingSettings, stop: StopRequest) -> None:
        self._config = parts.resolved_config
        self.settings, self._stop = settings, stop
        self.run, self.device, loss = parts.run, parts.device, parts.loss.name
        self._shown = [f"{loss}_per_point", f"valid_{loss}_per_point", settings.monitored[1]]
        self._logged = time.monotonic()

    @contextmanager
    def opened(self, progress: Progress, existed: bool) -> Iterator[None]:
        """A block in which the logs are open.

        Args:
            progress: the progress of the run; later entries are dropped or hidden.
            existed: whether the run existed before, and may have such entries.
        """
        with ExitStack() as stack:
            if distributed.is_main():
                stack.enter_context(log_file(self.run.models / "train.log"))
                self._table = MetricsTable(self.run.models / "metrics.csv", progress.epoch)
                log.info("weights and metrics: %s; TensorBoard: %s", self.run.models, self.run.log)
            step = progress.step if existed else None
            enabled = self.settings.tensorboard and distributed.is_main()
            self.events = TensorBoardWriter(self.run.log, enabled=enabled, step=step)
            with closing(self.events):
                self.events.config(self._config, progress.step)
                yield

    def started(
        self, model: BaseModel, names: Sequence[str], progress: Progress, *, is_new: bool
    ) -> None:
        """Log the names of an epoch's values, the best epoch so far, and a new run's network."""
        self.events.pairs(names, "epoch")
        self.best(progress)
        if is_new:
            # A network with the weights of a checkpoint was described when it was trained.
            name, weights = type(model).__name__, self.run.first_weights()
            summary = f"{name} from {weights}: {model.num_parameters:,} trainable parameters"
            log.info("%s", summary if weights else model)

    def finished(self, progress: Progress) -> None:
        """Log why a run is complete, and its best epoch."""
        epoch, best = progress.epoch, self.settings.describe_best(progress)
        reason = "all epochs are done" if epoch >= self.settings.epochs else "early stopping"
        log.info("finished after epoch %d: %s; %s", epoch, reason, best)

    def ended(self, error: BaseException | None, *, is_complete: bool, next_command: str) -> None:
        """Record in the run's folder how this start of the run ended.

        Args:
            error: the error that ended it; None for a stop between steps, or the end.
            is_complete: whether the run has all its epochs.
            next_command: the message of how it goes on, if there is a checkpoint.
        """
        state, reason = "stopped", "time_limit_minutes"
        if isinstance(error, Exception | SystemExit):
            state, reason = "failed", first_line(error)
        elif is_complete and error is None:
            state, reason = "finished", ""
        elif self._stop.signal or error is not None:
            reason = signal.Signals(self._stop.signal or signal.SIGINT).name
        if state != "finished" and checkpoints(self.run.models):
            log.info("%s", next_command)
        with suppress(OSError) if error else nullcontext():  # Only the first error is reported.
            self.run.end(state, reason)

    def best(self, progress: Progress) -> None:
        """Log the monitored value of the best epoch, if there is a best epoch."""
        if progress.best is not None:
            self.events.scalars({self._shown[-1]: progress.best}, progress.step, "best")

    def step(self, values: Mapping[str, float], step: int) -> None:
        """Log the values of an optimiser step, if a log is due for its next entry."""
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
        self,
        values: Mapping[str, float],
        progress: Progress,
        seconds: float,
        track: Callable[[dict[str, float]], None],
    ) -> None:
        """Log an epoch.

        Args:
            values: the epoch's values by name.
            progress: the progress at the end of the epoch.
            seconds: how long the epoch's steps took.
            track: receives the row of metrics.csv; an error in `track` does not end the run.
        """
        epoch, epochs, skipped = progress.epoch, self.settings.epochs, values["skipped_steps"]
        with self._stop.catch_os_errors():
            self.events.scalars(values, progress.step, "epoch")
            self.best(progress)
        row = {"epoch": epoch, "step": progress.step, **values}
        self._table.append(row)
        with logged_errors("on_epoch failed after epoch %d: %s", epoch):
            track(dict(row))
        words = [f"epoch {epoch:>{len(str(epochs))}}/{epochs}:"]
        shown = [name for name in dict.fromkeys(self._shown) if name in values]
        words += [f"{name} {values[name]:11.5g}" for name in shown] + [f"{seconds:7.1f} s"]
        words += ["best so far"] if progress.best_epoch == epoch else []
        words += [f"skipped_steps {skipped}"] if skipped else []
        log.info("%s", "  ".join(words))

    def draw(self, draw: Callable[[int, int], None], epoch: int, step: int) -> None:
        """Call `draw` for the pictures of an epoch; an error in `draw` does not end the run."""
        message = "the pictures of epoch %d could not be drawn: %s"
        with logged_errors(message, epoch), self._stop.catch_os_errors():
            draw(epoch, step)
        # A figure refers to itself, so its pixels stay until Python collects cycles.
        gc.collect()


@contextmanager
def logged_errors(message: str, epoch: int) -> Iterator[None]:
    """A block whose error is only logged, by a message with places for the epoch and the error, and
    whose random draws change nothing."""
    with random_state_kept():
        try:
            yield
        except (Exception, SystemExit) as error:
            log.error(message, epoch, described(error))
