"""Digests of all on which prepared samples depend: files, options and code."""

import hashlib
import inspect
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform
from base.config import user_modules
from utils.files import digest_of_file


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
