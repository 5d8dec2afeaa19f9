"""Letters and signs beyond ASCII in a recorded hand: the hand's letters with drawn marks.

Marks, and characters without a base letter, are drawn: polylines are varied, bent into curves and
sampled like strokes of the hand. A mark has several variants; a hand always draws the same variant,
in about the same size. All constants are assumed, and checked by eye in sheets of every letter in
several hands, unless their comment says "measured".

Lengths are in x-heights; y is downwards from the baseline. `accented` slants upright drawings.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from data_loader.pen_paths import (
    at_left_edge,
    from_strokes,
    moved,
    slanted,
    to_strokes,
    touching_shift,
)
from data_loader.synthetic.composed.cutting import X_HIGH_LETTERS, Piece
from data_loader.synthetic.composed.recorded_hands import RecordedHand
from data_loader.synthetic.texts.european import ACCENTED_LETTERS, SIGNS
from ink.geometry import at_equal_steps, path_along, smooth_path

Shape = Sequence[Sequence[Sequence[float] | np.ndarray]]
"""Strokes in the order of writing: the points of smooth curves; a single point is a dot."""

TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def combining(name: str) -> str:
    """Return the combining mark of a name such as "ogonek"."""
    return unicodedata.lookup(f"combining {name}")


MARKS: dict[str, Sequence[Shape]] = {
    combining(name): variants for name, variants in TABLES["marks"].items()
}
"""Variants of each mark; a mark above a letter stands on its origin, a mark below a letter hangs
from its origin. The polylines of marks and of `SHAPES` are this project's own, upright."""
HASTY_MARKS: Mapping[str, Sequence[Shape]] = MARKS | {
    combining(name): variants for name, variants in TABLES["hasty marks"].items()
}
"""Variants of each mark as people make it in haste: ticks, bars, waves, arcs, dots in one stroke.
They only fit languages in which no two marks of a letter become alike."""
SHAPES: Mapping[str, Sequence[Shape]] = TABLES["shapes"]
"""Variants of each character without a base letter; tall letters are two x-heights high."""
WRITTEN_MARKS: Mapping[str, str] = {
    letter: combining(name) for name, letters in TABLES["instead"].items() for letter in letters
}
"""The mark that people write on a letter, where Unicode names a different mark."""
ASCII_LOOKALIKES: Mapping[str, str] = TABLES["alike"]
"""For a sign, the ASCII sign that half of the hands write instead."""
BARRED_LETTERS: Mapping[str, str] = TABLES["barred"]
"""For a letter with a bar, the ASCII letter through which the bar goes."""
BAR_HEIGHTS: Mapping[str, tuple[float, float]] = TABLES["bands"]
"""Lowest and highest y of a letter's bar, as fractions of the letter's height."""
LIGATURES: Mapping[str, str] = TABLES["pairs"]
"""For a ligature, its two ASCII letters; for Æ, which `ae_ligature` makes, E only."""
SOURCE_SIGNS: Mapping[str, str] = TABLES["from sign"]
"""For a sign, the ASCII sign that is moved, turned or repeated to make it."""
COMMA_ABOVE_RIGHT = combining("comma above right")
OGONEK = combining("ogonek")
COMMA_BELOW = combining("comma below")
DIAERESIS = combining("diaeresis")
MARKS_BELOW = {combining("cedilla"), COMMA_BELOW, OGONEK}
"""The marks that stand below a letter."""

HASTY_SIZES = (0.45, 1.15)
"""Bounds on the size of a mark made in haste, as a factor."""
HASTY_PLACE_DEVIATIONS = (0.16, 0.1)
"""Standard deviations of its place along x and y, in x-heights."""
HASTY_JOINED_FRACTION = 0.12
"""Fraction of the marks made in haste that the pen reaches without a lift."""

GetPiece = Callable[[str], Piece | None]
"""Returns a copy of an ASCII character in the hand, or None if there is no such character."""

NON_ASCII = frozenset(ACCENTED_LETTERS + SIGNS)
"""The characters that `AccentPen` makes."""

