"""What a run logs: messages, a row of metrics for each epoch, TensorBoard's curves, a profile."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from base import distributed
from base.run_folder import RunFolder
from base.step_profiler import StepProfiler
from base.stop_request import StopRequest
from base.training_checkpoint import TrainingCheckpoint
from logger.logger import add_log_file, remove_log_file
from logger.metrics_csv import MetricsTable
from logger.tensorboard import TensorBoardWriter

log = logging.getLogger(__name__)


class RunLog:
    """The logs of a run, which the main process writes into the run's folder.

    If TensorBoard's files cannot be written, a stop of the run is requested.

    Attributes:
        events: the log that TensorBoard shows; only while `opened`.
        profiler: of the steps; only while `opened`.

    Args:
        run: the folder.
        device: of the network.
        stop: the request to stop.
        tensorboard: whether to write TensorBoard's log.
        profile: whether to write a trace of a few of the first steps.
        log_steps: optimiser steps from one point of TensorBoard's curves to the next.
    """

    events: TensorBoardWriter
    profiler: StepProfiler

    def __init__(
        self,
        run: RunFolder,
        device: torch.device,
        stop: StopRequest,
        *,
        tensorboard: bool,
        profile: bool,
        log_steps: int,
    ) -> None:
        self.run, self.device, self.log_steps = run, device, log_steps
        self._stop, self._tensorboard, self._profile = stop, tensorboard, profile
        self._sizes: dict[str, int] = {}

    @contextmanager
    def opened(
        self, checkpoint: TrainingCheckpoint, seed: int, weights_from: Path | None = None
    ) -> Iterator[None]:
        """Create the run's folder and open the logs; what is later than `checkpoint` is cut off."""
        is_main, progress = distributed.is_main(), checkpoint.state.progress
        with ExitStack() as stack:
            begun = False
            if is_main:
                stack.callback(self.run.release)
                config, source = checkpoint.header.get("config", {}), checkpoint.source
                begun = self.run.create(
                    config,
                    seed,
                    resumed_from=source,
                    weights_from=weights_from,
                    device=self.device,
                )
                stack.callback(remove_log_file, add_log_file(self.run.log_file))
            sizes = self._sizes = checkpoint.begin()
            if is_main:
                self._table = MetricsTable(self.run.metrics_file)
                self._table.take_back(progress.epoch)
                log.info("weights and metrics: %s; TensorBoard: %s", self.run.models, self.run.log)
            self.profiler = StepProfiler(
                self.run.log, self.device, enabled=self._profile and is_main
            )
            self.events = TensorBoardWriter(
                self.run.log,
                enabled=self._tensorboard and is_main,
                sizes=sizes if begun else None,
                step=progress.step,
            )
            try:
                yield
            except BaseException:
                with suppress(OSError):
                    self.events.close()
                raise
            self.events.close()

    def step(self, values: Mapping[str, float], step: int) -> None:
        """Log the values of an optimiser step, if it is the turn of that one."""
        if step % self.log_steps == 0:
            with self._stop.catch_os_errors():
                self.events.scalars(values, step, "step")

    def epoch(self, values: Mapping[str, float], epoch: int, step: int) -> None:
        """Log the values of an epoch, which ended with `step`."""
        with self._stop.catch_os_errors():
            self.events.scalars(values, step, "epoch")
        self._table.append({"epoch": epoch, "step": step, **values})

    def hyperparameters(self, config: Any) -> None:
        """Log the settings of a finished run."""
        with self._stop.catch_os_errors():
            self.events.hyperparameters(config)

    def event_sizes(self) -> dict[str, int]:
        """Return the sizes of TensorBoard's files, the last known ones if it cannot write."""
        with self._stop.catch_os_errors():
            self._sizes = self.events.sizes()
        return self._sizes
