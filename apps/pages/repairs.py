"""Repairs of dots, bars and small signs, which a network writes late, forgets or misplaces.

A dot beside its `i` is moved above the `i`, and a missing dot is added. The bar of a `t` is made to
reach both sides of its stem. A `5` gets a corner, an `A` a whole left leg.
Full stops are set on the baseline, short commas are scaled, and full stops and commas within a word
are set apart from their neighbours. The peak of the window tells the character of each point of
ink.
"""

import math
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from apps.pages.hand_shape import HandShape
from apps.pages.written_word import span
from data_loader.pen_paths import from_strokes, touching_shift
from ink import geometry
from ink.geometry import smooth_path
from ink.measures import at_steps, segments_cross
from model.generation.line import Line

# Dots and bars; for what is measured see notebook: pages, dots and bars.
MAX_DOT_SIZE = 0.5  # largest side of the dot of an `i`, in x-heights (measured)
DOT_RISE = 0.6  # x-heights from a stem up to a dot that is added (measured)
MAX_DOT_ASIDE = 0.3  # x-heights from a dot to its stem, extended upwards (measured)
MAX_DOT_RISE = 1.6  # x-heights from a letter up to its dot (measured)
MAX_TICK_SIZE = 0.25  # longest dot of an `i`, in x-heights (by eye: a longer one looks like `í`)
# Of dots above other letters, in x-heights (by eye, notebook: pages, dots and bars):
MAX_STRAY_SIZE = 0.7  # their largest side: some are dashes
MIN_STRAY_RISE = 0.8  # above the lowest quarter of the ink beside
MIN_STRAY_GAP = 0.1  # to other ink
MAX_DELAY = 4
"""Most characters that the window may be away from a letter while the pen makes the letter's dot;
it may also be anywhere up to the word's end (measured)."""
MIN_STEM_HEIGHT = 0.5  # least height of a stem in x-heights (by eye)
MAX_I_STEM_HEIGHT = 1.6  # of the stem of an `i`, in x-heights (measured)
MIN_POINT_FRACTION = 0.5  # ink is part of a letter if this fraction of the ink's points is (by eye)
BAR_RISE = 0.78  # x-heights from the foot of a `t` up to its bar (measured)
BAR_SIDE = 0.25  # letter widths from the stem of a `t` to an end of its bar (measured)
MIN_BAR_SIDE = 0.5  # fraction of `BAR_SIDE` below which a bar is extended (measured)
NUM_POINTS = 4  # points of a straight piece that is drawn (assumed: bars of networks have eight)
MAX_BAR_SLOPE = 0.6  # height over width of a step in a bar (measured: an upstroke is steeper)
MIN_BAR_RISE = 0.3  # least x-heights from the foot of the stem up to its bar (by eye)
MAX_BAR_GAP = 0.3  # x-heights between a stem and a bar that does not cross the stem (by eye)
TREMBLE = 0.02  # x-heights by which the pen may waver from point to point (by eye)
BAR_TILT = 0.05  # rise of the bar of a `5`, in heights of the `5` (by eye)
MIN_FIVE_BAR_WIDTH = 0.3  # least width of the bar of a `5`, in heights of the `5` (by eye)
WAIST = 0.4  # depth of the end of the stem below the top, in heights of a `5` (by eye)
MIN_BELLY_DEPTH = 0.55  # least depth of the belly below the top, in heights of a `5` (by eye)
MAX_X_HEIGHT = 1.6  # x-heights of a stroke of an `x` (by eye)
MIN_ALONE = 0.8  # fraction of a stroke's points in its letter that is not joined (by eye)
PEN_LAG = 0.2
"""Fraction of a letter's points by which the pen reaches the letter later than the window does
(notebook: pages, marks that are drawn)."""
CROSS_SIDE = 0.28  # x-heights from the middle of an `x` to the ends of its first stroke (by eye)
CROSS_WIDTH = 0.4  # the same of its second stroke (by eye)
MIN_V_HEIGHT = 0.6  # x-heights of a `v` that is made pointed (by eye)
MAX_END_DEPTH = 0.4  # of the ends of a `v` below its top, in its heights (by eye)
MAX_POINT_WIDTH = 0.45
"""Width of a `v` at a quarter of its height, in its widths, above which it is a `u` (by eye)."""
SHORT_LEG = (0.12, 0.55)  # heights of an `A` by which its left leg is lengthened (by eye)
MAX_STOP_SIZE = 0.4  # largest side of a full stop in x-heights (by eye)
MAX_STOP_RISE = 0.12  # x-heights from the baseline up to a full stop (by eye)
MIN_DOT_SIZE = 0.15
"""Least length of a stroke's larger side in x-heights (by eye: a pen's line has this width, and
people overlook full stops that are no larger)."""
MARK_RISE = 0.6  # x-heights from the baseline to the top of a full stop or comma (by eye)
MARK_WIDTH = 0.4  # largest width of a full stop or comma in x-heights (by eye)
MIN_MARK_GAP = 0.3  # least x-heights from a full stop or comma in a word to feet beside (by eye)
MAX_BAR_HEIGHT = 0.4  # of the bar of a sign, in widths of the bar (by eye)
MIN_BAR_GAP = 0.3  # least x-heights between two bars of a sign (by eye: as `MIN_MARK_GAP`)
MIN_RING_SIZE = 0.45  # larger side of the ring of a `°`, in x-heights (by eye)
MIN_END_GAP = 0.3  # the same at the end of a word (measured, notebook: pages, marks that are drawn)
MAX_COMMA_DEPTH = 1.1  # x-heights below the baseline (measured, as `MIN_END_GAP`)
MAX_TAIL = 2.2  # x-heights below the baseline of letters (notebook: pages, marks that are drawn)
MAX_FLAG = 0.38  # of the flag of a `1` below its top, in heights of the `1` (by eye)
MAX_FIGURE_BAR_HEIGHT = 0.6  # x-heights of the bar of a 7 (by eye)
FIGURE_GAP = 0.13  # least x-heights between two figures (by eye)
MAX_FIGURE_SHIFT = 0.5  # most x-heights by which a figure is moved (by eye)
MAX_SHARED = 0.2  # fraction of a stroke's points in the next figure that joins it (by eye)
MIN_TAIL_OF_Q = 0.95  # x-heights below the baseline (by eye: with a shorter tail it is an `a`)
TAIL_START = 0.5  # x-heights below the baseline from which a tail is shortened (by eye)
MIN_COMMA_HEIGHT = 0.6  # in x-heights (by eye: a smaller one looks like a full stop)

