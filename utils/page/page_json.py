"""A page as JSON: for whoever wants its points and nothing else.

`{"format": "page of handwriting", "version": 1, "width", "height", "rules", "dots", "rows":
[{"text", "pen": {"width", "colour"}, "period", "strokes": [[[x, y], ...], ...]}, ...]}`: lengths in
millimetres, positions from the top left corner of the sheet, y downwards, in seconds the period
from one point to the next.
"""

import json
from os import PathLike

import numpy as np

from utils.checks import DataError
from utils.files import write_text
from utils.page.page import Page

FORMAT, VERSION = "page of handwriting", 1

DECIMALS = 3
"""Of millimetres: a thousandth is finer than any pen."""


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


def write_page_json(path: str | PathLike[str], page: Page) -> None:
    """Write a page as a JSON file; see `to_json`."""
    write_text(path, to_json(page))


def _rounded(points: np.ndarray) -> list:
    return (np.round(points, DECIMALS) + 0.0).tolist()  # no -0
