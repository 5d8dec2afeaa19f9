"""Makes the ink of a page neater: rows level; x-heights, slants and gaps of words even.

Each word is moved, turned, sheared and scaled as a whole, so that no letter changes. Ink that is in
no row stays, except for the marks of words: underlines, highlighters, crossed-out words and the
marks of lists move with the nearest words.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from apps.notes.page_text import HEADING_MARK, PageText, PageWord, box_of
from apps.notes.rows import CROSSED_OUT, UNDERLINE
from apps.notes.structure import MARK_OF_LIST
from apps.notes.word_shapes import RowShape, WordShape, row_shapes
from ink.geometry import turned_back, weighted_median
from ink.ink_page import InkPage

MAX_TURN = 0.15  # radians by which a word is turned against its row (assumed: 9 degrees)
MAX_SHEAR = 0.3  # x over y by which a word is sheared (assumed: 17 degrees)
WORD_SCALES = (0.8, 1.25)  # bounds of the factor by which a word is scaled (assumed)
MAX_ROW_SLOPE = 0.18  # radians; a row that is steeper was meant to slope (assumed: 10 degrees)
MAX_SIZE_RATIO = 1.5
"""Largest ratio of a row's x-height to the page's at which the row gets the page's x-height, unless
it is a heading (measured, notebook: notes, neater ink)."""
# Multiples of the usual gap between words of the page:
MIN_WORD_GAP = 0.25  # a narrower gap is within a word that was read as two (assumed)
MAX_WORD_GAP = 2.2  # a wider gap is one between columns (assumed)
MIN_EVEN_GAP = 0.8  # a row whose even gaps would be narrower is written smaller (assumed)
MIN_ROW_WIDTH = 0.8  # fraction of a row's width before (assumed)
MAX_ROW_WIDTH = 1.15
"""Fraction of a row's width before; the row ends no further to the right than the rows above and
below (assumed)."""
# In x-heights:
MARK_DEPTHS = {UNDERLINE: 0.5, CROSSED_OUT: -0.5, MARK_OF_LIST: -0.5, "highlighter": -0.5}
"""Expected place of each kind of mark, from the row's baseline downwards (assumed)."""
# Measured, notebook: notes, neater ink:
MAX_BASELINE_STEP = 2.5  # between the baselines of a row's words
MAX_WORD_OVERLAP = 2.5  # of a row's words
# Assumed:
NUM_LINE_POINTS = 50  # at which the words' moves above a line are averaged
MAX_MARK_ALONG = 8.0  # along the row from that place
MAX_MARK_ACROSS = 2.5  # across the row from that place


class TypicalRow(NamedTuple):
    """The measures of a page's rows: the lean of their downstrokes, x over y, their x-height, and
    the gap between words in x-heights."""

    lean: float
    x_height: float
    gap: float


