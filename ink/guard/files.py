"""Parses the files and archives of a dataset in child processes, side by side."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ink import guard
from ink.formats.archives import (
    NoBar,
    Values,
    by_name,
    contents_of,
    is_packed,
    parse_contents,
    parse_named,
)
from ink.sample import Fault
from utils.processes import in_processes

TOGETHER = 16  # files that a process gets at a time (assumed: some 50 ms of parsing)

Item = TypeVar("Item", bound=tuple[Any, ...])
Value = TypeVar("Value")


def parse_files(
    parse: Callable[[str, bytes], Value],
    files: Sequence[Path],
    pattern: re.Pattern[str],
    description: str,
    max_gb: float,
    workers: int = 1,
    bar: Callable[..., Any] = NoBar,
) -> Values[Value]:
    """Parse an archive or many files in child processes, as `parse_contents` does.

    A single worker parses an archive by one request. Else each file or member is a request, and
    each worker has a child.

    Args:
        parse: a function of `ink.formats`, see `parse_contents`; so are the next arguments.
        max_gb: largest size, in gigabytes, of an unpacked archive; above 1, `Limits` grow with it.
        workers: the number of processes.
        bar: see `ink.guard.call`.
    """
    arguments = files, pattern, description, int(max_gb * 1e9)
    if not is_packed(files, pattern):
        contents = contents_of(*arguments, bar)
        return by_name(in_children(partial(parse_named, parse), contents, max_gb, workers))
    options = {"limits": guard.USUAL_LIMITS.times(max_gb), "bar": bar}
    try:
        if workers == 1:
            return guard.call(parse_contents, parse, *arguments, guard.Bar, **options)
        contents = guard.iterate(contents_of, *arguments, guard.Bar, **options)
        return by_name(in_children(partial(parse_named, parse), contents, max_gb, workers))
    except Fault as fault:
        raise fault.within(str(files[0])) from None


def in_children(
    function: Callable[[Item], Value], items: Iterable[Item], max_gb: float, workers: int
) -> Iterator[Value | tuple[str, Fault]]:
    """Yield the result of a function of `ink.formats` for each item, computed by the children of
    `workers` processes; or the item's name, its first value, and the Fault of its child."""
    guarded = partial(_guarded, function, guard.USUAL_LIMITS.times(max_gb))
    return in_processes(guarded, items, workers, TOGETHER)


def _guarded(
    function: Callable[[Item], Value], limits: guard.Limits, item: Item
) -> Value | tuple[str, Fault]:
    """Return the result of a function for an item; the item's name and the Fault of its child."""
    try:
        return guard.call(function, item, limits=limits)
    except Fault as fault:
        return item[0], fault
