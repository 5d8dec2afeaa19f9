"""Reads a file in a format of `experiments.py read` as a page with a row for each line of ink."""

from collections import Counter
from pathlib import Path

from data_loader.sources import ink_files
from ink.geometry import strokes
from ink.ink_page import InkPage, PageStroke
from notes.ink_page import below_each_other, page_around


def parse(path: Path) -> list[InkPage]:
    """Return the page of a file; each row is placed below the previous row."""
    parsed = ink_files.parse(path)
    if not parsed.samples:
        raise parsed.left_out[0]
    rows = below_each_other(strokes(sample.ink) for sample in parsed.samples)
    left_out = Counter(fault.reason for fault in parsed.left_out)
    return [page_around((PageStroke(points) for row in rows for points in row), left_out=left_out)]
