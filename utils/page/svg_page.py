"""SVG: a page that programs of pen plotters open layer by layer, and browsers draw."""

from os import PathLike

from utils.files import write_text
from utils.page.layers import DECIMALS, Layer, curves, layers
from utils.page.nib import outlines
from utils.page.page import Page
from utils.page.svg_parts import document, escaped, number, path_data, pen_attributes, polygon_data

NAMESPACES = ' xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
"""Inkscape's own, by which it, the programs of the AxiDraw and vpype know layers."""


def write_page_svg(
    path: str | PathLike[str],
    page: Page,
    title: str = "",
    *,
    speed_widths: bool = False,
) -> None:
    """Write a page as an SVG in millimetres, for browsers and pen plotters.

    Every pen is a layer, the printed ruling the first, and every stroke one `<path>` in the order
    of writing: cubic curves whose end points are the points. A dot is a short line, so that
    plotters draw it.

    Args:
        path: the file, whose folder exists.
        page: what to write.
        title: any text; none if empty.
        speed_widths: outlines of the strokes, thinner where the pen is fast; for screens only.

    Raises:
        DataError: if the page is not valid.
        UserError: if ink leaves the sheet.
    """
    write_text(path, page_svg(page, title, speed_widths=speed_widths))


def page_svg(page: Page, title: str = "", *, speed_widths: bool = False) -> str:
    """Return the text of the SVG; see `write_page_svg`."""
    lines = []
    for layer in layers(page):
        if speed_widths and not layer.printed:
            paths = [polygon_data(p, DECIMALS) for row in layer.rows for p in outlines(row)]
            lines.append(open_layer(layer, f'fill="{layer.pen.colour}"'))
        else:
            paths = [path_data(curves(points), DECIMALS) for points in layer.strokes]
            lines.append(open_layer(layer))
        lines += [f'<path d="{d}"/>' for d in paths]
        lines.append("</g>")
    return page_document(page, lines, title)


def open_layer(layer: Layer, look: str = "") -> str:
    """Return the start of the group of a layer, drawn by its pen unless another look is given."""
    look = look or pen_attributes(layer.pen.colour, number(layer.pen.width, DECIMALS))
    return f'<g inkscape:groupmode="layer" inkscape:label="{escaped(layer.label)}" {look}>'


def page_document(page: Page, content: list[str], title: str) -> str:
    """Return the text of an SVG of the size of a page, in millimetres."""
    return document(
        (page.width, page.height),
        f"0 0 {number(page.width, DECIMALS)} {number(page.height, DECIMALS)}",
        content,
        title=title,
        namespaces=NAMESPACES,
    )
