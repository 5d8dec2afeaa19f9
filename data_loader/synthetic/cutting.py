"""Recorded lines measured and cut into characters, by an alignment of their points with their text.

Lengths are in x-heights of the line, x from its left edge, y from its baseline, downwards.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from base.base_dataset import Sample
from data_loader.synthetic.alignment import AlignedLine, Alignment
from data_loader.synthetic.paths import from_left, to_ink, to_path
from utils.alphabet import nfc

SMALL = frozenset("acemnorsuvwxz")
"""Letters that reach from the baseline to the x-height."""
DELAYED_STROKES = frozenset("ijtfxTFEHAkK:;?!=\"%'")
"""Characters with a stroke that may be written after later characters have been begun."""
MAX_MISREAD = 0.25
"""Largest fraction of a line's characters that may be misread (measured: 0.5 % of IAM-OnDB's
training lines exceed 13 %, and more of the lines that are new to the reader)."""
MIN_TREND_LETTERS = 12
"""Least number of small letters for a trend of the x-height along a line (assumed)."""
MAX_TREND = 1.4
"""Largest factor between the x-height at a place and the line's x-height (assumed)."""
WIDEST = 3.5
"""Largest width of a character, in x-heights: wider ink has a neighbour's stroke (assumed)."""
LARGEST = {".": 0.45, ",": 1.2}
"""Largest width and height of some marks, in x-heights: 18 % of the full stops cut out of IAM-OnDB
are larger, often with the bar of a `t` (measured)."""
CAPITALS = frozenset("ABCDEFGHIKLMNOPRSTUVWXZ")
"""Capitals that stand on the baseline in every hand."""
SMALL_STANDING = SMALL | frozenset("bdhiklt")
"""Small letters that stand on the baseline."""
STANDING = SMALL_STANDING | CAPITALS | frozenset("0123456789")
"""All characters that stand on the baseline."""
LEAST_SMALL = 4
"""Least number of small letters to measure a line without its hand's other lines (assumed)."""
HIGH = (0.7, 4.5)
"""Bounds on the height of a line with fewer small letters, in x-heights of its hand (assumed)."""
PART = 0.35
"""Least stretch of a stroke that is part of a character, as a fraction of a typical character's
points: the window moves on some points before or after the pen (assumed, checked by eye)."""
LEAD = 0.3
"""Lead of the window over the pen where a stroke runs on into the next character, in points of a
typical character (measured: of 717 letters cut off at one end a reader reads 33, 48, 57, 54 % for
0, 0.15, 0.3, 0.45)."""
NEARER = 0.15
"""X-heights by which an earlier character must be nearer to a stroke than the stroke's own."""
BACK = 0.9
"""X-heights that the pen goes back for a stroke that completes an earlier character; the window,
which never goes back, assigns the stroke to a later character (assumed)."""
REACH = 0.9
"""Largest distance of a stroke from the middle of an earlier character that it completes, in
x-heights (assumed)."""
FLAT = 0.5
"""X-heights. A stroke that is lower than this, and further than this above the baseline, is a dot
or a bar, which may lie anywhere to the right of its character (assumed)."""
BEYOND = 0.3
"""X-heights by which the middle of a completing stroke that is no dot or bar may lie to the right
of all earlier strokes (measured on 150 lines of stroke fonts with marks set behind their words:
without this bound and `REACH`, 126 of 6,665 strokes that are no marks, and 64 of 587 marks, went to
a wrong letter; with both bounds, 6 and 8)."""
# Boundaries between two characters.
NONE = 0  # no clear boundary
CUT = 1  # a place in a stroke
LIFT = 2  # a lift of the pen


class Piece(NamedTuple):
    """Neighbouring characters of a word, as they were written.

    Attributes:
        text: the characters.
        path: see `paths`, in x-heights; x from the piece's left edge.
        opens, closes: whether the first stroke was cut off from the previous character, and the
            last stroke from the next character.
    """

    text: str
    path: np.ndarray
    opens: bool = False
    closes: bool = False


