"""Batches of padded sequences of similar length, the same for any number of worker processes."""

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Sampler

from base import distributed
from utils.console import SIGNALS

_ORDER_KEY = 2
"""Part of the seed of an epoch's order, which makes it differ from the seeds of samples."""
_LENGTH_JITTER = 0.02
"""Maximum fraction by which lengths change before they are sorted (assumed: adds at most 0.5 %
padding)."""


@dataclass
class Batch:
    """Sequences padded with zeros to the length of the longest sequence.

    A sequence of N points has N-1 steps: `inputs` are its points 0 to N-2, `targets` its points 1
    to N-1. For a network that sees features of the ink (`BaseModel.features`), `inputs` has a
    feature vector for each step, and there are no targets.
    """

    inputs: Tensor
    """`(batch, time, 4)` float32, normalised `(dx, dy, end_of_stroke, end_of_sequence)`; or
    `(batch, time, features)` float32."""
    targets: Tensor | None
    """`(batch, time, 4)` float32, normalised; None if `inputs` are features."""
    lengths: Tensor
    """`(batch,)` int64, the number of steps of each sequence."""
    text: Tensor
    """`(batch, characters)` int64, the numbers of the characters in the alphabet."""
    text_lengths: Tensor
    """`(batch,)` int64, the number of characters of each text."""
    index: Tensor
    """`(batch,)` int64, the indices of the samples in their split."""
    hand: Tensor | None = None
    """`(batch,)` int64, the number of the hand of each sample; -1 for an unknown hand."""
    extras: dict[str, Tensor] = field(default_factory=dict)
    """The samples' extras by name, each `(batch, ...)` float32."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """Return the batch with all its tensors on `device`."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """Return the batch in page-locked memory, for asynchronous copies to a GPU."""
        return self.map(Tensor.pin_memory)

    def chunk(self, start: int, steps: int) -> "Batch":
        """Return the sequences longer than `start` steps, cut to `steps` steps from `start` on."""
        is_longer, window = self.lengths > start, slice(start, start + steps)
        batch = self.map(lambda values: values[is_longer])
        lengths = (batch.lengths - start).clamp(max=steps)
        inputs, targets = batch.inputs[:, window], batch.targets[:, window]
        return replace(batch, inputs=inputs, targets=targets, lengths=lengths)

    @property
    def points(self) -> int:
        """The sum of `lengths`: each step counts as one point."""
        return int(self.lengths.sum())

    @property
    def mask(self) -> Tensor:
        """`(batch, time)` bool, False for padding."""
        time = torch.arange(self.inputs.shape[1], device=self.lengths.device)
        return time < self.lengths[:, None]

    def __len__(self) -> int:
        return len(self.lengths)

    def map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Return the batch with a change applied to each of its tensors."""
        tensors = {
            name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        extras = {name: change(value) for name, value in self.extras.items()}
        return replace(self, **tensors, extras=extras)


def padded(
    arrays: Sequence[np.ndarray], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return arrays `(length, ...)` as a padded tensor `(batch, time, ...)`, and their lengths,
    `(batch,)` int64."""
    lengths = torch.tensor([len(array) for array in arrays], dtype=torch.int64, device=device)
    return pad_sequence(list(map(torch.from_numpy, arrays)), batch_first=True).to(device), lengths


class BucketBatchSampler(Sampler[list[tuple[int, int]]]):
    """Yields batches of samples of similar length, in an order that depends on seed and epoch only.

    Each epoch shuffles the samples, sorts them by length within stretches of `bucket` batches, and
    shuffles the batches. Lengths get a jitter of 2 % before they are sorted, so that even a set
    smaller than a stretch gives different batches every epoch. Without `shuffle` the samples are in
    order of length. The last batch of the sorted samples may be smaller.

    With `batch_points`, batches are formed once, of samples in order of length, and an epoch only
    draws their order. With `window`, an epoch goes by so many shards at a time, which are drawn and
    then read side by side, each from front to back.

    A batch is a list of pairs `(epoch, index)`; such a pair seeds the random draws of its sample.
    With several processes each process gets some rows of every batch, or no row.
    The arguments are those of `BaseDataLoader`.
    """

    def __init__(
        self,
        seed: int,
        lengths: Sequence[int],
        batch_size: int,
        bucket: int,
        shuffle: bool,
        batch_points: int | None = None,
        window: int | None = None,
        shards: np.ndarray | None = None,
    ) -> None:
        self.seed, self.lengths = seed, np.array(lengths, dtype=np.int64)
        self.batch_size, self.bucket, self.shuffle = batch_size, bucket, shuffle
        self.window = window
        self.shards = np.zeros(len(self.lengths), np.int64) if window is None else shards
        self.formed = None if batch_points is None else self._formed(batch_points)
        self.start_at(0, 0)

    def start_at(self, epoch: int, batch: int) -> None:
        """Let the next iteration start from a batch of an epoch, both counted from 0."""
        self._position = (epoch, batch)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the indices of the samples of each batch of an epoch."""
        generator = np.random.default_rng([self.seed, epoch, 0, _ORDER_KEY])
        count, size = len(self.lengths), self.batch_size
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
        for n in range(0, count, self.bucket * size):
            stretch = order[n : n + self.bucket * size]
            stretch = stretch[np.argsort(lengths[n : n + len(stretch)], kind="stable")]
            new = [stretch[m : m + size] for m in range(0, len(stretch), size)]
            if self.window is not None:
                new = [new[m] for m in generator.permutation(len(new))]
            batches += new
        if self.window is not None:
            return batches
        return [batches[n] for n in generator.permutation(len(batches))]

    def _order(self, shards: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return a random order of samples of `shards`; with a window, of so many shards at a time,
        each from front to back, and the next sample of any of them at random."""
        if self.window is None:
            return generator.permutation(len(shards))
        drawn, order = generator.permutation(np.unique(shards)), []
        for n in range(0, len(drawn), self.window):
            within = np.flatnonzero(np.isin(shards, drawn[n : n + self.window]))
            turns = generator.permutation(shards[within])
            mixed = np.empty_like(within)
            by_shard = within[np.argsort(shards[within], kind="stable")]
            mixed[np.argsort(turns, kind="stable")] = by_shard
            order.append(mixed)
        return np.concatenate(order)

    def _formed(self, batch_points: int) -> list[np.ndarray]:
        """Return batches of samples, in order of length, of at most so many points with padding;
        with a window, each is of one shard."""
        order, starts, start = np.lexsort((self.lengths, self.shards)), [0], 0
        lengths, shards = self.lengths[order].tolist(), self.shards[order].tolist()
        for n, (length, shard) in enumerate(zip(lengths, shards, strict=True)):
            if n and (shard != shards[n - 1] or (n + 1 - start) * length > batch_points):
                starts.append(start := n)
        return np.split(order, starts[1:])

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, start = self._position
        self.start_at(epoch + 1, 0)
        for batch in self.batches(epoch)[start:]:
            # Rows are in order of length, so every n-th row gives all processes similar work.
            rows = batch[distributed.rank() :: distributed.world_size()]
            yield [(epoch, int(index)) for index in rows]

    def __len__(self) -> int:
        if self.formed is not None:
            return len(self.formed)
        return math.ceil(len(self.lengths) / self.batch_size)


def _unchanged(batch: Batch | None) -> Batch | None:
    return batch


def _worker(_: int) -> None:
    """Make a worker process survive the signals by which a terminal or a scheduler ends a run.

    Such a signal reaches every process of the run, but the trainer still needs the workers to
    finish its step. A second SIGTERM ends the worker, so that workers that hang can be stopped.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """A block during which `SIGNALS` wait; processes that it starts begin with them blocked."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


class BaseDataLoader(DataLoader):
    """A DataLoader of batches of samples of similar length, which can start anywhere in an epoch.

    In training with several processes the loader yields this process's rows of each batch, or None
    for a batch without such rows.

    Each iteration runs through the next epoch, from its start unless `sampler.start_at` was
    called. Batches depend only on seed and epoch, not on `num_workers` or any global generator.

    Args:
        batches: returns the `Batch` of a list of keys `(epoch, index)`, and None for no keys.
        lengths: the number of steps of each sequence.
        seed: the seed of all random draws.
        batch_size: number of samples per batch; the last batch may be smaller.
        num_workers: number of worker processes that make batches; with 0 this process makes them.
        bucket: number of batches whose samples are sorted by length together.
        shuffle: whether the order is random; otherwise samples are in order of length.
        pin_memory: whether batches are in page-locked memory, if there is a GPU.
        batch_points: largest number of points of a batch with its padding, instead of `batch_size`;
            a longer sequence is a batch of its own.
        window: number of shards that are read side by side; None shuffles all samples.
        shards: the number of the shard of each sample, `(samples,)`, for `window`.
    """

    def __init__(
        self,
        batches: Dataset,
        lengths: Sequence[int],
        seed: int,
        *,
        batch_size: int = 32,
        num_workers: int = 0,
        bucket: int = 100,
        shuffle: bool = True,
        pin_memory: bool = False,
        batch_points: int | None = None,
        window: int | None = None,
        shards: np.ndarray | None = None,
    ) -> None:
        super().__init__(
            batches,
            batch_size=None,  # The sampler yields the keys of a whole batch.
            sampler=BucketBatchSampler(
                seed, lengths, batch_size, bucket, shuffle, batch_points, window, shards
            ),
            collate_fn=_unchanged,
            num_workers=num_workers,
            pin_memory=pin_memory and torch.cuda.is_available(),
            worker_init_fn=_worker,
            # Without a generator, torch would draw from its global generator in every iteration.
            generator=torch.Generator(),
            persistent_workers=shuffle and num_workers > 0,
        )

    def __iter__(self) -> Iterator[Batch | None]:
        # Until `_worker` runs, a worker has torch's handler, by which a SIGTERM would end it.
        with _signals_blocked():
            batches = super().__iter__()
        if self.num_workers and hasattr(signal, "SIGCHLD"):
            # When a worker dies, torch's handler raises at once, even in the middle of saving.
            # Without the handler the next batch raises, some seconds later.
            with suppress(ValueError):  # outside the main thread, where torch sets no handler
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return batches

    def close(self) -> None:
        """End the worker processes, if there are any; a later iteration starts new workers.

        Without this call torch ends the workers when the last reference to the loader is gone. If a
        traceback holds this reference until Python exits, the workers ignore the only SIGTERM that
        they get, and the exit hangs.
        """
        if self._iterator is not None:  # torch's attribute, which refers to the workers
            self._iterator._shutdown_workers()
            self._iterator = None
