"""What is drawn on a page, pen by pen, whatever the format: layers of smooth curves in mm."""

from dataclasses import dataclass, replace

import numpy as np

from utils.checks import UserError, short
from utils.ink import bezier
from utils.page.page import Page, Pen, Row

RULING = Pen(0.15, "#b3c0d8")
"""What the printed lines of the paper, and dots beside them, are drawn with (assumed, by eye)."""
DOTTED = Pen(0.3, RULING.colour)
"""What the dots of paper without lines are drawn with (assumed, by eye)."""
DOT_LENGTH = 0.2
"""Millimetres of the short stroke that a dot is drawn as: plotting programs drop strokes of no
length (vpype does). Assumed; half the width of a usual pen."""
DECIMALS = 3
"""Of positions in millimetres: a thousandth, where a plotter steps by ten."""
SLACK = 0.01
"""Millimetres that ink may lie outside of the sheet, for rounding."""


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
    rows: tuple[Row, ...]
    printed: bool = False

    @property
    def strokes(self) -> list[np.ndarray]:
        """All strokes in the order of writing."""
        return [stroke for row in self.rows for stroke in row.strokes]


def layers(page: Page, *, ruling: bool = True) -> list[Layer]:
    """Return the layers of a page: the printed ruling, then one for each pen, as first used.

    Pens that differ neither in width nor in colour are one. A layer without a stroke is left out.

    Args:
        page: a page.
        ruling: whether the ruling, if there is one, is drawn.

    Raises:
        UserError: if ink leaves the sheet: plotting programs drop it without a word (vpype does).
    """
    printer = RULING if len(page.rules) else DOTTED
    printed = Row((*page.rules, *np.reshape(page.dots, (-1, 1, 2))), "ruling", printer)
    found = [Layer("ruling", printer, (printed,), True)] if ruling and printed.strokes else []
    by_pen: dict[Pen, list[Row]] = {}
    for number, row in enumerate(page.rows, 1):
        if row.strokes:
            _check_sheet(page, row, number)
            by_pen.setdefault(row.pen, []).append(row)
    for pen, rows in by_pen.items():
        found.append(Layer(f"pen {pen.width:g} mm {pen.colour}", pen, tuple(rows)))
    return [
        replace(layer, label=f"{number} {layer.label}") for number, layer in enumerate(found, 1)
    ]


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


def segment_periods(points: np.ndarray) -> np.ndarray:
    """Return how many periods the pen takes for each of the `curves` of a stroke, `(segments,)`.

    Points that repeat the one before are a pause before the next segment, at the end after it.
    """
    points = np.round(points, DECIMALS)
    kept = np.flatnonzero(np.concatenate([[True], (np.diff(points, axis=0) != 0).any(axis=1)]))
    if len(kept) < 2:
        return np.array([max(len(points) - 1, 1)])
    return np.diff([*kept[:-1].tolist(), len(points) - 1])


def sampled(segments: np.ndarray, steps: int) -> np.ndarray:
    """Return points on cubic segments `(segments, 4, 2)`: `(segments * steps + 1, 2)`.

    Every segment is divided at equal steps of its parameter; its ends are among the points.
    """
    t = np.arange(steps)[:, None] / steps
    weights = np.concatenate(
        [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1
    )  # (steps, 4)
    points = (weights @ segments).reshape(-1, 2)  # (segments * steps, 2)
    return np.concatenate([points, segments[-1:, 3]])


def _check_sheet(page: Page, row: Row, number: int) -> None:
    points = np.concatenate(row.strokes)
    sheet = np.array([page.width, page.height])
    if (outside := np.maximum(-points, points - sheet).max()) > SLACK:
        raise UserError(
            f"row {number}, {short(row.text)}: its ink leaves the sheet by {outside:.1f} mm; "
            "larger margins, a larger sheet or smaller writing is needed"
        )