HIGH_SIGNS = {*string.punctuation} - {*".,"}
"""Signs whose ink may look like the dot of an `i`."""
UNDOTTED = {*string.ascii_letters, *string.digits} - {*"ij"}
"""Letters and digits without a dot."""
ONE_STROKE = {*"23COSUacegijlmnorsuw"}
"""Letters and digits that hands make in one stroke, but for dots (measured, notebook: pages, dots
and bars)."""


@dataclass(frozen=True)
class LetterStrokes:
    """The strokes of a written line, with the character of each of their points.

    Attributes:
        text: the primer's text, then the line's.
        strokes: positions `(n, 2)`, in the order of writing.
        indices: for each stroke, the index in `text` of each point's character, `(n,)`; the length
            of `text` for ink behind the text.
    """

    text: str
    strokes: list[np.ndarray]
    indices: list[np.ndarray]

    @classmethod
    def of(cls, line: Line) -> "LetterStrokes":
        """Return the strokes of a line behind its primer, with the window's peaks as indices."""
        strokes, peaks = geometry.strokes(line.written), line.peaks[max(line.primed - 1, 0) :]
        if not line.primed:  # No step draws the first point: it gets the next point's peak.
            peaks = np.concatenate([peaks[:1], peaks])
        ends = np.cumsum([len(stroke) for stroke in strokes])[:-1]
        return cls(line.text, strokes, np.split(peaks, ends))

    def copy(self) -> "LetterStrokes":
        """Return a copy whose lists may be changed."""
        return LetterStrokes(self.text, [*self.strokes], [*self.indices])

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each stroke and the indices of its points' characters."""
        return zip(self.strokes, self.indices, strict=True)

    def indices_of(self, wanted: str) -> list[int]:
        """Return the index in `text` of each occurrence of one of the `wanted` characters."""
        return [index for index, character in enumerate(self.text) if character in wanted]

    def numbers_of(self, index: int) -> list[int]:
        """Return the numbers of the strokes that belong to a character of the text: the window was
        at it during more of their points than at any other character."""
        owners = (int(np.bincount(indices).argmax()) for indices in self.indices)
        return [number for number, owner in enumerate(owners) if owner == index]

    def is_alone(self, number: int, index: int) -> bool:
        """Return whether a stroke is hardly more than a character: it joins it to no other."""
        return bool(np.mean(self.indices[number] == index) > MIN_ALONE)

    def selected(self, numbers: Iterable[int]) -> "LetterStrokes":
        """Return only the strokes with these numbers."""
        numbers = [*numbers]
        strokes = [self.strokes[k] for k in numbers]
        return LetterStrokes(self.text, strokes, [self.indices[k] for k in numbers])

    def with_added(self, added: Sequence[tuple[int, int, np.ndarray]]) -> "LetterStrokes":
        """Return these strokes with further strokes among them.

        Args:
            added: for each further stroke, the number of the stroke before it, the index of its
                character, and its positions `(n, 2)`.
        """
        letters = self.copy()
        for number, index, stroke in sorted(added, key=itemgetter(0), reverse=True):
            letters.strokes.insert(number + 1, stroke)
            letters.indices.insert(number + 1, np.full(len(stroke), index))
        return letters


