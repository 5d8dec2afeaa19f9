"""What differs on paper, whatever the movement of the pen: its width, and how close letters are."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from utils.checks import Range
from utils.hand_measures import gaps
from utils.ink import strokes, x_height

WITHIN = 0.5
"""Gaps between strokes that are less wide, in x-heights, are within a word (assumed)."""


@dataclass(kw_only=True)
class Pen(BaseTransform):
    """Draws a picture by another pen, and less sharp or smaller.

    Args:
        widths: bounds on the pen's width in x-heights, drawn log-uniformly.
        blur: the most pixels over which an edge goes from ink to paper, drawn uniformly from 1.
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
    """Moves what stands side by side within words together, so that some of it touches.

    Args:
        share: share of the samples that are changed.
        reach: how far neighbours reach over each other at most, in x-heights.
    """

    random = True
    share: Annotated[float, Range(0, 1)] = 0.3
    reach: Annotated[float, Range(0, 1)] = 0.1

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
