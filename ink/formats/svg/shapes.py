"""Reads the paths and figures of SVG files of any program as cubic curves."""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

import numpy as np

from ink.formats.checks import MAX_JUMP
from ink.geometry import at_bezier
from ink.sample import Fault

if TYPE_CHECKING:
    from fontTools.misc.transform import Transform

MAX_PATH_CHARACTERS = 1 << 21  # characters of a path (assumed)
_PATH_DATA = re.compile(r"[MZLHVCSQTA\d.,eE+\s-]*", re.ASCII | re.IGNORECASE)
# Possessive, as patterns that go back take square time where they fail.
_NUMBER = r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d{1,3})?+"
_LENGTH_WITH_UNIT = re.compile(rf"\s*+({_NUMBER})\s*+(px|pt|pc|in|cm|mm|)\s*+", re.ASCII)
_PIXELS = {"": 1, "px": 1, "pt": 96 / 72, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4}
_TRANSFORM = re.compile(r"\b(\w++)\s*+\(([^()]*+)\)")
_NOT_DRAWN = re.compile(
    "defs|symbol|clipPath|mask|marker|pattern|metadata|title|desc|style|script|filter|namedview|"
    "linearGradient|radialGradient"
)
_PROPERTY = re.compile(
    "fill|fill-opacity|stroke|stroke-width|stroke-opacity|stroke-dasharray|opacity|display|"
    "visibility|font-size"
)
_LAYER_NAME = "{http://www.inkscape.org/namespaces/inkscape}label"  # attribute of a layer


@dataclass(frozen=True, eq=False)
class Shape:
    """An element of an SVG, and the curves that it draws.

    Attributes:
        element: a path or a figure; or an image or a text, which has no curves.
        curves: the cubic segments `(segments, 4, 2)` of each connected part, in the units of the
            outermost element; a segment begins at the end of the previous segment.
        style: the element's own and inherited properties.
        matrix: transforms the element's units to the units of the outermost element.
        layer: name of the Inkscape layer that the element is in; "" if it is in none.
    """

    element: Element
    curves: list[np.ndarray]
    style: Mapping[str, str]
    matrix: "Transform"
    layer: str

    @property
    def is_ruling(self) -> bool:
        """Whether the element is in an Inkscape layer whose name ends with "ruling"."""
        return self.layer.endswith("ruling")


def shapes(root: Element) -> Iterator[Shape]:
    """Yield the shapes of an SVG in the order of drawing; elements `_NOT_DRAWN` are skipped.

    Raises:
        Fault: if a path or a transformation is not valid.
    """
    from fontTools.misc.transform import Transform  # slow to import

    rules = _class_rules(root)
    stack = [(root, Transform(), dict[str, str](), "")]
    while stack:
        element, matrix, inherited, layer = stack.pop()
        if _NOT_DRAWN.fullmatch(element.tag):
            continue
        style = inherited | {k: v for k, v in element.attrib.items() if _PROPERTY.fullmatch(k)}
        for name in element.get("class", "").split():
            style |= rules.get(name, {})
        style |= _properties(element.get("style", ""))
        matrix = _transformed(matrix, element.get("transform", ""))
        if element.tag in ("svg", "g", "a", "switch"):
            # Nested layers are one layer; a ruling is the printed ruling at any depth.
            layer = layer if layer.endswith("ruling") else element.get(_LAYER_NAME, layer)
            stack += ((child, matrix, style, layer) for child in reversed(element))
            continue
        linear = np.array(matrix[:4]).reshape(2, 2)
        offset = matrix[4:]
        curves = [part @ linear + offset for part in path_curves(_path_data(element))]
        yield Shape(element, curves, style, matrix, layer)


def pixels(length: str) -> float:
    """Return a length in pixels (1/96 inch); NaN if `length` is a percentage or not valid."""
    match = _LENGTH_WITH_UNIT.fullmatch(length)
    return float(match[1]) * _PIXELS[match[2]] if match else math.nan


