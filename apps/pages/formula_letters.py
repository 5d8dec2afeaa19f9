"""Chooses the form of each letter and digit in the formulas of a text.

In a formula a letter of another form is another letter. So each letter has one form in a text. The
hand writes it several times. The best try is used if people can read it alone: if the readers read
it, and if it is near the printed shape of the letter. Otherwise the printed shape is drawn.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from apps.pages.formula_parse import SIGNS
from apps.pages.formula_signs import SignPen
from apps.pages.proofreading import (
    MISSING_WORD,
    TRY_SEED_STRIDE,
    CheckedWord,
    PageHand,
    keep_best,
    try_words,
)
from apps.pages.written_word import WrittenWord, span
from ink.geometry import at_equal_steps
from model.batches import BATCH_SIZE
from model.generation.line import SEEDS

TRIES = 8  # forms of a letter among which one is chosen (assumed)
MAX_DISTANCE = 0.11
"""Of a form from the printed shape, in heights of the shape, above which people may misread it (by
eye)."""
INK_BOUNDS = (0.8, 1.2)
"""Bounds of a form's ink, in lengths of the ink of its shape: loops and lead-in strokes close up in
scripts, and short strokes are no bars (by eye)."""
MAX_WIDENING = 1.35  # ratio of the shape's width to that of a form, or the reverse (by eye)
MIN_WIDTH = 0.35  # heights; the width of narrower shapes, such as an `i`, says little (by eye)
OUTLYING = 95  # per cent of a form that is nearer than its distance, so that noise does not decide
STEP = 0.04  # x-heights between the points that are compared (assumed)
DRAWN = frozenset("f")  # letters whose forms by hand are misread most often (by eye)

SMALL = frozenset("acemnorsuvwxz")
HEIGHTS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(SMALL, (0.95, 1.05)),
    **dict.fromkeys("bdhkl", (1.65, 1.85)),
    "t": (1.35, 1.6),
}
"""Least and largest height of small letters in x-heights."""
TALL_HEIGHTS = (1.65, 1.8)  # the same of capitals and digits
LOW = frozenset("gpqy")
LOW_HEIGHTS = (1.6, 1.8)
WIDTHS = {"0": (0.4, 0.58), "O": (0.75, 1.0)}
"""Least and largest width of round forms, in heights: people tell them by their widths."""


def letter_forms(
    hand: PageHand, characters: Collection[str], seed: int, lean: float
) -> dict[str, CheckedWord]:
    """Return the forms of characters that the hand writes; a character without a form is drawn, if
    it has a shape.

    Args:
        hand: writes the characters, each as a line.
        characters: single characters.
        seed: the seed of the text.
        lean: how far downstrokes of the hand lean to the right, x over y.
    """
    by_hand = (each for each in characters if each.isalnum() or each not in SIGNS)
    texts = sorted(each for each in by_hand if each not in DRAWN)
    jobs = [*product(texts, range(TRIES))]
    tries: dict[str, list[CheckedWord]] = {text: [] for text in texts}
    for start in range(0, len(jobs), BATCH_SIZE):
        batch = jobs[start : start + BATCH_SIZE]
        seeds = [(seed + number * TRY_SEED_STRIDE) % SEEDS for _, number in batch]
        lines = try_words(hand, [text for text, _ in batch], seeds)
        for (text, _), line in zip(batch, lines, strict=True):
            tries[text] += line
    forms = {text: best_form(text, words, lean) for text, words in tries.items()}
    return {text: form for text, form in forms.items() if form}


def best_form(text: str, tries: Sequence[CheckedWord], lean: float) -> CheckedWord | None:
    """Return the try of a character that is nearest to its shape, in the size of its kind; None if
    the shape is drawn, or if there is no try."""
    inked = [word for word in tries if MISSING_WORD not in word.faults]
    if text not in SIGNS:
        best = inked[:1]
        for word in inked[1:]:
            best = keep_best(best, [word])
        return _in_size(best[0], lean) if best else None
    clear = [_in_size(word, lean) for word in inked if not (word.reason or word.looks_like)]
    distances = [distance(_slanted(word.words[0].strokes, -lean), text) for word in clear]
    if not clear or min(distances) > MAX_DISTANCE:
        return None
    return clear[int(np.argmin(distances))]


def distance(strokes: Sequence[np.ndarray], text: str) -> float:
    """Return how far upright strokes are from the printed shape of a character, in its heights,
    once both have the same box: that of their most distant parts, some per cent left out; infinite
    if it has much more ink, or less, or another width."""
    pen = SignPen(0.0, np.random.default_rng(0))
    shape = _points(pen.sign(text, 1.0))
    ink = np.concatenate([*strokes])
    extent = np.ptp(shape, axis=0)
    scale = extent / np.maximum(np.ptp(ink, axis=0), 1e-6)
    points = _points([(stroke - ink.min(0)) * scale for stroke in strokes])
    least, most = INK_BOUNDS
    widening = scale[0] / scale[1]
    is_wide = extent[0] > MIN_WIDTH * extent[1]
    if is_wide and not 1 / MAX_WIDENING <= widening <= MAX_WIDENING:
        return math.inf
    if not least <= len(points) / len(shape) <= most:
        return math.inf
    apart = np.linalg.norm(points[:, None] - (shape - shape.min(0)), axis=-1)
    farthest = max(np.percentile(apart.min(axis), OUTLYING) for axis in (0, 1))
    return float(farthest / extent[1])


def _points(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return points at equal steps along all strokes."""
    points = []
    for stroke in strokes:
        lengths = np.append(0.0, np.cumsum(np.hypot(*np.diff(stroke, axis=0).T)))
        points.append(at_equal_steps(stroke, lengths, max(round(lengths[-1] / STEP), 1)))
    return np.concatenate(points)


def _slanted(strokes: Sequence[np.ndarray], lean: float) -> tuple[np.ndarray, ...]:
    """Return strokes on a baseline that lean further to the right."""
    return tuple(stroke @ np.array([[1.0, 0.0], [-lean, 1.0]]) for stroke in strokes)


def _in_size(checked: CheckedWord, lean: float) -> CheckedWord:
    """Return a letter with the size and place of its kind."""
    (word,) = checked.words
    upright = fitted(checked.text, _slanted(word.strokes, -lean))
    strokes = _slanted(upright, lean)
    left, right = span(strokes)
    moved = tuple(stroke - (left, 0.0) for stroke in strokes)
    sized = WrittenWord(moved, right - left, word.gap, checked.text)
    return replace(checked, words=(sized,))


def fitted(text: str, strokes: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return the upright strokes of a letter with the height, the width and the place of its kind;
    those of other signs as they are."""
    points = np.concatenate([*strokes])
    width, height = np.maximum(np.ptp(points, axis=0), 1e-6)
    if text in LOW:
        heights = LOW_HEIGHTS
    elif text in HEIGHTS:
        heights = HEIGHTS[text]
    elif text.isdigit() or (text.isalpha() and text.isupper()):
        heights = TALL_HEIGHTS
    else:
        return tuple(strokes)
    factor = np.clip(height, *heights) / height
    ratio = width / height
    widening = np.clip(ratio, *WIDTHS[text]) / ratio if text in WIDTHS else 1.0
    scale = np.array([factor * widening, factor])
    top, foot = points[:, 1].min() * factor, points[:, 1].max() * factor
    shift = np.array([0.0, 1.0 + top if text in LOW else foot])
    return tuple(stroke * scale - shift for stroke in strokes)
