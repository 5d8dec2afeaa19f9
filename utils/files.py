"""Reads text files, and writes files atomically by renaming a temporary file."""

import errno
import functools
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from utils.checks import UserError

MAX_READ_BYTES = 1 << 28
"""Maximum bytes of a file that is read whole (assumed: far more than any text or index has)."""

MAX_TEXT_BYTES = 1 << 26
"""Maximum bytes of a text (assumed: sixty long books)."""

TEMPORARY = ".*.tmp"
"""Pattern of the files and folders that a killed process may leave next to what it writes; the next
process that writes there removes them: see `remove_temporary`."""

MAX_NAME_BYTES = 200
"""Maximum bytes of a part of a path that a person named (assumed; file systems take 255)."""

CONTROLS = re.compile(r"[\0-\x1f\x7f-\x9f]")
"""Control characters."""

PLAIN_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
"""Names that are safe as a part of a path."""

XML_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML does not allow, even when escaped."""


class NotRegularFile(UserError, OSError):
    """The path is a pipe, a socket or a device instead of a regular file."""


def user_cache() -> Path:
    """Return the user's folder for caches: in `$XDG_CACHE_HOME`, if absolute, else in `~/.cache`;
    without a home directory, no folder can be made at the returned path."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        folder = cache if cache.is_absolute() else Path.home() / ".cache"
        return folder / "online-handwriting"
    except RuntimeError:  # neither $HOME nor an entry among the system's users
        return Path(os.devnull, "online-handwriting")


