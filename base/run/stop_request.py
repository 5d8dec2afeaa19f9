"""Requests a run to stop, by signals, a time limit or failures, which are checked between steps."""

import math
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from base import distributed
from utils.console import Signals, say

Item = TypeVar("Item")


class StopRequest:
    """Records signals, failures and the end of the time limit; `poll` reports them.

    Inside a `with` block, the first signal does not end the process, but a second one does. Every
    process takes over the signals and failures of all processes, and the clock of the main process,
    in `poll` and at the end of the block.

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
        self.requested = False
        self.immediate = False
        self._received = 0
        self._signals = Signals(self._receive)
        self._seconds = math.inf if minutes is None else 60 * minutes
        self._end = math.inf

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

    def interrupting(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items until a signal or a failure stops the run."""
        for item in items:
            self.poll()
            if self.immediate:
                return
            yield item

    def poll(self) -> bool:
        """Return whether the run should stop: after a signal, a failure or the time limit.

        All processes call this together, and get the same answer.
        """
        timed_out = distributed.is_main() and time.monotonic() >= self._end
        number, failed, is_over = distributed.all_reduce_max(
            [self._received, self.failure is not None, timed_out]
        )
        self.signal = self.signal or number or None
        self.immediate = self.signal is not None or bool(failed)
        self.requested = self.immediate or bool(is_over)
        return self.requested

    def raise_failure(self) -> None:
        """Raise the failure of this process, if there is one."""
        if self.failure is not None:
            raise self.failure

    def __enter__(self) -> "StopRequest":
        self._end = time.monotonic() + self._seconds
        self._signals.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # After an error, other processes may be elsewhere.
            self.poll()
        self._signals.__exit__()

    def _receive(self, number: int) -> None:
        self._received = number
        if distributed.is_main():
            name = signal.Signals(number).name
            say(f"\n{name}: finishing the step and saving, please wait; a second one ends at once")
