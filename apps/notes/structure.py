"""Finds the rows of a page and their kinds: prose, items of lists, headings, cells of ruled tables.

Rows may lie at 90, 180 or 270 degrees. Labels of drawings are rows of their own.

Lengths are in x-heights.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from apps.notes.marks import MAX_CORNER_DISTANCE, MAX_LISTED_CORNER_DISTANCE, list_mark, tables
from apps.notes.page_text import CELL_MARK, HEADING_MARK
from apps.notes.rows import (
    DRAWING,
    MAX_LINE_DISTANCE,
    MAX_STROKE_HEIGHT,
    UNDERLINE,
    Block,
    find_rows,
    rows_of_page,
)
from ink.geometry import from_strokes, turned_back, x_height
from ink.measures import median_x_height
from utils.time_limit import check_time

LABEL = "label of a drawing"
RULE = "rule of a table"
MARK_OF_LIST = "mark of a list"
"""Further kinds of strokes that are in no row; `rows` has the others."""

MIN_LIST_ROWS = 2  # rows of a list; a single dash is a sentence's (measured)
MAX_LIST_INDENT = 1.5  # between the left ends of the rows of a list (assumed)
MIN_UNDERLINED_FRACTION = 0.7  # of a heading's width (assumed)
MIN_HEADING_SIZE = 1.4  # size of a heading, as a multiple of the size of the rows (measured)
MAX_HEADING_WIDTH = 0.75  # of a larger row, as a fraction of the widest row's (measured)
MIN_HEADING_STEP = 1.2  # from the row above a larger row, as a multiple of the usual step (assumed)
MIN_SIZED_ROWS = 3  # rows whose sizes are compared (assumed)
MAX_LABEL_INK = 60.0  # length of a label's ink (assumed: some fifteen letters)
MAX_LABEL_DISTANCE = 8.0  # from a label to its drawing (assumed)
MAX_PIECE_GAP = 4.0  # between strokes that show the direction of a row (assumed)
MAX_PIECE_STRIDE = 4  # strokes from the start of a move to its end (assumed)
MIN_PIECE_MOVE = 4.0  # sum of the moves that show a direction (assumed)


class StrokeRow(NamedTuple):
    """A row of strokes of a page, before it is read.

    Attributes:
        strokes: numbers of the strokes in reading order, without the mark of a list.
        mark: see `PageRow.mark`.
        turn: number of quarter turns clockwise by which the row is turned.
        is_label: whether the row may be a label of a drawing, or a part of the drawing.
    """

    strokes: list[int]
    mark: str = ""
    turn: int = 0
    is_label: bool = False


def find_structure(
    strokes: Sequence[np.ndarray],
    turns: np.ndarray,
    sizes: np.ndarray | None = None,
    bars: Collection[int] = (),
) -> tuple[list[StrokeRow], dict[int, str]]:
    """Return the rows of a page, and the kind of each stroke that is in no row, by its number.

    Args:
        strokes: `(n, 2)` each with n >= 1, in any unit, y downwards, in the order of writing.
        turns: number of quarter turns clockwise by which each stroke is turned, `(strokes,)`.
        sizes: class of each stroke's size, `(strokes,)`, see `size_classes`; None for one class.
        bars: numbers of strokes that are bars of letters: they cross nothing out.
    """
    rows: list[StrokeRow] = []
    kinds: dict[int, str] = {}
    sizes = np.zeros(len(strokes), int) if sizes is None else sizes
    for turn in np.unique(turns).tolist():
        numbers = np.flatnonzero(turns == turn)
        level = [turned_back(strokes[number], turn * np.pi / 2) for number in numbers.tolist()]
        page = Block(level, np.arange(len(level)))
        turn_rows = list[StrokeRow]()
        for size, _ in Counter(sizes[numbers].tolist()).most_common():
            of_size = np.flatnonzero(sizes[numbers] == size)
            block = page
            if len(of_size) < len(level):
                block = Block([level[n] for n in of_size], np.arange(len(of_size)))
            size_bars = np.flatnonzero(np.isin(numbers[of_size], [*bars])).tolist()
            size_rows, size_kinds = _level_structure(block, size_bars)
            for index, kind in size_kinds.items():
                kinds[int(numbers[of_size[index]])] = kind  # by its number on the page
            is_first = not turn_rows  # the most frequent size, whose rows are in order
            for row in size_rows:
                row = row._replace(strokes=of_size[row.strokes].tolist())
                place = len(turn_rows) if is_first else _place(page, turn_rows, row.strokes)
                turn_rows.insert(place, row)
        are_headings = _are_large(page, [row.strokes for row in turn_rows])
        for row, is_heading in zip(turn_rows, are_headings, strict=True):
            mark = HEADING_MARK if is_heading and not row.mark else row.mark
            strokes_of_row = numbers[row.strokes].tolist()
            rows.append(row._replace(strokes=strokes_of_row, mark=mark, turn=turn))
    return rows, dict(sorted(kinds.items()))


def _place(page: Block, rows: Sequence[StrokeRow], strokes: Sequence[int]) -> int:
    """Return the index at which a row is inserted among rows of other sizes.

    Only rows below or above it count, not those beside it. The place is before the first lower row,
    or else behind the last higher row.
    """
    place = len(rows)
    left = page.left[strokes].min()
    right = page.right[strokes].max()
    y = page.y[strokes].mean()
    for index, (other, *_) in enumerate(rows):
        if page.left[other].min() < right and left < page.right[other].max():
            if y < page.y[other].mean():
                return index
            place = index + 1
    return place


def quarter_turns(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the number of quarter turns clockwise by which each stroke seems turned, `(strokes,)`.

    The pen moves ahead along rows. A row without a clear direction is turned as the row before.
    """
    if not strokes:
        return np.empty(0, int)
    unit = x_height(from_strokes(strokes))
    low = np.array([stroke.min(axis=0) for stroke in strokes]) / unit
    high = np.array([stroke.max(axis=0) for stroke in strokes]) / unit
    # From the box of each stroke to that of the next one, along x or along y.
    gaps = np.maximum(low[1:] - high[:-1], low[:-1] - high[1:]).max(axis=1)
    starts = np.flatnonzero(np.append(True, gaps > MAX_PIECE_GAP))
    centres = (low + high) / 2
    turns = np.zeros(len(strokes), int)
    turn = 0
    for start, end in pairwise([*starts.tolist(), len(strokes)]):
        piece = centres[start:end]
        strides = range(1, min(MAX_PIECE_STRIDE + 1, len(piece)))
        total_move = np.zeros(2)
        for stride in strides:
            total_move += (piece[stride:] - piece[:-stride]).sum(axis=0)
        x, y = total_move
        # A direction is clear if the pen moves twice as far along it as across.
        if max(abs(x), abs(y)) > max(MIN_PIECE_MOVE, 2 * min(abs(x), abs(y))):
            turn = round(np.arctan2(y, x) / (np.pi / 2)) % 4
        turns[start:end] = turn
    return turns


