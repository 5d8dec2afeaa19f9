"""Recorded lines measured and cut into characters, by an alignment of their points with their text.

Lengths are in x-heights of the line, x from its left edge, y from its baseline, downwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from base.base_dataset import BaseDataset
from data_loader.synthetic.alignment import AlignedLine, Alignment
from utils.alphabet import nfc
from utils.ink import at_equal_steps, to_points

SMALL = frozenset("acemnorsuvwxz")
"""Letters from the baseline to the x-height."""
DELAYED_STROKES = frozenset("ijtfxTFEHAkK:;?!=\"%'")
"""Characters of which a stroke may be written after others have been begun."""
MAX_MISREAD = 0.25
"""Share of the characters of a line that may be misread (measured: 0.5 % of IAM-OnDB's training
lines have more than 13 %; of lines that no reader was trained on more)."""
MIN_TREND_LETTERS, MAX_TREND = 12, 1.4
"""Small letters from which it is measured how the x-height grows or shrinks along a line, and the
most that it is believed to differ from that of the whole (assumed)."""
WIDEST = 3.5
"""Width of the widest character, in x-heights: what is wider has a stroke of another (assumed)."""
LARGEST = {".": 0.45, ",": 1.2}
"""Width and height of the largest of some marks, in the same way: 18 % of what is cut out of
IAM-OnDB as a full stop is larger, often with the bar of a `t` (measured)."""
LEAST_SMALL = 4
"""Small letters that a line needs to be measured (assumed)."""
PART = 0.35
"""Share of a typical character's points that makes a stretch of a stroke part of a character: the
window moves on some points before or after the pen (assumed, checked by eye)."""
LEAD = 0.3
"""How far the window is ahead of the pen where a stroke runs on into the next character, in typical
characters' points (measured: of 717 letters cut off at one end a reader reads 33, 48, 57, 54 % for
0, 0.15, 0.3, 0.45)."""
NEARER = 0.15
"""How much nearer, in x-heights, a stroke must be to an earlier character than to its own."""
BACK = 0.9
"""How far the pen goes back, in x-heights, for a stroke that completes an earlier character; the
window, which never goes back, has it as a part of a later one (assumed)."""
REACH = 0.9
"""Furthest distance of such a stroke from the middle of its character, in x-heights (assumed)."""
FLAT = 0.5
"""Height under which, and distance above the baseline over which, in x-heights, a stroke is a dot
or a bar that may lie anywhere to the right of its character (assumed)."""
BEYOND = 0.3
"""How far, in x-heights, the middle of any other such stroke may lie beyond all that was written
before (measured on 150 lines of stroke fonts with marks set behind their words: without this bound
and `REACH` 126 of 6,665 other strokes, and 64 of 587 marks, went to a wrong letter; with them 6 and
8)."""
BAND = 0.25
"""Height of the bands in which the distance of two pieces is measured, in x-heights."""
NONE, CUT, LIFT = 0, 1, 2
"""What is between two characters: nothing clear, a place in a stroke, or a lift of the pen."""


class Piece(NamedTuple):
    """Some neighbouring characters of a word, as they were written.

    Attributes:
        text: the characters.
        points: `(points, 2)` float64, x-heights; x from its left edge.
        end: whether the pen is lifted after a point, `(points,)` bool, always after the last.
        opens, closes: whether its first stroke was cut off from the character before, and its last
            from the one after.
    """

    text: str
    points: np.ndarray
    end: np.ndarray
    opens: bool = False
    closes: bool = False


@dataclass(frozen=True)
class CutLine:
    """A measured line.

    Attributes:
        text: of the line.
        points: `(points, 2)`, x-heights.
        end: whether the pen is lifted after a point, `(points,)` bool.
        owner: the character that a point belongs to, `(points,)`; -1 where that is unclear.
        between: what is after each character, `(characters,)`: `NONE`, `CUT` or `LIFT`.
        read: whether each character, and both beside it, were read, `(characters,)`.
        fits: whether each character can be read by itself as well, `(characters,)`: the array of
            its `AlignedLine` itself, where `bank.look_at_pieces` notes what it finds.
        height: the x-height in the line's units.
    """

    text: str
    points: np.ndarray
    end: np.ndarray
    owner: np.ndarray
    between: np.ndarray
    read: np.ndarray
    fits: np.ndarray
    height: float

    def edges(self, first: int, last: int) -> tuple[bool, bool] | None:
        """Return whether the characters from `first` to `last` are cut off before and after.

        None if they cannot be cut out there.
        """
        around = f" {self.text} "
        before = LIFT if around[first] == " " else self.between[first - 1]
        after = LIFT if around[last + 2] == " " else self.between[last]
        return None if NONE in (before, after) else (before == CUT, after == CUT)

    def piece(self, first: int, last: int) -> Piece:
        """Return the characters from `first` to `last`, which can be cut out there."""
        opens, closes = self.edges(first, last)
        rows = np.flatnonzero((self.owner >= first) & (self.owner <= last))
        points = self.points[rows]
        # A stroke also ends where its next point belongs to another piece.
        end = self.end[rows] | (np.diff(rows, append=rows[-1] + 2) > 1)
        points = points - np.array([points[:, 0].min(), 0.0])
        return Piece(self.text[first : last + 1], points, end, opens, closes)


def measured(ink: np.ndarray, text: str, aligned: AlignedLine) -> CutLine | None:
    """Return a measured line; None if it has too few small letters.

    Args:
        ink: `(points, 3)`, any unit.
        text: of the line.
        aligned: of the line.
    """
    points, end = to_points(ink), ink[:, 2] > 0.5
    end[-1] = True
    owner = np.repeat(np.arange(len(text)), aligned.counts)
    small = [k for k, one in enumerate(text) if one in SMALL and aligned.read[k]]
    letters = [own for own in (points[owner == k] for k in small) if len(own) >= 4]
    if len(letters) < LEAST_SMALL:
        return None
    low, high = (np.array([edge(own, axis=0) for own in letters]) for edge in (np.min, np.max))
    middles, heights = (low + high)[:, 0] / 2, (high - low)[:, 1]
    rise, base = theil_sen(middles, high[:, 1])
    height = float(np.median(heights))
    if height <= 0:
        return None
    points = np.stack([points[:, 0], points[:, 1] - base - rise * points[:, 0]], axis=1)
    points = normalise_height(points, middles, heights, height)
    owner, between = _owners(points, end, owner, text)
    blank = np.array([one == " " for one in text])
    near = np.pad(aligned.read | blank, 1, constant_values=True)
    read = near[:-2] & near[1:-1] & near[2:] & ~blank
    for k in np.flatnonzero(read).tolist():
        own = points[owner == k]
        wide, high = np.ptp(own, axis=0) if len(own) else (np.inf, np.inf)
        read[k] = wide <= WIDEST and max(wide, high) <= LARGEST.get(text[k], np.inf)
    return CutLine(text, points, end, owner, between, read, aligned.fits, height)


def theil_sen(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of a line through points, by the median of slopes (Theil 1950;
    Sen 1968)."""
    first, second = np.triu_indices(len(x), 1)
    run = x[second] - x[first]
    apart = np.abs(run) > 0.25 * np.ptp(x)
    slope = float(np.median((y[second] - y[first])[apart] / run[apart])) if apart.any() else 0.0
    return slope, float(np.median(y - slope * x))


