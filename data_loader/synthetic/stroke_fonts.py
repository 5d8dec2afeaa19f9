"""Single-line letters for all printable ASCII, made from the Hershey fonts.

The fonts were digitised by A. V. Hershey at the U.S. National Bureau of Standards. Of many three
are used: `futural` (plain, one line), `cursive` (script, one line), and of `timesi` (italic, drawn
with two lines) the one line a pen would take; some signs, and other shapes of signs, are this
project's own. stroke_fonts.json has their coordinates: the baseline is y = 9, small letters reach
to y = -5, capitals to y = -12, y grows downwards; a unit is 1/14 of a plain small letter's height.
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
"""Distance between the points of a glyph, in font units: a fifth of a usual pen step (assumed)."""
SIGN_LEAN = 0.4
"""Fraction of a hand's slant that signs take (assumed: with all of the slant a backslash stands
upright)."""
SIGN_ROUNDING = 0.6
"""Largest radius of the corners of signs, in font units (assumed: more turns a bracket into a
parenthesis)."""

Shape = tuple[float, float, list[list[tuple[float, float]]]]
"""Left edge, right edge and strokes, as in the file."""

TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
PLAIN: dict[str, Shape] = TABLES["plain"]
"""All characters, their strokes in the order in which people write them."""
QUICK: dict[str, Shape] = PLAIN | TABLES["quick"]
"""All characters with as few pen lifts as in quick writing."""
OTHERS: list[list[dict[str, Shape]]] = TABLES["others"]
"""Other shapes that people give to characters: for each group of them, which a hand draws alike,
those that it may have instead of the shapes above. Assumed, and checked by eye."""

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
        path: see `paths`, in font units; the baseline is y = 0 and x = 0 its left edge.
        width: from its left edge to its right edge.
        lean: the share of a hand's slant that it takes.
        enters, leaves: whether its line starts at the left edge, or ends at the right edge, so that
            a line of a neighbour can run into it.
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

    Binomial smoothing along the path, near to a Gaussian of standard deviation `radius` (font
    units), with the ends held: curves lose their corners, true corners get a radius like it.
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
        font: its name.
        rounding: of the corners, in font units.
        character: printable ASCII.
        other: the group in `OTHERS`, and the number in it, of a shape instead of the font's.
    """
    shapes, connects = FONTS[font]
    left, right, strokes = OTHERS[other[0]][other[1]][character] if other else shapes[character]
    if not strokes:  # a blank
        return Glyph(np.empty((0, 3)), right - left, SIGN_LEAN, False, False)
    plain = character.isalnum()
    radius = rounding if plain else min(rounding, SIGN_ROUNDING)
    path = from_strokes([rounded(np.array(stroke, float), radius) for stroke in strokes])
    path = moved(path, -left, -BASE_LINE)
    # A line that begins at the left edge, or ends at the right one, at the height of small
    # letters (not a dot or a bar above them) can be one with its neighbour's.
    joins = connects and character.islower() and other is None
    (x, y, _), (last_x, last_y, _) = path[0], path[-1]
    return Glyph(
        path,
        right - left,
        1.0 if plain else SIGN_LEAN,
        enters=joins and x < 2.5 and -11 < y < 0,
        leaves=joins and last_x > right - left - 2.5 and last_y > -11,
    )
