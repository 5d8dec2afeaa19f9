"""A style: a line of a hand with its text, as a JSON file that a network can be primed with."""

import math
import os

import numpy as np

from utils.files import write_json
from utils.ink import strokes, x_height

PRECISION = 3
"""Decimals of a position, if the x-height were 1."""


def write_style(
    path: str | os.PathLike[str],
    ink: np.ndarray,
    text: str,
    name: str,
    network: str | None = None,
) -> None:
    """Write a style.

    Args:
        path: the file, which `read_ink` reads.
        ink: the line `(points, 3)`, in its own units.
        text: what it says.
        name: of the style.
        network: pretrained network that is to write it; None for `writer`.

    Raises:
        OSError: if the file cannot be written.
    """
    digits = PRECISION - math.floor(math.log10(x_height(ink)))
    values = {
        "name": name,
        "text": text,
        **({"network": network} if network else {}),
        "strokes": [
            [[round(x, digits), round(y, digits)] for x, y in stroke.tolist()]
            for stroke in strokes(ink)
        ],
    }
    write_json(path, values, indent=None)
