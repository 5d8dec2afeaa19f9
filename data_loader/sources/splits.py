"""Which samples are for training, validation and test where a source does not say."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from utils.checks import ConfigFault


def draw(key: str, seed: int = 0) -> float:
    """Return a number from 0 up to 1 (excluded) that depends on `key` and `seed` only."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def by_hash(
    names: Sequence[str],
    writers: Sequence[str],
    fractions: Mapping[str, float],
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Divide samples by a hash of their writer, or of their name where the writer is unknown.

    Each sample is judged by itself, so adding samples moves none, and no writer is in two splits.
    The fractions hold on average over writers (or names).

    Args:
        names: of the samples, unique.
        writers: of the samples; an empty string where unknown.
        fractions: of each split, together 1.
        seed: another one divides otherwise.

    Returns:
        The indices of the samples of each split, int64.

    Raises:
        ConfigFault: if a fraction is negative or they do not add up to 1.
    """
    total = sum(fractions.values())
    if not fractions or min(fractions.values()) < 0 or abs(total - 1) > 1e-6:
        raise ConfigFault("fractions", dict(fractions), "none negative, and together 1")
    edges = np.cumsum(list(fractions.values()))[:-1]
    # The kind of key is part of it: a sample named like a writer is not judged like him.
    keys = [
        f"writer:{writer}" if writer else f"name:{name}"
        for name, writer in zip(names, writers, strict=True)
    ]
    place = np.searchsorted(edges, [draw(key, seed) for key in keys], side="right")
    return {split: np.flatnonzero(place == n) for n, split in enumerate(fractions)}


def subset(names: Iterable[str], count: int, seed: int = 0) -> list[int]:
    """Return which `count` of the samples called `names` a seed chooses, in order.

    They are those whose names draw the lowest numbers: the choice of fewer is part of the choice
    of more, and does not depend on the order of the samples.
    """
    drawn = [(draw(f"name:{name}", seed), n) for n, name in enumerate(names)]
    return sorted(n for _, n in sorted(drawn)[:count])
