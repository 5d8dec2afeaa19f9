"""What is wrong with the look of a written line, whatever recognisers read: they forgive what
people mind.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from handwriting.layout import Word
from handwriting.word_cutting import HandShape, characters
from model.generation.line import Line
from utils.hand_measures import (
    is_straight,
    ring_area,
    segments_cross,
)
from utils.ink import bounds, x_height

HIGHEST, BACK, WIDEST = 9.0, 3.0, 6.0
"""Height of a line, way back of the pen beyond the width of a word, and width for each character,
in x-heights, beyond which ink is not a line (assumed)."""

UNENDED, MISSING, SHAPE = "never ended", "left out a word", "ink outside the line"
"""Faults of a line."""
IN_PIECES, NO_RING = "a digit in pieces", "a 9 without a ring"
CROSSED = "a digit over another sign"
"""Faults of a word besides misread characters: what a reader of pictures takes to be right (lab
notebook: a reader of pictures proofreads)."""
WHOLE = 0.55
"""Least height of the tallest stroke of a digit, but of a `4`, over that of the digits of its word
(by eye: of 3,252 in six styles six have less, most of them rings with a tail, the others 0.6)."""
RING = 0.065
"""Least area that a `9` encloses over its height squared (by eye: of 811 in seven styles some 60
have less, most of which are like a `1`, `5` or `7`)."""
SIGN = 0.8
"""Least height in x-heights of a stroke that is no mere part of a sign (by eye)."""


def faults_of_line(line: Line, words: Sequence[Word]) -> tuple[str, ...]:
    """Return what is wrong with a line as a whole, of which these are the words."""
    wrong = {
        UNENDED: not line.ended,
        MISSING: " ".join(word.text for word in words) != line.title,
        SHAPE: not _is_line(line),
    }
    return tuple(name for name, true in wrong.items() if true)


def faults_of_words(
    line: Line, words: Sequence[Word], shape: HandShape
) -> list[tuple[tuple[str, ...], bool]]:
    """Return what is wrong with each word of a line without a fault, and whether each of its `I` is
    a bare stroke."""
    found, letters = [], iter(characters(line))
    for word in words:
        own = [*zip(word.text, letters, strict=False)]
        next(letters, None)  # the blank
        tall = [(one, max(np.ptp(part[:, 1]) for part in ink))
                for one, ink in own if one in "0123456789" and ink]  # fmt: skip
        least = WHOLE * max((height for _, height in tall), default=0.0)
        seen = {
            IN_PIECES: any(height < least for one, height in tall if one != "4"),
            NO_RING: any(ring_area(ink) < RING for one, ink in own if one == "9" and ink),
            CROSSED: any(_cross(*both, SIGN * shape.letter) for both in pairwise(own)),
        }
        faults = tuple(name for name, true in seen.items() if true)
        found.append((faults, all(is_straight(ink) for one, ink in own if one == "I")))
    return found


def _cross(
    before: tuple[str, list[np.ndarray]], after: tuple[str, list[np.ndarray]], height: float
) -> bool:
    """Return whether strokes of that height of two characters cross, of which one is a digit."""
    if not (before[0].isdigit() or after[0].isdigit()):
        return False
    both = [[part for part in ink if np.ptp(part[:, 1]) >= height] for _, ink in (before, after)]
    ways = [[np.stack((part[:-1], part[1:]), 1) for part in parts] for parts in both]
    return all(both) and bool(segments_cross(*map(np.concatenate, ways)).any())


def _is_line(line: Line) -> bool:
    """Return whether ink has the extent of a line, and does not jump back over what is written."""
    ink, text = line.written, line.title
    signs = not any(map(str.isalnum, text))
    if len(ink) < (1 if signs else 2):
        return False
    letter = x_height(line.ink if signs else ink)  # signs have none: the primer's
    left, top, right, bottom = bounds(ink)
    across = np.cumsum(ink[:, 0], dtype=np.float64)
    longest = max(map(len, text.split()), default=1)
    back = float((np.maximum.accumulate(across) - across).max())
    return bool(
        bottom - top <= HIGHEST * letter
        and right - left <= WIDEST * letter * max(len(text), 2)
        and back <= (BACK + 2.0 * longest) * letter
    )
