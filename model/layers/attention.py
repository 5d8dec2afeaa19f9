"""The two halves of a transformer's block: self-attention with rotary positions, and an MLP.

Both are residual, with normalisation before them (Xiong et al. 2020), and their last weights begin
as zeros, so that an untrained block passes its input on.

Shapes: B sequences, T steps, S steps before them, D numbers per step, N heads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.dropout import Dropout
from utils.checks import ConfigFault

ROTARY_BASE = 10_000.0
"""Ratio of the slowest to the fastest rotation (Su et al. 2021)."""


def check_heads(size: int, heads: int) -> None:
    """Raise a ConfigFault if heads cannot share the numbers of a step, or not turn their part."""
    if size % (2 * heads):
        raise ConfigFault("hidden_size", size, f"a multiple of {2 * heads}, for {heads} heads")


def rotated(values: Tensor, first: int) -> Tensor:
    """Return queries or keys `(B, N, T, D / N)` turned by their positions (Su et al. 2021, eq. 34).

    Args:
        values: at consecutive positions.
        first: position of the first one.
    """
    half = values.shape[-1] // 2
    positions = torch.arange(first, first + values.shape[2], device=values.device).double()
    rates = ROTARY_BASE ** -(torch.arange(half, device=values.device).double() / half)
    angles = positions[:, None] * rates  # (T, D / 2N)
    cos, sin = angles.cos().to(values), angles.sin().to(values)
    left, right = values.split(half, -1)
    return torch.cat((left * cos - right * sin, left * sin + right * cos), -1)


class SelfAttention(nn.Module):
    """Adds to each step what it finds in others (Vaswani et al. 2017), near ones or far.

    Args:
        size: numbers per step, D; a multiple of twice `heads`.
        heads: N.
        dropout: share of the result that is dropped in training.
    """

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.RMSNorm(size)
        self.projections = nn.Linear(size, 3 * size, bias=False)
        self.output = nn.Linear(size, size, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.output.weight)

    def forward(
        self, inputs: Tensor, past: tuple[Tensor, Tensor] | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run the layer.

        Args:
            inputs: `(B, T, D)`.
            past: keys and values of the steps before, `(B, N, S, D / N)` each. If given, a step
                sees those and the steps up to itself; otherwise it sees all.
            mask: which steps may be seen, `(B, T)`; only without `past`.

        Returns:
            `(B, T, D)`, and the keys and values of all steps, `(B, N, S + T, D / N)` each.
        """
        first = 0 if past is None else past[0].shape[2]
        parts = self.projections(self.norm(inputs)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        query, key = rotated(query, first), rotated(key, first)
        if first:
            pairs = zip(past, (key, value), strict=True)
            key, value = (torch.cat((old.to(new), new), 2) for old, new in pairs)
            seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=key.device)
            mask = seen.tril(first)
        elif mask is not None:
            mask = mask[:, None, None]
        causal = past is not None and not first  # Twice as fast as the same mask.
        found = functional.scaled_dot_product_attention(query, key, value, mask, is_causal=causal)
        found = self.output(found.transpose(1, 2).flatten(2))
        return inputs + self.dropout(found), (key, value)


class FeedForward(nn.Module):
    """Adds to each step what two linear layers and a GELU make of it.

    Args:
        size: numbers per step, D; between the layers there are four times as many.
        dropout: share of the result that is dropped in training.
    """

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(size)
        self.expand, self.reduce = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.reduce.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """Run the layer on `(B, T, D)`."""
        return inputs + self.dropout(self.reduce(functional.gelu(self.expand(self.norm(inputs)))))
