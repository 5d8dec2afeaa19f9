"""From words to pages: lines are broken by the width of what was written, and set on paper.

Lengths in millimetres. A `Word` is placed by its left edge and its baseline.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from utils.page.page import Page, Pen, Row
from utils.page.paper import Paper

PEN = Pen()
Align = Literal["left", "right", "centred", "justified"]

STRETCH = 2.0
"""How many times wider than usual a blank becomes in a justified line; beyond, the line stays
ragged (assumed)."""
SHRINK = 0.85
"""How much narrower blanks may become so that one more word fits (assumed)."""


@dataclass(frozen=True)
class Word:
    """A written word.

    Attributes:
        strokes: positions `(n, 2)`, x from its left edge, y from its baseline, downwards.
        width: of its ink.
        gap: from its right edge to the next word's left edge.
        text: of it.
        ends_row: whether the next word begins a row: of a part of a word.
    """

    strokes: tuple[np.ndarray, ...]
    width: float
    gap: float
    text: str = ""
    ends_row: bool = False


def scaled(word: Word, factor: float) -> Word:
    """Return a word `factor` times as large."""
    strokes = tuple(stroke * factor for stroke in word.strokes)
    return replace(word, strokes=strokes, width=word.width * factor, gap=word.gap * factor)


def narrowed(word: Word, width: float) -> Word:
    """Return a word of that width, its height as it is."""
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
    """

    words: Sequence[Word]
    line_height: float
    indent: float = 0.0
    first_indent: float = 0.0
    align: Align = "left"
    pen: Pen = PEN


def break_rows(
    words: Iterable[Word], width: float, first_indent: float = 0.0
) -> Iterator[list[Word]]:
    """Yield the words of each row: as many as fit (a single word always does).

    Args:
        words: in order.
        width: of a row.
        first_indent: by which the first row is narrower.
    """
    row: list[Word] = []
    room = width - first_indent
    for word in words:
        ink = sum(one.width for one in row) + word.width
        gaps = sum(one.gap for one in row)
        if row and ink + SHRINK * gaps > room:
            yield row
            row, room = [], width
        row.append(word)
        if word.ends_row:
            yield row
            row, room = [], width
    if row:
        yield row


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
    for word, gap in zip(words, [*gaps, 0.0], strict=True):
        strokes += [stroke + np.array([x, 0.0]) for stroke in word.strokes]
        x += word.width + factor * gap
    return tuple(strokes), start


def pages(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[Page]:
    """Yield the pages that paragraphs fill, one at a time; at least one.

    Below a paragraph of higher lines the first baseline is at the mean of both heights. Where the
    paper has a ruling, baselines lie on it: the height of a line becomes the least multiple of its
    spacing that is not smaller.
    """
    top, _, _, left = paper.margins
    rules, dots = paper.rules(), paper.dots()
    rows: list[Row] = []
    baseline = top
    begun, above = False, 0.0
    for paragraph in paragraphs:
        height = paragraph.line_height
        room = paper.column - paragraph.indent
        broken = break_rows(paragraph.words, room, paragraph.first_indent)
        rows_of_words = list(broken) or [[]]
        for number, words in enumerate(rows_of_words):
            step = paper.ruled(max(height, (above + height) / 2))
            if begun and baseline + step > paper.bottom + 1e-6:
                yield Page(paper.width, paper.height, tuple(rows), rules, dots)
                rows, baseline = [], top
                step = paper.ruled(height)
            begun, above = True, height
            baseline += step
            if not words:
                continue
            first = 0.0 if number else paragraph.first_indent
            strokes, start = set_row(
                words, room - first, paragraph.align, number == len(rows_of_words) - 1
            )
            x = left + paragraph.indent + first + start
            rows.append(
                Row(
                    tuple(stroke + np.array([x, baseline]) for stroke in strokes),
                    " ".join(word.text for word in words),
                    paragraph.pen,
                )
            )
    yield Page(paper.width, paper.height, tuple(rows), rules, dots)
