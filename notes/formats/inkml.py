"""Reads an InkML file as a page: its traces in any context and trace group, with their brushes."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from data_loader.sources.inkml import UNITS, element_id, formats, is_drawn, points_of
from data_loader.sources.parsing import xml_tree
from data_loader.sources.untrusted_files import read_file
from notes.ink_page import (
    MAX_BYTES,
    MIN_PEN_OPACITY,
    hex_colour,
    page_around,
    stroke_text,
    to_float,
)
from utils.page.ink_page import InkPage, PageStroke

MIN_MARKER_WIDTH = 5.0
"""Least width in points (1/72 inch) of the line of a marker whose colour is bright (assumed)."""
MAX_MARKER_BLUE = 240
"""Largest part of blue, of 255, in the colour of such a marker (assumed)."""
NO_TEXT = re.compile("Drawing|Diagram|Arrow|Structure|Garbage|Marking.*")
"""Kinds of groups and views, in annotations called `type` (as IAMonDo has them), that are drawn."""


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file, as large as the first active area, or fitted around the ink."""
    root = xml_tree(read_file(path, MAX_BYTES), "ink")
    trace_formats = formats(root)
    brushes = {f"#{element_id(brush)}": brush for brush in root.iter("brush")}
    drawn = _drawn(root)
    unit = next((form.unit for form in trace_formats.values() if form.unit), None)
    # Of each stroke, its brush, whether it is a drawing's, and its traces.
    found: list[tuple[Element, bool, list[np.ndarray]]] = []
    stack = [(root, Element("brush"))]
    while stack:
        element, inherited = stack.pop()
        brush = brushes.get(element.get("brushRef", ""), inherited)
        stack += ((child, brush) for child in reversed(element))
        if element not in trace_formats or not is_drawn(element):
            continue
        if not found or element.get("continuation") not in ("middle", "end"):
            found.append((brush, element in drawn, []))
        trace_format = trace_formats[element]
        stroke_text(element.text)
        points, _ = points_of(element, trace_format, f"trace {len(found)}")
        found[-1][-1].append(points * _scale(trace_format.unit, unit))
    strokes = (
        _stroke(np.concatenate(traces), brush, unit, is_shape=is_shape)
        for brush, is_shape, traces in found
    )
    area = next(root.iter("activeArea"), Element("activeArea"))
    size = [area.get(name) for name in ("width", "height")]
    sheet = None
    if all(size):
        scale = _scale(UNITS.get(area.get("units", "")), unit)
        sheet = (0.0, 0.0, *(scale * to_float(side) for side in size))
    return [page_around(strokes, sheet=sheet, unit=unit)]


def _drawn(root: Element) -> set[Element]:
    """Return the traces of which the nearest group or view around them says that they are no
    text."""
    traces = {element_id(trace): trace for trace in root.iter("trace")}
    drawn, stack = set(), [(root, "")]
    while stack:
        element, kind = stack.pop()
        kind = next((a.text or "" for a in element.findall("annotation[@type='type']")), kind)
        stack += ((child, kind) for child in element)
        named = traces.get(element.get("traceDataRef", "").removeprefix("#"))
        trace = element if element.tag == "trace" else named
        if trace is not None and NO_TEXT.fullmatch(kind):
            drawn.add(trace)
    return drawn


def _scale(unit: float | None, page_unit: float | None) -> float:
    """Return the ratio of a unit to the page's unit; 1 if either unit is unknown."""
    return unit / page_unit if unit and page_unit else 1.0


def _stroke(
    points: np.ndarray, brush: Element, unit: float | None, *, is_shape: bool
) -> PageStroke:
    """Return a stroke drawn with a brush: an element whose children are the brush's properties."""
    values = {item.get("name"): item.get("value", "") for item in brush}
    units = {item.get("name"): UNITS.get(item.get("units", "")) for item in brush}
    width = to_float(values["width"]) * _scale(units["width"], unit) if "width" in values else None
    colour = hex_colour(values.get("color", ""))
    # The software of Windows counts transparency to 255.
    opacity = 1 - min(max(to_float(values.get("transparency", "0")) / 255, 0.0), 1.0)
    red, green, blue = bytes.fromhex(colour[1:])
    is_bright = min(red, green) > 200 and blue <= MAX_MARKER_BLUE  # White covers what it marks.
    is_wide = width is not None and width * (unit or 1.0) >= MIN_MARKER_WIDTH
    # The ink software of Windows marks a highlighter by this property.
    is_marker = values.get("rasterOp") == "maskPen" or opacity < MIN_PEN_OPACITY
    tool = "shape" if is_shape else "pen"
    tool = "highlighter" if is_marker or (is_bright and is_wide) else tool
    return PageStroke(points, tool, colour, width, opacity=opacity)
