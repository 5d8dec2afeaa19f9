"""Pictures by matplotlib: pages, lines of ink, and outputs of networks for lines.

This module does not use matplotlib's global state: every picture is a separate `Figure`, drawn by
Agg. Files are written atomically. All sizes are assumed, by eye.
"""

import math
import textwrap
from collections.abc import Sequence
from itertools import chain
from os import PathLike

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Bbox, TransformedBbox

from ink.drawing.fonts import drawable
from ink.drawing.layers import INK_COLOUR, LINE_PEN_WIDTH, Layer, curves
from ink.geometry import bezier, bounds, pieces, to_points, x_height
from ink.measures import baseline
from utils.files import atomic_write

PRIMER = "#c0562f"  # the colour of a primer's ink
GREY = "#7d818c"  # of captions and axes
FRAME_COLOUR = "#c3c7d0"  # of maps and hairlines
LIGHT_INK = "#4f8fd6"  # of every second stretch of ink
FAULT = "#c8352b"  # of a fault's text and bar
HEAT = LinearSegmentedColormap.from_list(
    "heat", ["#ffffff", "#d9e6f5", "#8fb8e0", "#3f74bd", "#25408f", "#1a1a4b", "#0c0a24"]
)

INCH = 25.4
"""Millimetres of an inch."""
PLOT_DPI = 160
"""Pixels of an inch."""
PLOT_X_HEIGHT = 0.16
"""The x-height in inches, unless a line would be too large."""
SHEET_X_HEIGHT = 0.1
"""The x-height in inches on a sheet of many lines, unless a line would be too large."""
MAX_PLOT_WIDTH = 10.0
"""Maximum width in inches of lines; a line much longer than the others may be 1.5 times as wide."""
MIN_PLOT_WIDTH = 3.0
"""Minimum width of a figure without margins, in inches, so that captions fit."""
PLOT_MARGIN = 0.3
"""Inches of paper around everything."""
CAPTION_GAP = 0.1
"""Inches below the caption of a map (by eye)."""
MAP_LABELS_WIDTH = 0.2
"""Inches for the labels of a map's rows, on its left."""
MAP_AXIS_HEIGHT = 0.35
"""Inches for the axis of steps above a map; as many are between the map and the ink."""
MAX_MAP_LABEL = 7.5
"""Maximum type size of the labels of a map's rows in points."""
MAP_LABEL_FRACTION = 0.72
"""Type size of the labels, unless it is larger, as a fraction of the height of a map's row."""
GRID_GAP = 0.3
"""Inches between the columns of a grid."""
CAPTION = 8.0
"""Type size of captions in points."""
CAPTION_GAP = 0.09
"""Inches between ink and its caption."""
CAPTION_LINE_HEIGHT = 1.35 * CAPTION / 72
"""Inches from each line of a caption to the next line."""
DOT_DIAMETER = 1.5
"""Diameter of a dot, as a multiple of the width of the pen's line."""
MAX_CELL = (3.3, 0.6)
"""Maximum width and height in inches of a line on a sheet."""
MAX_GRID_ROW = (14.0, 1.5)
"""Maximum width and height in inches of a row of a grid."""


