"""Returns the batches of training, whole or in chunks of their time steps.

A step takes a group of `accumulate` batches. With truncation the batches are cut into chunks of
`truncate` time steps: each optimiser step takes the next chunk of every batch of the group, and the
recurrent states are carried over to the next step. Truncation needs a single process: with several
processes, each state would have to be moved to the process that gets its sequence.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from base import distributed
from base.base_data_loader import BaseDataLoader, Batch
from utils.checks import ConfigFault, TrainingFailed, UserError, described

State: TypeAlias = dict[str, Tensor]
"""A network's state after some steps, tensors `(rows, ...)` by name."""


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

    A step takes the `chunks` of a position; for each of them it makes a forward pass and, if
    sequences are cut, calls its `carry`. The next step takes the chunks of the position `after`.

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
        self.loader, self.device = loader, device
        self.accumulate, self.truncate = accumulate, truncate
        self._on_failure, self._has_failed = on_failure, False
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
        self._group, self._group_start, self.truncate = batches, position[:2], truncate

    def _load(self, position: Position) -> None:
        """Load the batches of a step; none if the loader of any process failed."""
        data_pass, batch, _ = position
        if self._batches is None or batch == 0:
            self.loader.keys.start_at(data_pass, batch)
            self._batches = loaded(self.loader, self._fail)
        self._group, self._group_start = [], None
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
        cut, lengths = batch.chunk(start, self.truncate), batch.lengths[batch.lengths > start]
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
