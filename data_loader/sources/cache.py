"""Caches samples that are read from files or made of other samples: in mapped columns, next to the
files or the other samples.

Samples are made in blocks, such as some files of a source. Each block becomes one or more shards,
and then a record `BLOCK.json`; a block that is whole is not made again. When all blocks are whole,
the index is written: samples of files sorted by name, so that their order is not that of reading.
`base/data/samples.py` lists the files of the folder.
"""

import hashlib
import inspect
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from base.base_dataset import BaseDataset, Preparing
from base.base_transform import BaseTransform
from base.config import user_modules
from base.data.samples import (
    FORMAT_VERSION,
    INDEX,
    LENGTHS,
    ORDER,
    Column,
    Columns,
    PreparedColumns,
    Samples,
    Shard,
    check_records,
    is_whole,
    open_prepared,
    read_json,
    write_shard,
)
from ink.sample import Fault, Parsed, Sample
from utils import strict_json
from utils.checks import ConfigFault, DataError, first_of, shown
from utils.files import (
    check_writable,
    digest_of_file,
    remove_temporary,
    user_cache,
    write_json,
)
from utils.locks import locked

IDENTITY = "identity.json"
SHARD_POINTS = 4_000_000  # points after which a shard ends (assumed: 24 MB)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheKey:
    """All on which cached samples depend, and where they may lie."""

    kind: str
    """The name with which the folder of the samples begins."""
    values: Mapping[str, object]
    """Values, for JSON, that identify the samples, such as a fingerprint of files, and options."""
    folders: Sequence[Path]
    """The folders that may hold the folder of the samples, in order of preference; without a folder
    the samples are only in memory."""
    is_sorted: bool = False
    """Whether the samples are sorted by name; else they stay in the order of making."""
    licences: Sequence[str | None] = ()

    @classmethod
    def derived(
        cls,
        kind: str,
        makers: Sequence[BaseDataset | BaseTransform],
        parents: Sequence[Samples],
        depends: Sequence[object] = (),
    ) -> "CacheKey":
        """Return the key of samples that are made of others; they are cached if the others are.

        Args:
            kind: see `CacheKey`.
            makers: what makes the samples; they depend on its options and code.
            parents: the samples of which they are made.
            depends: further values on which they depend; a `Path` stands for its file's content.
        """
        parts = [columns for samples in parents for columns in samples.columns]
        if not parts or not all(columns.key and columns.folder for columns in parts):
            return cls(kind, {}, ())
        values = {
            "options": options_key(makers),
            "depends": [digest_of_file(v) if isinstance(v, Path) else repr(v) for v in depends],
            "code": code_of(*map(type, makers)),
            "parents": [samples.key for samples in parents],
        }
        return cls(kind, values, [parts[0].folder.parent, user_cache()])

    @property
    def identity(self) -> dict[str, object]:
        """All on which the folder's content depends."""
        return {"format": FORMAT_VERSION, "kind": self.kind, **self.values}

    @property
    def name(self) -> str:
        """The name of the folder of the samples."""
        text = json.dumps(self.identity, sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@dataclass
class Cache:
    """The blocks of the samples of a key, in a folder; `open_cache` and `open_folder` make it."""

    folder: Path | None = None
    """The folder; None for samples in memory."""
    missing: Sequence[int] = ()
    """The numbers of the blocks to store."""
    columns: Columns | None = None
    """The samples of all blocks; None while blocks are missing."""
    _held: Parsed = field(default_factory=Parsed)  # the samples in memory

    def store(self, number: int, samples: Iterable[Parsed]) -> None:
        """Store a missing block, whose samples come bit by bit; perhaps in a worker process."""
        if self.folder is not None:
            _write_block(self.folder, number, samples)
            return
        for parsed in samples:
            self._held.extend(parsed)


@contextmanager
def open_cache(
    key: CacheKey, blocks: int = 1, preparing: Preparing = Preparing()
) -> Iterator[Cache]:
    """Open the cache of a key, in which the caller stores the missing blocks; at the end of the
    `with` statement it has the columns.

    If several processes need a new folder, the first process writes it and the others wait.

    Args:
        key: all on which the samples depend.
        blocks: the number of blocks.
        preparing: options of writing. If only a part of the blocks is stored, and others are
            missing, the cache has no columns.

    Raises:
        DataError: if no folder can be written, or samples cannot be read.
    """
    if not key.folders:
        cache = Cache(missing=range(blocks))
        yield cache
        held = cache._held
        cache.columns = Columns(held.samples, held.left_out, held.notes)
        return
    if columns := _first_whole(key, preparing.is_examined):
        yield Cache(columns.folder, columns=columns)
        return
    folder = _writable(key.folders) / key.name
    # Parts share no block, and their machines perhaps no locks.
    lock = nullcontext()
    if preparing.parts == 1:
        lock = locked(folder.with_suffix(".lock"), "prepares the data")
    try:
        with lock:
            yield from _filled(key, blocks, folder, preparing)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {folder}: {error.strerror or error}; make room there, or "
            'name another folder as "cache" of the dataset'
        ) from error


