"""Measures of lines of handwriting, for ink of any unit and sampling rate.

A measure is NaN where it cannot be computed, mostly because a line is too short.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ink.geometry import (
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

NUM_HAND_LINES = 8
"""Maximum number of lines that describe a hand to a network (assumed: more lines add little)."""
MAX_FLAT_SEGMENT_HEIGHT = 0.3
"""Height in x-heights up to which a vertical segment counts as flat (assumed)."""
PATH_STEP = 0.1
"""X-heights between the points at which the path's direction is measured (assumed: recorded points
of IAM-OnDB are some 0.15 apart)."""
MAX_STEPS = 100_000
"""Maximum number of steps along a line, which has some 5,000 (assumed)."""
MIN_BASELINE_WIDTH = 4.0
"""Minimum width in x-heights of a line whose baseline is measured (assumed)."""
MAX_BASELINE_POINTS = 400  # low turning points of which all pairs are compared (assumed)
MAX_SLANT = 50.0
"""Maximum slant in degrees of a segment that counts for the lean of a line (assumed)."""
MAX_WIDTH_PER_CHARACTER = 100.0
"""Maximum width of a line per character, in x-heights (assumed: lines have one to three)."""
LETTER_WIDTHS = dict.fromkeys(".,:;!'|1Iijl", 0.45) | dict.fromkeys("MWmw@%", 1.5)
"""Widths of letters in usual letter widths; 1 for all others (measured roughly, in ten styles)."""
MIN_HIGH_MARK_HEIGHT = 0.75
"""Minimum height in x-heights of a high mark above the baseline (by eye)."""
MAX_MARK_SIZE = 0.75
"""Maximum width and height in x-heights of a high mark, such as the dot of an `i` (by eye)."""

MIN_RING_LENGTH = 0.8
"""Minimum length of a ring's path, as a multiple of the character's height (assumed)."""
MAX_RING_INK = 60.0  # heights of ink with a ring (assumed; distances of all points are compared)
MAX_BEND = 0.1
"""Maximum distance of a straight stroke from its chord, in chord lengths (measured: of 120 `I`
by the network `writer`, 114 are single strokes, of which 113 have at most 0.04, one 0.06)."""


def strokes_per_character(lines: Iterable[tuple[np.ndarray, str]]) -> float:
    """Return the strokes per character, without blanks, of lines of ink `(points, 3)` and text."""
    num_strokes = 0
    num_characters = 0
    for ink, text in lines:
        num_strokes += int(ink[:, 2].sum())
        num_characters += len(text.replace(" ", ""))
    return num_strokes / max(num_characters, 1)


def usual_letters(text: str) -> float:
    """Return how many usual letters are as wide as a text without its blanks."""
    return sum(LETTER_WIDTHS.get(letter, 1.0) for letter in text if letter != " ")


def too_wide(ink: np.ndarray, text: str) -> bool:
    """Return whether a line is too wide for its text, for example because one point is far off."""
    left, _, right, _ = bounds(ink)
    return right - left > MAX_WIDTH_PER_CHARACTER * len(text) * x_height(ink)


def baseline_angle(ink: np.ndarray) -> float:
    """Return the angle of the baseline in radians, positive if the baseline falls to the right.

    The angle is that of the median slope between two low turning points that are well apart
    (Theil-Sen estimator); a few descenders do not change this median. The angle is NaN if the ink
    `(points, 3)` is narrower than `MIN_BASELINE_WIDTH`, or has too few low turning points.
    """
    min_width = MIN_BASELINE_WIDTH * x_height(ink)
    segments = vertical_segments(ink)
    down = segments[segments[:, 3] > MAX_FLAT_SEGMENT_HEIGHT * x_height(ink)]
    low = down[:, :2] + down[:, 2:]
    # Very long lines would have too many pairs: only every n-th point is used.
    low = low[:: max(1, math.ceil(len(low) / MAX_BASELINE_POINTS))]
    start, end = np.triu_indices(len(low), 1)  # each pair of points
    offsets = low[end] - low[start]
    offsets = offsets[np.abs(offsets[:, 0]) > 0.5 * min_width]
    left, _, right, _ = bounds(ink)
    if len(offsets) < 3 or right - left < min_width:
        return math.nan
    return math.atan(float(np.median(offsets[:, 1] / offsets[:, 0])))


def levelled(ink: np.ndarray) -> tuple[np.ndarray, float]:
    """Return ink turned level, `(points, 3)` float64, and its `baseline_angle` before the turn."""
    angle = baseline_angle(ink)
    level = np.array(ink, dtype=np.float64)
    level[:, :2] = turned_back(level[:, :2], angle)
    return level, angle


def downstrokes(segments: np.ndarray, x_height: float) -> np.ndarray:
    """Return the lean to the right, x over y, and the height of each downstroke of a level line,
    `(downstrokes, 2)`.

    Downstrokes are the `vertical_segments` that go down by more than half an x-height and lean at
    most `MAX_SLANT`.
    """
    down = segments[segments[:, 3] > 0.5 * x_height]
    leans = np.column_stack([-down[:, 2] / down[:, 3], down[:, 3]])
    return leans[np.abs(leans[:, 0]) <= math.tan(math.radians(MAX_SLANT))]


def median_lean(ink: np.ndarray) -> float:
    """Return the median lean of a level line's `downstrokes`, weighted by their height; NaN for ink
    `(points, 3)` without downstrokes."""
    downs = downstrokes(vertical_segments(ink), x_height(ink))
    return weighted_median(*downs.T) if len(downs) else math.nan


def baseline(ink: np.ndarray) -> float:
    """Return the y of the baseline of a level line, in the coordinates of `to_points`: the median
    low turning point, or the lowest point if there is no turning point."""
    _, low = turning_points(vertical_segments(ink), x_height(ink))
    return float(np.median(low[:, 1])) if len(low) else bounds(ink)[3]


def baseline_of(strokes: Sequence[np.ndarray]) -> float:
    """Return the y of the baseline of level strokes `(n, 2)`, in the strokes' coordinates."""
    return float(strokes[0][0, 1]) + baseline(from_strokes(strokes))


