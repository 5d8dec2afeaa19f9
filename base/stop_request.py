"""Requests to stop a run: signals, a time limit and failures, which are checked between steps."""

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from base import distributed
from utils.console import SIGNALS


class TrainingFailed(Exception):
    """The run cannot continue."""


class StopRequest:
    """Records signals, failures and the end of the time limit; `poll` reports them.

    Inside a `with` block, signals do not end the process; under `nohup`, SIGHUP (a lost connection)
    stays ignored. Every process takes over the signals and failures of all processes, and the clock
    of the main process.

    Attributes:
        signal: the number of the first signal that `poll` has reported; None without a signal.
        failure: the first error of this process after which the run can be saved but not continue;
            None without an error.
        requested: the last result of `poll`.
        immediate: whether `poll` has reported a signal or a failure. These also interrupt a
            validation.

    Args:
        minutes: the time limit, counted from the start of the `with` block; None for no limit.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.signal: int | None = None
        self.failure: Exception | None = None
        self.requested = self.immediate = False
        self._received = 0
        self._seconds, self._end = math.inf if minutes is None else 60 * minutes, math.inf

    def fail(self, error: Exception) -> None:
        """Ask the run to save and end because of `error`."""
        self.failure = self.failure or error

    @contextmanager
    def catch_os_errors(self) -> Iterator[None]:
        """A block that an OSError ends with a request to stop; saving must not need the block."""
        try:
            yield
        except OSError as error:
            self.fail(error)

    def poll(self) -> bool:
        """Return whether the run should stop: after a signal, a failure or the time limit.

        All processes call this together, and get the same answer.
        """
        timed_out = distributed.is_main() and time.monotonic() >= self._end
        number, failed, timed_out = distributed.all_reduce_max(
            [self._received, self.failure is not None, timed_out]
        )
        self.signal = self.signal or number or None
        self.immediate = self.signal is not None or bool(failed)
        self.requested = self.immediate or bool(timed_out)
        return self.requested

    def __enter__(self) -> "StopRequest":
        self._end = time.monotonic() + self._seconds
        self._former_handlers = []
        with suppress(ValueError):  # Outside the main thread no handlers can be set.
            for number in SIGNALS:
                ignored = signal.getsignal(number) is signal.SIG_IGN
                if not (ignored and signal.Signals(number).name == "SIGHUP"):
                    self._former_handlers.append((number, signal.signal(number, self._receive)))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former_handlers:
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: object) -> None:
        message = "finishing the step and saving, please wait"
        if not self._received:
            self._received = number
            message = f"{signal.Signals(number).name}: {message}"
        if not distributed.is_main():
            return
        # The signal may have interrupted print or logging, so neither may be called here.
        with suppress(OSError):
            os.write(2, f"\n{message}\n".encode())
