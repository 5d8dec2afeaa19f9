"""Shared by the scripts that measure hands: medians, variety, likelihoods, running a script."""

import math
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from commands.options import Parser
from utils.checks import UserError

VARIED = ("letter_width", "slant", "curvature", "lifts", "word_space")
"""Measures that distinguish hands, for `variety`."""

Measured = Sequence[Mapping[str, float]]
"""Measures by name, of each line or page; NaN where one could not be measured."""


def main(run: Callable[[Namespace], None], parser: Parser) -> None:
    """Run a script with its options; a fault of the user ends it with status 2."""
    try:
        run(parser.parse_args())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def numbers(measured: Measured, name: str) -> np.ndarray:
    """Return the values of a measure, without NaN."""
    values = np.array([one[name] for one in measured])
    return values[~np.isnan(values)]


def print_table(names: Iterable[str], columns: Sequence[tuple[str, Measured]]) -> None:
    """Print the median and the quartiles of each measure, a column for each group of lines."""
    print(f"{'':<20}" + "".join(f"{title:<24}" for title, _ in columns))
    for name in names:
        print(f"{name:<20}" + "".join(f"{shown(one, name):<24}" for _, one in columns))


def shown(measured: Measured, name: str) -> str:
    """Return the median of a measure and its quartiles, as text."""
    values = numbers(measured, name)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)) if len(values) else 3 * [math.nan]
    return f"{middle:.3f} ({low:.3f} {high:.3f})"


def variety(written: Measured, recorded: Measured) -> dict[str, float]:
    """Return how varied the hands of written lines are beside those of recorded ones.

    Args:
        written: measures of lines, each with a seed of its own.
        recorded: those of lines of different people.

    Returns:
        the standard deviation over the one divided by that over the others, of each of `VARIED`,
        and their `mean`; NaN where there are not two lines on either side.
    """
    found = {}
    for name in VARIED:
        both = [numbers(lines, name) for lines in (written, recorded)]
        spreads = [float(values.std(ddof=1)) if len(values) > 1 else math.nan for values in both]
        found[name] = spreads[0] / spreads[1] if spreads[1] else math.nan
    return found | {"mean": float(np.mean(list(found.values())))}


def likelihoods(
    lines: np.ndarray, samples: Sequence[np.ndarray], between: np.ndarray
) -> np.ndarray:
    """Return the log-likelihoods of lines as ones of hands, `(lines, hands)`, up to a constant.

    Along each axis, lines are normal about their hand with variance 1 and hands are normal about 0
    with variance `between` (Ioffe, "Probabilistic linear discriminant analysis", 2006); so n lines
    of a hand with mean m let another line of it be normal about m b / (b + 1/n), with variance
    1 + b / (1 + n b).

    Args:
        lines: `(lines, axes)`, as `utils.hand_likeness.HandSpace.embed` returns them.
        samples: lines of each hand, `(n, axes)`.
        between: `(axes,)`.
    """
    found = []
    for sample in samples:
        count = len(sample)
        mean = sample.mean(axis=0) * between / (between + 1 / count)
        variance = 1 + between / (1 + count * between)
        found.append(-0.5 * ((lines - mean) ** 2 / variance + np.log(variance)).sum(axis=1))
    return np.stack(found, axis=1)
