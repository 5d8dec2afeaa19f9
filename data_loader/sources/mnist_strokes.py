"""MNIST stroke sequences (E. de Jong): digits as pen movements over an image of 28 x 28 pixels.

A digit has two files. `trainimg-N-inputdata.txt` (or `testimg-...`) has rows `dx dy end_of_stroke
end_of_digit`, the first row from the image's upper left corner. `...-targetdata.txt` has 14
columns: ten for the class, of which a single column is 1, and the next row. A row `0 0 1 x` lifts
the pen: the row is dropped, and the previous point ends its stroke. `trainlabels.txt`,
`testlabels.txt` and the `-points.txt` files repeat the content of these files, and are not read.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from base.base_dataset import changed
from data_loader.sources.parsing import (
    MAX_POINTS,
    Fault,
    Parsed,
    Sample,
    check_offsets,
    check_points,
    memory,
)
from data_loader.sources.source import DividedDataset, Splits
from data_loader.sources.splits import draw
from data_loader.sources.untrusted_files import MEBIBYTE, is_archive, parse_contents, read_file
from data_loader.synthetic.embedded import embedded_digits
from data_loader.synthetic.paths import side_by_side, to_ink, to_path
from utils.checks import ConfigFault, DataError, Range, first_line
from utils.files import open_file
from utils.licences import OPEN

ARCHIVES = ("sequences.tar.gz", "sequences.tgz", "sequences.tar")
_FILE = re.compile(r"(train|test)img-(\d{1,8})-(inputdata|targetdata)\.txt")
_DIGIT_ROW = re.compile(rb"\s*(?:[-+]?\d{1,6}[ \t]+){3}[-+]?\d{1,6}[ \t]*\r?(?:\n|$)")

_Count = Annotated[int, Range(1, 100)]
_Pixels = Annotated[int, Range(0, 100)]


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a digit, or a tar archive."""
    return is_archive(head) or _DIGIT_ROW.match(head) is not None


def parse(path: Path) -> Parsed:
    """Return the digits in an archive, or the digit in a file with the class in its target data."""
    with open_file(path) as stream:
        packed = is_archive(stream.read(MEBIBYTE))
    if packed:
        parsed = parse_digits([path])
        for part in (parsed.samples, parsed.left_out):  # by split, then by number
            part.sort(key=lambda digit: (digit.name[:5], len(digit.name), digit.name))
        return parsed
    target = path.with_name(path.name.replace("inputdata", "targetdata"))
    text = str(_class(read_file(target))) if target != path and target.is_file() else ""
    return Parsed([Sample(_ink(read_file(path)), text)])


def parse_digits(files: Sequence[Path]) -> Parsed:
    """Return the digits in files or in an archive; a digit without a class has an empty text."""
    parsed = Parsed(budget=memory(files[0]))

    def parse_file(name: str, content: bytes) -> np.ndarray | int:
        return _ink(content) if name.endswith("-inputdata.txt") else _class(content)

    read, faults = parse_contents(parse_file, files, _FILE, "reading digits", parsed.budget)
    names = [name for name in (*read, *faults) if name.endswith("-inputdata.txt")]
    digits = [name.removesuffix("-inputdata.txt") for name in names]
    if not digits:
        raise DataError(f"{files[0]}: no files such as trainimg-0-inputdata.txt in it")
    for digit in digits:
        ink, target = f"{digit}-inputdata.txt", f"{digit}-targetdata.txt"
        with parsed.attempt(digit):
            if ink in faults:
                raise faults[ink]
            if fault := faults.get(target):
                raise Fault(f"target data: {fault.reason}", fault.detail)
            text = str(read.get(target, ""))
            part = digit.partition("img")[0]
            parsed.samples.append(Sample(read[ink], text, digit, group=part))
    return parsed


def _rows(content: bytes, columns: int) -> np.ndarray:
    """Return the rows of a file of whole numbers, `(rows, columns)` int64."""
    if not content.strip():
        raise Fault("an empty file")
    if (count := content.count(b"\n")) > MAX_POINTS:
        check_points(count)
    try:
        table = np.loadtxt(io.BytesIO(content), dtype=np.int64, comments=None, ndmin=2)
    except ValueError as error:
        raise Fault("rows that are not as many whole numbers", first_line(error)) from None
    if table.shape[1] != columns:
        raise Fault(f"rows without {columns} columns", f"{table.shape[1]} columns")
    if not np.isin(table[:, -2:], (0, 1)).all():
        raise Fault("an end that is neither 0 nor 1")
    return table


def _ink(content: bytes) -> np.ndarray:
    """Return the ink of an `inputdata` file, `(points, 3)` float32, from the image's corner."""
    rows = _rows(content, 4)
    ends = np.flatnonzero(rows[:, 3]).tolist()
    if not ends:
        raise Fault("a digit cut short: no row ends it")
    if ends[0] < len(rows) - 1:
        raise Fault("rows after the end of the digit", f"it ends in row {ends[0] + 1}")
    ink = rows[:, :3].astype(np.float32)
    ink[-1, 2] = 1  # the end of the digit ends its last stroke
    lifts = np.flatnonzero((ink[:, :2] == 0).all(axis=1) & (ink[:, 2] == 1))
    lifts = lifts[lifts > 0]
    ink[lifts - 1, 2] = 1
    ink = np.delete(ink, lifts, axis=0)
    check_points(len(ink))
    check_offsets(ink[:, :2])
    return ink


