"""Reads lines of the IAM On-Line Handwriting Database (IAM-OnDB), single or from its archives.

A line is an XML file such as `lineStrokes/a01/a01-000/a01-000u-01.xml`. The texts of a form are in
`ascii/a01/a01-000/a01-000u.txt` after `CSR:`; the n-th text belongs to the file `-0n.xml`.
"""

import re
from collections import defaultdict
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from ink.formats.archives import Values
from ink.formats.checks import check_points, count_missing, join_strokes
from ink.formats.files import read_file
from ink.formats.xml import root_tag, xml_tree
from ink.sample import Fault, Parsed, Sample
from utils.checks import DataError

IAM_PERIOD = 0.015
"""Seconds between points (measured: steps shorter than 50 ms have a mean of 0.01506)."""
_ROOT = "WhiteboardCaptureSession"
FORM = r"[a-z]\d\d-\d{3}[a-z]?"
LINE_FILE = re.compile(rf"({FORM})-(\d+)\.xml")
TEXT_FILE = re.compile(rf"({FORM})\.txt")
_POINT = r"-?\d+ -?\d+ -?\d+(?:\.\d+)?"


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a line of the database."""
    return root_tag(head) == _ROOT


def parse(path: Path) -> Parsed:
    """Return the line in an XML file, with its text if the file lies within the database.

    The text of `lineStrokes/a01/a01-000/a01-000u-01.xml` is in `ascii/a01/a01-000/a01-000u.txt`.
    """
    line = parse_line("", read_file(path))
    text = ""
    match = LINE_FILE.fullmatch(path.name)
    folder = path.resolve().parent
    if match and "lineStrokes" in str(folder):
        parts = [part.replace("lineStrokes", "ascii") for part in folder.parts]
        file = Path(*parts, f"{match[1]}.txt")
        if file.is_file():
            texts = parse_texts("", read_file(file))
            number = int(match[2])
            if not 1 <= number <= len(texts):
                raise Fault("no such line in the form's transcriptions", f"{len(texts)} lines")
            text = texts[number - 1]
    return Parsed([replace(line, text=text)])


def with_texts(
    source: Path, parsed_lines: Values[Sample], parsed_texts: Values[list[str]]
) -> Parsed:
    """Return the lines of the database with their texts.

    Args:
        source: the archive or the folder of the lines, for a message.
        parsed_lines: the values and faults of the files of lines, by `parse_line`.
        parsed_texts: those of the files of texts, by `parse_texts`.

    Raises:
        DataError: if there are no lines.
    """
    parsed = Parsed()
    lines, line_faults = parsed_lines
    texts_by_file, text_faults = parsed_texts
    if not lines and not line_faults:
        raise DataError(f"{source}: no line files such as a01-000u-01.xml in it")
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for name in (*lines, *line_faults):
        form, _, number = name.removesuffix(".xml").rpartition("-")
        numbers[form].append(int(number))

    for name, line in lines.items():
        form, _, number = name.removesuffix(".xml").rpartition("-")
        file = f"{form}.txt"
        line_numbers = sorted(numbers[form])
        with parsed.attempt(Path(name).stem):
            if file not in texts_by_file:
                raise text_faults.get(file, Fault("no transcription of the form"))
            texts = texts_by_file[file]
            if line_numbers != [*range(1, len(texts) + 1)]:
                detail = f"{len(texts)} for the files {', '.join(map(str, line_numbers))}"
                raise Fault("a form whose transcriptions do not match its line files", detail)
            text = texts[int(number) - 1]
            parsed.samples.append(replace(line, text=text, name=Path(name).stem, group=form))
    parsed.left_out.extend(fault.within(Path(name).stem) for name, fault in line_faults.items())
    return parsed


def parse_line(_: str, document: bytes) -> Sample:
    """Return the line in an XML document; its text is in another file."""
    root = xml_tree(document, _ROOT)
    strokes = [stroke.findall("Point") for stroke in root.iter("Stroke")]
    points = [
        f"{point.get('x', '')} {point.get('y', '')} {point.get('time', '')}"
        for point in chain.from_iterable(strokes)
    ]
    check_points(len(points))
    text = " ".join([*points, ""])  # with a blank behind each point
    if not re.fullmatch(f"(?:{_POINT} )*", text, re.ASCII):  # one match takes less time than many
        matches = [re.fullmatch(_POINT, point, re.ASCII) for point in points]
        index = matches.index(None)
        detail = f"point {index + 1} has {points[index]!r}"
        raise Fault("a point without x and y as whole numbers and a time", detail)
    table = np.array(text.split(), dtype=np.float64).reshape(-1, 3)
    stops = np.cumsum([len(stroke) for stroke in strokes])[:-1]
    ink = join_strokes(np.split(table[:, :2], stops))
    if not np.isfinite(table).all():
        raise Fault("a non-number among the points", "a number with hundreds of digits")
    return Sample(ink, missing=count_missing(table[:, 2], ink[:, 2], IAM_PERIOD))


def parse_texts(_: str, document: bytes) -> list[str]:
    """Return the transcriptions of a form's lines; they follow `CSR:` in the document."""
    try:
        content = document.decode("utf-8-sig")
    except UnicodeDecodeError:
        content = document.decode("iso-8859-1")  # the encoding of the database's XML files
    parts = re.split(r"^CSR:", content, maxsplit=1, flags=re.MULTILINE)
    if len(parts) < 2:
        raise Fault("a transcription without the part CSR:")
    lines = (line.replace("\t", " ").strip() for line in re.split(r"\r\n|\r|\n", parts[1]))
    texts = [line for line in lines if line]
    if not texts:
        raise Fault("an empty transcription")
    for text in texts:
        if not text.isprintable():
            raise Fault("unprintable characters in the transcription", repr(text))
    return texts
