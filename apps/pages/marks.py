"""Marks and bars of letters beyond ASCII, drawn on the letters that a network writes.

A network knows `e` far better than `é`: it joins an `e` to its neighbours, and seldom misforms it.
So the words of a page are written in plain letters, and their marks are drawn as in composed lines:
`data_loader/synthetic/composed/accents.py` has the shapes of marks and the pen.
"""

from collections.abc import Sequence, Set
from dataclasses import replace

import numpy as np

from apps.pages.drawn_signs import STAND_INS
from apps.pages.hand_shape import MEAN_STEP
from apps.pages.letter_dots import MAX_DOT_SIZE, with_visible_dot
from apps.pages.letter_strokes import LetterStrokes
from apps.pages.repairs import MARK_GAPS, with_marks_near
from apps.pages.transliteration import MU, MU_WITHOUT_LEG
from apps.pages.written_word import WrittenWord, span
from data_loader.pen_paths import from_strokes, moved, slanted, to_strokes
from data_loader.synthetic.composed.accents import (
    COMMA_ABOVE_RIGHT,
    COMMA_BELOW,
    DIAERESIS,
    MARKS_BELOW,
    OGONEK,
    MarkPen,
    UnusablePiece,
    base_and_mark,
    combining,
)
from data_loader.synthetic.composed.cutting import X_HIGH_LETTERS
from data_loader.synthetic.texts.european import ACCENTED_LETTERS
from ink.alphabet import Alphabet
from ink.geometry import at_equal_steps, path_along
from ink.measures import ring_area

_BASES = {letter: base_and_mark(letter)[0] for letter in ACCENTED_LETTERS}
PLAIN = {letter: base for letter, base in _BASES.items() if base.isascii()}
"""For each character that is not written by a network itself, what the network writes: the letter
without its mark or bar, or a stand-in."""
PLAIN[MU] = MU_WITHOUT_LEG  # Its mark is a leg.
MARKED = frozenset(PLAIN) - STAND_INS.keys()
"""The letters to which a mark or a bar is drawn."""
PLAIN |= STAND_INS
LAGS = (0.2, 0.3, 0.4, 0.5, 0.6)
"""Fractions of a letter's points by which the pen reaches the letter later than the window does:
the first (notebook: pages, marks that are drawn), or the one with most of the ring of an `ø`."""
MIN_OWN_HEIGHT = 0.5  # of a letter's own strokes, in heights of its part of a joined one (by eye)
MAX_BEFORE = 0.1  # fraction of the points of a letter's own stroke before the letter (as `LAGS`)
MAX_BEHIND = 0.3  # fraction of the points of a letter's own stroke behind the letter (as `LAGS`)
TALL = 1.8  # x-heights of a stem that stands for a tall letter, to place its mark (by eye)
MIN_CLEARANCE = 0.19  # least x-heights from a mark to other ink (as `LAGS`)
MIN_DOTS_APART = 0.36  # x-heights between the ink of the dots of an `ü` (by eye: as `MARK_GAPS`)
RING, BREVE, CEDILLA = map(combining, ("ring above", "breve", "cedilla"))
LEAST_WIDTHS = {RING: 0.42, BREVE: 0.62}
"""In x-heights (by eye: a smaller ring looks like a dot, a narrower breve like a caron)."""
MIN_SHARE = 0.5
"""Of the points and of the height of a letter's largest part of a joined stroke in another part
(by eye)."""
SHIFTS = np.linspace(0.0, 1.2, 25)  # x-heights by which a mark may be moved (by eye)
MAX_ASIDE = 0.4  # x-heights by which a mark above a letter may be moved to its sides (by eye)
ASIDE_COST = 0.15
"""X-heights by which it is rather moved upwards than to a side (by eye: above the top of a `t` it
looks as if it were that letter's)."""
DENSE_STEP = 0.05  # x-heights between points whose distances are measured (assumed)
USUAL_WIDTH = 0.9  # x-heights of a small letter, by which marks are as wide as drawn (assumed)
MAX_SMALL_TOP = 1.35  # x-heights to which a small letter reaches in a stroke with others (by eye)
MAX_FOOT = 0.15  # x-heights from the baseline down to the feet of letters (by eye)
MIN_DOT_RISE = 0.9  # x-heights from the baseline up to a dot that a mark replaces (by eye)
MIN_TAIL_HEIGHT = 0.5  # least height of a mark below a letter in x-heights (by eye)
MIN_TAIL_DEPTH = 0.38
"""X-heights that such a mark reaches below the ink beside it (by eye: less is hidden)."""
MARK_SIDE = 0.15  # x-heights from a mark to ink beside it (by eye: about the pen's line)
MAX_LOW = 0.3  # x-heights from the baseline down to such ink (by eye: lower is a tail)
BAR_HEIGHT = 0.6  # of the middle of the bar of `ł`, in heights of the letter (by eye)
BAR_RISE = 0.3  # x-heights from an end of this bar to its middle (by eye: a flat one makes a `t`)
BAR_SIDES = np.linspace(0.2, 0.5, 7)  # x-heights from the stem or loop of `ł` to an end of its bar
BAR_TURNS = np.linspace(0.0, 0.3, 4)  # x-heights by which an end may be nearer to `BAR_HEIGHT`
END_CLEARANCE = 0.25
"""Least x-heights from such an end to the letter (by eye: in a loop, or on the way to it, a shorter
bar is hidden)."""


