"""Loads batches of padded sequences, the same for any number of worker processes, for each step."""

import math
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from base import distributed
from base.base_sampler import BaseSampler, KeySampler
from utils.checks import ConfigFault, TrainingFailed, UserError, described
from utils.console import SIGNALS

State: TypeAlias = dict[str, Tensor]
"""A network's state after some steps, tensors `(rows, ...)` by name."""


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
        is_longer = self.lengths > start
        window = slice(start, start + steps)
        batch = self.map(lambda values: values[is_longer])
        lengths = (batch.lengths - start).clamp(max=steps)
        targets = None if batch.targets is None else batch.targets[:, window]
        return replace(batch, inputs=batch.inputs[:, window], targets=targets, lengths=lengths)

    def trimmed(self) -> "Batch":
        """Return the batch without the padding that all its sequences, or all texts, have."""
        steps, characters = int(self.lengths.max()), int(self.text_lengths.max())
        targets = None if self.targets is None else self.targets[:, :steps]
        text, inputs = self.text[:, :characters], self.inputs[:, :steps]
        return replace(self, inputs=inputs, targets=targets, text=text)

    @property
    def points(self) -> int:
        """The sum of `lengths`: each step counts as one point."""
        return int(self.lengths.sum())

    @property
    def mask(self) -> Tensor:
        """`(batch, time)` bool, False for padding."""
        time = torch.arange(self.inputs.shape[1], device=self.lengths.device)
        return time < self.lengths[:, None]

    def latent_seeds(self, is_training: bool) -> list[int] | None:
        """Return the seed of each sequence's latent: the index of its sample, on which alone the
        latent depends in a validation; None in training."""
        return None if is_training else self.index.tolist()

    def __len__(self) -> int:
        return len(self.lengths)

    def map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        """Return the batch with a function applied to each of its tensors."""
        tensors = {
            name: function(value) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        extras = {name: function(value) for name, value in self.extras.items()}
        return replace(self, **tensors, extras=extras)


def padded(
    arrays: Sequence[np.ndarray], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return arrays `(length, ...)` as a padded tensor `(batch, time, ...)`, and their lengths,
    `(batch,)` int64."""
    lengths = torch.tensor([len(array) for array in arrays], dtype=torch.int64, device=device)
    return pad_sequence(list(map(torch.from_numpy, arrays)), batch_first=True).to(device), lengths


def features_of(
    features: Callable[..., np.ndarray], inks: Sequence[np.ndarray], **arguments: Any
) -> list[np.ndarray]:
    """Return the features of each ink, by the method `batch` of `features` if it has one.

    Args:
        features: the property `features` of a model, see `BaseModel`.
        inks: `(points, 3)` each.
        arguments: further arguments of `features`, for all inks.
    """
    if batch := getattr(features, "batch", None):
        return batch(inks, **arguments)
    return [features(ink, **arguments) for ink in inks]


def _unchanged(batch: object) -> object:
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
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


class BaseDataLoader(DataLoader):
    """A DataLoader of the batches that a sampler chooses.

    In training with several processes the loader yields this process's rows of each batch, or None
    for a batch without such rows.

    An iteration has the batches of the first pass over the data, and `batches` those of any pass.
    They do not depend on `num_workers` or any global generator.

    Args:
        batches: returns the `Batch` of a list of keys, see `KeySampler`, and None for no keys.
        lengths: the number of steps of each sequence.
        sampler: chooses the samples of each batch.
        num_workers: number of worker processes that make batches; with 0 this process makes them.
        pin_memory: whether batches are in page-locked memory, if there is a GPU.
        keeps_workers: whether the worker processes outlive an iteration.

    Attributes:
        keys: the keys of the batches.
    """

    dataset: Any  # has the attributes of the class that was given as `batches`

    def __init__(
        self,
        batches: Dataset,
        lengths: Sequence[int],
        sampler: BaseSampler,
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        keeps_workers: bool = True,
    ) -> None:
        self.keys = KeySampler(sampler, lengths)
        super().__init__(
            batches,
            batch_size=None,  # An element of the sampler has the keys of a whole batch.
            sampler=self.keys,
            collate_fn=_unchanged,
            num_workers=num_workers,
            pin_memory=pin_memory and torch.cuda.is_available(),
            worker_init_fn=_worker,
            # Without a generator, torch would draw from its global generator in every iteration.
            generator=torch.Generator(),
            persistent_workers=keeps_workers and num_workers > 0,
        )

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return len(self.keys)

    # torch promises its private class, of whose iterators no type is known.
    def __iter__(self) -> Iterator[Batch | None]:  # type: ignore[override]
        return self._begin(0, 0)

    def batches(self, data_pass: int, first: int = 0) -> Iterator[Batch | None]:
        """Yield the batches of a pass over the data, from the batch `first` on; both are counted
        from 0. The next iteration ends this one."""
        yield from self._begin(data_pass, first)

    def _begin(self, data_pass: int, first: int) -> Iterator[Batch | None]:
        self.keys.begin(data_pass, first)
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
        if isinstance(self._iterator, _MultiProcessingDataLoaderIter):  # refers to the workers
            self._iterator._shutdown_workers()
            self._iterator = None


class Position(NamedTuple):
    """A position in the data; all numbers are counted from 0."""

    data_pass: int = 0
    """The pass over the data."""
    batch: int = 0
    """The batch in the pass."""
    chunk: int = 0
    """The chunk of the batch."""


@dataclass
class Chunk:
    """A whole batch; or, if sequences are cut, some time steps of the rows that are long enough."""

    batch: Batch
    sequences: float
    """The number of sequences; a cut sequence counts as the fraction of it in this chunk."""
    position: Position
    state: State | None = None
    """The network's state after the previous chunk; None for the initial state."""
    goes_on: Tensor | None = None
    """Whether each row has a further chunk, `(rows,)` bool; None if sequences are not cut."""
    next_state: State | None = None
    """The state of the next chunk, from `carry`; None for the initial state."""

    def carry(self, state: State) -> None:
        """Carry the state after this chunk, tensors `(rows, ...)`, over to the next chunk of its
        batch, detached; a state that is not finite is dropped. For sequences that are cut."""
        detached = {name: value[self.goes_on].detach().clone() for name, value in state.items()}
        finite = all(bool(torch.isfinite(value).all()) for value in detached.values())
        self.next_state = detached if finite else None


class BatchStream:
    """Returns this process's rows of the batches of each step, in one pass after another.

    A step takes a group of `accumulate` batches. With truncation the batches are cut into chunks of
    `truncate` time steps: each optimiser step takes the next chunk of every batch of the group, and
    the recurrent states are carried over to the next step. Truncation needs a single process: with
    several processes, each state would have to be moved to the process that gets its sequence.

    A step takes the `chunks` of a position; for each of them it makes a forward pass and, if
    sequences are cut, calls its `carry`. The next step takes the chunks of the position `after`.
    The stream itself has no state of a run, only batches that are loaded: `RunState` has the
    position, which is that of the next step, whatever workers have prefetched.

    Args:
        loader: the loader of the training; its `keys` (`KeySampler`) choose the batches.
        device: the device of the batches.
        on_failure: called with the error if the loader fails.
        accumulate: the number of batches of a step.
        truncate: the number of time steps of a chunk; None for whole batches.
    """

    def __init__(
        self,
        loader: BaseDataLoader,
        device: torch.device,
        on_failure: Callable[[Exception], None],
        *,
        accumulate: int = 1,
        truncate: int | None = None,
    ) -> None:
        self.loader = loader
        self.device = device
        self.accumulate = accumulate
        self.truncate = truncate
        self._on_failure = on_failure
        self._has_failed = False
        self._batches: Iterator[Batch | None] | None = None
        self._group: list[Batch | None] = []  # the batches of a step
        self._group_start: tuple[int, int] | None = None  # the pass and the first of them

    def chunks(self, position: Position, carried: Sequence[State | None]) -> list[Chunk | None]:
        """Return the chunk of each batch of a step; None where this process has no rows.

        There is no chunk if the loader of any process failed. All processes call this together.

        Args:
            position: the position of the step's first batch, and of its chunks.
            carried: the state after the chunk before of each batch, see `Chunk.next_state`; the
                first chunks of batches begin in the initial state.
        """
        if self._group_start != position[:2]:
            self._load(position)
        states = carried if position.chunk and self._group else [None] * len(self._group)
        pairs = zip(self._group, states, strict=True)
        return [
            None if batch is None else self._chunk(position, number, batch, state)
            for number, (batch, state) in enumerate(pairs)
        ]

    def begin(self, position: Position, batches: list[Batch | None], truncate: int | None) -> None:
        """Let the step at a position take the chunks, of `truncate` time steps, of some batches."""
        self._group = batches
        self._group_start = position[:2]
        self.truncate = truncate

    def _load(self, position: Position) -> None:
        """Load the batches of a step; none if the loader of any process failed."""
        data_pass, batch, _ = position
        if self._batches is None or batch == 0:
            self._batches = loaded(self.loader.batches(data_pass, batch), self._fail)
        self._group = []
        self._group_start = None
        count = min(self.accumulate, len(self.loader) - batch)
        batches = [next(self._batches, None) for _ in range(count)]
        if not distributed.all_reduce_max([self._has_failed])[0]:
            self._group = [batch and batch.to(self.device, non_blocking=True) for batch in batches]
            self._group_start = position[:2]

    def _fail(self, error: Exception) -> None:
        self._has_failed = True
        self._on_failure(error)

    def _chunk(
        self, position: Position, number: int, batch: Batch, state: State | None
    ) -> Chunk | None:
        """Return the chunk of the batch `number` of a step; None if all sequences of the batch have
        ended."""
        position = position._replace(batch=position.batch + number)
        if self.truncate is None:
            return Chunk(batch, float(len(batch)), position)
        start = position.chunk * self.truncate
        cut = batch.chunk(start, self.truncate)
        lengths = batch.lengths[batch.lengths > start]
        if not len(cut):
            return None
        sequences = float((cut.lengths / lengths).sum())
        state = state and moved(state, self.device)
        return Chunk(cut, sequences, position, state, lengths > start + self.truncate)

    def after(self, position: Position) -> Position:
        """Return the position of the step after the one whose `chunks` were taken last: that of the
        next chunks, batches, or pass over the data."""
        data_pass, batch, chunk = position
        if chunk + 1 < self._num_chunks():
            return Position(data_pass, batch, chunk + 1)
        next_batch = batch + len(self._group)
        is_last = next_batch >= len(self.loader)
        return Position(data_pass + 1) if is_last else Position(data_pass, next_batch)

    def _num_chunks(self) -> int:
        """Return the number of chunks of the group's longest batch."""
        if self.truncate is None:
            return 1
        steps = (batch.inputs.shape[1] for batch in self._group if batch is not None)
        return math.ceil(max(steps) / self.truncate)

    def close(self) -> None:
        """End the loader's workers."""
        self._batches = None
        self.loader.close()


def moved(state: State, device: torch.device | str) -> State:
    """Return a network's state moved to a device."""
    return {name: value.to(device) for name, value in state.items()}


def loaded(
    batches: Iterable[Batch | None], on_failure: Callable[[Exception], None]
) -> Iterator[Batch | None]:
    """Yield a loader's batches; if the loader fails, call `on_failure` and yield None last."""
    try:
        yield from batches
    except ConfigFault as fault:
        on_failure(fault)
        yield None
    # A user's transforms may raise any error; torch raises one if a worker was killed or timed out.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        says_enough = isinstance(error, RuntimeError | OSError | EOFError | UserError)
        cause = lines[0] if says_enough else described(error)
        if lines[0].startswith("Caught "):  # a worker's traceback, which ends with the error
            cause = lines[-1]
        on_failure(TrainingFailed(f"the data loader or one of its workers failed: {cause[:200]}"))
        yield None
