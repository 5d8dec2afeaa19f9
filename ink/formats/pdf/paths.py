"""Strokes of pages as paths of a PDF: curves in units, merged where they are nearly one."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ink.drawing.layers import DECIMALS, curves
from ink.geometry import at_bezier
from ink.ink_page import DEFAULT_PEN_WIDTH, PageStroke

UNITS_PER_MM = 50  # of the drawing, per millimetre
FLAT = 0.04 * UNITS_PER_MM
"""Largest distance, in units, of a curve's controls from a line that replaces it (by eye)."""
MERGED = 0.05 * UNITS_PER_MM
"""Largest distance, in units, of two curves from the curve that replaces them (assumed, by eye: an
eighth of the width of a pen's line)."""
MIN_FIGURE_STEP = 10.0
"""Least distance, in millimetres, between the corners of a figure, as of a rectangle that was drawn
with a highlighter (assumed: a pen's position is recorded every few milliseconds)."""
WIDTH_STEP = 0.125  # between widths of a stroke, as a fraction of its mean width (assumed, by eye)


class Look(NamedTuple):
    """The properties of a drawn path; lengths are in units."""

    blend: str = "Normal"
    opacity: float = 1.0
    colour: str = "#000000"
    width: float = 0.0  # 0 for a filled area
    dash: tuple[int, ...] = ()


def paths_of(strokes: Iterable[PageStroke], scale: float) -> Iterator[tuple[Look, str]]:
    """Yield the paths of strokes, one stroke after the other; `scale` is in units of the drawing
    per unit of the page."""
    for stroke in strokes:
        yield from stroke_paths(stroke, scale)


def stroke_paths(stroke: PageStroke, scale: float) -> Iterator[tuple[Look, str]]:
    """Yield the paths of a stroke: its filled area, and its line, in parts of equal width."""
    points = scale / UNITS_PER_MM * stroke.points  # in millimetres
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    is_figure = stroke.tool == "shape" or steps.min(initial=np.inf) > MIN_FIGURE_STEP
    is_figure &= bool(steps.any())  # a dot is no figure
    segments = UNITS_PER_MM * (straight(points) if is_figure else curves(points))
    blend = "Multiply" if stroke.tool == "highlighter" else "Normal"
    if stroke.fill is not None:
        yield Look("Normal", stroke.fill_opacity, stroke.fill), path_commands(segments)
    width = UNITS_PER_MM * DEFAULT_PEN_WIDTH if stroke.width is None else scale * stroke.width
    dash = tuple(round(scale * length) for length in stroke.dash)
    if not width:
        return
    width = max(round(width, 1), 0.1)
    look = Look(blend, stroke.opacity, stroke.colour, width, dash if any(dash) else ())
    # Repeated points make no segment of a curve.
    is_move = (np.diff(np.round(points, DECIMALS), axis=0) != 0).any(axis=1) | is_figure
    if stroke.widths is None or not is_move.any():
        yield look, path_commands(segments if is_figure else _merged(segments))
        return
    step = WIDTH_STEP * width
    between = stroke.widths[:-1][is_move]
    widths = np.maximum(np.round(scale * between / step) * step, step)
    starts = np.flatnonzero(np.diff(widths, prepend=-1))
    for start, part in zip(starts, np.split(segments, starts[1:]), strict=True):
        yield look._replace(width=round(float(widths[start]), 1)), path_commands(part)


def straight(points: np.ndarray) -> np.ndarray:
    """Return the straight lines between points `(n, 2)` as Bézier segments `(n - 1, 4, 2)`."""
    start = points[:-1, None]
    end = points[1:, None]
    return start + (end - start) * np.linspace(0, 1, 4)[:, None]


def _merged(segments: np.ndarray) -> np.ndarray:
    """Return Bézier segments `(segments, 4, 2)`, two neighbours merged if a single segment is close
    to both: the segment that de Casteljau's algorithm divides into them."""
    while len(segments) > 1:
        first = segments[:-1]
        second = segments[1:]
        lengths = np.linalg.norm(np.diff(segments, axis=1), axis=2).sum(axis=1) + 1e-9  # above 0
        part = (lengths[:-1] / (lengths[:-1] + lengths[1:]))[:, None]  # of the first
        start = first[:, 0]
        end = second[:, 3]
        leave = (first[:, 1] - start) / part
        arrive = (second[:, 2] - end) / (1 - part)
        whole = np.stack([start, start + leave, end + arrive, end], axis=1)
        # Where the two segments meet, and in the middle of each.
        errors = (
            at_bezier(whole, part) - first[:, 3],
            at_bezier(whole, part / 2) - at_bezier(first, 0.5),
            at_bezier(whole, (1 + part) / 2) - at_bezier(second, 0.5),
        )
        is_close = np.linalg.norm(errors, axis=2).max(axis=0) <= MERGED
        # In a run of pairs that share segments, every second pair is merged.
        numbers = np.arange(len(whole))
        last_before_run = np.maximum.accumulate(np.where(is_close, -1, numbers))
        number_in_run = numbers - last_before_run  # from 1
        merged = np.flatnonzero(is_close & (number_in_run % 2 == 1))
        if not len(merged):
            break
        segments = segments.copy()
        segments[merged] = whole[merged]
        segments = np.delete(segments, merged + 1, axis=0)
    return segments


def path_commands(segments: np.ndarray) -> str:
    """Return the commands of a path along Bézier segments `(segments, 4, 2)`, at least one; each
    begins at the end of the previous segment. A segment that is nearly straight becomes a line."""
    start = segments[:, :1]
    chord = segments[:, 3:] - segments[:, :1]
    controls = segments[:, 1:3] - start
    length = np.linalg.norm(chord, axis=2)
    # The distance of the controls from the chord, times its length.
    off = np.abs(controls[..., 0] * chord[..., 1] - controls[..., 1] * chord[..., 0])
    lines = (off <= FLAT * length).all(axis=1)
    rounded = np.round(segments).astype(int).tolist()
    x, y = rounded[0][0]
    commands = [f"{x} {y} m\n"]
    for (_, (a, b), (c, d), (x, y)), is_line in zip(rounded, lines, strict=True):
        commands.append(f"{x} {y} l\n" if is_line else f"{a} {b} {c} {d} {x} {y} c\n")
    return "".join(commands)
