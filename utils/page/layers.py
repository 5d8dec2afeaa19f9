"""The rows of words on a page, in millimetres, drawn pen by pen as smooth curves.

Positions are millimetres from the top left corner of the page, x to the right, y downwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from utils.ink import bezier

INK = "#1b2a4e"  # colour of ink (assumed, by eye)
PEN_WIDTH = 0.12
"""Default width of the pen's line in x-heights (assumed, by eye)."""
PERIOD = 0.018  # seconds from one point of the ink to the next (the mean of IAM-OnDB's recordings)
DECIMALS = 3  # of positions in millimetres: 0.001 mm, a tenth of a plotter's step
DOT_LENGTH = 0.2
"""Millimetres of the short stroke as which a dot is drawn: plotting programs such as vpype drop
strokes of no length (assumed: half the width of a usual pen)."""


@dataclass(frozen=True)
class Pen:
    """A pen: the width of its line in millimetres, and its colour as `#rrggbb`."""

    width: float = 0.4
    colour: str = INK


RULING = Pen(0.15, "#b3c0d8")
"""The pen of the paper's printed lines, and of dots beside lines (assumed, by eye)."""
DOTTED = Pen(0.3, RULING.colour)
"""The pen of the dots of paper without lines (assumed, by eye)."""


@dataclass(frozen=True)
class PlacedWord:
    """A word of a row.

    Attributes:
        text: of the word; with blanks if one stroke runs through several words.
        strokes: number of the word's strokes, which follow each other in the row.
        doubt: why the word may not be legible as its text; empty without a doubt.
        joined: whether the next word follows without a blank.
        rewritten: how often the word was exchanged.
    """

    text: str
    strokes: int
    doubt: str = ""
    joined: bool = False
    rewritten: int = 0


@dataclass(frozen=True)
class Row:
    """A line of writing on a page.

    Attributes:
        strokes: positions `(n, 2)` float64, n at least 1, in the order of writing; a stroke of one
            point is a dot. Points follow each other by `PERIOD`.
        text: what the row says.
        pen: that the row is written with.
        words: whose strokes these are, in order; none if unknown.
        line: number of the line of the text, from 0.
        size: the x-height; 0 if unknown.
        baseline: y of the row's baseline on the page; 0 if unknown.
    """

    strokes: tuple[np.ndarray, ...]
    text: str = ""
    pen: Pen = Pen()
    words: tuple[PlacedWord, ...] = ()
    line: int = 0
    size: float = 0.0
    baseline: float = 0.0

    def numbered(self) -> Iterator[tuple[int, PlacedWord]]:
        """Yield the words with their numbers from 1; the words of a text with blanks count each."""
        number = 1
        for word in self.words:
            yield number, word
            number += word.text.count(" ") + (0 if word.joined else 1)


@dataclass(frozen=True)
class Layer:
    """All that one pen draws on a page.

    Attributes:
        label: the layer's number, as plotters read it, and a description.
        pen: that the layer is drawn with.
        rows: the lines of writing, or the printed ruling as one row.
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


def curves(points: np.ndarray) -> np.ndarray:
    """Return the smooth curve of a stroke `(n, 2)` as cubic segments `(segments, 4, 2)`.

    The points are rounded to `DECIMALS` first, so that no curve loses its length when it is
    written. A dot (one point, or equal points) becomes a line of `DOT_LENGTH` straight down, as
    most dots are written, with the dot in its middle.
    """
    points = np.round(points, DECIMALS)
    segments = bezier(points)
    if len(segments):
        return segments
    return bezier(points[0] + [[0.0, -DOT_LENGTH / 2], [0.0, DOT_LENGTH / 2]])


def decimal(value: float) -> str:
    """Return a number in plain digits with at most `DECIMALS`."""
    shown = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown
