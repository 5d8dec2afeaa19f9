"""A small single-line SVG font, as other programs write it: y upwards, 1,000 units to its size."""

from xml.sax.saxutils import quoteattr

GLYPHS = {
    "x": ("M20 0L300 400M20 400L300 0", 320),
    "o": ("M160 400C70 400 20 310 20 200S70 0 160 0 300 90 300 200 250 400 160 400", 320),
    "l": ("M60 700L60 0", 120),
    "i": ("M60 400V0M60 560h1", 120),
    "n": ("M40 400V0M40 250Q60 400 160 400Q260 400 260 250V0", 300),
    "A": ("M20 0L200 600L380 0M90 230H310", 400),
    "V": ("M20 600L200 0L380 600", 400),
    "f": ("M200 700C100 700 100 600 100 500V0M20 400H180", 220),
    "fi": ("M40 0V700H300V0M10 400H340", 360),
    "ж": ("M20 0L400 400M20 400L400 0M210 400V0", 420),
    "α": ("M300 400C250 100 200 0 130 0C0 0 0 400 130 400C200 400 260 200 300 0", 320),
    ".": ("M60 0h1", 120),
    "-": ("M20 200H200", 220),
    " ": ("", 250),
}
"""The path and the advance of each glyph."""


def svg_font(glyphs=GLYPHS, kerning="", head="", **face):
    """Return the content of a font; `kerning`: its <hkern> elements."""
    face = {"font-family": "Small", "units-per-em": "1000", "x-height": "300"} | {
        name.replace("_", "-"): value for name, value in face.items()
    }
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in face.items())
    elements = [
        f'<glyph unicode={quoteattr(text)} glyph-name="g{number}" horiz-adv-x="{advance}" d="{d}"/>'
        for number, (text, (d, advance)) in enumerate(glyphs.items())
    ]
    return "\n".join([
        f'<?xml version="1.0"?>{head}<svg xmlns="http://www.w3.org/2000/svg"><defs>',
        f'<font id="small" horiz-adv-x="500"><font-face {attributes}/>',
        '<missing-glyph horiz-adv-x="500" d="M0 0H400V700H0Z"/>',
        *elements,
        f"{kerning}</font></defs></svg>",
    ])  # fmt: skip
