"""Xournal++ and Xournal: reads and writes notes, XML with pages of layers, in points (1/72 inch).

The XML is packed by gzip or, in newer notes that are only read, in a ZIP archive with the
images.
"""

import gzip
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from os import PathLike
from os.path import isfile  # unlike Path.is_file, it takes names that are too long
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

import numpy as np

from ink.drawing.layers import DECIMALS, decimal
from ink.formats.archives import blocks, unpacked_blocks
from ink.formats.colours import alpha, hex_colour
from ink.formats.files import read_head
from ink.formats.page_checks import image_in, to_float
from ink.formats.xml import escape, quoteattr, xml_children
from ink.ink_page import (
    DEFAULT_FONT,
    DEFAULT_PEN_WIDTH,
    PT_PER_MM,
    InkPage,
    PageImage,
    PageLayer,
    PageStroke,
    TypedText,
)
from ink.sample import Fault
from utils.checks import UserError
from utils.files import atomic_write

RULING = "ruling"
"""Name of the layer in which a ruling is drawn that Xournal++ lacks."""
# As Xournal++ and Xournal draw them, in points.
DASH_STYLES = {"dash": (6.0, 3.0), "dashdot": (6.0, 3.0, 0.5, 3.0), "dot": (0.5, 3.0)}
CAPS = ("round", "butt", "square")
"""Names of the ends of lines."""
LEAST_WIDTH = 0.01  # of the line around a filled area that has none, as no line is narrower
MIN_RULER_STEP = 30.0
"""Least distance, in points (1/72 inch), between positions of a stroke drawn with a ruler (assumed:
a pen's position is recorded every few milliseconds)."""
RASTERS = {"ruled": "24", "lined": "24", "graph": "14.17", "dotted": "14.17"}
"""Distance of the printed lines of each kind of paper."""
HEADER = 80.0  # from the top of the page to the first line of ruled paper
FOOTER = 60.0  # from the last line of ruled paper, at least, to the bottom of the page
LINED_MARGIN = 72.0  # from the left of the page to the upright line of lined paper
PAPERS = {
    "blue": "#a0e8ff", "pink": "#ffc0d4", "green": "#80ffc0", "orange": "#ffc080",
    "yellow": "#ffff80",
}  # fmt: skip
"""Colours of paper that have names."""
MAX_DARK_PAPER = 382  # sum of red, green and blue, of 255 each, of paper with light lines (half)
MIN_RASTER = 2.0  # distance of printed lines (assumed)
MAX_RULED = 5000.0  # width and height of a page whose ruling is drawn (assumed)


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head`, unpacked, is a note."""
    # A drawing of Excalidraw, in JSON or Markdown, may quote the tag.
    return re.search(rb"<xournal\b", head) is not None and not head.startswith((b"{", b"---"))


def is_zip(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a ZIP archive."""
    return head.startswith(b"PK\3\4")


def parse(path: Path) -> Iterator[InkPage]:
    """Yield the pages of a file."""
    archive = path if is_zip(read_head(path)) else None
    content = _member(archive, "content.xml") if archive else unpacked_blocks(path)
    pdf = None
    for element in xml_children(content, "xournal"):
        if element.tag == "page":
            background = element.find("background")
            background = Element("background") if background is None else background
            pdf = _pdf(background, path) or pdf  # Later pages do not name the PDF again.
            yield _page(element, background, pdf, archive)


def _member(archive: Path, name: str) -> Iterator[bytes]:
    """Yield the content of a file in an archive, block by block."""
    from zipfile import ZipFile  # slow to import

    try:
        with ZipFile(archive) as packed, packed.open(name) as stream:
            yield from blocks(stream)
    except Exception as error:  # The library raises many types on broken archives.
        raise Fault("a broken archive", f"{type(error).__name__}: {error}") from None


def _pdf(background: Element, path: Path) -> Path | None:
    """Return the PDF that a background names, or a PDF of the same name next to the note; None if
    the background names no PDF."""
    name = background.get("filename")
    if background.get("type") != "pdf" or not name:
        return None
    if background.get("domain") == "attach":
        return path.with_name(f"{path.name}.{Path(name).name}")
    named = path.parent / name
    beside_note = path.parent / name.replace("\\", "/").split("/")[-1]
    return beside_note if isfile(beside_note) and not isfile(named) else named


def _page(element: Element, background: Element, pdf: Path | None, archive: Path | None) -> InkPage:
    """Return the page of an element, with its paper or the PDF behind it."""
    strokes: list[PageStroke] = []
    typed: list[TypedText] = []
    images: list[PageImage] = []
    left_out = Counter[str]()
    layers = element.findall("layer")
    ruling: list[PageStroke] = []
    if layers and layers[0].get("name") == RULING:
        ruling = [replace(_parse_stroke(item, 0), tool="shape") for item in layers.pop(0)]
    items = [(item, number) for number, layer in enumerate(layers) for item in layer]
    for item, layer in items:
        match item.tag:
            case "stroke":
                strokes.append(_parse_stroke(item, layer))
            case "text":
                x = to_float(item.get("x", ""))
                y = to_float(item.get("y", ""))
                size = to_float(item.get("size", ""))
                colour = hex_colour(item.get("color", ""))
                font = item.get("font") or DEFAULT_FONT
                typed.append(TypedText(item.text or "", x, y, size, colour, layer, font))
            case "image":
                box = [to_float(item.get(name, "0")) for name in ("left", "top", "right", "bottom")]
                images += image_in(_content(item, archive), box, layer, left_out)
            case "teximage":
                left_out["formula"] += 1
            case _:
                left_out[item.tag[:40]] += 1
    width = to_float(element.get("width", ""))
    height = to_float(element.get("height", ""))
    names = tuple(layer.get("name", "") for layer in layers) or ("",)
    rest: dict[str, Any] = {"images": tuple(images), "ruling": tuple(ruling), "layers": names}
    rest |= _background(background, (width, height), pdf, left_out)
    rest |= {"typed": tuple(typed), "left_out": left_out}
    return InkPage(width, height, tuple(strokes), unit=1.0, **rest)


def _content(image: Element, archive: Path | None) -> str:
    """Return the content of an image, as base64; of a packed note it may be another file."""
    attachment = image.find("attachment")
    if attachment is None or archive is None:
        return image.text or ""
    return b64encode(b"".join(_member(archive, attachment.get("path", "")))).decode()


def _parse_stroke(item: Element, layer: int) -> PageStroke:
    text = item.text or ""
    try:
        points = np.array(text.split(), np.float64).reshape(-1, 2)
    except ValueError:
        raise Fault("a stroke that is no list of x and y of points", text.strip()[:40]) from None
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    tool = item.get("tool", "pen")
    if tool not in ("highlighter", "eraser"):
        is_ruled = len(steps) > 0 and steps.min() > MIN_RULER_STEP
        tool = "shape" if is_ruled or "fill" in item.attrib else "pen"
    width, *widths = map(to_float, item.get("width", "").split() or [""])
    colour = item.get("color", "")
    # A width belongs to the line from a point to the next.
    has_widths = 0 < len(widths) == len(points) - 1
    fill = re.fullmatch(r"\d{1,3}", item.get("fill", ""))  # opacity of the area, of 255
    return PageStroke(
        points,
        tool,
        colour=hex_colour(colour),
        width=width,
        widths=np.array([*widths, widths[-1]]) if has_widths else None,
        fill=hex_colour(colour) if fill else None,
        fill_opacity=min(int(fill[0]) / 255, 1.0) if fill else 0.0,
        dash=_dash(item.get("style", "")),
        opacity=alpha(colour),
        layer=layer,
        cap=item.get("capStyle") if item.get("capStyle") in CAPS else "round",
    )


def _dash(style: str) -> tuple[float, ...]:
    numbers = style.removeprefix("cust: ").split() if style.startswith("cust: ") else ()
    return DASH_STYLES.get(style) or tuple(map(to_float, numbers))


def _background(
    element: Element, size: tuple[float, float], pdf: Path | None, left_out: Counter[str]
) -> dict[str, Any]:
    """Return attributes of an `InkPage` from a background: its PDF, or the colour and the ruling of
    its paper; count other properties in `left_out`."""
    kind = element.get("type", "")
    style = element.get("style", "")
    config = element.get("config", "")
    if kind == "pixmap":
        left_out["background image"] += 1
    elif kind == "pdf" and (pdf is None or not isfile(pdf)):
        left_out["missing background PDF"] += 1
    elif kind == "pdf":
        number = re.match(r"\d{1,9}", element.get("pageno", ""))
        if number:
            return {"background": pdf, "background_page": max(int(number[0]) - 1, 0)}
    if kind != "solid":
        return {}
    colour = element.get("color", "white")
    paper = PAPERS.get(colour) or hex_colour(colour)
    is_light = sum(bytes.fromhex(paper[1:])) > MAX_DARK_PAPER
    ruling = _ruling(style, config, size, is_light)
    if ruling:
        return {"paper": paper, "ruling": ruling, "style": f"{style} {config}".strip()}
    if style not in ("", "plain"):
        left_out["ruling"] += 1
    return {"paper": paper}


@lru_cache
def _ruling(
    style: str, config: str, size: tuple[float, float], is_light: bool
) -> tuple[PageStroke, ...]:
    """Return the printed lines of a paper of a size, as Xournal++ draws them; none if the style is
    unknown. A row of dots is a dashed line."""
    settings = dict(part.partition("=")[::2] for part in config.split(","))  # names and values
    width, height = size
    colour = "#bdbdbd" if is_light else "#434343"
    if not 0 < max(size) <= MAX_RULED or style not in RASTERS:
        return ()
    step = max(to_float(settings.get("r1") or RASTERS[style]), MIN_RASTER)
    margin = max(to_float(settings.get("m1") or "0"), 0.0)
    xs = np.arange(step, width - margin, step)
    ys = np.arange(step, height - margin, step)
    if style == "dotted":
        dots = PageStroke(np.empty((0, 2)), "shape", colour, 1.5, dash=(0.0, step))
        return tuple(replace(dots, points=np.array(((step, y), (width, y)))) for y in ys)
    if style == "graph":
        xs = xs[xs >= margin]
        ys = ys[ys >= margin]
        left = 0.0
        top = 0.0
        right = width
        bottom = height
        if margin and len(xs) and len(ys):  # A margin ends at lines.
            left = xs[0]
            top = ys[0]
            right = xs[-1]
            bottom = ys[-1]
        lines = [((left, y), (right, y)) for y in ys] + [((x, top), (x, bottom)) for x in xs]
    else:
        colour = "#40a0ff" if is_light else colour
        lines = [((0.0, y), (width, y)) for y in np.arange(HEADER, height - FOOTER, step)]
    ruling = [PageStroke(np.array(line), "shape", colour, 0.5) for line in lines]
    if style == "lined":
        margin = margin or LINED_MARGIN
        ends = np.array([(margin, 0.0), (margin, height)])
        ruling.append(PageStroke(ends, "shape", "#ff0080" if is_light else "#220080", 0.5))
    return tuple(ruling)


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
        scale = PT_PER_MM * page.millimetres
        yield f"<page width={_number(scale * page.width)} height={_number(scale * page.height)}>"
        if page.background is None:
            style, _, config = page.style.partition(" ")
            look = f"style={quoteattr(style or 'plain')}"
            if config:
                look += f" config={quoteattr(config)}"
            yield f'<background type="solid" color="{page.paper}ff" {look}/>'
        else:
            if pdf and page.background != pdf:
                raise UserError(f"{page.background}: a note of Xournal++ annotates one PDF ({pdf})")
            name = ""
            if pdf is None:  # Only the first page names the PDF.
                name = f' domain="absolute" filename={quoteattr(str(page.background))}'
            pdf = page.background
            yield f'<background type="pdf"{name} pageno="{page.background_page + 1}"/>'
        if page.ruling and not page.style:
            yield f'<layer name="{RULING}">'
            for stroke in page.ruling:
                yield from _stroke_lines(stroke, scale)
            yield "</layer>"
        for layer in page.by_layer():
            yield from _layer(layer, scale)
        yield "</page>"
    yield "</xournal>"


def _layer(layer: PageLayer, scale: float) -> Iterator[str]:
    yield f"<layer name={quoteattr(layer.name)}>" if layer.name else "<layer>"
    for image in layer.images:
        edges = zip(("left", "top", "right", "bottom"), image.box, strict=True)
        box = " ".join(f"{edge}={_number(scale * value)}" for edge, value in edges)
        yield f"<image {box}>{b64encode(image.content).decode()}</image>"
    for stroke in layer.strokes:
        yield from _stroke_lines(stroke, scale)
    for text in layer.typed:
        x = _number(scale * text.x)
        y = _number(scale * text.y)
        size = _number(scale * text.size)
        content = escape(text.text)
        look = f'font={quoteattr(text.font)} size={size} x={x} y={y} color="{text.colour}ff"'
        yield f"<text {look}>{content}</text>"
    yield "</layer>"


def _stroke_lines(stroke: PageStroke, scale: float) -> Iterator[str]:
    """Yield a stroke. A filled area has the colour of its line in Xournal++, so an area of another
    colour is a stroke of its own below the line."""
    points = stroke.points if len(stroke.points) > 1 else np.repeat(stroke.points, 2, axis=0)
    content = " ".join(map(decimal, (scale * points).ravel().tolist()))
    width = PT_PER_MM * DEFAULT_PEN_WIDTH if stroke.width is None else scale * stroke.width
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
    names = {dash: name for name, dash in DASH_STYLES.items()}
    style = names.get(lengths) or f"cust: {' '.join(map(decimal, lengths))}"
    look += fill + (f' style="{style}"' if lengths else "")
    yield f'<stroke {look} capStyle="{stroke.cap}">{content}</stroke>'


def _number(value: float) -> str:
    return f'"{decimal(value)}"'
