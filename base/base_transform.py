"""Defines the interface of transforms, which change ink before it reaches a network."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np

from utils.checks import UserError


class BaseTransform:
    """A change of a sample's ink during training; a subclass defines `change` or `__call__`."""

    random: ClassVar[bool] = False
    """Whether this is augmentation, drawn anew for every sample and epoch; otherwise it is
    preprocessing, the same every time, and the normalisation is computed after it."""
    acts_on: ClassVar[Literal["ink", "inputs", "picture"]] = "ink"
    """What augmentation changes: the ink, before inputs and targets are made; the normalised inputs
    alone; or, by `arguments`, the picture drawn of the ink."""
    version: ClassVar[int] = 1  # of its results, see `BaseDataset.version`
    takes_epoch: ClassVar[bool] = False
    """Whether `change` has an argument `epoch`, the number of the pass over the data from 0."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.takes_epoch = "epoch" in inspect.signature(cls.change).parameters
        if cls.takes_epoch and not cls.random:
            raise UserError(f"{cls.__name__}.change takes `epoch`, which only augmentation has")

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: np.random.Generator, **place: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the changed `(ink, missing)`; the arguments are not changed.

        Args:
            ink: `(points, 3)` float32, in source units, or normalised if `acts_on` is "inputs".
            missing: `(points,)` uint8, how many points are missing before each point.
            generator: the source of randomness.
            place: `epoch`, if `takes_epoch`.
        """
        ink = ink.copy()
        change: Callable[..., object] = self.change  # A user's may return a value.
        if change(ink, generator, **place) is not None:
            name = type(self).__name__
            raise UserError(f"{name}.change returns a value: it has to change its ink in place")
        return ink, missing

    def change(self, ink: np.ndarray, generator: np.random.Generator) -> None:
        """Change the values of `ink` in place; the number of points stays the same."""
        raise NotImplementedError

    def arguments(self, generator: np.random.Generator) -> dict[str, float]:
        """Return arguments of `ink.drawing.pictures.ink_picture`, for `acts_on = "picture"`."""
        raise NotImplementedError