MU_LEG = (-0.5, 0.9)  # x-heights from the baseline down to the ends of the leg of a `µ` (by eye)


def plain(text: str, alphabet: Alphabet) -> str:
    """Return a text as a network writes it: without the marks and bars of letters that its alphabet
    knows without them, and with stand-ins for signs that are drawn."""
    written = ""
    for character in text:
        base = PLAIN.get(character, character)
        written += character if alphabet.unknown(base) else base
    return written


def without_marks(text: str) -> str:
    """Return a text with the letters under its marks, in the shapes of which nothing is drawn."""
    return "".join(PLAIN[each] if each in MARKED else each for each in text)


def with_marks(
    word: WrittenWord, unmarked: Set[str], lean: float, mean_step: float = MEAN_STEP
) -> WrittenWord:
    """Return a word in x-heights, which has `indices`, with marks on its `unmarked` letters.
    `lean`: how far downstrokes lean to the right, x over y. `mean_step`: x-heights from point to
    point of a mark."""
    unmarked = unmarked & MARKED
    if unmarked.isdisjoint(word.text) or not word.strokes:
        return word
    letters = LetterStrokes(word.text, [*word.strokes], [*word.indices])
    wanted = [index for index, character in enumerate(word.text) if character in unmarked]
    for index in wanted:
        _, mark = base_and_mark(word.text[index])
        if PLAIN[word.text[index]] in "ij" and mark != OGONEK:
            letters = _without_dot(letters, index)
    ink = to_strokes(slanted(from_strokes(letters.strokes), -lean))
    added: list[tuple[int, int, np.ndarray]] = []
    for index in wanted:
        character = word.text[index]
        if parts := _parts(letters, index):
            letter = slanted(from_strokes([*map(_dense, parts.values())]), -lean)
            generator = np.random.default_rng([index, len(letter)])
            pen = MarkPen(lean, USUAL_WIDTH, mean_step, generator)
            upright_mark = _mark(pen, _body(letter, character), character, ink)
            mark = slanted(upright_mark, lean)
            strokes = map(with_visible_dot, to_strokes(mark) if len(mark) else [])
            added += [(max(parts), index, stroke) for stroke in strokes]
    letters = letters.with_added(added)
    strokes = tuple(with_marks_near(letters))  # An ogonek may reach the sign behind its letter.
    width = span(strokes).right
    return replace(word, strokes=strokes, indices=tuple(letters.indices), width=width)


def _without_dot(letters: LetterStrokes, index: int) -> LetterStrokes:
    """Return letters without the dots of a letter, unless it has no other ink."""
    dots = set()
    for number in letters.numbers_of(index):
        stroke = letters.strokes[number]
        is_small = np.ptp(stroke, axis=0).max() <= MAX_DOT_SIZE
        if is_small and stroke[:, 1].max() <= -MIN_DOT_RISE:
            dots.add(number)
    remaining = [number for number in range(len(letters.strokes)) if number not in dots]
    has_stem = any((letters.indices[number] == index).any() for number in remaining)
    return letters.selected(remaining) if has_stem else letters


