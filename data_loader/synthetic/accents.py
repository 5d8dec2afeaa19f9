"""Letters and signs beyond ASCII in a recorded hand: the hand's letters with drawn marks.

Nobody recorded the marks, nor the few characters without a base letter, so they are drawn:
polylines, varied, bent into curves and sampled like strokes of the hand. A mark has several
variants; a hand always draws the same variant, in about the same size. All constants are assumed,
and checked by eye in sheets of every letter in several hands, unless they say "measured".

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
from data_loader.synthetic.paths import from_left, from_strokes, leaning, moved, overlap, to_strokes
from utils.ink import at_equal_steps, bezier, path_along

Shape = Sequence[Sequence[tuple[float, float]]]
"""Strokes in the order of writing, each as points of a smooth curve; a single point is a dot."""

TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def combining(name: str) -> str:
    """Return the combining mark with a name, such as "ogonek"."""
    return unicodedata.lookup(f"combining {name}")


MARKS: Mapping[str, Sequence[Shape]] = {
    combining(name): variants for name, variants in TABLES["marks"].items()
}
"""Variants of each mark. At the origin, the mark stands on the letter or, below it, hangs from the
letter. The polylines of marks and of `SHAPES` are this project's own, of an upright hand."""
SHAPES: Mapping[str, Sequence[Shape]] = TABLES["shapes"]
"""Variants of letters and signs without a base letter, for tall letters of two x-heights."""
INSTEAD: Mapping[str, str] = {
    letter: combining(name) for name, letters in TABLES["instead"].items() for letter in letters
}
"""The mark that people write on a letter, where Unicode decomposes it into a different mark."""
ALIKE: Mapping[str, str] = TABLES["alike"]
"""For a sign, the sign of ASCII that half of the hands write instead."""
BARRED: Mapping[str, str] = TABLES["barred"]
"""For a letter with a bar, the letter of ASCII through which the bar goes."""
BANDS: Mapping[str, tuple[float, float]] = TABLES["bands"]
"""Bounds on the height of a letter's bar, as fractions of the letter's height."""
PAIRS: Mapping[str, str] = TABLES["pairs"]
"""For a ligature, its two letters of ASCII; Æ is made of E, a leg and a bar."""
FROM_SIGN: Mapping[str, str] = TABLES["from sign"]
"""For a sign, the sign of ASCII of which it is made, moved or turned."""
BESIDE = combining("comma above right")
OGONEK = combining("ogonek")
COMMA_BELOW = combining("comma below")
HANGING = {combining("cedilla"), COMMA_BELOW, OGONEK}
"""Marks below a letter."""

Base = Callable[[str], Piece | None]
"""Gives an ASCII character in the hand; None if the hand has no such character."""

MADE = frozenset(LETTERS + SIGNS)
"""The characters that `AccentPen` makes."""

SIZE = 0.1
"""Standard deviation of the logarithm of a shape's size, between hands, and again within a hand."""
TURN = 0.07
"""Standard deviation of a shape's angle in radians, between hands, and again within a hand."""
STRAY = 0.05
"""Standard deviation of a mark's place, in x-heights."""
DOTS = (0.0, 0.12)
"""Bounds on the extents of the short stroke that makes a dot (measured: half of the dots of `i` in
IAM-OnDB's training lines are 0.04 to 0.11 wide and 0.04 to 0.14 high)."""
EXTRA = 2.0
"""Points added to a short stroke's length over the hand's speed, as the pen starts and ends slowly
(measured in IAM-OnDB: 4 steps for a length of 1 to 4 steps, 8 for 6)."""
LOW_TOP = 1.45
"""Height above which ink belongs to a tall letter, in x-heights."""


class Unfit(Exception):
    """Raised if a character cannot be made from a piece."""


