"""Limits the processor time of a thread's work, which asks now and then whether some is left."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float] = ContextVar("_end", default=math.inf)
"""The thread's processor time, in seconds, at which its work ends."""


class OutOfTime(Exception):
    """The work takes more processor time than it may."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """A block in which `check_time` raises OutOfTime once the thread has worked for `seconds`."""
    token = _end.set(time.thread_time() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def check_time() -> None:
    """Raise OutOfTime if the time of the innermost `time_limit` has passed; loops that may take
    long call this."""
    if time.thread_time() > _end.get():
        raise OutOfTime
