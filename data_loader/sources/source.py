"""Defines the base class of datasets in a file format: options, cache, splits and the report."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded, Preparing, counts_of
from base.data.prepared import IDENTITY, PreparedColumns
from base.data.samples import Columns, Samples
from data_loader.sources.cache import CacheKey, columns_of, fingerprint, version_of
from data_loader.sources.fetching import ADDRESS, FetchedColumns, open_copied
from ink.formats.checks import decode
from ink.formats.files import files_below, read_file
from ink.sample import Fault, Parsed, summarise
from utils.checks import ConfigFault, DataError, Fraction, Range, Seed, first_of
from utils.files import digest_of_file, user_cache

LISTS = Path(__file__).parent / "lists"  # lists for `leave_out` that come with the project
BLOCK_BYTES = 32 << 20  # of files, after which a block ends (assumed: some seconds of parsing)

FRACTIONS = {"train": 0.8, "valid": 0.1, "test": 0.1}
_SPLIT_NAME = re.compile(r"(?<![a-z])(train|valid|test)(?:ing|ation)?(?![a-z])", re.IGNORECASE)

Places = dict[str, np.ndarray]
"""By split, the places of its samples among all parsed samples."""


@dataclass(kw_only=True, eq=False)
class SourceDataset(BaseDataset):
    """Samples of a file, an archive or a folder of a known format.

    `data_loader/sources/__init__.py` says how to add a format.

    Args:
        root: the file, or the folder with the files.
        cache: folder for the parsed data; None takes `cache` next to the data or, if this folder
            cannot be written, the user's folder for caches.
        subset: number of training samples to use; None uses all.
        subset_seed: seed by which the subset is chosen.
        leave_out: text file with the names of samples to leave out, one name a line, or the name of
            a list that comes with the project. Text after a name and a blank is a comment, and so
            is a line that begins with `#`. None leaves out no sample.
        strict: raise an error if a sample cannot be used, instead of leaving it out.
        max_gb: largest size, in gigabytes, of an unpacked archive; a file of stroke arrays may have
            a quarter of it. Above 1, the limits of parsing (see `ink.guard.Limits`) grow with it.
        shard_cache_gb: largest size, in gigabytes, of the shards that are cached on this machine if
            `root` is the address of a prepared folder.
    """

    title: ClassVar[str]  # name of the source in reports
    unit: ClassVar[str] = "samples"  # word for samples in reports
    file_names: ClassVar[re.Pattern[str]] = re.compile(".*")  # matches names of the source's files
    parsed_by: ClassVar[tuple[str, ...]] = ()
    """The options on which the parsed samples depend; part of the cache's key."""
    canonical: ClassVar[tuple[float, float] | None] = None  # see `Loaded`
    quantisation_step: ClassVar[float | None] = None  # see `Loaded`; None measures the step
    measures_step: ClassVar[bool] = True  # whether an unknown step is measured
    is_one_block: ClassVar[bool] = False  # whether all files are read together, as an archive is
    may_be_prepared: ClassVar[bool] = True  # whether `root` may be a prepared folder

    root: str | None
    cache: str | None = None
    subset: Annotated[int, Range(1)] | None = None
    subset_seed: Annotated[int, Range(0)] = 0
    leave_out: str | None = None
    strict: bool = False
    max_gb: Annotated[float, Range(0.01, 100_000)] = 1.0
    shard_cache_gb: Annotated[float, Range(0.1, 1_000_000)] = 50.0

    @property
    def _path(self) -> Path:
        """The file or folder of the data."""
        return Path(self.root or "").expanduser()

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the samples and divide them into splits.

        Raises:
            DataError: if files are missing, no sample can be used, or a split is empty; with
                `strict`, also if any sample cannot be used.
            ConfigFault: if `subset` is larger than the training split, or the file `leave_out`
                cannot be read.
        """
        columns = self.make()
        samples, faults = columns.all, columns.faults
        if faults and self.strict:
            others = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
            raise DataError(f'{faults[0]}{others}; without "strict": true it would be left out')
        by_split, notes = self._divided(samples, faults)
        for split, in_split in by_split.items():
            if not in_split:
                lacking = f"{self.root or self.title}: no {self.unit} for the split {split!r}"
                raise DataError(f"{lacking}: {'; '.join([*notes, f'{len(samples):,} in all'])}")
        if self.subset is not None:
            train, count = by_split["train"], self.subset
            if count > len(train):
                expected = f"at most the {len(train)} training {self.unit}"
                raise ConfigFault("subset", count, expected)
            name = f"places-of-subset-{count}-{self.subset_seed}"
            places = train.cached(name, lambda: choose_subset(train, count, self.subset_seed))
            by_split = by_split | {"train": train.take(places)}
            notes.append(f"{len(train) - count:,} training {self.unit} are outside the subset")
        measured = None
        if isinstance(columns, PreparedColumns):
            notes.append(f"cache: {columns.folder}")
            measured = columns.index["quantisation_step"] if self.measures_step else None
        return Loaded(
            {split: in_split for split, in_split in by_split.items() if split in splits},
            self._report(len(samples), faults, by_split, notes),
            self.quantisation_step or measured,
            self.canonical,
        )

    def prepare(self, preparing: Preparing) -> None:
        self.make(preparing)

    def make(self, preparing: Preparing = Preparing()) -> Columns:
        """Return the columns of all samples, which are read unless they are cached; columns without
        samples if only a part of them is read, and other parts are missing."""
        columns = self._open_root(is_examined=preparing.is_examined)
        if columns is not None:
            return columns
        with self._naming_root():
            files = self.find()
            options = {name: getattr(self, name) for name in ("max_gb", *self.parsed_by)}
            values = {
                "files": fingerprint(files, self._folder),
                "made by": version_of(type(self)),
                "options": options,
            }
        folders = [self._folder / "cache", user_cache()]
        if self.cache is not None:
            folders = [Path(self.cache).expanduser()]
        licences = sorted(filter(None, super().licences()))
        blocks = [files] if self.is_one_block else blocks_of(files)
        key = CacheKey(type(self).__name__, values, folders, is_sorted=True, licences=licences)
        # Workers share the members of a single block, such as an archive, or else the blocks.
        workers = preparing.workers if len(blocks) == 1 else 1
        return columns_of(key, blocks, partial(self.read, workers=workers), preparing)

    @contextmanager
    def _naming_root(self) -> Iterator[None]:
        """A block that finds files; its errors say where, and how to name another folder."""
        try:
            if self._path.is_dir():
                next(self._path.iterdir(), None)  # raises an OSError if the folder is unreadable
            if (self._path / IDENTITY).is_file():
                remedy = "the command that began it goes on with it"
                raise DataError(f"{self._path}: a set of which lines are still lacking; {remedy}")
            yield
        except OSError as error:
            problem = f"{error.filename or self._path}: cannot be read ({error.strerror})"
            raise DataError(f"{problem}; --data names the folder of the data") from None
        except DataError as error:
            if self._path.exists() or self._path.is_absolute():
                raise
            raise DataError(f"{error} ({self._path} is relative to {Path.cwd()})") from None

    def _open_root(self, *, is_examined: bool = False) -> PreparedColumns | None:
        """Return the columns if `root` is a prepared folder, or the address of one; else None.

        Raises:
            ConfigFault: if it is no address.
        """
        if not self.may_be_prepared or self.root is None:
            return None
        if "://" not in self.root:
            return open_copied(Path(self.root).expanduser(), is_compared=is_examined)
        address = self.root.rstrip("/")
        if not ADDRESS.fullmatch(address):
            expected = "a folder, or the address of a prepared folder, such as s3://BUCKET/FOLDER"
            raise ConfigFault("root", self.root, expected)
        name = f"fetched-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
        folder = Path(self.cache).expanduser() if self.cache else user_cache()
        return FetchedColumns(address, folder / name, int(self.shard_cache_gb * 1e9))

    def find(self) -> list[Path]:
        """Return the files with the samples, which are read anew if one of them has changed: the
        root if it is a file, else the files below it that match `file_names`.

        Raises:
            DataError: if there is no such file.
        """
        if self._path.is_file():
            return [self._path]
        files = files_below(self._path, self.file_names) if self._path.exists() else []
        if not files:
            problem = f"no {self.title} file there" if self._path.exists() else "no such folder"
            remedy = "--data, or -o KEY.root=FOLDER for a dataset in a dataset, names the folder"
            raise DataError(f"{self._path}: {problem}; {remedy}")
        return files

    def read(self, files: list[Path], workers: int = 1) -> Iterable[Parsed]:
        """Yield the samples of a block of files, bit by bit, without files that cannot be used.

        `workers` share the members of a block, such as an archive.
        """
        for file in distributed.bar(files, f"parsing {self.title}", unit=" files"):
            parsed = Parsed()
            name = file.relative_to(self._folder).as_posix()
            with parsed.attempt(name):
                parsed.extend(self._parse(name, file))
            yield parsed

    def _parse(self, name: str, file: Path) -> Parsed:
        """Parse `file`; `name` is its path relative to the folder of the data.

        The `group` of a sample is empty, or names the sample's file or split.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a _parse or a read of its own")

    @property
    def _folder(self) -> Path:
        return self._path if self._path.is_dir() else self._path.parent

    def divided_by(self) -> Sequence[Path]:
        """Return the files by which the samples are divided, anew if one of them has changed."""
        return ()

    def _divided(
        self, samples: Samples, faults: Sequence[Fault]
    ) -> tuple[dict[str, Samples], list[str]]:
        """Return the samples of each split, and notes for the report; the division of prepared
        samples is cached."""
        lines = listed_lines(self.leave_out)

        def divide() -> list[Any]:
            places, notes = self._divide(samples, faults)
            if self.leave_out is not None:
                places, new_notes = self._remove_listed(lines, places, [*samples.strings("name")])
                notes += new_notes
            return [*map(places.get, SPLITS), [[*places], notes]]

        where = ("root", "cache", "max_gb", "shard_cache_gb")
        names = [field.name for field in fields(self) if field.name not in where]
        options = {name: getattr(self, name) for name in names}
        files = [(file.name, digest_of_file(file)) for file in self.divided_by()]
        depends = [options, version_of(type(self)), files, lines, [fault.args for fault in faults]]
        digest = hashlib.sha256(json.dumps(depends, default=repr).encode()).hexdigest()[:16]
        keys = [f"{digest}-{part}" for part in (*SPLITS, "notes")]
        *places, (splits, notes) = samples.all_cached(keys, divide)
        places_of = dict(zip(SPLITS, places, strict=True))
        return {split: samples.take(places_of[split]) for split in splits}, notes

    def _divide(self, samples: Samples, faults: Sequence[Fault]) -> tuple[Places, list[str]]:
        """Return the places of the samples of each split, and notes for the report.

        Args:
            samples: all samples.
            faults: those of samples that could not be used.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a _divide of its own")

    def _remove_listed(
        self, lines: list[str], places_by_split: Places, names: list[str]
    ) -> tuple[Places, list[str]]:
        """Return the splits without the samples that lines name, and notes for the report."""
        all_names, path = set(names), self.leave_out
        listed = listed_names(lines, all_names)
        in_splits = {
            names[place] for places in places_by_split.values() for place in places.tolist()
        }
        notes = [f"{len(listed & in_splits):,} {self.unit} are left out by {path}"]
        if unknown := sorted(listed - all_names):
            notes.append(f"{len(unknown):,} names in {path} do not occur: {first_of(unknown)}")
        is_left = np.array([name not in listed for name in names])
        return {split: places[is_left[places]] for split, places in places_by_split.items()}, notes

    def licences(self) -> set[str | None]:
        """Return the licences of the prepared folder `root`, or else the licence of the class."""
        columns = self._open_root() if self.root else None
        return super().licences() if columns is None else {*columns.index["licences"]} or {None}

    def _headline(self, count: int) -> str:
        """Return the first line of the report: the source, its path, its number of samples."""
        return f"{self.title} in {self._path}: {count:,} {self.unit}"

    def _report(
        self, count: int, faults: Sequence[Fault], by_split: Mapping[str, Samples], notes: list[str]
    ) -> str:
        used = Loaded(by_split, "").used
        num_characters, num_writers = used.cached(
            "report",
            lambda: [
                len(set().union(*used.strings("text"))),
                len({*used.strings("writer")} - {""}),
            ],
        )
        counts = f"{num_characters} different characters"
        lines = [
            self._headline(count),
            *counts_of(by_split),
            counts + (f", {num_writers:,} writers" if num_writers else ""),
            *summarise(faults),
            *notes,
        ]
        return "\n  ".join(lines)


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
        self._fractions = FRACTIONS if self.fractions is None else self.fractions
        check_fractions(self._fractions)

    def _divide(self, samples: Samples, faults: Sequence[Fault]) -> tuple[Places, list[str]]:
        places, notes = divide(samples, self._fractions, self.split_seed, self._split_key)
        if unlabelled := sum(not text for text in samples.strings("text")):
            notes.append(f"{unlabelled:,} samples have no transcription")
        return places, notes

    def _split_key(self, name: str) -> str:
        """Return the key that is hashed for a sample without a writer; equal keys stay together."""
        return name


def blocks_of(files: Iterable[Path]) -> list[list[Path]]:
    """Divide files into blocks that are read together, by their sizes alone."""
    blocks: list[list[Path]] = []
    size = BLOCK_BYTES
    for file in files:
        if size >= BLOCK_BYTES:
            blocks.append([])
            size = 0
        blocks[-1].append(file)
        size += file.stat().st_size
    return blocks


def listed_lines(path: str | None) -> list[str]:
    """Return the lines of a file `leave_out`, see `SourceDataset`; none of None."""
    if path is None:
        return []
    try:
        shipped = LISTS / f"{path}.txt"
        file = shipped if shipped.is_file() else Path(path).expanduser()
        return [*filter(None, map(str.strip, decode(read_file(file)).splitlines()))]
    except Fault as fault:
        expected = f"a text file of names; this is {fault}"
        raise ConfigFault("leave_out", path, expected) from None


def listed_names(lines: Iterable[str], names: Collection[str]) -> set[str]:
    """Return the names that the lines of a file `leave_out` list, of `names` or others."""
    listed = set()
    for line in lines:
        if line in names:  # A name may contain blanks, or begin with `#`.
            listed.add(line)
        elif not line.startswith("#"):
            listed.add(line.split()[0])
    return listed


# Splits: those of the source, or by a hash.


def hash_fraction(key: str, seed: int = 0) -> float:
    """Return a hash of `key` and `seed` as a number that is at least 0 and less than 1."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def choose_subset(samples: Samples, count: int, seed: int = 0) -> np.ndarray:
    """Return the places, ascending, of the `count` samples whose names have the lowest hashes.

    So a smaller subset is part of a larger one, and the choice does not depend on the order.
    """
    hashes = [hash_fraction(f"name:{name}", seed) for name in samples.strings("name")]
    return np.sort(np.argsort(hashes, kind="stable")[:count])


