"""Reads drawings of Excalidraw, also from Markdown files of the Excalidraw plug-in of Obsidian.

Excalidraw has no layers; `excalidraw_writing` keeps the name of a layer with each element.
"""

import math
import re
import string
from collections import Counter
from pathlib import Path

import numpy as np

from data_loader.sources.own_ink import json_values
from data_loader.sources.parsing import MAX_OFFSET, Fault
from data_loader.sources.untrusted_files import read_file
from ink.formats.excalidraw_writing import (
    DASHES,
    LAYER,
    MEAN_PRESSURE,
    PAPER,
    RULING,
    freehand_widths,
)
from ink.geometry import turned_back
from ink.ink_page import POINTS_PER_PIXEL, InkPage, PageImage, PageStroke, TypedText
from notes.ink_page import MAX_BYTES, MIN_PEN_OPACITY, hex_colour, image_in, page_around
from utils.checks import short
from utils.strict_json import Json

HATCHING = 0.4
"""Opacity of an area that is hatched, as it is drawn here (assumed, by eye)."""
_END = 2
"""Code of the end of a compressed drawing."""
_BOX = ("x", "y", "width", "height")
_DRAWING = re.compile(rb"^```(compressed-)?json[^\S\n]*+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_ANGLES = np.linspace(0, math.tau, 65)
_FIGURES = {
    "rectangle": np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]),
    "diamond": np.array([[0, -1], [1, 0], [0, 1], [-1, 0], [0, -1]]),
    "ellipse": np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)]),
}
"""Outline of each figure in a box from (-1, -1) to (1, 1)."""


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file."""
    content = read_file(path, MAX_BYTES)
    if path.name.endswith(".md") and (drawing := _DRAWING.search(content)):
        content = _decompressed(drawing[2]) if drawing[1] else drawing[2]
    values = json_values(content)
    elements = values.get("elements") if isinstance(values, dict) else None
    if not isinstance(elements, list) or not all(isinstance(e, dict) for e in elements):
        raise Fault("a drawing without a list of elements")
    return [_page(values, elements)]


def _page(values: dict[str, Json], elements: list[dict[str, Json]]) -> InkPage:
    files, state = (
        item if isinstance(item := values.get(name), dict) else {} for name in ("files", "appState")
    )
    paper, sheet = hex_colour(str(state.get("viewBackgroundColor") or "#ffffff")), None
    layers: dict[str, int] = {}
    strokes: list[PageStroke] = []
    ruling: list[PageStroke] = []
    typed: list[TypedText] = []
    images: list[PageImage] = []
    left_out: Counter[str] = Counter()
    for element in elements:
        kind = "stroke" if element.get("type") == "freedraw" else element.get("type")
        custom = element.get("customData")
        name = str(custom.get(LAYER, "")) if isinstance(custom, dict) else ""
        if element.get("isDeleted"):
            left_out[f"erased {kind}"[:40]] += 1
        elif name == PAPER and kind == "rectangle":
            sheet, paper = _box(element), hex_colour(str(element.get("backgroundColor", "")))
        elif name == RULING and kind == "line":
            ruling.append(_stroke(element, 0))
        elif kind == "text":
            numbers = (_number(element, name) for name in ("x", "y", "fontSize"))
            colour = hex_colour(str(element.get("strokeColor", "")))
            layer = layers.setdefault(name, len(layers))
            typed.append(TypedText(str(element.get("text", "")), *numbers, colour, layer))
        elif kind == "image" and not _number(element, "angle"):
            file = files.get(str(element.get("fileId")))
            url = str(file.get("dataURL", "")) if isinstance(file, dict) else ""
            images += image_in(url, _box(element), layers.setdefault(name, len(layers)), left_out)
        elif kind in ("stroke", "line", "arrow", *_FIGURES):
            strokes.append(_stroke(element, layers.setdefault(name, len(layers))))
        else:
            left_out[str(kind)[:40]] += 1
    rest = {"layers": layers, "paper": paper, "left_out": left_out}
    return page_around(strokes, typed, sheet, images, ruling, unit=POINTS_PER_PIXEL, **rest)


def _box(element: dict[str, Json]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of an element."""
    x, y, width, height = (_number(element, name) for name in _BOX)
    return x, y, x + width, y + height