class Canvas:
    """A figure whose coordinates are inches from its top left corner; y grows downwards."""

    def __init__(self) -> None:
        self._figure = Figure(facecolor="white")
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.axis("off")

    def figure(self, width: float, height: float) -> Figure:
        """Return the figure, cropped to `width` and `height`; call this after all drawing."""
        self._figure.set_size_inches(width, height)
        self._axes.set(xlim=(0, width), ylim=(height, 0))
        return self._figure

    def ink(
        self,
        ink: np.ndarray,
        left: float,
        top: float,
        scale: float,
        letter: float,
        shades: np.ndarray | None = None,
        colours: Sequence[str] = (INK_COLOUR,),
    ) -> float:
        """Draw ink, and return the height of its bounds in inches.

        Args:
            ink: `(points, 3)`.
            left, top: the top left corner of the ink's bounds, in inches.
            scale: inches per unit of the ink.
            letter: the x-height in the ink's units; the width of the pen is proportional to it.
            shades: for each point, the index in `colours` of the segment that ends at the point.
            colours: the colours of the ink.
        """
        shades = np.zeros(len(ink), dtype=int) if shades is None else shades
        box = bounds(ink)
        corner = np.array([left, top]) - np.array(box[:2]) * scale
        pen = max(LINE_PEN_WIDTH * letter * scale, 0.6 / 72)  # at least 0.6 points
        for number, colour in enumerate(colours):
            smooth = []
            dots = []
            for points, shade in pieces(ink, shades):
                if shade != number:
                    continue
                points = points * scale + corner
                curve = bezier(points)
                if len(curve):
                    smooth.append(curve)
                else:
                    dots.append(Path.circle(points[0], DOT_DIAMETER * pen / 2))
            self.stroke(smooth, colour, pen)
            self._draw(dots, facecolor=colour, edgecolor="none")
        return (box[3] - box[1]) * scale

    def stroke(self, curves: Sequence[np.ndarray], colour: str, width: float) -> None:
        """Draw Bézier curves `(segments, 4, 2)` with a round pen, `width` inches wide."""
        paths = []
        for curve in curves:
            # Each segment begins where the one before ends.
            vertices = np.concatenate([curve[0, :1], curve[:, 1:].reshape(-1, 2)])
            codes = [Path.MOVETO] + [Path.CURVE4] * (len(vertices) - 1)
            paths.append(Path(vertices, codes))
        self._draw(paths, facecolor="none", edgecolor=colour, linewidth=width * 72)

    def hairline(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        colour: str = FRAME_COLOUR,
        width: float = 0.6,
    ) -> None:
        """Draw a straight line, `width` points wide."""
        self._draw([Path([start, end])], facecolor="none", edgecolor=colour, linewidth=width)

    def _draw(self, paths: Sequence[Path], **style: str | float) -> None:
        if paths:
            path = Path.make_compound_path(*paths)
            patch = PathPatch(path, capstyle="round", joinstyle="round", clip_on=False, **style)
            self._axes.add_artist(patch)

    def caption(
        self, text: str, left: float, top: float, width: float = math.inf, colour: str = GREY
    ) -> float:
        """Write a caption in rows of at most `width` inches; return the height of all rows."""
        # A letter is about half as wide as the type size.
        row_length = max(int(min(width, 100.0) * 72 / (0.52 * CAPTION)), 10)
        text, fonts = drawable(text)
        style = dict(size=CAPTION, color=colour, family=fonts, va="top", parse_math=False)
        rows = []
        for line in text.split("\n"):
            rows += textwrap.wrap(line, row_length)
        for number, row in enumerate(rows):
            self._axes.text(left, top + number * CAPTION_LINE_HEIGHT, row, **style)
        return len(rows) * CAPTION_LINE_HEIGHT

    def map(
        self,
        box: tuple[float, float, float, float],
        values: np.ndarray,
        *,
        xlim: tuple[float, float],
        vmax: float,
        interpolation: str = "nearest",
    ) -> Axes:
        """Draw values as a heat map, and return its axes.

        Args:
            box: `(left, top, width, height)` of the map in inches.
            values: `(rows, columns)` from 0 to `vmax`, the top row first.
            xlim: the x of the left and the right edge of the map; the y of a row is its index.
            vmax: the value of the darkest colour.
            interpolation: as in matplotlib's `imshow`.
        """
        bounds_in_inches = Bbox.from_bounds(*box)
        # The size of the figure is known only after all drawing: a locator then places the map.
        inches = self._axes.transData - self._figure.transFigure
        axes = self._figure.add_axes((0, 0, 1, 1), label=str(box))
        axes.set_axes_locator(lambda *_: TransformedBbox(bounds_in_inches, inches))
        axes.imshow(
            values,
            aspect="auto",
            cmap=HEAT,
            vmin=0,
            vmax=max(vmax, 1e-12),  # above 0, as it divides
            extent=(*xlim, len(values) - 0.5, -0.5),
            interpolation=interpolation,
        )
        for spine in axes.spines.values():
            spine.set(color=FRAME_COLOUR, linewidth=0.6)
        axes.tick_params(labelsize=CAPTION - 1, colors=GREY, length=2, width=0.6)
        return axes


