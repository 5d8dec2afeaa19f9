"""Reads prepared samples: a folder of shards, which are folders of columns, and an index.

The folder is called `KIND-DIGEST`; the digest covers all on which the samples depend (`keys`).
`preparing` and `shard_writing` write it.

    index.json             the shards with sizes and digests, the faults, the licence
    order.npy lengths.npy  the samples' places in the shards, in order; the length at each place
    00000.json             the record of a block
    00000-000/*.npy        the columns of a shard, see `shard_writing`
    kept/                  cached values that were computed from samples, see `Store.cached`
    identity.json          all on which the samples depend, if the folder has another name
"""

import json
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from base.data.samples import Column, Samples, Store, mapped
from data_loader.sources.fetching import INDEX, digest_of, fetched
from data_loader.sources.shard_checks import (
    check_columns,
    check_index,
    check_order,
    is_examined,
    json_values,
    note_examined,
    read_json,
)
from ink.formats.faults import Fault
from ink.normalisation import Moments
from ink.sample import Sample
from utils.checks import DataError, check_version, first_of
from utils.files import MAX_BYTES

FORMAT_VERSION = 5
STRINGS = ("text", "name", "writer", "group")
EXTRA = "extra."  # begins the names of fields of extras
ORDER, LENGTHS, CACHED = "order.npy", "lengths.npy", "kept"
MAX_OPEN = 250  # shards, of three files each: processes may have 1,024 open files


class _Rows:
    """A column of a shard, read row by row: the pages of a map would stay in memory."""

    def __init__(self, path: Path, mapped: np.memmap) -> None:
        self.dtype, self._start = mapped.dtype, mapped.offset
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115

    def __getitem__(self, rows: slice) -> np.ndarray:
        size = self.dtype.itemsize
        begin, length = self._start + rows.start * size, (rows.stop - rows.start) * size
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
        self.extras = [name for name in self._samples.dtype.names if name.startswith(EXTRA)]

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
            *self._texts(before, row),
            ends=bool(row["whole"]),
            missing=points["missing"].copy(),
            extras={name.removeprefix(EXTRA): row[name] for name in self.extras},
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


class Shards(Store):
    """The samples of a prepared folder by their places in it; a process gets its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: dict[int, Shard] = {}

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return Shards, (self.folder,)

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
    def key(self) -> str:
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
        """All samples, in the order of the index."""
        try:
            order = Column.of(self._file(ORDER))
            check_order(order, self._lengths, self._starts[-1])
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder}: damaged: {ORDER} or {LENGTHS}") from error
        return self.take(order)

    @property
    def faults(self) -> list[Fault]:
        """The faults of files and samples that were left out."""
        return [Fault(*arguments) for arguments in self.index["faults"]]

    @property
    def notes(self) -> list[Any]:
        """The notes about derived samples, see `derived.make_samples`."""
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

    def cached(self, name: str, make: Callable[[], Any]) -> Any:
        file = f"{CACHED}/{name}.npy"
        with suppress(OSError, ValueError, DataError):
            column = Column.of(self._file(file))
            return column if column.ndim else _json_in(column)
        value = make()
        array = value if isinstance(value, np.ndarray) else np.array(json.dumps(value).encode())
        with suppress(OSError):  # If it cannot be written, it is computed each time.
            (self.folder / CACHED).mkdir(exist_ok=True)
            Column.write(self.folder / file, array)
            return Column.of(self.folder / file) if array.ndim else value
        return value


def _json_in(column: Column) -> Any:
    """Return the value of a JSON text in a column; raise a ValueError if there is none."""
    if column.dtype.kind != "S" or column.nbytes > MAX_BYTES:
        raise ValueError
    return json_values(column.item())


class Fetched(Shards):
    """The samples of a prepared folder at an address; a shard is fetched when it is needed.

    The files at an address never change.
    """

    def __init__(self, address: str, folder: Path, max_bytes: int) -> None:
        super().__init__(folder)
        self.address, self.max_bytes = address, max_bytes

    def __reduce__(self) -> tuple[type, tuple[str, Path, int]]:
        return Fetched, (self.address, self.folder, self.max_bytes)

    def _file(self, name: str) -> Path:
        return fetched(self.address, self.folder, self.max_bytes, name)

    def _open(self, name: str) -> Shard:
        for _ in range(10):
            with suppress(FileNotFoundError):  # Another process has made room again.
                shard = super()._open(name)
                os.utime(shard.folder)
                # The space of a shard that was removed is free when nobody has it open.
                self._opened = {
                    n: opened for n, opened in self._opened.items() if opened.folder.exists()
                }
                return shard
        raise DataError(f"{self.folder}: too many shards are needed; raise shard_cache_gb")


def open_shards(folder: Path, *, is_compared: bool = False) -> Shards | None:
    """Return the samples of a prepared folder; None if there is none.

    Args:
        folder: the folder.
        is_compared: whether to compare the digest of each shard; else the sizes of files are.

    Raises:
        DataError: if shards are missing or damaged; the message names the first of them.
    """
    shards = Shards(folder)
    try:
        index = shards.index
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
    return shards


def open_copied(folder: Path, *, is_compared: bool = False) -> Shards | None:
    """Return the result of `open_shards` for a folder that may be a copy. The first time that a
    copy is opened, the digests of its shards are compared."""
    shards = open_shards(folder, is_compared=is_compared)
    if shards and not is_examined(folder, shards.index):
        if not is_compared:
            shards = open_shards(folder, is_compared=True)
        note_examined(folder, shards.index)
    return shards


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
