"""Other digitisers, pens and habits: the same writing from another device or person."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from utils.checks import Fraction, Range
from utils.delayed_strokes import are_marks, undelayed
from utils.hand_measures import gaps
from utils.ink import at_equal_steps, from_strokes, strokes, x_height

WITHIN = 0.5
"""Gaps between strokes are within a word below this width, in x-heights (assumed)."""


@dataclass(kw_only=True)
class OtherDevice(BaseTransform):
    """Records a sample as another digitiser would have: slower, coarser, less steady.

    Each fault has a strength of its own, drawn for every sample.

    Args:
        share: share of the samples that are changed.
        slower: the longest new period, in recorded periods (drawn log-uniformly from 1).
        grid: the coarsest grid in x-heights (drawn log-uniformly from a hundredth of it): 0.1 means
            84 points an inch for letters of 3 mm.
        jitter: the largest standard deviation of the noise of a point, in x-heights.
        hooks: share of the ends of strokes at which the pen slips.
        skips: share of the strokes in which the pen leaves no ink for a few points.
    """

    random = True
    share: Fraction = 0.5
    slower: Annotated[float, Range(1, 100)] = 8.0
    grid: Annotated[float, Range(1e-3, 1)] = 0.15
    jitter: Fraction = 0.03
    hooks: Fraction = 0.1
    skips: Fraction = 0.03

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        if generator.random() >= self.share:
            return ink, missing
        height = x_height(ink)
        period = math.exp(generator.uniform(0, math.log(self.slower)))
        jitter = height * self.jitter * generator.uniform()
        grid = height * self.grid * math.exp(generator.uniform(math.log(0.01), 0))
        recorded = []
        for stroke in strokes(ink):
            for part in self._skipped(stroke, generator):
                if len(part) > 2:
                    steps = max(1, round((len(part) - 1) / period))
                    part = at_equal_steps(part, np.arange(len(part), dtype=float), steps)
                part = part + jitter * generator.standard_normal(part.shape)
                part = self._hooked(part, height, generator)
                recorded.append(np.rint(part / grid) * grid)
        changed = from_strokes(recorded)
        return changed, np.zeros(len(changed), dtype=np.uint8)

    def _skipped(self, stroke: np.ndarray, generator: Generator) -> list[np.ndarray]:
        """Return a stroke as the pen left it: whole, or without a few points in its midst."""
        if len(stroke) < 12 or generator.random() >= self.skips:
            return [stroke]
        start = int(generator.integers(4, len(stroke) - 7))
        return [stroke[:start], stroke[start + int(generator.integers(1, 4)) :]]

    def _hooked(self, stroke: np.ndarray, height: float, generator: Generator) -> np.ndarray:
        """Return a stroke that has a hook at each end at which the pen slipped."""
        offsets = generator.normal(0, 0.12 * height, (2, 2))  # assumed
        slips_before, slips_after = generator.random(2) < self.hooks
        pieces = [stroke]
        if slips_before:
            pieces.insert(0, stroke[:1] + offsets[:1])
        if slips_after:
            pieces.append(stroke[-1:] + offsets[1:])
        return np.concatenate(pieces)


@dataclass(kw_only=True)
class DelayMarks(BaseTransform):
    """Writes the marks over letters earlier or later, moves them a little, and forgets some.

    Args:
        at_once: share of the samples whose marks come right after their letters.
        last: share of the other samples whose marks come after all letters.
        moved: share of the samples whose marks are moved.
        distance: standard deviation of a mark's movement along x, in x-heights; half of it along y.
        missing: share of the marks that are left out in samples whose marks are moved.
    """

    random = True
    at_once: Fraction = 0.7
    last: Fraction = 0.3
    moved: Fraction = 0.4
    distance: Annotated[float, Range(0, 10)] = 0.15
    missing: Fraction = 0.05

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


@dataclass(kw_only=True)
class Pen(BaseTransform):
    """Draws a picture with another pen, less sharp and smaller.

    Args:
        widths: bounds on the pen's width in x-heights, drawn log-uniformly.
        blur: the widest edge between ink and paper, in pixels, drawn uniformly from 1.
        zoom: the smallest factor on the size, drawn uniformly up to 1.
    """

    random = True
    acts_on = "picture"
    widths: tuple[Annotated[float, Range(0.01, 1)], Annotated[float, Range(0.01, 1)]] = (0.07, 0.28)
    blur: Annotated[float, Range(1, 10)] = 2.5
    zoom: Annotated[float, Range(0.1, 1)] = 0.7

    def arguments(self, generator: Generator) -> dict[str, float]:
        pen = math.exp(generator.uniform(*np.log(self.widths)))
        blur, zoom = generator.uniform(1, self.blur), generator.uniform(self.zoom, 1)
        return {"pen": pen, "blur": blur, "zoom": zoom}


@dataclass(kw_only=True)
class Crowd(BaseTransform):
    """Moves neighbouring strokes within words together, so that some touch.

    Args:
        share: share of the samples that are changed.
        reach: how far neighbours reach over each other at most, in x-heights.
    """

    random = True
    share: Fraction = 0.3
    reach: Fraction = 0.1

    def change(self, ink: np.ndarray, generator: Generator) -> None:
        parts = strokes(ink)
        if generator.random() >= self.share:
            return
        height = x_height(ink)
        widths, order = gaps(parts, 0.0)
        within = (widths > 0) & (widths < WITHIN * height)
        remaining = generator.uniform(-self.reach * height, np.where(within, widths, 0.0))
        shift = np.zeros(len(parts))
        shift[order[1:]] = np.cumsum(np.where(within, remaining - widths, 0.0))
        ink[1:, 0] += np.diff(np.repeat(shift, [len(part) for part in parts]))
