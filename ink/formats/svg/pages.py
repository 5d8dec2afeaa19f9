"""Reads SVG files of drawing programs: shapes with an outline are strokes.

The program Write (Stylus Labs) draws a stroke as a filled outline, which becomes its middle line.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ink.formats.archives import unpacked
from ink.formats.colours import MIN_PEN_OPACITY, hex_colour
from ink.formats.files import read_file
from ink.formats.page_checks import MAX_NOTE_BYTES, image_in
from ink.formats.svg.shapes import Shape, flattened, pixels, shapes
from ink.formats.xml import xml_tree
from ink.ink_page import (
    PAGE_MARGIN,
    POINTS_PER_PIXEL,
    InkPage,
    PageImage,
    PageStroke,
    TypedText,
    page_around,
)

TOLERANCES_PER_DIAGONAL = 5000
"""Ratio of the page's diagonal to the tolerance of flattened curves (assumed: 0.07 mm on A4)."""
MAX_EDGE_DISTANCE = 0.005
"""Largest distance from the page's edges to a ruling or background that reaches them, as a fraction
of the page's width and height (assumed)."""

_NONE = ("none", "transparent")
_FREEHAND = ("path", "polyline")
_WRITE_DOCUMENT = "write-document"
_WRITE_PEN = "-pen"
"""Part of the classes that the program Write gives to strokes, such as `write-flat-pen`."""


def parse(path: Path) -> Iterator[InkPage]:
    """Yield the page of a file, or the pages of a document of Write (Stylus Labs)."""
    root = xml_tree(unpacked(read_file(path, MAX_NOTE_BYTES), MAX_NOTE_BYTES), "svg")
    is_write = root.get("id") == _WRITE_DOCUMENT
    for page in root.findall("svg") if is_write else [root]:
        yield _page(page)


def _page(root: Element) -> InkPage:
    all_shapes = [*shapes(root)]
    sheet, unit = _sheet(root, all_shapes)
    tolerance = float(np.linalg.norm(sheet[2:] - sheet[:2])) / TOLERANCES_PER_DIAGONAL or 1.0
    left_out: Counter[str] = Counter()
    strokes: list[PageStroke] = []
    ruling: list[PageStroke] = []
    typed: list[TypedText] = []
    images: list[PageImage] = []
    layers: dict[str, int] = {}
    paper = "#ffffff"
    for shape in all_shapes:
        kind = _kind(shape, sheet)
        is_seen = kind not in ("ruling", "background")
        layer = layers.setdefault(shape.layer, len(layers)) if is_seen else 0
        if kind == "text":
            typed.append(_typed(shape, layer))
        elif kind == "image":
            images += _images(shape, layer, left_out)
        elif kind == "background":
            paper = hex_colour(shape.style.get("fill", "white"))
        elif kind not in ("", "ruling"):
            left_out[kind] += max(1, len(shape.curves))
        else:
            target = ruling if kind == "ruling" else strokes
            target.extend(_strokes(shape, tolerance, layer))
    content = {"images": images, "ruling": ruling, "layers": layers, "paper": paper}
    joined = _with_joined_strokes(strokes)
    return page_around(joined, typed, sheet, unit=unit, left_out=left_out, **content)


def _sheet(root: Element, all_shapes: Sequence[Shape]) -> tuple[np.ndarray, float | None]:
    """Return left, top, right and bottom of the page, and the length of the page's unit in points
    (1/72 inch); None if unknown."""
    width = pixels(root.get("width", ""))
    height = pixels(root.get("height", ""))
    view_box = re.findall(r"[-+.\deE]+", root.get("viewBox", ""))
    try:
        left, top, box_width, box_height = map(float, view_box)
    except ValueError:
        left = 0.0
        top = 0.0
        box_width = width
        box_height = height
    if not (box_width > 0 and box_height > 0):  # also if a side is NaN
        curves = chain.from_iterable(shape.curves for shape in all_shapes)
        parts = [curve.reshape(-1, 2) for curve in curves]
        points = np.concatenate(parts or [np.eye(2)])  # any two points
        margin = PAGE_MARGIN * np.ptp(points, axis=0).max()
        corners = points.min(axis=0) - margin, points.max(axis=0) + margin
        return np.concatenate(corners), POINTS_PER_PIXEL
    sheet = np.array([left, top, left + box_width, top + box_height])
    unit = POINTS_PER_PIXEL * width / box_width
    return sheet, unit if unit > 0 else None  # the width may be NaN


def _kind(shape: Shape, sheet: np.ndarray) -> str:
    """Return the kind of a shape that is no stroke; an empty string for strokes."""
    style = shape.style
    corners = sheet.reshape(2, 2)
    edge = MAX_EDGE_DISTANCE * (corners[1] - corners[0])
    if style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return "hidden shape"
    if not shape.curves:
        return "repeated shape" if shape.element.tag == "use" else shape.element.tag[:40]
    ends = np.stack([[curve[0, 0], curve[-1, 3]] for curve in shape.curves])  # (curves, 2, 2)
    is_at_edge = np.abs(np.sort(ends, axis=1) - corners) <= edge  # by end and axis
    is_edge_to_edge = is_at_edge.all(axis=1).any(axis=1)  # both ends, in x or in y
    has_only_lines = all(len(curve) == 1 for curve in shape.curves)
    has_line = style.get("stroke", "none") not in _NONE
    is_ruling = shape.is_ruling or (has_only_lines and is_edge_to_edge.all())
    if has_line and is_ruling:
        return "ruling"
    points = np.concatenate([curve.reshape(-1, 2) for curve in shape.curves])
    box = np.stack([points.min(axis=0), points.max(axis=0)])
    covers_page = (np.abs(box - corners) <= edge).all()
    return "background" if covers_page and not has_line else ""


