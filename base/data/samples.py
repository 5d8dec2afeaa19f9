"""Samples that are read when they are asked for, the columns that hold them, in memory or in
shards, and the extras of samples: arrays of fixed shape that networks take.

A prepared folder is called `KIND-DIGEST`; the digest covers all on which the samples depend.
`data_loader/sources/cache.py` says when it is written. It may be damaged, or somebody else's: what
is read is checked.

    index.json             the shards with sizes and digests, the faults, the licence
    order.npy lengths.npy  the samples' places in the shards, in order; the length at each place
    00000.json             the record of a block
    00000-000/*.npy        the columns of a shard: points, strings, samples
    kept/                  cached values that were computed from samples, see `Samples.cached`
    identity.json          all on which the samples depend, if the folder has another name
"""

import hashlib
import json
import os
import re
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NoReturn, overload

import numpy as np

from ink.normalisation import Moments, moments_of
from ink.sample import Fault, Sample
from utils.checks import DataError, check_version, first_line, first_of
from utils.files import (
    MAX_READ_BYTES,
    atomic_write,
    check_regular,
    content_digest,
    read_bytes,
)

PART = 1 << 40  # more than all samples of columns: an id is that many for each part before
FORMAT_VERSION = 5
INDEX, ORDER, LENGTHS, CACHED = "index.json", "order.npy", "lengths.npy", "kept"
SHARD = re.compile(r"\d{5}-\d{3}")
"""Matches the name of a shard."""
POINTS = {"offset": ("i2", "f4"), "end": ("b1",), "missing": ("u1",)}
SAMPLES = {"stop": ("i8",), "strings": ("i8",), "whole": ("b1",), "moments": ("f8",)}
"""The fields of the columns of points and of samples, and the types that they may have; `stop` and
`strings` are the ends of a sample's points and of each of its `STRINGS`."""
STRINGS = ("text", "name", "writer", "group")
EXTRA = "extra."  # begins the names of fields of extras
COLUMNS = ("points.npy", "samples.npy", "strings.npy")
"""The files of a shard."""
MAX_OPEN = 250  # shards, of three files each: processes may have 1,024 open files
MAX_VALUES = 5_000_000
"""Limit on the values of a JSON file (assumed: a shard has ten, a fault three)."""


