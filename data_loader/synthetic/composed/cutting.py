"""Measures recorded lines and cuts them into characters, by an alignment of points with the text.

Lengths are in x-heights of a line; x starts at its left edge, y at its baseline, downwards.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data_loader.pen_paths import at_left_edge, to_ink, to_path
from data_loader.synthetic.composed.alignment import AlignedLine, Alignment
from ink.alphabet import nfc
from ink.sample import Sample

X_HIGH_LETTERS = frozenset("acemnorsuvwxz")
"""Letters that reach from the baseline to the x-height."""
DELAYED_STROKES = frozenset("ijtfxTFEHAkK:;?!=\"%'")
"""Characters with a stroke that may be delayed until a later character has been begun."""
MAX_MISREAD_FRACTION = 0.25
"""Largest fraction of a line's characters that a recogniser may misread. In IAM-OnDB only 0.5 % of
the training lines exceed even 13 %, but more of the lines new to the recogniser do (measured)."""
MIN_TREND_LETTERS = 12
"""Minimum number of small letters for a trend of the x-height along a line (assumed)."""
MAX_TREND = 1.4
"""Largest ratio of the x-height at a point to the line's x-height, or the reverse (assumed)."""
MAX_PIECE_WIDTH = 3.5
"""Largest width of a character, in x-heights: wider ink has a neighbour's stroke (assumed)."""
MAX_SIGN_SIZES = {".": 0.45, ",": 1.2}
"""Largest width and height of a sign, in x-heights. 18 % of the full stops cut out of IAM-OnDB are
larger, often because they have the bar of a `t` (measured)."""
STANDING_CAPITALS = frozenset("ABCDEFGHIKLMNOPRSTUVWXZ")
"""Capitals that stand on the baseline in every hand."""
SMALL_STANDING = X_HIGH_LETTERS | frozenset("bdhiklt")
"""Small letters that stand on the baseline."""
STANDING = SMALL_STANDING | STANDING_CAPITALS | frozenset("0123456789")
"""All characters that stand on the baseline."""
MIN_SMALL_LETTERS = 4
"""Minimum number of small letters from which the x-height of a line is measured (assumed)."""
LINE_HEIGHTS = (0.7, 4.5)
"""Bounds on the height of a line that takes its hand's x-height, in x-heights (assumed)."""
MIN_STRETCH = 0.35
"""Minimum number of points of a stroke that belong to a character if any do, as a fraction of a
typical character's points: the window may move on some points before or after the pen (assumed, by
eye)."""
WINDOW_LEAD = 0.3
"""How far the window is ahead of the pen where a stroke runs on into the next character, as a
fraction of a typical character's points (measured: of 717 letters cut off at one end, a reader
reads 33, 48, 57 and 54 % for 0, 0.15, 0.3 and 0.45)."""
MIN_DISTANCE_GAIN = 0.15
"""Minimum x-heights by which a stroke that completes an earlier character is nearer to
this character than to the character in the window (assumed)."""
MIN_PEN_RETURN = 0.9
"""X-heights. A stroke further than this left of the ink's right edge does not begin the character
in the window: the window never goes back when the pen does (assumed)."""
MAX_DELAYED_DISTANCE = 0.9
"""Largest distance in x of a delayed stroke from its character, in x-heights (assumed)."""
MAX_DOT_OR_BAR_HEIGHT = 0.5
"""X-heights. A stroke lower than this, and further than this above the baseline, is a dot or a bar,
which may lie anywhere to the right of its character (assumed)."""
MAX_DELAYED_ADVANCE = 0.3
"""X-heights by which the middle of a delayed stroke that is no dot or bar may lie right of all
earlier ink. With this bound and `MAX_DELAYED_DISTANCE`, 8 of 587 delayed strokes and 6 of 6,665
other strokes go to a wrong letter, without both bounds 64 and 126 (measured on 150 lines of stroke
fonts whose delayed strokes follow their words)."""
MAX_CHARACTERS_BACK = 15
"""Number of characters before the one in the window to which a delayed stroke may belong
(assumed)."""
UNCLEAR_DISTANCE = 3.0
"""Largest distance in x of an unclear stroke from a boundary that it makes unclear, in x-heights
(assumed)."""
# Boundaries between two characters.
NONE = 0  # no clear boundary
CUT = 1  # a point within a stroke
LIFT = 2  # a lift of the pen


