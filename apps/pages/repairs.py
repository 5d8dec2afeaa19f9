"""Repairs of dots, bars and small signs, which a network writes late, forgets or misplaces.

A dot beside its `i` is moved above the `i`, and a missing dot is added. The bar of a `t` is made to
reach both sides of its stem. Full stops are set on the baseline, short commas are scaled, and full
stops, commas and colons stand near their neighbours, and clear of them.
"""

import math
import string
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from apps.pages.hand_shape import HandShape
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
    MAX_LAG,
    MIN_POINT_FRACTION,
    NUM_POINTS,
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
from ink.measures import at_steps

# Dots and bars; for what is measured see notebook: pages, dots and bars.
MAX_DOT_SIZE = 0.5  # largest side of the dot of an `i`, in x-heights (measured)
DOT_RISE = 0.6  # x-heights from a stem up to a dot that is added (measured)
MAX_DOT_ASIDE = 0.3  # x-heights from a dot to its stem, extended upwards (measured)
MAX_DOT_RISE = 1.6  # x-heights from a letter up to its dot (measured)
MIN_DOT_GAP = 0.35
"""X-heights from a stem up to its dot (by eye: a page's pen, which is 0.18 wide, joins a dot that
is much nearer to the stem)."""
MAX_TICK_SIZE = 0.25  # longest dot of an `i`, in x-heights (by eye: a longer one looks like `í`)
# Of dots above other letters, in x-heights (by eye, notebook: pages, dots and bars):
MAX_STRAY_SIZE = 0.7  # their largest side: some are dashes
MAX_STRAY_BAR = 1.5  # the same of a flat one over letters without bars
MIN_STRAY_RISE = 0.8  # above the lowest quarter of the ink beside
MIN_STRAY_GAP = 0.1  # to other ink
MAX_DELAY = 4
"""Most characters that the window may be away from a letter while the pen makes the letter's dot;
it may also be anywhere up to the word's end (measured)."""
MAX_I_STEM_HEIGHT = 1.6  # of the stem of an `i`, in x-heights (measured)
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
MIN_DOT_SIZE = 0.15
"""Least length of a stroke's larger side in x-heights (by eye: a pen's line has this width, and
people overlook full stops that are no larger)."""
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

HIGH_SIGNS = {*string.punctuation} - {*".,"}
"""Signs whose ink may look like the dot of an `i`."""
SIGNS_AT_END = {*".,:;!?"}
"""Signs at which the window may be while the pen makes the bar of the `t` before, or a dot."""
UNDOTTED = {*string.ascii_letters, *string.digits} - {*"ij"}
"""Letters and digits without a dot."""
ONE_STROKE = {*"23COSUacegijlmnorsuw"}
"""Letters and digits that hands make in one stroke, but for dots (measured, notebook: pages, dots
and bars)."""


def repair_letters(letters: LetterStrokes, shape: HandShape) -> LetterStrokes:
    """Return letters with a bar on each `t` and `H`, two strokes in each `x`, a corner in each `5`,
    whole legs of each `A`, bars of each `E`, `F` and `T` at its stem, stems up to the roofs of `B`,
    `D`, `P` and `R`, short flags of each `1`, clear parts of others (`with_clear_parts`), and a
    head of each `s` that begins a word or follows an `o` or `r`. If the hand makes dots, each `i`
    and `j` gets its dot, and needless touches are removed."""
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


