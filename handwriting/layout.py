"""From words to pages: lines are broken by the width of what was written, and set on paper.

Lengths in millimetres. A `Word` is placed by its left edge and its baseline.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Literal

import numpy as np

from handwriting.paper import Paper
from utils.ink import at_equal_steps, path_along
from utils.page.layers import Pen, PlacedWord, Row
from utils.page.page import Page

PEN = Pen()
Align = Literal["left", "right", "centred", "justified"]

STRETCH = 2.0
"""How many times wider than usual a blank becomes in a justified line; beyond, the line stays
ragged (assumed)."""
SHRINK = 0.85
"""How much narrower blanks may become so that one more word fits (assumed)."""
UNITS = {
    *("%", "‰", "€", "£", "$", "EUR", "C", "°C", "F", "°F", "h", "min", "s", "am", "pm"),
    *("kg", "g", "mg", "lb", "oz", "l", "ml", "cl", "dl", "L", "tsp", "tbsp"),
    *("km", "m", "cm", "mm", "ft"),
}
"""What is not parted from the number before it."""
DASHES = ("-", "–", "—")
"""What is not parted from the word before it."""
CLEAR = 0.15
"""X-heights from the ink of a row to that of the next, at least (assumed: seen as apart)."""
MOST_SPREAD = 1.5
"""How many times as far apart as usual rows are set so that they do not touch (assumed: beyond, it
is one slip of the pen that would spread a whole page)."""


@dataclass(frozen=True)
class Word:
    """A written word.

    Attributes:
        strokes: positions `(n, 2)`, x from its left edge, y from its baseline, downwards.
        width: of its ink.
        gap: from its right edge to the next word's left edge.
        text: of it.
        doubt: why it may not be what the text says; empty if it is.
    """

    strokes: tuple[np.ndarray, ...]
    width: float
    gap: float
    text: str = ""
    doubt: str = ""


def scaled(word: Word, factor: float) -> Word:
    """Return a word `factor` times as large."""
    strokes = tuple(stroke * factor for stroke in word.strokes)
    return replace(word, strokes=strokes, width=word.width * factor, gap=word.gap * factor)


def natural_width(words: Sequence[Word]) -> float:
    """Return the width of words in a row, with usual blanks between them and behind the last."""
    return sum(word.width + word.gap for word in words)


def narrowed(word: Word, width: float) -> Word:
    """Return a word of that width, which may be larger, too; its height as it is."""
    factor = np.array([width / word.width, 1.0])
    strokes = tuple(stroke * factor for stroke in word.strokes)
    return replace(word, strokes=strokes, width=width)


@dataclass(frozen=True)
class Paragraph:
    """Words that run on from row to row; without words an empty row.

    Attributes:
        words: in order.
        indent, first_indent: of all rows and, in addition, of the first one.
        align: how rows lie between the margins.
        line_height: from baseline to baseline.
        pen: what it is written with.
        size: its x-height.
        lead: words before the first row, such as other columns, and how far from the left margin.
        line: of the text that it is.
    """

    words: Sequence[Word]
    line_height: float
    indent: float = 0.0
    first_indent: float = 0.0
    align: Align = "left"
    pen: Pen = PEN
    size: float = 1.0
    lead: Sequence[tuple[float, Sequence[Word]]] = ()
    line: int = 0

    @property
    def clear(self) -> float:
        """How far the line of the pen in the row below has to be from that in its own."""
        return CLEAR * self.size + self.pen.width


def break_rows(
    words: Iterable[Word], width: float, first_indent: float = 0.0
) -> Iterator[list[Word]]:
    """Yield the words of each row: as many as fit (a single word always does), but for those that
    go `_together`.

    Args:
        words: in order.
        width: of a row.
        first_indent: by which the first row is narrower.
    """
    row: list[Word] = []
    room = width - first_indent
    for word in words:
        gaps = sum(one.gap for one in row)
        ink = natural_width(row) - gaps + word.width
        if row and ink + SHRINK * gaps > room:
            kept = len(row)
            while kept > 1 and _together(row[kept - 1], [*row, word][kept]):
                kept -= 1
            yield row[:kept]
            row, room = row[kept:], width
        row.append(word)
    if row:
        yield row


def _together(before: Word, after: Word) -> bool:
    """Return whether two words stand in one row: without a blank, a number and its unit, a word and
    the dash behind it."""
    unit = after.text.rstrip(".,;:!?)") in UNITS and before.text[-1:].isdigit()
    return before.gap == 0.0 or unit or (after.text in DASHES and before.text not in DASHES)


def set_row(
    words: Sequence[Word], room: float, align: Align, last: bool
) -> tuple[tuple[np.ndarray, ...], float]:
    """Return the strokes of a row, from its left edge and its baseline, and where it begins.

    Args:
        words: at least one.
        room: the width of the row.
        align: how it lies in it.
        last: whether it is the last row of its paragraph, which is not stretched.
    """
    ink, gaps = sum(one.width for one in words), [one.gap for one in words[:-1]]
    total = sum(gaps)
    factor = 1.0
    if total > 0.0:
        needed = (room - ink) / total
        if needed < 1.0:  # a word more than usual stands in this row
            factor = max(needed, SHRINK)
        elif align == "justified" and not last and needed <= STRETCH:
            factor = needed
    width = ink + factor * total
    start = {"right": room - width, "centred": (room - width) / 2}.get(align, 0.0)
    strokes: list[np.ndarray] = []
    x = 0.0
    for word, gap in zip(words, [*gaps, 0.0], strict=False):
        strokes += [stroke + np.array([x, 0.0]) for stroke in word.strokes]
        x += word.width + factor * gap
    return tuple(strokes), start


def set_rows(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[tuple[Row, Paragraph]]:
    """Yield the rows of paragraphs one at a time, x on the sheet, y from their baseline, downwards,
    each with its paragraph; an empty row has no strokes."""
    for paragraph in paragraphs:
        room = paper.column - paragraph.indent
        rows = list(break_rows(paragraph.words, room, paragraph.first_indent))
        rows = rows or ([[]] if paragraph.lead else [])
        for number, words in enumerate(rows):
            first = 0.0 if number else paragraph.first_indent
            last = number == len(rows) - 1
            strokes, start = set_row(words, room - first, paragraph.align, last)
            lead = () if number else paragraph.lead
            parts = [(x, set_row(own, math.inf, "left", last=True)[0]) for x, own in lead]
            parts.append((paragraph.indent + first + start, strokes))
            shifts = [(np.array([paper.margins[3] + x, 0.0]), part) for x, part in parts]
            moved = tuple(stroke + shift for shift, part in shifts for stroke in part)
            whole = [*chain(*(own for _, own in lead), words)]
            text = "".join(word.text + " " * (word.gap > 0.0) for word in whole).rstrip()
            named = tuple(
                PlacedWord(word.text, len(word.strokes), word.doubt, word.gap == 0.0)
                for word in whole
            )
            row = Row(moved, text, paragraph.pen, named, paragraph.line, paragraph.size)
            yield row, paragraph
        if not rows:
            yield Row(()), paragraph


def crowding(paragraphs: Iterable[Paragraph], paper: Paper) -> float:
    """Return how many times as far apart rows have to be so that none comes nearer than `CLEAR` to
    the one above; 0 without two rows."""
    found = [0.0]
    for (above, over), (below, under) in pairwise(set_rows(paragraphs, paper)):
        if above.strokes and below.strokes:
            clear = max(over.clear, under.clear)
            # The lowest ink of the one and the highest of the other, in strips across the sheet.
            _, low = _profile(above, clear, paper.width)
            high, _ = _profile(below, clear, paper.width)
            sides = [low[:-2], low[1:-1], low[2:]]  # and in the strips beside them
            apart = (np.maximum.reduce(sides) - high[1:-1]).max() + clear
            found.append(apart / _step(over.line_height, under.line_height, paper))
    return float(max(found))


def _profile(row: Row, strip: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest and the lowest y of a row in each strip across the sheet."""
    found = np.full((2, int(width / strip) + 3), np.inf) * [[1.0], [-1.0]]
    for stroke in row.strokes:
        path = path_along(stroke)
        between = at_equal_steps(stroke, path, int(2 * path[-1] / strip) + 1)
        x, y = np.concatenate([stroke, between]).T
        strips = np.clip(x // strip + 1, 0, found.shape[1] - 1).astype(int)
        np.minimum.at(found[0], strips, y)
        np.maximum.at(found[1], strips, y)
    return found[0], found[1]


def spread(paragraphs: Sequence[Paragraph], paper: Paper) -> list[Paragraph]:
    """Return paragraphs with higher lines where rows would touch otherwise, all by one factor."""
    factor = min(max(crowding(paragraphs, paper), 1.0), MOST_SPREAD)
    return [replace(one, line_height=factor * one.line_height) for one in paragraphs]


def _step(above: float, height: float, paper: Paper) -> float:
    """Return how far a row is below one of another height, or, at 0, below the top."""
    return paper.ruled(max(height, (above + height) / 2))


def pages(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[Page]:
    """Yield the pages that paragraphs fill, one at a time; at least one.

    Below a paragraph of higher lines the first baseline is at the mean of both heights. Where the
    paper has a ruling, baselines lie on it: the height of a line becomes the least multiple of its
    spacing that is not smaller. Behind the first page none begins with an empty row, and of rows
    without an empty one between them neither the first nor the last stands on a page alone, where
    that can be.
    """
    baseline, above = paper.margins[0], 0.0
    sheet: list[tuple[Row, Paragraph, bool]] = []  # and whether an empty row is above
    begins, first = True, True
    for (row, own), following in pairwise(chain(set_rows(paragraphs, paper), [None])):
        step = _step(above, own.line_height, paper)
        if not row.strokes:
            if above or first:
                baseline, above = baseline + step, own.line_height
            begins = True
            continue
        rows = [(row, own, begins)]
        if above and baseline + step > paper.bottom + 1e-6:
            if sheet:
                ends = not begins and (following is None or not following[0].strokes)
                kept = len(sheet) - ends
                kept -= kept > 0 and not begins and sheet[kept - 1][-1]
                kept = kept or len(sheet)
                rows = [*sheet[kept:], *rows]
                yield _page(sheet[:kept], paper)
            sheet, baseline, above, first = [], paper.margins[0], 0.0, False
        for number, (row, own, start) in enumerate(rows):
            if start and number:  # The empty row between rows that were taken along.
                baseline += _step(above, own.line_height, paper)
            baseline += _step(above, own.line_height, paper)
            sheet.append((replace(row, baseline=baseline), own, start))
            above = own.line_height
        begins = False
    yield _page(sheet, paper)


def _page(sheet: Sequence[tuple[Row, Paragraph, bool]], paper: Paper) -> Page:
    """Return rows as a page."""
    rows = []
    for row, _, _ in sheet:
        strokes = tuple(ink + np.array([0.0, row.baseline]) for ink in row.strokes)
        rows.append(replace(row, strokes=strokes))
    return Page(paper.width, paper.height, tuple(rows), paper.rules(), paper.dots())
