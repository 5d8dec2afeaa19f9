"""The words of a written line: which strokes belong to which, and where they lie.

A word is what lies between blanks. The window tells at every point which character is being
written; delayed strokes, such as the bar of a `t` that is crossed when the next word has begun, go
to the word that they lie over.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from model.generation.line import Line
from utils.ink import strokes

SHARE = 0.2
"""Share of a stroke's points in a second word from which it is part of both, which are then kept
together (assumed: the window moves on some points before or after the pen)."""


class WrittenWord(NamedTuple):
    """A word of a line; or several, where one stroke runs through them.

    Attributes:
        text: of the word; with blanks where there are several.
        strokes: positions `(n, 2)` float64 in the line's units, relative to the first point
            written, in the order of writing.
    """

    text: str
    strokes: list[np.ndarray]


def words(line: Line) -> list[WrittenWord]:
    """Return the words of a line that was written with a window, in their order in the text.

    A word without ink, which the network left out, is missing.

    Args:
        line: of a network with a text; a primer's part is not returned.
    """
    title = line.title or line.text
    found = list(re.finditer(r"\S+", title))
    if not found or not len(line.written):
        return []
    number = np.full(len(line.text) + 1, -1)  # of the word of each character; -1 at blanks
    for index, word in enumerate(found):
        number[len(line.text) - len(title) :][word.start() : word.end()] = index
    parts, peaks = _strokes_and_peaks(line)
    own = [number[of] for of in peaks]
    # The share of each stroke's points in each word, `(strokes, words)`.
    shares = np.array([(of[:, None] == np.arange(len(found))).mean(0) for of in own])
    owners = _beside(parts, np.where(shares.any(1), shares.argmax(1), -1).tolist())
    apart = np.ones(len(found) - 1, dtype=bool)  # whether no stroke runs on to the next word
    for within in (np.flatnonzero(row) for row in shares > SHARE):
        if len(within):
            apart[within[0] : within[-1]] = False
    edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(found)]
    joined = [
        WrittenWord(
            " ".join(word[0] for word in found[first:stop]),
            [part for part, owner in zip(parts, owners, strict=True) if first <= owner < stop],
        )
        for first, stop in pairwise(edges)
    ]
    return [word for word in joined if word.strokes]


def characters(line: Line) -> list[list[np.ndarray]]:
    """Return the strokes `(n, 2)` of each character of a line's title: those of which most points
    were written while the window was at it."""
    first = len(line.text) - len(line.title)
    found: list[list[np.ndarray]] = [[] for _ in line.title]
    for part, peaks in zip(*_strokes_and_peaks(line), strict=True):
        at = int(np.bincount(peaks).argmax()) - first
        if 0 <= at < len(found):
            found[at].append(part)
    return found


def _strokes_and_peaks(line: Line) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the strokes `(n, 2)` that were written, and of each the window's peaks `(n,)`."""
    parts, peaks = strokes(line.written), line.peaks[max(line.primed - 1, 0) :]
    if not line.primed:
        peaks = np.concatenate([peaks[:1], peaks])  # the window at a step is for the next point
    return parts, np.split(peaks, np.cumsum([len(part) for part in parts])[:-1])


def _beside(parts: Iterable[np.ndarray], owners: Iterable[int]) -> list[int]:
    """Return the word of each stroke, with delayed strokes given to the word that they lie over.

    A stroke that begins a word, or lies beyond all ink of the words before, stays.

    Args:
        parts: strokes `(n, 2)`.
        owners: the word that most points of each are of, -1 if all are of blanks.
    """
    spans: dict[int, tuple[float, float]] = {}
    found = []
    for part, index in zip(parts, owners, strict=True):
        left, right = float(part[:, 0].min()), float(part[:, 0].max())
        overlap = {
            word: min(right, last) - max(left, first) for word, (first, last) in spans.items()
        }
        earlier = [word for word in spans if word < index or index < 0]
        if earlier:
            nearest = max(earlier, key=overlap.__getitem__)
            covered = overlap[nearest] > 0.5 * max(right - left, 1e-9)
            if index < 0 or (covered and overlap[nearest] > overlap.get(index, -np.inf)):
                index = nearest
        index = max(index, 0)  # the first stroke, at a blank: of the first word
        first, last = spans.get(index, (left, right))
        spans[index] = min(first, left), max(last, right)
        found.append(index)
    return found
