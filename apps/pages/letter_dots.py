"""Dots of `i` and `j`, which a network makes late, forgets or misplaces, and small strokes that no
letter needs.

A dot beside its `i` is moved above the `i`, and a missing dot is added. Needless touches of the pen
and stray dots are left out.
"""

import math
import string
from collections.abc import Set

import numpy as np

from apps.pages.letter_strokes import (
    MAX_LAG,
    MAX_SINKING,
    SIGNS_AT_END,
    LetterStrokes,
    Stem,
    is_flat,
    stems_of,
)
from apps.pages.written_word import span
from ink.measures import at_steps

# For what is measured see notebook: pages, dots and bars.
MIN_DOT_SIZE = 0.15
"""Least length of a stroke's larger side in x-heights (by eye: a pen's line has this width, and
people overlook full stops that are no larger)."""
MAX_DOT_SIZE = 0.5  # largest side of the dot of an `i`, in x-heights (measured)
DOT_RISE = 0.6  # x-heights from a stem up to a dot that is added (measured)
MAX_DOT_ASIDE = 0.3  # x-heights from a dot to its stem, extended upwards (measured)
MAX_DOT_RISE = 1.6  # x-heights from a letter up to its dot (measured)
MIN_DOT_GAP = 0.35
"""X-heights from a stem up to its dot (by eye: a page's pen, which is 0.18 wide, joins a dot that
is much nearer to the stem)."""
MAX_TICK_SIZE = 0.25  # larger side of a dot where other small ink is near, in x-heights (by eye)
DOT_LIMITS = (0.08, 0.18)
"""Most width, of an upright hand, and length of the dot of an `i`, in x-heights (by eye: one that
slants or is long looks like the accent of an `í`; half of people's dots are 0.04 to 0.11 wide)."""
MAX_DELAY = 4
"""Most characters that the window may be away from a letter while the pen makes the letter's dot;
it may also be anywhere up to the word's end (measured)."""
MAX_I_STEM_HEIGHT = 1.6  # of the stem of an `i`, in x-heights (measured)
# Of dots above other letters, in x-heights (by eye, notebook: pages, dots and bars):
MAX_STRAY_SIZE = 0.7  # their largest side: some are dashes
MAX_STRAY_BAR = 1.5  # the same of a flat one over letters without bars
MIN_STRAY_RISE = 0.8  # above the lowest quarter of the ink beside
MIN_STRAY_GAP = 0.1  # to other ink

HIGH_SIGNS = {*string.punctuation} - {*".,"}
"""Signs whose ink may look like the dot of an `i`."""
SMALL_PARTS = {"'": 1, ":": 2, ";": 2, "!": 1, "?": 1}
"""How many small strokes such a sign has; at these the window may be while the pen makes a dot."""
UNDOTTED = {*string.ascii_letters, *string.digits} - {*"ij"}
"""Letters and digits without a dot."""
ONE_STROKE = {*"23COSUacegijlmnorsuw"}
"""Letters and digits that hands make in one stroke, but for dots (measured, notebook: pages, dots
and bars)."""


def with_dots(letters: LetterStrokes, x_height: float, lean: float) -> LetterStrokes:
    """Return letters with one dot above each `i` and `j` that was written.

    Args:
        letters: the strokes of a line.
        x_height: the hand's x-height.
        lean: how far downstrokes lean to the right, x over y.
    """
    letters = letters.copy()
    added = []
    dots = _possible_dots(letters, x_height)
    above: set[int] = set()  # numbers of those above stems
    needed: set[int] = set()  # of those that may be dots of letters without a stem
    for index in letters.indices_of("ij"):
        # People who join their letters make the dots of a word at its end.
        word_end = f"{letters.text} ".index(" ", index)
        window = range(index - MAX_DELAY, max(index + MAX_DELAY, word_end) + 1)
        candidates = [dot for dot in dots if letters.indices[dot][0] in window]
        stem = _stem_of_dotted(letters, index, x_height)
        if stem is None:
            for dot in candidates:
                letters.indices[dot] = np.full_like(letters.indices[dot], index)
            needed.update(candidates)
            continue
        asides = {}  # how far each dot above the letter is to the right of its stem
        for dot in candidates:
            aside, rise = _offset_from(stem, letters.strokes[dot], x_height, lean)
            if rise >= 0.0:
                above.add(dot)
            if 0.0 <= rise <= MAX_DOT_RISE:
                asides[dot] = aside
        if asides:
            nearest = min(asides, key=lambda dot: abs(asides[dot]))
            dots.remove(nearest)
            letters.indices[nearest] = np.full_like(letters.indices[nearest], index)
            dot_stroke = letters.strokes[nearest]
            letters.strokes[nearest] = _moved_dot(dot_stroke, stem, x_height, lean)
        else:
            position = stem.points[0] + DOT_RISE * x_height * np.array([lean, -1.0])
            added.append((stem.stroke_number, index, position[None]))
    others = above.intersection(dots) - needed
    stray = {dot for dot in others if _is_second_dot(letters, dot, x_height)}
    remaining = [number for number in range(len(letters.strokes)) if number not in stray]
    added = [(remaining.index(number), index, stroke) for number, index, stroke in added]
    return letters.selected(remaining).with_added(added)


