"""Stems, arches and arms of letters that networks misform, in a stroke that may join others: `n`
and `v` like `u`, `u` like `v`, `r` like `v` or `n`, `t` like `A`, `w` like `n`, and `N`, `U` and
`W` like `M` or `N`."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from apps.pages.letter_strokes import (
    BAR_RISE,
    MAX_LAG,
    MIN_FALL,
    MIN_STEM_HEIGHT,
    NUM_POINTS,
    NUM_STEPS,
    Fall,
    LetterStrokes,
    falls_of,
    late_part,
    straight_part,
    turn_behind,
    x_at,
)
from ink.geometry import smooth_path

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
STEM_GAP = 0.6  # x-heights from the stem of an `r` to such a stem, at least (by eye)
MIN_STEM_GAP = 0.2  # x-heights of this gap as it is written, at least (by eye)
MAX_STEM_GAP = 1.15  # x-heights of this gap, beyond which the arm is no arch (by eye)
MAX_STEM_SLOPE = 0.35  # of such a stem, x over y (by eye)
CUT_ARM_SHAPE = ((0.0, 0.0), (0.03, 0.55), (0.1, 0.8), (0.28, 0.96), (0.48, 0.95))
"""The arm of an `r` before such a stem: widths from stem to stem, rises of the arm (by eye)."""
MIN_T_HEIGHT = 1.1  # x-heights of the stem of a `t` (by eye)
LEAD_RISES = (-0.25, 0.5)
"""Bounds on x-heights from the foot of a `t` up to where a way to it begins within a word (by eye:
a way from a tail, as of `y`, would make it an `f`)."""
MAX_FIRST_LEAD_GAP = 0.25
MAX_LEAD_GAP = 0.45
"""X-heights from a way to the stem of a `t`, at its bar, beyond which it looks like an `A`, at the
beginning of a word and within it (by eye: a narrower way looks natural)."""
MAX_LEAD_LAG = 4
"""Points by which a way begins before the letter's part of a stroke (measured: of 301 in 5 hands
299 do)."""
MAX_HOOK = 0.3  # x-heights of the start of a stroke (by eye)
MIN_WAY_HEIGHT = 0.5
"""Height of a way before the first way down of a `w`, and of its second one, in heights of the
first (by eye)."""
MEETING_RISE = 0.25  # x-heights from the foot of a `t` up to where a way meets its stem (by eye)
LEAD_BEND = 0.15  # of such a way downwards, in its rises (by eye)
MIN_V_HEIGHT = 0.6  # x-heights of a `v` that is made pointed (by eye)
MAX_END_DEPTH = 0.4  # of the second top of a `v` below its first, in its heights (by eye)
MAX_POINT_WIDTH = 0.45
"""Width of a `v` at a quarter of its height, in its widths, above which it is a `u` (by eye)."""
MIN_ROUND_WIDTH = 0.35  # least x-heights of this width (by eye: a narrow one would look like `r`)
MIN_SECOND_STEM = 0.7  # of its height that the second stem of a letter comes down (by eye)


def with_ended_arms(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters in which the arm of each `r` ends before the first stem of the next letter:
    where it goes on as this stem, "ri" looks like `n`. What follows moves as far as the arm needs.
    The arguments are as in `with_dots`."""
    letters = letters.copy()
    upright = np.array([[1.0, 0.0], [lean, 1.0]]) / x_height
    back = np.linalg.inv(upright)
    for index in letters.indices_of("r"):
        number = letters.main_number(index)
        if number is None or letters.text[index + 1 : index + 2] not in STEMS_BEHIND_ARMS:
            continue
        indices = letters.indices[number]
        stroke = letters.strokes[number]
        cut = _cut_arm(stroke @ upright, late_part(indices, index))
        if cut is None:
            continue
        part, branch, stem, shift = cut
        to_right = np.array([shift * x_height, 0.0])
        letters = letters.moved_behind(index, to_right, stroke[part.start, 0])
        behind = np.maximum(indices[part.stop :], index + 1)
        letters.strokes[number : number + 1] = [
            np.concatenate([stroke[: part.start], branch @ back]),
            np.concatenate([stem @ back, stroke[part.stop :] + to_right]),
        ]
        letters.indices[number : number + 1] = [
            np.concatenate([indices[: part.start], np.full(len(branch), index)]),
            np.concatenate([np.full(len(stem), index + 1), behind]),
        ]
    return letters


