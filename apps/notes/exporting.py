"""Saves notes as searchable PDF, text, Markdown, JSON, InkML with texts, or for other programs."""

import heapq
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, groupby, pairwise, starmap, zip_longest
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple, TypeAlias
from urllib.parse import quote

import numpy as np

from apps.notes.page_text import (
    BULLET_MARK,
    CELL_MARK,
    HEADING_MARK,
    NUMBER_MARK,
    Box,
    Note,
    PageRow,
    PageText,
)
from ink import formats, guard
from ink.drawing.layers import Pen, Row
from ink.formats.inkml.pages import page_to_inkml
from ink.formats.pdf.merging import merged_with_pdfs
from ink.formats.pdf.pages import PdfNote, PdfPage, WordInk, write_pages
from ink.geometry import from_strokes
from ink.ink_page import InkPage, below_each_other
from ink.sample import Sample
from model.drawing.page import INK_KINDS, Page, numbered, save_ink_pages, save_pages
from utils.checks import UserError
from utils.files import atomic_write, write_text

MIN_UNCORRECTED_LENGTH = 10
"""Minimum characters of an uncorrected row from which a reader learns (assumed: a language model
helps little to read labels and numbers)."""
MAX_ROW_STEP = 1.5
"""Largest distance between rows of a paragraph, in median distances of the page (assumed)."""
PAGES_PER_LIMIT = 100
"""Number of pages over PDFs after which the limits of merging them grow (assumed)."""
MIN_FULL_WIDTH = 0.6
"""Minimum fraction of the free width that the rows of prose fill (assumed)."""
LAST_WIDTH = 0.15
"""Width of a word that would have room behind a short last row, as a fraction of the usual width of
a row (assumed)."""
MIN_LEFT_WIDTH = 0.1
"""Fraction of the width that a short row leaves besides that of the next word (assumed)."""


Line: TypeAlias = tuple[str, str]
"""The mark and the text of a row or a paragraph, or `PICTURE` and its Markdown."""
PICTURE = "!"
Pictures: TypeAlias = Sequence[tuple[Box, str]]
"""The box of each picture of a part of the page, and its Markdown."""


@dataclass(frozen=True)
class TextForm:
    """The form of texts and of Markdown.

    Attributes:
        is_prose: whether rows are merged into paragraphs, without question marks.
        is_numbered: whether each row begins with the numbers of its page and of the row.
    """

    is_prose: bool = False
    is_numbered: bool = False


def save(notes: Iterable[Note], path: Path, form: TextForm = TextForm()) -> list[Path]:
    """Save notes in the format of the path's suffix, and return the files.

    InkML and Excalidraw have a file for each page, any other format has one file. Only one page is
    in memory at a time.

    Raises:
        UserError: if a PDF that notes annotate cannot be used, or an image of a page is broken.
        OSError: if a file cannot be written.
    """
    suffix = path.suffix.lower()
    pages = (page for note in notes for page in note.pages)
    if suffix == ".inkml":
        files = []
        for file, (page, text) in numbered(path, pages):
            rows = ((row.text, row.strokes) for row in text.rows)
            write_text(file, page_to_inkml(page, rows))
            files.append(file)
        return files
    if suffix in INK_KINDS:
        return save_ink_pages((page for page, _ in pages), path)
    if suffix == ".pdf":
        atomic_write(path, lambda file: _write_pdf(file, notes, path))
        return [path]
    texts = {".txt": text_parts, ".md": markdown_parts}
    parts = texts[suffix](notes, form) if suffix in texts else json_parts(notes)
    encoded = (part.encode(errors="backslashreplace") for part in parts)
    atomic_write(path, lambda file: file.writelines(encoded))
    return [path]


class LearnableLines(NamedTuple):
    """Rows of notes from which a reader can learn, in millimetres; a line's name is the note's, and
    the numbers of the page and of the row.

    Attributes:
        corrected: all rows that a person corrected, see `PageRow.is_learnable`.
        uncorrected: other rows, as they were read.
    """

    corrected: list[Sample]
    uncorrected: list[Sample]

    @property
    def all(self) -> list[Sample]:
        return [*self.corrected, *self.uncorrected]