class Piece(NamedTuple):
    """Neighbouring characters of a word, as a hand wrote them.

    Attributes:
        text: the characters.
        path: see `pen_paths`, in x-heights; x starts at the piece's left edge.
        cut_before: whether the first stroke was cut off from the previous character.
        cut_after: whether the last stroke was cut off from the next character.
    """

    text: str
    path: np.ndarray
    cut_before: bool = False
    cut_after: bool = False


@dataclass(frozen=True)
class CutLine:
    """A measured line.

    Attributes:
        text: text of the line.
        path: path in x-heights.
        owner: index of the character to which each point belongs, `(points,)`; -1 where unclear.
        boundaries: boundary after each character, `(characters,)`: `NONE`, `CUT` or `LIFT`.
        is_usable: whether each character and its neighbours were read right, `(characters,)`; False
            for blanks and for characters of an impossible size.
        fits: whether each character was read right when cut out, `(characters,)`. This is the array
            of the line's `AlignedLine`, into which `recorded_hands.verify_pieces` writes.
        height: the x-height in the units of the line's ink.
    """

    text: str
    path: np.ndarray
    owner: np.ndarray
    boundaries: np.ndarray
    is_usable: np.ndarray
    fits: np.ndarray
    height: float

    def points_of(self, character: int) -> np.ndarray:
        """Return the points of a character, `(points, 3)`."""
        return self.path[self.owner == character]

    def edges(self, first: int, last: int) -> tuple[bool, bool] | None:
        """Return whether the characters from `first` to `last` have a cut before them, and a cut
        after them; None if the characters cannot be cut out."""
        padded = f" {self.text} "  # Character n of the text is padded[n + 1].
        before = LIFT if padded[first] == " " else self.boundaries[first - 1]
        after = LIFT if padded[last + 2] == " " else self.boundaries[last]
        if NONE in (before, after):
            return None
        return bool(before == CUT), bool(after == CUT)

    def piece(self, first: int, last: int) -> Piece:
        """Return the piece of the characters from `first` to `last`; `edges` must not be None."""
        rows = np.flatnonzero((self.owner >= first) & (self.owner <= last))
        return Piece(self.text[first : last + 1], self._path(rows), *self.edges(first, last))

    def part(self, rows: np.ndarray, first: int, last: int) -> "CutLine":
        """Return the characters from `first` to `last`, with the points `rows`, as a line."""
        span = slice(first, last + 1)
        owner = np.where(self.owner[rows] < 0, -1, self.owner[rows] - first)
        return CutLine(
            self.text[span],
            self._path(rows),
            owner,
            boundaries=self.boundaries[span],
            is_usable=self.is_usable[span],
            fits=self.fits[span],
            height=self.height,
        )

    def _path(self, rows: np.ndarray) -> np.ndarray:
        """Return the points `rows` as a path."""
        path = at_left_edge(self.path[rows])
        # A stroke also ends at a point whose next point is not among `rows`, as the last one's.
        is_end = np.diff(rows, append=rows[-1] + 2) > 1
        path[is_end, 2] = 1
        return path


