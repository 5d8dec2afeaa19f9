"""The look of ink on a page. Assumed, by eye."""

INK = "#1b2a4e"
PRIMER = "#c0562f"
PEN = 0.12
"""Width of the pen's line in x-heights."""
DOT = 1.5
"""Diameter of a dot in widths of the pen's line."""
