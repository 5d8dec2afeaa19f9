"""The words of a written line: which strokes belong to which, and where they lie.

A word is what lies between blanks. The window tells at every point which character is being
written; delayed strokes, such as the bar of a `t` that is crossed when the next word has begun, go
to the word that they lie over.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from handwriting.layout import Word
from handwriting.repairs import (
    LOW_MARK,
    extent,
    with_bars,
    with_clear_signs,
    with_corners,
    with_dots,
    with_visible_dot,
    without_touches,
)
from model.generation.line import Line
from model.generation.sampling_options import Primer
from utils.hand_measures import (
    baseline,
    baseline_angle,
    baseline_of,
    high_marks,
    levelled,
    slant,
    word_gaps,
)
from utils.ink import bounds, from_strokes, strokes, turned_back, x_height

SHARE = 0.2
"""Share of a stroke's points in a second word from which it is part of both, which are then kept
together (assumed: the window moves on some points before or after the pen)."""
LINE_PRIOR = 1.0
"""Letters and digits of a line from which half of its measured height above the hand's baseline is
believed (measured, lab notebook: words on their line)."""
TURN_PRIOR = 2.0
"""The same of its slant, which a few downstrokes show, and of the slope of its baseline (measured,
`writer` in five styles: lines of 24 characters lean 3 to 6 degrees other than their primer, and 1.3
other than each other; lab notebook: the lines of a page)."""
WIDTH_PRIOR, MOST_WIDENED = 6.0, 1.33
"""The same of the width of its letters, and by how much they are widened or narrowed at most
(measured, lab notebook: the lines of a page; assumed)."""
LETTER_WIDTHS = dict.fromkeys(".,:;!'|1Iijl", 0.45) | dict.fromkeys("MWmw@%", 1.5)
"""Widths of letters in those of the others (measured, roughly: words in ten styles)."""
SPACE = 1.2
"""Usual gap between words in x-heights, where the primer shows none (measured: lines of
IAM-OnDB)."""
TALL = 0.6
"""Least height of a tall stroke over that of the tallest (assumed)."""
NARROWEST, WIDEST = 0.8, 1.35
"""Bounds of a gap in usual ones (by eye: with 0.6 words run together in rows that are full, and
with 1.7 they look scattered)."""
LEAST_GAP = 1.0
"""The least gap in x-heights (by eye, lab notebook: what people see)."""
HOLE, HOLE_BEFORE_MARK = 0.45, 0.3
"""The widest gap within a word, and before a full stop or comma, in usual gaps between words (by
eye, lab notebook: what people see)."""

Inks = list[list[np.ndarray]]
"""The strokes `(n, 2)` of each word of a line."""


class WrittenWord(NamedTuple):
    """A word of a line; or several, where one stroke runs through them.

    Attributes:
        text: of the word; with blanks where there are several.
        strokes: positions `(n, 2)` float64 in the line's units, relative to the first point
            written, in the order of writing.
    """

    text: str
    strokes: list[np.ndarray]


def words(line: Line, shape: "HandShape | None" = None) -> list[WrittenWord]:
    """Return the words of a line that was written with a window, in their order in the text.

    A word without ink, which the network left out, is missing.

    Args:
        line: of a network with a text; a primer's part is not returned.
        shape: of a hand: each `t` gets a bar, each `5` a corner, and in one that makes dots each
            `i` its dot, and other touches of the pen are left out.
    """
    title = line.title or line.text
    found = list(re.finditer(r"\S+", title))
    if not found or not len(line.written):
        return []
    number = np.full(len(line.text) + 1, -1)  # of the word of each character; -1 at blanks
    for index, word in enumerate(found):
        number[len(line.text) - len(title) :][word.start() : word.end()] = index
    parts, peaks = _strokes_and_peaks(line)
    if shape:
        parts, peaks = with_bars(parts, peaks, line.text, shape.letter, shape.letter_width)
        parts, peaks = with_corners(parts, peaks, line.text, shape.lean)
    if shape and shape.dotted:
        parts, peaks = with_dots(parts, peaks, line.text, shape.letter, shape.lean)
        parts, peaks = without_touches(parts, peaks, line.text, shape.letter)
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


@dataclass(frozen=True)
class HandShape:
    """What a line of a hand says of the words that are to look like it.

    Attributes:
        letter: the x-height in the writer's units, and so are the next two.
        baseline: of the line turned level.
        angle: of the baseline before that, in radians.
        lean: of downstrokes to the right, x over y.
        space: the usual gap between words in x-heights.
        blank: the mean width of a character in x-heights.
        letter_width: of a usual letter in x-heights.
        dotted: whether most of its `i` have dots.
    """

    letter: float
    baseline: float
    angle: float
    lean: float
    space: float
    blank: float
    letter_width: float
    dotted: bool = True

    @classmethod
    def of(cls, primer: Primer) -> "HandShape":
        """Measure a line of the hand."""
        ink, text = primer
        level, angle = levelled(ink)
        letter, gaps = x_height(ink), word_gaps(ink, text)
        left, _, right, _ = bounds(ink)
        width = (right - left) / letter
        base = baseline(level)
        parts = [(part - (0.0, base)) / letter for part in strokes(level)]
        blanks = float(gaps.sum()) if len(gaps) else SPACE * (len(text.split()) - 1)
        return cls(
            letter,
            base,
            angle,
            float(np.nan_to_num(slant(level))),
            float(np.median(gaps)) if len(gaps) else SPACE,
            width / max(len(text), 1),
            letter_width(width - blanks, text),
            high_marks(parts) >= sum(map(text.count, "ij")) / 2,
        )


def level(inks: Inks, shape: HandShape, characters: int) -> Inks:
    """Turn words as much as the hand's own line is turned to be level, and then by the slope that
    is left, as far as so many characters tell it.

    Args:
        inks: positions relative to the point where the primer begins.
    """
    inks = [[turned_back(stroke, shape.angle) for stroke in ink] for ink in inks]
    origin = inks[0][0][0]
    angle = shrunk(baseline_angle(from_strokes([*chain(*inks)])), characters, TURN_PRIOR)
    return [[turned_back(stroke - origin, angle) + origin for stroke in ink] for ink in inks]


def widen(inks: Inks, shape: HandShape, text: str, characters: int) -> Inks:
    """Make letters as wide as the hand's, as far as so many characters tell how wide they are; the
    hand's lean stays."""
    written = sum(right - left for left, right in map(extent, inks)) / shape.letter
    wider = shape.letter_width / letter_width(written, text)
    wider = math.exp(shrunk(math.log(wider), characters, WIDTH_PRIOR))
    wider = min(max(wider, 1 / MOST_WIDENED), MOST_WIDENED)
    return [
        [stroke @ [[wider, 0.0], [(wider - 1) * shape.lean, 1.0]] for stroke in ink] for ink in inks
    ]


