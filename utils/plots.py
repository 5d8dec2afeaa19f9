"""Pictures by matplotlib: pages, lines of ink, outputs of networks for these, curves.

Nothing here uses matplotlib's global state: every picture is a `Figure` of its own, drawn by Agg.
Files are written atomically. Sizes on paper are assumed, by eye.
"""

import math
import textwrap
from collections.abc import Sequence
from os import PathLike

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Bbox, TransformedBbox

from utils.files import atomic_write
from utils.fonts import drawable
from utils.hand_measures import baseline
from utils.ink import bezier, bounds, pieces, to_points, x_height
from utils.page.layers import INK, PEN_WIDTH, Layer, curves

PRIMER = "#c0562f"
GREY = "#7d818c"
FRAME = "#c3c7d0"
LIGHT_INK = "#4f8fd6"
FAULT = "#c8352b"
HEAT = LinearSegmentedColormap.from_list(
    "heat", ["#ffffff", "#d9e6f5", "#8fb8e0", "#3f74bd", "#25408f", "#1a1a4b", "#0c0a24"]
)

INCH = 25.4
"""Millimetres."""
DPI = 160
"""Pixels of an inch."""
LETTER = 0.16
"""Inches of the x-height, unless a line would be too large."""
SHEET_LETTER = 0.1
"""Inches of the x-height on a sheet of many lines, likewise."""
WIDTH = 10.0
"""Inches of the width of a line, at most; 1.5 times as many for a line much longer than others."""
MIN_WIDTH = 3.0
"""Inches of the width of the paper without margins, at least, so that captions fit."""
MARGIN = 0.3
"""Inches of paper around everything."""
GAP = 0.3
"""Inches between the columns of a grid."""
CAPTION = 8.0
"""Points of the size of captions."""
CAPTION_GAP = 0.09
"""Inches between ink and its caption."""
LINE_HEIGHT = 1.35 * CAPTION / 72
"""Inches from a line of a caption to the next."""
DOT = 1.5
"""Diameter of a dot in widths of the pen's line."""
CELL = (3.3, 0.6)
"""Inches of the width and height of a line on a sheet, at most."""
GRID = (14.0, 1.5)
"""Inches of the width and height of a row of a grid, at most."""


