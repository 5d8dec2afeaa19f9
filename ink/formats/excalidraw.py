"""Excalidraw: reads and writes pages as drawings, in pixels (1/96 inch).

Drawings are also read from Markdown files of the Excalidraw plug-in of Obsidian. Excalidraw has
neither layers nor pages: each element keeps the name of its layer among its own values, and a
locked rectangle below all others is the paper.
"""

import json
import math
import re
import string
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ink.formats.checks import MAX_JUMP
from ink.formats.colours import MIN_PEN_OPACITY, hex_colour
from ink.formats.files import read_file
from ink.formats.json_strokes import json_values
from ink.formats.page_checks import MAX_NOTE_BYTES, image_in
from ink.geometry import turned_back
from ink.ink_page import (
    DEFAULT_PEN_WIDTH,
    LINE_PITCH,
    POINTS_PER_PIXEL,
    PT_PER_MM,
    InkPage,
    PageImage,
    PageStroke,
    TypedText,
    page_around,
)
from ink.sample import Fault
from utils.checks import short
from utils.files import XML_FORBIDDEN
from utils.strict_json import Json, children

LINE_DASHES = {"dashed": (8.0, 10.0), "dotted": (1.5, 8.0)}
"""Dashes and gaps in pixels of each kind of line of two pixels."""
LAYER = "layer"
"""Name of the layer among an element's own values."""
PAPER = "paper"
RULING = "ruling"
"""Layers of the rectangle that is the paper, and of its printed lines."""
MEAN_PRESSURE = 0.5
"""Pressure of a pen that tells none."""
PEN_SIZE = 2 * 4.25
"""Width of the line of a freehand pen at full pressure, as a multiple of its stroke width."""
THINNING = 0.6
"""Fraction of the pressure that acts on a freehand pen's width."""
POINT_REPEATS = 2
"""How often each point of a pen is written. Excalidraw's line goes 0.575 of the way to each point
(`streamline` of perfect-freehand), which makes letters smaller (measured, notebook: notes,
Excalidraw)."""
MAX_MARKER_OPACITY = 50
"""Opacity in per cent of a highlighter, at most (assumed; a pen's stroke has more than 75)."""
LETTER_WIDTH = 0.6  # of typed text, in font sizes (assumed; Excalidraw measures the box anew)
HATCHING = 0.4
"""Opacity of an area that is hatched, as it is drawn here (assumed, by eye)."""
PIXELS_PER_MM = 96 / 25.4
DECIMALS = 4
"""Decimals of positions in pixels; with two, strokes lose their shapes, and words their corrections
(measured)."""
_END = 2
"""Code of the end of a compressed drawing."""
_SIGN = re.compile(rb'"type"\s*:\s*"excalidraw|^excalidraw-plugin:', re.MULTILINE)
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


def freehand_widths(stroke_width: float, pressures: np.ndarray) -> np.ndarray:
    """Return the widths of the line that Excalidraw draws for a freehand pen."""
    part = 0.5 + THINNING * (np.clip(pressures, 0, 1) - 0.5)
    return PEN_SIZE * stroke_width * np.sin(part * np.pi / 2)


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a drawing, or a note with one."""
    return _SIGN.search(head) is not None


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file."""
    return [_page(*_values(path))]


def times(path: Path) -> tuple[float, float]:
    """Return when a drawing was made, which no file says, and last changed, in seconds since 1970;
    0 if unknown."""
    _, elements = _values(path)
    changes = [element.get("updated") for element in elements]
    milliseconds = [time for time in changes if isinstance(time, int | float)]
    return 0.0, max(milliseconds, default=0.0) / 1000


def _values(path: Path) -> tuple[dict[str, Json], list[dict[str, Json]]]:
    """Return the values of a drawing, and its elements."""
    content = read_file(path, MAX_NOTE_BYTES)
    blocks = _DRAWING.findall(content) if path.name.endswith(".md") else []
    if blocks:
        is_compressed, content = blocks[-1]  # Blocks above it belong to the note's text.
        content = _decompressed(content) if is_compressed else content
    values = json_values(content)
    elements = values.get("elements") if isinstance(values, dict) else None
    if not isinstance(elements, list) or not all(isinstance(e, dict) for e in elements):
        raise Fault("a drawing without a list of elements")
    return children(values), [children(element) for element in elements]


