"""Lines of a text as paragraphs of a page: lists, columns, verses.

Lengths in millimetres, but those in x-heights that say so.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from pathlib import Path

import numpy as np

from handwriting.layout import Align, Paragraph, Word, natural_width, scaled, spread
from handwriting.paper import Paper
from handwriting.worksheet import ROOM, TAB, Trace, lightened, squared, traced
from utils.checks import UserError
from utils.page.page import Pen

HEIGHT = 2.2
"""Default x-height in mm (assumed: some 60 characters stand in a line of A4)."""
LINE_HEIGHT = 3.9
"""Default height of a line in x-heights, where rows do not touch (assumed: 8.5 mm at 2.2 mm)."""
LIST_MARK = re.compile(r" *([-*•–]|\d{1,3}[.)])(?= +\S)")
"""What an item of a list begins with."""
BULLET = Word((np.array([[0.0, -0.42], [0.3, -0.46], [0.6, -0.45]]),), 0.6, 0.5, "-")
"""A short dash, for any sign that is no number (assumed, by eye)."""
COLUMN_GAP, WIDEST_COLUMNS, LAST_COLUMN = 0.8, 0.75, 0.6
"""X-heights between columns besides a blank, the share of a row up to which the last begins unless
it fits beyond, and the share that a word in it has (assumed, by eye)."""
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


def columns(line: str) -> list[str]:
    """Return the columns of a line, of which most have one: the mark of an item of a list, blank if
    it is no number, and what is between tabs, which leave more room the more there are."""
    mark = LIST_MARK.match(line)
    found = re.sub(
        r" *\t\s*",
        lambda tabs: "\t" + TAB * (tabs[0].count("\t") - 1) * ROOM,
        line[mark.end() if mark else 0 :].rstrip(),
    ).split("\t")
    if len(found) > 1 and not found[0]:
        found[0] = ROOM
    return [mark[0].rstrip("-*•–"), *found] if mark else found


Line = tuple[Look, float, Sequence[Sequence[Word]], int]
"""A line of a text: its look, its indent, the words of its columns, and its number."""


@dataclass(frozen=True)
class Setting:
    """A written text, and how it is set on paper.

    Attributes:
        looks: one for each line of the text.
        indents: of each, by blanks at its start, in x-heights.
        words: of the columns of each, in x-heights.
        paper: that it is set on.
        squares: whether its words stand in the squares of the paper.
        line_height: at least, in mm; None: in proportion to the size, and so that no rows touch.
    """

    looks: Sequence[Look]
    indents: Sequence[float]
    words: Sequence[Sequence[Sequence[Word]]]
    paper: Paper
    line_height: float | None
    squares: bool = False

    def paragraphs(self, factor: float = 1.0) -> list[Paragraph]:
        """Return the lines of the text as paragraphs in millimetres, all so many times as large."""
        numbers = range(len(self.looks))
        lines = zip(self.looks, self.indents, self.words, numbers, strict=True)
        groups = groupby(lines, lambda line: (line[0], len(line[2]), bool(line[2][0])))
        found = [one for _, group in groups for one in self._alike([*group], factor)]
        return spread(found, self.paper) if self.spreads else found

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

    def _drawn(self, words: Sequence[Word], look: Look, size: float) -> list[Word]:
        """Return words in x-heights as they are drawn on paper, where those are so high."""
        words = squared(words, self.paper.spacing / size) if self.squares else words
        return [traced(word, look.trace) for word in words]

    def _alike(self, lines: Sequence[Line], factor: float) -> Iterator[Paragraph]:
        """Yield lines of one look and with as many columns as paragraphs, their columns aligned."""
        look, size = lines[0][0], factor * lines[0][0].size
        row = (self.paper.column - look.indent) / size
        cells = [[*(words or [BULLET] for words in own[:-1]), own[-1]] for _, _, own, _ in lines]
        cells = [[self._drawn(words, look, size) for words in own] for own in cells]
        starts = [0.0]
        for column in [*zip(*cells, strict=True)][:-1]:
            start = starts[-1] + max(map(natural_width, column)) + COLUMN_GAP
            starts.append(self.paper.ruled(start * size) / size if self.squares else start)
        last = max(starts[-1] + natural_width(own[-1]) for own in cells)
        if starts[-1] > WIDEST_COLUMNS * row and last > row:  # as lines without columns
            cells, starts = [[[*chain.from_iterable(own)]] for own in cells], [0.0]
        fills = [natural_width(own[-1]) / row for own in cells]
        verses = look.align == "left" and sum(one > 1 for one in fills) < len(fills) / 2
        for (_, indent, _, number), own, fill in zip(lines, cells, fills, strict=True):
            *lead, last = [[scaled(word, size) for word in words] for words in own]
            hang = VERSE_INDENT * size if verses and not lead and 1 < fill <= LONGEST_VERSE else 0.0
            left = indent * size
            yield Paragraph(
                last,
                line_height(replace(look, size=size), self.line_height, self.paper),
                left + starts[-1] * size + hang,
                0.0 if lead else look.indent - hang,
                look.align,
                Pen(
                    look.pen or round(Pen.width * (size / HEIGHT), 2),  # as pens are
                    lightened(look.colour) if look.trace == "light" else look.colour,
                ),
                size,
                [(left + x * size, words) for x, words in zip(starts, lead, strict=False)],
                number,
            )
