"""SVG: pages in millimetres, for browsers and pen plotters."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ink.drawing.layers import Layer, Row, curves, decimal
from utils.files import XML_FORBIDDEN


def to_svg(
    size: tuple[float, float], layers: Sequence[Layer], title: str = "", *, description: str = ""
) -> str:
    """Return a page as SVG.

    Every layer is a layer of Inkscape, a form that vpype and the AxiDraw's programs know too. Every
    stroke is a `<path>` of cubic curves from point to point; paths are in the order of writing. A
    dot is a short line, so that plotters draw it. The first path of a row names the row's text, by
    which `read_ink` finds the rows again.

    Args:
        size: the width and height of the page in millimetres.
        layers: the layers of the page, in order.
        title, description: any text; "" for none.
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
        style = (
            f'fill="none" stroke="{layer.pen.colour}" stroke-width="{decimal(layer.pen.width)}" '
            'stroke-linecap="round" stroke-linejoin="round"'
        )
        paths = []
        for row in layer.rows:
            first, *others = (_path_data(curves(stroke)) for stroke in row.strokes)
            label = "" if layer.printed else _label(row)
            paths.append(f'<path{label} d="{first}"/>')
            paths += [f'<path d="{data}"/>' for data in others]
        label = f'inkscape:groupmode="layer" inkscape:label="{_escaped(layer.label)}"'
        lines += [f"<g {label} {style}>", *paths, "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _label(row: Row) -> str:
    """Return the attribute that names a row's text."""
    return f" aria-label={quoteattr(XML_FORBIDDEN.sub('?', row.text))}"


def _path_data(segments: np.ndarray) -> str:
    """Return the `d` of a path along Bézier segments `(segments, 4, 2)`, at least one; each begins
    at the end of the one before."""
    x, y = map(decimal, segments[0, 0].tolist())
    rows = segments[:, 1:].reshape(-1, 6).tolist()
    return f"M{x} {y}" + "".join("C" + " ".join(map(decimal, row)) for row in rows)


def _escaped(text: str) -> str:
    """Escape text for XML; characters that XML does not allow even when escaped become `?`."""
    return escape(XML_FORBIDDEN.sub("?", text))
