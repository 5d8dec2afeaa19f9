"""Excalidraw: pages as drawings that can be edited there."""

import numpy as np

POINTS_PER_PIXEL = 72 / 96
"""Points (1/72 inch) in a pixel (CSS), the unit of Excalidraw."""
DASHES = {"dashed": (8.0, 10.0), "dotted": (1.5, 8.0)}
"""Dashes and gaps in pixels of each kind of line of two pixels."""
LAYER = "layer"
"""Name of the layer among an element's own values; Excalidraw has no layers, but keeps values."""
MEAN_PRESSURE = 0.5
"""Pressure of a pen that tells none."""
PEN_SIZE = 2 * 4.25
"""Width of the line of a freehand pen at full pressure, as a multiple of its stroke width."""
THINNING = 0.6
"""Fraction of the pressure that acts on a freehand pen's width."""


def freehand_widths(stroke_width: float, pressures: np.ndarray) -> np.ndarray:
    """Return the widths of the line that Excalidraw draws for a freehand pen."""
    part = 0.5 + THINNING * (np.clip(pressures, 0, 1) - 0.5)
    return PEN_SIZE * stroke_width * np.sin(part * np.pi / 2)
