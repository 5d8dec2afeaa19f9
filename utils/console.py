"""Handles interrupts, and standard streams that cannot be written.

The scripts import this module before all slow modules. This module imports only what Python has
loaded when a script starts, so `_signal`, and not `signal`, which loads `enum`.
"""

import _signal as signal
import io
import os
import sys

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Signals by which a terminal or a scheduler ends a process."""

_CONTROLS = {n: f"\\x{n:02x}" for n in (*range(9), *range(11, 32), *range(127, 160))}
_BAR_CONTROLS = {n: escape for n, escape in _CONTROLS.items() if chr(n) != "\r"}
_UP = "\x1b[A"
"""Moves the cursor up, as progress bars that stand below each other do."""


class _Output(io.TextIOWrapper):
    """Standard output. It escapes control characters, which untrusted texts may contain."""

    def write(self, text: str) -> int:
        return super().write(text.translate(_CONTROLS))


class _Errors(io.TextIOWrapper):
    """Standard error: as `_Output`, but progress bars may move the cursor."""

    def write(self, text: str) -> int:
        parts = text.split(_UP)
        return super().write(_UP.join(part.translate(_BAR_CONTROLS) for part in parts))


class _Raw(io.FileIO):
    """The raw stream beneath a standard stream. Writing never raises an OSError.

    If the reader of a pipe has ended, output is dropped silently; any other failure, such as a full
    disk, is reported once.
    """

    failed = False

    def write(self, data: memoryview) -> int | None:
        try:
            return super().write(data)
        except BrokenPipeError:
            pass
        except OSError as error:
            if not self.failed:
                _say(f"warning: standard output could not be written ({error.strerror})")
            self.failed = True
        return len(data)


def set_up() -> None:
    """Let each of `SIGNALS` end the process with one line, and make printing never fail.

    Characters that a stream's encoding lacks, such as undecodable bytes of file names, are escaped.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, _end)
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # Otherwise a file that is opened later gets this number, and the output goes into it.
            # The null device is opened read-only: the first write fails and is reported.
            os.open(os.devnull, mode)
    for number, name, wrapper in ((1, "stdout", _Output), (2, "stderr", _Errors)):
        stream = getattr(sys, name) or open(number, "w", closefd=False)  # noqa: SIM115
        output = io.BufferedWriter(_Raw(number, "w", closefd=False))
        by_line = stream.line_buffering or stream.write_through
        wrapped = wrapper(output, stream.encoding, "backslashreplace", line_buffering=by_line)
        setattr(sys, name, wrapped)


class Interruptible:
    """A block in which, after `set_up`, a signal of `SIGNALS` raises KeyboardInterrupt(number).

    If an import turns this KeyboardInterrupt into another error, the block raises it again. A
    second signal ends the process at once, and so does one in a finaliser, out of which Python lets
    no exception.
    """

    def __enter__(self) -> None:
        self._received = 0
        self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
        self._handled = [number for number in SIGNALS if signal.getsignal(number) is _end]
        for number in self._handled:
            signal.signal(number, self._interrupt)

    def __exit__(self, error: object, *_: object) -> None:
        sys.unraisablehook = self._hook
        self._end_at_once()
        if self._received and error is not None:
            raise KeyboardInterrupt(self._received)

    def _interrupt(self, number: int, _frame: object) -> None:
        self._end_at_once()
        self._received = number
        raise KeyboardInterrupt(number)

    def _unraisable(self, raised: "sys.UnraisableHookArgs") -> None:
        if isinstance(raised.exc_value, KeyboardInterrupt):
            _end(self._received, None)
        self._hook(raised)

    def _end_at_once(self) -> None:
        for number in self._handled:
            signal.signal(number, _end)


def status_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status after a signal, as shells report it."""
    return 128 + next(iter(interrupt.args), signal.SIGINT)


def output_is_lost() -> bool:
    """Flush standard output; return whether any of it could not be written."""
    sys.stdout.flush()
    return sys.stdout.buffer.raw.failed


def _end(number: int, _frame: object) -> None:
    # An import could turn an exception into another error, so none is raised here.
    _say("error: interrupted")
    os._exit(128 + number)


def _say(line: str) -> None:
    """Print a line to standard error, without Python's buffer, which may be in use."""
    try:  # noqa: SIM105 (contextlib would load further modules)
        os.write(2, f"{line}\n".encode())
    except OSError:
        pass
