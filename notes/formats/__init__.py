"""Files of note programs: one module a format, each with `parse`."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_loader.sources.ink_files import UNKNOWN, note_program, read_head
from data_loader.sources.parsing import Fault, root_tag
from data_loader.sources.untrusted_files import files_below
from notes.formats import excalidraw, inkml, plain, remarkable, svg, xournalpp
from notes.ink_page import InkPage, check_pages

PROGRAMS = {"xournalpp": xournalpp, "remarkable": remarkable, "excalidraw": excalidraw}
ACCEPTED = (
    "Xournal++ (.xopp), reMarkable (.rm, and .content for a document), Excalidraw, SVG, InkML, "
    "and what `read` takes"
)
"""The formats, for messages."""

_NOTES = re.compile(r".*\.(xopp|xoj|rm|content|excalidraw|excalidraw\.md|svg|inkml)", re.IGNORECASE)


def read_pages(path: Path) -> list[InkPage]:
    """Return the pages of a file; each stroke has a point or more.

    Raises:
        DataError: if the file cannot be read, is broken, too large, or in no known format, or has
            neither strokes nor typed text; the message says which file, and why.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # Infinite points are refused below.
            pages = [_without_empty_strokes(page) for page in _parse(path)]
        check_pages(pages)
    except Fault as fault:
        if fault.reason == UNKNOWN:
            fault = Fault(f"{UNKNOWN}; what is read: {ACCEPTED}")
        raise fault.within(str(path)) from None
    return pages


def note_files(folder: Path) -> dict[str, Path]:
    """Return the files of notes in a folder and its subfolders, by their paths below the folder;
    documents of a tablet by their titles.

    Raises:
        OSError: if a folder cannot be read.
    """
    named: dict[str, Path] = {}
    for file in files_below(folder, _NOTES):
        name: str | None = file.relative_to(folder).as_posix()
        if file.suffix == ".rm" and file.parent.with_suffix(".content").is_file():
            continue  # A page of a document.
        if file.suffix == ".content":
            name = remarkable.title(file)
        if name is not None:
            named[f"{name} ({file.stem})" if name in named else name] = file
    return named


def _parse(path: Path) -> list[InkPage]:
    if path.suffix == ".content":
        return remarkable.parse(path)
    head = read_head(path)
    if program := note_program(head):
        return PROGRAMS[program].parse(path)
    xml = {"svg": svg, "ink": inkml}.get(root_tag(head))
    return (xml or plain).parse(path)


def _without_empty_strokes(page: InkPage) -> InkPage:
    return replace(page, strokes=tuple(stroke for stroke in page.strokes if len(stroke.points)))
