"""Parts of letters that networks leave out or misform, in a stroke that may join others: loops of
`e`, which are narrow so that the pen fills them, rings of `o`, bowls of `d`, and what
`letter_stems` repairs."""

from collections.abc import Callable, Sequence

import numpy as np

from apps.pages.letter_stems import (
    arch,
    arm,
    point,
    second_stem,
    start_of_t,
    start_of_two_stems,
    start_of_way,
)
from apps.pages.letter_strokes import (
    MAX_LAG,
    MAX_LATE,
    NUM_STEPS,
    STRAIGHT_RISES,
    TREMBLE,
    Fall,
    LetterStrokes,
    crosses,
    falls_of,
    late_part,
    replace_part,
    straight_part,
    turn_behind,
    x_at,
)
from ink.geometry import smooth_path
from ink.measures import segments_cross

NewPart = Callable[[np.ndarray, slice], tuple[slice, np.ndarray] | None]
"""From an upright stroke in x-heights `(n, 2)` and the part of it that is a letter to the part that
is to be replaced, and a path in its place; or None."""

MIN_LOOP_WIDTH = 0.24
"""X-heights of a circle that fits into the loop of a legible `e` (by eye: a page's pen, which is
0.18 wide, fills a narrower one)."""
LOOP_WIDTH = 0.42  # x-heights from the back to the right of a loop that is drawn (by eye)
MAX_START_GAP = 0.6
"""Gap from the start of an `e` that begins a stroke to its back, in widths of its loop (by eye: a
`c` begins farther from its back)."""
LOOP_SHAPE = ((0.0, 0.35), (1.0, 0.7), (0.55, 1.0), (0.05, 0.85))
"""A loop from its crossing on: its widths from the back, heights of the `e` from the foot (by eye).
"""
MIN_ENTRY_GAP = 0.1  # x-heights from the stroke before an `e` to its back (by eye)
ENTRY_SLOPE = 0.25  # x-heights by which this gap grows with a height of the `e` (by eye)
MAX_TOUCH = 0.2  # x-heights between points of a ring that is closed (a page's pen is 0.18 wide)
MAX_RING_GAP = 0.75  # x-heights of an open end of a ring (by eye)
MIN_RING_RISE = 0.25  # heights of a ring by which its end rises at least (by eye)
LID_BULGE = 0.15  # of the path that closes a ring, in widths of the gap (by eye)
MIN_HALF_RING = 0.12
"""X-heights of a circle that fits between the left side of a ring and a way through the ring, which
then looks like the bar of an `ø` (by eye)."""
MAX_RING_HEIGHT = 1.5  # x-heights of the ring of an `o` (by eye: the loop of an `l` is higher)
MIN_D_HEIGHT = 1.2  # x-heights of the stem of a `d` (by eye)
HEAD_OF_D = 0.4  # heights of the bowl of a `d` from its top down to where it begins (by eye)
NUM_PLACES = 15  # along each side of a loop, where circles are tried (assumed)


