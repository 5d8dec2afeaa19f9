"""The interface of losses."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from base.base_data_loader import Batch


class BaseLoss(ABC):
    """A loss summed over each sequence, which knows the divisor of the sum."""

    name: ClassVar[str]
    """The name of the loss in logs."""
    head: ClassVar[str | None] = None
    """The `head` of the networks that the loss is for; None for any."""

    @abstractmethod
    def __call__(self, output: Any, batch: Batch) -> Tensor:
        """Return the loss of each sequence, summed over its steps, `(batch,)` float32."""

    @abstractmethod
    def divisor(self, batch: Batch) -> int:
        """Return the divisor of the gradient summed over `batch`."""

    def state_dict(self) -> dict[str, Any]:
        """Return the loss's state, which changes from step to step, as tensors and plain values.

        A loss that is a module keeps its buffers.
        """
        return super().state_dict() if isinstance(self, nn.Module) else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a state that `state_dict` returned."""
        if isinstance(self, nn.Module):
            super().load_state_dict(state)
