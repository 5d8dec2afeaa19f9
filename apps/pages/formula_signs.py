"""Draws the signs of formulas, as single strokes of a pen that are never twice the same."""

from collections.abc import Sequence

import numpy as np

from apps.pages.formula_parse import CLASSES, SIGNS
from data_loader.synthetic.composed.accents import MarkPen

UPRIGHT = frozenset(CLASSES["relation"] + CLASSES["operation"] + "|‖∑∏∫∮ℕℤℚℝℂ")
"""Signs that lean half as much as letters: a leaning `∨` is a v, a bar touches letters (by eye)."""
AXIS = 0.6  # x-heights from the baseline up to bars of fractions and the middle of signs (assumed)
MEAN_STEP = 0.1  # x-heights from point to point of a stroke (assumed, as of drawn signs)
ANGLE_DEVIATION = 0.025  # radians; also the slope of long bars (by eye)
SIZE_DEVIATION = 0.025  # of the logarithm of a sign's size (by eye)
CORNER_DEVIATION = 0.02  # x-heights by which each point of a shape moves (by eye)
BEND_DEVIATION = 0.012  # of the middle of a straight stroke, in lengths of the stroke (by eye)
MAX_LEANING_HEIGHT = 2.2  # x-heights; taller signs lean less, so that they cover what they hold
MAX_BENT = 2.0  # x-heights; longer strokes bend no further (by eye)
WIDENING = 0.35  # power of a bracket's height by which it becomes wider (by eye)


class SignPen:
    """Draws signs in a hand.

    Args:
        lean: how far downstrokes lean to the right, x over y.
        generator: generator for the variation of signs.
    """

    def __init__(self, lean: float, generator: np.random.Generator) -> None:
        self.lean = lean
        self._generator = generator
        self._pen = MarkPen(lean, 1.0, MEAN_STEP, generator)

    def sign(self, name: str, size: float, about: float = 0.0) -> list[np.ndarray]:
        """Return the strokes of a sign `size` times as large as its shape.

        Args:
            name: one of `SIGNS`.
            size: the factor.
            about: the y that stays where it is; the baseline, or the axis for large signs.
        """
        scale = size * np.exp(SIZE_DEVIATION * self._generator.standard_normal(2))
        origin = np.array([0.0, about])
        strokes = [(points - origin) * scale + origin for points in map(np.array, SIGNS[name])]
        leaning = 0.5 if name in UPRIGHT else 1.0
        return self.draw(strokes, ANGLE_DEVIATION, leaning)

    def again(self, strokes: Sequence[np.ndarray], size: float) -> list[np.ndarray]:
        """Return written strokes `size` times as large, varied a little about the baseline."""
        scale = size * np.exp(SIZE_DEVIATION * self._generator.standard_normal(2))
        angle = ANGLE_DEVIATION * self._generator.standard_normal()
        matrix = np.array([[1.0, angle], [-angle, 1.0]]) * scale
        return [stroke @ matrix for stroke in strokes]

    def stretched(self, name: str, top: float, bottom: float) -> list[np.ndarray]:
        """Return the strokes of a bracket that reaches from one y down to another."""
        strokes = [np.array(points) for points in SIGNS[name]]
        y = np.concatenate(strokes)[:, 1]
        factor = (bottom - top) / np.ptp(y)
        scale = np.array([factor**WIDENING, factor])
        origin = np.array([0.0, y.min()])
        placed = [(points - origin) * scale + (0.0, top) for points in strokes]
        return self.draw(placed, ANGLE_DEVIATION / 2, 0.5 if name in UPRIGHT else 1.0)

    def draw(
        self, shape: Sequence[np.ndarray], angle_deviation: float = 0.0, leaning: float = 0.0
    ) -> list[np.ndarray]:
        """Return strokes along a shape, varied, slanted about the middle of their height by a
        fraction `leaning` of the hand's lean."""
        points = np.concatenate(shape)
        middle = (points.min(0) + points.max(0)) / 2
        angle = angle_deviation * self._generator.standard_normal()
        lean = leaning * self.lean * min(1.0, MAX_LEANING_HEIGHT / max(np.ptp(points[:, 1]), 1e-6))
        matrix = np.array([[1.0, angle], [-angle - lean, 1.0]])
        return [self._stroke((stroke - middle) @ matrix + middle) for stroke in shape]

    def bar(self, start: Sequence[float], end: Sequence[float]) -> np.ndarray:
        """Return a nearly straight stroke, without the slant of the hand."""
        return self._stroke(np.array([start, end], dtype=float))

    def _stroke(self, points: np.ndarray) -> np.ndarray:
        """Return a stroke through points that move a little; repeated points are corners."""
        if len(points) == 1:
            return self._pen.pen_stroke(points)
        is_corner = np.append(False, np.hypot(*np.diff(points, axis=0).T) < 1e-9)
        noise = self._generator.normal(0.0, CORNER_DEVIATION, points.shape)
        noise[is_corner] = noise[np.flatnonzero(is_corner) - 1]
        pieces = np.split(points + noise, np.flatnonzero(is_corner))
        drawn = [self._pen.pen_stroke(self._bent(piece)) for piece in pieces]
        return np.concatenate([drawn[0], *(piece[1:] for piece in drawn[1:])])

    def _bent(self, points: np.ndarray) -> np.ndarray:
        """Return points, those of a straight stroke with a middle that lies a little beside it."""
        if len(points) > 2:
            return points
        along = points[1] - points[0]
        length = max(float(np.hypot(*along)), 1e-6)
        bend = BEND_DEVIATION * self._generator.standard_normal() * min(1.0, MAX_BENT / length)
        middle = points.mean(0) + bend * np.array([-along[1], along[0]])
        return np.array([points[0], middle, points[1]])
