"""States for the tests of the layers."""

import torch
from torch import nn


def random_state(layer: nn.Module, batch: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {
        name: torch.rand(batch, size, dtype=dtype, requires_grad=True)
        for name, size in layer.state_sizes.items()
    }