CORNER_DEVIATION = 0.04
"""Standard deviation of the corners of a shape, as a fraction of its diagonal, or of an x-height if
the diagonal is longer."""
SIZE_DEVIATION = 0.1
"""Standard deviation of the logarithm of a shape's size, between hands, and again within a hand."""
ANGLE_DEVIATION = 0.07
"""Standard deviation of a shape's angle in radians, between hands, and again within a hand."""
PLACE_DEVIATION = 0.05
"""Standard deviation of a mark's place in x-heights, between hands, and again within a hand."""
DOT_EXTENTS = (0.0, 0.12)
"""Bounds on the width and height of the short stroke that makes a dot, in x-heights (measured: half
of the dots of `i` in IAM-OnDB's training lines are 0.04 to 0.11 wide and 0.04 to 0.14 high)."""
MAX_EXTRA_STEPS = 2.0
"""A stroke has up to this many more steps than its length / mean step: the pen is slow at the ends
(measured in IAM-OnDB: strokes as long as 1 to 4 mean steps have 4 steps, as long as 6 have 8)."""
INNER_QUANTILES = (0.08, 0.92)
"""Quantiles of a letter's x between which its middle is measured."""
MIN_TALL_HEIGHT = 1.45
"""Height above which ink belongs to a tall letter, in x-heights."""


def base_and_mark(character: str) -> tuple[str, str]:
    """Return the letter under the mark or bar of a character, and its combining mark; the mark is
    "" for a bar, for `ı`, and for characters without a mark."""
    decomposed = unicodedata.normalize("NFD", character)
    base = {**BARRED_LETTERS, "ı": "i"}.get(character, decomposed[0])
    return base, WRITTEN_MARKS.get(character, decomposed[1:])


class UnusablePiece(Exception):
    """Raised if a piece is missing, or a character cannot be made from it."""


