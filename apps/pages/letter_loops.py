"""Parts of letters that networks leave out or misform, in a stroke that may join others: loops of
`e`, which are narrow so that the pen fills them, rings of `o`, arches of `n`, and stems of `u`."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from apps.pages.letter_strokes import (
    MAX_LAG,
    MIN_STEM_HEIGHT,
    NUM_POINTS,
    TREMBLE,
    LetterStrokes,
    crosses,
    late_part,
    replace_part,
    x_at,
)
from ink.geometry import smooth_path
from ink.measures import segments_cross

MIN_FALL = 0.35  # x-heights that the back of an `e` falls at least (by eye)
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
STRAIGHT_RISES = (0.65, 0.35)
"""From and to where the back of an `e` or a stem is straight, in its heights (by eye)."""
MIN_ENTRY_GAP = 0.1  # x-heights from the stroke before an `e` to its back (by eye)
ENTRY_SLOPE = 0.25  # x-heights by which this gap grows with a height of the `e` (by eye)
MAX_TOUCH = 0.2  # x-heights between points of a ring that is closed (a page's pen is 0.18 wide)
MAX_RING_GAP = 0.75  # x-heights of an open end of a ring (by eye)
MIN_RING_RISE = 0.25  # heights of a ring by which its end rises at least (by eye)
LID_BULGE = 0.15  # of the path that closes a ring, in widths of the gap (by eye)
MAX_ARCH_GAP = 0.4
"""Gap from the first stem of an `n` to its upstroke at half of its height, in widths of the letter,
above which it looks like a `u` (measured: of 198 `u` in 16 hands one has less than 0.6)."""
FIRST_STEM = (0.1, 0.5)
"""Where the middle of the first stem of an `n` is in its part of a stroke, at whose end the second
begins at last (measured: of 832 in 16 hands 94 % are)."""
MIN_ARCH_WIDTH = 0.15  # x-heights between the stems of an `n` (by eye)
ARCH_SHAPE = ((0.0, 0.0), (0.04, 0.55), (0.35, 0.93), (0.7, 1.0), (0.97, 0.75))
"""An arch from the foot of the first stem on: widths of the `n` from this stem, heights (by eye).
"""
MIN_SECOND_STEM = 0.7  # of its height that the second stem of a `u` comes down (by eye)
MAX_LATE = 2  # points by which the top of a letter may be behind its part of a stroke (by eye)
NUM_STEPS = 4  # from each point of a drawn loop to the next (assumed)
NUM_PLACES = 15  # along each side of a loop, where circles are tried (assumed)


class Fall(NamedTuple):
    """A downward part of a stroke: the numbers of its highest and its lowest point."""

    top: int
    foot: int


def with_clear_parts(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters in which the loop of each `e` is open and the ring of each `o` is closed, as
    otherwise both look like a `c`; in which each `n` has an arch, unlike a `u`, and each `u` a
    second stem, unlike a `v`. The arguments are as in `with_dots`."""
    letters = letters.copy()
    upright = np.array([[1.0, 0.0], [lean, 1.0]]) / x_height
    new_parts = {"e": _open_loop, "o": _lid, "n": _arch, "u": _second_stem}
    for index in letters.indices_of("".join(new_parts)):
        counts = [np.sum(indices == index) for indices in letters.indices]
        number = int(np.argmax(counts))
        if not counts[number]:
            continue
        stroke = letters.strokes[number] @ upright
        part = late_part(letters.indices[number], index)
        change = new_parts[letters.text[index]](stroke, part)
        if change is not None:
            part, path = change
            replace_part(letters, number, part, path @ np.linalg.inv(upright), index)
    return letters