class AccentPen:
    """Makes upright characters in a hand, see `paths`.

    Its methods raise `Unfit` if a piece that they need is missing or unusable.

    Args:
        hand: the hand whose size, slant and speed the characters get.
        base: see `Base`.
        generator: generator for the variation from one time to the next.

    Attributes:
        habit: generator for choices that are the same whenever the hand writes.
        wide: factor on the width of shapes.
    """

    def __init__(self, hand: BankHand, base: Base, generator: np.random.Generator) -> None:
        self.hand, self.base, self.generator = hand, base, generator
        self.wide = float(np.clip(hand.width, 0.7, 1.4)) ** 0.5
        seed = [int(1e6 * abs(hand.slant)), int(1e6 * hand.speed)]
        self.habit = np.random.default_rng(seed)

    def vary(self, deviation: float) -> float:
        """Return a random deviation: a part that is the hand's habit, plus a new part."""
        habitual = self.habit.standard_normal()
        return deviation * (habitual + self.generator.standard_normal())

    def between(self, low: float, high: float) -> float:
        """Return a value between `low` and `high`, nearly the same each time the hand writes."""
        fraction = 0.7 * self.habit.random() + 0.3 * self.generator.random()
        return low + (high - low) * fraction

    def draw(self, variants: Sequence[Shape], wide: float = 1.0) -> np.ndarray:
        """Return the variant of a shape that the hand uses, around its origin."""
        shape = variants[int(self.habit.integers(len(variants)))]
        corners = np.concatenate([np.array(stroke) for stroke in shape])
        stray = 0.04 * min(float(np.hypot(*np.ptp(corners, axis=0))), 1.0)
        angle, size = self.vary(TURN), self.vary(SIZE)
        scale = np.exp([size + self.vary(SIZE / 2), size]) * (wide, 1.0)
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        strokes = []
        for stroke in shape:
            points = np.array(stroke) * scale @ turn.T
            points += stray * self.generator.standard_normal(points.shape)
            strokes.append(self.stroke(points))
        return from_strokes(strokes)

    def stroke(self, points: np.ndarray) -> np.ndarray:
        """Return a stroke along a curve through points, sampled like the hand's."""
        if len(points) == 1:
            extent = self.generator.uniform(*DOTS, size=2)
            extent[0] *= self.generator.choice((-1, 1))
            points = points + np.outer((-0.5, 0.5), extent)
        curve = _curve(points)
        turns = np.abs(np.diff(np.unwrap(np.arctan2(*np.diff(curve, axis=0).T))))
        # A turn by a radian takes as long as 0.06 x-heights of path.
        clock = path_along(curve) + 0.06 * np.pad(turns, 1).cumsum()
        extra = EXTRA * self.generator.uniform(0.3, 1.0)
        count = max(2, round(clock[-1] / self.hand.speed + extra))
        # The clock runs slower in the middle, so that the pen is slower at both ends.
        fraction = clock / clock[-1]
        clock = fraction + 0.6 * np.sin(2 * np.pi * fraction) / (2 * np.pi)
        samples = at_equal_steps(curve, clock, count)
        return samples + 0.006 * self.generator.standard_normal(samples.shape)

    def line(self, start: tuple[float, float], stop: tuple[float, float]) -> np.ndarray:
        """Return a nearly straight stroke from one place to another."""
        half = np.subtract(stop, start) / 2
        return moved(self.draw([[[-half, 0 * half, half]]]), *(start + half))

    def piece(self, character: str) -> Piece:
        """Return a character of ASCII, upright."""
        if (piece := self.base(character)) is None:
            raise Unfit
        return piece._replace(path=leaning(piece.path, -self.hand.slant))

    def letter(self, character: str, dotted: bool = True) -> Piece:
        """Return a letter of ASCII, upright; raise `Unfit` if its height is implausible."""
        piece = self.piece(character)
        if not dotted:
            piece = piece._replace(path=undotted(piece.path))
        y = piece.path[:, 1]
        highest = LOW_TOP if character in SMALL | set("gy") else 1.5 * self.hand.tall
        if not (0.6 <= -y.min() <= highest and -0.2 < y.max() < 2.0):
            raise Unfit  # The letter lacks a stroke, or has a neighbour's.
        return piece

    def above(self, letter: np.ndarray, mark: str) -> np.ndarray:
        """Return a mark above a letter, in its middle."""
        x, y, _ = letter.T
        top = y.min()
        upper = x[y < 0.5 * top]
        narrow = 0.8 if np.ptp(upper) < 0.3 else 1.0
        drawn = self.draw(MARKS[mark], narrow * self.wide)
        middle = _middle(upper) + self.vary(STRAY)
        reach = np.ptp(drawn[:, 0]) / 2 + 0.1
        # The top of the ink under the mark; between the arms of U, nearly the top of the arms.
        under = min(y[np.abs(x - middle) < reach].min(initial=0.0), 0.93 * top)
        clear = self.between(0.14, 0.4) * (0.6 if -top > LOW_TOP else 1.0)
        return moved(drawn, middle, under - clear)

    def below(self, letter: np.ndarray, mark: str) -> np.ndarray:
        """Return a mark below a letter."""
        x, y, _ = letter.T
        drawn = self.draw(MARKS[mark])
        low = y > 0.4 * y.min()
        middle = _middle(x[low])
        if mark == OGONEK:
            # An ogonek hangs from the right foot.
            right = np.flatnonzero(x >= middle - 0.15)
            feet = right[y[right] > y[right].max() - 0.15]
            at = feet[(x + y)[feet].argmax()]
            drawn = moved(drawn, x[at], y[at])
        else:
            near = low & (np.abs(x - middle) < 0.25)
            bottom = float(y[near].max(initial=-0.1))
            clear = self.between(0.08, 0.2) if mark == COMMA_BELOW else 0.0
            drawn = moved(drawn, middle + self.vary(STRAY / 2), bottom + clear)
        if drawn[:, 1].max() < y.max() + 0.12:
            raise Unfit  # The letter's ink hides the mark.
        return drawn

    def beside(self, letter: np.ndarray, mark: str) -> np.ndarray:
        """Return a mark at the upper right of a letter."""
        x, y, _ = letter.T
        drawn = self.draw(MARKS[mark])
        right = x[y < 0.7 * y.min()].max() - drawn[:, 0].min()
        right += self.between(0.06, 0.22)
        return moved(drawn, right, y.min() + self.vary(STRAY))

    def bar(self, letter: np.ndarray, character: str) -> np.ndarray:
        """Return the stroke through a letter."""
        x, y, _ = letter.T
        top = float(y.min())
        if character in "øØ":
            left, right = np.quantile(x, (0.08, 0.92))
            middle, half = (left + right) / 2, min(right - left, -top) / 2 + 0.15
            high = (middle + half, top - 0.12)
            low = (middle - half, max(y.max(), 0.0) + 0.12)
            if self.habit.random() < 0.3:
                return self.line(low, high)
            return self.line(high, low)
        low, high = BANDS[character]
        # The bar of a small letter must be above the bowl.
        low_edge = min(low * top, -1.1) if character in "đħ" else low * top
        band = x[(y < low_edge) & (y > high * top)]
        if not len(band):
            raise Unfit  # No ink is where the bar would be.
        left, right = np.quantile(band, (0.05, 0.95))
        at = top * (low + high) / 2
        stem = left if character in "ĐÐ" else (left + right) / 2
        if character in "łŁ":
            return self.line((stem - 0.25, at + 0.16), (stem + 0.28, at - 0.18))
        if character == "Ħ":
            return self.line((left - 0.2, at), (right + 0.22, at - 0.04))
        return self.line((stem - 0.28, at), (stem + 0.32, at - 0.04))

    def lettered(self, character: str) -> Piece:
        """Return a letter with its mark or bar."""
        decomposed = unicodedata.normalize("NFD", character)
        plain = {**BARRED, "ı": "i"}.get(character, decomposed[0])
        mark = INSTEAD.get(character, decomposed[1:])
        piece = self.letter(plain, dotted=plain not in "ij" or mark == OGONEK)
        if character in BARRED:
            added = self.bar(piece.path, character)
        elif not mark:
            return piece
        elif mark == BESIDE:
            added = self.beside(piece.path, mark)
        elif mark in HANGING:
            added = self.below(piece.path, mark)
        else:
            added = self.above(piece.path, mark)
        return piece._replace(path=np.concatenate([piece.path, added]))

    def ligature(self, character: str) -> Piece:
        """Return two letters in one."""
        first, last = map(self.letter, PAIRS[character])
        shift = overlap(first.path, last.path) - self.between(0.05, 0.15)
        path = np.concatenate([first.path, moved(last.path, shift)])
        return first._replace(path=path)

    def leg_and_e(self) -> Piece:
        """Return Æ: an E with a leg and a bar before it."""
        path = self.letter("E").path
        x, y, _ = path.T
        top = float(y.min())
        upper, half = (x[y < fraction * top].min() for fraction in (0.7, 0.4))
        run = self.between(0.45, 0.65) * -top
        leg = self.line((upper + 0.05, top), (upper - run, 0.0))
        low = 0.4 * top
        bar = self.line((upper - 0.6 * run - 0.05, low), (half + 0.1, low))
        return Piece("Æ", np.concatenate([leg, path, bar]))

    def from_sign(self, character: str) -> Piece:
        """Return a sign made from a sign of ASCII."""
        count = 3 if character == "…" else 1
        pieces = [self.piece(FROM_SIGN[character]) for _ in range(count)]
        parts: list[np.ndarray] = []
        for path in (piece.path for piece in pieces):
            if FROM_SIGN[character] == ".":
                middle = path[:, 1].mean()
                level = (-0.5 if character == "·" else 0.0) + self.vary(STRAY / 2)
                path = moved(path, 0.0, level - middle)
            elif character in "¿¡":
                # Reversed and upside down, the sign begins with its dot, about at the x-height.
                path = from_strokes([-stroke[::-1] for stroke in to_strokes(path)[::-1]])
                path = moved(path, 0.0, -self.between(0.9, 1.3) - path[:, 1].min())
            if parts:
                right, left = parts[-1][:, 0].max(), path[:, 0].min()
                path = moved(path, right - left + self.between(0.25, 0.5))
            parts.append(path)
        return Piece(character, np.concatenate(parts))

    def raised(self, stroke: Sequence[tuple[float, float]]) -> np.ndarray:
        """Return a stroke that reaches as far above the x-height as the hand's tall letters."""
        points = np.array(stroke, dtype=float)
        y = points[:, 1]
        points[:, 1] = np.where(y > -1, y, -1 + (y + 1) * (self.hand.tall - 1))
        return points

    def make(self, character: str) -> Piece:
        """Return a character of `MADE`, upright."""
        if character in SHAPES:
            variants = [list(map(self.raised, shape)) for shape in SHAPES[character]]
            return Piece(character, self.draw(variants, self.wide))
        if character == "Æ":
            return self.leg_and_e()
        if character in PAIRS:
            return self.ligature(character)
        return self.from_sign(character) if character in FROM_SIGN else self.lettered(character)


