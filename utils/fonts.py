"""Finds fonts that have the characters of a text, for pictures."""

from contextlib import suppress
from functools import cache

from matplotlib import font_manager
from matplotlib.textpath import text_to_path

UNSUITABLE = ("Last Resort", "STIXNonUnicode", "STIXSize", "cm")
"""Beginnings of the names of fonts whose glyphs do not show their characters."""


def drawable(text: str, font: str = "DejaVu Sans") -> tuple[str, list[str]]:
    """Return a text that can be drawn, and the names of the fonts that its characters need.

    Args:
        text: a text; a character that no installed font has becomes its code point, as U+12000, and
            a blank that no font has becomes a usual one.
        font: the preferred font.
    """
    drawn, fonts = "", [font]
    for character in text:
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
        if font.weight == 400 and font.style == "normal" and not font.name.startswith(UNSUITABLE)
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


@cache
def advance(text: str, font: str = "DejaVu Sans") -> float:
    """Return the width of a line of text with its blanks, in font sizes."""
    shown, fonts = drawable(text, font)
    properties = font_manager.FontProperties(family=fonts)
    # A bar behind the text shows where it ends.
    paths = (text_to_path.get_text_path(properties, content) for content in (f"{shown}|", "|"))
    end, bar = (max(x for x, _ in vertices) for vertices, _ in paths)
    return float(end - bar) / text_to_path.FONT_SCALE
