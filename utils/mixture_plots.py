"""Figures of a network's mixture: its density, its weights, and what a bias makes of it.

Sizes on paper are assumed, by eye.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from utils.hand_measures import baseline
from utils.ink import bounds, x_height
from utils.page.page import INK
from utils.plots import (
    CAPTION,
    CAPTION_GAP,
    GREY,
    LETTER,
    LINE_HEIGHT,
    MARGIN,
    MIN_WIDTH,
    SHEET_LETTER,
    WIDTH,
    Canvas,
    extents,
)

ROW = 0.08
"""Inches of a component's row."""
GRID_WIDTH, GRID_HEIGHT = 14.0, 1.5
"""Maximum width of all columns of a grid, and height of a line in it, in inches."""
NAME_WIDTH, GAP = 0.8, 0.3
"""Inches for the name of a grid's row, and between its columns."""


def density_figure(
    density: np.ndarray,
    extent: tuple[float, float, float, float],
    ink: np.ndarray,
    caption: str = "",
) -> Figure:
    """Return a figure of the predicted densities along a line (paper, figure 10, above).

    Above is the ink, below the densities of the next position, added up over all steps.

    Args:
        density: `(rows, columns)` on a grid over the paper, the first row at the top.
        extent: `(left, top, right, bottom)` of the grid in the ink's units.
        ink: `(points, 3)`.
        caption: the text.
    """
    left, top, right, bottom = extent
    letter, box = x_height(ink), bounds(ink)
    scale = min(WIDTH / (right - left), 3 * LETTER / letter, WIDTH / (bottom - top))
    wide, high = (right - left) * scale, (bottom - top) * scale
    width = max(wide, MIN_WIDTH)
    canvas, y = Canvas(), MARGIN
    y += canvas.caption(caption, MARGIN, y, width) + CAPTION_GAP
    # The grid has a margin around the ink: half of it is enough above, and between the two.
    y += (box[1] - top) * scale / 2
    canvas.ink(ink, MARGIN + (box[0] - left) * scale, y, scale, letter)
    y += high - (box[1] - top) * scale
    # Within strokes the density is a thousand times as high as over the jumps: show its root.
    shown = (density / max(float(density.max()), 1e-300)) ** 0.25
    axes = canvas.map(
        (MARGIN, y, wide, high), shown, xlim=(left, right), vmax=1.0, interpolation="bilinear"
    )
    axes.set(xticks=[], yticks=[])
    return canvas.cut(width + 2 * MARGIN, y + high + MARGIN)


def weights_figure(weights: np.ndarray, ink: np.ndarray, caption: str = "") -> Figure:
    """Return a figure of the components' weights at each step (paper, figure 10, below).

    A tick above the map marks each step over which the pen is lifted.

    Args:
        weights: `(steps, components)`; row t belongs to the step from point t to t + 1.
        ink: `(steps + 1, 3)`.
        caption: the text.
    """
    steps, components = weights.shape
    width = min(max(MIN_WIDTH, steps / 40), WIDTH)
    height = max(components * ROW, 0.5)
    canvas, side = Canvas(), MARGIN + 0.3
    y = MARGIN + canvas.caption(caption, side, MARGIN, width) + 0.1
    axes = canvas.map((side, y, width, height), weights.T, xlim=(0, steps), vmax=1.0)
    axes.set_yticks([0, components - 1], ["1", f"{components}"])
    for step in np.flatnonzero(ink[:-1, 2]):
        x = side + (step + 0.5) / steps * width
        canvas.hairline((x, y - 0.07), (x, y - 0.01), INK)
    axes.set_xlabel("step; above: the pen is lifted", size=CAPTION, color=GREY, labelpad=3)
    axes.set_ylabel("component", size=CAPTION, color=GREY, labelpad=1)
    return canvas.cut(side + width + MARGIN, y + height + 0.35 + MARGIN)


def grid_figure(
    inks: Sequence[Sequence[np.ndarray]],
    rows: Sequence[str],
    columns: Sequence[str],
    caption: str = "",
) -> Figure:
    """Return a figure of lines in rows and columns, such as hands by bias (paper, figures 16-21).

    All lines have one scale, those that do not fit a smaller one; a row has one baseline.

    Args:
        inks: of each row, of each column: `(points, 3)`; without a point the place stays empty, but
            there is at least one line.
        rows, columns: their names.
        caption: the text.
    """
    there = [ink for row in inks for ink in row if len(ink)]
    letter = float(np.median([x_height(ink) for ink in there]))
    size = LETTER if len(columns) == 1 else SHEET_LETTER
    limits = np.array([GRID_WIDTH / len(columns) - GAP, GRID_HEIGHT])

    def scale(ink: np.ndarray) -> float:
        return min(size / letter, *(limits / extents([ink])[0]))

    pitch = max(extents([ink])[0, 0] * scale(ink) for ink in there) + GAP
    side = MARGIN + NAME_WIDTH
    width = max(side + pitch * len(columns) - GAP, MIN_WIDTH)
    canvas, y = Canvas(), MARGIN
    y += canvas.caption(caption, MARGIN, y, width - MARGIN) + CAPTION_GAP
    for number, column in enumerate(columns):
        canvas.caption(column, side + number * pitch, y)
    y += LINE_HEIGHT + CAPTION_GAP
    for name, row in zip(rows, inks, strict=True):
        # Each line's top, from the baseline, in inches.
        tops = [(bounds(ink)[1] - baseline(ink)) * scale(ink) if len(ink) else 0.0 for ink in row]
        level, bottom = y - min(tops), y - min(tops)
        canvas.caption(name, MARGIN, level - LINE_HEIGHT)
        for number, (ink, top) in enumerate(zip(row, tops, strict=True)):
            if len(ink):
                place = side + number * pitch, level + top
                bottom = max(bottom, place[1] + canvas.ink(ink, *place, scale(ink), letter))
        y = bottom + GAP / 2
    return canvas.cut(width + MARGIN, y - GAP / 2 + MARGIN)
