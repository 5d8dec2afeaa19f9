"""The files of a prepared folder: columns of samples in shards, written block by block, and read
when a sample is asked for.

A prepared folder is called `KIND-DIGEST`; the digest covers all on which the samples depend.
`data_loader/sources/cache.py` says when it is written: each block becomes one or more shards, and
then a record; the index comes last, with samples of files sorted by name, so that their order is
not that of reading. A folder may be damaged, or somebody else's: what is read is checked.

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
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from base.data.samples import Columns, Samples, stacked
from ink.normalisation import Moments, moments_of
from ink.sample import Fault, Parsed, Sample
from utils.checks import DataError, check_version, first_line, first_of
from utils.files import (
    MAX_READ_BYTES,
    atomic_write,
    check_regular,
    content_digest,
    read_bytes,
    write_json,
)

FORMAT_VERSION = 5
INDEX, ORDER, LENGTHS, CACHED = "index.json", "order.npy", "lengths.npy", "kept"
IDENTITY = "identity.json"
SHARD_POINTS = 4_000_000  # points after which a shard ends (assumed: 24 MB)
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


# Writing.


def write_block(folder: Path, number: int, block: Iterable[Parsed]) -> None:
    """Write the shards of the samples of a block, and the block's record, in a folder."""
    for leftover in folder.glob(f".{number:05}-*"):  # of a process that was killed
        shutil.rmtree(leftover)
    shards: list[dict[str, Any]] = []
    faults: list[Fault] = []
    notes: list[Any] = []
    samples: list[Sample] = []
    points = 0
    for parsed in block:
        faults += parsed.left_out
        notes += parsed.notes
        for sample in parsed.samples:
            samples.append(sample)
            points += len(sample.ink)
            if points >= SHARD_POINTS:
                shards.append(_write_shard(folder, f"{number:05}-{len(shards):03}", samples))
                samples, points = [], 0
    if samples:
        shards.append(_write_shard(folder, f"{number:05}-{len(shards):03}", samples))
    record = {"shards": shards, "faults": [fault.args for fault in faults], "notes": notes}
    write_json(folder / f"{number:05}.json", record, indent=None)


def _write_shard(folder: Path, name: str, samples: list[Sample]) -> dict[str, Any]:
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


def block_record(folder: Path, number: int, is_examined: bool) -> dict[str, Any] | None:
    """Return the record of a block, if it and its shards are whole."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = read_json(folder / f"{number:05}.json")
        check_records(record["shards"])
        if all(is_whole(folder / shard["name"], shard, is_examined) for shard in record["shards"]):
            return record
    return None


def write_index(
    folder: Path,
    records: Sequence[dict[str, Any]],
    *,
    kind: str,
    key: Mapping[str, object],
    is_sorted: bool,
    licences: Sequence[str | None],
) -> None:
    """Write the index of a folder whose shards are complete.

    Args:
        folder: the folder.
        records: the records of all blocks, in order.
        kind, is_sorted, licences: those of the `data_loader.sources.cache.CacheKey`.
        key: its values.

    Raises:
        DataError: if there is no sample, or the extras of shards differ.
    """
    shards = [shard for record in records for shard in record["shards"]]
    faults = [Fault(*arguments) for record in records for arguments in record["faults"]]
    names: list[str] = []
    lengths = [np.zeros(0, np.int64)]
    for shard in shards:
        opened, count = Shard(folder / shard["name"]), shard["samples"]
        names += (opened.strings(place)[1] for place in range(count))
        lengths.append(np.diff(opened.stops(count), prepend=0))
    order = [*range(len(names))]
    if is_sorted:
        order, faults = _by_name(names, faults)
    extras = shards[0]["extras"] if shards else {}
    for shard in shards:
        if shard["extras"] != extras:
            pair = f"{shard['extras']}, earlier shards {extras}"
            raise DataError(f"samples of {folder / shard['name']} have the extras {pair}")
    columns = {
        ORDER: np.array(order, "<i4" if len(names) < 2**31 else "<i8"),
        LENGTHS: np.concatenate(lengths).astype("<i4"),
    }
    for file, values in columns.items():
        Column.write(folder / file, values)
    identity = json.dumps([[shard["digest"] for shard in shards], is_sorted])
    index = {
        "format": FORMAT_VERSION,
        "kind": kind,
        "key": key,
        "digest": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "samples": len(order),
        "quantisation_step": 1.0 if all(shard["on_grid"] for shard in shards) else None,
        "licences": [*licences],
        "extras": extras,
        "files": {file: (folder / file).stat().st_size for file in columns},
        "shards": shards,
        "faults": [fault.args for fault in faults],
        "notes": [note for record in records for note in record["notes"]],
    }
    write_json(folder / INDEX, index, indent=None)


def _by_name(names: Sequence[str], faults: Sequence[Fault]) -> tuple[list[int], list[Fault]]:
    """Return the places of samples, sorted by their names, and the faults with those of samples
    whose name an earlier sample has; raise a DataError if there is no sample."""
    first = {name: place for place, name in reversed([*enumerate(names)])}
    repeated = (name for place, name in enumerate(names) if first[name] != place)
    repeats = [Fault("a name that another sample has", name=name) for name in repeated]
    faults = sorted([*faults, *repeats], key=lambda fault: fault.name)
    if not names:
        listed = ", ".join(map(str, faults[:3]))
        if len(faults) == 1:
            raise DataError(listed)
        raise DataError(f"no sample can be used; {len(faults):,} are left out: {listed}")
    return sorted(first.values(), key=names.__getitem__), faults


# Reading.


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
