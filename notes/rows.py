"""Finds the rows of prose in the strokes of a page.

The page is turned level and divided into columns at white bands. Within a column, far moves of the
pen divide the strokes into runs. Runs are joined to rows, the run with the most ink first, and
stray marks are added to near rows. Drawings, underlines and crossed-out words are in no row.
Lengths are in x-heights.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations
from typing import TypeAlias

import numpy as np

from utils.delayed_strokes import LATE, are_marks, undelayed_order
from utils.hand_measures import is_straight
from utils.ink import (
    from_strokes,
    path_along,
    turned_back,
    vertical_segments,
    weighted_median,
    x_height,
)

DRAWING = "drawing"
UNDERLINE = "underline"
CROSSED_OUT = "crossed out"
"""Kinds of strokes that are in no row; a crossed-out word includes the bar or scribble over it."""

# Limits of prose, in x-heights (measured on every third form of trainset: two of 43,026 strokes
# are taken for a drawing, and none for a bar or a scribble). A bar is a long, nearly level line.
MAX_STROKE_HEIGHT = 6.0  # a higher stroke is a drawing
MIN_BAR_WIDTH = 6.0  # a narrower stroke is no bar
MAX_BAR_ASPECT = 0.25  # largest ratio of a bar's height to its width
MAX_BAR_DETOUR = 1.2  # largest ratio of a bar's path length to its width
MIN_SWING = 2.0  # width of each swing of a scribble to the left
MIN_NUM_SWINGS = 3  # number of a scribble's swings to the left
MAX_DRAWING_GAP = 0.7  # distance between successive strokes of a drawing (assumed)
MIN_UNDERLINE_DEPTH = 0.65  # from a row's middle; a higher bar crosses words out (assumed)
MIN_MARK_RISE = 1.0  # from a row's middle; a bar that is this high is the bar of a `t` (assumed)
MAX_BAR_DISTANCE = 2.5  # from a row's middle; a bar that is further away has no row (assumed)

# Skew, estimated from moves between strokes (lengths measured, lab notebook: rows of pages).
MAX_MOVE_STROKES = 15  # largest number of strokes from the start of a move to its end
MIN_MOVE = 6.0  # length in x-heights
MAX_MOVE = 30.0  # length in x-heights
LEVEL_MOVE_WEIGHT = 60.0  # x-heights of an imaginary level move beside the others (assumed)
SKEW_WINDOWS = np.radians([60, 20, 8])  # half widths around the last estimate, by pass (assumed)

# Columns, and the white bands between them.
MIN_BAND_WIDTH = 2.0  # x-heights (measured, lab notebook: rows of pages)
MAX_BAND_TILT = 6  # degrees between a band and the vertical (measured, lab notebook: rows of pages)
MIN_COLUMN_HEIGHT = 5.0  # x-heights (assumed)
MAX_CROSSINGS = 0.7  # crossings of a band by the pen, per row (assumed)
ROW_PITCH = 3.5  # x-heights from a row to the next (assumed)

# Moves of the pen that begin a new run, in x-heights (measured, lab notebook: rows of pages).
LINE_BREAK_BACK = 4.0  # move back that begins a run together with `LINE_BREAK_DROP`
LINE_BREAK_DROP = 1.2  # move up or down that begins a run together with `LINE_BREAK_BACK`
MAX_RUN_DROP = 2.2  # largest move up or down within a run
MAX_RUN_ADVANCE = 10.0  # largest move ahead or back within a run

# Rows, in x-heights.
MAX_MARK_HEIGHT = 0.6  # height of a dot or bar (measured)
MIN_ROW_INK = 6.0  # length of a row's ink, unless the row is apart (assumed)
MIN_APART_INK = 2.5  # length of the ink of a row that is apart, or of a note (assumed)
MAX_ROW_DISTANCE = 1.0  # from a run to the row that it joins (measured, lab notebook)
MIN_APART_DISTANCE = 2.3  # to the other rows from a row that is apart (measured, lab notebook)
BEND_LENGTH = 30.0  # length along which a row's bend is smoothed (assumed)
LEVEL_PRIOR = 300.0  # weight of the prior that a row is level (assumed)
# Two rows that were found become halves of one row within these limits (measured on testset_v).
MAX_HALF_STEP = 1.3  # step up or down from one half to the other
MAX_SUCCESSIVE_HALF_STEP = 1.8  # the same, if the second half was written right after the first
MAX_HALF_OVERLAP = 0.2  # fraction of the narrower half's width
MAX_MARK_ABOVE = 1.4  # from a row's middle up to its marks (measured on testset_v)
MAX_MARK_BELOW = 0.6  # from a row's middle down to its marks (measured on testset_v)
OFF_ROW_COST = 4.0  # cost of each x-height beyond these two limits (measured on testset_v)
SUCCESSION_BONUS = 0.7  # bonus of the row with the previous stroke (measured)


def find_rows(strokes: Sequence[np.ndarray]) -> tuple[list[list[int]], dict[int, str]]:
    """Return the rows of prose of a page, and the kind of each stroke that is in no row.

    A row is the list of its strokes' numbers in reading order. The kinds are by stroke number.

    Args:
        strokes: `(n, 2)` each with n >= 1, in any unit, y downwards, in the order of writing.
    """
    if not strokes:
        return [], {}
    strokes = [np.asarray(stroke, dtype=np.float64) for stroke in strokes]
    page = _Block(strokes, np.arange(len(strokes)))
    kinds = _drawings(page)
    others = [number for number in range(len(strokes)) if number not in kinds]
    scribbles = [number for number in others if _is_scribble(page.strokes[number])]
    bars = [number for number in others if _is_bar(page.strokes[number])]
    rows = _all_rows(strokes, {*kinds, *scribbles, *bars})
    t_bars = {number for number in bars if _row_at_bar(page, rows, number)[1] < -MIN_MARK_RISE}
    if t_bars:
        bars = [number for number in bars if number not in t_bars]
        rows = _all_rows(strokes, {*kinds, *scribbles, *bars})
    for number in [*scribbles, *bars]:
        covered, depth = _row_at_bar(page, rows, number)
        if number in scribbles or depth < MIN_UNDERLINE_DEPTH:
            kinds |= dict.fromkeys([*covered, number], CROSSED_OUT)
        else:
            kinds[number] = UNDERLINE
    ordered = []
    for block, row in rows:
        if prose := [number for number in row if number not in kinds]:
            ordered.append(_reading_order(block, block.indices_of(prose)))
    return ordered, dict(sorted(kinds.items()))


class _Block:
    """Strokes of a page or column, level and in x-heights. A row of a block is the array of its
    strokes' indices in the block.

    Attributes:
        numbers: the strokes' numbers on the page, rising, `(strokes,)`.
        strokes: the strokes, `(n, 2)` each.
        left, top, right, bottom: edges of the strokes, `(strokes,)`.
        x, y: middle of each stroke's width, and mean height of its points, `(strokes,)`.
        weight: length of each stroke's ink plus 0.1, so that a dot counts, `(strokes,)`.
    """

    def __init__(self, page_strokes: Sequence[np.ndarray], numbers: np.ndarray) -> None:
        self.numbers, strokes = numbers, [page_strokes[number] for number in numbers]
        self.unit = x_height(from_strokes(strokes))
        self.angle = _skew(strokes, self.unit)
        self.strokes = [turned_back(stroke, self.angle) / self.unit for stroke in strokes]
        self.left, self.top = np.array([stroke.min(axis=0) for stroke in self.strokes]).T
        self.right, self.bottom = np.array([stroke.max(axis=0) for stroke in self.strokes]).T
        self.x = (self.left + self.right) / 2
        self.y = np.array([stroke[:, 1].mean() for stroke in self.strokes])
        steps = [np.diff(stroke, axis=0) for stroke in self.strokes]
        self.weight = np.array([0.1 + np.hypot(*step.T).sum() for step in steps])

    def indices_of(self, numbers: Sequence[int]) -> np.ndarray:
        """Return the indices in this block of the strokes with these numbers on the page."""
        return np.searchsorted(self.numbers, np.sort(numbers))

    def middle(self, row: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the y of a row's middle at each `x`, by local linear regression, `(x,)`."""
        stroke_x, stroke_y = self.x[row], self.y[row]
        nearness = np.exp(-0.5 * ((stroke_x - x[:, None]) / BEND_LENGTH) ** 2) + 1e-6
        weight = self.weight[row] * nearness
        total = weight.sum(axis=1)
        mean_x, mean_y = (weight @ stroke_x) / total, (weight @ stroke_y) / total
        deviation = stroke_x - mean_x[:, None]
        covariance = (weight * deviation * (stroke_y - mean_y[:, None])).sum(axis=1)
        slope = covariance / ((weight * deviation**2).sum(axis=1) + LEVEL_PRIOR)
        return mean_y + slope * np.clip(x - mean_x, -BEND_LENGTH, BEND_LENGTH)


