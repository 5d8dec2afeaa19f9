"""Draws batches of samples of similar length, the default of a training."""

import math
from collections.abc import Sequence

import numpy as np

from base.base_data_loader import BaseSampler

_ORDER_KEY = 2
"""Part of the seed of an epoch's order: without it the seed would equal that of a sample."""
_LENGTH_JITTER = 0.02
"""Maximum fraction by which lengths change before they are sorted (assumed: adds at most 0.5 %
padding)."""


class BucketBatchSampler(BaseSampler):
    """Makes batches of samples of similar length, in an order that depends on seed and epoch only.

    Each epoch shuffles the samples, sorts them by length within stretches of `bucket` batches, and
    shuffles the batches. Lengths get a jitter of 2 % before they are sorted, so that even a set
    smaller than a stretch gives different batches every epoch. Without `shuffle` the samples are in
    order of length. The last batch of the sorted samples may be smaller.

    With `batch_points`, batches are formed once, from samples in order of length, and an epoch only
    draws the order of the batches. With `window`, an epoch draws `window` shards at a time, and
    reads them in parallel, each from front to back.

    Args:
        seed: the seed of all random draws.
        lengths: the number of steps of each sequence.
        batch_size: number of samples per batch; the last batch may be smaller.
        bucket: number of batches whose samples are sorted by length together.
        shuffle: whether the order is random; otherwise samples are in order of length.
        batch_points: largest number of points of a batch with its padding, instead of `batch_size`;
            a longer sequence is a batch of its own.
        window: number of shards that are read in parallel; None shuffles all samples.
        shards: the number of the shard of each sample, `(samples,)`, for `window`.
    """

    def __init__(
        self,
        seed: int,
        lengths: Sequence[int],
        batch_size: int,
        bucket: int = 100,
        shuffle: bool = True,
        batch_points: int | None = None,
        window: int | None = None,
        shards: np.ndarray | None = None,
    ) -> None:
        self.seed = seed
        self.lengths = np.array(lengths, dtype=np.int64)
        self.batch_size = batch_size
        self.bucket = bucket
        self.shuffle = shuffle
        self.window = window
        self.shards = np.zeros(len(self.lengths), np.int64) if window is None else shards
        self.formed = None if batch_points is None else self._formed(batch_points)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the indices of the samples of each batch of an epoch."""
        generator = np.random.default_rng([self.seed, epoch, 0, _ORDER_KEY])
        count = len(self.lengths)
        size = self.batch_size
        if self.formed is not None:
            shards = self.shards[[batch[0] for batch in self.formed]]
            order = self._order(shards, generator) if self.shuffle else range(len(shards))
            return [self.formed[n] for n in order]
        if not self.shuffle:
            order = np.argsort(self.lengths, kind="stable")
            return [order[n : n + size] for n in range(0, count, size)]
        order = self._order(self.shards, generator)
        jitter = generator.uniform(1 - _LENGTH_JITTER, 1 + _LENGTH_JITTER, count)
        lengths = self.lengths[order] * jitter
        batches = []
        for start in range(0, count, self.bucket * size):
            stop = start + self.bucket * size
            bucket = order[start:stop][np.argsort(lengths[start:stop], kind="stable")]
            bucket_batches = [bucket[n : n + size] for n in range(0, len(bucket), size)]
            if self.window is None:
                batches += bucket_batches
            else:  # Batches stay in their bucket, and so near the shards that are open.
                batches += [bucket_batches[n] for n in generator.permutation(len(bucket_batches))]
        if self.window is not None:
            return batches
        return [batches[n] for n in generator.permutation(len(batches))]

    def _order(self, shards: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return a random order of samples, whose shards are `shards`.

        With a window, `window` shards are read at a time, each from front to back; the shard of
        each next sample is random.
        """
        if self.window is None:
            return generator.permutation(len(shards))
        drawn = generator.permutation(np.unique(shards))
        order = []
        for n in range(0, len(drawn), self.window):
            samples = np.flatnonzero(np.isin(shards, drawn[n : n + self.window]))
            turns = generator.permutation(shards[samples])  # the shard of each next sample
            by_shard = samples[np.argsort(shards[samples], kind="stable")]
            mixed = np.empty_like(samples)
            mixed[np.argsort(turns, kind="stable")] = by_shard
            order.append(mixed)
        return np.concatenate(order)

    def _formed(self, batch_points: int) -> list[np.ndarray]:
        """Return batches of samples in order of length, of at most `batch_points` points with the
        padding; with a window, a batch has samples of one shard only."""
        order = np.lexsort((self.lengths, self.shards))
        lengths = self.lengths[order].tolist()
        shards = self.shards[order].tolist()
        starts = [0]
        for n in range(1, len(order)):
            # Lengths rise within a shard, so that the last sequence is the longest of its batch.
            num_points = (n + 1 - starts[-1]) * lengths[n]
            if shards[n] != shards[n - 1] or num_points > batch_points:
                starts.append(n)
        return np.split(order, starts[1:])

    def __len__(self) -> int:
        if self.formed is not None:
            return len(self.formed)
        return math.ceil(len(self.lengths) / self.batch_size)