@dataclass(frozen=True)
class CutLine:
    """A measured line.

    Attributes:
        text: text of the line.
        path: path in x-heights.
        owner: index of each point's character, `(points,)`; -1 where it is unclear.
        boundaries: boundary after each character, `(characters,)`: `NONE`, `CUT` or `LIFT`.
        read: whether each character and both its neighbours were read, `(characters,)`.
        fits: whether each character can be read when cut out, `(characters,)`: the same array as in
            the line's `AlignedLine`, into which `bank.verify_pieces` writes.
        height: the x-height in the line's units.
    """

    text: str
    path: np.ndarray
    owner: np.ndarray
    boundaries: np.ndarray
    read: np.ndarray
    fits: np.ndarray
    height: float

    def points_of(self, character: int) -> np.ndarray:
        """Return the points of a character, `(points, 3)`."""
        return self.path[self.owner == character]

    def edges(self, first: int, last: int) -> tuple[bool, bool] | None:
        """Return whether a cut is before, and after, the characters from `first` to `last`; None
        if the characters cannot be cut out there."""
        around = f" {self.text} "
        before = LIFT if around[first] == " " else self.boundaries[first - 1]
        after = LIFT if around[last + 2] == " " else self.boundaries[last]
        if NONE in (before, after):
            return None
        return bool(before == CUT), bool(after == CUT)

    def piece(self, first: int, last: int) -> Piece:
        """Return the characters from `first` to `last`, for which `edges` is not None."""
        rows = np.flatnonzero((self.owner >= first) & (self.owner <= last))
        return Piece(self.text[first : last + 1], self._path(rows), *self.edges(first, last))

    def part(self, rows: np.ndarray, first: int, last: int) -> "CutLine":
        """Return the words from character `first` to `last`, with the points `rows`, as a line."""
        part = slice(first, last + 1)
        owner = np.where(self.owner[rows] < 0, -1, self.owner[rows] - first)
        flags = self.boundaries[part], self.read[part], self.fits[part]
        return CutLine(self.text[part], self._path(rows), owner, *flags, self.height)

    def _path(self, rows: np.ndarray) -> np.ndarray:
        """Return the points of some rows as a path."""
        path = from_left(self.path[rows])
        # A stroke also ends where its next point belongs to another piece.
        path[np.diff(rows, append=rows[-1] + 2) > 1, 2] = 1
        return path


def measured(
    ink: np.ndarray, text: str, aligned: AlignedLine, hand_height: float | None = None
) -> CutLine | None:
    """Return a measured line; None if the line cannot be measured.

    Args:
        ink: `(points, 3)`, any unit.
        text: text of the line.
        aligned: alignment of the line.
        hand_height: the x-height of the line's hand, None if unknown; a line with too few small
            letters takes this x-height and counts as level.
    """
    path, letters = to_path(ink), np.array([character != " " for character in text])
    owner = np.repeat(np.arange(len(text)), aligned.counts)
    boxes = _boxes(path, owner, text, aligned.read, SMALL)
    if len(boxes) >= LEAST_SMALL:
        left, top, right, bottom = boxes.T
        middles, heights = (left + right) / 2, bottom - top
        height = float(np.median(heights))
        rise, base = theil_sen(middles, bottom)
    else:
        bottoms = _boxes(path, owner, text, aligned.read, STANDING)[:, 3]
        if hand_height is None or not len(bottoms):
            return None
        if not HIGH[0] <= np.ptp(path[:, 1]) / hand_height <= HIGH[1]:
            return None
        middles, heights, height = np.empty(0), np.empty(0), hand_height
        rise, base = 0.0, float(np.median(bottoms))
    if height <= 0:
        return None
    path[:, 1] = path[:, 1] - base - rise * path[:, 0]
    path[:, :2] = normalise_height(path[:, :2], middles, heights, height)
    owner = _owners(path, owner, text, letters)
    near = np.pad(aligned.read | ~letters, 1, constant_values=True)
    read = near[:-2] & near[1:-1] & near[2:] & letters
    for k in np.flatnonzero(read).tolist():
        points = path[owner == k]
        wide, high, _ = np.ptp(points, axis=0) if len(points) else (np.inf, np.inf, 0)
        read[k] = wide <= WIDEST and max(wide, high) <= LARGEST.get(text[k], np.inf)
    boundaries = _boundaries(path, owner, text)
    return CutLine(text, path, owner, boundaries, read, aligned.fits, height)


def _boxes(
    path: np.ndarray, owner: np.ndarray, text: str, read: np.ndarray, kind: frozenset[str]
) -> np.ndarray:
    """Return left, top, right and bottom of the characters of a kind that were read, `(n, 4)`."""
    chosen = [k for k, character in enumerate(text) if character in kind and read[k]]
    letters = [path[owner == k, :2] for k in chosen]
    boxes = [(*points.min(0), *points.max(0)) for points in letters if len(points) >= 4]
    return np.reshape(boxes, (-1, 4))


