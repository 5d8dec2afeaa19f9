"""Lets a reader learn in a process of its own, which is slower than the viewer and can be ended."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeAlias

from utils.checks import UserError, described

Learn: TypeAlias = Callable[[Callable[[str], object]], str]
"""Lets a reader learn; it gets a function that takes texts about how far it is, and returns what
came of it. Another process unpickles it."""

NICENESS = 10  # of the process, so that who uses the viewer does not wait (assumed)
END_SECONDS = 3.0  # until a process that does not end is killed (assumed)


class Learning:
    """A reader's learning: none, one that is under way, or one that has ended. Several threads may
    call its methods.

    Attributes:
        file: the file of the reader that has learned; it need not exist.
    """

    def __init__(self, learn: Learn, file: Path) -> None:
        self.file = file
        self._learn = learn
        self._lock = threading.Lock()
        self._text = ""
        self._process: BaseProcess | None = None  # None if no learning is under way
        self._receiver: Connection | None = None

    def state(self) -> dict[str, Any]:
        """Return as JSON values whether the reader is learning, how far it is or what came of it,
        and whether a reader has learned."""
        with self._lock:
            self._receive()
            state = {"isUnderWay": self._process is not None, "text": self._text}
        return state | {"hasLearned": self.file.exists()}

    def begin(self) -> None:
        """Begin to learn.

        Raises:
            UserError: if the reader is learning.
        """
        with self._lock:
            self._receive()
            if self._process:
                raise UserError("the reader is learning already")
            processes = multiprocessing.get_context("spawn")  # The viewer has threads.
            self._receiver, sender = processes.Pipe(duplex=False)
            process = processes.Process(target=_run, args=(self._learn, sender), daemon=True)
            process.start()
            self._process = process
            sender.close()  # so that the end of the process is the end of the pipe
            self._text = "looking for rows"

    def stop(self) -> None:
        """End the learning that is under way, if any; what was learned before stays."""
        with self._lock:
            self._receive()
            if self._process:
                self._process.terminate()
                self._process.join(END_SECONDS)
                self._process.kill()
                self._end("stopped")

    def forget(self) -> None:
        """Remove the reader that has learned.

        Raises:
            UserError: if there is none, or the reader is learning.
            OSError: if the file cannot be removed.
        """
        with self._lock:
            self._receive()
            if self._process:
                raise UserError("the reader is learning; stop this first")
            if not self.file.exists():
                raise UserError("no reader has learned your hand")
            self.file.unlink()
            self._text = "forgotten; the first reader reads your notes again"

    def _receive(self) -> None:
        """Take the texts that the process has sent."""
        while self._process and self._receiver and self._receiver.poll():
            try:
                self._text, is_end = self._receiver.recv()
            except (EOFError, OSError):
                self._process.join(END_SECONDS)
                self._end(f"not learned: the process ended ({self._process.exitcode})")
                return
            if is_end:
                self._end(self._text)

    def _end(self, text: str) -> None:
        self._text = text
        self._process = self._receiver = None


def _run(learn: Learn, sender: Connection) -> None:
    """Learn, and send texts, each with whether it is the last one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the viewer, which ends this process.
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    with open(os.devnull, "w") as sys.stderr:  # for bars, which would overwrite the viewer's
        try:
            text = learn(lambda text: sender.send((text, False)))
        except (UserError, OSError) as error:
            text = f"not learned: {error}"
        except Exception as error:
            text = f"not learned: {described(error)}"
    with suppress(OSError):  # The viewer may have ended.
        sender.send((text, True))
