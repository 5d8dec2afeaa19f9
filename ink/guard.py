"""Parses untrusted files in a child process, whose time and memory have limits.

A file can be made so that its parser takes hours, or all memory; no parser can rule that out. So
all code that reads untrusted files calls the functions of `ink.formats` through this module:

    samples = guard.call(inkml.parse, path)
    for page in guard.iterate(pages.parse, path): ...

The child is `python -m ink.guard`. It starts at the first call, answers one request after another,
and ends with this process; if it ends earlier, as by a limit, the next call starts another child.
On Linux it has limits of processor time, memory and wall time, elsewhere of wall time alone.
"""

import atexit
import math
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase, RawIOBase
from itertools import accumulate, pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from ink import formats
from ink.formats import folders, remarkable
from ink.formats.archives import Loops, NoBar
from ink.formats.faults import Fault
from ink.ink_page import InkPage
from ink.sample import Sample
from utils.checks import UserError, first_line, lacks_memory

Item = TypeVar("Item")
Value = TypeVar("Value")

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("ink.formats", "ink.guard")
"""Packages and modules whose functions a child may call."""

PER_MEGABYTE = 1.0
"""Seconds of processor time for each megabyte of an archive (assumed: IAM-OnDB takes 0.3)."""
PER_STEP = 0.1
"""Seconds of processor time for each page or file of a request (assumed: a page takes 0.05)."""
SHOWN_EVERY = 0.2
"""Seconds between two messages about progress (assumed)."""

_PREFIX = struct.Struct("<QQ")  # bytes of a pickle, number of its arrays
_OUT_OF_MEMORY = 3  # exit status of a child
_VALUE, _ERROR, _END, _BAR, _STEPS = range(5)  # kinds of answers

Message = tuple[memoryview, list[memoryview]]
"""A pickle, and its arrays."""


@dataclass(frozen=True)
class Limits:
    """Limits of parsing a file, a member of an archive or a page."""

    seconds: int = 20
    """Processor time; an archive may take `PER_MEGABYTE` more, a loop `PER_STEP`."""
    wall_seconds: int = 60
    max_bytes: int = 2_000_000_000
    """Memory of the child; a sixteenth of it for a result's objects, a quarter for its arrays."""

    def times(self, factor: float) -> "Limits":
        """Return limits times `factor`, for users who allow larger files; at least these limits."""
        values = self.seconds, self.wall_seconds, self.max_bytes
        return Limits(*(int(max(1.0, factor) * value) for value in values))


def call(
    function: Callable[..., Value],
    *arguments: Any,
    limits: Limits = Limits(),
    bar: Callable[..., Any] = NoBar,
) -> Value:
    """Call a function of `ink.formats` in a child, and return its result.

    Args:
        function: the function.
        arguments: its arguments; among them may be `LOOPS`.
        limits: limits of the call.
        bar: makes the progress bars of `LOOPS`, as `tqdm` does.

    Raises:
        UserError, OSError: the function's; a Fault if it exceeds a limit, or fails in another way.
    """
    (value,) = iterate(function, *arguments, limits=limits, bar=bar)
    return value


def iterate(
    function: Callable[..., Iterator[Value]],
    *arguments: Any,
    limits: Limits = Limits(),
    bar: Callable[..., Any] = NoBar,
) -> Iterator[Value]:
    """Call a generator function of `ink.formats` in a child, and yield its items.

    Raises:
        UserError, OSError: see `call`; earlier items are yielded before.
    """
    _check(function)
    child = _child()
    try:
        yield from child.answers(function, arguments, limits, bar)
    finally:
        _give_back(child)


def each(
    function: Callable[..., Value],
    items: Iterable[Any],
    *arguments: Any,
    limits: Limits = Limits(),
    bar: Callable[..., Any] = NoBar,
) -> Iterator[Value | Fault]:
    """Call a function of `ink.formats` in a child for each item; yield each result or Fault.

    The limits are for one item, and a child that ends is replaced. See `call`.
    """
    _check(function)
    rest = deque(items)
    while rest:
        try:
            for value in iterate(_each, function, [*rest], arguments, limits=limits, bar=bar):
                rest.popleft()
                yield value
        except Fault as fault:  # of the child
            rest.popleft()
            yield fault


def _each(
    function: Callable[..., Value], items: Sequence[Any], arguments: Sequence[Any]
) -> Iterator[Value | Fault]:
    for item in items:
        if _service:
            _service.renew()
        try:
            yield function(item, *arguments)
        except Exception as error:
            error = _as_one_line(error)
            yield error if isinstance(error, Fault) else Fault(str(error))


def read(path: str | os.PathLike[str]) -> list[Sample] | list[InkPage]:
    """Return the result of `formats.read`, parsed by a child.

    Raises:
        DataError: see `formats.read`; also if the child exceeds a limit.
    """
    path = Path(path).expanduser()
    with _naming(path):
        return formats.usable(path, call(formats.parse, path, LOOPS))


