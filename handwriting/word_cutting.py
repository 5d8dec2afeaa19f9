"""The words of a written line: the strokes of each, and where they lie.

Words are the parts of a text between blanks. The window tells at every point which character is
being written; delayed strokes, such as the bar of a `t` that is crossed when the next word has
begun, go to the word that they lie over.
"""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

import numpy as np

from handwriting.hands import HandShape, letter_width
from handwriting.repairs import (
    MARK_HEIGHT,
    LetterStrokes,
    repair_letters,
    repair_signs,
    with_visible_dot,
)
from handwriting.written_word import WrittenWord, extent
from model.generation.line import Line
from utils.hand_measures import baseline_angle, baseline_of, slant
from utils.ink import from_strokes, to_points, turned_back

MIN_FRACTION = 0.2
"""Fraction of a stroke's points in a second word from which the stroke joins both words to one
(assumed: the window moves on some points before or after the pen)."""
LINE_PRIOR = 1.0
"""Letters and digits of a line that correct half of its measured distance from the hand's baseline
(measured, lab notebook: words on their line)."""
TURN_PRIOR = 2.0
"""Letters and digits that correct half of a line's slant, which a few downstrokes show, and of its
baseline's slope (measured, `writer` in five styles: lines of 24 characters lean 3 to 6 degrees from
their primer, and 1.3 from each other; lab notebook: the lines of a page)."""
WIDTH_PRIOR = 6.0  # letters that correct half of their width (measured: the lines of a page)
MAX_WIDENED = 1.33  # largest factor by which letters are widened or narrowed (assumed)
TALL = 0.6  # least height of a tall stroke over the tallest stroke (assumed)
MIN_GAP_RATIO = 0.8  # least gap over the usual (by eye: with 0.6 words run together in full rows)
MAX_GAP_RATIO = 1.35  # largest gap over the usual (by eye: with 1.7 words look scattered)
MIN_GAP = 1.0  # least gap in x-heights (by eye: what people see)
MAX_HOLE = 0.45  # hole within a word over the usual gap of words (by eye: what people see)
MAX_HOLE_BEFORE_MARK = 0.3  # `MAX_HOLE` before a full stop or comma (by eye: what people see)

Inks = list[list[np.ndarray]]
"""The strokes `(n, 2)` of each word of a line."""


def written_words(line: Line, shape: HandShape, degrees: float | None) -> list[WrittenWord]:
    """Return the words of a line in a hand: level, in x-heights, each from its left edge.

    Args:
        line: of a network that takes a text; the primer is left out.
        shape: of the hand.
        degrees: by which words lean from upright to the right; None for the hand's own slant.
    """
    if not line.title.strip() or not len(line.written):
        return []
    texts, inks = cut_words(repair_letters(LetterStrokes.of(line), shape), line.title)
    if not texts:
        return []
    start = to_points(line.ink)[line.primed]
    inks = [[stroke + start for stroke in ink] for ink in inks]
    characters = sum(map(str.isalnum, line.title))
    inks = level(inks, shape, characters)
    inks = widen(inks, shape, "".join(texts), characters)
    if degrees is not None:
        inks = shear(inks, shape, degrees, characters)
    return place(texts, inks, shape, characters)


def cut_words(letters: LetterStrokes, title: str) -> tuple[list[str], Inks]:
    """Return the texts of the words of a line, and their strokes in the order of writing. Words
    through which one stroke runs are one text, with blanks.

    Words without ink, which the network left out, are missing.

    Args:
        letters: of the line.
        title: the end of the line's text, behind the primer's text.
    """
    words = [*re.finditer(r"\S+", title)]
    word_of = np.full(len(letters.text) + 1, -1)  # word of each character; -1 at blanks
    for number, word in enumerate(words):
        word_of[len(letters.text) - len(title) :][word.start() : word.end()] = number
    # The fraction of each stroke's points in each word, `(strokes, words)`.
    fractions = np.array([
        (word_of[characters][:, None] == np.arange(len(words))).mean(0)
        for characters in letters.characters
    ])  # fmt: skip
    main = np.where(fractions.any(1), fractions.argmax(1), -1).tolist()
    owners = _with_delayed_strokes(letters.strokes, main)
    is_end = np.ones(len(words), dtype=bool)  # whether no stroke runs on to the next word
    for row in fractions > MIN_FRACTION:
        within = np.flatnonzero(row)
        if len(within):
            is_end[within[0] : within[-1]] = False
    texts, inks, first = [], [], 0
    for last in np.flatnonzero(is_end):
        ink = [stroke for stroke, owner in zip(letters.strokes, owners, strict=True)
               if first <= owner <= last]  # fmt: skip
        if ink:
            texts.append(" ".join(word[0] for word in words[first : last + 1]))
            inks.append(ink)
        first = last + 1
    return texts, inks


