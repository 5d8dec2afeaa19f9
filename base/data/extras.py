"""Checks and stacks extras: arrays of fixed shape that samples have and networks take."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import numpy as np

from ink.sample import Sample
from utils.checks import DataError


class ExtraShapes(dict[str, tuple[int, ...]]):
    """The shapes of extras by name; an extra is an array of fixed shape that a network takes."""

    def __init__(self, shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__({name: tuple(shape) for name, shape in shapes.items()})

    def __missing__(self, name: str) -> NoReturn:
        where = "the samples, or its attribute `extras`,"
        raise DataError(f"the network takes the extra {name!r}; {where} have {self}")

    def __str__(self) -> str:
        return ", ".join(f"{name} of shape {shape}" for name, shape in self.items()) or "no extras"


def shapes_of(samples: Iterable[Sample]) -> ExtraShapes:
    """Return the shapes of the extras of samples, by name.

    Raises:
        DataError: if the names or shapes of a sample's extras differ from the first sample's.
    """
    first, expected = "", ExtraShapes({})
    for number, sample in enumerate(samples):
        shapes = ExtraShapes({name: values.shape for name, values in sample.extras.items()})
        if not number:
            first, expected = sample.name, shapes
        elif shapes != expected:
            raise DataError(f"{sample.name} has {shapes}, but {first}, the first, has {expected}")
    return expected


def stacked(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the extras of samples by name, each `(samples, ...)` float32; see `shapes_of`."""
    return {
        name: np.stack([sample.extras[name] for sample in samples])
        for name in sorted(shapes_of(samples))
    }