def with_clear_parts(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters in which the loop of each `e` is open and the ring of each `o` is closed, as
    otherwise both look like a `c`, and no way halves the ring, unlike an `ø`; in which the bowl of
    each `d` is closed, unlike "cl", and each `v` pointed, unlike a `u`; in which each `n` has an
    arch, unlike a `u`, each `u` a second stem and each `r` an arm beside its stem, unlike a `v`;
    and in which no way leads up to a letter that begins a word: a `t` would look like `A`, a `w`
    like `n`, `N` and `U` like `M`, a `W` like `N`. The arguments are as in `with_dots`."""
    letters = letters.copy()
    for index in letters.indices_of("".join(NEW_PARTS | STARTS)):
        begins_word = not letters.text[index - 1 : index].isalpha()
        new_parts = NEW_PARTS | STARTS if begins_word else NEW_PARTS
        for new_part in new_parts.get(letters.text[index], []):
            repair_part(letters, index, x_height, lean, new_part)
    return letters


def repair_part(
    letters: LetterStrokes, index: int, x_height: float, lean: float, new_part: NewPart
) -> None:
    """Put the new part of a character in the place of its ink, see `NewPart`, if it has one."""
    number = letters.main_number(index)
    if number is None:
        return
    upright = np.array([[1.0, 0.0], [lean, 1.0]]) / x_height
    part = late_part(letters.indices[number], index)
    change = new_part(letters.strokes[number] @ upright, part)
    if change is not None:
        part, path = change
        replace_part(letters, number, part, path @ np.linalg.inv(upright), index)


def _way_to_ring(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that leads through the ring of an `o` to
    its top, and in its place a path up its left side; None if no way halves a ring."""
    fall = _left_side(stroke, part)
    loop = None if fall is None else _crossing(stroke, start_of_way(stroke, fall), fall)
    if fall is None or loop is None or circle_width(stroke[loop]) < MIN_HALF_RING:
        return None
    y = stroke[:, 1]
    middle = (y[fall.top] + y[loop].max()) / 2
    has_right_side = y[turn_behind(-y, fall.foot)] <= middle
    if not has_right_side or y[fall.foot] - y[fall.top] > MAX_RING_HEIGHT:
        return None
    return slice(loop.start, fall.top), stroke[loop.stop - 1 : fall.top : -1]


def _left_side(stroke: np.ndarray, part: slice) -> Fall | None:
    """Return the fall of a stroke that is the left side of the ring of an `o`, its `part`; None if
    there is none."""

    def num_inside(fall: Fall) -> int:
        return min(fall.foot, part.stop) - max(fall.top, part.start)

    fall = max(falls_of(stroke), key=num_inside, default=None)
    return None if fall is None or num_inside(fall) <= 0 else fall


def _lid(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the place in an upright stroke in x-heights at which the ring of an `o`, a part of the
    stroke, ends open, and the path that closes it; None if it is closed or no ring."""
    fall = _left_side(stroke, part)
    if fall is None:
        return None
    falls_again = np.diff(stroke[fall.foot :, 1], append=np.inf) >= TREMBLE
    summit = fall.foot + int(falls_again.argmax())
    before = stroke[max(fall.top - MAX_LAG, 0) : fall.foot + 1]
    behind = stroke[fall.foot : summit + 1 + MAX_LAG]
    foot = stroke[fall.foot, 1]
    rise = MIN_RING_RISE * (foot - stroke[fall.top, 1])
    if foot - stroke[summit, 1] < rise or crosses([before], [behind]):
        return None
    starts = before[before[:, 1] <= foot - 2 * rise]
    ends = np.flatnonzero(behind[:, 1] <= foot - rise)
    gaps = np.linalg.norm(starts[:, None] - behind[ends], axis=2)
    nearest = np.unravel_index(gaps.argmin(), gaps.shape)
    if not MAX_TOUCH < gaps[nearest] <= MAX_RING_GAP:
        return None
    end = fall.foot + int(ends[nearest[1]])
    lid = _bridge(stroke[end], starts[nearest[0]], stroke[fall.top : end + 1].mean(0))
    if end < len(stroke) - 1:  # The pen goes back to where the stroke goes on.
        lid = np.concatenate([lid, lid[-2::-1]])
    return slice(end + 1, end + 1), lid[1:]


def _bridge(start: np.ndarray, end: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the path that closes a ring, from a point to another: it is bent away from a point
    that is inside."""
    middle = (start + end) / 2
    outwards = middle - inside
    bulge = LID_BULGE * np.linalg.norm(end - start) * outwards
    corners = [start, middle + bulge / max(np.linalg.norm(outwards), TREMBLE), end]
    return smooth_path(corners, NUM_STEPS)


def _way_to_stem(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the place in an upright stroke in x-heights at which the bowl of a `d` begins open,
    and the path from its stem, or there and back; None if it is closed, or there is no `d`."""
    ends = part.start - MAX_LATE, part.stop + MAX_LATE
    falls = [fall for fall in falls_of(stroke) if ends[0] <= np.mean(fall) < ends[1]]
    y = stroke[:, 1]
    if len(falls) < 2 or y[falls[-1].foot] - y[falls[-1].top] < MIN_D_HEIGHT:
        return None
    bowl, stem = falls[-2:]
    first = max(start_of_way(stroke, bowl), part.start - MAX_LAG, 0)
    high = y[bowl.top] + HEAD_OF_D * (y[bowl.foot] - y[bowl.top])
    heads = first + np.flatnonzero(y[first : bowl.foot] <= high)
    sides = stroke[bowl.foot : stem.top + 1][::-1], stroke[stem.top : stem.foot + 1]
    edges = np.min([x_at(side, y[heads]) for side in sides], axis=0)
    gaps = edges - stroke[heads, 0]
    nearest = int(gaps.argmin())
    if not MAX_TOUCH < gaps[nearest] <= MAX_RING_GAP:
        return None
    head = int(heads[nearest])
    meeting = np.array([edges[nearest], y[head]])
    way = _bridge(meeting, stroke[head], stroke[bowl.top : stem.top].mean(0))
    if head == 0:
        return slice(0, 0), way[:-1]
    return slice(head + 1, head + 1), np.concatenate([way[-2::-1], way[1:]])


def _open_loop(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that is to be replaced to open the loop of
    an `e`, and the path in its place; None if the loop is open, or cannot be."""
    first = max(part.start - MAX_LAG, 0)  # the first point that may be of the letter
    ends = part.start - MAX_LATE, part.stop + MAX_LATE
    falls = [f for f in falls_of(stroke) if ends[0] <= f.top and f.top + MAX_LATE <= ends[1]]
    widths = [_loop_width(stroke, first, fall) for fall in falls]
    if not falls or max(widths) >= MIN_LOOP_WIDTH:
        return None
    # The back of the letter is the fall of the widest loop, or else the last one.
    return _drawn_loop(stroke, first, falls[int(np.argmax(widths)) if any(widths) else -1])


def _loop(stroke: np.ndarray, first: int, fall: Fall) -> np.ndarray | None:
    """Return the corners of the loop that a fall ends, `(corners, 2)`, or None: the fall crosses
    the ink before it from the point `first` on, or comes near the start of its stroke."""
    up = stroke[first : fall.top + 1]
    down = stroke[fall.top : fall.foot + 1]
    if len(up) < 2:
        return None
    crossed = _crossing(stroke, first, fall)
    if crossed is not None:
        return stroke[crossed]
    below = np.flatnonzero(down[:, 1] >= up[0, 1])
    if first > 0 or not len(below):
        return None
    edge = down[below[0], 0]
    is_near = abs(up[0, 0] - edge) <= MAX_START_GAP * (up[:, 0].max() - edge)
    return np.concatenate([up, down[1 : below[0] + 1]]) if is_near else None


def _crossing(stroke: np.ndarray, first: int, fall: Fall) -> slice | None:
    """Return the largest part of a stroke from the point `first` on that a fall ends by crossing
    its way up, or None."""
    up = stroke[first : fall.top + 1]
    down = stroke[fall.top : fall.foot + 1]
    crossings = segments_cross(np.stack((up[:-1], up[1:]), 1), np.stack((down[:-1], down[1:]), 1))
    crossings[-1:, 0] = False  # These segments meet at the top.
    before, behind = np.nonzero(crossings)
    if not len(before):
        return None
    widest = (behind - before).argmax()
    return slice(first + int(before[widest]) + 1, fall.top + int(behind[widest]) + 1)


def _loop_width(stroke: np.ndarray, first: int, fall: Fall) -> float:
    """Return the width of the loop that a fall ends, see `circle_width`; 0 without a loop."""
    loop = _loop(stroke, first, fall)
    return 0.0 if loop is None else circle_width(loop)


def circle_width(corners: np.ndarray) -> float:
    """Return the diameter of about the largest circle that fits into a polygon `(corners, 2)`."""
    sides = zip(corners.min(0), corners.max(0), strict=True)
    x, y = np.meshgrid(*(np.linspace(*side, NUM_PLACES + 2)[1:-1] for side in sides))
    centres = np.stack([x.ravel(), y.ravel()], 1)  # C, 2
    edges = np.roll(corners, -1, 0) - corners  # E, 2
    offsets = centres[:, None] - corners  # C, E, 2
    lengths = np.maximum((edges**2).sum(1), np.finfo(float).tiny)
    along = np.clip((offsets * edges).sum(2) / lengths, 0.0, 1.0)  # C, E
    distances = np.linalg.norm(offsets - along[..., None] * edges, axis=2).min(1)
    # A centre is inside if an odd number of edges is to the right of it.
    is_below = corners[:, 1] > centres[:, 1:]
    spans_height = is_below != np.roll(is_below, -1, 1)
    rises = np.where(edges[:, 1] == 0.0, 1.0, edges[:, 1])
    is_right = offsets[..., 0] < edges[:, 0] * offsets[..., 1] / rises
    is_inside = (spans_height & is_right).sum(1) % 2 == 1
    return 2 * float(distances[is_inside].max(initial=0.0))


def _drawn_loop(stroke: np.ndarray, first: int, fall: Fall) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that the loop of an `e` replaces, and the
    path of the loop; None if there is no room for it before the back of the `e`."""
    down = stroke[fall.top : fall.foot + 1]
    foot = down[-1, 1]
    height = foot - down[0, 1]
    (x_low, y_low), slope = straight_part(down)

    up = stroke[first : fall.top]
    gaps = x_low + slope * (up[:, 1] - y_low) - up[:, 0]  # to the back, extended both ways
    rises = np.maximum(y_low - up[:, 1], 0.0) / height
    clear = np.flatnonzero(gaps >= MIN_ENTRY_GAP + ENTRY_SLOPE * rises)
    if not len(clear) and first > 0:
        return None
    start = first + int(clear[-1]) + 1 if len(clear) else 0
    end = fall.top + int(np.argmax(down[:, 1] >= foot - height * STRAIGHT_RISES[0]))

    to_right, rises = np.transpose(LOOP_SHAPE)
    y = foot - rises * height
    x = x_low + slope * (y - y_low) + to_right * LOOP_WIDTH
    before = stroke[max(start - 1, 0) : start]
    path = smooth_path([*before, *np.stack([x, y], 1), stroke[end]], NUM_STEPS)
    return slice(start, end), path[len(before) : -1]


NEW_PARTS: dict[str, Sequence[NewPart]] = {
    "d": [_way_to_stem],
    "e": [_open_loop],
    "o": [_way_to_ring, _lid],
    "n": [arch],
    "r": [arm],
    "u": [second_stem],
    "v": [point],
}
"""For each letter, the functions that repair it, one behind another."""
STARTS: dict[str, Sequence[NewPart]] = {
    "N": [start_of_two_stems],
    "U": [start_of_two_stems],
    "W": [start_of_two_stems],
    "t": [start_of_t],
    "w": [start_of_two_stems],
}
"""The same at the beginning of a word."""
