"""A page as JSON: for whoever wants its points and nothing else.

`{"format": "page of handwriting", "version": 1, "width", "height", "rules", "dots", "rows":
[{"text", "pen": {"width", "colour"}, "period", "strokes": [[[x, y], ...], ...]}, ...]}`: lengths in
millimetres, positions from the top left corner of the sheet, y downwards, in seconds the period
from one point to the next.
"""

import json
from os import PathLike

import numpy as np

from utils.files import write_text
from utils.page.page import Page

DECIMALS = 3
"""Of millimetres: a thousandth is finer than any pen."""


def to_json(page: Page) -> str:
    """Return a page as JSON on one line; positions are rounded to 0.001 mm."""
    rows = [vars(row) | {"pen": vars(row.pen)} for row in page.rows]
    values = {"format": "page of handwriting", "version": 1, **vars(page), "rows": rows}
    return f"{json.dumps(values, ensure_ascii=False, default=_rounded, separators=(',', ':'))}\n"


def write_page_json(path: str | PathLike[str], page: Page) -> None:
    """Write a page as a JSON file; see `to_json`."""
    write_text(path, to_json(page))


def _rounded(points: np.ndarray) -> list:
    return (np.round(points, DECIMALS) + 0.0).tolist()  # no -0