class MarkPen:
    """Draws upright marks in a hand, as paths (see `pen_paths`).

    Args:
        slant: the lean of the hand to the right, x over y.
        width: the width of a small letter.
        mean_step: the mean length of a step within a stroke.
        generator: generator for the variation from copy to copy; for the hand's habits,
            `habit_generator` yields the same numbers in each pen of the hand.
        hasty: whether marks are small, inexact, of other shapes, and differ from copy to copy.
    """

    def __init__(
        self,
        slant: float,
        width: float,
        mean_step: float,
        generator: np.random.Generator,
        hasty: bool = False,
    ) -> None:
        self.mean_step = mean_step
        self.generator = generator
        self.hasty = hasty
        # Marks vary less in width than letters do.
        self.width_factor = float(np.clip(width, 0.7, 1.4)) ** 0.5
        seed = [int(1e6 * abs(slant)), int(1e6 * mean_step)]  # of the hand
        self.habit_generator = generator if hasty else np.random.default_rng(seed)

    def draw_mark(self, mark: str, widening: float = 1.0) -> np.ndarray:
        """Return the path of a mark; see `draw_shape`."""
        if not self.hasty:
            return self.draw_shape(MARKS[mark], widening)
        path = self.draw_shape(HASTY_MARKS[mark], widening)
        size = self.generator.uniform(*HASTY_SIZES)
        x, y = self.generator.normal(0, HASTY_PLACE_DEVIATIONS)
        return moved(path * (size, size, 1), x, y)

    def random_deviation(self, deviation: float) -> float:
        """Return the hand's habitual normal deviate plus a new one, both of std `deviation`."""
        habitual = self.habit_generator.standard_normal()
        return deviation * (habitual + self.generator.standard_normal())

    def habitual_value(self, low: float, high: float) -> float:
        """Return a value between `low` and `high`, nearly the same each time the hand writes."""
        fraction = 0.7 * self.habit_generator.random() + 0.3 * self.generator.random()
        return low + (high - low) * fraction

    def draw_shape(self, variants: Sequence[Shape], widening: float = 1.0) -> np.ndarray:
        """Draw the variant that the hand uses, `widening` times as wide; return its path."""
        shape = variants[int(self.habit_generator.integers(len(variants)))]
        corners = np.concatenate([np.array(stroke) for stroke in shape])
        diagonal = float(np.hypot(*np.ptp(corners, axis=0)))
        deviation = CORNER_DEVIATION * min(diagonal, 1.0)
        angle = self.random_deviation(ANGLE_DEVIATION)
        log_height = self.random_deviation(SIZE_DEVIATION)
        log_width = log_height + self.random_deviation(SIZE_DEVIATION / 2)
        scale = np.exp([log_width, log_height]) * (widening, 1.0)
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation = np.array([[cosine, -sine], [sine, cosine]])
        strokes = []
        for stroke in shape:
            points = np.array(stroke) * scale @ rotation.T
            points += deviation * self.generator.standard_normal(points.shape)
            strokes.append(self.pen_stroke(points))
        return from_strokes(strokes)

    def pen_stroke(self, points: np.ndarray) -> np.ndarray:
        """Return a stroke along the curve through `points`, sampled like the hand's strokes."""
        if len(points) == 1:
            extent = self.generator.uniform(*DOT_EXTENTS, size=2)
            extent[0] *= self.generator.choice((-1, 1))  # to the right or to the left
            points = points + np.outer((-0.5, 0.5), extent)
        curve = smooth_path(points, 11)
        directions = np.arctan2(*np.diff(curve, axis=0).T)
        turns = np.abs(np.diff(np.unwrap(directions)))
        # A turn by a radian takes as long as 0.06 x-heights of path.
        time = path_along(curve) + 0.06 * np.pad(turns, 1).cumsum()
        extra = MAX_EXTRA_STEPS * self.generator.uniform(0.3, 1.0)
        num_steps = max(2, round(time[-1] / self.mean_step + extra))
        # The pen is slower at both ends of the stroke.
        fraction = time / time[-1]
        slow_ends = fraction + 0.6 * np.sin(2 * np.pi * fraction) / (2 * np.pi)
        samples = at_equal_steps(curve, slow_ends, num_steps)
        return samples + 0.006 * self.generator.standard_normal(samples.shape)  # jitter

    def straight_stroke(self, start: tuple[float, float], stop: tuple[float, float]) -> np.ndarray:
        """Return the path of a nearly straight stroke from `start` to `stop`."""
        half = np.subtract(stop, start) / 2
        shape = [[-half, 0 * half, half]]  # one stroke around the origin
        return moved(self.draw_shape([shape]), *(start + half))

    def mark_above(self, letter: np.ndarray, mark: str) -> np.ndarray:
        """Return the path of a mark above the middle of a letter."""
        x, y, _ = letter.T
        top = y.min()
        upper = x[y < 0.5 * top]  # the upper half of the letter
        narrowing = 0.8 if np.ptp(upper) < 0.3 else 1.0  # on a stem, such as that of i
        drawn = self.draw_mark(mark, narrowing * self.width_factor)
        middle = _middle(upper) + self.random_deviation(PLACE_DEVIATION)
        reach = np.ptp(drawn[:, 0]) / 2 + 0.1
        # The mark stands above the ink under it, and never deep between the arms of a U.
        ink_top = min(y[np.abs(x - middle) < reach].min(initial=0.0), 0.93 * top)
        gap = self.habitual_value(0.14, 0.4)
        if -top > MIN_TALL_HEIGHT:  # On tall letters there is less room.
            gap *= 0.6
        return moved(drawn, middle, ink_top - gap)

    def mark_below(self, letter: np.ndarray, mark: str) -> np.ndarray:
        """Return the path of a mark below a letter."""
        x, y, _ = letter.T
        drawn = self.draw_mark(mark)
        low = y > 0.4 * y.min()  # the foot of the letter
        if not low.any():
            raise UnusablePiece  # Only the top of the letter is there.
        middle = _middle(x[low])
        if mark == OGONEK:
            # An ogonek hangs from the right foot.
            right = np.flatnonzero(x >= middle - 0.15)
            feet = right[y[right] > y[right].max() - 0.15]
            foot = feet[(x + y)[feet].argmax()]  # the point furthest to the lower right
            drawn = moved(drawn, x[foot], y[foot])
        else:
            near = low & (np.abs(x - middle) < 0.25)
            bottom = float(y[near].max(initial=-0.1))
            gap = self.habitual_value(0.08, 0.2) if mark == COMMA_BELOW else 0.0
            drawn = moved(drawn, middle + self.random_deviation(PLACE_DEVIATION / 2), bottom + gap)
        if drawn[:, 1].max() < y.max() + 0.12:
            raise UnusablePiece  # The letter's ink hides the mark.
        return drawn

    def mark_beside(self, letter: np.ndarray, mark: str) -> np.ndarray:
        """Return the path of a mark at the upper right of a letter."""
        x, y, _ = letter.T
        drawn = self.draw_mark(mark)
        right = x[y < 0.7 * y.min()].max() - drawn[:, 0].min()
        right += self.habitual_value(0.06, 0.22)
        return moved(drawn, right, y.min() + self.random_deviation(PLACE_DEVIATION))

    def bar_through(self, letter: np.ndarray, character: str) -> np.ndarray:
        """Return the path of the bar that turns a letter into `character`."""
        x, y, _ = letter.T
        top = float(y.min())
        if character in "øØ":
            left, right = np.quantile(x, INNER_QUANTILES)
            middle = (left + right) / 2
            half = min(right - left, -top) / 2 + 0.15
            upper_end = (middle + half, top - 0.12)
            lower_end = (middle - half, max(y.max(), 0.0) + 0.12)
            if self.habit_generator.random() < 0.3:
                return self.straight_stroke(lower_end, upper_end)
            return self.straight_stroke(upper_end, lower_end)
        low, high = BAR_HEIGHTS[character]
        # The bar of a small letter must be above the bowl.
        band_bottom = min(low * top, -1.1) if character in "đħ" else low * top
        band = x[(y < band_bottom) & (y > high * top)]
        if not len(band):
            raise UnusablePiece  # The letter has no ink at the height of the bar.
        left, right = np.quantile(band, (0.05, 0.95))
        bar_y = top * (low + high) / 2
        stem = left if character in "ĐÐ" else (left + right) / 2
        if character in "łŁ":
            return self.straight_stroke((stem - 0.25, bar_y + 0.16), (stem + 0.28, bar_y - 0.18))
        if character == "Ħ":
            return self.straight_stroke((left - 0.2, bar_y), (right + 0.22, bar_y - 0.04))
        return self.straight_stroke((stem - 0.28, bar_y), (stem + 0.32, bar_y - 0.04))

    def mark_on(self, letter: np.ndarray, character: str) -> np.ndarray | None:
        """Return the path of the mark or bar that turns a letter into `character`; None for `ı`.

        Raises:
            UnusablePiece: if the letter has no ink for a bar or above the baseline, or hides the
                mark.
        """
        _, mark = base_and_mark(character)
        if letter[:, 1].min() >= 0.0:
            raise UnusablePiece
        if character in BARRED_LETTERS:
            return self.bar_through(letter, character)
        if not mark:
            return None
        if mark == COMMA_ABOVE_RIGHT:
            return self.mark_beside(letter, mark)
        if mark in MARKS_BELOW:
            return self.mark_below(letter, mark)
        return self.mark_above(letter, mark)


