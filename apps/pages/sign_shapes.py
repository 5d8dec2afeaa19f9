"""The shapes of digits and signs, which readers overlook.

A reader takes ink for what a word may say. The window of the network tells which strokes belong to
a character. A few features of these strokes (bars, a crossing, a ring, a width, a place) show
whether the character has what distinguishes it.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from apps.pages.letter_dots import MAX_TICK_SIZE
from apps.pages.letter_strokes import (
    MAX_LAG,
    MIN_STEM_HEIGHT,
    LetterStrokes,
    crosses,
    is_crossed,
    is_flat,
    late_part,
    stems_of,
)
from apps.pages.marks import MARKED
from apps.pages.repairs import MARK_RISE
from apps.pages.written_word import WrittenWord
from ink.measures import ring_area

Strokes = Sequence[np.ndarray]
"""Strokes `(n, 2)` in x-heights, y downwards from the baseline."""

NO_RING = "a 9 without a ring"
MIN_RING_FRACTION = 0.095
"""Least area that a `9` encloses, divided by its height and by the width of its upper part
(notebook: pages, signs by shape: of 1,040 in five styles 7 % enclose less, and most of these look
like a `1` or `7`)."""
UPPER_PART = 0.6  # of a digit's height, where the ring of a `9` is (assumed)
MIN_DEGREE_AREA = 0.2  # least area that a `°` encloses, in squares of its height (by eye)
MIN_STEMS = {"F": 1.0, "t": MIN_STEM_HEIGHT}
"""Least x-heights of the stems of letters whose stem networks forget (by eye: 7 of 135 joined `F`
have only bars)."""
MIN_O_AREA = 0.12
"""Least area that a joined `o` encloses, in squares of the x-height (by eye: of 7,538 in five
styles 1.6 % enclose less, half of them as the window is early; "Konto" looks like "Kmto")."""
MAX_O_GAP = 0.3  # x-heights between the ends of the ring of an `o` (by eye)
TOLERANCE = 0.01  # x-heights, for rounding
PEN_WIDTH = 0.15  # of the pen's line in x-heights (by eye)
# Measured, notebook: pages, signs by shape.
MIN_FOOT = 0.2  # least width of the lowest fifth of a `2`, in its heights
MIN_ACCENT_RISE = 0.7  # least x-heights from the baseline up to an accent
MIN_DOT_RISE = 0.9  # least x-heights from the baseline up to the dot of an `i`
MIN_EXCLAMATION = 1.0  # least height of a `!` in x-heights
MAX_FLOATING = 0.5  # largest x-heights from the baseline up to the foot of a `!`


def shape_faults(word: WrittenWord) -> Iterator[str]:
    """Yield the faults in the shapes of a word's characters. The word is in x-heights; a word
    without `indices` has no fault."""
    letters = letters_of(word)
    parts = strokes_by_character(word)
    is_row_of_stops = ".." in word.text  # whose stops may share a stroke
    for index, (character, strokes) in enumerate(zip(word.text, parts, strict=False)):
        if strokes and character == "9" and _ring_fraction(strokes) < MIN_RING_FRACTION:
            yield NO_RING
        elif strokes and character in SHAPES and not SHAPES[character](strokes):
            yield f"no clear {character}"
        elif not strokes and character in MARKED and character != "ı":
            yield f"{character} without its mark"
        elif character == "." and not is_row_of_stops and not _has_clear_stop(letters, index):
            yield "a stop that is not clear"
        elif character in "'’" and not _has_raised(letters, index):
            yield "no clear apostrophe"
        elif character in MIN_STEMS and not _has_stem(letters, index, MIN_STEMS[character]):
            yield f"{character} without its stem"
        elif character == "x" and not is_crossed(letters, index):
            yield "an x that does not cross"
        elif character == "o" and not _has_joined_ring(letters, index):
            yield "an o without a ring"


def letters_of(word: WrittenWord) -> LetterStrokes:
    """Return a word's strokes, with the character of each of their points."""
    return LetterStrokes(word.text, [*word.strokes], [*word.indices])


def strokes_by_character(word: WrittenWord) -> list[list[np.ndarray]]:
    """Return the strokes of each character; empty if the word has no `indices`."""
    if not word.indices:
        return []
    numbers_of = letters_of(word).numbers_of
    indices = range(len(word.text))
    return [[word.strokes[k] for k in numbers_of(index)] for index in indices]


def without_unknown(
    word: WrittenWord, is_known: Callable[[str], bool]
) -> tuple[str, list[np.ndarray]] | None:
    """Return the text and strokes of a word without the signs that a reader does not know; None if
    they cannot be told from other ink, or if it does not know a letter."""
    if not word.indices:
        return None
    letters = letters_of(word)
    text = ""
    removed = set()
    for index, character in enumerate(word.text):
        if is_known(character):
            text += character
            continue
        numbers = letters.numbers_of(index)
        if character not in SHAPES or not numbers:
            return None
        removed |= {*numbers}
    if text and len(removed) == len(word.strokes):  # The sign's strokes hold the letters, too.
        return None
    return text, [stroke for k, stroke in enumerate(word.strokes) if k not in removed]


