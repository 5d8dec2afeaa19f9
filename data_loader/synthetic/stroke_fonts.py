"""Single-line letters for all printable ASCII, made from the Hershey fonts.

Glyphs come from the package Hershey-Fonts (MIT; the fonts were digitised by A. V. Hershey at the
U.S. National Bureau of Standards). Its coordinates are kept here: the baseline is y = 9, the top
of small letters y = -5, that of capitals y = -12, y grows downwards; a unit is 1/14 of the height
of a plain small letter. Of the many fonts three are used: `futural` (plain, one line), `cursive`
(script, one line), and of `timesi` (italic, drawn with two lines) the one line a pen would take.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

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

# A stroke is a list of pieces that the pen draws without a lift, in the order of writing. A piece
# is the number n of a stroke of the package's glyph, ~n for the same one backwards, or
# (n, start, stop) for a part of it. Between pieces the pen goes straight, which in these letters
# is mostly back over its own line.
Piece = int | tuple[int, int, int | None]
Strokes = Sequence[Sequence[Piece]]

# Plain letters whose strokes are in another order in the package than people write them.
LIFTED: dict[str, Strokes] = {
    "a": [[1], [0]],
    "d": [[1], [0]],
    "g": [[1], [0]],
    "q": [[1], [0]],
    "i": [[1], [0]],
    "j": [[1], [0]],
    "z": [[1, 0, 2]],
    "Z": [[1, 0, 2]],
    "7": [[1, 0]],
}
# The same letters, and others, with as few pen lifts as in quick writing.
JOINED: dict[str, Strokes] = {
    **LIFTED,
    "a": [[1, 0]],
    "b": [[0, 1]],
    "d": [[1, 0]],
    "g": [[1, 0]],
    "h": [[0, 1]],
    "k": [[0], [1, 2]],
    "m": [[0, 1, 2]],
    "n": [[0, 1]],
    "p": [[0, 1]],
    "q": [[1, 0]],
    "r": [[0, 1]],
    "u": [[0, 1]],
    "v": [[0, ~1]],
    "w": [[0, ~1, 2, ~3]],
    "y": [[0, 1]],
    "A": [[~0, 1], [2]],
    "B": [[0, 1, 2]],
    "D": [[0, 1]],
    "E": [[~1, 0, 3], [2]],
    "F": [[~1, 0], [2]],
    "G": [[0, ~1]],
    "K": [[0], [1, 2]],
    "L": [[0, 1]],
    "M": [[0, 1, ~2, 3]],
    "N": [[0, 1, ~2]],
    "P": [[0, 1]],
    "R": [[0, 1, 2]],
    "V": [[0, ~1]],
    "W": [[0, ~1, 2, ~3]],
}
CURSIVE: dict[str, Strokes] = {
    "d": [[0, 1]],
    "g": [[0, 1]],
    "h": [[0, 1]],
    "i": [[1], [0]],
    "j": [[1], [0]],
    "k": [[0, 1, 2]],
    "m": [[0, 1, 2]],
    "n": [[0, 1]],
    "p": [[0, 1, (2, 2, None)]],
    "q": [[0, 1]],
    "s": [[0, 1]],
    "t": [[0, 1], [2]],
    "u": [[0, 1]],
    "v": [[0, 1]],
    "w": [[0, 1, 2]],
    "y": [[0, 1]],
}
# Of each pair of lines in `timesi` the one that, with its neighbours, makes a pen's single line.
ITALIC: dict[str, Strokes] = {
    "a": [[2, 0]],
    "b": [[0, (~2, 3, None)]],
    "c": [[(0, 3, None)]],
    "d": [[2, 0]],
    "e": [[0]],
    "f": [[(1, 0, 11)], [2]],
    "g": [[2, (0, 0, 8)]],
    "h": [[1, 2, (3, 6, None)]],
    "i": [[1, (2, 6, None)], [0]],
    "j": [[(1, 0, 12)], [0]],
    "k": [[1], [(2, 4, None), 4]],
    "l": [[0]],
    "m": [[0, 2, 4, (5, 6, None)]],
    "n": [[0, 2, (3, 6, None)]],
    "o": [[0]],
    "p": [[0, 2]],
    "q": [[2, 0]],
    "r": [[0, (2, 0, 7)]],
    "s": [[(0, 3, None), (1, 4, 10)]],
    "t": [[0], [2]],
    "u": [[(0, 0, 3), 1, 2]],
    "v": [[(0, 0, 3), (1, 0, 13)]],
    "w": [[(0, 0, 3), 1, (2, 0, 11)]],
    "x": [[0, (3, 10, None), (2, 3, None)], [(3, 4, 10), (1, 3, 10)]],
    "y": [[(0, 0, 3), 1, (2, 0, 8)]],
    "z": [[1, 0, 4]],
}
# Signs of `futural` that take a part or another order of the package's strokes.
SIGNS: dict[str, Strokes] = {
    "@": [[0, 2]],
    "%": [[(1, 0, 11)], [0], [2]],
}
# Signs that the package draws double, or as little squares where a pen makes a dab, or much wider
# than people do: left edge, right edge and strokes, in the same coordinates.
DAB, TOP_DAB = [(-0.5, 7.3), (0.4, 9.0)], [(-0.5, -1.7), (0.4, 0.0)]
COMMA = [(0.4, 8.0), (0.6, 9.4), (0.0, 10.8), (-1.0, 12.0)]
# The tip of a brace, which distinguishes it from a parenthesis, is as wide as its ends.
BRACE = [
    [(5, -14), (2.5, -13.5), (0.8, -12), (0, -9.5), (0, -5), (-0.6, -3), (-2, -1.8), (-6, -1)],
    [(-6, -1), (-2, -0.2), (-0.6, 1), (0, 3), (0, 7.5), (0.8, 10), (2.5, 11.5), (5, 12)],
]
Line = list[tuple[float, float]]
Shape = tuple[float, float, list[Line]]
OWN: dict[str, Shape] = {
    " ": (-5, 5, []),
    ".": (-3, 4, [DAB]),
    ",": (-3, 4, [COMMA]),
    ":": (-3, 4, [TOP_DAB, DAB]),
    ";": (-3, 4, [TOP_DAB, COMMA]),
    "!": (-4, 4, [[(0, -12), (0, 4)], DAB]),
    "'": (-3, 3, [[(0.4, -12), (0.3, -9.5), (-0.4, -7)]]),
    '"': (-5, 5, [[(-1.6, -12), (-2, -7)], [(2, -12), (1.6, -7)]]),
    "`": (-5, 5, [[(-3.2, -12.5), (2.4, -8)]]),
    "-": (-7, 7, [[(-5, 1), (5, 1)]]),
    "_": (-8, 8, [[(-8, 11), (8, 11)]]),
    "/": (-8, 8, [[(6, -14), (-6, 11)]]),
    "\\": (-9, 9, [[(-8, -13), (8, 10)]]),
    "|": (-4, 4, [[(0, -14), (0, 12)]]),
    "I": (-6, 6, [[(-4, -12), (4, -12)], [(0, -12), (0, 9)], [(-4, 9), (4, 9)]]),
    "+": (-9, 9, [[(0, -6), (0, 8)], [(-7, 1), (7, 1)]]),
    "=": (-9, 9, [[(-7, -2), (7, -2)], [(-7, 4), (7, 4)]]),
    "<": (-9, 9, [[(6, -6), (-6, 1), (6, 8)]]),
    ">": (-9, 9, [[(-6, -6), (6, 1), (-6, 8)]]),
    "^": (-8, 8, [[(-5, -5), (0, -12), (5, -5)]]),
    "~": (
        *(-10, 10),
        [
            [
                (-8, 2),
                (-7, 0),
                (-5, -1),
                (-3, -1),
                (-1, 0.5),
                (1, 2),
                (3, 3),
                (5, 3),
                (7, 1),
                (8, -1),
            ]
        ],
    ),
    "[": (-5, 6, [[(5, -14), (-2, -14), (-2, 12), (5, 12)]]),
    "]": (-6, 5, [[(-5, -14), (2, -14), (2, 12), (-5, 12)]]),
    "{": (*(-7, 6), BRACE),
    "}": (*(-6, 7), [[(-x, y) for x, y in half] for half in BRACE]),
}


def bow(depth: float, top: float, bottom: float) -> Line:
    """Return a line from top to bottom that bows to the left by `depth`, as a parenthesis does."""
    at = [n / 8 for n in range(9)]
    return [(depth * (0.6 - 4 * t * (1 - t)), top + (bottom - top) * t) for t in at]


def turn(
    middle: tuple[float, float], radii: tuple[float, float], start: float, stop: float
) -> Line:
    """Return an arc about `middle` from one angle to another, the radius going from the first of
    `radii` to the second; degrees, from the right by way of the top."""
    steps = max(2, round(abs(stop - start) / 20))
    line = []
    for n in range(steps + 1):
        angle = math.radians(start + (stop - start) * n / steps)
        radius = radii[0] + (radii[1] - radii[0]) * n / steps
        line.append((middle[0] + radius * math.cos(angle), middle[1] - radius * math.sin(angle)))
    return line


def mirrored(line: Line) -> Line:
    """Return a line mirrored left to right."""
    return [(-x, y) for x, y in line]


# Braces with smaller tips, with corners, and of two strokes.
SMALL_BRACE = [
    [(4, -14), (2, -13.5), (0.5, -12), (0, -10), (0, -5), (-0.5, -3), (-2, -1.6), (-4, -1)],
    [(-4, -1), (-2, -0.4), (-0.5, 1), (0, 3), (0, 8), (0.5, 10), (2, 11.5), (4, 12)],
]
CORNERED_BRACE = [[(5, -14), (0.5, -13), (0, -3.5), (-5, -1), (0, 1.5), (0.5, 11), (5, 12)]]
PARTED_BRACE = [BRACE[0], [(-5.4, -0.4), *BRACE[1][1:]]]
BRACKET = [[(-2, -14), (-2, 12), (5, 12)], [(-1.6, -13.8), (5, -14)]]
CLOSING = [[(-5, -14), (2, -14), (2, 12)], [(1.6, 11.8), (-5, 12)]]
WAVE = OWN["~"][2][0]
AT = [
    [
        *turn((0, 0), (4, 4), 20, 380),
        (4, 3.5),
        (6, 5),
        *turn((0, -1), (8.5, 10.5), -20, 290),
    ]
]
ET = [(5, -10), (0, -12), (-4, -9.5), (-3, -4), (2, -2), (-3.5, -1), (-6, 4), (-2, 8.5), (6, 7)]
STAR = [[(0, -11), (0, 1)], [(-5, -8), (5, -2)], [(5, -8), (-5, -2)]]

# Other shapes that people give to characters: for each group of them, which a hand draws alike,
# those that it may have instead of the shapes above. Assumed, and checked by eye.
OTHERS: list[list[dict[str, Shape]]] = [
    [
        {"{": (-6, 5, brace), "}": (-5, 6, [mirrored(half) for half in brace])}
        for brace in (SMALL_BRACE, CORNERED_BRACE, PARTED_BRACE)
    ],
    [
        {"[": (-5, 6, BRACKET), "]": (-6, 5, CLOSING)},
        {
            "[": (-4, 5, [[(4, -13), (-1, -13), (-1, 10), (4, 10)]]),
            "]": (-5, 4, [[(-4, -13), (1, -13), (1, 10), (-4, 10)]]),
        },
    ],
    [
        {"(": (-4, 4, [bow(depth, -13, 11)]), ")": (-4, 4, [mirrored(bow(depth, -13, 11))])}
        for depth in (3.0, 6.0)
    ],
    [
        {
            "/": (-x, x, [[(x - 1, top), (1 - x, bottom)]]),
            "\\": (-x, x, [[(1 - x, top), (x - 1, bottom)]]),
        }
        for x, top, bottom in ((5.5, -14, 11), (9, -11, 9))
    ],
    [{"|": (-4, 4, [[(0, -12), (0, 9)]])}],
    [{"`": (-4, 4, [[(-1.8, -12), (1.6, -8)]])}, {"`": (-5, 5, [[(-3, -11), (3, -5.5)]])}],
    [{"'": (-3, 3, [[(1.0, -12.5), (1.1, -11), (0.6, -9), (-0.9, -7.5)]])}],
    [{'"': (-5, 5, [[(-1.8, -12), (-1.8, -7)], [(1.8, -12), (1.8, -7)]])}],
    [
        {
            "#": (
                *(-9, 9),
                [[(-2, -10), (-5, 9)], [(4, -10), (1, 9)], [(-8, -4), (8, -4)], [(-9, 3), (7, 3)]],
            )
        },
        {
            "#": (
                *(-9, 9),
                [[(-8, -5), (8, -5)], [(-8, 3), (8, 3)], [(-3, -12), (-3, 9)], [(3, -12), (3, 9)]],
            )
        },
    ],
    [{"&": (-8, 8, [ET, [(-0.5, -15), (-0.5, -10)], [(-0.5, 6.5), (-0.5, 12)]])}],
    [{"@": (-12, 12, AT)}],
    [
        {"+": (-9, 9, [[(-7, 1), (7, 1)], [(0, -6), (0, 8)]])},
        {"+": (-7, 7, [[(0, -4), (0, 7), (-5, 1.5), (5, 1.5)]])},
    ],
    [{"=": (-7, 7, [[(-5, -1), (5, -1)], [(-5, 3), (5, 3)]])}],
    [
        {"<": (-9, 9, [[(6, -10), (-7, 0), (6, 9)]]), ">": (-9, 9, [[(-6, -10), (7, 0), (-6, 9)]])},
        {"<": (-6, 6, [[(4, -4), (-4, 1), (4, 6)]]), ">": (-6, 6, [[(-4, -4), (4, 1), (-4, 6)]])},
    ],
    [
        {"^": (-8, 8, [[(-7, -6), (0, -13), (7, -6)]])},
        {"^": (-5, 5, [[(-3, -5), (0, -12.5), (3, -5)]])},
    ],
    [{"~": (-9, 9, [[(0.8 * x, 1 + high * (y - 1)) for x, y in WAVE]])} for high in (0.75, 1.6)],
    [
        {"*": (-7, 7, STAR)},
        {"*": (-7, 7, [[(x, y + 6) for x, y in line] for line in STAR])},
        {"*": (-7, 7, [STAR[1], STAR[2], [(-6, -5), (6, -5)]])},
    ],
    [
        {
            "%": (
                *(-10, 10),
                [
                    turn((-5, -7), (3.5, 3.5), 60, 420),
                    [(7, -12), (-7, 9)],
                    turn((5, 4.5), (3.5, 3.5), 60, 420),
                ],
            )
        }
    ],
    [{"_": (-7, 7, [[(-6, 10), (6, 10)]])}, {"_": (-10, 10, [[(-10, 12), (10, 12)]])}],
    [{"-": (-5, 5, [[(-3.5, 1), (3.5, 1)]])}],
    [{"1": (-6, 4, [[(-4, -7), (1, -12), (1, 9)]])}],
    [{"7": (-8, 8, [[(-6, -12), (6, -12), (-2, 9)], [(-4, -2), (5, -2)]])}],
    [
        {
            "Z": (-8, 8, [[(-6, -12), (6, -12), (-7, 9), (7, 9)], [(-4, -2), (4, -2)]]),
            "z": (-6, 6, [[(-4, -5), (4, -5), (-5, 9), (5, 9)], [(-3, 2), (3, 2)]]),
        }
    ],
]
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

    def piece(which: Piece) -> np.ndarray:
        number, start, stop = which if isinstance(which, tuple) else (which, 0, None)
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