def lines_figure(
    inks: Sequence[np.ndarray],
    texts: Sequence[str] | None = None,
    *,
    primers: Sequence[int] | None = None,
) -> Figure:
    """Return a figure of lines of ink, one below the other.

    Args:
        inks: at least one line `(points, 3)`; a line that would be far too wide is drawn smaller.
        texts: a caption for each line, drawn under the line in grey; None for no captions.
        primers: for each line, how many of its first points are the primer; None for no primers.

    Raises:
        DataError: if a line is not valid.
    """
    texts = [""] * len(inks) if texts is None else texts
    primers = [0] * len(inks) if primers is None else primers
    sizes = extents(inks)
    widths = sizes[:, 0]
    letter = float(np.median([x_height(ink) for ink in inks]))
    # All lines have the same scale, so that hands can be compared, except for far too wide lines.
    scale = min(PLOT_X_HEIGHT / letter, MAX_PLOT_WIDTH / max(float(np.median(widths)), letter))
    longest_sides = np.maximum(sizes.max(axis=1), letter)
    scales = np.minimum(scale, 1.5 * MAX_PLOT_WIDTH / longest_sides)
    width = max(float((widths * scales).max()), MIN_PLOT_WIDTH if any(texts) else 0.0)
    canvas = Canvas()
    y = PLOT_MARGIN
    gap = max(1.5 * letter * scale, 0.12)
    for ink, text, primer_points, ink_scale in zip(inks, texts, primers, scales, strict=True):
        shades = (np.arange(len(ink)) >= primer_points).astype(int)
        # All lines have the same width of the pen.
        ink_letter = letter * scale / ink_scale
        colours = (PRIMER, INK_COLOUR)
        y += canvas.ink(ink, PLOT_MARGIN, y, ink_scale, ink_letter, shades, colours) + gap
        if text:
            caption_top = y - gap + CAPTION_GAP
            y = caption_top + canvas.caption(text, PLOT_MARGIN, caption_top, width) + gap
    return canvas.figure(width + 2 * PLOT_MARGIN, y - gap + PLOT_MARGIN)


def sheet_figure(inks: Sequence[np.ndarray], texts: Sequence[str], faults: Sequence[str]) -> Figure:
    """Return a figure of many lines of ink, ordered in columns from the top down.

    Args:
        inks: lines `(points, 3)`, drawn to the same scale; a line that does not fit is smaller.
        texts: a caption for each line, drawn above the ink in grey.
        faults: the fault of each line, drawn in red below the ink, with a red bar at the left of
            the line; "" for a line without a fault.

    Raises:
        DataError: if a line is not valid.
    """
    letter = float(np.median([x_height(ink) for ink in inks]))
    limits = (np.array(MAX_CELL) / extents(inks)).min(axis=1)
    scales = np.minimum(SHEET_X_HEIGHT / letter, limits)
    # A line is about four times as wide as high, so there are four times as many rows as columns.
    columns = math.ceil(math.sqrt(len(inks) / 4))
    rows = math.ceil(len(inks) / columns)
    canvas = Canvas()
    left = PLOT_MARGIN
    bottom = 0.0
    for number, (ink, scale) in enumerate(zip(inks, scales, strict=True)):
        if number % rows == 0:  # a new column
            column = number // rows
            left = PLOT_MARGIN + column * (MAX_CELL[0] + PLOT_MARGIN)
            y = PLOT_MARGIN
        top = y
        y += canvas.caption(texts[number], left, y, MAX_CELL[0]) + CAPTION_GAP / 2
        y += canvas.ink(ink, left, y, scale, letter) + CAPTION_GAP / 2
        y += canvas.caption(faults[number], left, y, MAX_CELL[0], FAULT)
        if faults[number]:
            canvas.hairline((left - CAPTION_GAP, top), (left - CAPTION_GAP, y), FAULT, 2.0)
        y += 2 * CAPTION_GAP
        bottom = max(bottom, y)
    return canvas.figure(left + MAX_CELL[0] + PLOT_MARGIN, bottom + PLOT_MARGIN)