def without_touches(letters: LetterStrokes, x_height: float) -> LetterStrokes:
    """Return the result of `with_dots` without needless touches, which some people make where a
    letter begins, and stray dots, under which a letter looks accented. A word without other strokes
    is not changed. `x_height`: as in `with_dots`."""
    kept = [
        number
        for number in range(len(letters.strokes))
        if not _is_needless(letters, number, x_height) or _may_be_dot(letters, number, x_height)
    ]
    word_of = [letters.text.count(" ", 0, int(np.median(each))) for each in letters.indices]
    with_ink = {word_of[number] for number in kept}
    return letters.selected(k for k, w in enumerate(word_of) if k in kept or w not in with_ink)


def with_visible_dot(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke in x-heights; one smaller than `MIN_DOT_SIZE` becomes a dot this high."""
    if np.ptp(stroke, axis=0).max() >= MIN_DOT_SIZE:
        return stroke
    middle = (stroke.min(0) + stroke.max(0)) / 2
    return middle + np.array([[0.0, -MIN_DOT_SIZE / 2], [0.0, MIN_DOT_SIZE / 2]])


def _possible_dots(letters: LetterStrokes, x_height: float) -> list[int]:
    """Return the numbers of the small strokes that may be the dot of an `i` or `j`."""
    sizes = [np.ptp(stroke, axis=0).max() / x_height for stroke in letters.strokes]
    made_at: dict[int, list[int]] = {}  # the numbers of strokes by the index at which they begin
    for number, (first, *_) in enumerate(letters.indices):
        made_at.setdefault(int(first), []).append(number)
    dots = []
    for index, numbers in made_at.items():
        sign = f"{letters.text} "[index]  # a blank for ink behind the text
        small = [number for number in numbers if sizes[number] <= MAX_STRAY_SIZE]
        # The last are the sign's own, and one before them is a dot, as of "j'avais" or "lei:".
        num_own = SMALL_PARTS.get(sign, len(small)) if sign in HIGH_SIGNS else 0
        late = small[: len(small) - num_own]
        if sign == "-":
            hyphen = max(numbers, key=sizes.__getitem__)
            late = [number for number in small if number != hyphen]
        dots += [number for number in late if sizes[number] <= MAX_DOT_SIZE]
    return sorted(dots)


def _stem_of_dotted(letters: LetterStrokes, index: int, x_height: float) -> Stem | None:
    """Return the stem of an `i` or `j`; None if it has none."""
    max_height = MAX_I_STEM_HEIGHT if letters.text[index] == "i" else math.inf
    # The window may leave the letter while the pen is still on the way up to its stem.
    for lag in (0, MAX_LAG):
        if stems := stems_of(letters, index, x_height, max_height, lag):
            stem = stems[-1]  # One before it is of the letter before.
            x, y = stem.points.T
            high = int(np.flatnonzero(y <= y[0] + MAX_SINKING * (y[-1] - y[0]))[-1])
            is_way = x[high] - x[0] > y[high] - y[0]  # to the stem, as the arm of an `r`
            return stem._replace(points=stem.points[high * is_way :])
    return None


def _offset_from(stem: Stem, dot: np.ndarray, x_height: float, lean: float) -> tuple[float, float]:
    """Return how many x-heights a dot is to the right of a stem that is extended upwards, and how
    many above the stem."""
    x, y = (dot.mean(0) - stem.points[0]) / x_height
    return x + lean * y, -y  # The stem leans to the right upwards, where y is negative.


def _moved_dot(dot: np.ndarray, stem: Stem, x_height: float, lean: float) -> np.ndarray:
    """Return a dot no larger than `DOT_LIMITS`, above its stem if it was further aside than
    `MAX_DOT_ASIDE`, and at least `MIN_DOT_GAP` above its top."""
    aside, _ = _offset_from(stem, dot, x_height, lean)
    middle = dot.mean(0)
    shift = aside * x_height if abs(aside) > MAX_DOT_ASIDE else 0.0
    width = np.ptp(dot[:, 0] + lean * dot[:, 1])  # of the upright dot
    length = np.hypot(*np.ptp(dot, axis=0))
    factor = 1.0 / max(1.0, *(np.array([width, length]) / x_height / DOT_LIMITS))
    dot = middle + (dot - middle) * factor - (shift, 0.0)
    lowest = stem.points[0, 1] - MIN_DOT_GAP * x_height
    lift = max(dot[:, 1].max() - lowest, 0.0)
    return dot + lift * np.array([lean, -1.0])


def _is_second_dot(letters: LetterStrokes, number: int, x_height: float) -> bool:
    """Return whether a small stroke is needless where each `i` and `j` has its dot."""
    is_dot = _may_be_dot(letters, number, x_height, UNDOTTED | {*"ij "})
    return not is_dot and _is_needless(letters, number, x_height)


def _may_be_dot(
    letters: LetterStrokes, number: int, x_height: float, undotted: Set[str] = UNDOTTED
) -> bool:
    """Return whether a small stroke may be needed: its characters may have a dot, or it is behind
    the text, or near a character beyond ASCII, or beside a sign without other ink. One made behind
    a word that is larger than dots is not."""
    text = letters.text
    indices = letters.indices
    first = int(indices[number].min())
    end = int(indices[number].max()) + 1
    signs = text[first:end]
    if signs and SIGNS_AT_END.issuperset(signs):
        before = [stroke[each < first] for stroke, each in letters.pairs() if (each < first).any()]
        right = letters.strokes[number][:, 0].max() + MAX_DOT_SIZE * x_height
        # The end of a word may reach over its full stop or comma.
        is_no_stop = {*";:!?"}.issuperset(signs) or _is_above(letters, number, x_height)
        if before and right < span(before).right and is_no_stop:
            return False  # A stray dot, made while the window is at the sign behind the word.
    near = text[max(first - MAX_DELAY, 0) : end + MAX_DELAY]
    if not near.isascii():
        return True
    size = np.ptp(letters.strokes[number], axis=0).max() / x_height
    characters = set(f"{text} "[first:end])
    if (characters - {" "} if size > MAX_DOT_SIZE else characters) - undotted:
        return True
    # The signs beside the stroke's characters may have no ink.
    beside = {k for k in (first - 1, end) if text[k : k + 1] not in {*UNDOTTED, *"ij ", ""}}
    return bool(beside.difference(*indices))


def _is_needless(letters: LetterStrokes, number: int, x_height: float) -> bool:
    """Return whether a stroke is a touch of the pen, or small and above letters, but no larger than
    a dot where it may be an arm or a bar of a letter."""
    dot = letters.strokes[number] / x_height
    max_size = MAX_TICK_SIZE
    if _are_whole_without(letters, number):
        max_size = MAX_STRAY_BAR if _is_over_others(letters, number) else MAX_STRAY_SIZE
    size = np.ptp(dot, axis=0).max()
    is_touch = size < MIN_DOT_SIZE
    return bool(is_touch or (size <= max_size and _is_above(letters, number, x_height)))


def _is_above(letters: LetterStrokes, number: int, x_height: float) -> bool:
    """Return whether a small stroke is above letters, and clear of ink."""
    dot = letters.strokes[number] / x_height
    others = [stroke / x_height for k, stroke in enumerate(letters.strokes) if k != number]
    ink = np.concatenate([dot[:0], *at_steps(others, MIN_STRAY_GAP)])
    near = ink[np.abs(ink[:, 0] - dot[:, 0].mean()) <= 1.0]
    if not len(near):
        return False
    lowest = np.quantile(near[:, 1], 0.75) - MIN_STRAY_RISE
    if dot[:, 1].max() > lowest:
        return False
    return bool(np.hypot(*(near[:, None] - dot).T).min() > MIN_STRAY_GAP)


def _are_whole_without(letters: LetterStrokes, number: int) -> bool:
    """Return whether the letters that a stroke may be of are of `ONE_STROKE`, and the stroke's own
    letter has other ink. The window may be at the next letter while the pen ends a letter."""
    indices = letters.indices[number]
    owner = int(np.bincount(indices).argmax())
    first = max(int(indices.min()) - 1, 0)  # of the letter before
    near = letters.text[first : int(indices.max()) + 1]
    has_ink = any((other == owner).any() for k, other in enumerate(letters.indices) if k != number)
    return has_ink and ONE_STROKE.issuperset(filter(str.isalnum, near))


def _is_over_others(letters: LetterStrokes, number: int) -> bool:
    """Return whether a stroke is flat, and over letters of `ONE_STROKE` alone."""
    left, right = span([letters.strokes[number]])
    over = set()
    for stroke, indices in letters.pairs():
        over |= {*indices[(stroke[:, 0] >= left) & (stroke[:, 0] <= right)]}
    is_bar = is_flat(letters.strokes[number])
    characters = {f"{letters.text} "[index] for index in over}
    return is_bar and ONE_STROKE.issuperset(filter(str.isalnum, characters))
