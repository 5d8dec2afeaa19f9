"""Reads MNIST stroke sequences (E. de Jong), pen movements over images of 28 x 28 pixels.

A digit has two files. `trainimg-N-inputdata.txt` (or `testimg-...`) has rows `dx dy end_of_stroke
end_of_digit`; the first offset is from the image's upper left corner. `...-targetdata.txt` has 14
columns: ten for the class (a 1 in the digit's column), and the next row of the first file. A row
`0 0 1 x` lifts the pen: the row is dropped, and the previous point ends its stroke. Other files,
such as `trainlabels.txt`, only repeat this content.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ink.formats.archives import NoBar, Values, is_archive, parse_contents
from ink.formats.checks import check_offsets, check_points
from ink.formats.files import read_file, read_head
from ink.sample import Fault, Parsed, Sample
from utils.checks import DataError, first_line

READING = "reading digits"  # text of the progress bar
MNIST_FILE = re.compile(r"(train|test)img-(\d{1,8})-(inputdata|targetdata)\.txt")
_DIGIT_ROW = re.compile(rb"\s*(?:[-+]?\d{1,6}[ \t]+){3}[-+]?\d{1,6}[ \t]*\r?(?:\n|$)")


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a digit, or a tar archive."""
    return is_archive(head) or _DIGIT_ROW.match(head) is not None


def parse(path: Path, bar: Callable[..., Any] = NoBar) -> Parsed:
    """Return the digits in an archive, or the digit in an `inputdata` file.

    The text is the class in the `targetdata` file next to `path`, or "" if there is no such file.
    """
    if is_archive(read_head(path)):
        files = parse_contents(parse_file, [path], MNIST_FILE, READING, bar=bar)
        parsed = digits_of(path, files)
        # By split, whose names begin with "train" or "testi", then by number: longer is larger.
        for items in (parsed.samples, parsed.left_out):
            items.sort(key=lambda item: (item.name[:5], len(item.name), item.name))
        return parsed
    target = path.with_name(path.name.replace("inputdata", "targetdata"))
    text = str(_class(read_file(target))) if target != path and target.is_file() else ""
    return Parsed([Sample(_ink(read_file(path)), text)])


def parse_file(name: str, content: bytes) -> np.ndarray | int:
    """Return the ink of an `inputdata` file, or the class of a `targetdata` file."""
    return _ink(content) if name.endswith("-inputdata.txt") else _class(content)


def digits_of(source: Path, files: Values[np.ndarray | int]) -> Parsed:
    """Return the digits of files; without `targetdata` a digit has no text.

    Args:
        source: the archive or the folder of the files, for a message.
        files: the values and faults of the files, by `parse_file`.

    Raises:
        DataError: if there are no digits.
    """
    parsed = Parsed()
    read, faults = files
    names = [name for name in (*read, *faults) if name.endswith("-inputdata.txt")]
    digits = [name.removesuffix("-inputdata.txt") for name in names]
    if not digits:
        raise DataError(f"{source}: no files such as trainimg-0-inputdata.txt in it")
    for digit in digits:
        ink = f"{digit}-inputdata.txt"
        target = f"{digit}-targetdata.txt"
        with parsed.attempt(digit):
            if ink in faults:
                raise faults[ink]
            if fault := faults.get(target):
                raise Fault(f"target data: {fault.reason}", fault.detail)
            text = str(read.get(target, ""))
            split = digit.partition("img")[0]
            parsed.samples.append(Sample(read[ink], text, digit, group=split))
    return parsed


def _rows(content: bytes, columns: int) -> np.ndarray:
    """Return the rows of a file, `(rows, columns)` int64."""
    if not content.strip():
        raise Fault("an empty file")
    try:
        table = np.loadtxt(io.BytesIO(content), dtype=np.int64, comments=None, ndmin=2)
    except ValueError as error:
        raise Fault("rows that are not equally many whole numbers", first_line(error)) from None
    if table.shape[1] != columns:
        raise Fault(f"rows without {columns} columns", f"{table.shape[1]} columns")
    if not np.isin(table[:, -2:], (0, 1)).all():
        raise Fault("an end that is neither 0 nor 1")
    return table


def _ink(content: bytes) -> np.ndarray:
    """Return the ink of an `inputdata` file, `(points, 3)` float32."""
    rows = _rows(content, 4)
    ends = np.flatnonzero(rows[:, 3]).tolist()
    if not ends:
        raise Fault("a digit cut short: no row ends it")
    if ends[0] < len(rows) - 1:
        raise Fault("rows after the end of the digit", f"it ends in row {ends[0] + 1}")
    ink = rows[:, :3].astype(np.float32)
    ink[-1, 2] = 1  # The end of the digit is also the end of its last stroke.
    lifts = np.flatnonzero((ink[:, :2] == 0).all(axis=1) & (ink[:, 2] == 1))
    lifts = lifts[lifts > 0]  # before the first point there is no stroke
    ink[lifts - 1, 2] = 1
    ink = np.delete(ink, lifts, axis=0)
    check_points(len(ink))
    check_offsets(ink[:, :2])
    return ink


def _class(content: bytes) -> int:
    """Return the class in a `targetdata` file."""
    classes = _rows(content, 14)[:, :10]  # a 1 in the class's column
    if sorted(classes[0]) != [0] * 9 + [1]:
        raise Fault("a class that is not one of ten")
    if (classes != classes[0]).any():
        raise Fault("rows of different classes")
    return int(classes[0].argmax())
