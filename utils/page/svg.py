"""SVG: a line of ink that browsers draw and pen plotters can follow."""

import math
from os import PathLike

import numpy as np

from utils.files import write_text
from utils.ink import bounds, check_ink, strokes, x_height
from utils.page.layers import DOT_LENGTH, curves
from utils.page.pen import INK, PEN
from utils.page.svg_parts import document, number, path_data, pen_attributes

LETTER = 3.0
"""X-height on paper in millimetres (assumed, by eye)."""


def write_svg(
    path: str | PathLike[str],
    ink: np.ndarray,
    text: str = "",
    *,
    description: str = "",
) -> None:
    """Write one line of ink as an SVG that browsers draw and pen plotters can follow.

    Every stroke is one `<path>` in the ink's own coordinates: cubic curves whose end points are the
    points. A dot is a stroke of `DOT_LENGTH` on paper. `width` and `height` give the line a natural
    size on paper.

    Args:
        path: the file, whose folder exists.
        ink: `(points, 3)`.
        text: the title.
        description: how it was made, such as the bias.

    Raises:
        DataError: if the ink is not valid.
    """
    write_text(path, to_svg(ink, text, description=description))


def to_svg(ink: np.ndarray, text: str = "", *, description: str = "") -> str:
    """Return the text of the SVG; see `write_svg`."""
    ink = check_ink(ink)
    letter = x_height(ink)
    decimals = max(0, 3 - math.floor(math.log10(letter)))  # a thousandth of a letter or finer
    left, top, right, bottom = bounds(ink)
    margin = 2 * letter
    box = (left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin)
    millimetres = LETTER / letter
    drawn = [curves(points, decimals, DOT_LENGTH / millimetres) for points in strokes(ink)]
    lines = [
        f"<g {pen_attributes(INK, number(PEN * letter, decimals))}>",
        *(f'<path d="{path_data(segments, decimals)}"/>' for segments in drawn),
        "</g>",
    ]
    return document(
        (box[2] * millimetres, box[3] * millimetres),
        " ".join(number(value, decimals) for value in box),
        lines,
        title=text,
        description=description,
    )
