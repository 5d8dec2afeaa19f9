"""Shared by the scripts that measure hands: measures of lines, medians, variety.

Lengths are in x-heights of the line itself (`utils.ink.x_height`). A measure is NaN if the line
does not show it, mostly because the line is too short.
"""

import math
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from commands.options import Parser
from utils.checks import UserError
from utils.hand_measures import STEP, at_steps, levelled, slant, word_gaps, x_heights
from utils.ink import bounds, strokes, x_height

MEASURES = {
    "slope": "slope of the baseline, absolute degrees",
    "x_height_ratio": "x-height in the last third of the line over that in the first",
    "x_height_spread": "spread of the x-height along the line, over its median",
    "slant": "lean of downstrokes from upright, degrees, positive to the right",
    "letter_width": "width of the line per character, blanks included, in x-heights",
    "lifts": "pen lifts per character, blanks not included",
    "curvature": "turning of the path, radians per x-height of its length",
    "word_space": "mean gap between words, in x-heights",
}
"""The measures that `measure` returns, by name."""
WINDOW = 6.0
"""X-heights of a window for the spread of the x-height (assumed: a window has some six letters, a
line of IAM-OnDB four to six windows)."""
VARIED = ("letter_width", "slant", "curvature", "lifts", "word_space")
"""Measures that distinguish hands, for `variety`."""
Measured = Sequence[Mapping[str, float]]
"""The measures of each line or page, by name; NaN for a measure that the ink does not show."""


def main(run: Callable[[Namespace], None], parser: Parser) -> None:
    """Run a script with its options; a fault of the user ends it with status 2."""
    try:
        run(parser.parse_args())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def numbers(measured: Measured, name: str) -> np.ndarray:
    """Return the values of a measure, without NaN."""
    values = np.array([line[name] for line in measured])
    return values[~np.isnan(values)]


def print_table(names: Iterable[str], columns: Sequence[tuple[str, Measured]]) -> None:
    """Print the median and the quartiles of each measure, a column for each group of lines."""
    print(f"{'':<20}" + "".join(f"{title:<24}" for title, _ in columns))
    for name in names:
        print(f"{name:<20}" + "".join(f"{shown(lines, name):<24}" for _, lines in columns))


def shown(measured: Measured, name: str) -> str:
    """Return the median of a measure and its quartiles, as text."""
    values = numbers(measured, name)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)) if len(values) else 3 * [math.nan]
    return f"{middle:.3f} ({low:.3f} {high:.3f})"


def variety(written: Measured, recorded: Measured) -> dict[str, float]:
    """Return how varied the hands of written lines are compared with those of recorded lines.

    Args:
        written: measures of written lines, each with a different seed.
        recorded: measures of lines of different people.

    Returns:
        for each of `VARIED` the standard deviation over written lines divided by that over recorded
        lines, and the `mean` of these ratios; NaN with fewer than two lines on either side.
    """
    ratios = {}
    for name in VARIED:
        groups = [numbers(lines, name) for lines in (written, recorded)]
        spreads = [float(values.std(ddof=1)) if len(values) > 1 else math.nan for values in groups]
        ratios[name] = spreads[0] / spreads[1] if spreads[1] else math.nan
    return ratios | {"mean": float(np.mean(list(ratios.values())))}


def measure(ink: np.ndarray, text: str = "") -> dict[str, float]:
    """Return each of `MEASURES` for a line.

    Args:
        ink: `(points, 3)` in any unit, y downwards.
        text: the text of the line; without a text the widths, lifts and gaps are NaN.

    Raises:
        DataError: if the ink is empty, or not all numbers are finite.
    """
    level, angle = levelled(ink)
    lean = slant(level)
    left, _, right, _ = bounds(level)
    first, _, last = x_heights(level, np.linspace(left, right, 4))
    spaces = word_gaps(level, text, 0.0 if math.isnan(lean) else lean)
    characters = len("".join(text.split()))
    return {
        "slope": abs(math.degrees(angle)),
        "x_height_ratio": float(last / first),
        "x_height_spread": x_height_spread(level),
        "slant": math.degrees(math.atan(lean)),
        "letter_width": (right - left) / x_height(level) / len(text) if text else math.nan,
        "lifts": len(strokes(level)) / characters if characters else math.nan,
        "curvature": curvature(level),
        "word_space": float(spaces.mean()) if len(spaces) else math.nan,
    }


def x_height_spread(ink: np.ndarray) -> float:
    """Return how much the x-height varies along a level line, over its median.

    The spread is the distance of the quartiles over windows of about `WINDOW` x-heights, scaled to
    be the standard deviation of a normal distribution; NaN with fewer than three windows.
    """
    left, _, right, _ = bounds(ink)
    count = min(round((right - left) / (WINDOW * x_height(ink))), len(ink))
    heights = x_heights(ink, np.linspace(left, right, max(count, 1) + 1))
    heights = heights[~np.isnan(heights)]
    if len(heights) < 3:
        return math.nan
    low, middle, high = np.quantile(heights, (0.25, 0.5, 0.75))
    return float((high - low) / 1.349 / middle)


def curvature(ink: np.ndarray) -> float:
    """Return the mean absolute curvature of the path within strokes, in radians per x-height.

    Every stroke is resampled at equal steps of about `STEP` x-heights, so that neither the sampling
    rate nor the pen's speed matters (measured on `EmbeddedDataset`: within 1 % from 50 to 400
    points per second). Ink without a stroke that is long enough has NaN.
    """
    letter, turned, length = x_height(ink), 0.0, 0.0
    for points, path in at_steps(strokes(ink), STEP * letter):
        steps = np.diff(points, axis=0)
        direction = np.arctan2(steps[:, 1], steps[:, 0])
        turns = (np.diff(direction) + np.pi) % (2 * np.pi) - np.pi
        turned += float(np.abs(turns).sum())
        length += path / letter
    return turned / length if length else math.nan
