"""Defines the interface of losses; `base/trial/contract.py` tries what a loss has to fulfil."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from base.base_data_loader import Batch


class BaseLoss(ABC):
    """A loss summed over the steps of each sequence, and the divisor of the sum over sequences."""

    name: ClassVar[str]
    """The name of the loss in logs."""
    head: ClassVar[str | None] = None
    """The `head` of the networks that the loss suits; None for all networks."""

    @abstractmethod
    def __call__(self, output: Any, batch: Batch) -> Tensor:
        """Return the loss of each sequence, summed over its steps, `(batch,)` float32."""

    @abstractmethod
    def divisor(self, batch: Batch) -> int:
        """Return the number by which the gradient, summed over `batch`, is divided."""

    def state_dict(self) -> dict[str, Any]:
        """Return the loss's state, which changes from step to step, as tensors and plain values.

        The state of a loss that is a module is the module's state.
        """
        if isinstance(self, nn.Module):
            return super().state_dict()  # type: ignore[misc]  # of the module, which is the next base
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        if isinstance(self, nn.Module):
            super().load_state_dict(state)  # type: ignore[misc]  # as above


def trial_of_loss(loss: BaseLoss, output: Any, batch: Batch, other: Any) -> tuple[str, str]:
    """Try a loss on a batch; return the rule of `BaseLoss` that it breaks, and what may be wrong
    with it, each or "". `other` is the output with other values at padded steps."""
    values = loss(output, batch)
    divisor = float(loss.divisor(batch))
    shape = tuple(values.shape)
    needed = (len(batch),)
    doubt = ""
    rule = "" if divisor > 0 else f"one whose divisor is more than 0, not {divisor:g}"
    if shape != needed:
        rule = f"one that returns a value for each sequence, of shape {needed}, not {shape}"
    elif torch.equal(values, loss(output, batch)):  # not so if it draws, or keeps a state
        values_of_other = loss(other, batch)  # equal but for rounding
        if not torch.allclose(values, values_of_other, rtol=1e-6, atol=0.0, equal_nan=True):
            rule = "one with which neither loss nor network sees padding: it reads padded outputs, "
            rule += "where batch.mask is False"
    if values.dtype.itemsize < torch.float32.itemsize:
        type_name = str(values.dtype).removeprefix("torch.")
        doubt = f"returns {type_name}, in which losses overflow or are rounded: use float()"
    return rule, doubt
