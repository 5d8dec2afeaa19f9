"""Finds the rows of prose in the strokes of a page.

The page is turned level and divided into columns at white bands. Within a column, far moves of the
pen divide the strokes into runs. Runs are merged into rows, the run with the most ink first, and
stray marks are added to near rows. Drawings, underlines and crossed-out words are in no row, see
`marks`.
Lengths are in x-heights.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, pairwise
from typing import TypeAlias

import numpy as np

from apps.notes.marks import (
    MAX_LINE_ASPECT,
    arrows,
    crossing_groups,
    is_level_line,
    is_ring,
    is_straight_line,
)
from ink.delayed_strokes import MIN_LATE_DISTANCE, are_marks, undelayed_order
from ink.geometry import from_strokes, turned_back, weighted_median, x_height
from ink.measures import baseline_of
from utils.time_limit import check_time

DRAWING = "drawing"
RING = "ring"
UNDERLINE = "underline"
CROSSED_OUT = "crossed out"
CROSSING = "stroke that crosses out"
"""Kinds of strokes that are in no row."""

# Limits of prose, in x-heights (measured on every third form of trainset: two of 43,026 strokes
# are taken for a drawing).
MAX_STROKE_HEIGHT = 6.0  # a higher stroke is a drawing, unless it is a letter
X_HEIGHT_MIDDLE = 0.5  # above the baseline
MAX_LETTER_SIZE = (4.0, 9.0)  # width and height of a letter (assumed)
MAX_LETTER_GAP = 2.0  # from a tall letter to the next letter (assumed)
MIN_RINGED_FRACTION = 0.3  # ratio of the widths of the ink in a ring and the ring; a D has a stem
MIN_OBLIQUE_LINE = 6.0  # length of a straight line of a drawing; l and f are up to 4.5 (measured)
MAX_DRAWING_GAP = 0.7  # distance between successive strokes of a drawing (assumed)
MIN_UNDERLINE = 3.0  # width of an underline; the foot of an E is narrower
MIN_UNDERLINE_DEPTH = 0.65  # from a row's middle; a line crosses words out nearer to it (assumed)
MIN_CROSSED_FRACTION = 0.5  # of the ink of a word below strokes that cross it out
MIN_ROW_FRACTION = 0.8  # the same of more than a word (assumed)
MAX_WORD_WIDTH = 15.0  # (assumed: ten letters)
MIN_WORD_GAP = 0.6  # between words that a line crosses out one by one (assumed)
MAX_UNDERLINE_HEIGHT = 0.2  # of an underline above the baseline (measured)
MAX_LINE_DISTANCE = 2.5  # from a row's middle; a line that is further away has no row (assumed)

# Skew, estimated from moves between strokes (lengths measured, notebook: notes, rows of pages).
MAX_SKEW_MOVE_STROKES = 15  # largest number of strokes from the start of a move to its end
MIN_SKEW_MOVE = 6.0  # length in x-heights
MAX_SKEW_MOVE = 30.0  # length in x-heights
LEVEL_MOVE_WEIGHT = 60.0  # x-heights of a level move that is added to the others (assumed)
SKEW_WINDOWS = np.radians([60, 20, 8])  # half widths around the last estimate, by pass (assumed)

# Columns, and the white bands between them.
MAX_PAGE_COLUMNS = 50  # a page with more bands is no page of columns (assumed)
MIN_BAND_WIDTH = 2.0  # x-heights (measured, notebook: notes, rows of pages)
MAX_BAND_TILT = 6  # degrees between a band and the vertical (measured, as `MIN_BAND_WIDTH`)
MIN_COLUMN_HEIGHT = 5.0  # x-heights (assumed)
MAX_CROSSINGS = 0.7  # crossings of a band by the pen, per row (assumed)
ROW_PITCH = 3.5  # x-heights from a row to the next (assumed)

# Moves of the pen that begin a new run, in x-heights (measured, notebook: notes, rows of pages).
LINE_BREAK_BACK = 4.0  # move back that begins a run together with `LINE_BREAK_DROP`
LINE_BREAK_DROP = 1.2  # move up or down that begins a run together with `LINE_BREAK_BACK`
MAX_RUN_DROP = 2.2  # largest move up or down within a run
MAX_RUN_MOVE = 10.0  # largest move ahead or back within a run

# Rows, in x-heights; for what is measured see notebook: notes, rows of pages.
MAX_MARK_HEIGHT = 0.6  # of a dot or bar (measured)
MIN_ROW_INK = 6.0  # length of a row's ink, unless the row is apart (assumed)
MIN_APART_INK = 2.5  # length of the ink of a row that is apart, or of a note (assumed)
MAX_ROW_DISTANCE = 1.0  # from a run to the row that it joins (measured)
MIN_APART_DISTANCE = 2.3  # to the other rows from a row that is apart (measured)
MAX_RISE = 5.0  # of a row's middle beyond its strokes (assumed: that of 9 degrees)
BEND_LENGTH = 30.0  # length along which a row's bend is smoothed (assumed)
LEVEL_PRIOR = 300.0  # weight of the prior that a row is level (assumed)
# Two rows are merged as halves of one row within these limits (measured on testset_v).
MAX_HALF_STEP = 1.5  # step up or down from one half to the other
MAX_HALF_OVERLAP = 0.2  # fraction of the narrower half's width
MAX_MARK_ABOVE = 1.4  # from a row's middle up to its marks (measured on testset_v)
MAX_MARK_BELOW = 0.6  # from a row's middle down to its marks (measured on testset_v)
OFF_ROW_COST = 4.0  # cost of each x-height beyond these two limits (measured on testset_v)
MAX_STRAY_ROWS = 4  # number of the nearest rows to which a stray mark may belong (assumed)
SUCCESSION_BONUS = 0.7  # bonus of the row with the previous stroke (measured)


def find_rows(
    strokes: Sequence[np.ndarray], bars: Collection[int] = ()
) -> tuple[list[list[int]], dict[int, str]]:
    """Return the rows of prose of a page, and the kind of each stroke that is in no row.

    A row is the list of its strokes' numbers in reading order. The kinds are by stroke number.

    Args:
        strokes: `(n, 2)` each with n >= 1, in any unit, y downwards, in the order of writing.
        bars: numbers of strokes that are bars of letters: they cross nothing out.
    """
    if not strokes:
        return [], {}
    strokes = [np.asarray(stroke, dtype=np.float64) for stroke in strokes]
    return rows_of_page(Block(strokes, np.arange(len(strokes))), bars)


def rows_of_page(
    page: "Block", bars: Collection[int] = ()
) -> tuple[list[list[int]], dict[int, str]]:
    """Return what `find_rows` returns, for the block of all strokes of a page."""
    kinds = _drawings(page)
    lines = _lines(page, {*kinds, *bars})
    crossing = {*chain(*(line for line, _ in lines))}
    kinds |= dict.fromkeys({*_oblique_lines(page)} - crossing - {*bars}, DRAWING)
    left_out = {*kinds, *crossing}
    rows = _all_rows(page, left_out)
    row_indices = _row_indices(len(page.strokes), [block.numbers[row] for block, row in rows])
    for line, hit in lines:
        at_line, depth = _row_at_line(page, row_indices, line)
        below = [number for number in at_line if number < line[-1]]
        if depth >= MIN_UNDERLINE_DEPTH or _is_at_baseline(page, line, below):
            kinds |= dict.fromkeys(line, UNDERLINE if at_line else DRAWING)
        elif depth > -MIN_UNDERLINE_DEPTH:
            crossed = _crossed(page, below, hit)
            kinds |= dict.fromkeys(line if crossed else (), CROSSING)
            kinds |= dict.fromkeys(crossed, CROSSED_OUT)
    if not left_out <= {*kinds}:  # Some lines are bars of letters, or dashes.
        rows = _all_rows(page, left_out & {*kinds})
    ordered = []
    for block, row in rows:
        prose = row[[number not in kinds for number in block.numbers[row].tolist()]]
        if len(prose):
            ordered.append(_reading_order(block, prose))
    return ordered, dict(sorted(kinds.items()))


def _oblique_lines(page: "Block") -> Iterator[int]:
    """Yield the numbers of straight strokes longer than letters, neither level nor upright."""
    for number, stroke in enumerate(page.strokes):
        width, height = np.ptp(stroke, axis=0)
        is_oblique = min(width, height) > MAX_LINE_ASPECT * max(width, height)
        if is_oblique and is_straight_line(stroke, MIN_OBLIQUE_LINE):
            yield number


def _lines(page: "Block", others: set[int]) -> list[tuple[list[int], set[int]]]:
    """Return the strokes of each line that may cross words out or underline them, and the strokes
    that it hits, empty for a single level line. The strokes `others` are no lines."""
    edges = np.array([page.left, page.top, page.right, page.bottom, page.y])
    edges[:, [*others]] = np.nan  # They neither cross nor are crossed.
    lines = crossing_groups(page.strokes, edges)
    widths = page.right - page.left
    wide = {*np.flatnonzero(widths > MIN_UNDERLINE).tolist()} - others
    wide -= {*chain(*(line for line, _ in lines))}
    return lines + [([n], set()) for n in sorted(wide) if is_level_line(page.strokes[n])]


def _is_at_baseline(page: "Block", line: Sequence[int], below: Sequence[int]) -> bool:
    """Return whether level strokes `line` lie on or just above the baseline of the strokes `below`:
    descenders cross such an underline."""
    if not below or not all(is_level_line(page.strokes[number]) for number in line):
        return False
    height = baseline_of([page.strokes[number] for number in below]) - page.y[line].mean()
    return bool(height < MAX_UNDERLINE_HEIGHT)


def _crossed(page: "Block", below: Sequence[int], hit: set[int]) -> list[int]:
    """Return those of the strokes `below` a line that it crosses out, by the strokes that it hits.

    The line must hit half of their ink. Of more than a word it crosses out all words if it hits
    nearly all of the ink, and else the words of which it hits half.
    """
    width = page.right[below].max() - page.left[below].min() if below else 0.0
    if width <= MAX_WORD_WIDTH or _fraction_hit(page, below, hit) >= MIN_ROW_FRACTION:
        words = [[*below]]
    else:
        by_left = np.array(sorted(below, key=page.left.__getitem__))
        fronts = np.maximum.accumulate(page.right[by_left])
        is_first = page.left[by_left[1:]] - fronts[:-1] > MIN_WORD_GAP
        parts = np.split(by_left, np.flatnonzero(is_first) + 1)
        words = [part.tolist() for part in parts]
    crossed = [w for w in words if w and _fraction_hit(page, w, hit) >= MIN_CROSSED_FRACTION]
    return [*chain(*crossed)]


def _fraction_hit(page: "Block", numbers: Sequence[int], hit: set[int]) -> float:
    """Return the fraction of the ink of strokes that is that of strokes in `hit`."""
    return float(page.weight[[*hit.intersection(numbers)]].sum() / page.weight[[*numbers]].sum())


class Block:
    """Strokes of a page or column, level and in x-heights. A row of a block is the array of its
    strokes' indices in the block.

    Attributes:
        numbers: the strokes' numbers on the page, rising, `(strokes,)`.
        page_strokes: all strokes of the page, `(n, 2)` each.
        strokes: the strokes, `(n, 2)` each.
        left, top, right, bottom: edges of the strokes, `(strokes,)`.
        x, y: middle of each stroke's width, and mean height of its points, but of a tall stroke
            that of letters on its foot, `(strokes,)`.
        weight: length of each stroke's ink plus 0.1, so that a dot counts, `(strokes,)`.
    """

    def __init__(self, page_strokes: Sequence[np.ndarray], numbers: np.ndarray) -> None:
        self.numbers = numbers
        strokes = [page_strokes[number] for number in numbers]
        self.page_strokes = page_strokes
        self.unit = x_height(from_strokes(strokes))
        self.angle = _skew(strokes, self.unit)
        self.strokes = [turned_back(stroke, self.angle) / self.unit for stroke in strokes]
        self.left, self.top = np.array([stroke.min(axis=0) for stroke in self.strokes]).T
        self.right, self.bottom = np.array([stroke.max(axis=0) for stroke in self.strokes]).T
        self.x = (self.left + self.right) / 2
        self.y = np.array([stroke[:, 1].mean() for stroke in self.strokes])
        is_tall = self.bottom - self.top > MAX_STROKE_HEIGHT  # a letter then stands on the baseline
        self.y[is_tall] = self.bottom[is_tall] - X_HEIGHT_MIDDLE
        steps = [np.diff(stroke, axis=0) for stroke in self.strokes]
        self.weight = np.array([0.1 + np.hypot(*step.T).sum() for step in steps])

    def part(self, numbers: np.ndarray) -> "Block":
        """Return the block of the strokes with these numbers; a block of many takes long."""
        is_whole = np.array_equal(numbers, self.numbers)
        return self if is_whole else Block(self.page_strokes, numbers)

    def middle(self, row: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the y of a row's middle at each `x`, by local linear regression, `(x,)`."""
        check_time()
        stroke_x = self.x[row]
        stroke_y = self.y[row]
        # The small number leaves a weight to the strokes of a row that is far away.
        nearness = np.exp(-0.5 * ((stroke_x - x[:, None]) / BEND_LENGTH) ** 2) + 1e-6
        weight = self.weight[row] * nearness
        total = weight.sum(axis=1)
        mean_x = (weight @ stroke_x) / total
        mean_y = (weight @ stroke_y) / total
        deviation = stroke_x - mean_x[:, None]
        covariance = (weight * deviation * (stroke_y - mean_y[:, None])).sum(axis=1)
        slope = covariance / ((weight * deviation**2).sum(axis=1) + LEVEL_PRIOR)
        return mean_y + slope * np.clip(x - mean_x, -BEND_LENGTH, BEND_LENGTH)

    def box(self, row: np.ndarray) -> np.ndarray:
        """Return a row's left edge, least y, right edge and greatest y, `(4,)`."""
        y = self.y[row]
        return np.array([self.left[row].min(), y.min(), self.right[row].max(), y.max()])


