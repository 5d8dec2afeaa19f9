"""MNIST stroke sequences (E. de Jong): digits as pen movements over an image of 28 x 28 pixels.

Of each digit there is `trainimg-N-inputdata.txt` (or `testimg-...`) with rows `dx dy end_of_stroke
end_of_digit`, the first one from the image's upper left corner, and `...-targetdata.txt` with 14
columns: the class as ten of which one is 1, then the next row. A row `0 0 1 x` lifts the pen where
it is: here it makes the point before it the last of its stroke. The classes are also, one per
line, in `trainlabels.txt` and `testlabels.txt` where there are such files. The `-points.txt` files
contain nothing further and are not read.
"""

import hashlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from base import distributed
from data_loader.sources.archives import Limits, documents
from data_loader.sources.cache import Rejected, Sample
from data_loader.sources.files import MEBIBYTE, check_root, files_below
from data_loader.sources.parsing import Fault, check_points
from data_loader.sources.source import SourceDataset
from data_loader.sources.splits import draw
from data_loader.synthetic.corpus import Draws
from data_loader.synthetic.embedded import FontWriter, write
from data_loader.synthetic.stroke_fonts import FONTS, GLYPHS, resample
from utils.checks import ConfigFault, DataError, Range
from utils.files import user_cache
from utils.ink import from_strokes, strokes

ARCHIVES = ("sequences.tar.gz", "sequences.tgz", "sequences.tar")
SIZE = 28
"""Pixels of an image's side; the digit fills the 20 in the middle, as in MNIST."""
_FILE = re.compile(r"(train|test)(?:img-(\d{1,8})-(inputdata|targetdata)|labels)\.txt")
_ROW = re.compile(rb"[-+]?\d{1,6}(?:[ \t]+[-+]?\d{1,6})*")


def parse_rows(content: bytes, columns: int, most: int) -> np.ndarray:
    """Return the rows of a file of whole numbers, `(rows, columns)` int64.

    Raises:
        Fault: if it is empty, a row is something else, or there are more than `most`.
    """
    rows = [row for row in (line.strip() for line in content.split(b"\n")) if row]
    if not rows:
        raise Fault("an empty file")
    if len(rows) > most:
        check_points(len(rows), most)
    joined = b" ".join(rows)
    words = joined.split()
    if len(words) != columns * len(rows) or not _ROW.fullmatch(joined):
        for number, line in enumerate(content.split(b"\n"), 1):
            if (row := line.strip()) and not _ROW.fullmatch(row):
                shown = row[:40].decode("ascii", "backslashreplace")
                raise Fault("a row that is not whole numbers", f"line {number}: {shown!r}")
            if row and (count := len(row.split())) != columns:
                raise Fault(f"a row without {columns} columns", f"line {number} has {count}")
    table = np.array(list(map(int, words)), dtype=np.int64).reshape(-1, columns)
    if (bad := (table[:, -2:] | 1) != 1).any():
        row, column = np.argwhere(bad)[0].tolist()
        value = table[row, column - 2]
        raise Fault("an end that is neither 0 nor 1", f"row {row + 1} has {value}")
    return table


def parse_digit(content: bytes, most: int) -> tuple[np.ndarray, int]:
    """Return the ink of an `inputdata` file, and how many rows that has.

    The ink is `(points, 3)`, its first row from the corner of the image.

    Raises:
        Fault: if it is not such a file, or does not end where the digit does.
    """
    rows = parse_rows(content, 4, most)
    ends = np.flatnonzero(rows[:, 3]).tolist()
    if not ends:
        raise Fault("a digit cut short: no row ends it")
    if ends[0] < len(rows) - 1:
        raise Fault("rows after the end of the digit", f"it ends in row {ends[0] + 1}")
    ink = rows[:, :3].copy()
    ink[-1, 2] = 1  # with the digit its last stroke ends
    lifts = np.flatnonzero((ink[:, :2] == 0).all(axis=1) & (ink[:, 2] == 1))
    lifts = lifts[lifts > 0]
    ink[lifts - 1, 2] = 1
    ink = np.delete(ink, lifts, axis=0)
    check_points(len(ink), most)
    return (ink.astype(np.int16) if np.abs(ink).max() < 2**15 else ink), len(rows)


def parse_class(content: bytes, most: int) -> tuple[int, int]:
    """Return the class in a `targetdata` file, and how many rows it has.

    Raises:
        Fault: if it is not such a file, or its rows do not agree on one class.
    """
    rows = parse_rows(content, 14, most)
    classes = rows[:, :10]
    if ((classes | 1) != 1).any() or (classes.sum(axis=1) != 1).any():
        raise Fault("a class that is not one of ten")
    if (classes != classes[0]).any():
        raise Fault("rows that do not agree on the class")
    return int(classes[0].argmax()), len(rows)