def with_dots(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters with one dot above each `i` and `j` that was written.

    Args:
        letters: the strokes of a line.
        x_height: the hand's x-height.
        lean: how far downstrokes lean to the right, x over y.
    """
    letters = letters.copy()
    added = []
    dots = _possible_dots(letters, x_height)
    above: set[int] = set()  # numbers of those above stems
    needed: set[int] = set()  # of those that may be dots of letters without a stem
    for index in letters.indices_of("ij"):
        # People who join their letters make the dots of a word at its end.
        word_end = f"{letters.text} ".index(" ", index)
        window = range(index - MAX_DELAY, max(index + MAX_DELAY, word_end) + 1)
        candidates = [dot for dot in dots if letters.indices[dot][0] in window]
        stem = _stem_of_dotted(letters, index, x_height)
        if stem is None:
            for dot in candidates:
                letters.indices[dot] = np.full_like(letters.indices[dot], index)
            needed.update(candidates)
            continue
        asides = {}  # how far each dot above the letter is to the right of its stem
        for dot in candidates:
            aside, rise = _offset_from(stem, letters.strokes[dot], x_height, lean)
            if rise >= 0.0:
                above.add(dot)
            if 0.0 <= rise <= MAX_DOT_RISE:
                asides[dot] = aside
        if asides:
            nearest = min(asides, key=lambda dot: abs(asides[dot]))
            dots.remove(nearest)
            letters.indices[nearest] = np.full_like(letters.indices[nearest], index)
            dot_stroke = letters.strokes[nearest]
            letters.strokes[nearest] = _moved_dot(dot_stroke, stem, x_height, lean)
        else:
            position = stem.points[0] + DOT_RISE * x_height * np.array([lean, -1.0])
            added.append((stem.stroke_number, index, position[None]))
    others = above.intersection(dots) - needed
    stray = {dot for dot in others if _is_second_dot(letters, dot, x_height)}
    remaining = [number for number in range(len(letters.strokes)) if number not in stray]
    added = [(remaining.index(number), index, stroke) for number, index, stroke in added]
    return letters.selected(remaining).with_added(added)


def _possible_dots(letters: LetterStrokes, x_height: float) -> list[int]:
    """Return the numbers of the small strokes that may be the dot of an `i` or `j`."""
    sizes = [np.ptp(stroke, axis=0).max() / x_height for stroke in letters.strokes]
    small = [k for k, size in enumerate(sizes) if size <= MAX_STRAY_SIZE]
    last_small = {int(letters.indices[k][0]): k for k in small}  # by the first index
    dots = []
    for number, (first, *_) in enumerate(letters.indices):
        sign = f"{letters.text} "[first]  # a blank for ink behind the text
        # An apostrophe is one small stroke, and one before it is a dot, as of "j'avais".
        may_be_dot = sign not in HIGH_SIGNS or (sign == "'" and number < last_small.get(first, 0))
        if may_be_dot and sizes[number] <= MAX_DOT_SIZE:
            dots.append(number)
    return dots


def _stem_of_dotted(letters: LetterStrokes, index: int, x_height: float) -> Stem | None:
    """Return the stem of an `i` or `j`; None if it has none."""
    max_height = MAX_I_STEM_HEIGHT if letters.text[index] == "i" else math.inf
    # The window may leave the letter while the pen is still on the way up to its stem.
    for lag in (0, MAX_LAG):
        if stems := stems_of(letters, index, x_height, max_height, lag):
            return stems[-1]  # One before it is of the letter before.
    return None


def _offset_from(stem: Stem, dot: np.ndarray, x_height: float, lean: float) -> tuple[float, float]:
    """Return how many x-heights a dot is to the right of a stem that is extended upwards, and how
    many above the stem."""
    x, y = (dot.mean(0) - stem.points[0]) / x_height
    return x + lean * y, -y  # The stem leans to the right upwards, where y is negative.


def _moved_dot(dot: np.ndarray, stem: Stem, x_height: float, lean: float) -> np.ndarray:
    """Return a dot no longer than `MAX_TICK_SIZE`, above its stem if it was further aside than
    `MAX_DOT_ASIDE`, and at least `MIN_DOT_GAP` above its top."""
    aside, _ = _offset_from(stem, dot, x_height, lean)
    middle = dot.mean(0)
    shift = aside * x_height if abs(aside) > MAX_DOT_ASIDE else 0.0
    size = max(np.ptp(dot, axis=0).max() / x_height, MAX_TICK_SIZE)
    dot = middle + (dot - middle) * MAX_TICK_SIZE / size - (shift, 0.0)
    lowest = stem.points[0, 1] - MIN_DOT_GAP * x_height
    lift = max(dot[:, 1].max() - lowest, 0.0)
    return dot + lift * np.array([lean, -1.0])


def _is_second_dot(letters: LetterStrokes, number: int, x_height: float) -> bool:
    """Return whether a small stroke is needless where each `i` and `j` has its dot."""
    is_dot = _may_be_dot(letters, number, x_height, UNDOTTED | {*"ij "})
    return not is_dot and _is_needless(letters, number, x_height)


def with_bars(
    letters: LetterStrokes, x_height: float, width: float, indices: Sequence[int] | None = None
) -> LetterStrokes:
    """Return letters with a bar through each `t` that was written, and not through the letters
    behind the next.

    Args:
        letters: the strokes of a line or word.
        x_height: as in `with_dots`.
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
    to a `t` with a low bar. The arguments are as in `with_dots`."""
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
    otherwise it looks like `tl`. `x_height`: as in `with_dots`."""
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
    its roof, if this is no further than `MAX_ROOF_GAP`. `x_height`: as in `with_dots`."""
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


def without_touches(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return the result of `with_dots` without needless touches, which some people make where a
    letter begins, and stray dots, under which a letter looks accented. A word without other strokes
    is not changed. `x_height`: as in `with_dots`."""
    kept = [
        number
        for number in range(len(letters.strokes))
        if not _is_needless(letters, number, x_height) or _may_be_dot(letters, number, x_height)
    ]
    word_of = [letters.text.count(" ", 0, int(np.median(each))) for each in letters.indices]
    with_ink = {word_of[number] for number in kept}
    return letters.selected(k for k, w in enumerate(word_of) if k in kept or w not in with_ink)


def _may_be_dot(
    letters: LetterStrokes, number: int, x_height: float, undotted: Set[str] = UNDOTTED
) -> bool:
    """Return whether a small stroke may be needed: its characters may have a dot, or it is behind
    the text, or near a character beyond ASCII, or beside a sign without other ink. One made behind
    a word that is larger than dots is not."""
    text = letters.text
    indices = letters.indices
    first = int(indices[number].min())
    end = int(indices[number].max()) + 1
    signs = text[first:end]
    if SIGNS_AT_END.issuperset(signs):
        before = [stroke[each < first] for stroke, each in letters.pairs() if (each < first).any()]
        right = letters.strokes[number][:, 0].max() + MAX_DOT_SIZE * x_height
        # The end of a word may reach over its full stop or comma.
        is_no_stop = {*";:!?"}.issuperset(signs) or _is_above(letters, number, x_height)
        if before and right < span(before).right and is_no_stop:
            return False  # A stray dot, made while the window is at the sign behind the word.
    near = text[max(first - MAX_DELAY, 0) : end + MAX_DELAY]
    if not near.isascii():
        return True
    size = np.ptp(letters.strokes[number], axis=0).max() / x_height
    characters = set(f"{text} "[first:end])
    if (characters - {" "} if size > MAX_DOT_SIZE else characters) - undotted:
        return True
    # The signs beside the stroke's characters may have no ink.
    beside = {k for k in (first - 1, end) if text[k : k + 1] not in {*UNDOTTED, *"ij ", ""}}
    return bool(beside.difference(*indices))


def _is_needless(letters: LetterStrokes, number: int, x_height: float) -> bool:
    """Return whether a stroke is a touch of the pen, or small and above letters, but no larger than
    a dot where it may be an arm or a bar of a letter."""
    dot = letters.strokes[number] / x_height
    max_size = MAX_TICK_SIZE
    if _are_whole_without(letters, number):
        max_size = MAX_STRAY_BAR if _is_over_others(letters, number) else MAX_STRAY_SIZE
    size = np.ptp(dot, axis=0).max()
    is_touch = size < MIN_DOT_SIZE
    return bool(is_touch or (size <= max_size and _is_above(letters, number, x_height)))


def _is_above(letters: LetterStrokes, number: int, x_height: float) -> bool:
    """Return whether a small stroke is above letters, and clear of ink."""
    dot = letters.strokes[number] / x_height
    others = [stroke / x_height for k, stroke in enumerate(letters.strokes) if k != number]
    ink = np.concatenate([dot[:0], *at_steps(others, MIN_STRAY_GAP)])
    near = ink[np.abs(ink[:, 0] - dot[:, 0].mean()) <= 1.0]
    if not len(near):
        return False
    lowest = np.quantile(near[:, 1], 0.75) - MIN_STRAY_RISE
    if dot[:, 1].max() > lowest:
        return False
    return bool(np.hypot(*(near[:, None] - dot).T).min() > MIN_STRAY_GAP)


def _are_whole_without(letters: LetterStrokes, number: int) -> bool:
    """Return whether the letters that a stroke may be of are of `ONE_STROKE`, and the stroke's own
    letter has other ink. The window may be at the next letter while the pen ends a letter."""
    indices = letters.indices[number]
    owner = int(np.bincount(indices).argmax())
    first = max(int(indices.min()) - 1, 0)  # of the letter before
    near = letters.text[first : int(indices.max()) + 1]
    has_ink = any((other == owner).any() for k, other in enumerate(letters.indices) if k != number)
    return has_ink and ONE_STROKE.issuperset(filter(str.isalnum, near))


def _is_over_others(letters: LetterStrokes, number: int) -> bool:
    """Return whether a stroke is flat, and over letters of `ONE_STROKE` alone."""
    left, right = span([letters.strokes[number]])
    over = set()
    for stroke, indices in letters.pairs():
        over |= {*indices[(stroke[:, 0] >= left) & (stroke[:, 0] <= right)]}
    is_bar = is_flat(letters.strokes[number])
    characters = {f"{letters.text} "[index] for index in over}
    return is_bar and ONE_STROKE.issuperset(filter(str.isalnum, characters))


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


def with_visible_dot(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke in x-heights; one smaller than `MIN_DOT_SIZE` becomes a dot this high."""
    if np.ptp(stroke, axis=0).max() >= MIN_DOT_SIZE:
        return stroke
    middle = (stroke.min(0) + stroke.max(0)) / 2
    return middle + np.array([[0.0, -MIN_DOT_SIZE / 2], [0.0, MIN_DOT_SIZE / 2]])


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
