"""Lines and pages in SVG as `utils.page.svg` writes it: their rows, without pauses."""

from pathlib import Path

import numpy as np

from data_loader.sources.parsing import (
    Fault,
    Parsed,
    Sample,
    clean_text,
    join_strokes,
    root_tag,
    xml_tree,
)
from data_loader.sources.svg_shapes import shapes
from data_loader.sources.untrusted_files import read_file

SUFFIXES = (".svg",)
_LABEL = "aria-label"


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is SVG."""
    return root_tag(head) == "svg"


def parse(path: Path) -> Parsed:
    """Return the rows in a file, from the top; points are where the curves begin and end."""
    rows: list[tuple[str, list[np.ndarray]]] = []
    for shape in shapes(xml_tree(read_file(path), "svg")):
        if _LABEL in shape.element.attrib:
            rows.append((shape.element.attrib[_LABEL], []))
        if rows and not shape.is_ruling:
            rows[-1][1].extend(np.concatenate([part[:1, 0], part[:, 3]]) for part in shape.curves)
    rows = [row for row in rows if row[1]]
    if not rows:
        raise Fault("an SVG that write or page did not draw; `experiments.py notes` reads others")
    rows.sort(key=lambda row: float(np.concatenate(row[1])[:, 1].mean()))
    parsed = Parsed()
    for number, (text, strokes) in enumerate(rows):
        with parsed.attempt(name := f"{number:04}" if len(rows) > 1 else ""):
            ink = join_strokes(strokes)
            parsed.samples.append(Sample(ink, clean_text(text)).of(name))
    return parsed
