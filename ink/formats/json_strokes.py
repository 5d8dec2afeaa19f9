"""Reads lines that are lists of strokes, also from JSON: an object for a line, a list of them, or
one on each line of the file.

y grows downwards, and "text" and "writer" are optional:

    {"text": "hello", "strokes": [[[0, 0], [4, 12], [9, 3]], [[15, 2], [15, 9]]], "writer": "ann"}
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ink.formats.checks import clean_text, decode, join_strokes
from ink.formats.files import MEBIBYTE, read_file
from ink.sample import Fault, Parsed, Sample
from utils import strict_json
from utils.checks import ConfigFault, short

MAX_JSON = 48 * MEBIBYTE  # of a file (assumed)
Stroke = Sequence[tuple[float, float]]
Line = tuple[str, Sequence[Stroke], str]
"""A line's text, strokes and writer; an unknown text or writer is an empty string."""
Extras = Mapping[str, Any]
"""Numbers, or lists of numbers, by name; all lines have the same names and sizes."""


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is JSON."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))


def parse(path: Path) -> Parsed:
    """Return the lines in a JSON file."""
    lines = parse_json(read_file(path, MAX_JSON))
    if not lines:
        raise Fault("no lines")
    parsed = Parsed()
    for number, line in enumerate(lines):
        name = f"{number:05}" if len(lines) > 1 else ""
        with parsed.attempt(name):
            parsed.samples.append(sample_of(line).renamed(name))
    return parsed


def sample_of(line: object, y_grows_down: bool = True) -> Sample:
    """Return the sample of a line that `OwnInk.lines` yields.

    Raises:
        Fault: if `line` or a value in it is not valid, or has too few points or too many.
    """
    if not isinstance(line, tuple | list) or len(line) not in (2, 3, 4):
        raise Fault("not (text, strokes), with or without writer and extras", short(line))
    text, strokes = line[:2]
    writer = line[2] if len(line) > 2 else ""
    extras = line[3] if len(line) > 3 else {}
    if not isinstance(text, str) or not isinstance(writer, str):
        raise Fault("a text or a writer that is not a string", short((text, writer)))
    if isinstance(strokes, str | bytes | dict) or not isinstance(strokes, Iterable):
        raise Fault("strokes that are not a list", short(strokes))
    positions = []
    for number, stroke in enumerate(strokes):
        reason = f"stroke {number} is not a list of (x, y)"
        try:
            # Without the dtype, an array of strings might fill the memory.
            points = np.asarray(stroke, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise Fault(reason, str(error)) from None
        if points.size and (points.ndim != 2 or points.shape[1] != 2):
            raise Fault(reason, f"shape {points.shape}")
        y_sign = 1.0 if y_grows_down else -1.0
        positions.append(points.reshape(-1, 2) * (1.0, y_sign))
    try:
        arrays = {name: np.asarray_chkfinite(extras[name], np.float32) for name in extras}
    except (TypeError, ValueError):
        reason = "extras that are not lists of finite numbers by name"
        raise Fault(reason, short(extras)) from None
    return Sample(join_strokes(positions), clean_text(text), writer=writer, extras=arrays)


def parse_json(content: bytes) -> list[Line]:
    """Return the lines in a JSON file; the strokes are not checked.

    For a page of `model.drawing.page.Page.to_json`, return its rows as lines.

    Raises:
        Fault: if the content is not JSON, or a line is not an object with "strokes".
    """
    text = decode(content)
    rows = [row for row in text.split("\n") if row.strip()]
    if len(rows) > 1 and all(row.lstrip().startswith("{") for row in rows):  # an object on each
        text = "[" + re.sub(r"(\n\s*){", r",\1{", text) + "]"
    values = _values(text)
    if isinstance(values, dict) and isinstance(values.get("rows"), list):
        values = values["rows"]
    lines = []
    for number, line in enumerate(values if isinstance(values, list) else [values]):
        if not isinstance(line, dict) or "strokes" not in line:
            detail = f"line {number} (from 0): {short(line)}"
            raise Fault('a line that is not an object with "strokes"', detail)
        entry = strict_json.children(line)
        lines.append((entry.get("text") or "", entry["strokes"], entry.get("writer") or ""))
    return lines


def json_values(content: bytes) -> strict_json.Json:
    """Return the value in a JSON file; raise a Fault if the file is not JSON."""
    return _values(decode(content))


def _values(text: str) -> strict_json.Json:
    try:
        # The size was checked when the content was read: no value of it is too much.
        return strict_json.loads(text, len(text), len(text))
    except ConfigFault as fault:
        parts = filter(None, (fault.key, fault.expected))
        raise Fault("broken JSON", ": ".join(parts)) from None


def read_values(path: Path) -> strict_json.Json:
    """Return the value in a JSON file; raise a Fault if the file cannot be read, or is not JSON."""
    return json_values(read_file(path, MAX_JSON))


def json_lines(path: str | os.PathLike[str]) -> list[Line]:
    """Return the lines in a JSON file, for `OwnInk.lines`; `load` checks the strokes later.

    Raises:
        DataError: if the file is not valid; the message names the file and the fault.
    """
    try:
        return parse_json(read_file(Path(path), MAX_JSON))
    except Fault as fault:
        raise fault.within(str(Path(path).absolute())) from None
