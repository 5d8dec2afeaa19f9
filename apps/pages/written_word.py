"""A written word that is not yet placed on a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

HYPHEN = np.array([[0.0, -0.42], [0.3, -0.46], [0.6, -0.45]])
"""A short dash in x-heights, drawn behind a word that goes on in the next row (assumed, by eye)."""
MIN_PIECE = 0.5  # x-heights; less of a stroke on one side of a place is no letter (by eye)
Indexed = tuple[np.ndarray, np.ndarray]
"""A stroke, and the index of each point's character."""
HYPHEN_GAP = 0.3  # x-heights from a word to its hyphen (assumed, by eye)


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
        keeps_next: whether the next word stands in the same row.
        breaks: the indices in `text` before which the word may be divided.
        divided: whether the word goes on in the next row, behind a hyphen that its text lacks.
        rise, drop: what the word needs above and below, beyond the height of a line.
        is_formula: whether the word is a formula, or a part of one.
    """

    strokes: tuple[np.ndarray, ...]
    width: float
    gap: float
    text: str = ""
    indices: tuple[np.ndarray, ...] = ()
    doubt: str = ""
    plain: "WrittenWord | None" = None
    keeps_next: bool = False
    breaks: tuple[int, ...] = ()
    divided: bool = False
    rise: float = 0.0
    drop: float = 0.0
    is_formula: bool = False

    def scaled(self, factor: float) -> "WrittenWord":
        """Return the word `factor` times as large."""
        strokes = tuple(stroke * factor for stroke in self.strokes)
        names = ("width", "gap", "rise", "drop")
        lengths = {name: factor * getattr(self, name) for name in names}
        return replace(self, strokes=strokes, **lengths)

    def narrowed(self, width: float) -> "WrittenWord":
        """Return the word narrowed or widened to a width, with the same height."""
        factor = np.array([width / self.width, 1.0])
        strokes = tuple(stroke * factor for stroke in self.strokes)
        return replace(self, strokes=strokes, width=width)


def divided_at(
    word: WrittenWord, index: int, size: float
) -> tuple[WrittenWord, WrittenWord] | None:
    """Return the parts of a word before and behind a place, the first with a hyphen; None if a
    stroke runs through the place, or the ink does not show it.

    Args:
        word: the word, on one scale with the x-height.
        index: the index of the first character of the second part.
        size: the x-height.
    """
    parts = _parts(word, index, size)
    if parts is None:
        return None
    first, second = parts
    right = span(stroke for stroke, _ in first).right
    hyphen = HYPHEN * size + (right + HYPHEN_GAP * size, 0.0)
    left = span(stroke for stroke, _ in second).left
    return (
        replace(
            word,
            strokes=(*(stroke for stroke, _ in first), hyphen),
            indices=(  # A late bar may have indices of the other part.
                *(np.minimum(indices, index - 1) for _, indices in first),
                np.full(len(hyphen), index),
            ),
            width=span([hyphen]).right,
            text=f"{word.text[:index]}-",
            breaks=(),
            divided=True,
        ),
        replace(
            word,
            strokes=tuple(stroke - (left, 0.0) for stroke, _ in second),
            indices=tuple(np.maximum(indices - index, 0) for _, indices in second),
            width=word.width - left,
            text=word.text[index:],
            breaks=tuple(place - index for place in word.breaks if place > index),
        ),
    )


def _parts(
    word: WrittenWord, index: int, size: float
) -> tuple[list[Indexed], list[Indexed]] | None:
    """Return the strokes before and behind a place, with their indices; see `divided_at`."""
    if [*map(len, word.indices)] != [*map(len, word.strokes)]:
        return None  # The strokes are no longer those that the network wrote.
    first: list[Indexed] = []
    others: list[Indexed] = []
    for stroke, indices in zip(word.strokes, word.indices, strict=True):
        is_behind = indices >= index
        before = _length(stroke[~is_behind])
        behind = _length(stroke[is_behind])
        if min(before, behind) >= MIN_PIECE * size:
            return None  # The letters are joined: a cut would leave a piece of the other letter.
        part = first if before > behind else others
        part.append((stroke, indices))
    if not first or not others:
        return None
    # The window may take a bar or dot, which is written late, for one of a later letter.
    right = span(stroke for stroke, _ in first).right
    first += [(stroke, indices) for stroke, indices in others if _middle(stroke) < right]
    second = [(stroke, indices) for stroke, indices in others if _middle(stroke) >= right]
    if not second:
        return None
    last_middle = max(_middle(stroke) for stroke, _ in first)
    if last_middle > span(stroke for stroke, _ in second).left:
        return None
    return first, second


def _length(points: np.ndarray) -> float:
    """Return the diagonal of the box of points, and more than 0 for a dot; 0.0 for no points."""
    if not len(points):
        return 0.0
    return max(float(np.hypot(*np.ptp(points, axis=0))), 1e-6)


def _middle(stroke: np.ndarray) -> float:
    """Return the x of the middle of a stroke's box."""
    return float(stroke[:, 0].min() + stroke[:, 0].max()) / 2


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


class Span(NamedTuple):
    """The x of the left and the right edge of strokes."""

    left: float
    right: float


def span(strokes: Iterable[np.ndarray]) -> Span:
    """Return the span of strokes."""
    x = np.concatenate([*strokes])[:, 0]
    return Span(float(x.min()), float(x.max()))
