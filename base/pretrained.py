"""The pretrained networks, and what the name of a checkpoint means.

Does not import torch, so that an unknown name is refused at once.
"""

import os
from pathlib import Path

from utils.checks import CheckpointError, UserError, nearest

PRETRAINED = Path(__file__).resolve().parents[1] / "saved" / "pretrained"
"""The pretrained networks: `NAME.pth`, or `NAME.partial.pth` if training was far from complete."""

STYLES = PRETRAINED.with_name("styles")
"""Samples of hands, `NAME.json`: ink and its text."""

STYLE = "slanted"
"""The style of pages by the network `writer`, which wrote the styles (chosen by eye)."""

HAND_SPACE = PRETRAINED / "hands.npz"
"""The space in which hands are compared, see `utils.hand_likeness`."""


def styles() -> dict[str, Path]:
    """Return the files of the styles by name."""
    return {file.stem: file for file in sorted(STYLES.glob("*.json"))}


def style_of(path: Path) -> Path | None:
    """Return the style in which a network's pages are written: the line beside one that learned a
    hand, `STYLE` for the pretrained one; None for others."""
    beside = path.with_suffix(".json")
    if beside.is_file() and b'"strokes"' in beside.read_bytes():
        return beside
    return styles().get(STYLE) if path.resolve() == pretrained_path("writer") else None


def style_file(name: str) -> Path:
    """Return the file of a style: one that exists, or that of a name.

    Raises:
        UserError: if there is none.
    """
    if Path(name).is_file():
        return Path(name)
    known = styles()
    if name in known:
        return known[name]
    near = nearest(name, known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UserError(
        f"style {name!r}: neither a file nor one of "
        f"{', '.join(known) or 'the styles: none is there'}"
        f"{hint}"
    )


def pretrained() -> dict[str, Path]:
    """Return the pretrained networks by name; completely trained ones first."""
    files = sorted(PRETRAINED.glob("*.pth"), key=lambda file: (".partial" in file.name, file.name))
    found: dict[str, Path] = {}
    for file in files:
        found.setdefault(file.stem.removesuffix(".partial"), file)
    return found


def pretrained_path(path: str | os.PathLike[str]) -> Path | None:
    """Return the file of the pretrained network of that bare name, if there is one."""
    by_name = pretrained()
    by_name |= {alias: file for file in by_name.values() for alias in (file.name, file.stem)}
    return by_name.get(str(path))


def resolve_checkpoint(path: str | os.PathLike[str]) -> Path:
    """Return the file or folder that `path` means: itself or, if it does not exist, the pretrained
    network of that name.

    Raises:
        CheckpointError: if there is none, and no checkpoint beside it to suggest instead; for a
            bare name it lists the pretrained networks.
    """
    given, path = str(path), Path(path)
    if path.exists():
        return path
    if (file := pretrained_path(given)) is not None:
        return file
    if path.suffix and any(path.parent.glob("*.pth")):
        return path
    if path.suffix:
        raise CheckpointError(f"{path}: no such file")
    names = ""
    if path.name == given:
        near = nearest(given, pretrained(), 1)
        names = f"; did you mean {near[0]}? Pretrained" if near else "; pretrained"
        names = f"{names} networks: {', '.join(pretrained()) or 'none'}"
    raise CheckpointError(f"{path}: no such file or folder{names}")
