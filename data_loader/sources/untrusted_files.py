"""Reads untrusted files, folders and archives within limits; archives are not extracted."""

import gzip
import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from sys import getsizeof
from typing import NoReturn, TypeVar

from base import distributed
from data_loader.sources.parsing import Budget, Fault
from utils.checks import DataError
from utils.files import open_file

Value = TypeVar("Value")

MEBIBYTE = 1 << 20
MAX_BYTES = 16 * MEBIBYTE
"""Limit on a file or a member of an archive, in bytes (assumed; a train_r01_v07 file has 4 MiB)."""


def read_file(file: Path, most: int = MAX_BYTES) -> bytes:
    """Return the content of a file.

    Raises:
        Fault: if the file cannot be read, or has more than `most` bytes.
    """
    try:
        with open_file(file) as stream:
            if (size := os.fstat(stream.fileno()).st_size) > most:
                raise _too_large(size, most)
            return stream.read(size)
    except OSError as error:
        raise Fault("a file that cannot be read", error.strerror or str(error)) from None


def _too_large(size: int, most: int) -> Fault:
    return Fault(f"more than {most:,} bytes", f"{size:,}")


def files_below(root: Path, wanted: re.Pattern[str]) -> list[Path]:
    """Return the files in a folder, and in the folders in it, whose names match `wanted`, sorted.

    Hidden files and folders, and folders called `cache`, are skipped, and so are links to folders.

    Raises:
        OSError: if one of the folders cannot be read.
    """
    files: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = [f for f in folders if f != "cache" and not f.startswith(".")]
        shown = [name for name in names if not name.startswith(".")]
        files += [Path(folder, name) for name in shown if wanted.fullmatch(name)]
    return sorted(file for file in files if file.is_file())


def _refuse(error: OSError) -> None:
    raise error


def parse_contents(
    parse: Callable[[str, bytes], Value],
    files: Sequence[Path],
    wanted: re.Pattern[str],
    description: str,
    budget: Budget,
) -> tuple[dict[str, Value], dict[str, Fault]]:
    """Parse the contents of files; return the values, and the faults of unusable files, by name.

    Args:
        parse: returns the value of a file from its name, without folder, and its content.
        files: the files, or a single archive of them, whose name `wanted` does not match.
        wanted: matches the names of the files.
        description: text of the progress bar.
        budget: memory for the archive and the values.

    Raises:
        DataError: if the archive is broken or too large, or two files have the same name.
    """
    if len(files) == 1 and not wanted.fullmatch(files[0].name):
        packed = members(files[0], wanted, description, budget)
        readers = ((PurePosixPath(path).name, read) for path, read in packed)
    else:
        bar = distributed.bar(files, description, unit=" files", delay=1)
        readers = ((file.name, partial(read_file, file)) for file in bar)
    values: dict[str, Value] = {}
    faults: dict[str, Fault] = {}
    for name, read in readers:
        if name in values or name in faults:
            raise DataError(f'{name}: two files of that name; name the folder of one as "root"')
        try:
            value = values[name] = parse(name, read())
            texts = value if isinstance(value, list) else ()
            budget.spend(getsizeof(value) + sum(map(getsizeof, texts)))
        except Fault as fault:
            faults[name] = fault.within("")  # without the traceback, which holds the content
    return values, faults


class _Header(tarfile.TarInfo):
    """A header of an archive; it refuses long names and sparse files, as these fill the memory."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        if header.size > MEBIBYTE // 16 and header.type not in tarfile.REGULAR_TYPES:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header

    def _proc_sparse(self, *_: object) -> NoReturn:
        raise tarfile.ReadError("a sparse file")

    _proc_gnusparse_10 = _proc_sparse


_PACKERS = {
    b"\x1f\x8b": (gzip.open, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    # `xz -9` takes 64 MiB.
    b"\xfd7zXZ\x00": (lzma.open, partial(lzma.LZMADecompressor, memlimit=128 * MEBIBYTE)),
}
"""By the first bytes of a packed file: what opens the file, and what unpacks its beginning."""
_BROKEN = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


def unpacked(head: bytes, most: int) -> bytes:
    """Return at most `most` first bytes of the file that begins with `head`, unpacked if packed."""
    for mark, (_, unpacker) in _PACKERS.items():
        if head.startswith(mark):
            with suppress(*_BROKEN):
                return unpacker().decompress(head, most)
    return head[:most]


def is_archive(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a tar archive, packed or not."""
    return unpacked(head, 512)[257:262] == b"ustar"


def members(
    archive: Path, wanted: re.Pattern[str], description: str, budget: Budget
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield the path of each member whose name fits, and a function that returns its content.

    Nothing is extracted: members are read one by one, in memory, wherever their paths point.

    Raises:
        DataError: if the archive is broken, or unpacks to more than the budget has.
    """
    size = archive.stat().st_size
    bar = distributed.bar(what=description, total=size, unit="B", unit_scale=True)
    try:
        with bar, open(archive, "rb") as raw:
            head = raw.read(6)
            unpackers = [opener for mark, (opener, _) in _PACKERS.items() if head.startswith(mark)]
            unpack = unpackers[0] if unpackers else None
            raw.seek(0 if unpack else max(0, size - 1024))
            if not unpack and raw.read().strip(b"\0"):
                raise tarfile.ReadError("it does not end as tar archives do")
            raw.seek(0)
            stream = unpack(raw) if unpack else raw
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as tar:
                end = 0
                for member in tar:
                    tar.members = []  # else tarfile keeps all members
                    start, end = end, member.offset_data + member.size
                    name = PurePosixPath(member.name).name
                    is_wanted = not member.isdir() and wanted.fullmatch(name)
                    # Before tarfile reads on. Members not wanted take time, but no memory.
                    budget.spend(200 + (end - start) / (1 if is_wanted else 4))
                    bar.update(raw.tell() - bar.n)
                    if not is_wanted:
                        continue
                    fits = member.isreg() and member.size <= MAX_BYTES
                    content = tar.extractfile(member).read() if fits else b""
                    yield member.name, partial(_checked, member, content)
            while rest := stream.read(MEBIBYTE):  # to the end, where the checksum stands
                budget.spend(len(rest))
    except (*_BROKEN, RecursionError) as error:  # recursion: headers of headers
        raise DataError(f"{archive}: a broken archive ({error}); download it again") from None


def _checked(member: tarfile.TarInfo, content: bytes) -> bytes:
    if not member.isreg():
        raise Fault("a member that is a link or no file")
    if member.size > MAX_BYTES:
        raise _too_large(member.size, MAX_BYTES)
    return content
