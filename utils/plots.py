"""Pictures by matplotlib: lines of ink on paper, the window over the text, curves.

Nothing here uses matplotlib's global state: every picture is a `Figure` of its own, drawn by Agg.
Files are written atomically. Sizes on paper are assumed, by eye.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from utils.canvas import (
    CAPTION,
    FRAME,
    GREY,
    LINE_HEIGHT,
    add_caption,
    add_hairline,
    add_ink,
    add_map,
    name_rows,
    wrap,
)
from utils.checks import DataError
from utils.files import atomic_write
from utils.hand_measures import baseline
from utils.ink import bounds, to_points, x_height
from utils.page.pen import INK, PEN, PRIMER

LIGHT_INK = "#4f8fd6"
FAULT = "#c8352b"

DPI = 160
LETTER = 0.16
"""X-height in inches, unless the line would be too wide."""
WIDTH = 10.0
"""Maximum width of a line in inches; 1.5 times that for one much longer than the others."""
MIN_WIDTH = 3.0
"""Minimum width of the paper in inches, without margins, so that captions fit."""
MARGIN = 0.3
"""Inches of paper around everything."""
CAPTION_GAP = 0.09
"""Inches between ink and its caption."""
CELL = (3.3, 0.6)
"""Maximum width and height of a line on a sheet, in inches."""
SHEET_LETTER = 0.1
"""X-height on a sheet in inches, unless a line would not fit into `CELL`."""

PAIRS_WIDTH, PAIRS_DPI = 15.0, 100
"""Width of a page of pairs in inches, and its pixels per inch."""
PAIR_NUMBER, PAIR_GAP, PAIR_SPACE = 0.4, 0.5, 0.12
"""Inches to the right of a pair's number, between its lines, and below it to the next."""
PAIR_LETTER, PAIR_HEIGHT = 0.24, 2.5
"""Maximum x-height and height of a pair in inches."""


def draw_lines(
    path: str | PathLike[str],
    inks: Sequence[np.ndarray],
    texts: Sequence[str] | None = None,
    *,
    primers: Sequence[int] | None = None,
    dpi: int = DPI,
) -> None:
    """Write lines of ink under each other as a PNG.

    Args:
        path: the file, whose folder exists.
        inks: lines of ink `(points, 3)`, all drawn to one scale.
        texts: a caption for each line, in small grey letters under it.
        primers: for each line the number of its leading points to draw as a primer.
        dpi: pixels per inch.

    Raises:
        DataError: if there is no line, one is not valid, or the counts differ.
    """
    write_png(path, lines_figure(inks, texts, primers=primers), dpi)


def render(
    inks: Sequence[np.ndarray], texts: Sequence[str] | None = None, *, dpi: int = 120
) -> np.ndarray:
    """Return the picture that `draw_lines` writes, as `(height, width, 3)` uint8."""
    return to_pixels(lines_figure(inks, texts), dpi)


def lines_figure(
    inks: Sequence[np.ndarray],
    texts: Sequence[str] | None = None,
    *,
    primers: Sequence[int] | None = None,
) -> Figure:
    """Return the figure of lines of ink under each other; see `draw_lines`."""
    if len(inks) == 0:
        raise DataError("there is no line of ink to draw")
    texts = [""] * len(inks) if texts is None else texts
    primers = [0] * len(inks) if primers is None else primers
    if not len(inks) == len(texts) == len(primers):
        raise DataError(f"{len(inks)} lines of ink, {len(texts)} texts, {len(primers)} primers")
    boxes = np.array([bounds(ink) for ink in inks])
    extents = boxes[:, 2:] - boxes[:, :2]
    letter = float(np.median([x_height(ink) for ink in inks]))
    # One scale for all, so that hands can be compared; only a runaway line is drawn smaller.
    scale = min(LETTER / letter, WIDTH / max(float(np.median(extents[:, 0])), letter))
    scales = np.minimum(scale, 1.5 * WIDTH / np.maximum(extents.max(axis=1), letter))
    width = max(float((extents[:, 0] * scales).max()), MIN_WIDTH if any(texts) else 0.0)
    captions = [wrap(text, width) for text in texts]

    tops, y, gap = [], MARGIN, max(1.5 * letter * scale, 0.12)
    for height, caption in zip(extents[:, 1] * scales, captions, strict=True):
        tops.append(y)
        y += height + (CAPTION_GAP + LINE_HEIGHT * len(caption) if caption else 0.0) + gap
    figure = Figure(figsize=(width + 2 * MARGIN, y - gap + MARGIN), facecolor="white")
    for row, ink in enumerate(inks):
        shades = (np.arange(len(ink)) >= primers[row]).astype(int)
        add_ink(
            figure, ink, MARGIN, tops[row], scales[row], PEN * letter * scale, shades, (PRIMER, INK)
        )
        below = tops[row] + extents[row, 1] * scales[row] + CAPTION_GAP
        add_caption(figure, captions[row], MARGIN, below)
    return figure


