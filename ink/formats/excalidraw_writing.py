"""Excalidraw: pages as drawings that can be edited there, in pixels (1/96 inch).

Excalidraw has neither layers nor pages: each element keeps the name of its layer among its own
values, and a locked rectangle below all others is the paper.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np

from ink.ink_page import (
    PEN_WIDTH,
    POINT,
    POINTS_PER_PIXEL,
    InkPage,
    PageStroke,
    image_kind,
)
from utils.files import XML_FORBIDDEN

DASHES = {"dashed": (8.0, 10.0), "dotted": (1.5, 8.0)}
"""Dashes and gaps in pixels of each kind of line of two pixels."""
LAYER = "layer"
"""Name of the layer among an element's own values."""
PAPER, RULING = "paper", "ruling"
"""Layers of the rectangle that is the paper, and of its printed lines."""
MEAN_PRESSURE = 0.5
"""Pressure of a pen that tells none."""
PEN_SIZE = 2 * 4.25
"""Width of the line of a freehand pen at full pressure, as a multiple of its stroke width."""
THINNING = 0.6
"""Fraction of the pressure that acts on a freehand pen's width."""
MAX_MARKER_OPACITY = 50
"""Opacity in per cent of a highlighter, at most (assumed; a pen's stroke has more than 75)."""


def freehand_widths(stroke_width: float, pressures: np.ndarray) -> np.ndarray:
    """Return the widths of the line that Excalidraw draws for a freehand pen."""
    part = 0.5 + THINNING * (np.clip(pressures, 0, 1) - 0.5)
    return PEN_SIZE * stroke_width * np.sin(part * np.pi / 2)


def to_excalidraw(page: InkPage) -> str:
    """Return a page as a drawing; the same page gives the same text."""
    scale = POINT * page.millimetres / POINTS_PER_PIXEL
    elements, files = [*_paper(page, scale)], dict[str, Any]()
    for number, name in enumerate(page.layers):
        for image in (image for image in page.images if image.layer == number):
            key = sha256(image.content).hexdigest()[:40]
            kind = f"image/{image_kind(image.content)}"
            url = f"data:{kind};base64,{b64encode(image.content).decode()}"
            files[key] = {"id": key, "mimeType": kind, "dataURL": url, "created": 0}
            values = {"fileId": key, "status": "saved", "scale": [1, 1]}
            corners = scale * np.reshape(image.box, (2, 2))
            elements.append(_element("image", corners, name, **values))
        strokes = (stroke for stroke in page.strokes if stroke.layer == number)
        elements += (_stroke(stroke, name, scale) for stroke in strokes)
        for text in (text for text in page.typed if text.layer == number):
            content = XML_FORBIDDEN.sub("?", text.text)  # as in a .xopp
            lines = content.splitlines() or [""]
            size = 0.6 * text.size * max(map(len, lines)), 1.25 * text.size * len(lines)
            corners = np.array([[text.x, text.y], [text.x + size[0], text.y + size[1]]])
            values = {"text": content, "originalText": content, "fontSize": scale * text.size}
            values |= {"fontFamily": 2, "textAlign": "left", "verticalAlign": "top"}
            values |= {"strokeColor": text.colour, "containerId": None, "lineHeight": 1.25}
            values["baseline"] = scale * (size[1] - 0.35 * text.size)  # of older Excalidraw
            elements.append(_element("text", scale * corners, name, **values))
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
        yield _stroke(stroke, RULING, scale) | {"locked": True}


def _element(kind: str, points: np.ndarray, layer: str, **values: Any) -> dict[str, Any]:
    """Return an element around points `(n, 2)`, in pixels."""
    x, y = points.min(axis=0).round(2).tolist()
    width, height = np.ptp(points, axis=0).round(2).tolist()
    box = {"type": kind, "x": x, "y": y, "width": width, "height": height, "angle": 0}
    look = {"strokeColor": "#000000", "backgroundColor": "transparent", "fillStyle": "solid"}
    look |= {"strokeWidth": 1, "strokeStyle": "solid", "roughness": 0, "opacity": 100}
    rest = {"groupIds": [], "frameId": None, "roundness": None, "boundElements": None, "link": None}
    rest["strokeSharpness"] = "sharp"  # of older Excalidraw
    rest |= {"version": 1, "updated": 1, "isDeleted": False, "locked": False}
    return box | look | rest | {"customData": {LAYER: layer}} | values


def _stroke(stroke: PageStroke, layer: str, scale: float) -> dict[str, Any]:
    points = scale * (stroke.points if len(stroke.points) > 1 else np.tile(stroke.points, (2, 1)))
    width = 96 / 25.4 * PEN_WIDTH if stroke.width is None else scale * stroke.width
    opacity = round(100 * stroke.opacity)
    if stroke.tool == "highlighter":
        opacity = min(opacity, MAX_MARKER_OPACITY)
    values = {"points": (points - points[0]).round(2).tolist(), "opacity": opacity}
    values |= {"strokeColor": stroke.colour if width else "transparent"}
    if stroke.fill:
        values["backgroundColor"] = stroke.fill
    if stroke.dash:
        values["strokeStyle"] = "dotted" if stroke.dash[0] < width else "dashed"
    if stroke.tool == "shape":
        values |= {"strokeWidth": width, "startArrowhead": None, "endArrowhead": None}
    else:
        values |= _pen(width, len(points), stroke.widths, scale)
    kind = "line" if stroke.tool == "shape" else "freedraw"
    x, y = points[0].round(2).tolist()
    return _element(kind, points, layer) | values | {"x": x, "y": y, "lastCommittedPoint": None}


def _pen(width: float, count: int, widths: np.ndarray | None, scale: float) -> dict[str, Any]:
    """Return the width of a freehand pen and its pressures, at which it draws lines of `widths`."""
    pressures, full = np.full(count, MEAN_PRESSURE), freehand_widths(1.0, np.array([0.5, 1.0]))
    stroke_width = width / full[0]
    if widths is not None and len(widths) == count and widths.max() > 0:
        stroke_width = scale * widths.max() / full[1]
        part = np.arcsin(np.clip(scale * widths / (PEN_SIZE * stroke_width), 0, 1)) * 2 / np.pi
        pressures = np.clip((part - 0.5) / THINNING + 0.5, 0, 1)
    pressed = {"pressures": pressures.round(4).tolist(), "simulatePressure": False}
    return {"strokeWidth": round(float(stroke_width), 4)} | pressed