class Columns:
    """Samples by number, in memory. A subclass reads or makes a sample when it is asked for.

    A subclass that knows lengths, strings or moments without the samples overrides their methods.
    """

    key: str | None = None
    """A key of the samples, equal in all processes; None for samples that are only in memory."""
    folder: Path | None = None
    """The folder of the samples; folders of derived samples are next to it."""

    def __init__(
        self,
        samples: Sequence[Sample] = (),
        faults: Sequence[Fault] = (),
        notes: Sequence[Any] = (),
    ) -> None:
        self.samples, self._faults, self._notes = samples, faults, notes

    @property
    def all(self) -> "Samples":
        """All samples, in order."""
        return self.take(np.arange(len(self.samples)))

    @property
    def faults(self) -> Sequence[Fault]:
        """The faults of files and samples that were left out."""
        return self._faults

    @property
    def notes(self) -> Sequence[Any]:
        """Values of JSON about samples that were made of others."""
        return self._notes

    def sample(self, number: int) -> Sample:
        """Return a sample."""
        return self.samples[number]

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """Return the number of points of samples, `(samples,)` int."""
        return np.array([len(self.sample(n).ink) for n in numbers.tolist()], np.int64)

    def strings(self, field: str, numbers: np.ndarray) -> Iterator[str]:
        """Yield the text, name, writer or group of samples."""
        return (getattr(self.sample(n), field) for n in numbers.tolist())

    def moments(self, numbers: np.ndarray) -> Iterator[Moments]:
        """Yield the moments of samples, for `Normalisation.merged`."""
        return (moments_of(self.sample(n).ink) for n in numbers.tolist())

    def shards(self, numbers: np.ndarray) -> np.ndarray:
        """Return the number of the shard of each sample, `(samples,)` int."""
        return np.zeros(len(numbers), np.int64)

    def cached(self, names: Sequence[str], make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """Return the results of `make`, one a name, which may be cached; see `Samples.cached`."""
        return make()

    def take(self, numbers: np.ndarray) -> "Samples":
        """Return the samples with these numbers, in the order of the numbers."""
        return Samples(((self, ""),), numbers)


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """A sequence of samples in one or several columns; a sample is read when it is asked for.

    Lengths, strings and moments of all samples come from the columns, without reading the samples.
    """

    parts: tuple[tuple[Columns, str], ...] = ()
    """The columns, each with a suffix of the names of its samples."""
    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """`(samples,)` int: `PART` times the number of the part, plus the number in its columns."""

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "Samples":
        """Return any samples as `Samples`."""
        return samples if isinstance(samples, Samples) else cls.by_split({"": samples})[""]

    @classmethod
    def by_split(cls, lists: Mapping[str, Iterable[Sample]]) -> "dict[str, Samples]":
        """Return any samples by split as `Samples`; samples of lists are in the same columns."""
        number_of: dict[Sample, int] = {}
        numbers = {
            split: [number_of.setdefault(sample, len(number_of)) for sample in samples]
            for split, samples in lists.items()
            if not isinstance(samples, Samples)
        }
        columns = Columns([*number_of])
        return {
            split: samples
            if isinstance(samples, Samples)
            else columns.take(np.array(numbers[split], np.int64))
            for split, samples in lists.items()
        }

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Sample: ...

    @overload
    def __getitem__(self, place: slice) -> "Samples": ...

    def __getitem__(self, place: int | slice) -> "Sample | Samples":
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        part, number = divmod(int(self.ids[place]), PART)
        columns, suffix = self.parts[part]
        sample = columns.sample(number)
        return sample.renamed(sample.name + suffix) if suffix else sample

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def __add__(self, other: Iterable[Sample]) -> "Samples":
        other = Samples.of(other)
        if not len(self) or not len(other):
            return self if len(self) else other
        parts, *ids = self._aligned(other)
        return Samples(parts, np.concatenate(ids))

    def _aligned(
        self, other: "Samples"
    ) -> tuple[tuple[tuple[Columns, str], ...], np.ndarray, np.ndarray]:
        """Return the parts of both sequences, and the ids that their samples have in these."""
        parts = {(id(part[0]), part[1]): part for part in (*self.parts, *other.parts)}
        place_of = {key: place for place, key in enumerate(parts)}
        aligned = []
        for samples in (self, other):
            places = [place_of[id(columns), suffix] for columns, suffix in samples.parts]
            part, number = samples._divided_ids()
            aligned.append(np.array(places, np.int64)[part] * PART + number)
        return (*parts.values(),), *aligned

    def _divided_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the part of each sample, and its number in the columns, `(samples,)` each."""
        return np.divmod(self.ids.astype(np.int64), PART)

    def _in_columns(self) -> Iterator[tuple[Columns, str, np.ndarray]]:
        """Yield the columns, the suffix and the numbers of consecutive samples of a part."""
        if len(self.parts) == 1 and len(self):
            yield *self.parts[0], self.ids
            return
        part, numbers = self._divided_ids()
        starts = np.flatnonzero(np.diff(part)) + 1
        for places in filter(len, np.split(np.arange(len(self)), starts)):
            yield *self.parts[part[places[0]]], numbers[places]

    def take(self, places: np.ndarray) -> "Samples":
        """Return the samples at these places, in the order of the places."""
        return replace(self, ids=np.asarray(self.ids[places]))

    def with_suffix(self, suffix: str) -> "Samples":
        """Return the samples with a suffix at the end of their names."""
        parts = ((columns, previous + suffix) for columns, previous in self.parts)
        return replace(self, parts=(*parts,))

    def strings(self, field: str) -> Iterator[str]:
        """Yield the text, name, writer or group of each sample."""
        for columns, suffix, numbers in self._in_columns():
            end = suffix if field == "name" else ""
            for value in columns.strings(field, numbers):
                yield value + end if end else value

    @property
    def hands(self) -> Iterator[str]:
        """The hand of each sample, see `Sample.hand`."""
        pairs = zip(self.strings("writer"), self.strings("group"), strict=True)
        return (writer or group for writer, group in pairs)

    @property
    def lengths(self) -> np.ndarray:
        """The number of points of each sample, `(samples,)` int64."""
        lengths = [columns.lengths(numbers) for columns, _, numbers in self._in_columns()]
        return np.concatenate([np.zeros(0, np.int64), *lengths])

    @property
    def shards(self) -> np.ndarray:
        """The number of the shard that has each sample, `(samples,)` int64."""
        shards = [np.zeros(0, np.int64)]
        for columns, _, numbers in self._in_columns():
            shards.append(columns.shards(numbers) + 1 + shards[-1].max(initial=-1))
        return np.concatenate(shards)

    @property
    def moments(self) -> Iterator[Moments]:
        """The moments of each sample, for `Normalisation.merged`."""
        for columns, _, numbers in self._in_columns():
            yield from columns.moments(numbers)

    @property
    def columns(self) -> list[Columns]:
        """The columns of the samples, in the order of the samples."""
        return [columns for columns, _, _ in self._in_columns()]

    @property
    def by_columns(self) -> "list[Samples]":
        """The samples in sequences that are each in the same columns, in order."""
        return [
            Samples(((columns, suffix),), numbers)
            for columns, suffix, numbers in self._in_columns()
        ]

    @property
    def in_memory(self) -> "Samples":
        """The samples that are in memory."""
        is_held = np.array([columns.key is None for columns, _ in self.parts], bool)
        return self.take(np.flatnonzero(is_held[self._divided_ids()[0]]))

    def without(self, others: "Samples") -> "Samples":
        """Return our samples that are not in `others`, deduplicated."""
        _, ids, seen = self._aligned(others)
        first = np.sort(np.unique(ids, return_index=True)[1])
        new = first[~np.isin(ids[first], seen)]
        return self if len(new) == len(self) else self.take(new)

    def places_in(self, others: "Samples") -> np.ndarray:
        """Return the place of each sample in `others`, which has each sample once."""
        _, ids, listed = self._aligned(others)
        order = np.argsort(listed)
        return order[np.searchsorted(listed, ids, sorter=order)]

    @cached_property
    def key(self) -> str | None:
        """A digest of the samples' identities; None if some samples are only in memory."""
        digest = hashlib.sha256()
        for columns, suffix, numbers in self._in_columns():
            if columns.key is None:
                return None
            digest.update(f"{columns.key}\0{suffix}\0{len(numbers)}\0".encode())
            digest.update(numbers.astype("<i8").tobytes())
        return digest.hexdigest()[:16]

    def cached(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the result of `make`, an array or a value of JSON, for these samples.

        It depends on the samples and `key` alone, and is cached in a file if the samples are in
        files; an array is then a `Column`.
        """
        return self.all_cached([key], lambda: [make()])[0]

    def all_cached(self, keys: Sequence[str], make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """Return the results of `make`, one a key; it is called if one of them is not `cached`."""
        if not len(self) or self.key is None:
            return make()
        return self.columns[0].cached([f"{key}-{self.key}" for key in keys], make)


# Samples in files.


def mapped(path: Path) -> np.memmap:
    """Return the array in a `.npy` file; raise an OSError or ValueError if it is no whole one."""
    check_regular(path)
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # A header is Python source, which can fail in any way.
        raise ValueError(first_line(error)) from None


class Column(np.ndarray):
    """An array in a `.npy` file, mapped and read-only; a process that gets it gets its path."""

    path: Path | None = None  # None for a slice or a result of a column

    @classmethod
    def of(cls, path: Path) -> "Column":
        """Return the column in a file; raises an OSError or ValueError if it is not a whole one."""
        column = mapped(path).view(cls)
        column.path = path
        return column

    @staticmethod
    def write(path: Path, values: np.ndarray) -> None:
        """Write a column in one step, so that no half of it is ever read."""
        values = np.asarray(values, order="C")
        atomic_write(path, lambda file: np.save(file, values, allow_pickle=False))

    def __reduce__(self) -> str | tuple[Any, ...]:
        return super().__reduce__() if self.path is None else (Column.of, (self.path,))


class _Rows:
    """A column of a shard, read row by row: the pages of a map would stay in memory."""

    def __init__(self, path: Path, column: np.memmap) -> None:
        self.dtype, self._start = column.dtype, column.offset
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115

    def __getitem__(self, rows: slice) -> np.ndarray:
        size = self.dtype.itemsize
        begin = self._start + rows.start * size
        length = (rows.stop - rows.start) * size
        if hasattr(os, "pread"):
            return np.frombuffer(os.pread(self._file.fileno(), length, begin), self.dtype)
        self._file.seek(begin)  # on Windows, where processes share no open file
        return np.frombuffer(self._file.read(length), self.dtype)


class Shard:
    """The columns of a shard; an OSError, ValueError, KeyError or TypeError if they do not fit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = [folder / f"{name}.npy" for name in ("points", "strings", "samples")]
        columns = [*map(mapped, paths)]
        check_columns(*columns)
        self.num_samples = len(columns[2])
        self._points, self._strings, self._samples = map(_Rows, paths, columns)
        self.extras = _extras_in(self._samples.dtype)

    def stops(self, count: int) -> np.ndarray:
        """Return the ends of the points of the first samples, `(count,)` int64."""
        return self._samples[0:count]["stop"]

    def rows(self, place: int) -> np.ndarray:
        """Return the rows of the previous sample, zeros before the first, and of a sample."""
        if place:
            return self._samples[place - 1 : place + 1]
        return np.concatenate([np.zeros(1, self._samples.dtype), self._samples[0:1]])

    def sample(self, place: int) -> Sample:
        before, row = self.rows(place)
        points = self._points[before["stop"] : row["stop"]]
        ink = np.empty((len(points), 3), np.float32)
        ink[:, :2], ink[:, 2] = points["offset"], points["end"]
        return Sample(
            ink,
            ends=bool(row["whole"]),
            missing=points["missing"].copy(),
            extras={name: row[EXTRA + name] for name in self.extras},
            **dict(zip(STRINGS, self._texts(before, row), strict=True)),
        )

    def strings(self, place: int) -> list[str]:
        """Return the `STRINGS` of a sample."""
        return self._texts(*self.rows(place))

    def _texts(self, before: np.void, row: np.void) -> list[str]:
        first, bounds = int(before["strings"][-1]), row["strings"].tolist()
        content = self._strings[first : bounds[-1]].tobytes()
        return [
            content[a - first : b - first].decode(errors="replace")
            for a, b in pairwise([first, *bounds])
        ]


class PreparedColumns(Columns):
    """The samples of a prepared folder by their places in it; a process gets its path."""

    folder: Path

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: dict[int, Shard] = {}

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return PreparedColumns, (self.folder,)

    @cached_property
    def index(self) -> dict[str, Any]:
        index = read_json(self._file(INDEX))
        check_version(self.folder, index["format"], FORMAT_VERSION, "prepare the data anew")
        try:
            check_index(index)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise DataError(f"{self.folder}: damaged or missing: {INDEX}") from error
        return index

    def _file(self, name: str) -> Path:
        """Return the path of a file or shard."""
        return self.folder / name

    @cached_property
    def key(self) -> str:  # type: ignore[override]  # The index is read when it is needed.
        return self.index["digest"]

    @cached_property
    def _lengths(self) -> Column:
        return Column.of(self._file(LENGTHS))

    @cached_property
    def _starts(self) -> list[int]:
        """The place of the first sample of each shard."""
        return [*accumulate((shard["samples"] for shard in self.index["shards"]), initial=0)]

    def _shard(self, number: int) -> Shard:
        if (shard := self._opened.get(number)) is None:
            if len(self._opened) == MAX_OPEN:
                self._opened.pop(next(iter(self._opened)))
            record = self.index["shards"][number]
            shard = self._opened[number] = self._open(record["name"])
            if shard.num_samples != record["samples"]:
                raise DataError(f"{self.folder}: damaged: {record['name']}")
        return shard

    def _open(self, name: str) -> Shard:
        try:
            return Shard(self._file(name))
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.folder}: damaged: {name}") from error

    @property
    def all(self) -> Samples:
        """All samples, in the order of the index; a DataError if they are damaged."""
        try:
            order = Column.of(self._file(ORDER))
            check_order(order, self._lengths, self._starts[-1])
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder}: damaged: {ORDER} or {LENGTHS}") from error
        return self.take(order)

    @property
    def faults(self) -> list[Fault]:
        return [Fault(*arguments) for arguments in self.index["faults"]]

    @property
    def notes(self) -> list[Any]:
        return self.index["notes"]

    def sample(self, number: int) -> Sample:
        shard = bisect_right(self._starts, number) - 1
        return self._shard(shard).sample(number - self._starts[shard])

    def shards(self, numbers: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._starts, numbers, side="right") - 1

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        return self._lengths[numbers].astype(np.int64)

    def strings(self, field: str, numbers: np.ndarray) -> Iterator[str]:
        place_of = STRINGS.index(field)
        for shard, place in self._places(numbers):
            yield shard.strings(place)[place_of]

    def moments(self, numbers: np.ndarray) -> Iterator[Moments]:
        for shard, place in self._places(numbers):
            yield tuple(shard.rows(place)[1]["moments"].tolist())

    def _places(self, numbers: np.ndarray) -> Iterator[tuple[Shard, int]]:
        """Yield the shard of each sample, and its place there."""
        shards = self.shards(numbers)
        within = numbers - np.array(self._starts)[shards]
        for shard, place in zip(shards.tolist(), within.tolist(), strict=True):
            yield self._shard(shard), place

    def cached(self, names: Sequence[str], make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        with suppress(OSError, ValueError, DataError):
            return [_value_in(self._file(f"{CACHED}/{name}.npy")) for name in names]
        return [self._stored(name, value) for name, value in zip(names, make(), strict=True)]

    def _stored(self, name: str, value: Any) -> Any:
        """Store a value, and return it; an array is returned as a column."""
        file = self.folder / CACHED / f"{name}.npy"
        array = value if isinstance(value, np.ndarray) else np.array(json.dumps(value).encode())
        with suppress(OSError):  # If it cannot be written, it is computed each time.
            file.parent.mkdir(exist_ok=True)
            Column.write(file, array)
            return Column.of(file) if array.ndim else value
        return value


def _value_in(path: Path) -> Any:
    """Return the array or the value of JSON in a file; raise a ValueError if there is none."""
    column = Column.of(path)
    if column.ndim:
        return column
    if column.dtype.kind != "S" or column.nbytes > MAX_READ_BYTES:
        raise ValueError
    return json_values(column.item())


def open_prepared(folder: Path, *, is_compared: bool = False) -> PreparedColumns | None:
    """Return the samples of a prepared folder; None if there is none.

    Args:
        folder: the folder.
        is_compared: whether to compare the digest of each shard; else the sizes of files are.

    Raises:
        DataError: if shards are missing or damaged; the message names the first of them.
    """
    columns = PreparedColumns(folder)
    try:
        index = columns.index
        files = {folder / shard["name"]: shard for shard in index["shards"]}
        damaged = [path.name for path in files if not is_whole(path, files[path], is_compared)]
        sizes = index["files"]
        damaged += [file for file in sizes if not _have_sizes(folder, {file: sizes[file]})]
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        damaged = [INDEX]
    if damaged:
        raise DataError(f"{folder}: damaged or missing: {first_of(damaged)}")
    return columns


def is_whole(folder: Path, shard: Mapping[str, Any], is_compared: bool) -> bool:
    """Return whether a shard's files have the sizes, and perhaps the digest, of its record."""
    if not _have_sizes(folder, shard["files"]):
        return False
    with suppress(OSError):
        return not is_compared or digest_of(folder) == shard["digest"]
    return False


def _have_sizes(folder: Path, sizes: Mapping[str, int]) -> bool:
    """Return whether the files of a folder are there, with these sizes."""
    with suppress(OSError):
        return all((folder / file).stat().st_size == sizes[file] for file in sizes)
    return False


# Writing.


def write_shard(folder: Path, name: str, samples: list[Sample]) -> dict[str, Any]:
    """Write a shard, and return its entry in the record of the block."""
    columns, temporary = _columns(samples), folder / f".{name}-{os.getpid()}"
    temporary.mkdir()
    for column, values in columns.items():
        Column.write(temporary / f"{column}.npy", values)
    files = {file.name: file.stat().st_size for file in sorted(temporary.iterdir())}
    digest = digest_of(temporary)
    shutil.rmtree(folder / name, ignore_errors=True)
    temporary.rename(folder / name)
    offsets, dtype = columns["points"]["offset"], columns["samples"].dtype
    extras = {name: dtype[EXTRA + name].shape for name in _extras_in(dtype)}
    counts = {"samples": len(samples), "points": len(offsets), "extras": extras}
    is_on_grid = bool((offsets == np.rint(offsets)).all())
    return {"name": name, "files": files, "digest": digest, "on_grid": is_on_grid, **counts}


def _columns(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the columns of a shard, each of one dimension: points, strings, and samples. The row
    of a sample has the ends of its points and of each of its `STRINGS`.

    Offsets are int16 if that loses nothing.
    """
    offsets = np.concatenate([sample.ink[:, :2] for sample in samples])
    fits_int16 = (np.abs(offsets) < 2**15).all() and (offsets == np.rint(offsets)).all()
    # The name of a file may have bytes that are not valid text: they are escaped.
    strings = [
        getattr(sample, key).encode(errors="backslashreplace")
        for sample in samples
        for key in STRINGS
    ]
    of_points = {
        "offset": offsets.astype("<i2" if fits_int16 else "<f4"),
        "end": np.concatenate([sample.ink[:, 2] > 0 for sample in samples]),
        "missing": np.concatenate([sample.missing_counts for sample in samples]).astype("u1"),
    }
    of_samples = {
        "stop": np.cumsum([len(sample.ink) for sample in samples], dtype="<i8"),
        "strings": np.cumsum([*map(len, strings)], dtype="<i8").reshape(-1, len(STRINGS)),
        "whole": np.array([sample.ends for sample in samples]),
        "moments": np.array([moments_of(sample.ink) for sample in samples], "<f8"),
        **{f"{EXTRA}{name}": values for name, values in stacked(samples).items()},
    }
    return {
        "points": _side_by_side(of_points),
        "strings": np.frombuffer(b"".join(strings), "u1"),
        "samples": _side_by_side(of_samples),
    }


def _extras_in(dtype: np.dtype) -> list[str]:
    """Return the names of the extras in the column of samples."""
    names = dtype.names or ()
    return [name.removeprefix(EXTRA) for name in names if name.startswith(EXTRA)]


def _side_by_side(fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return arrays `(rows, ...)` as the fields of one array `(rows,)`."""
    dtype = [(name, values.dtype, values.shape[1:]) for name, values in fields.items()]
    rows = np.empty(len(next(iter(fields.values()))), dtype)
    for name, values in fields.items():
        rows[name] = values
    return rows


def digest_of(folder: Path) -> str:
    """Return a digest of the names and contents of a shard's files; raises an OSError."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.npy")):
        digest.update(f"{file.name}\0{content_digest(file)}\n".encode())
    return digest.hexdigest()


# Checks.


def read_json(path: Path) -> Any:
    """Return the values of a JSON file; raise an OSError or a ValueError if there are none."""
    return json_values(read_bytes(path))


def json_values(content: bytes) -> Any:
    """Return the values of a JSON text; raise a ValueError if there are none, or too many."""
    if content.count(b",") > MAX_VALUES:  # each value but the first follows a comma
        raise ValueError(f"more than {MAX_VALUES:,} values")
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def check_index(index: Any) -> None:
    """Raise a ValueError, KeyError or TypeError if an index is not as `cache.py` writes it."""
    shards = index["shards"]
    check_records(shards)
    _check(len({shard["name"] for shard in shards}) == len(shards))
    _check(all(0 < len(fault) <= 3 and _are(str, fault) for fault in index["faults"]))
    _check(_are(str | None, index["licences"]) and isinstance(index["notes"], list))
    _check(_are(int, index["files"].values()) and isinstance(index["digest"], str))
    _check(isinstance(index["quantisation_step"], float | int | None))


def check_records(shards: Iterable[Mapping[str, Any]]) -> None:
    """Raise an error as `check_index` does if a record of a shard is not sound."""
    for shard in shards:
        _check(SHARD.fullmatch(shard["name"]) and isinstance(shard["digest"], str))
        counts = shard["samples"], shard["points"], *shard["files"].values()
        _check(_are(int, counts) and min(counts) > 0 and {*shard["files"]} == {*COLUMNS})
        _check(isinstance(shard["on_grid"], bool))
        _check(all(_are(int, shape) for shape in shard["extras"].values()))


def check_columns(points: np.ndarray, strings: np.ndarray, samples: np.ndarray) -> None:
    """Raise an error as `check_index` does if the columns of a shard do not fit each other."""
    _check(points.ndim == strings.ndim == samples.ndim == 1 and strings.dtype.str[1:] == "u1")
    for dtype, kinds in ((points.dtype, POINTS), (samples.dtype, SAMPLES)):
        _check(all(dtype[name].base.str[1:] in kind for name, kind in kinds.items()))
    _check_ends(samples["stop"], len(points))
    _check_ends(samples["strings"].ravel(), len(strings))


def _check_ends(ends: np.ndarray, size: int) -> None:
    """Raise a ValueError unless consecutive parts end within an array of some size, at its end."""
    _check(len(ends) and ends[0] >= 0 and ends[-1] == size and (np.diff(ends) >= 0).all())


def check_order(order: np.ndarray, lengths: np.ndarray, count: int) -> None:
    """Raise a ValueError unless an order has places below a count, and each place a length."""
    _check(order.ndim == lengths.ndim == 1 and order.dtype.kind == lengths.dtype.kind == "i")
    _check(len(lengths) == count and (not count or lengths.min() > 0))
    _check(not len(order) or 0 <= order.min() <= order.max() < count)


def _check(is_sound: object) -> None:
    if not is_sound:
        raise ValueError


def _are(kind: Any, values: Iterable[Any]) -> bool:
    return all(isinstance(value, kind) and not isinstance(value, bool) for value in values)


# Extras.


class ExtraShapes(dict[str, tuple[int, ...]]):
    """The shapes of extras by name; an extra is an array of fixed shape that a network takes."""

    def __init__(self, shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__({name: tuple(shape) for name, shape in shapes.items()})

    def __missing__(self, name: str) -> NoReturn:
        where = "the samples, or its attribute `extras`,"
        raise DataError(f"the network takes the extra {name!r}; {where} have {self}")

    def __str__(self) -> str:
        return ", ".join(f"{name} of shape {shape}" for name, shape in self.items()) or "no extras"


def shapes_of(samples: Iterable[Sample]) -> ExtraShapes:
    """Return the shapes of the extras of samples, by name.

    Raises:
        DataError: if the names or shapes of a sample's extras differ from the first sample's.
    """
    first, expected = "", ExtraShapes({})
    for number, sample in enumerate(samples):
        shapes = ExtraShapes({name: values.shape for name, values in sample.extras.items()})
        if not number:
            first, expected = sample.name, shapes
        elif shapes != expected:
            raise DataError(f"{sample.name} has {shapes}, but {first}, the first, has {expected}")
    return expected


def stacked(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the extras of samples by name, each `(samples, ...)` float32; see `shapes_of`."""
    return {
        name: np.stack([sample.extras[name] for sample in samples])
        for name in sorted(shapes_of(samples))
    }
