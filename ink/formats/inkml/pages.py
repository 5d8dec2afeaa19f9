"""Reads an InkML file as a page: its traces in any context and trace group, with their brushes."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from data_loader.sources.inkml import UNITS, Format, channels_of, element_id, formats, is_drawn
from data_loader.sources.parsing import xml_tree
from data_loader.sources.untrusted_files import read_file
from ink.ink_page import InkPage, PageStroke
from notes.ink_page import (
    MAX_BYTES,
    MIN_PEN_OPACITY,
    hex_colour,
    page_around,
    stroke_text,
    to_float,
)

MIN_MARKER_WIDTH = 5.0
"""Least width in points (1/72 inch) of the line of a marker whose colour is bright (assumed)."""
MAX_MARKER_BLUE = 240
"""Largest part of blue, of 255, in the colour of such a marker (assumed)."""
LAYER = re.compile(r"(\d{1,3})(?: (.{0,200}))?", re.DOTALL)
"""Number, from 1, and name of a layer, in annotations called `layer` (as we write them)."""
NO_TEXT = re.compile("Drawing|Diagram|Arrow|Structure|Garbage|Marking.*")
"""Kinds of groups and views, in annotations called `type` (as IAMonDo has them), that are drawn."""


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file, as large as the first active area, or fitted around the ink."""
    root = xml_tree(read_file(path, MAX_BYTES), "ink")
    trace_formats = formats(root)
    brushes = {f"#{element_id(brush)}": brush for brush in root.iter("brush")}
    kinds, layers = _annotated(root, "type"), _annotated(root, "layer")
    unit = next((form.unit for form in trace_formats.values() if form.unit), None)
    # Of each stroke, its brush, its first trace, and the channels of its traces.
    found: list[tuple[Element, Element, list[dict[str, np.ndarray]]]] = []
    stack = [(root, Element("brush"))]
    while stack:
        element, inherited = stack.pop()
        brush = brushes.get(element.get("brushRef", ""), inherited)
        stack += ((child, brush) for child in reversed(element))
        if element not in trace_formats or not is_drawn(element):
            continue
        if not found or element.get("continuation") not in ("middle", "end"):
            found.append((brush, element, []))
        stroke_text(element.text)
        channels = channels_of(element, trace_formats[element], f"trace {len(found)}")
        found[-1][-1].append(_scaled(channels, trace_formats[element], unit))
    if found and all(trace_formats[trace].has_clock for _, trace, _ in found):
        found.sort(key=lambda stroke: stroke[-1][0].get("T", [0.0])[0])  # the order of writing
    strokes, names = [], {0: ""}
    for brush, trace, parts in found:
        layer = LAYER.fullmatch(layers.get(trace, ""))
        number = int(layer[1]) - 1 if layer else 0
        names[number] = (layer[2] or "") if layer else names[0]
        is_shape = NO_TEXT.fullmatch(kinds.get(trace, "")) is not None
        strokes.append(_stroke(parts, brush, unit, number, is_shape=is_shape))
    area = next(root.iter("activeArea"), Element("activeArea"))
    size = [area.get(name) for name in ("width", "height")]
    sheet = None
    if all(size):
        scale = _scale(UNITS.get(area.get("units", "")), unit)
        sheet = (0.0, 0.0, *(scale * to_float(side) for side in size))
    all_names = [names.get(number, "") for number in range(max(names) + 1)]
    return [page_around(strokes, sheet=sheet, unit=unit, layers=all_names)]


def _annotated(root: Element, kind: str) -> dict[Element, str]:
    """Return the annotation of a kind of the nearest group or view around each trace that has
    one."""
    traces = {element_id(trace): trace for trace in root.iter("trace") if element_id(trace)}
    texts, stack = {}, [(root, "")]
    while stack:
        element, text = stack.pop()
        text = next((a.text or "" for a in element.findall(f"annotation[@type='{kind}']")), text)
        stack += ((child, text) for child in element)
        named = traces.get(element.get("traceDataRef", "").removeprefix("#"))
        trace = element if element.tag == "trace" else named
        if trace is not None and text:
            texts[trace] = text
    return texts


def _scale(unit: float | None, page_unit: float | None) -> float:
    """Return the ratio of a unit to the page's unit; 1 if either unit is unknown."""
    return unit / page_unit if unit and page_unit else 1.0


def _scaled(
    channels: dict[str, np.ndarray], form: Format, unit: float | None
) -> dict[str, np.ndarray]:
    """Return channels with lengths in the page's unit, and pressures from 0 to 1."""
    scale = _scale(form.unit, unit)
    scaled = {name: scale * channels[name] for name in ("X", "Y", "W") if name in channels}
    if "F" in channels:
        most = form.max_pressure or max(float(channels["F"].max()), 1.0)
        scaled["F"] = np.clip(channels["F"] / most, 0, 1)
    return channels | scaled


def _stroke(
    parts: list[dict[str, np.ndarray]],
    brush: Element,
    unit: float | None,
    layer: int,
    *,
    is_shape: bool,
) -> PageStroke:
    """Return a stroke of parts, drawn with a brush: an element whose children are the brush's
    properties."""
    names = set.intersection(*(set(part) for part in parts))
    channels = {name: np.concatenate([part[name] for part in parts]) for name in names}
    values = {item.get("name"): item.get("value", "") for item in brush}
    units = {item.get("name"): UNITS.get(item.get("units", "")) for item in brush}
    width = to_float(values["width"]) * _scale(units["width"], unit) if "width" in values else None
    colour = hex_colour(values.get("color", ""))
    # The software of Windows counts transparency to 255.
    opacity = 1 - min(max(to_float(values.get("transparency", "0")) / 255, 0.0), 1.0)
    red, green, blue = bytes.fromhex(colour[1:])
    is_bright = min(red, green) > 200 and blue <= MAX_MARKER_BLUE  # White covers what it marks.
    is_wide = width is not None and width * (unit or 1.0) >= MIN_MARKER_WIDTH
    # The ink software of Windows tells a highlighter and a pen by this property.
    operation = values.get("rasterOp", "")
    is_marker = operation == "maskPen" or opacity < MIN_PEN_OPACITY or (is_bright and is_wide)
    tool = "shape" if is_shape else "pen"
    tool = "highlighter" if is_marker and operation != "copyPen" else tool
    pressures, widths = channels.get("F"), channels.get("W")
    if widths is None and width and pressures is not None and pressures.any():
        widths = width * pressures / pressures.mean()  # as wide as it is pressed (assumed)
    if widths is not None and not np.ptp(widths):
        widths = None
    points = np.stack([channels["X"], channels["Y"]], axis=1)
    look = {"opacity": opacity, "layer": layer, "pressures": pressures}
    return PageStroke(points, tool, colour, width, widths, **look)
