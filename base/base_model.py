"""The interface of networks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn


class BaseModel(nn.Module, ABC):
    """A network that keeps no state between calls.

    Recurrent state is an argument and a result of `forward`, never an attribute of the module.
    """

    needs_text: ClassVar[bool] = False
    """Whether `forward` must be given the text of the samples."""

    # Without a value, which would hide a layer that a network names so.
    head: str
    """What its output stands for, if losses and metrics have to fit it."""

    @abstractmethod
    def forward(self, *inputs: Any) -> Any:
        """Compute the output of the network; each class states its shapes."""

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first step, each tensor with `batch` as first dimension.

        A dimension of 0 grows from call to call. Empty for a network that sees its inputs as a
        whole.
        """
        return {}

    @property
    def features(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """The function that turns ink `(points, 3)` in any unit into inputs `(points, features)`.

        It can be pickled, and is called where samples are made. None: the network sees the
        normalised points themselves.
        """
        return None

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """Weights with one index for each character of `self.alphabet`, in its order.

        By name in `state_dict`: the dimension, and the index of the first character in it.
        """
        return {}

    def extend_state_dict(
        self, state_dict: Mapping[str, Tensor], vocab_size_before: int | None = None
    ) -> dict[str, Tensor]:
        """Extend the weights of a network that knows only the first characters to this one.

        New characters get this network's own, initial weights. All other weights are those given;
        indices after the characters move along.

        Args:
            state_dict: the weights of the other network. Those that do not fit stay unchanged.
            vocab_size_before: how many characters of `self.alphabet` it knows; None for all.
        """
        own, extended = self.state_dict(), dict(state_dict)
        if vocab_size_before is None:
            return extended
        added = len(self.alphabet) - vocab_size_before if self.vocabulary_axes else 0
        for name, (dim, first) in self.vocabulary_axes.items():
            old, fresh = extended.get(name), own[name].movedim(dim, 0)
            if not isinstance(old, Tensor) or old.ndim != fresh.ndim:
                continue
            old = old.movedim(dim, 0)
            if old.shape[1:] == fresh.shape[1:]:
                end = first + vocab_size_before
                parts = (old[:end], fresh[end : end + added], old[end:])
                extended[name] = torch.cat(parts).movedim(0, dim)
        return extended

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(weights.numel() for weights in self.parameters() if weights.requires_grad)

    def __str__(self) -> str:
        return f"{super().__str__()}\nTrainable parameters: {self.num_parameters:,}"
