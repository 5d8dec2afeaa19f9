"""The files of IAM-OnDB, one by one: the XML of a line, and the texts of a form."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

import numpy as np

from data_loader.sources.parsing import Fault, check_points

PERIOD = 0.015
"""Seconds between points: the mean over all steps shorter than 50 ms is 0.01506 (measured)."""
GAP = 2.5
"""Periods after which points count as missing (assumed). Times are given to 10 ms, so that two
periods may be mere rounding: steps of 0.03 s are hardly longer than others, 0.04 s and more are
(measured)."""

FORM = r"[a-z]\d\d-\d{3}[a-z]?"
LINE_FILE = re.compile(rf"({FORM})-(\d+)\.xml")
TEXT_FILE = re.compile(rf"({FORM})\.txt")
_POINTS = re.compile(r"(?:-?\d+ -?\d+ -?\d+(?:\.\d+)? )*", re.ASCII)


def parse_line(
    document: bytes, period: float = PERIOD, max_points: int = 20_000
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ink `(points, 3)` float64 of an XML file, and its missing points.

    Missing points, `(points,)` int64, are counted from gaps in time within strokes of more
    than `GAP` periods.

    Raises:
        Fault: if the file is not complete XML, declares a document type (entities are never
            expanded), has less than two points or more than `max_points`, or a value that is
            not a number.
    """
    values: list[str] = []
    ends: list[int] = []  # points up to the end of each stroke
    depth = 0  # of elements called Stroke around the present place

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        if name == "Point" and depth:
            try:
                values.extend((attributes["x"], attributes["y"], attributes["time"]))
            except KeyError as error:
                line = parser.CurrentLineNumber
                raise Fault("a point without x, y or time", f"line {line}: {error}") from None
        elif name == "Stroke":
            depth += 1

    def end(name: str) -> None:
        nonlocal depth
        if name == "Stroke":
            depth -= 1
            ends.append(len(values) // 3)

    def doctype(*_: object) -> None:
        raise Fault("a document type, which line files do not have")

    if not document.strip():
        raise Fault("an empty file")
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter: unknown encodings
        raise Fault("broken XML", str(error)) from None
    check_points(len(values) // 3, max_points)
    if not _POINTS.fullmatch(" ".join(values) + " "):
        raise _bad_value(values)
    points = np.array(list(map(float, values))).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise Fault("a non-number among the points", "a number with hundreds of digits")

    strokes = np.array(ends, dtype=np.int64)
    last = np.unique(strokes[strokes > 0]) - 1  # strokes without points leave nothing
    ink = np.zeros((len(points), 3))
    ink[1:, :2] = np.diff(points[:, :2], axis=0)
    ink[last, 2] = 1
    periods = np.diff(points[:, 2]) / period
    within = ink[:-1, 2] == 0
    missing = np.zeros(len(points), dtype=np.int64)
    gaps = within & (periods > GAP)
    missing[1:][gaps] = np.clip(np.round(periods[gaps]) - 1, 0, 127)
    return ink, missing


def _bad_value(values: list[str]) -> Fault:
    """Return the fault of values `x, y, time, x, ...` of which one is not a number."""
    for n, value in enumerate(values):
        name, place = ("x", "y", "time")[n % 3], f"of point {n // 3 + 1}"
        if not re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII):
            return Fault("a non-number among the points", f"{name} {place} is {value!r}")
        if n % 3 < 2 and "." in value:
            return Fault("a point off the sensor's grid", f"{name} {place} is {value!r}")
    raise AssertionError("all values are numbers")


def parse_texts(document: bytes) -> list[str]:
    """Return the transcriptions of the lines of a form: what follows `CSR:`, without empty lines.

    Raises:
        Fault: if there is no such part, it is empty, or it holds unprintable characters.
    """
    try:
        content = document.decode("utf-8-sig")
    except UnicodeDecodeError:
        content = document.decode("iso-8859-1")  # what the XML files of the database are in
    parts = re.split(r"^CSR:", content, maxsplit=1, flags=re.MULTILINE)
    if len(parts) < 2:
        raise Fault("a transcription without the part CSR:")
    lines = (line.replace("\t", " ").strip() for line in re.split(r"\r\n|\r|\n", parts[1]))
    texts = [line for line in lines if line]
    if not texts:
        raise Fault("an empty transcription")
    if bad := next((text for text in texts if not text.isprintable()), None):
        raise Fault("unprintable characters in the transcription", repr(bad))
    return texts


def is_text_file(file: Path) -> bool:
    """Return whether a file has the name of a file with the transcriptions of a form."""
    return TEXT_FILE.fullmatch(file.name) is not None


def text_beside(file: Path, read: Callable[[Path], bytes]) -> str:
    """Return the transcription of a line file within the database, otherwise an empty string.

    That of `lineStrokes/a01/a01-000/a01-000u-01.xml` is in `ascii/a01/a01-000/a01-000u.txt`.

    Args:
        file: the line file.
        read: returns the content of a file.

    Raises:
        Fault: if the text file cannot be used, or has no such line.
    """
    match = LINE_FILE.fullmatch(file.name)
    parts = [part.replace("lineStrokes", "ascii") for part in file.resolve().parent.parts]
    texts = Path(*parts, f"{match[1]}.txt") if match else file
    if match is None or parts == [*file.resolve().parent.parts] or not texts.is_file():
        return ""
    found, number = parse_texts(read(texts)), int(match[2])
    if not 1 <= number <= len(found):
        raise Fault("no such line among the transcriptions of the form", f"{len(found)} lines")
    return found[number - 1]
