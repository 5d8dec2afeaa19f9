"""Computes a function of many items in several processes."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from typing import TypeVar

MAX_WORKERS = 1000
"""Most processes of a command (assumed: more than a machine has cores)."""

Item = TypeVar("Item")
Value = TypeVar("Value")


def in_processes(
    function: Callable[[Item], Value], items: Iterable[Item], workers: int, together: int = 1
) -> Iterator[Value]:
    """Yield a function's result for each item, in order, computed by `workers` processes.

    A process gets `together` items at a time. Items are taken only as fast as results are used.
    """
    if workers == 1:
        yield from map(function, items)
        return
    items = iter(items)
    waiting = deque[Future]()
    with ProcessPoolExecutor(workers, initializer=_without_bars) as pool:
        while batch := [*islice(items, together)]:
            waiting.append(pool.submit(_of_each, function, batch))
            if len(waiting) > 2 * workers:  # so that no process waits for its next items
                yield from waiting.popleft().result()
        yield from chain.from_iterable(future.result() for future in waiting)


def _of_each(function: Callable[[Item], Value], items: list[Item]) -> list[Value]:
    return [*map(function, items)]


def _without_bars() -> None:
    """Discard this process's standard error: its progress bars would overwrite other bars."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
