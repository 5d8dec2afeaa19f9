"""Pages as PDF, in strokes, and as PNG, by matplotlib."""

from collections.abc import Iterable
from os import PathLike
from typing import BinaryIO

from matplotlib.figure import Figure

from utils import plots
from utils.files import XML_FORBIDDEN, atomic_write
from utils.page.layers import curves, layers
from utils.page.page import Page

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
        speed_widths: draw strokes thinner where the pen is fast.
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


def page_figure(page: Page, *, speed_widths: bool = False) -> Figure:
    """Return a figure of a page, in its size; see `write_pdf`."""
    canvas = plots.Canvas()
    for layer in layers(page):
        if speed_widths and not layer.printed:
            drawn = layer.by_width()
        else:
            drawn = {layer.pen.width: [curves(stroke) for stroke in layer.strokes]}
        for width, lines in drawn.items():
            canvas.stroke([line / INCH for line in lines], layer.pen.colour, width / INCH)
    return canvas.cut(page.width / INCH, page.height / INCH)
