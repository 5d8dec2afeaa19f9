"""Xournal++: pages as notes that can be edited there, in points (1/72 inch)."""

import gzip
from base64 import b64encode
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ink.drawing.layers import DECIMALS, decimal
from ink.ink_page import PEN_WIDTH, POINT, InkPage, PageStroke
from utils.checks import UserError
from utils.files import XML_FORBIDDEN, atomic_write

RULING = "ruling"
"""Name of the layer of a ruling that Xournal++ has not."""
# As Xournal++ and Xournal draw them, in points.
DASHES = {"dash": (6.0, 3.0), "dashdot": (6.0, 3.0, 0.5, 3.0), "dot": (0.5, 3.0)}
CAPS = ("round", "butt", "square")
"""Names of the ends of lines."""
LEAST_WIDTH = 0.01  # of the line around a filled area that has none, as no line is narrower


def write_xopp(path: str | PathLike[str], pages: Iterable[InkPage]) -> None:
    """Write pages as a note, atomically; the same pages give the same bytes.

    Raises:
        UserError: if pages annotate several PDFs, of which a note has one.
    """

    def write(file: BinaryIO) -> None:
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            packed.writelines(f"{line}\n".encode() for line in _lines(pages))

    atomic_write(path, write)


def _lines(pages: Iterable[InkPage]) -> Iterator[str]:
    yield '<?xml version="1.0" standalone="no"?>'
    yield '<xournal creator="online-handwriting" fileversion="4">'
    pdf: Path | None = None
    for page in pages:
        scale = POINT * page.millimetres
        yield f"<page width={_number(scale * page.width)} height={_number(scale * page.height)}>"
        if page.background is None:
            style, _, config = page.style.partition(" ")
            config = f" config={_attribute(config)}" if config else ""
            style = f"style={_attribute(style or 'plain')}{config}"
            yield f'<background type="solid" color="{page.paper}ff" {style}/>'
        else:
            if pdf and page.background != pdf:
                raise UserError(f"{page.background}: a note of Xournal++ annotates one PDF ({pdf})")
            # Only the first page names the PDF.
            name = "" if pdf else f' domain="absolute" filename={_attribute(str(page.background))}'
            pdf = page.background
            yield f'<background type="pdf"{name} pageno="{page.background_page + 1}"/>'
        if page.ruling and not page.style:
            yield f'<layer name="{RULING}">'
            for stroke in page.ruling:
                yield from _stroke(stroke, scale)
            yield "</layer>"
        for number, name in enumerate(page.layers):
            yield from _layer(page, number, name, scale)
        yield "</page>"
    yield "</xournal>"


def _layer(page: InkPage, number: int, name: str, scale: float) -> Iterator[str]:
    yield f"<layer name={_attribute(name)}>" if name else "<layer>"
    for image in (image for image in page.images if image.layer == number):
        edges = zip(("left", "top", "right", "bottom"), image.box, strict=True)
        box = " ".join(f"{edge}={_number(scale * value)}" for edge, value in edges)
        yield f"<image {box}>{b64encode(image.content).decode()}</image>"
    for stroke in (stroke for stroke in page.strokes if stroke.layer == number):
        yield from _stroke(stroke, scale)
    for text in (text for text in page.typed if text.layer == number):
        x, y, size = (_number(scale * value) for value in (text.x, text.y, text.size))
        content = escape(XML_FORBIDDEN.sub("?", text.text))
        look = f'font={_attribute(text.font)} size={size} x={x} y={y} color="{text.colour}ff"'
        yield f"<text {look}>{content}</text>"
    yield "</layer>"


def _stroke(stroke: PageStroke, scale: float) -> Iterator[str]:
    """Yield a stroke. A filled area has the colour of its line in Xournal++, so an area of another
    colour is a stroke of its own below the line."""
    points = stroke.points if len(stroke.points) > 1 else np.repeat(stroke.points, 2, axis=0)
    content = " ".join(map(decimal, (scale * points).ravel().tolist()))
    width = POINT * PEN_WIDTH if stroke.width is None else scale * stroke.width
    alpha = f"{round(255 * stroke.opacity):02x}"
    fill = f' fill="{round(255 * stroke.fill_opacity)}"' if stroke.fill else ""
    if fill and (stroke.fill != stroke.colour or not width):
        look = f'tool="pen" color="{stroke.fill}ff" width="{LEAST_WIDTH}"{fill}'
        yield f"<stroke {look}>{content}</stroke>"
        fill = ""
    if not width:
        return
    widths = [width]
    if stroke.widths is not None and len(stroke.widths) == len(points):
        widths += (scale * stroke.widths[:-1]).tolist()
    tool = "pen" if stroke.tool == "shape" else stroke.tool
    look = f'tool="{tool}" color="{stroke.colour}{alpha}" width="{" ".join(map(decimal, widths))}"'
    lengths = tuple(round(scale * length, DECIMALS) for length in stroke.dash)
    names = {dash: name for name, dash in DASHES.items()}
    style = names.get(lengths) or f"cust: {' '.join(map(decimal, lengths))}"
    look += fill + (f' style="{style}"' if lengths else "")
    yield f'<stroke {look} capStyle="{stroke.cap}">{content}</stroke>'


def _number(value: float) -> str:
    return f'"{decimal(value)}"'


def _attribute(text: str) -> str:
    return quoteattr(XML_FORBIDDEN.sub("?", text))