class Canvas:
    """A figure that is drawn on in inches from its top left corner, y downwards."""

    def __init__(self) -> None:
        self._figure = Figure(facecolor="white")
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.axis("off")

    def figure(self, width: float, height: float) -> Figure:
        """Return the figure with its size, once everything is drawn."""
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
        colours: Sequence[str] = (INK,),
    ) -> float:
        """Draw ink with the top left corner of its bounds at a place, and return its height.

        Args:
            ink: `(points, 3)`.
            left, top: the place.
            scale: inches for a unit of the ink.
            letter: x-height in the ink's units, which the width of the pen depends on.
            shades: for each point the index of the colour of the ink that leads to the point.
            colours: by index.
        """
        shades = np.zeros(len(ink), dtype=int) if shades is None else shades
        box = bounds(ink)
        corner = np.array([left, top]) - np.array(box[:2]) * scale
        pen = max(PEN_WIDTH * letter * scale, 0.6 / 72)
        for number, colour in enumerate(colours):
            smooth, dots = [], []
            for points, shade in pieces(ink, shades):
                if shade != number:
                    continue
                points = points * scale + corner
                curve = bezier(points)
                if len(curve):
                    smooth.append(curve)
                else:
                    dots.append(Path.circle(points[0], DOT * pen / 2))
            self.stroke(smooth, colour, pen)
            self._draw(dots, facecolor=colour, edgecolor="none")
        return (box[3] - box[1]) * scale

    def stroke(self, curves: Sequence[np.ndarray], colour: str, width: float) -> None:
        """Draw smooth curves `(segments, 4, 2)` with a round pen, `width` in inches."""
        paths = []
        for curve in curves:
            vertices = np.concatenate([curve[0, :1], curve[:, 1:].reshape(-1, 2)])
            codes = [Path.MOVETO] + [Path.CURVE4] * (len(vertices) - 1)
            paths.append(Path(vertices, codes))
        self._draw(paths, facecolor="none", edgecolor=colour, linewidth=width * 72)

    def hairline(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        colour: str = FRAME,
        width: float = 0.6,
    ) -> None:
        """Draw a fine line, `width` in points."""
        self._draw([Path([start, end])], facecolor="none", edgecolor=colour, linewidth=width)

    def _draw(self, paths: Sequence[Path], **look: str | float) -> None:
        if paths:
            path = Path.make_compound_path(*paths)
            patch = PathPatch(path, capstyle="round", joinstyle="round", clip_on=False, **look)
            self._axes.add_artist(patch)

    def caption(
        self, text: str, left: float, top: float, width: float = math.inf, colour: str = GREY
    ) -> float:
        """Write small letters in rows of at most that width, and return the height of the rows."""
        # A letter is half as wide as high.
        letters = max(int(min(width, 100.0) * 72 / (0.52 * CAPTION)), 10)
        text, fonts = drawable(text)
        look = dict(size=CAPTION, color=colour, family=fonts, va="top", parse_math=False)
        rows = [row for line in text.split("\n") for row in textwrap.wrap(line, letters)]
        for number, row in enumerate(rows):
            self._axes.text(left, top + number * LINE_HEIGHT, row, **look)
        return len(rows) * LINE_HEIGHT

    def map(
        self,
        place: tuple[float, float, float, float],
        values: np.ndarray,
        *,
        xlim: tuple[float, float],
        vmax: float,
        interpolation: str = "nearest",
    ) -> Axes:
        """Draw values `(rows, columns)` from 0 to `vmax` at `(left, top, width, height)`.

        Args:
            place: in inches.
            values: from the uppermost row down.
            xlim: the coordinates of the left and the right edge; rows are counted from 0.
            vmax: the value of the darkest colour.
            interpolation: an argument of matplotlib.
        """
        left, top, width, height = place
        box = Bbox.from_bounds(left, top, width, height)
        inches = self._axes.transData - self._figure.transFigure
        axes = self._figure.add_axes((0, 0, 1, 1), label=str(place))
        axes.set_axes_locator(lambda *_: TransformedBbox(box, inches))
        axes.imshow(
            values,
            aspect="auto",
            cmap=HEAT,
            vmin=0,
            vmax=max(vmax, 1e-12),
            extent=(*xlim, len(values) - 0.5, -0.5),
            interpolation=interpolation,
        )
        for spine in axes.spines.values():
            spine.set(color=FRAME, linewidth=0.6)
        axes.tick_params(labelsize=CAPTION - 1, colors=GREY, length=2, width=0.6)
        return axes


def lines_figure(
    inks: Sequence[np.ndarray],
    texts: Sequence[str] | None = None,
    *,
    primers: Sequence[int] | None = None,
) -> Figure:
    """Return a figure of lines of ink under each other.

    Args:
        inks: at least one line `(points, 3)`, all drawn to one scale.
        texts: a caption for each line, in small grey letters under it.
        primers: for each line the number of its leading points to draw as a primer.

    Raises:
        DataError: if a line is not valid.
    """
    texts = [""] * len(inks) if texts is None else texts
    primers = [0] * len(inks) if primers is None else primers
    sizes = extents(inks)
    widths = sizes[:, 0]
    letter = float(np.median([x_height(ink) for ink in inks]))
    # The same scale for all, so that hands can be compared; only a runaway line is drawn smaller.
    scale = min(LETTER / letter, WIDTH / max(float(np.median(widths)), letter))
    scales = np.minimum(scale, 1.5 * WIDTH / np.maximum(sizes.max(axis=1), letter))
    width = max(float((widths * scales).max()), MIN_WIDTH if any(texts) else 0.0)
    canvas, y, gap = Canvas(), MARGIN, max(1.5 * letter * scale, 0.12)
    for ink, text, primed, ink_scale in zip(inks, texts, primers, scales, strict=True):
        shades = (np.arange(len(ink)) >= primed).astype(int)
        pen = letter * scale / ink_scale
        y += canvas.ink(ink, MARGIN, y, ink_scale, pen, shades, (PRIMER, INK)) + gap
        if text:
            below = y - gap + CAPTION_GAP
            y = below + canvas.caption(text, MARGIN, below, width) + gap
    return canvas.figure(width + 2 * MARGIN, y - gap + MARGIN)


