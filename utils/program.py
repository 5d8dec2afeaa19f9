"""Tells where the program lies, and how its modules are named and its commands are typed.

In a checkout the rooms are top-level modules, in the installed package those of
`online_handwriting`; everything follows from this module's own name.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from utils.checks import UserError

PACKAGE = "online_handwriting"
"""The name of the package, which has the rooms of a checkout, too."""
PREFIX = __package__.removesuffix("utils")
"""The prefix of a room in the name of a module: "", or "online_handwriting."."""
ROOT = Path(__file__).resolve().parents[1]
"""The folder of the rooms."""
OPENING_SECONDS = 2.0
"""Seconds in which a system says that it cannot open a file (assumed)."""
COMMAND_SCRIPTS = {"train": "train.py"}
"""The scripts of a checkout by command; `experiments.py` has all other commands."""


NEEDS_TORCH = "needs PyTorch: python -m pip install torch tensorboard"
"""The end of a message about what is missing without PyTorch."""


def has_torch() -> bool:
    """Return whether PyTorch is installed."""
    return find_spec("torch") is not None


@contextmanager
def torch_needed_by(command: str) -> Iterator[None]:
    """A block that raises a UserError if a module is missing that comes with PyTorch."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "tensorboard"):
            raise
        raise UserError(f"{command} {NEEDS_TORCH}") from None


def room_of(module: str) -> str:
    """Return the room of a module by the module's name; "" for a module of somebody else."""
    return module.removeprefix(PREFIX).partition(".")[0] if module.startswith(PREFIX) else ""


def version() -> str | None:
    """Return the version of the installed package; None in a checkout."""
    return metadata.version("online-handwriting") if PREFIX else None


def typed(command: str = "") -> str:
    """Return how a command is typed, such as "python experiments.py page"; by default, what stands
    before all commands but `train`."""
    if PREFIX:
        return f"online-handwriting {command}".rstrip()
    return f"python {COMMAND_SCRIPTS.get(command, f'experiments.py {command}')}".rstrip()


def open_in_program(path: Path) -> None:
    """Open a file in the program that the system has for it.

    Raises:
        UserError: if the system has none, or cannot say.
    """
    if sys.platform == "win32":
        return os.startfile(path)
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    words = [opener, os.path.abspath(path)]
    none = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            words, stdin=none, stdout=none, stderr=none, start_new_session=True
        )
    except OSError:
        raise UserError(f"{opener} is not installed; open {path} yourself") from None
    with suppress(subprocess.TimeoutExpired):  # The program itself may be what is waited for.
        if process.wait(OPENING_SECONDS):
            raise UserError(f"{path.name}: no program is set for such files")


def started(command: str) -> list[str]:
    """Return the words that start a command of this installation, in any folder."""
    if PREFIX:
        return [sys.executable, "-P", "-m", PACKAGE, command]
    if command in COMMAND_SCRIPTS:
        return [sys.executable, str(ROOT / COMMAND_SCRIPTS[command])]
    return [sys.executable, str(ROOT / "experiments.py"), command]


def process_of(module: str, *words: str) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the environment of a process that runs a module.

    Args:
        module: the name in a checkout, such as "ink.guard".
        words: the arguments of the process.
    """
    path = os.environ.get("PYTHONPATH")
    # The folder that has the package: a dot of the prefix is a folder down to the rooms.
    importable = str(ROOT.parents[PREFIX.count(".") - 1] if PREFIX else ROOT)
    paths = os.pathsep.join(filter(None, (importable, path)))
    environment = os.environ | {"PYTHONPATH": paths}
    # -P: the working folder may have modules of the same names.
    return [sys.executable, "-P", "-m", PREFIX + module, *words], environment
