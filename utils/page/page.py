"""A page of handwriting: where its strokes lie on the paper, in millimetres.

Positions are millimetres from the top left corner of the sheet, x to the right, y downwards. Every
format is made of a `Page`; none changes what is on it.
"""

from dataclasses import dataclass, field

import numpy as np

from utils.ink import bounds, strokes, x_height
from utils.page.pen import INK, PEN

LETTER = 3.0
"""X-height in millimetres of a line that is a page of its own (assumed, by eye)."""
PERIOD = 0.018
"""Seconds from one point of the ink to the next (the mean of IAM-OnDB's recordings)."""


@dataclass(frozen=True)
class Pen:
    """A pen: the width of its line in millimetres, and its colour as `#rrggbb`."""

    width: float = 0.4
    colour: str = INK


@dataclass(frozen=True)
class Row:
    """A line of writing on a page.

    Attributes:
        strokes: positions `(n, 2)` float64, n at least 1, in the order of writing; a stroke of one
            point is a dot.
        text: what it says.
        pen: what it is written with.
        period: seconds from one point of a stroke to the next.
    """

    strokes: tuple[np.ndarray, ...]
    text: str = ""
    pen: Pen = Pen()
    period: float = PERIOD


@dataclass(frozen=True)
class Page:
    """A sheet of paper and what is on it.

    Attributes:
        width, height: of the sheet, in millimetres.
        rows: the lines of writing, in order.
        rules: ends of the printed lines of the paper, `(n, 2, 2)`.
        dots: printed dots of the paper, `(n, 2)`.
    """

    width: float
    height: float
    rows: tuple[Row, ...] = ()
    rules: np.ndarray = field(default_factory=lambda: np.empty((0, 2, 2)))
    dots: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))


def page_of_line(ink: np.ndarray) -> Page:
    """Return a line of ink `(points, 3)` as a page of its own, twice its x-height larger at each
    side.

    Raises:
        DataError: if the ink is not valid.
    """
    scale, margin = LETTER / x_height(ink), 2 * LETTER
    left, top, right, bottom = (scale * side for side in bounds(ink))
    moved = tuple(scale * stroke + (margin - left, margin - top) for stroke in strokes(ink))
    size = right - left + 2 * margin, bottom - top + 2 * margin
    return Page(*size, (Row(moved, pen=Pen(PEN * LETTER)),))