PlacedRow: TypeAlias = tuple[_Block, np.ndarray]
"""The column of a row, and the row's strokes by their numbers on the page."""


def _skew(strokes: Sequence[np.ndarray], unit: float) -> float:
    """Return the rows' angle in radians: the length-weighted median angle of rightward moves."""
    centres = np.array([(stroke.min(axis=0) + stroke.max(axis=0)) / 2 for stroke in strokes]) / unit
    strides = range(1, min(MAX_MOVE_STROKES + 1, len(strokes)))
    moves = [centres[stride:] - centres[:-stride] for stride in strides]
    x, y = np.concatenate([np.zeros((1, 2)), *moves]).T
    lengths = np.hypot(x, y)
    is_used = (x > 0) & (lengths > MIN_MOVE) & (lengths < MAX_MOVE)
    angles, lengths, angle = np.arctan2(y, x)[is_used], lengths[is_used], 0.0
    for window in SKEW_WINDOWS:
        near = np.abs(angles - angle) < window
        weights = np.append(lengths[near], LEVEL_MOVE_WEIGHT)
        angle = weighted_median(np.append(angles[near], 0.0), weights)
    return angle


def _drawings(page: _Block) -> dict[int, str]:
    """Return the kind `DRAWING` for each stroke of a drawing: a tall stroke, or a stroke that
    touches a tall stroke and was written just before or after a stroke of the drawing."""
    drawn = set(np.flatnonzero(page.bottom - page.top > MAX_STROKE_HEIGHT).tolist())
    tall_strokes = [page.strokes[number] for number in sorted(drawn)]
    tall_points = np.concatenate([np.empty((0, 2)), *tall_strokes])
    for order in (range(len(page.strokes)), reversed(range(len(page.strokes)))):
        last_drawn = -2
        for number in order:
            follows = number not in drawn and abs(number - last_drawn) == 1
            if follows and _distance(page.strokes[number], tall_points).min() < MAX_DRAWING_GAP:
                drawn.add(number)
            if number in drawn:
                last_drawn = number
    return dict.fromkeys(drawn, DRAWING)


