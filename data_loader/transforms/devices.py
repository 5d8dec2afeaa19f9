"""What other digitisers make of the same writing."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from utils.checks import Range
from utils.ink import at_equal_steps, from_strokes, strokes, x_height

Share = Annotated[float, Range(0, 1)]


@dataclass(kw_only=True)
class OtherDevice(BaseTransform):
    """Records a sample as another digitiser would have: slower, coarser, less steady.

    Each fault has a strength of its own, drawn for every sample.

    Args:
        share: share of the samples that are changed.
        slower: the most recorded periods that make one (drawn log-uniformly from 1).
        grid: the coarsest grid in x-heights (drawn log-uniformly from a hundredth of it): 0.1 are
            84 points an inch under letters of 3 mm.
        jitter: the largest standard deviation of the noise of a point, in x-heights.
        hooks: share of the ends of strokes at which the pen slips.
        skips: share of the strokes in which the pen leaves no ink for a few points.
    """

    random = True
    share: Share = 0.5
    slower: Annotated[float, Range(1, 100)] = 8.0
    grid: Annotated[float, Range(1e-3, 1)] = 0.15
    jitter: Annotated[float, Range(0, 1)] = 0.03
    hooks: Share = 0.1
    skips: Share = 0.03

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
        place = int(generator.integers(4, len(stroke) - 7))
        return [stroke[:place], stroke[place + int(generator.integers(1, 4)) :]]

    def _hooked(self, stroke: np.ndarray, height: float, generator: Generator) -> np.ndarray:
        """Return a stroke that has a hook at its ends where the pen slipped."""
        slips = generator.normal(0, 0.12 * height, (2, 2))  # assumed
        begins, ends = (generator.random(2) < self.hooks).tolist()
        before, after = stroke[:1] + slips[:1], stroke[-1:] + slips[1:]
        return np.concatenate([*[before] * begins, stroke, *[after] * ends])
