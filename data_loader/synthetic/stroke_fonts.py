"""Single-line letters for all printable ASCII, made from the Hershey fonts.

The fonts were digitised by A. V. Hershey at the U.S. National Bureau of Standards. Of many three
are used: `futural` (plain, one line), `cursive` (script, one line), and of `timesi` (italic, drawn
with two lines) the one line a pen would take; some signs, and other shapes of signs, are this
project's own. stroke_fonts.json has their coordinates: the baseline is y = 9, the top of small
letters y = -5, that of capitals y = -12, y grows downwards; a unit is 1/14 of the height of a plain
small letter.
"""

import itertools
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from utils.ink import at_equal_steps, path_along

CHARACTERS = [chr(code) for code in range(32, 127)]
BASE_LINE, X_LINE = 9.0, -5.0
X_HEIGHT = BASE_LINE - X_LINE
SPACING = 0.6
"""Distance between the points of a glyph, in font units: a fifth of a usual pen step (assumed)."""
SIGN_LEAN, SIGN_ROUNDING = 0.4, 0.6
"""Share of a hand's slant that signs take, and the most that their corners are rounded, in font
units; assumed. With all of it a backslash stands upright, and a bracket becomes a parenthesis."""

Shape = tuple[float, float, list[list[tuple[float, float]]]]
"""Left edge, right edge and strokes, as in the file."""

GLYPHS = Path(__file__).with_suffix(".json")
TABLES = json.loads(GLYPHS.read_text(encoding="utf-8"))
PLAIN: dict[str, Shape] = TABLES["plain"]
"""All characters, their strokes in the order in which people write them."""
QUICK: dict[str, Shape] = PLAIN | TABLES["quick"]
"""The same with as few pen lifts as in quick writing."""
OTHERS: list[list[dict[str, Shape]]] = TABLES["others"]
"""Other shapes that people give to characters: for each group of them, which a hand draws alike,
those that it may have instead of the shapes above. Assumed, and checked by eye."""
SHAPES = [(one, shape) for group in OTHERS for shapes in group for one, shape in shapes.items()]
"""Character and shape of each of these, in the order in which `font` has them."""
_numbers = itertools.count()
GROUPS = [[[next(_numbers) for _ in shapes] for shapes in group] for group in OTHERS]
"""`OTHERS` by indices in `SHAPES`."""


def upright(
    letters: dict[str, Shape],
    slant: float,
    scale: float = 1.0,
    above: float = 1.0,
    below: float = 1.0,
    x_line: float = X_LINE,
) -> dict[str, Shape]:
    """Return leaning letters upright, and of the height of plain ones.

    Args:
        letters: as in the file.
        slant: how far they lean, in x per y.
        scale: factor on their size.
        above, below: further factors on what is above the top of small letters, or below the
            baseline.
        x_line: the top of their small letters.
    """
    found = {}
    for character, (left, right, lines) in letters.items():
        strokes = [np.array(line, dtype=np.float64) for line in lines]
        for stroke in strokes:
            stroke[:, 0] += slant * (stroke[:, 1] - (BASE_LINE + x_line) / 2)
            stroke[:, 0] *= scale
            y, top = stroke[:, 1] - BASE_LINE, x_line - BASE_LINE
            y += (above - 1) * np.minimum(y - top, 0) + (below - 1) * np.maximum(y, 0)
            stroke[:, 1] = y * scale + BASE_LINE
        found[character] = left * scale, right * scale, strokes
    return found


# Slants and heights measured on the stems of the glyphs.
SLOPING = upright(TABLES["sloping"], slant=0.29)
SCRIPT = upright(TABLES["script"], slant=0.32, scale=1.3, above=0.6, below=0.65, x_line=0.0)
SCRIPT_CAPITALS = upright(TABLES["script capitals"], slant=0.32)

FONTS: dict[str, tuple[dict[str, Shape], bool]] = {
    "print": (PLAIN, False),
    "joined": (QUICK, False),
    "italic": (QUICK | SLOPING, True),
    "cursive": (QUICK | SCRIPT | SCRIPT_CAPITALS, True),
    "mixed": (QUICK | SCRIPT, True),
}
"""Glyphs of each font, and whether its small letters can run into each other."""


@dataclass(frozen=True, eq=False)
class Font:
    """Upright letters as points of a pen, for `CHARACTERS` and, after them, for `SHAPES`.

    Attributes:
        x, y: `(points,)` float64, font units; the baseline is y = 0 and x = 0 the letter's left.
        end: `(points,)` bool, whether the pen is lifted after the point.
        start, count: `(letters,)` int64, where the points of each lie.
        width: `(letters,)` float64, from a letter's left edge to its right edge.
        lean: `(letters,)` float64, the share of a hand's slant that a letter takes.
        enters, leaves: `(letters,)` bool, whether its line starts at the left edge, or ends at the
            right edge, so that a line of a neighbour can run into it.
    """

    x: np.ndarray
    y: np.ndarray
    end: np.ndarray
    start: np.ndarray
    count: np.ndarray
    width: np.ndarray
    lean: np.ndarray
    enters: np.ndarray
    leaves: np.ndarray


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
    for _ in range(round(2 * (radius / 0.25) ** 2)):  # each pass adds a variance of half a step
        fine[1:-1] = (fine[:-2] + 2 * fine[1:-1] + fine[2:]) / 4
    return resample(fine, SPACING)


@cache
def font(name: str, rounding: float) -> Font:
    """Return a font of `FONTS` with its corners rounded by `rounding` font units."""
    glyphs, connects = FONTS[name]
    points, ends, starts, counts, widths, leans, enters, leaves = ([] for _ in range(8))
    plain_shapes = [(character, glyphs[character]) for character in CHARACTERS]
    for number, (character, (left, right, strokes)) in enumerate(plain_shapes + SHAPES):
        lines: list[np.ndarray] = []
        for stroke in strokes:  # what ends where the next begins is one stroke
            if lines and np.array_equal(lines[-1][-1], stroke[0]):
                lines[-1] = np.concatenate([lines[-1], stroke[1:]])
            else:
                lines.append(np.array(stroke, dtype=np.float64))
        plain = character.isalnum()
        radius = rounding if plain else min(rounding, SIGN_ROUNDING)
        lines = [rounded(line, radius) - (left, BASE_LINE) for line in lines]
        starts.append(sum(map(len, points)))
        counts.append(sum(map(len, lines)))
        widths.append(right - left)
        leans.append(1.0 if plain else SIGN_LEAN)
        points += lines
        ends += [np.arange(len(line)) == len(line) - 1 for line in lines]
        # A line that begins at the left edge, or ends at the right one, at the height of small
        # letters (not a dot or a bar above them) can be one with its neighbour's.
        joins = connects and character.islower() and number < len(CHARACTERS)
        enters.append(joins and lines[0][0, 0] < 2.5 and -11 < lines[0][0, 1] < 0)
        leaves.append(joins and lines[-1][-1, 0] > right - left - 2.5 and lines[-1][-1, 1] > -11)
    x, y = np.ascontiguousarray(np.concatenate(points).T)
    return Font(
        x,
        y,
        np.concatenate(ends),
        *map(np.array, (starts, counts, widths, leans, enters, leaves)),
    )
