"""Single-line letters for all printable ASCII, made from the Hershey fonts.

Glyphs come from the package Hershey-Fonts (MIT; the fonts were digitised by A. V. Hershey at the
U.S. National Bureau of Standards). Its coordinates are kept here: the baseline is y = 9, the top
of small letters y = -5, that of capitals y = -12, y grows downwards; a unit is 1/14 of the height
of a plain small letter. Of the many fonts three are used: `futural` (plain, one line), `cursive`
(script, one line), and of `timesi` (italic, drawn with two lines) the one line a pen would take.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from HersheyFonts import HersheyFonts

from utils.ink import at_equal_steps, path_along

CHARACTERS = [chr(code) for code in range(32, 127)]
BASE_LINE, X_LINE = 9.0, -5.0
X_HEIGHT = BASE_LINE - X_LINE
SPACING = 0.6
"""Distance between the points of a glyph, in font units: a fifth of a usual pen step (assumed)."""
SIGN_LEAN, SIGN_ROUNDING = 0.4, 0.6
"""Share of a hand's slant that signs take, and the most that their corners are rounded, in font
units; assumed. With all of it a backslash stands upright, and a bracket becomes a parenthesis."""

Segment = int | list[int | None]
"""What the pen draws without a lift: the number n of a stroke of the package's glyph, -1 - n for
the same one backwards, or `[n, start, stop]` for a part of it."""
Strokes = list[list[Segment]]
"""Pieces of each stroke, in the order of writing. Between them the pen goes straight, which in
these letters is mostly back over its own line."""
Polyline = list[tuple[float, float]]
Shape = tuple[float, float, list[Polyline]]
"""Left edge, right edge and strokes, in the package's coordinates."""

GLYPHS = Path(__file__).with_suffix(".json")
TABLES = json.loads(GLYPHS.read_text(encoding="utf-8"))
LIFTED: dict[str, Strokes] = TABLES["lifted"]
"""Plain letters whose strokes are in another order in the package than people write them."""
JOINED: dict[str, Strokes] = LIFTED | TABLES["joined"]
"""The same letters, and others, with as few pen lifts as in quick writing."""
CURSIVE: dict[str, Strokes] = TABLES["cursive"]
ITALIC: dict[str, Strokes] = TABLES["italic"]
"""Of each pair of lines in `timesi` the one that, with its neighbours, makes a single line."""
SIGNS: dict[str, Strokes] = TABLES["signs"]
"""Signs of `futural` that take a part or another order of the package's strokes."""
OWN: dict[str, Shape] = TABLES["own"]
"""Signs that the package draws double, or as little squares where a pen makes a dab, or much wider
than people do. The tip of a brace, which distinguishes it from a parenthesis, is as wide as its
ends."""
DAB = OWN["."][2][0]
OTHERS: list[list[dict[str, Shape]]] = TABLES["others"]
"""Other shapes that people give to characters: for each group of them, which a hand draws alike,
those that it may have instead of the shapes above. Assumed, and checked by eye."""
SHAPES = [(one, shape) for group in OTHERS for shapes in group for one, shape in shapes.items()]
"""Character and shape of each of these, in the order in which `font` has them."""


@dataclass(frozen=True)
class Source:
    """Letters of one font of the package, and how to make them upright and of one height.

    `slant` is how far the font's own letters lean, in x per y; `scale` and then `above` (beyond
    the top of small letters) and `below` (under the baseline) are factors on the size. `connects`
    marks a font whose lowercase letters can run into each other.
    """

    name: str
    strokes: dict[str, Strokes]
    slant: float = 0.0
    scale: float = 1.0
    above: float = 1.0
    below: float = 1.0
    x_line: float = X_LINE
    connects: bool = False


# Slants and heights measured on the stems of the package's glyphs.
PLAIN = Source("futural", {**LIFTED, **SIGNS})
QUICK = Source("futural", {**JOINED, **SIGNS})
SLOPING = Source("timesi", ITALIC, slant=0.29, connects=True)
SCRIPT = Source(
    "cursive", CURSIVE, slant=0.32, scale=1.3, above=0.6, below=0.65, x_line=0.0, connects=True
)
SCRIPT_CAPITALS = Source("cursive", {}, slant=0.32)