def _curve(points: np.ndarray) -> np.ndarray:
    """Return dense points of the smooth curve through some points."""
    t = np.linspace(0, 1, 12)[:, None, None]
    a, b, c, d = bezier(points).transpose(1, 0, 2)
    along = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    return np.concatenate([a[:1], along[1:].transpose(1, 0, 2).reshape(-1, 2)])


def _middle(x: np.ndarray) -> float:
    """Return the middle of x, ignoring the outer 8 % at both ends, such as joining strokes."""
    return float(np.quantile(x, (0.08, 0.92)).mean())


def undotted(path: np.ndarray) -> np.ndarray:
    """Return `i` or `j` without its dot; raise `Unfit` if no stroke is clearly the dot."""
    dots, rest = [], []
    for stroke in to_strokes(path):
        # Measured: 95 % of the dots are above 1.1 x-heights, and no larger than 0.33.
        is_high = stroke[:, 1].max() < -0.95
        is_dot = is_high and np.ptp(stroke, axis=0).max() < 0.6
        (dots if is_dot else rest).append(stroke)
    if len(dots) != 1 or not rest or np.concatenate(rest)[:, 1].min() < -LOW_TOP:
        raise Unfit
    return from_strokes(rest)


def accented(
    character: str, base: Base, hand: BankHand, generator: np.random.Generator
) -> Piece | None:
    """Return a character of `MADE` in a hand.

    Args:
        character: a character such as `é`.
        base: see `Base`.
        hand: the hand of the character.
        generator: generator for the variation.

    Returns:
        the character; None if it is not in `MADE`, or if a piece of `base` is unusable, in which
        case another try may succeed.
    """
    if character not in MADE:
        return None
    pen = AccentPen(hand, base, generator)
    if character in ALIKE and pen.habit.random() < 0.5:
        piece = base(ALIKE[character])
        if piece is not None:
            return Piece(character, piece.path)
    try:
        piece = pen.make(character)
    except Unfit:
        return None
    return Piece(character, from_left(leaning(piece.path, hand.slant)), piece.opens)
