"""Prepared samples: a folder of shards, which are folders of columns, and an index.

The folder is called `KIND-DIGEST`; the digest covers all on which the samples depend. What is read
is divided into blocks, by its sorted list of files alone. Each block becomes one or more shards,
and then a record `BLOCK.json`; a block that is whole is not read again. When all are whole, the
index is written: the samples sorted by name, so that their order is not that of reading.

    index.json             the shards with sizes and digests, what was left out, the licence
    order.npy lengths.npy  the samples' places in the shards, in order; the length at each place
    00000.json             the record of a block
    00000-000/*.npy        the columns of a shard, see `_columns`
    kept/                  what was computed of the samples, see `Store.kept`
    identity.json          where the folder has another name: all on which the samples depend
"""

import hashlib
import inspect
import json
import logging
import os
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from base import distributed
from base.base_dataset import BaseDataset, stacked
from base.base_transform import BaseTransform
from base.config import user_modules
from base.preparing import Preparing
from base.samples import Column, Part, Sample, Samples, Store
from data_loader.sources.fetching import INDEX, digest_of, digest_of_file, fetched
from data_loader.sources.parsing import Fault, Parsed, first_of
from data_loader.sources.untrusted_files import in_processes
from utils import strict_json
from utils.checks import DataError, check_version, shown
from utils.files import atomic_write, check_writable, remove_temporary, user_cache, write_json
from utils.normalisation import Moments, moments_of

FORMAT_VERSION = 5
STRINGS = ("text", "name", "writer", "group")
EXTRA = "extra."  # begins the names of fields of extras
ORDER, LENGTHS, KEPT, IDENTITY = "order.npy", "lengths.npy", "kept", "identity.json"
MAX_OPEN = 250  # shards, of three files each: processes may have 1,024 open files
SHARD_POINTS = 4_000_000  # points after which a shard ends (assumed: 24 MB)
BLOCK_SAMPLES = 10_000  # of preprocessing (assumed)
BLOCK_BYTES = 32 << 20  # of files, after which a block ends (assumed: some seconds of parsing)

logger = logging.getLogger(__name__)