def learnable_lines(notes: Iterable[Note], max_lines: int = 0) -> LearnableLines:
    """Return the rows of notes from which a reader can learn.

    Args:
        max_lines: number of lines to which other rows are added to the corrected ones. The digests
            of their ink choose those of `MIN_UNCORRECTED_LENGTH` characters and more, so that they
            are spread over the notes.
    """
    corrected = []
    others = dict[str, Sample]()  # by the digest: a copied note has the same rows
    for note in notes:
        for address, page, row in _written_rows(note):
            if row.is_learnable:
                corrected.append(_line(address, page, row))
            elif max_lines and len(row.text) >= MIN_UNCORRECTED_LENGTH:
                others[row.ink] = _line(address, page, row)
        digests = heapq.nsmallest(max(max_lines - len(corrected), 0), others)
        others = {digest: others[digest] for digest in digests}
    return LearnableLines(corrected, [*others.values()])


def _line(address: str, page: InkPage, row: PageRow) -> Sample:
    return Sample(from_strokes(_millimetre_row(page, row).strokes), row.text, address)


def _written_rows(note: Note) -> Iterator[tuple[str, InkPage, PageRow]]:
    """Yield each row of a note that is as it was written, with its address and page."""
    for page_number, (page, text) in enumerate(note.pages, 1):
        for row_number, row in enumerate(text.rows, 1):
            if row.is_as_written:
                yield f"{note.name} {page_number}:{row_number}", page, row


def save_lines(notes: Iterable[Note], path: Path) -> int:
    """Save the learnable rows of notes as InkML, and return the number of these rows.

    Raises:
        UserError: if no row is learnable.
    """
    written = chain.from_iterable(map(_written_rows, notes))
    rows = [_millimetre_row(page, row) for _, page, row in written if row.is_learnable]
    if not rows:
        raise UserError(f"{path}: each row lacks a corrected word or has an unsure word")
    stacked = below_each_other(row.strokes for row in rows)
    lines = [replace(row, strokes=strokes) for row, strokes in zip(rows, stacked, strict=True)]
    save_pages([_sheet(lines)], path)
    return len(rows)


# Text


def text_parts(notes: Iterable[Note], form: TextForm = TextForm()) -> Iterator[str]:
    """Yield the text of notes, with a line for each row or paragraph.

    An empty line is between pages, and between paragraphs. Items of lists begin with their mark,
    and cells of a table have `|` between.
    """
    gap = ""
    block_gap = "\n\n" if form.is_prose else "\n"
    for note in notes:
        for number, (page, text) in enumerate(note.pages, 1):
            blocks = []
            for kind, lines in groupby(_lines(number, page, text, form), _kind):
                if kind == CELL_MARK:
                    blocks.append("\n".join(map(" | ".join, _table_rows(lines))))
                elif kind == BULLET_MARK:
                    blocks.append("\n".join(map(" ".join, lines)))
                else:
                    blocks.append(block_gap.join(line for _, line in lines))
            yield f"{gap}{block_gap.join(blocks)}\n"
            gap = "\n"


def markdown_parts(notes: Iterable[Note], form: TextForm = TextForm()) -> Iterator[str]:
    """Yield notes as Markdown, with lists, tables, and a heading for each file, each page, and each
    row that is a heading."""
    gap = ""
    for note in notes:
        yield f"{gap}# {escaped(' '.join(note.name.split()))}\n"
        for number, (page, text) in enumerate(note.pages, 1):
            yield f"\n## Page {number}\n"
            yield from (f"\n{block}\n" for block in markdown_blocks(number, page, text, form))
        gap = "\n"


