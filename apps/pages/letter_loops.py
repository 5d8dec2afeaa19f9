"""Parts of letters that networks leave out or misform, in a stroke that may join others: loops of
`e`, which are narrow so that the pen fills them, rings of `o`, arches of `n`, arms of `r`,
ways up to `t`, and stems of `u`."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from apps.pages.letter_strokes import (
    BAR_RISE,
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
ARM_GAPS = (0.17, 0.48)
"""Bounds on x-heights from the stem of an `r` to an upstroke that makes it look like a `v`, at half
of its height (by eye: a page's pen, which is 0.18 wide, hides a narrower gap; beyond a wider one is
another letter)."""
MIN_ARM_RISE = 0.7  # of the height of the stem of an `r` that its arm rises (by eye)
MAX_ARM_LATE = 2  # points between the end of an arm and of its letter's part of a stroke (by eye)
ARM_SHAPE = ((0.0, 0.0), (0.03, 0.5), (0.3, 0.83), (0.65, 0.98), (1.0, 1.0))
"""The arm of an `r` from the foot of its stem on: widths of the `r`, rises of the arm (by eye)."""
STEMS_BEHIND_ARMS = {*"imnru"}  # letters that begin with a stem
STEM_GAPS = (0.6, 1.15)  # bounds on x-heights from the stem of an `r` to such a stem (by eye)
MAX_STEM_SLOPE = 0.35  # of such a stem, x over y (by eye)
CUT_ARM_SHAPE = ((0.0, 0.0), (0.03, 0.55), (0.1, 0.8), (0.28, 0.96), (0.48, 0.95))
"""The arm of an `r` before such a stem: widths from stem to stem, rises of the arm (by eye)."""
MIN_T_HEIGHT = 1.1  # x-heights of the stem of a `t` (by eye)
MAX_LEAD_RISE = 0.5  # x-heights from the foot of a `t` up to where a way to its top begins (by eye)
MAX_LEAD_GAP = 0.25  # x-heights from this way to the stem at its bar: beyond, it is an `A` (by eye)
MAX_LEAD_LAG = 4
"""Points by which this way begins before the letter's part of a stroke (measured: of 301 in 5 hands
299 do)."""
HIGH_ENDS = {*"bovw"}  # letters that lead to a `t` from their top, and end with a ring or a cup
MAX_HOOK = 0.3  # x-heights of the start of a stroke (by eye)
MIN_WAY_TO_W = 0.5  # of its first way down that a way before or behind it is high (by eye)
MEETING_RISE = 0.25  # x-heights from the foot of a `t` up to where a way meets its stem (by eye)
LOW_BARS = (0.1, 0.65)
"""X-heights from the foot of a `t` up to a bar that the pen makes next, and which would be too near
to such a way (by eye)."""
LEAD_BEND = 0.15  # of such a way downwards, in its rises (by eye)
MIN_SECOND_STEM = 0.7  # of its height that the second stem of a letter comes down (by eye)
MAX_LATE = 2  # points by which the top of a letter may be behind its part of a stroke (by eye)
NUM_STEPS = 4  # from each point of a drawn loop to the next (assumed)
NUM_PLACES = 15  # along each side of a loop, where circles are tried (assumed)


class Fall(NamedTuple):
    """A downward part of a stroke: the numbers of its highest and its lowest point."""

    top: int
    foot: int


def with_clear_parts(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters in which the loop of each `e` is open and the ring of each `o` is closed, as
    otherwise both look like a `c`; in which each `n` has an arch, unlike a `u`, each `u` a second
    stem and each `r` an arm beside its stem, unlike a `v`; and in which the way up to each `t` and
    its bar close no triangle, unlike those of an `A`. The arguments are as in `with_dots`."""
    letters = letters.copy()
    upright = np.array([[1.0, 0.0], [lean, 1.0]]) / x_height
    new_parts = {
        "e": _open_loop,
        "o": _lid,
        "n": _arch,
        "r": _arm,
        "t": _lead_in,
        "u": _second_stem,
        "w": _start_of_w,
    }
    for index in letters.indices_of("".join(new_parts)):
        number = _main_number(letters, index)
        letter = letters.text[index]
        if number is None or (letter == "t" and letters.text[index - 1 : index] in HIGH_ENDS):
            continue
        stroke = letters.strokes[number] @ upright
        part = late_part(letters.indices[number], index)
        change = new_parts[letter](stroke, part)
        if change is not None:
            part, path = change
            replace_part(letters, number, part, path @ np.linalg.inv(upright), index)
    return letters


