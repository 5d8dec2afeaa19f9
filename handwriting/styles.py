"""Styles, hands with a name: JSON files of what networks are told of a hand, and a line of it.

Does not import torch, so that an unknown name is refused at once.
"""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from base.pretrained import PRETRAINED, named, pretrained
from utils.checks import ConfigFault, UserError
from utils.files import write_json
from utils.ink import strokes, x_height
from utils.strict_json import read

STYLES = PRETRAINED.with_name("styles")
"""Samples of hands, `NAME.json`: ink and its text."""

USUAL_STYLES = {"writer": "slanted", "open_writer": "open_round"}
"""The styles in which pages by pretrained networks are written (chosen by eye)."""

PRECISION = 3  # decimals of a position, if the x-height were 1, and of a descriptor


def styles() -> dict[str, Path]:
    """Return the files of the styles by name."""
    return {file.stem: file for file in sorted(STYLES.glob("*.json"))}


def style_file(name: str) -> Path:
    """Return the file of a style, or folder of ink, that has a path or the name of a style.

    Raises:
        CheckpointError: if there is none.
    """
    return Path(name) if Path(name).exists() else named(name, styles(), "style")


def fractions_of(style: str | Path) -> dict[Path, float]:
    """Return the files of a style, and the fraction of the style that each is: one file, or those
    of a mix such as "flowing:0.3,upright:0.7".

    Raises:
        CheckpointError: if there is no style of a name.
        UserError: if the text is no such list.
    """
    if Path(style).exists() or ":" not in str(style):
        return {style_file(str(style)): 1.0}
    parts = [part.strip().rpartition(":") for part in str(style).split(",")]
    try:
        amounts = {name: float(amount) for name, _, amount in parts}
        total = sum(amounts.values())
        if min(amounts.values()) <= 0 or not math.isfinite(total) or len(amounts) < len(parts):
            raise ValueError
    except ValueError:
        wanted = "styles with their shares, such as flowing:0.3,upright:0.7"
        raise UserError(f"{style}: a style is accepted, or {wanted}") from None
    return {style_file(name): amount / total for name, amount in amounts.items()}


def style_of(path: Path) -> Path | None:
    """Return the style in which a network's pages are written: the line beside a network that
    learned a hand, the one of `USUAL_STYLES` for a pretrained network; None for others."""
    beside = path.with_suffix(".json")
    if beside.is_file() and b'"strokes"' in beside.read_bytes():
        return beside
    paths = pretrained()
    for network, style in USUAL_STYLES.items():
        if path.resolve() == paths.get(network):
            return styles().get(style)
    return None


def network_of(style: str | Path | None) -> Path:
    """Return the pretrained network that writes a style, which its file names as `network`; else
    `writer`.

    Raises:
        CheckpointError: if there is none of this name.
        UserError: if styles of several networks are mixed.
    """
    files = fractions_of(style) if style else ()
    networks = {str(style_values(file).get("network") or "writer") for file in files} or {"writer"}
    if len(networks) > 1:
        raise UserError(f"{style}: {' and '.join(sorted(networks))} write these, and mix no hands")
    return named(*networks, pretrained(), "pretrained network")


def style_values(path: Path) -> Mapping[str, Any]:
    """Return what a style's file says; nothing for ink of another kind."""
    values = None
    if path.suffix.lower() == ".json":
        with suppress(ConfigFault):  # what the file contains is said where ink is read
            values = read(path)
    return values if isinstance(values, dict) else {}


def write_style(
    path: str | os.PathLike[str],
    ink: np.ndarray,
    text: str,
    name: str,
    hand: Sequence[float],
    network: str | None = None,
) -> None:
    """Write a style.

    Args:
        path: the file, which `read_ink` reads.
        ink: a line `(points, 3)`, in any unit.
        text: of the ink.
        name: of the style.
        hand: descriptor of the ink.
        network: pretrained network that is to write in the style; None for `writer`.

    Raises:
        OSError: if the file cannot be written.
    """
    digits = PRECISION - math.floor(math.log10(x_height(ink)))
    values = {
        "name": name,
        "text": text,
        **({"network": network} if network else {}),
        "hand": [round(number, PRECISION) for number in hand],
        "strokes": [
            [[round(x, digits), round(y, digits)] for x, y in stroke.tolist()]
            for stroke in strokes(ink)
        ],
    }
    write_json(path, values, indent=None)
