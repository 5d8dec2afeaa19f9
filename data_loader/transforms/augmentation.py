"""Transforms of the training ink: preprocessing and augmentation.

Preprocessing is the same every time and is included in the normalisation; augmentation is drawn
for every sample and epoch. Neither applies to the validation and test splits.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base.base_transform import BaseTransform
from ink.geometry import x_height
from utils.checks import ConfigFault, Range


@dataclass(kw_only=True)
class FillMissing(BaseTransform):
    """Inserts linearly interpolated points into strokes where the digitiser left points out.

    The paper does not say how it does this; the method is assumed. Pen lifts stay unchanged.

    Args:
        max_missing: maximum number of points inserted in a gap (assumed: 0.3 s of IAM-OnDB).
    """

    max_missing: Annotated[int, Range(1, 127)] = 20

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        count = np.minimum(missing, self.max_missing).astype(np.int64)
        # No point is inserted before the first point, nor where the pen was lifted.
        count[0] = 0
        count[1:][ink[:-1, 2] > 0] = 0
        if not count.any():
            return ink, missing
        # An offset over n missing points becomes n + 1 equal offsets.
        steps = count + 1
        filled = np.repeat(ink, steps, axis=0)
        filled[:, :2] /= np.repeat(steps, steps)[:, None]
        filled[:, 2] = 0
        filled[np.cumsum(steps) - 1, 2] = ink[:, 2]
        return filled, np.zeros(len(filled), dtype=np.uint8)


@dataclass(kw_only=True)
class CutLongSteps(BaseTransform):
    """Shortens steps longer than a threshold to the threshold; the steps keep their direction.

    The paper does not give its threshold. The threshold affects the normalisation, and therefore
    a log-loss in normalised units (but not the canonical log-loss).

    Args:
        threshold: maximum length of a step, in source units.
    """

    threshold: Annotated[float, Range(1e-3, 1e6)]

    def change(self, ink: np.ndarray, generator: Generator) -> None:
        length = np.hypot(ink[:, 0], ink[:, 1])
        ink[:, :2] *= (self.threshold / np.maximum(length, self.threshold))[:, None]


class Linear(BaseTransform):
    """Multiplies all offsets of a sample by the same matrix."""

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        """Return the matrix `(2, 2)` float64 by which column vectors (dx, dy) are multiplied."""
        raise NotImplementedError

    def change(self, ink: np.ndarray, generator: Generator) -> None:
        ink[:, :2] = ink[:, :2].astype(np.float64) @ self.matrix(ink, generator).T


@dataclass(kw_only=True)
class Scale(Linear):
    """Scales a whole sample by one factor, drawn log-uniformly from `low` to `high`.

    Args:
        low, high: bounds on the factor; 1 changes nothing.
    """

    random = True
    low: Annotated[float, Range(0.01, 100)] = 0.8
    high: Annotated[float, Range(0.01, 100)] = 1.25

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ConfigFault("low", self.low, f"at most high, which is {self.high}")

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        factor = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        return factor * np.eye(2)


@dataclass(kw_only=True)
class Slant(Linear):
    """Slants a whole sample by an angle drawn uniformly from `-degrees` to `degrees`.

    Horizontal lines stay unchanged; vertical lines lean, to the right for positive angles.

    Args:
        degrees: bound on the angle.
    """

    random = True
    degrees: Annotated[float, Range(0, 60)] = 10.0

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        angle = math.radians(generator.uniform(-self.degrees, self.degrees))
        return np.array([[1, -math.tan(angle)], [0, 1]])  # y grows downwards


@dataclass(kw_only=True)
class Rotate(Linear):
    """Rotates a whole sample by an angle drawn uniformly from `-degrees` to `degrees`.

    Args:
        degrees: bound on the angle.
    """

    random = True
    degrees: Annotated[float, Range(0, 180)] = 5.0

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        angle = math.radians(generator.uniform(-self.degrees, self.degrees))
        cosine, sine = math.cos(angle), math.sin(angle)
        return np.array([[cosine, -sine], [sine, cosine]])


class Stretch(Scale):
    """Stretches a whole sample along x by a factor drawn log-uniformly from `low` to `high`."""

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        factor = super().matrix(ink, generator)[0, 0]
        return np.diag([factor, 1.0])


@dataclass(kw_only=True)
class Warp(BaseTransform):
    """Bends a sample: smooth waves along the line move every point.

    So each letter is stretched, slanted and shifted a little in its own way (in the manner of
    Simard, Steinkraus and Platt 2003). The number of points and the pen lifts stay the same.

    Args:
        amplitude: standard deviation of the movement in x and in y, in x-heights.
        shortest, longest: bounds on the wavelengths, in x-heights; drawn log-uniformly.
    """

    random = True
    _WAVES = 4  # for x and for y (assumed: enough that no two letters are bent alike)
    amplitude: Annotated[float, Range(0, 10)] = 0.15
    shortest: Annotated[float, Range(0.1, 1000)] = 2.0
    longest: Annotated[float, Range(0.1, 1000)] = 12.0

    def __post_init__(self) -> None:
        if self.shortest > self.longest:
            expected = f"at most longest, which is {self.longest}"
            raise ConfigFault("shortest", self.shortest, expected)

    def change(self, ink: np.ndarray, generator: Generator) -> None:
        points = np.cumsum(ink[:, :2], axis=0, dtype=np.float64)
        height = x_height(ink)
        shape = (2, self._WAVES)
        low, high = math.log(self.shortest), math.log(self.longest)
        lengths = np.exp(generator.uniform(low, high, shape))
        directions = generator.uniform(-0.5, 0.5, shape)  # radians from the x-axis
        phases = generator.uniform(0, 2 * np.pi, shape)
        x, y = points.T[:, :, None, None]  # each (points, 1, 1)
        along = x * np.cos(directions) + y * np.sin(directions)  # (points, 2, waves)
        waves = np.sin(2 * np.pi * along / (lengths * height) + phases)
        # Each of the summed sines has the variance 1/2.
        points += self.amplitude * height * waves.sum(-1) * math.sqrt(2 / self._WAVES)
        ink[1:, :2] = np.diff(points, axis=0)


@dataclass(kw_only=True)
class InputNoise(BaseTransform):
    """Adds Gaussian noise to the offsets in a network's inputs; the targets stay exact.

    Args:
        std: standard deviation of the noise in normalised units.
    """

    random = True
    acts_on = "inputs"
    std: Annotated[float, Range(0, 10)] = 0.05

    def change(self, ink: np.ndarray, generator: Generator) -> None:
        ink[:, :2] += generator.normal(0, self.std, (len(ink), 2))
