"""Writer identification: whose hand a line is in, whatever its text.

Along the axes of a `HandSpace` lines of one hand spread by 1, and hands as much as they do
(`benchmarks/hand_space.py` learns one). With the hands' and the lines' spread known, each hand has
a likelihood (Ioffe, "Probabilistic linear discriminant analysis", 2006).
"""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from utils.hand_features import SIZE, hand_features


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


def split_in_two(embeddings: np.ndarray, between: np.ndarray) -> tuple[np.ndarray, float]:
    """Return how lines are most likely divided between two hands, and how much that explains.

    Along each axis, lines are normal about their hand with variance 1 and hands are normal about 0
    with variance `between`; a line changes sides as long as the whole becomes likelier by it.

    Args:
        embeddings: of at least two lines, `(lines, axes)`, as `HandSpace.embed` returns them.
        between: `(axes,)`.

    Returns:
        whether each line is of the smaller group, `(lines,)`, and the logarithm of the Bayes factor
        of two hands against one, in nats.
    """

    def evidence(lines: np.ndarray) -> float:
        count = len(lines)
        share = between / (1 + count * between)
        spread = (lines**2).sum(axis=0) - share * lines.sum(axis=0) ** 2
        return -0.5 * float((np.log1p(count * between) + spread).sum())

    def divided(group: np.ndarray) -> float:
        return evidence(embeddings[group]) + evidence(embeddings[~group])

    shrunk = (embeddings - embeddings.mean(axis=0)) * np.sqrt(between / (1 + between))
    first = np.linalg.svd(shrunk, full_matrices=False)[0][:, 0]
    group = first > np.median(first)
    group[first.argmax()] = True
    best, changed = divided(group), True
    while changed:
        changed = False
        for line in range(len(embeddings)):
            group[line] ^= True
            found = divided(group) if group.any() and not group.all() else -math.inf
            if found > best + 1e-9:
                best, changed = found, True
            else:
                group[line] ^= True
    smaller = group if group.sum() <= len(group) / 2 else ~group
    return smaller, best - evidence(embeddings)


def load(path: str | os.PathLike[str]) -> HandSpace:
    """Read a space, as `benchmarks/hand_space.py` saves it."""
    with np.load(path) as parts:
        projection = parts["projection"].astype(np.float32) * parts["largest"]
        return HandSpace(parts["mean"], projection.astype(np.float32), parts["between"])