def repair_letters(letters: LetterStrokes, shape: HandShape) -> LetterStrokes:
    """Return letters with a bar on each `t`, two strokes in each `x`, a corner in each `5`, whole
    legs of each `A`, pointed `v` and short flags of each `1`. If the hand makes dots, each `i` and
    `j` gets its dot, and needless touches are removed."""
    letters = with_legs(letters)
    letters = with_short_flags(letters, shape.x_height)
    letters = with_points(letters, shape.x_height)
    letters = with_crosses(letters, shape.x_height, shape.lean)
    letters = with_bars(letters, shape.x_height, shape.letter_width)
    letters = with_corners(letters, shape.lean)
    if shape.dotted:
        letters = with_dots(letters, shape.x_height, shape.lean)
        letters = without_touches(letters, shape.x_height)
    return letters


def with_dots(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters with a dot above each `i` and `j` that was written.

    Args:
        letters: the strokes of a line.
        x_height: the hand's x-height.
        lean: how far downstrokes lean to the right, x over y.
    """
    letters, added = letters.copy(), []
    sizes = [np.ptp(stroke, axis=0).max() / x_height for stroke in letters.strokes]
    small = (k for k, size in enumerate(sizes) if size <= MAX_STRAY_SIZE)
    last, dots = {int(letters.indices[k][0]): k for k in small}, []
    for number, (first, *_) in enumerate(letters.indices):
        sign = f"{letters.text} "[first]
        # An apostrophe is one small stroke, and one before it is a dot, as of "j'avais".
        may_be_dot = sign not in HIGH_SIGNS or (sign == "'" and number < last.get(first, 0))
        dots += [number] if may_be_dot and sizes[number] <= MAX_DOT_SIZE else []
    for index in letters.indices_of("ij"):
        max_height = MAX_I_STEM_HEIGHT if letters.text[index] == "i" else math.inf
        stems = stems_of(letters, index, x_height, max_height)
        # People who join their letters make the dots of a word at its end.
        word_end = f"{letters.text} ".index(" ", index)
        window = range(index - MAX_DELAY, max(index + MAX_DELAY, word_end) + 1)
        candidates = [dot for dot in dots if letters.indices[dot][0] in window]
        if not stems:  # One of them is this letter's dot, and no stray dot.
            for dot in candidates:
                letters.indices[dot] = np.full_like(letters.indices[dot], index)
            continue
        distances = {  # by dot that may belong to the letter, its distances from the stems
            dot: [_distance_from(stem, letters.strokes[dot], x_height, lean) for stem in stems]
            for dot in candidates
        }
        dots_above = [dot for dot in distances if min(map(abs, distances[dot])) <= MAX_DOT_ASIDE]
        movable = [dot for dot in distances if distances[dot][-1] < math.inf]
        if dots_above or movable:
            nearest = min(dots_above or movable, key=lambda dot: abs(distances[dot][-1]))
            dots.remove(nearest)
            letters.indices[nearest] = np.full_like(letters.indices[nearest], index)
            dot, middle = letters.strokes[nearest], letters.strokes[nearest].mean(0)
            shift = 0.0 if dots_above else distances[nearest][-1] * x_height
            size = max(np.ptp(dot, axis=0).max() / x_height, MAX_TICK_SIZE)
            letters.strokes[nearest] = middle + (dot - middle) * MAX_TICK_SIZE / size - (shift, 0.0)
        else:
            position = stems[-1].points[0] + DOT_RISE * x_height * np.array([lean, -1.0])
            added.append((stems[-1].stroke_number, index, position[None]))
    return letters.with_added(added)


def _distance_from(stem: "Stem", dot: np.ndarray, x_height: float, lean: float) -> float:
    """Return how many x-heights a dot is to the right of a stem that is extended upwards; infinity
    if the dot is not above the stem."""
    x, y = (dot.mean(0) - stem.points[0]) / x_height
    return x + lean * y if -MAX_DOT_RISE <= y <= 0.0 else math.inf


def with_bars(letters: LetterStrokes, x_height: float, width: float) -> LetterStrokes:
    """Return letters with a bar through each `t` that was written. `x_height`: as in `with_dots`;
    `width`: of a usual letter in x-heights."""
    letters, added = letters.copy(), []
    side = BAR_SIDE * width * x_height
    for index in letters.indices_of("t"):
        if not (stems := stems_of(letters, index, x_height, math.inf)):
            continue
        stem = max(stems, key=lambda stem: np.ptp(stem.points[:, 1]))
        bar = max(_bars(letters, stem, index, x_height), key=lambda bar: bar.reach, default=None)
        if bar is not None:
            strokes, indices = letters.strokes, letters.indices
            number = bar.stroke_number
            strokes[number], indices[number], new_strokes = _with_extended_bar(
                strokes[number], indices[number], bar, index, side, x_height
            )
            added += [(number, index, stroke) for stroke in new_strokes]
            continue
        above_foot = stem.points[-1, 1] - stem.points[:, 1]
        middle = stem.points[np.abs(BAR_RISE * x_height - above_foot).argmin()]
        stroke = middle + np.linspace((-side, 0.0), (side, 0.0), 2 * NUM_POINTS)
        added.append((stem.stroke_number, index, stroke))
    return letters.with_added(added)


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
        if end == 0:
            stroke = np.concatenate([extension[:0:-1], stroke])
            indices = np.concatenate([new_indices, indices])
        elif end == len(stroke) - 1:
            stroke = np.concatenate([stroke, extension[1:]])
            indices = np.concatenate([indices, new_indices])
        else:
            new_strokes.append(extension)
    return stroke, indices, new_strokes


def with_corners(letters: LetterStrokes, lean: float) -> LetterStrokes:
    """Return letters in which the bar and stem of each written `5` are straight and meet in a
    corner, which distinguishes a `5` from an `S`. `lean`: as in `with_dots`."""
    letters, bars = letters.copy(), set()
    for index in letters.indices_of("5"):
        fractions = [np.mean(indices == index) for indices in letters.indices]
        numbers = [k for k, fraction in enumerate(fractions) if fraction > MIN_POINT_FRACTION]
        if not numbers:
            continue
        body = max(numbers, key=lambda k: np.ptp(letters.strokes[k][:, 1]))
        bar = _bar_of_five(letters, body, index)
        stroke, indices = letters.strokes[body], letters.indices[body]
        bar_points = stroke[:0] if bar is None else letters.strokes[bar]
        corner = _five_corner(stroke, bar_points, lean)
        if corner and np.mean(indices[: corner[1]] == index) > MIN_POINT_FRACTION:
            straight, belly = corner
            letters.strokes[body] = np.concatenate([straight, stroke[belly:]])
            straight_indices = np.full(len(straight), index)
            letters.indices[body] = np.concatenate([straight_indices, indices[belly:]])
            bars.add(bar)  # This stroke is now a part of the body.
    return letters.selected(k for k in range(len(letters.strokes)) if k not in bars)


def _bar_of_five(letters: LetterStrokes, body: int, index: int) -> int | None:
    """Return the number of the stroke that is the bar of a `5`, or None: a bar is flat, unlike a
    quotation mark, and near the upper end of the stroke `body`."""
    (x, y), height = letters.strokes[body][0], np.ptp(letters.strokes[body][:, 1])
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
    height, top = float(np.ptp(points[:, 1])), float(points[:, 1].min())
    low = np.flatnonzero(body[:, 1] > top + MIN_BELLY_DEPTH * height)
    if not len(low) or body[0, 1] > top + WAIST * height:
        return None
    turn = int((body[: low[0]] @ np.array([1.0, lean])).argmin())  # leftmost if made upright
    right = points[: len(bar) + turn + 1, 0].max()
    x, y = body[turn]
    corner = np.array([x + lean * (y - top), top + BAR_TILT * height])
    waist = np.array([x + lean * (y - top - WAIST * height), top + WAIST * height])
    tip = np.array([max(right, corner[0] + MIN_FIVE_BAR_WIDTH * height), top])
    new_bar, stem = np.linspace(tip, corner, NUM_POINTS), np.linspace(corner, waist, NUM_POINTS)
    belly = turn + 1 + int((body[turn + 1 :, 1] > waist[1]).argmax())
    return np.concatenate([new_bar, stem[1:]]), belly


def with_legs(letters: LetterStrokes) -> LetterStrokes:
    """Return letters in which the left leg of each `A` that begins with it reaches the height of
    the other foot: networks often begin too high, and the letter seems to stand above its line."""
    letters = letters.copy()
    for index in letters.indices_of("A"):
        for number in letters.numbers_of(index)[:1]:
            stroke, indices = letters.strokes[number], letters.indices[number]
            y = np.where(indices == index, stroke[:, 1], np.nan)
            top, height = np.nanargmin(y), np.nanmax(y) - np.nanmin(y)
            rise, missing = stroke[0, 1] - stroke[top, 1], np.nanmax(y[top:]) - stroke[0, 1]
            is_short = SHORT_LEG[0] * height <= missing <= SHORT_LEG[1] * height
            if is_short and rise > 0.0 and stroke[: top + 1, 1].max() == stroke[0, 1]:
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
    letters, added = letters.copy(), []
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
        (left, top), (right, bottom) = ink.min(0), ink.max(0)
        if not MIN_STEM_HEIGHT <= (bottom - top) / x_height <= MAX_X_HEIGHT:
            continue
        x, half, goes_right = (left + right) / 2, CROSS_WIDTH * x_height, 1.0
        if is_alone:
            goes_right = math.copysign(1.0, ink[-1, 0] - ink[0, 0])
        else:
            side = min(CROSS_SIDE * x_height, (right - left) / 2)
            corners = [ink[0], (x - side, top), (x + side, bottom), ink[-1]]
            path = smooth_path(corners, 2 * NUM_POINTS) @ np.linalg.inv(slant)
            _replace_part(letters, number, part, path, index)
        ends = (x + goes_right * half, top), (x - goes_right * half, bottom)
        added.append((number, index, np.linspace(*ends, 2 * NUM_POINTS) @ np.linalg.inv(slant)))
    return letters.with_added(added)


def late_part(indices: np.ndarray, index: int) -> slice:
    """Return the part of a joined stroke that is a character: the pen is later than the window."""
    points = np.flatnonzero(indices == index)
    late = round(PEN_LAG * len(points))
    return slice(points[0] + late * (points[0] > 0), min(points[-1] + 1 + late, len(indices)))


def _replace_part(
    letters: LetterStrokes, number: int, part: slice, path: np.ndarray, index: int
) -> None:
    """Put a path of a character in the place of a part of a stroke."""
    stroke, indices = letters.strokes[number], letters.indices[number]
    before, behind = slice(None, part.start), slice(part.stop, None)
    letters.strokes[number] = np.concatenate([stroke[before], path, stroke[behind]])
    new_indices = np.full(len(path), index)
    letters.indices[number] = np.concatenate([indices[before], new_indices, indices[behind]])


def _has_crossing_strokes(letters: LetterStrokes, index: int) -> bool:
    """Return whether a stroke of a character crosses another stroke that was made while the window
    was at most one character away."""
    near = [stroke[abs(indices - index) <= 1] for stroke, indices in letters.pairs()]
    own = [k for k, indices in enumerate(letters.indices) if (indices == index).any()]
    pairs = ((near[k], other) for k in own for m, other in enumerate(near) if m != k and len(other))
    return any(crosses([one], [other]) for one, other in pairs)


def is_crossed(letters: LetterStrokes, index: int) -> bool:
    """Return whether the ink of a character crosses itself or ink that was made while the window
    was at most one character away."""
    own, near = (
        [
            part
            for stroke, indices in letters.pairs()
            if len(part := stroke[abs(indices - index) <= n])
        ]
        for n in (0, 1)
    )
    return not own or crosses(own, near)


def crosses(strokes: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    """Return whether segments of strokes cross segments of others that have no end in common."""
    segments, other_segments = (
        np.concatenate([np.stack((stroke[:-1], stroke[1:]), 1) for stroke in each])
        for each in (strokes, others)
    )
    ends = segments[:, None, :, None] == other_segments[:, None]
    is_apart = ~ends.all(-1).any((2, 3))
    return bool((segments_cross(segments, other_segments) & is_apart).any())


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


def _may_be_dot(letters: LetterStrokes, number: int, x_height: float) -> bool:
    """Return whether a small stroke may be needed: its characters may have a dot, or it is behind
    the text, or near a character beyond ASCII, or beside a sign without other ink."""
    text, indices = letters.text, letters.indices
    first, end = int(indices[number].min()), int(indices[number].max()) + 1
    if {*";:!?"}.issuperset(text[first:end]):
        before = [stroke[each < first] for stroke, each in letters.pairs() if (each < first).any()]
        right = letters.strokes[number][:, 0].max() + MAX_DOT_SIZE * x_height
        if before and right < span(before)[1]:
            return False  # A stray dot, made while the window is at the sign behind the word.
    near = text[max(first - MAX_DELAY, 0) : end + MAX_DELAY]
    if set(text[first:end]) - UNDOTTED or first >= len(text) or not near.isascii():
        return True
    signs = {k for k in (first - 1, end) if text[k : k + 1] not in {*UNDOTTED, *"ij ", ""}}
    return bool(signs.difference(*indices))


def _is_needless(letters: LetterStrokes, number: int, x_height: float) -> bool:
    """Return whether a stroke is a touch of the pen, or small, above letters and clear of ink. It
    is no larger than a dot where it may be an arm or a bar of a letter."""
    dot = letters.strokes[number] / x_height
    max_size = MAX_STRAY_SIZE if _are_whole_without(letters, number) else MAX_TICK_SIZE
    if (size := np.ptp(dot, axis=0).max()) < MIN_DOT_SIZE or size > max_size:
        return bool(size < MIN_DOT_SIZE)
    others = [stroke / x_height for k, stroke in enumerate(letters.strokes) if k != number]
    ink = np.concatenate([dot[:0], *at_steps(others, MIN_STRAY_GAP)])
    near = ink[np.abs(ink[:, 0] - dot[:, 0].mean()) <= 1.0]
    if not len(near) or dot[:, 1].max() > np.quantile(near[:, 1], 0.75) - MIN_STRAY_RISE:
        return False
    return bool(np.hypot(*(near[:, None] - dot).T).min() > MIN_STRAY_GAP)


def _are_whole_without(letters: LetterStrokes, number: int) -> bool:
    """Return whether the letters that a stroke may be of are of `ONE_STROKE`, and the stroke's own
    letter has other ink. The window may be at the next letter while the pen ends a letter."""
    indices = letters.indices[number]
    owner = int(np.bincount(indices).argmax())
    near = letters.text[max(int(indices.min()) - 1, 0) : int(indices.max()) + 1]
    has_ink = any((other == owner).any() for k, other in enumerate(letters.indices) if k != number)
    return has_ink and ONE_STROKE.issuperset(filter(str.isalnum, near))


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


def _bars(letters: LetterStrokes, stem: "Stem", index: int, x_height: float) -> Iterator[Bar]:
    """Yield the parts of strokes that may be the bar of a stem: flat parts above the stem's foot. A
    part crosses the stem; or it is near the stem, and of the same letter or of a flat stroke."""
    stem_y = np.maximum.accumulate(stem.points[:, 1])
    for number, (stroke, indices) in enumerate(letters.pairs()):
        steps = np.abs(np.diff(stroke, axis=0))
        flat = steps[:, 1] <= MAX_BAR_SLOPE * steps[:, 0] + TREMBLE * x_height
        if number == stem.stroke_number:
            flat[max(stem.first - 1, 0) : stem.last + 1] = False
        edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
        for first, last in edges.reshape(-1, 2):
            run = stroke[first : last + 1]
            distances = run[:, 0] - np.interp(run[:, 1], stem_y, stem.points[:, 0])
            x, y = run[nearest := np.abs(distances).argmin()]
            is_of_letter = np.mean(indices[first : last + 1] == index) > MIN_POINT_FRACTION
            may_be_apart = is_of_letter or np.ptp(stroke[:, 1]) <= x_height / 3
            crosses = distances.min() <= 0.0 <= distances.max()
            is_near = may_be_apart and abs(distances[nearest]) <= MAX_BAR_GAP * x_height
            top, low = stem_y[0] - MAX_BAR_GAP * x_height, stem_y[-1] - MIN_BAR_RISE * x_height
            is_beside_stem = top < y < low
            if is_beside_stem and (crosses or is_near) and np.ptp(run[:, 0]) > x_height / 8:
                left, right = first + run[:, 0].argmin(), first + run[:, 0].argmax()
                reach = min(-distances.min(), distances.max())
                yield Bar(number, left, right, x - distances[nearest], reach)


class Stem(NamedTuple):
    """A downward part of a stroke: its `points` from `first` to `last`."""

    stroke_number: int
    first: int
    last: int
    points: np.ndarray


def stems_of(letters: LetterStrokes, index: int, x_height: float, max_height: float) -> list[Stem]:
    """Return the downward parts of strokes, `MIN_STEM_HEIGHT` to `max_height` x-heights high, that
    have enough points of a letter. (The window may reach a letter while the pen writes the
    letter before.)"""
    stems = []
    for number, (stroke, indices) in enumerate(letters.pairs()):
        if not np.any(indices == index):
            continue
        down = np.append(np.diff(stroke[:, 1]) >= -TREMBLE * x_height, False)
        starts = np.flatnonzero(down & ~np.append(False, down[:-1]))
        ends = np.flatnonzero(~down & np.append(False, down[:-1]))
        for first, last in zip(starts, ends, strict=True):
            stem_height = (stroke[last, 1] - stroke[first, 1]) / x_height
            is_of_letter = np.mean(indices[first : last + 1] == index) >= MIN_POINT_FRACTION
            if is_of_letter and MIN_STEM_HEIGHT <= stem_height <= max_height:
                stems.append(Stem(number, first, last, stroke[first : last + 1]))
    return stems


def repair_signs(letters: LetterStrokes) -> list[np.ndarray]:
    """Return a word's strokes, in x-heights, with legible full stops, commas, bars and rings, and
    with tails that end above the row below and are long enough."""
    letters = replace(letters, strokes=with_tails_of_q(letters))
    letters = replace(letters, strokes=[*map(with_short_tail, with_clear_signs(letters))])
    letters = replace(letters, strokes=with_figures_apart(letters))
    letters = replace(letters, strokes=with_last_marks_clear(letters))
    return with_free_marks(letters)


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
            strokes[upper], strokes[lower] = strokes[upper] - shift, strokes[lower] + shift
    for number in chain(*map(letters.numbers_of, letters.indices_of(",;"))):
        (_, top), (_, bottom) = strokes[number].min(0), strokes[number].max(0)
        if bottom > MAX_COMMA_DEPTH and top > -MARK_RISE:
            factor = (MAX_COMMA_DEPTH - top) / (bottom - top)
            origin = strokes[number][strokes[number][:, 1].argmin()]
            strokes[number] = origin + (strokes[number] - origin) * factor
    for index in letters.indices_of("°"):
        for number in letters.numbers_of(index):
            ring = strokes[number]
            factor = max(MIN_RING_SIZE / np.ptp(ring, axis=0).max(), 1.0)
            strokes[number] = ring.mean(0) + (ring - ring.mean(0)) * factor
    return strokes


def with_short_flags(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return letters in which the flag of each `1` is at most `MAX_FLAG` of its height: a longer
    one makes 11 look like `M`. `x_height`: as in `with_dots`."""
    letters = letters.copy()
    for index in letters.indices_of("1"):
        for number in letters.numbers_of(index):
            stroke = letters.strokes[number]
            top = int(stroke[:, 1].argmin())
            too_low = stroke[:top, 1] > stroke[top, 1] + MAX_FLAG * np.ptp(stroke[:, 1])
            is_flag = stroke[:top, 0].max(initial=-np.inf) <= stroke[top, 0] + TREMBLE * x_height
            is_one = letters.is_alone(number, index) and top < len(stroke) - 1
            if is_one and is_flag and too_low.any():
                first = int(np.flatnonzero(too_low)[-1]) + 1
                letters.strokes[number] = stroke[first:]
                letters.indices[number] = letters.indices[number][first:]
    return letters


def with_figures_apart(letters: LetterStrokes) -> list[np.ndarray]:
    """Return a word's strokes, in x-heights; figures that no stroke joins stand at least
    `FIGURE_GAP` apart at each height."""
    strokes, text = [*letters.strokes], letters.text
    owners = [int(np.bincount(indices).argmax()) for indices in letters.indices]
    for k, (stroke, owner) in enumerate(zip(strokes, owners, strict=True)):
        before = [other for n, other in enumerate(strokes) if owners[n] == owner - 1]
        own = [other for n, other in enumerate(strokes) if owners[n] == owner and n != k]
        is_bar = np.ptp(stroke[:, 1]) <= MAX_FIGURE_BAR_HEIGHT and before and own
        if is_bar and span([stroke])[0] < span(before)[1] and stroke[:, 0].mean() < span(own)[0]:
            owners[k] = owner - 1  # The bar of a 7 is made late.
    for index in range(1, len(text)):
        pair = [[k for k, owner in enumerate(owners) if owner == n] for n in (index - 1, index)]
        if not (text[index - 1 : index + 1].isdigit() and all(pair)):
            continue
        if any(MAX_SHARED < np.mean(letters.indices[k] == index) < 1.0 for k in pair[0]):
            continue
        left, right = (from_strokes([strokes[k] for k in part]) for part in pair)
        shift = min(touching_shift(left, right) + FIGURE_GAP, MAX_FIGURE_SHIFT)
        if shift > 0.0:
            strokes = [
                stroke + np.array([shift * (owner >= index), 0.0])
                for stroke, owner in zip(strokes, owners, strict=True)
            ]
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
    if (bottom := stroke[:, 1].max()) <= MAX_TAIL:
        return stroke
    x, y = stroke.T
    factor = (MAX_TAIL - TAIL_START) / (bottom - TAIL_START)
    return np.stack([x, np.where(y > TAIL_START, TAIL_START + factor * (y - TAIL_START), y)], 1)


def is_flat(stroke: np.ndarray) -> bool:
    """Return whether a stroke is a bar: much wider than high."""
    width, height = np.ptp(stroke, axis=0)
    return bool(height <= MAX_BAR_HEIGHT * width)


def with_visible_dot(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke in x-heights; one smaller than `MIN_DOT_SIZE` becomes a dot this high."""
    if np.ptp(stroke, axis=0).max() >= MIN_DOT_SIZE:
        return stroke
    middle = (stroke.min(0) + stroke.max(0)) / 2
    return middle + np.array([[0.0, -MIN_DOT_SIZE / 2], [0.0, MIN_DOT_SIZE / 2]])


def with_last_marks_clear(letters: LetterStrokes) -> list[np.ndarray]:
    """Return the strokes of a word, in x-heights. Full stops and commas at its end are moved to the
    right until they are `MIN_END_GAP` clear of the feet before, full stops to the baseline; short
    commas are scaled."""
    strokes, text = [*letters.strokes], letters.text
    ends = range(len(text.rstrip(".,")), len(text))
    marks = {number: text[index] for index in ends for number in letters.numbers_of(index)}
    others = [stroke for number, stroke in enumerate(strokes) if number not in marks]
    feet = [foot for stroke in others if len(foot := stroke[stroke[:, 1] > -MARK_RISE])]
    for number, mark in marks.items():
        (left, top), (right, bottom) = strokes[number].min(0), strokes[number].max(0)
        to_right = max(span(feet)[1] + MIN_END_GAP - left, 0.0) if feet else 0.0
        if right - left <= MARK_WIDTH:
            strokes[number] = strokes[number] + (to_right, 0.0)
            if mark == "," and top > -MARK_RISE:
                origin = strokes[number][strokes[number][:, 1].argmin()]
                factor = max(MIN_COMMA_HEIGHT / max(bottom - top, MIN_DOT_SIZE), 1.0)
                strokes[number] = origin + (strokes[number] - origin) * factor
        if mark == "." and max(right - left, bottom - top) <= MAX_STOP_SIZE:
            up = bottom - min(max(bottom, -MAX_STOP_RISE), 0.0)
            strokes[number] = strokes[number] - (0.0, up)
    return strokes


def with_free_marks(letters: LetterStrokes) -> list[np.ndarray]:
    """Return the strokes of a word, in x-heights. If full stops or commas are between characters,
    ink moves to the right so that the gaps beside each mark are at least `MIN_MARK_GAP`."""
    strokes, marks = letters.strokes, letters.indices_of(".,")
    if not re.search(r"\w[.,]\w", letters.text):
        return strokes
    feet = [stroke[stroke[:, 1] > -MARK_RISE] for stroke in strokes]  # their low points
    pairs = zip(feet, strokes, strict=True)
    centres = [float((foot if len(foot) else stroke)[:, 0].mean()) for foot, stroke in pairs]
    moved, shift, edge, was_mark = [*strokes], 0.0, -math.inf, False
    for number in sorted(range(len(strokes)), key=centres.__getitem__):
        if len(foot := feet[number]):
            left, right = span([foot])
            is_low = len(foot) == len(strokes[number]) and right - left <= MARK_WIDTH
            is_mark = is_low and bool(np.isin(letters.indices[number], marks).any())
            if is_mark or was_mark:
                shift += max(MIN_MARK_GAP - (left + shift - edge), 0.0)
            edge, was_mark = max(edge, right + shift), is_mark
        moved[number] = strokes[number] + (shift, 0.0)
    return moved
