"""Saves notes as searchable PDF, text, Markdown, JSON, or InkML with texts."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from notes.ink_page import InkPage, PageStroke, below_each_other
from notes.page_text import Note, PageRow, PageText, PageWord
from utils.checks import UserError
from utils.files import atomic_write, write_text
from utils.page.layers import Pen, Row
from utils.page.page import Page, save_pages
from utils.page.pdf import PdfPage, WordInk, write_pages, write_pdf


def save(notes: Sequence[Note], path: Path) -> list[Path]:
    """Save notes in the format of the path's suffix, and return the files: InkML has a file for
    each page, any other format has one file.

    Raises:
        UserError: if a PDF that notes annotate cannot be used.
        OSError: if a file cannot be written.
    """
    suffix, pages = path.suffix.lower(), [page for note in notes for page in note.pages]
    if suffix == ".inkml":
        return save_pages([_sheet_with_page(page, text) for page, text in pages], path)
    if suffix != ".pdf":
        write_text(path, {".txt": as_text, ".md": as_markdown, ".json": as_json}[suffix](notes))
    elif any(page.background for page, _ in pages):
        atomic_write(path, _merged_with_pdfs(pages, path.stem).write)
    else:
        write_pdf(path, (_pdf_page(page, text) for page, text in pages), path.stem)
    return [path]


def save_lines(notes: Iterable[Note], path: Path) -> int:
    """Save the learnable rows of notes as InkML, and return the number of these rows.

    Raises:
        UserError: if no row is learnable.
    """
    pairs = ((page, row) for note in notes for page, text in note.pages for row in text.rows)
    rows = [_millimetre_row(page, row) for page, row in pairs if row.is_learnable]
    if not rows:
        raise UserError(f"{path}: each row lacks a corrected word or has an unsure word")
    stacked = below_each_other(row.strokes for row in rows)
    lines = [replace(row, strokes=strokes) for row, strokes in zip(rows, stacked, strict=True)]
    save_pages([_sheet(lines)], path)
    return len(rows)


# Text


def as_text(notes: Sequence[Note]) -> str:
    """Return the text of notes: a line for each row, and an empty line between pages."""
    pages = (text for note in notes for _, text in note.pages)
    return "\n\n".join("\n".join(row.marked for row in text.rows) for text in pages) + "\n"


def as_markdown(notes: Sequence[Note]) -> str:
    """Return notes as Markdown with a heading for each file and page."""
    paragraphs = []
    for note in notes:
        paragraphs.append(f"# {_escaped(' '.join(note.name.split()))}")
        for number, (_, text) in enumerate(note.pages, 1):
            paragraphs.append(f"## Page {number}")
            paragraphs.append("\\\n".join(_escaped(row.marked) for row in text.rows))
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _escaped(text: str) -> str:
    """Return a line in which the characters of Markdown's syntax are escaped."""
    text = re.sub(r"([\\`*_\[\]<>~|#])", r"\\\1", text)
    return re.sub(r"^(\d*)([-+.)])", r"\1\\\2", text)


def as_json(notes: Sequence[Note]) -> str:
    """Return notes as JSON. A box is left, top, right and bottom in the page's unit; `unit` is the
    length of the page's unit in points (1/72 inch)."""
    values = {"format": "text of notes", "version": 1, "notes": [*map(_note_values, notes)]}
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def _note_values(note: Note) -> dict[str, Any]:
    pages = []
    for page, text in note.pages:
        rows = [
            {"text": row.text, "box": row.box, "words": [*map(_word_values, row.words)]}
            for row in text.rows
        ]
        size = {"width": page.width, "height": page.height, "unit": page.unit}
        pages.append({**size, "rows": rows, "left_out": text.left_out})
    return {"name": note.name, "pages": pages}


def _word_values(word: PageWord) -> dict[str, Any]:
    return {name: value for name, value in vars(word).items() if name != "frames"}


# Pages


