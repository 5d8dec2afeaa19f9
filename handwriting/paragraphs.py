"""Lines of a text as paragraphs of a page: lists, columns, verses.

Lengths in millimetres, but those in x-heights that say so.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, groupby, zip_longest
from pathlib import Path
from typing import Literal

import numpy as np

from handwriting.layout import Align, Paragraph, Word, natural_width, scaled, spread
from handwriting.paper import Paper
from handwriting.worksheet import DOT, Trace, lightened, traced
from utils.checks import UserError
from utils.page.layers import Pen

HEIGHT = 2.2
"""Default x-height in mm (assumed: some 60 characters stand in a line of A4)."""
LINE_HEIGHT = 3.9
"""Default height of a line in x-heights, where rows do not touch (assumed: 8.5 mm at 2.2 mm)."""
Kind = Literal["text", "empty", "bullets", "numbers", "table"]
"""What a line of a text may be; consecutive ones of a kind are set together."""
LIST_MARK = re.compile(r" *([-*•–]|\d{1,3}[.)])(?= +\S)")
"""What an item of a list begins with."""
BULLET = Word((np.array([[0.0, -0.42], [0.3, -0.46], [0.6, -0.45]]),), 0.6, 0.5, "-")
"""A short dash, for any sign that is no number (assumed, by eye)."""
COLUMN_GAP, WIDEST_COLUMNS, LAST_COLUMN = 0.8, 0.75, 0.6
"""X-heights between columns besides a blank, the share of a row up to which the last begins unless
it fits beyond, and the share that a word in it has (assumed, by eye)."""
ROOM = 8.0
"""X-heights of a column that is empty in all of its rows (assumed: a tab of plain text)."""
VERSE_INDENT, LONGEST_VERSE = 5.0, 1.8
"""X-heights by which what a verse has beyond a row is indented, and the rows of the longest
(assumed, by eye)."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a line of the text is written and looks on paper: what front matter may change.

    Attributes:
        style, bias, slant: of the hand; see the options of `page`.
        size: x-height.
        colour, pen: of the ink, and its width; None in proportion to the size.
        align, indent: between the margins, and of a paragraph's first row.
        trace: see the options of `page`.
    """

    style: Path | None = None
    bias: float | None = None
    slant: float | None = None
    size: float
    colour: str
    pen: float | None
    align: Align
    indent: float
    trace: Trace | None = None


def line_height(look: Look, least: float | None, paper: Paper) -> float:
    """Return the height of a line in mm: in proportion to its x-height, or at least --line-height.

    Raises:
        UserError: if there is no room for it, or for its indent, on the paper.
    """
    if look.indent > paper.column / 2:
        most = f"{paper.column / 2:g} mm, half of what is between the margins"
        raise UserError(f"indent {look.indent:g}: at most {most}")
    height = paper.ruled(least) if least else paper.ruled(LINE_HEIGHT * look.size, nearest=True)
    if height > (most := paper.bottom - paper.margins[0]):
        raise UserError(
            f"size {look.size:g}: with lines {height:g} mm high, but there are {most:g} mm "
            "between the margins; a smaller size or --line-height, or larger paper, is needed"
        )
    return height


def kind_of(line: str) -> Kind:
    """Return what a line is: with a mark an item of a list, with tabs a row of a table."""
    if mark := LIST_MARK.match(line):
        return "numbers" if mark[1][0].isdigit() else "bullets"
    return "table" if "\t" in line else "text" if line.strip() else "empty"


def columns(line: str) -> list[str]:
    """Return the columns of a line, of which most have one: the mark of an item of a list, blank if
    it is no number, and what is between tabs, up to the last that is not empty."""
    mark = LIST_MARK.match(line)
    cells = re.split(" *\t *", line[mark.end() if mark else 0 :].rstrip())
    return [mark[0].rstrip("-*•–"), *cells] if mark else cells


def starts_of(rows: Sequence[Sequence[Sequence[Word]]]) -> list[float]:
    """Return where columns begin, in x-heights: what has no tab behind it may be wider than its."""
    starts = [0.0]
    for column in zip_longest(*(cells[:-1] for cells in rows), fillvalue=()):
        width = max(map(natural_width, column)) or ROOM
        starts.append(starts[-1] + width + COLUMN_GAP)
    return starts


Line = tuple[Look, Kind, float, Sequence[Sequence[Word]], int]
"""A line of a text: its look, its kind, its indent, the words of its columns, and its number."""


@dataclass(frozen=True)
class Setting:
    """A written text, and how it is set on paper.

    Attributes:
        looks, kinds: one for each line of the text.
        indents: of each, by blanks at its start, in x-heights.
        words: of the columns of each, in x-heights.
        paper: that it is set on.
        line_height: at least, in mm; None: in proportion to the size, and so that no rows touch.
    """

    looks: Sequence[Look]
    kinds: Sequence[Kind]
    indents: Sequence[float]
    words: Sequence[Sequence[Sequence[Word]]]
    paper: Paper
    line_height: float | None

    def paragraphs(self, factor: float = 1.0) -> list[Paragraph]:
        """Return the lines of the text as paragraphs in millimetres, all so many times as large."""
        numbers = range(len(self.looks))
        lines = zip(self.looks, self.kinds, self.indents, self.drawn, numbers, strict=True)
        groups = groupby(lines, lambda line: line[:2])
        found = [one for _, group in groups for one in self._alike([*group], factor)]
        return spread(found, self.paper) if self.spreads else found

    @cached_property
    def drawn(self) -> list[list[list[Word]]]:
        """The words as they are drawn on paper."""
        found = []
        for look, row in zip(self.looks, self.words, strict=True):
            found.append([[traced(word, look.trace) for word in words] for words in row])
        return found

    def keeps_columns(self, paragraphs: Sequence[Paragraph]) -> bool:
        """Return whether the columns of its lines, of which these are the paragraphs, fit."""
        return all(
            paragraph.lead or len(own) == 1
            for paragraph, own in zip(paragraphs, self.words, strict=True)
        )

    @property
    def spreads(self) -> bool:
        """Whether lines become as high as it takes, rather than letters smaller."""
        return self.line_height is None and self.paper.ruling == "plain"

    def _alike(self, lines: Sequence[Line], factor: float) -> Iterator[Paragraph]:
        """Yield lines of one look and kind as paragraphs, their columns aligned."""
        look, kind, *_ = lines[0]
        size = factor * look.size
        row = (self.paper.column - look.indent) / size
        marks = [[traced(BULLET, look.trace)]] if kind == "bullets" else []
        cells = [[*marks, *own[len(marks) :]] for _, _, _, own, _ in lines]
        starts = starts_of(cells)
        lasts = [starts[len(own) - 1] for own in cells]
        if any(
            start > WIDEST_COLUMNS * row and start + natural_width(own[-1]) > row
            for start, own in zip(lasts, cells, strict=True)
        ):  # as lines without columns
            cells, lasts = [[[*chain.from_iterable(own)]] for own in cells], [0.0] * len(cells)
        width = DOT * size if look.trace == "dotted" else Pen.width * (size / HEIGHT)
        fills = [natural_width(own[-1]) / row for own in cells]
        verses = look.align == "left" and sum(one > 1 for one in fills) < len(fills) / 2
        rows = zip(lines, cells, lasts, fills, strict=True)
        for (_, _, indent, _, number), own, start, fill in rows:
            *lead, last = [[scaled(word, size) for word in words] for words in own]
            hang = VERSE_INDENT * size if verses and not lead and 1 < fill <= LONGEST_VERSE else 0.0
            left = indent * size
            yield Paragraph(
                last,
                line_height(replace(look, size=size), self.line_height, self.paper),
                left + start * size + hang,
                0.0 if lead else look.indent - hang,
                look.align,
                Pen(
                    look.pen or round(width, 2),  # as pens are
                    lightened(look.colour) if look.trace == "light" else look.colour,
                ),
                size,
                [(left + x * size, words) for x, words in zip(starts, lead, strict=False)],
                number,
            )
