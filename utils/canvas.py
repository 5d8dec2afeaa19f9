"""Parts of matplotlib figures: ink, captions, lines and maps, positioned in inches."""

import textwrap
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from utils.ink import bezier, bounds, pieces
from utils.page.pen import DOT, INK

GREY = "#7d818c"
FRAME = "#c3c7d0"
HEAT = LinearSegmentedColormap.from_list(
    "heat", ["#ffffff", "#d9e6f5", "#8fb8e0", "#3f74bd", "#25408f", "#1a1a4b", "#0c0a24"]
)
CAPTION = 8.0
"""Size of the captions in points."""
LINE_HEIGHT = 1.35 * CAPTION / 72
"""Inches from one line of a caption to the next."""


def add_ink(
    figure: Figure,
    ink: np.ndarray,
    left: float,
    top: float,
    scale: float,
    pen: float,
    shades: np.ndarray | None = None,
    colours: Sequence[str] = (INK,),
) -> None:
    """Draw ink with the top left corner of its bounds at a position in the figure.

    Args:
        figure: to draw on.
        ink: `(points, 3)`.
        left: inches from the figure's left edge.
        top: inches from the figure's upper edge.
        scale: inches for a unit of the ink.
        pen: width of the line in inches.
        shades: for each point the index of the colour of the ink that leads to it.
        colours: by index.
    """
    shades = np.zeros(len(ink), dtype=int) if shades is None else shades
    box = bounds(ink)
    corner = np.array([left - box[0] * scale, figure.get_figheight() - top + box[1] * scale])
    pen = max(pen, 0.6 / 72)
    for number, colour in enumerate(colours):
        lines, dots = [], []
        for points, shade in pieces(ink, shades):
            if shade != number:
                continue
            curves = bezier(points)
            curves, place = curves * (scale, -scale) + corner, points[0] * (scale, -scale) + corner
            if len(curves):
                vertices = np.concatenate([curves[0, :1], curves[:, 1:].reshape(-1, 2)])
                codes = [Path.MOVETO] + [Path.CURVE4] * (len(vertices) - 1)
                lines.append(Path(vertices, codes))
            else:
                dots.append(Path.circle(place, DOT * pen / 2))
        for paths, filled in ((lines, False), (dots, True)):
            if paths:
                patch = PathPatch(
                    Path.make_compound_path(*paths),
                    transform=figure.dpi_scale_trans,
                    facecolor=colour if filled else "none",
                    edgecolor="none" if filled else colour,
                    linewidth=pen * 72,
                    capstyle="round",
                    joinstyle="round",
                )
                figure.add_artist(patch)


def add_caption(
    figure: Figure, lines: Sequence[str], left: float, top: float, colour: str = GREY
) -> None:
    """Write small lines of text, the first one `top` inches below the upper edge."""
    for row, line in enumerate(lines):
        figure.text(
            left,
            figure.get_figheight() - top - row * LINE_HEIGHT,
            line,
            transform=figure.dpi_scale_trans,
            size=CAPTION,
            color=colour,
            va="top",
            parse_math=False,
        )


def add_hairline(
    figure: Figure,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = FRAME,
    width: float = 0.6,
) -> None:
    """Draw a fine line between positions in inches from the top left corner; `width` in points."""
    height = figure.get_figheight()
    line = Path([(x, height - y) for x, y in (start, end)])
    figure.add_artist(
        PathPatch(
            line, transform=figure.dpi_scale_trans, fill=False, edgecolor=colour, linewidth=width
        )
    )


def add_map(
    figure: Figure,
    place: tuple[float, float, float, float],
    values: np.ndarray,
    *,
    extent: tuple[float, float, float, float],
    vmax: float,
    origin: Literal["lower", "upper"] = "upper",
    interpolation: str = "nearest",
) -> Axes:
    """Draw values from 0 to `vmax` as a map at `(left, top, width, height)` in inches."""
    wide, high = figure.get_size_inches()
    left, top, width, height = place
    axes = figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))
    axes.imshow(
        values,
        aspect="auto",
        cmap=HEAT,
        vmin=0,
        vmax=max(vmax, 1e-12),
        extent=extent,
        origin=origin,
        interpolation=interpolation,
    )
    for spine in axes.spines.values():
        spine.set(color=FRAME, linewidth=0.6)
    axes.tick_params(labelsize=CAPTION - 1, colors=GREY, length=2, width=0.6)
    return axes


def name_rows(axes: Axes, labels: Sequence[str], size: float) -> None:
    """Write a label at each row of a map, with blanks visible, and the steps above it."""
    axes.set_yticks(range(len(labels)), ["␣" if label == " " else label for label in labels])
    for label in axes.get_yticklabels():
        label.set(parse_math=False, family="DejaVu Sans Mono", color="#333842", size=size)
    axes.tick_params(axis="y", length=0, pad=3)
    axes.xaxis.tick_top()


def wrap(text: str, width: float) -> list[str]:
    """Return a caption in lines that fit into `width` inches (a letter is half as wide as high)."""
    letters = max(int(width * 72 / (0.52 * CAPTION)), 10)
    return [part for line in text.split("\n") for part in textwrap.wrap(line, letters)]
