"""Untrusted archives, read within limits, without extracting them."""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from base import distributed
from data_loader.sources.cache import Rejected
from data_loader.sources.files import MEBIBYTE, read_file, too_large
from data_loader.sources.parsing import Fault
from utils.checks import DataError


class _Header(tarfile.TarInfo):
    """A header of an archive that refuses long names and the like, which could fill the memory."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        extra = header.type not in (*tarfile.SUPPORTED_TYPES, tarfile.AREGTYPE) or header.type in (
            *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
            *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
        )
        if extra and header.size > MEBIBYTE:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


class _Bounded:
    """The stream of an unpacked archive, which ends in an error after a number of bytes."""

    def __init__(self, stream: Any, most: int, archive: Path) -> None:
        self.stream, self.left, self.most, self.archive = stream, most, most, archive

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise self.too_much()
        return data

    def too_much(self) -> DataError:
        """Return the error of an archive that has, or declares, more bytes than that."""
        return DataError(
            f"{self.archive}: more than {self.most:,} bytes unpacked (the limit max_archive_bytes)"
        )


class Limits(NamedTuple):
    """The most that is read."""

    max_bytes: int
    """Of one file or member."""
    max_members: int
    """Of an archive."""
    max_archive_bytes: int
    """Of an archive, unpacked."""


def documents(
    files: Sequence[Path],
    archive: bool,
    wanted: re.Pattern[str],
    limits: Limits,
    description: str,
    advice: str = "",
) -> Iterator[tuple[str, bytes | Rejected]]:
    """Yield names and contents of files whose names fit `wanted`, or why one cannot be read.

    Args:
        files: the files, or the one archive that holds them.
        archive: whether it is an archive; see `members`.
        wanted, limits, description, advice: as for `members`.

    Raises:
        DataError: if the archive is broken or beyond a limit.
    """
    if archive:
        yield from members(files[0], wanted, limits, description, advice)
        return
    for file in distributed.bar(files, description, unit=" files"):
        if wanted.fullmatch(file.name):
            try:
                yield file.name, read_file(file, limits.max_bytes)
            except Fault as fault:
                yield file.name, fault.of(file.name)


def members(
    archive: Path,
    wanted: re.Pattern[str],
    limits: Limits,
    description: str,
    advice: str = "",
) -> Iterator[tuple[str, bytes | Rejected]]:
    """Yield names (without folders) and contents of an archive's files whose names fit `wanted`.

    Nothing is extracted: members are read one by one, in memory. Those that are too large come
    with what is wrong with them; so do links, and those that point out of the archive, all under
    an empty name.

    Args:
        archive: a tar file, zipped by gzip or not.
        wanted: names, without folders, to be read.
        limits: beyond which nothing is read.
        description: of the progress bar.
        advice: what to do if the archive is broken, the end of the message.

    Raises:
        DataError: if the archive is broken or beyond a limit.
    """
    max_bytes, max_members, max_archive_bytes = limits
    count = 0
    size = archive.stat().st_size
    bar = distributed.bar(what=description, total=size, unit="B", unit_scale=True)
    try:
        with bar, open(archive, "rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            if not zipped:
                raw.seek(max(0, archive.stat().st_size - 1024))
                if raw.read().strip(b"\0"):
                    raise tarfile.ReadError("it does not end as tar archives do")
            raw.seek(0)
            unpacked = gzip.GzipFile(fileobj=raw) if zipped else raw
            stream = _Bounded(unpacked, max_archive_bytes, archive)
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as tar:
                for member in tar:
                    tar.members = []  # else it keeps them all
                    count += 1
                    if count > max_members:
                        raise DataError(
                            f"{archive}: more than {max_members:,} members (the limit max_members)"
                        )
                    if member.size > stream.left:  # else tarfile looks for its end without one
                        raise stream.too_much()
                    bar.update(raw.tell() - bar.n)
                    path = PurePosixPath(member.name.replace("\\", "/"))
                    if path.is_absolute() or ".." in path.parts or ":" in path.parts[:1]:
                        yield "", Rejected(member.name, "a member outside of the archive")
                    elif member.issym() or member.islnk():
                        yield "", Rejected(member.name, "a member that is a link")
                    elif member.isreg() and wanted.fullmatch(path.name):
                        if member.size > max_bytes:
                            yield path.name, too_large(member.size, max_bytes).of(path.name)
                        else:
                            yield path.name, tar.extractfile(member).read()
            while stream.read(MEBIBYTE):  # to the end, where the checksum stands
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise DataError(f"{archive}: a broken archive ({error}){advice}") from None