def measured(
    ink: np.ndarray, text: str, aligned: AlignedLine, hand_height: float | None = None
) -> CutLine | None:
    """Return a measured line; None if the line cannot be measured.

    Args:
        ink: `(points, 3)`, any unit.
        text: text of the line.
        aligned: alignment of the line.
        hand_height: the x-height of the line's hand in the unit of `ink`, None if unknown; a line
            with fewer than `MIN_SMALL_LETTERS` takes this x-height and counts as level.
    """
    path = to_path(ink)
    is_visible = np.array([character != " " for character in text])
    owner = np.repeat(np.arange(len(text)), aligned.counts)
    boxes = _boxes(path, owner, text, aligned.read, X_HIGH_LETTERS)
    if len(boxes) >= MIN_SMALL_LETTERS:
        left, top, right, bottom = boxes.T
        middles = (left + right) / 2
        heights = bottom - top
        height = float(np.median(heights))
        rise, base = theil_sen(middles, bottom)
    else:
        bottoms = _boxes(path, owner, text, aligned.read, STANDING)[:, 3]
        if hand_height is None or not len(bottoms):
            return None
        lowest, highest = LINE_HEIGHTS
        if not lowest <= np.ptp(path[:, 1]) / hand_height <= highest:
            return None
        middles = np.empty(0)
        heights = np.empty(0)
        height = hand_height
        rise = 0.0
        base = float(np.median(bottoms))
    if height <= 0:
        return None
    path[:, 1] = path[:, 1] - base - rise * path[:, 0]
    path[:, :2] = normalise_height(path[:, :2], middles, heights, height)
    owner = _stroke_owners(path, owner, text, is_visible)
    # A character is usable if it and its neighbours were read right; blanks count as read.
    was_read = np.pad(aligned.read | ~is_visible, 1, constant_values=True)
    is_usable = was_read[:-2] & was_read[1:-1] & was_read[2:] & is_visible
    for k in np.flatnonzero(is_usable).tolist():
        points = path[owner == k]
        if not len(points):
            is_usable[k] = False
            continue
        width, height_of_ink = np.ptp(points[:, :2], axis=0)
        max_size = MAX_SIGN_SIZES.get(text[k], np.inf)
        is_usable[k] = width <= MAX_PIECE_WIDTH and max(width, height_of_ink) <= max_size
    boundaries = _boundaries(path, owner, text)
    return CutLine(text, path, owner, boundaries, is_usable, aligned.fits, height)


def _boxes(
    path: np.ndarray, owner: np.ndarray, text: str, read: np.ndarray, characters: frozenset[str]
) -> np.ndarray:
    """Return the boxes (left, top, right, bottom), `(n, 4)`, of the characters of the text that are
    in `characters`, were read right, and have 4 points or more."""
    chosen = [k for k, character in enumerate(text) if character in characters and read[k]]
    inks = [path[owner == k, :2] for k in chosen]
    boxes = [(*points.min(0), *points.max(0)) for points in inks if len(points) >= 4]
    return np.reshape(boxes, (-1, 4))


