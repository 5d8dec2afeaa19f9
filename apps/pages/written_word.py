"""A written word that is not yet placed on a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class WrittenWord:
    """A written word, or several words through which one stroke runs. Lengths are in x-heights; in
    millimetres once the word is scaled for paper.

    Attributes:
        strokes: positions `(n, 2)`, x from the word's left edge, y downwards from its baseline.
        width: width of the ink.
        gap: distance from the right edge to the next word's left edge.
        text: what the word says.
        indices: for each stroke, the index in `text` of each point's character, `(n,)`, as the
            window tells; empty if the word was not written by a network.
        doubt: why people may not read the word as its text; empty if they can.
        plain: the word as a network wrote it, before marks and signs were drawn; None if nothing
            was drawn.
    """

    strokes: tuple[np.ndarray, ...]
    width: float
    gap: float
    text: str = ""
    indices: tuple[np.ndarray, ...] = ()
    doubt: str = ""
    plain: "WrittenWord | None" = None

    def scaled(self, factor: float) -> "WrittenWord":
        """Return the word `factor` times as large."""
        strokes = tuple(stroke * factor for stroke in self.strokes)
        return replace(self, strokes=strokes, width=self.width * factor, gap=self.gap * factor)

    def narrowed(self, width: float) -> "WrittenWord":
        """Return the word narrowed or widened to a width, with the same height."""
        factor = np.array([width / self.width, 1.0])
        strokes = tuple(stroke * factor for stroke in self.strokes)
        return replace(self, strokes=strokes, width=width)


def natural_width(words: Sequence[WrittenWord]) -> float:
    """Return the width of words in a row, with their gaps, also the gap behind the last word."""
    return sum(word.width + word.gap for word in words)


def strokes_in_row(words: Sequence[WrittenWord], gap_factor: float = 1.0) -> tuple[np.ndarray, ...]:
    """Return the strokes of words side by side, relative to the first word's left edge on the
    baseline. The words' gaps are multiplied by `gap_factor`."""
    strokes: list[np.ndarray] = []
    x = 0.0
    for word in words:
        strokes += [stroke + np.array([x, 0.0]) for stroke in word.strokes]
        x += word.width + gap_factor * word.gap
    return tuple(strokes)


def span(strokes: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return the x of the left and the right edge of strokes."""
    x = np.concatenate([*strokes])[:, 0]
    return float(x.min()), float(x.max())
