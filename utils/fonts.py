"""Fonts for the characters of any text, in pictures."""

from contextlib import suppress
from functools import cache

from matplotlib import font_manager

UNSUITABLE = ("Last Resort", "STIXNonUnicode", "STIXSize", "cm")
"""What the names of fonts begin with whose glyphs are not those of their characters."""


def drawable(text: str, font: str = "DejaVu Sans") -> tuple[str, list[str]]:
    """Return a text as it can be drawn, and the fonts for it.

    Args:
        text: a character that no installed font has becomes its code point, as U+12000.
        font: which is taken for all characters that it has.
    """
    shown, fonts = "", {font: None}
    for character in text:
        found = font if character.isspace() else _font_of(character, font)
        shown += f"U+{ord(character):04X}" if found is None else character
        fonts |= {found: None} if found else {}
    return shown, list(fonts)


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
    with suppress(OSError, RuntimeError):  # Not a font that can be drawn, such as a bitmap.
        return frozenset(font_manager.get_font(file).get_charmap())
    return frozenset()