def _pen(page: InkPage, stroke: PageStroke) -> Pen:
    width = page.millimetres * stroke.width if stroke.width else Pen.width
    return Pen(width, stroke.colour)


def _millimetre_row(page: InkPage, row: PageRow) -> Row:
    strokes = [page.strokes[number] for number in row.strokes]
    scaled = tuple(page.millimetres * stroke.points for stroke in strokes)
    return Row(scaled, row.text, _pen(page, strokes[0]))


def _sheet_with_page(page: InkPage, text: PageText) -> Page:
    """Return a sheet with the handwritten rows of a page. A pen stroke that is in no row becomes a
    row without a text."""
    rows = [row for row in text.rows if row.strokes]
    pen_strokes = {number for number, stroke in enumerate(page.strokes) if stroke.tool == "pen"}
    without_row = pen_strokes - {number for row in rows for number in row.strokes}
    rows += [PageRow((), (number,)) for number in sorted(without_row)]
    scale = page.millimetres
    millimetre_rows = [_millimetre_row(page, row) for row in rows]
    return _sheet(millimetre_rows, scale * page.width, scale * page.height)


def _sheet(rows: Sequence[Row], min_width: float = 0.0, min_height: float = 0.0) -> Page:
    """Return a sheet that holds all rows; rows at negative positions shift all rows."""
    points = np.concatenate([np.zeros((1, 2)), *(stroke for row in rows for stroke in row.strokes)])
    corner, size = points.min(axis=0), np.ptp(points, axis=0)
    shifted = (replace(row, strokes=tuple(s - corner for s in row.strokes)) for row in rows)
    return Page(*np.maximum((min_width, min_height), size).tolist(), tuple(shifted))


def _pdf_page(page: InkPage, text: PageText) -> PdfPage:
    return PdfPage(page, [[*_words(page, row)] for row in text.rows])


def _words(page: InkPage, row: PageRow) -> Iterator[WordInk]:
    """Yield the words of a row, each with the row's points in its box; with the corners of the box
    if the row has no ink."""
    ink = np.concatenate([np.empty((0, 2)), *(page.strokes[n].points for n in row.strokes)])
    for word in row.words:
        corners = np.reshape(word.box, (2, 2))
        points = ink[((corners[0] <= ink) & (ink <= corners[1])).all(axis=1)]
        yield WordInk(word.text, points if len(points) else corners)


def _merged_with_pdfs(pages: Sequence[tuple[InkPage, PageText]], title: str) -> Any:
    """Return a pypdf writer with all pages; a page that annotates a PDF is drawn over its PDF page.

    Raises:
        UserError: if pypdf is not installed, or an annotated PDF cannot be used.
    """
    try:
        import pypdf
    except ImportError:
        raise UserError("pages over a PDF need pypdf: python -m pip install pypdf") from None
    content, writer, annotated_pdfs = BytesIO(), pypdf.PdfWriter(), {}
    write_pages(content, (_pdf_page(page, text) for page, text in pages), title)
    for notes_page, (page, _) in zip(pypdf.PdfReader(content).pages, pages, strict=True):
        path, number = page.background, page.background_page
        if path is None:
            writer.add_page(notes_page)
            continue
        try:
            if path not in annotated_pdfs:
                annotated_pdfs[path] = pypdf.PdfReader(path)
            pdf = annotated_pdfs[path]
            if pdf.is_encrypted:
                raise UserError(f"{path}: this PDF is encrypted; annotate one without a password")
            if number >= len(pdf.pages):
                raise UserError(f"{path}: has {len(pdf.pages)} pages, no page {number + 1}")
            background = writer.add_page(pdf.pages[number])
            background.transfer_rotation_to_content()
            left, bottom = background.cropbox.lower_left
            shift = pypdf.Transformation().translate(float(left), float(bottom))
            background.merge_transformed_page(notes_page, shift)
        except (OSError, pypdf.errors.PyPdfError) as error:
            raise UserError(f"{path}: cannot be put under the notes ({error})") from None
    writer.add_metadata({"/Title": title})
    return writer
