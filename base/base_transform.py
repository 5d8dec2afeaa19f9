"""The interface of changes to the ink before it reaches a network."""

import inspect
from typing import Any, ClassVar, Literal

import numpy as np

from utils.checks import UserError


class BaseTransform:
    """A change of a sample's ink during training: subclasses define `change` or `__call__`.

    `random` distinguishes augmentation (drawn for every sample and epoch) from preprocessing (the
    same every time, included in the normalisation). Augmentation `acts_on` the ink, from which
    inputs and targets are then made; on the normalised inputs alone; or, by its `arguments`, on the
    way a picture of the ink is drawn.
    """

    random: ClassVar[bool] = False
    acts_on: ClassVar[Literal["ink", "inputs", "picture"]] = "ink"
    takes_epoch: ClassVar[bool] = False
    """Whether `change` has an argument `epoch`, the pass over the data from 0: in augmentation."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.takes_epoch = "epoch" in inspect.signature(cls.change).parameters
        if cls.takes_epoch and not cls.random:
            raise UserError(f"{cls.__name__}.change takes `epoch`, which only augmentation has")

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: np.random.Generator, **place: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return new `(ink, missing)`, leaving the given arrays as they are.

        Args:
            ink: `(points, 3)` float32, source units (normalised units for `acts_on = "inputs"`).
            missing: `(points,)` uint8, the points missing before each point.
            generator: the source of randomness.
            place: `epoch`, for `takes_epoch`.
        """
        ink = ink.copy()
        if self.change(ink, generator, **place) is not None:
            name = type(self).__name__
            raise UserError(f"{name}.change returns something: it has to alter the ink it is given")
        return ink, missing

    def change(self, ink: np.ndarray, generator: np.random.Generator) -> None:
        """Change ink in place, if its points remain as many."""
        raise NotImplementedError

    def arguments(self, generator: np.random.Generator) -> dict[str, float]:
        """Return arguments of `utils.pictures.ink_picture`, for `acts_on = "picture"`."""
        raise NotImplementedError
