"""Measures of lines of handwriting, for ink of any unit and sampling rate.

A measure that cannot be taken, mostly because a line is too short, is NaN.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from utils.ink import (
    at_equal_steps,
    bounds,
    from_strokes,
    path_along,
    strokes,
    turned_back,
    vertical_segments,
    weighted_median,
    x_height,
)

TOLD_LINES = 8
"""Most lines of a hand that a network is told (assumed: more lines tell little more)."""
FLAT = 0.3
"""X-heights of the largest vertical segment that counts as flat (assumed)."""
STEP = 0.1
"""X-heights between the points at which the path's direction is measured (assumed: recorded points
of IAM-OnDB are some 0.15 apart)."""
MAX_STEPS = 100_000
"""Steps along a line at most; on a longer path steps are wider (assumed: a line has some 5,000)."""
LEAST_WIDTH = 4.0
"""X-heights of the narrowest line that has a baseline to measure (assumed)."""
MAX_LEAN = 50.0
"""Degrees of the strongest slant: segments that lean more are not counted (assumed)."""
WIDEST = 100.0
"""X-heights of the width of a line for each character, at most (assumed: lines have one to three).
"""
ABOVE = 0.75
"""X-heights from the baseline to a high mark, at least (by eye, lab notebook: what people see)."""
HIGH_MARK = 0.75
"""X-heights of the largest high mark, such as the dot of an `i` (by eye, likewise)."""

TURN = 0.8
"""Heights of a character after which the pen may come back to close a ring (assumed)."""
BENT = 0.1
"""Largest bend of a straight stroke, over the distance of its ends (measured: of 120 `I` of
`writer` in three styles 113 bend by at most 0.04, one by 0.06; the others are several strokes)."""


def strokes_per_character(lines: Iterable[tuple[np.ndarray, str]]) -> float:
    """Return the number of strokes per character, without blanks, of lines `(points, 3)`."""
    num_strokes, characters = 0, 0
    for ink, text in lines:
        num_strokes += int(ink[:, 2].sum())
        characters += len(text.replace(" ", ""))
    return num_strokes / max(characters, 1)


def too_wide(ink: np.ndarray, text: str) -> bool:
    """Return whether a line is wider than its text can be, as by a point far off."""
    left, _, right, _ = bounds(ink)
    return right - left > WIDEST * len(text) * x_height(ink)


def baseline_angle(ink: np.ndarray) -> float:
    """Return the angle of the baseline in radians, positive where it falls to the right.

    The angle is the median slope over pairs of low turning points that are well apart (Theil-Sen),
    which a few descenders do not change; NaN for ink `(points, 3)` that is narrower than
    `LEAST_WIDTH`, or has too few low turning points.
    """
    letter = x_height(ink)
    segments = vertical_segments(ink)
    down = segments[segments[:, 3] > FLAT * letter]
    low = down[:, :2] + down[:, 2:]
    # In very long lines only every n-th point: all pairs would be too many.
    low = low[:: max(1, math.ceil(len(low) / 400))]
    first, second = np.triu_indices(len(low), 1)
    run = low[second] - low[first]
    run = run[np.abs(run[:, 0]) > 0.5 * LEAST_WIDTH * letter]
    left, _, right, _ = bounds(ink)
    if len(run) < 3 or right - left < LEAST_WIDTH * letter:
        return math.nan
    return math.atan(float(np.median(run[:, 1] / run[:, 0])))


def levelled(ink: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a line's ink turned level, `(points, 3)` float64, and its `baseline_angle` before."""
    angle = baseline_angle(ink)
    level = np.array(ink, dtype=np.float64)
    level[:, :2] = turned_back(level[:, :2], angle)
    return level, angle


def slant(ink: np.ndarray) -> float:
    """Return the lean of a level line's downstrokes to the right, x over y.

    The lean is the median over the downward segments that are not flat, weighted by their height;
    NaN for ink `(points, 3)` without such segments.
    """
    segments = vertical_segments(ink)
    down = segments[segments[:, 3] > 0.5 * x_height(ink)]
    lean = -down[:, 2] / down[:, 3]
    kept = np.abs(lean) <= math.tan(math.radians(MAX_LEAN))
    return weighted_median(lean[kept], down[kept, 3]) if kept.any() else math.nan


def baseline(ink: np.ndarray) -> float:
    """Return the y of the baseline of a level line, relative to `to_points`: the median low turning
    point, or the lowest point of a line without turning points."""
    _, low = _turning_points(ink)
    return float(np.median(low[:, 1])) if len(low) else bounds(ink)[3]


def baseline_of(parts: Sequence[np.ndarray]) -> float:
    """Return the y of the baseline of level strokes `(n, 2)`, in the strokes' coordinates."""
    return float(parts[0][0, 1]) + baseline(from_strokes(parts))


