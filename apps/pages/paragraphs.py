"""Paragraphs of a page from the lines of a text: lists, tables, verses, and worksheets, which have
lines to write on and letters to trace.

Lengths are in millimetres, unless x-heights are named.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, zip_longest
from operator import itemgetter
from typing import Literal

import numpy as np

from apps.pages.letter_strokes import is_flat
from apps.pages.page_options import X_HEIGHT, Align, Look, Trace, line_height
from apps.pages.paper import Paper
from apps.pages.row_breaks import BLANKS
from apps.pages.written_word import HYPHEN, WrittenWord, natural_width
from ink.drawing.layers import Pen
from ink.geometry import at_equal_steps, path_along

PEN = Pen()
Kind = Literal["text", "empty", "bullets", "numbers", "table"]
"""Kinds of text lines; consecutive lines of a kind are set together."""
LIST_MARK = re.compile(rf" *([-*•–]|\d{{1,3}}[.)])(?=[{BLANKS}]+\S)")
"""The mark with which an item of a list begins."""
BULLET = WrittenWord((HYPHEN,), 0.6, 0.5, "-")
"""A short dash, drawn for each mark that is not a number (assumed, by eye)."""
COLUMN_GAP = 0.8  # x-heights between columns, in addition to a blank (assumed, by eye)
MAX_COLUMN_START = 0.75
"""Largest start of a last column that runs on to further rows, as a fraction of a row (by eye).
Beyond it the lines are set without columns, see `_cells`."""
LAST_COLUMN_WIDTH = 0.6  # fraction of a row to which a word of the last column is limited (by eye)
EMPTY_COLUMN_WIDTH = 8.0  # x-heights, for a column empty in all lines (assumed: a tab's width)
VERSE_INDENT = 5.0  # x-heights by which further rows of a verse are indented (assumed, by eye)
MIN_VERSE = 2 / 3
"""Least median length of the short lines below long ones that are verses, in widths of a row; below
a paragraph stand shorter ones, such as an address (assumed)."""
MAX_VERSE_ROWS = 1.8  # longest text line that is a verse, in widths of a row (assumed, by eye)

NUMBER_CELL = re.compile(
    r"[^\w\s.,]{0,2}(?:[A-Z]{3} )? ?"
    r"(?P<whole>[-+–−]?(?:\d{1,3}(?:[ .,'’]\d{3})+|\d+))(?:[.,]\d+)?"
    r" ?[^\d\s]{0,6}"
)
"""The text of a cell with a number: with a sign or a currency before it, and with a unit."""
FILL = re.compile(r"_{3,}|\.{4,}")
"""Fills, which are drawn and not written: a line to write on, and a dotted line to write on."""
FILL_INSET = 0.25  # x-heights from each end of a fill to the edge of its word (assumed, by eye)
FILL_DROP = 0.1  # x-heights from the baseline down to a fill (assumed, by eye)
FILL_STEP = 0.5  # x-heights between the dots of a fill (assumed, by eye)
LIGHT_WHITE = 0.7  # fraction of white in the ink of light letters (assumed, by eye)
TRACE_DOT = 0.11
"""Width of the dots of dotted letters in x-heights (by eye: with dots of 0.18, 0.4 apart, the ink
of an `a`, `e` or `p` merges)."""
TRACE_STEP = 0.22  # x-heights from dot to dot along a stroke of dotted letters (by eye)
MIN_DOT_GAP = 0.16  # least x-heights between any two dots of dotted letters (by eye)


@dataclass(frozen=True)
class Paragraph:
    """A text line set on paper. A paragraph without words and without a lead is an empty row.

    Attributes:
        words: the words of the last or only column, which run on from row to row.
        line_height: distance from baseline to baseline.
        indent: indent of all rows.
        first_indent: indent of the first row, in addition to `indent`.
        align: how rows lie between the margins.
        pen: the pen that draws the words.
        size: the x-height.
        lead: the columns before the last, which stand in the first row: the distance of each column
            from the left margin, and its words.
        line: number of the text line.
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
    """A line of the text, with its written words.

    Attributes:
        number: index of the line in the text, from 0.
        look: the look of the line.
        kind: how the line is set.
        leading_width: width of the blanks at the line's start, in x-heights.
        cells: the written words of each column, in x-heights.
    """

    number: int
    look: Look
    kind: Kind
    leading_width: float
    cells: Sequence[Sequence[WrittenWord]]


def kind_of(line: str) -> Kind:
    """Return the kind of a line of text. Items of lists begin with a mark; tables have tabs."""
    if mark := LIST_MARK.match(line):
        return "numbers" if mark[1][0].isdigit() else "bullets"
    if "\t" in line:
        return "table"
    return "text" if line.strip() else "empty"


