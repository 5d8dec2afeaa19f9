"""Opens prepared folders from elsewhere: copies, and those at an address, as s3://BUCKET/FOLDER.

Shards at an address are fetched when they are needed, in a separate process, one at a time on a
node: the file systems of fsspec start threads, and a process with threads cannot be forked safely.
The command is

    python -m data_loader.sources.fetching ADDRESS FOLDER MAX_BYTES FILE|SHARD
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem

from base.data.prepared import (
    COLUMNS,
    INDEX,
    SHARD,
    PreparedColumns,
    Shard,
    digest_of,
    open_prepared,
)
from utils.checks import DataError, first_line
from utils.files import check_regular, read_bytes, user_cache, write_text
from utils.program import process_of

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://(?!.*::).*[^/]")  # not chained, as by `::`
ATTEMPTS = 3  # to fetch a shard whose digest is wrong
EXAMINED = "examined"
"""Folder in the user's cache that records which copies of prepared folders were examined."""
_NAME = re.compile(rf"{SHARD.pattern}|(?:kept/)?[\w.-]{{1,100}}\.(?:npy|json)")


def open_copied(folder: Path, *, is_compared: bool = False) -> PreparedColumns | None:
    """Return the result of `open_prepared` for a folder that may be a copy. The first time that a
    copy is opened, the digests of its shards are compared."""
    columns = open_prepared(folder, is_compared=is_compared)
    if columns and not is_examined(folder, columns.index):
        if not is_compared:
            columns = open_prepared(folder, is_compared=True)
        note_examined(folder, columns.index)
    return columns


def is_examined(folder: Path, index: Mapping[str, Any]) -> bool:
    """Return whether this copy of a prepared folder was noted by `note_examined`."""
    with suppress(OSError):
        return read_bytes(_note_of(folder)) == _state(folder, index).encode()
    return False


def note_examined(folder: Path, index: Mapping[str, Any]) -> None:
    """Note, where that is possible, that the digests of a prepared folder's shards are right."""
    with suppress(OSError, DataError):
        _note_of(folder).parent.mkdir(parents=True, exist_ok=True)
        write_text(_note_of(folder), _state(folder, index))


def _note_of(folder: Path) -> Path:
    digest = hashlib.sha256(bytes(folder.resolve())).hexdigest()
    return user_cache() / EXAMINED / digest[:32]


def _state(folder: Path, index: Mapping[str, Any]) -> str:
    """Return a digest of the index, and of the files of shards, that another copy has not."""
    digest = hashlib.sha256(read_bytes(folder / INDEX))
    for shard in index["shards"]:
        for name in COLUMNS:
            state = (folder / shard["name"] / name).stat()
            digest.update(f"{state.st_ino} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class FetchedColumns(PreparedColumns):
    """The samples of a prepared folder at an address; a shard is fetched when it is needed.

    The files at an address never change.
    """

    def __init__(self, address: str, folder: Path, max_bytes: int) -> None:
        super().__init__(folder)
        self.address = address
        self.max_bytes = max_bytes

    def __reduce__(self) -> tuple[type, tuple[str, Path, int]]:
        return FetchedColumns, (self.address, self.folder, self.max_bytes)

    def _file(self, name: str) -> Path:
        return fetched(self.address, self.folder, self.max_bytes, name)

    def _open(self, name: str) -> Shard:
        for _ in range(10):  # A shard seldom lives less than it takes to open it (assumed).
            with suppress(FileNotFoundError):  # Another process has made room again.
                shard = super()._open(name)
                os.utime(shard.folder)
                # The space of a shard that was removed is free when nobody has it open.
                self._opened = {
                    n: opened for n, opened in self._opened.items() if opened.folder.exists()
                }
                return shard
        raise DataError(f"{self.folder}: too many shards are needed; raise shard_cache_gb")


def fetched(address: str, folder: Path, max_bytes: int, name: str) -> Path:
    """Return the path in `folder` of a file or shard of a prepared folder; fetch it if it is
    missing, and remove the oldest shards to make room for it.

    Raises:
        DataError: if it cannot be fetched or written, or differs from the index.
    """
    if not _NAME.fullmatch(name):  # a hostile index may have such a name
        raise DataError(f"{address}: {name!r} is no file of prepared data")
    path = folder / name
    if path.exists():
        return path
    words = (address, str(folder.absolute()), str(max_bytes), name)
    command, environment = process_of("data_loader.sources.fetching", *words)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise DataError(f"{address}: {lines[-1]}")
    return path


def fetch(address: str, folder: Path, max_bytes: int, name: str) -> None:
    """Fetch a file or shard, see `fetched`, unless another process has."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        path = folder / name
        if path.exists():
            return
        for leftover in folder.glob(".fetched-*"):  # of a process that was killed
            shutil.rmtree(leftover)
        temporary = folder / f".fetched-{os.getpid()}"
        temporary.mkdir()
        try:
            if not SHARD.fullmatch(name):
                path.parent.mkdir(exist_ok=True)
                remote_folder, _, _ = f"{address}/{name}".rpartition("/")
                _get(remote_folder, temporary, [path.name])
                (temporary / path.name).rename(path)
                return
            shards = json.loads(read_bytes(folder / INDEX))["shards"]
            shard = next(shard for shard in shards if shard["name"] == name)
            _make_room(folder, max_bytes - sum(shard["files"].values()))
            for _ in range(ATTEMPTS):
                _get(f"{address}/{name}", temporary, COLUMNS)
                if digest_of(temporary) == shard["digest"]:
                    temporary.rename(path)
                    return
            raise DataError(f"{name} does not have its digest, in {ATTEMPTS} attempts")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _get(address: str, folder: Path, names: Iterable[str]) -> None:
    """Copy files to a folder."""
    for name in names:
        remote = fsspec.open(f"{address}/{name}", "rb")
        if isinstance(remote.fs, LocalFileSystem):
            check_regular(remote.path)
        if remote.fs.protocol == "memory":
            reason = "memory:// differs in each process, and another one fetches; use file://FOLDER"
            raise DataError(reason)
        with remote as source, open(folder / name, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def _make_room(folder: Path, max_bytes: int) -> None:
    """Remove the shards that were opened longest ago, until the others have at most `max_bytes`."""
    sizes = {}
    for shard in folder.iterdir():
        if SHARD.fullmatch(shard.name):
            sizes[shard] = sum(file.stat().st_size for file in shard.iterdir())
    for shard in sorted(sizes, key=lambda shard: shard.stat().st_mtime_ns):
        if sum(sizes.values()) <= max_bytes:
            return
        del sizes[shard]
        # Renamed first, so that no process opens half of it.
        gone = shard.rename(folder / f".fetched-{shard.name}")
        shutil.rmtree(gone)


def main() -> int:
    address, folder, max_bytes, name = sys.argv[1:]
    try:
        fetch(address, Path(folder), int(max_bytes), name)
    except Exception as error:  # The file systems of fsspec raise errors of many kinds.
        with suppress(OSError):
            print(f"{name} cannot be fetched ({first_line(error)})", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
