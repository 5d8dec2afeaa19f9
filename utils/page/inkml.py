"""Export of ink to InkML (W3C Ink Markup Language, Recommendation of 2011)."""

from itertools import pairwise
from os import PathLike
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from utils.checks import DataError
from utils.files import XML_FORBIDDEN, write_text
from utils.ink import check_ink

NAMESPACE = "http://www.w3.org/2003/InkML"


def to_inkml(ink: np.ndarray, text: str = "", *, writer: str = "") -> str:
    """Return ink and its transcription as InkML, from which `read_inkml` reads exactly the same.

    An unfinished last stroke is a trace to be continued. Positions are written so that their
    differences, as read, are the offsets again. Where numbers of very different size prevent that,
    the offsets are added as channels DX and DY.

    Args:
        ink: `(points, 3)`; its first offset, the starting position, is not kept.
        text: the transcription, or an empty string.
        writer: who wrote it.

    Raises:
        DataError: if the ink is not valid, or the text contains a character that XML forbids.
    """
    ink = np.array(check_ink(ink), dtype=np.float32)
    ink[0, :2] = 0
    for value in (text, writer):
        if bad := XML_FORBIDDEN.search(value):
            raise DataError(f"XML cannot hold the character U+{ord(bad[0]):04X} of {value!r}")
    points = np.cumsum(ink[:, :2], axis=0, dtype=np.float64)
    channels = ["X", "Y"]
    if (np.diff(points, axis=0).astype(np.float32) != ink[1:, :2]).any():
        channels += ["DX", "DY"]
        points = np.concatenate([points, ink[:, :2]], axis=1)
    declared = "".join(f'<channel name="{name}" type="decimal"/>' for name in channels)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<ink xmlns="{NAMESPACE}">',
        f"  <traceFormat>{declared}</traceFormat>",
    ]
    for kind, value in (("truth", text), ("writer", writer)):
        if value:
            kept = ' xml:space="preserve"' if value != " ".join(value.split()) else ""
            shown = escape(value, {"\r": "&#13;"})
            lines.append(f"  <annotation type={quoteattr(kind)}{kept}>{shown}</annotation>")
    ends = np.flatnonzero(ink[:-1, 2] > 0.5) + 1
    for first, stop in pairwise([0, *ends.tolist(), len(ink)]):
        last = ' continuation="begin"' if ink[stop - 1, 2] <= 0.5 else ""
        written = ", ".join(" ".join(map(_shown, row)) for row in points[first:stop].tolist())
        lines.append(f"  <trace{last}>{written}</trace>")
    return "\n".join([*lines, "</ink>", ""])


def _shown(value: float) -> str:
    """Return the shortest decimal that is read as the same number."""
    return np.format_float_positional(value, trim="-")


def write_inkml(
    path: str | PathLike[str], ink: np.ndarray, text: str = "", *, writer: str = ""
) -> None:
    """Write ink and its transcription as an InkML file; see `to_inkml`."""
    write_text(path, to_inkml(ink, text, writer=writer))
