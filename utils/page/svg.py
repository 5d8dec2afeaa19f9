"""SVG: a line of ink that browsers draw and pen plotters can follow."""

import math
from os import PathLike
from xml.sax.saxutils import escape

import numpy as np

from utils.files import XML_FORBIDDEN, write_text
from utils.ink import bezier, bounds, check_ink, pieces, x_height
from utils.page.pen import DOT, INK, PEN, PRIMER

LETTER = 3.0
"""X-height on paper in millimetres (assumed, by eye)."""


def write_svg(
    path: str | PathLike[str],
    ink: np.ndarray,
    text: str = "",
    *,
    description: str = "",
    primer: int = 0,
) -> None:
    """Write one line of ink as an SVG that browsers draw and pen plotters can follow.

    Every stroke is one `<path>` in the ink's own coordinates (the stroke in which a primer ends is
    two): cubic curves whose end points are the points. `width` and `height` give the line a natural
    size on paper.

    Args:
        path: the file, whose folder exists.
        ink: `(points, 3)`.
        text: the title.
        description: how it was made, such as the bias.
        primer: the number of leading points to draw as a primer.

    Raises:
        DataError: if the ink is not valid.
    """
    write_text(path, to_svg(ink, text, description=description, primer=primer))


def to_svg(ink: np.ndarray, text: str = "", *, description: str = "", primer: int = 0) -> str:
    """Return the text of the SVG; see `write_svg`."""
    ink = check_ink(ink)
    letter = x_height(ink)
    decimals = max(0, 3 - math.floor(math.log10(letter)))  # a thousandth of a letter or finer

    def number(value: float) -> str:
        shown = f"{value:.{decimals}f}"
        shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
        return "0" if shown == "-0" else shown

    def pair(point: np.ndarray) -> str:
        return f"{number(point[0])} {number(point[1])}"

    left, top, right, bottom = bounds(ink)
    margin = 2 * letter
    left, top = left - margin, top - margin
    width, height = right + margin - left, bottom + margin - top
    millimetres = LETTER / letter
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * millimetres:.2f}mm" '
        f'height="{height * millimetres:.2f}mm" '
        f'viewBox="{number(left)} {number(top)} {number(width)} {number(height)}">',
    ]
    lines += [f"<title>{_escaped(text)}</title>"] if text else []
    lines += [f"<desc>{_escaped(description)}</desc>"] if description else []
    parts = pieces(ink, np.arange(len(ink)) >= primer)
    for colour, own in ((PRIMER, False), (INK, True)):
        drawn = [points for points, shade in parts if shade == own]
        if not drawn:
            continue
        lines.append(
            f'<g fill="none" stroke="{colour}" stroke-width="{number(PEN * letter)}" '
            'stroke-linecap="round" stroke-linejoin="round">'
        )
        for points in drawn:
            curves = bezier(points)
            if len(curves):
                way = "".join(f"C{pair(c[1])} {pair(c[2])} {pair(c[3])}" for c in curves)
                lines.append(f'<path d="M{pair(points[0])}{way}"/>')
            else:  # a line of no length has round ends too: a dot
                dot = number(DOT * PEN * letter)
                way = f"M{pair(points[0])}L{pair(points[0])}"
                lines.append(f'<path d="{way}" stroke-width="{dot}"/>')
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _escaped(text: str) -> str:
    """Escape text for XML; what XML forbids even when escaped becomes a question mark."""
    return escape(XML_FORBIDDEN.sub("?", text))
