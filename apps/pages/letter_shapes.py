"""Shapes of letters and digits that networks misform, so that people take them for others."""

import math

import numpy as np

from apps.pages.letter_strokes import (
    MIN_POINT_FRACTION,
    MIN_STEM_HEIGHT,
    NUM_POINTS,
    TREMBLE,
    LetterStrokes,
    crosses,
    is_crossed,
    is_flat,
    late_part,
    replace_part,
)
from data_loader.pen_paths import touching_shift
from ink.geometry import smooth_path
from ink.measures import at_steps

BAR_TILT = 0.05  # rise of the bar of a `5`, in heights of the `5` (by eye)
MIN_FIVE_BAR_WIDTH = 0.3  # least width of the bar of a `5`, in heights of the `5` (by eye)
WAIST = 0.4  # depth of the end of the stem below the top, in heights of a `5` (by eye)
MIN_BELLY_DEPTH = 0.55  # least depth of the belly below the top, in heights of a `5` (by eye)
MAX_X_HEIGHT = 1.6  # x-heights of a stroke of an `x` (by eye)
CROSS_SIDE = 0.28  # x-heights from the middle of an `x` to the ends of its first stroke (by eye)
CROSS_WIDTH = 0.4  # the same of its second stroke (by eye)
MIN_MISSING_LEG = 0.12  # heights of an `A` by which its left leg is lengthened at least (by eye)
MAX_MISSING_LEG = 0.55  # heights of an `A` by which its left leg is lengthened at most (by eye)
OPENINGS = {"e": 0.75, **dict.fromkeys("bhklt", 1.05)}
"""X-heights to each letter whose upstroke would close a `c` that is joined to it (by eye)."""
DENSE_STEP = 0.05  # x-heights between points whose distances are measured (assumed)
OPENING_RISE = 0.45  # x-heights from the foot of a `c` up to its opening (by eye)
MAX_BAR_RISE = 0.8  # x-heights from the stem of a capital up to its bar (by eye)
MAX_BAR_OFFSET = 0.35  # x-heights from the left end of a bar to the stem where it begins (by eye)
MAX_FLAG = 0.38  # of the flag of a `1` below its top, in heights of the `1` (by eye)


def with_legs(letters: LetterStrokes) -> LetterStrokes:
    """Return letters in which the left leg of each `A` that begins with it reaches the height of
    the other foot: networks often begin too high, and the letter seems to stand above its line."""
    letters = letters.copy()
    for index in letters.indices_of("A"):
        for number in letters.numbers_of(index)[:1]:
            stroke = letters.strokes[number]
            indices = letters.indices[number]
            y = np.where(indices == index, stroke[:, 1], np.nan)
            top = np.nanargmin(y)
            height = np.nanmax(y) - np.nanmin(y)
            rise = stroke[0, 1] - stroke[top, 1]
            missing = np.nanmax(y[top:]) - stroke[0, 1]
            is_short = MIN_MISSING_LEG * height <= missing <= MAX_MISSING_LEG * height
            begins_at_foot = stroke[: top + 1, 1].max() == stroke[0, 1]
            if is_short and rise > 0.0 and begins_at_foot:
                tip = stroke[0] + (stroke[0] - stroke[top]) * missing / rise
                leg = np.linspace(tip, stroke[0], NUM_POINTS)[:-1]
                letters.strokes[number] = np.concatenate([leg, stroke])
                letters.indices[number] = np.concatenate([np.full(len(leg), index), indices])
    return letters