def _columns(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the columns of a shard, each of one dimension: points and strings, and a row for each
    sample, which says where its points and each of its `STRINGS` end.

    Offsets are int16 where that loses nothing.
    """
    offsets = np.concatenate([sample.ink[:, :2] for sample in samples])
    fits_int16 = (np.abs(offsets) < 2**15).all() and (offsets == np.rint(offsets)).all()
    # The name of a file may have bytes that are not valid text: they are escaped.
    strings = [
        getattr(one, key).encode(errors="backslashreplace") for one in samples for key in STRINGS
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


def _side_by_side(fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return arrays `(rows, ...)` as the fields of one array `(rows,)`."""
    dtype = [(name, values.dtype, values.shape[1:]) for name, values in fields.items()]
    rows = np.empty(len(next(iter(fields.values()))), dtype)
    for name, values in fields.items():
        rows[name] = values
    return rows


class _Rows:
    """A column of a shard, read row by row: the pages of a map would stay in memory."""

    def __init__(self, path: Path) -> None:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        self.dtype, self._start = mapped.dtype, mapped.offset
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115

    def __getitem__(self, rows: slice) -> np.ndarray:
        size = self.dtype.itemsize
        begin, length = self._start + rows.start * size, (rows.stop - rows.start) * size
        if hasattr(os, "pread"):
            return np.frombuffer(os.pread(self._file.fileno(), length, begin), self.dtype)
        self._file.seek(begin)  # on Windows, where processes share no open file
        return np.frombuffer(self._file.read(length), self.dtype)


class _Shard:
    """The columns of a shard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._points, self._strings, self._samples = (
            _Rows(folder / f"{name}.npy") for name in ("points", "strings", "samples")
        )
        self.extras = [name for name in self._samples.dtype.names if name.startswith(EXTRA)]

    def stops(self, count: int) -> np.ndarray:
        """Return where the points of the first samples end, `(count,)` int64."""
        return self._samples[0:count]["stop"]

    def rows(self, place: int) -> np.ndarray:
        """Return what was written of the sample before, zeros for the first, and of a sample."""
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
        return [content[a - first : b - first].decode() for a, b in pairwise([first, *bounds])]


class Shards(Store):
    """The samples of a prepared folder by their places in it; a process gets its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: dict[int, _Shard] = {}

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return Shards, (self.folder,)

    @cached_property
    def index(self) -> dict[str, Any]:
        index = json.loads(self._file(INDEX).read_text())
        check_version(self.folder, index["format"], FORMAT_VERSION, "prepare the data anew")
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

    def _shard(self, number: int) -> _Shard:
        if (shard := self._opened.get(number)) is None:
            if len(self._opened) == MAX_OPEN:
                self._opened.pop(next(iter(self._opened)))
            name = self.index["shards"][number]["name"]
            shard = self._opened[number] = self._open(name)
        return shard

    def _open(self, name: str) -> _Shard:
        return _Shard(self._file(name))

    @property
    def all(self) -> Samples:
        """All samples, in the order of the index."""
        return Samples((Part(self, Column.of(self._file(ORDER))),))

    @property
    def faults(self) -> list[Fault]:
        """What was left out."""
        return [Fault(*arguments) for arguments in self.index["faults"]]

    @property
    def notes(self) -> list[Any]:
        """What was noted about samples that were made, see `derived`."""
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

    def _places(self, numbers: np.ndarray) -> Iterator[tuple[_Shard, int]]:
        """Yield the shard of each sample, and its place there."""
        shards = self.shards(numbers)
        within = numbers - np.array(self._starts)[shards]
        for shard, place in zip(shards.tolist(), within.tolist(), strict=True):
            yield self._shard(shard), place

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        file = f"{KEPT}/{name}.npy"
        with suppress(OSError, ValueError, DataError):
            column = Column.of(self._file(file))
            return column if column.ndim else json.loads(column.item())
        value = make()
        array = value if isinstance(value, np.ndarray) else np.array(json.dumps(value).encode())
        with suppress(OSError):  # Where nothing can be written, it is computed each time.
            (self.folder / KEPT).mkdir(exist_ok=True)
            atomic_write(self.folder / file, partial(_save, array))
            return Column.of(self.folder / file) if array.ndim else value
        return value


class Fetched(Shards):
    """The samples of a prepared folder at an address; a shard is fetched when it is needed.

    What lies at an address never changes.
    """

    def __init__(self, address: str, folder: Path, max_bytes: int) -> None:
        super().__init__(folder)
        self.address, self.max_bytes = address, max_bytes

    def __reduce__(self) -> tuple[type, tuple[str, Path, int]]:
        return Fetched, (self.address, self.folder, self.max_bytes)

    def _file(self, name: str) -> Path:
        return fetched(self.address, self.folder, self.max_bytes, name)

    def _open(self, name: str) -> _Shard:
        for _ in range(10):
            with suppress(FileNotFoundError):  # Another process has made room again.
                shard = super()._open(name)
                os.utime(shard.folder)
                # The space of a shard that was removed is free when nobody has it open.
                self._opened = {n: one for n, one in self._opened.items() if one.folder.exists()}
                return shard
        raise DataError(f"{self.folder}: too many shards are needed; raise shard_cache_gb")


def open_shards(folder: Path, *, is_examined: bool = False) -> Shards | None:
    """Return the samples of a prepared folder; None if there is none.

    Args:
        folder: the folder.
        is_examined: whether to compare the digest of each shard; else the sizes of files are.

    Raises:
        DataError: if a shard is missing or damaged; names the first ones.
    """
    shards = Shards(folder)
    try:
        index = shards.index
        files = {folder / shard["name"]: shard for shard in index["shards"]}
        damaged = [one.name for one in files if not _is_whole(one, files[one], is_examined)]
        damaged += [file for file in index["files"] if not _have_sizes(folder, index["files"])]
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        damaged = [INDEX]
    if damaged:
        raise DataError(f"{folder}: damaged or missing: {first_of(damaged)}")
    return shards


def _is_whole(folder: Path, shard: Mapping[str, Any], is_examined: bool) -> bool:
    """Return whether a shard's files have the sizes, and perhaps the digest, of its record."""
    is_whole = _have_sizes(folder, shard["files"])
    with suppress(OSError):
        return is_whole and not (is_examined and digest_of(folder) != shard["digest"])
    return False


def _have_sizes(folder: Path, sizes: Mapping[str, int]) -> bool:
    """Return whether the files of a folder are there, with these sizes."""
    with suppress(OSError):
        return all((folder / file).stat().st_size == sizes[file] for file in sizes)
    return False


def blocks_of(files: Sequence[Path]) -> list[list[Path]]:
    """Return consecutive files that are read together, by their sizes alone."""
    blocks: list[list[Path]] = []
    size = BLOCK_BYTES
    for file in files:
        if size >= BLOCK_BYTES:
            blocks.append([])
            size = 0
        blocks[-1].append(file)
        size += file.stat().st_size
    return blocks


def fingerprint(files: Iterable[Path], root: Path) -> str:
    """Return a digest of the files' paths relative to `root`, sizes and times of change."""
    digest = hashlib.sha256()
    for file in sorted(files):
        status = file.stat()
        line = f"{os.path.relpath(file, root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode(errors="backslashreplace"))
    return digest.hexdigest()


@dataclass(frozen=True)
class Making:
    """What a prepared folder is made of."""

    kind: str
    """The name of the source's class, with which the folder's name begins."""
    key: Mapping[str, object]
    """Values, for JSON, that identify the samples: a fingerprint and options."""
    blocks: Sequence[Any]
    read: Callable[[Any], Iterable[Parsed]]
    """Yields what is in a block, bit by bit."""
    is_sorted: bool = True
    """Whether the samples get the order of their names; else they keep theirs."""
    licences: Sequence[str | None] = ()

    @property
    def identity(self) -> dict[str, object]:
        """All on which the folder's content depends."""
        return {"format": FORMAT_VERSION, "kind": self.kind, **self.key}

    @property
    def name(self) -> str:
        text = json.dumps(self.identity, sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def prepared(
    making: Making, folders: Sequence[Path], how: Preparing = Preparing()
) -> Shards | None:
    """Return the samples of a making, which are made if they are not there.

    If several processes need a new folder, the first process makes it and the others wait.

    Args:
        making: what to make.
        folders: the folders that may hold the prepared folder, the preferred one first.
        how: how to make it; None is returned if it makes a part, and others are not there yet.

    Raises:
        DataError: if no folder can be written, or the source cannot be read.
    """
    for folder in folders:
        with suppress(DataError):
            if found := open_shards(folder / making.name, is_examined=how.is_examined):
                return found
    folder = _writable(folders) / making.name
    try:
        if how.parts > 1:  # Parts share no block, and their machines perhaps no locks.
            return _made(making, folder, how)
        with FileLock(folder.with_suffix(".lock")):
            return _made(making, folder, how)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {folder}: {error.strerror or error}; make room there, or "
            'name another folder as "cache" of the dataset'
        ) from error


def made_in(folder: Path, making: Making) -> Shards:
    """Return the samples of a making that are made in a folder of their own, which is then the
    `root` of a source. What is whole there stays, so that a killed process's work goes on.

    Raises:
        DataError: if the folder has something else in it, or cannot be written.
    """
    file, wanted = folder / IDENTITY, strict_json.plain(making.identity)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists() and any(not one.name.startswith(".") for one in folder.iterdir()):
            raise DataError(f"{folder}: has other files; name a new folder")
        with FileLock(folder / ".lock"):
            if not file.exists():
                write_json(file, wanted)
            for key, (old, new) in strict_json.differences(strict_json.read(file), wanted).items():
                problem = f"the samples there have {key} = {shown(old)}, not {shown(new)}"
                raise DataError(f"{folder}: {problem}; name another folder")
            remove_temporary(folder)
            if (made := _made(making, folder, Preparing())) is None:
                raise DataError(f"{folder}: what was written there cannot be read")
            return made
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise DataError(f"{error.filename or folder}: {problem}") from error


def _made(making: Making, folder: Path, how: Preparing) -> Shards | None:
    """Return the samples in `folder`, of which what is not whole is made."""
    try:
        if found := open_shards(folder, is_examined=how.is_examined):  # another was faster
            return found
    except DataError as error:
        logger.warning("the cache is damaged and will be rebuilt: %s", error)
    folder.mkdir(exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    numbers = range(how.part - 1, len(making.blocks), how.parts)
    lacking = [n for n in numbers if _record(folder, n, how.is_examined) is None]
    blocks = [(n, making.blocks[n]) for n in lacking]
    workers = how.workers if len(blocks) > 1 else 1  # An archive has workers of its own.
    made = in_processes(partial(_write_block, folder, making.read), blocks, workers)
    if workers > 1:
        made = distributed.bar(made, "preparing", total=len(blocks), unit=" blocks")
    for _ in made:
        pass
    records = [_record(folder, n, False) for n in range(len(making.blocks))]
    if missing := [str(n) for n, record in enumerate(records) if record is None]:
        few = first_of(missing, 10)
        logger.info("%s: of %d blocks these are still missing: %s", folder, len(records), few)
        return None
    _write_index(making, folder, records)
    return open_shards(folder)


def _record(folder: Path, number: int, is_examined: bool) -> dict[str, Any] | None:
    """Return the record of a block, if it and its shards are whole."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((folder / f"{number:05}.json").read_text())
        if all(_is_whole(folder / one["name"], one, is_examined) for one in record["shards"]):
            return record
    return None


def _write_block(
    folder: Path, read: Callable[[Any], Iterable[Parsed]], numbered: tuple[int, Any]
) -> None:
    """Read a block with its number, and write its shards and its record."""
    number, block = numbered
    for leftover in folder.glob(f".{number:05}-*"):  # of a process that was killed
        shutil.rmtree(leftover)
    shards: list[dict[str, Any]] = []
    faults: list[Fault] = []
    notes: list[Any] = []
    samples: list[Sample] = []
    points = 0
    for parsed in read(block):
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
    """Write a shard, and return what its record says of it."""
    columns, temporary = _columns(samples), folder / f".{name}-{os.getpid()}"
    temporary.mkdir()
    for column, values in columns.items():
        atomic_write(temporary / f"{column}.npy", partial(_save, values))
    files = {file.name: file.stat().st_size for file in sorted(temporary.iterdir())}
    digest = digest_of(temporary)
    shutil.rmtree(folder / name, ignore_errors=True)
    temporary.rename(folder / name)
    offsets, dtype = columns["points"]["offset"], columns["samples"].dtype
    extras = {name.removeprefix(EXTRA): dtype[name].shape for name in dtype.names if EXTRA in name}
    counts = {"samples": len(samples), "points": len(offsets), "extras": extras}
    is_on_grid = bool((offsets == np.rint(offsets)).all())
    return {"name": name, "files": files, "digest": digest, "on_grid": is_on_grid, **counts}


def _save(values: np.ndarray, file: Any) -> None:
    np.save(file, np.asarray(values, order="C"), allow_pickle=False)


def _write_index(making: Making, folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write the index of shards that are all there.

    Raises:
        DataError: if there is no sample, or the extras of shards differ.
    """
    shards = [shard for record in records for shard in record["shards"]]
    faults = [Fault(*arguments) for record in records for arguments in record["faults"]]
    names: list[str] = []
    lengths = [np.zeros(0, np.int64)]
    for shard in shards:
        opened, count = _Shard(folder / shard["name"]), shard["samples"]
        names += (opened.strings(place)[1] for place in range(count))
        lengths.append(np.diff(opened.stops(count), prepend=0))
    order = [*range(len(names))]
    if making.is_sorted:
        first = {name: place for place, name in reversed([*enumerate(names)])}
        taken = [name for place, name in enumerate(names) if first[name] != place]
        faults += [Fault("a name that another sample has", name=name) for name in taken]
        faults.sort(key=lambda fault: fault.name)
        order = sorted(first.values(), key=names.__getitem__)
    if not order and making.is_sorted:
        listed = ", ".join(map(str, faults[:3]))
        if len(faults) == 1:
            raise DataError(listed)
        raise DataError(f"no sample can be used; {len(faults):,} are left out: {listed}")
    extras = shards[0]["extras"] if shards else {}
    for shard in shards:
        if shard["extras"] != extras:
            pair = f"{shard['extras']}, those before {extras}"
            raise DataError(f"samples of {folder / shard['name']} have the extras {pair}")
    columns = {
        ORDER: np.array(order, "<i4" if len(names) < 2**31 else "<i8"),
        LENGTHS: np.concatenate(lengths).astype("<i4"),
    }
    for file, values in columns.items():
        atomic_write(folder / file, partial(_save, values))
    identity = json.dumps([[shard["digest"] for shard in shards], making.is_sorted])
    index = {
        "format": FORMAT_VERSION,
        "kind": making.kind,
        "key": making.key,
        "digest": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "samples": len(order),
        "quantisation_step": 1.0 if all(shard["on_grid"] for shard in shards) else None,
        "licences": [*making.licences],
        "extras": extras,
        "files": {file: (folder / file).stat().st_size for file in columns},
        "shards": shards,
        "faults": [fault.args for fault in faults],
        "notes": [note for record in records for note in record["notes"]],
    }
    write_json(folder / INDEX, index, indent=None)


def derived(
    kind: str,
    parents: Sequence[Samples],
    key: Mapping[str, object],
    blocks: Sequence[Any],
    read: Callable[[Any], Iterable[Parsed]],
) -> tuple[Samples, list[Any]]:
    """Return samples that are made of others, in the order in which they are read, and the notes
    about them; they are kept in files, beside the others, if these are.

    Args:
        kind: the name with which the folder begins.
        parents: what the samples are made of.
        key: what else they depend on, as values of JSON.
        blocks, read: see `Making`.
    """
    stores = [part.store for samples in parents for part in samples.parts]
    if not stores or not all(store.key and store.folder for store in stores):
        parsed = [one for block in blocks for one in read(block)]
        samples = Samples.of([sample for one in parsed for sample in one.samples])
        return samples, [note for one in parsed for note in one.notes]
    key = {**key, "parents": [samples.key for samples in parents]}
    making = Making(kind, key, blocks, read, is_sorted=False)
    shards = prepared(making, [stores[0].folder.parent, user_cache()])
    return shards.all, shards.notes


def derived_by(
    dataset: BaseDataset,
    parents: Sequence[Samples],
    depends: Sequence[object],
    read: Callable[[], Iterable[Parsed]],
) -> tuple[Samples, list[Any]]:
    """Return what a dataset makes of others, see `derived`.

    Args:
        depends: what the samples depend on, besides the dataset's options and the parents; the
            content counts of a file that a `Path` names.
    """
    contents = [digest_of_file(one) if isinstance(one, Path) else repr(one) for one in depends]
    key = {"options": described(dataset), "depends": contents, "code": code_of(type(dataset))}
    return derived(type(dataset).__name__, parents, key, [()], lambda _: read())


def changed(
    samples: Samples,
    transforms: Sequence[BaseTransform],
    change: Callable[[Sample, Sequence[BaseTransform]], Sample],
) -> Samples:
    """Return the results of `change`, in order; those of samples in files are kept beside them.

    Args:
        samples: the samples.
        transforms: what changes them, in this order.
        change: returns a changed sample.
    """
    key = {"steps": described(transforms), "code": code_of(*map(type, transforms))}
    result = Samples()
    for part in filter(len, samples.parts):

        def read(places: range, part: Part = part) -> Iterator[Parsed]:
            for place in distributed.bar(places, "preprocessing", unit=" samples", leave=False):
                yield Parsed([change(part.sample(place), transforms)])

        places = range(len(part))
        blocks = [places[n : n + BLOCK_SAMPLES] for n in places[::BLOCK_SAMPLES]]
        result += derived("preprocessed", [Samples((part,))], key, blocks, read)[0]
    return result


def described(value: object) -> object:
    """Return what tells the options of datasets and transforms, without datasets within them."""
    if isinstance(value, list | tuple):
        return [described(one) for one in value]
    if not isinstance(value, BaseDataset | BaseTransform):
        return repr(value)
    options = {n: described(v) for n, v in vars(value).items() if not isinstance(v, BaseDataset)}
    return [type(value).__name__, options]


def code_of(*classes: type) -> str:
    """Return a digest of the code and tables that make samples, of the files in which classes are
    defined, and of a user's modules."""
    parts = [room_code(), repr(sorted(user_modules.digests().items()))]
    for cls in classes:
        with suppress(OSError, TypeError):  # A class of an interactive session has no file.
            parts.append(str(digest_of_file(Path(inspect.getfile(cls)))))
    return hashlib.sha256("".join(parts).encode()).hexdigest()


@cache
def room_code() -> str:
    """Return a digest of the code and tables of this room, and of the utilities that it takes."""
    digest, root = hashlib.sha256(), Path(__file__).parents[2]
    for kind in ("py", "json", "txt", "npz"):
        for room in ("data_loader", "utils"):
            for file in sorted((root / room).rglob(f"*.{kind}")):
                digest.update(f"{file.relative_to(root)}\0{digest_of_file(file)}\n".encode())
    return digest.hexdigest()


def _writable(folders: Sequence[Path]) -> Path:
    """Return the first folder that can be written, or raise a DataError."""
    errors = []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            check_writable(folder)
            return folder
        except OSError as error:
            errors.append(f"{folder} ({error.strerror})")
    raise DataError(
        f"no folder for the cache of the dataset: cannot write {' nor '.join(errors)}; name "
        'a writable folder as "cache" of the dataset'
    )
