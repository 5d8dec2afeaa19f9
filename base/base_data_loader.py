"""Batches of padded sequences: bucketed by length, and the same for any number of workers."""

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Sampler

from base import distributed
from utils.console import SIGNALS

Item = TypeVar("Item")

_ORDER = 2
"""Part of the seeds of epochs' orders, which makes them other seeds than those of samples."""
_JITTER = 0.02
"""Largest change of lengths before sorting, a fraction (assumed: adds at most 0.5 % padding)."""


@dataclass
class Batch:
    """Sequences padded with zeros to the length of the longest.

    A sequence of N points has N-1 steps: `inputs` are its points 0..N-2, `targets` its
    points 1..N-1. For a network that sees features of the ink (`BaseModel.features`), `inputs`
    are feature vectors, one a step, and there are no targets.
    """

    inputs: Tensor
    """`(batch, time, 4)` float32, normalised `(dx, dy, end_of_stroke, end_of_sequence)`; or
    features, `(batch, points, features)` float32."""
    targets: Tensor | None
    """`(batch, time, 4)` float32, normalised; None beside features."""
    lengths: Tensor
    """`(batch,)` int64, the steps of each sequence."""
    text: Tensor
    """`(batch, characters)` int64, the numbers of the characters."""
    text_lengths: Tensor
    """`(batch,)` int64, the characters of each text."""
    index: Tensor
    """`(batch,)` int64, the places of its samples in their list."""
    hand: Tensor | None = None
    """`(batch,)` int64, the hands of the samples, numbered by name; -1 for an unknown hand."""
    extras: dict[str, Tensor] = field(default_factory=dict)
    """`(batch, ...)` float32 each, the samples' extras by name."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """Return the batch with all its tensors on `device`."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """Return the batch in page-locked memory, for asynchronous copies to a GPU."""
        return self.map(Tensor.pin_memory)

    def chunk(self, start: int, steps: int) -> "Batch":
        """Return `steps` time steps from `start` on, of the sequences that reach so far."""
        rows, part = self.lengths > start, slice(start, start + steps)
        batch = self.map(lambda values: values[rows])
        lengths = (batch.lengths - start).clamp(max=steps)
        inputs, targets = batch.inputs[:, part], batch.targets[:, part]
        return replace(batch, inputs=inputs, targets=targets, lengths=lengths)

    @property
    def points(self) -> int:
        """Number of steps, all sequences together, padding left out."""
        return int(self.lengths.sum())

    @property
    def mask(self) -> Tensor:
        """`(batch, time)` bool, false for padding."""
        time = torch.arange(self.inputs.shape[1], device=self.lengths.device)
        return time < self.lengths[:, None]

    def __len__(self) -> int:
        return len(self.lengths)

    def map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Return the batch after a change of each of its tensors."""
        tensors = {
            name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        extras = {name: change(value) for name, value in self.extras.items()}
        return replace(self, **tensors, extras=extras)


def padded(
    arrays: Sequence[np.ndarray], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return arrays `(length, ...)` as one `(batch, longest, ...)`, and `(batch,)` lengths."""
    lengths = torch.tensor([len(array) for array in arrays], dtype=torch.int64, device=device)
    return pad_sequence(list(map(torch.from_numpy, arrays)), batch_first=True).to(device), lengths


class BucketBatchSampler(Sampler[list[tuple[int, int]]]):
    """Batches of samples of similar length, in an order that depends only on seed and epoch.

    Each epoch shuffles the samples, sorts them by length within stretches of `bucket` batches,
    and shuffles the batches. Lengths are sorted with a jitter of 2 %, so that even a set smaller
    than one stretch gives different batches every epoch. Without `shuffle` the samples come in
    order of length. The last batch of the sorted samples may be smaller.

    Yields lists of `(epoch, index)`: with both, a sample's own randomness can be seeded wherever
    the sample is made. With several processes each gets some rows of every batch, perhaps none;
    positions and counts are of whole batches.

    Args:
        seed: of the order.
        lengths: the steps of each sample.
        batch_size, bucket, shuffle: see `BaseDataLoader`.
    """

    def __init__(
        self, seed: int, lengths: Sequence[int], batch_size: int, bucket: int, shuffle: bool
    ) -> None:
        self.seed, self.lengths = seed, np.array(lengths, dtype=np.int64)
        self.batch_size, self.bucket, self.shuffle = batch_size, bucket, shuffle
        self.start_at(0, 0)

    def start_at(self, epoch: int, batch: int) -> None:
        """Let the next iteration start from a batch of an epoch, both counted from 0."""
        self._position = (epoch, batch)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the indices of the samples of each batch of an epoch."""
        generator = np.random.default_rng([self.seed, epoch, 0, _ORDER])
        count, size = len(self.lengths), self.batch_size
        if not self.shuffle:
            order = np.argsort(self.lengths, kind="stable")
            return [order[n : n + size] for n in range(0, count, size)]
        order = generator.permutation(count)
        key = self.lengths[order] * generator.uniform(1 - _JITTER, 1 + _JITTER, count)
        batches = []
        for n in range(0, count, self.bucket * size):
            stretch = order[n : n + self.bucket * size]
            stretch = stretch[np.argsort(key[n : n + len(stretch)], kind="stable")]
            batches += [stretch[m : m + size] for m in range(0, len(stretch), size)]
        return [batches[n] for n in generator.permutation(len(batches))]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, start = self._position
        self.start_at(epoch + 1, 0)
        for batch in self.batches(epoch)[start:]:
            # In order of length, so that all processes have about as many points.
            rows = batch[distributed.rank() :: distributed.world_size()]
            yield [(epoch, int(index)) for index in rows]

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)


def _collated(collate: Callable[[list[Item]], Batch], samples: list[Item]) -> Batch | None:
    """Return a batch of samples; None for an empty list."""
    return collate(samples) if samples else None


def _worker(_: int) -> None:
    """Make a worker process survive the signals by which a terminal or a scheduler ends a run.

    The signals reach every process of the run, and the trainer finishes its step before it saves.
    A second SIGTERM ends the worker, so that a closing program can stop workers that hang.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))


class BaseDataLoader(DataLoader):
    """A DataLoader with bucketed batches, whose position can be set.

    In training with several processes the loader yields this process's rows of each batch, or None.

    Every iteration is an epoch: the next, from its start, unless `batch_sampler.start_at` was
    called. Batches depend on the seed and the epoch only, not on `num_workers` nor on the global
    state of any generator.

    Args:
        samples: returns one sample for a key `(epoch, index)`.
        lengths: the steps of each sample.
        collate: makes a batch of a list of samples; must be picklable.
        seed: the seed of all randomness.
        batch_size: samples per batch; the last batch may be smaller.
        num_workers: processes that make batches; 0 makes them in this one.
        bucket: batches whose samples are sorted by length together.
        shuffle: false for the order of length.
        pin_memory: put batches into page-locked memory if there is a GPU.
    """

    def __init__(
        self,
        samples: Dataset,
        lengths: Sequence[int],
        collate: Callable[[list[Item]], Batch],
        seed: int,
        *,
        batch_size: int = 32,
        num_workers: int = 0,
        bucket: int = 100,
        shuffle: bool = True,
        pin_memory: bool = False,
    ) -> None:
        super().__init__(
            samples,
            batch_sampler=BucketBatchSampler(seed, lengths, batch_size, bucket, shuffle),
            num_workers=num_workers,
            collate_fn=partial(_collated, collate),
            pin_memory=pin_memory and torch.cuda.is_available(),
            worker_init_fn=_worker,
            # Without a generator every iteration would draw from torch's global one.
            generator=torch.Generator(),
            persistent_workers=shuffle and num_workers > 0,
        )

    def __iter__(self) -> Iterator[Batch | None]:
        batches = super().__iter__()
        if self.num_workers and hasattr(signal, "SIGCHLD"):
            # torch's handler raises wherever the process is when a worker dies, in the middle of
            # saving too. Without it the next batch raises, some seconds later.
            with suppress(ValueError):  # Outside the main thread torch has set none.
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return batches

    def close(self) -> None:
        """End the worker processes, if there are any; another iteration starts new ones.

        Otherwise torch ends the workers when the last reference to them is gone. If a traceback
        holds a reference until Python exits, the workers survive their one signal, and the exit
        hangs.
        """
        if self._iterator is not None:  # torch's attribute, which has the workers that persist
            self._iterator._shutdown_workers()
            self._iterator = None