PlacedRow: TypeAlias = tuple[Block, np.ndarray]
"""The column of a row, and the row, see `Block`."""


def _skew(strokes: Sequence[np.ndarray], unit: float) -> float:
    """Return the rows' angle in radians: the length-weighted median angle of rightward moves."""
    centres = np.array([(stroke.min(axis=0) + stroke.max(axis=0)) / 2 for stroke in strokes]) / unit
    # Moves over several strokes are long, and so show the angle better.
    strides = range(1, min(MAX_SKEW_MOVE_STROKES + 1, len(strokes)))
    moves = [centres[stride:] - centres[:-stride] for stride in strides]
    x, y = np.concatenate([np.zeros((1, 2)), *moves]).T
    lengths = np.hypot(x, y)
    is_used = (x > 0) & (lengths > MIN_SKEW_MOVE) & (lengths < MAX_SKEW_MOVE)
    angles = np.arctan2(y, x)[is_used]
    lengths = lengths[is_used]
    angle = 0.0
    for window in SKEW_WINDOWS:  # Each pass leaves out more moves that do not run along rows.
        near = np.abs(angles - angle) < window
        weights = np.append(lengths[near], LEVEL_MOVE_WEIGHT)
        angle = weighted_median(np.append(angles[near], 0.0), weights)
    return angle


