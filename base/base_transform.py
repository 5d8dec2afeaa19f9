"""What every change of the ink on its way to a network offers."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np


class BaseTransform(ABC):
    """A change of one sample's ink during training.

    `random` tells preprocessing (the same every time, counted in the normalisation) from
    augmentation (drawn anew for every sample and epoch). Augmentation `acts_on` the ink, of which
    the inputs of the network and its targets are made then; or on the targets alone; or on the
    normalised inputs alone.
    """

    random: ClassVar[bool] = False
    acts_on: ClassVar[Literal["ink", "inputs", "targets"]] = "ink"

    @abstractmethod
    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return new `(ink, missing)`, leaving the given arrays as they are.

        Args:
            ink: `(points, 3)` float32, source units (normalised units if it acts on inputs).
            missing: `(points,)` uint8, the points missing before each point.
            generator: the source of randomness.
        """
