"""Export of ink to InkML (W3C Ink Markup Language, Recommendation of 2011)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from os import PathLike
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ink.drawing.layers import PERIOD
from ink.geometry import check_ink, strokes
from ink.ink_page import PEN_WIDTH, InkPage
from utils.checks import DataError
from utils.files import XML_FORBIDDEN, write_text

NAMESPACE = "http://www.w3.org/2003/InkML"
_CHANNEL = {
    "X": '<channel name="X" type="decimal" units="mm"/>',
    "Y": '<channel name="Y" type="decimal" units="mm"/>',
    "T": '<channel name="T" type="decimal" units="ms" respectTo="#start"/>',
    "F": '<channel name="F" type="decimal" min="0" max="1"/>',
    "W": '<channel name="W" type="decimal" units="mm"/>',
}
_CHANNELS = "".join(f'<channel name="{name}" type="decimal"/>' for name in "XY")
_CONTEXT = f'<context xml:id="line"><traceFormat>{_CHANNELS}</traceFormat></context>'

LIFT_TIME = 0.08  # seconds to lift the pen and set it down again (assumed)
AIR_SPEED = 200.0  # speed of the pen in the air in mm/s (assumed)


def to_inkml(ink: np.ndarray, text: str = "") -> str:
    """Return ink and its transcription as InkML; `read_ink` reads the same offsets from it, up to
    the rounding of positions.

    A last stroke without an end becomes a trace to be continued.

    Args:
        ink: `(points, 3)`; the first offset is not kept.
        text: the transcription; "" for none.

    Raises:
        DataError: if the ink is not valid, or the text contains a character that XML forbids.
    """
    return _document(f"  {line}" for line in [_CONTEXT, *_line(ink, text)])


def lines_to_inkml(lines: Iterable[tuple[np.ndarray, str, str]]) -> str:
    """Return lines of ink, each with its transcription and the person who wrote it, as one InkML;
    each line is a traceGroup. See `to_inkml`."""
    content = [f"  {_CONTEXT}"]
    for ink, text, writer in lines:
        inside = [*_annotation("writer", writer), *_line(ink, text)]
        content += ["  <traceGroup>", *(f"    {line}" for line in inside), "  </traceGroup>"]
    return _document(content)


def _line(ink: np.ndarray, text: str) -> list[str]:
    """Return the annotation of a line of ink, and its traces."""
    ink = np.array(check_ink(ink), dtype=np.float32)
    ink[0, :2] = 0
    lines = _annotation("truth", text)
    for stroke in strokes(ink):
        lines.append(f'<trace contextRef="#line">{_values(stroke)}</trace>')
    if ink[-1, 2] <= 0.5:
        lines[-1] = lines[-1].replace(">", ' continuation="begin">', 1)
    return lines


def _document(lines: Iterable[str]) -> str:
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<ink xmlns="{NAMESPACE}">'
    return "\n".join([head, *lines, "</ink>", ""])


def _annotation(kind: str, text: str) -> list[str]:
    """Return an annotation of a type as a list of lines; [] for an empty text."""
    if match := XML_FORBIDDEN.search(text):
        raise DataError(f"XML cannot hold the character U+{ord(match[0]):04X} of {text!r}")
    space = ' xml:space="preserve"' if text != " ".join(text.split()) else ""
    escaped = escape(text, {"\r": "&#13;"})
    return [f'<annotation type="{kind}"{space}>{escaped}</annotation>'] if text else []


def _values(points: np.ndarray) -> str:
    """Return the text of a trace of `points`, in decimals that are read as the same numbers."""
    return ", ".join(" ".join(map(_shown, row)) for row in points.tolist())


def _shown(value: float) -> str:
    """Return the shortest decimal that is read as the same number."""
    return np.format_float_positional(value, trim="-")


def write_inkml(path: str | PathLike[str], ink: np.ndarray, text: str = "") -> None:
    """Write ink and its transcription as an InkML file; see `to_inkml`."""
    write_text(path, to_inkml(ink, text))


def page_to_inkml(page: InkPage, rows: Iterable[tuple[str, Sequence[int]]]) -> str:
    """Return the strokes of a page as InkML: positions in mm, rounded to 0.001, and times in ms,
    which tell the order of writing.

    Each row is a traceGroup with its text as truth; strokes of no row follow in groups without. The
    pens are brushes, and widths and pressures that change along a stroke the channels W and F. The
    active area of the ink's source is the page.

    Args:
        page: the page; what it has besides strokes is not written, nor are fills and dashes.
        rows: text and numbers of the strokes of each row.

    Raises:
        DataError: if a text contains a character that XML forbids.
    """
    groups = [(text, [*numbers]) for text, numbers in rows if len(numbers)]
    in_rows = {number for _, numbers in groups for number in numbers}
    others = [number for number in range(len(page.strokes)) if number not in in_rows]
    groups += [("", [*run]) for _, run in groupby(others, lambda n: _place(page, n))]
    ink = _PageInk(page)
    body = [line for text, numbers in groups for line in ink.group(text, numbers)]
    return _document([*ink.head(), *body])


def _place(page: InkPage, number: int) -> tuple[int, bool]:
    """Return the layer of a stroke, and whether it was drawn with a tool for figures."""
    return page.strokes[number].layer, page.strokes[number].tool == "shape"


class _PageInk:
    """Writes the groups of a page, and then what they refer to."""

    def __init__(self, page: InkPage) -> None:
        self._page = page
        self._brushes: dict[tuple[str, ...], str] = {}  # names, by the lines of their properties
        self._contexts = {"": "page"}  # names, by further channels
        self._times, time, last_point = [], 0.0, None
        for stroke in page.strokes:
            points = page.millimetres * stroke.points
            if last_point is not None:
                time += LIFT_TIME + float(np.linalg.norm(points[0] - last_point)) / AIR_SPEED
            self._times.append(time + PERIOD * np.arange(len(points)))
            time, last_point = self._times[-1][-1], points[-1]

    def head(self) -> Iterator[str]:
        """Yield the definitions of brushes and contexts."""
        yield from ("  <definitions>", '    <timestamp xml:id="start" time="0"/>')
        for properties, name in self._brushes.items():
            yield f'    <brush xml:id="{name}">'
            yield from (f"      <brushProperty {line}/>" for line in properties)
            yield "    </brush>"
        yield "  </definitions>"
        scale = self._page.millimetres
        size = (_shown(round(scale * side, 3)) for side in (self._page.width, self._page.height))
        area = '<activeArea width="{}" height="{}" units="mm"/>'.format(*size)
        for more, name in self._contexts.items():
            channels = "".join(_CHANNEL[channel] for channel in f"XYT{more}")
            source = f'<inkSource xml:id="paper{more}">'
            yield f'  <context xml:id="{name}">'
            yield from (f"    {source}", f"      <traceFormat>{channels}</traceFormat>")
            yield from (f"      {area}", "    </inkSource>", "  </context>")

    def group(self, text: str, numbers: Sequence[int], indent: str = "  ") -> Iterator[str]:
        """Yield a traceGroup of strokes; strokes of another layer or kind are in groups in it."""
        runs = [[*run] for _, run in groupby(numbers, lambda n: _place(self._page, n))]
        inside = f"{indent}  "
        brush, context = self._references(numbers[0])
        yield f'{indent}<traceGroup contextRef="#{context}" brushRef="#{brush}">'
        yield from (f"{inside}{line}" for line in _annotation("truth", text))
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
            yield from _annotation("layer", f"{layer + 1} {name}".strip())
        if is_shape:
            yield from _annotation("type", "Drawing")

    def _references(self, number: int) -> tuple[str, str]:
        """Return the names of a stroke's brush and context."""
        stroke, scale = self._page.strokes[number], self._page.millimetres
        width = scale * stroke.width if stroke.width else PEN_WIDTH
        properties = [
            f'name="width" value="{_shown(round(width, 4))}" units="mm"',
            f'name="color" value={quoteattr(stroke.colour)}',
            f'name="rasterOp" value="{"maskPen" if stroke.tool == "highlighter" else "copyPen"}"',
        ]
        if stroke.opacity < 1:
            properties.append(f'name="transparency" value="{round(255 * (1 - stroke.opacity))}"')
        brush = self._brushes.setdefault(tuple(properties), f"pen{len(self._brushes) + 1}")
        has_pressure = stroke.pressures is not None or stroke.widths is not None
        more = "F" * has_pressure + "W" * (stroke.widths is not None)
        return brush, self._contexts.setdefault(more, f"page{more}")

    def _trace(self, number: int, group_brush: str, group_context: str) -> str:
        stroke, scale = self._page.strokes[number], self._page.millimetres
        columns = [scale * stroke.points, 1000 * self._times[number]]
        if stroke.pressures is not None:
            columns.append(stroke.pressures)
        elif stroke.widths is not None:
            columns.append(stroke.widths / max(float(stroke.widths.max()), 1e-9))
        if stroke.widths is not None:
            columns.append(scale * stroke.widths)
        brush, context = self._references(number)
        look = f' brushRef="#{brush}"' if brush != group_brush else ""
        look += f' contextRef="#{context}"' if context != group_context else ""
        values = np.column_stack(columns).round(3) + 0.0  # no -0
        return f"<trace{look}>{_values(values)}</trace>"