def _drawings(page: Block) -> dict[int, str]:
    """Return the kinds of the strokes of drawings.

    These are arrows, rings around words, boxes into which words were written, tall strokes that are
    no letters, and strokes that touch a tall stroke and were written just before or after a stroke
    of the drawing.
    """
    kinds = dict.fromkeys(arrows(page.strokes), DRAWING)
    for number, stroke in enumerate(page.strokes):
        check_time()
        if is_ring(stroke):
            # Edges that all grow towards the inside of a box.
            edges = np.array([page.left, page.top, -page.right, -page.bottom])
            inside = np.flatnonzero((edges > edges[:, [number]]).all(axis=0))
            width = np.ptp([*page.left[inside], *page.right[inside]] or [0.0])
            if width > MIN_RINGED_FRACTION * (page.right[number] - page.left[number]):
                kinds[number] = RING if inside[0] < number else DRAWING
    is_tall = page.bottom - page.top > MAX_STROKE_HEIGHT
    tall = [n for n in np.flatnonzero(is_tall).tolist() if n not in kinds]
    drawn = {number for number in tall if not _is_letter(page, number, is_tall)}
    tall_points = np.concatenate([np.empty((0, 2)), *(page.strokes[n] for n in sorted(drawn))])
    # Forwards and backwards, so that strokes before and behind those of the drawing join it.
    for order in (range(len(page.strokes)), reversed(range(len(page.strokes)))):
        last_drawn = -2  # next to no stroke
        for number in order:
            check_time()
            follows = number not in drawn and abs(number - last_drawn) == 1
            if follows and _touches(page.strokes[number], tall_points):
                drawn.add(number)
            if number in drawn:
                last_drawn = number
    return dict.fromkeys(drawn, DRAWING) | kinds


