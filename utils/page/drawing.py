"""Pages as PDF, in strokes, and as PNG, by matplotlib."""

from collections.abc import Iterable
from os import PathLike
from typing import BinaryIO

from matplotlib.figure import Figure

from utils import plots
from utils.files import XML_FORBIDDEN, atomic_write
from utils.page.layers import curves, layers
from utils.page.nib import outlines
from utils.page.page import Page
from utils.page.paper import DPI, check_pixels

INCH = 25.4
"""Millimetres."""


def write_pdf(
    path: str | PathLike[str],
    pages: Iterable[Page],
    title: str = "",
    *,
    speed_widths: bool = False,
) -> None:
    """Write pages as a PDF whose strokes are curves, atomically; the same pages are the same bytes.

    Pages are taken one by one and not kept.

    Args:
        path: the file, whose folder exists.
        pages: at least one; each is a sheet of its own size.
        title: in the file's metadata; none if empty.
        speed_widths: outlines of the strokes, thinner where the pen is fast.

    Raises:
        UserError: if ink leaves a sheet.
    """
    # Imported here: a PNG needs no PDF backend, which takes long to load.
    from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages

    def write(file: BinaryIO) -> None:
        about = {"Title": XML_FORBIDDEN.sub("?", title) or None, "CreationDate": None}
        with PdfPages(file, metadata=about) as pdf:
            for page in pages:
                figure = page_figure(page, speed_widths=speed_widths)
                FigureCanvasPdf(figure).print_pdf(pdf)

    atomic_write(path, write)


def write_png(
    path: str | PathLike[str],
    page: Page,
    *,
    dpi: int = DPI,
    speed_widths: bool = False,
) -> None:
    """Write a page as a PNG of `dpi` pixels per inch; see `write_pdf`.

    Raises:
        UserError: if that would be too many pixels, or ink leaves the sheet.
    """
    check_pixels(page.width, page.height, dpi)
    plots.write_png(path, page_figure(page, speed_widths=speed_widths), dpi)


def page_figure(page: Page, *, speed_widths: bool = False) -> Figure:
    """Return a figure of a page, in its size; see `write_pdf`. `utils.plots.to_pixels` draws it."""
    paper = plots.Paper()
    for layer in layers(page):
        if speed_widths and not layer.printed:
            shapes = [shape / INCH for row in layer.rows for shape in outlines(row)]
            paper.fill(shapes, layer.pen.colour)
        else:
            drawn = [curves(stroke) / INCH for stroke in layer.strokes]
            paper.stroke(drawn, layer.pen.colour, layer.pen.width / INCH)
    return paper.cut(page.width / INCH, page.height / INCH)
