"""How much the lines of a page differ, in numbers: whether it is in one hand, and alive.

The same of a page as laid out and of a recorded sheet, so that they compare.
"""

import math
from collections.abc import Sequence

import numpy as np

from utils.hand_measures import baseline_of, gaps, levelled, slant
from utils.ink import strokes, x_height

SPREADS = {
    "x_height": "x-height, over its mean",
    "slope": "slope of the baseline, degrees",
    "slant": "lean of the downstrokes, degrees",
    "word_space": "mean gap between words in x-heights of the line, over its mean",
    "word_drift": "baselines of words around the levelled line, in x-heights",
    "gap_spread": "gaps between words, over their mean",
}
"""What `of_page` returns, standard deviations between the lines of a page; those of `WITHIN` are
within a line, of a page the median over its lines."""
WITHIN = ("word_drift", "gap_spread")

LEAST_LINES = 5
"""Lines of a page, from which their spread is measured (assumed)."""
LEAST_WORDS = 3
"""Words of a line, from which the spread within it is measured (assumed)."""
LEAST_LETTERS = 3
"""Characters of a word whose baseline is measured (assumed: fewer have too few low points)."""


def of_page(lines: Sequence[tuple[np.ndarray, str]]) -> dict[str, float]:
    """Return each of `SPREADS` for the lines of a page.

    Args:
        lines: ink `(points, 3)` and text of each, all in one unit, y downwards.

    Returns:
        NaN for what less than `LEAST_LINES` lines have.
    """
    measured = [of_line(ink, text) for ink, text in lines]
    found = {}
    for name in SPREADS:
        values = np.array([one[name] for one in measured])
        values = values[~np.isnan(values)]
        if len(values) < LEAST_LINES:
            found[name] = math.nan
        elif name in WITHIN:
            found[name] = float(np.median(values))
        else:
            unit = 1.0 if name in ("slope", "slant") else values.mean()
            found[name] = float(values.std(ddof=1) / unit)
    return found


def of_line(ink: np.ndarray, text: str) -> dict[str, float]:
    """Return what `of_page` needs of a line: its x-height in its unit, slope and slant in degrees,
    mean gap between words in x-heights, and the `WITHIN`; NaN for what it is too short for."""
    level, angle = levelled(ink)
    letter, lean = x_height(level), slant(level)
    words, spaces = _words(strokes(level), len(text.split()), 0.0 if math.isnan(lean) else lean)
    bases = [
        baseline_of(word)
        for word, own in zip(words, text.split(), strict=False)
        if len(own) >= LEAST_LETTERS
    ]
    space = float(spaces.mean()) if len(spaces) else math.nan
    return {
        "x_height": letter,
        "slope": math.degrees(angle),
        "slant": math.degrees(math.atan(lean)),
        "word_space": space / letter,
        "word_drift": _spread(bases, LEAST_WORDS) / letter,
        "gap_spread": _spread(spaces, LEAST_WORDS - 1) / space,
    }


def _words(
    parts: Sequence[np.ndarray], count: int, lean: float
) -> tuple[list[list[np.ndarray]], np.ndarray]:
    """Return the strokes of each word of a level line and the gaps between them: the widest. None
    where there are not as many gaps."""
    if not 1 < count <= len(parts):
        return [], np.empty(0)
    found, order = gaps(parts, lean)
    cuts = np.sort(np.argsort(found)[len(found) - count + 1 :])
    return [[parts[n] for n in word] for word in np.split(order, cuts + 1)], found[cuts]


def _spread(values: Sequence[float] | np.ndarray, least: int) -> float:
    return float(np.std(values, ddof=1)) if len(values) >= least else math.nan