def _level_structure(page: Block, bars: Collection[int]) -> tuple[list[StrokeRow], dict[int, str]]:
    """Return the rows of level strokes, and the kind of each stroke that is in no row; see
    `find_rows` for `bars`."""
    cells, kinds = _cells(page)
    outside = {*range(len(page.strokes))} - {*kinds, *chain(*cells.values())}
    rows, kinds_outside = _rows_of(page, outside, bars)
    kinds |= kinds_outside
    areas = _drawing_areas(page, kinds)
    labels = [row for row in rows if _is_label(page, row, kinds, areas)]
    rows = [row for row in rows if row not in labels]
    marked = _marked(page, rows, kinds)
    strokes_of_rows = chain.from_iterable(row.strokes for row in marked)
    mark_strokes = {*chain(*rows)} - {*strokes_of_rows}
    kinds |= dict.fromkeys(mark_strokes, MARK_OF_LIST)
    for label in labels:
        marked.insert(_place(page, marked, label), StrokeRow(label, is_label=True))
    for (middle, _, column), numbers in sorted(cells.items()):  # by table, row and column
        # A table comes before the first row that is lower than its middle.
        place = 0
        while place < len(marked) and not _is_lower(page, marked[place], middle):
            place += 1
        cell_rows, kinds_inside = _rows_of(page, numbers, bars)
        marked[place:place] = [StrokeRow(row, CELL_MARK * column) for row in cell_rows]
        kinds |= kinds_inside
    return marked, kinds


