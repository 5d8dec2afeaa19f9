"""What every change of the ink on its way to a network offers."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np


class BaseTransform(ABC):
    """A change of one sample's ink during training.

    `random` tells preprocessing (the same every time, counted in the normalisation) from
    augmentation (drawn anew for every sample and epoch). `of_inputs` marks augmentation that acts
    on the normalised inputs of the network alone and leaves the targets as they are, `of_targets`
    augmentation that acts on the targets alone.
    """

    random: ClassVar[bool] = False
    of_inputs: ClassVar[bool] = False
    of_targets: ClassVar[bool] = False

    @abstractmethod
    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return new `(ink, missing)`, leaving the given arrays as they are.

        Args:
            ink: `(readings, 3)` float32, source units (normalised units if `of_inputs`).
            missing: `(readings,)` uint8, the readings missing before each reading.
            generator: the source of randomness.
        """
