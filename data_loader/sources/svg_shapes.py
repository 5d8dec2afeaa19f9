"""Shapes of SVG: the paths, lines and figures of any program, as cubic curves in one unit."""

import cmath
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from data_loader.sources.parsing import FARTHEST, Fault

MAX_PATH = 1 << 22
"""Characters of a path (assumed)."""
LEAST = 1e-9
"""The smallest radius (assumed)."""

Segment = tuple[complex, complex, complex, complex]
"""A cubic curve: where it begins, two control points, and where it ends."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_COMMAND = re.compile(r"([MZLHVCSQTA])([-+.,\d\seE]*)", re.ASCII | re.IGNORECASE)
_ARGUMENTS = {"M": "n n", "Z": "", "L": "n n", "H": "n", "V": "n", "C": "n n n n n n"}
_ARGUMENTS |= {"S": "n n n n", "Q": "n n n n", "T": "n n", "A": "n n n f f n n"}
_PATTERNS = {
    command: re.compile(
        r"[\s,]*".join(["", *(f"({_NUMBER if kind == 'n' else '[01]'})" for kind in kinds.split())])
    )
    for command, kinds in _ARGUMENTS.items()
}
_LENGTH = re.compile(rf"\s*({_NUMBER})\s*(px|pt|pc|in|cm|mm|)\s*", re.ASCII)
_PIXELS = {"": 1, "px": 1, "pt": 96 / 72, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4}
_TRANSFORM = re.compile(r"\s*,?\s*(\w+)\s*\(([^()]*)\)")
_UNSEEN = re.compile(
    "defs|symbol|clipPath|mask|marker|pattern|metadata|title|desc|style|script|filter|namedview|"
    "linearGradient|radialGradient"
)
_PROPERTY = re.compile(
    "fill|stroke|stroke-width|stroke-opacity|opacity|display|visibility|font-size"
)
_LAYER = "{http://www.inkscape.org/namespaces/inkscape}label"


@dataclass(frozen=True, eq=False)
class Shape:
    """What an element draws.

    Attributes:
        element: such as a path; or an image or a text, which have no curves.
        curves: of each connected part, cubic segments `(segments, 4, 2)` in the units of the
            outermost element, each from where the one before ends.
        style: its properties, those that it inherits among them.
        matrix: from its own units to those, `(2, 3)`.
        is_ruling: whether it is in a layer of Inkscape's that is called a ruling.
    """

    element: Element
    curves: list[np.ndarray]
    style: Mapping[str, str]
    matrix: np.ndarray
    is_ruling: bool


def shapes(root: Element) -> Iterator[Shape]:
    """Yield what an SVG draws, in its order; definitions are passed over.

    Raises:
        Fault: if a path or a transformation is not valid.
    """
    rules = {
        name: _properties(body)
        for sheet in root.iter("style")
        for selector, _, body in (rule.partition("{") for rule in (sheet.text or "").split("}"))
        for name in re.findall(r"\.([\w-]+)", selector)
    }
    waiting = [(root, np.eye(3), {}, False)]
    while waiting:
        element, matrix, inherited, is_ruling = waiting.pop()
        if _UNSEEN.fullmatch(element.tag):
            continue
        style = inherited | {k: v for k, v in element.attrib.items() if _PROPERTY.fullmatch(k)}
        for name in element.get("class", "").split():
            style |= rules.get(name, {})
        style |= _properties(element.get("style", ""))
        matrix = _transformed(matrix, element.get("transform", ""))
        if element.tag in ("svg", "g", "a", "switch"):
            is_ruling = is_ruling or element.get(_LAYER, "").endswith("ruling")
            waiting += ((child, matrix, style, is_ruling) for child in reversed(element))
            continue
        parts = path_curves(_path_data(element))
        moved = [part @ matrix[:2, :2].T + matrix[:2, 2] for part in parts]
        yield Shape(element, moved, style, matrix[:2], is_ruling)


def pixels(length: str) -> float:
    """Return a length in pixels (1/96 inch); NaN if it is a share of another, or none."""
    match = _LENGTH.fullmatch(length)
    return float(match[1]) * _PIXELS[match[2]] if match else math.nan


def path_curves(data: str) -> list[np.ndarray]:
    """Return the connected parts of a path as cubic segments, each `(segments, 4, 2)`.

    Raises:
        Fault: if it is not a path.
    """
    if len(data) > MAX_PATH:
        raise Fault(f"a path of more than {MAX_PATH:,} characters", f"{len(data):,}")
    parts: list[list[Segment]] = []
    at, start, before = 0j, 0j, ""
    for command, values in _commands(data):
        origin = at if command.islower() else 0j
        kind = command.upper()
        if kind == "M":
            at = start = origin + complex(*values)
        else:
            if before in ("", "M", "Z"):
                parts.append([])
            last = parts[-1][-1] if parts[-1] else (at, at, at, at)
            turned = 2 * at - last[2]
            if kind == "T" and before in "QT":  # Back from the control of a cubic curve.
                turned = at + (at - last[2]) * 1.5
            if kind == "Z":
                parts[-1].append(_line(at, start))
            elif kind == "A":
                parts[-1] += _arc(at, origin + complex(*values[5:]), *values[:5])
            else:
                smooth = turned if before in {"S": "CS", "T": "QT"}.get(kind, "") else at
                parts[-1].append(_segment(kind, values, at, origin, smooth))
            at = parts[-1][-1][3] if parts[-1] else at
        before = kind
    arrays = [np.array(part, np.complex128) for part in parts if part]
    return [np.stack([array.real, array.imag], axis=2) for array in arrays]


def flattened(curves: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the points `(n, 2)` of lines that are nowhere further than that from curves, which
    begin and end at points (Wang's formula); at most 64 lines for each."""
    bends = np.linalg.norm(np.diff(curves, n=2, axis=1), axis=2).max(axis=1)
    counts = np.ceil(np.sqrt(np.clip(0.75 * bends / tolerance, 1, 64**2))).astype(int)
    which = np.repeat(np.arange(len(curves)), counts)
    steps = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    t = (steps / counts[which])[:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    points = sum(weight * curves[which, n] for n, weight in enumerate(weights))
    return np.concatenate([curves[:1, 0], points])


def _properties(text: str) -> dict[str, str]:
    """Return those of a style that are used here."""
    pairs = (part.partition(":") for part in text.split(";"))
    values = ((name.strip(), value.strip()) for name, _, value in pairs)
    return {name: value for name, value in values if _PROPERTY.fullmatch(name)}


def _transformed(matrix: np.ndarray, text: str) -> np.ndarray:
    """Return a matrix `(3, 3)` after a list of transformations."""
    for name, numbers in _TRANSFORM.findall(text):
        values = [float(number) for number in re.findall(_NUMBER, numbers)]
        match name, values:
            case "matrix", [a, b, c, d, e, f]:
                step = [[a, c, e], [b, d, f]]
            case "translate", [x, *y]:
                step = [[1, 0, x], [0, 1, *(y or [0])]]
            case "scale", [x, *y]:
                step = [[x, 0, 0], [0, *(y or [x]), 0]]
            case "rotate", [angle, *centre]:
                turn = cmath.rect(1, math.radians(angle))
                middle = complex(*centre)
                moved = middle - turn * middle
                step = [[turn.real, -turn.imag, moved.real], [turn.imag, turn.real, moved.imag]]
            case "skewX", [angle]:
                step = [[1, math.tan(math.radians(angle)), 0], [0, 1, 0]]
            case "skewY", [angle]:
                step = [[1, 0, 0], [math.tan(math.radians(angle)), 1, 0]]
            case _:
                raise Fault("a transformation that is none", text[:40])
        if any(len(row) != 3 for row in step):
            raise Fault("a transformation that is none", text[:40])
        with np.errstate(all="ignore"):
            matrix = matrix @ np.array([*step, [0, 0, 1]])
        if not np.abs(matrix).max() <= FARTHEST:
            raise Fault(f"a transformation beyond {FARTHEST:.6g}", text[:40])
    return matrix


def _path_data(element: Element) -> str:
    """Return an element's shape as the data of a path, empty if it has none."""

    def length(name: str) -> float:
        return float(np.nan_to_num(pixels(element.get(name, "0"))))

    match element.tag:
        case "path":
            return element.get("d", "")
        case "line":
            return "M{} {}L{} {}".format(*map(length, ("x1", "y1", "x2", "y2")))
        case "polyline":
            return f"M{element.get('points', '')}"
        case "polygon":
            return f"M{element.get('points', '')}z"
        case "rect":
            width, height = length("width"), length("height")
            return f"M{length('x')} {length('y')}h{width}v{height}h{-width}z"
        case "circle" | "ellipse":
            across, down = length("rx") or length("r"), length("ry") or length("r")
            half = f"a{across} {down} 0 1 0 "
            left = f"M{length('cx') - across} {length('cy')}"
            return f"{left}{half}{2 * across} 0{half}{-2 * across} 0"
    return ""


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Yield the commands of a path, one for each repetition, with their numbers."""
    end = len(data) - len(data.lstrip())
    for match in _COMMAND.finditer(data):
        if match.start() != end:
            break
        command, text, at = match[1], match[2].strip(" \t\r\n,"), 0
        pattern, end = _PATTERNS[command.upper()], match.end()
        while at < len(text) or not at:
            values = pattern.match(text, at)
            if values is None or values.end() == at < len(text):
                raise Fault("a path that is not valid", data[match.start() : match.end()][:40])
            numbers = [*map(float, values.groups())]
            if any(abs(number) > FARTHEST for number in numbers):
                raise Fault(f"a number beyond {FARTHEST:.6g}", values[0][:40])
            yield command, numbers
            command = {"M": "L", "m": "l"}.get(command, command)
            at = values.end()
            if not text:
                break
    if data[end:].strip():
        raise Fault("a path that is not valid", data[end : end + 40])


def _line(start: complex, end: complex) -> Segment:
    return start, start + (end - start) / 3, end - (end - start) / 3, end


def _segment(
    kind: str, values: list[float], at: complex, origin: complex, smooth: complex
) -> Segment:
    """Return the curve of a command, which begins at `at`; `smooth` goes on from that before."""
    if kind in "HV":
        x, y = (values[0], (at - origin).imag) if kind == "H" else ((at - origin).real, values[0])
        values = [x, y]
    *controls, end = (
        origin + complex(*pair) for pair in zip(values[::2], values[1::2], strict=True)
    )
    if kind in "ST":
        controls.insert(0, smooth)
    if not controls:
        return _line(at, end)
    if len(controls) == 1:  # quadratic
        (control,) = controls
        return at, (at + 2 * control) / 3, (end + 2 * control) / 3, end
    return at, *controls, end


def _arc(
    start: complex, end: complex, rx: float, ry: float, angle: float, large: float, sweep: float
) -> list[Segment]:
    """Return an elliptical arc as curves (SVG 1.1, F.6); a line if it has no radius."""
    if min(abs(rx), abs(ry), abs(end - start)) < LEAST:
        return [_line(start, end)]
    turn = cmath.rect(1, math.radians(angle))

    def to_circle(point: complex) -> complex:
        point /= turn
        return complex(point.real / abs(rx), point.imag / abs(ry))

    def from_circle(point: complex) -> complex:
        return complex(point.real * abs(rx), point.imag * abs(ry)) * turn

    first, last = to_circle(start), to_circle(end)
    half = (last - first) / 2
    radius = max(abs(half), 1.0)
    height = math.sqrt(1 - abs(half) ** 2) if abs(half) < 1 else 0.0
    side = 1j if bool(large) != bool(sweep) else -1j
    centre = (first + last) / 2 + side * height * half / abs(half)
    begin = cmath.phase(first - centre)
    extent = cmath.phase((last - centre) / (first - centre))
    if extent < 0 if sweep else extent > 0:
        extent += math.tau if sweep else -math.tau
    count = max(1, math.ceil(abs(extent) / (math.pi / 2) - 1e-9))
    step = extent / count
    reach = 4 / 3 * math.tan(step / 4)
    segments = []
    for number in range(count):
        a, b = (cmath.rect(1, begin + (number + k) * step) for k in (0, 1))
        points = (a, a + 1j * reach * a, b - 1j * reach * b, b)
        segments.append(tuple(from_circle(centre + radius * point) for point in points))
    return segments