def cached(key: CacheKey, samples: Iterable[Parsed], preparing: Preparing = Preparing()) -> Columns:
    """Return the columns of the samples of a key, which are one block.

    Args:
        key: see `open_cache`.
        samples: a generator of the samples; it starts only if they are not cached.
        preparing: see `open_cache`.

    Raises:
        DataError: see `open_cache`.
    """
    with open_cache(key, 1, preparing) as cache:
        for number in cache.missing:
            cache.store(number, samples)
    return cache.columns


def _first_whole(key: CacheKey, is_compared: bool) -> PreparedColumns | None:
    """Return the columns of the first folder of a key that is whole, if there is one."""
    for folder in key.folders:
        with suppress(DataError):
            if columns := open_prepared(folder / key.name, is_compared=is_compared):
                return columns
    return None


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


@contextmanager
def open_folder(folder: Path, key: CacheKey, blocks: int) -> Iterator[Cache]:
    """Open a folder that a user named as the cache of a key; it is then the `root` of a dataset.
    Whole blocks in the folder are not missing, so a killed process can go on.

    Raises:
        DataError: if the folder has other files, or cannot be written.
    """
    file, wanted = folder / IDENTITY, strict_json.plain(key.identity)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise DataError(f"{folder}: has other files; name a new folder")
        with locked(folder / ".lock", "prepares the data"):
            if not file.exists():
                write_json(file, wanted)
            for name, (old, new) in strict_json.differences(strict_json.read(file), wanted).items():
                problem = f"the samples there have {name} = {shown(old)}, not {shown(new)}"
                raise DataError(f"{folder}: {problem}; name another folder")
            remove_temporary(folder, is_held=True)
            yield from _filled(key, blocks, folder, Preparing())
    except ConfigFault as fault:
        raise fault.of(str(file)) from None
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise DataError(f"{error.filename or folder}: {problem}") from error


def _filled(key: CacheKey, blocks: int, folder: Path, preparing: Preparing) -> Iterator[Cache]:
    """Yield the cache in `folder`, whose missing blocks are stored then, and write its index; the
    blocks of other parts may still be missing."""
    cache = Cache(folder)
    try:
        cache.columns = open_prepared(folder, is_compared=preparing.is_examined)
    except DataError as error:
        logger.warning("the cache is damaged and will be rebuilt: %s", error)
    if cache.columns is not None:  # Another process was faster.
        yield cache
        return
    folder.mkdir(exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    numbers = range(preparing.part - 1, blocks, preparing.parts)
    is_examined = preparing.is_examined
    cache.missing = [n for n in numbers if _record(folder, n, is_examined) is None]
    yield cache
    records = [_record(folder, n, False) for n in range(blocks)]
    if missing := [str(n) for n, record in enumerate(records) if record is None]:
        few = first_of(missing, 10)
        logger.info("%s: of %d blocks these are still missing: %s", folder, len(records), few)
        return
    _write_index(key, folder, records)
    cache.columns = open_prepared(folder)


def _record(folder: Path, number: int, is_examined: bool) -> dict[str, Any] | None:
    """Return the record of a block, if it and its shards are whole."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = read_json(folder / f"{number:05}.json")
        check_records(record["shards"])
        if all(is_whole(folder / shard["name"], shard, is_examined) for shard in record["shards"]):
            return record
    return None


def _write_block(folder: Path, number: int, block: Iterable[Parsed]) -> None:
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
                shards.append(write_shard(folder, f"{number:05}-{len(shards):03}", samples))
                samples, points = [], 0
    if samples:
        shards.append(write_shard(folder, f"{number:05}-{len(shards):03}", samples))
    record = {"shards": shards, "faults": [fault.args for fault in faults], "notes": notes}
    write_json(folder / f"{number:05}.json", record, indent=None)


def _write_index(key: CacheKey, folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write the index of a folder whose shards are complete.

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
    if key.is_sorted:
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
    identity = json.dumps([[shard["digest"] for shard in shards], key.is_sorted])
    index = {
        "format": FORMAT_VERSION,
        "kind": key.kind,
        "key": key.values,
        "digest": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "samples": len(order),
        "quantisation_step": 1.0 if all(shard["on_grid"] for shard in shards) else None,
        "licences": [*key.licences],
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


# All on which cached samples depend.


def fingerprint(files: Iterable[Path], root: Path) -> str:
    """Return a digest of the files' paths relative to `root`, sizes and times of change."""
    digest = hashlib.sha256()
    for file in sorted(files):
        status = file.stat()
        line = f"{os.path.relpath(file, root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode(errors="backslashreplace"))
    return digest.hexdigest()


def options_key(value: object) -> object:
    """Return the options of datasets and transforms as values of JSON, without inner datasets: the
    samples of these are parents of what is made."""
    if isinstance(value, list | tuple):
        return [options_key(element) for element in value]
    if not isinstance(value, BaseDataset | BaseTransform):
        return repr(value)
    options = {
        name: options_key(option)
        for name, option in vars(value).items()
        if not isinstance(option, BaseDataset)
    }
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