def open_file(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a file named by a user, for reading.

    Files without a size are empty: those of `/proc` count as regular, but may block forever.

    Raises:
        OSError: if the file cannot be opened, or is not regular: a pipe could block forever.
    """
    check_regular(path)
    file = open(path, "rb")  # noqa: SIM115
    if os.fstat(file.fileno()).st_size:
        return file
    file.close()
    return open(os.devnull, "rb")


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise an OSError if a file is there, but not regular: a pipe could block forever."""
    _target(path)


def read_bytes(path: str | os.PathLike[str], max_bytes: int = MAX_READ_BYTES) -> bytes:
    """Return the content of a regular file; raise an OSError if it cannot be read, or has more than
    `max_bytes`."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return file.read(max_bytes)


def read_text(path: str | Path, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a file, or of standard input if `path` is "-".

    Raises:
        UserError: if the file cannot be read, is longer than `max_bytes`, or is not UTF-8.
    """
    is_standard_input = path == "-"
    name = "standard input" if is_standard_input else path
    if is_standard_input and sys.stdin is None:
        raise UserError("-: there is no standard input")
    try:
        with nullcontext(sys.stdin.buffer) if is_standard_input else open_file(path) as file:
            content = file.read(max_bytes + 1)  # one more tells that there are too many
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror})") from None
    if len(content) > max_bytes:
        raise UserError(f"{name}: longer than {max_bytes:,} bytes; divide it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        location = f"byte {error.start} is 0x{content[error.start]:02x}"
        raise UserError(f"{name}: not UTF-8 text ({location}); save it as UTF-8") from None


def read_lines(path: str | Path) -> list[str]:
    """Return the non-empty lines of a text file; see `read_text`.

    Raises:
        UserError: if the file has no such line, or cannot be read.
    """
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{path}: contains no text")
    return lines


def _target(path: str | os.PathLike[str]) -> tuple[Path, int | None]:
    """Return the file to which symbolic links lead, and the file's permissions, None if the file is
    missing; raise an OSError for a folder, or for a file that is not regular."""
    target = Path(os.path.realpath(path) if os.path.islink(path) else path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return target, None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        reason = "a pipe, a socket or a device, and no regular file"
        raise NotRegularFile(errno.EINVAL, reason, str(path))
    return target, stat.S_IMODE(mode)


def atomic_write(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Write a file atomically: at every moment `path` is the complete old or new file.

    `write` gets a temporary binary file in the same folder, which is synced to the disk and then
    renamed to `path`. Symbolic links are followed. The permissions of an old file stay.

    Raises:
        NotRegularFile: if `path` is a pipe, a socket or a device.
        OSError: if the disk is full, the folder is missing or not writable. The old file remains,
            and the temporary file is removed. The error names `path`.
    """
    target, permissions = _target(path)
    with _replacing(target) as temporary, open(temporary, "xb") as file:
        if permissions is not None:
            os.chmod(temporary, permissions)
        write(file)
        file.flush()
        os.fsync(file.fileno())


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise an OSError if `atomic_write` of a file `path`, or in a folder `path`, would fail, as in
    a folder such as /proc, whose rights do not tell that it takes no file."""
    folder = Path(path)
    if not folder.is_dir():
        target, _ = _target(path)
        folder = target.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    with errors_name(path), TemporaryFile(dir=folder):
        pass


def prepare_output(
    path: Path, option: str, folder: Path | None = None, *, is_checked_only: bool = False
) -> None:
    """Make the folder of a file, and check that `path` can be written.

    Args:
        path: the file, or a path in `folder`.
        option: the command-line option that named `path`, for the message.
        folder: the folder to make; None for the parent of `path`.
        is_checked_only: whether to check without making the folder.

    Raises:
        UserError: if `path` cannot be written; the message names `option`.
    """
    if folder is None and os.path.isdir(path):
        raise UserError(f"{option} {path}: this is a folder; name a file")
    folder = (folder or path.parent).absolute()
    try:
        if not is_checked_only:
            folder.mkdir(parents=True, exist_ok=True)
        nearest = folder
        while not nearest.exists():
            nearest = nearest.parent
        # A folder that is missing is made in the nearest one that is there.
        check_writable(path if nearest == folder else nearest / "file")
    except OSError as error:
        raise UserError(f"{option} {path}: cannot be written ({error.strerror})") from None


def link_or_copy(source: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Make `path` a copy of `source` atomically, if possible by a hard link.

    Afterwards neither file may be changed in place, but both may be replaced.
    """
    source = Path(source)
    path = Path(path)
    # Renaming a hard link to another link of the same file does nothing.
    if path.exists() and path.samefile(source):
        return
    try:
        with _replacing(path) as temporary:
            os.link(source, temporary)
    except OSError:  # The file system is not the same, or has no hard links.
        atomic_write(path, lambda file: file.write(source.read_bytes()))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file next to `path`; after the block, rename it to `path`."""
    temporary = _temporary(path)
    with errors_name(path):
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder next to `path`, which is removed after the block; see `TEMPORARY`."""
    with errors_name(path):
        folder = _temporary(path)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """Return a new temporary name next to `path`, where killed processes left nothing any more."""
    _tidy(os.path.abspath(path.parent))
    unique = f"{os.getpid()}-{_machine()}-{secrets.token_hex(4)}"
    # The name is shortened, so that the temporary name is not too long for the file system.
    return path.with_name(f".{path.name[:40]}.{unique}.tmp")


def move(source: Path, path: Path) -> None:
    """Rename a file that `atomic_write` wrote to `path`, as if it had been written there."""
    target, permissions = _target(path)
    if permissions is not None:
        os.chmod(source, permissions)
    try:
        os.replace(source, target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno != errno.EXDEV:  # A link may lead to another file system.
            raise
        atomic_write(path, lambda file: file.write(source.read_bytes()))


@contextmanager
def errors_name(path: str | os.PathLike[str]) -> Iterator[None]:
    """A block whose OSErrors name `path`, even where they would name another file, or none."""
    try:
        yield
    except OSError as error:
        if error.errno is None or isinstance(error, UserError):
            raise  # Its message says all.
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 with `atomic_write`. Characters that UTF-8 lacks, such as undecodable
    bytes of file names, become escapes, which JSON has too."""
    atomic_write(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def write_json(path: str | os.PathLike[str], value: object, *, indent: int | None = 2) -> None:
    """Write `value` as indented JSON with `atomic_write`; an `indent` of None writes one line.

    Numbers that are not finite become null, as JSON has no such numbers.
    """
    finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
    write_text(path, json.dumps(finite, indent=indent, ensure_ascii=False) + "\n")


def remove_temporary(folder: str | os.PathLike[str], *, is_held: bool = False) -> None:
    """Remove the temporary files and folders that killed processes left in `folder`.

    Args:
        folder: the folder.
        is_held: whether this process has a lock of the folder, so that all that is temporary is
            left over. Else only that is removed whose process, on this machine, has ended.
    """
    for path in Path(folder).glob(TEMPORARY):
        if is_held or _is_of_an_ended_process(path.name):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@functools.cache  # once a process, as many files may be written in a folder of many
def _tidy(folder: str) -> None:
    with suppress(OSError):  # Writing the next file says so if nothing can be written here.
        remove_temporary(folder)


def _is_of_an_ended_process(name: str) -> bool:
    """Return whether a temporary name is of `_temporary` in a process that is certainly gone."""
    match = re.fullmatch(rf"\..*\.(\d{{1,9}})-{_machine()}-[0-9a-f]{{8}}\.tmp", name, re.DOTALL)
    if match is None or os.name != "posix":  # On Windows `os.kill` would end the process.
        return False
    try:
        os.kill(int(match[1]), 0)  # signal 0 only asks whether the process is there
    except ProcessLookupError:
        return True
    except OSError:  # another user's process
        pass
    return False


@functools.cache
def _machine() -> str:
    """Return a mark of where a process's number says which process it is: this machine, or this
    container. Others may write in the same folder."""
    facts = [platform.node()]
    with suppress(OSError):
        facts.append(Path("/etc/machine-id").read_text())
    with suppress(OSError):
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256(repr(facts).encode(errors="backslashreplace")).hexdigest()[:8]


def set_aside(path: Path, why: str = "unreadable") -> Path:
    """Rename a file that cannot be used, so that the file is not lost; return the new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.{why}-{number}")).exists():
        number += 1
    return path.rename(aside)


def sync_folder(folder: Path) -> None:
    """Sync a folder to the disk, so that a power cut does not undo the renaming of a file in it."""
    if os.name == "nt":  # Windows cannot open folders, and does not need this step.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def safe_path(name: str, unsafe: re.Pattern[str] = CONTROLS, mark: str = "?") -> Path:
    """Return a name that anybody may have given as a relative path without `..`, in whose parts
    `mark` replaces what is `unsafe`."""
    parts = (part for part in name.split("/") if part not in ("", ".", ".."))
    return Path(*(_safe_name(part, unsafe.sub(mark, part)) for part in parts))


def _safe_name(part: str, safe: str) -> str:
    """Return a part of a path as `safe`, cut to `MAX_NAME_BYTES`; if this is not the part itself, a
    digest keeps it apart from others."""
    content = os.fsencode(part)
    cut = os.fsencode(safe)[:MAX_NAME_BYTES]
    if cut == content:
        return part
    digest = hashlib.sha256(content).hexdigest()[:8]
    return f"{cut.decode(errors='ignore')} {digest}"  # the cut may divide a character


def content_digest(file: Path) -> str:
    """Return a digest of a file's content; raises an OSError."""
    with open_file(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_file(file: Path) -> str | None:
    """Return a digest of a file's content; None if it cannot be read."""
    with suppress(OSError):
        return content_digest(file)
    return None