def normalise_height(
    points: np.ndarray, middles: np.ndarray, heights: np.ndarray, height: float
) -> np.ndarray:
    """Return points `(points, 2)` in x-heights, x from the left edge.

    In a line with enough small letters it is the x-height there, which grows or shrinks along the
    line, so that the line becomes even.

    Args:
        points: with the baseline at y = 0.
        middles, heights: x of small letters, and their heights.
        height: the x-height of the line.
    """
    x, y = points.T
    left, right = x.min(), x.max()
    if len(middles) < MIN_TREND_LETTERS:
        return (points - np.array([left, 0.0])) / height
    growth, first = theil_sen(middles, heights)

    def local(x: np.ndarray) -> np.ndarray:
        return np.clip(first + growth * x, height / MAX_TREND, height * MAX_TREND)

    grid = np.linspace(left, right, 200)
    steps = np.diff(grid) * 2 / (local(grid[:-1]) + local(grid[1:]))
    along = np.interp(x, grid, np.concatenate([[0.0], np.cumsum(steps)]))
    return np.stack([along, y / local(x)], axis=1)


def _owners(
    points: np.ndarray, end: np.ndarray, owner: np.ndarray, text: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the character of each point, stroke by stroke, and what is after each character."""
    owner = owner.copy()
    last = np.flatnonzero(end)
    strokes = list(zip([0, *(last[:-1] + 1).tolist()], (last + 1).tolist(), strict=True))
    letters = np.array([one != " " for one in text])
    typical = float(np.median(np.bincount(owner, minlength=len(text))[letters]))
    least = max(2.0, PART * typical)
    for start, stop in strokes:
        counts = np.bincount(owner[start:stop], minlength=len(text)) * letters
        keep = np.flatnonzero(counts >= least)
        if not len(keep):
            found = (
                counts.argmax() if counts.any() else _beside(points, owner, letters, start, stop)
            )
            keep = np.array([found])
        # What is left of the others goes to the next: the window moves on before the pen does.
        place = np.searchsorted(keep, owner[start:stop], side="left")
        owner[start:stop] = keep[np.clip(place, 0, len(keep) - 1)]
        for cut in (start + 1 + np.flatnonzero(np.diff(owner[start:stop]))).tolist()[::-1]:
            owner[cut : min(cut + round(LEAD * typical), stop - 1)] = owner[cut - 1]
    middles = [(points[a:b, 0].min() + points[a:b, 0].max()) / 2 for a, b in strokes]
    reached = np.maximum.accumulate(points[:, 0])
    for (start, stop), middle in zip(strokes, middles, strict=True):
        k = int(owner[start])
        if not start or owner[stop - 1] != k:
            continue
        before = owner[:start]
        distance = {
            n: abs(float(points[:start][before == n, 0].mean()) - middle)
            for n in range(max(0, k - 15), k)
            if text[n] in DELAYED_STROKES and (before == n).any()
        }
        nearest = min(distance, key=distance.get, default=None)
        near = np.inf if nearest is None else distance[nearest]
        rest = np.flatnonzero(owner == k)
        rest = rest[(rest < start) | (rest >= stop)]
        if middle < reached[start - 1] - BACK and not (len(rest) and rest[0] < start):
            owner[start:stop] = nearest if near < REACH else -1
        elif (middle > reached[start - 1] + BEYOND or near >= REACH) and not (
            np.ptp(points[start:stop, 1]) < FLAT and points[start:stop, 1].mean() < -FLAT
        ):
            continue  # a letter; dots and bars may lie further to the right
        elif len(rest) and near + NEARER < abs(float(points[rest, 0].mean()) - middle):
            owner[start:stop] = nearest
    between = np.full(len(text), NONE)
    spans = {k: np.flatnonzero(owner == k)[[0, -1]] for k in set(owner.tolist()) - {-1}}
    unclear = np.flatnonzero(owner == -1)
    for k in range(len(text) - 1):
        if k not in spans or k + 1 not in spans:
            continue
        # Strokes that were completed later are within the span of neither.
        own, following = np.flatnonzero(owner == k), np.flatnonzero(owner == k + 1)
        start = following[0]
        if len(unclear) and (np.abs(points[unclear, 0] - points[start, 0]) < 3).any():
            continue
        if start == 0:
            continue
        if owner[start - 1] == k and not end[start - 1]:
            # Within a stroke: in one place only.
            crossings = np.count_nonzero((owner[1:] == k + 1) & (owner[:-1] == k) & ~end[:-1])
            between[k] = CUT if crossings == 1 else NONE
        elif end[start - 1] and own[0] < start:
            between[k] = LIFT
    return owner, between


def _beside(
    points: np.ndarray, owner: np.ndarray, letters: np.ndarray, start: int, stop: int
) -> int:
    """Return the character before or after a blank, the one nearer to a stroke of the blank's.

    The window often has left a word when its last `t` is crossed: 2.8 % of the strokes of IAM-OnDB
    (measured) have points of blanks only.
    """
    rows = np.flatnonzero(letters[owner])
    before, after = rows[rows < start], rows[rows >= stop]
    if not len(before) or not len(after):
        return int(owner[before[-1] if len(before) else after[0]])
    left, right = int(owner[before].max()), int(owner[after[0]])
    middle = (points[start:stop, 0].min() + points[start:stop, 0].max()) / 2
    from_left = middle - points[before[owner[before] == left], 0].max()
    to_right = points[after[owner[after] == right], 0].min() - middle
    return left if from_left < to_right else right


def mean_step(points: np.ndarray, end: np.ndarray) -> float:
    """Return the mean length of a step within strokes; 1 if there is none."""
    steps = np.diff(points, axis=0)[~end[:-1]]
    return max(float(np.hypot(*steps.T).mean()), 1e-6) if len(steps) else 1.0


def at_speed(points: np.ndarray, end: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return strokes with `factor` times fewer points, at equal times, or as they are if that is
    near 1."""
    if 0.87 < factor < 1.15:
        return points, end
    found, ends = [], []
    for stroke in np.split(points, np.flatnonzero(end)[:-1] + 1):
        count = max(1, round((len(stroke) - 1) / factor))
        if len(stroke) > 1:
            stroke = at_equal_steps(stroke, np.arange(len(stroke), dtype=float), count)
        found.append(stroke)
        ends.append(np.arange(len(stroke)) == len(stroke) - 1)
    return np.concatenate(found), np.concatenate(ends)


def overlap(left: np.ndarray, right: np.ndarray) -> float:
    """Return how far to the right `right` has to be moved for the two just to touch.

    It is measured in horizontal bands, each widened by half of one; infinitely negative if they
    have none in common.

    Args:
        left, right: points `(points, 2)` in x-heights.
    """
    edges, starts = _profile(left, np.fmax), _profile(right, np.fmin)
    common = np.isfinite(edges) & np.isfinite(starts)
    return float((edges - starts)[common].max()) if common.any() else -np.inf


def _profile(points: np.ndarray, further: np.ufunc) -> np.ndarray:
    """Return the furthest x of points in each band from -4 to 4 x-heights; nan in empty ones.

    Args:
        further: `np.fmax` or `np.fmin`.
    """
    profile = np.full(int(8 / BAND), np.nan)
    for shift in (-0.5, 0.5):
        bands = np.clip((points[:, 1] + 4) / BAND + shift, 0, len(profile) - 1).astype(int)
        further.at(profile, bands, points[:, 0])
    return profile


def measured_lines(
    dataset: BaseDataset, indices: Iterable[int], alignment: Alignment
) -> Iterable[tuple[int, CutLine]]:
    """Yield lines of a dataset with their index.

    Lines without an alignment, with more errors than `MAX_MISREAD`, or that cannot be measured, are
    left out.
    """
    for index in indices:
        text, ink = nfc(dataset.text(index)), dataset.ink(index)
        aligned = alignment.of(dataset.name(index), len(ink), text)
        if aligned is None or aligned.errors > MAX_MISREAD * len(text):
            continue
        if (line := measured(ink, text, aligned)) is not None:
            yield index, line