def _turning_points(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the upper and lower ends of all segments that are not flat, `(segments, 2)` each."""
    segments = vertical_segments(ink)
    segments = segments[np.abs(segments[:, 3]) > FLAT * x_height(ink)]
    ends = segments[:, :2] + segments[:, 2:]
    falls = segments[:, 3:] > 0
    return np.where(falls, segments[:, :2], ends), np.where(falls, ends, segments[:, :2])


def x_heights(ink: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the x-height within parts of a level line, `(parts,)`.

    The x-height is the distance of the median low turning point from the median high turning point:
    ascenders, descenders and capitals are fewer than the letters between. Measured on lines of
    `EmbeddedDataset` whose height grows to 0.8 or 1.25 times, the ratio of two parts follows within
    2 %.

    Args:
        ink: `(points, 3)`.
        edges: of the parts in x, `(parts + 1,)`, relative to `to_points`.

    Returns:
        NaN for a part with less than four low or high turning points, or without a positive height.
    """
    high, low = _turning_points(ink)
    heights = np.full(len(edges) - 1, math.nan)
    for part, (start, end) in enumerate(pairwise(edges)):
        lows = low[(low[:, 0] >= start) & (low[:, 0] <= end), 1]
        highs = high[(high[:, 0] >= start) & (high[:, 0] <= end), 1]
        if len(lows) >= 4 and len(highs) >= 4:
            height = np.median(lows) - np.median(highs)
            heights[part] = height if height > 0 else math.nan
    return heights


def at_steps(
    parts: Sequence[np.ndarray], step: float, finer: int = 1
) -> Iterator[tuple[np.ndarray, float]]:
    """Yield strokes `(n, 2)` of two steps or more, with `finer` points a step, and lengths."""
    paths = [path_along(part) for part in parts]
    step = max(step, sum(path[-1] for path in paths) / MAX_STEPS)
    for part, path in zip(parts, paths, strict=True):
        if (count := round(path[-1] / step)) >= 2:
            yield at_equal_steps(part, path, finer * count), path[-1]


def gaps(parts: Sequence[np.ndarray], lean: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the gaps in x between level strokes `(n, 2)` after their slant `lean` is undone, from
    left to right, and the numbers of the strokes in this order.

    A gap is negative where strokes overlap.
    """
    across = [part @ np.array([1.0, lean]) for part in parts]
    left, right = np.array([(x.min(), x.max()) for x in across]).T
    order = np.lexsort((right, left))
    return left[order][1:] - np.maximum.accumulate(right[order])[:-1], order


def word_gaps(ink: np.ndarray, text: str, lean: float = 0.0) -> np.ndarray:
    """Return the widest gaps between strokes of a level line, taken as those between its words.

    Args:
        ink: `(points, 3)`.
        text: of the ink, with blanks between words.
        lean: the slant, as `slant` returns it.

    Returns:
        `(words - 1,)` in x-heights; `(0,)` if there are fewer gaps.
    """
    widths, _ = gaps(strokes(ink), lean)
    count = len(text.split()) - 1
    if not 0 < count <= len(widths):
        return np.empty(0)
    return np.sort(widths)[-count:] / x_height(ink)


def high_marks(parts: Sequence[np.ndarray]) -> int:
    """Return the number of small marks above the letters, such as the dots of `i`.

    Args:
        parts: strokes `(n, 2)` in x-heights, y from the baseline, downwards.
    """
    high = [part for part in parts if part[:, 1].max() < -ABOVE]
    return sum(np.ptp(part, axis=0).max() <= HIGH_MARK for part in high)


def ring_area(parts: Sequence[np.ndarray]) -> float:
    """Return the area of the ring of strokes `(n, 2)`, over their height squared.

    The ring ends where the path comes nearest to an earlier place, at least `TURN` heights before
    along the path.
    """
    if not (height := float(np.ptp(np.concatenate(parts)[:, 1]))):
        return 0.0
    dense = [stroke for stroke, _ in at_steps(parts, height / 25)]
    points = np.concatenate([parts[0][:1], *dense])
    apart, way = np.hypot(*(points[:, None] - points).T), path_along(points)
    apart[way[:, None] - way <= TURN * height] = math.inf
    last, first = np.unravel_index(apart.argmin(), apart.shape)
    x, y = points[first : last + 1].T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2 / height**2)


def segments_cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return which of segments `(n, 2, 2)` cross which of others `(m, 2, 2)`, `(n, m)`."""
    start, along = first[:, None, 0], (first[:, 1] - first[:, 0])[:, None]
    other, across = second[None, :, 0], (second[:, 1] - second[:, 0])[None]
    apart, turn = other - start, _cross(along, across)
    with np.errstate(divide="ignore", invalid="ignore"):
        places = _cross(apart, across) / turn, _cross(apart, along) / turn
    return np.logical_and(*((place >= 0) & (place <= 1) for place in places))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def is_straight(parts: Sequence[np.ndarray]) -> bool:
    """Return whether the strokes `(n, 2)` are a single straight stroke."""
    if len(parts) != 1:
        return False
    chord = parts[0][-1] - parts[0][0]
    x, y = (parts[0] - parts[0][0]).T
    return bool(np.abs(chord[0] * y - chord[1] * x).max() <= BENT * (chord @ chord))
