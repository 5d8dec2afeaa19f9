"""Asking a run to end: Ctrl-C, SIGTERM, and a time limit, heeded between steps."""

import math
import os
import signal
import time
from contextlib import suppress

from base import distributed


class StopRequest:
    """Inside `with`, signals no longer end the process but are kept here.

    A signal to any process of a run is one to all, and the main process's clock is that of all.

    Attributes:
        signal: number of the first signal that `now` found, or None.

    Args:
        seconds: after which the run is to end.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, seconds: float = math.inf) -> None:
        self.signal: int | None = None
        self._received: int | None = None
        self._end = time.monotonic() + seconds

    def now(self) -> bool:
        """Return whether the run is to end, by a signal or the time limit.

        All processes call it together, and get the same answer.
        """
        over = distributed.is_main() and time.monotonic() >= self._end
        number, over = distributed.largest([self._received or 0, over])
        if self.signal is None and number:
            self.signal = number
        return self.signal is not None or over

    def __enter__(self) -> "StopRequest":
        self._before = []
        with suppress(ValueError):  # Outside the main thread: signals go elsewhere.
            for number in self.SIGNALS:
                self._before.append((number, signal.signal(number, self._receive)))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: object) -> None:
        message = "finishing the step and saving, please wait"
        if self._received is None:
            self._received = number
            message = f"{signal.Signals(number).name}: {message}"
        if not distributed.is_main():
            return
        # Not by print or logging, which the signal may have interrupted.
        with suppress(OSError):
            os.write(2, f"\n{message}\n".encode())
