"""A word that was written, before it has a place on a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class WrittenWord:
    """A written word, or several through which one stroke runs; lengths in x-heights, on paper in
    millimetres.

    Attributes:
        strokes: positions `(n, 2)`, x from the word's left edge, y from its baseline, downwards.
        width: of the ink.
        gap: from the right edge to the next word's left edge.
        text: of the word.
        doubt: why the word may not be what the text says; empty if it is.
    """

    strokes: tuple[np.ndarray, ...]
    width: float
    gap: float
    text: str = ""
    doubt: str = ""

    def scaled(self, factor: float) -> "WrittenWord":
        """Return the word `factor` times as large."""
        strokes = tuple(stroke * factor for stroke in self.strokes)
        return replace(self, strokes=strokes, width=self.width * factor, gap=self.gap * factor)

    def narrowed(self, width: float) -> "WrittenWord":
        """Return the word with another width, which may be larger, too; its height stays."""
        factor = np.array([width / self.width, 1.0])
        strokes = tuple(stroke * factor for stroke in self.strokes)
        return replace(self, strokes=strokes, width=width)


def natural_width(words: Sequence[WrittenWord]) -> float:
    """Return the width of words in a row, with usual blanks between them and behind the last."""
    return sum(word.width + word.gap for word in words)


def strokes_in_row(words: Sequence[WrittenWord], stretch: float = 1.0) -> tuple[np.ndarray, ...]:
    """Return the strokes of words side by side, from the left edge and the baseline of their row;
    blanks are `stretch` times as wide as usual."""
    strokes: list[np.ndarray] = []
    x = 0.0
    for word in words:
        strokes += [stroke + np.array([x, 0.0]) for stroke in word.strokes]
        x += word.width + stretch * word.gap
    return tuple(strokes)


def extent(strokes: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return how far left and right strokes reach."""
    x = np.concatenate([*strokes])[:, 0]
    return float(x.min()), float(x.max())
