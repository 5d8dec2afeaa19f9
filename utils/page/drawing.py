"""Pages drawn by matplotlib."""

from matplotlib.figure import Figure

from utils.page.layers import curves, layers
from utils.page.page import Page
from utils.plots import Canvas

INCH = 25.4
"""Millimetres."""


def page_figure(page: Page, *, speed_widths: bool = False) -> Figure:
    """Return a figure of a page, in its size, for `utils.plots.write_png` or `write_pdf`.

    Args:
        page: what to draw.
        speed_widths: draw strokes thinner where the pen is fast.

    Raises:
        UserError: if ink leaves the sheet.
    """
    canvas = Canvas()
    for layer in layers(page):
        if speed_widths and not layer.printed:
            drawn = layer.by_width()
        else:
            drawn = {layer.pen.width: [curves(stroke) for stroke in layer.strokes]}
        for width, lines in drawn.items():
            canvas.stroke([line / INCH for line in lines], layer.pen.colour, width / INCH)
    return canvas.cut(page.width / INCH, page.height / INCH)