def named_split(path: str) -> str:
    """Return the split that a path names ("pendigits-train"); "" unless there is exactly one."""
    named = {match[1].lower() for match in _SPLIT_NAME.finditer(path)}
    return named.pop() if len(named) == 1 else ""


def divide(
    samples: Samples,
    fractions: Mapping[str, float],
    seed: int = 0,
    key_of: Callable[[str], str] = str,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Divide samples into the splits of their source if it has any, otherwise by a hash.

    The source has splits if the groups of its samples name `train` and a second split. A split that
    the source lacks is taken from its training samples by the hash. The hash is that of the writer
    or, if the writer is unknown or there are fewer writers than splits, that of the sample's key.
    So a new sample does not move the other samples, and all samples of a hashed writer are in one
    split. The fractions hold on average over writers (or keys).

    Args:
        samples: with unique names.
        fractions: the fraction of each split, not negative, together 1.
        seed: seed of the hash.
        key_of: returns the key of a sample by its name; samples with the same key stay together.

    Returns:
        the places of the samples of each split, ascending (none only if samples are too few), and
        notes for a report.
    """
    notes = []
    fractions = {split: fraction for split, fraction in fractions.items() if fraction > 0}
    groups = [*samples.strings("group")]
    named_by = {group: named_split(group) for group in dict.fromkeys(groups)}
    split_of, named = [named_by[group] for group in groups], {*named_by.values()}
    official = named & {"valid", "test"} if "train" in named else set()
    for split in official:
        fractions["train"] += fractions.pop(split, 0.0)
    if official:
        note = f"the splits {', '.join(sorted(official | {'train'}))} are the source's"
        if lacking := sorted(fractions.keys() - {"train"}):
            note += f"; {' and '.join(lacking)} by hash from train"
        notes.append(note)
    strings = zip(samples.strings("name"), samples.strings("writer"), strict=True)
    to_divide = [
        (place, *both) for place, both in enumerate(strings) if split_of[place] not in official
    ]
    writers = {writer for _, _, writer in to_divide}
    by_writer = len(writers) >= len(fractions)
    if any(writers) and not by_writer:
        notes.append("fewer writers than splits: divided by the samples' names")
    # The prefixes give a writer and a sample of the same name different hashes.
    places_of_key: dict[str, list[int]] = {}
    for place, name, writer in to_divide:
        key = f"writer:{writer}" if by_writer and writer else f"name:{key_of(name)}"
        places_of_key.setdefault(key, []).append(place)
    sizes = {key: len(places) for key, places in places_of_key.items()}
    split_of_key, new_notes = _assign_splits(sizes, fractions, seed)
    for key, places in places_of_key.items():
        for place in places:
            split_of[place] = split_of_key[key]
    splits = [split for split in SPLITS if split in fractions or split in official]
    assigned = np.array(split_of, dtype="U5")
    return {split: np.flatnonzero(assigned == split) for split in splits}, notes + new_notes


def _assign_splits(
    sizes: Mapping[str, int], fractions: Mapping[str, float], seed: int
) -> tuple[dict[str, str], list[str]]:
    """Return the split of each key, and notes for a report; `sizes` has each key's sample count."""
    splits, notes = list(fractions), []
    edges = np.cumsum(list(fractions.values()))[:-1] / sum(fractions.values())
    indices = np.searchsorted(edges, [hash_fraction(key, seed) for key in sizes], side="right")
    split_of = {key: splits[index] for key, index in zip(sizes, indices, strict=True)}
    for split in splits:
        keys = {name: [key for key in sizes if split_of[key] == name] for name in splits}
        largest = max(splits, key=lambda name: len(keys[name]))
        if not keys[split] and len(keys[largest]) > 1:  # With few samples, fill an empty split.
            moved = min(keys[largest], key=lambda key: hash_fraction(key.partition(":")[2], seed))
            split_of[moved] = split
            notes.append(f"{split} would be empty and got {sizes[moved]} of {largest}")
    return split_of, notes


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raise a ConfigFault unless `fractions` has valid fractions of `SPLITS`, together 1."""
    train, valid, test = (fractions.get(split, 0.0) for split in SPLITS)
    is_whole = abs(sum(fractions.values()) - 1) < 1e-6 and abs(train + valid + test - 1) < 1e-6
    if not is_whole or min(train, valid, test) < 0 or train == 0:
        expected = f"fractions of {', '.join(SPLITS)}, together 1, train more than 0"
        raise ConfigFault("fractions", dict(fractions), expected)
