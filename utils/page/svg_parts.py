"""Parts of the text of an SVG: numbers, names, the outer element, paths."""

from xml.sax.saxutils import escape

import numpy as np

from utils.files import XML_FORBIDDEN


def number(value: float, decimals: int) -> str:
    """Return a number with at most so many decimals."""
    shown = f"{value:.{decimals}f}"
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return "0" if shown == "-0" else shown


def escaped(text: str) -> str:
    """Escape text for XML; what XML forbids even when escaped becomes a question mark."""
    return escape(XML_FORBIDDEN.sub("?", text))


def path_data(segments: np.ndarray, decimals: int) -> str:
    """Return the `d` of a path along cubic segments `(segments, 4, 2)`, each from where the one
    before ends; at least one."""
    shown = [number(value, decimals) for value in segments[:, 1:].reshape(-1).tolist()]
    x, y = segments[0, 0].tolist()
    six = [shown[first : first + 6] for first in range(0, len(shown), 6)]
    return f"M{number(x, decimals)} {number(y, decimals)}" + "".join(
        "C" + " ".join(values) for values in six
    )


def polygon_data(polygon: np.ndarray, decimals: int) -> str:
    """Return the `d` of a path around a polygon `(n, 2)`."""
    shown = [number(value, decimals) for value in polygon.reshape(-1).tolist()]
    return "M" + " ".join(shown) + "Z"  # what follows the first pair are lines


def document(
    size: tuple[float, float],
    view_box: str,
    content: list[str],
    *,
    title: str = "",
    description: str = "",
    namespaces: str = "",
) -> str:
    """Return the text of an SVG file.

    Args:
        size: width and height in millimetres.
        view_box: what the coordinates of the content are, in them.
        content: elements, a line of text each.
        title, description: any text; none if empty.
        namespaces: attributes that declare further ones.
    """
    width, height = (number(millimetres, 3) for millimetres in size)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg"{namespaces} width="{width}mm" '
        f'height="{height}mm" viewBox="{view_box}">',
    ]
    lines += [f"<title>{escaped(title)}</title>"] if title else []
    lines += [f"<desc>{escaped(description)}</desc>"] if description else []
    return "\n".join([*lines, *content, "</svg>", ""])


def pen_attributes(colour: str, width: str) -> str:
    """Return the attributes of a group whose paths are drawn with a round pen."""
    return (
        f'fill="none" stroke="{colour}" stroke-width="{width}" '
        'stroke-linecap="round" stroke-linejoin="round"'
    )
