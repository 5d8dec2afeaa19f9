"""Files that are whole or not there: written beside their place and moved into it."""

import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY = ".*.tmp"
"""Pattern of the files that a killed `atomic_write` may leave beside its target."""


def atomic_write(path: str | os.PathLike[str], write: Callable[[BinaryIO], Any]) -> None:
    """Write a file so that at every moment `path` holds the old or the new one, whole.

    `write` gets a binary file that lies beside `path`; it is flushed to the disk and then moved
    over `path`.

    Raises:
        OSError: if the disk is full, the folder is missing or not writable. What was at `path`
            is still there, and the half-written file is not. The error names `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    _sync_folder(path.parent)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 with `atomic_write`."""
    atomic_write(path, lambda file: file.write(text.encode("utf-8")))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON with `atomic_write`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def remove_temporary(folder: str | os.PathLike[str]) -> None:
    """Remove what a killed `atomic_write` left in `folder`."""
    for path in Path(folder).glob(TEMPORARY):
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be read, so that it is not lost, and return its new place."""
    number = 1
    while (aside := path.with_name(f"{path.name}.unreadable-{number}")).exists():
        number += 1
    return path.rename(aside)


def _sync_folder(folder: Path) -> None:
    """Put the folder's new entry on the disk as well, so that a power cut does not undo it."""
    if os.name == "nt":  # Windows opens no folders; its rename needs no such step.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