class AccentPen(MarkPen):
    """Makes upright characters in a hand, as paths.

    The methods raise `UnusablePiece` if a piece is missing or unusable.

    Args:
        hand: the hand whose proportions, slant and speed the characters get.
        get_piece: see `GetPiece`.
        generator, hasty: see `MarkPen`.
    """

    def __init__(
        self,
        hand: RecordedHand,
        get_piece: GetPiece,
        generator: np.random.Generator,
        hasty: bool = False,
    ) -> None:
        super().__init__(hand.slant, hand.width, hand.mean_step, generator, hasty)
        self.hand = hand
        self.get_piece = get_piece

    def upright_piece(self, character: str) -> Piece:
        """Return a copy of an ASCII character, made upright."""
        piece = self.get_piece(character)
        if piece is None:
            raise UnusablePiece
        return piece._replace(path=slanted(piece.path, -self.hand.slant))

    def upright_letter(self, character: str, dotted: bool = True) -> Piece:
        """Return an upright copy of an ASCII letter, without its dot if `dotted` is False."""
        piece = self.upright_piece(character)
        if not dotted:
            piece = piece._replace(path=without_dot(piece.path))
        y = piece.path[:, 1]
        is_small = character in X_HIGH_LETTERS | set("gy")
        max_height = MIN_TALL_HEIGHT if is_small else 1.5 * self.hand.tall_height
        if not (0.6 <= -y.min() <= max_height and -0.2 < y.max() < 2.0):
            raise UnusablePiece  # The letter lacks a stroke, or has a stroke of its neighbour.
        return piece

    def marked_letter(self, character: str) -> Piece:
        """Return a letter with its mark or bar."""
        plain, mark = base_and_mark(character)
        piece = self.upright_letter(plain, dotted=plain not in "ij" or mark == OGONEK)
        drawn = self.mark_on(piece.path, character)
        if drawn is None:
            return piece
        path = np.concatenate([piece.path, drawn])
        if self.hasty and self.generator.random() < HASTY_JOINED_FRACTION:
            path[len(piece.path) - 1, 2] = 0  # no lift between letter and mark
        return piece._replace(path=path)

    def ligature(self, character: str) -> Piece:
        """Return a ligature of `LIGATURES`: its two letters, which overlap a little."""
        left, right = map(self.upright_letter, LIGATURES[character])
        shift = touching_shift(left.path, right.path) - self.habitual_value(0.05, 0.15)
        path = np.concatenate([left.path, moved(right.path, shift)])
        return left._replace(path=path)

    def ae_ligature(self) -> Piece:
        """Return Æ: an E with a leg and a bar at its left."""
        path = self.upright_letter("E").path
        x, y, _ = path.T
        top = float(y.min())
        left_of_top = x[y < 0.7 * top].min()
        left_of_bar = x[y < 0.4 * top].min()
        run = self.habitual_value(0.45, 0.65) * -top  # of the leg, to the left
        leg = self.straight_stroke((left_of_top + 0.05, top), (left_of_top - run, 0.0))
        bar_y = 0.4 * top
        bar_left = left_of_top - 0.6 * run - 0.05
        bar = self.straight_stroke((bar_left, bar_y), (left_of_bar + 0.1, bar_y))
        return Piece("Æ", np.concatenate([leg, path, bar]))

    def from_sign(self, character: str) -> Piece:
        """Return a sign of `SOURCE_SIGNS`, made from its ASCII sign."""
        count = 3 if character == "…" else 1
        pieces = [self.upright_piece(SOURCE_SIGNS[character]) for _ in range(count)]
        parts: list[np.ndarray] = []
        for piece in pieces:
            path = piece.path
            if SOURCE_SIGNS[character] == ".":
                height = 0.5 if character == "·" else 0.0
                target_y = self.random_deviation(PLACE_DEVIATION / 2) - height
                path = moved(path, 0.0, target_y - path[:, 1].mean())
            elif character in "¿¡":
                # The sign is written upside down and backwards: first the dot, at the x-height.
                path = from_strokes([-stroke[::-1] for stroke in to_strokes(path)[::-1]])
                path = moved(path, 0.0, -self.habitual_value(0.9, 1.3) - path[:, 1].min())
            if parts:
                right = parts[-1][:, 0].max()
                left = path[:, 0].min()
                path = moved(path, right - left + self.habitual_value(0.25, 0.5))
            parts.append(path)
        return Piece(character, np.concatenate(parts))

    def with_tall_height(self, stroke: Sequence[tuple[float, float]]) -> np.ndarray:
        """Return a stroke of `SHAPES` stretched to the height of the hand's tall letters."""
        points = np.array(stroke, dtype=float)
        y = points[:, 1]
        points[:, 1] = np.where(y > -1, y, -1 + (y + 1) * (self.hand.tall_height - 1))
        return points

    def make(self, character: str) -> Piece:
        """Return a character of `NON_ASCII`, upright; raise `UnusablePiece` if that fails."""
        if character in SHAPES:
            variants = [list(map(self.with_tall_height, shape)) for shape in SHAPES[character]]
            return Piece(character, self.draw_shape(variants, self.width_factor))
        if character == "Æ":
            return self.ae_ligature()
        if character in LIGATURES:
            return self.ligature(character)
        if character in SOURCE_SIGNS:
            return self.from_sign(character)
        return self.marked_letter(character)


