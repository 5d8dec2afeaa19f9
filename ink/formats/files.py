"""Reads untrusted files and folders within limits."""

import errno
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ink.sample import Fault
from utils.checks import printable
from utils.files import open_file

if sys.platform == "linux":
    import resource

MEBIBYTE = 1 << 20
MAX_INK_BYTES = 16 * MEBIBYTE
"""Limit on the bytes of a file or member (assumed: train_r01_v07 has files of up to 4 MiB)."""

_HEAD_BYTES = 1 << 16  # beginning of a file, by which its format is detected (assumed)

logger = logging.getLogger(__name__)


def read_file(file: Path, max_bytes: int = MAX_INK_BYTES, remedy: str = "") -> bytes:
    """Return the content of a file; `remedy` ends the message if it is too large.

    Raises:
        Fault: if the file cannot be read, or has more than `max_bytes` bytes.
    """
    try:
        with open_file(file) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > max_bytes:
                raise too_large(size, max_bytes, remedy)
            return stream.read(size)
    except OSError as error:
        raise Fault("a file that cannot be read", error.strerror or str(error)) from None


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, by which its format is detected."""
    kind = "folder" if os.path.isdir(path) else "file"
    try:
        if kind == "folder":
            # One that may not be listed or entered fails here, others at the next line, as folders.
            os.scandir(f"{path}/.").close()
        with open_file(path) as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise Fault(f"a {kind} that cannot be read", error.strerror or str(error)) from None
    if not head.strip():
        raise Fault("an empty file")
    return head


def too_large(size: int, max_bytes: int, remedy: str = "") -> Fault:
    """Return the fault of a file or member of `size` bytes."""
    return Fault(f"more than {max_bytes:,} bytes", f"{size:,}{remedy}")


@contextmanager
def memory_limit(max_bytes: int) -> Iterator[None]:
    """A block that may take some more bytes of memory than its process has; it raises a Fault if it
    needs more. Only Linux has such limits."""
    if sys.platform != "linux":
        yield
        return
    before, hard_limit = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + max_bytes
    lower = limit if before == resource.RLIM_INFINITY else min(limit, before)
    resource.setrlimit(resource.RLIMIT_AS, (lower, hard_limit))
    try:
        try:
            yield
        finally:  # first, as the message takes memory, too
            resource.setrlimit(resource.RLIMIT_AS, (before, hard_limit))
    except MemoryError:
        reason = "takes more memory to parse than a sound file of its size"
        raise Fault(reason, f"{max_bytes / 1e6:,.0f} MB") from None


def files_below(
    root: Path, pattern: re.Pattern[str], *, has_unreadable: bool = False
) -> list[Path]:
    """Return the files below a folder whose names match `pattern`, at any depth, sorted by path.

    With `has_unreadable`, folders that cannot be read and links to missing files are returned too,
    so that the caller can name each as it names a file that cannot be read. Links to folders are
    then followed, unless the folder was entered elsewhere or has `root` in it.

    Hidden files and folders, folders called `cache`, other links to folders, and folders whose
    paths are too long for the system are skipped.

    Raises:
        OSError: if a folder cannot be read; with `has_unreadable`, if `root` cannot.
    """
    files: list[Path] = []
    folders = [os.fspath(root)]
    links = list[str]()
    above = Path(root).resolve().parents
    entered = set[tuple[int, int]]()
    is_linked = False
    while folders or links:  # `os.walk` calls itself for each folder in a folder.
        # Links come last, so that a folder is entered at its real path if it has one below `root`.
        is_linked |= not folders
        folder = (folders or links).pop()
        try:
            entries = [*os.scandir(folder)]
            # A folder that may be listed, but not entered, fails here.
            status = os.stat(f"{folder}/.")
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                logger.warning("left out: %s: its path is too long", printable(folder))
            elif has_unreadable and folder != os.fspath(root):
                files.append(Path(folder))
            else:
                raise
            continue
        identity = status.st_dev, status.st_ino
        if is_linked and (identity in entered or Path(folder).resolve() in above):
            continue
        entered.add(identity)
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "cache":
                    folders.append(entry.path)
            elif has_unreadable and os.path.isdir(entry.path):
                if entry.name != "cache":
                    links.append(entry.path)
            elif pattern.fullmatch(entry.name):
                # Unlike the methods of `entry`, these functions take links that lead to themselves.
                is_file = os.path.isfile(entry.path)
                if is_file or (has_unreadable and not os.path.exists(entry.path)):
                    files.append(Path(entry.path))
    return sorted(files)


def file_state(path: Path) -> str:
    """Return a text that changes with the sizes and times of a file and of the other files of a
    tablet's document; "" if there is no such file."""
    parts = [path]
    if path.suffix == ".content":
        parts += [path.with_suffix(".pdf"), *sorted(path.with_suffix("").glob("*.rm"))]
    # Unlike `Path.is_file`, it takes paths that are too long.
    states = (part.stat() for part in parts if os.path.isfile(part))
    return " ".join(f"{state.st_size}-{state.st_mtime_ns}" for state in states)
