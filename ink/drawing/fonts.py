"""Finds fonts that have the characters of a text, and their glyphs, for pictures."""

from contextlib import suppress
from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib import font_manager
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from ink.alphabet import with_few_marks

MATPLOTLIB_FONT = "DejaVu Sans"
"""The font that matplotlib brings."""
UNSUITABLE = ("Last Resort", "STIXNonUnicode", "STIXSize", "cm")
"""Beginnings of the names of fonts whose glyphs do not show their characters."""
REGULAR_WEIGHT = 400  # of a font that is neither light nor bold (OpenType, usWeightClass)
MAX_PIECE = 1_000
"""Characters of a line that are laid out at once (assumed: more than a page is wide). Each glyph of
joined characters comes with all of them, so that a long piece would take their number squared."""


def drawable(text: str, font: str = MATPLOTLIB_FONT) -> tuple[str, list[str]]:
    """Return a text that can be drawn, and the names of the fonts that its characters need.

    Args:
        text: a text; a character that no installed font has becomes its code point, as U+12000, and
            a blank that no font has becomes a usual one. See `with_few_marks`.
        font: the preferred font.
    """
    drawn = ""
    fonts = [font]
    for character in with_few_marks(text):
        name = font if character == "\n" else _font_of(character, font)
        missing = " " if character.isspace() else f"U+{ord(character):04X}"
        drawn += missing if name is None else character
        if name is not None and name not in fonts:
            fonts.append(name)
    return drawn, fonts


@cache
def _font_of(character: str, preferred: str) -> str | None:
    """Return a font with a glyph: `preferred`, else the first by name; None if no font has one."""
    regular = {
        font.name: font.fname
        for font in font_manager.fontManager.ttflist
        if font.weight == REGULAR_WEIGHT
        and font.style == "normal"
        and not font.name.startswith(UNSUITABLE)
    }
    for name in (preferred, *sorted(regular)):
        if ord(character) in _characters(regular[name]):
            return name
    return None


@cache
def _characters(file: str) -> frozenset[int]:
    """Return the code points for which the font in a file has a glyph."""
    with suppress(OSError, RuntimeError):  # a font that cannot be drawn, such as a bitmap
        return frozenset(font_manager.get_font(file).get_charmap())
    return frozenset()


class Glyph(NamedTuple):
    """A glyph in a line of text.

    Attributes:
        name: of its font and in it, see `outline`.
        x, y: its place on the baseline, in font sizes, y upwards.
    """

    name: str
    x: float
    y: float


def glyphs(text: str) -> list[Glyph]:
    """Return the glyphs of a line of text, in `MATPLOTLIB_FONT` where it has them."""
    pieces = _pieces(text)
    placed = []
    left = 0.0
    for piece in pieces:
        placed += [glyph._replace(x=left + glyph.x) for glyph in _glyphs(piece)]
        if len(pieces) > 1:
            left += _advance(piece)
    return placed


def _pieces(text: str) -> list[str]:
    """Return the pieces of a line of text that are laid out one after the other."""
    shown, _ = drawable(text)
    return [shown[start : start + MAX_PIECE] for start in range(0, len(shown), MAX_PIECE)]


def _glyphs(text: str) -> list[Glyph]:
    shown, names = drawable(text)
    files = [font_manager.findfont(font_manager.FontProperties(family=name)) for name in names]
    opened = font_manager.get_font(files)
    opened.set_size(text_to_path.FONT_SCALE, text_to_path.DPI)
    placed, *_ = text_to_path.get_glyphs_with_font(opened, shown, _OUTLINES)
    scale = text_to_path.FONT_SCALE
    return [Glyph(name, x / scale, y / scale) for name, x, y, _ in placed]


_OUTLINES: dict[str, tuple[np.ndarray, np.ndarray]] = {}
"""By name of a glyph, the vertices and codes of its path, in 1 / `text_to_path.FONT_SCALE`."""


def outline(name: str) -> list[np.ndarray]:
    """Return the closed polygons, `(n, 2)` each, of a glyph that `glyphs` has named, in font sizes,
    y upwards."""
    # At a large size, curves become polygons with many corners.
    vertices, codes = _OUTLINES[name]
    polygons = Path(vertices, codes).to_polygons() if len(vertices) else []
    return [np.asarray(polygon) / text_to_path.FONT_SCALE for polygon in polygons]


@cache
def advance(text: str) -> float:
    """Return the width of a line of text with its blanks, in font sizes."""
    return sum(map(_advance, _pieces(text)), 0.0)


def _advance(text: str) -> float:
    # Bars at both sides of the text show where it ends, in either direction.
    widths = []
    for content in (f"|{text}|", "||"):
        places = [glyph.x for glyph in _glyphs(content)]
        widths.append(max(places) - min(places))
    return widths[0] - widths[1]
