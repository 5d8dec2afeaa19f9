"""Single-line letters for all printable ASCII, made from the Hershey fonts.

The fonts were digitised by A. V. Hershey at the U.S. National Bureau of Standards. Three fonts are
used: `futural` (plain, single line), `cursive` (script, single line), and `timesi` (italic, double
line, reduced to the line that a pen would take). Some signs, and further shapes of signs, are this
project's own. stroke_fonts.json has the coordinates: the baseline is y = 9, small letters reach up
to y = -5, capitals to y = -12; a unit is 1/14 of a plain small letter's height.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_loader.synthetic.paths import from_strokes, moved
from utils.ink import at_equal_steps, path_along

CHARACTERS = [chr(code) for code in range(32, 127)]
BASE_LINE = 9.0
"""y of the baseline, in font units."""
X_HEIGHT = 14.0
"""Height of a plain small letter, in font units."""
SPACING = 0.6
"""Distance between the points of a glyph, in font units (assumed: a fifth of a pen step)."""
SIGN_LEAN = 0.4
"""Fraction of a hand's slant that signs take (assumed: with all of the slant a backslash stands
upright)."""
SIGN_ROUNDING = 0.6
"""Largest radius of the corners of signs, in font units (assumed: a larger radius turns a bracket
into a parenthesis)."""

Shape = tuple[float, float, list[list[tuple[float, float]]]]
"""Left edge, right edge and strokes of a character, as in the file."""

TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
PLAIN: dict[str, Shape] = TABLES["plain"]
"""All characters, their strokes in the order in which people write them."""
QUICK: dict[str, Shape] = PLAIN | TABLES["quick"]
"""All characters with as few pen lifts as in quick writing."""
OTHERS: list[list[dict[str, Shape]]] = TABLES["others"]
"""Groups of characters that a hand draws alike; each group lists sets of shapes that replace the
shapes above (assumed, checked by eye)."""

FONTS: dict[str, tuple[dict[str, Shape], bool]] = {
    "print": (PLAIN, False),
    "joined": (QUICK, False),
    "italic": (QUICK | TABLES["sloping"], True),
    "cursive": (QUICK | TABLES["script"] | TABLES["script capitals"], True),
    "mixed": (QUICK | TABLES["script"], True),
}
"""Glyphs of each font, and whether its small letters can run into each other."""


class Glyph(NamedTuple):
    """An upright character as points of a pen.

    Attributes:
        path: see `paths`, in font units; the baseline is y = 0, the left edge x = 0.
        width: distance from the left edge to the right edge.
        lean: fraction of the hand's slant that the glyph takes.
        enters, leaves: whether the glyph's line starts at the left edge, or ends at the right edge,
            so that it can be joined with a neighbour's line.
    """

    path: np.ndarray
    width: float
    lean: float
    enters: bool
    leaves: bool


def resample(points: np.ndarray, spacing: float) -> np.ndarray:
    """Return points at equal distances, at most `spacing`, along the line through `points`."""
    path = path_along(points)
    return at_equal_steps(points, path, max(1, int(np.ceil(path[-1] / spacing))))


def rounded(points: np.ndarray, radius: float) -> np.ndarray:
    """Return the line through `points` as a moving pen draws it, its corners rounded.

    The smoothing along the path is binomial, close to a Gaussian with standard deviation `radius`
    (font units), and holds the ends. Polygons become curves; true corners get about that radius.
    """
    fine = resample(points, 0.25)
    # Each pass adds a variance of half a step.
    for _ in range(round(2 * (radius / 0.25) ** 2)):
        fine[1:-1] = (fine[:-2] + 2 * fine[1:-1] + fine[2:]) / 4
    return resample(fine, SPACING)


@cache
def glyph(
    font: str, rounding: float, character: str, other: tuple[int, int] | None = None
) -> Glyph:
    """Return a character of `FONTS`.

    Args:
        font: name of the font.
        rounding: radius of the corners, in font units.
        character: printable ASCII.
        other: group in `OTHERS`, and number in the group, of a shape instead of the font's shape.
    """
    shapes, connects = FONTS[font]
    left, right, strokes = OTHERS[other[0]][other[1]][character] if other else shapes[character]
    if not strokes:  # A blank.
        return Glyph(np.empty((0, 3)), right - left, SIGN_LEAN, False, False)
    plain = character.isalnum()
    radius = rounding if plain else min(rounding, SIGN_ROUNDING)
    path = from_strokes([rounded(np.array(stroke, float), radius) for stroke in strokes])
    path = moved(path, -left, -BASE_LINE)
    # A line can be joined with a neighbour's if it begins at the left edge, or ends at the right
    # edge, at the height of small letters (so it is no dot or bar above them).
    joins = connects and character.islower() and other is None
    (x, y, _), (last_x, last_y, _) = path[0], path[-1]
    return Glyph(
        path,
        right - left,
        1.0 if plain else SIGN_LEAN,
        enters=joins and x < 2.5 and -11 < y < 0,
        leaves=joins and last_x > right - left - 2.5 and last_y > -11,
    )
