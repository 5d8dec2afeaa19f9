"""From the strokes of a page to rows of prose: level, split, attach.

The page is levelled and divided into columns at white bands. Within a column the pen's way is cut
into runs, which join rows, the heaviest run first; stray marks go to the nearest ink. Drawings,
underlines and crossed-out words are found first, and are in no row. Lengths are in x-heights.
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
"""Kinds of strokes that are in no row; a crossed-out word includes the line or scribble over it."""

# Limits of prose, in x-heights (measured on every third form of trainset: two of 43,026 strokes
# are taken for a drawing, and none for a line or a scribble).
TALLEST = 6.0  # height of a stroke, above which it is a drawing
LONGEST_BAR = 6.0  # width of a stroke, above which it may be a line
FLATTEST = 0.25  # largest height of a line over its width
DETOUR = 1.2  # largest path of a line over its width
SWING = 2.0  # least width of a swing of a scribble
SWINGS = 3  # least number of a scribble's swings to the left
TOUCHING = 0.7  # largest distance between a drawing's strokes written in succession (assumed)
LOW = 0.65  # largest distance of a line below the middle of words that it crosses out (assumed)
HIGH = 1.0  # distance of a line above the middle, beyond which it is the bar of a `t` (assumed)
FAR_BAR = 2.5  # distance from the middle, beyond which a line belongs to no row (assumed)

# Skew, by moves from stroke to stroke.
STEPS = 15  # strokes of the longest move (measured, lab notebook: rows of pages)
SHORTEST = 6.0  # least length of a move in x-heights (measured, lab notebook: rows of pages)
FARTHEST = 30.0  # largest length of a move in x-heights (measured, lab notebook: rows of pages)
PRIOR = 60.0  # weight of an added level move, in x-heights of length (assumed)
WINDOWS = np.radians([60, 20, 8])  # half widths around the last estimate, by pass (assumed)

# Columns, and the white bands between them.
BAND = 2.0  # least width of a band in x-heights (measured, lab notebook)
LEAN = 6  # largest lean of a band in degrees (measured, lab notebook: rows of pages)
COLUMN_HEIGHT = 5.0  # least height of a column in x-heights (assumed)
CROSSINGS = 0.7  # largest number of times a row that the pen crosses a band (assumed)
ROW_PITCH = 3.5  # x-heights from a row to the next (assumed)

# Runs: moves of the pen that begin a new run, in x-heights (measured, lab notebook: rows of pages).
BACK = 4.0  # back, with a move of `DROP` up or down
DROP = 1.2  # up or down, with a move of `BACK` back
JUMP = 2.2  # up or down alone
AHEAD = 10.0  # ahead or back alone

# Rows, in x-heights.
MARK = 0.6  # largest height of a dot or bar (measured)
HEAVY = 6.0  # least length of ink of a row (assumed)
SHORT = 2.5  # least length of ink of a row that is `APART` from all other rows (assumed)
ROW = 1.0  # largest distance of a run from the row that it joins (measured, lab notebook)
APART = 2.3  # least distance of a short row from other rows (measured, lab notebook)
STIFFNESS = 30.0  # length along which a row's bend is smoothed (assumed)
LEVELLING = 300.0  # weight of the prior that a row is level (assumed)
STEP = 1.3  # largest step up or down between the halves of a row (measured on testset_v)
NEXT_STEP = 1.8  # the same step if the halves were written in succession (measured on testset_v)
OVERLAP = 0.2  # fraction of the narrower half's width that both may share (measured on testset_v)
ABOVE = 1.4  # from a row's middle up to its highest marks (measured on testset_v)
BELOW = 0.6  # from a row's middle down to its lowest marks (measured on testset_v)
OFF_ROW = 4.0  # cost of each x-height that a mark is above or below these (measured on testset_v)
JUST_BEFORE = 0.7  # bonus of the row with the previous stroke (measured)


def find_rows(strokes: Sequence[np.ndarray]) -> tuple[list[list[int]], dict[int, str]]:
    """Return the rows of prose of a page, each as the numbers of its strokes in reading order, and
    the kind of each stroke that is in no row, by the stroke's number.

    Args:
        strokes: `(n, 2)` each with n >= 1, in any unit, y downwards, in the order of writing.
    """
    if not strokes:
        return [], {}
    parts = [np.asarray(stroke, dtype=np.float64) for stroke in strokes]
    page = _Block(parts, np.arange(len(parts)))
    kinds = _drawings(page)
    scribbles = [n for n in range(len(parts)) if n not in kinds and _is_scribble(page.parts[n])]
    bars = [n for n in range(len(parts)) if n not in kinds and _is_bar(page.parts[n])]
    rows = _all_rows(parts, {*kinds, *scribbles, *bars})
    marks = {number for number in bars if _bar_over(page, rows, number)[1] < -HIGH}
    if marks:
        bars = [number for number in bars if number not in marks]
        rows = _all_rows(parts, {*kinds, *scribbles, *bars})
    for number in [*scribbles, *bars]:
        covered, below = _bar_over(page, rows, number)
        if number in scribbles or below < LOW:
            kinds |= dict.fromkeys([*covered, number], CROSSED_OUT)
        else:
            kinds[number] = UNDERLINE
    prose = ((block, row[[n not in kinds for n in row]]) for block, row in rows)
    kept = [_in_order(block, block.local(row)) for block, row in prose if len(row)]
    return kept, dict(sorted(kinds.items()))


class _Block:
    """Strokes of a page or column, level and in x-heights.

    Attributes:
        numbers: the strokes' numbers on the page, rising, `(strokes,)`.
        parts: the strokes, `(n, 2)` each.
        left, top, right, bottom: edges of the strokes, `(strokes,)`.
        x, y: middle of each stroke's width, and mean height of its points, `(strokes,)`.
        weight: length of each stroke's ink plus 0.1, so that a dot counts, `(strokes,)`.
    """

    def __init__(self, strokes: Sequence[np.ndarray], numbers: np.ndarray) -> None:
        self.numbers, parts = numbers, [strokes[number] for number in numbers]
        self.unit = x_height(from_strokes(parts))
        self.angle = _skew(parts, self.unit)
        self.parts = [turned_back(part, self.angle) / self.unit for part in parts]
        self.left, self.top = np.array([part.min(axis=0) for part in self.parts]).T
        self.right, self.bottom = np.array([part.max(axis=0) for part in self.parts]).T
        self.x = (self.left + self.right) / 2
        self.y = np.array([part[:, 1].mean() for part in self.parts])
        steps = [np.diff(part, axis=0) for part in self.parts]
        self.weight = np.array([0.1 + np.hypot(*step.T).sum() for step in steps])

    def local(self, numbers: Sequence[int]) -> np.ndarray:
        """Return the indices in this block of strokes, by their numbers on the page."""
        return np.searchsorted(self.numbers, np.sort(numbers))

    def middle(self, row: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return the y of a row's middle at each x in `at`, `(places,)`; rows may bend."""
        x, y = self.x[row], self.y[row]
        near = np.exp(-0.5 * ((x - at[:, None]) / STIFFNESS) ** 2) + 1e-6
        weight = self.weight[row] * near
        total = weight.sum(axis=1)
        mean_x, mean_y = (weight @ x) / total, (weight @ y) / total
        away = x - mean_x[:, None]
        covariance = (weight * away * (y - mean_y[:, None])).sum(axis=1)
        slope = covariance / ((weight * away**2).sum(axis=1) + LEVELLING)
        return mean_y + slope * np.clip(at - mean_x, -STIFFNESS, STIFFNESS)


