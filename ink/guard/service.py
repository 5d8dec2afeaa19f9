"""The child's side of the guard: answers requests within limits of time and memory."""

import math
import os
import pickle
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from io import BufferedIOBase, FileIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ink.formats.archives import NoBar
from ink.guard.messages import OUT_OF_MEMORY, Kind, Limits, received, send
from ink.sample import Fault
from utils.checks import UserError, first_line, lacks_memory

if sys.platform == "linux":
    import resource

PER_MEGABYTE = 1.0
"""Seconds of processor time for each megabyte of an archive (assumed: IAM-OnDB takes 0.3)."""
PER_STEP = 0.1
"""Seconds of processor time for each page or file of a request (assumed: a page takes 0.05)."""
SHOWN_EVERY = 0.2
"""Seconds between two messages about progress (assumed)."""


class Bar(NoBar):
    """The progress bar of a loop in a child: its parent shows it, and its steps allow more time."""

    def __init__(
        self, items: Collection[Any] | None = None, description: str = "", **options: Any
    ) -> None:
        super().__init__(items)
        self._allowance = PER_STEP  # seconds of processor time for each byte or item
        if options.get("unit") == "B":  # a bar of bytes
            self._allowance = PER_MEGABYTE / 1e6  # a byte's
        self._pending = 0
        self._shown_at = time.monotonic()
        if items is not None:
            options["total"] = len(items)
        if _current:
            _current.send(Kind.BAR, (description, options))

    def __iter__(self) -> Iterator[Any]:
        for item in self._items or ():
            yield item
            self.update(1)

    def update(self, count: int) -> None:
        """Report that `count` more bytes or items are done."""
        self.n += count
        self._pending += count
        if not _current:
            return
        _current.allow(self._allowance * count)
        now = time.monotonic()
        if now > self._shown_at + SHOWN_EVERY:
            _current.send(Kind.STEPS, self._pending)
            self._pending = 0
            self._shown_at = now


class Service:
    """Answers requests, one after the other, in a child."""

    def __init__(self, answers: BufferedIOBase) -> None:
        self._answers = answers
        self._limits = Limits()
        self._allowed = 0.0

    def answer(self, message: memoryview) -> None:
        """Answer a request; end the process if its memory is not enough."""
        try:
            folder, self._limits, function, arguments = pickle.loads(message)
            self.reset_limits()
            if folder is not None:
                os.chdir(folder)
            for value in results(function, arguments):
                self.send(Kind.VALUE, value)
                self.allow(PER_STEP)
            self.send(Kind.END, _most_memory())
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except Exception as error:
            send(self._answers, (Kind.ERROR, one_line_error(error)))

    def send(self, kind: int, value: object) -> None:
        """Send an answer."""
        send(self._answers, (kind, value), self._limits)

    def reset_limits(self) -> None:
        """Set the limits of this process for a whole request, counted from now."""
        if sys.platform == "linux":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            self._allowed = usage.ru_utime + usage.ru_stime + self._limits.seconds
            _set_limit(resource.RLIMIT_CPU, math.ceil(self._allowed))
            _set_limit(resource.RLIMIT_AS, self._limits.max_bytes)
            _set_limit(resource.RLIMIT_CORE, 0)

    def allow(self, seconds: float) -> None:
        """Allow more processor time."""
        before = math.ceil(self._allowed)
        self._allowed += seconds
        if sys.platform == "linux" and math.ceil(self._allowed) > before:
            _set_limit(resource.RLIMIT_CPU, math.ceil(self._allowed))


_current: Service | None = None
"""The service of this process, if it is a child."""


def _set_limit(kind: int, amount: int) -> None:
    """Set a soft limit, as far as the hard one allows."""
    _, hard_limit = resource.getrlimit(kind)
    if hard_limit != resource.RLIM_INFINITY:
        amount = min(amount, hard_limit)
    resource.setrlimit(kind, (amount, hard_limit))


def _most_memory() -> int:
    """Return the most bytes of memory that this process has had; 0 if that is unknown."""
    with suppress(OSError, AttributeError):
        # `ru_maxrss` would count what the parent had when it started this process.
        status = Path("/proc/self/status").read_text()
        if match := re.search(r"VmHWM:\s*(\d+)", status):
            return 1024 * int(match[1])  # from kilobytes
    return 0


def serve() -> None:
    """Answer the requests of standard input on standard output, until the input ends."""
    global _current
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_WRONLY)
    _current = Service(open(os.dup(1), "wb"))  # noqa: SIM115
    for stream in (1, 2):  # Output of libraries is no answer.
        os.dup2(nothing, stream)
    requests: SimpleQueue[memoryview] = SimpleQueue()
    threading.Thread(target=_take_requests, args=(requests,), daemon=True).start()
    while True:
        _current.answer(requests.get())


def _take_requests(requests: SimpleQueue[memoryview]) -> None:
    stdin = FileIO(0, closefd=False)
    with suppress(EOFError):
        while True:
            requests.put(received(stdin))
    os._exit(0)  # Also in the middle of an answer, as nobody waits for it.


def results(function: Callable[..., Any], arguments: Sequence[Any]) -> Iterator[Any]:
    """Yield the result of a function or, for a generator function, its items."""
    value = function(*arguments)
    if isinstance(value, Iterator):
        yield from value
    else:
        yield value


def each_item(
    function: Callable[..., Any], items: Sequence[Any], arguments: Sequence[Any]
) -> Iterator[Any]:
    """Yield what a function returns for each item, or its Fault; limits are reset for each item."""
    for item in items:
        if _current:
            _current.reset_limits()
        try:
            yield function(item, *arguments)
        except Exception as error:
            error = one_line_error(error)
            yield error if isinstance(error, Fault) else Fault(str(error))


def one_line_error(error: Exception) -> UserError | OSError:
    """Return an error with a message of one line; raise a MemoryError for a lack of memory."""
    if isinstance(error, UserError):
        return error
    if lacks_memory(error):
        raise MemoryError from None
    if isinstance(error, OSError):
        return error
    if isinstance(error, RecursionError):
        return Fault("nested too deeply")
    return Fault("it cannot be parsed", f"{type(error).__name__}: {first_line(error)}")
