"""From paragraphs to pages: rows are broken by the width of what was written, set on paper, and
made to fit.

Lengths in millimetres.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise

import numpy as np

from handwriting.page_options import LINE_HEIGHT, Align, PageOptions
from handwriting.paper import Paper
from handwriting.paragraphs import Paragraph, TextLine, set_paragraphs
from handwriting.written_word import WrittenWord, natural_width, strokes_in_row
from utils.checks import UserError
from utils.ink import at_equal_steps, path_along
from utils.page.layers import PlacedWord, Row
from utils.page.page import Page

MAX_STRETCH = 2.0
"""How many times wider than usual a blank becomes in a justified line; beyond, the line stays
ragged (assumed)."""
MIN_SHRINK = 0.85  # of blanks, so that one more word fits (assumed)
UNITS = {
    *("%", "‰", "€", "£", "$", "EUR", "C", "°C", "F", "°F", "h", "min", "s", "am", "pm"),
    *("kg", "g", "mg", "lb", "oz", "l", "ml", "cl", "dl", "L", "tsp", "tbsp"),
    *("km", "m", "cm", "mm", "ft"),
}
"""What is not parted from the number before it."""
DASHES = ("-", "–", "—")
"""What is not parted from the word before it."""
CLEARANCE = 0.15
"""X-heights between the ink of a row and of the next, at least (assumed: seen as apart)."""
MAX_SPREAD = 1.5
"""How many times as far apart as usual rows are set so that they do not touch (assumed: beyond, one
slip of the pen would spread a whole page)."""
STEPS = 40  # sizes that are tried up to the usual one, and from there to twice as much (assumed)
SIZES_TRIED = [step / STEPS for step in range(STEPS, STEPS // 2 - 1, -1)]
"""Sizes of a text that is made to fit, in usual ones (assumed: below half it is another page)."""


def break_rows(
    words: Iterable[WrittenWord], width: float, first_indent: float = 0.0
) -> Iterator[list[WrittenWord]]:
    """Yield the words of each row: as many as fit (a single word always does), but for those that
    `_stay_together`.

    Args:
        words: in order.
        width: of a row.
        first_indent: by which the first row is narrower.
    """
    row: list[WrittenWord] = []
    room = width - first_indent
    for word in words:
        gaps = sum(other.gap for other in row)
        ink = natural_width(row) - gaps + word.width
        if row and ink + MIN_SHRINK * gaps > room:
            kept = len(row)
            while kept > 1 and _stay_together(row[kept - 1], [*row, word][kept]):
                kept -= 1
            yield row[:kept]
            row, room = row[kept:], width
        row.append(word)
    if row:
        yield row


def _stay_together(before: WrittenWord, after: WrittenWord) -> bool:
    """Return whether two words stand in one row: without a blank, a number and its unit, a word and
    the dash behind it."""
    unit = after.text.rstrip(".,;:!?)") in UNITS and before.text[-1:].isdigit()
    return before.gap == 0.0 or unit or (after.text in DASHES and before.text not in DASHES)


def set_row(
    words: Sequence[WrittenWord], room: float, align: Align, last: bool
) -> tuple[tuple[np.ndarray, ...], float]:
    """Return the strokes of a row, from its left edge and its baseline, and where it begins.

    Args:
        words: of the row.
        room: the width of the row.
        align: how the row lies in its room.
        last: whether the row is the last of its paragraph, which is not stretched.
    """
    ink, total = sum(word.width for word in words), sum(word.gap for word in words[:-1])
    factor = 1.0
    if total > 0.0:
        needed = (room - ink) / total
        if needed < 1.0:  # a word more than usual stands in this row
            factor = max(needed, MIN_SHRINK)
        elif align == "justified" and not last and needed <= MAX_STRETCH:
            factor = needed
    width = ink + factor * total
    start = {"right": room - width, "centred": (room - width) / 2}.get(align, 0.0)
    return strokes_in_row(words, factor), start


def set_rows(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[tuple[Row, Paragraph]]:
    """Yield the rows of paragraphs one at a time, x on the page, y from their baseline, downwards,
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
            parts = [(x, strokes_in_row(column)) for x, column in lead]
            parts.append((paragraph.indent + first + start, strokes))
            placed: list[np.ndarray] = []
            for x, part in parts:
                placed += [stroke + np.array([paper.margins[3] + x, 0.0]) for stroke in part]
            whole = [*chain(*(column for _, column in lead), words)]
            yield _row(placed, whole, paragraph), paragraph
        if not rows:
            yield Row(()), paragraph


def _row(strokes: Sequence[np.ndarray], words: Sequence[WrittenWord], paragraph: Paragraph) -> Row:
    """Return the placed strokes of words of a paragraph as a row."""
    text = "".join(word.text + " " * (word.gap > 0.0) for word in words).rstrip()
    placed = tuple(
        PlacedWord(word.text, len(word.strokes), word.doubt, word.gap == 0.0) for word in words
    )
    return Row(tuple(strokes), text, paragraph.pen, placed, paragraph.line, paragraph.size)


