"""Lines and pages in SVG as `utils.page.svg` writes it: their rows, without pauses."""

import re
from pathlib import Path

import numpy as np

from data_loader.sources.files import read_file
from data_loader.sources.parsing import (
    Fault,
    Parsed,
    Sample,
    clean_text,
    join_strokes,
    root_tag,
    xml_tree,
)

SUFFIXES = (".svg",)

_PATH = re.compile(r"M[-\d. ]+(C[-\d. ]+)+", re.ASCII)
_LABEL = "aria-label"


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is SVG."""
    return root_tag(head) == "svg"


def parse(path: Path) -> Parsed:
    """Return the rows in a file, from the top."""
    root = xml_tree(read_file(path), "svg")
    rows: list[tuple[str, list[np.ndarray]]] = []
    for layer in root.findall("g"):
        for number, element in enumerate(layer.findall("path")):
            if _LABEL in element.attrib:
                rows.append((element.attrib[_LABEL], []))
            elif not number:
                break  # the printed ruling
            rows[-1][1].append(_stroke(element.get("d", "")))
    if not rows:
        raise Fault("an SVG that write or page did not draw")
    rows.sort(key=lambda row: float(np.concatenate(row[1])[:, 1].mean()))
    parsed = Parsed()
    for number, (text, strokes) in enumerate(rows):
        with parsed.attempt(name := f"{number:04}" if len(rows) > 1 else ""):
            ink = join_strokes(strokes)
            parsed.samples.append(Sample(ink, clean_text(text)).of(name))
    return parsed


def _stroke(path: str) -> np.ndarray:
    """Return where the curves of a path begin and end, `(n, 2)`."""
    try:
        if not _PATH.fullmatch(path):
            raise ValueError
        first, *curves = (part.split() for part in re.split("[MC]", path)[1:])
        points = np.array([[*first] * 3, *curves], dtype=np.float64)
    except ValueError:
        raise Fault("a path that is not of absolute cubic curves", path[:40]) from None
    return points[:, 4:].reshape(-1, 2)
