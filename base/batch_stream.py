"""The batches of training: the position in the data, and the state carried over.

A step takes `accumulate` batches, a group. With truncation they are cut into chunks of so many time
steps: each chunk makes an optimiser step, and the recurrent state is carried to the next.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

Carried = tuple[State, Tensor] | None
"""A recurrent state, `(rows, ...)` each, and the rows of the batch that it belongs to, `(rows,)`
int64, ascending; None where no sequence continues."""


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

    A step: `load`, then for each of `batches` a forward pass and `carry`, then `advance`.

    Args:
        loader: of the training split; prepared.
        device: that batches go to.
        stop: receives a failure of the loader.
        num_chunks: returns in how many chunks a batch is cut.
        accumulate: batches of a step.
        truncate: time steps of a chunk; None for whole sequences.
    """

    def __init__(
        self,
        loader: BaseDataLoader,
        device: torch.device,
        stop: StopRequest,
        num_chunks: Callable[[Batch], int],
        accumulate: int = 1,
        truncate: int | None = None,
    ) -> None:
        self.loader, self.device, self.num_chunks = loader, device, num_chunks
        self.accumulate, self.truncate = accumulate, truncate
        self.position = Position()
        self._stop, self._source = stop, None
        self._batches: Iterator[Batch | None] | None = None
        self._group: list[Batch | None] = []
        self._carried: list[Carried] = []
        self._chunks = 1  # Of the group, over all processes.

    def load(self) -> bool:
        """Load the batches of the next step; return False if a process's loader failed.

        All processes call it together.
        """
        if self._group:
            return True
        if self._batches is None:
            self.loader.set_position(self.position.data_pass, self.position.batch)
            self._batches = loaded(self.loader, self._stop)
        count = min(self.accumulate, len(self.loader) - self.position.batch)
        batches = [next(self._batches, None) for _ in range(count)]
        group = [batch and batch.to(self.device, non_blocking=True) for batch in batches]
        chunks = max((self.num_chunks(batch) for batch in group if batch), default=1)
        failed = self._stop.failure is not None
        self._chunks, failed = distributed.all_reduce_max([chunks, failed])
        if failed:
            return False
        self._group = group
        if len(self._carried) != count:
            self._carried = [None] * count
        if self.position.chunk:
            self._check_position()
        return True

    def batches(self) -> Iterator[tuple[Batch | None, State | None]]:
        """Yield the batches of the step, and the state carried over from the chunk before.

        A batch is None where this process has no rows of it, or none that continue.
        """
        for batch, carried in zip(self._group, self._carried, strict=True):
            ended = batch is None or self.position.chunk >= self.num_chunks(batch)
            yield None if ended else batch, None if carried is None else carried[0]

    def carry(self, number: int, state: State | None, rows: Tensor | None) -> bool:
        """Carry the state of a batch's `rows` over to its next chunk.

        It is detached. One that is not finite is dropped, as with None; return whether it is
        finite.
        """
        finite = state is None or all(bool(torch.isfinite(one).all()) for one in state.values())
        self._carried[number] = None
        if finite and state is not None:
            own = {name: value.detach().clone() for name, value in state.items()}
            self._carried[number] = (own, rows)
        return finite

    def advance(self) -> None:
        """Move on to the next chunk, group of batches, or pass over the data."""
        position = self.position
        position.chunk += 1
        if position.chunk < self._chunks:
            return
        position.chunk, position.batch = 0, position.batch + len(self._group)
        self._group, self._carried = [], []
        if position.batch >= len(self.loader):
            position.data_pass, position.batch = position.data_pass + 1, 0
            self._batches = None

    def close(self) -> None:
        """End the loader's workers."""
        self._batches = None
        self.loader.close()

    def state_dict(self) -> dict[str, Any]:
        """Return what resuming needs beside `position`. All processes call it together."""
        carried = gather(self._carried)
        return {
            "batches": len(self.loader),
            "accumulate": self.accumulate,
            "truncate": self.truncate,
            "states": [None if part is None else part[0] for part in carried],
            "rows": [None if part is None else part[1] for part in carried],
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
            self.position.chunk = 0
        elif (self.accumulate, self.truncate) != (state["accumulate"], state["truncate"]):
            self.position.chunk = 0
        pairs = zip(state["states"], state["rows"], strict=True) if self.position.chunk else ()
        carried = [None if one is None else (one, rows) for one, rows in pairs]
        self._carried = share(carried, self.device)

    def _check_position(self) -> None:
        """Restart a group of batches if it is not the one in which the checkpoint was made."""
        start = self.position.chunk * (self.truncate or 0)
        fits = self.position.chunk < self._chunks
        for batch, carried in zip(self._group, self._carried, strict=True):
            if fits and carried is not None:
                fits = batch is not None and torch.equal(
                    carried[1], (batch.lengths > start).nonzero().flatten()
                )
        if distributed.all_reduce_max([not fits])[0]:
            log.warning("the data have changed since %s: restarting a batch", self._source)
            self.position.chunk = 0
            self._carried = [None] * len(self._group)


def steps_of_pass(batches: int, accumulate: int) -> int:
    """Return the optimiser steps of a pass over so many batches, whose sequences are not cut."""
    return -(-batches // accumulate)


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


def gather(carried: Sequence[Carried]) -> list[Carried]:
    """Return the states of all processes, on the CPU, in the main one; elsewhere nothing.

    The rows are then those of the whole batch, so that any number of processes can resume.
    """
    count, rank = distributed.world_size(), distributed.rank()
    own = [
        None
        if part is None
        else ({name: value.cpu() for name, value in part[0].items()}, part[1].cpu() * count + rank)
        for part in carried
    ]
    if count == 1:
        return own
    every: list[Carried] = []
    for parts in zip(*distributed.all_gather_object(own), strict=True):
        there = [part for part in parts if part is not None]
        if not there:
            every.append(None)
            continue
        rows, order = torch.cat([here for _, here in there]).sort()
        names = there[0][0]
        state = {name: torch.cat([part[name] for part, _ in there])[order] for name in names}
        every.append((state, rows))
    return every


def share(carried: Sequence[Carried], device: torch.device) -> list[Carried]:
    """Return this process's share of what `gather` returned, on `device`."""
    count, rank = distributed.world_size(), distributed.rank()
    own: list[Carried] = []
    for part in carried:
        mine = None if part is None else part[1] % count == rank
        if mine is None or not mine.any():
            own.append(None)
            continue
        state = {name: value[mine].to(device) for name, value in part[0].items()}
        own.append((state, (part[1][mine] // count).to(device)))
    return own
