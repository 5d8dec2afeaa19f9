"""Handles signals, and standard streams that cannot be written."""

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from utils.checks import first_line, lacks_memory

_SIGNAL_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
SIGNALS = tuple(getattr(signal, name) for name in _SIGNAL_NAMES if hasattr(signal, name))
"""Signals by which a terminal or a scheduler ends a process."""
REPEATED_SECONDS = 1.0
"""Seconds after the first signal in which further signals are repetitions (assumed: a launcher such
as torchrun passes on the signals that the terminal has sent to all processes)."""


class _Raw(io.FileIO):
    """The raw stream beneath a standard stream. Writing never raises an OSError.

    If the reader of a pipe has ended, output is dropped silently; any other failure, such as a full
    disk, is reported once.
    """

    failed = False

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            pass
        except OSError as error:
            if not self.failed:
                say(f"warning: standard output could not be written ({error.strerror})")
            self.failed = True
        return len(data)


def set_up() -> None:
    """Let printing never fail, and Ctrl-C and a lack of memory end a process without a traceback:
    Ctrl-C outside `Signals`, a lack of memory with status 2, even where modules are imported.

    Characters that a stream's encoding lacks, such as undecodable bytes of file names, are escaped.
    """
    sys.excepthook = _report
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Standard input, output and errors.
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # Otherwise a file that is opened later gets this number, and the output goes into it.
            # For output the null device is opened read-only: the first write fails and is reported.
            os.open(os.devnull, mode)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name) or open(number, "w", closefd=False)  # noqa: SIM115
        output = io.BufferedWriter(_Raw(number, "w", closefd=False))
        by_line = stream.line_buffering or stream.write_through
        wrapped = io.TextIOWrapper(
            output, stream.encoding, "backslashreplace", line_buffering=by_line
        )
        setattr(sys, name, wrapped)


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report an error that ends the process, for `sys.excepthook`."""
    if lacks_memory(error):
        say(f"error: not enough memory: {first_line(error)}")
        sys.exit(2)
    sys.__excepthook__(kind, error, trace)


class Signals:
    """A block in which `receive` gets the number of the first signal of `SIGNALS`, and a second
    signal ends the process at once.

    Signals that are ignored, as SIGHUP is under `nohup`, stay ignored. An inner block has its own
    first signal.
    """

    def __init__(self, receive: Callable[[int], None]) -> None:
        self._receive = receive

    def __enter__(self) -> None:
        self._end = 0.0  # of the repetitions of the first signal; 0 before that signal
        self._previous = {}
        with suppress(ValueError):  # Outside the main thread no handlers can be set.
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: object) -> None:
        if not self._end:  # the first signal
            self._end = time.monotonic() + REPEATED_SECONDS
            self._receive(number)
        elif time.monotonic() > self._end:
            say("error: interrupted")
            os._exit(128 + number)


def interrupt(number: int) -> None:
    """Raise the KeyboardInterrupt of a signal, for `Signals`."""
    raise KeyboardInterrupt(number)


def status_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status after a signal, as shells report it."""
    number = next(iter(interrupt.args), signal.SIGINT)  # Python's own interrupt has no number
    return 128 + number


def output_is_lost() -> bool:
    """Flush standard output; return whether any of it could not be written."""
    sys.stdout.flush()
    raw = getattr(sys.stdout.buffer, "raw", None)
    return isinstance(raw, _Raw) and raw.failed


def say(line: str) -> None:
    """Print a line to standard error, without Python's buffer, which a signal may find in use."""
    with suppress(OSError):
        os.write(2, f"{line}\n".encode())