def _parts(letters: LetterStrokes, index: int) -> dict[int, np.ndarray]:
    """Return the points of a letter by the numbers of their strokes: its own strokes, or else its
    parts of strokes that join it to its neighbours."""
    own = {}
    joined = {}
    for number, (stroke, indices) in enumerate(letters.pairs()):
        points = np.flatnonzero(indices == index)
        is_own = np.bincount(indices).argmax() == index
        before = np.mean(indices < index)
        behind = np.mean(indices > index)
        if is_own and before <= MAX_BEFORE and behind <= MAX_BEHIND:
            own[number] = stroke
        elif len(points):
            first = points[0]
            end = points[-1] + 1
            lags = LAGS if letters.text[index] == "ø" else LAGS[:1]
            parts = []
            for lag in lags:
                late = round(lag * len(points))
                start = first + late if first else 0  # The stroke may begin with the letter.
                parts.append(stroke[start : end + late])
            joined[number] = max(filter(len, parts), key=lambda part: ring_area([part]))
    # The end of the stroke before, at which the window is early, is not that letter.
    most = max(map(len, joined.values()), default=0)
    highest = _height(joined)
    joined = {
        number: part
        for number, part in joined.items()
        if len(part) >= MIN_SHARE * most and np.ptp(part[:, 1]) >= MIN_SHARE * highest
    }
    # A bar that was drawn late, while the window was at the next letter, is not that letter.
    has_own_height = _height(own) >= MIN_OWN_HEIGHT * _height(joined)
    return own if own and has_own_height else joined


def _height(parts: dict[int, np.ndarray]) -> float:
    """Return the height of the highest part, 0 without any."""
    return max((np.ptp(part[:, 1]) for part in parts.values()), default=0.0)


def _is_small(character: str) -> bool:
    """Return whether a letter, without its mark, is as high as an `x`."""
    return PLAIN[character] in X_HIGH_LETTERS | set("gijy")


def _body(letter: np.ndarray, character: str) -> np.ndarray:
    """Return the path of a letter without tails, and without tops of its neighbours' strokes."""
    y = letter[:, 1]
    top = -MAX_SMALL_TOP if _is_small(character) else -np.inf
    body = letter[(y <= MAX_FOOT) & (y >= top)]
    return body if len(body) else letter


def _stem(letter: np.ndarray, character: str) -> np.ndarray:
    """Return the path of a stem in the middle of a letter, from its usual top to the baseline."""
    top = 1.0 if _is_small(character) else TALL
    first = [np.median(letter[:, 0]), 0.0, letter[0, 2]]
    path = np.repeat([first], 20, axis=0)  # dense enough to place a mark on it
    path[:, 1] = np.linspace(-top, 0.0, len(path))
    return path


def _mark(
    pen: MarkPen, letter: np.ndarray, character: str, ink: Sequence[np.ndarray]
) -> np.ndarray:
    """Return the upright path of a letter's mark; a mark above a letter does not touch the word's
    ink. A stem stands for a letter that has no place for the mark."""
    _, kind = base_and_mark(character)
    if character in "łŁ":
        return _bar_of_l(pen, letter)
    if character == MU:
        # The highest stroke: the bar of a 7 before it may be made late.
        letter = max(to_strokes(letter), key=lambda stroke: np.ptp(stroke[:, 1]))
        top, foot = MU_LEG
        left = letter[letter[:, 1] < top, 0].min(initial=letter[:, 0].max())
        return pen.straight_stroke((left, top), (left, foot))
    try:
        mark = pen.mark_on(letter, character)
    except UnusablePiece:
        mark = pen.mark_on(_stem(letter, character), character)
    if mark is None:  # of `ı`, which has none
        return letter[:0]
    if kind in MARKS_BELOW:
        first = mark[mark[:, 1].argmin()] * (1, 1, 0)  # its highest point, without the lift
        height = max(_low_beside(mark, ink) - first[1] + MIN_TAIL_DEPTH, MIN_TAIL_HEIGHT)
        factor = max(height / np.ptp(mark[:, 1]), 1.0)
        mark = first + (mark - first) * (factor, factor, 1.0)
        if kind == CEDILLA:  # The foot of a letter goes on to the next one.
            x, y, _ = letter.T
            upper = x[y <= (y.min() + y.max()) / 2]
            mark = moved(mark, (upper.min() + upper.max()) / 2 - first[0], 0.0)
        if kind == COMMA_BELOW:  # The others touch their letters.
            mark = _clear(mark, ink, np.outer(SHIFTS, (0.0, 1.0)), MARK_GAPS[0])
    elif kind == COMMA_ABOVE_RIGHT:
        mark = _clear(mark, ink, np.outer(SHIFTS, (1.0, 0.0)))
    elif kind:
        mark = _clear(_as_seen(mark, kind), ink, _shifts_above())
    return mark


