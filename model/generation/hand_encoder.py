"""The vector that a network is told of a hand, made of the descriptors of some of its lines.

Shapes: B lines of a batch, L lines of a hand, D numbers of a descriptor, V numbers of the vector.
"""

import numpy as np
import torch
from torch import Tensor, nn

from utils.hand_measures import TOLD_LINES

DESCRIPTOR = 64
"""Numbers of a line's descriptor, D (measured, lab notebook: hands that are told)."""
FEW = 0.25
"""Weight of an unknown hand; it draws a hand of few letters towards zero (assumed)."""
SURE = 8.0
"""Weight of a hand whose descriptor is known (assumed: that of lines of 160 characters)."""
HANDS = 256
"""Hands of the training that are kept, to draw new hands from (assumed)."""
FRACTIONS = (0.3, 0.7)
"""Bounds of each hand's weight in a drawn hand, the mean of two hands (assumed)."""
SPAN = 3.0
"""Largest number of a vector (measured: with a tenth of 3.0 a network learned little)."""
HIDDEN = 128
"""Units between descriptor and vector (assumed)."""


class HandEncoder(nn.Module):
    """Makes the vector of a hand.

    In training a line is told a random number of its hand's lines, or nothing. Noise is added to
    the vectors, so that a vector between two hands stands for a hand too.

    Args:
        size: numbers of the vector, V.
        noise: standard deviation of the noise on a vector, whose numbers are within +-`SPAN`.
        untold: fraction of the lines that are told nothing.

    Attributes:
        hands: descriptors of the lines learned last, `(HANDS, D)`; normal draws before training.
    """

    def __init__(self, size: int, noise: float, untold: float) -> None:
        super().__init__()
        self.size, self.noise, self.untold = size, noise, untold
        self.layers = nn.Sequential(
            nn.Linear(DESCRIPTOR, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, size), nn.Tanh()
        )
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("hands", torch.randn(HANDS, DESCRIPTOR, generator=generator))

    def forward(self, lines: Tensor) -> Tensor:
        """Return the vectors `(B, V)` of hands; zeros for a hand without lines.

        Args:
            lines: `(B, L, D + 1)`: descriptors times their weights, and the weights; 0 where there
                is no line.
        """
        if self.training:
            self._keep(lines.sum(1))
            # A random number of the lines of each row, in random order.
            draws = torch.rand(lines.shape[:2], device=lines.device)
            order = draws.argsort(1).argsort(1)
            counts = torch.randint(1, lines.shape[1] + 1, (len(lines), 1), device=lines.device)
            lines = lines * (order < counts)[..., None]
        total = lines.sum(1)  # (B, D + 1)
        weights = total[:, -1:]
        is_told = (weights > 0).to(total)
        vectors = SPAN * self.layers(total[:, :-1] / (weights + FEW))
        if self.training:
            vectors = vectors + self.noise * torch.randn_like(vectors)
            is_told = is_told * (torch.rand_like(is_told) >= self.untold)
        return vectors * is_told

    @torch.no_grad()
    def _keep(self, totals: Tensor) -> None:
        """Keep the hands of a batch, `(B, D + 1)`, in the place of random earlier hands."""
        totals = totals[totals[:, -1] > 0][:HANDS]
        rows = torch.randperm(HANDS, device=totals.device)[: len(totals)]
        self.hands[rows] = (totals[:, :-1] / totals[:, -1:]).to(self.hands)

    def draw(self, seed: int) -> np.ndarray:
        """Return the descriptor of a new hand, `(D,)`, which depends on the seed.

        The new hand is a mean of two hands. A mean lies nearer to the middle of all hands than
        either hand does, so the mean is moved away from the middle, to the hands' mean distance.
        """
        generator, hands = np.random.default_rng(seed), self.hands.double().numpy(force=True)
        middle = hands.mean(axis=0)
        first, second = hands[generator.choice(len(hands), 2, replace=False)] - middle
        fraction = generator.uniform(*FRACTIONS)
        between = fraction * first + (1 - fraction) * second
        distance = (np.linalg.norm(first) + np.linalg.norm(second)) / 2
        return middle + between * (distance / np.linalg.norm(between))


def told(descriptor: np.ndarray, weight: float = SURE) -> np.ndarray:
    """Return a hand with the descriptor `(D,)` as `HandEncoder` takes hands, `(L, D + 1)`.

    Raises:
        ValueError: if the descriptor's shape is not `(D,)`.
    """
    lines = np.zeros((TOLD_LINES, DESCRIPTOR + 1), np.float32)
    lines[0, :-1], lines[0, -1] = weight * descriptor.reshape(DESCRIPTOR), weight
    return lines
