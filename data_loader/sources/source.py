"""The base class of datasets in a file format: options, cache, splits and the report."""

import re
from abc import abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded, changed, counts_of
from data_loader.sources.cache import fingerprint, load_or_make
from data_loader.sources.parsing import Budget, Fault, Parsed, Sample, decode, first_of, summarise
from data_loader.sources.splits import FRACTIONS, check_fractions, choose_subset, divide
from data_loader.sources.untrusted_files import files_below, read_file
from utils.checks import ConfigFault, DataError, Fraction, Range, Seed
from utils.files import user_cache

LISTS = Path(__file__).parent / "lists"  # lists for `leave_out` that come with the project

Splits = dict[str, list[Sample]]


@dataclass(kw_only=True, eq=False)
class SourceDataset(BaseDataset):
    """Samples of a file, an archive or a folder of a known format.

    `data_loader/sources/__init__.py` says how to add a format.

    Args:
        root: the file, or the folder with the files.
        cache: folder for the parsed data; None takes `cache` beside the data or, if this folder
            cannot be written, the user's folder for caches.
        subset: number of training samples to use; None uses all.
        subset_seed: seed by which the subset is chosen.
        leave_out: text file with the names of samples to leave out, one name a line, or the name of
            a list that comes with the project. Text after a name and a blank is a comment, and so
            is a line that begins with `#`. None leaves out no sample.
        strict: raise an error if a sample cannot be used, instead of leaving it out.
    """

    title: ClassVar[str]  # name of the source in reports
    unit: ClassVar[str] = "samples"  # word for samples in reports
    file_names: ClassVar[re.Pattern[str]] = re.compile(".*")  # matches names of the source's files
    parsed_by: ClassVar[tuple[str, ...]] = ()
    """The options on which the parsed samples depend; part of the cache's key."""
    canonical: ClassVar[tuple[float, float] | None] = None  # see `Loaded`
    quantisation_step: ClassVar[float | None] = None  # see `Loaded`; None measures the step

    root: str | None
    cache: str | None = None
    subset: Annotated[int, Range(1)] | None = None
    subset_seed: Annotated[int, Range(0)] = 0
    leave_out: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        self.path = Path(self.root or "").expanduser()

    def find(self) -> list[Path]:
        """Return the root if it is a file, else the files below it that match `file_names`.

        Raises:
            DataError: if there is no such file.
        """
        if self.path.is_file():
            return [self.path]
        files = files_below(self.path, self.file_names) if self.path.exists() else []
        if not files:
            problem = f"no {self.title} file there" if self.path.exists() else "no such folder"
            remedy = "--data, or -o KEY.root=FOLDER for a dataset in a dataset, names the folder"
            raise DataError(f"{self.path}: {problem}; {remedy}")
        return files

    def read(self, files: list[Path]) -> Parsed:
        """Parse the files; a file that cannot be used is left out."""
        parsed = Parsed(budget=Budget(float("inf"), ""))  # Only archives need a limit.
        for file in distributed.bar(files, f"parsing {self.title}", unit=" files"):
            name = file.relative_to(self._folder).as_posix()
            with parsed.attempt(name):
                parsed.extend(self._parse(name, file))
        return parsed

    def _parse(self, name: str, file: Path) -> Parsed:
        """Parse `file`; `name` is its path relative to the folder of the data.

        The `group` of a sample is empty, or names the sample's file or split.
        """
        raise NotImplementedError

    @property
    def _folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the samples and divide them into splits.

        Raises:
            DataError: if files are missing, no sample can be used, or a split is empty; with
                `strict`, also if any sample cannot be used.
            ConfigFault: if `subset` is larger than the training split, or the file `leave_out`
                cannot be read.
        """
        parsed, cache = self.make()
        if (faults := parsed.left_out) and self.strict:
            others = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
            raise DataError(f'{faults[0]}{others}; without "strict": true it would be left out')
        parts, notes = self._divide(parsed)
        if self.leave_out is not None:
            parts, new_notes = self._remove_listed(self.leave_out, parts, parsed.samples)
            notes += new_notes
        parts, new_notes = self._arrange(parts)
        notes += new_notes
        for split, part in parts.items():
            if not part:
                lacking = f"{self.root or self.title}: no {self.unit} for the split {split!r}"
                count = f"{len(parsed.samples):,} in all"
                raise DataError(f"{lacking}: {'; '.join([*notes, count])}")
        if self.subset is not None:
            train, count = parts["train"], self.subset
            if count > len(train):
                expected = f"at most the {len(train)} training {self.unit}"
                raise ConfigFault("subset", count, expected)
            parts = parts | {"train": choose_subset(train, count, self.subset_seed)}
            notes.append(f"{len(train) - count:,} training {self.unit} are outside the subset")
        return Loaded(
            {split: part for split, part in parts.items() if split in splits},
            self._report(parsed, parts, [*notes, f"cache: {cache}"] if cache else notes),
            self.quantisation_step or (_measure_step(parsed.samples) if cache else None),
            self.canonical,
        )

    def make(self) -> tuple[Parsed, Path | None]:
        """Return the parsed source and its cache file; None if there is no cache file."""
        try:
            if self.path.is_dir():
                next(self.path.iterdir(), None)  # raises an OSError if the folder is unreadable
            files = self.find()
            options = {name: getattr(self, name) for name in self.parsed_by}
            key = {"files": fingerprint(files, self._folder), "options": options}
        except OSError as error:
            problem = f"{error.filename or self.path}: cannot be read ({error.strerror})"
            raise DataError(f"{problem}; --data names the folder of the data") from None
        except DataError as error:
            if self.path.exists() or self.path.is_absolute():
                raise
            raise DataError(f"{error} ({self.path} is relative to {Path.cwd()})") from None
        folders = [self._folder / "cache", user_cache()]
        if self.cache is not None:
            folders = [Path(self.cache).expanduser()]
        return load_or_make(type(self).__name__, folders, key, lambda: self.read(files))

    @abstractmethod
    def _divide(self, parsed: Parsed) -> tuple[Splits, list[str]]:
        """Return the samples of each split, and notes for the report."""

    def _arrange(self, parts: Splits) -> tuple[Splits, list[str]]:
        """Return the splits, and notes for the report; a subclass may replace the samples."""
        return parts, []

    def _remove_listed(
        self, path: str, parts: Splits, samples: Iterable[Sample]
    ) -> tuple[Splits, list[str]]:
        """Return the splits without the samples that a file names, and notes for the report."""
        try:
            shipped = LISTS / f"{path}.txt"
            file = shipped if shipped.is_file() else Path(path).expanduser()
            lines = decode(read_file(file)).splitlines()
        except Fault as fault:
            expected = f"a text file of names; this is {fault}"
            raise ConfigFault("leave_out", path, expected) from None
        names, listed = {sample.name for sample in samples}, set()
        for line in filter(None, map(str.strip, lines)):
            if line in names:  # A name may contain blanks, or begin with `#`.
                listed.add(line)
            elif not line.startswith("#"):
                listed.add(line.split()[0])
        in_splits = {sample.name for part in parts.values() for sample in part}
        notes = [f"{len(listed & in_splits):,} {self.unit} are left out by {path}"]
        if unknown := sorted(listed - names):
            notes.append(f"{len(unknown):,} names in {path} do not occur: {first_of(unknown)}")
        return changed(parts, lambda sample: [] if sample.name in listed else [sample]), notes

    def _headline(self, count: int) -> str:
        """Return the first line of the report: the source, its path, its number of samples."""
        return f"{self.title} in {self.path}: {count:,} {self.unit}"

    def _report(self, parsed: Parsed, parts: Splits, notes: list[str]) -> str:
        used = [sample for part in parts.values() for sample in part]
        characters = set().union(*(sample.text for sample in used))
        writers = {sample.writer for sample in used} - {""}
        counts = f"{len(characters)} different characters"
        lines = [
            self._headline(len(parsed.samples)),
            *counts_of(parts),
            counts + (f", {len(writers):,} writers" if writers else ""),
            *summarise(parsed.left_out),
            *notes,
        ]
        return "\n  ".join(lines)


def _measure_step(samples: Iterable[Sample]) -> float | None:
    """Return the quantisation step: 1 if all offsets are whole numbers, otherwise None."""
    offsets = (sample.ink[:, :2] for sample in samples)
    return 1.0 if all((array == np.rint(array)).all() for array in offsets) else None


@dataclass(kw_only=True, eq=False)
class DividedDataset(SourceDataset):
    """A source that is divided by its own splits or by a hash.

    The source has splits if names of its files or folders contain `train`, and others contain
    `test` or `valid`; a missing split is taken from the training samples. Otherwise the samples are
    divided by a hash of the writer or, where the writer is unknown, of the sample's name, so that
    an added sample moves no other sample to another split.

    Args:
        fractions: the fractions of the samples in `train`, `valid` and `test`, together 1; None
            means 0.8, 0.1 and 0.1.
        split_seed: seed of the hash.

    Raises:
        ConfigFault: if `fractions` are not valid.
    """

    fractions: dict[str, Fraction] | None = None
    split_seed: Seed = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fractions = FRACTIONS if self.fractions is None else self.fractions
        check_fractions(self._fractions)

    def _divide(self, parsed: Parsed) -> tuple[Splits, list[str]]:
        parts, notes = divide(parsed.samples, self._fractions, self.split_seed, self._split_key)
        if unlabelled := sum(not sample.text for sample in parsed.samples):
            notes.append(f"{unlabelled:,} samples have no transcription")
        return parts, notes

    def _split_key(self, sample: Sample) -> str:
        """Return what is hashed for a sample without a writer; samples of one key stay together."""
        return sample.name
