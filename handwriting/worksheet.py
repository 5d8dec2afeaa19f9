"""What stands on worksheets besides words: room to write, letters to go over, digits in squares."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Literal

import numpy as np

from handwriting.layout import Word, narrowed
from utils.ink import at_equal_steps, path_along

Trace = Literal["light", "dotted"]
"""How letters are drawn that somebody goes over with a pen."""
ROOM = "\ue000"
"""Stands for a part of the room that tabs leave; no text has it."""
TAB = 8
"""Signs as wide as the room of a tab behind another (assumed, as in plain text)."""
DRAWN = re.compile(rf"_{{3,}}|\.{{4,}}|{ROOM}+")
"""What is drawn and not written: a line to write on, a dotted one, and room that tabs leave."""
INSET, DROP, STEP = 0.25, 0.1, 0.5
"""X-heights that a line to write on is shorter at each end than its room, lower than the baseline,
and between its dots (assumed, by eye)."""
WHITE, TRACE_STEP = 0.7, 0.4
"""Share of white in the ink of light letters, and x-heights between the dots of dotted ones
(assumed, by eye)."""
DIGIT, RAISED = 0.44, 0.1
"""X-height of digits in squares, and how far they stand above the lower side, in sides (assumed, by
eye: digits are nearly twice as high)."""


def drawn(text: str, sign: float, widest: float) -> Word:
    """Return what a `DRAWN` is drawn as, in x-heights, with no gap behind it.

    Args:
        text: the fill.
        sign: width of each of its signs.
        widest: most of its width.
    """
    width = min(sign * len(text), widest)
    line = np.array([[INSET, DROP], [max(width - INSET, 2 * INSET), DROP]])
    if text[0] == ROOM:
        return Word((), width, 0.0)
    return Word((line,) if text[0] == "_" else dots(line, STEP), width, 0.0, text)


def dots(stroke: np.ndarray, step: float) -> tuple[np.ndarray, ...]:
    """Return strokes of one point each along a stroke, at most so far apart."""
    path = path_along(stroke)
    count = math.ceil(path[-1] / step)
    return tuple((at_equal_steps(stroke, path, count) if count else stroke[:1])[:, None])


def traced(word: Word, trace: Trace | None) -> Word:
    """Return a word in x-heights as it is drawn to be gone over."""
    if trace != "dotted":
        return word
    return replace(word, strokes=tuple(chain(*(dots(one, TRACE_STEP) for one in word.strokes))))


def lightened(colour: str) -> str:
    """Return the colour `#rrggbb` of light letters."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(255 * WHITE + (1 - WHITE) * part):02x}" for part in parts)


def squared(words: Sequence[Word], side: float) -> list[Word]:
    """Return words that fill squares of that side: single signs each the middle of one, a line to
    write on as many as it has signs, others as many as they need."""
    found = []
    for word in words:
        if DRAWN.fullmatch(word.text):
            word = narrowed(word, side * len(word.text))
        squares = 1 if len(word.text) == 1 else max(math.ceil(word.width / side - 1e-6), 1)
        left = (side - word.width) / 2 if squares == 1 else 0.0
        strokes = tuple(one + np.array([left, -RAISED * side]) for one in word.strokes)
        gap = max(round(word.gap / side), 1) * side if word.gap else 0.0
        found.append(replace(word, strokes=strokes, width=squares * side, gap=gap))
    return found
