"""Locks files against other processes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

SILENT_SECONDS = 1.0
"""Seconds of waiting for another process before the user is told (assumed)."""

log = logging.getLogger(__name__)


@contextmanager
def locked(path: Path, work: str, timeout: float = -1) -> Iterator[None]:
    """A block in which this process holds the lock of a file; warn if that takes long.

    Args:
        path: the file of the lock.
        work: what the other process does that may hold it, for the warning.
        timeout: seconds after which a `filelock.Timeout`, an OSError, is raised; -1: never.
    """
    lock = FileLock(path)
    silent_timeout = SILENT_SECONDS if timeout < 0 else min(SILENT_SECONDS, timeout)
    try:
        lock.acquire(timeout=silent_timeout)
    except Timeout:
        log.warning("waiting for another process, which %s (it holds %s)", work, path)
        lock.acquire(timeout=timeout)
    try:
        yield
    finally:
        lock.release()
