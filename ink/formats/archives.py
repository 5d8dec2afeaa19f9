"""Reads compressed files and archives within limits; archives are not extracted."""

import gzip
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias, TypeVar

from ink.formats.files import MAX_INK_BYTES, MEBIBYTE, read_file, too_large
from ink.sample import Fault
from utils.checks import DataError
from utils.files import open_file

Value = TypeVar("Value")
Values: TypeAlias = tuple[dict[str, Value], dict[str, Fault]]
"""The values of files, and the faults of unusable files, both by file name."""

MAX_UNPACKED = 1_000_000_000  # bytes of an unpacked archive (assumed: twice IAM-OnDB)


class NoBar:
    """Stands for a progress bar, and shows nothing."""

    n = 0

    def __init__(self, items: Iterable[Any] | None = (), *_: object, **__: object) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items or ())

    def __enter__(self) -> "NoBar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, _: int) -> None:
        """Show nothing."""


def parse_contents(
    parse: Callable[[str, bytes], Value],
    files: Sequence[Path],
    pattern: re.Pattern[str],
    description: str,
    max_bytes: int = MAX_UNPACKED,
    bar: Callable[..., Any] = NoBar,
) -> Values[Value]:
    """Return the parsed values of files, and the faults of unusable files, both by file name.

    Args:
        parse: returns the value of a file from its name, without folder, and its content.
        files: see `contents_of`; so are the other arguments.

    Raises:
        DataError: if the archive is broken or too large, or two files have the same name.
    """
    contents = contents_of(files, pattern, description, max_bytes, bar)
    return by_name(parse_named(parse, named) for named in contents)


def is_packed(files: Sequence[Path], pattern: re.Pattern[str]) -> bool:
    """Return whether files are one archive of files whose names match a pattern."""
    return len(files) == 1 and not pattern.fullmatch(files[0].name)


def contents_of(
    files: Sequence[Path],
    pattern: re.Pattern[str],
    description: str,
    max_bytes: int = MAX_UNPACKED,
    bar: Callable[..., Any] = NoBar,
) -> Iterator[tuple[str, bytes | Fault]]:
    """Yield the name of each file, without folder, and its content, or the fault of a file that
    cannot be read.

    Args:
        files: the files; or one archive of files, if `pattern` does not match the archive's name.
        pattern: matches the names of the files.
        description: text of the progress bar.
        max_bytes: largest size of the unpacked archive.
        bar: makes a progress bar as tqdm does, from items or from a total.

    Raises:
        DataError: if the archive is broken or too large.
    """
    if is_packed(files, pattern):
        for path, content in members(files[0], pattern, description, max_bytes, bar):
            yield PurePosixPath(path).name, content
        return
    for file in bar(files, description, unit=" files", delay=1):
        yield file.name, attempted(read_file, file)


def parse_named(
    parse: Callable[[str, bytes], Value], named: tuple[str, bytes | Fault]
) -> tuple[str, Value | Fault]:
    """Return a file's name with its value, or its fault."""
    name, content = named
    return name, content if isinstance(content, Fault) else attempted(parse, name, content)


def by_name(results: Iterable[tuple[str, Value | Fault]]) -> Values[Value]:
    """Return values and faults, both by file name; raise a DataError if two have the same name."""
    values: dict[str, Value] = {}
    faults: dict[str, Fault] = {}
    for name, value in results:
        if name in values or name in faults:
            raise DataError(
                f'{name}: two files have this name; choose the folder of one of them as "root"'
            )
        if isinstance(value, Fault):
            faults[name] = value
            continue
        values[name] = value
    return values, faults


def attempted(make: Callable[..., Value], *arguments: Any) -> Value | Fault:
    """Return a function's result, or its Fault without the traceback, which would hold the content
    of files in memory."""
    try:
        return make(*arguments)
    except Fault as fault:
        return fault.within("")


