"""Heads of `s` and `S`, which a pen that comes from a letter before, or from the baseline, leaves
out: they look like a `z`, a `2`, an `L` or a hook."""

from collections.abc import Sequence

import numpy as np

from apps.pages.letter_stems import begins_at, start_of_way
from apps.pages.letter_strokes import (
    HIGH_EXITS,
    MAX_LATE,
    MAX_SINKING,
    NUM_STEPS,
    TREMBLE,
    LetterStrokes,
    falls_of,
    late_part,
    x_at,
)
from ink.geometry import smooth_path

WAY_TO_S = 0.4  # x-heights of the end of the way to an `s` (by eye)
MAX_RISE_TO_S = 0.4
"""X-heights that this end rises, where the `s` looks like a `z` or a hook (by eye)."""
MIN_BELLY_OFFSET = 0.3
"""X-heights from the head of an `s` to the right side of its belly, if it has a head (by eye)."""
HEAD_DEPTHS = (0.15, 0.45)  # of the head of an `s` below its top, in its heights (by eye)
BELLY_DEPTHS = (0.55, 0.85)  # the same of its belly (by eye)
MAX_EXIT_FALL = 0.42
"""X-heights from the top of an `s` down to the exit of the letter before (by eye)."""
MIN_EXIT_WIDTH = 0.2  # x-heights from the letter before to the end of its exit (by eye)
HEAD_GAP = 0.13  # x-heights from such an exit to the head of an `s` that is drawn (by eye)
MAX_SHIFT = 0.8  # x-heights by which such an `s` moves (by eye: beyond it the `s` has a head)
LETTERS_WITH_BARS = {*"ft"}  # whose bar may go on to an `s`, apart from their stem
MIN_HEIGHTS = {"s": 0.85, "S": 1.7}  # x-heights of an `s` and `S` that are drawn (by eye)
S_WIDTH = 0.6  # heights of such an `s` (by eye)
S_SHAPE = ((0.93, 0.84), (0.58, 1.0), (0.12, 0.8), (0.46, 0.52), (0.95, 0.26))
"""An `s` from its head to above its foot: its widths from the left, heights from the foot (by eye).
"""
SHAPE_SPREAD = 0.035  # standard deviation of these measures, from `s` to `s` (by eye)


