"""Measures a line of a hand; a page gives its words the same measures."""

import math
from dataclasses import dataclass

import numpy as np

from apps.pages.styles import MAX_JOINED_STROKES
from ink.geometry import bounds, strokes, x_height
from ink.measures import (
    baseline,
    high_marks,
    levelled,
    median_lean,
    strokes_per_character,
    usual_letters,
    word_gaps,
)
from model.generation.line import Primer

DEFAULT_GAP = 1.2  # x-heights between words, for a primer of one word (measured: IAM-OnDB)
MEAN_STEP = 0.1  # x-heights from point to point of a mark or sign that is drawn (assumed)


@dataclass(frozen=True)
class HandShape:
    """Measures of a line of a hand, which a page gives to all words in this hand.

    Attributes:
        x_height: in the writer's units.
        baseline: y of the baseline in the writer's units, after the line is turned level.
        angle: of the baseline in radians, before the line is turned level.
        lean: how far downstrokes lean to the right, x over y.
        gap: the usual gap between words in x-heights.
        character_width: the mean width of a character, blanks included, in x-heights.
        letter_width: the width of a usual letter in x-heights.
        dotted: whether most of the hand's `i` have dots.
        joined: whether the hand joins most letters.
        mean_step: x-heights from point to point of marks and signs that are drawn.
    """

    x_height: float
    baseline: float
    angle: float
    lean: float
    gap: float
    character_width: float
    letter_width: float
    dotted: bool = True
    joined: bool = False
    mean_step: float = MEAN_STEP

    @classmethod
    def of(cls, primer: Primer) -> "HandShape":
        """Return the measures of a primer."""
        ink, text = primer
        level, angle = levelled(ink)
        height = x_height(ink)
        gaps = word_gaps(ink, text)
        left, _, right, _ = bounds(ink)
        width = (right - left) / height
        base = baseline(level)
        from_baseline = [(stroke - (0.0, base)) / height for stroke in strokes(level)]
        blanks = float(gaps.sum()) if len(gaps) else DEFAULT_GAP * (len(text.split()) - 1)
        return cls(
            x_height=height,
            baseline=base,
            angle=angle,
            lean=float(np.nan_to_num(median_lean(level))),
            gap=float(np.median(gaps)) if len(gaps) else DEFAULT_GAP,
            character_width=width / max(len(text), 1),
            letter_width=letter_width(width - blanks, text),
            dotted=high_marks(from_baseline) >= sum(map(text.count, "ij")) / 2,
            joined=strokes_per_character([primer]) < MAX_JOINED_STROKES,
        )

    def lean_at(self, slant: float | None) -> float:
        """Return how far downstrokes of words lean to the right, x over y; `slant`: their degrees
        from upright to the right, or None for the hand's own."""
        return self.lean if slant is None else math.tan(math.radians(slant))


def letter_width(width: float, text: str) -> float:
    """Return the width of a usual letter, above 0, in a text whose letters are `width` wide in
    all, without blanks."""
    return max(width, 0.01) / max(usual_letters(text), 1.0)
