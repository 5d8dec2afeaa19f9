"""Parses untrusted files in a child process, whose time and memory have limits.

A file can be made so that its parser takes hours, or all memory; no parser can rule that out. So
all code that reads untrusted files calls the functions of `ink.formats` through this module:

    samples = guard.call(inkml.parse, path)
    for page in guard.iterate(pages.parse, path): ...

The child is `python -m ink.guard`. It starts at the first call, answers one request after another,
and ends with this process; if it ends earlier, as by a limit, the next call starts another child.
On Linux it has limits of processor time, of memory, and of the time in which it stands still,
elsewhere of the time without an answer alone: `Limits` in `messages.py` has their values;
`service.py` sets those of the process itself, and `children.py` ends a child that stands still.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ink import formats
from ink.formats import remarkable
from ink.formats.archives import NoBar
from ink.formats.files import files_below
from ink.guard import children
from ink.guard.messages import USUAL_LIMITS, Limits
from ink.guard.service import Bar, each_item
from ink.ink_page import InkPage
from ink.sample import Fault, Sample

Value = TypeVar("Value")

ROOMS = (formats.__name__, __name__)
"""Packages and modules whose functions a child may call."""


def call(
    function: Callable[..., Value],
    *arguments: Any,
    limits: Limits = USUAL_LIMITS,
    bar: Callable[..., Any] = NoBar,
) -> Value:
    """Call a function of `ink.formats` in a child, and return its result.

    Args:
        function: the function.
        arguments: its arguments; among them may be `Bar`, which makes progress bars.
        limits: limits of the call.
        bar: makes what shows the progress of `Bar`, as `tqdm` does.

    Raises:
        UserError, OSError: the function's; a Fault if it exceeds a limit, or fails in another way.
    """
    answers: Iterator[Any] = iterate(function, *arguments, limits=limits, bar=bar)
    (value,) = answers
    return value


def iterate(
    function: Callable[..., Iterator[Value]],
    *arguments: Any,
    limits: Limits = USUAL_LIMITS,
    bar: Callable[..., Any] = NoBar,
) -> Iterator[Value]:
    """Call a generator function of `ink.formats` in a child, and yield its items.

    Raises:
        UserError, OSError: see `call`; earlier items are yielded before.
    """
    _check(function)
    child = children.take()
    try:
        yield from child.answers(function, arguments, limits, bar)
    finally:
        children.give_back(child)


def each(
    function: Callable[..., Value],
    items: Iterable[Any],
    *arguments: Any,
    limits: Limits = USUAL_LIMITS,
    bar: Callable[..., Any] = NoBar,
) -> Iterator[Value | Fault]:
    """Call a function of `ink.formats` in a child for each item; yield each result or Fault.

    The limits are for one item, and a child that ends is replaced. See `call`.
    """
    _check(function)
    rest = deque(items)
    while rest:
        try:
            for value in iterate(each_item, function, [*rest], arguments, limits=limits, bar=bar):
                rest.popleft()
                yield value
        except Fault as fault:  # of the child
            rest.popleft()
            yield fault


def read(path: str | os.PathLike[str]) -> list[Sample] | list[InkPage]:
    """Return the result of `formats.read`, parsed by a child.

    Raises:
        DataError: see `formats.read`; also if the child exceeds a limit.
    """
    path = Path(path).expanduser()
    with _naming(path):
        parsed = call(formats.parse, path, Bar)
        return parsed if isinstance(parsed, list) else formats.usable(path, parsed)


def read_pages(path: Path, *, any_pdf: bool = False) -> Iterator[InkPage]:
    """Yield the results of `formats.read_pages`, parsed by a child.

    Raises:
        DataError: see `formats.read_pages`; also if the child exceeds a limit.
    """
    with _naming(path):
        yield from iterate(formats.read_pages, path, any_pdf)


def note_files(folder: Path) -> dict[str, Path]:
    """Return the files of notes in a folder and its subfolders, by name, sorted by folders and
    names. The name of a tablet's document is its title, which a child reads; if it exceeds a limit,
    further documents are named as documents without a title. The name of any other file is its path
    in the folder. A subfolder that cannot be read counts as a file that cannot be read.

    Raises:
        OSError: if the folder cannot be read.
    """
    notes = files_below(folder, formats.NOTES, has_unreadable=True)
    files = dict[str, Path]()
    documents = [file for file in notes if file.suffix == ".content"]
    title_of: dict[Path, str | None] = {document: document.stem for document in documents}
    if documents:  # A child takes time to start.
        with suppress(Fault):
            title_of.update(zip(documents, iterate(remarkable.titles, documents), strict=True))
    for file in notes:
        if file.suffix == ".rm" and os.path.isfile(file.parent.with_suffix(".content")):
            continue  # The file is a page of a document. `Path.is_file` takes no long paths.
        path_in_folder = file.relative_to(folder).as_posix()
        name = title_of.get(file, path_in_folder)
        if name is None:
            continue  # The document was deleted on its tablet.
        if name in files:
            name = f"{name} ({file.stem})"  # of several documents with one title
        files[name] = file
    return dict(sorted(files.items(), key=lambda item: item[0].split("/")))


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