def _object(values: dict[str, Json], name: str) -> dict[str, Json]:
    """Return an object of a drawing by its name; {} if it is missing or no object."""
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def _page(values: dict[str, Json], elements: list[dict[str, Json]]) -> InkPage:
    files = _object(values, "files")
    state = _object(values, "appState")
    paper = hex_colour(str(state.get("viewBackgroundColor") or "#ffffff"))
    sheet = None
    layers: dict[str, int] = {}
    strokes: list[PageStroke] = []
    ruling: list[PageStroke] = []
    typed: list[TypedText] = []
    images: list[PageImage] = []
    left_out: Counter[str] = Counter()
    for element in elements:
        kind = "stroke" if element.get("type") == "freedraw" else element.get("type")
        name = str(_object(element, "customData").get(LAYER, ""))
        if element.get("isDeleted"):
            left_out[f"erased {kind}"[:40]] += 1
        elif name == PAPER and kind == "rectangle":
            sheet = _box(element)
            paper = hex_colour(str(element.get("backgroundColor", "")))
        elif name == RULING and kind == "line":
            ruling.append(_parse_stroke(element, 0))
        elif kind == "text":
            x = _number(element, "x")
            y = _number(element, "y")
            size = _number(element, "fontSize")
            colour = hex_colour(str(element.get("strokeColor", "")))
            layer = layers.setdefault(name, len(layers))
            typed.append(TypedText(str(element.get("text", "")), x, y, size, colour, layer))
        elif kind == "image" and not _number(element, "angle"):
            file = _object(files, str(element.get("fileId")))
            url = str(file.get("dataURL", ""))
            images += image_in(url, _box(element), layers.setdefault(name, len(layers)), left_out)
        elif kind in ("stroke", "line", "arrow", *_FIGURES):
            strokes.append(_parse_stroke(element, layers.setdefault(name, len(layers))))
        else:
            left_out[str(kind)[:40]] += 1
    rest = {"layers": layers, "paper": paper, "left_out": left_out}
    return page_around(strokes, typed, sheet, images, ruling, unit=POINTS_PER_PIXEL, **rest)


