"""SVG: pages in millimetres, for browsers and pen plotters; also written as one watches (SMIL)."""

from xml.sax.saxutils import escape, quoteattr

import numpy as np

from utils.files import XML_FORBIDDEN
from utils.ink import path_along
from utils.page.layers import curves, layers, segment_periods
from utils.page.page import DECIMALS, PERIOD, Pen, Row, Sheet

JUMP_SPEED = 150.0
"""Millimetres a second of the lifted pen (assumed)."""
DASH = 2
"""Length of dashes and gaps in lengths of the path, so that it is all dash or all gap. With 1, the
next dash's round cap would show at the end of a path not begun."""


def to_svg(
    page: Sheet,
    title: str = "",
    *,
    description: str = "",
    speed_widths: bool = False,
    animate: float | None = None,
) -> str:
    """Return the text of an SVG of a page, in millimetres.

    Every pen is a layer (of Inkscape, by which the programs of the AxiDraw and vpype know them as
    well), the printed ruling the first, and every stroke one `<path>` in the order of writing:
    cubic curves whose end points are the points. A dot is a short line, so that plotters draw it.
    The first path of a row names its text, by which `read_ink` finds the rows again.

    Args:
        page: what to write.
        title, description: any text; none if empty.
        speed_widths: draw strokes thinner where the pen is fast, a path for each width; for screens
            only.
        animate: the page writes itself once, when it is opened, so many times as fast as the pen: a
            stroke takes `PERIOD` seconds from point to point, a dot one period, and the lifted pen
            moves at `JUMP_SPEED`. Programs that do not animate show the finished page.

    Raises:
        UserError: if ink leaves the sheet.
    """
    width, height = _number(page.width), _number(page.height)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
        f'width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}">',
    ]
    if title:
        lines.append(f"<title>{_escaped(title)}</title>")
    if description:
        lines.append(f"<desc>{_escaped(description)}</desc>")
    animated = {} if animate is None else _animated(page, animate)
    for layer in layers(page):
        look = (
            f'fill="none" stroke="{layer.pen.colour}" stroke-width="{_number(layer.pen.width)}" '
            'stroke-linecap="round" stroke-linejoin="round"'
        )
        if speed_widths and not layer.printed:
            drawn = []
            for line_width, segments in layer.by_width().items():
                path = "".join(map(_path_data, segments))
                drawn.append(f'<path stroke-width="{_number(line_width)}" d="{path}"/>')
        elif animated and not layer.printed:
            look, drawn = f'{look} stroke-dasharray="{DASH}"', animated[layer.pen]
        else:
            drawn = []
            for row in layer.rows:
                paths = [_path_data(curves(stroke)) for stroke in row.strokes]
                label = "" if layer.printed else _label(row)
                drawn.append(f'<path{label} d="{paths[0]}"/>')
                drawn += [f'<path d="{path}"/>' for path in paths[1:]]
        label = f'inkscape:groupmode="layer" inkscape:label="{_escaped(layer.label)}"'
        lines += [f"<g {label} {look}>", *drawn, "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _animated(page: Sheet, speed: float) -> dict[Pen, list[str]]:
    """Return the elements of each pen's strokes: hidden until they begin, then a growing dash."""
    found: dict[Pen, list[str]] = {}
    now, place = 0.0, None
    for row in page.rows:
        for number, stroke in enumerate(row.strokes):
            segments = curves(stroke)
            if place is not None:
                now += float(np.hypot(*(segments[0, 0] - place))) / JUMP_SPEED / speed
            place, begin = segments[-1, 3], _number(now)
            # The share of its length that is drawn after each period.
            along = path_along(np.concatenate([segments[:1, 0], segments[:, 3]]))
            times = np.concatenate([[0], np.cumsum(segment_periods(stroke))])
            shares = np.interp(np.arange(times[-1] + 1), times, along / along[-1])
            duration = (len(shares) - 1) * PERIOD / speed
            values = ";".join(_number(DASH - share, 4) for share in shares.tolist())
            hidden = ""
            if now:
                hidden = f'<set attributeName="visibility" to="hidden" end="{begin}s"/>'
            label = "" if number else _label(row)
            found.setdefault(row.pen, []).append(
                f'<path{label} pathLength="1" d="{_path_data(segments)}">{hidden}'
                f'<animate attributeName="stroke-dashoffset" begin="{begin}s" '
                f'dur="{_number(duration, 6)}s" values="{values}"/></path>'
            )
            now += duration
    return found


def _label(row: Row) -> str:
    """Return the attribute that names a row's text."""
    return f" aria-label={quoteattr(XML_FORBIDDEN.sub('?', row.text))}"


def _path_data(segments: np.ndarray) -> str:
    """Return the `d` of a path along cubic segments `(segments, 4, 2)`, each from where the one
    before ends; at least one."""
    x, y = map(_number, segments[0, 0].tolist())
    rows = segments[:, 1:].reshape(-1, 6).tolist()
    return f"M{x} {y}" + "".join("C" + " ".join(map(_number, row)) for row in rows)


def _number(value: float, decimals: int = DECIMALS) -> str:
    """Return a number with at most so many decimals."""
    shown = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def _escaped(text: str) -> str:
    """Escape text for XML; what XML forbids even when escaped becomes a question mark."""
    return escape(XML_FORBIDDEN.sub("?", text))