def with_ended_arms(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters in which the arm of each `r` ends before the first stem of the next letter:
    where it goes on as this stem, "ri" looks like `n`. The arguments are as in `with_dots`."""
    letters = letters.copy()
    upright = np.array([[1.0, 0.0], [lean, 1.0]]) / x_height
    for index in letters.indices_of("r"):
        number = _main_number(letters, index)
        if number is None or letters.text[index + 1 : index + 2] not in STEMS_BEHIND_ARMS:
            continue
        indices = letters.indices[number]
        stroke = letters.strokes[number]
        cut = _cut_arm(stroke @ upright, late_part(indices, index))
        if cut is not None:
            part, arm, stem = cut
            behind = np.maximum(indices[part.stop :], index + 1)
            ways = [
                np.concatenate([stroke[: part.start], arm @ np.linalg.inv(upright)]),
                np.concatenate([stem @ np.linalg.inv(upright), stroke[part.stop :]]),
            ]
            letters.strokes[number : number + 1] = ways
            letters.indices[number : number + 1] = [
                np.concatenate([indices[: part.start], np.full(len(arm), index)]),
                np.concatenate([np.full(len(stem), index + 1), behind]),
            ]
    return letters


def _main_number(letters: LetterStrokes, index: int) -> int | None:
    """Return the number of the stroke with the most points of a character; None if it has none."""
    counts = [np.sum(indices == index) for indices in letters.indices]
    return int(np.argmax(counts)) if any(counts) else None


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
    stems = [pair for pair in pairwise(_falls(stroke)) if _is_first_stem(pair[0], part)]
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
    end = second.top + int(np.argmax(behind[:, 1] > foot - ARCH_SHAPE[-1][1] * height))
    length, path = _branch(down, behind, height, ARCH_SHAPE, stroke[[end]])
    return slice(first.top + length, end), path[:-1]


def _arm(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights from the stem of an `r` to the end of its
    arm, and a path in its place that follows the stem first; None if the `r` has such an arm, or
    its stem cannot be told."""
    stems = [fall for fall in _falls(stroke) if _is_first_stem(fall, part)]
    if len(stems) != 1:
        return None
    (stem,) = stems
    y = stroke[:, 1]
    top = _turn(-y, stem.foot)
    height = y[stem.foot] - y[stem.top]
    rise = y[stem.foot] - y[top]
    down = stroke[stem.top : stem.foot + 1]
    up = stroke[stem.foot : top + 1]
    left, right = (x_at(way, y[stem.foot] - height / 2) for way in (down, up[::-1]))
    is_v = ARM_GAPS[0] < right - left <= ARM_GAPS[1] and rise >= MIN_ARM_RISE * height
    if not is_v or abs(top - part.stop) > MAX_ARM_LATE:
        return None
    length, path = _branch(down, stroke[[top]], rise, ARM_SHAPE, stroke[[top]])
    return slice(stem.top + length, top), path[:-1]


def _cut_arm(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights from the stem of an `r` to the first stem
    of the next letter, and in its place an arm, and the top of this stem; None if the arm does not
    go on as this stem, or there is no room between them."""
    stems = [fall for fall in _falls(stroke) if _is_first_stem(fall, part)]
    if len(stems) != 1:
        return None
    (stem,) = stems
    y = stroke[:, 1]
    top = _turn(-y, stem.foot)
    end = _turn(y, top)
    rise = y[stem.foot] - y[top]
    down = stroke[stem.top : stem.foot + 1]
    up = stroke[stem.foot : top + 1]
    behind = stroke[top : end + 1]
    ways = down, up[::-1], behind
    left, middle, right = (x_at(way, y[stem.foot] - rise / 2) for way in ways)
    is_arch = y[end] - y[top] >= MIN_SECOND_STEM * rise and middle - left <= (right - left) / 2
    has_room = STEM_GAPS[0] <= right - left <= STEM_GAPS[1] and top <= part.stop + MAX_LAG
    if not (is_arch and has_room and rise >= MIN_STEM_HEIGHT):
        return None
    (x_low, y_low), slope = _straight(behind)
    if abs(slope) > MAX_STEM_SLOPE:
        return None
    length, arm = _branch(down, behind, rise, CUT_ARM_SHAPE, stroke[:0])
    start = x_low + slope * (y[top] - y_low), y[top]
    behind_top = top + int(np.argmax(behind[:, 1] >= y_low))
    next_stem = np.linspace(start, stroke[behind_top], NUM_POINTS)[:-1]
    return slice(stem.top + length, behind_top), arm, next_stem


def _is_first_stem(fall: Fall, part: slice) -> bool:
    """Return whether a fall of a stroke is the first stem of an `n` or an `r`, its `part`."""
    earliest, latest = part.start + np.multiply(FIRST_STEM, part.stop - part.start)
    return bool(earliest <= np.mean(fall) <= latest)


def _branch(
    down: np.ndarray,
    right: np.ndarray,
    height: float,
    shape: Sequence[tuple[float, float]],
    corners_behind: np.ndarray,
) -> tuple[int, np.ndarray]:
    """Return how many points of a stem remain, and a path behind them: a straight foot of the stem
    and a branch.

    Args:
        down: the stem `(n, 2)`, upright in x-heights.
        right: a way down `(n, 2)` to which the branch leads.
        height: of the branch, from the foot of the stem.
        shape: the corners of the branch: widths from the stem to `right`, heights.
        corners_behind: further corners, `(n, 2)`.
    """
    (x_low, y_low), slope = _straight(down)
    to_right, rises = np.transpose(shape)
    y = down[-1, 1] - rises * height
    x_stem = x_low + slope * (y - y_low)
    corners = np.stack([x_stem + to_right * (x_at(right, y) - x_stem), y], 1)
    foot = np.linspace((x_low, y_low), corners[0], NUM_POINTS)
    path = smooth_path([*corners, *corners_behind], NUM_STEPS)
    return int(np.argmax(down[:, 1] >= y_low)), np.concatenate([foot[:-1], path])


def _lead_in(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that leads up to the top of a `t`, and in
    its place a path that leads to the middle of its stem and along it, or nothing where the stroke
    begins; None if it does, or there is no such part."""
    falls = [fall for fall in _falls(stroke) if part.start <= np.mean(fall) < part.stop]
    y = stroke[:, 1]
    stem = max(falls, key=lambda fall: y[fall.foot] - y[fall.top], default=None)
    if stem is None:
        return None
    low = _start_of_way(stroke, stem)
    down = stroke[stem.top : stem.foot + 1]
    way = stroke[low : stem.top + 1]
    foot = y[stem.foot]
    left, right = (x_at(path, foot - BAR_RISE) for path in (way[::-1], down))
    is_lead = part.start - MAX_LEAD_LAG <= low < stem.top and foot - y[low] <= MAX_LEAD_RISE
    if not is_lead or right - left <= MAX_LEAD_GAP or foot - y[stem.top] < MIN_T_HEIGHT:
        return None
    if _begins_at(stroke, low):
        return slice(0, stem.top), stroke[:0]
    if LOW_BARS[0] <= foot - y[_turn(-y, stem.foot)] <= LOW_BARS[1]:
        return None
    meeting = foot - MEETING_RISE
    corner = np.array([x_at(down, meeting), meeting])
    bend = (stroke[low] + corner) / 2 + (0.0, LEAD_BEND * (y[low] - meeting))
    path = smooth_path([*stroke[low - 1 : low + 1], bend, corner], NUM_STEPS)[NUM_STEPS + 1 :]
    return slice(low + 1, stem.top), np.concatenate([path, down[down[:, 1] < meeting][:0:-1]])


def _start_of_w(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that leads up to a `w`, and nothing in its
    place; None if the stroke does not begin with it, or the rest has no two ways down."""
    falls = [fall for fall in _falls(stroke) if part.start - MAX_LAG <= fall.top < part.stop]
    if len(falls) != 2:
        return None
    y = stroke[:, 1]
    low = _start_of_way(stroke, falls[0])
    heights = [y[fall.foot] - y[fall.top] for fall in falls]
    is_high = y[low] - y[falls[0].top] >= MIN_WAY_TO_W * heights[0]
    is_w = heights[1] >= MIN_WAY_TO_W * heights[0]
    if not (is_high and is_w and _begins_at(stroke, low)):
        return None
    return slice(0, falls[0].top), stroke[:0]


def _start_of_way(stroke: np.ndarray, stem: Fall) -> int:
    """Return the number of the point from which a stroke leads up to a stem."""
    return stem.top - _turn(stroke[stem.top :: -1, 1], 0)


def _begins_at(stroke: np.ndarray, number: int) -> bool:
    """Return whether a stroke begins at a point, but for a hook."""
    return bool(np.ptp(stroke[: number + 1], axis=0).max() <= MAX_HOOK)


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
