"""Writer identification: whose hand a line is in, whatever its text.

Along the axes of a `HandSpace` lines of one hand spread by 1, and hands as much as they do
(`benchmarks/hand_space.py` learns one). With the hands' and the lines' spread known, each hand has
a likelihood (Ioffe, "Probabilistic linear discriminant analysis", 2006).
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from base.pretrained import PRETRAINED
from benchmarks.hand_features import SIZE, hand_features

HAND_SPACE = PRETRAINED / "hands.npz"
"""A space of hands that comes with the project."""


class HandSpace(NamedTuple):
    """A space in which lines of one hand lie close together.

    Attributes:
        mean: of the features, `(SIZE,)` float32.
        projection: from features to axes, `(SIZE, axes)` float32; along each axis the variance
            within a hand is 1.
        between: variance of the hands along each axis, `(axes,)` float32, falling.
    """

    mean: np.ndarray
    projection: np.ndarray
    between: np.ndarray

    def embed(self, lines: Sequence[np.ndarray]) -> np.ndarray:
        """Return where lines `(points, 3)` lie, `(lines, axes)` float64.

        Raises:
            DataError: for ink that shows no hand (`hand_features`).
        """
        features = np.array([hand_features(line) for line in lines]).reshape(-1, SIZE)
        return (features - self.mean) @ self.projection.astype(np.float64)


def load(path: str | os.PathLike[str] = HAND_SPACE) -> HandSpace:
    """Read a space, as `benchmarks/hand_space.py` saves it."""
    with np.load(path) as parts:
        projection = parts["projection"].astype(np.float32) * parts["largest"]
        return HandSpace(parts["mean"], projection.astype(np.float32), parts["between"])