def shear(inks: Inks, shape: HandShape, degrees: float, characters: int) -> Inks:
    """Let words lean by so many degrees from upright to the right."""
    lean = slant(from_strokes([*chain(*inks)])) - shape.lean
    lean = shape.lean + shrunk(lean, characters, TURN_PRIOR)
    matrix = np.array([[1.0, 0.0], [lean - math.tan(math.radians(degrees)), 1.0]])
    return [[stroke @ matrix for stroke in ink] for ink in inks]


def place(texts: Sequence[str], inks: Inks, shape: HandShape, characters: int) -> list[Word]:
    """Return the words in x-heights, each from its left edge and the baseline of the line, with the
    gap behind it."""
    base = _base(inks, "".join(texts))
    height = shape.baseline + shrunk(base - shape.baseline, characters, LINE_PRIOR)
    sides = [*map(extent, inks)]
    gaps = [left - right for (_, right), (left, _) in pairwise(sides)]
    gaps = [usual_gap(gap / shape.letter, shape.space) for gap in gaps]
    words = []
    for text, ink, (left, _), gap in zip(texts, inks, sides, [*gaps, shape.space], strict=True):
        corner = left, height
        placed = [with_visible_dot((stroke - corner) / shape.letter) for stroke in ink]
        placed = placed if " " in text else closed(placed, shape.space)
        placed = with_clear_signs(placed, text)
        words.append(Word(tuple(placed), extent(placed)[1], gap, text))
    return words


def _base(inks: Inks, text: str) -> float:
    """Return the y of the baseline of level words: without small letters, whose turning points tell
    it, that on which most of the tall strokes stand."""
    parts = [*chain(*inks)]
    if any(map(str.islower, text)):
        return baseline_of(parts)
    heights = np.array([np.ptp(part[:, 1]) for part in parts])
    feet = np.array([part[:, 1].max() for part in parts])
    return float(np.median(feet[heights >= TALL * heights.max()]))


def closed(strokes: Sequence[np.ndarray], space: float) -> list[np.ndarray]:
    """Return the strokes of a word in x-heights, those behind a hole in it moved to the left.

    Args:
        space: the usual gap between words.
    """
    moved, shift = list(strokes), 0.0
    edges = [extent([stroke]) for stroke in strokes]
    reached = min(edges)[0]
    for number in sorted(range(len(strokes)), key=edges.__getitem__):
        (left, right), is_mark = edges[number], strokes[number][:, 1].min() > -LOW_MARK
        widest = (HOLE_BEFORE_MARK if is_mark else HOLE) * max(space, 1.0)
        shift += max(left - reached - widest, 0.0)
        reached = max(reached, right)
        moved[number] = strokes[number] - (shift, 0.0)
    return moved


def usual_gap(gap: float, space: float) -> float:
    """Return a gap within the bounds of the usual `space`."""
    return max(min(max(gap, NARROWEST * space), WIDEST * space), LEAST_GAP)


def shrunk(measured: float, characters: int, prior: float) -> float:
    """Return as much of a measured difference as so many characters tell; 0 if it is NaN."""
    return float(np.nan_to_num(measured)) * characters / (characters + prior)


def letter_width(width: float, text: str) -> float:
    """Return the width of a usual letter of words that are so wide; always positive."""
    letters = sum(LETTER_WIDTHS.get(one, 1.0) for one in text if one != " ")
    return max(width, 0.01) / max(letters, 1.0)