def _box(element: dict[str, Json]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of an element."""
    x, y, width, height = (_number(element, name) for name in _BOX)
    return x, y, x + width, y + height


def _decompressed(text: bytes) -> bytes:
    """Return the content of a text that was compressed by the library LZ-String to base64; raise a
    Fault if the text is damaged."""
    digits = [_BASE64.find(chr(byte)) for byte in text]
    bits = "".join(f"{digit:06b}" for digit in digits if 0 <= digit < 64)
    position = 0
    phrases = ["", "", ""]  # The first three codes are no phrases.
    parts: list[str] = []
    last = ""
    while position < len(bits):
        # A code has as many bits as the number of phrases takes.
        end = position + len(phrases).bit_length()
        code = int(bits[position:end][::-1], 2)  # The lowest bit comes first.
        position = end
        if code == _END:
            units = "".join(parts).encode("utf-16", "surrogatepass")
            return units.decode("utf-16", "replace").encode()
        if code in (0, 1):  # A new character of 8 or 16 bits follows.
            end = position + 8 * (code + 1)
            character_bits = bits[position:end][::-1] or "0"  # none in a text that is cut short
            phrases.append(chr(int(character_bits, 2)))
            code = len(phrases) - 1
            position = end
        # Only the phrase that this code completes may be missing, which begins and ends alike.
        if not code < len(phrases) + bool(last):
            break
        phrase = phrases[code] if code < len(phrases) else last + last[0]
        parts.append(phrase)
        if last:
            phrases.append(last + phrase[0])
        last = phrase
    raise Fault("a compressed drawing that is broken")


def _parse_stroke(element: dict[str, Json], layer: int) -> PageStroke:
    """Return the stroke of an element that has points or is a figure."""
    kind = element["type"]
    x, y, width, height = (_number(element, name) for name in _BOX)
    points = _rows(element, "points", 2)
    if kind in _FIGURES:
        points = (_FIGURES[kind] + 1) * (width / 2, height / 2)
    points = points + np.array([x, y])
    angle = _number(element, "angle")
    if angle and len(points):
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        points = turned_back(points - middle, -angle) + middle
    opacity = min(max(_number(element, "opacity", 100) / 100, 0.0), 1.0)
    line_width = _number(element, "strokeWidth")
    tool = "shape"
    widths = None
    pressed = None
    if kind == "freedraw":
        tool = "highlighter" if opacity < MIN_PEN_OPACITY else "pen"
        pressures = _rows(element, "pressures", 1)[:, 0]
        has_pressures = len(points) > 0 and len(pressures) == len(points)
        if element.get("simulatePressure") or not has_pressures:
            pressures = np.array([MEAN_PRESSURE])
        # Repeated points, as we write them, are one; NaN makes the first point new.
        is_new = np.any(np.diff(points, axis=0, prepend=math.nan), axis=1)
        pressures = pressures[is_new] if len(pressures) == len(points) else pressures
        points = points[is_new]
        pressed = pressures if len(pressures) == len(points) > 1 else None
        widths = freehand_widths(line_width, pressures)
        line_width = float(widths.mean())
        widths = widths if np.ptp(widths) else None
    fill = str(element.get("backgroundColor", "transparent"))
    is_closed = len(points) > 2 and np.allclose(points[0], points[-1])
    fill_opacity = opacity if element.get("fillStyle", "solid") == "solid" else HATCHING * opacity
    return PageStroke(
        points,
        tool,
        colour=hex_colour(str(element.get("strokeColor", ""))),
        width=line_width,
        widths=widths,
        fill=hex_colour(fill) if is_closed and fill != "transparent" else None,
        fill_opacity=fill_opacity,
        dash=LINE_DASHES.get(str(element.get("strokeStyle")), ()),
        opacity=opacity,
        layer=layer,
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
    if not isinstance(value, int | float) or abs(value) > MAX_JUMP:
        raise Fault(f"a value of {name} that is not a number, or too large", short(value))
    return float(value)


def to_excalidraw(page: InkPage) -> str:
    """Return a page as a drawing; the same page gives the same text."""
    scale = PT_PER_MM * page.millimetres / POINTS_PER_PIXEL
    elements = [*_paper(page, scale)]
    files = dict[str, Any]()
    for layer in page.by_layer():
        for image in layer.images:
            key = sha256(image.content).hexdigest()[:40]
            file = {"mimeType": image.media_type, "dataURL": image.data_url}
            files[key] = {"id": key, **file, "created": 0}
            values: dict[str, Any] = {"fileId": key, "status": "saved", "scale": [1, 1]}
            corners = scale * np.reshape(image.box, (2, 2))
            elements.append(_element("image", corners, layer.name, **values))
        elements += (_stroke_element(stroke, layer.name, scale) for stroke in layer.strokes)
        for text in layer.typed:
            content = XML_FORBIDDEN.sub("?", text.text)  # as in a .xopp
            lines = content.splitlines() or [""]
            width = LETTER_WIDTH * text.size * max(map(len, lines))
            height = LINE_PITCH * text.size * len(lines)
            corners = np.array([[text.x, text.y], [text.x + width, text.y + height]])
            values = {"text": content, "originalText": content, "fontSize": scale * text.size}
            font = {"fontFamily": 2}  # Helvetica
            values |= {**font, "textAlign": "left", "verticalAlign": "top"}
            values |= {"strokeColor": text.colour, "containerId": None, "lineHeight": LINE_PITCH}
            # Older Excalidraw needs the baseline of the last line, below which are 0.27 sizes.
            values["baseline"] = scale * (height - 0.27 * text.size)
            elements.append(_element("text", scale * corners, layer.name, **values))
    for number, element in enumerate(elements):
        element |= {"id": f"element-{number}", "seed": number + 1, "versionNonce": number + 1}
    state = {"viewBackgroundColor": "#ffffff", "gridSize": None}
    drawing = {"type": "excalidraw", "version": 2, "source": "online-handwriting"}
    drawing |= {"elements": elements, "appState": state, "files": files}
    return json.dumps(drawing, ensure_ascii=False, separators=(",", ":")) + "\n"


def _paper(page: InkPage, scale: float) -> Iterator[dict[str, Any]]:
    corners = scale * np.array([[0, 0], [page.width, page.height]])
    look = {"strokeColor": "transparent", "backgroundColor": page.paper, "fillStyle": "solid"}
    yield _element("rectangle", corners, PAPER, locked=True, **look)
    for stroke in page.ruling:
        yield _stroke_element(stroke, RULING, scale) | {"locked": True}


def _element(kind: str, points: np.ndarray, layer: str, **values: Any) -> dict[str, Any]:
    """Return an element around points `(n, 2)`, in pixels."""
    x, y = points.min(axis=0).round(DECIMALS).tolist()
    width, height = np.ptp(points, axis=0).round(DECIMALS).tolist()
    element: dict[str, Any] = {"type": kind, "x": x, "y": y, "width": width, "height": height}
    element |= {"angle": 0, "strokeColor": "#000000", "backgroundColor": "transparent"}
    element |= {"fillStyle": "solid", "strokeWidth": 1, "strokeStyle": "solid", "roughness": 0}
    element |= {"opacity": 100, "groupIds": [], "frameId": None, "roundness": None}
    element |= {"boundElements": None, "link": None}
    element["strokeSharpness"] = "sharp"  # of older Excalidraw
    element |= {"version": 1, "updated": 1, "isDeleted": False, "locked": False}
    return element | {"customData": {LAYER: layer}} | values


def _stroke_element(stroke: PageStroke, layer: str, scale: float) -> dict[str, Any]:
    is_pen = stroke.tool != "shape"
    widths = stroke.widths
    repeats = POINT_REPEATS if is_pen or len(stroke.points) == 1 else 1
    points = scale * np.repeat(stroke.points, repeats, axis=0)
    if widths is not None:
        widths = np.repeat(widths, repeats)
    width = scale * stroke.width if stroke.width is not None else PIXELS_PER_MM * DEFAULT_PEN_WIDTH
    opacity = round(100 * stroke.opacity)
    if stroke.tool == "highlighter":
        opacity = min(opacity, MAX_MARKER_OPACITY)
    values = {"points": (points - points[0]).round(DECIMALS).tolist(), "opacity": opacity}
    values |= {"strokeColor": stroke.colour if width else "transparent"}
    if stroke.fill:
        values["backgroundColor"] = stroke.fill
    if stroke.dash:
        is_dotted = stroke.dash[0] < width  # shorter than wide (assumed)
        values["strokeStyle"] = "dotted" if is_dotted else "dashed"
    if is_pen:
        values |= _pen(width, len(points), widths, scale)
    else:
        values |= {"strokeWidth": width, "startArrowhead": None, "endArrowhead": None}
    kind = "freedraw" if is_pen else "line"
    x, y = points[0].round(DECIMALS).tolist()
    return _element(kind, points, layer) | values | {"x": x, "y": y, "lastCommittedPoint": None}


def _pen(width: float, count: int, widths: np.ndarray | None, scale: float) -> dict[str, Any]:
    """Return the width of a freehand pen and its pressures, at which it draws lines of `widths`."""
    pressures = np.full(count, MEAN_PRESSURE)
    # The widths of a pen of stroke width 1 at the mean and at full pressure.
    mean_width, full_width = freehand_widths(1.0, np.array([MEAN_PRESSURE, 1.0]))
    stroke_width = width / mean_width
    if widths is not None and len(widths) == count and widths.max() > 0:
        stroke_width = scale * widths.max() / full_width
        # The inverse of `freehand_widths`.
        part = np.arcsin(np.clip(scale * widths / (PEN_SIZE * stroke_width), 0, 1)) * 2 / np.pi
        pressures = np.clip((part - 0.5) / THINNING + 0.5, 0, 1)
    pressed = {"pressures": pressures.round(4).tolist(), "simulatePressure": False}
    return {"strokeWidth": round(float(stroke_width), 4)} | pressed
