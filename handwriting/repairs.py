"""Dots, bars and small signs, which a network writes late, forgets, or sets in a wrong place.

A dot beside its `i` is moved above the `i`, a missing dot is added; the bar of a `t` is extended on
both sides of its stem; a `5` gets a corner. The window tells the letter of each point. Full stops
stand on the baseline, commas are longer than full stops, and a point within a word has room.
"""

import math
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from handwriting.hands import HandShape
from handwriting.written_word import extent
from model.generation.line import Line
from utils import ink

# Behind "measured:" stands the section of the lab notebook.
MAX_DOT = 0.5  # x-heights of the largest dot of an `i` (measured: dots and bars)
DOT_HEIGHT = 0.6  # x-heights of a dot above its letter, usually (measured: dots and bars)
MAX_DOT_ASIDE = 0.3  # x-heights that a dot may stand aside (measured: dots and bars)
MAX_DOT_HEIGHT = 1.6  # x-heights of a dot above its letter (measured: dots of joined hands)
MAX_DELAY = 4
"""Characters between the window and a dot, unless the word ends later (measured: dots of joined
hands)."""
MIN_STEM = 0.5  # least x-heights of a stem (by eye)
MAX_I_STEM = 1.6  # x-heights of the stem of an `i`, not of a `j` (measured: dots of joined hands)
SHARE = 0.5  # least fraction of a stem's points at which the window is at its letter (by eye)
BAR_HEIGHT = 0.78  # x-heights of the bar of a `t` above the foot (measured: dots and bars)
BAR_SIDE = 0.25  # letter widths of the bar of a `t` beside the stem (measured: dots and bars)
MIN_BAR_SIDE = 0.5  # fraction of `BAR_SIDE` below which a bar is extended (measured: dots and bars)
POINTS = 4  # points added on one side of a stem (assumed: bars of networks have some eight)
MAX_BAR_SLOPE = 1.2  # height over width of a step in a bar (by eye)
MIN_BAR_HEIGHT = 0.3  # x-heights of a bar above the foot of the stem (by eye)
MAX_BAR_GAP = 0.3  # x-heights from the stem to a bar that does not cross it (by eye)
TREMBLE = 0.02  # x-heights by which the pen may waver from point to point (by eye)
BAR_TILT = 0.05  # heights of a `5` by which its bar rises (by eye)
LEAST_BAR = 0.3  # heights of a `5`: the width of its bar (by eye)
WAIST = 0.4  # heights of a `5` where its stem ends (by eye)
DOWN = 0.55  # heights of a `5` where its belly has surely begun (by eye)
MAX_STOP = 0.4  # x-heights of a full stop (by eye)
MAX_STOP_HEIGHT = 0.12  # x-heights of a full stop above the baseline (by eye)
MIN_DOT = 0.15
"""Least extent of a stroke in x-heights (by eye: a pen's line is as wide, and people overlook full
stops of only this width)."""
MARK_HEIGHT = 0.6  # x-heights of a full stop or comma above the baseline (by eye: what people see)
MARK_WIDTH = 0.4  # x-heights of a full stop or comma (by eye: what people see)
MIN_POINT_GAP = 0.3
"""Least x-heights between a point within a word and the feet of its neighbours (by eye: a line of
the pen takes 0.15)."""
MIN_COMMA = 0.6  # x-heights of a comma (by eye: a shorter one looks like a full stop)

HIGH_SIGNS = {*string.punctuation} - {*".,"}
"""Signs whose ink may look like the dot of an `i`."""
UNDOTTED = {*string.ascii_letters, *string.digits} - {*"ij"}
"""Characters without a dot."""


@dataclass(frozen=True)
class LetterStrokes:
    """The strokes of a written line, with the character of each of their points.

    Attributes:
        text: of the line, the primer's first.
        strokes: positions `(n, 2)`, in the order of writing.
        characters: for each stroke the number in `text` of the character of each of its points,
            `(n,)`; the length of `text` for ink behind the text.
    """

    text: str
    strokes: list[np.ndarray]
    characters: list[np.ndarray]

    @classmethod
    def of(cls, line: Line) -> "LetterStrokes":
        """Return the strokes of a line behind its primer, with the window's peaks as characters."""
        written, peaks = ink.strokes(line.written), line.peaks[max(line.primed - 1, 0) :]
        if not line.primed:
            peaks = np.concatenate([peaks[:1], peaks])  # the window of a step is for its next point
        ends = np.cumsum([len(stroke) for stroke in written])[:-1]
        return cls(line.text, written, np.split(peaks, ends))

    def copy(self) -> "LetterStrokes":
        """Return the letters in new lists, which may be changed."""
        return LetterStrokes(self.text, [*self.strokes], [*self.characters])

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each stroke and the characters of its points."""
        return zip(self.strokes, self.characters, strict=True)

    def places(self, letters: str) -> list[int]:
        """Return the numbers of the characters that are among some letters."""
        return [number for number, letter in enumerate(self.text) if letter in letters]

    def selected(self, numbers: Iterable[int]) -> "LetterStrokes":
        """Return the strokes with some numbers."""
        numbers = [*numbers]
        chosen = [self.strokes[k] for k in numbers], [self.characters[k] for k in numbers]
        return LetterStrokes(self.text, *chosen)

    def with_added(self, added: Sequence[tuple[int, int, np.ndarray]]) -> "LetterStrokes":
        """Return the strokes with added ones: for each the number of the stroke before it, the
        number of its character, and its positions."""
        letters = self.copy()
        for number, at, stroke in sorted(added, key=itemgetter(0), reverse=True):
            letters.strokes.insert(number + 1, stroke)
            letters.characters.insert(number + 1, np.full(len(stroke), at))
        return letters


def repair_letters(letters: LetterStrokes, shape: HandShape) -> LetterStrokes:
    """Return letters in which each `t` has a bar and each `5` a corner; in a hand that makes dots,
    each `i` has its dot, and needless touches of the pen are removed."""
    letters = with_bars(letters, shape.letter, shape.letter_width)
    letters = with_corners(letters, shape.lean)
    if shape.dotted:
        letters = with_dots(letters, shape.letter, shape.lean)
        letters = without_touches(letters, shape.letter)
    return letters


def with_dots(letters: LetterStrokes, height: float, lean: float) -> LetterStrokes:
    """Return letters with a dot above each `i` and `j` that was written.

    Args:
        letters: of a line.
        height: the x-height.
        lean: of downstrokes to the right, x over y.
    """
    letters, added = letters.copy(), []
    dots = [
        number
        for number, (stroke, characters) in enumerate(letters.pairs())
        if np.ptp(stroke, axis=0).max() <= MAX_DOT * height
        and f"{letters.text} "[characters[0]] not in HIGH_SIGNS
    ]
    for at in letters.places("ij"):
        highest = MAX_I_STEM if letters.text[at] == "i" else math.inf
        stems = _stems(letters, at, height, highest)
        # Hands that join their letters make the dots of a word at its end.
        word_end = f"{letters.text} ".index(" ", at)
        window = range(at - MAX_DELAY, max(at + MAX_DELAY, word_end) + 1)
        aside = {
            dot: [_aside(letters.strokes[dot], stem, height, lean) for stem in stems]
            for dot in dots
            if stems and letters.characters[dot][0] in window
        }
        dots_above = [dot for dot in aside if min(map(abs, aside[dot])) <= MAX_DOT_ASIDE]
        movable = [dot for dot in aside if aside[dot][-1] < math.inf]
        if dots_above or movable:
            nearest = min(dots_above or movable, key=lambda dot: abs(aside[dot][-1]))
            dots.remove(nearest)
            letters.characters[nearest] = np.full_like(letters.characters[nearest], at)
            if not dots_above:
                shift = aside[nearest][-1] * height, 0.0
                letters.strokes[nearest] = letters.strokes[nearest] - shift
        elif stems:
            position = stems[-1].points[0] + DOT_HEIGHT * height * np.array([lean, -1.0])
            added.append((stems[-1].stroke, at, position[None]))
    return letters.with_added(added)


def _aside(dot: np.ndarray, stem: "Stem", height: float, lean: float) -> float:
    """Return how many x-heights a dot stands to the right of a stem, in the direction in which the
    stem leans; infinity if the dot is not above it."""
    x, y = (dot.mean(0) - stem.points[0]) / height
    return x + lean * y if -MAX_DOT_HEIGHT <= y <= 0.0 else math.inf


def with_bars(letters: LetterStrokes, height: float, width: float) -> LetterStrokes:
    """Return letters with a bar through each `t` that was written.

    Args:
        letters: of a line.
        height: the x-height.
        width: of a usual letter in x-heights.
    """
    letters, added = letters.copy(), []
    side = BAR_SIDE * width * height
    for at in letters.places("t"):
        if not (stems := _stems(letters, at, height)):
            continue
        stem = max(stems, key=lambda stem: np.ptp(stem.points[:, 1]))
        bar = max(_bars(letters, stem, at, height), key=lambda bar: bar.reach, default=None)
        if bar is not None:
            strokes, characters = letters.strokes, letters.characters
            number = bar.stroke
            strokes[number], characters[number], within = _drawn_on(
                strokes[number], characters[number], bar, at, side, height
            )
            added += [(number, at, way) for way in within]
            continue
        above_foot = stem.points[-1, 1] - stem.points[:, 1]
        middle = stem.points[np.abs(BAR_HEIGHT * height - above_foot).argmin()]
        stroke = middle + np.linspace((-side, 0.0), (side, 0.0), 2 * POINTS)
        added.append((stem.stroke, at, stroke))
    return letters.with_added(added)


def _drawn_on(
    stroke: np.ndarray, characters: np.ndarray, bar: "Bar", at: int, side: float, height: float
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return a stroke whose bar is extended to `side` on each side of its stem, the characters of
    its points, and a further stroke for each end of the bar that lies within the stroke."""
    within = []
    along, up = stroke[bar.right] - stroke[bar.left]
    slope = up / max(along, TREMBLE * height)
    ends = [(bar.right, 1.0), (bar.left, -1.0)]
    for end, sign in sorted(ends, reverse=True):  # the later end first, so that numbers stay right
        x = bar.cross + sign * side
        if sign * (stroke[end, 0] - bar.cross) >= MIN_BAR_SIDE * side:
            continue
        tip = x, stroke[end, 1] + slope * (x - stroke[end, 0])
        way = np.linspace(stroke[end], tip, POINTS)
        new = np.full(POINTS - 1, at)
        if end == 0:
            stroke = np.concatenate([way[:0:-1], stroke])
            characters = np.concatenate([new, characters])
        elif end == len(stroke) - 1:
            stroke = np.concatenate([stroke, way[1:]])
            characters = np.concatenate([characters, new])
        else:
            within.append(way)
    return stroke, characters, within


