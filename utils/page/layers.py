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

EXPONENT = 0.3
"""A line's width goes with the speed to the power of minus this (assumed, by eye)."""
NARROWEST, WIDEST = 0.55, 1.3
"""Bounds of the width in widths of the pen (assumed, by eye)."""
WIDTH_STEP = 0.05
"""From one width to the next, in widths of the pen: a step that cannot be seen (assumed)."""
PARTS = 4
"""Parts of a segment of a curve, halved twice, that may have several widths (assumed, by eye)."""


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

    def by_width(self) -> dict[float, list[np.ndarray]]:
        """Return curves `(segments, 4, 2)` by the width of their line in millimetres, thinner where
        the pen is fast."""
        found: dict[float, list[np.ndarray]] = {}
        for row in self.rows:
            for stroke, widths in zip(row.strokes, speed_widths(row), strict=True):
                changes = np.flatnonzero(np.diff(widths)) + 1
                alike = np.split(halved(halved(curves(stroke))), changes)
                for parts, width in zip(alike, widths[[0, *changes]].tolist(), strict=True):
                    found.setdefault(width, []).append(parts)
        return found


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


def halved(segments: np.ndarray) -> np.ndarray:
    """Return cubic segments `(segments, 4, 2)`, each as two of the same curve (de Casteljau)."""
    a, b, c, d = segments.transpose(1, 0, 2)
    ab, bc, cd = (a + b) / 2, (b + c) / 2, (c + d) / 2
    abc, bcd = (ab + bc) / 2, (bc + cd) / 2
    middle = (abc + bcd) / 2
    halves = np.array([[a, ab, abc, middle], [middle, bcd, cd, d]])  # (2, 4, segments, 2)
    return halves.transpose(2, 0, 1, 3).reshape(-1, 4, 2)


def segment_periods(points: np.ndarray) -> np.ndarray:
    """Return how many periods the pen takes for each of the `curves` of a stroke, `(segments,)`.

    Points that repeat the one before are a pause before the next segment, at the end after it.
    """
    moves = np.diff(np.round(points, DECIMALS), axis=0) != 0
    kept = np.flatnonzero([True, *moves.any(axis=1)])
    if len(kept) < 2:
        return np.array([max(len(points) - 1, 1)])
    return np.diff([*kept[:-1].tolist(), len(points) - 1])


def speed_widths(row: Row) -> list[np.ndarray]:
    """Return for each stroke the widths of the line along the parts of its `curves`,
    `(segments * PARTS,)`, in mm.

    The line is as wide as the pen where that moves at the row's median speed.
    """
    speeds = []
    for stroke in row.strokes:
        ends = curves(stroke)[:, [0, 3]]
        lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
        speeds.append(lengths / segment_periods(stroke))
    usual = np.median(np.concatenate(speeds))
    found = []
    for speed in speeds:
        logs = np.pad(np.log(speed / usual), 2, mode="edge")
        # At the points, `(segments + 1,)`: their two speeds, smoothed by the binomial filter.
        smooth = np.convolve(logs, [0.125, 0.375, 0.375, 0.125], mode="valid")
        centres = (np.arange(len(speed) * PARTS) + 0.5) / PARTS
        smooth = np.interp(centres, np.arange(len(smooth)), smooth)
        widths = np.clip(np.exp(-EXPONENT * smooth), NARROWEST, WIDEST)
        found.append(row.pen.width * WIDTH_STEP * np.round(widths / WIDTH_STEP))
    return found
