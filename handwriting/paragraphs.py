"""Lines of a text as paragraphs of a page: lists, columns, verses, and worksheets, with lines to
write on and letters to go over.

Lengths are in millimetres, unless they say that they are in x-heights.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, zip_longest
from typing import Literal

import numpy as np

from handwriting.page_options import HEIGHT, Align, Look, Trace, line_height
from handwriting.paper import Paper
from handwriting.written_word import WrittenWord, natural_width
from utils.ink import at_equal_steps, path_along
from utils.page.layers import Pen

PEN = Pen()
Kind = Literal["text", "empty", "bullets", "numbers", "table"]
"""Kinds of lines of a text; consecutive lines of a kind are set together."""
LIST_MARK = re.compile(r" *([-*•–]|\d{1,3}[.)])(?= +\S)")
"""The mark with which an item of a list begins."""
BULLET = WrittenWord((np.array([[0.0, -0.42], [0.3, -0.46], [0.6, -0.45]]),), 0.6, 0.5, "-")
"""A short dash, drawn for any mark that is no number (assumed, by eye)."""
COLUMN_GAP = 0.8  # x-heights between columns besides a blank (assumed, by eye)
MAX_COLUMNS = 0.75  # fraction of a row where the last column begins, unless it fits beyond (by eye)
LAST_COLUMN = 0.6  # fraction of a row for a word in the last column (assumed, by eye)
EMPTY_COLUMN = 8.0  # x-heights of a column that is empty in all rows (assumed: a tab of plain text)
VERSE_INDENT = 5.0  # x-heights by which further rows of a verse are indented (assumed, by eye)
LONGEST_VERSE = 1.8  # rows of the longest verse (assumed, by eye)

FILL = re.compile(r"_{3,}|\.{4,}")
"""Fills, which are drawn and not written: a line to write on, and a dotted line."""
FILL_INSET = 0.25  # x-heights between each end of a line to write on and its room (assumed, by eye)
FILL_DROP = 0.1  # x-heights of a line to write on below the baseline (assumed, by eye)
FILL_STEP = 0.5  # x-heights between the dots of a line to write on (assumed, by eye)
LIGHT_WHITE = 0.7  # fraction of white in the ink of light letters (assumed, by eye)
TRACE_DOT = 0.11
"""Width of the dots of dotted letters in x-heights (by eye: with dots of 0.18, 0.4 apart, an `a`,
`e` or `p` merges)."""
TRACE_STEP = 0.22  # x-heights between dots of dotted letters along the pen's way (by eye)
MIN_DOT_GAP = 0.16  # least x-heights between any two dots of dotted letters (by eye)


@dataclass(frozen=True)
class Paragraph:
    """Words that run on from row to row; a paragraph without words is an empty row.

    Attributes:
        words: in order.
        line_height: from baseline to baseline.
        indent, first_indent: of all rows, and what the first row has in addition.
        align: how rows lie between the margins.
        pen: that the words are written with.
        size: the x-height.
        lead: words before the first row, such as the columns before the last: the distance of each
            column from the left margin, and its words.
        line: number of the line of the text.
    """

    words: Sequence[WrittenWord]
    line_height: float
    indent: float = 0.0
    first_indent: float = 0.0
    align: Align = "left"
    pen: Pen = PEN
    size: float = 1.0
    lead: Sequence[tuple[float, Sequence[WrittenWord]]] = ()
    line: int = 0


@dataclass(frozen=True)
class TextLine:
    """A written line of the text.

    Attributes:
        number: of the line, from 0.
        look: of the line.
        kind: how the line is set.
        indent: width of the blanks at the line's start, in x-heights.
        columns: the words of each column, in x-heights, as they are drawn on paper.
    """

    number: int
    look: Look
    kind: Kind
    indent: float
    columns: Sequence[Sequence[WrittenWord]]


def kind_of(line: str) -> Kind:
    """Return the kind of a line: with a mark an item of a list, with tabs a row of a table."""
    if mark := LIST_MARK.match(line):
        return "numbers" if mark[1][0].isdigit() else "bullets"
    return "table" if "\t" in line else "text" if line.strip() else "empty"


def columns(line: str) -> list[str]:
    """Return the columns of a line: the mark of an item of a list, blank if the mark is no number;
    and the texts between tabs, up to the last that is not empty. Most lines have one column."""
    mark = LIST_MARK.match(line)
    cells = re.split(" *\t *", line[mark.end() if mark else 0 :].rstrip())
    return [mark[0].rstrip("-*•–"), *cells] if mark else cells


def starts_of(rows: Sequence[Sequence[Sequence[WrittenWord]]]) -> list[float]:
    """Return where columns begin, in x-heights; the last cell of each row makes no column wider."""
    starts = [0.0]
    for column in zip_longest(*(cells[:-1] for cells in rows), fillvalue=()):
        width = max(map(natural_width, column)) or EMPTY_COLUMN
        starts.append(starts[-1] + width + COLUMN_GAP)
    return starts


def set_paragraphs(
    lines: Sequence[TextLine], paper: Paper, least_height: float | None, factor: float = 1.0
) -> list[Paragraph]:
    """Return the lines of a text as paragraphs.

    Args:
        lines: of the text.
        paper: that the lines are set on.
        least_height: of a line; None for a height in proportion to its size.
        factor: by which the sizes of the looks are multiplied.
    """
    paragraphs: list[Paragraph] = []
    for _, alike in groupby(lines, lambda line: (line.look, line.kind)):
        paragraphs += _set_alike([*alike], paper, least_height, factor)
    return paragraphs


def _set_alike(
    lines: Sequence[TextLine], paper: Paper, least_height: float | None, factor: float
) -> Iterator[Paragraph]:
    """Yield lines of one look and kind as paragraphs, their columns aligned."""
    look = lines[0].look
    size = factor * look.size
    row = (paper.text_width - look.indent) / size
    cells, starts = _cells(lines, row)
    pen = Pen(
        look.pen or round(_pen_width(look, size), 2),  # as pens are
        lightened(look.colour) if look.trace == "light" else look.colour,
    )
    height = line_height(replace(look, size=size), least_height, paper)
    fills = [natural_width(columns_of_line[-1]) / row for columns_of_line in cells]
    verses = look.align == "left" and sum(fill > 1 for fill in fills) < len(fills) / 2
    for line, columns_of_line, fill in zip(lines, cells, fills, strict=True):
        *lead, last = [[word.scaled(size) for word in words] for words in columns_of_line]
        hang = VERSE_INDENT * size if verses and not lead and 1 < fill <= LONGEST_VERSE else 0.0
        left = line.indent * size
        yield Paragraph(
            last,
            height,
            left + starts[len(columns_of_line) - 1] * size + hang,
            0.0 if lead else look.indent - hang,
            look.align,
            pen,
            size,
            [(left + x * size, words) for x, words in zip(starts, lead, strict=False)],
            line.number,
        )


def _cells(
    lines: Sequence[TextLine], row: float
) -> tuple[list[list[Sequence[WrittenWord]]], list[float]]:
    """Return the columns of lines of one look and kind, and where columns begin, in x-heights. Each
    line becomes one column if the columns do not fit in a row `row` x-heights wide."""
    marks = [[traced(BULLET, lines[0].look.trace)]] if lines[0].kind == "bullets" else []
    cells = [[*marks, *line.columns[len(marks) :]] for line in lines]
    starts = starts_of(cells)
    for columns_of_line in cells:
        start = starts[len(columns_of_line) - 1]
        if start > MAX_COLUMNS * row and start + natural_width(columns_of_line[-1]) > row:
            return [[[*chain(*columns_of_line)]] for columns_of_line in cells], [0.0]
    return cells, starts


def _pen_width(look: Look, size: float) -> float:
    return TRACE_DOT * size if look.trace == "dotted" else Pen.width * (size / HEIGHT)


def fill_word(text: str, sign: float, widest: float) -> WrittenWord:
    """Return a `FILL` as a word in x-heights, with no gap behind it.

    Args:
        text: the fill.
        sign: width of each of its signs.
        widest: the largest width of the fill.
    """
    width = min(sign * len(text), widest)
    line = np.array([[FILL_INSET, FILL_DROP], [max(width - FILL_INSET, 2 * FILL_INSET), FILL_DROP]])
    return WrittenWord((line,) if text[0] == "_" else dots(line, FILL_STEP), width, 0.0, text)


def dots(stroke: np.ndarray, step: float) -> tuple[np.ndarray, ...]:
    """Return strokes of one point each along a stroke, at most `step` apart."""
    path = path_along(stroke)
    count = math.ceil(path[-1] / step)
    return tuple((at_equal_steps(stroke, path, count) if count else stroke[:1])[:, None])


def traced(word: WrittenWord, trace: Trace | None) -> WrittenWord:
    """Return a word in x-heights as a trace to go over; a `FILL` is not changed."""
    if trace != "dotted" or FILL.fullmatch(word.text):
        return word
    kept: list[np.ndarray] = []
    for stroke in word.strokes:
        for dot in dots(stroke, TRACE_STEP):
            if not kept or np.hypot(*(np.concatenate(kept) - dot).T).min() >= MIN_DOT_GAP:
                kept.append(dot)
    return replace(word, strokes=tuple(kept))


def lightened(colour: str) -> str:
    """Return the colour `#rrggbb` of light letters."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    white = 255 * LIGHT_WHITE
    return "#" + "".join(f"{round(white + (1 - LIGHT_WHITE) * part):02x}" for part in parts)
