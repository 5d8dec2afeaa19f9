"""The pretrained networks and the styles, and what the name of one means.

Does not import torch, so that an unknown name is refused at once.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from utils.checks import CheckpointError, ConfigFault, nearest
from utils.strict_json import read

PRETRAINED = Path(__file__).resolve().parents[1] / "saved" / "pretrained"
"""The pretrained networks: `NAME.pth`, or `NAME.partial.pth` if training was far from complete."""

RUNS = PRETRAINED.with_name("models")
"""The runs of this checkout, `NAME/RUN_ID`."""

STYLES = PRETRAINED.with_name("styles")
"""Samples of hands, `NAME.json`: ink and its text."""

USUAL_STYLES = {"writer": "slanted", "joined": "joined", "open_writer": "open_round"}
"""The styles in which pages by pretrained networks are written (chosen by eye)."""


def styles() -> dict[str, Path]:
    """Return the files of the styles by name."""
    return {file.stem: file for file in sorted(STYLES.glob("*.json"))}


def style_of(path: Path) -> Path | None:
    """Return the style in which a network's pages are written: the line beside one that learned a
    hand, that of `USUAL_STYLES` for a pretrained one; None for others."""
    beside = path.with_suffix(".json")
    if beside.is_file() and b'"strokes"' in beside.read_bytes():
        return beside
    known = pretrained()
    usual = [style for name, style in USUAL_STYLES.items() if path.resolve() == known.get(name)]
    return styles().get(*usual) if usual else None


def network_of(style: Path | None) -> Path:
    """Return the pretrained network that writes a style: the one that its file names as `network`,
    else `writer`.

    Raises:
        CheckpointError: if there is none of this name.
    """
    named = style_values(style).get("network") if style else None
    return _named(str(named or "writer"), pretrained(), "pretrained network")


def style_values(path: Path) -> Mapping[str, Any]:
    """Return what a style's file says; nothing for ink of another kind."""
    values = None
    if path.suffix.lower() == ".json":
        with suppress(ConfigFault):  # what it contains is said where it is read as ink
            values = read(path)
    return values if isinstance(values, dict) else {}


def pretrained() -> dict[str, Path]:
    """Return the pretrained networks by name; completely trained ones first."""
    files = sorted(PRETRAINED.glob("*.pth"), key=lambda file: (".partial" in file.name, file.name))
    found: dict[str, Path] = {}
    for file in files:
        found.setdefault(file.stem.removesuffix(".partial"), file)
    return found


def style_file(name: str) -> Path:
    """Return the file of a style, or folder of ink: one that exists, or that of a name.

    Raises:
        CheckpointError: if there is none.
    """
    return Path(name) if Path(name).exists() else _named(name, styles(), "style")


def resolve_checkpoint(path: str | os.PathLike[str]) -> Path:
    """Return the file or folder that `path` means: itself or, if it does not exist, the pretrained
    network of that name, or the run of that id.

    Raises:
        CheckpointError: if there is none, or several runs have the id.
    """
    path = Path(path)
    if path.exists():
        return path
    if named := pretrained().get(str(path)):
        return named
    runs = [folder / path for folder in (RUNS, *sorted(RUNS.glob("*"))) if (folder / path).is_dir()]
    if len(runs) > 1:
        raise CheckpointError(f"{path}: several runs have this id: {', '.join(map(str, runs))}")
    return runs[0] if runs else _named(str(path), pretrained(), "pretrained network")


def _named(name: str, known: Mapping[str, Path], kind: str) -> Path:
    if name in known:
        return known[name]
    near = nearest(name, known, 1)
    hint = f"did you mean {near[0]}? There are " if near else ""
    raise CheckpointError(
        f"{name}: no such file or folder, nor a {kind} ({hint}{', '.join(known) or 'none'})"
    )