def read_pages(path: Path, *, any_pdf: bool = False) -> Iterator[InkPage]:
    """Yield the results of `formats.read_pages`, parsed by a child.

    Raises:
        DataError: see `formats.read_pages`; also if the child exceeds a limit.
    """
    with _naming(path):
        yield from iterate(formats.read_pages, path, any_pdf)


def note_files(folder: Path) -> dict[str, Path]:
    """Return the result of `folders.note_files`; a child reads the titles.

    Raises:
        OSError: if a folder cannot be read.
    """

    def title(file: Path) -> str | None:
        with _naming(file):
            return call(remarkable.title, file)

    return folders.note_files(folder, title)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A block whose faults name a file."""
    try:
        yield
    except Fault as fault:
        raise fault if fault.name else fault.within(str(path)) from None


def _check(function: Callable[..., Any]) -> None:
    """Raise a TypeError if a function is not in `ROOMS`."""
    while isinstance(function, partial):
        function = function.func
    module = getattr(function, "__module__", "")
    if not f"{module}.".startswith(tuple(f"{room}." for room in ROOMS)):
        raise TypeError(f"{function!r} is not in {', '.join(ROOMS)}")


def _as_one_line(error: Exception) -> UserError | OSError:
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


class _Child:
    """A child process, which one caller uses at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        small = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        # Ctrl-C in a terminal is for the parent alone, which may have to finish something.
        group = {"process_group": 0} if os.name == "posix" else {}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ink.guard"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path, **small},
                **group,
            )
        except OSError as error:
            problem = error.strerror or str(error)
            raise UserError(f"no process can be started to parse files ({problem})") from None
        self._is_busy = False

    @property
    def is_usable(self) -> bool:
        """Whether the process waits for a request."""
        return not self._is_busy and self._process.poll() is None

    def answers(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        limits: Limits,
        bar: Callable[..., Any],
    ) -> Iterator[Any]:
        """Yield the results of a function; raise its error, or a Fault if the process ends or
        exceeds a limit."""
        self._is_busy = True
        with suppress(BrokenPipeError):  # `_answer` raises the cause.
            _send(self._process.stdin, (_working_folder(), limits, function, arguments))
        with ExitStack() as stack:
            while True:
                kind, value = self._answer(limits)
                if kind == _VALUE:
                    yield value
                elif kind == _BAR:
                    stack.close()
                    shown = stack.enter_context(bar(None, value[0], **value[1]))
                elif kind == _STEPS:
                    shown.update(value)
                else:
                    self._is_busy = False
                    if kind == _ERROR:
                        raise value
                    return

    def _answer(self, limits: Limits) -> tuple[int, Any]:
        begin = time.monotonic()
        with _killed_after(limits.wall_seconds, self._process), suppress(EOFError):
            return _loaded(_received(self._process.stdout))
        is_late = time.monotonic() - begin > limits.wall_seconds
        self.end()
        status = self._process.returncode
        if is_late:
            raise Fault(f"takes more than {limits.wall_seconds} s to parse")
        if status == -getattr(signal, "SIGXCPU", 0):
            raise Fault(f"takes more than {limits.seconds} s to parse")
        if status == _OUT_OF_MEMORY:
            raise Fault(f"takes more than {limits.max_bytes / 1e9:g} GB to parse")
        raise Fault("ends the process that parses it", f"status {status}")

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Leave the process to the parent of this fork."""
        self._close()
        self._process.returncode = 0

    def _close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()


_children: set[_Child] = set()
"""The children of this process."""
_idle: list[_Child] = []
"""The children that are not in use."""


def _child() -> _Child:
    """Return an idle child, or a new child."""
    with suppress(IndexError):
        while True:
            child = _idle.pop()
            if child.is_usable:
                return child
            _end(child)
    child = _Child()
    _children.add(child)
    return child


def _give_back(child: _Child) -> None:
    """Make a child idle; end it if it has further answers."""
    if child in _children:  # else the child belongs to the parent of this fork
        if child.is_usable:
            _idle.append(child)
        else:
            _end(child)


def _end(child: _Child) -> None:
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
    with suppress(OSError):  # It was removed.
        return os.getcwd()
    return None


@contextmanager
def _killed_after(seconds: float, process: subprocess.Popen) -> Iterator[None]:
    """A block that reads an answer of a process, which is killed if none comes for some seconds."""
    if os.name == "posix":  # A thread would make it unsafe to fork.
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        if not poll.poll(1000 * seconds):
            process.kill()
        yield
        return
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _send(stream: RawIOBase | BufferedIOBase, value: object, limits: Limits | None = None) -> None:
    """Write a pickle after its size and the sizes of its arrays, which follow it.

    Raises:
        Fault: if there is more of it than `limits` allow; then nothing is written.
    """
    arrays: list[memoryview] = []
    content = pickle.dumps(value, 5, buffer_callback=lambda item: arrays.append(item.raw()))
    sizes = array("Q", map(len, arrays))
    if limits and (16 * len(content) > limits.max_bytes or 4 * sum(sizes) > limits.max_bytes):
        detail = f"{(len(content) + sum(sizes)) / 1e6:,.0f} MB"
        raise Fault("too large when it is parsed; divide it", detail)
    for part in (_PREFIX.pack(len(content), len(sizes)), sizes.tobytes(), content, *arrays):
        while len(part):
            part = part[stream.write(part) :]
    stream.flush()


def _received(stream: RawIOBase | BufferedIOBase) -> Message:
    """Return a message that `_send` has written; raise an EOFError if it is truncated."""
    num_bytes, num_arrays = _PREFIX.unpack(_exactly(_PREFIX.size, stream))
    sizes = array("Q", bytes(_exactly(array("Q").itemsize * num_arrays, stream)))
    content = _exactly(num_bytes, stream)
    arrays = _exactly(sum(sizes), stream)
    return content, [arrays[start:stop] for start, stop in pairwise(accumulate(sizes, initial=0))]


def _exactly(size: int, stream: RawIOBase | BufferedIOBase) -> memoryview:
    content = memoryview(bytearray(size))
    count = 0
    while count < size:
        if not (more := stream.readinto(content[count:])):
            raise EOFError
        count += more
    return content


def _loaded(message: Message) -> Any:
    content, arrays = message
    return pickle.loads(content, buffers=arrays)


class Bar(NoBar):
    """The progress bar of a loop in a child: its parent shows it, and its steps allow more time."""

    def __init__(
        self, items: Iterable[Any] | None = None, description: str = "", **options: Any
    ) -> None:
        super().__init__(items)
        self._allowance = PER_MEGABYTE / 1e6 if options.get("unit") == "B" else PER_STEP
        self._pending, self._shown_at = 0, time.monotonic()
        if items is not None:
            options["total"] = len(items)
        if _service:
            _service.send(_BAR, (description, options))

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            yield item
            self.update(1)

    def update(self, count: int) -> None:
        """Report that `count` more bytes or items are done."""
        self.n += count
        self._pending += count
        if not _service:
            return
        _service.allow(self._allowance * count)
        if (now := time.monotonic()) > self._shown_at + SHOWN_EVERY:
            _service.send(_STEPS, self._pending)
            self._pending, self._shown_at = 0, now


LOOPS = Loops(Bar)
"""Loops for an argument of a function that a child calls."""


class _Service:
    """Answers requests, one after the other, in a child."""

    def __init__(self, answers: BufferedIOBase) -> None:
        self._answers = answers
        self._limits = Limits()
        self._allowed = 0.0

    def answer(self, message: Message) -> None:
        """Answer a request; end the process if its memory is not enough."""
        try:
            folder, self._limits, function, arguments = _loaded(message)
            self.renew()
            if folder is not None:
                os.chdir(folder)
            for value in results(function, arguments):
                self.send(_VALUE, value)
                self.allow(PER_STEP)
            self.send(_END, None)
        except MemoryError:
            os._exit(_OUT_OF_MEMORY)
        except Exception as error:
            _send(self._answers, (_ERROR, _as_one_line(error)))

    def send(self, kind: int, value: object) -> None:
        """Send an answer."""
        _send(self._answers, (kind, value), self._limits)

    def renew(self) -> None:
        """Give this process the limits of a request anew."""
        if sys.platform == "linux":
            import resource

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
            import resource

            _set_limit(resource.RLIMIT_CPU, math.ceil(self._allowed))


_service: _Service | None = None
"""The service of this process, if it is a child."""


def _set_limit(kind: int, amount: int) -> None:
    """Set a soft limit, as far as the hard one allows."""
    import resource

    most = resource.getrlimit(kind)[1]
    resource.setrlimit(
        kind, (amount if most == resource.RLIM_INFINITY else min(amount, most), most)
    )


def serve() -> None:
    """Answer the requests of standard input on standard output, until the input ends."""
    global _service
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_WRONLY)
    _service = _Service(open(os.dup(1), "wb"))  # noqa: SIM115
    for stream in (1, 2):  # Output of libraries is no answer.
        os.dup2(nothing, stream)
    requests: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=_take_requests, args=(requests,), daemon=True).start()
    while True:
        _service.answer(requests.get())


def _take_requests(requests: SimpleQueue[Message]) -> None:
    with suppress(EOFError):
        while True:
            requests.put(_received(sys.stdin.buffer.raw))
    os._exit(0)  # Also in the middle of an answer, as nobody waits for it.


def results(function: Callable[..., Any], arguments: Sequence[Any]) -> Iterator[Any]:
    """Yield the result of a function or, for a generator function, its items."""
    value = function(*arguments)
    if isinstance(value, Iterator):
        yield from value
    else:
        yield value


if __name__ == "__main__":
    from ink import guard

    guard.serve()
