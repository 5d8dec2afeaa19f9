"""The recurrent states that chunks of a batch carry over, of all the processes of a run together.

A checkpoint holds them with the rows of the whole batch that they are of, so that any number of
processes goes on from it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from base import distributed

State = dict[str, Tensor] | None


def gather(
    states: Sequence[State], rows: Sequence[Tensor | None]
) -> tuple[list[State], list[Tensor | None]]:
    """Return the states of all processes, in the main one; elsewhere nothing.

    Args:
        states: this process's, one for each batch of a group: `(rows, ...)` each, or None.
        rows: which of its share of the batch these are, `(rows,)` int64, ascending.

    Returns:
        The states, and the rows of the whole batch that they are of, ascending.
    """
    count, rank = distributed.world_size(), distributed.rank()
    own = [
        None
        if state is None
        else ({name: value.cpu() for name, value in state.items()}, here.cpu() * count + rank)
        for state, here in zip(states, rows, strict=True)
    ]
    if count == 1:
        return list(states), [None if part is None else part[1] for part in own]
    all_states: list[State] = []
    all_rows: list[Tensor | None] = []
    for parts in zip(*distributed.all_gather_object(own), strict=True):
        there = [part for part in parts if part is not None]
        state = where = None
        if there:
            where, order = torch.cat([here for _, here in there]).sort()
            state = {
                name: torch.cat([part[name] for part, _ in there])[order] for name in there[0][0]
            }
        all_states.append(state)
        all_rows.append(where)
    return all_states, all_rows


def share(
    states: Sequence[State], rows: Sequence[Tensor | None], device: torch.device
) -> tuple[list[State], list[Tensor | None]]:
    """Return this process's share of what `gather` returned, on `device`."""
    count, rank = distributed.world_size(), distributed.rank()
    own_states: list[State] = []
    own_rows: list[Tensor | None] = []
    for state, where in zip(states, rows, strict=True):
        mine = None if where is None else where % count == rank
        if mine is None or not mine.any():
            own_states.append(None)
            own_rows.append(None)
            continue
        own_states.append({name: value[mine].to(device) for name, value in state.items()})
        own_rows.append((where[mine] // count).to(device))
    return own_states, own_rows
