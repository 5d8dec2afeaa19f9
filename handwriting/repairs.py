"""Dots, bars and small signs: a network makes them late, forgets some, or misses their place.

A dot that is not above its `i` is moved there, a missing one is added; the bar of a `t` is drawn on
to both sides of its stem; a `5` has a corner. The window tells which ink is of which letter. Full
stops stand on the line, commas are longer than these, and a point within a word has room.
"""

import math
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np

LARGEST_DOT, DOT_ABOVE, ASIDE, LATE = 0.5, 0.6, 0.3, 4
"""Size of the largest dot of an `i`, usual height above its letter, and how far aside it may stand,
in x-heights; and how many characters before or behind the window may be when it is made (measured,
lab notebook: dots and bars)."""
STEM, HIGHEST, SHARE = 0.5, 1.3, 0.5
"""Least height of a stem in x-heights, the most of an `i`, to which a `j` adds one, and the least
share of its points at which the window is at its letter (by eye)."""
BAR_HEIGHT, BAR_SIDE, STUB = 0.78, 0.25, 0.5
"""Usual height of the bar of a `t` above the foot of its stem in x-heights, what it has on each
side of the stem in widths of a letter, and as how much of that it is drawn on (measured, lab
notebook: dots and bars)."""
POINTS = 4
"""Points of what is drawn on one side of a stem (assumed: a network makes some eight of a bar)."""
FLAT, LOWEST, NEAR, TREMBLE = 1.2, 0.3, 0.3, 0.02
"""Steepest way of the pen in a bar, height over width; least height of a bar above the foot of the
stem, how far from it one may end that does not cross it, and by how much the pen may waver from
point to point, in x-heights (by eye)."""
BAR_TILT, LEAST_BAR, WAIST, DOWN = 0.05, 0.3, 0.4, 0.55
"""In heights of a `5` that gets a corner: by how much its bar rises and how wide it is at least,
where its stem ends, and where its belly has surely begun (by eye)."""
STOP, FLOATING = 0.4, 0.12
"""Most extent of a full stop in x-heights, and how far above the baseline it may stand (by eye)."""
DOT = 0.15
"""Least extent of a stroke in x-heights (by eye: the line of a pen is as wide, and a full stop that
is no more than that is overlooked)."""
LOW_MARK, WIDEST_MARK = 0.6, 0.4
"""How high a full stop or comma reaches above the baseline in x-heights, and how wide it is (by
eye, lab notebook: what people see)."""
FREE, SHORTEST_COMMA = 0.3, 0.6
"""The least room between a point within a word and the feet of what is beside it, and the least
height of a comma, in x-heights (by eye: the line of a pen takes 0.15, and a shorter comma looks
like a full stop)."""

PLAIN = {*string.ascii_letters, *string.digits} - {*"ij"}
"""Characters without a dot."""

Strokes = list[np.ndarray]


def with_dots(
    parts: Strokes, peaks: Strokes, text: str, letter: float, lean: float
) -> tuple[Strokes, Strokes]:
    """Return strokes and the window's peaks, with a dot above each `i` and `j` that was written.

    Args:
        parts: strokes `(n, 2)` of a line.
        peaks: of each, the numbers in `text` of the characters that its points are of, `(n,)`.
        text: of the line, behind that of its primer.
        letter: the x-height.
        lean: of downstrokes to the right, x over y.
    """
    parts, peaks, added = list(parts), list(peaks), []
    dots = [
        k
        for k, (part, of) in enumerate(zip(parts, peaks, strict=True))
        if np.ptp(part, axis=0).max() <= LARGEST_DOT * letter
        and f"{text} "[of[0]] not in string.punctuation
    ]
    for at in (k for k, one in enumerate(text) if one in "ij"):
        stems = _stems(parts, peaks, at, letter, HIGHEST + (text[at] == "j"))
        aside = {
            k: [_aside(parts[k], stem, letter, lean) for stem in stems]
            for k in dots
            if stems and abs(peaks[k][0] - at) <= LATE
        }
        above = [k for k in aside if min(map(abs, aside[k])) <= ASIDE]
        movable = [k for k in aside if aside[k][-1] < math.inf]
        if above or movable:
            dot = min(above or movable, key=lambda k: abs(aside[k][-1]))
            dots.remove(dot)
            peaks[dot] = np.full_like(peaks[dot], at)
            if not above:
                parts[dot] = parts[dot] - (aside[dot][-1] * letter, 0.0)
        elif stems:
            place = stems[-1].points[0] + DOT_ABOVE * letter * np.array([lean, -1.0])
            added.append((stems[-1].stroke, at, place[None]))
    return _with(added, parts, peaks)


def _aside(dot: np.ndarray, stem: "Stem", letter: float, lean: float) -> float:
    """Return how many x-heights a dot stands to the right of a stem, in the direction in which it
    leans; infinity if it is not above it."""
    x, y = (dot.mean(0) - stem.points[0]) / letter
    return x + lean * y if -2.0 * DOT_ABOVE <= y <= 0.0 else math.inf


def with_bars(
    parts: Strokes, peaks: Strokes, text: str, letter: float, width: float
) -> tuple[Strokes, Strokes]:
    """Return strokes and the window's peaks, with a bar through each `t` that was written.

    Args:
        parts, peaks, text, letter: as of `with_dots`.
        width: of a usual letter in x-heights.
    """
    parts, peaks, added = list(parts), list(peaks), []
    side = BAR_SIDE * width * letter
    for at in (k for k, one in enumerate(text) if one == "t"):
        if not (stems := _stems(parts, peaks, at, letter)):
            continue
        stem = max(stems, key=lambda stem: np.ptp(stem.points[:, 1]))
        bar = max(_bars(parts, peaks, stem, at, letter), key=lambda bar: bar.reach, default=None)
        if bar is None:
            foot = stem.points[:, 1] - stem.points[-1, 1]
            place = stem.points[np.abs(foot + BAR_HEIGHT * letter).argmin()]
            added.append(
                (stem.stroke, at, place + np.linspace((-side, 0.0), (side, 0.0), 2 * POINTS))
            )
            continue
        part = parts[bar.stroke]
        along, up = part[bar.right] - part[bar.left]
        slope = up / max(along, TREMBLE * letter)
        for end, sign in sorted([(bar.right, 1.0), (bar.left, -1.0)], reverse=True):
            x = bar.cross + sign * side
            if sign * (part[end, 0] - bar.cross) >= STUB * side:
                continue
            tip = x, part[end, 1] + slope * (x - part[end, 0])
            way = np.linspace(part[end], tip, POINTS)
            of = np.full(POINTS - 1, at)
            if end == 0:
                part = np.concatenate([way[:0:-1], part])
                peaks[bar.stroke] = np.concatenate([of, peaks[bar.stroke]])
            elif end == len(part) - 1:
                part = np.concatenate([part, way[1:]])
                peaks[bar.stroke] = np.concatenate([peaks[bar.stroke], of])
            else:
                added.append((bar.stroke, at, way))
            parts[bar.stroke] = part
    return _with(added, parts, peaks)


def with_corners(parts: Strokes, peaks: Strokes, text: str, lean: float) -> tuple[Strokes, Strokes]:
    """Return strokes and the window's peaks, with a corner in each `5` that was written, by which
    people tell it from an `S`: its bar and stem become straight.

    Args:
        parts, peaks, text, lean: as of `with_dots`.
    """
    parts, peaks, bars = list(parts), list(peaks), set()
    for at in (k for k, one in enumerate(text) if one == "5"):
        own = [k for k, of in enumerate(peaks) if np.mean(of == at) > SHARE]
        if not own:
            continue
        body = max(own, key=lambda k: np.ptp(parts[k][:, 1]))
        bar = _bar_of_five(parts, peaks, body, at)
        top = parts[body][:0] if bar is None else parts[bar]
        drawn = _with_corner(parts[body], top, lean)
        if drawn and np.mean(peaks[body][: drawn[1]] == at) > SHARE:
            new, kept = drawn
            parts[body] = np.concatenate([new, parts[body][kept:]])
            peaks[body] = np.concatenate([np.full(len(new), at), peaks[body][kept:]])
            bars.add(bar)
    left = [k for k in range(len(parts)) if k not in bars]
    return [parts[k] for k in left], [peaks[k] for k in left]


def _bar_of_five(parts: Strokes, peaks: Strokes, body: int, at: int) -> int | None:
    """Return the number of the stroke that is the bar of a `5`: flat, as no quotation mark is, and
    at the upper end of its body; None if that begins with it."""
    (x, y), height = parts[body][0], np.ptp(parts[body][:, 1])
    apart = [np.hypot(*(part - (x, y)).T).min() for part in parts]
    flat = (
        k
        for k, part in enumerate(parts)
        if k != body and abs(np.median(peaks[k]) - at) <= 1
        if np.ptp(part[:, 1]) < min(np.ptp(part[:, 0]), WAIST * height)
        if abs(part[:, 1].mean() - y) < WAIST * height and part[:, 0].max() > x
        if apart[k] <= LEAST_BAR * height
    )
    return min(flat, key=apart.__getitem__, default=None)


def _with_corner(body: np.ndarray, bar: np.ndarray, lean: float) -> tuple[np.ndarray, int] | None:
    """Return bar and stem of a `5`, straight, and the number of the point of its body that is the
    next; None if it has another shape.

    Args:
        body: the stroke with its belly.
        bar: of its own; without points if the body begins with it.
        lean: as of `with_dots`.
    """
    both = np.concatenate([bar, body])
    height, top = float(np.ptp(both[:, 1])), float(both[:, 1].min())
    low = np.flatnonzero(body[:, 1] > top + DOWN * height)
    if not len(low) or body[0, 1] > top + WAIST * height:
        return None
    turn = int((body[: low[0]] @ np.array([1.0, lean])).argmin())  # leftmost where it leans
    right = both[: len(bar) + turn + 1, 0].max()
    x, y = body[turn]
    corner = np.array([x + lean * (y - top), top + BAR_TILT * height])
    waist = np.array([x + lean * (y - top - WAIST * height), top + WAIST * height])
    tip = np.array([max(right, corner[0] + LEAST_BAR * height), top])
    ways = np.linspace(tip, corner, POINTS), np.linspace(corner, waist, POINTS)[1:]
    return np.concatenate(ways), turn + 1 + int((body[turn + 1 :, 1] > waist[1]).argmax())


def without_touches(
    parts: Strokes, peaks: Strokes, text: str, letter: float
) -> tuple[Strokes, Strokes]:
    """Return strokes and the window's peaks, without touches of the pen in letters and digits that
    have no dot, as some people make them where a letter begins; a sign beside it keeps its ink.

    Args:
        parts, peaks, text, letter: as `with_dots` returned and took them.
    """
    left = [
        k
        for k, part in enumerate(parts)
        if np.ptp(part, axis=0).max() >= DOT * letter or _may_be_dot(k, peaks, text)
    ] or range(len(parts))  # Of touches alone a line keeps its ink.
    return [parts[k] for k in left], [peaks[k] for k in left]


def _may_be_dot(number: int, peaks: Strokes, text: str) -> bool:
    """Return whether a small stroke is of a character that may have a dot, or of no character, or
    beside a sign without other ink, or an accent near it."""
    first, last = int(peaks[number].min()), int(peaks[number].max()) + 1
    if set(text[first:last]) - PLAIN or first >= len(text):
        return True
    if not text[max(first - LATE, 0) : last + LATE].isascii():
        return True
    beside = {at for at in (first - 1, last) if text[at : at + 1] not in {*PLAIN, *"ij ", ""}}
    return bool(beside.difference(*peaks))


def _with(
    added: Sequence[tuple[int, int, np.ndarray]], parts: Strokes, peaks: Strokes
) -> tuple[Strokes, Strokes]:
    """Return strokes and peaks, and further ones of one character each, behind the strokes of those
    numbers."""
    for stroke, at, part in sorted(added, key=itemgetter(0), reverse=True):
        parts.insert(stroke + 1, part)
        peaks.insert(stroke + 1, np.full(len(part), at))
    return parts, peaks


class Bar(NamedTuple):
    """What crosses a stem: the number of a stroke, of its points at the ends of the bar, the x of
    the crossing, and how far it reaches to the side where it reaches less."""

    stroke: int
    left: int
    right: int
    cross: float
    reach: float


def _bars(parts: Strokes, peaks: Strokes, stem: "Stem", at: int, letter: float) -> Iterator[Bar]:
    """Yield the flat ways of the pen above the foot of a stem that cross it, or end near it and are
    a stroke of their own or of the same letter."""
    height = np.maximum.accumulate(stem.points[:, 1])
    for k, (part, of) in enumerate(zip(parts, peaks, strict=True)):
        steps = np.abs(np.diff(part, axis=0))
        flat = steps[:, 1] <= FLAT * steps[:, 0] + TREMBLE * letter
        if k == stem.stroke:
            flat[max(stem.first - 1, 0) : stem.last + 1] = False
        edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
        for first, last in edges.reshape(-1, 2):
            run = part[first : last + 1]
            beside = run[:, 0] - np.interp(run[:, 1], height, stem.points[:, 0])
            x, y = run[nearest := np.abs(beside).argmin()]
            own = np.mean(of[first : last + 1] == at) > SHARE or np.ptp(part[:, 1]) <= letter / 3
            crosses = beside.min() <= 0.0 <= beside.max()
            near = own and abs(beside[nearest]) <= NEAR * letter
            high = height[0] - NEAR * letter < y < height[-1] - LOWEST * letter
            if high and (crosses or near) and np.ptp(run[:, 0]) > letter / 8:
                left, right = first + run[:, 0].argmin(), first + run[:, 0].argmax()
                reach = min(-beside.min(), beside.max())
                yield Bar(k, left, right, x - beside[nearest], reach)