def with_touching_bars(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return letters in which the stem of each `E`, `F` and `T` reaches the bar above it, and the
    bars of each `E` and `F` begin at the stem: an `E` whose bars cross it looks like `€`.
    `x_height`: as in `with_dots`."""
    letters = letters.copy()
    strokes = letters.strokes
    side = MAX_BAR_OFFSET * x_height
    for index in letters.indices_of("EFT"):
        numbers = letters.numbers_of(index)
        body = max(numbers, key=lambda k: np.ptp(strokes[k][:, 1]), default=-1)
        for number in numbers:
            if is_flat(strokes[body]) or not is_flat(strokes[number]):
                continue
            bar = strokes[number]
            x, y = bar[bar[:, 0].argsort()].T
            left, right = x[0], x[-1]
            if left == right:  # a touch of the pen
                continue
            stem_x, top = strokes[body][strokes[body][:, 1].argmin()]
            rise = top - np.interp(stem_x, x, y)
            if left - side <= stem_x <= right and 0.0 < rise <= MAX_BAR_RISE * x_height:
                strokes[body] = _raised(strokes[body], rise)
            depths = np.maximum.accumulate(strokes[body][:, 1])
            edge = np.interp(y[0], depths, strokes[body][:, 0])
            if letters.text[index] != "T" and abs(edge - left) <= side and edge < right:
                factor = (right - edge) / (right - left)
                strokes[number] = np.stack([right + (bar[:, 0] - right) * factor, bar[:, 1]], 1)
    return letters


def _raised(stem: np.ndarray, rise: float) -> np.ndarray:
    """Return a downstroke whose top is higher by `rise`, in the direction of its upper half."""
    top = int(stem[:, 1].argmin())
    depths = stem[top:, 1] - stem[top, 1]
    half = top + int(np.argmax(depths >= depths.max() / 2))
    if half == top:  # It ends at its top.
        return stem
    step = (stem[top] - stem[half]) / (stem[half, 1] - stem[top, 1])
    return np.concatenate([stem[: top + 1] + rise * step, stem[top + 1 :]])


def with_crosses(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters in which two strokes cross in each `x`. Hands that join their letters make the
    second one late, and networks forget it, or make a loop instead, which looks like `se`. The
    arguments are as in `with_dots`."""
    letters = letters.copy()
    added = []
    slant = np.array([[1.0, 0.0], [lean, 1.0]])  # makes points upright
    for index in letters.indices_of("x"):
        counts = [np.sum(indices == index) for indices in letters.indices]
        if not any(counts) or _has_crossing_strokes(letters, index):
            continue
        number = int(np.argmax(counts))
        is_alone = letters.is_alone(number, index)
        if is_alone and is_crossed(letters, index):
            continue
        part = slice(None) if is_alone else late_part(letters.indices[number], index)
        ink = letters.strokes[number][part] @ slant
        left, top = ink.min(0)
        right, bottom = ink.max(0)
        if not MIN_STEM_HEIGHT <= (bottom - top) / x_height <= MAX_X_HEIGHT:
            continue
        x = (left + right) / 2
        half = CROSS_WIDTH * x_height
        if is_alone:
            # 1.0 if the first stroke runs to the right; the second one then falls to the left.
            direction = math.copysign(1.0, ink[-1, 0] - ink[0, 0])
        else:
            direction = 1.0
            side = min(CROSS_SIDE * x_height, (right - left) / 2)
            # From the letter before, down through the `x` like a backslash, to the next letter.
            corners = [ink[0], (x - side, top), (x + side, bottom), ink[-1]]
            path = smooth_path(corners, 2 * NUM_POINTS) @ np.linalg.inv(slant)
            replace_part(letters, number, part, path, index)
        start = (x + direction * half, top)
        end = (x - direction * half, bottom)
        stroke = np.linspace(start, end, 2 * NUM_POINTS) @ np.linalg.inv(slant)
        added.append((number, index, stroke))
    return letters.with_added(added)


def _has_crossing_strokes(letters: LetterStrokes, index: int) -> bool:
    """Return whether a stroke of a character crosses another stroke that was made while the window
    was at most one character away."""
    near = [stroke[abs(indices - index) <= 1] for stroke, indices in letters.pairs()]
    for number, indices in enumerate(letters.indices):
        if not (indices == index).any():
            continue
        others = [part for k, part in enumerate(near) if k != number and len(part)]
        if any(crosses([near[number]], [other]) for other in others):
            return True
    return False


def with_short_flags(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return letters in which the flag of each `1` is at most `MAX_FLAG` of its height: a longer
    one makes 11 look like `M`. `x_height`: as in `with_dots`."""
    letters = letters.copy()
    for index in letters.indices_of("1"):
        for number in letters.numbers_of(index):
            stroke = letters.strokes[number]
            top = int(stroke[:, 1].argmin())
            lowest = stroke[top, 1] + MAX_FLAG * np.ptp(stroke[:, 1])
            too_low = stroke[:top, 1] > lowest
            is_flag = stroke[:top, 0].max(initial=-np.inf) <= stroke[top, 0] + TREMBLE * x_height
            is_one = letters.is_alone(number, index) and top < len(stroke) - 1
            if is_one and is_flag and too_low.any():
                first = int(np.flatnonzero(too_low)[-1]) + 1
                letters.strokes[number] = stroke[first:]
                letters.indices[number] = letters.indices[number][first:]
    return letters


def with_corners(letters: LetterStrokes, lean: float) -> LetterStrokes:
    """Return letters in which the bar and stem of each written `5` are straight and meet in a
    corner, which distinguishes a `5` from an `S`. `lean`: as in `with_dots`."""
    letters = letters.copy()
    bars = set()
    for index in letters.indices_of("5"):
        fractions = [np.mean(indices == index) for indices in letters.indices]
        numbers = [k for k, fraction in enumerate(fractions) if fraction > MIN_POINT_FRACTION]
        if not numbers:
            continue
        body = max(numbers, key=lambda k: np.ptp(letters.strokes[k][:, 1]))
        bar = _bar_of_five(letters, body, index)
        stroke = letters.strokes[body]
        indices = letters.indices[body]
        bar_points = stroke[:0] if bar is None else letters.strokes[bar]
        corner = _five_corner(stroke, bar_points, lean)
        if corner is None:
            continue
        straight, belly = corner
        if np.mean(indices[:belly] == index) > MIN_POINT_FRACTION:
            letters.strokes[body] = np.concatenate([straight, stroke[belly:]])
            straight_indices = np.full(len(straight), index)
            letters.indices[body] = np.concatenate([straight_indices, indices[belly:]])
            bars.add(bar)  # This stroke is now a part of the body.
    return letters.selected(k for k in range(len(letters.strokes)) if k not in bars)


def _bar_of_five(letters: LetterStrokes, body: int, index: int) -> int | None:
    """Return the number of the stroke that is the bar of a `5`, or None: a bar is flat, unlike a
    quotation mark, and near the upper end of the stroke `body`."""
    x, y = letters.strokes[body][0]
    height = np.ptp(letters.strokes[body][:, 1])
    distances: dict[int, float] = {}
    for number, (stroke, indices) in enumerate(letters.pairs()):
        if number == body or abs(np.median(indices) - index) > 1:
            continue
        is_flat = np.ptp(stroke[:, 1]) < min(np.ptp(stroke[:, 0]), WAIST * height)
        is_at_top = abs(stroke[:, 1].mean() - y) < WAIST * height and stroke[:, 0].max() > x
        distance = np.hypot(*(stroke - (x, y)).T).min()
        if is_flat and is_at_top and distance <= MIN_FIVE_BAR_WIDTH * height:
            distances[number] = distance
    return min(distances, key=distances.__getitem__, default=None)


def _five_corner(body: np.ndarray, bar: np.ndarray, lean: float) -> tuple[np.ndarray, int] | None:
    """Return the points of a straight bar and stem for a `5`, and the number of the first point of
    the belly in its stroke `body`; None if the body does not have the shape of a `5`. The body
    begins with the bar if `bar` has no points. `lean`: as in `with_dots`."""
    points = np.concatenate([bar, body])
    height = float(np.ptp(points[:, 1]))
    top = float(points[:, 1].min())
    low = np.flatnonzero(body[:, 1] > top + MIN_BELLY_DEPTH * height)
    if not len(low) or body[0, 1] > top + WAIST * height:
        return None
    turn = int((body[: low[0]] @ np.array([1.0, lean])).argmin())  # leftmost if made upright
    right = points[: len(bar) + turn + 1, 0].max()  # of the bar, which ends at the turn
    x, y = body[turn]
    corner = np.array([x + lean * (y - top), top + BAR_TILT * height])
    waist = np.array([x + lean * (y - top - WAIST * height), top + WAIST * height])
    tip = np.array([max(right, corner[0] + MIN_FIVE_BAR_WIDTH * height), top])
    new_bar = np.linspace(tip, corner, NUM_POINTS)
    stem = np.linspace(corner, waist, NUM_POINTS)
    is_low = body[turn + 1 :, 1] > waist[1]
    belly = turn + 1 + int(is_low.argmax())
    return np.concatenate([new_bar, stem[1:]]), belly


def with_open_c(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return letters in which each joined `c` is far enough from the upstroke of the next letter,
    which would close it: "cl" looks like `d`. `x_height`: as in `with_dots`."""
    for index in letters.indices_of("c"):
        opening = OPENINGS.get(letters.text[index + 1 : index + 2])
        if opening is None:
            continue
        for number, indices in enumerate(letters.indices):
            if index in indices and index + 1 in indices:
                letters = _with_opening(letters, number, index, opening, x_height)
    return letters


def _with_opening(
    letters: LetterStrokes, number: int, index: int, opening: float, x_height: float
) -> LetterStrokes:
    """Return letters in which what follows a `c` moves to the right until the `c` is open."""
    indices = letters.indices[number]
    stroke = letters.strokes[number] / x_height
    next_points = np.flatnonzero(indices == index + 1)
    is_joined = letters.text[index - 1 : index].isalpha()
    start = late_part(indices, index).start if is_joined else int(np.argmax(indices >= index - 1))
    summit = next_points[stroke[next_points, 1].argmin()]  # of the next letter
    if summit <= start + 1:
        return letters
    foot = start + int(stroke[start:summit, 1].argmax())
    from_foot = stroke - stroke[foot]
    sides = from_foot[start : foot + 1], from_foot[foot : next_points[-1] + 1]
    dense = (np.concatenate([side[:0], *at_steps([side], DENSE_STEP)]) for side in sides)
    before, behind = (side[side[:, 1] < -OPENING_RISE] for side in dense)
    shift = x_height * (touching_shift(before, behind) + opening)
    if shift <= 0.0:
        return letters
    rise = np.maximum.accumulate(-from_foot[foot:, 1])
    to_right = np.append(np.zeros(foot), shift * np.clip(rise / OPENING_RISE, 0.0, 1.0))
    place = letters.strokes[number][foot, 0]
    moved = letters.moved_behind(index, np.array([shift, 0.0]), place)
    moved.strokes[number] = letters.strokes[number] + np.outer(to_right, (1.0, 0.0))
    return moved
