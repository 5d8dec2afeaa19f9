"""What `read` takes: a page of ours as it lies, and else each line a row of one page."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from data_loader.sources import ink_files, own_ink
from data_loader.sources.files import read_file
from data_loader.sources.parsing import Fault
from notes.ink_page import InkPage, PageStroke, hex_colour, page_around
from utils.ink import strokes, x_height

GAP = 2.0
"""X-heights from one row down to the next (assumed)."""
MILLIMETRE = 72 / 25.4
"""Points (1/72 inch) in one."""


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file in any format of `read`."""
    if path.suffix.lower() == ".json":
        values = own_ink.json_values(read_file(path, own_ink.MAX_JSON))
        if isinstance(values, dict) and values.get("format") == "page of handwriting":
            return [_page(values)]
    parsed = ink_files.parse(path)
    if not parsed.samples:
        raise parsed.left_out[0]
    drawn: list[PageStroke] = []
    bottom = 0.0
    for sample in parsed.samples:
        parts = strokes(sample.ink)
        points = np.concatenate(parts)
        corner = points.min(axis=0) - (0.0, bottom)
        drawn += [PageStroke(part - corner) for part in parts]
        bottom += float(np.ptp(points[:, 1])) + GAP * x_height(sample.ink)
    return [page_around(drawn, left_out=Counter(fault.reason for fault in parsed.left_out))]


def _page(values: Any) -> InkPage:
    """Return a page that `utils.page.page.to_json` wrote."""
    try:
        drawn = [
            PageStroke(
                np.array(stroke, np.float64).reshape(-1, 2),
                colour=hex_colour(row["pen"]["colour"]),
                width=float(row["pen"]["width"]),
            )
            for row in values["rows"]
            for stroke in row["strokes"]
        ]
        size = float(values["width"]), float(values["height"])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise Fault("a page that `page` did not write", str(error)) from None
    return InkPage(*size, tuple(drawn), MILLIMETRE)
