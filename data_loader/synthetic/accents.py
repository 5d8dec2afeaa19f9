"""Letters and signs beyond ASCII in a recorded hand: its own letters, and marks drawn to them.

Nobody recorded them, so the marks and the few characters that have no base are drawn: polylines,
varied, bent into curves and sampled like strokes of the hand. A hand draws a mark in the same one
of several ways each time, and about as large. All constants were assumed and checked by
eye, in sheets of every letter in several hands, unless they say how they were measured.

Lengths are in x-heights, y from the baseline downwards. Drawing is upright; the slant comes last.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from data_loader.synthetic.bank import BankHand
from data_loader.synthetic.cutting import SMALL, Piece
from data_loader.synthetic.european import LETTERS, SIGNS
from data_loader.synthetic.paths import from_left, from_strokes, overlap, to_strokes
from utils.ink import at_equal_steps, bezier, path_along

Shape = Sequence[Sequence[tuple[float, float]]]
"""Strokes in the order of writing, each by points of a smooth curve; one point is a dot."""

TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def combining(name: str) -> str:
    """Return the combining mark of a name, such as "ogonek"."""
    return unicodedata.lookup(f"combining {name}")


MARKS: Mapping[str, Sequence[Shape]] = {
    combining(name): variants for name, variants in TABLES["marks"].items()
}
"""Ways of drawing the marks, drawn from what they stand on (or, below, hang from) at the origin.
They and `SHAPES` are this project's own polylines, of what people write, in an upright hand."""
SHAPES: Mapping[str, Sequence[Shape]] = TABLES["shapes"]
"""Ways of drawing letters and signs that have no base, for tall letters of two x-heights."""
INSTEAD: Mapping[str, str] = {
    letter: combining(name) for name, letters in TABLES["instead"].items() for letter in letters
}
"""Marks of letters that are written otherwise than they decompose."""
ALIKE: Mapping[str, str] = TABLES["alike"]
"""Signs for which half of the hands write the one of ASCII."""
BARRED: Mapping[str, str] = TABLES["barred"]
"""Letters that have a stroke through another."""
BANDS: Mapping[str, tuple[float, float]] = TABLES["bands"]
"""Between which heights, as shares of a letter's, the stroke passes in the middle of them."""
PAIRS: Mapping[str, str] = TABLES["pairs"]
"""Letters that are two; before the E of Æ stand a leg and a bar instead of A."""
FROM_SIGN: Mapping[str, str] = TABLES["from sign"]
"""Signs that are made of others, moved or turned."""
BESIDE, OGONEK, COMMA_BELOW = map(combining, ("comma above right", "ogonek", "comma below"))
HANGING = {combining("cedilla"), COMMA_BELOW, OGONEK}
"""Marks below a letter."""

Base = Callable[[str], Piece | None]
"""Gives an ASCII character in the hand; None if there is none."""

MADE = frozenset(LETTERS + SIGNS)
"""The characters that can be made."""

SPREAD = 0.04
"""How far a point of a shape strays, in lengths of its shape's diagonal; at most `FURTHEST`."""
FURTHEST = 0.04
SIZE, TURN = 0.1, 0.07
"""Standard deviations of the logarithm of a shape's sizes and of its angle in radians, once for a
hand and once for each time."""
STRAY = 0.05
"""Standard deviation of a mark's place."""
TREMOR = 0.006
"""Standard deviation of each point."""
DOTS = (0.0, 0.12)
"""Extents of the short stroke that makes a dot (measured: half of the dots of `i` in IAM-OnDB's
training lines, 0.04 to 0.11 wide and 0.04 to 0.14 high)."""
EXTRA = 2.0
"""Points of a short stroke beyond those of its length at the hand's speed, since the pen starts and
ends slowly (measured in IAM-OnDB: 4 steps where the length is that of 1 to 4, 8 where it is 6)."""
CORNER = 0.06
"""Time that the pen takes to turn by a radian, in that of x-heights of path."""
CLEAR = (0.14, 0.4)
"""Distance of a mark from the small letter below it; above tall ones it is less."""
TOUCH = (0.05, 0.15)
"""How far a letter reaches into the one before it where they are one."""
LOW_TOP = 1.45
"""Height above which ink is that of a tall letter."""
LEAST, LOWEST = 0.6, -0.2
"""How high, and how low, a letter must reach at least: else it lacks a stroke. If one without an
ascender is tall, it has another's."""
SEEN = 0.12
"""How far a mark below a letter must reach below its ink."""
HIGHEST, DEEPEST = 1.5, 2.0
"""How high, in heights of the hand's tall letters, and how low in x-heights others may reach."""
TURNED_TOP = (0.9, 1.3)
"""Where ¿ and ¡ begin above the baseline."""
ELLIPSIS_GAP = (0.25, 0.5)
"""Distance of the dots of an ellipsis."""
DOT_FLOOR, DOT_SIZE = 0.95, 0.6
"""Where the dot of `i` and `j` begins, and its largest extent (measured: 95 % of dots are above
1.1 and within 0.33)."""


