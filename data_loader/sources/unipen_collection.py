"""A collection of UNIPEN files as it is published, such as the training set train_r01_v07.

`data/CATEGORY/CONTRIBUTOR/...` has the segments of each category (8: texts, 7: words, 3: characters
in context, 1a to 1d: digits, capitals, small letters and signs by themselves), `include/` what they
name by `.INCLUDE`: the ink, and descriptions of writers and devices.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath

from data_loader.sources.files import files_below, is_archive, members, read_file
from data_loader.sources.parsing import Fault
from utils.checks import DataError

DATA, INCLUDE, WORDS = "data", "include", "7"
MAX_COLLECTION = 1 << 30
"""Limit on the bytes of an archive's files, which are kept in memory (assumed; train_r01_v07 has
420 MB)."""
_EVERY = re.compile(".*", re.DOTALL)
_HEAD = 1 << 16  # bytes by which an archive is recognised; assumed
_SHARED = 64  # files kept that many others include; assumed
_FAMILIES = ("ap", "at", "bb", "ce", "hp", "im")
"""What the codes of contributors begin with who have writers in common."""


def family(contributor: str) -> str:
    """Return the name that contributors share whose writers' names mean the same persons."""
    return contributor[:2] if contributor[:2] in _FAMILIES else contributor


def include_folder(path: Path) -> Path | None:
    """Return the folder where a file looks for what it includes: `include` in one above it."""
    folders = (parent / INCLUDE for parent in path.absolute().parents)
    return next(filter(Path.is_dir, folders), None)


def read_included(folder: Path | None, name: str, max_bytes: int) -> bytes:
    """Return the content of a file that another one includes; nothing without a folder.

    Raises:
        Fault: if it is outside of the folder, or cannot be read.
    """
    if folder is None:
        return b""
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise Fault("an .INCLUDE that leads out of the collection", name)
    return read_file(file, max_bytes)


class Collection:
    """The files of a collection: a folder with `data` and `include`, or an archive of one.

    Args:
        root: the folder, or the archive (.tar, .tar.gz, .tgz, .tar.xz), which is not extracted.
        max_bytes: limit on a file.

    Raises:
        DataError: if the archive is broken, too large, or something else.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root, self._max_bytes = root, max_bytes
        self._contents: dict[str, bytes | Fault] | None = None
        if root.is_file():
            self._contents = _packed(root, max_bytes)
        self.include = lru_cache(_SHARED)(self._included)

    @staticmethod
    def at(root: Path) -> bool:
        """Return whether a collection is at a path that can be read."""
        with suppress(OSError):
            if root.is_file():
                with open(root, "rb") as stream:
                    return is_archive(stream.read(_HEAD))
            return (root / DATA).is_dir() and (root / INCLUDE).is_dir()
        return False

    def documents(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield what speaks of the same ink: `abm/ca0.dat`, and its files by category."""
        if self._contents is None:
            below = files_below(self._root / DATA, _EVERY)
            names = [file.relative_to(self._root).as_posix() for file in below]
        else:
            names = [name for name in sorted(self._contents) if name.startswith(f"{DATA}/")]
        documents: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for name in names:
            _, category, *rest = name.split("/", 2)
            if rest:
                documents[rest[0]][category] = name
        yield from sorted(documents.items())

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            Fault: if it is not there, or cannot be read.
        """
        if self._contents is None:
            return read_file(self._root / name, self._max_bytes)
        content = self._contents.get(name, Fault("a file that is not in the archive", name))
        if isinstance(content, Fault):
            raise content
        return content

    def _included(self, name: str) -> bytes:
        """Return the content of an included file, as `read` does."""
        if self._contents is None:
            return read_included(self._root / INCLUDE, name, self._max_bytes)
        return self.read(f"{INCLUDE}/{PurePosixPath(name)}")


def _packed(archive: Path, max_bytes: int) -> dict[str, bytes | Fault]:
    """Return the files of an archived collection by their path from `data` or `include` on."""
    contents: dict[str, bytes | Fault] = {}
    size = 0
    for path, content in members(archive, _EVERY, max_bytes, "reading UNIPEN"):
        parts = PurePosixPath(path).parts
        start = next((n for n, part in enumerate(parts) if part in (DATA, INCLUDE)), None)
        if start is None:
            continue
        contents["/".join(parts[start:])] = content
        size += 0 if isinstance(content, Fault) else len(content)
        if size > MAX_COLLECTION:
            raise DataError(f"{archive}: more than {MAX_COLLECTION:,} bytes; unpack it")
    if not any(name.startswith(f"{DATA}/") for name in contents):
        raise DataError(f"{archive}: no folder {DATA}/ of a UNIPEN collection in it")
    return contents


def by_size(category: str) -> tuple[int, str]:
    """Return what sorts categories: texts before words, before characters."""
    return -int(re.match(r"\d*", category)[0] or 0), category