def _as_seen(mark: np.ndarray, kind: str) -> np.ndarray:
    """Return a mark above a letter with its dots apart, its ring open or its breve wide enough."""
    if kind == DIAERESIS:
        left, right = to_strokes(mark)
        lack = max(MIN_DOTS_APART - (right[:, 0].min() - left[:, 0].max()), 0.0)
        shift = np.array([lack / 2, 0.0])
        return from_strokes([left - shift, right + shift])
    if kind not in LEAST_WIDTHS:
        return mark
    left, right = span([mark])
    foot = np.array([(left + right) / 2, mark[:, 1].max(), 0.0])
    factor = max(LEAST_WIDTHS[kind] / (right - left), 1.0)
    return foot + (mark - foot) * (factor, factor if kind == RING else 1.0, 1.0)


def _low_beside(mark: np.ndarray, ink: Sequence[np.ndarray]) -> float:
    """Return the y of the lowest feet of a word's ink at most `MARK_SIDE` beside a mark."""
    left, right = span([mark])
    points = np.concatenate([mark[:1, :2], *map(_dense, ink)])
    is_beside = (points[:, 0] >= left - MARK_SIDE) & (points[:, 0] <= right + MARK_SIDE)
    return float(points[is_beside & (points[:, 1] <= MAX_LOW), 1].max(initial=-np.inf))


def _bar_of_l(pen: MarkPen, letter: np.ndarray) -> np.ndarray:
    """Return the path of a bar through the stem, or the loop, of an `l` or `L`; its ends are clear
    of the letter's ink."""
    x, y, _ = letter.T
    middle = BAR_HEIGHT * y.min()
    near = np.abs(y - middle) <= BAR_RISE
    edges = x[near] if near.any() else x
    ends = []
    for edge, direction in ((edges.min(), -1.0), (edges.max(), 1.0)):
        end = np.array([(edge, middle - direction * BAR_RISE)])
        shifts = direction * _shifts_outwards()
        ends += [*end + _clear_shift(end, to_strokes(letter), shifts, END_CLEARANCE)]
    return pen.straight_stroke(*ends)


def _shifts_outwards() -> np.ndarray:
    """Return shifts of the right end of a bar, to the right and downwards, the least ones first."""
    shifts = np.stack(np.meshgrid(BAR_SIDES, BAR_TURNS), -1).reshape(-1, 2)
    return shifts[shifts.sum(1).argsort(kind="stable")]


def _shifts_above() -> np.ndarray:
    """Return shifts of a mark above a letter, upwards and to the sides, the least ones first."""
    aside = SHIFTS[SHIFTS <= MAX_ASIDE]
    upwards = np.outer(SHIFTS, (0.0, -1.0))
    shifts = np.concatenate([upwards, np.outer([*aside, *-aside], (1.0, 0.0))])
    costs = np.abs(shifts).sum(1) + ASIDE_COST * (shifts[:, 0] != 0.0)
    return shifts[costs.argsort(kind="stable")]


def _clear(
    mark: np.ndarray,
    ink: Sequence[np.ndarray],
    shifts: np.ndarray,
    clearance: float = MIN_CLEARANCE,
) -> np.ndarray:
    """Return a mark moved by the first of the shifts, `(n, 2)`, with which it is at a `clearance`
    from other ink, or by that with which it is furthest from it."""
    points = np.concatenate([*map(_dense, to_strokes(mark))])
    return moved(mark, *_clear_shift(points, ink, shifts, clearance))


def _clear_shift(
    points: np.ndarray, ink: Sequence[np.ndarray], shifts: np.ndarray, clearance: float
) -> np.ndarray:
    """Return the first of the shifts, `(n, 2)`, with which points, `(points, 2)`, are at a
    `clearance` from other ink, or that with which they are furthest from it."""
    others = np.concatenate([*map(_dense, ink)])
    clearances = [np.hypot(*(points[:, None] + shift - others).T).min() for shift in shifts]
    best = int(np.minimum(clearances, clearance).argmax())  # the first of several
    return shifts[best]


def _dense(stroke: np.ndarray) -> np.ndarray:
    """Return points along a stroke, at most `DENSE_STEP` apart."""
    path = path_along(stroke)
    if not path[-1]:  # a dot
        return stroke
    return at_equal_steps(stroke, path, int(path[-1] / DENSE_STEP) + 1)