def _with_delayed_strokes(strokes: Iterable[np.ndarray], words: Iterable[int]) -> list[int]:
    """Return the number of the word of each stroke; delayed strokes go to the words below them.

    A stroke that begins a word, or lies beyond all ink of the words before, stays in its word.

    Args:
        strokes: positions `(n, 2)`.
        words: for each stroke the word of most of its points; -1 if all belong to blanks.
    """
    spans: dict[int, tuple[float, float]] = {}
    owners = []
    for stroke, word in zip(strokes, words, strict=True):
        left, right = extent([stroke])
        overlap = {
            other: min(right, last) - max(left, first) for other, (first, last) in spans.items()
        }
        earlier = [other for other in spans if other < word or word < 0]
        if earlier:
            nearest = max(earlier, key=overlap.__getitem__)
            covered = overlap[nearest] > 0.5 * max(right - left, 1e-9)
            if word < 0 or (covered and overlap[nearest] > overlap.get(word, -np.inf)):
                word = nearest
        word = max(word, 0)  # a first stroke at a blank belongs to the first word
        first, last = spans.get(word, (left, right))
        spans[word] = min(first, left), max(last, right)
        owners.append(word)
    return owners


def level(inks: Inks, shape: HandShape, characters: int) -> Inks:
    """Return words turned level: by the angle of the hand's primer, then by the slope that is left,
    the further the more characters show this slope.

    Args:
        inks: positions relative to the point where the primer begins.
        shape: of the hand.
        characters: letters and digits of the line.
    """
    inks = [[turned_back(stroke, shape.angle) for stroke in ink] for ink in inks]
    origin = inks[0][0][0]
    angle = shrunk(baseline_angle(from_strokes([*chain(*inks)])), characters, TURN_PRIOR)
    return [[turned_back(stroke - origin, angle) + origin for stroke in ink] for ink in inks]


def widen(inks: Inks, shape: HandShape, text: str, characters: int) -> Inks:
    """Return words with letters as wide as the hand's, the closer the more characters show their
    width; the hand's lean stays."""
    written = sum(right - left for left, right in map(extent, inks)) / shape.letter
    wider = shape.letter_width / letter_width(written, text)
    wider = math.exp(shrunk(math.log(wider), characters, WIDTH_PRIOR))
    wider = min(max(wider, 1 / MAX_WIDENED), MAX_WIDENED)
    matrix = [[wider, 0.0], [(wider - 1) * shape.lean, 1.0]]
    return [[stroke @ matrix for stroke in ink] for ink in inks]


def shear(inks: Inks, shape: HandShape, degrees: float, characters: int) -> Inks:
    """Return words that lean by some degrees from upright to the right."""
    lean = slant(from_strokes([*chain(*inks)])) - shape.lean
    lean = shape.lean + shrunk(lean, characters, TURN_PRIOR)
    matrix = np.array([[1.0, 0.0], [lean - math.tan(math.radians(degrees)), 1.0]])
    return [[stroke @ matrix for stroke in ink] for ink in inks]


def place(texts: Sequence[str], inks: Inks, shape: HandShape, characters: int) -> list[WrittenWord]:
    """Return words in x-heights, each from its left edge and the line's baseline, with the gap
    behind it and with repaired signs."""
    base = baseline_of_words(inks, "".join(texts))
    height = shape.baseline + shrunk(base - shape.baseline, characters, LINE_PRIOR)
    sides = [*map(extent, inks)]
    gaps = [left - right for (_, right), (left, _) in pairwise(sides)]
    gaps = [usual_gap(gap / shape.letter, shape.space) for gap in gaps]
    words = []
    for text, ink, (left, _), gap in zip(texts, inks, sides, [*gaps, shape.space], strict=True):
        corner = left, height
        strokes = [with_visible_dot((stroke - corner) / shape.letter) for stroke in ink]
        strokes = strokes if " " in text else closed(strokes, shape.space)
        strokes = repair_signs(strokes, text)
        words.append(WrittenWord(tuple(strokes), extent(strokes)[1], gap, text))
    return words


def baseline_of_words(inks: Inks, text: str) -> float:
    """Return the y of the baseline of level words, from the turning points of small letters;
    without small letters the median y of the feet of tall strokes."""
    strokes = [*chain(*inks)]
    if any(map(str.islower, text)):
        return baseline_of(strokes)
    heights = np.array([np.ptp(stroke[:, 1]) for stroke in strokes])
    feet = np.array([stroke[:, 1].max() for stroke in strokes])
    return float(np.median(feet[heights >= TALL * heights.max()]))


def closed(strokes: Sequence[np.ndarray], space: float) -> list[np.ndarray]:
    """Return the strokes of a word in x-heights; strokes behind a wide hole move to the left.

    Args:
        strokes: of the word.
        space: the usual gap between words.
    """
    moved, shift = [*strokes], 0.0
    edges = [extent([stroke]) for stroke in strokes]
    reached = min(edges)[0]
    for number in sorted(range(len(strokes)), key=edges.__getitem__):
        (left, right), is_mark = edges[number], strokes[number][:, 1].min() > -MARK_HEIGHT
        widest = (MAX_HOLE_BEFORE_MARK if is_mark else MAX_HOLE) * max(space, 1.0)
        shift += max(left - reached - widest, 0.0)
        reached = max(reached, right)
        moved[number] = strokes[number] - (shift, 0.0)
    return moved


def usual_gap(gap: float, space: float) -> float:
    """Return a gap, limited by its bounds beside the usual `space`."""
    return max(min(max(gap, MIN_GAP_RATIO * space), MAX_GAP_RATIO * space), MIN_GAP)


def shrunk(measured: float, characters: int, prior: float) -> float:
    """Return the fraction of a measured difference that the characters show; 0 if it is NaN."""
    return float(np.nan_to_num(measured)) * characters / (characters + prior)