def cell_texts(line: str) -> list[str]:
    """Return the texts of a line's cells, which tabs separate, up to the last that is not empty.
    The first cell of a list's item is the number, or the indent of the bullet, which is drawn."""
    mark = LIST_MARK.match(line)
    first, *others = line[mark.end() if mark else 0 :].rstrip().split("\t")
    cells = [first.rstrip(BLANKS), *(cell.strip(BLANKS) for cell in others)]
    return [mark[0].rstrip("-*•–"), *cells] if mark else cells


def cell_starts(cells: Sequence[Sequence[Sequence[WrittenWord]]], kind: Kind) -> list[list[float]]:
    """Return the x of the start of each cell of each line in x-heights: that of its column, moved
    to the right in a table's column of numbers. The last cell of a line has no column behind it, so
    it does not make its column wider."""
    shifts = point_shifts(cells) if kind == "table" else [[0.0] * len(line) for line in cells]
    widths = [
        [natural_width(words) + shift for words, shift in zip(line, line_shifts, strict=True)][:-1]
        for line, line_shifts in zip(cells, shifts, strict=True)
    ]
    starts = [0.0]
    for column in zip_longest(*widths, fillvalue=0.0):
        starts.append(starts[-1] + (max(column) or EMPTY_COLUMN_WIDTH) + COLUMN_GAP)
    return [
        [start + shift for start, shift in zip(starts, line_shifts, strict=False)]
        for line_shifts in shifts
    ]


def set_paragraphs(
    text_lines: Sequence[TextLine], paper: Paper, min_height: float | None, factor: float = 1.0
) -> list[Paragraph]:
    """Return text lines as paragraphs.

    Args:
        text_lines: all lines of the text.
        paper: the paper that the lines are set on.
        min_height: least height of a line; None for a height in proportion to the line's size.
        factor: multiplies the sizes of the looks.
    """
    paragraphs: list[Paragraph] = []
    for _, group in groupby(text_lines, lambda text_line: (text_line.look, text_line.kind)):
        paragraphs += _set_group([*group], paper, min_height, factor)
    return paragraphs


def _set_group(
    text_lines: Sequence[TextLine], paper: Paper, min_height: float | None, factor: float
) -> Iterator[Paragraph]:
    """Yield text lines of the same look and kind as paragraphs with aligned columns."""
    look = text_lines[0].look
    size = factor * look.size
    row_width = (paper.text_width - look.indent) / size
    cells, starts = _cells(text_lines, row_width)
    pen = Pen(
        look.pen or round(_pen_width(look, size), 2),
        lightened(look.colour) if look.trace == "light" else look.colour,
    )
    height = line_height(replace(look, size=size), min_height, paper)
    num_rows = [natural_width(cells_of_line[-1]) / row_width for cells_of_line in cells]
    has_verses = look.align == "left" and are_verses(num_rows)
    lines = zip(text_lines, cells, starts, num_rows, strict=True)
    for text_line, cells_of_line, places, rows in lines:
        *lead, last = [[word.scaled(size) for word in words] for words in cells_of_line]
        is_long_verse = has_verses and not lead and 1 < rows <= MAX_VERSE_ROWS
        hanging_indent = look.indent + VERSE_INDENT * size if is_long_verse else 0.0
        left = text_line.leading_width * size
        yield Paragraph(
            last,
            height,
            left + places[-1] * size + hanging_indent,
            0.0 if lead else look.indent - hanging_indent,
            look.align,
            pen,
            size,
            [(left + x * size, words) for x, words in zip(places, lead, strict=False)],
            text_line.number,
        )


def are_verses(num_rows: Sequence[float]) -> bool:
    """Return whether lines, given by their lengths in widths of a row, are verses: fewer than half
    are longer than a row, and they are not a paragraph with short lines below it."""
    long = [k for k, rows in enumerate(num_rows) if rows > 1]
    short = [k for k, rows in enumerate(num_rows) if rows <= 1]
    is_paragraph = bool(
        long
        and short
        and long[-1] < short[0]
        and np.median([num_rows[k] for k in short]) < MIN_VERSE
    )
    return len(long) < len(num_rows) / 2 and not is_paragraph


