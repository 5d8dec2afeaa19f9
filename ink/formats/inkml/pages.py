"""Pages as InkML: reads traces of any context and group with their brushes; writes rows."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ink.drawing.layers import POINT_PERIOD
from ink.formats.colours import MIN_PEN_OPACITY, hex_colour
from ink.formats.files import read_file
from ink.formats.inkml.traces import (
    UNIT_LENGTHS,
    TraceFormat,
    annotation_lines,
    channels_of,
    document,
    element_id,
    formats,
    is_drawn,
    shortest_decimal,
    trace_text,
)
from ink.formats.page_checks import MAX_NOTE_BYTES, to_float
from ink.formats.xml import quoteattr, xml_tree
from ink.ink_page import DEFAULT_PEN_WIDTH, InkPage, PageStroke, page_around
from utils.files import XML_FORBIDDEN

MIN_MARKER_WIDTH = 5.0
"""Least width in points (1/72 inch) of the line of a marker whose colour is bright (assumed)."""
MAX_MARKER_BLUE = 240
"""Largest part of blue, of 255, in the colour of such a marker (assumed)."""
LAYER_LABEL = re.compile(r"([1-9]\d{0,2})(?: (.{0,200}))?", re.DOTALL)
"""Number, from 1, and name of a layer, in annotations called `layer` (as we write them)."""
DRAWN_KINDS = re.compile("Drawing|Diagram|Arrow|Structure|Garbage|Marking.*")
"""Kinds of groups and views, in annotations called `type` (as IAMonDo has them), that are drawn."""
_CHANNEL = {
    "X": '<channel name="X" type="decimal" units="mm"/>',
    "Y": '<channel name="Y" type="decimal" units="mm"/>',
    "T": '<channel name="T" type="decimal" units="ms" respectTo="#start"/>',
    "F": '<channel name="F" type="decimal" min="0" max="1"/>',
    "W": '<channel name="W" type="decimal" units="mm"/>',
}
LIFT_TIME = 0.08  # seconds to lift the pen and set it down again (assumed)
AIR_SPEED = 200.0  # speed of the pen in the air in mm/s (assumed)


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file, as large as the first active area, or fitted around the ink."""
    root = xml_tree(read_file(path, MAX_NOTE_BYTES), "ink")
    trace_formats = formats(root)
    brushes = {f"#{element_id(brush)}": brush for brush in root.iter("brush")}
    kinds = _annotated(root, "type")
    layers = _annotated(root, "layer")
    unit = next((form.unit for form in trace_formats.values() if form.unit), None)
    # The brush of each stroke, its first trace, and the channels of its traces.
    traces: list[tuple[Element, Element, list[dict[str, np.ndarray]]]] = []
    stack = [(root, Element("brush"))]
    while stack:
        element, inherited = stack.pop()
        brush = brushes.get(element.get("brushRef", ""), inherited)
        stack += ((child, brush) for child in reversed(element))
        if element not in trace_formats or not is_drawn(element):
            continue
        if not traces or element.get("continuation") not in ("middle", "end"):
            traces.append((brush, element, []))
        channels = channels_of(element, trace_formats[element], f"trace {len(traces)}")
        _, _, parts = traces[-1]
        parts.append(_scaled(channels, trace_formats[element], unit))
    if traces and all(trace_formats[trace].has_clock for _, trace, _ in traces):
        # In the order of writing: by the first time of the first part.
        traces.sort(key=lambda stroke: stroke[-1][0].get("T", [0.0])[0])
    strokes = []
    names = {0: ""}
    for brush, trace, parts in traces:
        layer = LAYER_LABEL.fullmatch(layers.get(trace, ""))
        number = int(layer[1]) - 1 if layer else 0
        names[number] = (layer[2] or "") if layer else names[0]
        is_shape = DRAWN_KINDS.fullmatch(kinds.get(trace, "")) is not None
        strokes.append(_stroke(parts, brush, unit, number, is_shape=is_shape))
    area = next(root.iter("activeArea"), Element("activeArea"))
    size = [area.get(name) for name in ("width", "height")]
    sheet = None
    if all(size):
        scale = _scale(UNIT_LENGTHS.get(area.get("units", "")), unit)
        sheet = (0.0, 0.0, *(scale * to_float(side) for side in size))
    all_names = [names.get(number, "") for number in range(max(names) + 1)]
    return [page_around(strokes, sheet=sheet, unit=unit, layers=all_names)]


