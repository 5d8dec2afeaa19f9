"""Child processes that parse: started when they are needed, used one after the other, ended."""

import atexit
import os
import pickle
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from typing import Any

from ink.formats.archives import NoBar
from ink.guard.messages import OUT_OF_MEMORY, Kind, Limits, received, send
from ink.sample import Fault
from utils.checks import UserError
from utils.program import process_of

CRASHES = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")
"""Signals that end the process of a faulty parser."""


class Child:
    """A child process, which one caller uses at a time."""

    def __init__(self) -> None:
        words, environment = process_of("ink.guard")
        small = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        # Ctrl-C in a terminal is for the parent alone, which may have to finish something.
        group = {"process_group": 0} if os.name == "posix" else {}
        try:
            self._process = subprocess.Popen(
                words,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment | small,
                **group,
            )
        except OSError as error:
            problem = error.strerror or str(error)
            raise UserError(f"no process can be started to parse files ({problem})") from None
        self._is_reusable = True

    @property
    def is_usable(self) -> bool:
        """Whether the process waits for a request."""
        return self._is_reusable and self._process.poll() is None

    def answers(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        limits: Limits,
        bar: Callable[..., Any],
    ) -> Iterator[Any]:
        """Yield the results of a function; raise its error, or a Fault if the process ends or
        exceeds a limit."""
        self._is_reusable = False  # until the last result is read
        with suppress(BrokenPipeError):  # `_answer` raises the cause.
            send(self._process.stdin, (_working_folder(), limits, function, arguments))
        with ExitStack() as stack:
            shown = NoBar()
            while True:
                kind, value = self._answer(limits)
                if kind == Kind.VALUE:
                    yield value
                elif kind == Kind.BAR:
                    stack.close()
                    description, options = value
                    shown = stack.enter_context(bar(None, description, **options))
                elif kind == Kind.STEPS:
                    shown.update(value)
                elif kind == Kind.END:
                    # The memory of a process that had much may be fragmented (fraction assumed).
                    self._is_reusable = value <= limits.max_bytes / 4
                    return
                else:
                    self._is_reusable = True
                    raise value

    def _answer(self, limits: Limits) -> tuple[int, Any]:
        is_late = False
        try:
            with _watched(self._process, limits.wall_seconds) as stream:
                return pickle.loads(received(stream))
        except TimeoutError:
            is_late = True
        except EOFError:
            pass
        self.end()
        status = self._process.returncode
        # A process that a signal ended has the negative number as its status.
        name = {-number: number.name for number in signal.Signals}.get(status)
        if is_late:
            raise Fault(f"takes more than {limits.wall_seconds} s by the clock to parse")
        if name == "SIGXCPU":
            raise Fault(f"takes more than {limits.seconds} s of processor time to parse")
        if status == OUT_OF_MEMORY:
            raise Fault(f"takes more than {limits.max_bytes / 1e9:g} GB of memory to parse")
        if name in CRASHES:
            raise Fault("crashes its parser", name)
        raise Fault("ends the process that parses it", name or f"status {status}")

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Leave the process to the parent of this fork."""
        self._close()
        # `Popen` warns of a process that nobody has waited for, and a fork cannot wait for it.
        self._process.returncode = 0

    def _close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()


_children: set[Child] = set()
"""The children of this process."""
_idle: list[Child] = []
"""The children that are not in use."""


def take() -> Child:
    """Return an idle child, or a new child."""
    with suppress(IndexError):
        while True:
            child = _idle.pop()
            if child.is_usable:
                return child
            _end(child)
    child = Child()
    _children.add(child)
    return child


def give_back(child: Child) -> None:
    """Make a child idle; end it if it cannot take another request."""
    if child in _children:  # else the child belongs to the parent of this fork
        if child.is_usable:
            _idle.append(child)
        else:
            _end(child)


def _end(child: Child) -> None:
    child.end()
    _children.discard(child)


@atexit.register
def end_all() -> None:
    """End the children of this process."""
    _idle.clear()
    for child in [*_children]:
        _end(child)


def _forget_all() -> None:
    """Leave all children to the process of which this one is a fork."""
    _idle.clear()
    while _children:
        _children.pop().forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _working_folder() -> str | None:
    with suppress(OSError):  # The folder was removed.
        return os.getcwd()
    return None


class _Watched(RawIOBase):
    """The output of a process; reading ends if the process stands still for some seconds, in which
    it sends nothing and takes no processor time. One that works has a limit of its own."""

    def __init__(self, process: subprocess.Popen, seconds: float) -> None:
        self._process = process
        self._seconds = seconds
        self._poll = select.poll()
        self._poll.register(process.stdout, select.POLLIN)

    def readinto(self, buffer: memoryview) -> int:
        """Read some bytes; raise a TimeoutError if none come, also in the middle of an answer."""
        worked = _processor_time(self._process.pid)
        while not self._poll.poll(1000 * self._seconds):  # milliseconds
            before = worked
            worked = _processor_time(self._process.pid)
            if worked == before:
                raise TimeoutError
        return self._process.stdout.readinto(buffer)


def _processor_time(pid: int) -> list[str]:
    """Return the processor time of a process, as user and as system; empty if it is unknown."""
    with suppress(OSError):  # Only Linux has the file.
        # The name in brackets may have blanks; the two times are the 12th and 13th value behind it.
        _, _, values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        return values.split()[11:13]
    return []


@contextmanager
def _watched(process: subprocess.Popen, seconds: float) -> Iterator[RawIOBase]:
    """A block that reads an answer of a process; a TimeoutError ends it if none comes in time."""
    if os.name == "posix":  # A thread would make it unsafe to fork.
        yield _Watched(process, seconds)
        return
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield process.stdout
    except EOFError:
        if timer.finished.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