def turning_points(segments: np.ndarray, x_height: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the upper and the lower end of each of the `vertical_segments` that is higher than
    `MAX_FLAT_SEGMENT_HEIGHT` x-heights, `(segments, 2)` each."""
    segments = segments[np.abs(segments[:, 3]) > MAX_FLAT_SEGMENT_HEIGHT * x_height]
    ends = segments[:, :2] + segments[:, 2:]
    falls = segments[:, 3:] > 0
    return np.where(falls, segments[:, :2], ends), np.where(falls, ends, segments[:, :2])


def median_x_height(ink: np.ndarray) -> float:
    """Return the x-height of a level line: the distance between the median low and the median high
    turning point, since most letters have no ascender or descender.

    If letters become 0.8 or 1.25 times as high within a line of `EmbeddedDataset`, the ratio of the
    x-heights of its parts is right within 2 % (measured). The x-height is NaN for ink `(points, 3)`
    with fewer than four low turning points, or if it is not positive.
    """
    rough_height = x_height(ink)  # of all points; by it small turns are left out
    high, low = turning_points(vertical_segments(ink), rough_height)
    height = float(np.median(low[:, 1]) - np.median(high[:, 1])) if len(low) >= 4 else 0.0
    return height if height > 0 else math.nan


def at_steps(strokes: Sequence[np.ndarray], step: float, finer: int = 1) -> Iterator[np.ndarray]:
    """Yield each stroke `(n, 2)` of at least two steps, resampled to `finer` points a step."""
    paths = [path_along(stroke) for stroke in strokes]
    step = max(step, sum(path[-1] for path in paths) / MAX_STEPS)
    for stroke, path in zip(strokes, paths, strict=True):
        count = round(path[-1] / step)
        if count >= 2:
            yield at_equal_steps(stroke, path, finer * count)


def gaps(strokes: Sequence[np.ndarray], lean: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the gaps in x between level strokes `(n, 2)`, and the strokes' indices, left to right.

    The `lean` is removed first. A gap is negative where strokes overlap.
    """
    upright_x = [stroke @ np.array([1.0, lean]) for stroke in strokes]
    left, right = np.array([(x.min(), x.max()) for x in upright_x]).T
    order = np.lexsort((right, left))
    return left[order][1:] - np.maximum.accumulate(right[order])[:-1], order


def word_gaps(ink: np.ndarray, text: str, lean: float = 0.0) -> np.ndarray:
    """Return the widest gaps between the strokes of a level line, one for each pair of neighbouring
    words.

    Args:
        ink: `(points, 3)`.
        text: the text of the ink, with blanks between words.
        lean: as `median_lean` returns it.

    Returns:
        `(words - 1,)` in x-heights, narrowest first; `(0,)` if there are fewer gaps.
    """
    widths, _ = gaps(strokes(ink), lean)
    count = len(text.split()) - 1
    if not 0 < count <= len(widths):
        return np.empty(0)
    return np.sort(widths)[-count:] / x_height(ink)


def high_marks(strokes: Sequence[np.ndarray]) -> int:
    """Return the number of small marks above the letters, such as the dots of `i`.

    Args:
        strokes: `(n, 2)` each, in x-heights; y is 0 on the baseline and grows downwards.
    """
    high = [stroke for stroke in strokes if stroke[:, 1].max() < -MIN_HIGH_MARK_HEIGHT]
    return sum(np.ptp(stroke, axis=0).max() <= MAX_MARK_SIZE for stroke in high)


def ring_area(strokes: Sequence[np.ndarray]) -> float:
    """Return the area of the ring in strokes `(n, 2)`, divided by the strokes' height squared.

    The ring begins and ends where the path nearly meets itself: at the two closest points
    that are more than `MIN_RING_LENGTH` heights apart along the path. Ink longer than
    `MAX_RING_INK` heights is flat, and has no ring.
    """
    height = float(np.ptp(np.concatenate(strokes)[:, 1]))
    length = sum(float(path_along(stroke)[-1]) for stroke in strokes)
    if not height or length > MAX_RING_INK * height:
        return 0.0
    step = height / 25  # assumed: fine enough for a ring
    points = np.concatenate([strokes[0][:1], *at_steps(strokes, step)])
    distances = np.hypot(*(points[:, None] - points).T)
    along = path_along(points)
    # Only pairs whose first point lies far behind the second on the path remain.
    distances[along[:, None] - along <= MIN_RING_LENGTH * height] = math.inf
    end, start = np.unravel_index(distances.argmin(), distances.shape)
    x, y = points[start : end + 1].T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2  # the shoelace formula
    return float(area / height**2)


def segments_cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return whether segments `first` `(n, 2, 2)` cross segments `second` `(m, 2, 2)`, `(n, m)`."""
    first_start = first[:, None, 0]
    first_run = (first[:, 1] - first[:, 0])[:, None]
    second_start = second[None, :, 0]
    second_run = (second[:, 1] - second[:, 0])[None]
    offset = second_start - first_start
    determinant = _cross(first_run, second_run)
    with np.errstate(divide="ignore", invalid="ignore"):
        in_first = _cross(offset, second_run) / determinant
        in_second = _cross(offset, first_run) / determinant
    return (in_first >= 0) & (in_first <= 1) & (in_second >= 0) & (in_second <= 1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def is_straight(strokes: Sequence[np.ndarray]) -> bool:
    """Return whether `strokes` is a single straight stroke `(n, 2)`."""
    if len(strokes) != 1:
        return False
    chord = strokes[0][-1] - strokes[0][0]
    x, y = (strokes[0] - strokes[0][0]).T
    # Both sides are multiplied by the length of the chord.
    distances = np.abs(chord[0] * y - chord[1] * x)
    return bool(distances.max() <= MAX_BEND * (chord @ chord))
