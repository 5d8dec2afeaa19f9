"""Fonts for the characters of any text, in pictures."""

from contextlib import suppress
from functools import cache

from matplotlib import font_manager

UNSUITABLE = ("Last Resort", "STIXNonUnicode", "STIXSize", "cm")
"""First letters of the names of fonts whose glyphs are not those of their characters."""


def drawable(text: str, font: str = "DejaVu Sans") -> tuple[str, list[str]]:
    """Return a text that can be drawn, and the fonts for it.

    Args:
        text: a character that no installed font has becomes its code point, as U+12000.
        font: the first choice for each character.
    """
    drawn, fonts = "", [font]
    for character in text:
        name = font if character.isspace() else _font_of(character, font)
        drawn += f"U+{ord(character):04X}" if name is None else character
        if name is not None and name not in fonts:
            fonts.append(name)
    return drawn, fonts


@cache
def _font_of(character: str, first: str) -> str | None:
    """Return the first font with a glyph for a character; None if there is none."""
    plain = {
        font.name: font.fname
        for font in font_manager.fontManager.ttflist
        if font.weight == 400 and font.style == "normal" and not font.name.startswith(UNSUITABLE)
    }
    names = [first, *sorted(plain)]
    return next((name for name in names if ord(character) in _characters(plain[name])), None)


@cache
def _characters(file: str) -> frozenset[int]:
    """Return the code points for which a font has a glyph."""
    with suppress(OSError, RuntimeError):  # a font that cannot be drawn, such as a bitmap
        return frozenset(font_manager.get_font(file).get_charmap())
    return frozenset()
