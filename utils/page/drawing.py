"""Pages as PDF, in strokes, and as PNG, by matplotlib."""

from collections.abc import Iterable
from os import PathLike
from typing import BinaryIO

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from utils import plots
from utils.checks import DataError
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
        DataError: if a page is not valid, or there is none.
    """
    # Imported here: a PNG needs no PDF backend, which takes long to load.
    from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages

    def write(file: BinaryIO) -> None:
        count = 0
        about = {"Title": XML_FORBIDDEN.sub("?", title) or None, "CreationDate": None}
        with PdfPages(file, metadata=about) as pdf:
            for page in pages:
                figure = page_figure(page, speed_widths=speed_widths)
                FigureCanvasPdf(figure).print_pdf(pdf)
                count += 1
        if not count:
            raise DataError("there is no page to write")

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
        DataError: if the page is not valid.
        UserError: if that would be too many pixels.
    """
    check_pixels(page.width, page.height, dpi)
    plots.write_png(path, page_figure(page, speed_widths=speed_widths), dpi)


def page_figure(page: Page, *, speed_widths: bool = False) -> Figure:
    """Return a figure of a page, in its size; see `write_pdf`. `utils.plots.to_pixels` draws it."""
    figure = Figure(figsize=(page.width / INCH, page.height / INCH), facecolor="white")
    place = Affine2D().scale(1 / INCH, -1 / INCH).translate(0, page.height / INCH)
    for layer in layers(page):
        filled = speed_widths and not layer.printed
        if filled:
            paths = [_polygon(corners) for row in layer.rows for corners in outlines(row)]
        else:
            paths = [_line(curves(stroke)) for stroke in layer.strokes]
        figure.add_artist(
            PathPatch(
                Path.make_compound_path(*paths),
                transform=place + figure.dpi_scale_trans,
                facecolor=layer.pen.colour if filled else "none",
                edgecolor="none" if filled else layer.pen.colour,
                linewidth=layer.pen.width / INCH * 72,
                capstyle="round",
                joinstyle="round",
            )
        )
    return figure


def _line(segments: np.ndarray) -> Path:
    vertices = np.concatenate([segments[0, :1], segments[:, 1:].reshape(-1, 2)])
    return Path(vertices, [Path.MOVETO] + [Path.CURVE4] * (len(vertices) - 1))


def _polygon(corners: np.ndarray) -> Path:
    return Path(np.concatenate([corners, corners[:1]]), closed=True)