def markdown_blocks(
    page_number: int,
    page: InkPage,
    text: PageText,
    form: TextForm,
    pictures: Pictures = (),
) -> Iterator[str]:
    """Yield the lists, tables, headings and paragraphs of a page as Markdown.

    Args:
        pictures: pictures that stand between the paragraphs of prose.
    """
    line_gap = "\n\n" if form.is_prose else "\\\n"
    written = _lines(page_number, page, text, form, pictures)
    for kind, lines in groupby(written, _kind):
        if kind == CELL_MARK:
            yield _markdown_table(_table_rows(lines))
        elif kind == PICTURE:
            yield "\n\n".join(picture for _, picture in lines)
        else:
            gap = "\n" if kind else line_gap  # Items of a list are close to each other.
            yield gap.join(starmap(_markdown_line, lines))


def _kind(line: Line) -> str:
    """Return the first character of a line's mark; successive lines of a kind are a block."""
    return line[0][:1]


def _middle(box: Box) -> float:
    """Return the y of the middle of a box."""
    return (box[1] + box[3]) / 2


def _lines(
    page_number: int,
    page: InkPage,
    text: PageText,
    form: TextForm,
    pictures: Pictures = (),
) -> Iterator[Line]:
    """Yield the lines of a page's text; for `pictures` see `markdown_blocks`."""
    if form.is_prose:
        rest = sorted(pictures, key=lambda picture: _middle(picture[0]))
        rows = [row for row in text.rows if row.text]
        for paragraph in _paragraphs(rows, page.width, pictures):
            first = paragraph[0][0]  # the first row of the first line
            while rest:
                box, picture = rest[0]
                if _middle(box) >= _middle(first.box):
                    break
                yield PICTURE, picture
                del rest[0]
            yield first.mark, _merged(paragraph)
        yield from ((PICTURE, picture) for _, picture in rest)
        return
    for number, row in enumerate(text.rows, 1):
        if not row.text:  # Corrections removed all words, but the row counts.
            continue
        if form.is_numbered:
            yield "", f"{page_number}:{number}\t{row.marked}"
        else:
            yield row.mark, row.marked


def _table_rows(cells: Iterable[Line]) -> list[list[str]]:
    """Return the rows of a table; the length of a cell's mark is its column, from 1."""
    rows: list[list[str]] = []
    for mark, text in cells:
        column = len(mark) - 1
        if not rows or column < len(rows[-1]):
            rows.append([])
        num_empty = column - len(rows[-1])
        rows[-1] += [""] * num_empty
        rows[-1].append(text)
    return rows


def _markdown_line(mark: str, text: str) -> str:
    """Return a line of Markdown that is not in a table."""
    if mark == NUMBER_MARK:  # A correction may have removed the number.
        number, _, rest = text.partition(" ")
        is_number = re.fullmatch(r"\d{1,2}[.)](\(\?\))?", number)
        mark = ""
        if is_number:
            mark = number.removesuffix("(?)")
            text = rest
    shown = "###" if mark == HEADING_MARK else mark
    lines = "\\\n".join(map(escaped, text.split("\n")))
    return f"{shown} {lines}".lstrip()


def _markdown_table(rows: list[list[str]]) -> str:
    """Return a table whose first row is the header."""
    width = max(map(len, rows))
    full_rows = []
    for row in rows:
        missing = [""] * (width - len(row))
        full_rows.append([*map(escaped, row), *missing])
    header, *others = full_rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * width, *others])


