"""The batches of training: the position in the data, and the state carried over.

A step takes `accumulate` batches, a group. With truncation they are cut into chunks of so many time
steps: each chunk makes an optimiser step, and the recurrent state is carried to the next (in one
process only: a state would have to follow its sequence to another one).
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from base import distributed
from base.base_data_loader import BaseDataLoader, Batch
from base.checkpoint import filled
from base.stop_request import StopRequest, TrainingFailed
from utils.checks import UserError

log = logging.getLogger(__name__)

State = dict[str, Tensor]


@dataclass
class Chunk:
    """What a step takes of a batch: all of it, or some time steps of the rows that have them."""

    batch: Batch
    sequences: float
    """Their number; a sequence that is cut counts by its share."""
    state: State | None
    """Carried over from the chunk before, `(rows, ...)` each; None at the start."""


@dataclass
class Position:
    """Where the next step takes its batches from, counted from 0; all of it is saved."""

    data_pass: int = 0
    """The pass over the data,"""
    batch: int = 0
    """the first of the batches,"""
    chunk: int = 0
    """and the chunk of their time steps."""


class BatchStream:
    """Yields this process's share of the batches of each step, pass after pass.

    A step: `load`, then for each of `chunks` a forward pass and `carry`, then `advance`.

    Args:
        loader: of the training split; prepared.
        device: that batches go to.
        stop: receives a failure of the loader.
        accumulate: batches of a step.
        truncate: time steps of a chunk; None for whole sequences.
    """

    def __init__(
        self,
        loader: BaseDataLoader,
        device: torch.device,
        stop: StopRequest,
        accumulate: int = 1,
        truncate: int | None = None,
    ) -> None:
        self.loader, self.device = loader, device
        self.accumulate, self.truncate = accumulate, truncate
        self.position = Position()
        self._stop, self._source = stop, None
        self._batches: Iterator[Batch | None] | None = None
        self._group: list[Batch | None] = []
        self._states: list[State | None] = []

    def load(self) -> bool:
        """Load the batches of the next step; return False if a process's loader failed.

        All processes call it together.
        """
        if self._group:
            return True
        position = self.position
        if self._batches is None:
            self.loader.batch_sampler.position = (position.data_pass, position.batch)
            self._batches = loaded(self.loader, self._stop)
        count = min(self.accumulate, len(self.loader) - position.batch)
        batches = [next(self._batches, None) for _ in range(count)]
        if distributed.all_reduce_max([self._stop.failure is not None])[0]:
            return False
        self._group = [batch and batch.to(self.device, non_blocking=True) for batch in batches]
        if not (position.chunk and self._states_fit()):
            if position.chunk:
                log.warning("the data have changed since %s: restarting a batch", self._source)
            position.chunk, self._states = 0, [None] * count
        return True

    def chunks(self) -> Iterator[Chunk | None]:
        """Yield what the step takes of each of its batches; None if this process has no rows."""
        for batch, state in zip(self._group, self._states, strict=True):
            if batch is None or self.truncate is None:
                yield batch and Chunk(batch, float(len(batch)), None)
                continue
            start = self.position.chunk * self.truncate
            rows, steps = batch.lengths > start, slice(start, start + self.truncate)
            part = Batch(
                inputs=batch.inputs[rows, steps],
                targets=batch.targets[rows, steps],
                lengths=(batch.lengths[rows] - start).clamp(max=self.truncate),
                text=batch.text[rows],
                text_lengths=batch.text_lengths[rows],
                index=batch.index[rows],
            )
            share = float((part.lengths / batch.lengths[rows]).sum())
            yield Chunk(part, share, state) if rows.any() else None

    def carry(self, number: int, state: State) -> None:
        """Carry the state after a batch's chunk over to its next chunk, detached.

        One that is not finite is dropped.
        """
        lengths, end = self._group[number].lengths, (self.position.chunk + 1) * self.truncate
        goes_on = lengths[lengths > end - self.truncate] > end
        own = {name: value[goes_on].detach().clone() for name, value in state.items()}
        finite = all(bool(torch.isfinite(value).all()) for value in own.values())
        self._states[number] = own if finite else None

    def advance(self) -> None:
        """Move on to the next chunk, group of batches, or pass over the data."""
        position = self.position
        position.chunk += 1
        if position.chunk < self._num_chunks():
            return
        position.chunk, position.batch = 0, position.batch + len(self._group)
        self._group = []
        if position.batch >= len(self.loader):
            position.data_pass, position.batch = position.data_pass + 1, 0
            self._batches = None

    def _num_chunks(self) -> int:
        """Return the number of chunks of the group's longest batch."""
        if self.truncate is None:
            return 1
        return math.ceil(max(batch.inputs.shape[1] for batch in self._group) / self.truncate)

    def _states_fit(self) -> bool:
        """Return whether the states are of the sequences that have time steps in the chunk."""
        if self.position.chunk >= self._num_chunks() or len(self._states) != len(self._group):
            return False
        start = self.position.chunk * self.truncate
        for batch, state in zip(self._group, self._states, strict=True):
            count = int((batch.lengths > start).sum())
            if state is not None and any(len(value) != count for value in state.values()):
                return False
        return True

    def close(self) -> None:
        """End the loader's workers."""
        self._batches = None
        self.loader.close()

    def state_dict(self) -> dict[str, Any]:
        """Return what resuming needs beside `position`."""
        return {
            "batches": len(self.loader),
            "accumulate": self.accumulate,
            "truncate": self.truncate,
            "states": [state and _moved(state, "cpu") for state in self._states],
        }

    def load_state_dict(
        self, state: Mapping[str, Any], position: Mapping[str, int], source: Path
    ) -> None:
        """Resume from what `state_dict` returned, at the values of `Position` in `position`.

        If a pass now has another number of batches, it resumes at the same fraction of it.
        """
        self.position, self._source = filled(Position, position), source
        before, now = state["batches"], len(self.loader)
        if before != now:
            log.warning("a pass over the data has %d batches instead of %d", now, before)
        self.position.batch = min(self.position.batch * now // before, now - 1)
        cut = (self.accumulate, self.truncate) != (state["accumulate"], state["truncate"])
        if before != now or cut:
            self.position.chunk = 0
        self._states = [one and _moved(one, self.device) for one in state["states"]]


def _moved(state: State, device: torch.device | str) -> State:
    """Return a state on a device."""
    return {name: value.to(device) for name, value in state.items()}


def loaded(batches: Iterable[Batch | None], stop: StopRequest) -> Iterator[Batch | None]:
    """Yield a loader's batches; if it fails, ask the run to stop and yield None last."""
    try:
        yield from batches
    # What torch raises if a worker was killed or timed out; EOFError if it was sending a batch;
    # UserError of a broken sample.
    except (RuntimeError, OSError, EOFError, UserError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        # An error in a worker comes with the worker's traceback, at whose end it stands.
        cause = lines[-1] if lines[0].startswith("Caught ") else lines[0]
        stop.fail(TrainingFailed(f"the data loader or one of its workers failed: {cause[:200]}"))
        yield None