def _is_lower(page: Block, row: StrokeRow, middle: float) -> bool:
    """Return whether a row, which is in no table, is lower than the y `middle` of a table."""
    return CELL_MARK not in row.mark and bool(page.y[row.strokes].mean() > middle)


def _rows_of(
    page: Block, numbers: Iterable[int], bars: Collection[int]
) -> tuple[list[list[int]], dict[int, str]]:
    """Return the rows and kinds of the strokes `numbers`, see `find_rows`, by the same numbers."""
    numbers = sorted(numbers)
    if len(numbers) == len(page.strokes):
        return rows_of_page(page, bars)
    strokes = [page.page_strokes[number] for number in numbers]
    rows, kinds = find_rows(strokes, np.flatnonzero(np.isin(numbers, [*bars])).tolist())
    numbered_kinds = {numbers[index]: kind for index, kind in kinds.items()}
    return [[numbers[index] for index in row] for row in rows], numbered_kinds


class Cell(NamedTuple):
    """A cell of a table: the y of the table's middle, and the cell's row and column from 1."""

    middle: float
    row: int
    column: int


def _cells(page: Block) -> tuple[dict[Cell, list[int]], dict[int, str]]:
    """Return the strokes of each cell of tables, and the kinds of the tables' rules."""
    cells: dict[Cell, list[int]] = {}
    kinds: dict[int, str] = {}
    for rules, x, y in tables(page.strokes):
        kinds |= dict.fromkeys(rules, RULE)
        rows = np.searchsorted(y, page.y)
        columns = np.searchsorted(x, page.x)
        is_inside = (rows % len(y) > 0) & (columns % len(x) > 0)
        for number in sorted({*np.flatnonzero(is_inside).tolist()} - rules):
            cell = Cell(float(y.mean()), int(rows[number]), int(columns[number]))
            cells.setdefault(cell, []).append(number)
    return cells, kinds


def _drawing_areas(page: Block, kinds: Mapping[int, str]) -> np.ndarray:
    """Return left, top, right and bottom of each tall drawing, and the number of its first stroke,
    `(5, drawings)`. The strokes of a drawing are written one after another."""
    drawn = np.array([number for number, kind in sorted(kinds.items()) if kind == DRAWING], int)
    starts = np.flatnonzero(np.diff(drawn) > 1) + 1  # of all parts but the first
    areas = []
    for part in np.split(drawn, starts):
        if not len(part):
            continue
        low = page.left[part].min(), page.top[part].min()
        high = page.right[part].max(), page.bottom[part].max()
        areas.append((*low, *high, part[0]))
    columns = np.array(areas).reshape(-1, 5).T
    _, top, _, bottom, _ = columns
    return columns[:, bottom - top > MAX_STROKE_HEIGHT]


def _is_label(page: Block, row: Sequence[int], kinds: Mapping[int, str], areas: np.ndarray) -> bool:
    """Return whether a row is a label of a drawing with one of the `areas`.

    A label is short, was written after the drawing, and is in it; or next to it, if it was written
    just before or after strokes of a drawing.
    """
    if page.weight[row].sum() > MAX_LABEL_INK:
        return False
    left, top, right, bottom, first_stroke = areas
    row_left = page.left[row].min()
    row_right = page.right[row].max()
    gaps = np.maximum(row_left - right, left - row_right)
    is_next = DRAWING in (kinds.get(min(row) - 1), kinds.get(max(row) + 1))
    # A row within the drawing overlaps it by the row's width: its gap is minus the width.
    max_gap = MAX_LABEL_DISTANCE if is_next else row_left - row_right
    is_beside = (top < page.y[row].min()) & (page.y[row].max() < bottom)
    is_later = first_stroke < min(row)
    return bool(((gaps < max_gap) & is_beside & is_later).any())


