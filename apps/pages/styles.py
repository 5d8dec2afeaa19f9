"""Styles: hands with a name. The JSON file of a style has a line in the hand and its descriptor.

This module does not import torch, so that an unknown name is refused at once.
"""

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from base.run.pretrained import (
    RESEARCH_PACKAGE,
    SAVED,
    installed_network,
    pretrained,
    pretrained_name,
    resolve_name,
    shipped,
)
from ink.formats.json_strokes import MAX_JSON
from ink.geometry import strokes, x_height
from utils.checks import CheckpointError, ConfigFault, UserError, check_version, nearest
from utils.files import read_bytes, write_json
from utils.strict_json import read

OWN_STYLES = SAVED / "styles"
"""The folder of a person's own styles, `NAME.json`."""

OWN = "own"  # in place of the name of a style: a hand of the network's own, new with each seed
USUAL_STYLES = {"writer": "slanted", "open_writer": "open_round"}
"""The usual style of each pretrained network (chosen by eye)."""

MAX_JOINED_STROKES = 0.85  # per character of a joined hand (styles: up to 0.69, and from 1.08)

FORMAT = 1  # version of the format of styles; files of another version are refused

PRECISION = 3  # decimals of positions in x-heights, and of the numbers of a descriptor


def styles() -> dict[str, Path]:
    """Return the files of the styles that come with the project, and of one's own, by name."""
    own = {file.stem: file for file in OWN_STYLES.glob("*.json")}
    return dict(sorted((own | shipped("styles/*.json")).items()))


def style_file(name: str) -> Path:
    """Return the path `name` if it exists, or else the file of the style with this name.

    Raises:
        CheckpointError: if there is neither; the message lists the styles.
    """
    files = styles()
    if os.path.exists(name):
        return Path(name)
    if name in files:
        return files[name]
    near = nearest(name, [*files, OWN], 1)
    hint = f"did you mean {near[0]}? There are " if near else ""
    others = f", {OWN}"
    if "writer" not in pretrained():
        others += f"; {RESEARCH_PACKAGE} has more"
    problem = f"no such file or folder, nor a style ({hint}{listed_styles(files)}{others})"
    raise CheckpointError(f"{name}: {problem}")


def listed_styles(files: Mapping[str, Path]) -> str:
    """Return the names of styles for a message, joined hands apart from others."""
    joined = [name for name, file in files.items() if is_joined(file)]
    others = [name for name in files if name not in joined]
    kinds = [f"joined hands: {', '.join(joined)}" if joined else "", ", ".join(others)]
    return "; others: ".join(filter(None, kinds))


def is_joined(path: Path) -> bool:
    """Return whether the letters of a style are joined, as its line shows."""
    try:
        values = style_values(path)
        return len(values["strokes"]) < MAX_JOINED_STROKES * len(values["text"].replace(" ", ""))
    except (LookupError, TypeError, AttributeError, UserError):  # no file of a style
        return False


def fractions_of(style: str | Path) -> dict[Path, float]:
    """Return the file of each style in a mix such as "flowing:0.3,round:0.7", with its fraction of
    the mix. A single style has the fraction 1.

    Raises:
        CheckpointError: if there is no style with a name.
        UserError: if the mix does not have this form.
    """
    # A file may have a colon in its name; `exists` is False, and no error, for too long a mix.
    if os.path.exists(style) or ":" not in str(style):
        return {style_file(str(style)): 1.0}
    parts = [part.strip().rpartition(":") for part in str(style).split(",")]
    try:
        amounts = {name: float(amount) for name, _, amount in parts}
        total = sum(amounts.values())
        names_differ = len(amounts) == len(parts)
        if min(amounts.values()) <= 0 or not math.isfinite(total) or not names_differ:
            raise ValueError
    except ValueError:
        mix = "a mix of styles with their shares, such as flowing:0.3,round:0.7"
        raise UserError(f"{style}: a style is accepted, or {mix}") from None
    if OWN in amounts:
        raise UserError(f"{style}: {OWN}, which is another hand with each seed, cannot be mixed")
    return {style_file(name): amount / total for name, amount in amounts.items()}


def usual_style_of(path: Path) -> Path | None:
    """Return the file of a network's usual style: the file beside a network that learned a hand, or
    the style in `USUAL_STYLES` of a pretrained network; None for other networks."""
    learned = path.with_suffix(".json")
    with suppress(OSError):  # The file is missing, or not of this network.
        if b'"strokes"' in read_bytes(learned, MAX_JSON):
            return learned
    style = USUAL_STYLES.get(pretrained_name(path))
    return None if style is None else styles().get(style)


def network_of(style: str | Path | None) -> Path:
    """Return the file of the pretrained network that writes a style or a mix of styles. `network`
    in a style's file names the network; by default it is `writer`.

    Raises:
        CheckpointError: if no pretrained network has this name.
        UserError: if styles of several networks are mixed.
    """
    files = fractions_of(style) if style else ()
    networks = {str(style_values(file).get("network") or "writer") for file in files} or {"writer"}
    if len(networks) > 1:
        names = " and ".join(sorted(networks))
        raise UserError(f"{style}: styles of different networks, {names}, cannot be mixed")
    (name,) = networks
    return installed_network(name) or resolve_name(name, pretrained(), "pretrained network")


def style_values(path: Path) -> Mapping[str, Any]:
    """Return the values of a style's file; empty if the file is not a JSON object.

    Raises:
        UserError: if it is a style of another version.
    """
    values = None
    if path.suffix.lower() == ".json":
        with suppress(ConfigFault):  # The fault is reported when the ink of the file is read.
            values = read(path)
    if not isinstance(values, dict):
        return {}
    if not values.keys().isdisjoint(("format", "hand", "network")):  # else it is a line of ink
        check_version(path, values.get("format"), FORMAT)
    return values


def write_style(
    path: str | os.PathLike[str],
    ink: np.ndarray,
    text: str,
    name: str,
    hand: Sequence[float],
    network: str | None = None,
) -> None:
    """Write the file of a style, which `read_ink` can read.

    Args:
        path: the file.
        ink: a line `(points, 3)`, in any unit.
        text: the text of the ink.
        name: the name of the style.
        hand: the descriptor of the ink.
        network: the pretrained network that writes in the style; None for `writer`.

    Raises:
        OSError: if the file cannot be written.
    """
    digits = PRECISION - math.floor(math.log10(x_height(ink)))
    rounded_strokes = []
    for stroke in strokes(ink):
        rounded_strokes.append([[round(x, digits), round(y, digits)] for x, y in stroke.tolist()])
    values = {"format": FORMAT, "name": name, "text": text}
    if network:
        values["network"] = network
    values["hand"] = [round(number, PRECISION) for number in hand]
    values["strokes"] = rounded_strokes
    write_json(path, values, indent=None)
