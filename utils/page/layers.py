"""What is drawn on a page, pen by pen, whatever the format: layers of smooth curves in mm."""

from dataclasses import dataclass

import numpy as np

from utils.ink import bezier
from utils.page.page import DECIMALS, Pen, Row, Sheet, check_sheet

RULING = Pen(0.15, "#b3c0d8")
"""What the printed lines of the paper, and dots beside them, are drawn with (assumed, by eye)."""
DOTTED = Pen(0.3, RULING.colour)
"""What the dots of paper without lines are drawn with (assumed, by eye)."""
DOT_LENGTH = 0.2
"""Millimetres of the short stroke that a dot is drawn as: plotting programs drop strokes of no
length (vpype does). Assumed; half the width of a usual pen."""


@dataclass(frozen=True)
class Layer:
    """All that one pen draws on a page.

    Attributes:
        label: the layer's number, as plotters read it, and what is on it.
        pen: what it is drawn with.
        rows: the lines of writing, or the printed ruling as one row.
        printed: whether it is the printed ruling.
    """

    label: str
    pen: Pen
    rows: list[Row]
    printed: bool = False

    @property
    def strokes(self) -> list[np.ndarray]:
        """All strokes in the order of writing."""
        return [stroke for row in self.rows for stroke in row.strokes]


def layers(page: Sheet) -> list[Layer]:
    """Return the layers of a page: the printed ruling, then one for each pen, as first used.

    Pens that differ neither in width nor in colour are one. A layer without a stroke is left out.

    Raises:
        UserError: if ink leaves the sheet.
    """
    check_sheet(page)
    found = []
    if len(page.rules) or len(page.dots):
        pen = RULING if len(page.rules) else DOTTED
        row = Row((*page.rules, *np.reshape(page.dots, (-1, 1, 2))), "ruling", pen)
        found.append(Layer("1 ruling", pen, [row], printed=True))
    rows = [row for row in page.rows if row.strokes]
    for pen in dict.fromkeys(row.pen for row in rows):
        label = f"{len(found) + 1} pen {pen.width:g} mm {pen.colour}"
        found.append(Layer(label, pen, [row for row in rows if row.pen == pen]))
    return found


def curves(points: np.ndarray) -> np.ndarray:
    """Return the smooth curve of a stroke `(n, 2)` as cubic segments `(segments, 4, 2)`.

    The points are rounded to `DECIMALS` first, so that nothing is drawn that rounding would make a
    curve of no length. A dot (one point, or all the same) becomes a line of `DOT_LENGTH` around it,
    straight down as most are written.
    """
    points = np.round(points, DECIMALS)
    found = bezier(points)
    if len(found):
        return found
    return bezier(points[0] + [[0.0, -DOT_LENGTH / 2], [0.0, DOT_LENGTH / 2]])
