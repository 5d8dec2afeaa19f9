"""Reads InkML (W3C Ink Markup Language, Recommendation of 2011).

A `<trace>` holds points separated by commas; spaces separate the values of a point. The values are
x and y (downwards), or the channels that `<traceFormat>` declares. A value after `'` or
`"` is a first or second difference. `<annotation type="truth">` holds a transcription.
"""

import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from ink.formats.xml import escape
from ink.sample import Fault
from utils.checks import DataError
from utils.files import XML_FORBIDDEN

NAMESPACE = "http://www.w3.org/2003/InkML"
MAX_REFERENCES = 10  # from context to context (assumed)
UNIT_LENGTHS = {
    "pt": 1.0,
    "px": 0.75,
    "in": 72.0,
    "mm": 72 / 25.4,
    "cm": 72 / 2.54,
    "himetric": 72 / 2540,
}
"""Length of each unit in points (1/72 inch)."""
# A trace without prefixes, and a value with its optional prefix.
_PLAIN_TRACE = re.compile(r"[-+.0-9eE\s,]+", re.ASCII)
_VALUE = re.compile(
    r"\s*(?:([!'\"])\s*)?([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?|#[0-9A-Fa-f]{1,13}|[TF*])\s*"
)
XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"


class _State(NamedTuple):
    """The last value of a channel, and the prefix that applies to its next value."""

    prefix: str = "!"
    value: float = 0.0
    speed: float = 0.0  # difference from the previous value
    acceleration: float = 0.0  # difference from the previous speed


class TraceFormat(NamedTuple):
    """The channels of a trace."""

    signs: dict[str, int]
    """For each channel, in order: -1 if its values grow to the left or upwards, else 1."""
    min_values: int  # of a point
    max_values: int | None  # of a point; None if unknown
    unit: float | None = None
    """Length of a unit of X in points (1/72 inch); None if unknown."""
    max_pressure: float | None = None
    """Greatest value of F; None if unknown."""
    has_clock: bool = False
    """Whether the times of all traces count from one moment."""


def formats(root: Element) -> dict[Element, TraceFormat]:
    """Return the format of each trace.

    A trace has the format of the context that the trace or its group names, or else of the last
    context before the trace. Without contexts, all traces have the only format of the document.
    """
    by_id = {element_id(element): element for element in root.iter() if element_id(element)}
    format_of = cache(_format)
    by_context = cache(lambda context: format_of(_format_holder(context, by_id, root)))
    return {trace: by_context(context) for trace, context in _contexts(root, by_id).items()}


def _contexts(root: Element, by_id: dict[str, Element]) -> dict[Element, Element | None]:
    """Return the context of each trace, see `formats`; None if there is no context."""
    context_of: dict[Element, Element | None] = {}
    last_context: Element | None = None
    stack: list[tuple[Element, Element | None, bool]] = [(root, None, False)]
    while stack:
        element, inherited, in_definitions = stack.pop()
        context = by_id.get(element.get("contextRef", "").removeprefix("#"), inherited)
        if element.tag == "context" and not in_definitions:
            last_context = element
        elif element.tag == "trace":
            context_of[element] = last_context if context is None else context
        else:
            in_definitions = in_definitions or element.tag == "definitions"
            stack += ((child, context, in_definitions) for child in reversed(element))
    return context_of


def _format_holder(context: Element | None, by_id: dict[str, Element], root: Element) -> Element:
    """Return the element whose traceFormat holds for a context: the context itself, or else the
    first one to which it refers, from one to the next, that has a traceFormat, or else `root`.
    """
    for _ in range(MAX_REFERENCES):
        if context is None:
            break
        if next(context.iter("traceFormat"), None) is not None:
            return context
        keys = ("traceFormatRef", "inkSourceRef", "contextRef")
        names = [context.get(key, "").removeprefix("#") for key in keys]
        context = next((by_id[name] for name in names if name in by_id), None)
    return root


def _format(holder: Element) -> TraceFormat:
    """Return the format that `holder` declares, or a format of X and Y if it declares no format."""
    forms = []
    unit_of_x = next(_units_of_x(holder), None)
    for declared in holder.iter("traceFormat"):
        regular = declared.findall("channel")
        channels = [*regular, *declared.findall("intermittentChannels/channel")]
        names = [channel.get("name", "").upper() for channel in channels]
        signs = [-1 if channel.get("orientation") == "-ve" else 1 for channel in channels]
        if not {"X", "Y"} <= set(names[: len(regular)]):
            raise Fault("a traceFormat without the channels X and Y")
        channel_of_x = channels[names.index("X")]
        unit = unit_of_x or UNIT_LENGTHS.get(channel_of_x.get("units", ""))
        by_name = dict(zip(names, channels, strict=True))
        most = by_name["F"].get("max", "") if "F" in by_name else ""
        max_pressure = float(most) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", most) else None
        has_clock = "T" in by_name and bool(by_name["T"].get("respectTo"))
        signs_of = dict(zip(names, signs, strict=True))
        forms.append(
            TraceFormat(
                signs_of,
                min_values=len(regular),
                max_values=len(channels),
                unit=unit,
                max_pressure=max_pressure or None,  # 0 says nothing
                has_clock=has_clock,
            )
        )
    if len(set(map(repr, forms))) > 1:  # `repr` also shows the order of the channels.
        raise Fault("several different traceFormats, and no context that names one")
    return forms[0] if forms else TraceFormat({"X": 1, "Y": 1}, min_values=2, max_values=None)