def with_corners(letters: LetterStrokes, lean: float) -> LetterStrokes:
    """Return letters with a corner in each `5` that was written, which tells a `5` from an `S`: the
    bar and stem become straight.

    Args:
        letters: of a line.
        lean: of downstrokes to the right, x over y.
    """
    letters, bars = letters.copy(), set()
    for at in letters.places("5"):
        fractions = [np.mean(characters == at) for characters in letters.characters]
        written = [number for number, fraction in enumerate(fractions) if fraction > SHARE]
        if not written:
            continue
        body = max(written, key=lambda k: np.ptp(letters.strokes[k][:, 1]))
        bar = _bar_of_five(letters, body, at)
        stroke, characters = letters.strokes[body], letters.characters[body]
        top = stroke[:0] if bar is None else letters.strokes[bar]
        corner = _with_corner(stroke, top, lean)
        if corner and np.mean(characters[: corner[1]] == at) > SHARE:
            straight, kept = corner
            letters.strokes[body] = np.concatenate([straight, stroke[kept:]])
            added = np.full(len(straight), at)
            letters.characters[body] = np.concatenate([added, characters[kept:]])
            bars.add(bar)
    return letters.selected(k for k in range(len(letters.strokes)) if k not in bars)


def _bar_of_five(letters: LetterStrokes, body: int, at: int) -> int | None:
    """Return the number of the stroke that is the bar of a `5`: flat, unlike a quotation mark, and
    at the upper end of the body; None if there is no such stroke."""
    (x, y), height = letters.strokes[body][0], np.ptp(letters.strokes[body][:, 1])
    distances: dict[int, float] = {}
    for number, (stroke, characters) in enumerate(letters.pairs()):
        if number == body or abs(np.median(characters) - at) > 1:
            continue
        is_flat = np.ptp(stroke[:, 1]) < min(np.ptp(stroke[:, 0]), WAIST * height)
        is_above = abs(stroke[:, 1].mean() - y) < WAIST * height and stroke[:, 0].max() > x
        distance = np.hypot(*(stroke - (x, y)).T).min()
        if is_flat and is_above and distance <= LEAST_BAR * height:
            distances[number] = distance
    return min(distances, key=distances.__getitem__, default=None)