def point_shifts(cells: Sequence[Sequence[Sequence[WrittenWord]]]) -> list[list[float]]:
    """Return, for each cell of each line, by how much it moves to the right so that the numbers of
    a column stand with their points below each other. A column of numbers has at least two, and not
    fewer numbers than other texts."""
    shifts = [[0.0] * len(cells_of_line) for cells_of_line in cells]
    for column in range(max(map(len, cells))):
        lines = [k for k, cells_of_line in enumerate(cells) if cells_of_line[column : column + 1]]
        points = {line: point_of(cells[line][column]) for line in lines if cells[line][column]}
        numbers = {line: x for line, x in points.items() if x is not None}
        if len(numbers) < max(2, len(points) - len(numbers)):
            continue
        for line, x in numbers.items():
            shifts[line][column] = max(numbers.values()) - x
    return shifts


def point_of(words: Sequence[WrittenWord]) -> float | None:
    """Return the x of the point of a cell's number, or of its end without one; None if the words
    are no number."""
    match = NUMBER_CELL.fullmatch(" ".join(word.text for word in words))
    if match is None:
        return None
    x = 0.0
    start = 0
    for word in words:
        if match.end("whole") <= start + len(word.text):
            return x + _right_of(word, match.end("whole") - start)
        x += word.width + word.gap
        start += len(word.text) + 1
    return None


def _right_of(word: WrittenWord, num_characters: int) -> float:
    """Return the x of the right edge of a word's first characters."""
    points = [
        stroke[indices < num_characters, 0]
        for stroke, indices in zip(word.strokes, word.indices, strict=False)
        if len(indices) == len(stroke)
    ]
    x = np.concatenate([np.empty(0), *points])
    return float(x.max()) if len(x) else word.width * num_characters / len(word.text)


def _cells(
    text_lines: Sequence[TextLine], row_width: float
) -> tuple[list[list[Sequence[WrittenWord]]], list[list[float]]]:
    """Return the cells of text lines of the same look and kind, and the start of each cell, in
    x-heights. If the columns of a line do not fit in a row, each line becomes a single cell."""
    kind = text_lines[0].kind
    marks = [[traced(BULLET, text_lines[0].look.trace)]] if kind == "bullets" else []
    cells = [[*marks, *text_line.cells[len(marks) :]] for text_line in text_lines]
    starts = cell_starts(cells, kind)
    for cells_of_line, (*_, start) in zip(cells, starts, strict=True):
        is_far = start > MAX_COLUMN_START * row_width
        if is_far and start + natural_width(cells_of_line[-1]) > row_width:
            return [[[*chain(*cells_of_line)]] for cells_of_line in cells], [[0.0]] * len(cells)
    return cells, starts


def _pen_width(look: Look, size: float) -> float:
    return TRACE_DOT * size if look.trace == "dotted" else Pen.width * (size / X_HEIGHT)


def fill_word(text: str, sign_width: float, max_width: float) -> WrittenWord:
    """Return a fill as a word in x-heights without a gap behind it; `text` matches `FILL`."""
    width = min(sign_width * len(text), max_width)
    line = np.array([[FILL_INSET, FILL_DROP], [max(width - FILL_INSET, 2 * FILL_INSET), FILL_DROP]])
    return WrittenWord((line,) if text[0] == "_" else dots(line, FILL_STEP), width, 0.0, text)


def dots(stroke: np.ndarray, step: float) -> tuple[np.ndarray, ...]:
    """Return strokes of one point each along a stroke, at most `step` apart."""
    path = path_along(stroke)
    num_steps = math.ceil(path[-1] / step)
    return tuple((at_equal_steps(stroke, path, num_steps) if num_steps else stroke[:1])[:, None])


def traced(word: WrittenWord, trace: Trace | None) -> WrittenWord:
    """Return a word in x-heights, made of dots if `trace` is "dotted"; a fill stays as it is."""
    if trace != "dotted" or FILL.fullmatch(word.text):
        return word
    kept: list[tuple[int, np.ndarray]] = []
    # Dots of bars come first: a stem's dots would leave too little of the short bar of a `t`.
    order = sorted(range(len(word.strokes)), key=lambda k: not is_flat(word.strokes[k]))
    for number in order:
        stroke = word.strokes[number]
        length = path_along(stroke)[-1]
        num_steps = length // MIN_DOT_GAP if is_flat(stroke) else 0
        for dot in dots(stroke, 1.001 * length / num_steps if num_steps else TRACE_STEP):
            if all(np.hypot(*(other - dot).T).min() >= MIN_DOT_GAP - 1e-9 for _, other in kept):
                kept.append((number, dot))
    return replace(word, strokes=tuple(dot for _, dot in sorted(kept, key=itemgetter(0))))


def lightened(colour: str) -> str:
    """Return the colour, as `#rrggbb`, of light letters with ink of this colour."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    white = 255 * LIGHT_WHITE
    return "#" + "".join(f"{round(white + (1 - LIGHT_WHITE) * part):02x}" for part in parts)
