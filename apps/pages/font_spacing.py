"""How far apart the characters of a font stand: bearings, and kerning by the hand's own gaps."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from apps.pages.font_cutting import HIGH_ENDS
from apps.pages.font_forms import BARRED, Form, HandForms, dense
from apps.pages.marks import PLAIN
from apps.pages.written_word import span
from data_loader.pen_paths import touching_shift

NUM_MEASURED = 8  # forms of a character by which its neighbours are set (assumed)
MIN_KERN = 0.03  # x-heights; less is not seen (by eye)
MIN_GAP_RATIO = 0.4  # of a pair's gap to the usual one (by eye)
MAX_OVERHANG = 0.4  # x-heights of ink on one side of a glyph beyond its advance (by eye)
MIN_GAP_OF_SIGNS = 0.3  # x-heights beside a sign, as in words of pages (`MARK_GAPS`)
MAX_TUCK = 0.2  # x-heights by which a letter may stand below the end of a `b` or `o` (by eye)
MAX_OVERLAP = 0.9  # x-heights by which a character may reach over the next (by eye)


@dataclass(frozen=True)
class Spacing:
    """The bearings of characters that are not joined, in x-heights.

    Attributes:
        left, right: the blank before and behind the ink of each character.
        kerns: for pairs of characters, what is added between both.
        usual: the usual blank between two characters.
    """

    left: Mapping[str, float]
    right: Mapping[str, float]
    kerns: Mapping[tuple[str, str], float]
    usual: float


def spacing_of(hand: HandForms, composed: Mapping[str, tuple[str, str]]) -> Spacing:
    """Return the spacing with which characters are as clear of each other as the hand's are.

    Args:
        hand: the forms.
        composed: letters with marks, which have the bearings of their letters.
    """
    start_forms: dict[str, list[Form]] = defaultdict(list)
    end_forms: dict[str, list[Form]] = defaultdict(list)
    for form in hand.forms:
        if form.text in composed or len(form.text) > 1:
            continue
        if not form.entry:
            start_forms[form.text].append(form)
        if not form.exit:
            end_forms[form.text].append(form)
    starts = {text: _path(forms, 0) for text, forms in start_forms.items()}
    ends = {text: _path(forms, 1) for text, forms in end_forms.items()}
    blanks = np.array([[_blank(a, b, ends, starts, hand) for b in starts] for a in ends])
    usual = float(np.median(blanks))
    behind = np.maximum(np.median(blanks, axis=1) - usual / 2, -MAX_OVERHANG)
    before = np.maximum(np.median(blanks, axis=0) - usual / 2, -MAX_OVERHANG)
    right = dict(zip(ends, behind.tolist(), strict=True))
    left = dict(zip(starts, before.tolist(), strict=True))
    kerns = {}
    for (row, a), (column, b) in product(enumerate(ends), enumerate(starts)):
        kern = blanks[row, column] - right[a] - left[b]
        if abs(kern) >= MIN_KERN:
            kerns[a, b] = float(kern)
    for character in composed:
        base = PLAIN[character]
        left[character], right[character] = left[base], right[base]
    return Spacing(left, right, kerns, usual)


def _blank(
    first: str,
    second: str,
    ends: Mapping[str, np.ndarray],
    starts: Mapping[str, np.ndarray],
    hand: HandForms,
) -> float:
    """Return the x-heights from the right edge of a character to the left edge of the next;
    negative if they overlap. `ends` and `starts`: the paths of characters."""
    usual = hand.gap if not hand.exits or first not in BARRED else 0.0  # A bar is over the next.
    gap = max(hand.pair_gaps.get(first + second, usual), MIN_GAP_RATIO * hand.gap)
    shift = touching_shift(ends[first], starts[second])
    right, left = (path[:, 0] + hand.lean * path[:, 1] for path in (ends[first], starts[second]))
    beside = float(right.max() - left.min())
    if not (first + second).isalnum():  # A stop below a letter, or an apostrophe above, is lost.
        return max(gap, MIN_GAP_OF_SIGNS) + beside
    blank = max(gap + shift, gap - MAX_OVERLAP) if np.isfinite(shift) else gap
    # A letter below the last stroke of a `b` would hide it.
    return max(blank, beside - MAX_TUCK) if hand.exits and first in HIGH_ENDS else blank


def _path(forms: Sequence[Form], side: int) -> np.ndarray:
    """Return the strokes of the first forms of a character, above each other at their left (0) or
    right (1) edges, as a path whose points are near each other."""
    strokes = []
    for form in forms[:NUM_MEASURED]:
        edge = span(form.strokes)[side]
        strokes += [stroke - (edge, 0.0) for stroke in form.strokes]
    return dense(strokes)
