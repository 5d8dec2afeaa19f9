"""The pretrained networks, and what the name of one means.

Does not import torch, so that an unknown name is refused at once.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from utils.checks import CheckpointError, nearest

PRETRAINED = Path(__file__).resolve().parents[1] / "saved" / "pretrained"
"""The pretrained networks: `NAME.pth`, or `NAME.partial.pth` if training was far from complete."""

RUNS = PRETRAINED.with_name("models")
"""The runs of this checkout, `NAME/RUN_ID`."""


def pretrained() -> dict[str, Path]:
    """Return the pretrained networks by name; completely trained ones first."""
    files = sorted(PRETRAINED.glob("*.pth"), key=lambda file: (".partial" in file.name, file.name))
    found: dict[str, Path] = {}
    for file in files:
        found.setdefault(file.stem.removesuffix(".partial"), file)
    return found


def resolve_checkpoint(path: str | os.PathLike[str]) -> Path:
    """Return the file or folder that `path` means: itself or, if it does not exist, the pretrained
    network of that name, or the run of that id.

    Raises:
        CheckpointError: if there is none, or several runs have the id.
    """
    path = Path(path)
    if path.exists():
        return path
    if file := pretrained().get(str(path)):
        return file
    runs = [folder / path for folder in (RUNS, *sorted(RUNS.glob("*"))) if (folder / path).is_dir()]
    if len(runs) > 1:
        raise CheckpointError(f"{path}: several runs have this id: {', '.join(map(str, runs))}")
    return runs[0] if runs else named(str(path), pretrained(), "pretrained network")


def named(name: str, known: Mapping[str, Path], kind: str) -> Path:
    """Return the file of a name; raise a CheckpointError that says of what `kind` it is no name."""
    if name in known:
        return known[name]
    near = nearest(name, known, 1)
    hint = f"did you mean {near[0]}? There are " if near else ""
    raise CheckpointError(
        f"{name}: no such file or folder, nor a {kind} ({hint}{', '.join(known) or 'none'})"
    )
