"""Shapes of letters and digits that networks misform, so that people take them for others."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import compress, pairwise

import numpy as np

from apps.pages.letter_strokes import (
    MIN_POINT_FRACTION,
    MIN_STEM_HEIGHT,
    NUM_POINTS,
    TREMBLE,
    LetterStrokes,
    Stem,
    crosses,
    is_crossed,
    is_flat,
    late_part,
    stems_of,
)
from apps.pages.written_word import span
from ink.geometry import smooth_path

BAR_TILT = 0.05  # rise of the bar of a `5`, in heights of the `5` (by eye)
MIN_FIVE_BAR_WIDTH = 0.3  # least width of the bar of a `5`, in heights of the `5` (by eye)
WAIST = 0.4  # depth of the end of the stem below the top, in heights of a `5` (by eye)
MIN_BELLY_DEPTH = 0.55  # least depth of the belly below the top, in heights of a `5` (by eye)
MAX_X_HEIGHT = 1.6  # x-heights of a stroke of an `x` (by eye)
CROSS_SIDE = 0.28  # x-heights from the middle of an `x` to the ends of its first stroke (by eye)
CROSS_WIDTH = 0.4  # the same of its second stroke (by eye)
MIN_V_HEIGHT = 0.6  # x-heights of a `v` that is made pointed (by eye)
MAX_END_DEPTH = 0.4  # of the ends of a `v` below its top, in its heights (by eye)
MAX_POINT_WIDTH = 0.45
"""Width of a `v` at a quarter of its height, in its widths, above which it is a `u` (by eye)."""
MIN_MISSING_LEG = 0.12  # heights of an `A` by which its left leg is lengthened at least (by eye)
MAX_MISSING_LEG = 0.55  # heights of an `A` by which its left leg is lengthened at most (by eye)
MAX_FLAG = 0.38  # of the flag of a `1` below its top, in heights of the `1` (by eye)
# Of an `I`, upright and in x-heights (by eye):
MIN_I_HEIGHT = 1.2  # least height of its stem
MIN_STEM_RATIO = 0.75  # of its stem's height to that of the highest stem: a later one is the next's
MAX_BEFORE = 0.1  # fraction of the points of its stroke that belong to earlier letters
MAX_HOOK = 0.35  # of its stroke to the left of the stem's foot: a longer hook makes it a `J`
MAX_FLAG_OF_I = 0.25  # height of the upstroke before its stem, in heights of the stem
MAX_EXIT = 0.3  # of its stroke to the right of the stem: a longer one joins it to the next letter
MAX_SERIF_ASIDE = 0.4  # from its stem to the middle of a bar
MAX_SERIF_RISE = 0.8  # from its stem up to a bar that floats above it
MIN_FLOATING = 0.25  # the same distance above which it looks like an `i` or `Ī`
TOP_END = 0.25  # heights of its stem below its top; a bar from here to `FOOT_START` makes it a `t`
FOOT_START = 0.75  # heights of its stem below its top
FOOT_LEFT = 0.6  # left of its foot, from where on the next letter's stroke may begin
FOOT_RIGHT = 0.3  # right of its foot, up to where the next letter's stroke may begin
MIN_SERIF_WIDTH = 0.2  # of a bar, and of the next letter's stroke, if they are more than dots
SERIF = 0.28  # from its stem to an end of a bar that is drawn
MIN_SERIF = 0.12  # the same where other ink is near
SERIF_GAP = 0.15  # from such an end to other ink
SERIF_TILT = 0.03  # from the left end up to the right end

# Of a `z`, upright and in x-heights (by eye):
MIN_DIAGONAL_WIDTH = 0.25  # of its diagonal
MIN_DIAGONAL_HEIGHT = 0.4  # of its diagonal
MAX_BEND = 0.2  # of its diagonal, in lengths of the diagonal
MAX_BEND_ALONE = 0.3  # the same of one that is not joined: a rounder one is a `3`
MIN_Z_BAR = 0.25  # least length of the bars at its top and foot
MAX_Z_DEPTH = 0.45  # of its foot below the baseline
Z_CORNERS = ((0.0, -0.9), (0.55, -0.95), (0.0, 0.0), (0.6, -0.03))  # of one that is drawn
Z_GAP = 0.15  # to it from the ink before it
Z_GAP_BEHIND_HIGH = 0.4  # the same from a letter that ends high, such as an `r`, whose end is cut
JOIN_SLANT = 0.3  # width over height of the rise from its foot to the next letter
MAX_RISE = 0.4  # from the baseline up to the end of the letter before
MAX_FOOT_DEPTH = 0.1  # of a foot below the baseline
ENDING_LOW = {*"acdeghijklmnqsuxyz"}
"""Letters that end near the baseline or below it."""


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


def with_points(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return letters in which each `v` that stands alone is pointed: some hands round it like a
    `u`. `x_height`: as in `with_dots`."""
    letters = letters.copy()
    for index in letters.indices_of("v"):
        for number in letters.numbers_of(index):
            stroke = letters.strokes[number]
            if not letters.is_alone(number, index):
                continue
            height = np.ptp(stroke[:, 1])
            rise = (stroke[:, 1].max() - stroke[:, 1]) / max(height, TREMBLE * x_height)
            has_high_ends = min(rise[0], rise[-1]) >= 1.0 - MAX_END_DEPTH
            if height < MIN_V_HEIGHT * x_height or not has_high_ends:
                continue
            if np.ptp(stroke[rise <= 0.25, 0]) > MAX_POINT_WIDTH * np.ptp(stroke[:, 0]):
                x = stroke[:, 0]
                middle = x[rise.argmin()]
                # A round bottom is as wide as the root of its height.
                letters.strokes[number] = np.stack(
                    [middle + (x - middle) * np.sqrt(rise), stroke[:, 1]], 1
                )
    return letters


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
            _replace_part(letters, number, part, path, index)
        start = (x + direction * half, top)
        end = (x - direction * half, bottom)
        stroke = np.linspace(start, end, 2 * NUM_POINTS) @ np.linalg.inv(slant)
        added.append((number, index, stroke))
    return letters.with_added(added)