def _marked(page: Block, rows: Sequence[list[int]], kinds: Mapping[int, str]) -> list[StrokeRow]:
    """Return rows with their marks, and without the strokes of the marks of lists."""
    marked_rows = [_listed(page, row, MAX_CORNER_DISTANCE) for row in rows]
    lefts = np.array([page.left[row].min() for row in rows])
    are_items = np.array([row.mark != "" for row in marked_rows], bool)
    are_boxes = np.array(["[" in row.mark for row in marked_rows], bool)
    for index, row in enumerate(rows):
        # A mark counts if other rows of the list begin at the same place; among boxes, a row with
        # an inexact box is an item, too.
        is_aligned = np.abs(lefts[index] - lefts) < MAX_LIST_INDENT
        if are_items[index] and (is_aligned & are_items).sum() < MIN_LIST_ROWS:
            marked_rows[index] = StrokeRow(row)
        elif not are_items[index] and (is_aligned & are_boxes).sum() >= MIN_LIST_ROWS:
            marked_rows[index] = _listed(page, row, MAX_LISTED_CORNER_DISTANCE)
    lines = [number for number, kind in kinds.items() if kind == UNDERLINE]
    for index, marked_row in enumerate(marked_rows):
        if not marked_row.mark and _is_underlined(page, marked_row.strokes, lines):
            marked_rows[index] = marked_row._replace(mark=HEADING_MARK)
    return marked_rows


def _listed(page: Block, row: list[int], max_corner_distance: float) -> StrokeRow:
    """Return a row without the strokes of the mark of a list with which it begins, with this mark;
    or else the row without a mark."""
    by_left = sorted(row, key=page.left.__getitem__)
    middle = np.average(page.y[row], weights=page.weight[row])
    strokes = [page.strokes[number] for number in by_left]
    mark, count = list_mark(strokes, middle, max_corner_distance)
    return StrokeRow([number for number in row if number not in by_left[:count]], mark)


def _are_large(page: Block, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Return which rows look like headings, `(rows,)`.

    They are larger than the other rows below and above them, shorter, apart from the row above, and
    not the last row.
    """
    left = np.array([page.left[row].min() for row in rows])
    right = np.array([page.right[row].max() for row in rows])

    def above(index: int) -> np.ndarray:  # For all rows at once, it would fill the memory.
        check_time()
        return (left < right[index]) & (left[index] < right)

    widths = right - left
    indices = range(len(rows))
    steps = np.diff([page.y[row].mean() for row in rows])
    pitch = np.median(steps[steps > 0]) if (steps > 0).any() else 0.0
    widest = np.array([widths[above(index)].max(initial=0.0) for index in indices])
    is_large = widths < MAX_HEADING_WIDTH * widest
    is_large &= np.array([above(index).sum() for index in indices]) >= MIN_SIZED_ROWS
    is_large[1:] &= (steps < 0) | (steps > MIN_HEADING_STEP * pitch)  # A step up: a new column.
    has_row_below = np.append(steps > 0, False)[: len(rows)]  # none without rows
    is_large &= has_row_below
    if not is_large.any():
        return np.zeros(len(rows), bool)
    inks = [from_strokes([page.strokes[number] for number in row]) for row in rows]
    # A row is larger by both measures, as capitals and short rows mislead either.
    for measure in (x_height, median_x_height):
        sizes = np.array([measure(ink) for ink in inks])
        is_large &= ~np.isnan(sizes)
        for index in np.flatnonzero(is_large).tolist():
            typical = np.nanmedian(sizes[above(index)])
            is_large[index] = sizes[index] > MIN_HEADING_SIZE * typical
    return is_large


def _is_underlined(page: Block, row: Sequence[int], lines: Sequence[int]) -> bool:
    """Return whether lines together underline nearly a whole row."""
    depths = page.y[lines] - np.average(page.y[row], weights=page.weight[row])
    below = np.array(lines, int)[(depths > 0) & (depths < MAX_LINE_DISTANCE)]
    left = page.left[row].min()
    right = page.right[row].max()
    covered = 0.0
    front = left
    for line in below[np.argsort(page.left[below])]:
        end = min(page.right[line], right)
        covered += max(end - max(page.left[line], front), 0.0)
        front = max(front, end)
    return bool(covered > MIN_UNDERLINED_FRACTION * (right - left))