Placed: TypeAlias = tuple[_Block, np.ndarray]
"""A column, and the numbers on the page of the strokes of one of its rows."""


def _skew(parts: Sequence[np.ndarray], unit: float) -> float:
    """Return the angle of rows in radians: the median of moves ahead, weighted by length."""
    centres = np.array([(part.min(axis=0) + part.max(axis=0)) / 2 for part in parts]) / unit
    moves = [centres[step:] - centres[:-step] for step in range(1, min(STEPS + 1, len(parts)))]
    x, y = np.concatenate([np.zeros((1, 2)), *moves]).T
    lengths = np.hypot(x, y)
    kept = (x > 0) & (lengths > SHORTEST) & (lengths < FARTHEST)
    angles, lengths, angle = np.arctan2(y, x)[kept], lengths[kept], 0.0
    for window in WINDOWS:
        near = np.abs(angles - angle) < window
        angle = weighted_median(np.append(angles[near], 0.0), np.append(lengths[near], PRIOR))
    return angle


def _drawings(page: _Block) -> dict[int, str]:
    """Return the strokes of drawings: tall strokes, and strokes just before or after that touch."""
    drawn = set(np.flatnonzero(page.bottom - page.top > TALLEST).tolist())
    ink = [page.parts[number] for number in sorted(drawn)]
    reach = np.concatenate(ink) if ink else np.empty((0, 2))
    for order in (range(len(page.parts)), reversed(range(len(page.parts)))):
        last_drawn = -2
        for number in order:
            follows = number not in drawn and abs(number - last_drawn) == 1
            if follows and _distance(page.parts[number], reach).min() < TOUCHING:
                drawn.add(number)
            last_drawn = number if number in drawn else last_drawn
    return dict.fromkeys(drawn, DRAWING)


