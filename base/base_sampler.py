"""The order of a pass over the data: which samples each batch has, and who draws them."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from base import distributed
from base.config import user_modules
from utils.checks import ConfigFault, described, short

SAMPLER = "data_loader.args.sampler"
"""Key of the sampler in a config."""
Key: TypeAlias = tuple[int, int]
"""The pass over the data, and the index of a sample in its split."""
Indices: TypeAlias = Sequence[int] | np.ndarray
"""The indices of the samples of a batch."""
_ORDER_KEY = 2
"""Last number of the seed of the order of a pass, which would else equal that of a sample."""
_LENGTH_JITTER = 0.02
"""Maximum fraction by which lengths change before they are sorted (assumed: adds at most 0.5 %
padding)."""


class BaseSampler(ABC):
    """Chooses the samples of each batch of training.

    Before `*` a constructor takes what it needs of the arguments of `BucketBatchSampler` and of
    `hands`: the number of the hand of each sample, `(samples,)` int32; -1 for an unknown hand.
    """

    @abstractmethod
    def batches(self, epoch: int) -> Sequence[Indices]:
        """Return the indices of the samples of each batch of a pass over the data.

        They depend only on `epoch`, the number of the pass from 0, and on the state with which the
        pass begins. All passes have equally many batches. All processes call this, with equal
        states.
        """

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return len(self.batches(0))

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors and plain values; a trainer may change it in each step."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""


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
        self.shards = np.zeros(len(self.lengths), np.int64)
        if window is not None:
            self.shards = np.asarray(shards)
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


class KeySampler:
    """Yields the keys of the batches that a `BaseSampler` chooses for a pass over the data.

    A key is a pair `(data_pass, index)`, which seeds the random draws of its sample. With several
    processes each process gets some rows of every batch, or no row. A `BaseDataLoader` makes the
    batches of the keys of the pass that was begun last; `BatchStream` takes them in training.

    Its state, a part of the run's state, is that of the sampler: now, and when the pass began.
    """

    def __init__(self, sampler: BaseSampler, lengths: Sequence[int]) -> None:
        self.sampler = sampler
        self.lengths = np.array(lengths, dtype=np.int64)
        self._is_user_part = user_modules.is_any_from_user(sampler)
        self._num_batches = len(self._asked(0) if self._is_user_part else sampler)
        if self._is_user_part and not self._num_batches:
            raise ConfigFault(SAMPLER, type(sampler).__name__, "one with batches; epoch 0 has none")
        self._begun: tuple[int, dict[str, Any]] | None = None  # a pass, and the state before it
        self._keys: list[list[Key]] = []

    def begin(self, data_pass: int, first: int) -> None:
        """Let the next iteration have the keys `of` a pass from a batch on."""
        self._keys = self.of(data_pass, first)

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self._keys)

    def of(self, data_pass: int, first: int = 0) -> list[list[Key]]:
        """Return the keys of this process's rows of the batches of a pass, from the batch `first`
        on; both are counted from 0. The pass goes by the state with which it began.

        Raises:
            ConfigFault: see `batches`.
        """
        # Rows are in order of length, so every n-th row gives all processes similar work.
        rows = slice(distributed.rank(), None, distributed.world_size())
        keys = []
        for batch in self._batches_begun(data_pass)[first:]:
            keys.append([(data_pass, int(index)) for index in batch[rows]])
        return keys

    def batches(self, data_pass: int) -> Sequence[Indices]:
        """Return the indices of the samples of each batch of a pass over the data.

        Raises:
            ConfigFault: if there are no such samples, or an empty batch, or too few or many.
        """
        batches = self._asked(data_pass)
        problem = ""
        if len(batches) != len(self):
            problem = f"{len(batches)} batches"
        for number, batch in enumerate(batches if self._is_user_part else ()):
            indices = np.asarray(batch)
            is_list = indices.size and indices.ndim == 1 and indices.dtype.kind in "iu"
            if not is_list or not 0 <= indices.min() <= indices.max() < len(self.lengths):
                problem = f"{short(batch)} as batch {number}"
        if problem:
            samples = f"whole numbers below {len(self.lengths)}, the number of samples"
            expected = f"one with {len(self)} batches in each epoch, lists of {samples}"
            expected += f"; epoch {data_pass} has {problem}"
            raise ConfigFault(SAMPLER, type(self.sampler).__name__, expected)
        return batches

    def _asked(self, data_pass: int) -> Sequence[Indices]:
        """Return the batches of the sampler; raise a ConfigFault if it fails or returns no list."""
        name = type(self.sampler).__name__
        try:
            batches = self.sampler.batches(data_pass)
        except Exception as error:  # A user's class may raise anything.
            expected = f"one whose batches(epoch) works: trying it ended in {described(error)}"
            raise ConfigFault(SAMPLER, name, expected) from error
        if not isinstance(batches, Sequence | np.ndarray):
            expected = f"one whose batches(epoch) returns a list of batches, not {short(batches)}"
            raise ConfigFault(SAMPLER, name, expected)
        return batches

    def _batches_begun(self, data_pass: int) -> Sequence[Indices]:
        """Return the batches of a pass, by the state that the sampler had when the pass began."""
        with torch.no_grad():  # so that a state that is computed of weights can be copied
            present = copy.deepcopy(self.sampler.state_dict())
        if self._begun is None or self._begun[0] != data_pass:
            self._begun = (data_pass, present)
            return self.batches(data_pass)
        self.sampler.load_state_dict(self._begun[1])
        batches = self.batches(data_pass)
        self.sampler.load_state_dict(present)
        return batches

    def __len__(self) -> int:
        return self._num_batches

    def state_dict(self) -> dict[str, Any]:
        """Return the sampler's state, now and when the pass began; empty without a state."""
        present = self.sampler.state_dict()
        has_state = present or (self._begun and self._begun[1])
        return {"present": present, "begun": self._begun} if has_state else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""
        self._begun = state.get("begun")
        self.sampler.load_state_dict(state.get("present", {}))
