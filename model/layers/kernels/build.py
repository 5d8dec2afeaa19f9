"""Compilation of the kernels on first use, by the machine's C compiler.

The compiler is the first of $CC, cc, gcc and clang that works; the options in
$ONLINE_HANDWRITING_CFLAGS come last. The library is cached in
$XDG_CACHE_HOME/online-handwriting/kernels (by default ~/.cache), or in a folder of the user among
the temporary files if there is no room, or others could write there: a warning says so. Its name
has a checksum of all that it depends on, and a checksum of its content. Without a compiler, or with
ONLINE_HANDWRITING_KERNELS=0, slower torch operations replace the kernels; the variable turns off
the Triton kernels of `fused` as well.
"""

import contextlib
import ctypes
import functools
import hashlib
import itertools
import logging
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from utils.files import errors_name, remove_temporary, user_cache
from utils.locks import locked

KERNELS_SWITCH = "ONLINE_HANDWRITING_KERNELS"
"""Environment variable; 0 turns the kernels off."""
MORE_FLAGS = "ONLINE_HANDWRITING_CFLAGS"
"""Environment variable; further options for the compiler, separated by blanks. With -fsanitize the
sanitizers' library must be loaded first: see `make sanitize`."""
FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-shared")
OPTIONAL_FLAGS: Sequence[tuple[str, ...]] = list(
    itertools.product(("-march=native", "-mcpu=native", "-fPIC"), ("-fopenmp", "-fPIC"))
)
"""Combinations of options that a compiler may not know, in the order in which they are tried. -fPIC
is always set, and here stands for no option. Without OpenMP a single core computes."""
COMPILE_TIMEOUT = 120.0
"""Seconds for one attempt to compile (assumed; measured: 1.8 with GCC 12)."""
ROOM = 1 << 20
"""Bytes that must be free where a library is compiled (assumed; measured: it has 0.1 MB)."""
log = logging.getLogger(__name__)


def _compilers() -> list[list[str]]:
    """Return the commands of the C compilers found."""
    commands = [name.split() for name in (os.environ.get("CC", ""), "cc", "gcc", "clang")]
    return [command for command in commands if command and shutil.which(command[0])]


def _processor() -> str:
    """Return a description of the processor, on whose features compiled code depends."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return f"{platform.machine()} {line}"
    return f"{platform.machine()} {platform.processor()} {platform.node()}"


def _is_private(path: Path) -> bool:
    """Return whether only the user can write to `path` and replace the folders above `path`."""
    if os.name == "nt":
        return True
    status = path.stat()
    parents = [parent.stat() for parent in path.resolve().parents]
    is_owned = status.st_uid == os.getuid() and parents[0].st_uid == os.getuid()
    is_shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return is_owned and not is_shared and not any(map(_lets_others_rename, parents))


def _lets_others_rename(folder: os.stat_result) -> bool:
    """Return whether others can rename the files in a folder: they can write to the folder, and its
    sticky bit is not set."""
    mode = folder.st_mode
    is_shared = mode & stat.S_IWOTH or (mode & stat.S_IWGRP and not _is_own_group(folder.st_gid))
    return bool(is_shared and not mode & stat.S_ISVTX)


def _is_own_group(number: int) -> bool:
    """Return whether a group is the user's private one, as many systems make one for each user,
    who then makes folders that this group can write to."""
    import grp  # not on Windows
    import pwd

    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(number)
    except KeyError:
        return False
    is_named_alike = (group.gr_gid, group.gr_name) == (user.pw_gid, user.pw_name)
    return is_named_alike and {*group.gr_mem} <= {user.pw_name}


def _places() -> Iterator[Path]:
    """Yield the folders for compiled files, the best first. The second one may be emptied when the
    machine starts again; in it a command need not compile what the last one has compiled."""
    yield user_cache() / "kernels"
    user = os.getuid() if os.name == "posix" else "user"
    yield Path(tempfile.gettempdir(), f"online-handwriting-{user}", "kernels")


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """A block in which this process alone writes to a folder for compiled files.

    Raises:
        OSError: if no file can be kept there, or if others could put code there, which would then
            be run.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_private(folder):
        raise PermissionError("others can write there")
    with locked(folder / "lock", "compiles kernels", COMPILE_TIMEOUT):
        remove_temporary(folder, is_held=True)
        yield