class Stem(NamedTuple):
    """A way down of the pen: points `first` to `last` of a stroke."""

    stroke: int
    first: int
    last: int
    points: np.ndarray


def _stems(
    parts: Strokes, peaks: Strokes, at: int, letter: float, highest: float = math.inf
) -> list[Stem]:
    """Return the ways down, of at most so many x-heights, that may be the stem of a letter: the
    window may be at it while the pen is at one before it."""
    found = []
    for k, (part, of) in enumerate(zip(parts, peaks, strict=True)):
        if not np.any(of == at):
            continue
        down = np.append(np.diff(part[:, 1]) >= -TREMBLE * letter, False)
        starts = np.flatnonzero(down & ~np.append(False, down[:-1]))
        ends = np.flatnonzero(~down & np.append(False, down[:-1]))
        for first, last in zip(starts, ends, strict=True):
            high = (part[last, 1] - part[first, 1]) / letter
            own = np.count_nonzero(of[first : last + 1] == at)
            if STEM <= high <= highest and own >= SHARE * (last + 1 - first):
                found.append(Stem(k, first, last, part[first : last + 1]))
    return found


def with_visible_dot(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke in x-heights, a dot `DOT` high, as a pen leaves it."""
    if np.ptp(stroke, axis=0).max() >= DOT:
        return stroke
    middle = (stroke.min(0) + stroke.max(0)) / 2
    return middle + np.array([[0.0, -DOT / 2], [0.0, DOT / 2]])


def with_clear_signs(strokes: Sequence[np.ndarray], text: str) -> list[np.ndarray]:
    """Return the strokes of a word in x-heights, with full stops and commas that are told apart."""
    found = list(strokes)
    if text.endswith("."):
        found = with_stop_on_line(found)
    if text.endswith(","):
        found = with_long_comma(found)
    return with_free_points(found) if re.search(r"\w[.,]\w", text) else found


def with_stop_on_line(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the strokes of a word in x-heights that ends with full stops, which stand on the
    baseline."""
    large = [stroke for stroke in strokes if np.ptp(stroke, axis=0).max() > STOP]
    end = extent(large)[1] if large else 0.0
    found = list(strokes)
    for number, stroke in enumerate(strokes):
        if stroke[:, 0].mean() > end:
            low = stroke[:, 1].max()
            found[number] = stroke - (0.0, low - min(max(low, -FLOATING), 0.0))
    return found


def with_long_comma(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the strokes of a word in x-heights that ends with a comma, which is long enough."""
    last = max(range(len(strokes)), key=lambda k: float(strokes[k][:, 0].mean()))
    comma, found = strokes[last], list(strokes)
    if comma[:, 1].min() > -LOW_MARK and np.ptp(comma[:, 0]) <= WIDEST_MARK:
        top = comma[comma[:, 1].argmin()]
        longer = max(SHORTEST_COMMA / max(np.ptp(comma[:, 1]), DOT), 1.0)
        found[last] = top + (comma - top) * longer
    return found


def with_free_points(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the strokes of a number or a web address in x-heights, a point or comma and what is
    behind it moved to the right where a digit or letter is closer than `FREE`."""
    feet = [stroke[stroke[:, 1] > -LOW_MARK] for stroke in strokes]
    places = [float((foot if len(foot) else stroke)[:, 0].mean())
              for foot, stroke in zip(feet, strokes, strict=True)]  # fmt: skip
    moved, shift, reached, behind_mark = list(strokes), 0.0, -math.inf, False
    for number in sorted(range(len(strokes)), key=places.__getitem__):
        if len(foot := feet[number]):
            left, right = extent([foot])
            is_mark = len(foot) == len(strokes[number]) and right - left <= WIDEST_MARK
            if is_mark or behind_mark:
                shift += max(FREE - (left + shift - reached), 0.0)
            reached, behind_mark = max(reached, right + shift), is_mark
        moved[number] = strokes[number] + (shift, 0.0)
    return moved


def extent(strokes: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return how far left and right strokes reach."""
    x = np.concatenate([*strokes])[:, 0]
    return float(x.min()), float(x.max())