def _is_letter(page: Block, number: int, is_tall: np.ndarray) -> bool:
    """Return whether a tall stroke is a letter: it is narrow, and next to a stroke of usual height
    that was written just before or after it."""
    size = np.ptp(page.strokes[number], axis=0)
    if (size > MAX_LETTER_SIZE).any():
        return False
    for other in {number - 1, number + 1} & {*range(len(is_tall))}:
        gap_x = max(page.left[other] - page.right[number], page.left[number] - page.right[other])
        is_at_height = page.top[number] < page.y[other] < page.bottom[number]
        if is_at_height and not is_tall[other] and gap_x < MAX_LETTER_GAP:
            return True
    return False


def _touches(stroke: np.ndarray, points: np.ndarray) -> bool:
    """Return whether a coarsely sampled stroke is nearer than `MAX_DRAWING_GAP` to one of `points`,
    `(points, 2)`."""
    low = stroke.min(axis=0) - MAX_DRAWING_GAP
    high = stroke.max(axis=0) + MAX_DRAWING_GAP
    near = points[((points > low) & (points < high)).all(axis=1)]
    sampled = stroke[:: max(1, len(stroke) // 8), None]  # 8 to 15 points, so that this is fast
    return bool((np.hypot(*(sampled - near).T) < MAX_DRAWING_GAP).any())


def _row_indices(num_strokes: int, rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the index of each stroke's row, -1 if it is in none, `(strokes,)`."""
    indices = np.full(num_strokes, -1)
    for index, row in enumerate(rows):
        indices[row] = index
    return indices


def _row_at_line(page: Block, row_of: np.ndarray, line: list[int]) -> tuple[list[int], float]:
    """Return the strokes that the strokes `line` underline or cross out, and the distance of the
    line below their middle.

    The strokes are of the nearest row, above or below the line. Without a near row there are none,
    and the distance is infinite.

    Args:
        row_of: index of each stroke's row, -1 for none, `(strokes,)`.
    """
    left = page.left[line].min()
    right = page.right[line].max()
    y = page.y[line].mean()
    inside = np.flatnonzero((page.x > left) & (page.x < right) & (row_of >= 0))
    rows, places = np.unique(row_of[inside], return_inverse=True)
    weights = np.bincount(places, page.weight[inside])
    depths = y - np.bincount(places, page.weight[inside] * page.y[inside]) / weights
    # Of the rows, the one that was written just before the line.
    is_previous = (line[0] > 0) & (rows == row_of[line[0] - 1])
    distances = np.abs(depths) - SUCCESSION_BONUS * is_previous
    if not len(distances) or distances.min() > MAX_LINE_DISTANCE:
        return [], np.inf
    nearest = distances.argmin()
    return inside[places == nearest].tolist(), depths[nearest]


def _all_rows(page: Block, left_out: set[int]) -> list[PlacedRow]:
    """Return the rows of all columns, without the strokes in `left_out`."""
    prose = np.array([n for n in range(len(page.strokes)) if n not in left_out], int)
    return [row for block in _columns(page, prose) for row in _rows(block)]


def _columns(page: Block, numbers: np.ndarray) -> Iterator[Block]:
    """Yield the columns of the strokes with these `numbers` from left to right."""
    waiting = [numbers] if len(numbers) else []  # parts that may be divided, the leftmost last
    num_columns = 1
    while waiting:
        block = page.part(waiting.pop())
        is_left = _left_of_band(block) if num_columns < MAX_PAGE_COLUMNS else None
        if is_left is None:
            yield block
        else:
            waiting += [block.numbers[~is_left], block.numbers[is_left]]
            num_columns += 1


def _left_of_band(block: Block) -> np.ndarray | None:
    """Return a mask of the strokes to the left of the widest white band between columns, or None.
    A gap within rows is no band: the pen crosses such a gap twice in each row."""
    widest = MIN_BAND_WIDTH
    best = None
    count = len(block.strokes)
    edges = _without_voids(block)
    x, y = np.concatenate(block.strokes).T
    starts = np.cumsum([0, *map(len, block.strokes[:-1])])
    for lean in np.tan(np.radians(np.arange(-MAX_BAND_TILT, MAX_BAND_TILT + 1))):
        sheared_x = x - lean * y
        left = np.minimum.reduceat(sheared_x, starts)
        right = np.maximum.reduceat(sheared_x, starts)
        order = np.argsort(left)
        widths = left[order][1:] - np.maximum.accumulate(right[order])[:-1]
        # The smaller height of the strokes on either side of each gap.
        height = np.minimum(_heights(edges, order)[:-1], _heights(edges, order[::-1])[-2::-1])
        # The pen crosses all gaps between the places of a stroke and of the next.
        places = np.argsort(order)
        begins, ends = np.sort([places[1:], places[:-1]], axis=0)
        changes = np.bincount(begins, minlength=count) - np.bincount(ends, minlength=count)
        is_crossed = np.cumsum(changes)[:-1] > np.maximum(2, MAX_CROSSINGS * height / ROW_PITCH)
        is_band = (widths > widest) & (height >= MIN_COLUMN_HEIGHT) & ~is_crossed
        if is_band.any():
            gap = int(np.where(is_band, widths, 0.0).argmax())
            widest = widths[gap]
            best = places <= gap
    return best


def _without_voids(block: Block) -> np.ndarray:
    """Return the top and bottom of each stroke, `(2, strokes)`, after closing the gaps between rows
    that are higher than `ROW_PITCH`: rows of another size may be missing there."""
    order = np.argsort(block.top)
    edges = np.array([block.top, block.bottom])
    voids = block.top[order[1:]] - np.maximum.accumulate(block.bottom[order])[:-1]
    edges[:, order[1:]] -= np.cumsum(np.maximum(voids - ROW_PITCH, 0.0))
    return edges


def _heights(edges: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the height of the first n strokes of an order for each n, `(strokes,)`. `edges` has
    the top and bottom of each stroke, `(2, strokes)`."""
    top, bottom = edges[:, order]
    return np.maximum.accumulate(bottom) - np.minimum.accumulate(top)


def _rows(block: Block) -> list[PlacedRow]:
    """Return the rows of a column from top to bottom, followed by the notes in its margin."""
    rows, strays = _rows_of_runs(block, _runs(block))
    rows = _attach_strays(block, _merge_halves(block, rows), strays)
    rows.sort(key=lambda row: np.average(block.y[row], weights=block.weight[row]))
    texts = []
    notes = []
    for row in rows:
        text, note = _split_note(block, row)
        texts.append((block, text))
        if len(note):
            notes.append((block, note))
    return texts + notes


def _split_note(block: Block, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a row without its note in the margin, and the note, which may be empty. A note is far
    to the right, and was written after other rows."""
    if len(row) < 2:
        return row, row[:0]
    order = row[np.argsort(block.left[row])]
    fronts = np.maximum.accumulate(block.right[order])
    start = 1 + int(np.argmax(block.left[order[1:]] - fronts[:-1]))  # behind the widest gap
    text = np.sort(order[:start])
    note = np.sort(order[start:])
    is_far = block.left[note].min() - fronts[start - 1] > MIN_BAND_WIDTH
    if is_far and note[0] > text[-1] + 1 and block.weight[note].sum() > MIN_APART_INK:
        return text, note
    return row, row[:0]


def _runs(block: Block) -> list[np.ndarray]:
    """Return the runs: successive strokes without a far move of the pen in between."""
    starts = [0]
    front = block.right[0]
    for number in range(1, len(block.strokes)):
        check_time()
        run = slice(starts[-1], number)
        mean_y = np.average(block.y[run], weights=block.weight[run])
        drop = np.abs(block.y[number] - (mean_y, block.y[number - 1])).min()
        back = front - block.left[number]
        is_line_break = back > LINE_BREAK_BACK and drop > LINE_BREAK_DROP
        if is_line_break or drop > MAX_RUN_DROP or abs(back) > MAX_RUN_MOVE:
            starts.append(number)
            front = block.right[number]
        front = max(front, block.right[number])
    return [np.arange(*ends) for ends in pairwise([*starts, len(block.strokes)])]


def _rows_of_runs(block: Block, runs: list[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
    """Merge runs into rows; return the rows, and the strokes of runs with too little ink."""
    letter_ink = np.where(block.bottom - block.top > MAX_MARK_HEIGHT, block.weight, 0.0)
    rows: list[np.ndarray] = []
    strays: list[int] = []
    boxes = np.empty((len(runs), 4))  # of the rows
    for run in sorted(runs, key=lambda run: -letter_ink[run].sum()):
        distances = {}
        for number in _rows_at_height(boxes[: len(rows)], block.box(run)):
            depths = block.middle(rows[number], block.x[run]) - block.y[run]
            distances[number] = np.average(np.abs(depths), weights=block.weight[run])
        nearest = min(distances.values(), default=np.inf)
        ink = letter_ink[run].sum()
        is_apart = ink > MIN_APART_INK and nearest > MIN_APART_DISTANCE
        if ink >= MIN_ROW_INK and nearest < MAX_ROW_DISTANCE:
            best = min(distances, key=distances.__getitem__)
            rows[best] = np.union1d(rows[best], run)
            boxes[best] = block.box(rows[best])
        elif ink >= MIN_ROW_INK or is_apart or not rows:
            boxes[len(rows)] = block.box(run)
            rows.append(run)
        else:
            strays.extend(run.tolist())
    return rows, sorted(strays)


def _rows_at_height(boxes: np.ndarray, box: np.ndarray) -> list[int]:
    """Return the indices of the rows, `boxes` `(rows, 4)`, that may be at the height of `box`."""
    is_at_height = (boxes[:, 1] - MAX_RISE < box[3]) & (box[1] < boxes[:, 3] + MAX_RISE)
    return np.flatnonzero(is_at_height).tolist()


def _merge_halves(block: Block, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Return rows, each merged with the row on its left that it continues, if there is one."""
    merged: list[np.ndarray] = []
    boxes = np.empty((len(rows), 4))  # of the merged rows
    for row in sorted(rows, key=lambda row: block.left[row].min()):
        left, _, right, _ = box = block.box(row)
        steps = {}
        for number in _rows_at_height(boxes[: len(merged)], box):
            start, _, end, _ = boxes[number]
            if end - left <= MAX_HALF_OVERLAP * min(end - start, right - left):
                x = np.array([(min(end, right) + left) / 2])  # between the two halves
                step = np.abs(block.middle(merged[number], x) - block.middle(row, x))
                steps[number] = float(step[0])
        best = min(steps, key=steps.__getitem__, default=None)
        if best is not None and steps[best] < MAX_HALF_STEP:
            merged[best] = np.union1d(merged[best], row)
            boxes[best] = block.box(merged[best])
        else:
            boxes[len(merged)] = box
            merged.append(row)
    return merged


def _attach_strays(block: Block, rows: list[np.ndarray], strays: list[int]) -> list[np.ndarray]:
    """Return rows with each stray stroke added to the row that is nearest and at its height."""
    row_of = _row_indices(len(block.strokes), rows)
    for stray in strays:
        gap_x = np.maximum(block.left - block.right[stray], block.left[stray] - block.right)
        gap_y = np.maximum(block.top - block.bottom[stray], block.top[stray] - block.bottom)
        gaps = np.hypot(np.maximum(gap_x, 0), np.maximum(gap_y, 0))
        row_gaps = [gaps[row].min() for row in rows]
        costs = {}
        for number in np.argsort(row_gaps)[:MAX_STRAY_ROWS].tolist():
            depth = block.y[stray] - block.middle(rows[number], block.x[stray : stray + 1])[0]
            beyond = max(depth - MAX_MARK_BELOW, -depth - MAX_MARK_ABOVE, 0.0)
            is_next = stray > 0 and row_of[stray - 1] == number
            costs[number] = row_gaps[number] + OFF_ROW_COST * beyond - SUCCESSION_BONUS * is_next
        row_of[stray] = min(costs, key=costs.__getitem__)
    return [np.flatnonzero(row_of == number) for number in range(len(rows))]


def _reading_order(block: Block, row: np.ndarray) -> list[int]:
    """Return the numbers on the page of a row's strokes, in reading order."""
    ends = np.array([block.left[row].min(), block.right[row].max()])
    slope = np.diff(block.middle(row, ends))[0] / max(np.ptp(ends), 1.0)
    strokes = [block.strokes[index] for index in row]
    level = [stroke - [0.0, 1.0] * (slope * stroke[:, :1]) for stroke in strokes]  # sheared in y
    numbers = block.numbers[row]
    return numbers[_undelayed(numbers, level, x_height(from_strokes(level)))].tolist()


def _undelayed(numbers: np.ndarray, strokes: Sequence[np.ndarray], height: float) -> np.ndarray:
    """Return the indices of a row's strokes, each late stroke at its place. `numbers` are the
    strokes' rising numbers on the page; a missing number is a stroke of another row."""
    left, right = np.array([(stroke[:, 0].min(), stroke[:, 0].max()) for stroke in strokes]).T
    middle = (left + right) / 2
    front = np.maximum.accumulate(right)
    is_late = front - right > MIN_LATE_DISTANCE * height
    # After a stroke of another row, strokes to the left of the row's end are late.
    for resumed in np.flatnonzero(np.diff(numbers) > 1) + 1:
        is_late[resumed:] |= middle[resumed:] < front[resumed - 1]
    is_mark = are_marks(from_strokes(strokes), height)
    order = np.flatnonzero(~is_late | is_mark).tolist()
    for late in np.flatnonzero(is_late & ~is_mark).tolist():
        check_time()
        # A late letter belongs before the first letter further to the right.
        is_behind = (middle[order] > middle[late]) & ~is_mark[order]
        order.insert([*is_behind, True].index(True), late)
    if (is_late & is_mark).any():
        ink = from_strokes([strokes[index] for index in order])
        return np.array(order)[undelayed_order(ink, height, late=0)]
    return np.array(order)