def _check_room(folder: str | Path) -> None:
    """Raise an OSError if a folder has no room: a compiler would tell only after seconds."""
    with errors_name(folder), tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(ROOM))


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT)


def _load(path: Path) -> ctypes.CDLL | None:
    """Load a compiled file; None if it is broken or a library that it needs is missing."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        log.info("compiled kernels do not load: %s", error)
        return None


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


def _compile(
    compiler: list[str], sources: list[Path], options: Sequence[str], target: Path
) -> ctypes.CDLL | None:
    """Compile and load `sources`; store the result as `target` with its checksum."""
    for folder in (target.parent, tempfile.gettempdir()):  # the compiler writes to both
        _check_room(folder)
    temporary = target.with_name(f".{target.name}.tmp")
    for optional in OPTIONAL_FLAGS:
        result = _run([*compiler, *FLAGS, *optional, *options, "-o", temporary, *sources])
        # Some compilers accept -fopenmp but lack the library of OpenMP.
        library = _load(temporary) if result.returncode == 0 else None
        if library is not None:
            temporary.chmod(0o600)
            checksum = _checksum(temporary.read_bytes())
            temporary.replace(target.with_name(f"{target.name}-{checksum}.so"))
            return library
    log.info("%s does not compile %s: %s", compiler[0], target.name, result.stderr.strip()[-500:])
    return None


def _load_cached(target: Path) -> ctypes.CDLL | None:
    """Load the file that `_compile` stored; return None if it is missing or cannot be trusted."""
    for path in target.parent.glob(f"{target.name}-*.so"):
        if _is_private(path) and path.stem == f"{target.name}-{_checksum(path.read_bytes())}":
            return _load(path)
        log.info("%s is damaged, or others can write to it: the kernels are compiled again", path)
        path.unlink()
    return None


def build(
    folder: Path, defines: Sequence[str], included: Sequence[Path] = ()
) -> ctypes.CDLL | None:
    """Return the library of all C files of a folder, compiled unless the cache has the library.

    Args:
        folder: a folder whose C files include headers of the folder and of the system.
        defines: options such as `-DNAME=1`.
        included: files of other folders that the C files include.

    Returns:
        the library; None, with the reason in the log, if the files cannot be compiled or kept.
    """
    if os.environ.get(KERNELS_SWITCH) == "0":
        log.info("the compiled kernels are turned off by %s=0", KERNELS_SWITCH)
        return None
    options = [*defines, *os.environ.get(MORE_FLAGS, "").split()]
    problems = []
    try:
        for place in _places():
            try:
                with _held(place):
                    library = _loaded_or_compiled(folder, included, options, place)
            except OSError as error:
                problems.append(f"{place} ({error.strerror or error})")
                continue
            if problems:
                _warn(f"{problems[0]}; until that place can be used, they are in {place}")
            return library
        _warn(f"{' nor in '.join(problems)}; torch operations replace them, which are slower")
    except (OSError, subprocess.SubprocessError) as error:
        log.info("the kernels cannot be compiled: %s", error)
    return None


@functools.cache  # once a process, as there are several libraries
def _warn(problem: str) -> None:
    remedy = "make room there, or name a folder that only you can write to in XDG_CACHE_HOME"
    log.warning("compiled kernels cannot be kept in %s: %s", problem, remedy)


def _loaded_or_compiled(
    folder: Path, included: Sequence[Path], options: Sequence[str], place: Path
) -> ctypes.CDLL | None:
    """Return the library of the C files of a folder, kept in `place`; see `build`."""
    sources = sorted(folder.glob("*.c"))
    headers = [*sorted(folder.glob("*.h")), *included]
    for compiler in _compilers():
        contents = [(file.name, file.read_text()) for file in (*sources, *headers)]
        contents += [_run([*compiler, "--version"]).stdout, _processor()]
        key = repr((*contents, compiler, FLAGS, OPTIONAL_FLAGS, options))
        target = place / f"{folder.name}-{_checksum(key.encode())}"
        library = _load_cached(target) or _compile(compiler, sources, options, target)
        if library is not None:
            return library
    log.info("no C compiler works here: plain torch operations replace the compiled kernels")
    return None
