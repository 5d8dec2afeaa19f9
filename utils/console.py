"""Handling of interrupts, and of standard streams that cannot be written.

The scripts import this module first and slow modules after it. It imports only modules that Python
has already loaded at its start: even `signal` would load others first, for its enumerations.
"""

import _signal as signal
import io
import os
import sys

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Signals by which a terminal or a scheduler ends a process."""

_CONTROLS = {n: f"\\x{n:02x}" for n in (*range(9), *range(11, 32), *range(127, 160))}


class _Escaping(io.TextIOWrapper):
    """Standard output, on which untrusted names and texts cannot control a terminal."""

    def write(self, text: str) -> int:
        return super().write(text.translate(_CONTROLS))


class _Output(io.FileIO):
    """The raw stream beneath a standard stream: writing to it never fails.

    A run does not depend on its output. If the reader has gone, output is dropped silently; another
    failure of writing, such as a full disk, is reported once.
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
    """From here on, let one of `SIGNALS` end the process with one line, and printing never fail.

    Characters outside a stream's encoding, such as undecodable bytes of file names, are escaped.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, _end)
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # Without a stream of this number the next opened file would get it, and the output.
            # Opened read-only, so that the first write fails and is reported.
            os.open(os.devnull, mode)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name) or open(number, "w", closefd=False)  # noqa: SIM115
        output = io.BufferedWriter(_Output(number, "w", closefd=False))
        wrapper = _Escaping if name == "stdout" else io.TextIOWrapper
        by_line = stream.line_buffering or stream.write_through
        wrapped = wrapper(output, stream.encoding, "backslashreplace", line_buffering=by_line)
        setattr(sys, name, wrapped)


class Interruptible:
    """Inside, after `set_up`, one of `SIGNALS` raises KeyboardInterrupt with its number.

    In the middle of an import a KeyboardInterrupt can become another error; the block turns that
    back. A second signal ends the process at once.
    """

    def __enter__(self) -> None:
        self._received = 0
        self._handled = [number for number in SIGNALS if signal.getsignal(number) is _end]
        for number in self._handled:
            signal.signal(number, self._interrupt)

    def __exit__(self, error: object, *_: object) -> None:
        self._end_at_once()
        if self._received and error is not None:
            raise KeyboardInterrupt(self._received)

    def _interrupt(self, number: int, _frame: object) -> None:
        self._end_at_once()
        self._received = number
        raise KeyboardInterrupt(number)

    def _end_at_once(self) -> None:
        for number in self._handled:
            signal.signal(number, _end)


def status_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status after a signal, as a shell has it."""
    return 128 + next(iter(interrupt.args), signal.SIGINT)


def output_is_lost() -> bool:
    """Flush standard output; return whether any of it could not be written."""
    sys.stdout.flush()
    return sys.stdout.buffer.raw.failed


def _end(number: int, _frame: object) -> None:
    # Not by an exception, which in the middle of an import can become another error.
    _say("error: interrupted")
    os._exit(128 + number)


def _say(line: str) -> None:
    """Print a line to standard error, past a buffer that may be in use."""
    try:  # noqa: SIM105 (contextlib has other modules loaded)
        os.write(2, f"{line}\n".encode())
    except OSError:
        pass
