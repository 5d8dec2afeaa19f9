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
from functools import partial
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
) -> Columns:
    """Return the columns of the samples of a key, which are read unless they are cached; columns
    without samples if only a part of the blocks is read, and others are missing.

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
    is_whole = preparing.parts == 1
    lock = locked(folder.with_suffix(".lock"), "prepares the data") if is_whole else nullcontext()
    try:
        with lock:
            return _filled(folder, key, blocks, read, preparing)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {folder}: {error.strerror or error}; make room there, or "
            'name another folder as "cache" of the dataset'
        ) from error


def derived(
    maker: BaseDataset,
    parents: Sequence[Samples],
    samples: Iterable[Parsed],
    depends: Sequence[object] = (),
) -> Columns:
    """Return the columns of the samples that a dataset makes of others; they are cached if all the
    others are.

    Args:
        maker: makes the samples; they depend on its options and version.
        parents: the samples of which they are made.
        samples: a generator of the samples; it starts only if they are not cached.
        depends: further values on which they depend; a `Path` stands for its file's content.

    Raises:
        DataError: see `columns_of`.
    """
    key = derived_key(type(maker).__name__, [maker], parents, depends)
    return columns_of(key, [samples], iter)


def derived_key(
    kind: str,
    makers: Sequence[BaseDataset | BaseTransform],
    parents: Sequence[Samples],
    depends: Sequence[object] = (),
) -> CacheKey:
    """Return the key of samples that `makers` make of others, see `derived`."""
    parts = [columns for samples in parents for columns in samples.columns]
    folders = [columns.folder for columns in parts if columns.key and columns.folder]
    if not folders or len(folders) < len(parts):
        return CacheKey(kind, {}, ())
    values = {
        "made by": maker_key(makers),
        "depends": [digest_of_file(v) if isinstance(v, Path) else repr(v) for v in depends],
        "parents": [samples.key for samples in parents],
    }
    return CacheKey(kind, values, [folders[0].parent, user_cache()])


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
) -> Columns:
    """Return the columns in `folder` after its missing blocks were read, and its index written;
    columns without samples while the blocks of other parts are missing. See `columns_of`."""
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
    records = {number: block_record(folder, number, False) for number in range(len(blocks))}
    present = [record for record in records.values() if record is not None]
    if len(present) < len(blocks):
        few = first_of([str(number) for number, record in records.items() if record is None], 10)
        if preparing.parts == 1:
            raise DataError(f"{folder}: what was just written there cannot be read: blocks {few}")
        logger.info("%s: of %d blocks these are still missing: %s", folder, len(blocks), few)
        return Columns()
    write_index(
        folder,
        present,
        kind=key.kind,
        key=key.values,
        is_sorted=key.is_sorted,
        licences=key.licences,
    )
    return PreparedColumns(folder)


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


def maker_key(value: object) -> object:
    """Return the options and versions of datasets and transforms as values of JSON, without inner
    datasets: the samples of these are parents of what is made."""
    if isinstance(value, list | tuple):
        return [maker_key(element) for element in value]
    if not isinstance(value, BaseDataset | BaseTransform):
        return repr(value)
    options = {
        name: maker_key(option)
        for name, option in vars(value).items()
        if not isinstance(option, BaseDataset)
    }
    return [type(value).__name__, version_of(type(value)), options]


def version_of(cls: type[BaseDataset | BaseTransform]) -> list[object]:
    """Return the version of what a class makes; of a user's class also digests of its file and of
    the user's modules."""
    if not user_modules.is_any_from_user(cls):
        return [cls.version]
    file = None
    with suppress(OSError, TypeError):  # A class of an interactive session has no file.
        file = digest_of_file(Path(inspect.getfile(cls)))
    return [cls.version, file, *sorted(user_modules.digests().items())]
