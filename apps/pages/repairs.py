"""Repairs of bars and small signs, which a network writes late, forgets or misplaces.

The bar of a `t` is made to reach both sides of its stem. Full stops are set on the baseline, short
commas are scaled, and full stops, commas and colons stand near their neighbours, and clear of them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from apps.pages.hand_shape import HandShape
from apps.pages.letter_dots import MIN_DOT_SIZE, with_dots, without_touches
from apps.pages.letter_heads import with_heads
from apps.pages.letter_loops import repair_part, with_clear_parts
from apps.pages.letter_shapes import (
    with_corners,
    with_crosses,
    with_legs,
    with_open_c,
    with_short_flags,
    with_touching_bars,
)
from apps.pages.letter_stems import way_to_t, with_ended_arms
from apps.pages.letter_strokes import (
    BAR_RISE,
    MIN_POINT_FRACTION,
    NUM_POINTS,
    SIGNS_AT_END,
    TREMBLE,
    LetterStrokes,
    Stem,
    crosses,
    is_flat,
    stems_of,
    x_at,
)
from apps.pages.written_word import span
from data_loader.pen_paths import from_strokes, touching_shift

# For what is measured see notebook: pages, dots and bars.
BAR_SIDE = 0.25  # letter widths from the stem of a `t` to an end of its bar (measured)
MAX_BAR_SIDE = 1.2  # letter widths to its right end (by eye: "tell" was crossed through both l)
MIN_BAR_SIDE = 0.5  # fraction of `BAR_SIDE` below which a bar is extended (measured)
MAX_BAR_SLOPE = 0.6  # height over width of a step in a bar (measured: an upstroke is steeper)
HIGH_ENDS = {*"bovw"}  # letters that lead to a `t` from their top, and end with a ring or a cup
MIN_BAR_RISE_BESIDE_WAY = 0.6
"""X-heights from the foot of a `t` up to the left end of a bar that is clear of a way to its stem
(by eye)."""
ROOF_GAP = 0.18  # x-heights from a stem up to its roof that are no gap (by eye: as the pen's line)
MAX_ROOF_GAP = 0.6  # x-heights from the stem of a `P` up to its roof (by eye)
MIN_H_HEIGHT = 1.2  # least x-heights of a stem of an `H` (by eye)
MIN_BAR_RISE = 0.3  # least x-heights from the foot of the stem up to its bar (by eye)
MAX_BAR_GAP = 0.3  # x-heights between a stem and a bar that does not cross the stem (by eye)
MAX_STOP_SIZE = 0.4  # largest side of a full stop in x-heights (by eye)
MAX_STOP_RISE = 0.12  # x-heights from the baseline up to a full stop (by eye)
MARK_RISE = 0.6  # x-heights from the baseline to the top of a full stop or comma (by eye)
MARK_WIDTH = 0.4  # largest width of a full stop or comma in x-heights (by eye)
SMALL_RISE = 1.3  # x-heights from the baseline to the top of small letters and colons (by eye)
MARK_RISES = dict.fromkeys(".,", MARK_RISE) | dict.fromkeys(":;", SMALL_RISE)
"""X-heights from the baseline to the tops of marks."""
MARK_GAPS = (0.3, 0.5)
"""Bounds on x-heights from these marks to the ink beside (measured, notebook: pages, marks that are
drawn, and dots and bars)."""
MIN_BAR_GAP = 0.3  # least x-heights between two bars of a sign (by eye: as `MARK_GAPS`)
MIN_RING_SIZE = 0.45  # larger side of the ring of a `°`, in x-heights (by eye)
END_SIGN_HEIGHTS = (1.4, 2.2)  # bounds on the height of a `!` or `?` in x-heights (by eye)
COLON_FEET = (-0.25, 0.05)  # bounds on x-heights from the baseline down to a `:` (by eye)
COLON_RISES = (0.5, 0.9)  # bounds on x-heights between the dots of a `:` (by eye)
END_SIGN_GAPS = (0.25, 0.5)  # bounds on x-heights from a `!` or `?` to the ink before it (by eye)
MAX_COMMA_DEPTH = 1.1  # x-heights below the baseline (measured, as `MARK_GAPS`)
MAX_TAIL = 2.2  # x-heights below the baseline of letters (notebook: pages, marks that are drawn)
MAX_FIGURE_BAR_HEIGHT = 0.6  # x-heights of the bar of a 7 (by eye)
FIGURE_GAP = 0.13  # least x-heights between two figures (by eye)
MAX_FIGURE_SHIFT = 0.5  # most x-heights by which a figure is moved (by eye)
MAX_SHARED = 0.2  # fraction of a stroke's points in the next figure that joins it (by eye)
MIN_TAIL_OF_Q = 0.95  # x-heights below the baseline (by eye: with a shorter tail it is an `a`)
TAIL_START = 0.5  # x-heights below the baseline from which a tail is shortened (by eye)
MIN_COMMA_HEIGHT = 0.6  # in x-heights (by eye: a smaller one looks like a full stop)


def repair_letters(letters: LetterStrokes, shape: HandShape) -> LetterStrokes:
    """Return letters with a bar on each `t` and `H`, two strokes in each `x`, a corner in each `5`,
    whole legs of each `A`, bars of each `E`, `F` and `T` at its stem, stems up to the roofs of `B`,
    `D`, `P` and `R`, short flags of each `1`, clear parts of others (`with_clear_parts`), and heads
    of `s` and `S` (`with_heads`). If the hand makes dots, each `i` and `j` gets its dot, and
    needless touches are removed."""
    letters = with_legs(letters)
    letters = with_touching_bars(letters, shape.x_height)
    letters = with_short_flags(letters, shape.x_height)
    letters = with_clear_parts(letters, shape.x_height, shape.lean)
    letters = with_ended_arms(letters, shape.x_height, shape.lean)
    letters = with_heads(letters, shape.x_height, shape.lean)
    letters = with_open_c(letters, shape.x_height)
    letters = with_crosses(letters, shape.x_height, shape.lean)
    letters = with_bars(letters, shape.x_height, shape.letter_width)
    letters = with_ways_to_t(letters, shape.x_height, shape.lean)
    letters = with_bars_of_h(letters, shape.x_height)
    letters = with_stems_to_roofs(letters, shape.x_height)
    letters = with_corners(letters, shape.lean)
    if shape.dotted:
        letters = with_dots(letters, shape.x_height, shape.lean)
        letters = without_touches(letters, shape.x_height)
    return letters


def with_bars(
    letters: LetterStrokes, x_height: float, width: float, indices: Sequence[int] | None = None
) -> LetterStrokes:
    """Return letters with a bar through each `t` that was written, and not through the letters
    behind the next.

    Args:
        letters: the strokes of a line or word.
        x_height: the hand's x-height.
        width: of a usual letter in x-heights.
        indices: of each `t` to look at, in the text; None for all.
    """
    letters = letters.copy()
    added = []
    side = BAR_SIDE * width * x_height
    for index in letters.indices_of("t") if indices is None else indices:
        stem, bar = _stem_and_bar(letters, index, x_height)
        if stem is None:
            continue
        if bar is not None:
            strokes = letters.strokes
            number = bar.stroke_number
            if np.ptp(strokes[number][:, 1]) <= x_height / 3:
                behind = letters.text[index + 1 : index + 2]
                if behind in SIGNS_AT_END and number in letters.numbers_of(index + 1):
                    # The bar would move with the sign.
                    letters.indices[number] = np.full_like(letters.indices[number], index)
                if behind != "t":
                    max_side = MAX_BAR_SIDE * width * x_height
                    strokes[number] = _shortened(strokes[number], bar.cross, max_side)
            bar_stroke, bar_indices, new_strokes = _with_extended_bar(
                strokes[number], letters.indices[number], bar, index, side, x_height
            )
            strokes[number] = bar_stroke
            letters.indices[number] = bar_indices
            added += [(number, index, stroke) for stroke in new_strokes]
            continue
        above_foot = stem.points[-1, 1] - stem.points[:, 1]
        distances = np.abs(BAR_RISE * x_height - above_foot)  # from the height of a bar
        middle = stem.points[distances.argmin()]
        stroke = middle + np.linspace((-side, 0.0), (side, 0.0), 2 * NUM_POINTS)
        added.append((stem.stroke_number, index, stroke))
    return letters.with_added(added)


def with_ways_to_t(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters in which the way up to each `t` within a word leads along its stem: with the
    bar it would close a triangle like that of an `A`. A way that ends a ring stays, and so does one
    to a `t` with a low bar. `lean`: how far downstrokes lean to the right, x over y."""
    letters = letters.copy()
    for index in letters.indices_of("t"):
        previous = letters.text[index - 1 : index]
        stem, bar = _stem_and_bar(letters, index, x_height)
        if stem is None or bar is None or not previous.isalpha() or previous in HIGH_ENDS:
            continue
        y = letters.strokes[bar.stroke_number][bar.left, 1]
        if stem.points[-1, 1] - y >= MIN_BAR_RISE_BESIDE_WAY * x_height:
            repair_part(letters, index, x_height, lean, way_to_t)
    return letters