def _replace_part(
    letters: LetterStrokes, number: int, part: slice, path: np.ndarray, index: int
) -> None:
    """Put a path of a character in the place of a part of a stroke."""
    stroke = letters.strokes[number]
    indices = letters.indices[number]
    before = slice(None, part.start)
    behind = slice(part.stop, None)
    letters.strokes[number] = np.concatenate([stroke[before], path, stroke[behind]])
    new_indices = np.full(len(path), index)
    letters.indices[number] = np.concatenate([indices[before], new_indices, indices[behind]])


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


def with_clear_i(letters: LetterStrokes, lean: float) -> LetterStrokes:
    """Return a word's letters, in x-heights, in which no `I` looks like a `J`, `L`, `t` or `i`. An
    `I` with a hook or a long flag is drawn anew with bars at both ends; one with a foot gets a bar
    at its top; a bar that crosses it is moved to its top. A bare stem stays. `lean`: as in
    `with_dots`."""
    slant = np.array([[1.0, 0.0], [lean, 1.0]])  # makes points upright
    for index in letters.indices_of("I"):
        upright = replace(letters, strokes=[stroke @ slant for stroke in letters.strokes])
        stem = _stem_of_i(upright, index)
        if stem is None:
            continue
        removed, drawn = _mended_i(upright, stem, index)
        kept = [number for number in range(len(letters.strokes)) if number not in removed]
        place = sum(number <= stem.stroke_number for number in kept) - 1  # the stem's, in `kept`
        added = [(place, index, stroke @ np.linalg.inv(slant)) for stroke in drawn]
        letters = letters.selected(kept).with_added(added)
    return letters