def grid_figure(
    inks: Sequence[Sequence[np.ndarray]], rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """Return a figure of a grid of lines, such as a row per hand and a column per bias (paper,
    figures 16-21).

    All lines have the same scale; a line that does not fit is smaller. The lines of a row stand on
    the same baseline.

    Args:
        inks: for each row, and in it for each column, a line `(points, 3)`. A line without points
            leaves its cell empty; at least one line has points.
        rows, columns: the names of the rows and of the columns.
    """
    drawn = [ink for ink in chain.from_iterable(inks) if len(ink)]
    letter = float(np.median([x_height(ink) for ink in drawn]))
    max_x_height = PLOT_X_HEIGHT if len(columns) == 1 else SHEET_X_HEIGHT
    limits = np.array([MAX_GRID_ROW[0] / len(columns) - GRID_GAP, MAX_GRID_ROW[1]])

    def scale(ink: np.ndarray) -> float:
        return min(max_x_height / letter, *(limits / extents([ink])[0]))

    def top(ink: np.ndarray) -> float:
        """Return the y of the ink's top relative to its baseline, in inches; 0 without points."""
        return (bounds(ink)[1] - baseline(ink)) * scale(ink) if len(ink) else 0.0

    pitch = max(extents([ink])[0, 0] * scale(ink) for ink in drawn) + GRID_GAP
    first_left = PLOT_MARGIN + 0.8  # room for the names of the rows
    width = max(first_left + pitch * len(columns) - GRID_GAP, MIN_PLOT_WIDTH)
    canvas = Canvas()
    y = PLOT_MARGIN + CAPTION_GAP
    for number, column in enumerate(columns):
        canvas.caption(column, first_left + number * pitch, y)
    y += CAPTION_LINE_HEIGHT + CAPTION_GAP
    for name, row in zip(rows, inks, strict=True):
        row_baseline = y - min(map(top, row))
        canvas.caption(name, PLOT_MARGIN, row_baseline - CAPTION_LINE_HEIGHT)
        y = row_baseline
        for number, ink in enumerate(row):
            if len(ink):
                left = first_left + number * pitch
                ink_top = row_baseline + top(ink)
                y = max(y, ink_top + canvas.ink(ink, left, ink_top, scale(ink), letter))
        y += GRID_GAP / 2
    return canvas.figure(width + PLOT_MARGIN, y - GRID_GAP / 2 + PLOT_MARGIN)


def window_figure(window: np.ndarray, text: str, ink: np.ndarray) -> Figure:
    """Return a figure of the window's weights on the text, phi(t, u) (paper, eq. 46, figure 13).

    A map of the weights stands above the ink: steps run to the right, characters upwards. The shade
    of the ink changes wherever the window moves on to the next character, and a line connects the
    step of the move in the map with this position in the ink.

    Args:
        window: `(steps, characters)`, at least one step; row t belongs to the step from point t to
            t + 1. An additional last column is the position after the text.
        text: the text.
        ink: `(steps + 1, 3)`.
    """
    labels = [*text, *["end"] * (window.shape[1] - len(text))]
    reached = np.maximum.accumulate(window.argmax(axis=1))  # the furthest character so far
    moves = np.flatnonzero(np.diff(reached)) + 1
    # With the maximum instead of this quantile, a single step could make all others pale.
    vmax = float(np.quantile(window.max(axis=1), 0.98))
    return map_figure(window.T[::-1], labels[::-1], ink, vmax=vmax, moves=moves)


def map_figure(
    values: np.ndarray,
    labels: Sequence[str],
    ink: np.ndarray,
    caption: str = "",
    *,
    vmax: float = 1.0,
    moves: Sequence[int] = (),
) -> Figure:
    """Return a figure of a heat map, with the ink below the map and the caption below the ink.

    Args:
        values: `(labels, steps)` from 0 to `vmax`, the top row first, such as the attention or the
            probabilities of a text that was read.
        labels: a character for each row, at least one.
        ink: `(points, 3)`.
        caption: the text below the ink; "" for none.
        vmax: the value of the darkest colour.
        moves: ascending steps; at each, the shade of the ink changes, and a line connects the step
            in the map with its position in the ink.
    """
    rows, steps = values.shape
    points = to_points(ink)
    letter = x_height(ink)
    ink_width, ink_height = extents([ink])[0]
    width = min(max(4.0, steps / 100, rows * 0.22), 16.0)
    height = min(max(rows * 0.145, 1.0), 30.0)
    # The ink is at most as wide and as high as the map is wide; short ink has large letters.
    longest_side = max(ink_width, ink_height, letter)
    scale = min(width / longest_side, 3 * PLOT_X_HEIGHT / letter)
    canvas = Canvas()
    left = PLOT_MARGIN + MAP_LABELS_WIDTH
    top = PLOT_MARGIN + MAP_AXIS_HEIGHT
    axes = canvas.map((left, top, width, height), values, xlim=(0, steps), vmax=vmax)
    axes.set_yticks(range(rows), ["␣" if label == " " else label for label in labels])
    row_height = 72 * height / rows  # points
    size = min(MAX_MAP_LABEL, MAP_LABEL_FRACTION * row_height)
    for label in axes.get_yticklabels():
        text, fonts = drawable(label.get_text(), "DejaVu Sans Mono")
        label.set(text=text, parse_math=False, family=fonts, color="#333842", size=size)
    axes.tick_params(axis="y", length=0, pad=3)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("step", size=CAPTION, color=GREY, labelpad=3)
    y = top + height + MAP_AXIS_HEIGHT
    ink_left = left + (width - ink_width * scale) / 2
    for move in moves:
        x = ink_left + (points[move, 0] - points[:, 0].min()) * scale
        canvas.hairline((left + move / steps * width, top + height), (x, y - 0.05))
    shades = np.searchsorted(moves, np.arange(len(points)) - 1, side="right") % 2
    y += canvas.ink(ink, ink_left, y, scale, letter, shades, (INK_COLOUR, LIGHT_INK))
    if caption:
        y += CAPTION_GAP + canvas.caption(caption, left, y + CAPTION_GAP, width)
    return canvas.figure(left + width + PLOT_MARGIN, y + PLOT_MARGIN)


def density_figure(
    density: np.ndarray,
    extent: tuple[float, float, float, float],
    ink: np.ndarray,
    caption: str = "",
) -> Figure:
    """Return a figure of a line of ink above its predicted densities (paper, figure 10, top).

    Args:
        density: `(rows, columns)`, the top row first: the density of the next position on a grid,
            summed over all steps.
        extent: `(left, top, right, bottom)` of the grid in the ink's units.
        ink: `(points, 3)`.
        caption: the text above the ink.
    """
    left, top, right, bottom = extent
    letter = x_height(ink)
    ink_left, ink_top, _, _ = bounds(ink)
    scale = min(MAX_PLOT_WIDTH / max(right - left, bottom - top), 3 * PLOT_X_HEIGHT / letter)
    map_width = (right - left) * scale
    map_height = (bottom - top) * scale
    width = max(map_width, MIN_PLOT_WIDTH)
    canvas = Canvas()
    y = PLOT_MARGIN
    y += canvas.caption(caption, PLOT_MARGIN, y, width) + CAPTION_GAP
    # The grid has a margin around the ink. Half of this margin is left above and below the ink.
    y += (ink_top - top) * scale / 2
    canvas.ink(ink, PLOT_MARGIN + (ink_left - left) * scale, y, scale, letter)
    y += map_height - (ink_top - top) * scale
    # The density is a thousand times as high within strokes as between strokes, so the map shows
    # the fourth root of the density.
    root = (density / max(float(density.max()), 1e-300)) ** 0.25  # the density may be 0
    map_box = (PLOT_MARGIN, y, map_width, map_height)
    axes = canvas.map(map_box, root, xlim=(left, right), vmax=1.0, interpolation="bilinear")
    axes.set(xticks=[], yticks=[])
    return canvas.figure(width + 2 * PLOT_MARGIN, y + map_height + PLOT_MARGIN)


def weights_figure(weights: np.ndarray, ink: np.ndarray, caption: str = "") -> Figure:
    """Return a figure of the weights of a mixture's components (paper, figure 10, bottom).

    A tick above the map marks each step in which the pen is lifted.

    Args:
        weights: `(steps, components)`; row t belongs to the step from point t to t + 1.
        ink: `(steps + 1, 3)`.
        caption: the text above the map.
    """
    steps, components = weights.shape
    width = min(max(MIN_PLOT_WIDTH, steps / 40), MAX_PLOT_WIDTH)
    height = max(0.08 * components, 0.5)
    canvas = Canvas()
    left = PLOT_MARGIN + 0.3
    caption_height = canvas.caption(caption, left, PLOT_MARGIN, width)
    y = PLOT_MARGIN + caption_height + CAPTION_GAP
    axes = canvas.map((left, y, width, height), weights.T, xlim=(0, steps), vmax=1.0)
    axes.set_yticks([0, components - 1], ["1", f"{components}"])
    for step in np.flatnonzero(ink[:-1, 2]):
        x = left + (step + 0.5) / steps * width  # the middle of the step
        canvas.hairline((x, y - 0.07), (x, y - 0.01), INK_COLOUR)
    axes.set_xlabel("step; above: the pen is lifted", size=CAPTION, color=GREY, labelpad=3)
    axes.set_ylabel("component", size=CAPTION, color=GREY, labelpad=1)
    return canvas.figure(left + width + PLOT_MARGIN, y + height + 0.35 + PLOT_MARGIN)


def extents(inks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the width and the height of each line of ink, `(lines, 2)`, all above 0."""
    boxes = np.array([bounds(ink) for ink in inks])
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-9)


def page_figure(size: tuple[float, float], layers: Sequence[Layer]) -> Figure:
    """Return a figure of a page in true size; `size` is its width and height in millimetres."""
    canvas = Canvas()
    for layer in layers:
        lines = [curves(stroke) / INCH for stroke in layer.strokes]
        canvas.stroke(lines, layer.pen.colour, layer.pen.width / INCH)
    return canvas.figure(*(side / INCH for side in size))


def to_pixels(figure: Figure, dpi: int = PLOT_DPI) -> np.ndarray:
    """Draw a figure; return its pixels, `(height, width, 3)` uint8 of red, green and blue."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write_png(path: str | PathLike[str], figure: Figure, dpi: int = PLOT_DPI) -> None:
    """Write a figure as a PNG file with `dpi` pixels per inch."""
    figure.set_dpi(dpi)
    atomic_write(path, FigureCanvasAgg(figure).print_png)