def with_bars_of_h(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return letters in which the bar of each `H` of three strokes reaches both of its stems:
    otherwise it looks like `tl`. `x_height`: as in `with_bars`."""
    letters = letters.copy()
    for index in letters.indices_of("H"):
        stems = stems_of(letters, index, x_height, math.inf)
        stems = [stem for stem in stems if np.ptp(stem.points[:, 1]) >= MIN_H_HEIGHT * x_height]
        if len(stems) != 2 or stems[0].stroke_number == stems[1].stroke_number:
            continue
        bars = chain.from_iterable(_bars(letters, stem, index, x_height) for stem in stems)
        # A late bar may count as ink of a letter behind; a bar before is that of a `T` or an `E`.
        numbers = {bar.stroke_number for bar in bars}
        late = {number for number in numbers if letters.indices[number].max() >= index}
        for number in late & {*letters.numbers_of(index)} or late:
            x, y = letters.strokes[number].T
            edges = [float(x_at(stem.points, y.mean())) for stem in stems]
            ends = min(x.min(), *edges), max(x.max(), *edges)
            if np.ptp(y) <= x_height / 3 and np.ptp(x) < np.ptp(ends):
                new_x = np.interp(x, (x.min(), x.max()), ends)
                letters.strokes[number] = np.stack([new_x, y], 1)
    return letters


def with_stems_to_roofs(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return letters in which the stem of each `P`, `R`, `B` and `D` of two strokes reaches up to
    its roof, if this is no further than `MAX_ROOF_GAP`. `x_height`: as in `with_bars`."""
    letters = letters.copy()
    for index in letters.indices_of("BDPR"):
        numbers = letters.lone_numbers_of(index)
        numbers = [k for k in numbers if np.ptp(letters.strokes[k][:, 1]) > x_height / 2]
        if len(numbers) != 2:
            continue
        number, other = sorted(numbers, key=lambda k: np.ptp(letters.strokes[k][:, 0]))
        stem = letters.strokes[number]
        top, *_, foot = stem
        way = (top - foot) / max(np.hypot(*(top - foot)), x_height)
        if way[1] >= 0.0:  # It was made from its foot.
            continue
        gaps = np.linspace(ROOF_GAP, MAX_ROOF_GAP, NUM_POINTS * 2) * x_height
        tips = top + way * gaps[:, None]
        roof = [letters.strokes[other]]
        reached = [crosses([np.stack([tip, top])], roof) for tip in tips]
        if any(reached) and not reached[0]:
            tip = tips[reached.index(True)]
            letters.strokes[number] = np.concatenate([tip[None], stem])
            letters.indices[number] = np.append(index, letters.indices[number])
    return letters


def _shortened(bar_stroke: np.ndarray, cross: float, max_side: float) -> np.ndarray:
    """Return a bar pressed together to the right of `cross` if it reaches further than `max_side`
    there."""
    right = bar_stroke[:, 0] - cross
    factor = max(right.max() / max_side, 1.0)
    return np.stack([cross + np.where(right > 0.0, right / factor, right), bar_stroke[:, 1]], 1)


def _with_extended_bar(
    stroke: np.ndarray, indices: np.ndarray, bar: "Bar", index: int, side: float, x_height: float
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return a stroke with its bar extended to `side` on both sides of the stem, the indices of
    its points' characters, and new strokes: they extend the bar where the stroke does not end."""
    new_strokes = []
    width, rise = stroke[bar.right] - stroke[bar.left]
    slope = rise / max(width, TREMBLE * x_height)
    ends = [(bar.right, 1.0), (bar.left, -1.0)]
    for end, direction in sorted(ends, reverse=True):  # So the number of the other end stays valid.
        x = bar.cross + direction * side
        if direction * (stroke[end, 0] - bar.cross) >= MIN_BAR_SIDE * side:
            continue
        tip = x, stroke[end, 1] + slope * (x - stroke[end, 0])
        extension = np.linspace(stroke[end], tip, NUM_POINTS)
        new_indices = np.full(NUM_POINTS - 1, index)
        if end == 0:  # The extension begins at its tip, and ends before the stroke's first point.
            stroke = np.concatenate([extension[:0:-1], stroke])
            indices = np.concatenate([new_indices, indices])
        elif end == len(stroke) - 1:
            stroke = np.concatenate([stroke, extension[1:]])
            indices = np.concatenate([indices, new_indices])
        else:
            new_strokes.append(extension)
    return stroke, indices, new_strokes


class Bar(NamedTuple):
    """The bar that crosses a stem.

    Attributes:
        stroke_number: number of the stroke.
        left, right: numbers of the stroke's points at the ends of the bar.
        cross: x of the crossing.
        reach: width of the bar on its shorter side of the stem.
    """

    stroke_number: int
    left: int
    right: int
    cross: float
    reach: float


def _stem_and_bar(
    letters: LetterStrokes, index: int, x_height: float
) -> tuple[Stem | None, Bar | None]:
    """Return the stem of a `t` and its bar, each None if there is none."""
    stems = stems_of(letters, index, x_height, math.inf)
    if not stems:
        return None, None
    stem = max(stems, key=lambda stem: np.ptp(stem.points[:, 1]))
    bars = _bars(letters, stem, index, x_height)
    return stem, max(bars, key=lambda bar: bar.reach, default=None)


def _bars(letters: LetterStrokes, stem: Stem, index: int, x_height: float) -> Iterator[Bar]:
    """Yield the parts of strokes that may be the bar of a stem: flat parts above the stem's foot. A
    part crosses the stem; or it is near the stem, and of the same letter or of a flat stroke."""
    top = stem.points[0, 1] - MAX_BAR_GAP * x_height
    low = stem.points[:, 1].max() - MIN_BAR_RISE * x_height
    for number, (stroke, indices) in enumerate(letters.pairs()):
        steps = np.abs(np.diff(stroke, axis=0))
        flat = steps[:, 1] <= MAX_BAR_SLOPE * steps[:, 0] + TREMBLE * x_height
        if number == stem.stroke_number:
            flat[max(stem.first - 1, 0) : stem.last + 1] = False
        edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
        for first, last in edges.reshape(-1, 2):  # the ends of each flat part
            run = stroke[first : last + 1]
            distances = run[:, 0] - x_at(stem.points, run[:, 1])
            nearest = np.abs(distances).argmin()
            x, y = run[nearest]
            is_of_letter = np.mean(indices[first : last + 1] == index) > MIN_POINT_FRACTION
            may_be_apart = is_of_letter or np.ptp(stroke[:, 1]) <= x_height / 3
            crosses = distances.min() <= 0.0 <= distances.max()
            is_near = may_be_apart and abs(distances[nearest]) <= MAX_BAR_GAP * x_height
            is_beside_stem = top < y < low
            is_wide = np.ptp(run[:, 0]) > x_height / 8  # (assumed)
            if is_beside_stem and is_wide and (crosses or is_near):
                left = first + run[:, 0].argmin()
                right = first + run[:, 0].argmax()
                reach = min(-distances.min(), distances.max())
                yield Bar(number, left, right, x - distances[nearest], reach)


def repair_signs(letters: LetterStrokes, max_hole: float) -> list[np.ndarray]:
    """Return a word's strokes, in x-heights, with legible full stops, commas, end signs, bars and
    rings, with figures that are no further apart than `max_hole`, and with tails that end above the
    row below and are long enough."""
    letters = replace(letters, strokes=with_tails_of_q(letters))
    letters = replace(letters, strokes=[*map(with_short_tail, with_clear_signs(letters))])
    letters = replace(letters, strokes=with_figures_apart(letters, max_hole))
    letters = replace(letters, strokes=with_colons_on_line(letters))
    letters = replace(letters, strokes=with_end_signs_on_line(letters))
    letters = replace(letters, strokes=with_last_marks_on_line(letters))
    return with_marks_near(letters)


def with_clear_signs(letters: LetterStrokes) -> list[np.ndarray]:
    """Return a word's strokes, in x-heights; the two bars of an `=` are at least `MIN_BAR_GAP`
    apart, the ring of a `°` is at least `MIN_RING_SIZE` large, and no comma or semicolon reaches
    more than `MAX_COMMA_DEPTH` down."""
    strokes = [*letters.strokes]
    for index in letters.indices_of("="):
        bars = [k for k in letters.numbers_of(index) if is_flat(strokes[k])]
        if len(bars) == 2:
            upper, lower = sorted(bars, key=lambda k: strokes[k][:, 1].mean())
            gap = strokes[lower][:, 1].mean() - strokes[upper][:, 1].mean()
            shift = np.array([0.0, max(MIN_BAR_GAP - gap, 0.0) / 2])
            strokes[upper] = strokes[upper] - shift
            strokes[lower] = strokes[lower] + shift
    numbers_of_commas = map(letters.numbers_of, letters.indices_of(",;"))
    for number in chain.from_iterable(numbers_of_commas):
        top = strokes[number][:, 1].min()
        bottom = strokes[number][:, 1].max()
        if bottom > max(MAX_COMMA_DEPTH, top) and top > -MARK_RISE:
            factor = (MAX_COMMA_DEPTH - top) / (bottom - top)
            origin = strokes[number][strokes[number][:, 1].argmin()]
            strokes[number] = origin + (strokes[number] - origin) * factor
    for index in letters.indices_of("°"):
        for number in letters.numbers_of(index):
            ring = strokes[number]
            size = max(np.ptp(ring, axis=0).max(), MIN_DOT_SIZE)
            factor = max(MIN_RING_SIZE / size, 1.0)
            strokes[number] = ring.mean(0) + (ring - ring.mean(0)) * factor
    return strokes


def with_figures_apart(letters: LetterStrokes, max_hole: float) -> list[np.ndarray]:
    """Return a word's strokes, in x-heights; figures that no stroke joins stand at least
    `FIGURE_GAP` apart at each height, and at most `max_hole` where they are nearest."""
    strokes = [*letters.strokes]
    text = letters.text
    owners = [int(np.bincount(indices).argmax()) for indices in letters.indices]
    for k, (stroke, owner) in enumerate(zip(strokes, owners, strict=True)):
        before = [other for n, other in enumerate(strokes) if owners[n] == owner - 1]
        own = [other for n, other in enumerate(strokes) if owners[n] == owner and n != k]
        is_bar = np.ptp(stroke[:, 1]) <= MAX_FIGURE_BAR_HEIGHT
        if not (is_bar and before and own):
            continue
        begins_before = span([stroke]).left < span(before).right
        if begins_before and stroke[:, 0].mean() < span(own).left:
            owners[k] = owner - 1  # The bar of a 7 is made late.
    for index in range(1, len(text)):
        is_between_digits = text[index - 1 : index + 1].isdigit()
        before = [k for k, owner in enumerate(owners) if owner == index - 1]
        behind = [k for k, owner in enumerate(owners) if owner == index]
        if not is_between_digits or not before or not behind:
            continue
        if any(MAX_SHARED < np.mean(letters.indices[k] == index) < 1.0 for k in before):
            continue
        left = from_strokes([strokes[k] for k in before])
        right = from_strokes([strokes[k] for k in behind])
        gap = -touching_shift(left, right)
        if not math.isfinite(gap):  # One ends above or below the other.
            continue
        shift = min(min(max(gap, FIGURE_GAP), max_hole) - gap, MAX_FIGURE_SHIFT)
        if shift:
            strokes = [
                stroke + np.array([shift * (owner >= index), 0.0])
                for stroke, owner in zip(strokes, owners, strict=True)
            ]
    return strokes


def with_colons_on_line(letters: LetterStrokes) -> list[np.ndarray]:
    """Return a word's strokes, in x-heights; the lower dot of each `:` is within `COLON_FEET`, as
    one that is a word, as in French, has no letters that show where its line is. The upper dot is
    within `COLON_RISES` above it."""
    strokes = [*letters.strokes]
    for index in letters.indices_of(":"):
        feet = {k: strokes[k][:, 1].max() for k in letters.lone_numbers_of(index)}
        if len(feet) < 2:  # The other dot counts as ink of a character beside.
            continue
        lower = max(feet.values())
        # A stroke above both dots is the end of a quotation mark before, made late.
        for number, foot in sorted(feet.items(), key=itemgetter(1))[-2:]:
            rise = np.clip(lower - foot, *COLON_RISES) if foot < lower else 0.0
            shift = np.clip(lower, *COLON_FEET) - rise - foot
            strokes[number] = strokes[number] + np.array([0.0, shift])
    return strokes


def with_end_signs_on_line(letters: LetterStrokes) -> list[np.ndarray]:
    """Return a word's strokes, in x-heights; each `!` and `?` stands on the baseline, is as high as
    `END_SIGN_HEIGHTS`, and stands `END_SIGN_GAPS` from the ink before it, at each height."""
    strokes = [*letters.strokes]
    for index in letters.indices_of("!?"):
        sign = letters.lone_numbers_of(index)
        before = [s for s, each in zip(strokes, letters.indices, strict=True) if each[0] < index]
        if len(sign) < 2 or not before:
            continue
        left, top = np.min([strokes[k].min(0) for k in sign], axis=0)
        bottom = max(strokes[k][:, 1].max() for k in sign)
        height = bottom - top
        if height <= 0.0:  # two dots
            continue
        factor = min(max(height, END_SIGN_HEIGHTS[0]), END_SIGN_HEIGHTS[1]) / height
        placed = [(strokes[k] - (left, bottom)) * factor + (left, 0.0) for k in sign]
        gap = -touching_shift(from_strokes(before), from_strokes(placed))
        if not math.isfinite(gap):  # The ink before it ends above or below it.
            continue
        shift = np.array([min(max(gap, END_SIGN_GAPS[0]), END_SIGN_GAPS[1]) - gap, 0.0])
        for number, stroke in zip(sign, placed, strict=True):
            strokes[number] = stroke + shift
        for number, indices in enumerate(letters.indices):
            if indices[0] > index:
                strokes[number] = strokes[number] + shift
    return strokes


def with_tails_of_q(letters: LetterStrokes) -> list[np.ndarray]:
    """Return a word's strokes, in x-heights; the tail of each `q` reaches `MIN_TAIL_OF_Q` down."""
    strokes = [*letters.strokes]
    for index in letters.indices_of("q"):
        for number, indices in enumerate(letters.indices):
            tail = (indices == index) & (strokes[number][:, 1] > 0.0)
            depth = strokes[number][tail, 1].max(initial=0.0)
            if MARK_RISE / 2 <= depth < MIN_TAIL_OF_Q:
                factors = np.where(tail, MIN_TAIL_OF_Q / depth, 1.0)
                strokes[number] = strokes[number] * np.stack([np.ones(len(tail)), factors], 1)
    return strokes


def with_short_tail(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke in x-heights, pressed together below `TAIL_START` if it reaches lower than
    `MAX_TAIL`: in the row below a tail looks like an apostrophe."""
    bottom = stroke[:, 1].max()
    if bottom <= MAX_TAIL:
        return stroke
    x, y = stroke.T
    factor = (MAX_TAIL - TAIL_START) / (bottom - TAIL_START)
    return np.stack([x, np.where(y > TAIL_START, TAIL_START + factor * (y - TAIL_START), y)], 1)


def with_last_marks_on_line(letters: LetterStrokes) -> list[np.ndarray]:
    """Return the strokes of a word, in x-heights. Of the marks at its end, full stops are moved to
    the baseline, and short commas are scaled."""
    strokes = [*letters.strokes]
    text = letters.text
    for index in range(len(text.rstrip(".,")), len(text)):
        for number in letters.numbers_of(index):
            stroke = strokes[number]
            top, bottom = stroke[:, 1].min(), stroke[:, 1].max()
            width = np.ptp(stroke[:, 0])
            if text[index] == "," and top > -MARK_RISE and width <= MARK_WIDTH:
                origin = stroke[stroke[:, 1].argmin()]  # its top
                factor = max(MIN_COMMA_HEIGHT / max(bottom - top, MIN_DOT_SIZE), 1.0)
                strokes[number] = origin + (stroke - origin) * factor
            if text[index] == "." and max(width, bottom - top) <= MAX_STOP_SIZE:
                new_bottom = min(max(bottom, -MAX_STOP_RISE), 0.0)
                strokes[number] = stroke - (0.0, bottom - new_bottom)
    return strokes


def with_marks_near(letters: LetterStrokes) -> list[np.ndarray]:
    """Return the strokes of a word, in x-heights. Each of `MARK_RISES` and the ink behind it are
    moved so that the gaps beside the mark are within `MARK_GAPS`."""
    strokes = [*letters.strokes]
    text = letters.text
    owners = [int(np.bincount(indices).argmax()) for indices in letters.indices]
    for index in letters.indices_of("".join(MARK_RISES)):
        rise = MARK_RISES[text[index]]
        mark = []
        for number in letters.numbers_of(index):
            is_narrow = np.ptp(strokes[number][:, 0]) <= MARK_WIDTH
            if is_narrow and strokes[number][:, 1].min() > -rise:
                mark.append(number)
        if not mark:
            continue
        middle = np.mean(span(strokes[k] for k in mark))
        others = [k for k in range(len(strokes)) if k not in mark]
        # A bar or dot of a letter before the mark may be made late.
        behind = [k for k in others if owners[k] > index and np.mean(span([strokes[k]])) > middle]
        before = [k for k in others if k not in behind]
        sign, left, right = ([strokes[k] for k in part] for part in (mark, before, behind))
        shift = _shift_to_gap(left, sign, rise, text[index - 1 : index])
        shift_behind = shift + _shift_to_gap(sign, right, rise, text[index + 1 : index + 2])
        for number in mark:
            strokes[number] = strokes[number] + (shift, 0.0)
        for number in behind:
            strokes[number] = strokes[number] + (shift_behind, 0.0)
    return strokes


def _shift_to_gap(
    before: Sequence[np.ndarray], behind: Sequence[np.ndarray], rise: float, neighbour: str
) -> float:
    """Return by how many x-heights ink `behind` a gap is moved to the right, so that the gap is
    within `MARK_GAPS`. Only beside a letter, digit or stop, its `neighbour`, a gap is narrowed, and
    not below what leans or hangs over it. The least gap counts up to a `rise` from the baseline,
    the largest up to small letters."""
    gaps = []
    left, right = (np.concatenate([np.empty((0, 2)), *part]) for part in (before, behind))
    for height in (rise, SMALL_RISE, math.inf):
        edge = left[left[:, 1] > -height, 0].max(initial=-np.inf)
        gaps.append(right[right[:, 1] > -height, 0].min(initial=np.inf) - edge)
    least, largest = MARK_GAPS
    if gaps[0] < least:
        return least - gaps[0]
    is_narrowed = (neighbour.isalnum() or neighbour == ".") and math.isfinite(gaps[1])
    return -max(min(gaps[1] - largest, gaps[2]), 0.0) if is_narrowed else 0.0
