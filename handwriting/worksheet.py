"""What stands on worksheets besides words: lines to write on, and letters to go over."""

import math
import re
from dataclasses import replace
from itertools import chain
from typing import Literal

import numpy as np

from handwriting.layout import Word
from utils.ink import at_equal_steps, path_along

Trace = Literal["light", "dotted"]
"""How letters are drawn that somebody goes over with a pen."""
DRAWN = re.compile(r"_{3,}|\.{4,}")
"""What is drawn and not written: a line to write on, and a dotted one."""
INSET, DROP, STEP = 0.25, 0.1, 0.5
"""X-heights that a line to write on is shorter at each end than its room, lower than the baseline,
and between its dots (assumed, by eye)."""
WHITE = 0.7
"""Share of white in the ink of light letters (assumed, by eye)."""
DOT, TRACE_STEP, APART = 0.11, 0.22, 0.16
"""Width of the dots of dotted letters, how far apart they are along the pen's way, and from all
others at least, in x-heights (by eye: at 0.18 and 0.4 the dots of an `a`, `e` or `p` merge)."""


def drawn(text: str, sign: float, widest: float) -> Word:
    """Return what a `DRAWN` is drawn as, in x-heights, with no gap behind it.

    Args:
        text: the fill.
        sign: width of each of its signs.
        widest: most of its width.
    """
    width = min(sign * len(text), widest)
    line = np.array([[INSET, DROP], [max(width - INSET, 2 * INSET), DROP]])
    return Word((line,) if text[0] == "_" else dots(line, STEP), width, 0.0, text)


def dots(stroke: np.ndarray, step: float) -> tuple[np.ndarray, ...]:
    """Return strokes of one point each along a stroke, at most so far apart."""
    path = path_along(stroke)
    count = math.ceil(path[-1] / step)
    return tuple((at_equal_steps(stroke, path, count) if count else stroke[:1])[:, None])


def traced(word: Word, trace: Trace | None) -> Word:
    """Return a word in x-heights as it is drawn to be gone over; what is `DRAWN` stays."""
    if trace != "dotted" or DRAWN.fullmatch(word.text):
        return word
    strokes: list[np.ndarray] = []
    for dot in chain(*(dots(one, TRACE_STEP) for one in word.strokes)):
        if not strokes or np.hypot(*(np.concatenate(strokes) - dot).T).min() >= APART:
            strokes.append(dot)
    return replace(word, strokes=tuple(strokes))


def lightened(colour: str) -> str:
    """Return the colour `#rrggbb` of light letters."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(255 * WHITE + (1 - WHITE) * part):02x}" for part in parts)