def joint_class(
    listed: int | None, target: tuple[int, int] | Fault | None, rows: int
) -> int | None:
    """Return the class of a digit by the label file and by its target file; None without both.

    Args:
        listed: the class in the label file.
        target: what `parse_class` says of the target file.
        rows: of the digit.

    Raises:
        Fault: if the target data cannot be used, or the two do not agree.
    """
    if isinstance(target, Fault):
        raise Fault(f"target data: {target.reason}", target.detail)
    if target is None:
        return listed
    if target[1] != rows:
        raise Fault("target data of another length", f"{target[1]} rows for {rows}")
    if listed is not None and target[0] != listed:
        raise Fault("two classes", f"{listed} in the label file, {target[0]} in target data")
    return target[0]


def embedded_digit(
    digit: int, generator: np.random.Generator, writer: FontWriter, rate: float = 75.0
) -> np.ndarray:
    """Return a digit of an invented writer in the form of MNIST, `(points, 3)` float32.

    Its longer side is 20 pixels, it lies in the middle of the image, and within strokes the pen
    moves by one pixel at a time; the first row leads from the image's corner.
    """
    lines = strokes(write(str(digit), writer, generator, rate))
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 20 / (high - low).max()
    pixels = []
    for line in lines:
        line = (line - (low + high) / 2) * scale + SIZE / 2
        fine = resample(line, 0.25) if len(line) > 1 else line
        grid = np.rint(fine)
        kept = np.concatenate([[True], (np.diff(grid, axis=0) != 0).any(axis=1)])
        pixels.append(grid[kept])
    ink = from_strokes(pixels)
    ink[0, :2] = pixels[0][0]
    return ink


