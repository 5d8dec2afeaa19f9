"""Encodes the descriptors of a hand's lines as a hand vector, on which a network is conditioned.

Shapes: B lines of a batch, L lines of a hand, D numbers of a descriptor, V numbers of the vector.
"""

import numpy as np
import torch
from torch import Tensor, nn

from ink.measures import NUM_HAND_LINES

DESCRIPTOR = 64
"""Numbers of a line's descriptor, D (measured, notebook: hands, the descriptor)."""
PRIOR_WEIGHT = 0.25
"""Weight of a zero descriptor that is averaged with the lines of each hand (assumed)."""
DEFAULT_WEIGHT = 8.0
"""Weight of a descriptor that comes without a weight (assumed: that of 160 characters)."""
NUM_HANDS = 256
"""Number of hands that are stored in training, to draw new hands from (assumed)."""
FRACTION_BOUNDS = (0.05, 0.2)
"""Bounds on the weight of the second of two hands, whose weighted mean is a new hand (measured,
notebook: hands, drawn hands)."""
VECTOR_BOUND = 3.0
"""Bound on a vector's absolute numbers (measured: with a bound of 0.3 a network learned little)."""
HIDDEN_SIZE = 128
"""Units of the layer between descriptor and vector (assumed)."""


class HandEncoder(nn.Module):
    """Computes hand vectors.

    In training, a line's vector is computed from a random number of its hand's lines, or is zeros.
    Noise is added to the vectors, so that a vector between two hands stands for a hand too. A call
    in training also stores the batch's hands in the buffer `hands`. Vectors do not depend on it: it
    is for `draw`, in a network in use.

    Args:
        size: numbers of the vector, V.
        noise: standard deviation of the noise on a vector's numbers.
        untold: fraction of the lines whose vector is zeros in training.

    Attributes:
        hands: descriptors of hands of the last batches, `(NUM_HANDS, D)`, a buffer; initially
            random.
    """

    def __init__(self, size: int, noise: float, untold: float) -> None:
        super().__init__()
        self.size = size
        self.noise = noise
        self.untold = untold
        self.layers = nn.Sequential(
            nn.Linear(DESCRIPTOR, HIDDEN_SIZE), nn.Tanh(), nn.Linear(HIDDEN_SIZE, size), nn.Tanh()
        )
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("hands", torch.randn(NUM_HANDS, DESCRIPTOR, generator=generator))

    def forward(self, lines: Tensor) -> Tensor:
        """Return the vectors `(B, V)` of hands; zeros for a hand without lines.

        Args:
            lines: `(B, L, D + 1)`: for each line the descriptor times its weight, then the weight;
                zeros in the place of a missing line.
        """
        if self.training:
            self._store(lines.sum(1))
            # Each hand has a random selection of its lines, of random size.
            draws = torch.rand(lines.shape[:2], device=lines.device)
            ranks = draws.argsort(1).argsort(1)  # of each line among its hand's, from 0
            counts = torch.randint(1, lines.shape[1] + 1, (len(lines), 1), device=lines.device)
            lines = lines * (ranks < counts)[..., None]
        line_sums = lines.sum(1)  # (B, D + 1)
        weights = line_sums[:, -1:]
        has_hand = (weights > 0).to(line_sums)
        vectors = VECTOR_BOUND * self.layers(line_sums[:, :-1] / (weights + PRIOR_WEIGHT))
        if self.training:
            vectors = vectors + self.noise * torch.randn_like(vectors)
            has_hand = has_hand * (torch.rand_like(has_hand) >= self.untold)
        return vectors * has_hand

    @torch.no_grad()
    def _store(self, line_sums: Tensor) -> None:
        """Store the hands of a batch in the place of random earlier hands.

        Args:
            line_sums: sums of the `lines` of each hand, see `forward`, `(B, D + 1)`.
        """
        has_lines = line_sums[:, -1] > 0
        line_sums = line_sums[has_lines][:NUM_HANDS]
        rows = torch.randperm(NUM_HANDS, device=line_sums.device)[: len(line_sums)]
        self.hands[rows] = (line_sums[:, :-1] / line_sums[:, -1:]).to(self.hands)

    def draw(self, seed: int) -> np.ndarray:
        """Return the descriptor `(D,)` of a new hand, which depends on the seed.

        The new hand lies near one stored hand, whose letters it has, and a little towards another
        hand: halfway between two hands, letters alternate between both forms (measured, notebook:
        hands, drawn hands). Consecutive seeds begin at the stored hands in turn. If a
        network learned a single hand, the new hand is this hand.
        """
        count = len(self.hands)
        random = torch.rand(2, generator=torch.Generator().manual_seed(seed))
        second_draw, fraction_draw = random.tolist()
        first = seed % count
        second = (first + 1 + int(second_draw * (count - 1))) % count  # any other hand
        low, high = FRACTION_BOUNDS
        fraction = low + fraction_draw * (high - low)
        near, far = self.hands[[first, second]].double().numpy(force=True)
        return near + fraction * (far - near)


def line_by_line(module: nn.Module, lines: Tensor) -> Tensor:
    """Return a module's results for lines, each computed by itself, so that on a CPU no line
    depends on the others, bit for bit. Equal lines are computed once."""
    if lines.device.type != "cpu":  # On a GPU products depend on the number of rows anyway.
        return module(lines)
    distinct, places = lines.unique(dim=0, return_inverse=True)
    return torch.cat([module(line) for line in distinct.split(1)])[places]


def hand_extra(descriptor: np.ndarray, weight: float = DEFAULT_WEIGHT) -> np.ndarray:
    """Return the extra `hand` of a descriptor `(D,)`, as the input `(L, D + 1)` of `HandEncoder`.

    Raises:
        ValueError: if the descriptor's shape is not `(D,)`.
    """
    lines = np.zeros((NUM_HAND_LINES, DESCRIPTOR + 1), np.float32)
    lines[0, :-1] = weight * descriptor.reshape(DESCRIPTOR)
    lines[0, -1] = weight
    return lines