def sheet_figure(inks: Sequence[np.ndarray], texts: Sequence[str], faults: Sequence[str]) -> Figure:
    """Return a figure of many lines of ink, in columns from the top down.

    Args:
        inks: lines of ink `(points, 3)`, all drawn to one scale, or smaller if they do not fit.
        texts: a caption for each line, in small grey letters above the ink.
        faults: the fault of each line, in red letters below and with a red bar beside the ink;
            empty for none.

    Raises:
        DataError: if a line is not valid.
    """
    letter = float(np.median([x_height(ink) for ink in inks]))
    limits = (np.array(CELL) / extents(inks)).min(axis=1)
    scales = np.minimum(SHEET_LETTER / letter, limits)
    # About four times as many rows as columns, as a line is four times wider than high.
    rows = math.ceil(len(inks) / math.ceil(math.sqrt(len(inks) / 4)))
    canvas, left, bottom = Canvas(), MARGIN, 0.0
    for number, (ink, scale) in enumerate(zip(inks, scales, strict=True)):
        if number % rows == 0:
            left, y = MARGIN + number // rows * (CELL[0] + MARGIN), MARGIN
        top = y
        y += canvas.caption(texts[number], left, y, CELL[0]) + CAPTION_GAP / 2
        y += canvas.ink(ink, left, y, scale, letter) + CAPTION_GAP / 2
        y += canvas.caption(faults[number], left, y, CELL[0], FAULT)
        if faults[number]:
            canvas.hairline((left - CAPTION_GAP, top), (left - CAPTION_GAP, y), FAULT, 2.0)
        y += 2 * CAPTION_GAP
        bottom = max(bottom, y)
    return canvas.figure(left + CELL[0] + MARGIN, bottom + MARGIN)


