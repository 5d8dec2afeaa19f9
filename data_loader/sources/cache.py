"""Caches samples that are read from files or made of other samples: in mapped columns, next to the
files or the other samples.

Samples are made in blocks, such as some files of a source; a block that is whole is not made again.
When all blocks are whole, the index is written. `base/data/prepared.py` writes and reads the files.
"""

import hashlib
import inspect
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

from base import distributed
from base.base_dataset import BaseDataset, Preparing
from base.base_transform import BaseTransform
from base.config import user_modules
from base.data.prepared import (
    FORMAT_VERSION,
    IDENTITY,
    INDEX,
    PreparedColumns,
    block_record,
    open_prepared,
    write_block,
    write_index,
)
from base.data.samples import Columns, Samples
from ink.sample import Parsed
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
from utils.processes import in_processes

logger = logging.getLogger(__name__)

Block = TypeVar("Block")


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


def columns_of(
    key: CacheKey,
    blocks: Sequence[Block],
    read: Callable[[Block], Iterable[Parsed]],
    preparing: Preparing = Preparing(),
) -> Columns | None:
    """Return the columns of the samples of a key, which are read unless they are cached; None if
    only a part of the blocks is read, and others are missing.

    If several processes need a new folder, the first process writes it and the others wait.

    Args:
        key: all on which the samples depend.
        blocks: what the samples are read from, such as files; each is read as a whole.
        read: yields the samples of a block, bit by bit; perhaps in a worker process.
        preparing: options of writing.

    Raises:
        DataError: if no folder can be written, or samples cannot be read.
    """
    if not key.folders:
        held = Parsed()
        for parsed in chain.from_iterable(map(read, blocks)):
            held.extend(parsed)
        return Columns(held.samples, held.left_out, held.notes)
    if columns := _first_whole(key, preparing.is_examined):
        return columns
    folder = _writable(key.folders) / key.name
    # Parts share no block, and their machines perhaps no locks.
    lock = nullcontext()
    if preparing.parts == 1:
        lock = locked(folder.with_suffix(".lock"), "prepares the data")
    try:
        with lock:
            return _filled(folder, key, blocks, read, preparing)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {folder}: {error.strerror or error}; make room there, or "
            'name another folder as "cache" of the dataset'
        ) from error


def cached(key: CacheKey, samples: Iterable[Parsed], preparing: Preparing = Preparing()) -> Columns:
    """Return the columns of the samples of a key, which are one block.

    Args:
        key: see `columns_of`.
        samples: a generator of the samples; it starts only if they are not cached.
        preparing: see `columns_of`.

    Raises:
        DataError: see `columns_of`.
    """
    return columns_of(key, [samples], iter, preparing)


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


def columns_in(
    folder: Path,
    key: CacheKey,
    blocks: Sequence[Block],
    read: Callable[[Block], Iterable[Parsed]],
) -> Columns:
    """Return the columns of the samples of a key in a folder that a user named, which is then the
    `root` of a dataset. Whole blocks in the folder are not read, so a killed process can go on.

    The arguments are those of `columns_of`.

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
            return _filled(folder, key, blocks, read, Preparing())
    except ConfigFault as fault:
        raise fault.of(str(file)) from None
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise DataError(f"{error.filename or folder}: {problem}") from error


def _filled(
    folder: Path,
    key: CacheKey,
    blocks: Sequence[Block],
    read: Callable[[Block], Iterable[Parsed]],
    preparing: Preparing,
) -> PreparedColumns | None:
    """Return the columns in `folder` after its missing blocks were read, and its index written;
    None while the blocks of other parts are missing. See `columns_of`."""
    try:
        columns = open_prepared(folder, is_compared=preparing.is_examined)
        if columns is not None:  # Another process was faster.
            return columns
    except DataError as error:
        logger.warning("the cache is damaged and will be rebuilt: %s", error)
    folder.mkdir(exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    is_examined = preparing.is_examined
    numbered = [
        (number, blocks[number])
        for number in range(preparing.part - 1, len(blocks), preparing.parts)
        if block_record(folder, number, is_examined) is None
    ]
    _write_blocks(folder, numbered, read, preparing.workers)
    records = [block_record(folder, number, False) for number in range(len(blocks))]
    if missing := [str(number) for number, record in enumerate(records) if record is None]:
        few = first_of(missing, 10)
        if preparing.parts == 1:
            raise DataError(f"{folder}: what was just written there cannot be read: blocks {few}")
        logger.info("%s: of %d blocks these are still missing: %s", folder, len(records), few)
        return None
    write_index(
        folder,
        records,
        kind=key.kind,
        key=key.values,
        is_sorted=key.is_sorted,
        licences=key.licences,
    )
    return open_prepared(folder)


def _write_blocks(
    folder: Path,
    numbered: Sequence[tuple[int, Block]],
    read: Callable[[Block], Iterable[Parsed]],
    workers: int,
) -> None:
    """Read blocks, with their numbers, and write their samples; `workers` share several blocks."""
    write = partial(_write_block, folder, read)
    if workers == 1 or len(numbered) < 2:
        for each in numbered:
            write(each)
        return
    written = in_processes(write, numbered, workers)
    bar = distributed.bar(written, "preparing", total=len(numbered), unit=" blocks")
    for _ in bar:
        pass


def _write_block(
    folder: Path, read: Callable[[Block], Iterable[Parsed]], numbered: tuple[int, Block]
) -> None:
    """Read a block of files, and write its samples; `numbered` is the block with its number."""
    number, block = numbered
    write_block(folder, number, read(block))


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
