"""MNIST stroke sequences (E. de Jong): digits as pen movements over an image of 28 x 28 pixels.

Of each digit there is `trainimg-N-inputdata.txt` (or `testimg-...`) with rows `dx dy end_of_stroke
end_of_digit`, the first one from the image's upper left corner, and `...-targetdata.txt` with 14
columns: the class as ten of which one is 1, then the next row. A row `0 0 1 x` lifts the pen where
it is: here it makes the point before it the last of its stroke. `trainlabels.txt` and
`testlabels.txt` have the classes once more, a line each in order, and serve where target files are
not there. The `-points.txt` files contain nothing further and are not read.
"""

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from data_loader.sources.files import MEBIBYTE, parse_all, read_file
from data_loader.sources.parsing import MAX_POINTS, Fault, Sample, check_offsets, check_points
from data_loader.sources.source import DividedDataset
from data_loader.sources.splits import draw
from data_loader.synthetic.digits import embedded_digits
from utils.checks import ConfigFault, DataError, Range, first_line
from utils.files import open_file

ARCHIVES = ("sequences.tar.gz", "sequences.tgz", "sequences.tar")
SUFFIXES = ("-inputdata.txt", ".gz", ".tgz", ".tar")
_FILE = re.compile(r"(train|test)(?:img-(\d{1,8})-(inputdata|targetdata)|labels)\.txt")
_DIGIT_ROW = re.compile(rb"\s*(?:[-+]?\d{1,6}[ \t]+){3}[-+]?\d{1,6}[ \t]*\r?(?:\n|$)")


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a digit, or a tar archive."""
    return _is_archive(head) or _DIGIT_ROW.match(head) is not None


def _is_archive(head: bytes) -> bool:
    with suppress(zlib.error):
        head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, 512)
    return head[257:262] == b"ustar"


def parse(path: Path) -> Iterator[Sample | Fault]:
    """Yield the digits in an archive, or the one of a file, its class from the files beside it."""
    with open_file(path) as stream:
        packed = _is_archive(stream.read(MEBIBYTE)) or path.name.endswith(SUFFIXES[1:])
    match = _FILE.fullmatch(path.name)
    if not (packed or match):
        yield Sample(parse_digit(read_file(path, MEBIBYTE), MAX_POINTS)[0], "")
    elif packed:
        found = [*digits([path], MEBIBYTE, MAX_POINTS)]
        yield from sorted(found, key=lambda one: (one.name[:5], len(one.name), one.name))
    else:
        target = path.with_name(path.name.replace("inputdata", "targetdata"))
        files = [path, target] if target.is_file() and target != path else [path]
        yield from (one.of("") for one in digits(files, MEBIBYTE, MAX_POINTS))


def digits(files: list[Path], max_bytes: int, max_points: int) -> Iterator[Sample | Fault]:
    """Yield the digits in files or in an archive, those without a class too, with an empty text.

    Raises:
        DataError: if there are none, or as `parse_all`.
    """

    def parse_one(match: re.Match[str], content: bytes) -> Any:
        if match[3] == "inputdata":
            return parse_digit(content, max_points)
        return parse_class(content) if match[3] else parse_labels(content)

    values, faults = parse_all(files, _FILE, parse_one, max_bytes, "reading digits")
    yield from faults
    inputs = [match for match in map(_FILE.fullmatch, values) if match[3] == "inputdata"]
    if not inputs:
        raise DataError(f"{files[0]}: no files such as trainimg-0-inputdata.txt in it")
    listed = {}
    for part in ("train", "test"):
        found = values.get(f"{part}labels.txt", [])
        numbers = [int(match[2]) for match in inputs if match[1] == part]
        if isinstance(found, Fault):
            raise DataError(f"{files[0].parent}: {found.of(f'{part}labels.txt')}")
        if found and not len(found) == len(numbers) == max(numbers, default=-1) + 1:
            raise DataError(
                f"{files[0].parent}: {part}labels.txt has {len(found):,} labels for "
                f"{len(numbers):,} digits; there must be one a line, for digits numbered from 0"
            )
        listed |= {(part, number): digit for number, digit in enumerate(found)}
    for match in inputs:
        name, digit = f"{match[1]}img-{match[2]}", values[match[0]]
        target = values.get(f"{name}-targetdata.txt", (None, None))
        if isinstance(digit, Fault):
            yield digit.of(name)
        elif isinstance(target, Fault):
            yield Fault(f"target data: {target.reason}", target.detail, name)
        elif target[1] not in (None, digit[1]):
            detail = f"{target[1]} rows for {digit[1]}"
            yield Fault("target data of another length", detail, name)
        elif len(classes := {target[0], listed.get((match[1], int(match[2])))} - {None}) == 2:
            detail = f"{target[0]} in target data, another one in the label file"
            yield Fault("two classes", detail, name)
        else:
            yield Sample(digit[0], "".join(map(str, classes)), name, group=match[1])


def parse_rows(content: bytes, columns: int) -> np.ndarray:
    """Return the rows of a file of whole numbers, `(rows, columns)` int64.

    Raises:
        Fault: if it is empty, or a row is something else.
    """
    if not content.strip():
        raise Fault("an empty file")
    try:
        table = np.loadtxt(io.BytesIO(content), dtype=np.int64, comments=None, ndmin=2)
    except ValueError as error:
        raise Fault("rows that are not as many whole numbers", first_line(error)) from None
    if table.shape[1] != columns:
        raise Fault(f"rows without {columns} columns", f"{table.shape[1]} columns")
    if ((table[:, -2:] | 1) != 1).any():
        raise Fault("an end that is neither 0 nor 1")
    return table


def parse_digit(content: bytes, most: int) -> tuple[np.ndarray, int]:
    """Return the ink of an `inputdata` file, and how many rows that has.

    The ink is `(points, 3)` float32, its first row from the corner of the image.

    Raises:
        Fault: if it is not such a file, or does not end where the digit does.
    """
    rows = parse_rows(content, 4)
    ends = np.flatnonzero(rows[:, 3]).tolist()
    if not ends:
        raise Fault("a digit cut short: no row ends it")
    if ends[0] < len(rows) - 1:
        raise Fault("rows after the end of the digit", f"it ends in row {ends[0] + 1}")
    ink = rows[:, :3].astype(np.float32)
    ink[-1, 2] = 1  # with the digit its last stroke ends
    lifts = np.flatnonzero((ink[:, :2] == 0).all(axis=1) & (ink[:, 2] == 1))
    lifts = lifts[lifts > 0]
    ink[lifts - 1, 2] = 1
    ink = np.delete(ink, lifts, axis=0)
    check_points(len(ink), most)
    check_offsets(ink[:, :2])
    return ink, len(rows)


def parse_class(content: bytes) -> tuple[int, int]:
    """Return the class in a `targetdata` file, and how many rows it has.

    Raises:
        Fault: if it is not such a file, or its rows do not agree on one class.
    """
    classes = parse_rows(content, 14)[:, :10]
    if sorted(classes[0]) != [0] * 9 + [1]:
        raise Fault("a class that is not one of ten")
    if (classes != classes[0]).any():
        raise Fault("rows that do not agree on the class")
    return int(classes[0].argmax()), len(classes)


def parse_labels(content: bytes) -> list[int]:
    """Return the classes in a label file.

    Raises:
        Fault: if a line is something else than a digit.
    """
    lines = content.strip().splitlines()
    for place, line in enumerate(lines, 1):
        if not re.fullmatch(rb"\s*[0-9]\s*", line):
            raise Fault("a label that is not a digit from 0 to 9", f"line {place}")
    return [int(line) for line in lines]


class MNISTStrokesDataset(DividedDataset):
    """Digits as pen movements, single or side by side in lines.

    The texts are the digits. Training samples are those called `train...`, test samples those
    called `test...`; the validation split is taken from the training samples.

    A digit ends with its last point, which its file must mark as its end: batches have it as the
    end of the sequence, for a line that of its last digit.

    Args:
        root: the archive `sequences.tar.gz`, or a folder with it, or with the files in it (also
            in folders below). If there are an archive and files, the archive is read. None
            generates digits of the same form, by invented writers.
        digit: the only class to use; None uses all.
        digits_per_line: fewest and most digits side by side in a line, such as [1, 6]; None keeps
            the digits single. Each line takes digits of its own split, chosen by `lines_seed`, and
            every digit occurs in `repeats` lines.
        repeats: how many lines of its split each digit occurs in.
        lines_seed: of the choice of digits for lines.
        gap: fewest and most pixels between two digits of a line.
        embedded_size: digits to generate if `root` is None; a sixth as many more are for test.
        embedded_seed: seed of these.
        max_bytes: see `DividedDataset`, as for the arguments not listed here.

    Raises:
        ConfigFault: if a range ends before it begins.
    """

    kind = "mnist_strokes"
    title = "MNIST stroke sequences"
    quantisation_step = 1.0

    def __init__(
        self,
        *,
        root: str | None = "data/mnist_strokes",
        digit: Annotated[int, Range(0, 9)] | None = None,
        digits_per_line: tuple[Annotated[int, Range(1, 100)], Annotated[int, Range(1, 100)]]
        | None = None,
        repeats: Annotated[int, Range(1, 1000)] = 1,
        lines_seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
        gap: tuple[Annotated[int, Range(0, 100)], Annotated[int, Range(0, 100)]] = (4, 8),
        embedded_size: Annotated[int, Range(10, 1_000_000)] = 6000,
        embedded_seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
        max_bytes: Annotated[int, Range(1, 1 << 40)] = MEBIBYTE,
        **options: Any,
    ) -> None:
        super().__init__(root=root or "", max_bytes=max_bytes, **options)
        for key, bounds in (("digits_per_line", digits_per_line), ("gap", gap)):
            if bounds is not None and bounds[0] > bounds[1]:
                raise ConfigFault(key, list(bounds), "the fewest first, then the most")
        self.embedded = root is None
        self.digit = digit
        self.digits_per_line, self.repeats, self.lines_seed = digits_per_line, repeats, lines_seed
        self.gap = gap
        self.embedded_size, self.embedded_seed = embedded_size, embedded_seed
        if self.embedded:
            self.title = "Digits written by invented people"

    def find(self) -> list[Path]:
        for name in ARCHIVES:
            if (archive := self.root / name).is_file():
                return [archive]
        if self.root.exists() and (files := self._files(_FILE)):
            return files
        raise DataError(
            f"{self.root} has no {ARCHIVES[0]}, nor files such as trainimg-0-inputdata.txt (MNIST "
            'stroke sequences); name another folder with --data; "root": null generates digits of '
            "that form"
        )

    def read(self, files: list[Path]) -> Iterator[Sample | Fault]:
        for one in digits(files, self.max_bytes, self.max_points):
            if isinstance(one, Sample) and not one.text:
                one = Fault("no class: neither target data nor a label file", name=one.name)
            yield one

    def make(self) -> list[Sample]:
        if not self.embedded:
            return super().make()
        made = embedded_digits(self.embedded_size, self.embedded_seed)
        found = [Sample(ink, str(one), f"{part}img-{n}", group=part) for part, n, one, ink in made]
        return sorted(found, key=lambda sample: sample.name)

    def headline(self) -> str:
        return super().headline().replace(" in .:", ":") if self.embedded else super().headline()

    def _arranged(
        self, indices: dict[str, np.ndarray]
    ) -> tuple[list[Sample], dict[str, np.ndarray], list[str]]:
        notes = []
        if self.digit is not None:
            wanted = np.array([sample.text == str(self.digit) for sample in self._lines])
            indices = {split: found[wanted[found]] for split, found in indices.items()}
            if empty := [split for split, found in indices.items() if not len(found)]:
                raise DataError(f"{self.root}: no {self.digit} in the split {empty[0]!r}")
            notes.append(f"only the digit {self.digit}; the others are not used")
        if self.digits_per_line is None:
            return [side_by_side([one], [0], one.name) for one in self._lines], indices, notes
        notes.append(f"lines are set of {len(self._lines):,} digits")
        lines, found = [], {}
        for split, digits in indices.items():
            made = list(self._set_lines(split, digits, *self.digits_per_line))
            if not made:
                raise DataError(
                    f"the split {split!r} has {len(digits)} digits: too few for a line of "
                    f"{self.digits_per_line[0]}"
                )
            found[split] = np.arange(len(lines), len(lines) + len(made), dtype=np.int64)
            lines += made
        return lines, found, notes

    def _set_lines(self, split: str, digits: np.ndarray, low: int, high: int) -> Iterator[Sample]:
        """Yield lines of the digits of a split, side by side."""
        seed, spread, number = self.lines_seed, self.gap[1] - self.gap[0] + 1, 0
        for turn in range(self.repeats):
            keys = [f"{split}:{turn}:{self._lines[n].name}" for n in digits.tolist()]
            order = digits[np.argsort([draw(key, seed) for key in keys])].tolist()
            while len(order) >= low:
                place = f"{split}:{turn}:{number}"
                count = low + int((high - low + 1) * draw(f"count:{place}", seed))
                chosen, order = [self._lines[n] for n in order[:count]], order[count:]
                draws = (draw(f"gap:{place}:{n}", seed) for n in range(len(chosen)))
                gaps = [self.gap[0] + int(spread * one) for one in draws]
                yield side_by_side(chosen, gaps, f"{split}-line-{number:06}")
                number += 1


def side_by_side(digits: list[Sample], gaps: list[int], name: str) -> Sample:
    """Return digits as a line, with `gaps` before them, from edge to edge of the ink.

    It has no writer and no group: nothing but the split is known, which is no form of one hand.
    """
    pieces, right, pen = [], 0.0, np.zeros(2)
    for digit, gap in zip(digits, gaps, strict=True):
        piece = digit.ink.copy()
        points = np.cumsum(piece[:, :2], axis=0, dtype=np.float64)
        shift = right + gap - points[:, 0].min()
        piece[0, :2] = points[0] + (shift, 0) - pen
        pieces.append(piece)
        pen = points[-1] + (shift, 0)
        right = points[:, 0].max() + shift
    ink = np.concatenate(pieces)
    ink[0, :2] = 0  # where it starts in the image is not a movement
    return Sample(ink, "".join(digit.text for digit in digits), name)
