"""Normalisation of offsets to mean 0 and standard deviation 1, and its inverse."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from utils.checks import DataError, short


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of the offsets (dx, dy), in source units.

    Raises:
        DataError: unless each is two finite numbers, the deviations above 0.
    """

    mean: tuple[float, float]
    std: tuple[float, float]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            try:
                x, y = (float(value) for value in getattr(self, name))
            except (TypeError, ValueError, OverflowError):
                x = y = math.nan
            if not (math.isfinite(x) and math.isfinite(y)):
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

    @classmethod
    def fit(cls, inks: Iterable[np.ndarray]) -> "Normalisation":
        """Return mean and standard deviation over all offsets that a network has to predict.

        These are rows 1.. of each ink: the offset of its first row is not a movement. Sums are in
        float64, about the mean of each ink: in float32 they would be wrong by a percent over
        millions of points.

        Args:
            inks: arrays `(points, 3)` in source units.

        Raises:
            DataError: if there are no offsets, or they do not vary, or they are not finite.
        """
        count, mean, squares = 0, np.zeros(2), np.zeros(2)
        for ink in inks:
            offsets = np.asarray(ink)[1:, :2].astype(np.float64)
            if not len(offsets):
                continue
            # Chan, Golub and LeVeque 1983: merge the sums of squares of two sets about their means.
            mean_of_ink = offsets.mean(axis=0)
            difference = mean_of_ink - mean
            total = count + len(offsets)
            squares += ((offsets - mean_of_ink) ** 2).sum(axis=0)
            squares += difference**2 * (count * len(offsets) / total)
            mean = mean + difference * (len(offsets) / total)
            count = total
        if not count:
            raise DataError("normalisation: there are no offsets to compute it from")
        std = np.sqrt(squares / count)
        return cls((float(mean[0]), float(mean[1])), (float(std[0]), float(std[1])))

    def apply(self, ink: np.ndarray) -> np.ndarray:
        """Return ink in source units, `(..., 3)`, as normalised float32, a copy."""
        result = np.array(ink, dtype=np.float64)
        result[..., :2] = (result[..., :2] - self.mean) / self.std
        return result.astype(np.float32)

    def invert(self, ink: np.ndarray) -> np.ndarray:
        """Return normalised ink, `(..., 3)`, in source units as float32, a copy."""
        result = np.array(ink, dtype=np.float64)
        result[..., :2] = result[..., :2] * self.std + self.mean
        return result.astype(np.float32)

    def nats_in(self, unit: tuple[float, float]) -> float:
        """Return the nats that a point gets in addition when offsets are in another unit.

        A density of offsets in units of s becomes one in units of c by the factor c / s along each
        axis, which adds ln(s / c) to the negative log-density.

        Args:
            unit: the other unit (dx, dy), in source units.
        """
        x, y = unit
        return math.log(self.std[0] / x) + math.log(self.std[1] / y)

    def to_dict(self) -> dict[str, list[float]]:
        """Return mean and std as lists of plain floats, for a checkpoint or JSON."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: Mapping[str, tuple[float, float]]) -> "Normalisation":
        """Return the normalisation that `to_dict` described.

        Raises:
            DataError: if `values` lacks a key, or a value is not two numbers.
        """
        try:
            return cls(**values)
        except TypeError:
            message = "should have the keys 'mean' and 'std'"
            raise DataError(f"normalisation: {short(values)} {message}") from None