def _middle(x: np.ndarray) -> float:
    """Return the middle of `x` without its ends, such as joining strokes (`INNER_QUANTILES`)."""
    return float(np.quantile(x, INNER_QUANTILES).mean())


def without_dot(path: np.ndarray) -> np.ndarray:
    """Return the path of `i` or `j` without its dot; raise `UnusablePiece` without a clear dot."""
    dots = []
    letter = []
    for stroke in to_strokes(path):
        # Measured: 95 % of the dots are above 1.1 x-heights, and no larger than 0.33 x-heights; the
        # bounds are wider, for the other 5 %.
        is_high = stroke[:, 1].max() < -0.95  # y is downwards.
        is_small = np.ptp(stroke, axis=0).max() < 0.6
        if is_high and is_small:
            dots.append(stroke)
        else:
            letter.append(stroke)
    if len(dots) != 1 or not letter:
        raise UnusablePiece
    top = np.concatenate(letter)[:, 1].min()
    if top < -MIN_TALL_HEIGHT:
        raise UnusablePiece
    return from_strokes(letter)


def accented(
    character: str,
    get_piece: GetPiece,
    hand: RecordedHand,
    generator: np.random.Generator,
    hasty: bool = False,
) -> Piece | None:
    """Return a character of `NON_ASCII` in a hand.

    Args:
        get_piece: see `GetPiece`; the pieces are in the hand's proportions and slant.
        generator: generator for the variation from copy to copy.
        hasty: see `MarkPen`.

    Returns:
        the character; None if it is not in `NON_ASCII`, or if a piece of `get_piece` is missing or
        unusable, so that another try may succeed.
    """
    if character not in NON_ASCII:
        return None
    pen = AccentPen(hand, get_piece, generator, hasty)
    if character in ASCII_LOOKALIKES and pen.habit_generator.random() < 0.5:
        piece = get_piece(ASCII_LOOKALIKES[character])
        if piece is not None:
            return Piece(character, piece.path)
    try:
        piece = pen.make(character)
    except UnusablePiece:
        return None
    path = at_left_edge(slanted(piece.path, hand.slant))
    return Piece(character, path, piece.cut_before)
