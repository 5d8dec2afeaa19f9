"""What every network of the project shares."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn


class BaseModel(nn.Module, ABC):
    """A network that tells its size and keeps no state between calls.

    Recurrent state goes in and comes out of `forward`; nothing of it stays on the module.
    """

    needs_text: ClassVar[bool] = False
    """Whether `forward` must be given the text of the samples."""

    def __init__(self) -> None:
        super().__init__()
        # The factor by which a gradient scaler multiplied the loss. Bounds on gradients inside
        # the network are meant for the unscaled gradient, so they are multiplied by it too.
        self.gradient_scale = 1.0

    @abstractmethod
    def forward(self, *inputs: Any) -> Any:
        """Compute the output of the network; each class states its shapes."""

    @abstractmethod
    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first step, each tensor with `batch` as first dimension."""

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(weights.numel() for weights in self.parameters() if weights.requires_grad)

    def __str__(self) -> str:
        return f"{super().__str__()}\nTrainable parameters: {self.num_parameters:,}"
