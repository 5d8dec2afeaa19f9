"""Reads drawings of Excalidraw, also from Markdown files of the Excalidraw plug-in of Obsidian."""

import math
import re
from collections import Counter
from pathlib import Path

import numpy as np

from data_loader.sources.own_ink import json_values
from data_loader.sources.parsing import MAX_OFFSET, Fault
from data_loader.sources.untrusted_files import read_file
from notes.ink_page import MAX_BYTES, InkPage, PageStroke, TypedText, hex_colour, page_around
from utils.checks import short
from utils.ink import turned_back
from utils.strict_json import Json

POINTS_PER_PIXEL = 72 / 96
"""Points (1/72 inch) in a pixel (CSS)."""
MIN_PEN_OPACITY = 75.0
"""Opacity of a pen's stroke in per cent; a highlighter's stroke has less (assumed)."""

_DRAWING = re.compile(rb"^```json[^\S\n]*+\n(.*?)^```", re.MULTILINE | re.DOTALL)
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
    if path.name.endswith(".md"):
        if b"```compressed-json" in content:
            advice = "switch off its compression in the plug-in's settings and save it again"
            raise Fault("a compressed drawing", advice)
        drawing = _DRAWING.search(content)
        content = drawing[1] if drawing else content
    values = json_values(content)
    elements = values.get("elements") if isinstance(values, dict) else None
    if not isinstance(elements, list) or not all(isinstance(e, dict) for e in elements):
        raise Fault("a drawing without a list of elements")
    strokes: list[PageStroke] = []
    typed: list[TypedText] = []
    left_out: Counter[str] = Counter()
    for element in elements:
        kind = "stroke" if element.get("type") == "freedraw" else element.get("type")
        if element.get("isDeleted"):
            left_out[f"erased {kind}"[:40]] += 1
        elif kind == "text":
            numbers = (_number(element, name) for name in ("x", "y", "fontSize"))
            typed.append(TypedText(str(element.get("text", "")), *numbers))
        elif kind in ("stroke", "line", "arrow", *_FIGURES):
            strokes.append(_stroke(element))
        else:
            left_out[str(kind)[:40]] += 1
    return [page_around(strokes, typed, unit=POINTS_PER_PIXEL, left_out=left_out)]


def _stroke(element: dict[str, Json]) -> PageStroke:
    """Return the stroke of an element that has points or is a figure."""
    kind = element["type"]
    x, y, width, height = (_number(element, name) for name in ("x", "y", "width", "height"))
    try:
        points = np.array(element.get("points") or np.empty((0, 2)), np.float64)
        if points.shape[1:] != (2,):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise Fault("points that are not a list of [x, y]", short(element["points"])) from None
    if kind in _FIGURES:
        points = (_FIGURES[kind] + 1) * (width / 2, height / 2)
    points = points + np.array([x, y])
    if len(points) and (angle := _number(element, "angle")):
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        points = turned_back(points - middle, -angle) + middle
    opacity = _number(element, "opacity", 100)
    tool = "highlighter" if opacity < MIN_PEN_OPACITY else "pen"
    if kind != "freedraw":
        tool = "shape"
    colour = hex_colour(str(element.get("strokeColor", "")))
    return PageStroke(points, tool, colour, _number(element, "strokeWidth"))


def _number(element: dict[str, Json], name: str, default: float = 0) -> float:
    value = element.get(name, default)
    if not isinstance(value, int | float) or abs(value) > MAX_OFFSET:
        raise Fault(f"a value of {name} that is not a number, or too large", short(value))
    return float(value)
