"""MNIST stroke sequences (E. de Jong): digits as pen movements over an image of 28 x 28 pixels.

A digit has two files. `trainimg-N-inputdata.txt` (or `testimg-...`) has rows `dx dy end_of_stroke
end_of_digit`; the first offset is from the image's upper left corner. `...-targetdata.txt` has 14
columns: ten for the class (a 1 in the digit's column), and the next row of the first file. A row
`0 0 1 x` lifts the pen: the row is dropped, and the previous point ends its stroke. Other files,
such as `trainlabels.txt`, only repeat this content.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from base.data.samples import Samples
from data_loader.invented.embedded import embedded_digits
from data_loader.paths import side_by_side, to_ink, to_path
from data_loader.sources.parsing import (
    MAX_POINTS,
    Fault,
    Parsed,
    check_offsets,
    check_points,
    memory_budget,
)
from data_loader.sources.preparing import make_derived
from data_loader.sources.source import DividedDataset, Splits
from data_loader.sources.splits import hash_fraction
from data_loader.sources.untrusted_files import MEBIBYTE, is_archive, parse_contents, read_file
from ink.sample import Sample
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
    """Return the digits in an archive, or the digit in an `inputdata` file.

    The text is the class in the `targetdata` file beside `path`, or "" if there is no such file.
    """
    with open_file(path) as stream:
        is_packed = is_archive(stream.read(MEBIBYTE))
    if is_packed:
        parsed = parse_digits([path])
        for items in (parsed.samples, parsed.left_out):  # Sort by split, then by number.
            items.sort(key=lambda item: (item.name[:5], len(item.name), item.name))
        return parsed
    target = path.with_name(path.name.replace("inputdata", "targetdata"))
    text = str(_class(read_file(target))) if target != path and target.is_file() else ""
    return Parsed([Sample(_ink(read_file(path)), text)])


def _parse_file(name: str, content: bytes) -> np.ndarray | int:
    return _ink(content) if name.endswith("-inputdata.txt") else _class(content)


def parse_digits(files: Sequence[Path], max_bytes: int | None = None, workers: int = 1) -> Parsed:
    """Return the digits in files, or in an archive; without `targetdata` a digit has no text."""
    parsed = Parsed(budget=memory_budget(files[0], max_bytes))
    arguments = (files, _FILE, "reading digits", parsed.budget, workers)
    read, faults = parse_contents(_parse_file, *arguments)
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
            split = digit.partition("img")[0]
            parsed.samples.append(Sample(read[ink], text, digit, group=split))
    return parsed


def _rows(content: bytes, columns: int) -> np.ndarray:
    """Return the rows of a file, `(rows, columns)` int64."""
    if not content.strip():
        raise Fault("an empty file")
    if (count := content.count(b"\n")) > MAX_POINTS:
        check_points(count)
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
        raise Fault("rows of different classes")
    return int(classes[0].argmax())


@dataclass(kw_only=True, eq=False)
class MNISTStrokesDataset(DividedDataset):
    """Digits as pen movements, single or side by side in lines.

    A sample's text is its digit or digits. Samples called `train...` are for training, samples
    called `test...` for test; the validation split is taken from the training samples.

    The file of a digit must mark the digit's last point as its end. In batches the last point of a
    digit, or of the last digit of a line, is the end of the sequence.

    Args:
        root: the archive `sequences.tar.gz`, or a folder with the archive or with its files (also
            in folders below). If there are an archive and files, the archive is read. None
            generates digits of the same format, written by invented people.
        digit: the only class to use; None uses all.
        digits_per_line: minimum and maximum number of digits side by side in a line, such as
            [1, 6]; None keeps the digits single. The digits of a line are of the same split.
        repeats: number of lines in which each digit occurs.
        gap: minimum and maximum number of pixels between two digits of a line.
        embedded_size: number of training digits to generate if `root` is None; the test split has a
            sixth as many.

    Raises:
        ConfigFault: if a minimum is above its maximum.
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
                raise ConfigFault(key, list(bounds), "the minimum, then the maximum")

    def find(self) -> list[Path]:
        archives = [self._path / name for name in ARCHIVES]
        if archive := next((file for file in archives if file.is_file()), None):
            return [archive]
        try:
            return super().find()
        except DataError as error:
            raise DataError(
                f"{error}: {ARCHIVES[0]}, or files such as trainimg-0-inputdata.txt; "
                '"root": null generates digits'
            ) from None

    def blocks(self, files: list[Path]) -> list[list[Path]]:
        return [files]

    def read(self, files: list[Path], workers: int = 1) -> Iterable[Parsed]:
        parsed = parse_digits(files, self._max_bytes, workers)
        yield parsed.require_text("no class: no target data")

    def make(self) -> tuple[Samples, list[Fault]]:
        if self.root is not None:
            return super().make()
        samples = [
            Sample(ink, str(digit), f"{split}img-{number}", group=split)
            for split, number, digit, ink in embedded_digits(self.embedded_size)
        ]
        return Samples.of(sorted(samples, key=lambda sample: sample.name)), []

    def _headline(self, count: int) -> str:
        if self.root is None:
            return f"Digits written by invented people: {count:,} samples"
        return super()._headline(count)

    def _arrange(self, by_split: Splits) -> tuple[Splits, list[str]]:
        notes = []
        if self.digit is not None:
            digit = str(self.digit)
            for split, digits in by_split.items():

                def places(digits: Samples = digits) -> np.ndarray:
                    return np.flatnonzero([text == digit for text in digits.strings("text")])

                by_split = by_split | {split: digits.chosen(f"digit-{digit}", places)}
            notes.append(f"only the digit {digit}; the others are not used")
        if self.digits_per_line is not None:
            low, high = self.digits_per_line
            count = sum(map(len, by_split.values()))
            notes.append(f"{count:,} digits are combined into lines of {low} to {high} digits")
        read = partial(self._read_lines, by_split)
        made, counts = make_derived(self, [*by_split.values()], [*by_split], read)
        ends = zip(by_split, counts, np.cumsum(counts).tolist(), strict=True)
        return {split: made[stop - count : stop] for split, count, stop in ends}, notes

    def _read_lines(self, by_split: Splits) -> Iterator[Parsed]:
        """Yield the lines of each split, and note their number."""
        for split, digits in by_split.items():
            lines = (line_of([digit], [0], digit.name) for digit in digits)
            lines = [*(lines if self.digits_per_line is None else self._lines(split, digits))]
            yield Parsed(lines, notes=[len(lines)])

    def _lines(self, split: str, digits: Sequence[Sample]) -> Iterator[Sample]:
        """Yield lines in which the digits of a split stand side by side, in a hashed order."""

        def draw(bounds: tuple[int, int], key: str) -> int:
            low, high = bounds
            return low + int((high - low + 1) * hash_fraction(key))

        number = 0
        for turn in range(self.repeats):
            queue = sorted(digits, key=lambda digit: hash_fraction(f"{split}:{turn}:{digit.name}"))
            while len(queue) >= self.digits_per_line[0]:
                key = f"{split}:{turn}:{number}"
                count = draw(self.digits_per_line, f"count:{key}")
                line, queue = queue[:count], queue[count:]
                gaps = [draw(self.gap, f"gap:{key}:{n}") for n in range(len(line))]
                yield line_of(line, gaps, f"{split}-line-{number:06}")
                number += 1


def line_of(digits: list[Sample], gaps: list[int], name: str) -> Sample:
    """Return digits as a line; `gaps[n]` is the space left of digit n (`gaps[0]` is not used).

    The line has no writer and no group, since its digits are by several hands.
    """
    ink = to_ink(side_by_side([to_path(digit.ink) for digit in digits], [*gaps[1:], 0]))
    return Sample(ink, "".join(digit.text for digit in digits), name)
