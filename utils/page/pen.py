"""What ink looks like on a page, whatever draws it. Assumed, by eye."""

INK = "#1b2a4e"
PRIMER = "#c0562f"
PEN = 0.12
"""Width of the pen's line in heights of a small letter."""
DOT = 1.5
"""Diameter of a dot in widths of the pen's line."""
