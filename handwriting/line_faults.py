"""What is wrong with the look of a written line, whatever recognisers read: they forgive what
people mind.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from handwriting.hand_shape import HandShape
from handwriting.repairs import LetterStrokes
from handwriting.written_word import WrittenWord
from model.generation.line import Line
from utils.hand_measures import is_straight, ring_area, segments_cross
from utils.ink import bounds, x_height

MAX_HEIGHT = 9.0  # x-heights beyond which ink is not a line (assumed)
MAX_WAY_BACK = 3.0  # x-heights that the pen goes back beyond the width of a word (assumed)
MAX_CHARACTER_WIDTH = 6.0  # x-heights for each character (assumed)

UNENDED = "never ended"
MISSING = "left out a word"
SHAPE = "ink outside the line"
"""Faults of a line."""
IN_PIECES = "a digit in pieces"
NO_RING = "a 9 without a ring"
CROSSED = "a digit over another sign"
"""Faults of a word besides misread characters: what a reader of pictures takes to be right (lab
notebook: a reader of pictures proofreads)."""
WHOLE_HEIGHT = 0.55
"""Least height of the tallest stroke of a digit, but of a `4`, over the tallest digit of its word
(by eye: of 3,252 in six styles six have less, most of them rings with a tail, the others 0.6)."""
RING_AREA = 0.065
"""Least area that a `9` encloses over its height squared (by eye: of 811 in seven styles some 60
have less, most of which are like a `1`, `5` or `7`)."""
SIGN_HEIGHT = 0.8  # least height in x-heights of a stroke that is no mere part of a sign (by eye)

Character = tuple[str, list[np.ndarray]]
"""A character and its strokes `(n, 2)`."""


def faults_of_line(line: Line, words: Sequence[WrittenWord]) -> tuple[str, ...]:
    """Return what is wrong with a line as a whole, of which these are the words."""
    faults = {
        UNENDED: not line.ended,
        MISSING: " ".join(word.text for word in words) != line.title,
        SHAPE: not _is_line(line),
    }
    return tuple(fault for fault, is_there in faults.items() if is_there)


def faults_of_words(
    line: Line, words: Sequence[WrittenWord], shape: HandShape
) -> list[tuple[tuple[str, ...], bool]]:
    """Return what is wrong with each word of a line without a fault, and whether each of its `I` is
    a bare stroke."""
    results, characters, start = [], _characters(line), 0
    for word in words:
        of_word = characters[start : start + len(word.text)]
        start += len(word.text) + 1  # and the blank
        heights = {}
        for number, (sign, ink) in enumerate(of_word):
            if sign in "0123456789" and ink:
                heights[number] = max(np.ptp(stroke[:, 1]) for stroke in ink)
        least = WHOLE_HEIGHT * max(heights.values(), default=0.0)
        low = [number for number, height in heights.items() if height < least]
        nines = [ink for sign, ink in of_word if sign == "9" and ink]
        height = SIGN_HEIGHT * shape.letter
        faults = {
            IN_PIECES: any(of_word[number][0] != "4" for number in low),
            NO_RING: any(ring_area(ink) < RING_AREA for ink in nines),
            CROSSED: any(_cross(*both, height) for both in pairwise(of_word)),
        }
        is_bare = all(is_straight(ink) for sign, ink in of_word if sign == "I")
        results.append((tuple(fault for fault, is_there in faults.items() if is_there), is_bare))
    return results


def _characters(line: Line) -> list[Character]:
    """Return the characters of a line's title, each with the strokes of which most points were
    written while the window was at it."""
    first = len(line.text) - len(line.title)
    characters: list[Character] = [(sign, []) for sign in line.title]
    for stroke, of_points in LetterStrokes.of(line).pairs():
        at = int(np.bincount(of_points).argmax()) - first
        if 0 <= at < len(characters):
            characters[at][1].append(stroke)
    return characters


def _cross(before: Character, after: Character, height: float) -> bool:
    """Return whether strokes of that height of two characters cross, of which one is a digit."""
    if not (before[0].isdigit() or after[0].isdigit()):
        return False
    segments = []
    for _, ink in (before, after):
        tall = [stroke for stroke in ink if np.ptp(stroke[:, 1]) >= height]
        if not tall:
            return False
        ways = [np.stack((stroke[:-1], stroke[1:]), 1) for stroke in tall]
        segments.append(np.concatenate(ways))
    return bool(segments_cross(*segments).any())


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
        bottom - top <= MAX_HEIGHT * letter
        and right - left <= MAX_CHARACTER_WIDTH * letter * max(len(text), 2)
        and back <= (MAX_WAY_BACK + 2.0 * longest) * letter
    )
