"""Rows of pages as SVG in millimetres, for browsers and pen plotters: writes and reads them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ink.drawing.layers import Layer, curves, decimal
from ink.formats.checks import clean_text, join_strokes
from ink.formats.files import read_file
from ink.formats.svg.shapes import shapes
from ink.formats.xml import escape, quoteattr, root_tag, xml_tree
from ink.sample import NoLines, Parsed, Sample
from utils.program import typed

_ROW_TEXT = "aria-label"  # attribute of the first path of a row


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is SVG."""
    return root_tag(head) == "svg"


def parse(path: Path) -> Parsed:
    """Return the rows in a file, the uppermost first; the points of a row are its curves' ends."""
    rows: list[tuple[str, list[np.ndarray]]] = []
    for shape in shapes(xml_tree(read_file(path), "svg")):
        if _ROW_TEXT in shape.element.attrib:
            rows.append((shape.element.attrib[_ROW_TEXT], []))
        if rows and not shape.is_ruling:
            rows[-1][1].extend(np.concatenate([part[:1, 0], part[:, 3]]) for part in shape.curves)
    written = [(text, strokes) for text, strokes in rows if strokes]
    if not written:
        raise NoLines(f"an SVG without rows of text; `{typed('notes')}` reads such files")
    written.sort(key=lambda row: float(np.concatenate(row[1])[:, 1].mean()))
    parsed = Parsed()
    for number, (text, strokes) in enumerate(written):
        name = f"{number:04}" if len(written) > 1 else ""
        with parsed.attempt(name):
            ink = join_strokes(strokes)
            parsed.samples.append(Sample(ink, clean_text(text)).renamed(name))
    return parsed


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
        lines.append(f"<title>{escape(title)}</title>")
    if description:
        lines.append(f"<desc>{escape(description)}</desc>")
    for layer in layers:
        style = (
            f'fill="none" stroke="{layer.pen.colour}" stroke-width="{decimal(layer.pen.width)}" '
            'stroke-linecap="round" stroke-linejoin="round"'
        )
        paths = []
        for row in layer.rows:
            first, *others = (path_data(curves(stroke)) for stroke in row.strokes)
            label = "" if layer.printed else f" {_ROW_TEXT}={quoteattr(row.text)}"
            paths.append(f'<path{label} d="{first}"/>')
            paths += [f'<path d="{data}"/>' for data in others]
        label = f'inkscape:groupmode="layer" inkscape:label="{escape(layer.label)}"'
        lines += [f"<g {label} {style}>", *paths, "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def path_data(segments: np.ndarray) -> str:
    """Return the `d` of a path along Bézier segments `(segments, 4, 2)`, at least one; each begins
    at the end of the previous segment."""
    x, y = map(decimal, segments[0, 0].tolist())
    rows = segments[:, 1:].reshape(-1, 6).tolist()
    return f"M{x} {y}" + "".join("C" + " ".join(map(decimal, row)) for row in rows)
