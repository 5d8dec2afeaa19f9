"""A page of handwriting: its strokes on the paper, in millimetres, and its file formats."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice, pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ink.drawing.layers import (
    DECIMALS,
    DOT_PEN,
    POINT_PERIOD,
    RULING_PEN,
    Layer,
    Row,
    pen_layer,
    row_of_line,
)
from ink.formats.excalidraw import to_excalidraw
from ink.formats.inkml.pages import page_to_inkml
from ink.formats.pdf.pages import PdfPage, words_of, write_pdf
from ink.formats.svg.rows import to_svg
from ink.formats.xournalpp import write_xopp
from ink.ink_page import PT_PER_MM, InkPage, PageStroke
from utils.checks import UserError, short
from utils.files import write_text

SLACK = 0.01  # distance in millimetres by which ink may leave the page, for rounding (assumed)
INK_KINDS = (".xopp", ".excalidraw")
"""The suffixes of the formats that note programs edit."""
PAGE_SUFFIXES = (".svg", ".pdf", ".png", ".inkml", ".json", *INK_KINDS)
"""The suffixes of the formats."""
WHOLE_SUFFIXES = (".pdf", ".xopp")
"""The suffixes of the formats that have all pages in one file."""
Kind = TypeVar("Kind")
PNG_DPI = 300  # default pixels per inch of a PNG (assumed: the resolution of printers)


@dataclass(frozen=True, repr=False)
class Page:
    """A sheet of paper with its writing and ruling; a notebook shows it as a picture.

    Attributes:
        width, height: the size of the sheet in millimetres.
        rows: the lines of writing, in order.
        rules: the printed lines of the paper, `(n, 2, 2)`, each by its two ends.
        dots: the printed dots of the paper, `(n, 2)`.
    """

    width: float
    height: float
    rows: tuple[Row, ...] = ()
    rules: np.ndarray = field(default_factory=lambda: np.empty((0, 2, 2)))
    dots: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))

    def __repr__(self) -> str:
        return f"Page({self.width:g} x {self.height:g} mm, {short(self.text)})"

    @property
    def text(self) -> str:
        """The text of the page, a line for each row."""
        return "\n".join(row.text for row in self.rows)

    def check(self) -> None:
        """Raise a UserError if ink leaves the page; plotting programs such as vpype would drop such
        ink silently."""
        for number, row in enumerate(self.rows, 1):
            if (outside := self._outside(row)) > SLACK:
                raise UserError(
                    f"row {number}, {short(row.text)}: its ink leaves the sheet by "
                    f"{outside:.1f} mm; larger margins, a larger sheet or smaller writing is needed"
                )

    @property
    def holds_its_ink(self) -> bool:
        """Whether no ink leaves the page."""
        return all(self._outside(row) <= SLACK for row in self.rows)

    def _outside(self, row: Row) -> float:
        """Return by how many mm the ink of a row leaves the page; 0 or less if it does not."""
        points = np.concatenate([np.zeros((1, 2)), *row.strokes])
        return float(np.maximum(-points, points - (self.width, self.height)).max())

    def layers(self) -> list[Layer]:
        """Return the layers of the page: the printed ruling, then each pen's layer, by first use.

        Pens of the same width and colour are the same pen. A layer without a stroke is left out.

        Raises:
            UserError: if ink leaves the page.
        """
        self.check()
        layers = []
        if len(self.rules) or len(self.dots):
            pen = RULING_PEN if len(self.rules) else DOT_PEN
            printed = Row((*self.rules, *np.reshape(self.dots, (-1, 1, 2))), "ruling", pen)
            layers.append(Layer("1 ruling", pen, [printed], printed=True))
        rows = [row for row in self.rows if row.strokes]
        for pen in dict.fromkeys(row.pen for row in rows):
            layers.append(pen_layer(len(layers) + 1, [row for row in rows if row.pen == pen]))
        return layers

    def to_svg(self, title: str = "", *, description: str = "") -> str:
        """Return the page as SVG; see `ink.formats.svg.rows.to_svg`."""
        return to_svg((self.width, self.height), self.layers(), title, description=description)

    def to_inkml(self) -> str:
        """Return the page as InkML; see `page_to_inkml`."""
        self.check()
        strokes = []
        for row in self.rows:
            pen = row.pen
            strokes += [PageStroke(stroke, "pen", pen.colour, pen.width) for stroke in row.strokes]
        # The numbers of the strokes of each row.
        stops = accumulate((len(row.strokes) for row in self.rows), initial=0)
        numbers = (range(start, stop) for start, stop in pairwise(stops))
        texts = (row.text for row in self.rows)
        rows = zip(texts, numbers, strict=True)
        page = InkPage(self.width, self.height, tuple(strokes), PT_PER_MM)
        return page_to_inkml(page, rows)

    def to_pdf_page(self) -> PdfPage:
        """Return the page as a page of a PDF; raise a UserError if ink leaves the page."""
        words = [words_of(row) for row in self.rows if row.strokes and row.text]
        return PdfPage(self.to_ink_page(), words)

    def to_ink_page(self) -> InkPage:
        """Return the page with a layer for each pen; raise a UserError if ink leaves the page."""
        layers = self.layers()
        pens = [layer for layer in layers if not layer.printed]
        strokes = [
            PageStroke(stroke, "pen", layer.pen.colour, layer.pen.width, layer=number)
            for number, layer in enumerate(pens)
            for stroke in layer.strokes
        ]
        ruling = (
            PageStroke(stroke, "shape", layer.pen.colour, layer.pen.width)
            for layer in layers
            if layer.printed
            for stroke in layer.strokes
        )
        # A label is a number and a name; a page without ink has a layer, too.
        names = tuple(layer.label.partition(" ")[2] for layer in pens) or ("",)
        size = self.width, self.height
        return InkPage(*size, tuple(strokes), PT_PER_MM, layers=names, ruling=tuple(ruling))

    def figure(self) -> Any:
        """Return the page as a figure of matplotlib in true size; see `plots.page_figure`."""
        from model.drawing.plots import page_figure  # slow to import

        return page_figure((self.width, self.height), self.layers())

    def to_json(self) -> str:
        """Return the page as JSON on one line, for programs that need only its points.

        `{"format": "page of handwriting", "version": 1, "width", "height", "rules", "dots", "rows":
        [{"text", "pen": {"width", "colour"}, "period", "strokes": [[[x, y], ...], ...], "doubts":
        [...]}, ...]}`. Lengths are in millimetres, positions rounded to 0.001 mm. The period is the
        time from one point to the next in seconds.
        """
        rows = []
        for row in self.rows:
            doubts = [f"{word.text}: {word.doubt}" for word in row.words if word.doubt]
            entry = {"strokes": row.strokes, "text": row.text, "pen": vars(row.pen)}
            rows.append(entry | {"doubts": doubts, "period": POINT_PERIOD})
        values = {"format": "page of handwriting", "version": 1, **vars(self), "rows": rows}
        text = json.dumps(values, ensure_ascii=False, default=_rounded, separators=(",", ":"))
        return text + "\n"

    def save(self, path: str | os.PathLike[str], *, dpi: int = PNG_DPI) -> None:
        """Save the page in the format of the path's suffix; see `save_pages`."""
        save_pages([self], path, dpi=dpi)

    def _repr_svg_(self) -> str:
        return self.to_svg()