def _stem_of_i(letters: LetterStrokes, index: int) -> Stem | None:
    """Return the stem of an `I`, None if it is too low. A stem before it may be the end of the
    letter before: the window is early."""
    numbers = letters.numbers_of(index)
    stems = [s for s in stems_of(letters, index, 1.0, math.inf) if s.stroke_number in numbers]
    heights = [np.ptp(stem.points[:, 1]) for stem in stems]
    least = max(MIN_I_HEIGHT, MIN_STEM_RATIO * max(heights, default=0.0))
    high = [stem for stem, height in zip(stems, heights, strict=True) if height >= least]
    return high[-1] if high else None


def _mended_i(letters: LetterStrokes, stem: Stem, index: int) -> tuple[set[int], list[np.ndarray]]:
    """Return the numbers of the strokes of an upright `I` that are to be removed, and the strokes
    that are to be drawn."""
    (x, top), (_, foot) = stem.points[[0, -1]]
    bars = {
        number: float(letters.strokes[number][:, 1].mean())
        for number in _bars_of_i(letters, stem, index)
    }
    if _is_hooked(letters, stem, index):
        x = sum(span([letters.strokes[stem.stroke_number]])) / 2
        top = min([top, *bars.values()])
        path = np.linspace((x, top), (x, foot), 2 * NUM_POINTS)
        removed = {stem.stroke_number, *bars}
        others = letters.selected(k for k in range(len(letters.strokes)) if k not in removed)
        return removed, [path, _serif(others, x, top), _serif(others, x, foot)]
    upper = top + TOP_END * (foot - top)
    lower = top + FOOT_START * (foot - top)
    highest = min(bars.values(), default=foot)
    if highest < top - MIN_FLOATING:
        return set(), [np.linspace((x, highest), (x, top), NUM_POINTS)]
    crossing = {number for number, y in bars.items() if upper <= y <= lower}
    # A bar that neither crosses the stem nor is at its top is at its foot.
    has_foot = len(crossing) < len(bars) or _is_joined_at_foot(letters, stem, index)
    if highest < upper or not (crossing or has_foot):
        return set(), []
    removed = crossing | {stem.stroke_number}
    others = letters.selected(k for k in range(len(letters.strokes)) if k not in removed)
    serifs = [_serif(others, x, top)]
    if len(crossing) > 1 and not has_foot:
        serifs.append(_serif(others, x, foot))
    return crossing, serifs


def _is_hooked(letters: LetterStrokes, stem: Stem, index: int) -> bool:
    """Return whether the stroke of an upright `I` is no more than the `I`, and has a hook at its
    foot or a long upstroke before its stem."""
    stroke = letters.strokes[stem.stroke_number]
    indices = letters.indices[stem.stroke_number]
    x = float(np.median(stem.points[:, 0]))
    height = np.ptp(stem.points[:, 1])
    from_top = (stroke[:, 1] - stem.points[0, 1]) / height
    hook = x - stroke[stem.first :][from_top[stem.first :] > 0.5, 0].min()
    is_apart = np.mean(indices < index) <= MAX_BEFORE and stroke[:, 0].max() <= x + MAX_EXIT
    return bool(is_apart and (hook > MAX_HOOK or from_top[: stem.first + 1].max() > MAX_FLAG_OF_I))


def _bars_of_i(letters: LetterStrokes, stem: Stem, index: int) -> Iterator[int]:
    """Yield the numbers of the bars of an upright `I`. The one at its top may be made late."""
    (x, top), (_, foot) = stem.points[[0, -1]]
    late = letters.numbers_of(index + 1)
    for number in letters.numbers_of(index) + late:
        stroke = letters.strokes[number]
        left, right = span([stroke])
        is_bar = is_flat(stroke) and right - left >= MIN_SERIF_WIDTH
        is_beside = abs((left + right) / 2 - x) <= MAX_SERIF_ASIDE
        lowest = top + TOP_END * (foot - top) if number in late else foot + MAX_EXIT
        is_at_height = top - MAX_SERIF_RISE <= stroke[:, 1].mean() <= lowest
        is_stem = number == stem.stroke_number
        if not is_stem and is_bar and is_beside and is_at_height:
            yield number