def _distance(stroke: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the distance from each of `points`, `(n, 2)`, to a coarsely sampled stroke, `(n,)`."""
    sampled = stroke[:: max(1, len(stroke) // 8)]
    return np.hypot(*(sampled[:, None] - points).transpose(2, 0, 1)).min(axis=0)


def _is_bar(stroke: np.ndarray) -> bool:
    """Return whether a stroke is a long, straight, nearly level line."""
    width, height = np.ptp(stroke, axis=0)
    if width <= MIN_BAR_WIDTH or height >= MAX_BAR_ASPECT * width or not is_straight([stroke]):
        return False
    return bool(path_along(stroke)[-1] < MAX_BAR_DETOUR * width)


def _is_scribble(stroke: np.ndarray) -> bool:
    """Return whether a stroke swings left and right more widely than letters do."""
    swings = vertical_segments(from_strokes([stroke[:, ::-1]]))[:, 3]
    return np.count_nonzero(swings < -MIN_SWING) >= MIN_NUM_SWINGS


def _row_at_bar(page: _Block, rows: Sequence[PlacedRow], number: int) -> tuple[list[int], float]:
    """Return the strokes that stroke `number`, a bar, underlines or crosses out: those of the row
    nearest to the bar that are above or below it. Return also how far the bar is below the strokes'
    middle. Without a near row these are no strokes and infinity."""
    inside = (page.x > page.left[number]) & (page.x < page.right[number])
    near_rows = [row for _, row in rows if inside[row].any()]
    covered = [row[inside[row]] for row in near_rows]
    depths = [page.y[number] - np.average(page.y[c], weights=page.weight[c]) for c in covered]
    bonuses = [SUCCESSION_BONUS if number - 1 in row else 0.0 for row in near_rows]
    distances = np.abs(depths) - bonuses
    if not len(distances) or distances.min() > MAX_BAR_DISTANCE:
        return [], np.inf
    return covered[distances.argmin()].tolist(), depths[distances.argmin()]


def _all_rows(strokes: Sequence[np.ndarray], left_out: set[int]) -> list[PlacedRow]:
    """Return the rows of all columns, without the strokes in `left_out`."""
    prose = np.array([n for n in range(len(strokes)) if n not in left_out], int)
    return [row for block in _columns(strokes, prose) for row in _rows(block)]


def _columns(strokes: Sequence[np.ndarray], numbers: np.ndarray) -> Iterator[_Block]:
    """Yield the columns of the strokes with these `numbers` from left to right."""
    if not len(numbers):
        return
    block = _Block(strokes, numbers)
    is_left = _left_of_band(block)
    if is_left is None:
        yield block
    else:
        yield from _columns(strokes, numbers[is_left])
        yield from _columns(strokes, numbers[~is_left])


def _left_of_band(block: _Block) -> np.ndarray | None:
    """Return a mask of the strokes to the left of the widest white band between columns, or None.
    A gap within rows is no band: the pen crosses such a gap twice in each row."""
    widest, best = MIN_BAND_WIDTH, None
    for lean in np.tan(np.radians(np.arange(-MAX_BAND_TILT, MAX_BAND_TILT + 1))):
        sheared_x = [stroke @ (1.0, -lean) for stroke in block.strokes]
        left, right = np.array([(x.min(), x.max()) for x in sheared_x]).T
        order = np.argsort(left)
        widths = left[order][1:] - np.maximum.accumulate(right[order])[:-1]
        for gap in np.flatnonzero(widths > widest):
            is_left = np.zeros(len(left), bool)
            is_left[order[: gap + 1]] = True
            sides = (is_left, ~is_left)
            height = min(np.ptp([block.top[side], block.bottom[side]]) for side in sides)
            crossings = np.count_nonzero(np.diff(is_left))
            is_crossed = crossings > max(3, MAX_CROSSINGS * height / ROW_PITCH)
            if height >= MIN_COLUMN_HEIGHT and not is_crossed and widths[gap] > widest:
                widest, best = widths[gap], is_left
    return best


def _rows(block: _Block) -> list[PlacedRow]:
    """Return the rows of a column from top to bottom, followed by the notes in its margin."""
    rows, strays = _rows_of_runs(block, _runs(block))
    rows = _attach_strays(block, _merge_halves(block, rows), strays)
    rows.sort(key=lambda row: np.average(block.y[row], weights=block.weight[row]))
    divided = [_split_note(block, row) for row in rows]
    rows = [row for row, _ in divided] + [note for _, note in divided if len(note)]
    return [(block, block.numbers[row]) for row in rows]


def _split_note(block: _Block, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a row without its note in the margin, and the note, which may be empty. A note is far
    to the right, and was written after other rows."""
    if len(row) < 2:
        return row, row[:0]
    order = row[np.argsort(block.left[row])]
    fronts = np.maximum.accumulate(block.right[order])
    start = 1 + int(np.argmax(block.left[order[1:]] - fronts[:-1]))
    text, note = np.sort(order[:start]), np.sort(order[start:])
    is_far = block.left[note].min() - fronts[start - 1] > MIN_BAND_WIDTH
    if is_far and note[0] > text[-1] + 1 and block.weight[note].sum() > MIN_APART_INK:
        return text, note
    return row, row[:0]


def _runs(block: _Block) -> list[np.ndarray]:
    """Return the runs: successive strokes without a far move of the pen in between."""
    starts, front = [0], block.right[0]
    for number in range(1, len(block.strokes)):
        run = slice(starts[-1], number)
        mean_y = np.average(block.y[run], weights=block.weight[run])
        drop = np.abs(block.y[number] - (mean_y, block.y[number - 1])).min()
        back = front - block.left[number]
        is_line_break = back > LINE_BREAK_BACK and drop > LINE_BREAK_DROP
        if is_line_break or drop > MAX_RUN_DROP or abs(back) > MAX_RUN_ADVANCE:
            starts.append(number)
            front = block.right[number]
        front = max(front, block.right[number])
    return [np.arange(*ends) for ends in pairwise([*starts, len(block.strokes)])]


def _rows_of_runs(block: _Block, runs: list[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
    """Join runs to rows; return the rows, and the strokes of runs with too little ink for a row."""
    letter_ink = np.where(block.bottom - block.top > MAX_MARK_HEIGHT, block.weight, 0.0)
    rows: list[np.ndarray] = []
    strays: list[int] = []
    for run in sorted(runs, key=lambda run: -letter_ink[run].sum()):
        weight, x, y = block.weight[run], block.x[run], block.y[run]
        distances = [np.average(np.abs(block.middle(row, x) - y), weights=weight) for row in rows]
        nearest, ink = min(distances, default=np.inf), letter_ink[run].sum()
        is_apart = ink > MIN_APART_INK and nearest > MIN_APART_DISTANCE
        if ink >= MIN_ROW_INK and nearest < MAX_ROW_DISTANCE:
            best = int(np.argmin(distances))
            rows[best] = np.union1d(rows[best], run)
        elif ink >= MIN_ROW_INK or is_apart or not rows:
            rows.append(run)
        else:
            strays.extend(run.tolist())
    return rows, sorted(strays)


def _merge_halves(block: _Block, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Merge each pair of rows of which the second continues the first; return all rows."""
    while pairs := [
        (step, a, b)
        for a, b in permutations(range(len(rows)), 2)
        if (step := _relative_step(block, rows[a], rows[b])) < 1
    ]:
        _, a, b = min(pairs)
        rows[a] = np.union1d(rows[a], rows[b])
        del rows[b]
    return rows


def _relative_step(block: _Block, left_row: np.ndarray, right_row: np.ndarray) -> float:
    """Return the step up or down between two possible halves of a row, as a fraction of the
    largest allowed step; infinity if the right row does not begin where the left row ends."""
    start, end = block.left[right_row].min(), block.right[left_row].max()
    widths = [np.ptp([block.left[row], block.right[row]]) for row in (left_row, right_row)]
    if block.left[left_row].min() > start or end - start > MAX_HALF_OVERLAP * min(widths):
        return np.inf
    x = np.array([(min(end, block.right[right_row].max()) + start) / 2])
    step = np.abs(block.middle(left_row, x) - block.middle(right_row, x))[0]
    return float(
        step / (MAX_SUCCESSIVE_HALF_STEP if right_row[0] == left_row[-1] + 1 else MAX_HALF_STEP)
    )


def _attach_strays(block: _Block, rows: list[np.ndarray], strays: list[int]) -> list[np.ndarray]:
    """Return rows with each stray stroke added to the row that is nearest and at its height."""
    row_of_stroke = np.full(len(block.strokes), -1)
    for number, row in enumerate(rows):
        row_of_stroke[row] = number
    row_points = [np.concatenate([block.strokes[index] for index in row]) for row in rows]
    for stray in strays:
        costs = np.array([_distance(block.strokes[stray], points).min() for points in row_points])
        if stray and row_of_stroke[stray - 1] >= 0:
            costs[row_of_stroke[stray - 1]] -= SUCCESSION_BONUS
        x = block.x[stray : stray + 1]
        depths = np.array([block.y[stray] - block.middle(row, x)[0] for row in rows])
        costs += OFF_ROW_COST * np.maximum(depths - MAX_MARK_BELOW, 0)
        costs += OFF_ROW_COST * np.maximum(-depths - MAX_MARK_ABOVE, 0)
        row_of_stroke[stray] = costs.argmin()
    return [np.flatnonzero(row_of_stroke == number) for number in range(len(rows))]


def _reading_order(block: _Block, row: np.ndarray) -> list[int]:
    """Return the numbers on the page of a row's strokes, in reading order."""
    ends = np.array([block.left[row].min(), block.right[row].max()])
    slope = np.diff(block.middle(row, ends))[0] / max(np.ptp(ends), 1.0)
    strokes = [block.strokes[index] for index in row]
    level = [stroke - (0.0, 1.0) * (slope * stroke[:, :1]) for stroke in strokes]
    numbers = block.numbers[row]
    return numbers[_undelayed(numbers, level, x_height(from_strokes(level)))].tolist()


def _undelayed(numbers: np.ndarray, strokes: Sequence[np.ndarray], height: float) -> np.ndarray:
    """Return the indices of a row's strokes, each late stroke at its place. `numbers` are the
    strokes' rising numbers on the page; a missing number is a stroke of another row."""
    left, right = np.array([(stroke[:, 0].min(), stroke[:, 0].max()) for stroke in strokes]).T
    middle, front = (left + right) / 2, np.maximum.accumulate(right)
    is_late = front - right > LATE * height
    # Where the pen came back from another row, strokes left of the row's end by then are late.
    for resumed in np.flatnonzero(np.diff(numbers) > 1) + 1:
        is_late[resumed:] |= middle[resumed:] < front[resumed - 1]
    is_mark = are_marks(from_strokes(strokes), height)
    order = np.flatnonzero(~is_late | is_mark).tolist()
    for late in np.flatnonzero(is_late & ~is_mark).tolist():
        # A late letter belongs before the first letter further to the right.
        places = (n for n, k in enumerate(order) if middle[k] > middle[late] and not is_mark[k])
        order.insert(next(places, len(order)), late)
    if (is_late & is_mark).any():
        ink = from_strokes([strokes[index] for index in order])
        return np.array(order)[undelayed_order(ink, height, late=0)]
    return np.array(order)
