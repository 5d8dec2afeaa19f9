"""SVG files of drawing programs: paths without fill are strokes."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from data_loader.sources.parsing import xml_tree
from data_loader.sources.svg import Shape, flattened, pixels, shapes
from data_loader.sources.untrusted_files import read_file
from notes.ink_page import (
    MARGIN,
    MAX_BYTES,
    InkPage,
    PageStroke,
    TypedText,
    hex_colour,
    page_around,
)

POINTS = 72 / 96
"""Points (1/72 inch) in a pixel (CSS)."""
FINE = 5000
"""A page's diagonal over the tolerance of flattened curves (assumed: 0.07 mm on A4)."""
CLEAR = 0.75
"""Opacity below which a stroke is a highlighter's (assumed; Xournal++ has 0.47)."""
EDGE = 0.005
"""Largest distance of a printed line's ends from the page's edges, in page sizes (assumed)."""

_NONE = ("none", "transparent")
_FREEHAND = ("path", "polyline")


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file."""
    root = xml_tree(read_file(path, MAX_BYTES), "svg")
    drawn = [*shapes(root)]
    sheet, unit = _sheet(root, drawn)
    tolerance = float(np.linalg.norm(sheet[2:] - sheet[:2])) / FINE or 1.0
    left_out: Counter[str] = Counter()
    strokes: list[PageStroke] = []
    typed: list[TypedText] = []
    for shape in drawn:
        if shape.element.tag == "text":
            typed.append(_typed(shape))
        elif reason := _why_not(shape, sheet):
            left_out[reason] += max(1, len(shape.curves))
        else:
            strokes += _strokes(shape, tolerance)
    return [page_around(_joined(strokes), typed, sheet, unit=unit, left_out=left_out)]


def _sheet(root: Element, drawn: Sequence[Shape]) -> tuple[np.ndarray, float | None]:
    """Return left, top, right and bottom of the page, and the points in a unit, None if unknown."""
    width, height = (pixels(root.get(name, "")) for name in ("width", "height"))
    box = re.findall(r"[-+.\deE]+", root.get("viewBox", ""))
    try:
        left, top, across, down = map(float, box)
    except ValueError:
        left = top = 0.0
        across, down = width, height
    if not (across > 0 and down > 0):
        ink = np.concatenate([c.reshape(-1, 2) for s in drawn for c in s.curves] or [np.eye(2)])
        margin = MARGIN * np.ptp(ink, axis=0).max()
        return np.concatenate([ink.min(axis=0) - margin, ink.max(axis=0) + margin]), POINTS
    unit = POINTS * width / across
    return np.array([left, top, left + across, top + down]), unit if unit > 0 else None


def _why_not(shape: Shape, sheet: np.ndarray) -> str:
    """Return the kind of a shape that is no stroke; an empty string for a stroke."""
    style, corners = shape.style, sheet.reshape(2, 2)
    edge = EDGE * (corners[1] - corners[0])
    if not shape.curves:
        return "repeated shape" if shape.element.tag == "use" else shape.element.tag[:40]
    if style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return "hidden shape"
    ends = np.stack([[part[0, 0], part[-1, 3]] for part in shape.curves])  # (parts, 2, 2)
    from_edge_to_edge = (np.abs(np.sort(ends, axis=1) - corners) <= edge).all(axis=1).any(axis=1)
    is_line = all(len(part) == 1 for part in shape.curves)
    if shape.is_ruling or (is_line and from_edge_to_edge.all()):
        return "ruling"
    if style.get("stroke", "none") in _NONE:
        points = np.concatenate([part.reshape(-1, 2) for part in shape.curves])
        box = np.stack([points.min(axis=0), points.max(axis=0)])
        covers = (np.abs(box - corners) <= edge).all()
        return "background" if covers else "filled shape"
    return ""


def _strokes(shape: Shape, tolerance: float) -> Iterator[PageStroke]:
    style = shape.style
    opacity = min(_length(style.get(name, ""), 1) for name in ("opacity", "stroke-opacity"))
    tool = "highlighter" if opacity < CLEAR else "pen"
    if shape.element.tag not in _FREEHAND or style.get("fill", "black") not in _NONE:
        tool = "shape"
    width = _scale(shape) * _length(style.get("stroke-width", ""), 1)
    for part in shape.curves:
        yield PageStroke(flattened(part, tolerance), tool, hex_colour(style["stroke"]), width)


def _typed(shape: Shape) -> TypedText:
    """Return a typed text; SVG gives the foot of its first line."""
    coordinates = (
        [number for e in shape.element.iter() if math.isfinite(number := pixels(e.get(axis, "")))]
        for axis in "xy"
    )
    x, y = (values[0] if values else 0.0 for values in coordinates)
    size = _length(shape.style.get("font-size", ""), 16)
    text = " ".join(" ".join(shape.element.itertext()).split())
    return TypedText(text, *shape.matrix.transformPoint((x, y - size)), size * _scale(shape))


def _length(text: str, default: float) -> float:
    number = pixels(text)
    return number if math.isfinite(number) else default


def _scale(shape: Shape) -> float:
    a, b, c, d, *_ = shape.matrix
    return math.sqrt(abs(a * d - b * c))


def _joined(strokes: Sequence[PageStroke]) -> list[PageStroke]:
    """Return strokes, joined where a stroke begins at the end of the previous stroke: programs
    divide a stroke where its width changes."""
    joined: list[list[PageStroke]] = []
    for stroke in strokes:
        last = joined[-1][-1] if joined else None
        if (
            last
            and (last.tool, last.colour) == (stroke.tool, stroke.colour)
            and np.array_equal(last.points[-1], stroke.points[0])
        ):
            joined[-1].append(stroke)
        else:
            joined.append([stroke])
    return [
        replace(
            parts[0],
            points=np.concatenate([parts[0].points[:1], *(part.points[1:] for part in parts)]),
            width=max(part.width for part in parts),
        )
        for parts in joined
    ]