# Uppercase, lowercase, everything else.
FONTS = {
    "print": (PLAIN, PLAIN, PLAIN),
    "joined": (QUICK, QUICK, QUICK),
    "italic": (QUICK, SLOPING, QUICK),
    "cursive": (SCRIPT_CAPITALS, SCRIPT, QUICK),
    "mixed": (QUICK, SCRIPT, QUICK),
}


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
def package_glyphs(name: str) -> dict[str, tuple[float, float, list[np.ndarray]]]:
    """Return left edge, right edge and strokes of the printable ASCII of a font of the package."""
    fonts = HersheyFonts()
    fonts.load_default_font(name)
    return {
        character: (
            float(glyph.left_offset),
            float(glyph.left_offset + glyph.char_width),
            [np.array(stroke, dtype=np.float64) for stroke in glyph.strokes],
        )
        for character, glyph in fonts.all_glyphs.items()
        if character in CHARACTERS
    }


def glyph(source: Source, character: str) -> tuple[float, float, list[np.ndarray]]:
    """Return left edge, right edge and pen strokes of a letter, upright, in font units."""
    if character in OWN:
        left, right, strokes = OWN[character]
        return left, right, [np.array(stroke, dtype=np.float64) for stroke in strokes]
    left, right, pieces = package_glyphs(source.name)[character]
    # A square of a unit or two stands for a dot.
    pieces = [
        np.array(DAB) - DAB[0] + piece[0] if np.ptp(piece, axis=0).max() <= 2 else piece
        for piece in pieces
    ]
    if character == "?":
        pieces[-1] = np.array(DAB)
    if character == "$":
        pieces = [*package_glyphs(source.name)["S"][2], np.array([(0.0, -15.0), (0.0, 12.0)])]

    def piece(which: Segment) -> np.ndarray:
        number, start, stop = which if isinstance(which, list) else (which, 0, None)
        return (pieces[number] if number >= 0 else pieces[~number][::-1])[start:stop]

    chosen = source.strokes.get(character, [[number] for number in range(len(pieces))])
    strokes = [np.concatenate([piece(which) for which in stroke]) for stroke in chosen]
    for stroke in strokes:
        stroke[:, 0] += source.slant * (stroke[:, 1] - (BASE_LINE + source.x_line) / 2)
        stroke[:, 0] *= source.scale
        y, top = stroke[:, 1] - BASE_LINE, source.x_line - BASE_LINE
        y += (source.above - 1) * np.minimum(y - top, 0) + (source.below - 1) * np.maximum(y, 0)
        stroke[:, 1] = y * source.scale + BASE_LINE
    return left * source.scale, right * source.scale, strokes


@cache
def font(name: str, rounding: float) -> Font:
    """Return a font of `FONTS` with its corners rounded by `rounding` font units."""
    capitals, small, signs = FONTS[name]
    points, ends, starts, counts, widths, leans, enters, leaves = ([] for _ in range(8))
    for number, character in enumerate(CHARACTERS + [one for one, _ in SHAPES]):
        source = capitals if character.isupper() else small if character.islower() else signs
        if number < len(CHARACTERS):
            left, right, strokes = glyph(source, character)
        else:
            left, right, lines_of = SHAPES[number - len(CHARACTERS)][1]
            strokes = [np.array(line, dtype=np.float64) for line in lines_of]
        lines: list[np.ndarray] = []
        for stroke in strokes:  # what ends where the next begins is one stroke
            if lines and np.array_equal(lines[-1][-1], stroke[0]):
                lines[-1] = np.concatenate([lines[-1], stroke[1:]])
            else:
                lines.append(stroke)
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
        joins = source.connects and character.islower() and number < len(CHARACTERS)
        enters.append(joins and lines[0][0, 0] < 2.5 and -11 < lines[0][0, 1] < 0)
        leaves.append(joins and lines[-1][-1, 0] > right - left - 2.5 and lines[-1][-1, 1] > -11)
    x, y = np.ascontiguousarray(np.concatenate(points).T)
    return Font(
        x,
        y,
        np.concatenate(ends),
        np.array(starts, dtype=np.int64),
        np.array(counts, dtype=np.int64),
        np.array(widths, dtype=np.float64),
        np.array(leans, dtype=np.float64),
        np.array(enters),
        np.array(leaves),
    )
