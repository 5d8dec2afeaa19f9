"""Puts pages of a PDF over pages of other PDFs, which come from elsewhere."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from utils.checks import UserError
from utils.files import open_file


def merged_with_pdfs(content: bytes, backgrounds: Sequence[tuple[Path | None, int]]) -> np.ndarray:
    """Return a PDF, as uint8, with all pages of a PDF, and its outline, labels and metadata; a page
    that annotates a PDF is drawn over its PDF page.

    Args:
        content: the PDF of the notes.
        backgrounds: for each page, the PDF that it annotates, and the number of its page, from 0.

    Raises:
        UserError: if pypdf is not installed, or an annotated PDF cannot be used.
    """
    try:
        import pypdf
    except ImportError:
        raise UserError("pages over a PDF need pypdf: python -m pip install pypdf") from None

    @cache
    def annotated(path: Path) -> pypdf.PdfReader:
        with open_file(path) as file:
            return pypdf.PdfReader(BytesIO(file.read()))

    writer = pypdf.PdfWriter()
    notes = pypdf.PdfReader(BytesIO(content))
    for notes_page, (path, number) in zip(notes.pages, backgrounds, strict=True):
        if path is None:
            writer.add_page(notes_page)
            continue
        try:
            pdf = annotated(path)
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
    writer.metadata = notes.metadata
    _copy_outline(notes, writer, notes.outline)
    for key in ("/PageMode", "/PageLabels"):
        if key in notes.root_object:
            writer.root_object[pypdf.generic.NameObject(key)] = notes.root_object[key].clone(writer)
    merged = BytesIO()
    writer.write(merged)
    return np.frombuffer(merged.getbuffer(), np.uint8)


def _copy_outline(notes: Any, writer: Any, entries: Sequence[Any], parent: Any = None) -> None:
    """Copy the entries of an outline, each of which a list of its own entries may follow, from a
    reader to a writer of pypdf with the same pages."""
    copied = parent  # the last entry
    for entry in entries:
        if isinstance(entry, list):
            _copy_outline(notes, writer, entry, copied)
        else:
            place = {"title": entry.title, "page_number": notes.get_destination_page_number(entry)}
            copied = writer.add_outline_item(**place, parent=parent, is_open=False)
