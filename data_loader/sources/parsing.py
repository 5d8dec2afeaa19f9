"""Parses an archive, or many files, in child processes."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from base import distributed
from ink import guard
from ink.formats.archives import Loops, members
from ink.sample import Fault, Parsed
from utils.processes import in_processes

Item = TypeVar("Item")
Value = TypeVar("Value")

TOGETHER = 16  # files that a process gets at a time (assumed: some 50 ms of parsing)


def parsed(
    function: Callable[..., Parsed], source: Path, *arguments: Any, max_gb: float, workers: int
) -> Parsed:
    """Parse an archive or many files in child processes.

    A single worker parses an archive by one request. Else each file or member is a request, and
    each worker has a child.

    Args:
        function: a function of `ink.formats` whose last arguments are the largest size of an
            unpacked archive, in bytes, and `Loops`.
        source: the archive, or the folder of the files.
        arguments: the other arguments.
        max_gb: see `SourceDataset`.
        workers: the number of processes.
    """
    limits, arguments = guard.USUAL_LIMITS.times(max_gb), (*arguments, int(max_gb * 1e9))
    try:
        if workers == 1 and source.is_file():
            return guard.call(function, *arguments, guard.LOOPS, limits=limits, bar=distributed.bar)
        in_children = partial(_in_children, limits=limits, workers=workers)
        unpack = partial(_unpacked, limits)
        return function(*arguments, Loops(distributed.bar, in_children, unpack))
    except Fault as fault:
        raise fault.within(str(source)) from None


def _unpacked(limits: guard.Limits, *arguments: Any) -> Iterator[Any]:
    """Yield the results of `members`, unpacked by a child."""
    return guard.iterate(members, *arguments, guard.LOOPS, limits=limits, bar=distributed.bar)


def _in_children(
    function: Callable[[Item], Value], items: Iterable[Item], limits: guard.Limits, workers: int
) -> Iterator[Value]:
    """Yield the result of a function of `ink.formats` for each item, computed by the children of
    `workers` processes."""
    return in_processes(partial(_guarded, function, limits), items, workers, TOGETHER)


def _guarded(function: Callable[[Item], Value], limits: guard.Limits, item: Item) -> Value:
    """Return the result of a function for an item; the item's name and the Fault of its child."""
    try:
        return guard.call(function, item, limits=limits)
    except Fault as fault:
        return item[0], fault
