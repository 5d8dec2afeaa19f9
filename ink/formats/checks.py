"""Checks and cleans the texts and the points of samples."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from ink.alphabet import nfc
from ink.geometry import from_strokes
from ink.sample import Fault

MAX_JUMP = 1e9  # of a point from the previous point (assumed: float32 has no fractions above)
MAX_SAMPLE_POINTS = 20_000  # of a sample (assumed)
MAX_CHARACTERS = 20_000  # of a text (assumed)
MAX_PERIODS = 2.5
"""Maximum time, in periods, between two points with no missing point between them (assumed).
IAM-OnDB has a period of 0.015 s, but times rounded to 0.01 s. So 0.03 s may be a single period: in
space, steps of 0.03 s are hardly longer than other steps, steps of 0.04 s are (measured)."""


def clean_text(text: str) -> str:
    """Return a transcription on one line in NFC, without spaces around it; see `check_text`."""
    check_text(text)
    return nfc(" ".join(text.split()))


def check_text(text: str) -> None:
    """Raise a Fault if a transcription has control characters, other than blanks and line breaks,
    or more than `MAX_CHARACTERS`."""
    if len(text) > MAX_CHARACTERS:
        raise Fault(f"a transcription of more than {MAX_CHARACTERS:,} characters", f"{len(text):,}")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and not character.isspace():
            raise Fault("control characters in the transcription", repr(character))


def decode(content: bytes, encoding: str = "utf-8") -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        Fault: if the file is empty, or not in `encoding`.
    """
    if not content.strip():
        raise Fault("an empty file")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise Fault(f"not {encoding.upper()} text", f"byte 0x{byte:02x} in line {line}") from None


def check_points(count: int) -> None:
    """Raise a Fault if a sample has more than `MAX_SAMPLE_POINTS` points, or fewer than two."""
    if count > MAX_SAMPLE_POINTS:
        raise Fault(f"more than {MAX_SAMPLE_POINTS:,} points", f"{count:,}")
    if count < 2:
        raise Fault("a single point" if count else "no points")


def check_offsets(offsets: np.ndarray) -> None:
    """Raise a Fault if an offset is longer than `MAX_JUMP`."""
    largest = float(np.abs(offsets).max())
    if not largest <= MAX_JUMP:
        raise Fault(f"an offset longer than {MAX_JUMP:.6g}", f"{largest:.6g}")


def join_strokes(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ink `(points, 3)` float32 of strokes, each the positions `(n, 2)` of the pen.

    Raises:
        Fault: if there are fewer than two points or more than `MAX_SAMPLE_POINTS`, if an offset is
            longer than `MAX_JUMP`, or if a point is not finite.
    """
    check_points(sum(map(len, strokes)))
    points = np.concatenate([np.reshape(stroke, (-1, 2)) for stroke in strokes])
    if not np.isfinite(points).all():
        raise Fault("a non-number among the points")
    with np.errstate(over="ignore"):
        check_offsets(np.diff(points, axis=0))
    return from_strokes(strokes)


def count_missing(times: np.ndarray, ends: np.ndarray, period: float) -> np.ndarray:
    """Return how many points are missing before each point, `(points,)` uint8, at most 127.

    Args:
        times: the time of each point, `(points,)`.
        ends: whether each point is the last of its stroke, `(points,)`.
        period: usual time between neighbouring points.
    """
    with np.errstate(over="ignore"):  # An infinite time is cut to 128 periods.
        periods = np.clip(np.diff(times) / period, 0, 128)
    is_lift = ends[:-1] > 0  # between strokes no point is missing
    periods[is_lift | (periods <= MAX_PERIODS)] = 1
    return np.concatenate([[0], np.round(periods) - 1]).astype(np.uint8)
