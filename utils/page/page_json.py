"""A page as JSON: for whoever wants its points and nothing else.

`{"format": "page of handwriting", "version": 1, "width", "height", "rules", "dots", "rows":
[{"text", "pen": {"width", "colour"}, "period", "strokes": [[[x, y], ...], ...]}, ...]}`: lengths in
millimetres, positions from the top left corner of the sheet, y downwards, in seconds the period
from one point to the next.
"""

import json
import re
from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from utils import strict_json
from utils.checks import ConfigFault, DataError, short
from utils.files import open_file, write_text
from utils.page.page import Page, Pen, Row

FORMAT, VERSION = "page of handwriting", 1

DECIMALS = 3
"""Of millimetres: a thousandth is finer than any pen."""

MAX_BYTES = 64 * 2**20
"""Of a file; assumed: a full page has one or two million."""

FARTHEST = 1e5
"""Millimetres at most (assumed: a hundred metres)."""


def to_json(page: Page) -> str:
    """Return a page as JSON on one line; positions are rounded to 0.001 mm.

    Raises:
        DataError: if a number is not finite, or a text holds half a character.
    """
    rows = [
        {
            "text": row.text,
            "pen": {"width": float(row.pen.width), "colour": row.pen.colour},
            "period": float(row.period),
            "strokes": [_rounded(stroke) for stroke in row.strokes],
        }
        for row in page.rows
    ]
    values = {
        "format": FORMAT,
        "version": VERSION,
        "width": float(page.width),
        "height": float(page.height),
        "rules": _rounded(page.rules),
        "dots": _rounded(page.dots),
        "rows": rows,
    }
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except UnicodeEncodeError:
        raise DataError("a text of the page holds half a character, as \\ud800") from None
    except ValueError:
        raise DataError("the page has a number that is not finite") from None
    return f"{text}\n"


def from_json(text: str) -> Page:
    """Return the page of a text that `to_json` wrote.

    Raises:
        DataError: if it is anything else, with the place.
    """
    try:
        values = strict_json.loads(text, MAX_BYTES)
    except ConfigFault as fault:
        place = f" ({fault.key})" if fault.key else ""
        raise DataError(f"not a page: {fault.expected}{place}") from None
    keys = ("format", "version", "width", "height", "rules", "dots", "rows")
    values = _object(values, "the page", keys)
    if (values["format"], values["version"]) != (FORMAT, VERSION):
        found = f"{short(values['format'])}, version {short(values['version'])}"
        raise DataError(f"not a page: its format is {found}, not {FORMAT!r}, version {VERSION}")
    return Page(
        _number(values["width"], "width"),
        _number(values["height"], "height"),
        tuple(_row(row, f"rows[{n}]") for n, row in enumerate(_list(values["rows"], "rows"))),
        _points(values["rules"], "rules", (2, 2)),
        _points(values["dots"], "dots", (2,)),
    )


def write_page_json(path: str | PathLike[str], page: Page) -> None:
    """Write a page as a JSON file; see `to_json`."""
    write_text(path, to_json(page))


def read_page_json(path: str | PathLike[str]) -> Page:
    """Return the page of a file that `write_page_json` wrote.

    Raises:
        DataError: if there is no such file, or it holds anything else, with the place.
    """
    try:
        with open_file(Path(path)) as file:
            return from_json(file.read(MAX_BYTES + 1).decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text: see byte {error.start}") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _rounded(points: np.ndarray) -> list:
    return (np.round(points, DECIMALS) + 0.0).tolist()  # no -0


def _row(values: Any, place: str) -> Row:
    values = _object(values, place, ("text", "pen", "period", "strokes"))
    pen = _object(values["pen"], f"{place}.pen", ("width", "colour"))
    for key, text in ((f"{place}.text", values["text"]), (f"{place}.pen.colour", pen["colour"])):
        if not isinstance(text, str):
            raise DataError(f"{key}: {short(text)} is no text")
    if not re.fullmatch("#[0-9a-fA-F]{6}", pen["colour"]):
        raise DataError(f"{place}.pen.colour: {short(pen['colour'])} is not as #1b2a4e")
    strokes = []
    for n, stroke in enumerate(_list(values["strokes"], f"{place}.strokes")):
        strokes.append(_points(stroke, f"{place}.strokes[{n}]", (2,)))
        if not len(strokes[-1]):
            raise DataError(f"{place}.strokes[{n}]: a stroke has at least one point")
    return Row(
        tuple(strokes),
        values["text"],
        Pen(_number(pen["width"], f"{place}.pen.width"), pen["colour"]),
        _number(values["period"], f"{place}.period"),
    )


def _object(values: Any, place: str, keys: Collection[str]) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise DataError(f"{place}: {short(values)} is no object")
    if missing := [key for key in keys if key not in values]:
        raise DataError(f"{place}: {', '.join(missing)} missing")
    if unknown := [key for key in values if key not in keys]:
        raise DataError(f"{place}: {short(unknown[0])} is none of {', '.join(keys)}")
    return values


def _list(values: Any, place: str) -> list:
    if not isinstance(values, list):
        raise DataError(f"{place}: {short(values)} is no list")
    return values


def _number(value: Any, place: str, low: float = 0.0) -> float:
    """Return a number above `low` and at most `FARTHEST`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low < value <= FARTHEST:
        expected = f"a number above {low:g} and at most {FARTHEST:g}"
        raise DataError(f"{place}: {short(value)} is not {expected}")
    return float(value)


def _points(values: Any, place: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a list of lists of numbers as `(n, *shape)`."""
    for n, value in enumerate(_list(values, place)):
        _check_shape(value, f"{place}[{n}]", shape)
    return np.array(values, dtype=np.float64).reshape(-1, *shape)


def _check_shape(values: Any, place: str, shape: tuple[int, ...]) -> None:
    if not shape:
        _number(values, place, -FARTHEST)
        return
    if len(_list(values, place)) != shape[0]:
        raise DataError(f"{place}: {len(values)} values where {shape[0]} belong")
    for n, value in enumerate(values):
        _check_shape(value, f"{place}[{n}]", shape[1:])
