"""What `read` takes: each of its lines a row of one page."""

from collections import Counter
from pathlib import Path

import numpy as np

from data_loader.sources import ink_files
from notes.ink_page import InkPage, PageStroke, page_around
from utils.ink import strokes, x_height

GAP = 2.0
"""X-heights from one row down to the next (assumed)."""


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file in any format of `read`, without the rows' own places."""
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
