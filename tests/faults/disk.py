"""Calls of a process on files, watched: at one of them it gets a signal, or the call fails."""

import builtins
import errno
import io
import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("open", "fsync", "replace", "rename", "link", "unlink", "remove", "mkdir")
"""Of `os`; beside them the built-in open is watched, and what reads and writes its files."""
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT)
FULL = (errno.ENOSPC, errno.EDQUOT)
CHANGES = {"write", "fsync", "replace", "rename", "link", "mkdir", "create"}
"""What a full disk refuses as long as it is full."""


class Disk:
    """What a new process does on files below its working directory: the `hook` of a program.

    `event` is called with the kind of each call and its path, before it; it may raise or kill.
    """

    def __init__(self, event: Callable[[str, str], object]) -> None:
        self.event = event

    def __call__(self) -> None:
        """Put the watched calls in the place of the real ones."""
        self.folder, self.owner = os.path.realpath(os.curdir) + os.sep, os.getpid()
        for name in NAMES:
            setattr(os, name, self._watched(name, getattr(os, name)))
        self.open = io.open
        io.open = builtins.open = self._open

    def happens(self, kind: str, path: Any) -> None:
        """Tell of one call on `path`, a name or a descriptor, if it is below the folder."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        path = os.path.realpath(os.fsdecode(path))
        if os.getpid() == self.owner and path.startswith(self.folder):
            self.event(kind, path)

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            self.happens(name, path)
            return real(path, *arguments, **options)

        return call

    def _open(self, file: Any, mode: str = "r", buffering: int = -1, *text: Any, **named: Any):
        """Open as the built-in function does, on a raw file that tells of its calls."""
        plain = not (isinstance(file, int) or named.get("opener")) and named.get("closefd", True)
        if not plain or not os.path.realpath(os.fsdecode(file)).startswith(self.folder):
            return self.open(file, mode, buffering, *text, **named)
        new = any(letter in mode for letter in "wxa")
        self.happens("create" if new else "open", file)
        raw = _Raw(file, mode.replace("b", "").replace("t", ""))
        raw.disk = self
        if buffering == 0:
            return raw
        kinds = {True: io.BufferedRandom, False: io.BufferedWriter if new else io.BufferedReader}
        buffered = kinds["+" in mode](raw, io.DEFAULT_BUFFER_SIZE if buffering < 2 else buffering)
        if "b" in mode:
            return buffered
        wrapped = io.TextIOWrapper(buffered, *text, **named, line_buffering=buffering == 1)
        wrapped.mode = mode
        return wrapped


class _Raw(io.FileIO):
    """A file without a buffer that tells a `Disk` of what is read, and of what is half written."""

    disk: Disk

    def write(self, data: Any) -> int:
        data = memoryview(data).cast("B")
        half = super().write(data[: len(data) // 2])
        self.disk.happens("write", self.name)
        return half + super().write(data[half:])

    def readinto(self, buffer: Any) -> int | None:
        self.disk.happens("read", self.name)
        return super().readinto(buffer)

    def readall(self) -> bytes:
        self.disk.happens("read", self.name)
        return super().readall()


def note_calls(file: Path) -> Disk:
    """Write a line into a file outside of the watched folder for each call: `KIND PATH`."""
    return Disk(lambda kind, path: _add_line(file, f"{kind} {path}"))


def kill_at(number: int, signal_number: int = signal.SIGKILL) -> Disk:
    """Let the process get a signal just before its call `number` from 0."""
    calls = itertools.count()
    return Disk(lambda *_: next(calls) == number and os.kill(os.getpid(), signal_number))


def fail_at(number: int, code: int, failed: Path, *, lasting: bool) -> Disk:
    """Let the call `number` from 0 fail with an error, and note what fails in the file `failed`,
    outside of the watched folder; `lasting` lets all calls after it fail that take space."""
    calls = itertools.count()

    def event(kind: str, path: str) -> None:
        call = next(calls)
        if call == number or (lasting and call > number and kind in CHANGES):
            _add_line(failed, f"{kind} {path}")
            # As the system does: neither fsync nor read and write name the file.
            named = () if kind in ("fsync", "write", "read") else (path,)
            raise OSError(code, os.strerror(code), *named)

    return Disk(event)


def _add_line(file: Path, line: str) -> None:
    with open(file, "a", encoding="utf-8") as opened:
        opened.write(f"{line}\n")