def _units_of_x(holder: Element) -> Iterator[float]:
    """Yield the lengths of a unit of X in typographic points (1/72 inch) that the channel
    properties state, from the last property to the first."""
    for item in reversed([*holder.iter("channelProperty")]):
        resolution = re.fullmatch(r"[1-9]\d{0,8}", item.get("value", ""))
        length = UNIT_LENGTHS.get(item.get("units", "").removeprefix("1/"))
        is_of_x = (item.get("channel"), item.get("name")) == ("X", "resolution")
        if is_of_x and resolution and length:
            yield length / int(resolution[0])


def element_id(element: Element) -> str:
    """Return the id of an element, or "" if the element has no id."""
    return element.get(f"{XML_NAMESPACE}id", element.get("id", ""))


def is_drawn(trace: Element) -> bool:
    """Return whether a trace has points that are ink."""
    return trace.get("type", "penDown").lower() != "penup" and bool((trace.text or "").strip())


def channels_of(trace: Element, form: TraceFormat, place: str) -> dict[str, np.ndarray]:
    """Return the values `(n,)` of each channel of a trace; y grows downwards."""
    columns = _values(trace.text, form, place).T
    signed = zip(form.signs.items(), columns, strict=False)  # the last channels may be missing
    return {name: sign * column for (name, sign), column in signed}


def _values(content: str, form: TraceFormat, place: str) -> np.ndarray:
    """Return the values of a trace, `(points, channels)` float64."""
    points = content.split(",")
    try:
        if not _PLAIN_TRACE.fullmatch(content):
            raise ValueError
        rows = [list(map(float, point.split())) for point in points]
    except ValueError:  # The values have prefixes, or no blanks between them, such as 3-5.
        states: dict[int, _State] = {}
        rows = [_row(point, states, f"point {n} of {place}") for n, point in enumerate(points, 1)]
    most = math.inf if form.max_values is None else form.max_values
    for number, row in enumerate(rows, 1):
        if not form.min_values <= len(row) <= most:
            detail = f"point {number} of {place} has {len(row)}"
            raise Fault(f"a point with other than {form.min_values} values", detail)
    width = min(map(len, rows))  # intermittent values that some points lack are left out
    values = np.array([row[:width] for row in rows], dtype=np.float64)
    if not np.isfinite(values).all():
        raise Fault("a non-number among the points", place)
    return values


def _row(point: str, states: dict[int, _State], place: str) -> list[float]:
    """Return the values of a point, and update `states`, the state of each channel.

    The prefix of a value says whether the value is absolute (`!`, the default), a difference from
    the previous point (`'`), or a difference of differences (`"`); it holds for the channel's later
    values, too. `*` repeats the channel's last value, difference or difference of differences.
    """
    row: list[float] = []
    position = 0
    while position < len(point):
        match = _VALUE.match(point, position)  # its prefix and its number or letter
        if match is None:
            detail = f"{place}: {point[position : position + 20].strip()!r}"
            raise Fault("a non-number among the points", detail)
        position = match.end()
        word = match[2]
        is_first = len(row) not in states
        previous_prefix, previous, speed, acceleration = states.get(len(row), _State())
        prefix = match[1] or previous_prefix
        if is_first and (prefix != "!" or word == "*"):
            raise Fault("a difference without a previous point", place)
        if word == "*":
            value = {"!": previous, "'": speed, '"': acceleration}[prefix]
        elif word in ("T", "F"):
            value = float(word == "T")
        else:
            value = float(int(word[1:], 16) if word.startswith("#") else word)
        value += {"!": 0.0, "'": previous, '"': previous + speed}[prefix]
        step = 0.0 if is_first else value - previous
        states[len(row)] = _State(prefix, value, step, step - speed)
        row.append(value)
    return row


def document(lines: Iterable[str]) -> str:
    """Return an InkML document of lines of elements."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<ink xmlns="{NAMESPACE}">'
    return "\n".join([head, *lines, "</ink>", ""])


def annotation_lines(kind: str, text: str) -> list[str]:
    """Return an annotation of a type as a list of lines; [] for an empty text."""
    if match := XML_FORBIDDEN.search(text):
        raise DataError(f"XML cannot hold the character U+{ord(match[0]):04X} of {text!r}")
    space = ' xml:space="preserve"' if text != " ".join(text.split()) else ""
    escaped = escape(text).replace("\r", "&#13;")
    return [f'<annotation type="{kind}"{space}>{escaped}</annotation>'] if text else []


def trace_text(points: np.ndarray) -> str:
    """Return the text of a trace of `points`, in decimals that are read as the same numbers."""
    return ", ".join(" ".join(map(shortest_decimal, row)) for row in points.tolist())


def shortest_decimal(value: float) -> str:
    """Return the shortest decimal that is read as the same number."""
    return np.format_float_positional(value, trim="-")
