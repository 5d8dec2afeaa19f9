"""Measures of lines, their tables, and their variety, for the scripts that measure hands.

Lengths are in x-heights of the line (`utils.ink.x_height`). A measure is NaN if it cannot be taken,
mostly because the line is too short.
"""

import math
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from base.base_dataset import BaseDataset
from commands.options import Parser
from utils.checks import UserError
from utils.hand_measures import STEP, at_steps, levelled, median_lean, word_gaps, x_heights
from utils.ink import bounds, strokes, x_height

MEASURES = {
    "slope": "slope of the baseline, absolute degrees",
    "x_height_ratio": "x-height of the line's last third, divided by the first third's x-height",
    "x_height_spread": "spread of the x-height along the line, divided by the median x-height",
    "slant": "lean of downstrokes from upright, degrees, positive to the right",
    "letter_width": "width of the line per character, blanks included, in x-heights",
    "lifts": "pen lifts per character, blanks not included",
    "curvature": "turning of the path, radians per x-height of path",
    "word_space": "mean gap between words, in x-heights",
}
"""For each measure that `measure` returns, its meaning."""
SPREAD_WINDOW = 6.0
"""Width, in x-heights, of the windows in which `x_height_spread` measures (assumed: a window has
about six letters, and a line of IAM-OnDB four to six windows)."""
HAND_MEASURES = ("letter_width", "slant", "curvature", "lifts", "word_space")
"""Measures that distinguish hands, for `variety`."""
Measures = Sequence[Mapping[str, float]]
"""For each line, the measures by name."""


def main(run: Callable[[Namespace], None], parser: Parser) -> None:
    """Run a script with its options; print a UserError and exit with status 2."""
    try:
        run(parser.parse_args())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def dataset_within(dataset: BaseDataset, kind: type[BaseDataset]) -> BaseDataset | None:
    """Return the first dataset of a class that `dataset` is or is made of, None if there is none;
    of a recipe, the first in the order of its sources."""
    if isinstance(dataset, kind):
        return dataset
    parts = [*getattr(dataset, "sources", {}).values(), *vars(dataset).values()]
    found = (dataset_within(part, kind) for part in parts if isinstance(part, BaseDataset))
    return next(filter(None, found), None)


def finite_values(lines: Measures, name: str) -> np.ndarray:
    """Return the values of the measure `name` that are not NaN."""
    values = np.array([line[name] for line in lines])
    return values[~np.isnan(values)]


def print_table(names: Iterable[str], columns: Sequence[tuple[str, Measures]]) -> None:
    """Print median and quartiles of measures; a column is a title and a group of lines."""
    print(f"{'':<20}" + "".join(f"{title:<24}" for title, _ in columns))
    for name in names:
        print(
            f"{name:<20}"
            + "".join(f"{median_and_quartiles(lines, name):<24}" for _, lines in columns)
        )


def median_and_quartiles(lines: Measures, name: str) -> str:
    """Return the median and the quartiles of the measure `name`, as text."""
    values = finite_values(lines, name)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)) if len(values) else 3 * [math.nan]
    return f"{middle:.3f} ({low:.3f} {high:.3f})"


def variety(written: Measures, recorded: Measures) -> dict[str, float]:
    """Return how much the hands of written lines vary, in comparison with recorded lines.

    Args:
        written: measures of written lines, each with a different seed.
        recorded: measures of lines of different people.

    Returns:
        for each of `HAND_MEASURES`, the standard deviation over `written` divided by that over
        `recorded` (NaN if either has fewer than two values), and the `mean` of these ratios.
    """
    ratios = {}
    for name in HAND_MEASURES:
        groups = [finite_values(lines, name) for lines in (written, recorded)]
        stds = [float(values.std(ddof=1)) if len(values) > 1 else math.nan for values in groups]
        ratios[name] = stds[0] / stds[1] if stds[1] else math.nan
    return ratios | {"mean": float(np.mean(list(ratios.values())))}


def measure(ink: np.ndarray, text: str = "") -> dict[str, float]:
    """Return the measures of a line: a value for each name in `MEASURES`.

    Args:
        ink: `(points, 3)` in any unit, y downwards.
        text: the text of the line; if empty, `letter_width`, `lifts` and `word_space` are NaN.

    Raises:
        DataError: if the ink is empty, or has numbers that are not finite.
    """
    level, angle = levelled(ink)
    lean = median_lean(level)
    left, _, right, _ = bounds(level)
    first, _, last = x_heights(level, np.linspace(left, right, 4))
    spaces = word_gaps(level, text, 0.0 if math.isnan(lean) else lean)
    num_characters = len("".join(text.split()))
    return {
        "slope": abs(math.degrees(angle)),
        "x_height_ratio": float(last / first),
        "x_height_spread": x_height_spread(level),
        "slant": math.degrees(math.atan(lean)),
        "letter_width": (right - left) / x_height(level) / len(text) if text else math.nan,
        "lifts": len(strokes(level)) / num_characters if num_characters else math.nan,
        "curvature": curvature(level),
        "word_space": float(spaces.mean()) if len(spaces) else math.nan,
    }


def x_height_spread(ink: np.ndarray) -> float:
    """Return the spread of the x-height along a level line, divided by the median x-height.

    The spread is the distance of the quartiles over windows of about `SPREAD_WINDOW` x-heights,
    scaled to a normal distribution's standard deviation; NaN with fewer than three windows.
    """
    left, _, right, _ = bounds(ink)
    num_windows = min(round((right - left) / (SPREAD_WINDOW * x_height(ink))), len(ink))
    heights = x_heights(ink, np.linspace(left, right, max(num_windows, 1) + 1))
    heights = heights[~np.isnan(heights)]
    if len(heights) < 3:
        return math.nan
    low, middle, high = np.quantile(heights, (0.25, 0.5, 0.75))
    return float((high - low) / 1.349 / middle)


def curvature(ink: np.ndarray) -> float:
    """Return the mean absolute curvature of the path within strokes, in radians per x-height.

    Every stroke is resampled at equal steps of about `STEP` x-heights, so that neither the sampling
    rate nor the pen's speed matters (measured on `EmbeddedDataset`: within 1 % from 50 to 400
    points per second). If no stroke is long enough, the result is NaN.
    """
    height, total_turn, total_length = x_height(ink), 0.0, 0.0
    for points, length in at_steps(strokes(ink), STEP * height):
        steps = np.diff(points, axis=0)
        direction = np.arctan2(steps[:, 1], steps[:, 0])
        turns = (np.diff(direction) + np.pi) % (2 * np.pi) - np.pi
        total_turn += float(np.abs(turns).sum())
        total_length += length / height
    return total_turn / total_length if total_length else math.nan