def _annotated(root: Element, kind: str) -> dict[Element, str]:
    """Return the annotation of a kind of the nearest group or view around each trace that has
    one."""
    traces = {element_id(trace): trace for trace in root.iter("trace") if element_id(trace)}
    texts = {}
    stack = [(root, "")]
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
    channels: dict[str, np.ndarray], form: TraceFormat, unit: float | None
) -> dict[str, np.ndarray]:
    """Return channels with lengths in the page's unit, and pressures from 0 to 1."""
    scale = _scale(form.unit, unit)
    scaled: dict[str, np.ndarray] = {
        name: scale * channels[name] for name in ("X", "Y", "W") if name in channels
    }
    if "F" in channels:
        most = form.max_pressure or max(float(channels["F"].max()), 1.0)
        scaled["F"] = np.clip(channels["F"] / most, 0, 1)
    return scaled


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
    channels = {}
    for name in set.intersection(*map(set, parts)):  # the channels that all parts have
        channels[name] = np.concatenate([part[name] for part in parts])
    values = {item.get("name"): item.get("value", "") for item in brush}
    units = {item.get("name"): UNIT_LENGTHS.get(item.get("units", "")) for item in brush}
    width = to_float(values["width"]) * _scale(units["width"], unit) if "width" in values else None
    colour = hex_colour(values.get("color", ""))
    # The software of Windows counts transparency to 255.
    opacity = 1 - min(max(to_float(values.get("transparency", "0")) / 255, 0.0), 1.0)
    red, green, blue = bytes.fromhex(colour[1:])
    # White covers the ink below; 200 of 255 is bright (assumed).
    is_bright = min(red, green) > 200 and blue <= MAX_MARKER_BLUE
    is_wide = width is not None and width * (unit or 1.0) >= MIN_MARKER_WIDTH
    # The ink software of Windows distinguishes highlighters and pens by this property.
    operation = values.get("rasterOp", "")
    is_marker = operation == "maskPen" or opacity < MIN_PEN_OPACITY or (is_bright and is_wide)
    tool = "shape" if is_shape else "pen"
    if is_marker and operation != "copyPen":
        tool = "highlighter"
    pressures = channels.get("F")
    widths = channels.get("W")
    if widths is None and width and pressures is not None and pressures.any():
        widths = width * pressures / pressures.mean()  # as wide as it is pressed (assumed)
    if widths is not None and not np.ptp(widths):
        widths = None
    points = np.stack([channels["X"], channels["Y"]], axis=1)
    look = {"opacity": opacity, "layer": layer, "pressures": pressures}
    return PageStroke(points, tool, colour, width, widths, **look)


def page_to_inkml(page: InkPage, rows: Iterable[tuple[str, Sequence[int]]]) -> str:
    """Return the strokes of a page as InkML: positions in mm, rounded to 0.00001, so that strokes
    keep their shapes, and times in ms, which tell the order of writing.

    Each row is a traceGroup with its text as truth; strokes of no row follow in groups without. The
    pens are brushes, and widths and pressures that change along a stroke the channels W and F. The
    active area of the ink's source is the page.

    Args:
        page: the page; only strokes are written, without fills and dashes.
        rows: text and numbers of the strokes of each row.

    Raises:
        DataError: if a text contains a character that XML forbids.
    """
    groups = [(text, [*numbers]) for text, numbers in rows if len(numbers)]
    in_rows = set(chain.from_iterable(numbers for _, numbers in groups))
    others = [number for number in range(len(page.strokes)) if number not in in_rows]
    groups += [("", [*run]) for _, run in groupby(others, lambda n: _place(page, n))]
    ink = _PageInk(page)
    body: list[str] = []
    for text, numbers in groups:
        body += ink.group(text, numbers)
    return document([*ink.head(), *body])  # the groups have found the brushes that the head defines


def _place(page: InkPage, number: int) -> tuple[int, bool]:
    """Return the layer of a stroke, and whether it was drawn with a tool for figures."""
    return page.strokes[number].layer, page.strokes[number].tool == "shape"


