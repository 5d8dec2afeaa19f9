"""Shared by the parsers of all formats: faults, text, points and their limits."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from data_loader.sources.cache import FARTHEST, Rejected
from utils.alphabet import nfc
from utils.ink import from_strokes

MAX_DETAIL = 200
"""Characters of a fault's detail (assumed)."""


class Fault(Exception):
    """Why a sample or a file cannot be used: a reason that reports count by, and a detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        if len(detail) > MAX_DETAIL:  # It may quote the file.
            detail = f"{detail[: MAX_DETAIL - 3]}..."
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def of(self, name: str) -> Rejected:
        """Return it as the fault of the sample or file called `name`."""
        return Rejected(name, self.reason, self.detail)


def clean_text(text: str) -> str:
    """Return a transcription on one line in NFC, without spaces around it.

    Raises:
        Fault: if it contains control characters.
    """
    text = nfc(" ".join(text.split()))
    if bad := next((c for c in text if unicodedata.category(c) in ("Cc", "Cs")), None):
        raise Fault("control characters in the transcription", repr(bad))
    return text


def decode(content: bytes, encoding: str = "utf-8") -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        Fault: if it is empty, or not in that encoding, naming the line.
    """
    if not content.strip():
        raise Fault("an empty file")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise Fault(f"not {encoding.upper()} text", f"byte 0x{byte:02x} in line {line}") from None


def check_points(count: int, most: int) -> None:
    """Raise a Fault if a sample has more than `most` points, or fewer than two."""
    if count > most:
        raise Fault(f"more than {most:,} points (the limit max_points)", f"{count:,}")
    if count < 2:
        raise Fault("a single point" if count else "no points")


def check_offsets(offsets: np.ndarray) -> None:
    """Raise a Fault if an offset is longer than any ink's."""
    if len(offsets) and not (largest := float(np.abs(offsets).max())) <= FARTHEST:
        raise Fault(f"an offset longer than {FARTHEST:.6g}", f"{largest:.6g}")


def join_strokes(strokes: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Return the ink `(points, 3)` float32 of strokes given by finite positions `(n, 2)`.

    Raises:
        Fault: if there are fewer than two points or more than `most`, or they lie too far apart.
    """
    check_points(sum(map(len, strokes)), most)
    with np.errstate(over="ignore"):
        check_offsets(np.diff(np.concatenate([np.reshape(s, (-1, 2)) for s in strokes]), axis=0))
    return from_strokes(strokes)