def _distance(part: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the distance of points `(n, 2)` to the nearest of about eight points of a stroke."""
    sampled = part[:: max(1, len(part) // 8)]
    return np.hypot(*(sampled[:, None] - points).transpose(2, 0, 1)).min(axis=0)


def _is_bar(part: np.ndarray) -> bool:
    """Return whether a stroke is a long line along the row."""
    width, height = np.ptp(part, axis=0)
    is_long = width > LONGEST_BAR and height < FLATTEST * width
    return bool(is_long and is_straight([part]) and path_along(part)[-1] < DETOUR * width)


def _is_scribble(part: np.ndarray) -> bool:
    """Return whether a stroke goes to and fro along the row, further than letters do."""
    swings = vertical_segments(from_strokes([part[:, ::-1]]))[:, 3]
    return np.count_nonzero(swings < -SWING) >= SWINGS


def _bar_over(page: _Block, rows: Sequence[Placed], number: int) -> tuple[list[int], float]:
    """Return the strokes of the row nearest to a long stroke within its width, and how far the
    long stroke is below their middle; no strokes and infinity if no row is near."""
    inside = (page.x > page.left[number]) & (page.x < page.right[number])
    near_rows = [row for _, row in rows if inside[row].any()]
    covered = [row[inside[row]] for row in near_rows]
    below = [page.y[number] - np.average(page.y[c], weights=page.weight[c]) for c in covered]
    bonuses = [JUST_BEFORE if number - 1 in row else 0.0 for row in near_rows]
    distances = np.abs(below) - bonuses
    if not len(distances) or distances.min() > FAR_BAR:
        return [], np.inf
    return covered[distances.argmin()].tolist(), below[distances.argmin()]


def _all_rows(strokes: Sequence[np.ndarray], left_out: set[int]) -> list[Placed]:
    """Return the rows of all columns, without the strokes in `left_out`."""
    prose = np.array([n for n in range(len(strokes)) if n not in left_out], int)
    return [row for block in _columns(strokes, prose) for row in _rows(block)]


def _columns(strokes: Sequence[np.ndarray], numbers: np.ndarray) -> Iterator[_Block]:
    """Yield the columns of a page from left to right."""
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
    """Return which strokes are to the left of the widest white band between columns, if any.

    A gap that rows run across is no band: the pen crosses such a gap twice a row.
    """
    widest, best = BAND, None
    for lean in np.tan(np.radians(np.arange(-LEAN, LEAN + 1))):
        across = [part @ (1.0, -lean) for part in block.parts]
        left, right = np.array([(part.min(), part.max()) for part in across]).T
        order = np.argsort(left)
        widths = left[order][1:] - np.maximum.accumulate(right[order])[:-1]
        for gap in np.flatnonzero(widths > widest):
            is_left = np.zeros(len(left), bool)
            is_left[order[: gap + 1]] = True
            sides = (is_left, ~is_left)
            height = min(np.ptp([block.top[side], block.bottom[side]]) for side in sides)
            crossings = np.count_nonzero(np.diff(is_left))
            is_crossed = crossings > max(3, CROSSINGS * height / ROW_PITCH)
            if height >= COLUMN_HEIGHT and not is_crossed and widths[gap] > widest:
                widest, best = widths[gap], is_left
    return best


def _rows(block: _Block) -> list[Placed]:
    """Return the rows of a column from top to bottom, followed by the notes in its margin."""
    rows, strays = _joined(block, _runs(block))
    rows = _attached(block, _merged(block, rows), strays)
    rows.sort(key=lambda row: np.average(block.y[row], weights=block.weight[row]))
    divided = [_without_note(block, row) for row in rows]
    rows = [row for row, _ in divided] + [note for _, note in divided if len(note)]
    return [(block, block.numbers[row]) for row in rows]


def _without_note(block: _Block, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a row, and a note far to the right, written after other rows, or an empty array."""
    order = row[np.argsort(block.left[row])]
    fronts = np.maximum.accumulate(block.right[order])
    start = 1 + int(np.argmax(block.left[order[1:]] - fronts[:-1])) if len(row) > 1 else 0
    text, note = np.sort(order[:start]), np.sort(order[start:])
    is_far = start and block.left[note].min() - fronts[start - 1] > BAND
    if is_far and note[0] > text[-1] + 1 and block.weight[note].sum() > SHORT:
        return text, note
    return row, row[:0]


def _runs(block: _Block) -> list[np.ndarray]:
    """Return the strokes between far moves of the pen."""
    starts, front = [0], block.right[0]
    for number in range(1, len(block.parts)):
        run = slice(starts[-1], number)
        mean_y = np.average(block.y[run], weights=block.weight[run])
        down = np.abs(block.y[number] - (mean_y, block.y[number - 1])).min()
        back = front - block.left[number]
        if down > JUMP or abs(back) > AHEAD or (back > BACK and down > DROP):
            starts.append(number)
            front = block.right[number]
        front = max(front, block.right[number])
    return [np.arange(*ends) for ends in pairwise([*starts, len(block.parts)])]


def _joined(block: _Block, runs: list[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
    """Return rows made of runs, the heaviest run first, and the strokes of light runs."""
    letters = np.where(block.bottom - block.top > MARK, block.weight, 0.0)
    rows: list[np.ndarray] = []
    strays: list[int] = []
    for run in sorted(runs, key=lambda run: -letters[run].sum()):
        weight, x, y = block.weight[run], block.x[run], block.y[run]
        away = [np.average(np.abs(block.middle(row, x) - y), weights=weight) for row in rows]
        nearest, ink = min(away, default=np.inf), letters[run].sum()
        if ink >= HEAVY and nearest < ROW:
            best = int(np.argmin(away))
            rows[best] = np.union1d(rows[best], run)
        elif ink >= HEAVY or not rows or (ink > SHORT and nearest > APART):
            rows.append(run)
        else:
            strays.extend(run.tolist())
    return rows, sorted(strays)


def _merged(block: _Block, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Return rows, after joining each pair in which the second row continues the first."""
    while pairs := [
        (step, a, b)
        for a, b in permutations(range(len(rows)), 2)
        if (step := _step(block, rows[a], rows[b])) < 1
    ]:
        _, a, b = min(pairs)
        rows[a] = np.union1d(rows[a], rows[b])
        del rows[b]
    return rows


def _step(block: _Block, first: np.ndarray, second: np.ndarray) -> float:
    """Return the step from a row to its possible right half, over the largest allowed step."""
    start, end = block.left[second].min(), block.right[first].max()
    widths = [np.ptp([block.left[row], block.right[row]]) for row in (first, second)]
    if block.left[first].min() > start or end - start > OVERLAP * min(widths):
        return np.inf
    at = np.array([(min(end, block.right[second].max()) + start) / 2])
    step = np.abs(block.middle(first, at) - block.middle(second, at))[0]
    return float(step / (NEXT_STEP if second[0] == first[-1] + 1 else STEP))


def _attached(block: _Block, rows: list[np.ndarray], strays: list[int]) -> list[np.ndarray]:
    """Return rows with stray strokes added, each to the row of the nearest ink at a fit height."""
    owner = np.full(len(block.parts), -1)
    for number, row in enumerate(rows):
        owner[row] = number
    ink = [np.concatenate([block.parts[number] for number in row]) for row in rows]
    for stray in strays:
        cost = np.array([_distance(block.parts[stray], points).min() for points in ink])
        if stray and owner[stray - 1] >= 0:
            cost[owner[stray - 1]] -= JUST_BEFORE
        at = block.x[stray : stray + 1]
        off = np.array([block.y[stray] - block.middle(row, at)[0] for row in rows])
        cost += OFF_ROW * (np.maximum(off - BELOW, 0) + np.maximum(-off - ABOVE, 0))
        owner[stray] = cost.argmin()
    return [np.flatnonzero(owner == number) for number in range(len(rows))]


def _in_order(block: _Block, row: np.ndarray) -> list[int]:
    """Return the numbers on the page of a row's strokes in reading order."""
    ends = np.array([block.left[row].min(), block.right[row].max()])
    slope = np.diff(block.middle(row, ends))[0] / max(np.ptp(ends), 1.0)
    level = [block.parts[n] - (0.0, 1.0) * (slope * block.parts[n][:, :1]) for n in row]
    numbers = block.numbers[row]
    return numbers[_writing_order(numbers, level, x_height(from_strokes(level)))].tolist()


def _writing_order(numbers: np.ndarray, parts: Sequence[np.ndarray], height: float) -> np.ndarray:
    """Return the indices of a row's strokes in the order in which they would have been written if
    nothing had been added later.

    Args:
        numbers: the strokes' numbers on the page, rising; missing numbers belong to other rows.
        parts: the strokes, level.
        height: the strokes' x-height.
    """
    left, right = np.array([(part[:, 0].min(), part[:, 0].max()) for part in parts]).T
    middle, front = (left + right) / 2, np.maximum.accumulate(right)
    is_late = front - right > LATE * height
    # A stroke written after other rows is late unless it goes on where the row ended.
    for returned in np.flatnonzero(np.diff(numbers) > 1) + 1:
        is_late[returned:] |= middle[returned:] < front[returned - 1]
    is_mark = are_marks(from_strokes(parts), height)
    order = np.flatnonzero(~is_late | is_mark).tolist()
    for letter in np.flatnonzero(is_late & ~is_mark).tolist():
        behind = (n for n, k in enumerate(order) if middle[k] > middle[letter] and not is_mark[k])
        order.insert(next(behind, len(order)), letter)
    if (is_late & is_mark).any():
        ink = from_strokes([parts[place] for place in order])
        return np.array(order)[undelayed_order(ink, height, late=0)]
    return np.array(order)
