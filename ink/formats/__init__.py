"""Reads ink of any format, and lists the formats: one module or package each.

`read` reads a file of any format. A new format is a module with a function `sniff(head)`, which
returns whether a file that begins with the bytes `head` has the format, and with a parser of lines,
which returns a `Parsed`, or of pages, which yields `InkPage`. Parsers raise a `Fault` if the whole
file is unusable. List the format in `FORMATS`. A sample is named by its position in the file; a
file's only sample has no name.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ink.formats import (
    excalidraw,
    iam_ondb,
    json_strokes,
    mnist_strokes,
    remarkable,
    stroke_arrays,
    xournalpp,
)
from ink.formats.archives import NoBar, unpacked
from ink.formats.files import read_head
from ink.formats.inkml import lines as inkml_lines
from ink.formats.inkml import pages as inkml_pages
from ink.formats.page_checks import checked
from ink.formats.svg import pages as svg_pages
from ink.formats.svg import rows as svg_rows
from ink.formats.unipen import collection, segments
from ink.geometry import strokes
from ink.ink_page import InkPage, PageStroke, below_each_other, page_around
from ink.sample import Fault, NoLines, Parsed, Sample, summarise
from utils.checks import DataError
from utils.program import typed

UNKNOWN_FORMAT = "no ink in a known format"
ACCEPTED_LINES = (
    "InkML, a line of IAM-OnDB (XML), stroke arrays (.npy), MNIST stroke sequences "
    "(...-inputdata.txt or sequences.tar.gz), UNIPEN, and JSON "
    '{"text": ..., "strokes": [[[x, y], ...], ...]}; and SVG made by `write` and `page`'
)
"""The formats of lines, for messages."""
ACCEPTED_PAGES = (
    "Xournal++ (.xopp), reMarkable (.rm, and .content for a document), Excalidraw, SVG, InkML, "
    "and what `read` takes"
)
"""The formats of pages, for messages."""
NOTES = re.compile(
    r".*\.(xopp|xoj|rm|content|excalidraw|excalidraw\.md|svgz?|inkml)", re.IGNORECASE | re.DOTALL
)
"""The names of files of notes."""
KNOWN_TIMES = 946_684_800, 4_102_444_800
"""Seconds since 1970 of the years 2000 and 2100, between which a time is taken for real
(assumed)."""
_DATED_NAME = re.compile(r"(\d{4}-\d\d-\d\d)(?:-Note-(\d\d)-(\d\d))?(?!\d)")
"""A name that begins with a date; Xournal++ proposes 2026-11-28-Note-10-30."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes:
        sniff: returns whether a file that begins with some bytes, unpacked, has the format.
        lines: parses the lines of a file; None for notes, which have only pages.
        pages: parses the pages of a file; None if its lines make a page.
        is_archive: whether `lines` takes a maker of progress bars, too.
        times: returns when a file's notes were made and last changed, see `times`; None if files
            do not say it. It may raise any error.
    """

    sniff: Callable[[bytes], bool]
    lines: Callable[..., Parsed] | None = None
    pages: Callable[[Path], Iterable[InkPage]] | None = None
    is_archive: bool = False
    times: Callable[[Path], tuple[float, float]] | None = None


_XOURNALPP = Format(xournalpp.sniff, pages=xournalpp.parse)
_REMARKABLE = Format(remarkable.sniff, pages=remarkable.parse, times=remarkable.times)
FORMATS = (
    _XOURNALPP,
    _REMARKABLE,
    Format(excalidraw.sniff, pages=excalidraw.parse, times=excalidraw.times),
    Format(stroke_arrays.sniff, stroke_arrays.parse),
    Format(inkml_lines.sniff, inkml_lines.parse, inkml_pages.parse),
    Format(iam_ondb.sniff, iam_ondb.parse),
    Format(svg_rows.sniff, svg_rows.parse, svg_pages.parse),
    Format(json_strokes.sniff, json_strokes.parse),
    Format(collection.sniff, collection.parse, is_archive=True),
    Format(segments.sniff, segments.parse),
    Format(mnist_strokes.sniff, mnist_strokes.parse, is_archive=True),
)
"""The formats, in the order in which a file is compared with them."""


def read(path: str | os.PathLike[str]) -> list[Sample] | list[InkPage]:
    """Return the content of a file in any format: the samples of lines, or the pages of notes.

    Lines are InkML, UNIPEN, stroke arrays, JSON, SVG that this program wrote, IAM-OnDB and MNIST.
    Notes are Xournal++, reMarkable, Excalidraw and any other SVG. `read_pages` yields pages one
    after the other, also those of InkML; `parse_lines` returns samples and faults.

    Args:
        path: the file; or the folder of a UNIPEN collection: `ink.reading.read_ink` reads others.
            The content tells the format.

    Returns:
        at least one `Sample`, with ink in the file's units, y growing downwards; or at least one
        `InkPage`. A warning names samples that are left out; pages count their omitted items.

    Raises:
        DataError: if the file cannot be read, or nothing in it is usable; the message says why.
    """
    path = Path(path).expanduser()
    parsed = parse(path)
    return parsed if isinstance(parsed, list) else usable(path, parsed)


def parse(path: Path, bar: Callable[..., Any] = NoBar) -> Parsed | list[InkPage]:
    """Return the parsed lines or the pages of a file, see `read`."""
    try:
        return parse_lines(path, bar)
    except NoLines:
        return [*read_pages(path)]
    except Fault as fault:
        raise fault.within(str(path)) from None


def usable(path: Path, parsed: Parsed) -> list[Sample]:
    """Return the samples of a file, see `read`; warn of omitted samples."""
    if not parsed.samples:
        raise parsed.left_out[0].within(str(path))
    for line in summarise(parsed.left_out):
        logger.warning("%s: %s", path, line)
    for sample in parsed.samples:
        sample.ink[0, :2] = 0
    return parsed.samples


def parse_lines(path: Path, bar: Callable[..., Any] = NoBar) -> Parsed:
    """Return the samples of a file of any format, or of a collection.

    Raises:
        Fault: if no sample of the file can be used, or its format is unknown.
    """
    if path.is_dir():
        if not collection.is_collection(path):
            raise Fault("a folder that is no UNIPEN collection; `read_ink` reads the files in it")
        return _with_any(collection.parse(path, bar))
    head = read_head(path)
    if _notes_format(path, head):
        raise NoLines(f"pages of notes, which `{typed('notes')}` reads")
    format_ = next((f for f in FORMATS if f.lines and f.sniff(head)), None)
    if format_ is None or format_.lines is None:
        raise NoLines(UNKNOWN_FORMAT)
    try:
        return _with_any(format_.lines(path, bar) if format_.is_archive else format_.lines(path))
    except Fault:
        raise
    except DataError as error:  # The error of a broken archive begins with the file's path.
        raise Fault(str(error).removeprefix(f"{path}: ")) from None


def _with_any(parsed: Parsed) -> Parsed:
    """Return the result of parsing; raise a Fault if it is empty."""
    if not parsed.samples and not parsed.left_out:
        raise Fault("no line of ink")
    return parsed


def read_pages(path: Path, any_pdf: bool = False) -> Iterator[InkPage]:
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
        pages = iter(partial(_next_page, _parsed_pages(path)), None)  # up to the None at the end
        for page in checked(pages):
            yield page if any_pdf else _without_outside_pdf(page, path.parent)
    except Fault as fault:
        if fault.reason == UNKNOWN_FORMAT:
            fault = Fault(f"{UNKNOWN_FORMAT}; supported formats: {ACCEPTED_PAGES}")
        raise fault.within(str(path)) from None


def first_page(path: Path) -> InkPage:
    """Return the first page of a file, see `read_pages`."""
    return next(read_pages(path))


def times(path: Path) -> tuple[float, float]:
    """Return when the notes in a file were made and last changed, in seconds since 1970.

    The times are the notes' own, as far as the file's format has them, and the date with which the
    file's name begins; else those of the file, which does not say when it was made.
    """
    created = 0.0
    changed = 0.0
    # Notes with broken times may still be sound.
    with suppress(DataError, AttributeError, OverflowError, TypeError, ValueError):
        format_ = _notes_format(path, read_head(path))
        if format_ and format_.times:
            created, changed = format_.times(path)
    with suppress(ValueError, OverflowError):  # no date
        match = None if _is_known(created) else _DATED_NAME.match(path.name)
        if match:
            day, hour, minute = match.groups(default="00")
            created = datetime.fromisoformat(f"{day}T{hour}:{minute}").timestamp()
    changed = changed if _is_known(changed) else path.stat().st_mtime
    created = created if _is_known(created) else changed
    return created, changed


def _is_known(time: float) -> bool:
    return KNOWN_TIMES[0] <= time < KNOWN_TIMES[1]


@np.errstate(over="ignore", invalid="ignore")  # `checked` refuses infinite points.
def _next_page(pages: Iterator[InkPage]) -> InkPage | None:
    page = next(pages, None)
    if page is None:
        return None
    return replace(page, strokes=tuple(s for s in page.strokes if len(s.points)))


def _without_outside_pdf(page: InkPage, folder: Path) -> InkPage:
    """Return a page without the PDF that it annotates if this is outside a folder."""
    if page.background is None:
        return page
    pdf = page.background.resolve()
    if pdf.is_relative_to(folder.resolve()):
        return page
    kind = f"PDF outside the note's folder, which --any-pdf takes ({pdf})"
    return replace(page, background=None, left_out=page.left_out + Counter([kind]))


def _parsed_pages(path: Path) -> Iterator[InkPage]:
    """Yield the pages of a file; the whole parsing happens where they are taken."""
    head = read_head(path)
    format_ = _notes_format(path, head)
    if format_ is None:
        content = unpacked(head, len(head))
        for_both = [f for f in FORMATS if f.lines and f.pages]
        format_ = next((f for f in for_both if f.sniff(content)), None)
    if format_ and format_.pages:
        yield from format_.pages(path)
    else:
        yield _page_of_lines(parse_lines(path))


def _notes_format(path: Path, head: bytes) -> Format | None:
    """Return the format of the notes in a file; None if there are none. A tablet's list of pages
    and an archive are known by their names as well."""
    if path.suffix == ".content":
        return _REMARKABLE
    if xournalpp.is_zip(head) and path.suffix.lower() == ".xopp":
        return _XOURNALPP
    content = unpacked(head, len(head))
    return next((f for f in FORMATS if not f.lines and f.sniff(content)), None)


def _page_of_lines(parsed: Parsed) -> InkPage:
    """Return a page with a row for each line, below the previous row."""
    if not parsed.samples:
        raise parsed.left_out[0]
    rows = below_each_other(strokes(sample.ink) for sample in parsed.samples)
    left_out = Counter(fault.reason for fault in parsed.left_out)
    page_strokes = map(PageStroke, chain.from_iterable(rows))
    return page_around(page_strokes, left_out=left_out)