def _class(content: bytes) -> int:
    """Return the class in a `targetdata` file."""
    classes = _rows(content, 14)[:, :10]
    if sorted(classes[0]) != [0] * 9 + [1]:
        raise Fault("a class that is not one of ten")
    if (classes != classes[0]).any():
        raise Fault("rows that do not agree on the class")
    return int(classes[0].argmax())


@dataclass(kw_only=True, eq=False)
class MNISTStrokesDataset(DividedDataset):
    """Digits as pen movements, single or side by side in lines.

    The texts are the digits. Samples called `train...` are for training, samples called `test...`
    for test; the validation split is taken from the training samples.

    The file of a digit must mark the digit's last point as its end. In batches the last point of a
    digit, or of the last digit of a line, is the end of the sequence.

    Args:
        root: the archive `sequences.tar.gz`, or a folder with the archive or with its files (also
            in folders below). If there are an archive and files, the archive is read. None
            generates digits of the same form, by invented writers.
        digit: the only class to use; None uses all.
        digits_per_line: fewest and most digits side by side in a line, such as [1, 6]; None keeps
            the digits single. Each line takes digits of its own split, and every digit occurs in
            `repeats` lines.
        repeats: the number of lines, in its split, in which each digit occurs.
        gap: fewest and most pixels between two digits of a line.
        embedded_size: training digits to generate if `root` is None; a sixth as many are for test.

    Raises:
        ConfigFault: if a range ends before it begins.
    """

    title = "MNIST stroke sequences"
    licence = OPEN
    file_names = _FILE
    quantisation_step = 1.0

    root: str | None = "data/mnist_strokes"
    digit: Annotated[int, Range(0, 9)] | None = None
    digits_per_line: tuple[_Count, _Count] | None = None
    repeats: Annotated[int, Range(1, 1000)] = 1
    gap: tuple[_Pixels, _Pixels] = (4, 8)
    embedded_size: Annotated[int, Range(10, 1_000_000)] = 6000

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("digits_per_line", "gap"):
            bounds = getattr(self, key)
            if bounds is not None and bounds[0] > bounds[1]:
                raise ConfigFault(key, list(bounds), "the fewest first, then the most")

    def find(self) -> list[Path]:
        archives = [self.path / name for name in ARCHIVES]
        if archive := next((file for file in archives if file.is_file()), None):
            return [archive]
        try:
            return super().find()
        except DataError as error:
            raise DataError(
                f"{error}: {ARCHIVES[0]}, or files such as trainimg-0-inputdata.txt; "
                '"root": null generates digits of that form'
            ) from None

    def read(self, files: list[Path]) -> Parsed:
        parsed = parse_digits(files)
        return parsed.require_text("no class: no target data")

    def make(self) -> tuple[Parsed, Path | None]:
        if self.root is not None:
            return super().make()
        samples = [
            Sample(ink, str(digit), f"{part}img-{number}", group=part)
            for part, number, digit, ink in embedded_digits(self.embedded_size)
        ]
        return Parsed(sorted(samples, key=lambda sample: sample.name)), None

    def _headline(self, count: int) -> str:
        if self.root is None:
            return f"Digits written by invented people: {count:,} samples"
        return super()._headline(count)

    def _arranged(self, parts: Splits) -> tuple[Splits, list[str]]:
        notes = []
        if self.digit is not None:
            chosen = str(self.digit)
            parts = changed(parts, lambda digit: [digit] if digit.text == chosen else [])
            notes.append(f"only the digit {self.digit}; the others are not used")
        if self.digits_per_line is None:
            return changed(parts, lambda digit: [line_of([digit], [0], digit.name)]), notes
        low, high = self.digits_per_line
        count = sum(map(len, parts.values()))
        notes.append(f"lines of {low} to {high} are set from {count:,} digits")
        return {split: list(self._lines_of(split, part)) for split, part in parts.items()}, notes

    def _lines_of(self, split: str, digits: list[Sample]) -> Iterator[Sample]:
        """Yield lines of the digits of a split, side by side."""
        low, high = self.digits_per_line
        number = 0
        min_gap, num_gaps = self.gap[0], self.gap[1] - self.gap[0] + 1
        for turn in range(self.repeats):
            order = sorted(digits, key=lambda digit: draw(f"{split}:{turn}:{digit.name}"))
            while len(order) >= low:
                key = f"{split}:{turn}:{number}"
                count = low + int((high - low + 1) * draw(f"count:{key}"))
                line, order = order[:count], order[count:]
                gaps = [min_gap + int(num_gaps * draw(f"gap:{key}:{n}")) for n in range(len(line))]
                yield line_of(line, gaps, f"{split}-line-{number:06}")
                number += 1


def line_of(digits: list[Sample], gaps: list[int], name: str) -> Sample:
    """Return digits as a line; `gaps[n]` is the space left of the ink of digit n, unused for n = 0.

    The line has no writer and no group, since its digits are by several hands.
    """
    ink = to_ink(side_by_side([to_path(digit.ink) for digit in digits], [*gaps[1:], 0]))
    return Sample(ink, "".join(digit.text for digit in digits), name)
