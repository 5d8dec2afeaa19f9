"""A style: a hand with a name, as a JSON file: what networks are told of it, and a line of it."""

import math
import os
from collections.abc import Sequence

import numpy as np

from utils.files import write_json
from utils.ink import strokes, x_height

PRECISION = 3
"""Decimals of a position, if the x-height were 1, and of a descriptor."""


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
        ink: the line `(points, 3)`, in its own units.
        text: what it says.
        name: of the style.
        hand: its descriptor.
        network: pretrained network that is to write it; None for `writer`.

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