def draw_sheet(
    path: str | PathLike[str],
    inks: Sequence[np.ndarray],
    texts: Sequence[str],
    faults: Sequence[str],
) -> None:
    """Write many lines of ink in columns as a PNG; see `sheet_figure`."""
    write_png(path, sheet_figure(inks, texts, faults))


def sheet_figure(inks: Sequence[np.ndarray], texts: Sequence[str], faults: Sequence[str]) -> Figure:
    """Return a figure of many lines of ink, in columns from the top down.

    Args:
        inks: lines of ink `(points, 3)`, all drawn to one scale, those that do not fit smaller.
        texts: a caption for each line, in small grey letters above it.
        faults: what is wrong with each line, in red letters below it and with a red bar beside it;
            empty for nothing.

    Raises:
        DataError: if there is no line, one is not valid, or the counts differ.
    """
    if len(inks) == 0:
        raise DataError("there is no line of ink to draw")
    if not len(inks) == len(texts) == len(faults):
        raise DataError(f"{len(inks)} lines of ink, {len(texts)} texts, {len(faults)} faults")
    boxes = np.array([bounds(ink) for ink in inks])
    extents = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-9)
    letter = float(np.median([x_height(ink) for ink in inks]))
    scales = np.minimum(SHEET_LETTER / letter, (np.array(CELL) / extents).min(axis=1))
    above, below = ([wrap(text, CELL[0]) for text in some] for some in (texts, faults))
    heights = [
        LINE_HEIGHT * (len(first) + len(last)) + height + 3 * CAPTION_GAP
        for first, last, height in zip(above, below, extents[:, 1] * scales, strict=True)
    ]
    # About four times as many rows as columns: a line is as much wider than it is high.
    columns = math.ceil(math.sqrt(len(inks) / 4))
    rows = math.ceil(len(inks) / columns)
    starts = range(0, len(inks), rows)
    tallest = max(sum(heights[start : start + rows]) for start in starts)
    pitch = CELL[0] + MARGIN
    figure = Figure(figsize=(len(starts) * pitch + MARGIN, tallest + 2 * MARGIN), facecolor="white")
    for number, ink in enumerate(inks):
        column, row = divmod(number, rows)
        left = MARGIN + column * pitch
        top = MARGIN + sum(heights[number - row : number])
        add_caption(figure, above[number], left, top)
        at = top + LINE_HEIGHT * len(above[number]) + CAPTION_GAP / 2
        add_ink(figure, ink, left, at, scales[number], PEN * letter * scales[number])
        if faults[number]:
            end = top + heights[number] - 2 * CAPTION_GAP
            bar = left - CAPTION_GAP
            add_caption(figure, below[number], left, end - LINE_HEIGHT * len(below[number]), FAULT)
            add_hairline(figure, (bar, top), (bar, end), FAULT, 2.0)
    return figure


def draw_pairs(
    path: str | PathLike[str],
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    texts: Sequence[str],
    *,
    first: int = 1,
) -> None:
    """Write pairs of lines side by side as a PNG, 1500 pixels wide; see `pairs_figure`."""
    write_png(path, pairs_figure(pairs, texts, first=first), PAIRS_DPI)