def arch(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights between the stems of an `n`, and the path
    of an arch in its place; None if the `n` has an arch, or its stems cannot be told."""
    stems = [pair for pair in pairwise(falls_of(stroke)) if _is_first_stem(pair[0], part)]
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


def arm(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights from the stem of an `r` to the end of its
    arm, and a path in its place that follows the stem first; None if the `r` has such an arm, or
    its stem cannot be told."""
    stem_and_top = _stem_of_r(stroke, part)
    if stem_and_top is None:
        return None
    stem, top = stem_and_top
    y = stroke[:, 1]
    height = y[stem.foot] - y[stem.top]
    rise = y[stem.foot] - y[top]
    down = stroke[stem.top : stem.foot + 1]
    up = stroke[stem.foot : top + 1]
    left, right = (x_at(way, y[stem.foot] - height / 2) for way in (down, up[::-1]))
    is_v = _is_within(right - left, ARM_GAPS) and rise >= MIN_ARM_RISE * height
    if not is_v or abs(top - part.stop) > MAX_ARM_LATE:
        return None
    length, path = _branch(down, stroke[[top]], rise, ARM_SHAPE, stroke[[top]])
    return slice(stem.top + length, top), path[:-1]


def _cut_arm(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray, np.ndarray, float] | None:
    """Return the part of an upright stroke in x-heights from the stem of an `r` to the first stem
    of the next letter; in its place an arm, and the top of this stem; and by how much the stem and
    what follows move to the right. None if the arm does not go on as this stem."""
    stem_and_top = _stem_of_r(stroke, part)
    if stem_and_top is None:
        return None
    stem, top = stem_and_top
    y = stroke[:, 1]
    end = turn_behind(y, top)
    rise = y[stem.foot] - y[top]
    down = stroke[stem.top : stem.foot + 1]
    up = stroke[stem.foot : top + 1]
    behind = stroke[top : end + 1]
    ways = down, up[::-1], behind
    left, middle, right = (x_at(way, y[stem.foot] - rise / 2) for way in ways)
    is_arch = y[end] - y[top] >= MIN_SECOND_STEM * rise and middle - left <= (right - left) / 2
    is_next = MIN_STEM_GAP <= right - left <= MAX_STEM_GAP and top <= part.stop + MAX_LAG
    if not (is_arch and is_next and rise >= MIN_STEM_HEIGHT):
        return None
    shift = max(STEM_GAP - float(right - left), 0.0)
    moved = behind + np.array([shift, 0.0])
    (x_low, y_low), slope = straight_part(moved)
    if abs(slope) > MAX_STEM_SLOPE:
        return None
    length, branch = _branch(down, moved, rise, CUT_ARM_SHAPE, stroke[:0])
    start = x_low + slope * (y[top] - y_low), y[top]
    num_top = int(np.argmax(behind[:, 1] >= y_low))
    next_stem = np.linspace(start, moved[num_top], NUM_POINTS)[:-1]
    return slice(stem.top + length, top + num_top), branch, next_stem, shift


def _stem_of_r(stroke: np.ndarray, part: slice) -> tuple[Fall, int] | None:
    """Return the stem of an `r` and the number of the highest point of its arm; None if the stem
    cannot be told."""
    stems = [fall for fall in falls_of(stroke) if _is_first_stem(fall, part)]
    if len(stems) != 1:
        return None
    return stems[0], turn_behind(-stroke[:, 1], stems[0].foot)


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
    (x_low, y_low), slope = straight_part(down)
    to_right, rises = np.transpose(shape)
    y = down[-1, 1] - rises * height
    x_stem = x_low + slope * (y - y_low)
    corners = np.stack([x_stem + to_right * (x_at(right, y) - x_stem), y], 1)
    foot = np.linspace((x_low, y_low), corners[0], NUM_POINTS)
    path = smooth_path([*corners, *corners_behind], NUM_STEPS)
    return int(np.argmax(down[:, 1] >= y_low)), np.concatenate([foot[:-1], path])


def start_of_t(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that leads up to a `t`, and nothing in its
    place; None if the stroke does not begin with it, or it is near the stem."""
    way = _way_and_stem(stroke, part, MAX_FIRST_LEAD_GAP)
    if way is None:
        return None
    low, stem = way
    return (slice(0, stem.top), stroke[:0]) if begins_at(stroke, low) else None


def way_to_t(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that leads up to the top of a `t`, and in
    its place a path that leads to the lower part of its stem and along it; None if the part is near
    the stem, or begins high or at a tail."""
    way = _way_and_stem(stroke, part, MAX_LEAD_GAP)
    if way is None:
        return None
    low, stem = way
    y = stroke[:, 1]
    if not _is_within(y[stem.foot] - y[low], LEAD_RISES):
        return None
    down = stroke[stem.top : stem.foot + 1]
    meeting = y[stem.foot] - MEETING_RISE
    corner = np.array([x_at(down, meeting), meeting])
    bend = (stroke[low] + corner) / 2 + (0.0, LEAD_BEND * (y[low] - meeting))
    before = stroke[max(low - 1, 0) : low + 1]
    path = smooth_path([*before, bend, corner], NUM_STEPS)[NUM_STEPS * (len(before) - 1) + 1 :]
    return slice(low + 1, stem.top), np.concatenate([path, down[down[:, 1] < meeting][:0:-1]])


def _way_and_stem(stroke: np.ndarray, part: slice, max_gap: float) -> tuple[int, Fall] | None:
    """Return the number of the point from which a way leads up to a `t`, and the stem of the `t`,
    if both and the bar close a triangle more than `max_gap` x-heights wide; else None."""
    falls = [fall for fall in falls_of(stroke) if part.start <= np.mean(fall) < part.stop]
    y = stroke[:, 1]
    stem = max(falls, key=lambda fall: y[fall.foot] - y[fall.top], default=None)
    if stem is None:
        return None
    low = start_of_way(stroke, stem)
    ways = stroke[low : stem.top + 1][::-1], stroke[stem.top : stem.foot + 1]
    foot = y[stem.foot]
    left, right = (x_at(way, foot - BAR_RISE) for way in ways)
    is_way = part.start - MAX_LEAD_LAG <= low < stem.top
    is_t = foot - y[stem.top] >= MIN_T_HEIGHT
    return (low, stem) if is_way and is_t and right - left > max_gap else None


def start_of_two_stems(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights that leads up to a `w`, `N`, `U` or `W`,
    and nothing in its place; None if the stroke does not begin with it, or the rest has no two ways
    down."""
    falls = [fall for fall in falls_of(stroke) if part.start - MAX_LAG <= fall.top < part.stop]
    if len(falls) != 2:
        return None
    y = stroke[:, 1]
    low = start_of_way(stroke, falls[0])
    heights = [y[fall.foot] - y[fall.top] for fall in falls]
    is_high = y[low] - y[falls[0].top] >= MIN_WAY_HEIGHT * heights[0]
    is_w = heights[1] >= MIN_WAY_HEIGHT * heights[0]
    if not (is_high and is_w and begins_at(stroke, low)):
        return None
    return slice(0, falls[0].top), stroke[:0]


def start_of_way(stroke: np.ndarray, stem: Fall) -> int:
    """Return the number of the point from which a stroke leads up to a stem."""
    return stem.top - turn_behind(stroke[stem.top :: -1, 1], 0)


def begins_at(stroke: np.ndarray, number: int) -> bool:
    """Return whether a stroke begins at a point, but for a hook."""
    return bool(np.ptp(stroke[: number + 1], axis=0).max() <= MAX_HOOK)


def point(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights from the first top of a `v` to its second,
    and a pointed one in its place; None if it is pointed, or the stroke is no `v`."""
    tops_and_foot = _tops_and_foot(stroke, part)
    if tops_and_foot is None:
        return None
    first, foot, top = tops_and_foot
    y = stroke[:, 1]
    height = y[foot] - y[first]
    if height < MIN_V_HEIGHT or y[foot] - y[top] < (1.0 - MAX_END_DEPTH) * height:
        return None
    x, depths = (stroke[first : top + 1] - stroke[foot]).T
    rises = np.append(depths[: foot - first] / depths[0], depths[foot - first :] / depths[-1])
    if np.ptp(x[rises <= 0.25]) <= max(MAX_POINT_WIDTH * np.ptp(x), MIN_ROUND_WIDTH):
        return None
    # A round bottom is as wide as the root of its height.
    pointed = np.stack([x * np.sqrt(rises.clip(0.0, 1.0)), depths], 1)
    return slice(first, top + 1), pointed + stroke[foot]


def _tops_and_foot(stroke: np.ndarray, part: slice) -> tuple[int, int, int] | None:
    """Return the numbers of the first top, the foot and the second top of a `v` or `u`; None if it
    has no way down."""
    falls = [fall for fall in falls_of(stroke) if part.start <= np.mean(fall) < part.stop]
    if not falls:
        return None
    first, foot = falls[0]
    return first, foot, turn_behind(-stroke[:, 1], foot)


def second_stem(stroke: np.ndarray, part: slice) -> tuple[slice, np.ndarray] | None:
    """Return the part of an upright stroke in x-heights behind the second top of a `u`, and a stem
    in its place; None if there is one, or the stroke is no `u`."""
    tops_and_foot = _tops_and_foot(stroke, part)
    if tops_and_foot is None:
        return None
    first, foot, top = tops_and_foot
    y = stroke[:, 1]
    last = turn_behind(y, top)
    is_u = min(y[foot] - y[first], y[foot] - y[top]) >= MIN_STEM_HEIGHT
    if not is_u or y[last] - y[top] >= MIN_SECOND_STEM * (y[foot] - y[top]):
        return None
    end = np.array([stroke[top, 0], stroke[foot, 1]])
    stem = np.linspace(stroke[top], end, NUM_POINTS)[1:]
    if last == len(stroke) - 1:
        return slice(top + 1, len(stroke)), stem
    # A high way out to the next letter begins at the foot of the stem, not beside its top.
    out = turn_behind(-y, last)
    way = np.linspace(end, stroke[out], NUM_POINTS)[1:-1]
    return slice(top + 1, out), np.concatenate([stem, way])


def _is_within(value: float, bounds: tuple[float, float]) -> bool:
    return bool(bounds[0] <= value <= bounds[1])
