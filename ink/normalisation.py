"""Normalisation of offsets to mean 0 and standard deviation 1, and its inverse."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.checks import DataError, short

MAX_SCALE = 1e20
"""Maximum mean and standard deviation, and 1 / minimum standard deviation (assumed: float32 has
offsets of 1e9 in these units)."""
Moments = tuple[int, float, float, float, float]
"""The number of offsets to predict in an ink; their means and squared deviations, each as x, y."""


def moments_of(ink: np.ndarray) -> Moments:
    """Return the moments of the offsets of ink `(points, 3)`, without its first row."""
    offsets = np.asarray(ink)[1:, :2].astype(np.float64)
    if not len(offsets):
        return (0, 0.0, 0.0, 0.0, 0.0)
    means = offsets.mean(axis=0)
    squares = ((offsets - means) ** 2).sum(axis=0)
    return (len(offsets), *means.tolist(), *squares.tolist())


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of the offsets (dx, dy), in source units.

    Raises:
        DataError: if mean or std is not two finite numbers, a standard deviation is not above 0, or
            one of them is beyond `MAX_SCALE`.
    """

    mean: tuple[float, float]
    std: tuple[float, float]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            try:
                x, y = (float(value) for value in getattr(self, name))
            except (TypeError, ValueError, OverflowError):
                x = math.nan
                y = math.nan
            if not math.isfinite(x) or not math.isfinite(y):
                raise DataError(
                    f"normalisation: {name} is {short(getattr(self, name))}; two finite numbers, "
                    "for dx and dy, are needed"
                )
            object.__setattr__(self, name, (x, y))
        if min(self.std) <= 0:
            raise DataError(
                f"normalisation: std is {self.std}; both must be above 0 (offsets that never "
                "differ in x or in y cannot be normalised)"
            )
        if max(*map(abs, self.mean), *self.std) > MAX_SCALE or min(self.std) < 1 / MAX_SCALE:
            raise DataError(
                f"normalisation: mean is {self.mean} and std {self.std}; at most {MAX_SCALE:g}, "
                f"and a std of at least {1 / MAX_SCALE:g}, is accepted"
            )

    @classmethod
    def fit(cls, inks: Iterable[np.ndarray]) -> "Normalisation":
        """Return mean and standard deviation over all offsets that a network has to predict.

        The first row of each ink is left out, because its offset is not a movement. Sums are in
        float64: over millions of points, float32 would be wrong by a percent.

        Args:
            inks: arrays `(points, 3)` in source units.

        Raises:
            DataError: if there are no offsets, or if offsets do not vary or are not finite.
        """
        return cls.merged(map(moments_of, inks))

    @classmethod
    def merged(cls, moments: Iterable[Moments]) -> "Normalisation":
        """Return the result of `fit` for inks with these `moments_of`, bit for bit.

        Raises:
            DataError: as `fit`.
        """
        count = 0
        means = [0.0, 0.0]
        squares = [0.0, 0.0]
        for ink_count, *values in moments:
            if not ink_count:
                continue
            # The squares about the means of two sets are merged (Chan, Golub and LeVeque 1983).
            total = count + ink_count
            for axis in (0, 1):
                difference = values[axis] - means[axis]
                squares[axis] += values[2 + axis]  # behind the two means
                squares[axis] += difference * difference * (count * ink_count / total)
                means[axis] += difference * (ink_count / total)
            count = total
        if not count:
            raise DataError("normalisation: there are no offsets to compute it from")
        return cls(tuple(means), tuple(math.sqrt(square / count) for square in squares))

    def apply(self, ink: np.ndarray) -> np.ndarray:
        """Return a normalised float32 copy of ink in source units, `(..., 3)`."""
        result = np.array(ink, dtype=np.float64)
        result[..., :2] = (result[..., :2] - self.mean) / self.std
        return result.astype(np.float32)

    def invert(self, ink: np.ndarray) -> np.ndarray:
        """Return a float32 copy of normalised ink, `(..., 3)`, in source units."""
        result = np.array(ink, dtype=np.float64)
        result[..., :2] = result[..., :2] * self.std + self.mean
        return result.astype(np.float32)

    def log_loss_offset(self, unit: tuple[float, float]) -> float:
        """Return how many nats a point's loss grows by if offsets are measured in a new unit.

        The loss is for offsets in units of `std`. Measuring along an axis in units of c instead of
        s multiplies a density by c / s, and so adds ln(s / c) to its negative logarithm.

        Args:
            unit: the new unit of (dx, dy), in source units.
        """
        x, y = unit
        return math.log(self.std[0] / x) + math.log(self.std[1] / y)

    def to_dict(self) -> dict[str, list[float]]:
        """Return mean and std as lists of plain floats, for a checkpoint or JSON."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Normalisation":
        """Return the normalisation from which `to_dict` made `values`.

        Raises:
            DataError: if `values` has other keys, or a value is not two numbers.
        """
        try:
            return cls(**values)
        except TypeError:
            message = "should have the keys 'mean' and 'std'"
            raise DataError(f"normalisation: {short(values)} {message}") from None