def theil_sen(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of a line through points: the median slope of distant pairs, and
    the median intercept (Theil 1950; Sen 1968)."""
    first, second = np.triu_indices(len(x), 1)
    run = x[second] - x[first]
    apart = np.abs(run) > 0.25 * np.ptp(x)
    slopes = (y[second] - y[first])[apart] / run[apart]
    slope = float(np.median(slopes)) if len(slopes) else 0.0
    return slope, float(np.median(y - slope * x))


def normalise_height(
    points: np.ndarray, middles: np.ndarray, heights: np.ndarray, height: float
) -> np.ndarray:
    """Return points `(points, 2)` in x-heights, x from the left edge.

    The x-height may grow or shrink along a line. With enough small letters, each point is divided
    by the x-height at its place, so that the line becomes even.

    Args:
        points: points of the line, the baseline at y = 0.
        middles, heights: x of the middles of small letters, and their heights.
        height: the x-height of the line.
    """
    x, y = points.T
    if len(middles) < MIN_TREND_LETTERS:
        return (points - np.array([x.min(), 0.0])) / height
    growth, height_at_0 = theil_sen(middles, heights)

    def local_height(x: np.ndarray) -> np.ndarray:
        return np.clip(height_at_0 + growth * x, height / MAX_TREND, height * MAX_TREND)

    grid = np.linspace(x.min(), x.max(), 200)
    steps = np.diff(grid) * 2 / (local_height(grid[:-1]) + local_height(grid[1:]))
    along = np.interp(x, grid, np.concatenate([[0.0], np.cumsum(steps)]))
    return np.stack([along, y / local_height(x)], axis=1)


def _owners(path: np.ndarray, owner: np.ndarray, text: str, letters: np.ndarray) -> np.ndarray:
    """Return the character of each point, `(points,)`, from the character in the window (`owner`).

    `letters` says which characters are no blanks, `(characters,)`.
    """
    owner, last = owner.copy(), np.flatnonzero(path[:, 2]) + 1
    strokes = [slice(*ends) for ends in pairwise([0, *last.tolist()])]
    typical = float(np.median(np.bincount(owner, minlength=len(text))[letters]))
    for stroke in strokes:
        owners = owner[stroke]
        counts = np.bincount(owners, minlength=len(text)) * letters
        keep = np.flatnonzero(counts >= max(2.0, PART * typical))
        if not len(keep):
            nearest = counts.argmax() if counts.any() else _beside(path, owner, letters, stroke)
            keep = np.array([nearest])
        # Points of a dropped character go to the next kept character: the window leads the pen.
        owners[:] = keep[np.minimum(np.searchsorted(keep, owners), len(keep) - 1)]
        for cut in np.flatnonzero(np.diff(owners))[::-1].tolist():
            owners[cut + 1 : min(cut + 1 + round(LEAD * typical), len(owners) - 1)] = owners[cut]
    for stroke in strokes[1:]:
        if owner[stroke.start] == owner[stroke.stop - 1]:
            owner[stroke] = _completed(path, owner, text, stroke)
    return owner


def _completed(path: np.ndarray, owner: np.ndarray, text: str, stroke: slice) -> int:
    """Return the character of a stroke within one character: this character, or an earlier
    character that the stroke completes; -1 if unclear."""
    current = int(owner[stroke.start])
    earlier_owners = owner[: stroke.start]
    x, y, _ = path.T
    middle = (x[stroke].min() + x[stroke].max()) / 2
    nearest, least_distance = -1, np.inf
    for earlier in range(max(0, current - 15), current):
        if text[earlier] in DELAYED_STROKES and (earlier_owners == earlier).any():
            distance = abs(float(x[: stroke.start][earlier_owners == earlier].mean()) - middle)
            if distance < least_distance:
                nearest, least_distance = earlier, distance
    has_current = owner == current
    has_current[stroke] = False
    reached = x[: stroke.start].max()
    if middle < reached - BACK and not has_current[: stroke.start].any():
        return nearest if least_distance < REACH else -1
    is_flat = np.ptp(y[stroke]) < FLAT and y[stroke].mean() < -FLAT
    if not is_flat and (middle > reached + BEYOND or least_distance >= REACH):
        return current  # A letter's stroke; dots and bars may lie further to the right.
    if has_current.any() and least_distance + NEARER < abs(float(x[has_current].mean()) - middle):
        return nearest
    return current


def _boundaries(path: np.ndarray, owner: np.ndarray, text: str) -> np.ndarray:
    """Return the boundary after each character, `(characters,)`."""
    boundaries = np.full(len(text), NONE)
    rows = [np.flatnonzero(owner == k) for k in range(len(text))]
    unclear = path[owner == -1, 0]
    for k, (letter, following) in enumerate(pairwise(rows)):
        if not len(letter) or not len(following):
            continue
        start = following[0]
        # No unclear stroke may lie near the boundary.
        if (np.abs(unclear - path[start, 0]) < 3).any():
            continue
        if path[start - 1, 2]:
            boundaries[k] = LIFT if letter[0] < start else NONE
        elif owner[start - 1] == k:
            # Within a stroke, the characters may meet in one place only.
            crossings = (owner[1:] == k + 1) & (owner[:-1] == k) & (path[:-1, 2] == 0)
            boundaries[k] = CUT if np.count_nonzero(crossings) == 1 else NONE
    return boundaries


def _beside(path: np.ndarray, owner: np.ndarray, letters: np.ndarray, stroke: slice) -> int:
    """Return the nearer character, before or after a blank, for a stroke with points of the blank.

    The window often has left a word when the word's last `t` is crossed: 2.8 % of the strokes of
    IAM-OnDB (measured) have points of blanks only.
    """
    rows, x = np.flatnonzero(letters[owner]), path[:, 0]
    before, after = rows[rows < stroke.start], rows[rows >= stroke.stop]
    if not len(before) or not len(after):
        return int(owner[before[-1] if len(before) else after[0]])
    left, right = int(owner[before].max()), int(owner[after[0]])
    middle = (x[stroke].min() + x[stroke].max()) / 2
    from_left = middle - x[before[owner[before] == left]].max()
    to_right = x[after[owner[after] == right]].min() - middle
    return left if from_left < to_right else right


def measured_lines(
    samples: Iterable[Sample], alignment: Alignment
) -> Iterator[tuple[Sample, CutLine]]:
    """Yield samples and their measured lines.

    A line with too few small letters is measured by the other lines of its hand. A line is left out
    if it has no alignment or more errors than `MAX_MISREAD`, or cannot be measured.
    """
    lines, heights = [], defaultdict(list)
    for sample in samples:
        text, ink = nfc(sample.text), sample.ink
        aligned = alignment.of(sample.name, len(ink), text)
        if aligned is None or aligned.errors > MAX_MISREAD * len(text):
            continue
        if line := measured(ink, text, aligned):
            heights[sample.hand].append(line.height)
        lines.append((sample, text, aligned, line))
    hand_heights = {hand: float(np.median(values)) for hand, values in heights.items() if hand}
    for sample, text, aligned, line in lines:
        line = line or measured(sample.ink, text, aligned, hand_heights.get(sample.hand))
        if line is not None:
            yield sample, line


Parts = list[tuple[Sample, CutLine]]
"""The parts of a line, each as a sample and as a measured line."""


def parts_of(sample: Sample, line: CutLine, longest: int | None) -> Parts:
    """Return a measured line in parts of whole words, of about equal lengths.

    Args:
        sample: the sample that was measured.
        line: the sample's measured line.
        longest: largest number of characters of a part, unless a single word is longer; None does
            not cut.

    Returns:
        the parts as samples, whose ink is in x-heights, and as lines; parts without clear ink are
        left out. A line that is short enough is returned whole, with its sample as it is.
    """
    if longest is None or len(line.text) <= longest:
        return [(sample, line)]
    aim = len(line.text) / math.ceil(len(line.text) / longest)
    spans: list[tuple[int, int]] = []
    for word in re.finditer(r"\S+", line.text):
        first, last = word.start(), word.end() - 1
        if spans and last - spans[-1][0] < longest and spans[-1][1] - spans[-1][0] + 1 < aim:
            first = spans.pop()[0]
        spans.append((first, last))
    # Points without a clear character go with the points before them.
    clear = np.maximum.accumulate(np.where(line.owner >= 0, np.arange(len(line.owner)), 0))
    parts = []
    for number, (first, last) in enumerate(spans):
        rows = np.flatnonzero((line.owner[clear] >= first) & (line.owner[clear] <= last))
        if len(rows) < 2:  # The part's ink was assigned to other words.
            continue
        part = line.part(rows, first, last)
        name, ink, gaps = f"{sample.name}/{number}", to_ink(part.path), sample.gaps[rows]
        piece = replace(sample, ink=ink, text=part.text, name=name, missing=gaps)
        parts.append((piece, part))
    return parts
