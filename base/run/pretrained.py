"""Finds pretrained networks, and checkpoints by name.

This module does not import torch, so that an unknown name is refused at once.
"""

import logging
import os
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from utils import strict_json
from utils.checks import CheckpointError, nearest
from utils.program import NEEDS_TORCH, ROOT, has_torch

log = logging.getLogger(__name__)

SHIPPED = ROOT / "saved"
"""The folder that comes with the project, with `pretrained` and `styles`."""
FURTHER = "online_handwriting.saved"
"""The entry points of packages that are such folders as well."""
RESEARCH_PACKAGE = "online-handwriting-research"
"""The package of networks and styles for non-commercial research."""
INSTEAD = {"writer": "open_writer", "reader": "open_reader"}
"""Networks for any use, by the networks of `RESEARCH_PACKAGE` in whose place they are taken."""

LETTER_FILE = SHIPPED / "pretrained" / "letters.json"
"""File that says, for each pretrained network and letter beyond ASCII, in which fraction of words a
reader reads the letter right (measured, notebook: pages, letters that networks hardly know)."""

SAVED = Path("saved")
"""The folder of new runs and of a person's own styles."""


def pretrained() -> dict[str, Path]:
    """Return the pretrained networks by name."""
    return shipped("pretrained/*.pth")


def pretrained_name(path: Path) -> str:
    """Return the name of the pretrained network in a file; "" for any other file."""
    file = path.resolve()
    return next((name for name, each in pretrained().items() if each == file), "")


def weights_file(name: str) -> Path:
    """Return the file of weights that comes with the project, `NAME.pth` or `NAME.npz`."""
    file = pretrained().get(name) or shipped("pretrained/*.npz").get(name)
    return file or SHIPPED / "pretrained" / f"{name}.npz"


def shipped(pattern: str) -> dict[str, Path]:
    """Return the files, such as "styles/*.json", of the project and of further packages by name."""
    folders = (*_further(), SHIPPED)
    return {file.stem: file for folder in folders for file in sorted(folder.glob(pattern))}


@cache
def _further() -> list[Path]:
    """Return the folders of the installed packages that have further networks."""
    return [Path(point.load().__path__[0]) for point in entry_points(group=FURTHER)]


def resolve_checkpoint(path: str | os.PathLike[str]) -> Path:
    """Return the file or folder `path`; if it does not exist, the file of the pretrained network of
    this name or of the one in its place, or else the folder of the run with this id.

    Raises:
        CheckpointError: if none of these exists, or if several runs have the id.
    """
    path = Path(path)
    if path.exists():
        return path
    if file := installed_network(str(path)):
        return file
    places = [SAVED.absolute() / "models", SHIPPED / "models"]
    unique = {place.resolve(): place for place in places}
    folders = list[Path]()
    for place in unique.values():
        folders += [place, *place.glob("*")]
    runs = [folder / path for folder in sorted(folders) if (folder / path).is_dir()]
    if len(runs) > 1:
        raise CheckpointError(f"{path}: several runs have this id: {', '.join(map(str, runs))}")
    return runs[0] if runs else resolve_name(str(path), pretrained(), "pretrained network")


def resolve_flat_file(path: str | os.PathLike[str]) -> Path:
    """Return the flat file `path`, which the engine takes, or that of the pretrained network of
    this name or file, or of the network `INSTEAD` of it.

    Raises:
        CheckpointError: if there is none.
    """
    path = Path(path)
    is_shipped = path.resolve() in pretrained().values()
    if is_shipped or not path.exists():
        files = shipped("pretrained/*.bin")
        name = path.stem if is_shipped else str(path)
        if name not in files and INSTEAD.get(name) in files:
            warn_of_other_network(name, NEEDS_TORCH)
            name = INSTEAD[name]
        path = resolve_name(name, files, f"network for use without PyTorch ({NEEDS_TORCH})")
    if path.suffix != ".bin":
        raise CheckpointError(f"{path}: a checkpoint {NEEDS_TORCH}")
    return path


def resolve_network(path: str | os.PathLike[str]) -> Path:
    """Return the file or folder that `model.load` opens: by `resolve_checkpoint`, or without
    PyTorch by `resolve_flat_file`."""
    return resolve_checkpoint(path) if has_torch() else resolve_flat_file(path)


def installed_network(name: str) -> Path | None:
    """Return the file of the pretrained network `name`, or of the network `INSTEAD` of it, which a
    warning names once; None if neither is there."""
    networks = pretrained()
    if name not in networks and INSTEAD.get(name) in networks:
        warn_of_other_network(name, f"is not installed ({RESEARCH_PACKAGE} has it)")
        name = INSTEAD[name]
    return networks.get(name)


@cache
def warn_of_other_network(name: str, reason: str) -> None:
    """Warn once that the network `INSTEAD` of a network is taken; `reason` says why, as a verb."""
    log.warning("the network %s %s: %s is taken", name, reason, INSTEAD[name])


def resolve_name(name: str, files: Mapping[str, Path], kind: str) -> Path:
    """Return the file of a name.

    Args:
        name: the name.
        files: the files by name.
        kind: the kind of the files, for the message.

    Raises:
        CheckpointError: if no file has the name.
    """
    if name in files:
        return files[name]
    near = nearest(name, files, 1)
    hint = f"did you mean {near[0]}? There are " if near else ""
    listed = ", ".join(files) or "none"
    listed += "" if "writer" in pretrained() else f"; {RESEARCH_PACKAGE} has more"
    raise CheckpointError(f"{name}: no such file or folder, nor a {kind} ({hint}{listed})")


def letter_warning(path: Path, text: str) -> str:
    """Return a sentence that names the letters of `text` that a pretrained network hardly knows:
    read in fewer than half of its words. "" if there are none, or if the network is another.

    Args:
        path: the file of the network.
        text: any text.
    """
    name = pretrained_name(path)
    fractions = strict_json.children(strict_json.read(LETTER_FILE)).get(name, {})
    letters = [letter for letter in dict.fromkeys(text) if fractions.get(letter, 1.0) < 0.5]
    if not letters:
        return ""
    listed = " ".join(letters)
    return f"{name} hardly knows {listed}: it writes fewer than half of them legibly"
