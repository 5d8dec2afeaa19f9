"""The outlines that a round pen leaves along strokes, in the units of a font."""

from collections.abc import Sequence

import numpy as np
import pathops
from fontTools.misc.psCharStrings import T2CharString
from fontTools.pens.basePen import AbstractPen
from fontTools.pens.qu2cuPen import Qu2CuPen
from fontTools.pens.t2CharStringPen import T2CharStringPen

from ink.drawing.layers import curves

COARSENESS = 4  # units of a font in the unit in which outlines are computed (by eye)
MAX_ERROR = 2.0  # units of a font by which an outline with few points may differ (by eye)
MITRE_LIMIT = 4.0  # of no meaning to round joins


def outline(strokes: Sequence[np.ndarray], pen_width: float, scale: float) -> pathops.Path:
    """Return the outline of strokes, the parts that overlap united.

    Args:
        strokes: positions `(n, 2)`, y downwards from the baseline.
        pen_width: diameter of the pen, in the units of the strokes.
        scale: units of the font, in which y is upwards, in a unit of the strokes.
    """
    # Skia allows an error of a fraction of a unit: in larger units outlines have fewer points.
    scale /= COARSENESS
    path = pathops.Path()
    for stroke in strokes:
        segments = curves(stroke) * (scale, -scale)
        path.moveTo(*segments[0, 0])
        for segment in segments:
            path.cubicTo(*segment[1], *segment[2], *segment[3])
    path.stroke(
        pen_width * scale, pathops.LineCap.ROUND_CAP, pathops.LineJoin.ROUND_JOIN, MITRE_LIMIT
    )
    path.convertConicsToQuads()
    path.simplify(fix_winding=True)
    return path.transform(COARSENESS, 0, 0, COARSENESS, 0, 0)


def draw(path: pathops.Path, pen: AbstractPen) -> None:
    """Draw an outline with a pen of fontTools, as few cubic curves."""
    path.draw(Qu2CuPen(pen, MAX_ERROR, all_cubic=True))


def charstring(path: pathops.Path, advance: int) -> T2CharString:
    """Return an outline as a program of a font in the Compact Font Format."""
    pen = T2CharStringPen(advance, None)
    draw(path, pen)
    return pen.getCharString()