def with_heads(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters in which each `s` and `S` that begins a word, or is joined to the top or bar
    of a letter, begins a stroke with its head. What follows moves as far as the head needs. The
    arguments are as in `with_dots` of `letter_dots`."""
    letters = letters.copy()
    upright = np.array([[1.0, 0.0], [lean, 1.0]]) / x_height
    back = np.linalg.inv(upright)
    for index in letters.indices_of("".join(MIN_HEIGHTS)):
        number = letters.main_number(index)
        if number is None:
            continue
        stroke = letters.strokes[number]
        indices = letters.indices[number]
        beside = letters.strokes_apart(index - 1, number) @ upright
        text = letters.text[max(index - 1, 0) : index + 1]
        headed = _headed(stroke @ upright, late_part(indices, index), text, beside)
        if headed is None:
            continue
        part, way_out, path, shift = headed
        to_right = np.array([shift * x_height, 0.0])
        letters = letters.moved_behind(index, to_right, stroke[part.start, 0])
        before = np.concatenate([stroke[: part.start], way_out @ back])
        behind = np.concatenate([path @ back, stroke[part.stop :]]) + to_right
        letters.strokes[number] = behind
        letters.indices[number] = np.append(np.full(len(path), index), indices[part.stop :])
        if len(before):
            letters.strokes.insert(number, before)
            indices_before = np.append(indices[: part.start], np.full(len(way_out), index - 1))
            letters.indices.insert(number, indices_before)
    return letters


def _headed(
    stroke: np.ndarray, part: slice, text: str, beside: np.ndarray
) -> tuple[slice, np.ndarray, np.ndarray, float] | None:
    """Return the part of an upright stroke in x-heights from the letter before an `s` to the foot
    of the `s`; in its place the exit of that letter and, behind a gap, an `s` with a head; and by
    how much the `s` and what follows move to the right. None if the `s` has a head, or is none.

    Args:
        stroke: upright in x-heights, `(n, 2)`.
        part: of the stroke that is the `s`.
        text: the character before the `s`, if any, and the `s` or `S`.
        beside: points of that character in other strokes, as `stroke`.
    """
    ends = part.start - MAX_LATE, part.stop + MAX_LATE
    falls = [fall for fall in falls_of(stroke) if ends[0] <= np.mean(fall) < ends[1]]
    x, y = stroke.T
    fall = max(falls, key=lambda fall: y[fall.foot] - y[fall.top], default=None)
    if fall is None:
        return None
    height = y[fall.foot] - y[fall.top]
    # The way to the `s` may sink until the pen turns.
    num_high = int(np.argmax(y[fall.top :] > y[fall.top] + MAX_SINKING * height))
    top = fall.top + int(x[fall.top : fall.top + num_high].argmax())
    is_start = not text[:-1].isalpha() and begins_at(stroke, start_of_way(stroke, fall))
    is_joined_high = text[:-1] in HIGH_EXITS | {"r"} and _is_flat(stroke[: top + 1])
    head, belly = _head_and_belly(stroke[top : fall.foot + 1])
    if belly - head >= MIN_BELLY_OFFSET or not (is_start or is_joined_high):
        return None
    height = max(height, MIN_HEIGHTS[text[-1]])
    left = belly - S_WIDTH * height
    exit_part = slice(0, 0) if is_start else _exit(stroke, top, text[:-1])
    has_exit = exit_part.stop > 0
    before = np.concatenate([beside, stroke[: exit_part.start + has_exit]])
    is_near = (before[:, 1] >= y[top]) & (before[:, 1] <= y[fall.foot])
    edge = before[is_near, 0].max(initial=x[exit_part.start] if has_exit else -np.inf)
    shift = max(edge + HEAD_GAP + has_exit * MIN_EXIT_WIDTH - left, 0.0)
    if shift > MAX_SHIFT:  # The way turns back to a head.
        return None
    way_out = stroke[exit_part]
    if has_exit:
        way_out = _ended_at(way_out, left + shift - HEAD_GAP)
    path = _drawn_s(stroke[fall.foot], left, height, seed=[len(stroke), part.start])
    return slice(exit_part.start, fall.foot), way_out, path, shift


def _drawn_s(foot: np.ndarray, left: float, height: float, seed: Sequence[int]) -> np.ndarray:
    """Return the path of an `s` to its foot, which is no part of it. `seed`: of its shape, which
    varies."""
    to_right, rises = np.random.default_rng(seed).normal(S_SHAPE, SHAPE_SPREAD).T
    corners = np.stack([left + to_right * S_WIDTH * height, foot[1] - rises * height], 1)
    return smooth_path([*corners, foot], 2 * NUM_STEPS)[:-1]


def _head_and_belly(down: np.ndarray) -> tuple[float, float]:
    """Return the x of the left side of the head of an `s`, and of the right side of its belly, of
    the way down from its top to its foot."""
    top, foot = down[[0, -1], 1]
    head = x_at(down, top + np.linspace(*HEAD_DEPTHS, NUM_STEPS) * (foot - top))
    belly = x_at(down, top + np.linspace(*BELLY_DEPTHS, NUM_STEPS) * (foot - top))
    return float(head.min()), float(belly.max())


def _is_flat(way: np.ndarray) -> bool:
    """Return whether the end of a way to an `s` rises little, or falls."""
    x, y = (way[-1] - way[::-1]).T
    rise = np.interp(WAY_TO_S, np.maximum.accumulate(x), -y)
    return bool(rise < MAX_RISE_TO_S)


def _exit(stroke: np.ndarray, top: int, previous: str) -> slice:
    """Return the part of an upright stroke in x-heights in which the pen leaves the `previous`
    letter for the `top` of an `s`, to the right and hardly upwards; an empty one at the beginning
    of the stroke, if the letter is in another one, and the part is not its bar."""
    x, y = stroke[: top + 1].T
    is_exit = (y[:-1] < y[top] + MAX_EXIT_FALL) & (np.diff(x) > -TREMBLE)
    start = int(np.flatnonzero(~is_exit).max(initial=-1)) + 1
    begins = begins_at(stroke, start) and previous not in LETTERS_WITH_BARS
    return slice(0, 0) if begins else slice(start, top + 1)


def _ended_at(bar: np.ndarray, end: float) -> np.ndarray:
    """Return a way to the right up to x = `end`, shortened or prolonged."""
    x, y = bar.T
    return np.concatenate([bar[x < end], [[end, np.interp(end, np.maximum.accumulate(x), y)]]])