class MNISTStrokesDataset(SourceDataset):
    """Digits as pen movements, single or side by side in lines.

    The texts are the digits. Training samples are those called `train...`, test samples those
    called `test...`; the validation split is taken from the training samples.

    A digit ends with its last point, which its file must mark as its end: batches have it as the
    end of the sequence, for a line that of its last digit.

    Args:
        root: the archive `sequences.tar.gz`, or a folder with it, or with the files in it (also
            in folders below). If there are an archive and files, `archive` says which are read.
            None generates digits of the same form, by invented writers.
        archive: read the archive (True) or the files (False); None prefers the archive.
        digit: the only class to use; None uses all.
        digits_per_line: fewest and most digits side by side in a line, such as [1, 6]; None keeps
            the digits single. Each line takes digits of its own split, chosen by `lines_seed`, and
            every digit occurs in `repeats` lines.
        repeats: how many lines of its split each digit occurs in.
        lines_seed: of the choice of digits for lines.
        gap: fewest and most pixels between two digits of a line.
        embedded_size: digits to generate if `root` is None; a sixth as many more are for test.
        embedded_seed: seed of these.
        max_bytes: see `SourceDataset`, as for the arguments not listed here.
        max_archive_bytes: limit on the bytes of an unpacked archive.

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
        archive: bool | None = None,
        digit: Annotated[int, Range(0, 9)] | None = None,
        digits_per_line: tuple[Annotated[int, Range(1, 100)], Annotated[int, Range(1, 100)]]
        | None = None,
        repeats: Annotated[int, Range(1, 1000)] = 1,
        lines_seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
        gap: tuple[Annotated[int, Range(0, 100)], Annotated[int, Range(0, 100)]] = (4, 8),
        embedded_size: Annotated[int, Range(10, 1_000_000)] = 6000,
        embedded_seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
        max_bytes: Annotated[int, Range(1, 1 << 40)] = MEBIBYTE,
        max_archive_bytes: Annotated[int, Range(1, 1 << 40)] = 4096 * MEBIBYTE,
        **options: Any,
    ) -> None:
        super().__init__(root=root or "", max_bytes=max_bytes, **options)
        for key, bounds in (("digits_per_line", digits_per_line), ("gap", gap)):
            if bounds is not None and bounds[0] > bounds[1]:
                raise ConfigFault(key, list(bounds), "the fewest first, then the most")
        self.embedded = root is None
        self.archive, self.digit, self.max_archive_bytes = archive, digit, max_archive_bytes
        self.digits_per_line, self.repeats, self.lines_seed = digits_per_line, repeats, lines_seed
        self.gap = gap
        self.embedded_size, self.embedded_seed = embedded_size, embedded_seed
        self._lines: list[tuple[str, np.ndarray, np.ndarray]] | None = None
        if self.embedded:
            self.title = "Digits written by invented people"

    def options(self) -> dict[str, Any]:
        made = {}
        if self.embedded:
            # No files of digits tell that a cache is out of date: what invents them does.
            inventors = (embedded_digit, write, Draws, resample, from_strokes)
            code = "".join(inspect.getsource(inspect.getmodule(one)) for one in inventors)
            digest = hashlib.sha256(code.encode() + GLYPHS.read_bytes()).hexdigest()
            made = {"size": self.embedded_size, "seed": self.embedded_seed, "code": digest}
        return {**super().options(), "max_archive_bytes": self.max_archive_bytes, **made}

    def places(self) -> list[Path]:
        # Generated digits have no folder of their own.
        homeless = self.embedded and self.cache_folder is None
        return [user_cache()] if homeless else super().places()

    def find(self) -> list[Path]:
        if self.embedded:
            return []
        check_root(self.root, needed=False)  # the errors below name what is missing
        if self.root.is_file():
            return [self.root]
        archive = next((self.root / n for n in ARCHIVES if (self.root / n).is_file()), None)
        if archive is not None and self.archive is not False:
            return [archive]
        if self.archive is not True and self.root.is_dir():
            files = files_below(self.root, "*.txt", self.max_members)
            if files := [file for file in files if _FILE.fullmatch(file.name)]:
                return files
        lacking = "" if self.archive is True else ", nor files such as trainimg-0-inputdata.txt"
        raise DataError(
            f"{self.root} has no {ARCHIVES[0]}{lacking} (MNIST stroke sequences); "
            'name another folder with --data; "root": null generates digits of that form'
        )

    def read(self, files: list[Path]) -> Iterator[Sample | Rejected]:
        if self.embedded:
            yield from self._invented()
            return
        for found in self.digits(files):
            if isinstance(found, Sample) and not found.text:
                found = Rejected(found.name, "no class: neither target data nor a label file")
            yield found

    def digits(self, files: list[Path]) -> Iterator[Sample | Rejected]:
        """Yield the digits in files, those without a class too, with an empty text."""
        digits: dict[tuple[str, int], Sample | Rejected | np.ndarray] = {}
        classes: dict[tuple[str, int], tuple[int, int] | Fault] = {}
        lengths: dict[tuple[str, int], int] = {}
        labels: dict[str, bytes] = {}
        for name, content in self._documents(files):
            match = _FILE.fullmatch(name)
            if isinstance(content, Rejected) and (match is None or match[2] is None):
                yield content
                continue
            part, number, kind = match.groups()
            if number is None:
                labels[part] = content
                continue
            key = (part, int(number))
            try:
                if isinstance(content, Rejected):
                    raise Fault(content.reason, content.detail)
                if kind == "inputdata":
                    digits[key], lengths[key] = parse_digit(content, self.max_points)
                else:
                    classes[key] = parse_class(content, self.max_points)
            except Fault as fault:
                if kind == "inputdata":
                    digits[key] = fault.of(f"{part}img-{number}")
                else:
                    classes[key] = fault
        if not digits:
            raise DataError(f"{self.root}: no files such as trainimg-0-inputdata.txt in it")
        listed = {
            part: self._labels(part, labels[part], sorted(n for p, n in digits if p == part))
            for part in sorted(labels)
        }
        for key, ink in digits.items():
            part, number = key
            name = f"{part}img-{number}"
            if isinstance(ink, Rejected):
                yield ink
                continue
            try:
                digit = joint_class(
                    listed.get(part, {}).get(number), classes.get(key), lengths[key]
                )
                yield Sample(name, ink, "" if digit is None else str(digit), group=part)
            except Fault as fault:
                yield fault.of(name)

    def _labels(self, part: str, content: bytes, numbers: list[int]) -> dict[int, int]:
        """Return the classes in a label file by the number of the digit."""
        name = f"{self.root}: {part}labels.txt"
        lines = content.strip().split(b"\n") if content.strip() else []
        for place, line in enumerate(lines, 1):
            if not re.fullmatch(rb"\s*[0-9]\s*", line):
                shown = line[:40].decode("ascii", "backslashreplace")
                raise DataError(f"{name}, line {place}: {shown!r} is not a digit from 0 to 9")
        if len(lines) != len(numbers):
            raise DataError(
                f"{name} has {len(lines):,} labels for {len(numbers):,} digits; there must be one "
                "per line, in order"
            )
        if numbers and numbers[-1] != len(numbers) - 1:
            raise DataError(
                f"{name} gives labels in order, but the digits are not numbered 0 to "
                f"{len(numbers) - 1:,} (one is {numbers[-1]:,})"
            )
        return {n: int(line) for n, line in enumerate(lines)}

    def _documents(self, files: list[Path]) -> Iterator[tuple[str, bytes | Rejected]]:
        """Yield names and contents of the files that belong to the format."""
        archive = len(files) == 1 and not _FILE.fullmatch(files[0].name)
        seen: dict[str, Path] = {}
        for file in files:
            if (first := seen.setdefault(file.name, file)) != file:
                raise DataError(
                    f"{first} and {file}: two files of that name; name one of their "
                    'folders as "root"'
                )
        limits = Limits(self.max_bytes, self.max_members, self.max_archive_bytes)
        return documents(files, archive, _FILE, limits, "parsing MNIST strokes")

    def _invented(self) -> Iterator[Sample]:
        """Yield generated digits, named like those of MNIST."""
        for group, (part, size) in enumerate(
            (("train", self.embedded_size), ("test", max(10, self.embedded_size // 6)))
        ):
            what = f"writing digits for {part}"
            for n in distributed.bar(range(size), what, unit=" digits", delay=1):
                generator = np.random.default_rng([self.embedded_seed, group, n])
                writer = FontWriter.invent(generator, list(FONTS), 1.0)
                digit = int(generator.integers(10))
                ink = embedded_digit(digit, generator, writer)
                yield Sample(f"{part}img-{n}", ink, str(digit), group=part)

    def headline(self) -> str:
        if self.embedded:
            return f"{self.title}: {len(self):,} {self.unit}"
        return super().headline()

    def choose_subset(self, names: list[str]) -> None:
        if self.digit is not None:
            wanted = np.array(
                [self.cache.string("texts", n) == str(self.digit) for n in range(len(self.cache))]
            )
            for split, found in self._indices.items():
                self._indices[split] = found[wanted[found]]
                if not len(self._indices[split]):
                    raise DataError(f"{self.root}: no {self.digit} in the split {split!r}")
            self._notes.append(f"only the digit {self.digit}; the others are not used")
        if self.digits_per_line is not None:
            names = self._set_lines()
        super().choose_subset(names)

    def _set_lines(self) -> list[str]:
        """Set the digits of each split side by side; return the names of all lines."""
        self._lines, indices = [], {}
        for split, digits in self._indices.items():
            first = len(self._lines)
            for turn in range(self.repeats):
                keys = [f"{split}:{turn}:{self.cache.string('names', n)}" for n in digits.tolist()]
                order = digits[np.argsort([draw(key, self.lines_seed) for key in keys])]
                low, high = self.digits_per_line
                while len(order) >= low:
                    place = f"{split}:{turn}:{len(self._lines) - first}"
                    count = low + int((high - low + 1) * draw(f"count:{place}", self.lines_seed))
                    chosen, order = order[:count], order[count:]
                    spread = self.gap[1] - self.gap[0] + 1
                    gaps = [
                        self.gap[0] + int(spread * draw(f"gap:{place}:{n}", self.lines_seed))
                        for n in range(len(chosen))
                    ]
                    name = f"{split}-line-{len(self._lines) - first:06}"
                    self._lines.append((name, chosen, np.array(gaps)))
            if len(self._lines) == first:
                raise DataError(
                    f"the split {split!r} has {len(digits)} digits: too few for a line of "
                    f"{self.digits_per_line[0]}"
                )
            indices[split] = np.arange(first, len(self._lines), dtype=np.int64)
        self._line_lengths = np.array(
            [int(self.cache.lengths[digits].sum()) for _, digits, _ in self._lines]
        )
        self._notes.append(f"lines are set of {len(self.cache):,} digits")
        self._indices = indices
        return [name for name, _, _ in self._lines]

    @property
    def lengths(self) -> np.ndarray:
        """Number of points of each sample, `(samples,)` int64."""
        return self.cache.lengths if self._lines is None else self._line_lengths

    def ink(self, index: int) -> np.ndarray:
        if self._lines is None:
            ink = self.cache.ink(index)
        else:
            _, digits, gaps = self._lines[index]
            pieces, right, pen = [], 0.0, np.zeros(2)
            for digit, gap in zip(digits.tolist(), gaps.tolist(), strict=True):
                piece = self.cache.ink(digit)
                points = np.cumsum(piece[:, :2], axis=0, dtype=np.float64)
                shift = right + gap - points[:, 0].min()  # from edge to edge of the ink
                piece[0, :2] = points[0] + (shift, 0) - pen
                pieces.append(piece)
                pen = points[-1] + (shift, 0)
                right = points[:, 0].max() + shift
            ink = np.concatenate(pieces)
        ink[0, :2] = 0  # where it starts in the image is not a movement
        return ink

    def text(self, index: int) -> str:
        if self._lines is None:
            return super().text(index)
        return "".join(self.cache.string("texts", n) for n in self._lines[index][1].tolist())

    def name(self, index: int) -> str:
        return super().name(index) if self._lines is None else self._lines[index][0]

    def writer(self, index: int) -> str:
        """Return an empty string: the format names no writers."""
        return ""

    def group(self, index: int) -> str:
        """Return an empty string: nothing but the split is known, which is no form of one hand."""
        return ""

    def missing(self, index: int) -> np.ndarray:
        return np.zeros(self.lengths[index], dtype=np.uint8)