def grid_figure(
    inks: Sequence[Sequence[np.ndarray]], rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """Return a figure of lines in rows and columns, such as hands by bias (paper, figures 16-21).

    All lines have the same scale, or a smaller one if they do not fit; a row has one baseline.

    Args:
        inks: of each row, of each column: `(points, 3)`; empty ink leaves its place empty, but
            there is at least one line.
        rows, columns: the names.
    """
    there = [ink for row in inks for ink in row if len(ink)]
    letter = float(np.median([x_height(ink) for ink in there]))
    size = LETTER if len(columns) == 1 else SHEET_LETTER
    limits = np.array([GRID[0] / len(columns) - GAP, GRID[1]])

    def scale(ink: np.ndarray) -> float:
        return min(size / letter, *(limits / extents([ink])[0]))

    def top(ink: np.ndarray) -> float:
        """Return the y of the top relative to the baseline, in inches."""
        return (bounds(ink)[1] - baseline(ink)) * scale(ink) if len(ink) else 0.0

    pitch = max(extents([ink])[0, 0] * scale(ink) for ink in there) + GAP
    side = MARGIN + 0.8
    width = max(side + pitch * len(columns) - GAP, MIN_WIDTH)
    canvas, y = Canvas(), MARGIN + CAPTION_GAP
    for number, column in enumerate(columns):
        canvas.caption(column, side + number * pitch, y)
    y += LINE_HEIGHT + CAPTION_GAP
    for name, row in zip(rows, inks, strict=True):
        level = y - min(map(top, row))
        canvas.caption(name, MARGIN, level - LINE_HEIGHT)
        y = level
        for number, ink in enumerate(row):
            if len(ink):
                left, upper = side + number * pitch, level + top(ink)
                y = max(y, upper + canvas.ink(ink, left, upper, scale(ink), letter))
        y += GAP / 2
    return canvas.figure(width + MARGIN, y - GAP / 2 + MARGIN)


def window_figure(window: np.ndarray, text: str, ink: np.ndarray) -> Figure:
    """Return a figure of the window over the text, phi(t, u) (paper, eq. 46 and figure 13).

    Above is the map: time to the right, the text upwards. Below is the ink, which changes its shade
    where the window moves on to the next character; a fine line leads there from the step of that
    move.

    Args:
        window: `(steps, characters)`, at least one step; row t belongs to the step from point t to
            t + 1. An additional column is the position after the text, where writing ends.
        text: the text.
        ink: `(steps + 1, 3)`.
    """
    labels = [*text, *["end"] * (window.shape[1] - len(text))]
    reached = np.maximum.accumulate(window.argmax(axis=1))
    moves = np.flatnonzero(np.diff(reached)) + 1
    # Not the maximum, so that a single step cannot make all others pale.
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
    """Return a figure of a map above the ink and the caption.

    The map has a row for each label from the top down, and the steps to the right.

    Args:
        values: `(labels, steps)` from 0 to `vmax`, such as the evidence for a text that was read:
            attention, or probabilities of characters.
        labels: a character for each row, at least one.
        ink: `(points, 3)`, whose shade changes with each of `moves`.
        caption: the text under the ink.
    """
    rows, steps = values.shape
    points, letter, (wide, high) = to_points(ink), x_height(ink), extents([ink])[0]
    width = min(max(4.0, steps / 100, rows * 0.22), 16.0)
    height = min(max(rows * 0.145, 1.0), 30.0)
    scale = min(width / max(wide, high, letter), 3 * LETTER / letter)
    canvas, left, top = Canvas(), MARGIN + 0.2, MARGIN + 0.35
    axes = canvas.map((left, top, width, height), values, xlim=(0, steps), vmax=vmax)
    shown = ["␣" if label == " " else label for label in labels]
    axes.set_yticks(range(rows), shown)
    size = min(7.5, 0.72 * 72 * height / rows)
    for label in axes.get_yticklabels():
        text, fonts = drawable(label.get_text(), "DejaVu Sans Mono")
        label.set(text=text, parse_math=False, family=fonts, color="#333842", size=size)
    axes.tick_params(axis="y", length=0, pad=3)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("step", size=CAPTION, color=GREY, labelpad=3)
    y, ink_left = top + height + 0.35, left + (width - wide * scale) / 2
    for move in moves:
        x = ink_left + (points[move, 0] - points[:, 0].min()) * scale
        canvas.hairline((left + move / steps * width, top + height), (x, y - 0.05))
    shades = np.searchsorted(moves, np.arange(len(points)) - 1, side="right") % 2
    y += canvas.ink(ink, ink_left, y, scale, letter, shades, (INK, LIGHT_INK))
    if caption:
        y += CAPTION_GAP + canvas.caption(caption, left, y + CAPTION_GAP, width)
    return canvas.figure(left + width + MARGIN, y + MARGIN)


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
    return canvas.figure(width + 2 * MARGIN, y + high + MARGIN)


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
    height = max(0.08 * components, 0.5)
    canvas, side = Canvas(), MARGIN + 0.3
    y = MARGIN + canvas.caption(caption, side, MARGIN, width) + 0.1
    axes = canvas.map((side, y, width, height), weights.T, xlim=(0, steps), vmax=1.0)
    axes.set_yticks([0, components - 1], ["1", f"{components}"])
    for step in np.flatnonzero(ink[:-1, 2]):
        x = side + (step + 0.5) / steps * width
        canvas.hairline((x, y - 0.07), (x, y - 0.01), INK)
    axes.set_xlabel("step; above: the pen is lifted", size=CAPTION, color=GREY, labelpad=3)
    axes.set_ylabel("component", size=CAPTION, color=GREY, labelpad=1)
    return canvas.figure(side + width + MARGIN, y + height + 0.35 + MARGIN)


def extents(inks: Sequence[np.ndarray]) -> np.ndarray:
    """Return width and height of lines of ink, `(lines, 2)`, each above 0."""
    boxes = np.array([bounds(ink) for ink in inks])
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-9)


def page_figure(size: tuple[float, float], layers: Sequence[Layer]) -> Figure:
    """Return a figure of a page of that width and height in millimetres, in its size."""
    canvas = Canvas()
    for layer in layers:
        lines = [curves(stroke) / INCH for stroke in layer.strokes]
        canvas.stroke(lines, layer.pen.colour, layer.pen.width / INCH)
    return canvas.figure(*(side / INCH for side in size))


def to_pixels(figure: Figure, dpi: int = DPI) -> np.ndarray:
    """Return the drawn figure as `(height, width, 3)` uint8."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write_png(path: str | PathLike[str], figure: Figure, dpi: int = DPI) -> None:
    """Write a figure as a PNG; `dpi` in pixels per inch."""
    figure.set_dpi(dpi)
    atomic_write(path, FigureCanvasAgg(figure).print_png)
