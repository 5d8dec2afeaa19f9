"""Reads colours of SVG and CSS."""

import re

MIN_PEN_OPACITY = 0.75
"""Opacity of a pen's stroke; a highlighter's stroke has less (assumed; 0.47 in Xournal++)."""


def alpha(text: str) -> float:
    """Return the opacity, from 0 to 1, of a colour `#rrggbbaa`; 1 if it states none."""
    match = re.fullmatch(r"#[0-9a-f]{6}([0-9a-f]{2})", text.strip().lower())
    return int(match[1], 16) / 255 if match else 1.0


def hex_colour(text: str) -> str:
    """Return a colour of SVG or CSS as `#rrggbb` without its opacity; black if it is invalid."""
    text = text.strip().lower()
    if text.startswith("rgb"):
        channels = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(%?)", text)[:3]
        shades = [float(value) * (2.55 if percent else 1) for value, percent in channels]  # of 255
        text = "#" + "".join(f"{min(round(shade), 255):02x}" for shade in shades)
    if not re.fullmatch(r"#[0-9a-f]{6}([0-9a-f]{2})?", text):
        from matplotlib.colors import is_color_like, to_hex

        text = to_hex(text) if is_color_like(text) and text != "none" else "#000000"
    return text[:7]
