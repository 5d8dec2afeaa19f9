"""SVG: pages in millimetres, for browsers and pen plotters."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from utils.files import XML_FORBIDDEN
from utils.page.layers import Layer, Row, curves, decimal


def to_svg(
    size: tuple[float, float], layers: Sequence[Layer], title: str = "", *, description: str = ""
) -> str:
    """Return the text of an SVG of a page, in millimetres.

    Every pen is a layer (of Inkscape, by which the programs of the AxiDraw and vpype know them as
    well), the printed ruling the first, and every stroke one `<path>` in the order of writing:
    cubic curves whose end points are the points. A dot is a short line, so that plotters draw it.
    The first path of a row names its text, by which `read_ink` finds the rows again.

    Args:
        size: width and height of the page.
        layers: what is drawn, in order.
        title, description: any text; none if empty.
    """
    width, height = map(decimal, size)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
        f'width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}">',
    ]
    if title:
        lines.append(f"<title>{_escaped(title)}</title>")
    if description:
        lines.append(f"<desc>{_escaped(description)}</desc>")
    for layer in layers:
        look = (
            f'fill="none" stroke="{layer.pen.colour}" stroke-width="{decimal(layer.pen.width)}" '
            'stroke-linecap="round" stroke-linejoin="round"'
        )
        drawn = []
        for row in layer.rows:
            paths = [_path_data(curves(stroke)) for stroke in row.strokes]
            label = "" if layer.printed else _label(row)
            drawn.append(f'<path{label} d="{paths[0]}"/>')
            drawn += [f'<path d="{path}"/>' for path in paths[1:]]
        label = f'inkscape:groupmode="layer" inkscape:label="{_escaped(layer.label)}"'
        lines += [f"<g {label} {look}>", *drawn, "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _label(row: Row) -> str:
    """Return the attribute that names a row's text."""
    return f" aria-label={quoteattr(XML_FORBIDDEN.sub('?', row.text))}"


def _path_data(segments: np.ndarray) -> str:
    """Return the `d` of a path along cubic segments `(segments, 4, 2)`, each from where the one
    before ends; at least one."""
    x, y = map(decimal, segments[0, 0].tolist())
    rows = segments[:, 1:].reshape(-1, 6).tolist()
    return f"M{x} {y}" + "".join("C" + " ".join(map(decimal, row)) for row in rows)


def _escaped(text: str) -> str:
    """Escape text for XML; what XML forbids even when escaped becomes a question mark."""
    return escape(XML_FORBIDDEN.sub("?", text))
