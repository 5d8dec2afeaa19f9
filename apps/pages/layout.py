"""From paragraphs to pages: words are broken into rows, rows are set on paper, sizes are fitted.

Lengths are in millimetres.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from apps.pages.page_options import LINE_HEIGHT, Align, PageOptions
from apps.pages.paper import Paper
from apps.pages.paragraphs import Paragraph, TextLine, set_paragraphs
from apps.pages.written_word import WrittenWord, divided_at, natural_width, strokes_in_row
from ink.drawing.layers import PlacedWord, Row
from ink.geometry import at_equal_steps, path_along
from model.drawing.page import Page
from utils.checks import UserError

MAX_GAP_FACTOR = 2.0  # largest factor by which the blanks of a justified row are widened (assumed)
MIN_GAP_FACTOR = 0.85  # least factor by which blanks are narrowed so that a word fits (assumed)
MAX_RAGGED = 0.12  # fraction of a row that is left empty sooner than a word is divided (by eye)
CLEARANCE = 0.15  # least x-heights between the ink of two rows (assumed)
MAX_SPREAD = 1.5  # largest factor by which rows are set apart so as not to touch (assumed)
STEPS_PER_SIZE = 40  # steps into which the usual size is divided; sizes are whole steps (assumed)
MAX_CLOSE_CROWDING = 1.07
"""Largest `crowding` of rows that become closer so as to save a page: they come nearer than
`CLEARANCE`, by less than it and the pen's width, so that their ink does not touch (computed)."""
MAX_SPILLED = 3  # most rows of a last page for which a text is set closer (chosen)
PULL_STEPS = 5  # most steps by which it becomes smaller: 12.5 % (by eye)
ROW_CLOSENESS = (1.0, 0.97, 0.94, 0.91)  # factors of the distance of rows (by eye)
SMALLER_SIZES = [n / STEPS_PER_SIZE for n in range(STEPS_PER_SIZE, STEPS_PER_SIZE // 2 - 1, -1)]
"""Fractions of the usual size at which a text is tried (assumed: below half of it, a page looks
like a different page)."""


class SetRow(NamedTuple):
    """A row with its paragraph. `rise` and `drop`: millimetres that it needs above and below,
    beyond the height of its line."""

    row: Row
    paragraph: Paragraph
    rise: float = 0.0
    drop: float = 0.0


def break_rows(
    words: Iterable[WrittenWord], width: float, first_indent: float = 0.0, size: float = 1.0
) -> Iterator[list[WrittenWord]]:
    """Yield the words of each row. A row has as many words as fit in its `width`, at least one;
    the first row is narrower by `first_indent`. A word that `_stays_with_next` goes to the next
    row if the next word does not fit. A word with `breaks` is divided if the row would
    else leave more than `MAX_RAGGED` of its width empty. `size`: the x-height."""
    row: list[WrittenWord] = []
    row_width = width - first_indent
    for word in words:
        if row and not _fits(row, word, row_width):
            if parts := _divided(row, word, row_width, size):
                yield [*row, parts[0]]
                row = []
                word = parts[1]
            else:
                num_kept = len(row)
                while num_kept and _stays_with_next(row[num_kept - 1]):
                    num_kept -= 1
                num_kept = num_kept or len(row)  # All words of the row belong to the next one.
                yield row[:num_kept]
                row = row[num_kept:]
            row_width = width
        row.append(word)
    if row:
        yield row


def _fits(row: Sequence[WrittenWord], word: WrittenWord, row_width: float) -> bool:
    """Return whether a word fits behind a row, with narrow gaps."""
    gaps = sum(earlier.gap for earlier in row)
    return natural_width(row) - gaps + word.width + MIN_GAP_FACTOR * gaps <= row_width


def _divided(
    row: Sequence[WrittenWord], word: WrittenWord, row_width: float, size: float
) -> tuple[WrittenWord, WrittenWord] | None:
    """Return the parts of a word, the first of which fits behind a row; None if the row is full
    enough, or no part fits."""
    if row_width - (natural_width(row) - row[-1].gap) <= MAX_RAGGED * row_width:
        return None
    divisions = (divided_at(word, index, size) for index in reversed(word.breaks))
    return next((parts for parts in divisions if parts and _fits(row, parts[0], row_width)), None)


def _stays_with_next(word: WrittenWord) -> bool:
    """Return whether a word and the next must stand in one row: without a blank between them, or
    with one at which no row ends."""
    return word.gap == 0.0 or word.keeps_next


def set_row(
    words: Sequence[WrittenWord], row_width: float, align: Align, is_last: bool
) -> tuple[tuple[np.ndarray, ...], float]:
    """Return the strokes of a row, relative to its start on the baseline, and the x of this start.

    Args:
        words: the words of the row.
        row_width: the width that the row may take.
        align: how the row lies in that width.
        is_last: whether the row is the last of its paragraph; if so, the row is not stretched.
    """
    ink_width = sum(word.width for word in words)
    gaps = sum(word.gap for word in words[:-1])
    factor = 1.0
    if gaps > 0.0:
        wanted_factor = (row_width - ink_width) / gaps
        if wanted_factor < 1.0:  # The row has a word more than fits with usual gaps.
            factor = max(wanted_factor, MIN_GAP_FACTOR)
        elif align == "justified" and not is_last and wanted_factor <= MAX_GAP_FACTOR:
            factor = wanted_factor
    width = ink_width + factor * gaps
    start = {"right": row_width - width, "centred": (row_width - width) / 2}.get(align, 0.0)
    return strokes_in_row(words, factor), start


def set_rows(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[SetRow]:
    """Yield each row of paragraphs. In strokes, x is the distance from the left edge of the page, y
    the depth below the row's baseline. An empty row has no strokes."""
    for paragraph in paragraphs:
        row_width = paper.text_width - paragraph.indent
        rows = [*break_rows(paragraph.words, row_width, paragraph.first_indent, paragraph.size)]
        rows = rows or ([[]] if paragraph.lead else [])
        for number, words in enumerate(rows):
            first_indent = 0.0 if number else paragraph.first_indent
            is_last = number == len(rows) - 1
            strokes, start = set_row(words, row_width - first_indent, paragraph.align, is_last)
            lead = () if number else paragraph.lead
            columns = [(x, strokes_in_row(column)) for x, column in lead]
            columns.append((paragraph.indent + first_indent + start, strokes))
            placed: list[np.ndarray] = []
            for x, column in columns:
                placed += [stroke + np.array([paper.left + x, 0.0]) for stroke in column]
            row_words = [*chain(*(column for _, column in lead), words)]
            rise = max(word.rise for word in row_words)
            drop = max(word.drop for word in row_words)
            yield SetRow(_row(placed, row_words, paragraph), paragraph, rise, drop)
        if not rows:
            yield SetRow(Row(()), paragraph)


def _row(strokes: Sequence[np.ndarray], words: Sequence[WrittenWord], paragraph: Paragraph) -> Row:
    """Return words of a paragraph as a row with these strokes."""
    text = "".join(f"{word.text} " if word.gap > 0.0 else word.text for word in words).rstrip()
    placed = tuple(
        PlacedWord(word.text, len(word.strokes), word.doubt, word.gap == 0.0, divided=word.divided)
        for word in words
    )
    return Row(tuple(strokes), text, paragraph.pen, placed, paragraph.line, paragraph.size)


def crowding(paragraphs: Iterable[Paragraph], paper: Paper) -> float:
    """Return the least factor for the distances of rows that keeps the ink of each row away from
    the row above, by `CLEARANCE` and the pen's width; 0 if there are no two rows."""
    factor = 0.0
    for upper, lower in pairwise(set_rows(paragraphs, paper)):
        if upper.row.strokes and lower.row.strokes:
            pair = (upper.paragraph, lower.paragraph)
            clearance = max(CLEARANCE * p.size + p.pen.width for p in pair)
            # The page is cut into vertical strips. The highest ink of the lower row in a strip is
            # compared with the lowest ink of the upper row in the strip and the strips beside it.
            _, bottoms = _profile(upper.row, clearance, paper.width)
            tops, _ = _profile(lower.row, clearance, paper.width)
            bottoms = np.maximum.reduce([bottoms[:-2], bottoms[1:-1], bottoms[2:]])
            distance = (bottoms - tops[1:-1]).max() + clearance - upper.drop - lower.rise
            usual = _row_distance(*(each.line_height for each in pair), paper)
            factor = max(factor, distance / usual)
    return float(factor)


def _profile(row: Row, strip_width: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the y of a row's highest and lowest ink in each vertical strip of a page with this
    width; the first strip lies left of the page, the last strip right of it."""
    tops = np.full(int(width / strip_width) + 3, np.inf)
    bottoms = -tops
    for stroke in row.strokes:
        path = path_along(stroke)
        points_between = at_equal_steps(stroke, path, int(2 * path[-1] / strip_width) + 1)
        x, y = np.concatenate([stroke, points_between]).T
        strips = np.clip(x // strip_width + 1, 0, len(tops) - 1).astype(int)
        np.minimum.at(tops, strips, y)
        np.maximum.at(bottoms, strips, y)
    return tops, bottoms


def spread(paragraphs: Sequence[Paragraph], paper: Paper) -> list[Paragraph]:
    """Return paragraphs with lines up to `MAX_SPREAD` times as high, so that no rows touch."""
    factor = min(max(crowding(paragraphs, paper), 1.0), MAX_SPREAD)
    return [replace(each, line_height=factor * each.line_height) for each in paragraphs]


def _row_distance(above: float, height: float, paper: Paper, extra: float = 0.0) -> float:
    """Return the distance down to a baseline with the line height `height`: from a baseline with
    the line height `above`, or from the top margin if `above` is 0. `extra`: what the rows need
    beyond their heights."""
    return paper.rounded_to_ruling(max(height, (above + height) / 2) + extra)


def fill_pages(paragraphs: Iterable[Paragraph], paper: Paper) -> Iterator[Page]:
    """Yield the pages that paragraphs fill, one at a time; at least one.

    If a paragraph of higher lines stands above, the distance to the first baseline is the mean of
    both heights. On a ruling, the distance is rounded up to a multiple of its spacing. No page but
    the first begins with an empty row. A block is a sequence of rows without an empty row; where
    possible, no page has only the first or only the last row of a block.
    """
    baseline = paper.top
    above = 0.0
    drop = 0.0  # what the row above needs below it
    page: list[tuple[SetRow, bool]] = []  # The flag says whether the row starts a block.
    starts_block = True
    is_first_page = True
    rows = set_rows(paragraphs, paper)
    following = next(rows, None)
    while following is not None:
        set_row = following
        height = set_row.paragraph.line_height
        following = next(rows, None)
        step = _row_distance(above, height, paper, drop + set_row.rise)
        if not set_row.row.strokes:
            if above or is_first_page:
                baseline += step
                above = height
                drop = 0.0
            starts_block = True
            continue
        added = [(set_row, starts_block)]
        if above and baseline + step + set_row.drop > paper.bottom + 1e-6:
            if page:
                is_end = following is None or not following.row.strokes
                num_kept = len(page) if starts_block else _num_kept(page, is_end)
                added = [*page[num_kept:], *added]
                yield _page(page[:num_kept], paper)
            page = []
            baseline = paper.top
            above = 0.0
            drop = 0.0
            is_first_page = False
        for number, (each, is_start) in enumerate(added):
            height = each.paragraph.line_height
            if is_start and number:  # An empty row stood above this row on the page before.
                baseline += _row_distance(above, height, paper)
            baseline += _row_distance(above, height, paper, drop + each.rise)
            placed = replace(each.row, baseline=baseline)
            page.append((each._replace(row=placed), is_start))
            above = height
            drop = each.drop
        starts_block = False
    yield _page(page, paper)


def _num_kept(page: Sequence[tuple[SetRow, bool]], is_end: bool) -> int:
    """Return how many rows stay on a full page if the next row continues the last block. Neither
    the next row nor the block's first row is to stand alone; if no row could stay, all rows stay.
    `is_end`: whether the next row is the last of its block."""
    num_kept = len(page) - 1 if is_end else len(page)
    if num_kept and page[num_kept - 1][-1]:  # The first row of the block would be alone.
        num_kept -= 1
    return num_kept or len(page)


def _page(rows: Sequence[tuple[SetRow, bool]], paper: Paper) -> Page:
    """Return rows as a page; their strokes move down by their baselines."""
    placed = []
    for (row, *_), _ in rows:
        strokes = tuple(stroke + np.array([0.0, row.baseline]) for stroke in row.strokes)
        placed.append(replace(row, strokes=strokes))
    return Page(paper.width, paper.height, tuple(placed), paper.rules(), paper.dots())


def set_to_fit(
    text_lines: Sequence[TextLine], options: PageOptions
) -> tuple[list[Paragraph], list[str]]:
    """Return text lines as paragraphs in the usual size, or in a size that fits if sheets are given
    or rows touch on ruled paper; and remarks on the size.

    Raises:
        UserError: if the text fits on `options.fit` sheets at no size.
    """
    paper = options.paper
    usual = options.usual_size
    sheets = options.fit
    remarks = []
    is_sized = options.size or paper.x_height
    # If rows touch, line heights grow on plain paper; on ruled paper, letters shrink.
    may_spread = options.line_height is None and paper.ruling == "plain"
    may_shrink = not (may_spread or is_sized or options.line_height)

    def at_size(size: float) -> list[Paragraph]:
        paragraphs = set_paragraphs(text_lines, paper, options.line_height, size / usual)
        return spread(paragraphs, paper) if may_spread else paragraphs

    def fits(paragraphs: Sequence[Paragraph]) -> bool:
        if sheets:
            pages = [*fill_pages(paragraphs, paper)]
            is_whole = all(
                page.holds_its_ink for page in pages
            )  # A formula may be higher than a row.
            if len(pages) > sheets or not is_whole or not _is_within(paragraphs, paper):
                return False
        return not (may_shrink and _touch(paragraphs, paper))

    def fits_in_columns(paragraphs: Sequence[Paragraph]) -> bool:
        return fits(paragraphs) and _keep_columns(paragraphs, text_lines)

    def fits_larger(size: float) -> bool:
        paragraphs = at_size(size)
        return fits_in_columns(paragraphs) and _stand_in_rows(paragraphs, paper)

    size = usual
    if sheets or may_shrink:
        size_with_columns = _largest(at_size, usual, fits_in_columns) if sheets else None
        size = size_with_columns or _largest(at_size, usual, fits)
    if sheets and size == usual and not is_sized:
        size = _enlarged(fits_larger, usual, _last_step(text_lines, paper))
    if size is None:
        remarks.append(_no_size(usual, sheets))
    elif size != usual:
        remarks.append(f"size {size:g}: the largest that fits")
    paragraphs = at_size(size or usual)
    max_crowding = 1.0
    is_usual = all(text_line.look.size == usual for text_line in text_lines)
    if size == usual and is_usual and not (sheets or is_sized):
        paragraphs, remark = pulled_back(paragraphs, at_size, usual, paper, may_spread)
        if remark:
            remarks.append(remark)
            max_crowding = MAX_CLOSE_CROWDING
    return paragraphs, [*remarks, *_problems(paragraphs, text_lines, paper, max_crowding)]


def _no_size(usual: float, sheets: int | None) -> str:
    """Return the remark on a text that fits at no size; raise a UserError if `sheets` are given."""
    reason = f"there is no size from {usual:g} to {usual / 2:g} mm at which the text fits"
    if not sheets:
        return reason
    advice = "give more sheets, larger paper, smaller margins or a smaller size"
    raise UserError(f"--fit {sheets}: {reason}; {advice}")


def _enlarged(fits: Callable[[float], bool], usual: float, last_step: int) -> float:
    """Return the size before the first step above the usual size that does not fit."""
    size = usual
    for step in range(STEPS_PER_SIZE + 1, last_step):
        larger = round(usual * step / STEPS_PER_SIZE, 2)
        if not fits(larger):
            break
        size = larger
    return size


def _problems(
    paragraphs: Sequence[Paragraph],
    text_lines: Sequence[TextLine],
    paper: Paper,
    max_crowding: float,
) -> Iterator[str]:
    """Yield a sentence on columns that run on as text, and one on rows that touch, whose `crowding`
    exceeds `max_crowding`."""
    if not _keep_columns(paragraphs, text_lines):
        yield ("columns run on as text, as they are wider than a row: a smaller size, --landscape "
               "or --fit keeps them")  # fmt: skip
    if _touch(paragraphs, paper, max_crowding):
        yield "rows touch: a smaller size or a larger line_height keeps them apart"


def pulled_back(
    paragraphs: list[Paragraph],
    at_size: Callable[[float], list[Paragraph]],
    usual: float,
    paper: Paper,
    may_close: bool,
) -> tuple[list[Paragraph], str]:
    """Return paragraphs in their usual size; or, if the last page has at most `MAX_SPILLED` rows,
    with closer rows or a little smaller, so that there is a page less, if that is possible.

    Args:
        paragraphs: the paragraphs in their usual size.
        at_size: returns the paragraphs with an x-height.
        usual: the usual x-height.
        paper: the paper that paragraphs are set on.
        may_close: whether rows may become closer.

    Returns:
        The paragraphs, and a sentence on what was done; "" if nothing was.
    """
    pages = [*fill_pages(paragraphs, paper)]
    num_spilled = len(pages[-1].rows)
    if len(pages) == 1 or num_spilled > MAX_SPILLED:
        return paragraphs, ""
    saved = f"so that {num_spilled} rows do not begin another sheet"
    for step in range(PULL_STEPS + 1):
        size = round(usual * (1 - step / STEPS_PER_SIZE), 2)
        usual_rows = at_size(size) if step else paragraphs
        for closeness in ROW_CLOSENESS if may_close else (1.0,):
            closed = [
                replace(each, line_height=closeness * each.line_height) for each in usual_rows
            ]
            is_legible = closeness == 1.0 or crowding(closed, paper) <= MAX_CLOSE_CROWDING
            if is_legible and len([*fill_pages(closed, paper)]) < len(pages):
                changes = [f"size {size:g}"] if step else []
                if closeness < 1.0:
                    changes.append("closer rows")
                return closed, f"{' and '.join(changes)}, {saved}"
    return paragraphs, ""


def _is_within(paragraphs: Sequence[Paragraph], paper: Paper) -> bool:
    """Return whether no row reaches into the right margin."""
    edge = paper.right + 1e-6  # for rounding
    rows = set_rows(paragraphs, paper)
    return all(stroke[:, 0].max() <= edge for row, *_ in rows for stroke in row.strokes)


def _touch(paragraphs: Sequence[Paragraph], paper: Paper, max_crowding: float = 1.0) -> bool:
    """Return whether rows touch: whether their `crowding` exceeds `max_crowding`."""
    return crowding(paragraphs, paper) > max_crowding + 1e-6


def _keep_columns(paragraphs: Sequence[Paragraph], text_lines: Sequence[TextLine]) -> bool:
    """Return whether each paragraph has the columns of its text line."""
    return all(
        paragraph.lead or len(text_line.cells) == 1
        for paragraph, text_line in zip(paragraphs, text_lines, strict=True)
    )


def _stand_in_rows(paragraphs: Sequence[Paragraph], paper: Paper) -> bool:
    """Return whether each paragraph stands in a single row, and no rows touch."""
    num_filled = sum(bool(paragraph.words or paragraph.lead) for paragraph in paragraphs)
    num_rows = sum(len(page.rows) for page in fill_pages(paragraphs, paper))
    return num_rows == num_filled and not _touch(paragraphs, paper)


def _largest(
    at_size: Callable[[float], list[Paragraph]],
    usual: float,
    fits: Callable[[list[Paragraph]], bool],
) -> float | None:
    """Return the largest x-height at which paragraphs fit; None if no size fits."""
    sizes = (round(usual * fraction, 2) for fraction in SMALLER_SIZES)
    return next((size for size in sizes if fits(at_size(size))), None)


def _last_step(text_lines: Sequence[TextLine], paper: Paper) -> int:
    """Return the number of the size step at which one line fills the height between the margins."""
    height = paper.bottom - paper.top - paper.spacing / 2  # Rounding may add half a spacing.
    size = max(text_line.look.size for text_line in text_lines)
    return int(STEPS_PER_SIZE * height / (LINE_HEIGHT * size)) + 1
