"""What a network is told of a hand: a vector made of the descriptors of some of its lines.

Shapes: B lines of a batch, L lines of a hand, D numbers of a descriptor, V of the vector.
"""

import numpy as np
import torch
from torch import Tensor, nn

LINES = 8
"""Lines of a hand that tell it, at most, L (assumed: more tell little more)."""
DESCRIPTOR = 64
"""Numbers of a line's descriptor, D (measured, lab notebook: hands that are told)."""
FEW = 0.25
"""Weight of nothing known, by which a hand of few letters is told less clearly (assumed)."""
SURE = 8.0
"""Weight of a hand whose descriptor is known (assumed: as lines of 160 characters)."""
MOMENTUM = 0.002
"""Share of a batch in what is known of all hands (assumed: of the last thousands of lines)."""
SPAN = 3.0
"""Largest number of a vector (measured: of a tenth of that a network learned little)."""
HIDDEN = 128
"""Units between descriptor and vector (assumed)."""


class HandEncoder(nn.Module):
    """Makes the vector of a hand.

    In training each line is told another number of lines, noise is added, so that what lies between
    two hands is a hand too, and some are told nothing.

    Args:
        size: numbers of the vector, V.
        noise: standard deviation of what is added to them; they lie between -`SPAN` and `SPAN`.
        untold: share of the lines that are told nothing.

    Attributes:
        mean, covariance: of the hands of the training, `(D,)` and `(D, D)`.
    """

    def __init__(self, size: int, noise: float, untold: float) -> None:
        super().__init__()
        self.size, self.noise, self.untold = size, noise, untold
        self.layers = nn.Sequential(
            nn.Linear(DESCRIPTOR, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, size), nn.Tanh()
        )
        self.register_buffer("mean", torch.zeros(DESCRIPTOR))
        self.register_buffer("covariance", torch.eye(DESCRIPTOR))

    def forward(self, lines: Tensor) -> Tensor:
        """Return the vectors `(B, V)` of hands, zeros where there is no line.

        Args:
            lines: `(B, L, D + 1)`: descriptors times their weights, and the weights; those that
                are 0 are of no line.
        """
        if self.training:
            self._learn(lines.sum(1))
            # Of each row as many as a number that is drawn, those of the smallest draws.
            draws = torch.rand(lines.shape[:2], device=lines.device)
            order = draws.argsort(1).argsort(1)
            counts = torch.randint(1, lines.shape[1] + 1, (len(lines), 1), device=lines.device)
            lines = lines * (order < counts)[..., None]
        total = lines.sum(1)  # (B, D + 1)
        weights = total[:, -1:]
        told = (weights > 0).to(total)
        vectors = SPAN * self.layers(total[:, :-1] / (weights + FEW))
        if self.training:
            vectors = vectors + self.noise * torch.randn_like(vectors)
            told = told * (torch.rand_like(told) >= self.untold)
        return vectors * told

    @torch.no_grad()
    def _learn(self, totals: Tensor) -> None:
        """Move the distribution of all hands towards those of a batch, `(B, D + 1)`."""
        known = totals[totals[:, -1] > 0]
        if len(known) > 1:
            hands = known[:, :-1] / known[:, -1:]
            self.mean.lerp_(hands.mean(0), MOMENTUM)
            apart = (hands - self.mean)[:, :, None]  # (B, D, 1)
            self.covariance.lerp_((apart * apart.mT).mean(0), MOMENTUM)

    def draw(self, seed: int) -> np.ndarray:
        """Return the descriptor of a hand that nobody has, `(D,)`: another one with each seed."""
        normal = np.random.default_rng(seed).normal(size=DESCRIPTOR)
        root = np.linalg.cholesky(self.covariance.double().numpy(force=True))
        return self.mean.double().numpy(force=True) + root @ normal


def told(descriptor: np.ndarray, weight: float = SURE) -> np.ndarray:
    """Return what a network is told of a hand with a descriptor `(D,)`, `(L, D + 1)`.

    Raises:
        ValueError: if it has another shape.
    """
    lines = np.zeros((LINES, DESCRIPTOR + 1), np.float32)
    lines[0, :-1], lines[0, -1] = weight * descriptor.reshape(DESCRIPTOR), weight
    return lines
