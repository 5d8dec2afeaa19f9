"""Deterministic transforms of the ink that make different hands and devices alike.

A loader's `preprocessing` applies transforms to the training split only. `ShapedDataset` applies
them to all splits, for a network that reads these splits or is scored on them; the log-loss is then
in the units of the shaped ink. docs/data.md says which transforms can be undone, and how.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from data_loader.transforms.augmentation import Linear
from ink.geometry import x_height
from ink.measures import baseline_angle
from ink.resampling import resampled
from utils.checks import Range

MAX_ANGLE = 30.0  # degrees of a baseline that is rotated (assumed)


class LevelBaseline(Linear):
    """Rotates a line so that its baseline is level.

    Ink stays unchanged if it is too short for a `baseline_angle` (single letters, a digit), or if
    the angle is above `MAX_ANGLE`. The inverse of `matrix` undoes the rotation.
    """

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        angle = baseline_angle(ink)
        if math.isnan(angle) or abs(angle) > math.radians(MAX_ANGLE):
            angle = 0.0
        cosine, sine = math.cos(angle), math.sin(angle)
        return np.array([[cosine, sine], [-sine, cosine]])


@dataclass(kw_only=True)
class ScaleHeight(Linear):
    """Scales a sample to a common x-height. The inverse of `matrix` undoes the scaling.

    Args:
        height: x-height of the scaled ink, in its units.
    """

    height: Annotated[float, Range(1e-3, 1e6)] = 100.0

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        return np.eye(2) * (self.height / x_height(ink))


@dataclass(kw_only=True)
class ResampleTime(BaseTransform):
    """Resamples at equal time steps, along straight lines between the recorded points.

    Recorded points are assumed to be equally spaced in time, except where points are missing. Each
    stroke keeps its first and last points; its time steps are equal, and as near to `period` as
    can be.

    Args:
        period: time between new points, in recorded periods; 2 halves the number of points
            (measured, notebook: data, smoothing).
    """

    period: Annotated[float, Range(0.01, 1000)] = 2.0

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return resampled(ink, self.period, np.cumsum(missing.astype(np.float64) + 1))


@dataclass(kw_only=True)
class ResampleDistance(BaseTransform):
    """Resamples at equal distances along each stroke.

    Each stroke keeps its first and last points; its steps are equal, and as near to `spacing` as
    can be.

    Args:
        spacing: distance between new points, in the ink's units.
    """

    spacing: Annotated[float, Range(1e-6, 1e6)]

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return resampled(ink, self.spacing)
