"""Writer identification: whose hand a line is in, whatever its text.

A `HandSpace` is learned from lines grouped by hand (`fit`) with a linear discriminant analysis of
their `hand_features`: along its axes lines of one hand spread by 1, and hands as much as they do.
With the hands' and the lines' spread known, each hand has a likelihood (Ioffe, "Probabilistic
linear discriminant analysis", 2006).
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from utils.checks import DataError, UserError
from utils.files import atomic_write, open_file
from utils.hand_features import BLOCKS, SIZE, hand_features

COMPONENTS = 200
"""Principal components of the features that are kept (measured by cross-validation over hands of
IAM-OnDB's trainset: with 150 to 500 within one line in a hundred)."""
AXES = 96
"""Axes of a space at most (measured as `COMPONENTS`: with 64 one line in a hundred more is
mistaken, with 32 four)."""
SHRINKAGE = 0.1
"""Share of the mean variance within hands that replaces the measured covariance (measured as
`COMPONENTS`: with 0.01 and 0.3 half a line in a hundred more is mistaken)."""

HandLines = Sequence[np.ndarray]
"""Lines of one hand, each `(points, 3)`."""


class HandSpace(NamedTuple):
    """A space in which lines of one hand lie close together.

    Attributes:
        mean: of the features, `(SIZE,)` float32.
        projection: from features to axes, `(SIZE, axes)` float32; along each axis the variance
            within a hand is 1.
        between: variance of the hands along each axis, `(axes,)` float32, falling: that of the
            means of their lines, less what these owe to chance.
    """

    mean: np.ndarray
    projection: np.ndarray
    between: np.ndarray

    def embed(self, lines: HandLines) -> np.ndarray:
        """Return where lines lie, `(lines, axes)` float64.

        Raises:
            DataError: for ink that shows no hand (`hand_features`).
        """
        features = np.array([hand_features(line) for line in lines]).reshape(-1, SIZE)
        return (features - self.mean) @ self.projection.astype(np.float64)


def likelihoods(
    lines: np.ndarray, samples: Sequence[np.ndarray], between: np.ndarray
) -> np.ndarray:
    """Return the log-likelihoods of lines as ones of hands, `(lines, hands)`, up to a constant.

    Along each axis, lines are normal about their hand with variance 1 and hands are normal about 0
    with variance `between`; so n lines of a hand with mean m let another line of it be normal about
    m b / (b + 1/n), with variance 1 + b / (1 + n b).

    Args:
        lines: `(lines, axes)`.
        samples: lines of each hand, `(n, axes)`.
        between: `(axes,)`.
    """
    found = []
    for sample in samples:
        count = len(sample)
        mean = sample.mean(axis=0) * between / (between + 1 / count)
        variance = 1 + between / (1 + count * between)
        found.append(-0.5 * ((lines - mean) ** 2 / variance + np.log(variance)).sum(axis=1))
    return np.stack(found, axis=1)


def split_in_two(embeddings: np.ndarray, between: np.ndarray) -> tuple[np.ndarray, float]:
    """Return how lines are most likely divided between two hands, and how much that explains.

    Hands and lines are normal as in `likelihoods`; a line changes sides as long as the whole
    becomes likelier by it.

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

    shrunk = (embeddings - embeddings.mean(axis=0)) * np.sqrt(between / (1 + between))
    first = np.linalg.svd(shrunk, full_matrices=False)[0][:, 0]
    group = first > np.median(first)
    group[first.argmax()] = True
    best, changed = evidence(embeddings[group]) + evidence(embeddings[~group]), True
    while changed:
        changed = False
        for line in range(len(embeddings)):
            other = group.copy()
            other[line] ^= True
            if other.all() or not other.any():
                continue
            found = evidence(embeddings[other]) + evidence(embeddings[~other])
            if found > best + 1e-9:
                group, best, changed = other, found, True
    smaller = group if group.sum() <= len(group) / 2 else ~group
    return smaller, best - evidence(embeddings)


def fit(hands: Sequence[HandLines]) -> HandSpace:
    """Return the space that separates hands best.

    Args:
        hands: lines of each hand, such as a form of IAM-OnDB; at least two hands of two lines. That
            some are of the same person does no harm (measured: one line in 300).

    Raises:
        UserError: if there are too few hands or lines.
        DataError: for ink that shows no hand.
    """
    if sum(len(hand) > 1 for hand in hands) < 2:
        raise UserError("a space of hands is learned from at least two hands of two lines each")
    features = np.array([hand_features(line) for hand in hands for line in hand])
    owners = np.repeat(np.arange(len(hands)), [len(hand) for hand in hands])
    return discriminant(features, owners, block_scales(features), AXES)


def block_scales(features: np.ndarray) -> np.ndarray:
    """Return what to divide features `(lines, SIZE)` by, `(SIZE,)`, so that the total variance of
    every one of `BLOCKS` becomes 1; 1 where nothing varies."""
    edges = np.cumsum([0, *BLOCKS.values()])[:-1]
    totals = np.sqrt(np.add.reduceat(features.var(axis=0), edges))
    return np.repeat(np.where(totals > 0, totals, 1.0), list(BLOCKS.values()))


def discriminant(
    features: np.ndarray, owners: np.ndarray, scales: np.ndarray, axes: int
) -> HandSpace:
    """Return the linear discriminants of features: whitened within owners, ordered by what is
    between them.

    Args:
        features: `(lines, features)`.
        owners: the hand of each, numbered from 0 without gaps, `(lines,)`.
        scales: what features are divided by before their principal components are taken.
        axes: at most.
    """
    mean = features.mean(axis=0)
    centred = (features - mean) / scales
    _, vectors = np.linalg.eigh(centred.T @ centred)
    components = vectors[:, ::-1][:, : min(COMPONENTS, len(features) - 1)]
    embeddings = centred @ components
    counts = np.bincount(owners)
    means = np.stack([np.bincount(owners, axis) for axis in embeddings.T], axis=1) / counts[:, None]
    apart = embeddings - means[owners]
    within = apart.T @ apart / (len(owners) - len(counts))
    level = np.trace(within) / len(within)
    within = (1 - SHRINKAGE) * within + SHRINKAGE * level * np.eye(len(within))
    variances, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(variances)
    spread = means @ white * np.sqrt(counts / len(owners))[:, None]
    between, vectors = np.linalg.eigh(spread.T @ spread)
    kept = min(axes, len(counts) - 1, len(between))
    projection = components @ white @ vectors[:, ::-1][:, :kept] / scales[:, None]
    # Means of few lines differ by chance, too: by the variance of a line over their number.
    between = between[::-1][:kept] - len(counts) / len(owners)
    parts = mean, projection, np.maximum(between, 0.0)
    return HandSpace(*(part.astype(np.float32) for part in parts))


def save(space: HandSpace, path: str | os.PathLike[str]) -> None:
    """Write a space as `.npz`, the projection in float16, atomically.

    Raises:
        OSError: if it cannot be written.
    """
    # Relative to the largest value, so that float16 holds it whatever the features' scale.
    largest = np.abs(space.projection).max() or 1.0
    half = (space.projection / largest).astype(np.float16)
    parts = {"mean": space.mean, "projection": half, "largest": largest, "between": space.between}
    atomic_write(path, lambda file: np.savez_compressed(file, **parts))


def load(path: str | os.PathLike[str]) -> HandSpace:
    """Read a space that `save` wrote.

    Raises:
        DataError: if the file cannot be read, is something else, or is of other features.
    """
    try:
        with open_file(path) as file, np.load(file, allow_pickle=False) as parts:
            mean, between = parts["mean"], parts["between"]
            projection = parts["projection"].astype(np.float32) * parts["largest"]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception:
        raise DataError(f"{path}: not a space of hands as `fit` and `save` make it") from None
    if mean.shape != (SIZE,) or projection.shape != (SIZE, len(between)):
        raise DataError(f"{path}: made for other features than these {SIZE}: make it again")
    return HandSpace(mean, projection.astype(np.float32), between)
