"""Figures of a network's mixture: its density, its weights, and what a bias makes of it.

Sizes on paper are assumed, by eye.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from utils.canvas import (
    CAPTION,
    GREY,
    LINE_HEIGHT,
    add_caption,
    add_hairline,
    add_ink,
    add_map,
    wrap,
)
from utils.checks import DataError
from utils.hand_measures import baseline
from utils.ink import bounds, x_height
from utils.page.pen import INK, PEN
from utils.plots import CAPTION_GAP, LETTER, MARGIN, MIN_WIDTH, SHEET_LETTER, WIDTH

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

    Raises:
        DataError: if a size does not fit.
    """
    density = np.asarray(density)
    left, top, right, bottom = extent
    if density.ndim != 2 or not density.size:
        raise DataError(f"no map of shape {density.shape}")
    if not (right > left and bottom > top):
        raise DataError(f"the map has no area: {extent}")
    letter = x_height(ink)
    scale = min(WIDTH / (right - left), 3 * LETTER / letter, WIDTH / (bottom - top))
    wide, high = (right - left) * scale, (bottom - top) * scale
    width = max(wide, MIN_WIDTH)
    lines = wrap(caption, width)
    head = MARGIN + (CAPTION_GAP + LINE_HEIGHT * len(lines) if lines else 0)
    box = bounds(ink)
    # The grid has a margin around the ink: half of it is enough above, and between the two.
    above = head - (box[1] - top) * scale / 2
    middle = above + high
    figure = Figure(figsize=(width + 2 * MARGIN, middle + high + MARGIN), facecolor="white")
    add_caption(figure, lines, MARGIN, MARGIN)
    place = MARGIN + (box[0] - left) * scale, above + (box[1] - top) * scale
    add_ink(figure, ink, *place, scale, PEN * letter * scale)
    # Within strokes the density is a thousand times as high as over the jumps: show its root.
    axes = add_map(
        figure,
        (MARGIN, middle, wide, high),
        (density / max(float(density.max()), 1e-300)) ** 0.25,
        extent=(left, right, bottom, top),
        vmax=1.0,
        interpolation="bilinear",
    )
    axes.set(xticks=[], yticks=[])
    return figure


def weights_figure(weights: np.ndarray, ink: np.ndarray, caption: str = "") -> Figure:
    """Return a figure of the components' weights at each step (paper, figure 10, below).

    A tick above the map marks each step over which the pen is lifted.

    Args:
        weights: `(steps, components)`; row t belongs to the step from point t to t + 1.
        ink: `(steps + 1, 3)`.
        caption: the text.

    Raises:
        DataError: if the sizes do not fit each other.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or not weights.size or len(ink) != len(weights) + 1:
        raise DataError(f"weights of shape {weights.shape} do not fit ink of {len(ink)} points")
    steps, components = weights.shape
    width = min(max(MIN_WIDTH, steps / 40), WIDTH)
    height = max(components * ROW, 0.5)
    lines = wrap(caption, width)
    side, head = MARGIN + 0.3, MARGIN + 0.1 + LINE_HEIGHT * len(lines)
    figure = Figure(
        figsize=(side + width + MARGIN, head + height + 0.35 + MARGIN), facecolor="white"
    )
    add_caption(figure, lines, side, MARGIN)
    axes = add_map(
        figure,
        (side, head, width, height),
        weights.T,
        extent=(0, steps, components + 0.5, 0.5),
        vmax=1.0,
    )
    axes.set_yticks([1, components])
    for step in np.flatnonzero(ink[:-1, 2]):
        x = side + (step + 0.5) / steps * width
        add_hairline(figure, (x, head - 0.07), (x, head - 0.01), INK)
    axes.set_xlabel("step; above: the pen is lifted", size=CAPTION, color=GREY, labelpad=3)
    axes.set_ylabel("component", size=CAPTION, color=GREY, labelpad=1)
    return figure


def grid_figure(
    inks: Sequence[Sequence[np.ndarray]],
    rows: Sequence[str],
    columns: Sequence[str],
    caption: str = "",
) -> Figure:
    """Return a figure of lines in rows and columns, such as hands by bias (paper, figures 16-21).

    All lines have one scale, those that do not fit a smaller one; a row has one baseline.

    Args:
        inks: of each row, of each column: `(points, 3)`; without a point the place stays empty.
        rows, columns: their names.
        caption: the text.

    Raises:
        DataError: if there is no line, or there are not as many as the names say.
    """
    if [len(row) for row in inks] != [len(columns)] * len(rows):
        raise DataError(f"the lines are not {len(rows)} rows of {len(columns)}")
    places = {(r, c): ink for r, row in enumerate(inks) for c, ink in enumerate(row) if len(ink)}
    if not places:
        raise DataError("there is no line of ink to draw")
    letter = float(np.median([x_height(ink) for ink in places.values()]))
    size = LETTER if len(columns) == 1 else SHEET_LETTER
    limits = np.array([GRID_WIDTH / len(columns) - GAP, GRID_HEIGHT])
    boxes, scales = {}, {}  # from the left end of the baseline, in inches
    for place, ink in places.items():
        left, top, right, bottom = bounds(ink)
        extent = np.maximum([right - left, bottom - top], 1e-9)
        scales[place] = min(size / letter, *(limits / extent))
        base = baseline(ink)
        boxes[place] = np.array([0.0, top - base, right - left, bottom - base]) * scales[place]
    pitch = max(box[2] for box in boxes.values()) + GAP
    lines = wrap(caption, max(pitch * len(columns) + NAME_WIDTH, MIN_WIDTH))
    head = MARGIN + LINE_HEIGHT * len(lines) + (CAPTION_GAP if lines else 0.0)
    y = head + (LINE_HEIGHT + CAPTION_GAP if any(columns) else 0.0)
    levels = []
    for r in range(len(rows)):
        of_row = [box for place, box in boxes.items() if place[0] == r] or [np.zeros(4)]
        levels.append(y - min(box[1] for box in of_row))
        y = levels[-1] + max(box[3] for box in of_row) + GAP / 2
    side = MARGIN + NAME_WIDTH
    width = max(side + pitch * len(columns) - GAP, MIN_WIDTH) + MARGIN
    figure = Figure(figsize=(width, y - GAP / 2 + MARGIN), facecolor="white")
    add_caption(figure, lines, MARGIN, MARGIN)
    for c, name in enumerate(columns):
        add_caption(figure, [name], side + c * pitch, head)
    for r, name in enumerate(rows):
        add_caption(figure, [name], MARGIN, levels[r] - LINE_HEIGHT)
    for (r, c), ink in places.items():
        top, scale = levels[r] + boxes[r, c][1], scales[r, c]
        add_ink(figure, ink, side + c * pitch, top, scale, PEN * letter * scale)
    return figure
