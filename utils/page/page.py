"""A page of handwriting: where its strokes lie on the paper, in millimetres; as JSON.

Positions are millimetres from the top left corner of the sheet, x to the right, y downwards. Every
format is made of a `Sheet`; none changes what is on it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from utils.checks import UserError, short
from utils.ink import bounds, strokes, x_height

INK = "#1b2a4e"
"""Colour of ink (assumed, by eye)."""
PEN_WIDTH = 0.12
"""Width of the pen's line in x-heights, where nothing else is asked for (assumed, by eye)."""
LETTER = 3.0
"""X-height in millimetres of a line that is a page of its own (assumed, by eye)."""
PERIOD = 0.018
"""Seconds from one point of the ink to the next (the mean of IAM-OnDB's recordings)."""
SLACK = 0.01
"""Millimetres that ink may lie outside of the sheet, for rounding."""
DECIMALS = 3
"""Of positions in millimetres: a thousandth, where a plotter steps by ten."""


@dataclass(frozen=True)
class Pen:
    """A pen: the width of its line in millimetres, and its colour as `#rrggbb`."""

    width: float = 0.4
    colour: str = INK


@dataclass(frozen=True)
class RowWord:
    """A word of a row.

    Attributes:
        text: of it; with blanks where one stroke runs through several.
        strokes: how many of the row's are of it.
        doubt: why it may not be what the text says; empty if it is.
        joined: whether the next word follows without a blank.
        rewritten: how often it was exchanged.
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
        text: what it says.
        pen: what it is written with.
        words: that its strokes are of, in order; none where they are not known.
        line: of the text that it is of, from 0.
        size, baseline: its x-height, and how far down it stands; 0 where they are not known.
    """

    strokes: tuple[np.ndarray, ...]
    text: str = ""
    pen: Pen = Pen()
    words: tuple[RowWord, ...] = ()
    line: int = 0
    size: float = 0.0
    baseline: float = 0.0

    def numbered(self) -> Iterator[tuple[int, RowWord]]:
        """Yield the words, each with its number among those between blanks, from 1."""
        number = 1
        for word in self.words:
            yield number, word
            number += word.text.count(" ") + (not word.joined)


@dataclass(frozen=True)
class Sheet:
    """A sheet of paper and what is on it.

    Attributes:
        width, height: of the sheet, in millimetres.
        rows: the lines of writing, in order.
        rules: ends of the printed lines of the paper, `(n, 2, 2)`.
        dots: printed dots of the paper, `(n, 2)`.
    """

    width: float
    height: float
    rows: tuple[Row, ...] = ()
    rules: np.ndarray = field(default_factory=lambda: np.empty((0, 2, 2)))
    dots: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))


def check_sheet(page: Sheet) -> None:
    """Raise a UserError if ink leaves the sheet: plotting programs drop it without a word (vpype
    does)."""
    for number, row in enumerate(page.rows, 1):
        points = np.concatenate([np.zeros((1, 2)), *row.strokes])
        outside = np.maximum(-points, points - (page.width, page.height)).max()
        if outside > SLACK:
            raise UserError(
                f"row {number}, {short(row.text)}: its ink leaves the sheet by {outside:.1f} mm; "
                "larger margins, a larger sheet or smaller writing is needed"
            )


def page_of_line(ink: np.ndarray) -> Sheet:
    """Return a line of ink `(points, 3)` as a page of its own, twice its x-height larger at each
    side.

    Raises:
        DataError: if the ink is not valid.
    """
    scale, margin = LETTER / x_height(ink), 2 * LETTER
    left, top, right, bottom = (scale * side for side in bounds(ink))
    shift = margin - left, margin - top
    moved = tuple(scale * stroke + shift for stroke in strokes(ink))
    size = right - left + 2 * margin, bottom - top + 2 * margin
    return Sheet(*size, (Row(moved, pen=Pen(PEN_WIDTH * LETTER)),))


def to_json(page: Sheet) -> str:
    """Return a page as JSON on one line, for whoever wants its points and nothing else.

    `{"format": "page of handwriting", "version": 1, "width", "height", "rules", "dots", "rows":
    [{"text", "pen": {"width", "colour"}, "period", "strokes": [[[x, y], ...], ...], "doubts":
    [...]}, ...]}`: lengths in millimetres, positions rounded to 0.001 mm, in seconds the period
    from one point to the next.
    """
    rows = [
        {
            "strokes": row.strokes,
            "text": row.text,
            "pen": vars(row.pen),
            "doubts": [f"{word.text}: {word.doubt}" for word in row.words if word.doubt],
            "period": PERIOD,
        }
        for row in page.rows
    ]
    values = {"format": "page of handwriting", "version": 1, **vars(page), "rows": rows}
    text = json.dumps(values, ensure_ascii=False, default=_rounded, separators=(",", ":"))
    return text + "\n"


def _rounded(points: np.ndarray) -> list[object]:
    return (np.round(points, DECIMALS) + 0.0).tolist()  # no -0


def decimal(value: float) -> str:
    """Return a number in plain digits with at most `DECIMALS`."""
    shown = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown
