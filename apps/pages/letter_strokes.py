"""The strokes of a written line, with the character of each of their points.

The peak of the window tells the character of each point of ink. The pen is a little later.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ink import geometry
from ink.measures import segments_cross
from model.generation.line import Line

MIN_STEM_HEIGHT = 0.5  # least height of a stem in x-heights (by eye)
MIN_POINT_FRACTION = 0.5  # ink is part of a letter if this fraction of the ink's points is (by eye)
NUM_POINTS = 4  # points of a straight piece that is drawn (assumed: bars of networks have eight)
TREMBLE = 0.02  # x-heights by which the pen may waver from point to point (by eye)
MIN_ALONE = 0.8  # fraction of a stroke's points in its letter that is not joined (by eye)
PEN_LAG = 0.2
"""Fraction of a letter's points by which the pen reaches the letter later than the window does
(notebook: pages, marks that are drawn)."""
MAX_LATE = 2  # points by which the top of a letter may be behind its part of a stroke (by eye)
MAX_LAG = 6  # points by which the pen may be in a letter before the window is (by eye)
MAX_SINKING = 0.12  # heights of a letter by which a flat way to it sinks (by eye)
MIN_FALL = 0.35  # x-heights that the back of an `e` or a stem falls at least (by eye)
STRAIGHT_RISES = (0.65, 0.35)
"""From and to where the back of an `e` or a stem is straight, in its heights (by eye)."""
NUM_STEPS = 4  # from each corner of a path that is drawn to the next (assumed)
BAR_RISE = 0.78
"""X-heights from the foot of a `t` up to its bar (notebook: pages, dots and bars)."""
HIGH_EXITS = {*"bfotvw"}
"""Letters from whose top or bar a joined stroke goes on; that of an `r` has an arm there."""
MAX_BAR_HEIGHT = 0.4  # of the bar of a sign, in widths of the bar (by eye)
SIGNS_AT_END = {*".,:;!?"}
"""Signs at which the window may be while the pen makes the bar of the `t` before, or a dot."""


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
        strokes = geometry.strokes(line.written)
        peaks = line.peaks[max(line.primed - 1, 0) :]
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

    def lone_numbers_of(self, index: int) -> list[int]:
        """Return those numbers of a character's strokes that join it to no other."""
        return [number for number in self.numbers_of(index) if self.is_alone(number, index)]

    def main_number(self, index: int) -> int | None:
        """Return the number of the stroke that has most of a character's points, or None."""
        counts = [np.sum(indices == index) for indices in self.indices]
        return int(np.argmax(counts)) if any(counts) else None

    def parts_of(self, index: int, *, with_joined: bool = True) -> list[np.ndarray]:
        """Return the strokes of a character alone and, with `with_joined`, its parts of strokes
        that join it to others."""
        parts = []
        for number, (stroke, indices) in enumerate(self.pairs()):
            if self.is_alone(number, index):
                parts.append(stroke)
            elif with_joined and index in indices:
                parts.append(stroke[late_part(indices, index)])
        return [part for part in parts if len(part)]

    def strokes_apart(self, index: int, number: int) -> np.ndarray:
        """Return the points `(n, 2)` of a character that are not in the stroke `number`."""
        apart = [s[i == index] for k, (s, i) in enumerate(self.pairs()) if k != number]
        return np.concatenate([np.empty((0, 2)), *apart])

    def moved_behind(self, index: int, shift: np.ndarray, place: float) -> "LetterStrokes":
        """Return the strokes, of which those are moved by `shift` that are mostly of characters
        behind one, and reach beyond x = `place`."""
        moved = self.copy()
        for number, (stroke, indices) in enumerate(self.pairs()):
            if np.median(indices) > index and stroke[:, 0].max() > place:
                moved.strokes[number] = stroke + shift
        return moved

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


class Stem(NamedTuple):
    """A downward part of a stroke: its `points` from `first` to `last`."""

    stroke_number: int
    first: int
    last: int
    points: np.ndarray


def stems_of(
    letters: LetterStrokes, index: int, x_height: float, max_height: float, lag: int = 0
) -> list[Stem]:
    """Return the downward parts of strokes, `MIN_STEM_HEIGHT` to `max_height` x-heights high, that
    have enough points of a letter. (The window may reach a letter while the pen writes the
    letter before.) `lag`: the points by which the pen is taken to be later than the window."""
    stems = []
    for number, (stroke, early) in enumerate(letters.pairs()):
        indices = np.concatenate([early[:1].repeat(lag), early])[: len(early)]
        if not np.any(indices == index):
            continue
        # Whether the pen moves down from each point; behind the last point it does not.
        down = np.append(np.diff(stroke[:, 1]) >= -TREMBLE * x_height, False)
        was_down = np.append(False, down[:-1])
        starts = np.flatnonzero(down & ~was_down)
        ends = np.flatnonzero(~down & was_down)
        for first, last in zip(starts, ends, strict=True):
            stem_height = (stroke[last, 1] - stroke[first, 1]) / x_height
            is_of_letter = np.mean(indices[first : last + 1] == index) >= MIN_POINT_FRACTION
            if is_of_letter and MIN_STEM_HEIGHT <= stem_height <= max_height:
                stems.append(Stem(number, first, last, stroke[first : last + 1]))
    return stems


class Fall(NamedTuple):
    """A downward part of a stroke: the numbers of its highest and its lowest point."""

    top: int
    foot: int


def falls_of(stroke: np.ndarray) -> Iterator[Fall]:
    """Yield the falls of a stroke in x-heights that are at least `MIN_FALL` high."""
    y = stroke[:, 1]
    down = np.diff(y) >= -TREMBLE
    edges = np.flatnonzero(np.diff(down, prepend=False, append=False))
    for start, last in edges.reshape(-1, 2):
        run = y[start : last + 1]
        top, foot = start + int(run.argmin()), start + int(run.argmax())
        if y[foot] - y[top] >= MIN_FALL and top < foot:  # A pen may tremble all the way up.
            yield Fall(top, foot)


def turn_behind(heights: np.ndarray, start: int) -> int:
    """Return the number of the point up to which values grow from `start` on, but for falls of at
    most `TREMBLE`."""
    highest = start
    for number in range(start + 1, len(heights)):
        if heights[number] < heights[highest] - TREMBLE:
            break
        if heights[number] > heights[highest]:
            highest = number
    return highest


def straight_part(down: np.ndarray) -> tuple[tuple[float, float], float]:
    """Return the end of the straight part of a way down, and the slope of this part, x over y."""
    foot = down[-1, 1]
    y_high, y_low = foot - (foot - down[0, 1]) * np.array(STRAIGHT_RISES)
    x_high, x_low = x_at(down, (y_high, y_low))
    return (x_low, y_low), (x_low - x_high) / (y_low - y_high)


def x_at(way: np.ndarray, y: ArrayLike) -> np.ndarray:
    """Return x of a way down, `(n, 2)`, at heights y."""
    return np.interp(y, np.maximum.accumulate(way[:, 1]), way[:, 0])


def late_part(indices: np.ndarray, index: int) -> slice:
    """Return the part of a joined stroke that is a character: the pen is later than the window."""
    points = np.flatnonzero(indices == index)
    late = round(PEN_LAG * len(points))
    start = points[0]
    if start > 0:  # Otherwise the stroke begins with this character.
        start = start + late
    stop = points[-1] + 1 + late
    return slice(start, min(stop, len(indices)))


def replace_part(
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


def is_flat(stroke: np.ndarray) -> bool:
    """Return whether a stroke is a bar: much wider than high."""
    width, height = np.ptp(stroke, axis=0)
    return bool(height <= MAX_BAR_HEIGHT * width)


def is_crossed(letters: LetterStrokes, index: int) -> bool:
    """Return whether the ink of a character crosses itself or ink that was made while the window
    was at most one character away."""
    character_ink = _ink_within(letters, index, 0)
    return not character_ink or crosses(character_ink, _ink_within(letters, index, 1))


def _ink_within(letters: LetterStrokes, index: int, distance: int) -> list[np.ndarray]:
    """Return the parts of strokes that were made while the window was at most `distance` characters
    away from a character."""
    parts = [stroke[abs(indices - index) <= distance] for stroke, indices in letters.pairs()]
    return [part for part in parts if len(part)]


def crosses(strokes: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    """Return whether segments of strokes cross segments of others that have no end in common."""
    segments = _segments(strokes)
    other_segments = _segments(others)
    # Whether the ends of each pair of segments are equal, `(segments, others, 2, 2)`.
    are_equal = (segments[:, None, :, None] == other_segments[:, None]).all(-1)
    is_apart = ~are_equal.any((2, 3))
    return bool((segments_cross(segments, other_segments) & is_apart).any())


def _segments(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ends of all segments of strokes, `(segments, 2, 2)`."""
    return np.concatenate([np.stack((stroke[:-1], stroke[1:]), 1) for stroke in strokes])
