"""Untrusted files and folders, read within limits."""

import os
from pathlib import Path, PurePosixPath

from data_loader.sources.parsing import Fault
from utils.checks import DataError
from utils.files import open_file

MEBIBYTE = 1 << 20


def read_file(file: Path, most: int) -> bytes:
    """Return the content of a file.

    Raises:
        Fault: if it cannot be read, or has more than `most` bytes.
    """
    try:
        with open_file(file) as stream:
            if (size := os.fstat(stream.fileno()).st_size) > most:
                raise too_large(size, most)
            return stream.read(size)
    except OSError as error:
        raise Fault("a file that cannot be read", error.strerror or str(error)) from None


def too_large(size: int, most: int) -> Fault:
    """Return the fault of a file of `size` bytes, more than `most`."""
    return Fault(f"more than {most:,} bytes (the limit max_bytes)", f"{size:,}")


def check_root(root: Path, *, needed: bool = True) -> None:
    """Raise a DataError if a file or a folder cannot be read, or is `needed` and does not exist."""
    if needed and not root.exists():
        raise DataError(f"{root}: no such file or folder; --data names the folder of the data")
    try:
        if root.is_dir():
            os.scandir(os.path.join(root, ".")).close()  # reads it, and goes through it
        elif root.exists():
            open_file(root).close()
    except OSError as error:
        raise DataError(f"{root}: cannot be read ({error.strerror})") from None


def files_below(root: Path, pattern: str, most: int) -> list[Path]:
    """Return the files of a folder and the folders in it whose names fit `pattern`, sorted.

    Hidden ones, and folders called `cache`, are passed over; links to folders are not followed.

    Raises:
        DataError: if there are more than `most`, or one of the folders cannot be read.
    """
    found: list[Path] = []
    try:
        for folder, folders, names in os.walk(root, onerror=_refuse):
            folders[:] = sorted(f for f in folders if f != "cache" and not f.startswith("."))
            for name in names:
                file = Path(folder, name)
                fits = not name.startswith(".") and PurePosixPath(name).match(pattern)
                if fits and file.is_file():
                    found.append(file)
            if len(found) > most:
                raise DataError(f"{root}: more than {most:,} files (the limit max_members)")
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise error