def page_of_line(ink: np.ndarray) -> Page:
    """Return a line of ink `(points, 3)` as a page of its own; see `row_of_line`."""
    row, size = row_of_line(ink)
    return Page(*size, (row,))


def save_pages(
    pages: Iterable[Page], path: str | os.PathLike[str], *, dpi: int = PNG_DPI
) -> list[Path]:
    """Save pages and return the files: one PDF or note of Xournal++, or a file for each page in
    another format.

    Args:
        pages: the pages to save; one is in memory at a time.
        path: a path with a suffix of `PAGE_SUFFIXES`; a number is added to it if there are several
            files.
        dpi: pixels per inch of a PNG.

    Raises:
        UserError: if the suffix is not in `PAGE_SUFFIXES`, or ink leaves a page.
        OSError: if a file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in PAGE_SUFFIXES:
        raise UserError(f"{path}: a page is saved as {', '.join(PAGE_SUFFIXES)}")
    if kind == ".pdf":
        write_pdf(path, (page.to_pdf_page() for page in pages), path.stem)
        return [path]
    if kind in INK_KINDS:
        return save_ink_pages((page.to_ink_page() for page in pages), path)
    files = []
    for file, page in numbered(path, pages):
        if kind == ".png":
            from model.drawing.plots import write_png  # slow to import

            write_png(file, page.figure(), dpi)
        elif kind == ".svg":
            write_text(file, page.to_svg(path.stem))
        else:
            write_text(file, page.to_json() if kind == ".json" else page.to_inkml())
        files.append(file)
    return files


def save_ink_pages(pages: Iterable[InkPage], path: Path) -> list[Path]:
    """Save pages as .xopp or .excalidraw, and return the files: one note of Xournal++, or a file of
    Excalidraw for each page.

    Raises:
        UserError: if pages of a .xopp annotate several PDFs.
        OSError: if a file cannot be written.
    """
    if path.suffix.lower() == ".xopp":
        write_xopp(path, pages)
        return [path]
    files = []
    for file, page in numbered(path, pages):
        write_text(file, to_excalidraw(page))
        files.append(file)
    return files


def numbered(path: Path, pages: Iterable[Kind]) -> Iterator[tuple[Path, Kind]]:
    """Yield each page with its file: the path, with a number added if there are several pages."""
    pages = iter(pages)
    first_two = [*islice(pages, 2)]  # no more, as pages may be many and are made one by one
    is_single = len(first_two) == 1
    for number, page in enumerate(chain(first_two, pages), 1):
        file = path if is_single else path.with_name(f"{path.stem}-{number}{path.suffix}")
        yield file, page


def _rounded(points: np.ndarray) -> list[object]:
    return (np.round(points, DECIMALS) + 0.0).tolist()  # no -0
