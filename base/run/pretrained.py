"""Finds pretrained networks, and checkpoints by name.

This module does not import torch, so that an unknown name is refused at once.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from utils.checks import CheckpointError, nearest

PRETRAINED = Path(__file__).resolve().parents[2] / "saved" / "pretrained"
"""The folder of pretrained networks, `NAME.pth`."""

RUNS = PRETRAINED.with_name("models")
"""The folder of the runs of this checkout, each in `NAME/RUN_ID`."""

SAVED = Path("saved")
"""The folder of new runs."""


def pretrained() -> dict[str, Path]:
    """Return the pretrained networks by name."""
    return {file.stem: file for file in sorted(PRETRAINED.glob("*.pth"))}


def weights_file(name: str) -> Path:
    """Return the file of weights that comes with the project, `NAME.pth` or `NAME.npz`."""
    return pretrained().get(name, PRETRAINED / f"{name}.npz")


def resolve_checkpoint(path: str | os.PathLike[str]) -> Path:
    """Return the file or folder `path`; if it does not exist, the file of the pretrained network of
    this name, or else the folder of the run with this id.

    Raises:
        CheckpointError: if none of these exists, or if several runs have the id.
    """
    path = Path(path)
    if path.exists():
        return path
    if file := pretrained().get(str(path)):
        return file
    runs = [folder / path for folder in (RUNS, *sorted(RUNS.glob("*"))) if (folder / path).is_dir()]
    if len(runs) > 1:
        raise CheckpointError(f"{path}: several runs have this id: {', '.join(map(str, runs))}")
    return runs[0] if runs else resolve_name(str(path), pretrained(), "pretrained network")


def resolve_name(
    name: str, files: Mapping[str, Path], kind: str, others: Iterable[str] = ()
) -> Path:
    """Return the file of a name.

    Args:
        name: the name.
        files: the files by name.
        kind: the kind of the files, for the message.
        others: further names, for the message.

    Raises:
        CheckpointError: if no file has the name.
    """
    if name in files:
        return files[name]
    names = [*files, *others]
    near = nearest(name, names, 1)
    hint = f"did you mean {near[0]}? There are " if near else ""
    raise CheckpointError(
        f"{name}: no such file or folder, nor a {kind} ({hint}{', '.join(names) or 'none'})"
    )