def _with_corner(body: np.ndarray, bar: np.ndarray, lean: float) -> tuple[np.ndarray, int] | None:
    """Return the straight bar and stem of a `5`, and the number of the point of its body with which
    the belly goes on; None if the body does not have the shape of a `5`.

    Args:
        body: the stroke with the belly.
        bar: the stroke of the bar; without points if the body begins with the bar.
        lean: of downstrokes to the right, x over y.
    """
    points = np.concatenate([bar, body])
    height, top = float(np.ptp(points[:, 1])), float(points[:, 1].min())
    low = np.flatnonzero(body[:, 1] > top + DOWN * height)
    if not len(low) or body[0, 1] > top + WAIST * height:
        return None
    turn = int((body[: low[0]] @ np.array([1.0, lean])).argmin())  # leftmost where it leans
    right = points[: len(bar) + turn + 1, 0].max()
    x, y = body[turn]
    corner = np.array([x + lean * (y - top), top + BAR_TILT * height])
    waist = np.array([x + lean * (y - top - WAIST * height), top + WAIST * height])
    tip = np.array([max(right, corner[0] + LEAST_BAR * height), top])
    ways = np.linspace(tip, corner, POINTS), np.linspace(corner, waist, POINTS)[1:]
    return np.concatenate(ways), turn + 1 + int((body[turn + 1 :, 1] > waist[1]).argmax())


def without_touches(letters: LetterStrokes, height: float) -> LetterStrokes:
    """Return letters without touches of the pen in letters and digits that have no dot: some people
    touch the paper where a letter begins. Signs beside a touch, and lines of mere touches, keep
    their ink.

    Args:
        letters: as `with_dots` returned them.
        height: the x-height.
    """
    kept = [
        number
        for number, stroke in enumerate(letters.strokes)
        if np.ptp(stroke, axis=0).max() >= MIN_DOT * height or _may_be_dot(letters, number)
    ]
    return letters.selected(kept) if kept else letters


def _may_be_dot(letters: LetterStrokes, number: int) -> bool:
    """Return whether a small stroke may be wanted: it belongs to a character that may have a dot,
    or to none, or stands near an accent, or beside a sign without other ink."""
    text, characters = letters.text, letters.characters
    first, last = int(characters[number].min()), int(characters[number].max()) + 1
    if set(text[first:last]) - UNDOTTED or first >= len(text):
        return True
    if not text[max(first - MAX_DELAY, 0) : last + MAX_DELAY].isascii():
        return True
    beside = {at for at in (first - 1, last) if text[at : at + 1] not in {*UNDOTTED, *"ij ", ""}}
    return bool(beside.difference(*characters))


class Bar(NamedTuple):
    """The bar that crosses a stem.

    Attributes:
        stroke: number of the stroke.
        left, right: numbers of the stroke's points at the ends of the bar.
        cross: x of the crossing.
        reach: width of the bar on its shorter side of the stem.
    """

    stroke: int
    left: int
    right: int
    cross: float
    reach: float


def _bars(letters: LetterStrokes, stem: "Stem", at: int, height: float) -> Iterator[Bar]:
    """Yield the flat ways of the pen above the foot of a stem that may be its bar: they cross the
    stem, or are near it and are a flat stroke or of the same letter."""
    stem_y = np.maximum.accumulate(stem.points[:, 1])
    for number, (stroke, characters) in enumerate(letters.pairs()):
        steps = np.abs(np.diff(stroke, axis=0))
        flat = steps[:, 1] <= MAX_BAR_SLOPE * steps[:, 0] + TREMBLE * height
        if number == stem.stroke:
            flat[max(stem.first - 1, 0) : stem.last + 1] = False
        edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
        for first, last in edges.reshape(-1, 2):
            run = stroke[first : last + 1]
            beside = run[:, 0] - np.interp(run[:, 1], stem_y, stem.points[:, 0])
            x, y = run[nearest := np.abs(beside).argmin()]
            is_of_letter = np.mean(characters[first : last + 1] == at) > SHARE
            is_alone = is_of_letter or np.ptp(stroke[:, 1]) <= height / 3
            crosses = beside.min() <= 0.0 <= beside.max()
            is_near = is_alone and abs(beside[nearest]) <= MAX_BAR_GAP * height
            top, foot = stem_y[0] - MAX_BAR_GAP * height, stem_y[-1] - MIN_BAR_HEIGHT * height
            is_high = top < y < foot
            if is_high and (crosses or is_near) and np.ptp(run[:, 0]) > height / 8:
                left, right = first + run[:, 0].argmin(), first + run[:, 0].argmax()
                reach = min(-beside.min(), beside.max())
                yield Bar(number, left, right, x - beside[nearest], reach)