class ShapeDrawer:
    """Draws upright shapes in a hand.

    Args:
        hand: whose size, slant and speed they take.
        generator: of what varies from one time to the next.

    Attributes:
        habit: of what is the same whenever the hand writes.
        wide: factor on the width of shapes.
    """

    def __init__(self, hand: BankHand, generator: np.random.Generator) -> None:
        self.hand, self.generator = hand, generator
        self.wide = float(np.clip(hand.width, 0.7, 1.4)) ** 0.5
        self.habit = np.random.default_rng([int(1e6 * abs(hand.slant)), int(1e6 * hand.speed)])

    def vary(self, deviation: float) -> float:
        """Return a deviation that is half the hand's own."""
        return deviation * (self.habit.standard_normal() + self.generator.standard_normal())

    def between(self, low: float, high: float) -> float:
        """Return a value between two, which is nearly the same each time the hand writes."""
        share = 0.7 * self.habit.random() + 0.3 * self.generator.random()
        return low + (high - low) * share

    def draw(self, variants: Sequence[Shape], wide: float = 1.0) -> list[np.ndarray]:
        """Return the strokes of a shape around its origin, of several the one that the hand has."""
        shape = variants[int(self.habit.integers(len(variants)))]
        corners = np.concatenate([np.array(stroke) for stroke in shape])
        stray = min(SPREAD * float(np.hypot(*np.ptp(corners, axis=0))), FURTHEST)
        angle, size = self.vary(TURN), self.vary(SIZE)
        scale = np.exp([size + self.vary(SIZE / 2), size]) * (wide, 1.0)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        strokes = []
        for stroke in shape:
            points = np.array(stroke) * scale @ turn.T
            points += stray * self.generator.standard_normal(points.shape)
            strokes.append(self.stroke(points))
        return strokes

    def stroke(self, points: np.ndarray) -> np.ndarray:
        """Return a stroke along a curve through points, sampled like the hand's."""
        if len(points) == 1:
            extent = self.generator.uniform(*DOTS, size=2) * (self.generator.choice((-1, 1)), 1)
            points = points + np.outer((-0.5, 0.5), extent)
        curve = _curve(points)
        turns = np.abs(np.diff(np.unwrap(np.arctan2(*np.diff(curve, axis=0).T))))
        clock = path_along(curve) + CORNER * np.pad(turns, 1).cumsum()
        extra = EXTRA * self.generator.uniform(0.3, 1.0)
        count = max(2, round(clock[-1] / self.hand.speed + extra))
        # Where the pen is at equal times, slower at both ends as well.
        share = clock / clock[-1]
        clock = share + 0.6 * np.sin(2 * np.pi * share) / (2 * np.pi)
        found = at_equal_steps(curve, clock, count)
        return found + TREMOR * self.generator.standard_normal(found.shape)


def _curve(points: np.ndarray) -> np.ndarray:
    """Return many points of the smooth curve through some."""
    t = np.linspace(0, 1, 12)[:, None, None]
    a, b, c, d = bezier(points).transpose(1, 0, 2)
    along = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    return np.concatenate([a[:1], along[1:].transpose(1, 0, 2).reshape(-1, 2)])


Strokes = list[np.ndarray]


def _strokes(piece: Piece, slant: float) -> Strokes:
    """Return the upright strokes of a piece."""
    return to_strokes(piece.path + np.outer(piece.path[:, 1], (slant, 0.0, 0.0)))


def _moved(strokes: Strokes, x: float, y: float) -> Strokes:
    return [stroke + np.array([x, y]) for stroke in strokes]


def _middle(x: np.ndarray) -> float:
    """Return the middle of points but for a few at both ends, such as of strokes that join."""
    return float(np.quantile(x, (0.08, 0.92)).mean())


def undotted(strokes: Strokes) -> Strokes | None:
    """Return the strokes of `i` or `j` without their dot; None if it cannot be separated."""
    dots = [
        k
        for k, stroke in enumerate(strokes)
        if stroke[:, 1].max() < -DOT_FLOOR and np.ptp(stroke, axis=0).max() < DOT_SIZE
    ]
    rest = [stroke for k, stroke in enumerate(strokes) if k not in dots]
    if len(dots) != 1 or not rest or np.concatenate(rest)[:, 1].min() < -LOW_TOP:
        return None
    return rest


