"""Augmentation that imitates other digitisers, pens and writing habits."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from ink.delayed_strokes import are_marks, undelayed
from ink.geometry import at_equal_steps, from_strokes, strokes, x_height
from ink.measures import gaps
from utils.checks import Fraction, Range

MAX_INNER_GAP = 0.5
"""Width in x-heights below which a gap between strokes counts as within a word (assumed)."""
MIN_GRID_RATIO = 0.01
"""Smallest spacing of the grid, as a fraction of the largest (assumed)."""
HOOK_DEVIATION = 0.12
"""Standard deviation in x and in y of the point of a hook, in x-heights (assumed)."""
MIN_SKIPPED_STROKE = 12
"""Number of points from which on a stroke may lack some within it (assumed)."""


@dataclass(kw_only=True)
class OtherDevice(BaseTransform):
    """Changes samples as if another digitiser had recorded them: slower, coarser, less steady.

    Args:
        share: fraction of the samples that are changed.
        slower: maximum time between new points, in recorded periods; drawn log-uniformly from 1.
        grid: maximum spacing of the grid of points, in x-heights; drawn log-uniformly from a
            hundredth of the maximum. 0.1 means 84 points an inch for letters of 3 mm.
        jitter: maximum standard deviation of the noise of a point, in x-heights; drawn uniformly.
        hooks: fraction of the ends of strokes at which the pen slips.
        skips: fraction of the strokes in which the pen leaves no ink for a few points.
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
        grid_ratio = math.exp(generator.uniform(math.log(MIN_GRID_RATIO), 0))
        grid = height * self.grid * grid_ratio
        new_strokes = []
        for recorded in strokes(ink):
            for stroke in self._with_skip(recorded, generator):
                if len(stroke) > 2:
                    num_steps = max(1, round((len(stroke) - 1) / period))
                    times = np.arange(len(stroke), dtype=float)  # in recorded periods
                    stroke = at_equal_steps(stroke, times, num_steps)
                stroke = stroke + jitter * generator.standard_normal(stroke.shape)
                stroke = self._with_hooks(stroke, height, generator)
                new_strokes.append(np.rint(stroke / grid) * grid)
        new_ink = from_strokes(new_strokes)
        return new_ink, np.zeros(len(new_ink), dtype=np.uint8)

    def _with_skip(self, stroke: np.ndarray, generator: Generator) -> list[np.ndarray]:
        """Return the whole stroke or, at random, the two strokes around a few missing points."""
        if len(stroke) < MIN_SKIPPED_STROKE or generator.random() >= self.skips:
            return [stroke]
        start = int(generator.integers(4, len(stroke) - 7))  # 4 points or more stay on either side
        num_missing = int(generator.integers(1, 4))
        return [stroke[:start], stroke[start + num_missing :]]

    def _with_hooks(self, stroke: np.ndarray, height: float, generator: Generator) -> np.ndarray:
        """Return a stroke with one more point, a hook, at each end at which the pen slips."""
        offsets = generator.normal(0, HOOK_DEVIATION * height, (2, 2))
        slips_at_start, slips_at_end = generator.random(2) < self.hooks
        pieces = [stroke]
        if slips_at_start:
            pieces.insert(0, stroke[:1] + offsets[:1])
        if slips_at_end:
            pieces.append(stroke[-1:] + offsets[1:])
        return np.concatenate(pieces)


@dataclass(kw_only=True)
class DelayMarks(BaseTransform):
    """Changes the order of marks over letters, such as dots, moves marks, and leaves some out.

    Args:
        at_once: fraction of the samples whose marks come right after their letters.
        last: fraction of the other samples whose marks come after all letters.
        moved: fraction of the samples whose marks are moved.
        distance: standard deviation of a mark's movement along x, in x-heights; half of it along y.
        missing: fraction of the marks that are left out in samples whose marks are moved.
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
        height = x_height(ink)
        new_strokes = strokes(ink)
        is_mark = are_marks(ink, height)
        if not is_mark.any() or is_mark.all():
            return ink, missing
        numbers = np.arange(len(new_strokes))
        if generator.random() < self.moved:
            std = height * self.distance
            for number in np.flatnonzero(is_mark):
                new_strokes[number] = new_strokes[number] + generator.normal(0, (std, std / 2))
            is_present = ~is_mark | (generator.random(len(new_strokes)) >= self.missing)
            numbers = numbers[is_present]
        is_at_once = generator.random() < self.at_once
        if not is_at_once and generator.random() < self.last:
            numbers = numbers[np.argsort(is_mark[numbers], kind="stable")]  # marks last
        new_ink = from_strokes([new_strokes[number] for number in numbers])
        if is_at_once:
            new_ink = from_strokes(undelayed(new_ink, height, late=0))
        return new_ink, np.zeros(len(new_ink), dtype=np.uint8)


@dataclass(kw_only=True)
class Pen(BaseTransform):
    """Draws a picture with another pen width, blurred edges and a smaller size.

    Args:
        widths: bounds on the pen's width in x-heights; drawn log-uniformly.
        blur: maximum width of the edge between ink and paper, in pixels; drawn uniformly from 1.
        zoom: minimum factor on the size; drawn uniformly up to 1.
    """

    random = True
    acts_on = "picture"
    widths: tuple[Annotated[float, Range(0.01, 1)], Annotated[float, Range(0.01, 1)]] = (0.07, 0.28)
    blur: Annotated[float, Range(1, 10)] = 2.5
    zoom: Annotated[float, Range(0.1, 1)] = 0.7

    def arguments(self, generator: Generator) -> dict[str, float]:
        pen = math.exp(generator.uniform(*np.log(self.widths)))
        blur = generator.uniform(1, self.blur)
        zoom = generator.uniform(self.zoom, 1)
        return {"pen": pen, "blur": blur, "zoom": zoom}


@dataclass(kw_only=True)
class Crowd(BaseTransform):
    """Narrows the gaps between neighbouring strokes within words, so that some strokes touch.

    Args:
        share: fraction of the samples that are changed.
        reach: maximum overlap of neighbouring strokes, in x-heights.
    """

    random = True
    share: Fraction = 0.3
    reach: Fraction = 0.1

    def change(self, ink: np.ndarray, generator: Generator) -> None:
        all_strokes = strokes(ink)
        if generator.random() >= self.share:
            return
        height = x_height(ink)
        widths, order = gaps(all_strokes, 0.0)
        in_word = (widths > 0) & (widths < MAX_INNER_GAP * height)
        new_widths = generator.uniform(-self.reach * height, np.where(in_word, widths, 0.0))
        shift = np.zeros(len(all_strokes))
        shift[order[1:]] = np.cumsum(np.where(in_word, new_widths - widths, 0.0))
        ink[1:, 0] += np.diff(np.repeat(shift, [len(stroke) for stroke in all_strokes]))
