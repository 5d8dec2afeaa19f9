"""Runs the loops of parsing with progress bars and in several processes."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import TypeVar

from base import distributed
from ink.formats.archives import Loops

Item = TypeVar("Item")
Value = TypeVar("Value")

TOGETHER = 16  # files that a process gets at a time (assumed: some 50 ms of parsing)


def loops(workers: int) -> Loops:
    """Return loops that show progress bars, and parse in `workers` processes."""
    return Loops(distributed.bar, partial(in_processes, workers=workers, together=TOGETHER))


def in_processes(
    function: Callable[[Item], Value], items: Iterable[Item], workers: int, together: int = 1
) -> Iterator[Value]:
    """Yield a function's result for each item, in order, computed by `workers` processes.

    A process gets `together` items at a time. Items are taken only as fast as results are used.
    """
    if workers == 1:
        yield from map(function, items)
        return
    items, waiting = iter(items), deque[Future]()
    with ProcessPoolExecutor(workers, initializer=_without_bars) as pool:
        while batch := [*islice(items, together)]:
            waiting.append(pool.submit(_of_each, function, batch))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        yield from chain.from_iterable(future.result() for future in waiting)


def _of_each(function: Callable[[Item], Value], items: list[Item]) -> list[Value]:
    return [*map(function, items)]


def _without_bars() -> None:
    """Discard this process's standard error: its progress bars would overwrite other bars."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
