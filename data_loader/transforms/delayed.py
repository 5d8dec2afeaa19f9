"""Dots, bars and accents that are written at another time, beside their letters, or not at all."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from utils.checks import Range
from utils.delayed_strokes import are_marks, undelayed
from utils.ink import from_strokes, strokes, x_height

Share = Annotated[float, Range(0, 1)]


@dataclass(kw_only=True)
class DelayMarks(BaseTransform):
    """Writes the marks over letters at another time, moves them a little, and forgets some.

    Args:
        at_once: share of the samples whose marks come right after their letters.
        last: share of the others whose marks come after all letters.
        moved: share of the samples whose marks are moved.
        distance: standard deviation of how far along x, in x-heights; half as far along y.
        missing: share of the marks that are left out in samples whose marks are moved.
    """

    random = True
    at_once: Share = 0.7
    last: Share = 0.3
    moved: Share = 0.4
    distance: Annotated[float, Range(0, 10)] = 0.15
    missing: Share = 0.05

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        height, parts = x_height(ink), strokes(ink)
        is_mark = are_marks(ink, height)
        if not is_mark.any() or is_mark.all():
            return ink, missing
        if generator.random() < self.moved:
            std = height * self.distance
            for number in np.flatnonzero(is_mark):
                parts[number] = parts[number] + generator.normal(0, (std, std / 2))
            kept = ~is_mark | (generator.random(len(parts)) >= self.missing)
            parts = [part for part, keep in zip(parts, kept, strict=True) if keep]
            is_mark = is_mark[kept]
        if generator.random() < self.at_once:
            parts = undelayed(from_strokes(parts), height, late=0)
        elif generator.random() < self.last:
            parts = [parts[number] for number in np.argsort(is_mark, kind="stable")]
        changed = from_strokes(parts)
        return changed, np.zeros(len(changed), dtype=np.uint8)
