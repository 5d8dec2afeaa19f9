"""Export of ink to InkML (W3C Ink Markup Language, Recommendation of 2011)."""

from collections.abc import Iterable, Sequence
from os import PathLike
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from utils.checks import DataError
from utils.files import XML_FORBIDDEN, write_text
from utils.ink import check_ink, strokes
from utils.page.layers import PERIOD, Row

NAMESPACE = "http://www.w3.org/2003/InkML"
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


def page_to_inkml(size: tuple[float, float], rows: Sequence[Row]) -> str:
    """Return the rows of a page as InkML: positions in mm, rounded to 0.001, and times in ms.

    Each row is a traceGroup with its text as truth and its pen as a brush; a row without strokes is
    left out. The active area of the ink's source is the page.

    `size` is the width and height of the page in mm. Raises a DataError if a text contains a
    character that XML forbids.
    """
    rows = [row for row in rows if row.strokes]
    width, height = map(_shown, size)
    pens = dict.fromkeys(row.pen for row in rows)
    brushes = {pen: f"pen{number}" for number, pen in enumerate(pens, 1)}
    channels = [f'<channel name="{axis}" type="decimal" units="mm"/>' for axis in "XY"]
    channels.append('<channel name="T" type="decimal" units="ms" respectTo="#start"/>')
    area = f'width="{width}" height="{height}" units="mm"'
    lines = ["  <definitions>", '    <timestamp xml:id="start" time="0"/>']
    for pen, name in brushes.items():
        lines += [
            f'    <brush xml:id="{name}">',
            f'      <brushProperty name="width" value="{_shown(pen.width)}" units="mm"/>',
            f'      <brushProperty name="color" value={quoteattr(pen.colour)}/>',
            "    </brush>",
        ]
    lines += [
        "  </definitions>",
        '  <context xml:id="page">',
        '    <inkSource xml:id="paper">',
        f"      <traceFormat>{''.join(channels)}</traceFormat>",
        f"      <activeArea {area}/>",
        "    </inkSource>",
        "  </context>",
    ]
    time, last_point = 0.0, None
    for row in rows:
        lines.append(f'  <traceGroup contextRef="#page" brushRef="#{brushes[row.pen]}">')
        lines += [f"    {line}" for line in _annotation("truth", row.text)]
        for stroke in row.strokes:
            if last_point is not None:
                time += LIFT_TIME + float(np.linalg.norm(stroke[0] - last_point)) / AIR_SPEED
            times = time + PERIOD * np.arange(len(stroke))
            time, last_point = times[-1], stroke[-1]
            values = np.column_stack([stroke, 1000 * times]).round(3) + 0.0  # no -0
            lines.append(f"    <trace>{_values(values)}</trace>")
        lines.append("  </traceGroup>")
    return _document(lines)
