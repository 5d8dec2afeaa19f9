"""What stands on a page, in millimetres: rows of words, drawn pen by pen as smooth curves.

Positions are millimetres from the top left corner of the page, x to the right, y downwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from utils.ink import bezier

INK = "#1b2a4e"  # colour of ink (assumed, by eye)
PEN_WIDTH = 0.12
"""Width of the pen's line in x-heights, where nothing else is asked for (assumed, by eye)."""
PERIOD = 0.018  # seconds from one point of the ink to the next (the mean of IAM-OnDB's recordings)
DECIMALS = 3  # of positions in millimetres: a thousandth, where a plotter steps by ten
DOT_LENGTH = 0.2
"""Millimetres of the short stroke that a dot is drawn as: plotting programs drop strokes of no
length (vpype does). Assumed; half the width of a usual pen."""


@dataclass(frozen=True)
class Pen:
    """A pen: the width of its line in millimetres, and its colour as `#rrggbb`."""

    width: float = 0.4
    colour: str = INK


RULING = Pen(0.15, "#b3c0d8")
"""What the printed lines of the paper, and dots beside them, are drawn with (assumed, by eye)."""
DOTTED = Pen(0.3, RULING.colour)
"""What the dots of paper without lines are drawn with (assumed, by eye)."""


@dataclass(frozen=True)
class PlacedWord:
    """A word of a row.

    Attributes:
        text: of the word; with blanks where one stroke runs through several.
        strokes: how many of the row's strokes are of the word.
        doubt: why the word may not be what the text says; empty if it is.
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
        pen: what the row is written with.
        words: that the strokes are of, in order; none where they are not known.
        line: number of the line of the text, from 0.
        size: the x-height; 0 where it is not known.
        baseline: how far down the row stands; 0 where that is not known.
    """

    strokes: tuple[np.ndarray, ...]
    text: str = ""
    pen: Pen = Pen()
    words: tuple[PlacedWord, ...] = ()
    line: int = 0
    size: float = 0.0
    baseline: float = 0.0

    def numbered(self) -> Iterator[tuple[int, PlacedWord]]:
        """Yield the words, each with its number among those between blanks, from 1."""
        number = 1
        for word in self.words:
            yield number, word
            number += word.text.count(" ") + (not word.joined)


@dataclass(frozen=True)
class Layer:
    """All that one pen draws on a page.

    Attributes:
        label: the layer's number, as plotters read it, and what is on it.
        pen: what the layer is drawn with.
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

    The points are rounded to `DECIMALS` first, so that nothing is drawn that rounding would make a
    curve of no length. A dot (one point, or all the same) becomes a line of `DOT_LENGTH` around it,
    straight down as most are written.
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