def pairs_figure(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], texts: Sequence[str], *, first: int = 1
) -> Figure:
    """Return a figure of pairs of lines to choose between, each pair with its number and text.

    Both lines of a pair have the same x-height, pen and baseline, whatever the units of their ink.

    Args:
        pairs: left and right line, `(points, 3)` each.
        texts: of the pairs.
        first: number of the first pair.
    """
    side = (PAIRS_WIDTH - 2 * MARGIN - PAIR_NUMBER - PAIR_GAP) / 2
    places, rows, y = (MARGIN + PAIR_NUMBER, PAIRS_WIDTH - MARGIN - side), [], MARGIN
    for pair, text in zip(pairs, texts, strict=True):
        units = [x_height(ink) for ink in pair]
        # Relative to the left end of the baseline, in x-heights: left, top, right, bottom.
        boxes = np.array([bounds(ink) for ink in pair])
        boxes[:, [1, 3]] -= np.array([[baseline(ink)] for ink in pair])
        boxes /= np.array(units)[:, None]
        top, bottom = boxes[:, 1].min(), boxes[:, 3].max()
        letter = min(
            PAIR_LETTER,
            side / max(float((boxes[:, 2] - boxes[:, 0]).max()), 1.0),
            PAIR_HEIGHT / max(float(bottom - top), 1.0),
        )
        caption = wrap(text, PAIRS_WIDTH - 2 * MARGIN - PAIR_NUMBER)
        level = y + LINE_HEIGHT * len(caption) + CAPTION_GAP - top * letter
        rows.append((y, caption, letter, units, level + boxes[:, 1] * letter))
        y = level + bottom * letter + 2 * PAIR_SPACE
    figure = Figure(figsize=(PAIRS_WIDTH, y - 2 * PAIR_SPACE + MARGIN), facecolor="white")
    for number, (y, caption, letter, units, tops) in enumerate(rows):
        if number:
            above = y - PAIR_SPACE
            add_hairline(figure, (MARGIN, above), (PAIRS_WIDTH - MARGIN, above))
        add_caption(figure, [f"{first + number}"], MARGIN, y)
        add_caption(figure, caption, places[0], y)
        for ink, left, top, unit in zip(pairs[number], places, tops, units, strict=True):
            add_ink(figure, ink, left, top, letter / unit, PEN * letter)
    return figure


def window_figure(window: np.ndarray, text: str, ink: np.ndarray) -> Figure:
    """Return a figure of the window over the text, phi(t, u) (paper, eq. 46 and figure 13).

    Above is the map: time to the right, the text upwards. Below is the ink, which changes its shade
    where the window moves on to the next character; a fine line leads there from the step at which
    it did.

    Args:
        window: `(steps, characters)`; its row t belongs to the step from point t to t + 1. An
            additional column is the position after the text, where writing ends.
        text: the text.
        ink: `(steps + 1, 3)`.

    Raises:
        DataError: if the sizes do not fit each other.
    """
    points = to_points(ink)
    window = np.asarray(window, dtype=np.float64)
    labels = [*text]
    labels += ["end"] if window.shape[1:] == (len(text) + 1,) else []
    if window.shape != (len(points) - 1, len(labels)):
        raise DataError(
            f"a window of shape {window.shape} does not fit ink of {len(points)} points "
            f"and a text of {len(text)} characters"
        )
    if not len(window):  # writing ended at once
        window = np.zeros((1, len(labels)))
    steps, characters = window.shape
    left, top, right, bottom = bounds(ink)
    letter = x_height(ink)
    width = min(max(4.0, steps / 100, characters * 0.22), 16.0)
    scale = min(width / max(right - left, bottom - top, letter), 3 * LETTER / letter)
    map_height = min(max(characters * 0.145, 1.0), 30.0)
    side, head, between = MARGIN + 0.2, MARGIN + 0.35, 0.35
    ink_top = head + map_height + between
    figure = Figure(
        figsize=(side + width + MARGIN, ink_top + (bottom - top) * scale + MARGIN),
        facecolor="white",
    )
    axes = add_map(
        figure,
        (side, head, width, map_height),
        window.T,
        extent=(0, steps, -0.5, characters - 0.5),
        origin="lower",
        # Not the maximum, so that one step cannot make all others pale.
        vmax=float(np.quantile(window.max(axis=1), 0.98)),
    )
    name_rows(axes, labels, min(7.5, 0.72 * 72 * map_height / characters))
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("step", size=CAPTION, color=GREY, labelpad=3)

    furthest = np.maximum.accumulate(window.argmax(axis=1))
    moves = np.flatnonzero(np.diff(furthest)) + 1
    shades = np.searchsorted(moves, np.arange(len(points)) - 1, side="right") % 2
    ink_left = side + (width - (right - left) * scale) / 2
    add_ink(figure, ink, ink_left, ink_top, scale, PEN * letter * scale, shades, (INK, LIGHT_INK))
    for move in moves:
        x = ink_left + (points[move, 0] - left) * scale
        add_hairline(
            figure,
            (side + move / steps * width, head + map_height),
            (x, ink_top - 0.05),
        )
    return figure


def reading_figure(
    ink: np.ndarray, caption: str, evidence: np.ndarray, labels: Sequence[str]
) -> Figure:
    """Return a figure of the evidence for the text read from a line.

    Above is the map, a row for each label from the top down and the frames to the right, below it
    the ink and the caption.

    Args:
        ink: `(points, 3)`.
        caption: the text under the ink.
        evidence: `(labels, frames)`, from 0 to 1: attention, or probabilities of characters.
        labels: a character for each row.

    Raises:
        DataError: if there is another number of rows than labels.
    """
    if len(evidence) != len(labels):
        raise DataError(f"{len(evidence)} rows do not fit {len(labels)} labels")
    left, top, right, bottom = bounds(ink)
    letter = x_height(ink)
    scale = min(WIDTH / max(right - left, bottom - top, letter), LETTER / letter)
    width = max((right - left) * scale, MIN_WIDTH)
    height = min(max(len(labels) * 0.145, 0.3), 30.0)
    side, head, between = MARGIN + 0.2, MARGIN + 0.2, 0.3
    ink_top = head + height + between
    lines = wrap(caption, width)
    below = ink_top + (bottom - top) * scale + CAPTION_GAP
    size = (side + width + MARGIN, below + LINE_HEIGHT * len(lines) + MARGIN)
    figure = Figure(figsize=size, facecolor="white")
    frames = max(evidence.shape[1], 1)
    axes = add_map(
        figure,
        (side, head, width, height),
        np.asarray(evidence, dtype=np.float64).reshape(len(labels), -1) if len(labels) else [[0.0]],
        extent=(0, frames, max(len(labels), 1) - 0.5, -0.5),
        vmax=1.0,
    )
    name_rows(axes, labels, 7.5)
    add_ink(figure, ink, side, ink_top, scale, PEN * letter * scale)
    add_caption(figure, lines, side, below)
    return figure


def draw_curve(
    path: str | PathLike[str],
    x: Sequence[float],
    y: Sequence[float],
    names: tuple[str, str],
    caption: str = "",
) -> None:
    """Write a curve through points as a PNG, each with its value.

    Args:
        path: the file, whose folder exists.
        x, y: of the points; `y` is drawn from 0 upwards.
        names: of the axes.
        caption: the title.
    """
    figure = Figure(figsize=(5.0, 3.2), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.plot(x, y, color=INK, marker="o", markersize=4, linewidth=1.2)
    for place, value in zip(x, y, strict=True):
        axes.annotate(
            f"{value:.1f}",
            (place, value),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            size=CAPTION - 1,
            color=GREY,
        )
    axes.set_ylim(0, 1.15 * max([value for value in y if math.isfinite(value)], default=1.0) or 1.0)
    axes.set_xlabel(names[0], size=CAPTION, color=GREY)
    axes.set_ylabel(names[1], size=CAPTION, color=GREY)
    axes.set_title(caption, size=CAPTION, color=GREY, parse_math=False)
    axes.tick_params(labelsize=CAPTION - 1, colors=GREY, length=2, width=0.6)
    for side, spine in axes.spines.items():
        spine.set(color=FRAME, linewidth=0.6, visible=side in ("left", "bottom"))
    write_png(path, figure)


def to_pixels(figure: Figure, dpi: int = DPI) -> np.ndarray:
    """Return the drawn figure as `(height, width, 3)` uint8."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    with _quiet_about_fonts():
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write_png(path: str | PathLike[str], figure: Figure, dpi: int = DPI) -> None:
    """Write a figure as a PNG; `dpi` in pixels per inch."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    with _quiet_about_fonts():
        atomic_write(path, canvas.print_png)


@contextmanager
def _quiet_about_fonts() -> Iterator[None]:
    """Suppress the warnings about characters that the font lacks, which are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
