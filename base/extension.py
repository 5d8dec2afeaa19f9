"""The user's own modules, such as a dataset or a loss.

A file is loaded only if the command line names it (`--module FILE`), never because a config or a
checkpoint does: these may be untrusted.
"""

import hashlib
import importlib.util
import inspect
import logging
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from utils.checks import CheckpointError, UserError, first_line
from utils.files import open_file

log = logging.getLogger(__name__)

_loaded: dict[str, tuple[ModuleType, bytes]] = {}
"""By name: the module, and the content of its file."""
_imported: dict[str, bytes] = {}
"""What they import from their folders, as `my_loss/helper`: the contents of these files."""


def load_module(path: str | Path) -> None:
    """Load a Python file, whose classes a config may then name.

    Its folder is searched for what the file imports, after all others.

    Raises:
        UserError: if it cannot be read or run, or has the name of another module.
    """
    path = Path(path).resolve()
    name, folder = path.stem, str(path.parent)
    try:
        with open_file(path) as file:
            content = file.read()
    except OSError as error:
        raise UserError(f"--module {path}: cannot be read ({error.strerror})") from None
    if path.suffix != ".py" or not name.isidentifier():
        raise UserError(
            f"--module {path}: a Python file is needed, named like a variable, such as my_ink.py"
        )
    importlib.invalidate_caches()
    there = importlib.util.find_spec(name)
    if there is not None and there.origin != str(path):
        raise UserError(f"--module {path}: there is another module {name}; rename the file")
    sys.path.append(folder)  # Worker processes find the module by its name.
    before = set(sys.modules)
    try:
        _loaded[name] = importlib.import_module(name), content
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's code raises
        sys.path.remove(folder)
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"--module {path}: it does not load: {reason}") from error
    for other in sys.modules.keys() - before - {name}:
        file = Path(getattr(sys.modules[other], "__file__", None) or "")
        if file.suffix == ".py" and Path(folder) in file.parents and file.is_file():
            _imported[f"{name}/{other}"] = file.read_bytes()


def defines(*objects: object) -> bool:
    """Return whether one of them is of a class that neither PyTorch nor the project has."""
    packages = {type(one).__module__.partition(".")[0] for one in objects}
    return not packages <= {"torch", "base", "data_loader", "model", "trainer"}


def classes() -> list[type]:
    """Return the classes that the loaded modules define."""
    return [
        value
        for module, _ in _loaded.values()
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]


def versions() -> dict[str, str]:
    """Return the SHA-256 of the file of each loaded module, by name, and of the files of their
    folders that these import, as `my_loss/helper`; for a checkpoint."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in _files().items()}


def sources() -> dict[str, bytes]:
    """Return what was loaded, by the names of the files, for the folder of a run."""
    return {f"{name.rpartition('/')[2]}.py": content for name, content in _files().items()}


def _files() -> dict[str, bytes]:
    """Return the contents of all files that were loaded, by the names of `versions`."""
    return {name: content for name, (_, content) in _loaded.items()} | _imported


def options() -> str:
    """Return the options that load these modules again, each after a space."""
    files = [str(module.__file__) for module, _ in _loaded.values()]
    return "".join(f" --module {shlex.quote(file)}" for file in files)


def missing(modules: Mapping[str, str]) -> str:
    """Describe the modules of a checkpoint that are not loaded; "" if none."""
    remedy = "--module FILE loads it (in Python: load(..., modules=[FILE]))"
    return "; ".join(
        f"the module {name}.py (SHA-256 {digest[:12]}...) is not loaded: {remedy}"
        for name, digest in modules.items()
        if name not in _loaded and "/" not in name
    )


def warn_of_changes(modules: Mapping[str, str], source: str | Path) -> None:
    """Warn if a loaded module is not the one with which a checkpoint was made."""
    now = versions()
    for name in sorted(modules.keys() & now.keys()):
        if modules[name] != now[name]:
            log.warning(
                "%s: made with another %s.py than the one loaded (SHA-256 %s..., not %s...)",
                *(source, name, modules[name][:12], now[name][:12]),
            )


def check(modules: Mapping[str, str], source: str | Path) -> None:
    """Raise a CheckpointError if a checkpoint was made with a module that is not loaded."""
    if lacking := missing(modules):
        raise CheckpointError(f"{source}: {lacking}")