class MovedRow(Protocol):
    """A row whose words get new places, see `RowPlaces`."""

    @property
    def shape(self) -> RowShape: ...

    def moves(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...


@dataclass(frozen=True, eq=False)
class RowPlaces:
    """The units of a row, and the map to their new places: `points @ matrix + shift`.

    Attributes:
        shape: the row before.
        words: the shapes of the units before.
        matrices: `(units, 2, 2)`.
        shifts: `(units, 2)`.
    """

    shape: RowShape
    words: list[WordShape]
    matrices: np.ndarray
    shifts: np.ndarray

    def moves(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return places on the row's baseline, and their moves on the page, `(2 units, 2)`.

        The places are the edges of the units: x, rising, and y in the level row, `(2 units,)` each.
        """
        ends = []
        moves = []
        units = zip(self.shape.strokes, self.words, self.matrices, self.shifts, strict=True)
        for strokes, word, matrix, shift in units:
            x = np.array(_edges(np.concatenate(strokes)[:, 0]))
            ends.append(np.column_stack([x, word.baseline + word.slope * (x - word.x)]))
            points = turned_back(ends[-1], -self.shape.angle)  # on the page
            moves.append(points @ matrix + shift - points)
        points = np.concatenate(ends)
        order = points[:, 0].argsort()
        return *points[order].T, np.concatenate(moves)[order]


def levelled(page: InkPage, text: PageText, strength: float = 1.0) -> tuple[InkPage, PageText]:
    """Return a page with neater ink, and its text with the words' new boxes.

    Args:
        page: a page.
        text: the text of the page.
        strength: fraction of each move that is made, from 0 (nothing changes) to 1.
    """
    if not strength:
        return page, text
    places = row_places(page, text)
    moves = dict(mark_moves(page, text, [*places.values()]))
    for placed in places.values():
        units = zip(placed.shape.numbers, placed.matrices, placed.shifts, strict=True)
        for numbers, matrix, shift in units:
            for number in numbers:
                points = page.strokes[number].points
                moves[number] = points @ matrix + shift - points
    strokes = list(page.strokes)
    for number, move in moves.items():
        strokes[number] = replace(strokes[number], points=strokes[number].points + strength * move)
    new_page = replace(page, strokes=tuple(strokes))
    rows = []
    for row in text.rows:
        words = tuple(_moved(word, page, new_page) for word in row.words)
        rows.append(replace(row, words=words))
    return new_page, replace(text, rows=tuple(rows))


def row_places(page: InkPage, text: PageText) -> dict[int, RowPlaces]:
    """Return the places of the units of each row of ink, by the row's number from 0."""
    shapes = {n: shape for n, shape in enumerate(row_shapes(page, text.rows)) if shape.words}
    places = {}
    # Rows that lie at different quarter turns have different edges and hands.
    for turn in {shape.row.turn for shape in shapes.values()}:
        turned = {n: shape for n, shape in shapes.items() if shape.row.turn == turn}
        downs = np.concatenate([shape.leans for shape in turned.values()])
        lean = weighted_median(*downs.T) if len(downs) else 0.0
        x_heights = np.array([shape.x_height for shape in turned.values()])
        lengths = np.array([len(shape.words) for shape in turned.values()])
        words = {n: shape.shapes(lean) for n, shape in turned.items()}
        gaps = []  # in x-heights
        edges = {}
        for n, shape in turned.items():
            gaps.append(_gaps(_spans(shape, words[n], lean)) / shape.x_height)
            points = turned_back(points_of(page, shape.row.strokes), turn * np.pi / 2)
            edges[n] = _edges(points[:, 0])
        gap = float(np.median(np.concatenate(gaps))) if sum(map(len, gaps)) else 0.0
        typical = TypicalRow(lean, weighted_median(x_heights, lengths), gap)
        for n, shape in turned.items():
            if _is_one_row(shape, words[n], lean):
                places[n] = _places(shape, words[n], typical, _room(edges[n], edges.values()))
    return places


def _is_one_row(shape: RowShape, words: Sequence[WordShape], lean: float) -> bool:
    """Return whether units stand next to each other on a line.

    Strokes without an order of writing may be read as words that lie over others or in two rows.
    Such rows stay as they are.
    """
    steps = np.ptp([word.baseline for word in words]) / shape.x_height
    overlaps = -_gaps(_spans(shape, words, lean)) / shape.x_height
    return bool(steps < MAX_BASELINE_STEP and overlaps.max(initial=0.0) < MAX_WORD_OVERLAP)


def _room(span: tuple[float, float], others: Iterable[tuple[float, float]]) -> float:
    """Return the room for a row to become wider, up to the right edge of rows above or below it.

    Args:
        span: left and right edge of the row.
        others: edges of all rows; those count that are above or below most of the row.
    """
    left, right = span
    ends = []
    for other_left, other_right in others:
        overlap = min(other_right, right) - max(other_left, left)
        if overlap >= (right - left) / 2:
            ends.append(other_right)
    return max(ends) - right


def _edges(x: np.ndarray) -> tuple[float, float]:
    return float(x.min()), float(x.max())


def _spans(shape: RowShape, words: Sequence[WordShape], lean: float) -> np.ndarray:
    """Return the left and right edge of each unit where letters are made upright, `(units, 2)`."""
    spans = []
    for strokes, word in zip(shape.strokes, words, strict=True):
        points = np.concatenate(strokes)
        spans.append(_edges(points[:, 0] + lean * (points[:, 1] - word.baseline)))
    return np.array(spans)


def _gaps(spans: np.ndarray) -> np.ndarray:
    return spans[1:, 0] - spans[:-1, 1]


def _places(shape: RowShape, words: list[WordShape], typical: TypicalRow, room: float) -> RowPlaces:
    """Return the places of a row's units; the row becomes wider by `room` at most."""
    lean, height, gap = typical
    spans = _spans(shape, words, lean)
    usual_gap = gap * shape.x_height or 1.0  # 1 if the page has no gap
    gaps = _gaps(spans) / usual_gap
    is_even = ~(shape.are_signs[:-1] | shape.are_signs[1:]) & (gaps >= MIN_WORD_GAP)
    is_wide = gaps > MAX_WORD_GAP
    is_usual = 1 / MAX_SIZE_RATIO < height / shape.x_height < MAX_SIZE_RATIO
    if not is_usual or shape.row.mark == HEADING_MARK:
        height = shape.x_height
    origins = np.array([(word.x, word.baseline) for word in words])
    for _ in range(2):  # The second time, words without room are smaller.
        matrices = np.array([_matrix(word, lean, height) for word in words])
        # Left and right of each unit's origin, with letters made upright.
        edges = np.empty((len(words), 2))
        units = zip(shape.strokes, origins, matrices, strict=True)
        for index, (strokes, origin, matrix) in enumerate(units):
            edges[index] = _edges((np.concatenate(strokes) - origin) @ matrix @ [1.0, lean])
        widths = np.ptp(edges, axis=1)
        lefts, fraction = _lefts(spans, widths, gap * height, room, is_even, is_wide)
        height *= min(fraction, 1.0)
    # Back onto the page: the row's middle stays; the row is level unless it is steep.
    # The small number is for a row of dots, whose widths are 0.
    baseline = np.average(origins[:, 1], weights=np.ptp(spans, axis=1) + 1e-9)
    middle = np.array([(spans.min() + spans.max()) / 2, baseline])
    targets = np.column_stack([lefts - edges[:, 0], np.full(len(words), baseline)])
    turn = shape.row.turn * np.pi / 2
    is_steep = abs(shape.angle - turn) > MAX_ROW_SLOPE
    back = turned_back(np.eye(2), -(shape.angle if is_steep else turn))
    # A point of the page is made level, gets its new place in the level row, and is turned back.
    matrices = turned_back(np.eye(2), shape.angle) @ matrices @ back
    shifts = (targets - middle) @ back + turned_back(middle, -shape.angle)
    level_origins = turned_back(origins, -shape.angle)
    shifts -= (level_origins[:, None] @ matrices)[:, 0]  # each by its own matrix
    return RowPlaces(shape, words, matrices, shifts)


def _matrix(word: WordShape, lean: float, height: float) -> np.ndarray:
    """Return the matrix that gives a unit a level baseline, a lean and an x-height, `(2, 2)`."""
    turn = np.clip(np.arctan(word.slope), -MAX_TURN, MAX_TURN)
    shear = np.clip(word.lean - lean, -MAX_SHEAR, MAX_SHEAR)
    scale = np.clip(height / word.x_height, *WORD_SCALES)
    return scale * turned_back(np.eye(2), turn) @ [[1.0, 0.0], [shear, 1.0]]


def _lefts(
    spans: np.ndarray,
    widths: np.ndarray,
    typical_gap: float,
    room: float,
    is_even: np.ndarray,
    is_wide: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Return the new left edge of each unit of a row, `(units,)`, and the fraction of the `widths`
    at which all units have room.

    Args:
        spans: left and right edge of each unit before, `(units, 2)`.
        widths: new width of each unit.
        typical_gap: the usual gap between words.
        room: the room behind the row.
        is_even, is_wide: whether each gap becomes even, and whether the unit behind it stays where
            it was, `(units - 1,)`; other gaps stay as wide as they were.
    """
    gaps = _gaps(spans)
    lefts = spans[:, 0].copy()
    fraction = np.inf
    # The parts between wide gaps: the units up to the next gap that stays where it was.
    starts = np.flatnonzero(np.append(True, is_wide))
    for start, stop in pairwise([*starts.tolist(), len(widths)]):
        inner = gaps[start : stop - 1]
        evens = is_even[start : stop - 1]
        width = spans[stop - 1, 1] - spans[start, 0]
        drawn = widths[start:stop].sum()
        count = np.count_nonzero(evens)
        fixed = drawn + inner[~evens].sum()
        max_width = width
        if stop == len(widths):  # Only the last part may grow; the others stay in their columns.
            max_width = min(MAX_ROW_WIDTH * width, width + room)
        needed = fixed + MIN_EVEN_GAP * typical_gap * count
        fraction = min(fraction, 1 - (needed - max_width) / max(drawn, 1e-9))
        if count:
            narrowest = (MIN_ROW_WIDTH * width - fixed) / count
            even = np.clip(typical_gap, narrowest, (max_width - fixed) / count)
            inner = np.where(evens, max(even, MIN_EVEN_GAP * typical_gap), inner)
        steps = np.append(0.0, widths[start : stop - 1] + inner)
        lefts[start:stop] = spans[start, 0] + np.cumsum(steps)
    return lefts, fraction


def _moved(word: PageWord, page: InkPage, new_page: InkPage) -> PageWord:
    """Return a word with the new box of the points of its strokes that were in its old box."""
    if not word.strokes:
        return word
    before = points_of(page, word.strokes)
    after = points_of(new_page, word.strokes)
    left, top, right, bottom = word.box
    inside = ((before >= (left, top)) & (before <= (right, bottom))).all(axis=1)
    return replace(word, box=box_of(after[inside] if inside.any() else after))


def points_of(page: InkPage, numbers: Iterable[int]) -> np.ndarray:
    """Return the points of strokes of a page, `(points, 2)`."""
    return np.concatenate([page.strokes[number].points for number in numbers])


def _line_moves(at: np.ndarray, x: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Return the moves of the points of a drawn line in a level row, `(points, 2)`.

    Along the row the line's ends move as the words there. Across the row the line moves by the mean
    of the words, and turns as the row does.

    Args:
        at: x of the points, `(points,)`.
        x, moves: x of the baseline at the edges of the row's units, `(2 units,)`, and its moves
            there, along and across the row, `(2 units, 2)`.
    """
    ends = _edges(at)
    along, across = moves.T
    slope = 0.0
    if np.ptp(x):
        slope, _ = np.polyfit(x, across, 1)
    mean = np.interp(np.linspace(*ends, NUM_LINE_POINTS), x, across).mean()
    down = mean + slope * (at - np.mean(ends))
    return np.column_stack([np.interp(at, ends, np.interp(ends, x, along)), down])


def mark_moves(
    page: InkPage, text: PageText, places: Sequence[MovedRow]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of each stroke that moves with words, and the move of each of its points.

    A mark belongs to the row where it is nearest to its expected place, see `MARK_DEPTHS`.
    """
    rows = [(placed.shape, *placed.moves()) for placed in places]
    for number, kind in text.kinds.items():
        if kind not in MARK_DEPTHS:
            continue
        points = page.strokes[number].points
        least_across = np.inf
        for shape, x, y, moves in rows:
            level = turned_back(points, shape.angle)
            middle = level.mean(axis=0)
            depth = MARK_DEPTHS[kind] * shape.x_height
            along = max(x[0] - middle[0], middle[0] - x[-1], 0.0) / shape.x_height
            across = abs(middle[1] - depth - np.interp(middle[0], x, y)) / shape.x_height
            is_near = along < MAX_MARK_ALONG and across < MAX_MARK_ACROSS
            if is_near and across < least_across:
                least_across = across
                mark_move = np.array([np.interp(middle[0], x, move) for move in moves.T])
                if kind in (UNDERLINE, "highlighter"):  # They may be as long as several words.
                    mark_move = _line_moves(level[:, 0], x, turned_back(moves, shape.angle))
                    mark_move = turned_back(mark_move, -shape.angle)
        if least_across < np.inf:
            yield number, mark_move + np.zeros_like(points)  # for each point