def _strokes(shape: Shape, tolerance: float, layer: int) -> Iterator[PageStroke]:
    style = shape.style
    whole = _opacity(style, "opacity")
    line = _opacity(style, "stroke-opacity")
    fill = _opacity(style, "fill-opacity")
    fill_colour = style.get("fill", "black")
    is_written = _WRITE_PEN in shape.element.get("class", "")
    has_line = style.get("stroke", "none") not in _NONE
    if is_written and not has_line:  # The outline of a stroke is filled.
        for outline in shape.curves:
            points, widths = _middle_line(outline)
            tool = "highlighter" if whole * fill < MIN_PEN_OPACITY else "pen"
            colour = hex_colour(fill_colour)
            width = float(widths.mean())
            yield PageStroke(points, tool, colour, width, widths, opacity=whole * fill, layer=layer)
        return
    tool = "highlighter" if whole * line < MIN_PEN_OPACITY else "pen"
    if shape.element.tag not in _FREEHAND or fill_colour not in _NONE:
        tool = "shape"
    look = PageStroke(
        np.empty((0, 2)),
        tool,
        hex_colour(style["stroke"]) if has_line else "#000000",
        _scale(shape) * _length(style.get("stroke-width", ""), 1) if has_line else 0.0,
        fill=None if fill_colour in _NONE else hex_colour(fill_colour),
        fill_opacity=whole * fill,
        dash=_dash(style.get("stroke-dasharray", ""), _scale(shape)),
        opacity=whole * line,
        layer=layer,
    )
    for curve in shape.curves:
        yield replace(look, points=flattened(curve, tolerance))


def _middle_line(outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points `(n, 2)` and widths `(n,)` of a stroke of Write, whose outline leads along
    one side of the stroke and back along the other, by as many points."""
    corners = np.concatenate([outline[:, 0], outline[-1:, 3]])
    if np.allclose(corners[0], corners[-1]):
        corners = corners[:-1]
    count = (len(corners) + 1) // 2
    there = corners[:count]
    back = corners[::-1][:count]
    return (there + back) / 2, np.linalg.norm(there - back, axis=1)


def _images(shape: Shape, layer: int, left_out: Counter[str]) -> Iterator[PageImage]:
    """Yield the image of a shape, if it is in the file and not turned."""
    get = shape.element.get
    href = get("href") or get("{http://www.w3.org/1999/xlink}href") or ""
    x, y, width, height = (_length(get(name, ""), 0) for name in ("x", "y", "width", "height"))
    corners = [(x, y), (x + width, y + height)]
    (left, top), (right, bottom) = shape.matrix.transformPoints(corners)
    is_turned = shape.matrix[1] or shape.matrix[2]
    if is_turned or not href.startswith("data:"):
        left_out["image"] += 1
    else:
        yield from image_in(href, (left, top, right, bottom), layer, left_out)


def _typed(shape: Shape, layer: int) -> TypedText:
    """Return the typed text of a shape, whose position is the baseline of the first line."""
    x = 0.0
    y = 0.0
    # The first element that has a position decides.
    for element in reversed([*shape.element.iter()]):
        x = _length(element.get("x", ""), x)
        y = _length(element.get("y", ""), y)
    size = _length(shape.style.get("font-size", ""), 16)
    text = " ".join(" ".join(shape.element.itertext()).split())
    left, top = shape.matrix.transformPoint((x, y - size))
    colour = hex_colour(shape.style.get("fill", "black"))
    return TypedText(text, left, top, size * _scale(shape), colour, layer)


def _dash(text: str, scale: float) -> tuple[float, ...]:
    lengths = [pixels(part) for part in re.split(r"[\s,]+", text.strip()) if part]
    is_dashed = lengths and all(0 <= length < math.inf for length in lengths) and any(lengths)
    return tuple(scale * length for length in lengths) if is_dashed else ()


def _opacity(style: Mapping[str, str], name: str) -> float:
    """Return an opacity, from 0 to 1; 1 if the style has none."""
    return min(max(_length(style.get(name, ""), 1), 0.0), 1.0)


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
        is_like = last is not None and _pen(last) == _pen(stroke)
        if last is not None and is_like and np.array_equal(last.points[-1], stroke.points[0]):
            groups[-1].append(stroke)
        else:
            groups.append([stroke])
    return [_joined(group) if len(group) > 1 else group[0] for group in groups]


def _pen(stroke: PageStroke) -> tuple[object, ...]:
    """Return the properties that the parts of a stroke share; a filled area is no part."""
    is_part = stroke.width and stroke.widths is None and stroke.fill is None
    identity = None if is_part else id(stroke)  # like that of no other stroke
    return stroke.tool, stroke.colour, stroke.layer, stroke.dash, identity


def _joined(group: Sequence[PageStroke]) -> PageStroke:
    """Return successive parts of a stroke as one stroke, as wide as they are."""
    points = np.concatenate([group[0].points, *(stroke.points[1:] for stroke in group[1:])])
    counts = [len(stroke.points) - 1 for stroke in group]
    widths = np.repeat([stroke.width for stroke in group], counts)
    changes = np.append(widths, widths[-1]) if np.ptp(widths) else None
    return replace(group[0], points=points, width=float(widths.max()), widths=changes)