def _is_joined_at_foot(letters: LetterStrokes, stem: Stem, index: int) -> bool:
    """Return whether a stroke begins at the foot of an upright `I` and runs on to the next letter,
    which is a small one or is reached along the baseline."""
    is_before_small = letters.text[index + 1 : index + 2].islower()
    for number, (stroke, indices) in enumerate(letters.pairs()):
        if number == stem.stroke_number or indices[0] != index:
            continue
        x, y = stroke[0] - stem.points[-1]
        is_large = np.ptp(stroke, axis=0).max() >= MIN_SERIF_WIDTH
        is_near = abs(y) <= MAX_EXIT and -FOOT_LEFT <= x <= FOOT_RIGHT
        is_far = np.hypot(*(stroke - stroke[0]).T) > SERIF
        begins_flat = is_flat(stroke[: is_far.argmax() + 1])
        runs_on = is_before_small or begins_flat
        if is_near and is_large and runs_on:
            return True
    return False


def _serif(letters: LetterStrokes, x: float, y: float) -> np.ndarray:
    """Return a bar through a point, shorter where other ink is near."""
    near = [stroke[np.abs(stroke[:, 1] - y) <= SERIF] for stroke in letters.strokes]
    asides = np.concatenate([np.empty((0, 2)), *near])[:, 0] - x
    left = np.abs(asides[asides < 0.0]).min(initial=math.inf) - SERIF_GAP
    right = asides[asides > 0.0].min(initial=math.inf) - SERIF_GAP
    left, right = np.clip((left, right), MIN_SERIF, SERIF)
    return np.linspace((x - left, y + SERIF_TILT / 2), (x + right, y - SERIF_TILT / 2), NUM_POINTS)