class Stem(NamedTuple):
    """A way down of the pen: points `first` to `last` of a stroke."""

    stroke: int
    first: int
    last: int
    points: np.ndarray


def _stems(letters: LetterStrokes, at: int, height: float, highest: float = math.inf) -> list[Stem]:
    """Return the ways down, at most `highest` x-heights long, that may be the stem of a letter: the
    window may reach a letter while the pen still writes the letter before."""
    stems = []
    for number, (stroke, characters) in enumerate(letters.pairs()):
        if not np.any(characters == at):
            continue
        down = np.append(np.diff(stroke[:, 1]) >= -TREMBLE * height, False)
        starts = np.flatnonzero(down & ~np.append(False, down[:-1]))
        ends = np.flatnonzero(~down & np.append(False, down[:-1]))
        for first, last in zip(starts, ends, strict=True):
            high = (stroke[last, 1] - stroke[first, 1]) / height
            num_of_letter = np.count_nonzero(characters[first : last + 1] == at)
            if MIN_STEM <= high <= highest and num_of_letter >= SHARE * (last + 1 - first):
                stems.append(Stem(number, first, last, stroke[first : last + 1]))
    return stems


def repair_signs(strokes: Sequence[np.ndarray], text: str) -> list[np.ndarray]:
    """Return a word's strokes in x-heights, with full stops and commas that people tell apart."""
    strokes = [*strokes]
    if text.endswith("."):
        strokes = with_stop_on_line(strokes)
    if text.endswith(","):
        strokes = with_long_comma(strokes)
    return with_free_points(strokes) if re.search(r"\w[.,]\w", text) else strokes


def with_visible_dot(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke in x-heights; a stroke smaller than `MIN_DOT` becomes a dot this high."""
    if np.ptp(stroke, axis=0).max() >= MIN_DOT:
        return stroke
    middle = (stroke.min(0) + stroke.max(0)) / 2
    return middle + np.array([[0.0, -MIN_DOT / 2], [0.0, MIN_DOT / 2]])


def with_stop_on_line(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the strokes, in x-heights, of a word that ends with full stops: these are set on the
    baseline."""
    large = [stroke for stroke in strokes if np.ptp(stroke, axis=0).max() > MAX_STOP]
    end = extent(large)[1] if large else 0.0
    moved = [*strokes]
    for number, stroke in enumerate(strokes):
        if stroke[:, 0].mean() > end:
            low = stroke[:, 1].max()
            moved[number] = stroke - (0.0, low - min(max(low, -MAX_STOP_HEIGHT), 0.0))
    return moved


def with_long_comma(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the strokes, in x-heights, of a word that ends with a comma: a short one is scaled."""
    last = max(range(len(strokes)), key=lambda k: float(strokes[k][:, 0].mean()))
    comma, lengthened = strokes[last], [*strokes]
    if comma[:, 1].min() > -MARK_HEIGHT and np.ptp(comma[:, 0]) <= MARK_WIDTH:
        top = comma[comma[:, 1].argmin()]
        factor = max(MIN_COMMA / max(np.ptp(comma[:, 1]), MIN_DOT), 1.0)
        lengthened[last] = top + (comma - top) * factor
    return lengthened


def with_free_points(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the strokes, in x-heights, of a number or web address: a point or comma, and the ink
    behind it, move to the right where a digit or letter is closer than `MIN_POINT_GAP`."""
    feet = [stroke[stroke[:, 1] > -MARK_HEIGHT] for stroke in strokes]
    places = []
    for foot, stroke in zip(feet, strokes, strict=True):
        places.append(float((foot if len(foot) else stroke)[:, 0].mean()))
    moved, shift, reached, behind_mark = [*strokes], 0.0, -math.inf, False
    for number in sorted(range(len(strokes)), key=places.__getitem__):
        if len(foot := feet[number]):
            left, right = extent([foot])
            is_mark = len(foot) == len(strokes[number]) and right - left <= MARK_WIDTH
            if is_mark or behind_mark:
                shift += max(MIN_POINT_GAP - (left + shift - reached), 0.0)
            reached, behind_mark = max(reached, right + shift), is_mark
        moved[number] = strokes[number] + (shift, 0.0)
    return moved
