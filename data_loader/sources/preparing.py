"""Prepares samples: reads the blocks of a source, and writes shards of the samples.

A source divides its sorted list of files into blocks. Each block becomes one or more shards, and
then a record `BLOCK.json`; a block that is whole is not read again. When all blocks are whole, the
index is written: the samples sorted by name, so that their order is not that of reading. `shards`
lists the files of the folder.
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

from base import distributed
from base.base_dataset import BaseDataset, Preparing
from base.base_transform import BaseTransform
from base.config import user_modules
from base.data.samples import Column, Samples
from data_loader.sources.processes import in_processes
from data_loader.sources.shards import (
    FORMAT_VERSION,
    INDEX,
    LENGTHS,
    ORDER,
    Shard,
    Shards,
    check_records,
    is_whole,
    open_shards,
    read_json,
    write_shard,
)
from ink.formats.faults import Fault
from ink.formats.parsed import Parsed
from ink.sample import Sample
from utils import strict_json
from utils.checks import DataError, first_of, shown
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
class ShardSource:
    """The source of a prepared folder: blocks to read, and the key of the samples."""

    kind: str
    """The name of the source's class, with which the folder's name begins."""
    key: Mapping[str, object]
    """Values, for JSON, that identify the samples: a fingerprint and options."""
    blocks: Sequence[Any]
    read: Callable[[Any], Iterable[Parsed]]
    """Yields the samples of a block, bit by bit; of a source this is its method `read`.
    `_write_block` calls it, perhaps in a worker process."""
    is_sorted: bool = True
    """Whether the samples are sorted by name; else they stay in the order of reading."""
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
    source: ShardSource, folders: Sequence[Path], how: Preparing = Preparing()
) -> Shards | None:
    """Return the samples of a prepared folder; write the folder if it is missing.

    If several processes need a new folder, the first process writes it and the others wait.

    Args:
        source: the source from which the folder is written.
        folders: the folders that may hold the prepared folder, in order of preference.
        how: options of writing. If only a part of the blocks is written, and others are missing,
            the result is None.

    Raises:
        DataError: if no folder can be written, or the source cannot be read.
    """
    for folder in folders:
        with suppress(DataError):
            if shards := open_shards(folder / source.name, is_compared=how.is_examined):
                return shards
    folder = _writable(folders) / source.name
    try:
        if how.parts > 1:  # Parts share no block, and their machines perhaps no locks.
            return _complete(source, folder, how)
        with locked(folder.with_suffix(".lock"), "prepares the data"):
            return _complete(source, folder, how)
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


def prepared_in(folder: Path, source: ShardSource) -> Shards:
    """Return the samples of a prepared folder that a user named, which is then the `root` of a
    dataset. Whole blocks in the folder are not written again, so a killed process can go on.

    Raises:
        DataError: if the folder has other files, or cannot be written.
    """
    file, wanted = folder / IDENTITY, strict_json.plain(source.identity)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise DataError(f"{folder}: has other files; name a new folder")
        with locked(folder / ".lock", "prepares the data"):
            if not file.exists():
                write_json(file, wanted)
            for key, (old, new) in strict_json.differences(strict_json.read(file), wanted).items():
                problem = f"the samples there have {key} = {shown(old)}, not {shown(new)}"
                raise DataError(f"{folder}: {problem}; name another folder")
            remove_temporary(folder, is_held=True)
            if (shards := _complete(source, folder, Preparing())) is None:
                raise DataError(f"{folder}: the files that were written cannot be read")
            return shards
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise DataError(f"{error.filename or folder}: {problem}") from error


def _complete(source: ShardSource, folder: Path, how: Preparing) -> Shards | None:
    """Write the incomplete blocks and the index of `folder`, and return its samples; None if the
    blocks of other parts are missing."""
    try:
        if shards := open_shards(folder, is_compared=how.is_examined):  # another process was faster
            return shards
    except DataError as error:
        logger.warning("the cache is damaged and will be rebuilt: %s", error)
    folder.mkdir(exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    numbers = range(how.part - 1, len(source.blocks), how.parts)
    lacking = [n for n in numbers if _record(folder, n, how.is_examined) is None]
    blocks = [(n, source.blocks[n]) for n in lacking]
    workers = how.workers if len(blocks) > 1 else 1  # An archive has workers of its own.
    written = in_processes(partial(_write_block, folder, source.read), blocks, workers)
    if workers > 1:
        written = distributed.bar(written, "preparing", total=len(blocks), unit=" blocks")
    for _ in written:
        pass
    records = [_record(folder, n, False) for n in range(len(source.blocks))]
    if missing := [str(n) for n, record in enumerate(records) if record is None]:
        few = first_of(missing, 10)
        logger.info("%s: of %d blocks these are still missing: %s", folder, len(records), few)
        return None
    _write_index(source, folder, records)
    return open_shards(folder)


def _record(folder: Path, number: int, is_examined: bool) -> dict[str, Any] | None:
    """Return the record of a block, if it and its shards are whole."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = read_json(folder / f"{number:05}.json")
        check_records(record["shards"])
        if all(is_whole(folder / shard["name"], shard, is_examined) for shard in record["shards"]):
            return record
    return None


