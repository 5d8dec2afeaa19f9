"""Requests to stop: signals, a time limit and failures, checked between steps."""

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from base import distributed
from utils.console import SIGNALS


class TrainingFailed(Exception):
    """A run that cannot continue; the message names the last good weights."""


class StopRequest:
    """Inside `with`, records signals instead of letting them end the process, and runs the clock.

    A signal to any process of a run counts for all, and so does a failure; the main process's
    clock counts for all. SIGHUP, of a lost connection, stays ignored under `nohup`.

    Attributes:
        signal: number of the first signal, as of the last `poll`, or None.
        failure: the first error of this process that keeps the run from continuing, but not from
            being saved; None without an error.
        requested: the last result of `poll`.
        immediate: whether `poll` met a signal or a failure, which interrupt a validation as well.

    Args:
        minutes: time limit; None for none.
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
        """Turn an OSError inside into a request to stop; nothing inside is needed for saving."""
        try:
            yield
        except OSError as error:
            self.fail(error)

    def poll(self) -> bool:
        """Return whether the run should stop: after a signal, a failure or the time limit.

        All processes call it together, and get the same answer.
        """
        over = distributed.is_main() and time.monotonic() >= self._end
        number, failed, over = distributed.all_reduce_max(
            [self._received, self.failure is not None, over]
        )
        self.signal = self.signal or number or None
        self.immediate = self.signal is not None or bool(failed)
        self.requested = self.immediate or bool(over)
        return self.requested

    def __enter__(self) -> "StopRequest":
        self._end = time.monotonic() + self._seconds
        self._before = []
        with suppress(ValueError):  # Outside the main thread no handlers can be set.
            for number in SIGNALS:
                ignored = signal.getsignal(number) is signal.SIG_IGN
                if not (ignored and signal.Signals(number).name == "SIGHUP"):
                    self._before.append((number, signal.signal(number, self._receive)))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: object) -> None:
        message = "finishing the step and saving, please wait"
        if not self._received:
            self._received = number
            message = f"{signal.Signals(number).name}: {message}"
        if not distributed.is_main():
            return
        # The signal may have interrupted print or logging, which cannot be called again then.
        with suppress(OSError):
            os.write(2, f"\n{message}\n".encode())