def _plausible(letter: str, strokes: Strokes, pen: ShapeDrawer) -> bool:
    """Return whether strokes are as high as those of a letter, so that others' are not with it."""
    y = np.concatenate(strokes)[:, 1]
    highest = LOW_TOP if letter in SMALL | set("gy") else HIGHEST * pen.hand.tall
    return LEAST <= -y.min() <= highest and LOWEST < y.max() < DEEPEST


def _above(pen: ShapeDrawer, strokes: Strokes, mark: str) -> Strokes:
    """Return a mark above a letter, in its middle."""
    x, y = np.concatenate(strokes).T
    top = y.min()
    upper = x[y < 0.5 * top]
    narrow = 0.8 if np.ptp(upper) < 0.3 else 1.0
    drawn = pen.draw(MARKS[mark], narrow * pen.wide)
    middle = _middle(upper) + pen.vary(STRAY)
    reach = np.ptp(np.concatenate(drawn)[:, 0]) / 2 + 0.1
    # What is under the mark, but not as low as between the arms of U.
    under = min(y[np.abs(x - middle) < reach].min(initial=0.0), 0.93 * top)
    clear = pen.between(*CLEAR) * (0.6 if -top > LOW_TOP else 1.0)
    return _moved(drawn, middle, under - clear)


def _below(pen: ShapeDrawer, strokes: Strokes, mark: str) -> Strokes:
    """Return a mark below a letter."""
    x, y = np.concatenate(strokes).T
    drawn = pen.draw(MARKS[mark])
    low = y > 0.4 * y.min()
    middle = _middle(x[low])
    if mark == OGONEK:
        # At the right foot.
        right = np.flatnonzero(x >= middle - 0.15)
        feet = right[y[right] > y[right].max() - 0.15]
        at = feet[(x + y)[feet].argmax()]
        return _moved(drawn, float(x[at]), float(y[at]))
    near = low & (np.abs(x - middle) < 0.25)
    bottom = float(y[near].max(initial=-0.1))
    clear = pen.between(0.08, 0.2) if mark == COMMA_BELOW else 0.0
    return _moved(drawn, middle + pen.vary(STRAY / 2), bottom + clear)


def _beside(pen: ShapeDrawer, strokes: Strokes, mark: str) -> Strokes:
    """Return a mark at the upper right of a letter."""
    x, y = np.concatenate(strokes).T
    drawn = pen.draw(MARKS[mark])
    right = x[y < 0.7 * y.min()].max()
    left = np.concatenate(drawn)[:, 0].min()
    return _moved(drawn, right - left + pen.between(0.06, 0.22), y.min() + pen.vary(STRAY))


def _line(pen: ShapeDrawer, start: tuple[float, float], stop: tuple[float, float]) -> Strokes:
    """Return a nearly straight stroke from one place to another."""
    start, stop = np.array(start), np.array(stop)
    half = (stop - start) / 2
    return _moved(pen.draw([[[-half, 0 * half, half]]]), *(start + half))


def _barred(pen: ShapeDrawer, strokes: Strokes, one: str) -> Strokes:
    """Return the stroke through a letter."""
    x, y = np.concatenate(strokes).T
    top = float(y.min())
    if one in "øØ":
        left, right = np.quantile(x, (0.08, 0.92))
        middle, half = (left + right) / 2, min(right - left, -top) / 2 + 0.15
        ends = [(middle + half, top - 0.12), (middle - half, max(y.max(), 0.0) + 0.12)]
    else:
        low, high = BANDS[one]
        # Of small letters only what is above the bowl.
        low_edge = min(low * top, -1.1) if one in "đħ" else low * top
        band = x[(y < low_edge) & (y > high * top)]
        if not len(band):
            return []
        left, right = np.quantile(band, (0.05, 0.95))
        at = top * (low + high) / 2
        if one in "łŁ":
            ends = [((left + right) / 2 - 0.25, at + 0.16), ((left + right) / 2 + 0.28, at - 0.18)]
        elif one == "Ħ":
            ends = [(left - 0.2, at), (right + 0.22, at - 0.04)]
        else:
            stem = left if one in "ĐÐ" else (left + right) / 2
            ends = [(stem - 0.28, at), (stem + 0.32, at - 0.04)]
    if one in "øØ" and pen.habit.random() < 0.3:
        ends.reverse()
    return _line(pen, *ends)