def _lid(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the place in an upright stroke in x-heights at which the ring of an `o`, a part of the
    stroke, ends open, and the path that closes it; None if it is closed or no ring."""

    def num_inside(fall: Fall) -> int:
        return min(fall.foot, part.stop) - max(fall.top, part.start)

    fall = max(_falls(stroke), key=num_inside, default=None)
    if fall is None or num_inside(fall) <= 0:
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
    gap = gaps[nearest]
    if not MAX_TOUCH < gap <= MAX_RING_GAP:
        return None
    end = fall.foot + int(ends[nearest[1]])
    chord = np.stack([stroke[end], starts[nearest[0]]])
    middle = chord.mean(0)
    outwards = middle - stroke[fall.top : end + 1].mean(0)
    bulge = LID_BULGE * gap * outwards / max(np.linalg.norm(outwards), TREMBLE)
    lid = smooth_path([chord[0], middle + bulge, chord[1]], NUM_STEPS)
    if end < len(stroke) - 1:  # The pen goes back to where the stroke goes on.
        lid = np.concatenate([lid, lid[-2::-1]])
    return slice(end + 1, end + 1), lid[1:]


def _open_loop(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that is to be replaced to open the loop of
    an `e`, and the path in its place; None if the loop is open, or cannot be."""
    first = max(part.start - MAX_LAG, 0)  # the first point that may be of the letter
    ends = part.start - MAX_LATE, part.stop + MAX_LATE
    falls = [f for f in _falls(stroke) if ends[0] <= f.top and f.top + MAX_LATE <= ends[1]]
    widths = [_loop_width(stroke, first, fall) for fall in falls]
    if not falls or max(widths) >= MIN_LOOP_WIDTH:
        return None
    # The back of the letter is the fall of the widest loop, or else the last one.
    return _drawn_loop(stroke, first, falls[int(np.argmax(widths)) if any(widths) else -1])


def _falls(stroke: np.ndarray) -> Iterator[Fall]:
    """Yield the falls of a stroke in x-heights that are at least `MIN_FALL` high."""
    y = stroke[:, 1]
    down = np.diff(y) >= -TREMBLE
    edges = np.flatnonzero(np.diff(down, prepend=False, append=False))
    for start, last in edges.reshape(-1, 2):
        run = y[start : last + 1]
        if np.ptp(run) >= MIN_FALL:
            yield Fall(start + int(run.argmin()), start + int(run.argmax()))


def _loop(stroke: np.ndarray, first: int, fall: Fall) -> np.ndarray | None:
    """Return the corners of the loop that a fall ends, `(corners, 2)`, or None: the fall crosses
    the ink before it from the point `first` on, or comes near the start of its stroke."""
    up = stroke[first : fall.top + 1]
    down = stroke[fall.top : fall.foot + 1]
    if len(up) < 2:
        return None
    crossings = segments_cross(np.stack((up[:-1], up[1:]), 1), np.stack((down[:-1], down[1:]), 1))
    crossings[-1, 0] = False  # These segments meet at the top.
    before, behind = np.nonzero(crossings)
    if len(before):
        widest = (behind - before).argmax()
        return np.concatenate([up[before[widest] + 1 :], down[1 : behind[widest] + 1]])
    below = np.flatnonzero(down[:, 1] >= up[0, 1])
    if first > 0 or not len(below):
        return None
    edge = down[below[0], 0]
    is_near = abs(up[0, 0] - edge) <= MAX_START_GAP * (up[:, 0].max() - edge)
    return np.concatenate([up, down[1 : below[0] + 1]]) if is_near else None


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
    (x_low, y_low), slope = _straight(down)

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


def _arch(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights between the stems of an `n`, and the path
    of an arch in its place; None if the `n` has an arch, or its stems cannot be told."""
    earliest, latest = part.start + np.multiply(FIRST_STEM, part.stop - part.start)
    pairs = pairwise(_falls(stroke))
    stems = [pair for pair in pairs if earliest <= np.mean(pair[0]) <= latest]
    if len(stems) != 1 or stems[0][1].top > part.stop:
        return None
    ((first, second),) = stems
    foot = stroke[first.foot, 1]
    height = foot - stroke[second.top, 1]
    down = stroke[first.top : first.foot + 1]
    up = stroke[first.foot : second.top + 1]
    behind = stroke[second.top : second.foot + 1]
    left, middle, right = (x_at(way, foot - height / 2) for way in (down, up[::-1], behind))
    width = right - left
    if height < MIN_FALL or width < MIN_ARCH_WIDTH or middle - left <= MAX_ARCH_GAP * width:
        return None
    (x_low, y_low), slope = _straight(down)
    to_right, rises = np.transpose(ARCH_SHAPE)
    y = foot - rises * height
    x_stem = x_low + slope * (y - y_low)
    corners = np.stack([x_stem + to_right * (x_at(behind, y) - x_stem), y], 1)
    stem = np.linspace((x_low, y_low), corners[0], NUM_POINTS)
    start = first.top + int(np.argmax(down[:, 1] >= y_low))
    end = second.top + int(np.argmax(behind[:, 1] > y[-1]))
    path = smooth_path([*corners, stroke[end]], NUM_STEPS)
    return slice(start, end), np.concatenate([stem[:-1], path[:-1]])


def _second_stem(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights behind the second top of a `u`, and a stem
    in its place; None if there is one, or the stroke is no `u`."""
    y = stroke[:, 1]
    falls = [fall for fall in _falls(stroke) if part.start <= np.mean(fall) < part.stop]
    if not falls:
        return None
    first, foot = falls[0]
    top = _turn(-y, foot)
    last = _turn(y, top)
    is_u = min(y[foot] - y[first], y[foot] - y[top]) >= MIN_STEM_HEIGHT
    if not is_u or y[last] - y[top] >= MIN_SECOND_STEM * (y[foot] - y[top]):
        return None
    end = np.array([stroke[top, 0], stroke[foot, 1]])
    stem = np.linspace(stroke[top], end, NUM_POINTS)[1:]
    if last == len(stroke) - 1:
        return slice(top + 1, len(stroke)), stem
    # A high way out to the next letter begins at the foot of the stem, not beside its top.
    out = _turn(-y, last)
    way = np.linspace(end, stroke[out], NUM_POINTS)[1:-1]
    return slice(top + 1, out), np.concatenate([stem, way])


def _turn(heights: np.ndarray, start: int) -> int:
    """Return the number of the point up to which values grow from `start` on, but for falls of at
    most `TREMBLE`."""
    highest = start
    for number in range(start + 1, len(heights)):
        if heights[number] < heights[highest] - TREMBLE:
            break
        if heights[number] > heights[highest]:
            highest = number
    return highest


def _straight(down: np.ndarray) -> tuple[tuple[float, float], float]:
    """Return the end of the straight part of a way down, and the slope of this part, x over y."""
    foot = down[-1, 1]
    y_high, y_low = foot - (foot - down[0, 1]) * np.array(STRAIGHT_RISES)
    x_high, x_low = x_at(down, (y_high, y_low))
    return (x_low, y_low), (x_low - x_high) / (y_low - y_high)
