"""What every loss offers to a trainer."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor


class BaseLoss(ABC):
    """A loss that is summed over each sequence, and knows by what to divide the sum."""

    name: ClassVar[str]
    """What logs call the loss."""
    head: ClassVar[str | None] = None
    """The `head` of the networks that the loss is for; None if a trainer need not look at it."""

    @abstractmethod
    def __call__(self, output: Any, batch: Any) -> Tensor:
        """Return the loss of each sequence, summed over its steps, `(batch,)` float32."""

    @abstractmethod
    def divisor(self, batch: Any) -> int:
        """Return what the gradient summed over `batch` is to be divided by."""