def _lettered(one: str, base: Base, pen: ShapeDrawer) -> tuple[Strokes, bool] | None:
    """Return a letter with its mark, and whether it was cut off from the character before."""
    decomposed = unicodedata.normalize("NFD", one)
    plain = {**BARRED, "ı": "i"}.get(one, decomposed[0])
    if (piece := base(plain)) is None:
        return None
    strokes = _strokes(piece, pen.hand.slant)
    mark = INSTEAD.get(one, decomposed[1:])
    if plain in "ij" and mark != OGONEK and (strokes := undotted(strokes)) is None:
        return None
    if not _plausible(plain, strokes, pen):
        return None
    if one in BARRED:
        if not (added := _barred(pen, strokes, one)):
            return None
    elif not mark:
        added = []
    elif mark == BESIDE:
        added = _beside(pen, strokes, mark)
    elif mark in HANGING:
        added = _below(pen, strokes, mark)
        lowest, below = (max(stroke[:, 1].max() for stroke in some) for some in (strokes, added))
        if below < lowest + SEEN:
            return None
    else:
        added = _above(pen, strokes, mark)
    return strokes + added, piece.opens


def _ligature(one: str, base: Base, pen: ShapeDrawer) -> tuple[Strokes, bool] | None:
    """Return two letters in one."""
    slant, found, opens = pen.hand.slant, [], False
    for letter in PAIRS[one]:
        piece = base(letter)
        if piece is None or not _plausible(letter, strokes := _strokes(piece, slant), pen):
            return None
        if found:
            # Upright, since the slant is the same for both.
            shift = overlap(np.concatenate(found), np.concatenate(strokes))
            strokes = _moved(strokes, shift - pen.between(*TOUCH), 0.0)
        else:
            opens = piece.opens
        found = found + strokes
    if one != "Æ":
        return found, opens
    # A leg and a bar before E.
    x, y = np.concatenate(found).T
    top = float(y.min())
    upper, half = (x[y < share * top].min() for share in (0.7, 0.4))
    run = pen.between(0.45, 0.65) * -top
    leg = _line(pen, (upper + 0.05, top), (upper - run, 0.0))
    bar = _line(pen, (upper - 0.6 * run - 0.05, 0.4 * top), (half + 0.1, 0.4 * top))
    return leg + found + bar, False


def _from_sign(one: str, base: Base, pen: ShapeDrawer) -> tuple[Strokes, bool] | None:
    """Return a sign that is made of one of ASCII."""
    times = 3 if one == "…" else 1
    pieces = [base(FROM_SIGN[one]) for _ in range(times)]
    if None in pieces:
        return None
    found: Strokes = []
    for piece in pieces:
        strokes = _strokes(piece, pen.hand.slant)
        if FROM_SIGN[one] == ".":
            middle = np.concatenate(strokes)[:, 1].mean()
            level = (-0.5 if one == "·" else 0.0) + pen.vary(STRAY / 2)
            strokes = _moved(strokes, 0.0, level - middle)
        elif one in "¿¡":
            # Backwards and upside down: the dot first, about as high as a small letter.
            strokes = [-stroke[::-1] for stroke in strokes[::-1]]
            top = np.concatenate(strokes)[:, 1].min()
            strokes = _moved(strokes, 0.0, -pen.between(*TURNED_TOP) - top)
        if found:
            right = max(stroke[:, 0].max() for stroke in found)
            left = min(stroke[:, 0].min() for stroke in strokes)
            strokes = _moved(strokes, right - left + pen.between(*ELLIPSIS_GAP), 0.0)
        found = found + strokes
    return found, False


def _heightened(variants: Sequence[Shape], tall: float) -> list[Shape]:
    """Return shapes for tall letters of another height than two x-heights."""
    return [
        [[(x, y if y > -1 else -1 + (y + 1) * (tall - 1)) for x, y in stroke] for stroke in shape]
        for shape in variants
    ]


def accented(one: str, base: Base, hand: BankHand, generator: np.random.Generator) -> Piece | None:
    """Return a character of `MADE` in a hand.

    Args:
        one: the character.
        base: see `Base`.
        hand: that it is to be in.
        generator: of what varies.

    Returns:
        None if it is no such character, `base` has not what it needs, or the dot of an `i` that
        has to go cannot be told apart: another try may do.
    """
    if one not in MADE:
        return None
    pen = ShapeDrawer(hand, generator)
    if one in ALIKE and pen.habit.random() < 0.5 and (piece := base(ALIKE[one])) is not None:
        return piece._replace(text=one, opens=False, closes=False)
    if one in SHAPES:
        made = pen.draw(_heightened(SHAPES[one], pen.hand.tall), pen.wide), False
    elif one in PAIRS:
        made = _ligature(one, base, pen)
    elif one in FROM_SIGN:
        made = _from_sign(one, base, pen)
    else:
        made = _lettered(one, base, pen)
    if made is None:
        return None
    strokes, opens = made
    path = from_strokes(strokes)
    path[:, 0] -= hand.slant * path[:, 1]
    return Piece(one, from_left(path), opens)
