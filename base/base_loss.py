"""The interface of losses."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from base.base_data_loader import Batch


class BaseLoss(ABC):
    """A loss summed over each sequence, which knows the divisor of the sum."""

    name: ClassVar[str]
    """The name of the loss in logs."""
    head: ClassVar[str | None] = None
    """The `head` of the networks that the loss is for; None if a trainer need not look at it."""

    @abstractmethod
    def __call__(self, output: Any, batch: Batch) -> Tensor:
        """Return the loss of each sequence, summed over its steps, `(batch,)` float32."""

    @abstractmethod
    def divisor(self, batch: Batch) -> int:
        """Return the divisor of the gradient summed over `batch`."""