def crowding(paragraphs: Iterable[Paragraph], paper: Paper) -> float:
    """Return how many times as far apart rows have to be so that none comes nearer than `CLEARANCE`
    and the pen's width to the one above; 0 without two rows."""
    factor = 0.0
    for (above, over), (below, under) in pairwise(set_rows(paragraphs, paper)):
        if above.strokes and below.strokes:
            clear = max(CLEARANCE * both.size + both.pen.width for both in (over, under))
            # The lowest ink of the row above and the highest of that below, in strips across the
            # page, and in the strips beside them.
            _, low = _profile(above, clear, paper.width)
            high, _ = _profile(below, clear, paper.width)
            sides = [low[:-2], low[1:-1], low[2:]]
            apart = (np.maximum.reduce(sides) - high[1:-1]).max() + clear
            factor = max(factor, apart / _step(over.line_height, under.line_height, paper))
    return float(factor)


def _profile(row: Row, strip: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest and the lowest y of a row in each strip across the page."""
    edges = np.full((2, int(width / strip) + 3), np.inf) * [[1.0], [-1.0]]
    for stroke in row.strokes:
        path = path_along(stroke)
        between = at_equal_steps(stroke, path, int(2 * path[-1] / strip) + 1)
        x, y = np.concatenate([stroke, between]).T
        strips = np.clip(x // strip + 1, 0, edges.shape[1] - 1).astype(int)
        np.minimum.at(edges[0], strips, y)
        np.maximum.at(edges[1], strips, y)
    return edges[0], edges[1]


def spread(paragraphs: Sequence[Paragraph], paper: Paper) -> list[Paragraph]:
    """Return paragraphs with higher lines where rows would touch otherwise, all by one factor."""
    factor = min(max(crowding(paragraphs, paper), 1.0), MAX_SPREAD)
    return [
        replace(paragraph, line_height=factor * paragraph.line_height) for paragraph in paragraphs
    ]


def _step(above: float, height: float, paper: Paper) -> float:
    """Return how far a row is below one of another height, or, at 0, below the top."""
    return paper.ruled(max(height, (above + height) / 2))


def fill_pages(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[Page]:
    """Yield the pages that paragraphs fill, one at a time; at least one.

    Below a paragraph of higher lines the first baseline is at the mean of both heights. Where the
    paper has a ruling, baselines lie on the ruling: the height of a line becomes the least multiple
    of its spacing that is not smaller. Behind the first page none begins with an empty row. Where
    that can be, neither the first nor the last of rows without an empty one between them stands on
    a page alone.
    """
    baseline, above = paper.margins[0], 0.0
    page: list[tuple[Row, Paragraph, bool]] = []  # and whether an empty row is above
    begins, first = True, True
    rows = set_rows(paragraphs, paper)
    current = next(rows, None)
    while current is not None:
        row, paragraph = current
        current = next(rows, None)
        step = _step(above, paragraph.line_height, paper)
        if not row.strokes:
            if above or first:
                baseline, above = baseline + step, paragraph.line_height
            begins = True
            continue
        added = [(row, paragraph, begins)]
        if above and baseline + step > paper.bottom + 1e-6:
            if page:
                ends = current is None or not current[0].strokes
                kept = len(page) if begins else _num_kept(page, ends)
                added = [*page[kept:], *added]
                yield _page(page[:kept], paper)
            page, baseline, above, first = [], paper.margins[0], 0.0, False
        for number, (row, paragraph, is_start) in enumerate(added):
            if is_start and number:  # The empty row between rows that were taken along.
                baseline += _step(above, paragraph.line_height, paper)
            baseline += _step(above, paragraph.line_height, paper)
            page.append((replace(row, baseline=baseline), paragraph, is_start))
            above = paragraph.line_height
        begins = False
    yield _page(page, paper)


def _num_kept(page: Sequence[tuple[Row, Paragraph, bool]], ends: bool) -> int:
    """Return how many rows stay on a full page if the next row goes on from its last: all where
    none would stay, else those that leave no row alone.

    Args:
        page: the rows, and whether an empty row is above each.
        ends: whether an empty row, or none, is below the next row.
    """
    kept = len(page) - ends  # The last row of a page goes with a row that would be alone.
    if kept and page[kept - 1][-1]:  # A first row would be alone on the page.
        kept -= 1
    return kept or len(page)


def _page(rows: Sequence[tuple[Row, Paragraph, bool]], paper: Paper) -> Page:
    """Return rows as a page."""
    placed = []
    for row, _, _ in rows:
        strokes = tuple(stroke + np.array([0.0, row.baseline]) for stroke in row.strokes)
        placed.append(replace(row, strokes=strokes))
    return Page(paper.width, paper.height, tuple(placed), paper.rules(), paper.dots())


def set_to_fit(
    lines: Sequence[TextLine], options: PageOptions
) -> tuple[list[Paragraph], list[str]]:
    """Return paragraphs of the size that is asked for, and sentences on what does not fit.

    Raises:
        UserError: if no size fits on the sheets.
    """
    paper, usual, sheets, remarks = options.paper, options.usual_size, options.fit, []
    is_sized = options.size or paper.letter
    # Where rows would touch, lines become higher on plain paper; else letters become smaller.
    spreads = options.line_height is None and paper.ruling == "plain"
    shrinks = not (spreads or is_sized or options.line_height)

    def at_size(size: float) -> list[Paragraph]:
        paragraphs = set_paragraphs(lines, paper, options.line_height, size / usual)
        return spread(paragraphs, paper) if spreads else paragraphs

    def fits(paragraphs: Sequence[Paragraph]) -> bool:
        fills = not sheets or (
            len(_rows_of_pages(paragraphs, paper)) <= sheets and _is_within(paragraphs, paper)
        )
        return fills and not (shrinks and _touch(paragraphs, paper))

    def fits_in_columns(paragraphs: Sequence[Paragraph]) -> bool:
        return fits(paragraphs) and _keep_columns(paragraphs, lines)

    size = usual
    if sheets or shrinks:
        in_columns = _largest(at_size, usual, fits_in_columns) if sheets else None
        size = in_columns or _largest(at_size, usual, fits)
    if sheets and size == usual and not is_sized:
        for step in range(STEPS + 1, _highest(lines, paper)):
            larger = round(usual * step / STEPS, 2)
            paragraphs = at_size(larger)
            if not (fits_in_columns(paragraphs) and _stand_in_rows(paragraphs, paper)):
                break
            size = larger
    if size is None:
        reason = f"there is no size from {usual:g} to {usual / 2:g} mm at which the text fits"
        if sheets:
            raise UserError(f"--fit {sheets}: {reason}; give more sheets, larger paper, smaller "
                            "margins or a smaller --size")  # fmt: skip
        remarks.append(reason)
    elif size != usual:
        remarks.append(f"size {size:g}: the largest that fits")
    paragraphs = at_size(size or usual)
    if not _keep_columns(paragraphs, lines):
        remarks.append("columns run on as text, as they are wider than a row: a smaller --size, "
                       "--landscape or --fit keeps them")  # fmt: skip
    if _touch(paragraphs, paper):
        remarks.append("rows touch: a smaller --size or a larger --line-height keeps them apart")
    return paragraphs, remarks


def _rows_of_pages(paragraphs: Sequence[Paragraph], paper: Paper) -> list[int]:
    """Return how many rows each page has."""
    return [len(page.rows) for page in fill_pages(paragraphs, paper)]


def _is_within(paragraphs: Sequence[Paragraph], paper: Paper) -> bool:
    """Return whether no row reaches into the right margin."""
    edge = paper.width - paper.margins[1] + 1e-6
    rows = set_rows(paragraphs, paper)
    return all(stroke[:, 0].max() <= edge for row, _ in rows for stroke in row.strokes)


def _touch(paragraphs: Sequence[Paragraph], paper: Paper) -> bool:
    """Return whether rows touch."""
    return crowding(paragraphs, paper) > 1.0 + 1e-6


def _keep_columns(paragraphs: Sequence[Paragraph], lines: Sequence[TextLine]) -> bool:
    """Return whether lines, of which these are the paragraphs, have their columns."""
    return all(
        paragraph.lead or len(line.columns) == 1
        for paragraph, line in zip(paragraphs, lines, strict=True)
    )


def _stand_in_rows(paragraphs: Sequence[Paragraph], paper: Paper) -> bool:
    """Return whether each line stands in one row, and no rows touch."""
    num_lines = sum(bool(paragraph.words or paragraph.lead) for paragraph in paragraphs)
    is_alone = sum(_rows_of_pages(paragraphs, paper)) == num_lines
    return not _touch(paragraphs, paper) and is_alone


def _largest(
    at_size: Callable[[float], list[Paragraph]],
    usual: float,
    fits: Callable[[list[Paragraph]], bool],
) -> float | None:
    """Return the largest x-height at which paragraphs fit; None if they fit at none."""
    sizes = (round(usual * factor, 2) for factor in SIZES_TRIED)
    return next((size for size in sizes if fits(at_size(size))), None)


def _highest(lines: Sequence[TextLine], paper: Paper) -> int:
    """Return the steps up to the size at which a line is as high as what is between the margins."""
    height = paper.bottom - paper.margins[0] - paper.spacing / 2  # that a line is rounded up by
    return int(STEPS * height / (LINE_HEIGHT * max(line.look.size for line in lines))) + 1
