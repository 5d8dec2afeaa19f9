"""Dots and bars of letters: a network makes them late, and forgets some or misses their letters.

A dot that is not above its `i` is moved there, a missing one is added; the bar of a `t` is drawn on
to both sides of its stem. The window tells which ink is of which letter.
"""

import math
import string
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from utils.hand_measures import segments_cross

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
FLAT, LOWEST, TREMBLE = 1.2, 0.3, 0.02
"""Steepest way of the pen in a bar, height over width; least height of a bar above the foot of the
stem, and by how much the pen may waver from point to point, in x-heights (by eye)."""

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
        bar = max(_bars(parts, stem, letter), key=lambda bar: bar.reach, default=None)
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


def _bars(parts: Strokes, stem: "Stem", letter: float) -> Iterator[Bar]:
    """Yield the flat ways of the pen that cross a stem above its foot."""
    points = stem.points
    sides = np.stack((points[:-1], points[1:]), 1)
    for k, part in enumerate(parts):
        steps = np.diff(part, axis=0)
        flat = np.abs(steps[:, 1]) <= FLAT * np.abs(steps[:, 0]) + TREMBLE * letter
        crosses = segments_cross(sides, np.stack((part[:-1], part[1:]), 1)).any(0)
        if k == stem.stroke:
            flat[max(stem.first - 1, 0) : stem.last + 1] = False
        for at in np.flatnonzero(crosses & flat):
            first, last = at, at + 1
            while first > 0 and flat[first - 1]:
                first -= 1
            while last < len(flat) and flat[last]:
                last += 1
            x, nearest = part[first : last + 1, 0], np.abs(points[:, 1] - part[at, 1]).argmin()
            cross = points[nearest]
            if cross[1] < points[-1, 1] - LOWEST * letter:
                reach = min(cross[0] - x.min(), x.max() - cross[0])
                yield Bar(k, first + x.argmin(), first + x.argmax(), cross[0], reach)


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