def path_curves(data: str) -> list[np.ndarray]:
    """Return the connected parts of a path as cubic segments, each `(segments, 4, 2)`.

    Raises:
        Fault: if `data` is not a path, is too long, or leads further than `MAX_JUMP`.
    """
    from fontTools.pens.recordingPen import RecordingPen  # slow to import
    from fontTools.svgLib.path import parse_path

    if len(data) > MAX_PATH_CHARACTERS:
        raise Fault(f"a path of more than {MAX_PATH_CHARACTERS:,} characters", f"{len(data):,}")
    pen = RecordingPen()
    try:
        if not _PATH_DATA.fullmatch(data):
            raise ValueError
        parse_path(data, pen)
    except Exception:  # The parser can fail in any way.
        raise Fault("a path that is not valid", data[:40]) from None
    parts: list[list[list[complex]]] = [[]]
    position = 0j
    for command, pairs in pen.value:
        points = [complex(*pair) for pair in pairs]
        if command == "moveTo":
            parts.append([])
        elif points:
            *controls, end = points
            controls = controls or [(position + end) / 2]  # a straight line
            if len(controls) == 1:  # A quadratic curve is raised to a cubic curve.
                control = controls[0]
                controls = [(position + 2 * control) / 3, (end + 2 * control) / 3]
            parts[-1].append([position, *controls, end])
        position = points[-1] if points else position
    curves = [np.array(part, np.complex128) for part in parts if part]
    if not all((np.abs(part) <= MAX_JUMP).all() for part in curves):
        raise Fault(f"a path beyond {MAX_JUMP:.6g}", data[:40])
    return [np.stack([part.real, part.imag], axis=2) for part in curves]


def flattened(curves: np.ndarray, tolerance: float) -> np.ndarray:
    """Return points `(points, 2)` of a polyline within `tolerance` of connected curves `(n, 4, 2)`.

    A curve gets as many points as Wang's formula asks, but at most 64.
    """
    bends = np.linalg.norm(np.diff(curves, n=2, axis=1), axis=2).max(axis=1)
    counts = np.ceil(np.sqrt(np.clip(0.75 * bends / tolerance, 1, 64**2))).astype(int)
    indices = np.repeat(np.arange(len(curves)), counts)
    # The number of each point in its curve, from 1: the first is the end of the curve before.
    steps = np.arange(len(indices)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    points = at_bezier(curves[indices], (steps / counts[indices])[:, None])
    return np.concatenate([curves[:1, 0], points])


def _class_rules(root: Element) -> dict[str, dict[str, str]]:
    """Return the properties that style sheets give to each class."""
    rules: dict[str, dict[str, str]] = {}
    for sheet in root.iter("style"):
        for rule in (sheet.text or "").split("}"):
            selector, _, body = rule.partition("{")
            rules |= dict.fromkeys(re.findall(r"\.([\w-]+)", selector), _properties(body))
    return rules


def _properties(text: str) -> dict[str, str]:
    """Return the properties in a style that `_PROPERTY` matches."""
    pairs = (part.partition(":") for part in text.split(";"))
    values = ((name.strip(), value.strip()) for name, _, value in pairs)
    return {name: value for name, value in values if _PROPERTY.fullmatch(name)}


def _transformed(matrix: "Transform", text: str) -> "Transform":
    """Return `matrix` combined with the transformations that `text` lists."""
    for name, numbers in _TRANSFORM.findall(text):
        values = [float(number) for number in re.findall(_NUMBER, numbers)]
        try:
            match name:
                case "matrix":
                    matrix = matrix.transform(values)
                case "translate" | "scale":
                    matrix = getattr(matrix, name)(*values)
                case "rotate":
                    x, y = values[1:] or (0, 0)
                    angle = math.radians(values[0])
                    matrix = matrix.translate(x, y).rotate(angle).translate(-x, -y)
                case "skewX":
                    (angle,) = values
                    matrix = matrix.skew(math.radians(angle))
                case "skewY":
                    (angle,) = values
                    matrix = matrix.skew(0, math.radians(angle))
                case _:
                    raise ValueError
        except (IndexError, TypeError, ValueError):
            raise Fault("a transformation that is not valid", text[:40]) from None
    if not all(abs(value) <= MAX_JUMP for value in matrix):
        raise Fault(f"a transformation beyond {MAX_JUMP:.6g}", text[:40])
    return matrix


def _path_data(element: Element) -> str:
    """Return an element's shape as the data of a path; "" if the element has no shape."""
    if element.tag == "path":
        return element.get("d", "")
    from fontTools.svgLib.path import PathBuilder  # slow to import

    attributes = dict(element.items())
    for name, value in element.items():
        length = pixels(value)
        if math.isfinite(length):
            attributes[name] = str(length)
    figure = Element(element.tag, attributes)
    figure.attrib.pop("transform", None)
    builder = PathBuilder()
    with suppress(TypeError, ValueError):  # if a length is missing or in per cent
        builder.add_path_from_element(figure)
    return " ".join(builder.paths)
