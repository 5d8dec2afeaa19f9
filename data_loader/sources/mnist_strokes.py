"""Datasets of MNIST stroke sequences (E. de Jong), digits as pen movements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from base import distributed
from base.base_dataset import Preparing
from base.data.samples import Columns, Samples
from data_loader.pen_paths import side_by_side, to_ink, to_path
from data_loader.sources.cache import derived
from data_loader.sources.source import DividedDataset, hash_fraction
from data_loader.synthetic.invented.font_writers import embedded_digits
from ink.formats.mnist_strokes import MNIST_FILE, READING, digits_of, parse_file
from ink.guard.files import parse_files
from ink.sample import Fault, Parsed, Sample
from utils.checks import ConfigFault, DataError, Range
from utils.licences import OPEN

ARCHIVES = ("sequences.tar.gz", "sequences.tgz", "sequences.tar")
_Count = Annotated[int, Range(1, 100)]
_Pixels = Annotated[int, Range(0, 100)]


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
    file_names = MNIST_FILE
    is_one_block = True
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

    def read(self, files: list[Path], workers: int = 1) -> Iterable[Parsed]:
        source = files[0] if len(files) == 1 else self._path
        parsed = parse_files(
            parse_file, files, MNIST_FILE, READING, self.max_gb, workers, distributed.bar
        )
        yield digits_of(source, parsed).require_text("no class: no target data")

    def make(self, preparing: Preparing = Preparing()) -> Columns:
        if self.root is not None:
            return super().make(preparing)
        samples = [
            Sample(ink, str(digit), f"{split}img-{number}", group=split)
            for split, number, digit, ink in embedded_digits(self.embedded_size)
        ]
        return Columns(sorted(samples, key=lambda sample: sample.name))

    def _headline(self, count: int) -> str:
        if self.root is None:
            return f"Digits written by invented people: {count:,} samples"
        return super()._headline(count)

    def _divided(
        self, samples: Samples, faults: Sequence[Fault]
    ) -> tuple[dict[str, Samples], list[str]]:
        """Return the lines of each split, which are made of its digits, and notes."""
        by_split, notes = super()._divided(samples, faults)
        if self.digit is not None:
            digit = str(self.digit)
            for split, digits in by_split.items():
                find = partial(_places_of, digit, digits)
                places = digits.cached(f"places-of-digit-{digit}", find)
                by_split = by_split | {split: digits.take(places)}
            notes.append(f"only the digit {digit}; the others are not used")
        if self.digits_per_line is not None:
            low, high = self.digits_per_line
            count = sum(map(len, by_split.values()))
            notes.append(f"{count:,} digits are combined into lines of {low} to {high} digits")
        lines = derived(self, [*by_split.values()], self._read_lines(by_split), [*by_split])
        counts = lines.notes
        stops = np.cumsum(counts).tolist()
        lines_of_splits = {}
        for split, count, stop in zip(by_split, counts, stops, strict=True):
            lines_of_splits[split] = lines.all[stop - count : stop]
        return lines_of_splits, notes

    def _read_lines(self, by_split: Mapping[str, Samples]) -> Iterator[Parsed]:
        """Yield the lines of each split, and note their number."""
        for split, digits in by_split.items():
            if self.digits_per_line is None:
                lines = [line_of([digit], [0], digit.name) for digit in digits]
            else:
                lines = [*self._lines(split, digits, self.digits_per_line)]
            yield Parsed(lines, notes=[len(lines)])

    def _lines(
        self, split: str, digits: Sequence[Sample], counts: tuple[int, int]
    ) -> Iterator[Sample]:
        """Yield lines in which the digits of a split stand side by side, in a hashed order."""

        def draw(bounds: tuple[int, int], key: str) -> int:
            low, high = bounds
            return low + int((high - low + 1) * hash_fraction(key))

        number = 0
        for turn in range(self.repeats):
            queue = sorted(digits, key=lambda digit: hash_fraction(f"{split}:{turn}:{digit.name}"))
            while len(queue) >= counts[0]:
                key = f"{split}:{turn}:{number}"
                count = draw(counts, f"count:{key}")
                line, queue = queue[:count], queue[count:]
                gaps = [draw(self.gap, f"gap:{key}:{n}") for n in range(len(line))]
                yield line_of(line, gaps, f"{split}-line-{number:06}")
                number += 1


def _places_of(digit: str, samples: Samples) -> np.ndarray:
    return np.flatnonzero([text == digit for text in samples.strings("text")])


def line_of(digits: list[Sample], gaps: list[int], name: str) -> Sample:
    """Return digits as a line; `gaps[n]` is the space left of digit n (`gaps[0]` is not used).

    The line has no writer and no group, since its digits are by several hands.
    """
    paths = [to_path(digit.ink) for digit in digits]
    gaps_after = [*gaps[1:], 0]
    text = "".join(digit.text for digit in digits)
    return Sample(to_ink(side_by_side(paths, gaps_after)), text, name)