def _decompressed(text: bytes) -> bytes:
    """Return the content of a text that was compressed by the library LZ-String to base64.

    Raises:
        Fault: if the text is damaged, or its content is too large.
    """
    digits = [_BASE64.find(chr(byte)) for byte in text]
    bits = "".join(f"{digit:06b}" for digit in digits if 0 <= digit < 64)
    position, size = 0, 0
    phrases, parts, last = ["", "", ""], list[str](), ""  # The first three codes are no phrases.
    while position < len(bits):
        end = position + len(phrases).bit_length()
        code, position = int(bits[position:end][::-1], 2), end  # The lowest bit comes first.
        if code == _END:
            units = "".join(parts).encode("utf-16", "surrogatepass")
            return units.decode("utf-16", "replace").encode()
        if code in (0, 1):  # A new character of 8 or 16 bits follows.
            end = position + 8 * (code + 1)
            phrases.append(chr(int(bits[position:end][::-1] or "0", 2)))
            code, position = len(phrases) - 1, end
        if not code < len(phrases) + bool(last):
            break
        phrase = phrases[code] if code < len(phrases) else last + last[0]
        parts.append(phrase)
        if (size := size + len(phrase)) > MAX_BYTES:
            raise Fault(f"more than {MAX_BYTES:,} bytes when it is unpacked")
        if last:
            phrases.append(last + phrase[0])
        last = phrase
    raise Fault("a compressed drawing that is broken")


def _stroke(element: dict[str, Json], layer: int) -> PageStroke:
    """Return the stroke of an element that has points or is a figure."""
    kind = element["type"]
    x, y, width, height = (_number(element, name) for name in _BOX)
    points = _rows(element, "points", 2)
    if kind in _FIGURES:
        points = (_FIGURES[kind] + 1) * (width / 2, height / 2)
    points = points + np.array([x, y])
    if len(points) and (angle := _number(element, "angle")):
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        points = turned_back(points - middle, -angle) + middle
    opacity = min(max(_number(element, "opacity", 100) / 100, 0.0), 1.0)
    line_width = _number(element, "strokeWidth")
    tool, widths, pressed = "shape", None, None
    if kind == "freedraw":
        tool = "highlighter" if opacity < MIN_PEN_OPACITY else "pen"
        pressures = _rows(element, "pressures", 1)[:, 0]
        if element.get("simulatePressure") or len(pressures) != len(points) or not len(points):
            pressures = np.array([MEAN_PRESSURE])
        pressed = pressures if len(pressures) == len(points) > 1 else None
        widths = freehand_widths(line_width, pressures)
        line_width, widths = float(widths.mean()), widths if np.ptp(widths) else None
    dash = DASHES.get(str(element.get("strokeStyle")), ())
    fill = str(element.get("backgroundColor", "transparent"))
    is_closed = len(points) > 2 and np.allclose(points[0], points[-1])
    fill_opacity = opacity if element.get("fillStyle", "solid") == "solid" else HATCHING * opacity
    return PageStroke(
        points,
        tool,
        hex_colour(str(element.get("strokeColor", ""))),
        line_width,
        widths,
        hex_colour(fill) if is_closed and fill != "transparent" else None,
        fill_opacity,
        dash,
        opacity,
        layer,
        pressures=pressed,
    )


def _rows(element: dict[str, Json], name: str, width: int) -> np.ndarray:
    """Return the numbers of a list, `(n, width)`."""
    try:
        rows = np.array(element.get(name) or np.empty((0, width)), np.float64)
        return rows.reshape(len(rows), width)
    except (TypeError, ValueError, OverflowError):
        raise Fault(f"{name} that are not a list of numbers", short(element[name])) from None


def _number(element: dict[str, Json], name: str, default: float = 0) -> float:
    value = element.get(name, default)
    if not isinstance(value, int | float) or abs(value) > MAX_OFFSET:
        raise Fault(f"a value of {name} that is not a number, or too large", short(value))
    return float(value)
