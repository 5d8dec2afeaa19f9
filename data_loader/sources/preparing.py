"""Prepares samples: parses a source, or derives samples of others, and writes shards of them.

What is read is divided into blocks, by its sorted list of files alone. Each block becomes one or
more shards, and then a record `BLOCK.json`; a block that is whole is not read again. When all are
whole, the index is written: the samples sorted by name, so that their order is not that of reading.
`shards` says what lies in the folder, and reads it.
"""

import hashlib
import inspect
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from base import distributed
from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform
from base.config import user_modules
from base.data.extras import stacked
from base.data.preparation import Preparing
from base.data.samples import Column, Samples
from data_loader.sources.fetching import INDEX, digest_of, digest_of_file
from data_loader.sources.processes import in_processes
from data_loader.sources.shards import (
    EXTRA,
    FORMAT_VERSION,
    LENGTHS,
    ORDER,
    STRINGS,
    Shard,
    Shards,
    is_whole,
    open_shards,
)
from ink.formats.faults import Fault
from ink.formats.parsed import Parsed
from ink.normalisation import moments_of
from ink.sample import Sample
from utils import strict_json
from utils.checks import DataError, first_of, shown
from utils.files import check_writable, remove_temporary, user_cache, write_json

IDENTITY = "identity.json"
SHARD_POINTS = 4_000_000  # points after which a shard ends (assumed: 24 MB)
BLOCK_BYTES = 32 << 20  # of files, after which a block ends (assumed: some seconds of parsing)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Making:
    """What a prepared folder is written from."""

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
    """Return the samples of a prepared folder, which is written if it is not there.

    If several processes need a new folder, the first process writes it and the others wait.

    Args:
        making: what the folder is written from.
        folders: the folders that may hold the prepared folder, the preferred one first.
        how: how to write it; None is returned if it is written in part, and others are missing.

    Raises:
        DataError: if no folder can be written, or the source cannot be read.
    """
    for folder in folders:
        with suppress(DataError):
            if shards := open_shards(folder / making.name, is_examined=how.is_examined):
                return shards
    folder = _writable(folders) / making.name
    try:
        if how.parts > 1:  # Parts share no block, and their machines perhaps no locks.
            return _complete(making, folder, how)
        with FileLock(folder.with_suffix(".lock")):
            return _complete(making, folder, how)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {folder}: {error.strerror or error}; make room there, or "
            'name another folder as "cache" of the dataset'
        ) from error


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


def prepared_in(folder: Path, making: Making) -> Shards:
    """Return the samples of a prepared folder that a user has named, which is then the `root` of a
    source. Whole blocks that are there stay, so that a killed process's work goes on.

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
            if (shards := _complete(making, folder, Preparing())) is None:
                raise DataError(f"{folder}: what was written there cannot be read")
            return shards
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise DataError(f"{error.filename or folder}: {problem}") from error


def _complete(making: Making, folder: Path, how: Preparing) -> Shards | None:
    """Return the samples in `folder`, after writing the blocks that are not whole, and the index;
    None if other parts are missing."""
    try:
        if shards := open_shards(folder, is_examined=how.is_examined):  # another was faster
            return shards
    except DataError as error:
        logger.warning("the cache is damaged and will be rebuilt: %s", error)
    folder.mkdir(exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    numbers = range(how.part - 1, len(making.blocks), how.parts)
    lacking = [n for n in numbers if _record(folder, n, how.is_examined) is None]
    blocks = [(n, making.blocks[n]) for n in lacking]
    workers = how.workers if len(blocks) > 1 else 1  # An archive has workers of its own.
    written = in_processes(partial(_write_block, folder, making.read), blocks, workers)
    if workers > 1:
        written = distributed.bar(written, "preparing", total=len(blocks), unit=" blocks")
    for _ in written:
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
        if all(is_whole(folder / one["name"], one, is_examined) for one in record["shards"]):
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
        Column.write(temporary / f"{column}.npy", values)
    files = {file.name: file.stat().st_size for file in sorted(temporary.iterdir())}
    digest = digest_of(temporary)
    shutil.rmtree(folder / name, ignore_errors=True)
    temporary.rename(folder / name)
    offsets, dtype = columns["points"]["offset"], columns["samples"].dtype
    extras = {name.removeprefix(EXTRA): dtype[name].shape for name in dtype.names if EXTRA in name}
    counts = {"samples": len(samples), "points": len(offsets), "extras": extras}
    is_on_grid = bool((offsets == np.rint(offsets)).all())
    return {"name": name, "files": files, "digest": digest, "on_grid": is_on_grid, **counts}


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
        opened, count = Shard(folder / shard["name"]), shard["samples"]
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
        Column.write(folder / file, values)
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


def make_samples(
    kind: str,
    parents: Sequence[Samples],
    key: Mapping[str, object],
    blocks: Sequence[Any],
    read: Callable[[Any], Iterable[Parsed]],
) -> tuple[Samples, list[Any]]:
    """Return samples that are derived of others, in the order in which they are read, and the notes
    about them. Samples of others in files are prepared, in a folder beside those of the others.

    Args:
        kind: the name with which the folder begins.
        parents: what the samples are made of.
        key: what else they depend on, as values of JSON.
        blocks, read: see `Making`.
    """
    stores = [store for samples in parents for store in samples.stores]
    if not stores or not all(store.key and store.folder for store in stores):
        parsed = [one for block in blocks for one in read(block)]
        samples = Samples.of([sample for one in parsed for sample in one.samples])
        return samples, [note for one in parsed for note in one.notes]
    key = {**key, "parents": [samples.key for samples in parents]}
    making = Making(kind, key, blocks, read, is_sorted=False)
    shards = prepared(making, [stores[0].folder.parent, user_cache()])
    return shards.all, shards.notes


def make_derived(
    dataset: BaseDataset,
    parents: Sequence[Samples],
    depends: Sequence[object],
    read: Callable[[], Iterable[Parsed]],
) -> tuple[Samples, list[Any]]:
    """Return the samples that a dataset derives of others, see `make_samples`.

    Args:
        depends: what the samples depend on, besides the dataset's options and the parents; the
            content counts of a file that a `Path` names.
    """
    contents = [digest_of_file(one) if isinstance(one, Path) else repr(one) for one in depends]
    key = {"options": described(dataset), "depends": contents, "code": code_of(type(dataset))}
    return make_samples(type(dataset).__name__, parents, key, [()], lambda _: read())


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
    """Return a digest of the code and tables of this room, and of the rooms that it takes."""
    digest, root = hashlib.sha256(), Path(__file__).parents[2]
    for kind in ("py", "json", "txt", "npz"):
        for room in ("data_loader", "ink", "utils"):
            for file in sorted((root / room).rglob(f"*.{kind}")):
                digest.update(f"{file.relative_to(root)}\0{digest_of_file(file)}\n".encode())
    return digest.hexdigest()
