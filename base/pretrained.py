"""The networks that come with the project, and what the name of a checkpoint means.

Nothing here needs torch, so that a name without a file is refused at once.
"""

import os
from pathlib import Path

from utils.checks import CheckpointError

PRETRAINED = Path(__file__).resolve().parents[1] / "saved" / "pretrained"
"""Networks that come with the project: `NAME.pth`, or `NAME.partial.pth` of a training far from its
end."""


def pretrained() -> dict[str, Path]:
    """Return the networks that come with the project, by name; whole trainings before others."""
    files = sorted(PRETRAINED.glob("*.pth"), key=lambda file: (".partial" in file.name, file.name))
    found: dict[str, Path] = {}
    for file in files:
        found.setdefault(file.stem.removesuffix(".partial"), file)
    return found


def shipped(path: str | os.PathLike[str]) -> Path | None:
    """Return the file of the network that comes with the project under a bare name, if one does."""
    by_name = pretrained()
    by_name |= {alias: file for file in by_name.values() for alias in (file.name, file.stem)}
    return by_name.get(str(path))


def located(path: str | os.PathLike[str]) -> Path:
    """Return the file or folder that `path` means: itself, or the network of that name that comes
    with the project, if there is no such file or folder.

    Raises:
        CheckpointError: if there is none, and nothing beside it that could be named instead; for a
            bare name, which ones come with the project.
    """
    given, path = str(path), Path(path)
    if path.exists():
        return path
    if (file := shipped(given)) is not None:
        return file
    if path.suffix and any(path.parent.glob("*.pth")):
        return path
    if path.suffix:
        raise CheckpointError(f"{path}: no such file")
    names = f"; networks that come with the project: {', '.join(pretrained()) or 'none'}"
    raise CheckpointError(f"{path}: no such file or folder{names if path.name == given else ''}")
