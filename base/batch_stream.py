"""The batches of training, whole or in chunks of their time steps.

A step takes a group of `accumulate` batches. With truncation the batches are cut into chunks of
`truncate` time steps: each optimiser step takes the next chunk of every batch of the group, and the
recurrent states are carried over to the next step. Truncation needs a single process: with several
processes, each state would have to be moved to the process that gets its sequence.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from base import distributed
from base.base_data_loader import Batch
from base.run_state import Carried, RunState, moved
from base.stop_request import StopRequest, TrainingFailed
from base.training_parts import TrainingParts, TrainingSettings
from utils.checks import UserError, described


@dataclass
class Chunk:
    """A whole batch; or, if sequences are cut, some time steps of the rows that are long enough."""

    batch: Batch
    sequences: float
    """The number of sequences; a cut sequence counts as the fraction of it in this chunk."""
    state: Carried | None = None
    """The network's state after the previous chunk; None for the initial state."""
    goes_on: Tensor | None = None
    """Whether each row has a further chunk, `(rows,)` bool; None if sequences are not cut."""
    number: int = 0
    """The index of its batch in the step."""


class BatchStream:
    """Returns this process's rows of the batches of each step, in one pass after another.

    A step calls `load`, which loads the next group of batches if the group has no further chunks;
    for each of `chunks` it makes a forward pass and, if sequences are cut, calls `carry`; at the
    end it calls `advance`, which updates the progress and the carried states of the run's `state`.
    A failure of the loader asks the run to `stop`.
    """

    def __init__(
        self, parts: TrainingParts, settings: TrainingSettings, state: RunState, stop: StopRequest
    ) -> None:
        self.loader, self.device = parts.train_loader, parts.device
        self.accumulate, self.truncate = settings.accumulate, settings.truncate
        self.state, self._stop = state, stop
        self._batches: Iterator[Batch | None] | None = None
        self._group: list[Batch | None] = []
        self._next_states: dict[int, Carried | None] = {}  # by the number of a chunk

    @property
    def layout(self) -> dict[str, int | None]:
        """The number of batches of a pass, and the settings that define a position in the data."""
        settings = {"accumulate": self.accumulate, "truncate": self.truncate}
        return {"batches": len(self.loader), **settings}

    def load(self) -> bool:
        """Load the batches of the next step; return False if the loader of any process failed.

        All processes call this method together.
        """
        if self._group:
            return True
        position = self.state.progress
        if self._batches is None:
            self.loader.sampler.start_at(position.data_pass, position.batch)
            self._batches = loaded(self.loader, self._stop)
        count = min(self.accumulate, len(self.loader) - position.batch)
        batches = [next(self._batches, None) for _ in range(count)]
        if distributed.all_reduce_max([self._stop.failure is not None])[0]:
            return False
        self._group = [batch and batch.to(self.device, non_blocking=True) for batch in batches]
        if not (position.chunk and self._states_fit()):
            self.state.restart_batches(count)
        return True

    def begin(self, batches: list[Batch | None], truncate: int | None) -> None:
        """Let the next step take the first chunks, of `truncate` time steps, of some batches."""
        self._group, self.truncate = batches, truncate
        self.state.restart_batches(len(batches))

    def chunks(self) -> list[Chunk | None]:
        """Return the chunk of each batch of the step; None where this process has no rows."""
        pairs = zip(self._group, self.state.carried, strict=True)
        return [batch and self._chunk(n, batch, state) for n, (batch, state) in enumerate(pairs)]

    def _chunk(self, number: int, batch: Batch, state: Carried | None) -> Chunk | None:
        """Return the present chunk of a batch; None if all sequences of the batch have ended."""
        if self.truncate is None:
            return Chunk(batch, float(len(batch)), number=number)
        start = self.state.progress.chunk * self.truncate
        cut, lengths = batch.chunk(start, self.truncate), batch.lengths[batch.lengths > start]
        if not len(cut):
            return None
        sequences = float((cut.lengths / lengths).sum())
        state = state and moved(state, self.device)
        return Chunk(cut, sequences, state, lengths > start + self.truncate, number)

    def carry(self, chunk: Chunk, state: Carried) -> None:
        """Carry the state after a chunk over to the next chunk of its batch, detached.

        A state that is not finite is dropped.

        Args:
            chunk: one of `chunks`, of sequences that are cut.
            state: the state after the chunk, tensors `(rows, ...)`.
        """
        detached = {name: value[chunk.goes_on].detach().clone() for name, value in state.items()}
        finite = all(bool(torch.isfinite(value).all()) for value in detached.values())
        self._next_states[chunk.number] = detached if finite else None

    def advance(self) -> None:
        """Move on to the next chunk, group of batches, or pass over the data.

        The next chunk of a batch whose state was not carried begins with the initial state.
        """
        former, states = self.state.progress, self._next_states
        carried = [states.get(number) for number in range(len(self._group))]
        self.state.advance(carried, self._num_chunks(), len(self.loader))
        self._next_states = {}
        if self.state.progress.chunk == 0:
            self._group = []
        if self.state.progress.data_pass > former.data_pass:
            self._batches = None

    def _num_chunks(self) -> int:
        """Return the number of chunks of the group's longest batch."""
        if self.truncate is None:
            return 1
        return math.ceil(max(batch.inputs.shape[1] for batch in self._group) / self.truncate)

    def _states_fit(self) -> bool:
        """Return whether the carried states have a row for each sequence of the present chunk."""
        chunk, states = self.state.progress.chunk, self.state.carried
        if chunk >= self._num_chunks() or len(states) != len(self._group):
            return False
        for batch, state in zip(self._group, states, strict=True):
            rows = int((batch.lengths > chunk * self.truncate).sum())
            if state is not None and any(len(value) != rows for value in state.values()):
                return False
        return True

    def close(self) -> None:
        """End the loader's workers."""
        self._batches = None
        self.loader.close()


def loaded(batches: Iterable[Batch | None], stop: StopRequest) -> Iterator[Batch | None]:
    """Yield a loader's batches; if the loader fails, ask the run to stop and yield None last."""
    try:
        yield from batches
    # A user's transforms may raise any error; torch raises one if a worker was killed or timed out.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        says_enough = isinstance(error, RuntimeError | OSError | EOFError | UserError)
        cause = lines[0] if says_enough else described(error)
        if lines[0].startswith("Caught "):  # a worker's traceback, which ends with the error
            cause = lines[-1]
        stop.fail(TrainingFailed(f"the data loader or one of its workers failed: {cause[:200]}"))
        yield None
