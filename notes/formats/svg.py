"""Reads SVG files of drawing programs: shapes with an outline are strokes."""

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
    MAX_BYTES,
    PAGE_MARGIN,
    InkPage,
    PageStroke,
    TypedText,
    hex_colour,
    page_around,
    point_budget,
)

POINTS_PER_PIXEL = 72 / 96
"""Points (1/72 inch) in a pixel (CSS)."""
TOLERANCES_PER_DIAGONAL = 5000
"""Ratio of the page's diagonal to the tolerance of flattened curves (assumed: 0.07 mm on A4)."""
MIN_PEN_OPACITY = 0.75
"""Opacity of a pen's stroke; a highlighter's stroke has less (assumed; 0.47 in Xournal++)."""
MAX_EDGE_DISTANCE = 0.005
"""Largest distance from the page's edges to a ruling or background that reaches them, as a fraction
of the page's width and height (assumed)."""

_NONE = ("none", "transparent")
_FREEHAND = ("path", "polyline")


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file."""
    root = xml_tree(read_file(path, MAX_BYTES), "svg")
    all_shapes = [*shapes(root)]
    sheet, unit = _sheet(root, all_shapes)
    tolerance = float(np.linalg.norm(sheet[2:] - sheet[:2])) / TOLERANCES_PER_DIAGONAL or 1.0
    left_out: Counter[str] = Counter()
    strokes: list[PageStroke] = []
    typed: list[TypedText] = []
    points = point_budget()
    for shape in all_shapes:
        if shape.element.tag == "text":
            typed.append(_typed(shape))
        elif kind := _kind_left_out(shape, sheet):
            left_out[kind] += max(1, len(shape.curves))
        else:
            for stroke in _strokes(shape, tolerance):
                points.spend(len(stroke.points))
                strokes.append(stroke)
    return [page_around(_with_joined_strokes(strokes), typed, sheet, unit=unit, left_out=left_out)]


def _sheet(root: Element, all_shapes: Sequence[Shape]) -> tuple[np.ndarray, float | None]:
    """Return left, top, right and bottom of the page, and the length of the page's unit in points
    (1/72 inch); None if unknown."""
    width, height = (pixels(root.get(name, "")) for name in ("width", "height"))
    view_box = re.findall(r"[-+.\deE]+", root.get("viewBox", ""))
    try:
        left, top, box_width, box_height = map(float, view_box)
    except ValueError:
        left, top, box_width, box_height = 0.0, 0.0, width, height
    if not (box_width > 0 and box_height > 0):
        curves = [curve.reshape(-1, 2) for shape in all_shapes for curve in shape.curves]
        points = np.concatenate(curves or [np.eye(2)])
        margin = PAGE_MARGIN * np.ptp(points, axis=0).max()
        corners = points.min(axis=0) - margin, points.max(axis=0) + margin
        return np.concatenate(corners), POINTS_PER_PIXEL
    unit = POINTS_PER_PIXEL * width / box_width
    return np.array([left, top, left + box_width, top + box_height]), unit if unit > 0 else None


def _kind_left_out(shape: Shape, sheet: np.ndarray) -> str:
    """Return the kind of a shape that is left out; an empty string for strokes."""
    style, corners = shape.style, sheet.reshape(2, 2)
    edge = MAX_EDGE_DISTANCE * (corners[1] - corners[0])
    if not shape.curves:
        return "repeated shape" if shape.element.tag == "use" else shape.element.tag[:40]
    if style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return "hidden shape"
    ends = np.stack([[curve[0, 0], curve[-1, 3]] for curve in shape.curves])  # (curves, 2, 2)
    is_at_edge = np.abs(np.sort(ends, axis=1) - corners) <= edge
    is_edge_to_edge = is_at_edge.all(axis=1).any(axis=1)
    has_only_lines = all(len(curve) == 1 for curve in shape.curves)
    if shape.is_ruling or (has_only_lines and is_edge_to_edge.all()):
        return "ruling"
    if style.get("stroke", "none") in _NONE:
        points = np.concatenate([curve.reshape(-1, 2) for curve in shape.curves])
        box = np.stack([points.min(axis=0), points.max(axis=0)])
        covers_page = (np.abs(box - corners) <= edge).all()
        return "background" if covers_page else "filled shape"
    return ""


def _strokes(shape: Shape, tolerance: float) -> Iterator[PageStroke]:
    style = shape.style
    opacity = min(_length(style.get(name, ""), 1) for name in ("opacity", "stroke-opacity"))
    tool = "highlighter" if opacity < MIN_PEN_OPACITY else "pen"
    if shape.element.tag not in _FREEHAND or style.get("fill", "black") not in _NONE:
        tool = "shape"
    width = _scale(shape) * _length(style.get("stroke-width", ""), 1)
    for curve in shape.curves:
        yield PageStroke(flattened(curve, tolerance), tool, hex_colour(style["stroke"]), width)


def _typed(shape: Shape) -> TypedText:
    """Return the typed text of a shape, whose position is the baseline of the first line."""
    x, y = 0.0, 0.0
    # The first element that has a position decides.
    for element in reversed([*shape.element.iter()]):
        x, y = _length(element.get("x", ""), x), _length(element.get("y", ""), y)
    size = _length(shape.style.get("font-size", ""), 16)
    text = " ".join(" ".join(shape.element.itertext()).split())
    return TypedText(text, *shape.matrix.transformPoint((x, y - size)), size * _scale(shape))


def _length(text: str, default: float) -> float:
    number = pixels(text)
    return number if math.isfinite(number) else default


def _scale(shape: Shape) -> float:
    a, b, c, d, *_ = shape.matrix
    return math.sqrt(abs(a * d - b * c))


def _with_joined_strokes(strokes: Sequence[PageStroke]) -> list[PageStroke]:
    """Merge each stroke that begins where the previous stroke ends into the previous stroke, as
    drawing programs divide a stroke where its width changes; return all strokes."""
    groups: list[list[PageStroke]] = []
    for stroke in strokes:
        last = groups[-1][-1] if groups else None
        is_same_pen = last and (last.tool, last.colour) == (stroke.tool, stroke.colour)
        if is_same_pen and np.array_equal(last.points[-1], stroke.points[0]):
            groups[-1].append(stroke)
        else:
            groups.append([stroke])
    joined = []
    for first, *others in groups:
        points = np.concatenate([first.points, *(stroke.points[1:] for stroke in others)])
        width = max(stroke.width for stroke in (first, *others))
        joined.append(replace(first, points=points, width=width))
    return joined
