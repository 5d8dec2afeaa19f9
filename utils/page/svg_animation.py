"""SVG: a page that writes itself at the pen's speed, in any browser and without a script (SMIL)."""

from os import PathLike

import numpy as np

from utils.checks import Range, UserError
from utils.files import write_text
from utils.ink import path_along
from utils.page.layers import DECIMALS, curves, layers, sampled, segment_periods
from utils.page.page import Page, Pen
from utils.page.svg_page import open_layer, page_document
from utils.page.svg_parts import number, path_data

JUMP_SPEED = 150.0
"""Millimetres a second of the lifted pen (assumed)."""
SPEEDS = Range(0.01, 100)
DASH = 2
"""Length of dashes and gaps in lengths of the path, so that it is all dash or all gap. With 1, the
next dash's round cap would show at the end of a path not begun."""
LENGTH_STEPS = 8
"""Chords by which the length of a segment is measured (assumed)."""


def write_animated_svg(
    path: str | PathLike[str],
    page: Page,
    title: str = "",
    *,
    speed: float = 1.0,
) -> None:
    """Write a page as an SVG that writes itself, once, when it is opened.

    A stroke takes `Row.period` seconds from point to point, a dot one period, and the lifted pen
    moves at `JUMP_SPEED`. Programs that do not animate show the finished page.

    Args:
        path: the file, whose folder exists.
        page: what to write.
        title: any text; none if empty.
        speed: how many times as fast as the pen, in `SPEEDS`.

    Raises:
        DataError: if the page is not valid.
        UserError: if the speed is not in `SPEEDS`.
    """
    write_text(path, animated_svg(page, title, speed=speed))


def animated_svg(page: Page, title: str = "", *, speed: float = 1.0) -> str:
    """Return the text of the SVG; see `write_animated_svg`."""
    if speed not in SPEEDS:
        raise UserError(f"a speed of {speed}: it must be {SPEEDS}; 2 is twice as fast as the pen")
    found = layers(page)
    written: dict[Pen, list[str]] = {}
    now, place = 0.0, None
    for row in page.rows:
        for stroke in row.strokes:
            segments = curves(stroke)
            if place is not None:
                now += float(np.hypot(*(segments[0, 0] - place))) / JUMP_SPEED / speed
            place = segments[-1, 3]
            done = _done(segments, segment_periods(stroke))
            duration = (len(done) - 1) * row.period / speed
            written.setdefault(row.pen, []).append(_path(segments, done, now, duration))
            now += duration
    lines = []
    for layer in found:
        if layer.printed:
            paths = [path_data(curves(stroke), DECIMALS) for stroke in layer.strokes]
            lines += [open_layer(layer), *(f'<path d="{d}"/>' for d in paths), "</g>"]
        else:
            lines += [open_layer(layer), f'<g stroke-dasharray="{DASH}">', *written[layer.pen]]
            lines += ["</g>", "</g>"]
    return page_document(page, lines, title)


def _done(segments: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Return the share of a stroke's length that is drawn after each period, from 0 to 1.

    Args:
        segments: `(segments, 4, 2)`.
        periods: that the pen takes for each, `(segments,)`.
    """
    along = path_along(sampled(segments, LENGTH_STEPS))[::LENGTH_STEPS]
    times = np.concatenate([[0], np.cumsum(periods)])
    return np.interp(np.arange(times[-1] + 1), times, along / along[-1])


def _path(segments: np.ndarray, done: np.ndarray, begin: float, duration: float) -> str:
    """Return the element of a stroke: hidden until it begins, then a dash that grows."""
    start, values = number(begin, 3), ";".join(number(DASH - share, 4) for share in done.tolist())
    hidden = f'<set attributeName="visibility" to="hidden" end="{start}s"/>' if begin else ""
    return (
        f'<path pathLength="1" d="{path_data(segments, DECIMALS)}">{hidden}'
        f'<animate attributeName="stroke-dashoffset" begin="{start}s" '
        f'dur="{number(duration, 6)}s" values="{values}"/></path>'
    )
