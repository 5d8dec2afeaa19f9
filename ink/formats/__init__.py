"""Reads files of note programs; each format has a module with a function `parse`."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from data_loader.sources.ink_files import UNKNOWN, note_program, read_head
from data_loader.sources.parsing import Fault, root_tag
from data_loader.sources.untrusted_files import files_below, unpacked
from notes.formats import excalidraw, inkml, plain, remarkable, svg, xournalpp
from notes.ink_page import InkPage, checked

PROGRAMS = {"xournalpp": xournalpp, "remarkable": remarkable, "excalidraw": excalidraw}
ACCEPTED = (
    "Xournal++ (.xopp), reMarkable (.rm, and .content for a document), Excalidraw, SVG, InkML, "
    "and what `read` takes"
)
"""The formats, for messages."""

_NOTES = re.compile(
    r".*\.(xopp|xoj|rm|content|excalidraw|excalidraw\.md|svgz?|inkml)",
    re.IGNORECASE | re.DOTALL,
)


def read_pages(path: Path, *, any_pdf: bool = False) -> Iterator[InkPage]:
    """Yield the pages of a file, without strokes that have no points.

    Args:
        path: the file.
        any_pdf: whether a page may annotate a PDF outside the file's folder; a file, which may be
            another person's, could name any PDF of this machine.

    Raises:
        DataError: if the file cannot be read, is broken or too large, has an unknown format, or
            has neither strokes nor typed texts; the message names the file and the reason. Earlier
            pages are yielded before.
    """
    try:
        for page in checked(iter(partial(_next_page, _parsed(path)), None)):
            yield page if any_pdf else _without_outside_pdf(page, path.parent)
    except Fault as fault:
        if fault.reason == UNKNOWN:
            fault = Fault(f"{UNKNOWN}; what is read: {ACCEPTED}")
        raise fault.within(str(path)) from None


@np.errstate(over="ignore", invalid="ignore")  # `checked` refuses infinite points.
def _next_page(pages: Iterator[InkPage]) -> InkPage | None:
    page = next(pages, None)
    return page and replace(page, strokes=tuple(s for s in page.strokes if len(s.points)))


def _without_outside_pdf(page: InkPage, folder: Path) -> InkPage:
    """Return a page without the PDF that it annotates if this is outside a folder."""
    pdf = page.background and page.background.resolve()
    if pdf is None or pdf.is_relative_to(folder.resolve()):
        return page
    kind = f"PDF outside the note's folder, which --any-pdf takes ({pdf})"
    return replace(page, background=None, left_out=page.left_out + Counter([kind]))


def note_files(folder: Path) -> dict[str, Path]:
    """Return the files of notes in a folder and its subfolders, by name. The name of a tablet's
    document is its title; the name of any other file is its path in the folder.

    Raises:
        OSError: if a folder cannot be read.
    """
    files: dict[str, Path] = {}
    for file in files_below(folder, _NOTES):
        if file.suffix == ".rm" and file.parent.with_suffix(".content").is_file():
            continue  # The file is a page of a document.
        name: str | None = file.relative_to(folder).as_posix()
        if file.suffix == ".content":
            name = remarkable.title(file)
        if name in files:
            name = f"{name} ({file.stem})"
        if name is not None:
            files[name] = file
    return files


def file_state(path: Path) -> str:
    """Return a text that changes with the sizes and times of a file and of the other files of a
    document; "" if there is no such file."""
    parts = [path]
    if path.suffix == ".content":
        parts += [path.with_suffix(".pdf"), *sorted(path.with_suffix("").glob("*.rm"))]
    states = (part.stat() for part in parts if part.is_file())
    return " ".join(f"{state.st_size}-{state.st_mtime_ns}" for state in states)


def _parsed(path: Path) -> Iterator[InkPage]:
    yield from _parse(path)  # Whatever is parsed, is parsed in `_next_page`.


def _parse(path: Path) -> Iterable[InkPage]:
    if path.suffix == ".content":
        return remarkable.parse(path)
    head = read_head(path)
    if head.startswith(b"PK\3\4") and path.suffix.lower() == ".xopp":
        return xournalpp.parse(path, is_archive=True)
    if program := note_program(head):
        return PROGRAMS[program].parse(path)
    xml = {"svg": svg, "ink": inkml}.get(root_tag(unpacked(head, len(head))))
    return (xml or plain).parse(path)