def has_its_dots(word: WrittenWord) -> bool:
    """Return whether a word of ASCII letters has as many dots as it has `i` and `j`. Flat ones may
    be dots, or bars of other letters."""
    text = word.text.rstrip(".,")
    is_plain_word = text.isascii() and text.isalpha()
    if not word.strokes or not is_plain_word:
        return True
    high = [stroke for stroke in word.strokes if stroke[:, 1].max() < -MIN_DOT_RISE]
    dots = [dot for dot in high if np.ptp(dot, axis=0).max() <= MAX_TICK_SIZE + TOLERANCE]
    num_flat = sum(map(is_flat, dots))
    return len(dots) - num_flat <= text.count("i") + text.count("j") <= len(dots)


def _ring_fraction(strokes: Strokes) -> float:
    """Return the area that a digit encloses, divided by its height and the width of its upper part:
    a narrow hand's ring is as narrow as its digits."""
    points = np.concatenate(strokes)
    depth = points[:, 1] - points[:, 1].min()
    height = depth.max()
    width = np.ptp(points[depth < UPPER_PART * height, 0]) if height else 0.0
    return ring_area(strokes) * height / width if width else 0.0


def _has_stem(letters: LetterStrokes, index: int, min_height: float) -> bool:
    stems = stems_of(letters, index, x_height=1.0, max_height=math.inf)
    return any(np.ptp(stem.points[:, 1]) >= min_height for stem in stems)


def _has_joined_ring(letters: LetterStrokes, index: int) -> bool:
    """Return whether a joined `o` has a ring: its stroke comes near itself, around an area. One
    that stands alone is not looked at, nor one that is joined to a capital, where the window is
    early."""
    number = letters.main_number(index)
    if number is None or letters.is_alone(number, index):
        return True
    is_behind_capital = letters.text[index - 1 : index].isupper()
    if is_behind_capital and index - 1 in letters.indices[number]:
        return True
    part = late_part(letters.indices[number], index)
    x, y = letters.strokes[number][max(part.start - MAX_LAG, 0) : part.stop + MAX_LAG].T
    products = np.append(0.0, x[:-1] * y[1:] - x[1:] * y[:-1]).cumsum()
    # The shoelace formula, for the way from each point to each other one and straight back.
    areas = np.abs(products[:, None] - products + x[:, None] * y - x * y[:, None]) / 2
    gaps = np.hypot(x[:, None] - x, y[:, None] - y)
    return bool(areas[gaps <= MAX_O_GAP].max() >= MIN_O_AREA)


def _has_clear_stop(letters: LetterStrokes, index: int) -> bool:
    """Return whether a full stop has a stroke of its own, near the baseline or the foot of the
    character before it, that touches nothing."""
    stops = letters.numbers_of(index)
    feet = [letters.strokes[k][:, 1].max() for k in letters.numbers_of(index - 1)]
    others = [stroke for k, stroke in enumerate(letters.strokes) if k not in stops]
    for stop in (letters.strokes[k] for k in stops):
        points = np.concatenate([*others, stop[:0]])
        is_near = (points > stop.min(0) - PEN_WIDTH) & (points < stop.max(0) + PEN_WIDTH)
        highest = min([0.0, *feet]) - MARK_RISE
        touches = is_near.all(1).any()
        if stop[:, 1].min() > highest and not touches:
            return True
    return False


def _has_raised(letters: LetterStrokes, index: int) -> bool:
    strokes = (stroke for stroke, indices in letters.pairs() if index in indices)
    return any(stroke[:, 1].max() <= -MIN_ACCENT_RISE for stroke in strokes)


def _has_foot(strokes: Strokes) -> bool:
    x, y = np.concatenate(strokes).T
    height = np.ptp(y)
    return bool(np.ptp(x[y >= y.max() - height / 5]) >= MIN_FOOT * height)


def _is_exclamation(strokes: Strokes) -> bool:
    y = np.concatenate(strokes)[:, 1]
    return len(strokes) > 1 and np.ptp(y) >= MIN_EXCLAMATION and y.max() >= -MAX_FLOATING


SHAPES: dict[str, Callable[[Strokes], bool]] = {
    "2": _has_foot,
    "4": lambda strokes: len(strokes) > 1 or crosses(strokes, strokes),
    "=": lambda strokes: sum(map(is_flat, strokes)) >= 2,
    **dict.fromkeys("-–—", lambda strokes: any(map(is_flat, strokes))),
    **dict.fromkeys("+$", lambda strokes: crosses(strokes, strokes)),
    "!": _is_exclamation,
    "%": lambda strokes: len(strokes) > 1,
    # One of the strokes: the last of them may be the bar of a 7.
    "°": lambda strokes: max(ring_area([stroke]) for stroke in strokes) >= MIN_DEGREE_AREA,
}
"""For each sign, whether strokes have what distinguishes it."""