_COMPRESSIONS: dict[bytes, tuple[Callable[..., Any], Callable[[], Any]]] = {
    # 16 means that the data have the header of gzip.
    b"\x1f\x8b": (gzip.open, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    # Files made by `xz -9` need 64 MiB.
    b"\xfd7zXZ\x00": (lzma.open, partial(lzma.LZMADecompressor, memlimit=128 * MEBIBYTE)),
}
"""For the first bytes of a file: functions that open the file, and that make a decompressor."""
_ARCHIVE_ERRORS = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


def unpacked(head: bytes, max_bytes: int) -> bytes:
    """Return at most `max_bytes` bytes of `head`, after decompression if `head` is compressed."""
    for signature, (_, make_decompressor) in _COMPRESSIONS.items():
        if head.startswith(signature):
            with suppress(*_ARCHIVE_ERRORS):
                return make_decompressor().decompress(head, max_bytes)
    return head[:max_bytes]


def unpacked_blocks(file: Path) -> Iterator[bytes]:
    """Yield the content of a file, after decompression if it is compressed, block by block; raise a
    Fault if it cannot be read."""
    try:
        with open_file(file) as raw:
            yield from blocks(_unpacking(raw))
    except _ARCHIVE_ERRORS as error:
        raise Fault("a file that cannot be read", str(error)) from None


def blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what a stream has, block by block."""
    return iter(partial(stream.read, MEBIBYTE // 4), b"")


def _unpacking(raw: IO[bytes]) -> IO[bytes]:
    """Return a stream of what an open file has after decompression; the file if it is not
    compressed."""
    head = raw.read(max(map(len, _COMPRESSIONS)))
    raw.seek(0)
    for signature, (open_stream, _) in _COMPRESSIONS.items():
        if head.startswith(signature):
            return open_stream(raw)
    return raw


def is_archive(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a tar archive, compressed or not."""
    return unpacked(head, 512)[257:262] == b"ustar"  # where the first header has its magic


def members(
    archive: Path,
    pattern: re.Pattern[str],
    description: str,
    max_bytes: int = MAX_UNPACKED,
    bar: Callable[..., Any] = NoBar,
) -> Iterator[tuple[str, bytes | Fault]]:
    """Yield the path of each member whose name matches `pattern`, and its content, or the fault of
    one that is not used. Nothing is extracted to the file system. See `contents_of`.

    Raises:
        DataError: if the archive is broken, or has more than `max_bytes` when it is unpacked.
    """
    size = archive.stat().st_size
    progress = bar(None, description, total=size, unit="B", unit_scale=True)
    try:
        with progress, open_file(archive) as raw:
            stream = _unpacking(raw)
            if stream is raw:
                raw.seek(max(0, size - 1024))  # Two blocks of zeros end an archive.
                if raw.read().strip(b"\0"):
                    raise tarfile.ReadError("it does not end as tar archives do")
                raw.seek(0)
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                end = 0
                unpacked_size = 0.0
                for member in tar:
                    # Otherwise tarfile keeps all members in memory.
                    tar.members = []  # type: ignore[attr-defined]  # which typeshed lacks
                    start = end
                    end = member.offset_data + member.size
                    name = PurePosixPath(member.name).name
                    is_wanted = not member.isdir() and pattern.fullmatch(name)
                    # The size is checked before tarfile reads on. A skipped member takes no memory,
                    # but counts a quarter, as to read it takes time.
                    counted_fraction = 1.0 if is_wanted else 0.25
                    unpacked_size += counted_fraction * (end - start)
                    _check_size(unpacked_size, max_bytes)
                    progress.update(raw.tell() - progress.n)  # in bytes of the packed file
                    if not is_wanted:
                        continue
                    if not member.isreg():
                        yield member.name, Fault("a member that is a link or no file")
                    elif member.size > MAX_INK_BYTES:
                        yield member.name, too_large(member.size, MAX_INK_BYTES)
                    elif (content := tar.extractfile(member)) is not None:
                        yield member.name, content.read()
            for block in blocks(stream):  # Read to the end to verify the checksum.
                unpacked_size += len(block)
                _check_size(unpacked_size, max_bytes)
    except (*_ARCHIVE_ERRORS, RecursionError) as error:  # Chained headers make tarfile recurse.
        raise DataError(f"{archive}: a broken archive ({error}); download it again") from None


def _check_size(size: float, max_bytes: int) -> None:
    if size > max_bytes:
        reason = f"more than {max_bytes:,} bytes when it is unpacked"
        raise Fault(f"{reason}; divide it, or raise max_gb")
