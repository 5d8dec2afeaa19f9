"""A script run in copies of this process, so that what it imports is there already."""

import logging
import os
import runpy
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import torch._dynamo  # which torch's optimisers import when the first is made
import torch.utils.tensorboard  # noqa: F401

ROOT = Path(__file__).parents[1]


def run(
    name: str | Path,
    *words: str,
    stdout: int | None,
    stderr: int | None,
    encoding: str = "utf-8",
    processes: int = 1,
    meanwhile: Callable[[int], object] = bool,
) -> int:
    """Run a script as `python NAME WORDS...` does, and return its exit status.

    Args:
        name: of the script.
        words: of the command line.
        stdout: file descriptor of standard output; None if it is closed.
        stderr: file descriptor of standard error; None if it is closed.
        encoding: of both, with no character beyond it on standard output.
        processes: that run it, 1 or 2, which are connected as torchrun connects them.
        meanwhile: is called with the number of the first one.
    """
    child = os.fork()
    if child:
        try:
            meanwhile(child)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except BaseException:  # such as a test's time limit
            os.killpg(child, signal.SIGKILL)
            raise
    status, other = 1, 0
    try:
        os.setpgid(0, 0)
        for number, given in ((1, stdout), (2, stderr)):
            if given is None:
                os.close(number)
            else:
                os.dup2(given, number)
        sys.stdout = stdout and _stream(1, encoding, "strict")
        sys.stderr = stderr and _stream(2, encoding, "backslashreplace")
        logging.getLogger().handlers.clear()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = [str(name), *words]
        other = _connected() if processes == 2 else 0
        try:
            try:
                runpy.run_path(str(ROOT / name), run_name="__main__")
                status = 0
            except Exception:
                sys.excepthook(*sys.exc_info())
        except SystemExit as end:
            status = int(end.code or 0)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException:
        status = 120  # as Python ends where it cannot flush its streams
        os.write(2, traceback.format_exc().encode(errors="backslashreplace"))
    finally:
        if other:
            status = status or os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])
        os._exit(status)


def _connected() -> int:
    """Fork this process; return the number of the new one, and 0 in that."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    other = os.fork()
    rank = "0" if other else "1"
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank}
    return other


def _stream(number: int, encoding: str, errors: str) -> TextIO:
    """Return a standard stream as Python makes it where that is no terminal."""
    by_line = 1 if number == 2 else -1
    return open(number, "w", by_line, encoding=encoding, errors=errors, closefd=False)
