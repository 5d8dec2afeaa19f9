"""The ink of written words as a network learns it: with repairs that look as if a pen made them.

Pages draw what a network left out when a word is written: its marks come last, its bars are
straight, and its points are near each other. Here a mark comes directly behind its letter, as in
composed lines, because a network has forgotten the place of a letter that is long past. What is
drawn gets the speed and the tremor of a pen.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from apps.pages.drawn_signs import MIN_REST
from apps.pages.letter_strokes import MIN_ALONE, late_part
from apps.pages.marks import MARKED
from apps.pages.written_word import WrittenWord
from ink.geometry import at_equal_steps, path_along

SLOW_RATIO = 0.36
"""Ratio to the pen's usual step below which the steps of a run are those of a drawing (by eye)."""
SLOW_STEPS = 5  # least steps of such a run (as above)
MIN_SLOW_PATH = 0.25  # x-heights of such a run: on a shorter one the pen rests (by eye)
DRAWN_RATIO = 0.7  # ratio to the usual step of the steps that such a run gets (by eye)
MAX_STEP = 0.7  # x-heights (measured: 99 % of the steps of `writer` are shorter)
MAX_BEND = 0.002  # x-heights from three points to equal steps on a line: a pen bends more (by eye)
TREMOR = 0.012  # x-heights, standard deviation of points that were on such a line (assumed)


def as_by_pen(word: WrittenWord, step: float, generator: np.random.Generator) -> WrittenWord:
    """Return a word in x-heights without `indices`, each mark behind its letter, and drawn parts as
    if made by a pen with a usual `step`."""
    strokes = []
    for stroke in marks_behind_letters(word):
        even = within_speed(at_speed(stroke, step))
        strokes.append(with_tremor(even, generator))
    return replace(word, strokes=tuple(strokes), indices=())


def marks_behind_letters(word: WrittenWord) -> list[np.ndarray]:
    """Return the strokes of a word in the order of its letters: where a stroke goes on behind a
    letter with a mark, the stroke is cut, and the mark comes before the rest."""
    strokes: list[tuple[np.ndarray, np.ndarray]] = []
    marks: dict[int, list[np.ndarray]] = {}  # by index, those of letters at which a stroke goes on
    joined: set[int] = set()
    for stroke, indices in zip(word.strokes, word.indices, strict=True):
        index = int(indices[0])
        if index in joined and (indices == index).all():
            marks[index].append(stroke)
            continue
        strokes.append((stroke, indices))
        for letter in {*indices.tolist()}:
            goes_on = indices.max() > letter and np.mean(indices == letter) <= MIN_ALONE
            if word.text[letter] in MARKED and goes_on:
                joined.add(letter)
                marks.setdefault(letter, [])
    ordered: list[np.ndarray] = []
    for number, (stroke, indices) in enumerate(strokes):
        start = 0
        for letter in sorted({*indices.tolist()} & marks.keys()):
            if any(letter in later for _, later in strokes[number + 1 :]):
                continue  # The letter has another stroke.
            stop = late_part(indices, letter).stop
            if _is_ink(stroke[start:stop]) and _is_ink(stroke[stop - 1 :]):
                ordered.append(stroke[start:stop])
                start = stop - 1  # The rest begins where the pen left the letter.
            ordered += marks.pop(letter)
        ordered.append(stroke[start:])
    return ordered + [mark for left in marks.values() for mark in left]


def _is_ink(part: np.ndarray) -> bool:
    """Return whether a part of a stroke is more than the end of a letter."""
    return len(part) > 1 and np.ptp(part, axis=0).max() >= MIN_REST


def at_speed(stroke: np.ndarray, step: float) -> np.ndarray:
    """Return a stroke in which runs of drawn points have `DRAWN_RATIO` of the pen's usual step."""
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    is_slow = steps < SLOW_RATIO * step
    edges = np.flatnonzero(np.diff(is_slow, prepend=False, append=False)).reshape(-1, 2)
    parts = []
    end = 0
    for first, last in edges.tolist():  # points
        run = stroke[first : last + 1]
        path = path_along(run)
        if last - first < SLOW_STEPS or path[-1] < MIN_SLOW_PATH:
            continue
        num_steps = max(round(path[-1] / (DRAWN_RATIO * step)), 1)
        parts += [stroke[end:first], at_equal_steps(run, path, num_steps)]
        end = last + 1
    return np.concatenate([*parts, stroke[end:]])


def within_speed(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke with further points where two are more than `MAX_STEP` apart."""
    parts: list[np.ndarray] = [stroke[:1]]
    for start, stop in pairwise(stroke):
        count = int(np.ceil(np.hypot(*(stop - start)) / MAX_STEP))
        parts.append(np.linspace(start, stop, max(count, 1) + 1)[1:])
    return np.concatenate(parts)


def with_tremor(stroke: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a stroke whose points at equal steps on a line have the tremor of a pen."""
    if len(stroke) < 3:
        return stroke
    bends = np.hypot(*np.diff(stroke, 2, axis=0).T)
    is_exact = np.pad(bends < MAX_BEND, 1)
    is_exact[:-1] |= is_exact[1:]
    is_exact[1:] |= is_exact[:-1]
    return stroke + TREMOR * is_exact[:, None] * generator.standard_normal(stroke.shape)


def least_joined_left_out(ratios: Sequence[float], limit: float) -> list[bool]:
    """Return which words stay so that their mean strokes per letter are at most a limit: those
    with the most strokes are left out. NaN stands for a word that does not show it, and stays."""
    stays = [True] * len(ratios)
    known = sorted((ratio, number) for number, ratio in enumerate(ratios) if not np.isnan(ratio))
    total = sum(ratio for ratio, _ in known)
    while known and total > limit * len(known):
        ratio, number = known.pop()
        total -= ratio
        stays[number] = False
    return stays