def _write_block(
    folder: Path, read: Callable[[Any], Iterable[Parsed]], numbered: tuple[int, Any]
) -> None:
    """Read a block with its number, and write its shards and its record.

    Args:
        folder: the prepared folder.
        read: see `ShardSource`.
        numbered: the number and the block.
    """
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
                shards.append(write_shard(folder, f"{number:05}-{len(shards):03}", samples))
                samples, points = [], 0
    if samples:
        shards.append(write_shard(folder, f"{number:05}-{len(shards):03}", samples))
    record = {"shards": shards, "faults": [fault.args for fault in faults], "notes": notes}
    write_json(folder / f"{number:05}.json", record, indent=None)


def _write_index(source: ShardSource, folder: Path, records: Sequence[dict[str, Any]]) -> None:
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
    if source.is_sorted:
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
    identity = json.dumps([[shard["digest"] for shard in shards], source.is_sorted])
    index = {
        "format": FORMAT_VERSION,
        "kind": source.kind,
        "key": source.key,
        "digest": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "samples": len(order),
        "quantisation_step": 1.0 if all(shard["on_grid"] for shard in shards) else None,
        "licences": [*source.licences],
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


# Samples that are made of others.


def cached(
    name: str,
    makers: Sequence[BaseDataset | BaseTransform],
    parents: Sequence[Samples],
    make: Callable[..., Iterable[Parsed]],
    *,
    depends: Sequence[object] = (),
    blocks: Sequence[tuple[Any, ...]] = ((),),
) -> tuple[Samples, list[Any]]:
    """Return the samples that `make` makes of others, in the order of making, and their notes. If
    the others are in prepared folders, a new prepared folder is written next to these.

    Args:
        name: the name with which the folder begins.
        makers: what makes the samples; they depend on its options and code.
        parents: the samples of which they are made.
        make: makes the samples of a block, bit by bit.
        depends: further values on which they depend; a `Path` stands for the content of its file.
        blocks: the arguments of each call of `make`; a call that was completed is not made again.
    """
    stores = [store for samples in parents for store in samples.stores]
    if not stores or not all(store.key and store.folder for store in stores):
        results = [parsed for block in blocks for parsed in make(*block)]
        samples = Samples.of([sample for parsed in results for sample in parsed.samples])
        return samples, [note for parsed in results for note in parsed.notes]
    contents = [
        digest_of_file(value) if isinstance(value, Path) else repr(value) for value in depends
    ]
    key = {"options": options_key(makers), "depends": contents, "code": code_of(*map(type, makers))}
    key["parents"] = [samples.key for samples in parents]
    source = ShardSource(name, key, blocks, lambda block: make(*block), is_sorted=False)
    shards = prepared(source, [stores[0].folder.parent, user_cache()])
    return shards.all, shards.notes


# All on which prepared samples depend.


def fingerprint(files: Iterable[Path], root: Path) -> str:
    """Return a digest of the files' paths relative to `root`, sizes and times of change."""
    digest = hashlib.sha256()
    for file in sorted(files):
        status = file.stat()
        line = f"{os.path.relpath(file, root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode(errors="backslashreplace"))
    return digest.hexdigest()


def options_key(value: object) -> object:
    """Return the options of datasets and transforms as values of JSON, without inner datasets."""
    if isinstance(value, list | tuple):
        return [options_key(element) for element in value]
    if not isinstance(value, BaseDataset | BaseTransform):
        return repr(value)
    options = {n: options_key(v) for n, v in vars(value).items() if not isinstance(v, BaseDataset)}
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
