"""The rows of a page and the layers in which pens draw them, as smooth curves.

Positions are in millimetres from the top left corner of the page, x to the right, y downwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ink.geometry import bezier, bounds, strokes, x_height

INK_COLOUR = "#1b2a4e"  # colour of ink (assumed, by eye)
LINE_PEN_WIDTH = 0.12
"""Default width of the pen's line in x-heights (assumed, by eye)."""
POINT_PERIOD = 0.018
"""Seconds from one point of the ink to the next (measured: the mean of IAM-OnDB)."""
LINE_X_HEIGHT = 3.0
"""The x-height in millimetres of a line alone on a page (assumed, by eye)."""
DECIMALS = 3  # of positions in millimetres: 0.001 mm, a tenth of a plotter's step
DOT_LENGTH = 0.2
"""Length in millimetres of the stroke that is drawn for a dot, because plotting programs such as
vpype drop strokes without length (assumed: half the width of an ordinary pen)."""


@dataclass(frozen=True)
class Pen:
    """A pen: the width of its line in millimetres, and its colour as `#rrggbb`."""

    width: float = 0.4
    colour: str = INK_COLOUR


RULING_PEN = Pen(0.15, "#b3c0d8")
"""The pen of printed lines, and of printed dots on paper with lines (assumed, by eye)."""
DOT_PEN = Pen(0.3, RULING_PEN.colour)
"""The pen of printed dots on paper without lines (assumed, by eye)."""


@dataclass(frozen=True)
class PlacedWord:
    """A word of a row.

    Attributes:
        text: the text of the word; several words with blanks if one stroke joins them.
        strokes: the number of the word's strokes, which are consecutive in the row.
        doubt: why people may not read the word as its text; empty if they can.
        joined: whether the next word follows without a blank.
        rewritten: how many times the word was replaced by another try.
        divided: whether the word goes on in the next row, behind a hyphen that the text lacks.
    """

    text: str
    strokes: int
    doubt: str = ""
    joined: bool = False
    rewritten: int = 0
    divided: bool = False


@dataclass(frozen=True)
class Row:
    """A line of writing on a page.

    Attributes:
        strokes: positions `(n, 2)` float64 with n >= 1, in the order of writing; a stroke of one
            point is a dot. The time from one point to the next is `POINT_PERIOD`.
        text: the text of the row.
        pen: the pen that writes the row.
        words: the words that the strokes belong to, in order; empty if unknown.
        line: the number, from 0, of the line of the text that the row belongs to.
        size: the x-height in millimetres; 0 if unknown.
        baseline: the y of the row's baseline on the page; 0 if unknown.
    """

    strokes: tuple[np.ndarray, ...]
    text: str = ""
    pen: Pen = Pen()
    words: tuple[PlacedWord, ...] = ()
    line: int = 0
    size: float = 0.0
    baseline: float = 0.0

    def numbered(self) -> Iterator[tuple[int, PlacedWord]]:
        """Yield each word with its number, from 1; a text with blanks counts as several words."""
        number = 1
        for word in self.words:
            yield number, word
            # A joined word is one with the next.
            number += word.text.count(" ") + (0 if word.joined else 1)


@dataclass(frozen=True)
class Layer:
    """All that one pen draws on a page.

    Attributes:
        label: the layer's number, as plotters read it, and a description.
        pen: the pen that draws the layer.
        rows: the lines of writing, or one row with the printed ruling.
        printed: whether the layer is the printed ruling.
    """

    label: str
    pen: Pen
    rows: list[Row]
    printed: bool = False

    @property
    def strokes(self) -> list[np.ndarray]:
        """All strokes in the order of writing."""
        return [stroke for row in self.rows for stroke in row.strokes]


def pen_layer(number: int, rows: list[Row]) -> Layer:
    """Return the layer `number` of a page, with rows of one pen, at least one."""
    pen = rows[0].pen
    return Layer(f"{number} pen {pen.width:g} mm {pen.colour}", pen, rows)


def row_of_line(ink: np.ndarray) -> tuple[Row, tuple[float, float]]:
    """Return a line of ink `(points, 3)` as a row of its own, and the size in millimetres of its
    page, which has margins of two x-heights.

    Raises:
        DataError: if the ink is not valid.
    """
    scale = LINE_X_HEIGHT / x_height(ink)
    margin = 2 * LINE_X_HEIGHT
    left, top, right, bottom = (scale * side for side in bounds(ink))
    shift = margin - left, margin - top
    moved = tuple(scale * stroke + shift for stroke in strokes(ink))
    size = right - left + 2 * margin, bottom - top + 2 * margin
    return Row(moved, pen=Pen(LINE_PEN_WIDTH * LINE_X_HEIGHT)), size


def curves(points: np.ndarray) -> np.ndarray:
    """Return the smooth curve of a stroke `(n, 2)` as Bézier segments `(segments, 4, 2)`.

    The points are first rounded to `DECIMALS`, as in a file. A stroke of one point, or of
    points that are then equal, is a dot. A dot becomes a line of `DOT_LENGTH` straight down,
    centred on the dot.
    """
    points = np.round(points, DECIMALS)
    segments = bezier(points)
    if len(segments):
        return segments
    return bezier(points[0] + [[0.0, -DOT_LENGTH / 2], [0.0, DOT_LENGTH / 2]])


def decimal(value: float) -> str:
    """Return a number in plain digits, with at most `DECIMALS` after the point."""
    digits = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits
