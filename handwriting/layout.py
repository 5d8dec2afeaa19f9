"""From paragraphs to pages: rows are broken by the widths of written words, set on paper, and made
to fit.

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
"""Factor by which blanks of a justified row are widened at most; a row that needs more stays ragged
(assumed)."""
MIN_SHRINK = 0.85  # of blanks, so that one more word fits (assumed)
UNITS = {
    *("%", "‰", "€", "£", "$", "EUR", "C", "°C", "F", "°F", "h", "min", "s", "am", "pm"),
    *("kg", "g", "mg", "lb", "oz", "l", "ml", "cl", "dl", "L", "tsp", "tbsp"),
    *("km", "m", "cm", "mm", "ft"),
}
"""Units, which stay in one row with the number before them."""
DASHES = ("-", "–", "—")
"""Dashes, which stay in one row with the word before them."""
CLEARANCE = 0.15  # least x-heights between the ink of two rows (assumed: seen as apart)
MAX_SPREAD = 1.5
"""Largest factor by which rows are set further apart so that they do not touch (assumed: with more,
one slip of the pen would spread a whole page)."""
STEPS = 40  # steps of sizes from 0 to the usual size (assumed)
SIZES_TRIED = [step / STEPS for step in range(STEPS, STEPS // 2 - 1, -1)]
"""Sizes that are tried to make a text fit, over the usual size (assumed: at less than half, a page
looks like a different page)."""


def break_rows(
    words: Iterable[WrittenWord], width: float, first_indent: float = 0.0
) -> Iterator[list[WrittenWord]]:
    """Yield the words of each row: as many as fit, at least one; words that `_stay_together` go to
    the next row together.

    Args:
        words: in order.
        width: of a row.
        first_indent: how much narrower the first row is.
    """
    row: list[WrittenWord] = []
    room = width - first_indent
    for word in words:
        gaps = sum(earlier.gap for earlier in row)
        ink = natural_width(row) - gaps + word.width
        if row and ink + MIN_SHRINK * gaps > room:
            kept, after = len(row), word
            while kept > 1 and _stay_together(row[kept - 1], after):
                kept -= 1
                after = row[kept]
            yield row[:kept]
            row, room = row[kept:], width
        row.append(word)
    if row:
        yield row


def _stay_together(before: WrittenWord, after: WrittenWord) -> bool:
    """Return whether two words stand in one row: words without a blank between them, a number and
    its unit, or a word and the dash behind it."""
    unit = after.text.rstrip(".,;:!?)") in UNITS and before.text[-1:].isdigit()
    return before.gap == 0.0 or unit or (after.text in DASHES and before.text not in DASHES)


def set_row(
    words: Sequence[WrittenWord], room: float, align: Align, last: bool
) -> tuple[tuple[np.ndarray, ...], float]:
    """Return the strokes of a row, from its left edge and its baseline, and where the row begins.

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
        if needed < 1.0:  # one word more than usual stands in this row
            factor = max(needed, MIN_SHRINK)
        elif align == "justified" and not last and needed <= MAX_STRETCH:
            factor = needed
    width = ink + factor * total
    start = {"right": room - width, "centred": (room - width) / 2}.get(align, 0.0)
    return strokes_in_row(words, factor), start


def set_rows(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[tuple[Row, Paragraph]]:
    """Yield each row of paragraphs with its paragraph: x from the page's edge, y down from the
    row's baseline. An empty row has no strokes."""
    for paragraph in paragraphs:
        room = paper.text_width - paragraph.indent
        rows = list(break_rows(paragraph.words, room, paragraph.first_indent))
        rows = rows or ([[]] if paragraph.lead else [])
        for number, words in enumerate(rows):
            first_indent = 0.0 if number else paragraph.first_indent
            last = number == len(rows) - 1
            strokes, start = set_row(words, room - first_indent, paragraph.align, last)
            lead = () if number else paragraph.lead
            parts = [(x, strokes_in_row(column)) for x, column in lead]
            parts.append((paragraph.indent + first_indent + start, strokes))
            placed: list[np.ndarray] = []
            for x, part in parts:
                placed += [stroke + np.array([paper.margins[3] + x, 0.0]) for stroke in part]
            whole = [*chain(*(column for _, column in lead), words)]
            yield _row(placed, whole, paragraph), paragraph
        if not rows:
            yield Row(()), paragraph


def _row(strokes: Sequence[np.ndarray], words: Sequence[WrittenWord], paragraph: Paragraph) -> Row:
    """Return the placed strokes of words of a paragraph as a row."""
    text = "".join(f"{word.text} " if word.gap > 0.0 else word.text for word in words).rstrip()
    placed = tuple(
        PlacedWord(word.text, len(word.strokes), word.doubt, word.gap == 0.0) for word in words
    )
    return Row(tuple(strokes), text, paragraph.pen, placed, paragraph.line, paragraph.size)


def crowding(paragraphs: Iterable[Paragraph], paper: Paper) -> float:
    """Return the factor of the distance of rows at which each row is at least `CLEARANCE` and the
    pen's width away from the row above; 0 without two rows."""
    factor = 0.0
    for (above, upper), (below, lower) in pairwise(set_rows(paragraphs, paper)):
        if above.strokes and below.strokes:
            clear = max(CLEARANCE * each.size + each.pen.width for each in (upper, lower))
            # The page is cut into strips. The lowest ink of the row above, in a strip or beside it,
            # is compared with the highest ink of the row below in the strip.
            _, low = _profile(above, clear, paper.width)
            high, _ = _profile(below, clear, paper.width)
            sides = [low[:-2], low[1:-1], low[2:]]
            apart = (np.maximum.reduce(sides) - high[1:-1]).max() + clear
            factor = max(factor, apart / _step(upper.line_height, lower.line_height, paper))
    return float(factor)


def _profile(row: Row, strip: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest and the lowest y of a row in each strip across the page."""
    highest = np.full(int(width / strip) + 3, np.inf)
    lowest = -highest
    for stroke in row.strokes:
        path = path_along(stroke)
        between = at_equal_steps(stroke, path, int(2 * path[-1] / strip) + 1)
        x, y = np.concatenate([stroke, between]).T
        strips = np.clip(x // strip + 1, 0, len(highest) - 1).astype(int)
        np.minimum.at(highest, strips, y)
        np.maximum.at(lowest, strips, y)
    return highest, lowest


def spread(paragraphs: Sequence[Paragraph], paper: Paper) -> list[Paragraph]:
    """Return paragraphs, all lines higher by a factor up to `MAX_SPREAD` if rows would touch."""
    factor = min(max(crowding(paragraphs, paper), 1.0), MAX_SPREAD)
    return [
        replace(paragraph, line_height=factor * paragraph.line_height) for paragraph in paragraphs
    ]


def _step(above: float, height: float, paper: Paper) -> float:
    """Return how far a row of a height is below a row as high as `above`, or, for 0, the top."""
    return paper.ruled(max(height, (above + height) / 2))


def fill_pages(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[Page]:
    """Yield the pages that paragraphs fill, one at a time; at least one.

    Below a paragraph of higher lines the first baseline is at the mean of both heights. Where the
    paper has a ruling, baselines lie on the ruling: the height of a line becomes the least multiple
    of its spacing that is not smaller. No page but the first begins with an empty row. Rows that no
    empty row parts are a block; where possible, no page has only the first or last row of a block.
    """
    baseline, above = paper.margins[0], 0.0
    page: list[tuple[Row, Paragraph, bool]] = []  # True: an empty row is above
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
            if is_start and number:  # The empty row between rows from the last page.
                baseline += _step(above, paragraph.line_height, paper)
            baseline += _step(above, paragraph.line_height, paper)
            page.append((replace(row, baseline=baseline), paragraph, is_start))
            above = paragraph.line_height
        begins = False
    yield _page(page, paper)


def _num_kept(page: Sequence[tuple[Row, Paragraph, bool]], ends: bool) -> int:
    """Return how many rows stay on a full page whose last row is in the block of the next row: so
    many that neither the next row nor the block's first row stands alone; all if none would stay.

    Args:
        page: the rows, and whether an empty row is above each.
        ends: whether the next row is the last of its block.
    """
    kept = len(page) - 1 if ends else len(page)
    if kept and page[kept - 1][-1]:  # The first row of a block would be alone on the page.
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
    """Return the lines as paragraphs of the size that the options ask for, and remarks on the fit.

    Raises:
        UserError: if no size fits on the sheets.
    """
    paper, usual, sheets, remarks = options.paper, options.usual_size, options.fit, []
    is_sized = options.size or paper.letter
    # Where rows would touch, lines become higher on plain paper; on ruled paper letters shrink.
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
    """Return whether the paragraphs of lines still have the columns of the lines."""
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
    """Return the largest x-height at which paragraphs fit; None if no size fits."""
    sizes = (round(usual * factor, 2) for factor in SIZES_TRIED)
    return next((size for size in sizes if fits(at_size(size))), None)


def _highest(lines: Sequence[TextLine], paper: Paper) -> int:
    """Return the number of the step at which one line fills the height between the margins."""
    height = paper.bottom - paper.margins[0] - paper.spacing / 2  # a line may be rounded up so much
    return int(STEPS * height / (LINE_HEIGHT * max(line.look.size for line in lines))) + 1