def _paragraphs(
    rows: Sequence[PageRow], width: float, pictures: Pictures = ()
) -> Iterator[list[list[PageRow]]]:
    """Yield the lines of each paragraph, each as its rows; `width` is that of the page.

    A paragraph ends before a wide gap, a picture, a row higher up, or an indented row. It also ends
    behind a short row, unless another short row follows: such rows are lines.
    """
    heights = np.array([_middle(row.box) for row in rows])
    steps = np.diff(heights)
    pitch = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    columns = np.cumsum(np.append(0, steps <= 0))  # The next column begins where a row is higher.
    are_short = _are_short(rows, columns, width)
    paragraph = [[*rows[:1]]]
    for index, (before, row) in enumerate(pairwise(rows), 1):
        start = heights[index - 1]
        end = heights[index]
        is_apart = bool(row.mark) or before.mark[:1] in (HEADING_MARK, CELL_MARK)
        is_apart |= not 0 < steps[index - 1] <= MAX_ROW_STEP * pitch  # A step up: a new column.
        is_apart |= row.box[0] > before.box[0] + pitch  # An indent as wide as rows are apart.
        for (_, top, _, bottom), _ in pictures:
            is_apart |= start < top and bottom < end  # The picture is between the rows.
        is_short = are_short[index - 1]
        # A short row that ends prose, or an item of a list, is no line.
        are_lines = not paragraph[0][0].mark and len(paragraph[-1]) == 1
        ends_prose = is_short and not (are_lines and are_short[index])
        if is_apart or ends_prose:
            yield paragraph
            paragraph = [[]]
        elif is_short:
            paragraph.append([])
        paragraph[-1].append(row)
    if rows:
        yield paragraph


def _are_short(rows: Sequence[PageRow], columns: np.ndarray, width: float) -> list[bool]:
    """Return for each row whether the next word had room behind it: its writer ended a line.

    The last row has no next word: a word of `LAST_WIDTH` stands for it. `columns` are the numbers
    of the rows' columns.
    """
    left, top, right, bottom = np.reshape([row.box for row in rows], (-1, 4)).astype(float).T
    are_short = []
    for index, (row, following) in enumerate(zip_longest(rows, rows[1:])):
        column = columns == columns[index]
        is_beside = (top < bottom[column].max()) & (bottom > top[column].min()) & ~column
        is_beside &= left > right[index]
        page_end = max(width - left.min(), right[column].max())
        free = left[is_beside].min() if is_beside.any() else page_end
        column &= right <= free  # A title may stand above several columns.
        start = left[column].min()
        limit = right[column].max()
        if limit - start <= MIN_FULL_WIDTH * (free - start):
            limit = free  # The rows are short lines: none shows where a full row ends.
        word_left = 0.0
        word_right = LAST_WIDTH * (limit - start)
        if following:
            word_left, _, word_right, _ = following.words[0].box
        # Half of the row's height stands for the blank between words.
        gap = MIN_LEFT_WIDTH * (limit - start) + (row.box[3] - row.box[1]) / 2
        has_room = right[index] + gap + word_right - word_left < limit
        are_short.append(bool(has_room) and not row.text.endswith("-"))
    return are_short


def _merged(paragraph: Iterable[Iterable[PageRow]]) -> str:
    """Return the text of lines, each on one line, without the hyphens of divided words."""
    lines = (" ".join(row.text for row in line) for line in paragraph)
    return "\n".join(re.sub(r"(?<=[^\W\d_])- (?=[^\W\d_A-Z])", "", line) for line in lines)


def escaped(text: str) -> str:
    """Return a line in which the characters of Markdown's syntax are escaped."""
    text = re.sub(r"([\\`*_\[\]<>~|#])", r"\\\1", text)
    return re.sub(r"^(\d*)([-+.)])", r"\1\\\2", text)  # as of an item in a list: "-", "1."


def json_parts(notes: Iterable[Note]) -> Iterator[str]:
    """Yield notes as JSON, a note a line. A box is left, top, right and bottom in the page's unit;
    `unit` is the length of the page's unit in points (1/72 inch)."""
    yield '{"format": "text of notes", "version": 1, "notes": ['
    for number, note in enumerate(notes):
        values = {"name": note.name, "pages": [_page_values(*page) for page in note.pages]}
        separator = "," if number else ""
        yield f"{separator}\n{json.dumps(values, ensure_ascii=False)}"
    yield "]}\n"


