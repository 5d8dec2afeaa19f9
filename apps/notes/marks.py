"""Recognises strokes that are no letters by their shape: lines, arrows, rings, rules of a table,
boxes, bullets, and strokes that cross words out. Lengths are in x-heights."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from ink.geometry import path_along, turned_back
from ink.measures import is_straight, segments_cross
from utils.time_limit import check_time

# Measured, notebook: notes, what is no prose.
MIN_LINE_LENGTH = 2.2  # of a line that crosses words out, and of a level arrow
MAX_LINE_ASPECT = 0.25  # largest ratio of a level line's height to its width
MAX_LINE_DETOUR = 1.2  # largest ratio of a level line's path length to its width
MIN_CROSSINGS = 5  # with letters, of the strokes that cross a word out
MIN_LINE_CROSSINGS = 3  # with letters, of a straight line of `MIN_LINE_LENGTH`
MIN_SHORT_LINE_LENGTH = 1.5  # of a straight line that has `MIN_CROSSINGS`
MIN_SCRIBBLE_WIDTH = 2.7  # of other strokes that have `MIN_CROSSINGS`
MIN_STROKE_CROSSINGS = 2  # with letters, of each stroke that crosses a word out
MAX_GROUP_GAP = 0.3  # between the places of strokes that together cross a word out
MIN_HATCH_LENGTH = 0.7  # of a straight stroke that may cross no letter, between others
MIN_HATCH_STROKES = 3  # that are steep and parallel
MIN_HATCH_CROSSINGS = 2  # with letters, of all strokes of a hatch
MIN_HATCH_WIDTH = 1.5  # of all strokes of a hatch
MAX_HATCH_ANGLE = 15.0  # degrees between strokes of a hatch that follow each other (assumed)
MAX_BAR_ASPECT = 0.5  # largest ratio of the height of a letter's bar to its width
MAX_CROSSED_DEPTH = 1.0  # from a stroke's middle to the middle of a stroke that it crosses out
MAX_CROSSED_STROKES = 40  # last strokes at a stroke's height that it may cross (assumed)
MAX_SEGMENTS = 80  # of a stroke whose crossings are counted (assumed)
MIN_STEEP_SHAFT_LENGTH = 6.0  # of an arrow that is steeper than 45 degrees
MAX_TIP_DISTANCE = 0.8  # from the tip of an arrow to its barbs
MIN_BARB = 0.25  # distance that each barb goes back from the tip, and to its side
MAX_BARB_LENGTH = 3.0  # from the tip (assumed)
MAX_BARB_FRACTION = 0.7  # of the shaft's length (assumed)
MIN_WORD_RING_SIZE = (2.5, 2.0)  # width and height of a ring around words
MIN_RING_AREA = 0.55  # smallest ratio of a ring's area to its box's
MAX_RING_OPENING = 0.4  # from its start to its end, as a fraction of its smaller side (assumed)
MAX_RING_LENGTH = 1.5  # largest ratio of a ring's path length to its ellipse's
MIN_RULE_LENGTH = 5.0  # of a rule of a table (assumed)
MAX_RULE_GAP = 1.0  # between rules that meet (assumed)
MAX_RULES = 300  # of the tables of a page (assumed)
MAX_BULLET_HEIGHT = 0.85  # of a bullet or dash, and largest width of a bullet
MAX_BULLET_WIDTH = 2.2  # of a dash
MAX_DASH_ASPECT = 0.5  # largest ratio of a dash's height to its width
MAX_BOX_STROKES = 4  # without its tick
BOX_SIZES = (0.7, 3.0)  # bounds on the sides of a box
MAX_BOX_ASPECT = 1.7  # largest ratio of its sides
MAX_CORNER_DISTANCE = 0.25  # from a box's corners and sides to its ink, as a fraction of its side
MAX_LISTED_CORNER_DISTANCE = 0.33  # the same, below or above other boxes
MAX_MARK_DEPTH = 0.6  # from the middle of a list's mark to that of the row
MIN_MARK_GAP = 0.3  # from a list's mark to the text, and overlap of a box with its tick


def is_straight_line(stroke: np.ndarray, min_length: float) -> bool:
    """Return whether a stroke is straight and as long as `min_length`."""
    return bool(np.hypot(*(stroke[-1] - stroke[0])) >= min_length and is_straight([stroke]))


def is_level_line(stroke: np.ndarray) -> bool:
    """Return whether a stroke is a straight, nearly level line of `MIN_LINE_LENGTH` or more."""
    width, height = np.ptp(stroke, axis=0)
    if height >= MAX_LINE_ASPECT * width or not is_straight_line(stroke, MIN_LINE_LENGTH):
        return False
    return bool(path_along(stroke)[-1] < MAX_LINE_DETOUR * width)


def _crossings(strokes: Sequence[np.ndarray], edges: np.ndarray) -> dict[int, dict[int, int]]:
    """Return for each stroke the earlier strokes that it crosses, with the number of crossings.

    Strokes at other heights do not count. Two straight strokes have one crossing. A stroke that
    crosses none is left out.

    Args:
        strokes: `(n, 2)` each.
        edges: left, top, right, bottom and mean y of each stroke, `(5, strokes)`.
    """
    left, top, right, bottom, middle = edges
    segments = []
    for stroke in strokes:
        points = _sampled(stroke)
        segments.append(np.stack([points[:-1], points[1:]], axis=1))
    crossings: dict[int, dict[int, int]] = {}
    for number in range(1, len(strokes)):
        check_time()
        is_near = (left[:number] <= right[number]) & (right[:number] >= left[number])
        is_near &= (top[:number] <= bottom[number]) & (bottom[:number] >= top[number])
        is_near &= np.abs(middle[:number] - middle[number]) < MAX_CROSSED_DEPTH
        for other in np.flatnonzero(is_near)[-MAX_CROSSED_STROKES:].tolist():
            count = np.count_nonzero(segments_cross(segments[number], segments[other]))
            if count:
                # Two straight strokes cross once; a sampled corner may count as two crossings.
                are_straight = is_straight([strokes[number]]) and is_straight([strokes[other]])
                crossings.setdefault(number, {})[other] = 1 if are_straight else int(count)
    return crossings


def _sampled(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke with at most twice as many points as `MAX_SEGMENTS`, and both ends."""
    stride = max(1, len(stroke) // MAX_SEGMENTS)
    return np.concatenate([stroke[:-1:stride], stroke[-1:]])


def crossing_groups(
    strokes: Sequence[np.ndarray], edges: np.ndarray
) -> list[tuple[list[int], set[int]]]:
    """Return groups of successive strokes that together cross out the ink below them, each with the
    strokes that it crosses. The strokes of a group lie above each other.

    Args:
        strokes: `(n, 2)` each.
        edges: left, top, right, bottom and mean y of each stroke, `(5, strokes)`; NaN for a stroke
            that counts for none.
    """
    crossings = _crossings(strokes, edges)
    groups: list[list[int]] = []
    for number, stroke in enumerate(strokes):
        last = groups[-1] if groups and _adjoins(groups[-1], number, edges) else []
        counts = crossings.get(number, {})
        # The strokes of a hatch cross each other, which does not count.
        num_crossings = sum(count for other, count in counts.items() if other not in last)
        if num_crossings >= MIN_STROKE_CROSSINGS or is_straight_line(stroke, MIN_HATCH_LENGTH):
            if last:
                last.append(number)
            elif num_crossings:
                groups.append([number])
    crossing = []
    for group in groups:
        # Letters behind the crossed-out word cross nothing that is before the group.
        while min(crossings.get(group[-1], group)) >= group[0]:
            group.pop()
        group = _with_bars(group, strokes, edges)
        crossed = {*chain(*(crossings.get(number, ()) for number in group))} - {*group}
        is_letter = len(crossed) == 1 and _is_upright(strokes[min(crossed)])
        if not is_letter and _crosses_out(group, strokes, crossings):
            crossing.append((group, crossed))
    return crossing


def _is_upright(stroke: np.ndarray) -> bool:
    """Return whether a stroke is higher than wide: a line that crosses it alone may be the bar of a
    letter."""
    width, height = np.ptp(stroke, axis=0)
    return bool(height > width)


def _with_bars(group: list[int], strokes: Sequence[np.ndarray], edges: np.ndarray) -> list[int]:
    """Return a group with the strokes before and behind it that are bars of the same hatch: the
    outer bars of a hatch may cross no letter."""
    for step in (-1, 1):
        number = (group[0] if step < 0 else group[-1]) + step
        while 0 <= number < len(strokes) and _adjoins(group, number, edges):
            longer = sorted([*group, number])
            if not _is_hatch([strokes[n] for n in longer]):
                break
            group = longer
            number += step
    return group


def _adjoins(group: Sequence[int], number: int, edges: np.ndarray) -> bool:
    """Return whether a stroke comes just before or after a group's strokes, at their height and
    their places: bars of several letters have gaps between them."""
    left, _, right, _, middle = edges
    neighbour = group[0] if number < group[0] else group[-1]
    is_next = abs(number - neighbour) == 1
    if not is_next or np.abs(middle[number] - middle[neighbour]) >= MAX_CROSSED_DEPTH:
        return False
    gap = max(left[number] - right[group].max(), left[group].min() - right[number])
    return bool(gap < MAX_GROUP_GAP)


def _crosses_out(
    group: Sequence[int], strokes: Sequence[np.ndarray], crossings: dict[int, dict[int, int]]
) -> bool:
    """Return whether a group crosses enough letters, or a straight line of the group does alone."""
    total = 0
    for number in group:
        counts = crossings.get(number, {})
        num_crossings = sum(count for other, count in counts.items() if other not in group)
        total += num_crossings
        width = np.ptp(strokes[number][:, 0])
        min_crossings = MIN_LINE_CROSSINGS if width > MIN_LINE_LENGTH else MIN_CROSSINGS
        is_enough = width >= MIN_SHORT_LINE_LENGTH and num_crossings >= min_crossings
        if is_enough and is_straight([strokes[number]]):
            return True
    width = np.ptp(np.concatenate([strokes[number] for number in group])[:, 0])
    if _is_hatch([strokes[number] for number in group]):
        return bool(width >= MIN_HATCH_WIDTH and total >= MIN_HATCH_CROSSINGS)
    return bool(width >= MIN_SCRIBBLE_WIDTH and total >= MIN_CROSSINGS)


def may_be_bar(stroke: np.ndarray) -> bool:
    """Return whether a stroke is straight and nearly level, as the bar of a letter is."""
    width, height = np.ptp(stroke, axis=0)
    return bool(height < MAX_BAR_ASPECT * width and is_straight([stroke]))


def _is_hatch(strokes: Sequence[np.ndarray]) -> bool:
    """Return whether strokes are steep, straight and parallel, and as many as those of a hatch."""
    if len(strokes) < MIN_HATCH_STROKES or not all(is_straight([stroke]) for stroke in strokes):
        return False
    chords = np.array([stroke[-1] - stroke[0] for stroke in strokes])
    x, y = chords.T / np.hypot(*chords.T)
    # The sine of the angle between each two lines, in whichever direction they are drawn.
    sines = np.abs(x[1:] * y[:-1] - x[:-1] * y[1:])
    are_steep = np.abs(y) > MAX_BAR_ASPECT * np.abs(x)
    return bool(are_steep.all() and sines.max() < np.sin(np.radians(MAX_HATCH_ANGLE)))


def arrows(strokes: Sequence[np.ndarray]) -> Iterator[int]:
    """Yield the numbers of the strokes of arrows: a straight shaft with barbs in the same stroke or
    in the next stroke or two."""
    for number, stroke in enumerate(strokes):
        # The tip is the point that is furthest from the start; barbs go back from it.
        tip = int(np.hypot(*(stroke - stroke[0]).T).argmax())
        shaft = stroke[: tip + 1]
        if len(shaft) > 1 and _is_shaft(shaft) and _are_barbs(shaft, stroke[tip:]):
            yield number
        if not _is_shaft(stroke):
            continue
        for others in ([number + 1], [number + 1, number + 2]):
            if others[-1] < len(strokes):
                barbs = np.concatenate([strokes[other] for other in others])
                if _are_barbs(stroke, barbs) or _are_barbs(stroke[::-1], barbs):
                    yield from (number, *others)
                    break


def _is_shaft(stroke: np.ndarray) -> bool:
    """Return whether a stroke is straight and as long as a shaft; a steep one may be a letter's."""
    width, height = np.abs(stroke[-1] - stroke[0])
    return is_straight_line(stroke, MIN_STEEP_SHAFT_LENGTH if height > width else MIN_LINE_LENGTH)


def _are_barbs(shaft: np.ndarray, points: np.ndarray) -> bool:
    """Return whether `points` go back from the tip, the last point of a shaft, on both sides."""
    back = shaft[0] - shaft[-1]
    length = np.hypot(*back)
    along, aside = turned_back(points - shaft[-1], np.arctan2(back[1], back[0])).T
    distances = np.hypot(along, aside)
    if distances.max() >= min(MAX_BARB_FRACTION * length, MAX_BARB_LENGTH):
        return False
    if distances.min() > MAX_TIP_DISTANCE:
        return False
    ends = along[[aside.argmin(), aside.argmax()]]  # of the barbs on either side
    tip = along[np.abs(aside).argmin()]
    is_wide = aside.min() < -MIN_BARB and aside.max() > MIN_BARB
    return bool(is_wide and ends.min() > MIN_BARB + max(tip, 0.0))


def is_ring(stroke: np.ndarray) -> bool:
    """Return whether a stroke is a closed ring that has room for a word."""
    size = np.ptp(stroke, axis=0)
    opening = np.hypot(*(stroke[-1] - stroke[0]))
    if (size < MIN_WORD_RING_SIZE).any() or opening > MAX_RING_OPENING * size.min():
        return False
    x, y = (stroke - stroke[0]).T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2  # of the polygon (shoelace formula)
    # The circumference of an ellipse is about that of a circle of the mean diameter.
    is_round = path_along(stroke)[-1] < MAX_RING_LENGTH * np.pi * size.mean()
    return bool(is_round and area > MIN_RING_AREA * size.prod())


def _sides(stroke: np.ndarray) -> list[np.ndarray]:
    """Return the sides of a stroke, which is divided at its corners until the sides are straight or
    short."""
    is_short = np.ptp(stroke, axis=0).max() < MIN_RULE_LENGTH
    if is_short or is_straight_line(stroke, MAX_RULE_GAP):
        return [stroke]
    chord = stroke[-1] - stroke[0]
    x, y = (stroke - stroke[0]).T
    # The point that is furthest from the chord, or from the start where the stroke is closed.
    is_open = np.hypot(*chord) > MAX_RULE_GAP
    distances = np.abs(chord[0] * y - chord[1] * x) if is_open else np.hypot(x, y)
    corner = int(distances.argmax())
    return [*_sides(stroke[: corner + 1]), *_sides(stroke[corner:])]


def tables(strokes: Sequence[np.ndarray]) -> Iterator[tuple[set[int], np.ndarray, np.ndarray]]:
    """Yield the ruled tables of a page: level and upright rules that meet, of two cells or more.

    The shaft of an arrow is no rule. Each table is the numbers of the strokes of its rules, and the
    x and the y of the rules, each rising.
    """
    shafts = {*arrows(strokes)}
    level = []
    upright = []
    for number, stroke in enumerate(strokes):
        for side in () if number in shafts else _sides(_sampled(stroke)):
            width, height = np.ptp(side, axis=0)
            edges = (number, *side.min(axis=0), *side.max(axis=0))
            if width >= MIN_RULE_LENGTH and height < MAX_LINE_ASPECT * width:
                level.append(edges)
            elif height >= MIN_RULE_LENGTH and width < MAX_LINE_ASPECT * height:
                upright.append(edges)
    rules = np.array([*level, *upright]).reshape(-1, 5)
    if len(rules) > MAX_RULES:
        return
    is_level = np.arange(len(rules)) < len(level)
    numbers, left, top, right, bottom = rules.T
    gap_x = np.maximum(left[:, None] - right, left - right[:, None])
    gap_y = np.maximum(top[:, None] - bottom, top - bottom[:, None])
    meets = (np.maximum(gap_x, gap_y) < MAX_RULE_GAP) & (is_level[:, None] != is_level)
    # Rules that meet, directly or over others, get the same label: the least number among them.
    labels = np.arange(len(rules))
    for _ in rules:
        labels = np.where(meets, labels, labels[:, None]).min(axis=1)
    for label in np.unique(labels):
        # Underlines and arrows that meet only one rule of many are no rules.
        in_table = labels == label
        num_across = np.where(is_level, in_table[~is_level].sum(), in_table[is_level].sum())
        in_table &= meets[:, in_table].sum(axis=1) >= num_across / 2
        y = _apart((top + bottom)[in_table & is_level] / 2)
        x = _apart((left + right)[in_table & ~is_level] / 2)
        if min(len(x), len(y)) > 1 and len(x) + len(y) > 4:  # Four rules are a box.
            yield {*numbers[in_table].astype(int).tolist()}, x, y


def _apart(values: np.ndarray) -> np.ndarray:
    """Return values sorted, without those that closely follow another one."""
    values = np.sort(values)
    return values[np.diff(values, prepend=-np.inf) > MAX_RULE_GAP]


def list_mark(
    strokes: Sequence[np.ndarray], middle: float, max_corner_distance: float
) -> tuple[str, int]:
    """Return the mark of Markdown for the list's mark with which a row begins, and the number of
    the mark's strokes; "" and 0 without such a mark.

    Args:
        strokes: the row's strokes, `(n, 2)` each, by their left ends.
        middle: y of the row's middle.
        max_corner_distance: largest distance from a box's corners and sides to its ink, as a
            fraction of its side.
    """
    left, right = np.array([(stroke[:, 0].min(), stroke[:, 0].max()) for stroke in strokes]).T
    for count in range(1, min(MAX_BOX_STROKES, len(strokes)) + 1):
        if _is_box(strokes[:count], middle, max_corner_distance):
            box_right = right[:count].max()
            # Further strokes that begin within the box are its tick.
            end = int(np.searchsorted(left, box_right - MIN_MARK_GAP))
            if end < len(strokes) and left[end] - box_right >= MIN_MARK_GAP:
                return ("- [x]" if end > count else "- [ ]"), end
    width, height = np.ptp(strokes[0], axis=0)
    is_small = height <= MAX_BULLET_HEIGHT and width <= MAX_BULLET_WIDTH
    is_level = abs(strokes[0][:, 1].mean() - middle) < MAX_MARK_DEPTH
    is_dash = height < MAX_DASH_ASPECT * width
    is_bullet = is_small and is_level and (is_dash or width < MAX_BULLET_HEIGHT)
    if is_bullet and len(strokes) > 1 and left[1] - right[0] >= MIN_MARK_GAP:
        return "-", 1
    return "", 0


def _is_box(strokes: Sequence[np.ndarray], middle: float, max_corner_distance: float) -> bool:
    """Return whether strokes are the four sides of a box at the height of a row's middle."""
    points = np.concatenate(strokes)
    corner = points.min(axis=0)
    size = np.ptp(points, axis=0)
    low, high = BOX_SIZES
    if size.min() < low or size.max() > high or size.max() > MAX_BOX_ASPECT * size.min():
        return False
    if abs(corner[1] + size[1] / 2 - middle) > MAX_MARK_DEPTH:
        return False
    unit = (points - corner) / size
    to_corners = np.hypot(*(unit[:, None] - ((0, 0), (0, 1), (1, 0), (1, 1))).T)
    # All ink lies near the sides, which are drawn from end to end.
    to_sides = np.minimum(unit, 1 - unit).min(axis=1)
    return bool(max(to_corners.min(axis=1).max(), to_sides.max()) < max_corner_distance)