def with_clear_z(letters: LetterStrokes, lean: float) -> LetterStrokes:
    """Return a word's letters, in x-heights, in which each `z` has corners: joined ones look like
    `r`, `s`, `y` or `3`. The pen is lifted before a drawn `z`. `lean`: as in `with_dots`."""
    slant = np.array([[1.0, 0.0], [lean, 1.0]])  # makes points upright
    for index in letters.indices_of("z"):
        counts = [np.sum(indices == index) for indices in letters.indices]
        number = int(np.argmax(counts))
        stroke = letters.strokes[number] @ slant
        indices = letters.indices[number]
        is_alone = letters.is_alone(number, index)
        if not counts[number]:
            continue
        part = slice(0, len(stroke)) if is_alone else late_part(indices, index)
        if len(stroke[part]) < 3 or _is_clear_z(stroke[part], is_alone):
            continue
        before = _without_upstroke(stroke[: part.start], letters.text[index - 1 : index])
        behind = _without_tail(stroke[part.stop :], len(stroke[part]) // 3)
        left, right = span([_body(stroke[part])])
        if len(before):
            ends_low = letters.text[index - 1 : index] in ENDING_LOW
            gap = Z_GAP if ends_low else Z_GAP_BEHIND_HIGH
            left = span([_body(before)]).right + gap
        path = _drawn_z(left)
        bodies = [_body(other @ slant) for other in letters.strokes]
        later = [  # but for a dot or bar that is made late
            np.median(each) > index and body[:, 0].mean() > path[0, 0]
            for each, body in zip(letters.indices, bodies, strict=True)
        ]
        if len(behind):  # The next letter begins where the `z` ends; a rise to it has some width.
            of_next = behind[indices[len(indices) - len(behind) :] == index + 1]
            right = span([_body(of_next if len(of_next) else behind)]).left
            right += JOIN_SLANT * min(behind[0, 1], 0.0)
        elif any(later):
            right = min(right, span(compress(bodies, later)).left - Z_GAP)
        shift = np.array([path[-1, 0] - right, 0.0])
        strokes = [
            other + shift * is_later for other, is_later in zip(letters.strokes, later, strict=True)
        ]
        letters = _with_pieces(
            replace(letters, strokes=strokes),
            number,
            index,
            [piece @ np.linalg.inv(slant) for piece in (before, path, behind + shift)],
        )
    return letters


def _drawn_z(left: float) -> np.ndarray:
    """Return the path of an upright `z`."""
    ends = pairwise(np.add(Z_CORNERS, (left, 0.0)))
    return np.concatenate([np.linspace(start, end, NUM_POINTS) for start, end in ends])


def _with_pieces(
    letters: LetterStrokes, number: int, index: int, pieces: Sequence[np.ndarray]
) -> LetterStrokes:
    """Return letters with a stroke in which a path is drawn in the place of a character.

    Args:
        letters: the strokes of a word.
        number: of the stroke.
        index: of the character.
        pieces: the ink before the character, after which the pen is lifted, the path, and the ink
            behind it.
    """
    before, path, behind = pieces
    indices = letters.indices[number]
    strokes = [*letters.strokes]
    all_indices = [*letters.indices]
    of_behind = indices[len(indices) - len(behind) :]
    strokes[number] = np.concatenate([path, behind])
    all_indices[number] = np.concatenate([np.full(len(path), index), of_behind])
    if len(before) > 1:
        strokes.insert(number, before)
        all_indices.insert(number, indices[: len(before)])
    return LetterStrokes(letters.text, strokes, all_indices)


def _is_clear_z(ink: np.ndarray, is_alone: bool) -> bool:
    """Return whether upright ink has a straight diagonal between two bars; or, if it `is_alone`,
    whether it is no `3`."""
    x, y = ink.T
    height_on_diagonal = x - y  # grows to the right and up
    # How far the path has come to the left and down.
    fall = np.maximum.accumulate(height_on_diagonal) - height_on_diagonal
    last = int(fall.argmax())
    first = int(height_on_diagonal[: last + 1].argmax())
    chord = ink[last] - ink[first]
    length = max(np.hypot(*chord), TREMBLE)
    across = (-chord[1], chord[0])
    # Distances from the chord, times its length.
    products = np.abs((ink[first : last + 1] - ink[first]) @ across)
    bend = products.max() / length**2
    if is_alone:
        return bool(bend <= MAX_BEND_ALONE)
    middle = (y[first] + y[last]) / 2
    # The lengths of the bars before and behind the diagonal.
    x_before = x[: first + 1][y[: first + 1] < middle]
    x_behind = x[last:][y[last:] > middle]
    top = x[first] - x_before.min(initial=x[first])
    foot = x_behind.max(initial=x[last]) - x[last]
    is_large = -chord[0] >= MIN_DIAGONAL_WIDTH and chord[1] >= MIN_DIAGONAL_HEIGHT
    is_diagonal = is_large and bend <= MAX_BEND
    return bool(is_diagonal and min(top, foot) >= MIN_Z_BAR and y[last] <= MAX_Z_DEPTH)


def _without_upstroke(ink: np.ndarray, letter: str) -> np.ndarray:
    """Return the upright ink that ends with a `letter`, without a high upstroke to the next one."""
    low = np.flatnonzero(ink[:, 1] > -MAX_RISE)
    return ink[: low[-1] + 1] if letter in ENDING_LOW and len(low) else ink


def _without_tail(ink: np.ndarray, max_points: int) -> np.ndarray:
    """Return upright ink without the way up from a tail at its start, of at most `max_points`."""
    rising = ink[: max_points + 1, 1] > MAX_FOOT_DEPTH
    return ink if rising.all() else ink[int(rising.argmin()) :]


def _body(ink: np.ndarray) -> np.ndarray:
    """Return the ink between the baseline and the x-height, or all if there is none."""
    body = ink[(ink[:, 1] >= -1.0 - MAX_FOOT_DEPTH) & (ink[:, 1] <= MAX_FOOT_DEPTH)]
    return body if len(body) else ink