class _PageInk:
    """Writes the groups of a page, and then the brushes and contexts that they refer to."""

    def __init__(self, page: InkPage) -> None:
        self._page = page
        self._brushes: dict[tuple[str, ...], str] = {}  # names, by the lines of their properties
        self._contexts = {"": "page"}  # names, by further channels
        self._times = []
        time = 0.0
        last_point = None
        for stroke in page.strokes:
            points = page.millimetres * stroke.points
            if last_point is not None:
                time += LIFT_TIME + float(np.linalg.norm(points[0] - last_point)) / AIR_SPEED
            self._times.append(time + POINT_PERIOD * np.arange(len(points)))
            time = self._times[-1][-1]
            last_point = points[-1]

    def head(self) -> Iterator[str]:
        """Yield the definitions of brushes and contexts."""
        yield from ("  <definitions>", '    <timestamp xml:id="start" time="0"/>')
        for properties, name in self._brushes.items():
            yield f'    <brush xml:id="{name}">'
            yield from (f"      <brushProperty {line}/>" for line in properties)
            yield "    </brush>"
        yield "  </definitions>"
        scale = self._page.millimetres
        width = shortest_decimal(round(scale * self._page.width, 3))
        height = shortest_decimal(round(scale * self._page.height, 3))
        area = f'<activeArea width="{width}" height="{height}" units="mm"/>'
        for further, name in self._contexts.items():  # by the channels besides X, Y and T
            channels = "".join(_CHANNEL[channel] for channel in f"XYT{further}")
            source = f'<inkSource xml:id="paper{further}">'
            yield f'  <context xml:id="{name}">'
            yield from (f"    {source}", f"      <traceFormat>{channels}</traceFormat>")
            yield from (f"      {area}", "    </inkSource>", "  </context>")

    def group(self, text: str, numbers: Sequence[int], indent: str = "  ") -> Iterator[str]:
        """Yield a traceGroup of strokes; strokes of another layer or kind are in groups in it."""
        runs = [[*run] for _, run in groupby(numbers, lambda n: _place(self._page, n))]
        inside = f"{indent}  "
        brush, context = self._references(numbers[0])
        yield f'{indent}<traceGroup contextRef="#{context}" brushRef="#{brush}">'
        yield from (f"{inside}{line}" for line in annotation_lines("truth", text))
        if len(runs) > 1:
            for run in runs:
                yield from self.group("", run, inside)
        else:
            yield from (f"{inside}{line}" for line in self._annotations(numbers[0]))
            yield from (f"{inside}{self._trace(n, brush, context)}" for n in numbers)
        yield f"{indent}</traceGroup>"

    def _annotations(self, number: int) -> Iterator[str]:
        layer, is_shape = _place(self._page, number)
        name = XML_FORBIDDEN.sub("?", self._page.layers[layer])
        if layer or name:
            yield from annotation_lines("layer", f"{layer + 1} {name}".strip())
        if is_shape:
            yield from annotation_lines("type", "Drawing")

    def _references(self, number: int) -> tuple[str, str]:
        """Return the names of a stroke's brush and context."""
        stroke = self._page.strokes[number]
        scale = self._page.millimetres
        width = scale * stroke.width if stroke.width else DEFAULT_PEN_WIDTH
        properties = [
            f'name="width" value="{shortest_decimal(round(width, 4))}" units="mm"',
            f'name="color" value={quoteattr(stroke.colour)}',
            f'name="rasterOp" value="{"maskPen" if stroke.tool == "highlighter" else "copyPen"}"',
        ]
        if stroke.opacity < 1:
            properties.append(f'name="transparency" value="{round(255 * (1 - stroke.opacity))}"')
        brush = self._brushes.setdefault(tuple(properties), f"pen{len(self._brushes) + 1}")
        has_widths = stroke.widths is not None
        has_pressure = stroke.pressures is not None or has_widths
        further = ("F" if has_pressure else "") + ("W" if has_widths else "")  # channels
        return brush, self._contexts.setdefault(further, f"page{further}")

    def _trace(self, number: int, group_brush: str, group_context: str) -> str:
        stroke = self._page.strokes[number]
        scale = self._page.millimetres
        columns = [1000 * self._times[number]]
        if stroke.pressures is not None:
            columns.append(stroke.pressures)
        elif stroke.widths is not None:
            columns.append(stroke.widths / max(float(stroke.widths.max()), 1e-9))
        if stroke.widths is not None:
            columns.append(scale * stroke.widths)
        brush, context = self._references(number)
        look = f' brushRef="#{brush}"' if brush != group_brush else ""
        if context != group_context:
            look += f' contextRef="#{context}"'
        positions = (scale * stroke.points).round(5)
        values = np.column_stack([positions, *(column.round(3) for column in columns)])
        return f"<trace{look}>{trace_text(values + 0.0)}</trace>"  # no -0
