"""The words of a written line: which strokes belong to which, and where they lie.

A word is what lies between blanks. The window tells at every point which character is being
written; delayed strokes, such as the bar of a `t` that is crossed when the next word has begun, go
to the word that they lie over.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from model.generation.line import Line
from utils.ink import strokes

SHARE = 0.2
"""Share of a stroke's points in a second word from which it is part of both, which are then kept
together (assumed: the window moves on some points before or after the pen)."""


@dataclass(frozen=True)
class WrittenWord:
    """A word of a line; or several, where one stroke runs through them.

    Attributes:
        text: of the word; with blanks where there are several.
        strokes: positions `(n, 2)` float64 in the line's units, relative to the first point
            written, in the order of writing.
    """

    text: str
    strokes: list[np.ndarray]

    @property
    def left(self) -> float:
        """The left edge."""
        return min(float(stroke[:, 0].min()) for stroke in self.strokes)

    @property
    def right(self) -> float:
        """The right edge."""
        return max(float(stroke[:, 0].max()) for stroke in self.strokes)


def words(line: Line) -> list[WrittenWord]:
    """Return the words of a line that was written with a window, in their order in the text.

    A word without ink, which the network left out, is missing.

    Args:
        line: of a network with a text; a primer's part is not returned.
    """
    if not len(line.written):
        return []
    title = line.title or line.text
    start = len(line.text) - len(title)
    number = np.full(len(line.text) + 1, -1)  # of the word of each character; -1 at blanks
    spoken = title.split()
    place = start
    for index, word in enumerate(spoken):
        place = line.text.index(word, place)
        number[place : place + len(word)] = index
        place += len(word)
    parts = strokes(line.written)
    peaks = line.peaks[max(line.primed - 1, 0) :]
    if not line.primed:
        peaks = np.concatenate([peaks[:1], peaks])  # the window at a step is for the next point
    own = np.split(number[peaks], np.cumsum([len(part) for part in parts])[:-1])
    groups = _together(own, len(spoken))
    owner = [_owner(labels) for labels in own]
    owner = _beside(parts, owner)
    found = []
    for first, stop in groups:
        ink = [part for part, index in zip(parts, owner, strict=True) if first <= index < stop]
        if ink:
            found.append(WrittenWord(" ".join(spoken[first:stop]), ink))
    return found


def _together(own: list[np.ndarray], count: int) -> list[tuple[int, int]]:
    """Return the words `(first, stop)` that can be separated: no stroke runs through two of them.

    Args:
        own: of each stroke the words of its points, -1 for blanks.
        count: of the words.
    """
    joined = np.zeros(max(count - 1, 0), dtype=bool)
    for labels in own:
        shares = np.bincount(labels[labels >= 0], minlength=count) / max(len(labels), 1)
        within = np.flatnonzero(shares > SHARE)
        if len(within) > 1:
            joined[within[0] : within[-1]] = True
    edges = [0, *(np.flatnonzero(~joined) + 1).tolist(), count]
    return list(pairwise(edges)) if count else []


def _owner(labels: np.ndarray) -> int:
    """Return the word that most points of a stroke are of, -1 if all are of blanks."""
    known = labels[labels >= 0]
    return int(np.bincount(known).argmax()) if len(known) else -1


def _beside(parts: list[np.ndarray], owner: list[int]) -> list[int]:
    """Return the word of each stroke, with delayed strokes given to the word that they lie over.

    A stroke that begins a word, or lies beyond all ink of the words before, stays.
    """
    spans: dict[int, list[float]] = {}
    found = []
    for part, index in zip(parts, owner, strict=True):
        left, right = float(part[:, 0].min()), float(part[:, 0].max())
        earlier = {other: span for other, span in spans.items() if other < index or index < 0}
        overlap = {
            other: min(right, span[1]) - max(left, span[0]) for other, span in earlier.items()
        }
        nearest = max(overlap, key=overlap.__getitem__, default=None)
        ownspan = spans.get(index)
        if nearest is not None:
            mine = -np.inf if ownspan is None else min(right, ownspan[1]) - max(left, ownspan[0])
            covered = overlap[nearest] > 0.5 * max(right - left, 1e-9) and overlap[nearest] > mine
            if index < 0 or covered:
                index = nearest
        if index < 0:  # the first stroke, at a blank: of the first word
            index = 0
        span = spans.setdefault(index, [left, right])
        spans[index] = [min(span[0], left), max(span[1], right)]
        found.append(index)
    return found
