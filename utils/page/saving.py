"""Sheets as files, in the format that a name says."""

import os
from collections.abc import Sequence
from pathlib import Path

from utils.checks import UserError
from utils.files import write_text
from utils.page.inkml import page_to_inkml
from utils.page.page import Sheet, to_json
from utils.page.pdf import pdf_page, write_pdf
from utils.page.svg import to_svg

KINDS = (".svg", ".pdf", ".png", ".inkml", ".json")
"""Suffixes of the formats."""
DPI = 300
"""Default pixels per inch of a PNG, as printers have."""


def save_sheets(
    sheets: Sequence[Sheet], path: str | os.PathLike[str], *, dpi: int = DPI
) -> list[Path]:
    """Save sheets, in one PDF or, of another format, in numbered files, and return the files.

    Args:
        sheets: what is saved.
        path: whose suffix is one of `KINDS`; of several files the number follows the name.
        dpi: pixels per inch of a PNG.

    Raises:
        UserError: if the name has another suffix, or ink leaves a sheet.
        OSError: if a file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UserError(f"{path}: a page is saved as {', '.join(KINDS)}")
    if kind == ".pdf":
        write_pdf(path, map(pdf_page, sheets), path.stem)
        return [path]
    names = [f"{path.stem}-{count}{path.suffix}" for count in range(1, len(sheets) + 1)]
    paths = [path.with_name(name) for name in names] if len(sheets) > 1 else [path]
    for one, sheet in zip(paths, sheets, strict=True):
        if kind == ".png":
            from utils.plots import page_figure, write_png  # slow to import

            write_png(one, page_figure(sheet), dpi)
        elif kind == ".svg":
            write_text(one, to_svg(sheet, path.stem))
        else:
            write_text(one, to_json(sheet) if kind == ".json" else page_to_inkml(sheet))
    return paths
