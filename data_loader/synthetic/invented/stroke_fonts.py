"""Single-line letters for all printable ASCII, made from the Hershey fonts.

The fonts were digitised by A. V. Hershey at the U.S. National Bureau of Standards. Three fonts are
used: `futural` (plain, single line), `cursive` (script, single line), and `timesi` (italic, double
line, here reduced to the line that a pen takes). Some signs, and the other shapes of signs, are
this project's own. stroke_fonts.json has the coordinates: the baseline is y = 9, small letters
reach up to y = -5, capitals to y = -12; a font unit is 1/14 of a plain small letter's height.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_loader.pen_paths import from_strokes, moved
from ink.geometry import at_equal_steps, path_along

FONT_CHARACTERS = [chr(code) for code in range(32, 127)]
FONT_BASELINE = 9.0
"""y of the baseline, in font units."""
FONT_X_HEIGHT = 14.0
"""Height of a plain small letter, in font units."""
LETTER_SPACING = 0.6
"""Distance between the points of a glyph, in font units (assumed: a fifth of the pen's step)."""
DENSE_SPACING = 0.25
"""Distance between points while a polyline is smoothed, in font units (assumed)."""
MAX_JOIN_DISTANCE = 2.5
"""Largest distance of the end of a path that can be joined from the glyph's edge, in font units
(assumed)."""
MAX_JOIN_TOP = -11
"""Highest y of such an end above the baseline, in font units (assumed: less than an x-height)."""
SIGN_LEAN = 0.4
"""Fraction of a hand's slant with which signs are slanted (assumed: with the whole slant a
backslash would stand upright)."""
MAX_SIGN_ROUNDING = 0.6
"""Largest radius of rounded corners of signs, in font units (assumed: a larger radius turns a
bracket into a parenthesis)."""

Shape = tuple[float, float, list[list[tuple[float, float]]]]
"""Left edge, right edge and strokes of a character, as in the file."""

TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
PLAIN_SHAPES: dict[str, Shape] = TABLES["plain"]
"""Shapes of all characters; their strokes are in the order in which people write them."""
QUICK_SHAPES: dict[str, Shape] = PLAIN_SHAPES | TABLES["quick"]
"""Shapes of all characters with fewer pen lifts, as in quick writing."""
OTHER_SHAPES: list[list[dict[str, Shape]]] = TABLES["others"]
"""Groups of alternatives; a hand uses at most one alternative of each group. An alternative has a
shape for each of the characters that a hand draws alike (assumed, checked by eye)."""

FONTS: dict[str, tuple[dict[str, Shape], bool]] = {
    "print": (PLAIN_SHAPES, False),
    "joined": (QUICK_SHAPES, False),
    "italic": (QUICK_SHAPES | TABLES["sloping"], True),
    "cursive": (QUICK_SHAPES | TABLES["script"] | TABLES["script capitals"], True),
    "mixed": (QUICK_SHAPES | TABLES["script"], True),
}
"""For each font, its shapes, and whether its small letters can be joined."""


class Glyph(NamedTuple):
    """An upright character as a path.

    Attributes:
        path: see `pen_paths`, in font units; the baseline is y = 0, the left edge x = 0.
        width: distance from the left edge to the right edge.
        lean: fraction of the hand's slant that the glyph takes.
        enters: whether the path begins at the left edge, so that the previous glyph can be joined.
        leaves: whether the path ends at the right edge, so that the next glyph can be joined.
    """

    path: np.ndarray
    width: float
    lean: float
    enters: bool
    leaves: bool


def resample(points: np.ndarray, spacing: float) -> np.ndarray:
    """Return points at equal distances of at most `spacing` along the polyline `points`."""
    path = path_along(points)
    num_steps = max(1, int(np.ceil(path[-1] / spacing)))
    return at_equal_steps(points, path, num_steps)


def rounded(points: np.ndarray, radius: float) -> np.ndarray:
    """Return the polyline `points` with rounded corners, as a moving pen draws it.

    The polyline is smoothed along its length with its ends fixed. The filter is binomial, close to
    a Gaussian whose standard deviation is `radius`, about the radius of the corners (font units).
    """
    dense = resample(points, DENSE_SPACING)
    # Each pass adds a variance of half a squared step.
    for _ in range(round(2 * (radius / DENSE_SPACING) ** 2)):
        dense[1:-1] = (dense[:-2] + 2 * dense[1:-1] + dense[2:]) / 4
    return resample(dense, LETTER_SPACING)


@cache
def glyph(
    font: str, rounding: float, character: str, other: tuple[int, int] | None = None
) -> Glyph:
    """Return a character of `FONTS`.

    Args:
        font: name of the font.
        rounding: radius of the corners, in font units.
        character: printable ASCII.
        other: indices of a group in `OTHER_SHAPES` and of an alternative; None for the font's
            shape.
    """
    shapes, connects = FONTS[font]
    if other is not None:
        group, alternative = other
        shapes = OTHER_SHAPES[group][alternative]
    left, right, strokes = shapes[character]
    if not strokes:  # The character is a blank.
        return Glyph(np.empty((0, 3)), right - left, SIGN_LEAN, False, False)
    is_sign = not character.isalnum()
    radius = min(rounding, MAX_SIGN_ROUNDING) if is_sign else rounding
    path = from_strokes([rounded(np.array(stroke, float), radius) for stroke in strokes])
    path = moved(path, -left, -FONT_BASELINE)
    # A glyph can be joined if its path begins at the left edge, or ends at the right edge, no
    # higher than small letters: a dot or a bar is higher.
    can_join = connects and character.islower() and other is None
    x, y, _ = path[0]
    last_x, last_y, _ = path[-1]
    return Glyph(
        path,
        right - left,
        SIGN_LEAN if is_sign else 1.0,
        enters=can_join and x < MAX_JOIN_DISTANCE and MAX_JOIN_TOP < y < 0,
        leaves=can_join and last_x > right - left - MAX_JOIN_DISTANCE and last_y > MAX_JOIN_TOP,
    )