def theil_sen(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of the line through points (Theil 1950; Sen 1968).

    They are the median slope of distant pairs, and the median intercept.
    """
    first, second = np.triu_indices(len(x), 1)
    run = x[second] - x[first]
    is_distant = np.abs(run) > 0.25 * np.ptp(x)  # a quarter of the width (assumed)
    slopes = (y[second] - y[first])[is_distant] / run[is_distant]
    slope = float(np.median(slopes)) if len(slopes) else 0.0
    return slope, float(np.median(y - slope * x))


def normalise_height(
    points: np.ndarray, middles: np.ndarray, heights: np.ndarray, height: float
) -> np.ndarray:
    """Return points in x-heights, `(points, 2)`; x starts at the left edge.

    The x-height may grow or shrink along a line. If the line has `MIN_TREND_LETTERS` small letters,
    each point is divided by the x-height at the point, so that the line becomes even.

    Args:
        points: points of the line, `(points, 2)`; the baseline is y = 0.
        middles, heights: x of the middle, and height, of each small letter.
        height: the x-height of the line.
    """
    x, y = points.T
    if len(middles) < MIN_TREND_LETTERS:
        return (points - np.array([x.min(), 0.0])) / height
    growth, height_at_0 = theil_sen(middles, heights)

    def local_height(x: np.ndarray) -> np.ndarray:
        return np.clip(height_at_0 + growth * x, height / MAX_TREND, height * MAX_TREND)

    # x in x-heights is the integral of 1 / height, by the trapezoid rule on a grid.
    grid = np.linspace(x.min(), x.max(), 200)
    steps = np.diff(grid) * 2 / (local_height(grid[:-1]) + local_height(grid[1:]))
    x_in_heights = np.interp(x, grid, np.concatenate([[0.0], np.cumsum(steps)]))
    return np.stack([x_in_heights, y / local_height(x)], axis=1)


def _stroke_owners(
    path: np.ndarray, owner: np.ndarray, text: str, is_visible: np.ndarray
) -> np.ndarray:
    """Return the index of the character to which each point belongs, `(points,)`; -1 if unclear.

    `owner` is the character in the window at each point; `is_visible` is False for blanks.
    """
    owner = owner.copy()
    stops = np.flatnonzero(path[:, 2]) + 1
    strokes = [slice(*ends) for ends in pairwise([0, *stops.tolist()])]
    typical = float(np.median(np.bincount(owner, minlength=len(text))[is_visible]))
    for stroke in strokes:
        owners = owner[stroke]
        counts = np.bincount(owners, minlength=len(text)) * is_visible
        owning = np.flatnonzero(counts >= max(2.0, MIN_STRETCH * typical))
        if not len(owning) and counts.any():
            owning = np.array([counts.argmax()])
        elif not len(owning):
            owning = np.array([_nearer_word_character(path, owner, is_visible, stroke)])
        # Points of other characters go to the next owning character: the window leads the pen.
        places = np.searchsorted(owning, owners)
        owners[:] = owning[np.minimum(places, len(owning) - 1)]
        # For the same reason the first points of a character go to the one before it; backwards, so
        # that `owners[cut]` is still the character in the window.
        for cut in np.flatnonzero(np.diff(owners))[::-1].tolist():
            stop = min(cut + 1 + round(WINDOW_LEAD * typical), len(owners) - 1)
            owners[cut + 1 : stop] = owners[cut]
    for stroke in strokes[1:]:
        if owner[stroke.start] == owner[stroke.stop - 1]:
            owner[stroke] = _completed_character(path, owner, text, stroke)
    return owner


def _completed_character(path: np.ndarray, owner: np.ndarray, text: str, stroke: slice) -> int:
    """Return the index of the character to which a stroke belongs; -1 if unclear.

    This is the character that `owner` has for the whole stroke, or an earlier character that the
    stroke completes.
    """
    current = int(owner[stroke.start])
    earlier_owners = owner[: stroke.start]
    x, y, _ = path.T
    middle = (x[stroke].min() + x[stroke].max()) / 2
    nearest = -1
    least_distance = np.inf
    for earlier in range(max(0, current - MAX_CHARACTERS_BACK), current):
        is_ink_of_it = earlier_owners == earlier
        if text[earlier] in DELAYED_STROKES and is_ink_of_it.any():
            distance = abs(float(x[: stroke.start][is_ink_of_it].mean()) - middle)
            if distance < least_distance:
                nearest = earlier
                least_distance = distance
    other_ink = owner == current  # the current character without the stroke
    other_ink[stroke] = False
    right_edge = x[: stroke.start].max()
    if middle < right_edge - MIN_PEN_RETURN and not other_ink[: stroke.start].any():
        return nearest if least_distance < MAX_DELAYED_DISTANCE else -1
    is_flat = (
        np.ptp(y[stroke]) < MAX_DOT_OR_BAR_HEIGHT and y[stroke].mean() < -MAX_DOT_OR_BAR_HEIGHT
    )
    is_far = middle > right_edge + MAX_DELAYED_ADVANCE or least_distance >= MAX_DELAYED_DISTANCE
    if is_far and not is_flat:
        return current
    if other_ink.any():
        current_distance = abs(float(x[other_ink].mean()) - middle)
        if least_distance + MIN_DISTANCE_GAIN < current_distance:
            return nearest
    return current


def _boundaries(path: np.ndarray, owner: np.ndarray, text: str) -> np.ndarray:
    """Return the boundary after each character, `(characters,)`."""
    boundaries = np.full(len(text), NONE)
    rows = [np.flatnonzero(owner == k) for k in range(len(text))]
    unclear = path[owner == -1, 0]
    for k, (current, following) in enumerate(pairwise(rows)):
        if not len(current) or not len(following):
            continue
        start = following[0]
        # No unclear stroke may lie near the boundary.
        if (np.abs(unclear - path[start, 0]) < UNCLEAR_DISTANCE).any():
            continue
        if path[start - 1, 2]:
            is_in_order = current[0] < start
            boundaries[k] = LIFT if is_in_order else NONE
        elif owner[start - 1] == k:
            # Within strokes, the two characters may meet only once.
            is_down = path[:-1, 2] == 0
            is_crossing = is_down & (owner[:-1] == k) & (owner[1:] == k + 1)
            boundaries[k] = CUT if np.count_nonzero(is_crossing) == 1 else NONE
    return boundaries


def _nearer_word_character(
    path: np.ndarray, owner: np.ndarray, is_visible: np.ndarray, stroke: slice
) -> int:
    """Return the index of the character that is nearer to a stroke: the last before or the first
    after it.

    The window is on a blank at all points of the stroke, as for 2.8 % of the strokes of IAM-OnDB
    (measured): often the window has left a word before the word's last `t` is crossed.
    """
    rows = np.flatnonzero(is_visible[owner])
    x = path[:, 0]
    before, after = rows[rows < stroke.start], rows[rows >= stroke.stop]
    if not len(after):
        return int(owner[before[-1]])
    if not len(before):
        return int(owner[after[0]])
    left = int(owner[before].max())
    right = int(owner[after[0]])
    middle = (x[stroke].min() + x[stroke].max()) / 2
    rows_of_left = before[owner[before] == left]
    rows_of_right = after[owner[after] == right]
    distance_left = middle - x[rows_of_left].max()
    distance_right = x[rows_of_right].min() - middle
    return left if distance_left < distance_right else right


def measured_lines(
    samples: Iterable[Sample], alignment: Alignment
) -> Iterator[tuple[Sample, CutLine]]:
    """Yield each sample with its measured line.

    A line with fewer than `MIN_SMALL_LETTERS` takes the x-height of its hand's other lines. A
    sample is left out if it has no alignment, if more than `MAX_MISREAD_FRACTION` of its characters
    were misread, or if its line cannot be measured.
    """
    lines = []
    heights = defaultdict(list)
    for sample in samples:
        text = nfc(sample.text)
        ink = sample.ink
        aligned = alignment.find(sample.name, len(ink), text)
        if aligned is None or aligned.errors > MAX_MISREAD_FRACTION * len(text):
            continue
        line = measured(ink, text, aligned)
        if line is not None:
            heights[sample.hand].append(line.height)
        lines.append((sample, text, aligned, line))
    hand_heights = {hand: float(np.median(values)) for hand, values in heights.items() if hand}
    for sample, text, aligned, line in lines:
        if line is None:
            line = measured(sample.ink, text, aligned, hand_heights.get(sample.hand))
        if line is not None:
            yield sample, line


Parts = list[tuple[Sample, CutLine]]
"""The parts of a line, each as a sample and as a measured line."""


def parts_of(sample: Sample, line: CutLine, max_length: int | None) -> Parts:
    """Cut a measured line between words into parts of about equal lengths.

    Args:
        sample: the sample that was measured as `line`.
        max_length: largest number of characters of a part, unless a word is longer; None for no
            cuts.

    Returns:
        the parts as samples, whose ink is in x-heights, and as lines; parts without clear ink are
        left out. A line of at most `max_length` characters is returned whole, with `sample`.
    """
    if max_length is None or len(line.text) <= max_length:
        return [(sample, line)]
    target_length = len(line.text) / math.ceil(len(line.text) / max_length)
    spans: list[tuple[int, int]] = []  # the first and last character of each part
    for word in re.finditer(r"\S+", line.text):
        first = word.start()
        last = word.end() - 1
        if spans:
            part_first, part_last = spans[-1]
            fits = last - part_first < max_length
            if fits and part_last - part_first + 1 < target_length:
                spans.pop()  # The part goes on with this word.
                first = part_first
        spans.append((first, last))
    # A point without a clear character takes the character of the last clear point before it.
    clear_numbers = np.where(line.owner >= 0, np.arange(len(line.owner)), 0)
    owner = line.owner[np.maximum.accumulate(clear_numbers)]
    parts = []
    for number, (first, last) in enumerate(spans):
        rows = np.flatnonzero((owner >= first) & (owner <= last))
        if len(rows) < 2:  # Nearly all ink of the part was assigned to other words.
            continue
        part = line.part(rows, first, last)
        name = f"{sample.name}/{number}"
        ink = to_ink(part.path)
        gaps = sample.missing_counts[rows]
        part_sample = replace(sample, ink=ink, text=part.text, name=name, missing=gaps)
        parts.append((part_sample, part))
    return parts
