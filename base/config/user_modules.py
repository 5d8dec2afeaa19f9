"""Loads a user's modules, with a dataset or a loss for example.

A file is loaded only if the command line names the file (`--module FILE`). Configs and checkpoints
may be untrusted, so naming a file there does not load it.
"""

import ast
import hashlib
import importlib.util
import inspect
import logging
import shlex
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from utils import strict_json
from utils.checks import CheckpointError, UserError, first_line
from utils.files import open_file
from utils.program import PACKAGE, PREFIX, room_of
from utils.strict_json import children

log = logging.getLogger(__name__)

PROJECT_ROOMS = {
    *("apps", "base", "commands", "data_loader", "ink", "logger", "model", "trainer", "utils"),
}
"""The packages of the project."""
MOVED_IMPORTS = Path(__file__).with_name("moved_imports.json")
"""The new names of modules and classes that have moved, by their former names."""
_loaded: dict[str, bytes] = {}
"""The contents of the loaded files by name: `my_loss` is a module, `my_loss/helper` a file that it
imports from its folder."""


def load_module(path: str | Path) -> None:
    """Load a Python file; a config may then name its classes.

    The file may import other files of its folder, which is searched last.

    Raises:
        UserError: if the file cannot be read or run, or has the name of an existing module.
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
    spec = importlib.util.find_spec(name)
    if spec is not None and Path(spec.origin or "").resolve() != path:  # Links lead to one file.
        raise UserError(f"--module {path}: there is another module {name}; rename the file")
    sys.path.append(folder)  # Worker processes find the module by its name.
    previous = set(sys.modules)
    try:
        importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # The user's code may raise anything.
        sys.path.remove(folder)
        reason = f"{type(error).__name__}: {first_line(error)}{_location(error, folder)}"
        moved = _moved_imports(content) if isinstance(error, ImportError) else ""
        raise UserError(f"--module {path}: it does not load: {reason}{moved}") from error
    _loaded[name] = content
    for imported in sys.modules.keys() - previous - {name}:
        other = Path(getattr(sys.modules[imported], "__file__", None) or "").resolve()
        if other.suffix == ".py" and Path(folder) in other.parents and other.is_file():
            _loaded[f"{name}/{imported}"] = other.read_bytes()


def _moved_imports(content: bytes) -> str:
    """Return the new names of what a Python file imports from a former place, for a message."""
    former = children(strict_json.read(MOVED_IMPORTS))
    moved = dict[str, str]()
    for node in ast.walk(ast.parse(content)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.removeprefix(f"{PACKAGE}.").split(".")
            places = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
            if place := next((place for place in places if place in former), ""):
                moved[place] = former[place]
            elif PREFIX and parts[0] in PROJECT_ROOMS and not name.startswith(PREFIX):
                room = name.rpartition(".")[0] or name
                moved[room] = room
    return "".join(f"; {place} is now {PACKAGE}.{new}" for place, new in moved.items())


def _location(error: BaseException, folder: str) -> str:
    """Return the last line of code in a folder that an error comes from, for a message."""
    lines = [(each.filename, each.lineno) for each in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        lines.append((error.filename or "", error.lineno))
    in_folder = [place for place in lines if Path(folder) in Path(place[0]).resolve().parents]
    return " ({}, line {})".format(*in_folder[-1]) if in_folder else ""


def is_any_from_user(*objects: object) -> bool:
    """Return whether any of these objects, or of these classes, is of a class that a user wrote;
    see `is_module_from_user`."""
    kinds = (each if isinstance(each, type) else type(each) for each in objects)
    return any(is_module_from_user(cls.__module__) for cls in kinds)


def is_module_from_user(module: str) -> bool:
    """Return whether a module of this name is neither PyTorch's nor the project's.

    Python and other libraries count as the user's: their objects hold states as the user's do.
    """
    return module.partition(".")[0] != "torch" and room_of(module) not in PROJECT_ROOMS


def classes() -> list[type]:
    """Return the classes that the loaded modules define."""
    return [
        value
        for name in _loaded
        if "/" not in name
        for value in vars(sys.modules[name]).values()
        if inspect.isclass(value) and value.__module__ == name
    ]


def digests() -> dict[str, str]:
    """Return the SHA-256 of each loaded file by its name in `_loaded`."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in _loaded.items()}


def sources() -> dict[str, bytes]:
    """Return the contents of each loaded file by file name."""
    return {f"{name.rpartition('/')[2]}.py": content for name, content in _loaded.items()}


def options() -> str:
    """Return the command-line options that load these modules again, each after a space."""
    files = [str(sys.modules[name].__file__) for name in _loaded if "/" not in name]
    return "".join(f" --module {shlex.quote(file)}" for file in files)


def warn_of_changes(modules: Mapping[str, str], source: str | Path) -> None:
    """Warn if a loaded module differs from `modules`, with whose `digests` `source` was made."""
    loaded = digests()
    for name in sorted(modules.keys() & loaded.keys()):
        if modules[name] != loaded[name]:
            log.warning(
                "%s: made with another %s.py than the loaded file (SHA-256 %s..., not %s...)",
                *(source, name, modules[name][:12], loaded[name][:12]),
            )


def check(modules: Mapping[str, str], source: str | Path) -> None:
    """Raise a CheckpointError if one of `modules`, with which `source` was made, is not loaded."""
    remedy = "--module FILE loads it (in Python: load(..., modules=[FILE]))"
    lacking = [
        f"the module {name}.py (SHA-256 {digest[:12]}...) is not loaded: {remedy}"
        for name, digest in modules.items()
        if name not in _loaded and "/" not in name
    ]
    if lacking:
        raise CheckpointError(f"{source}: {'; '.join(lacking)}")