def _page_values(page: InkPage, text: PageText) -> dict[str, Any]:
    """Return a page as JSON values, without rows whose words were all removed by corrections."""
    rows = []
    for row in text.rows:
        if row.text:
            words = [vars(word).copy() for word in row.words]
            for values in words:
                del values["frames"], values["strokes"]
            rows.append({"text": row.text, "mark": row.mark, "box": row.box, "words": words})
    size = {"width": page.width, "height": page.height, "unit": page.unit}
    return {**size, "rows": rows, "left_out": text.left_out, **text.places}


# Pages


def _millimetre_row(page: InkPage, row: PageRow) -> Row:
    strokes = [page.strokes[number] for number in row.strokes]
    scaled = tuple(page.millimetres * stroke.points for stroke in strokes)
    width = page.millimetres * strokes[0].width if strokes[0].width else Pen.width
    return Row(scaled, row.text, Pen(width, strokes[0].colour))


def _sheet(rows: Sequence[Row]) -> Page:
    """Return a sheet that holds all rows; rows at negative positions shift all rows."""
    strokes = chain.from_iterable(row.strokes for row in rows)
    points = np.concatenate([np.zeros((1, 2)), *strokes])  # The sheet begins at 0 or before.
    corner = points.min(axis=0)
    width, height = np.ptp(points, axis=0).tolist()
    shifted = []
    for row in rows:
        shifted.append(replace(row, strokes=tuple(stroke - corner for stroke in row.strokes)))
    return Page(width, height, tuple(shifted))


def _words(page: InkPage, row: PageRow) -> Iterator[WordInk]:
    """Yield the words of a row, each with the points of its strokes in its box or, if there are
    none, the corners of the box."""
    for word in row.words:
        corners = np.reshape(word.box, (2, 2))
        low, high = corners
        ink = np.concatenate([np.empty((0, 2)), *(page.strokes[n].points for n in word.strokes)])
        points = ink[((low <= ink) & (ink <= high)).all(axis=1)]
        yield WordInk(word.text, points if len(points) else corners, turn=row.turn)


def _write_pdf(file: BinaryIO, notes: Iterable[Note], path: Path) -> None:
    """Write the pages of notes as a PDF to an open file, which will be at `path`; see `save`."""
    backgrounds: list[tuple[Path | None, int]] = []  # of the pages that were drawn
    notes = [*notes]  # Their pages are read one by one.
    titles = Counter(note.title for note in notes)

    def drawn() -> Iterator[PdfPage]:
        for note in notes:
            # Notes in several folders may share a title; the whole name tells them apart.
            title = note.title if titles[note.title] < 2 else note.name
            pdf_note = PdfNote(title)
            if note.path:
                address = f"./{relative_address(note.path, path.parent)}"
                pdf_note = PdfNote(title, address, note_times(note.path))
            for page, text in note.pages:
                backgrounds.append((page.background, page.background_page))
                yield PdfPage(page, [[*_words(page, row)] for row in text.rows], pdf_note)

    with TemporaryFile() as content:
        write_pages(content, drawn(), path.stem)
        content.seek(0)
        if any(background for background, _ in backgrounds):
            limits = guard.USUAL_LIMITS.times(len(backgrounds) / PAGES_PER_LIMIT)
            arguments = content.read(), backgrounds
            file.write(guard.call(merged_with_pdfs, *arguments, limits=limits).data)
        else:
            shutil.copyfileobj(content, file)


def note_times(path: Path) -> tuple[float, float]:
    """Return the times of the notes in a file, see `ink.formats.times`."""
    return guard.call(formats.times, path)


def note_date(path: Path) -> str:
    """Return the day when a note was made, or else changed; that of time 0 if it is unknown."""
    time = 0.0
    with suppress(UserError, OSError):  # The file was removed meanwhile, or is broken.
        time, _ = note_times(path)
    return date.fromtimestamp(time).isoformat()


def relative_address(path: Path, folder: Path) -> str:
    """Return the address of a file for links in a file in `folder`."""
    relative = os.path.relpath(path.resolve(), folder.resolve())
    # Joplin does not decode these characters.
    return quote(os.fsencode(Path(relative).as_posix()), safe="/,;=+$&@")
