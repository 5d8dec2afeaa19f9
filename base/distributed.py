"""Training in several processes started by torchrun. Only this module uses torch.distributed.

Each process ("rank") has the whole network and computes its rows of every batch. The results are
added up, and then every process makes the same step: with the same gradient, the same noise on the
weights, and the same decision to skip, stop, save or reduce the learning rate.

As many processes and threads give the same weights bit for bit on a CPU. Another number adds the
same gradients in another order, and steps amplify the rounding. After 20 steps of one process and
of two, with a thread each, the largest difference of weights was 7e-9 by SGD of rate 0.01, and 3e-5
by Adam of rate 0.001; by Adam of rate 0.007, with which the loss still jumps, 0.1: there two
threads of one process are as far from one (0.007 after 5 steps). Measured with and without
torchrun, by `train.py -c conditional -d cpu --epochs 1 -o trainer.args.steps_per_epoch=20 -o
trainer.args.precision=float32 -o trainer.args.ema_decay=null -o lr_scheduler=null -o
optimizer.args.lr=0.001`.

The gradient is summed by a flat all-reduce after the local backward passes, and not by torch's
`DistributedDataParallel` (DDP). DDP averages over ranks as if all had equally many points, and
needs the same backward passes in every rank, while here a small last batch may leave a rank without
any sequence. A sum that is divided once by the sum of the divisors is exact. DDP could communicate
during the backward pass, but this would save little: 3.7 million weights are 15 MB a step.

In a single process there is no communication: a sum over all processes is the process's own value.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from tqdm import tqdm

from utils.checks import first_line

Value = TypeVar("Value")
Item = TypeVar("Item")
Number = TypeVar("Number", bound=float)

Layout: TypeAlias = tuple[int, torch.Size, torch.dtype, str]
"""The number, the sizes, the type and the kind of device of a process's rows."""

LAUNCHER = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
"""Environment variables that torchrun sets for each process."""

MAX_WAIT = timedelta(hours=2)
"""Maximum wait for other processes (assumed: longer than parsing a dataset takes)."""
_LOST = "another process of this run has ended"

_store: "dist.Store | None" = None


class Lost(Exception):
    """Another process of the run has ended, so that this process cannot continue."""


@contextmanager
def started() -> Iterator[None]:
    """A block in which processes started by torchrun are connected; else it changes nothing."""
    global _store
    if not os.environ.keys() >= LAUNCHER:
        yield
        return
    backend = "gloo"
    if torch.cuda.is_available() and dist.is_nccl_available():
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(local_rank() % torch.cuda.device_count())
    # If a process group exists when torch.distributed.nn is first imported, its functions keep the
    # group as a default, so that the group's threads still exist when the interpreter ends. A
    # thread that then frees a tensor aborts the process (pytorch/pytorch#179291). Torch imports the
    # module for the first optimizer; this import comes earlier, before there is a group.
    from torch.distributed import nn  # noqa: F401

    _store, number, count = next(dist.rendezvous("env://", timeout=MAX_WAIT))
    dist.init_process_group(
        backend,
        timeout=MAX_WAIT,
        rank=number,
        world_size=count,
        store=dist.PrefixStore("group", _store),
    )
    yield
    # All processes wait for each other here. An error skips this wait: the other processes may
    # wait elsewhere, until this process ends.
    all_reduce_sum([0])
    dist.destroy_process_group()
    _store = None


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def local_rank() -> int:
    """Return the number of this process among those on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", 0))


def is_main() -> bool:
    """Return whether this is the process that writes files, prints and draws."""
    return rank() == 0


def bar(
    items: Iterable[Item] | None = None, description: str | None = None, **settings: Any
) -> "tqdm[Item]":
    """Return a tqdm progress bar that the main process alone shows, on a terminal."""
    disable = None if is_main() else True  # None: tqdm shows the bar on a terminal alone.
    return tqdm(items, description, mininterval=0.5, disable=disable, **settings)


def claim_message(message: str) -> bool:
    """Return whether this process is the first to log `message`; a message of `Lost` must also be
    the first of all messages."""
    if _store is None:
        return True
    try:
        num_messages = _store.add("messages", 1)
        num_repeats = _store.add(f"message {message}", 1)
    except RuntimeError:  # torchrun has exited too
        return True
    if message.startswith(_LOST):
        return num_messages == 1
    return num_repeats == 1


@contextmanager
def own_randomness(device: torch.device, *key: int) -> Iterator[None]:
    """A block in which each process draws different random numbers, seeded by `key` and its rank.

    After the block, torch's generators are as before, and so equal in all processes.
    """
    if world_size() == 1:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        seeds = np.random.SeedSequence([*key, rank()])
        (seed,) = seeds.generate_state(1, np.uint64)
        torch.manual_seed(int(seed))
        yield


def all_reduce_sum(values: Sequence[Number]) -> list[Number]:
    """Return the sums of numbers over all processes, in float64; a sum of ints is an int."""
    return _reduced(values, dist.ReduceOp.SUM)


def all_reduce_max(values: Sequence[Number]) -> list[Number]:
    """Return the maxima of numbers over all processes."""
    return _reduced(values, dist.ReduceOp.MAX)


def broadcast_object(make: Callable[[], Value]) -> Value:
    """Return the result of `make`, which the main process alone calls."""
    if world_size() == 1:
        return make()
    value: list[Any] = [make() if is_main() else None]
    _call(dist.broadcast_object_list, value)
    return value[0]


def all_gather_object(value: Value) -> list[Value]:
    """Return the values of all processes by rank; an empty list outside the main process."""
    if world_size() == 1:
        return [value]
    values = [value] * world_size()
    _call(dist.gather_object, value, values if is_main() else None)
    return values if is_main() else []


def broadcast_tensors(tensors: Iterable[Tensor]) -> None:
    """Overwrite tensors with their values in the main process."""
    if world_size() > 1:
        for tensor in tensors:
            numbers = tensor.detach().contiguous()
            # Not every backend knows every type of numbers: gloo aborts at 16 bits.
            _call(dist.broadcast, numbers.view(-1).view(torch.uint8), 0)
            if not tensor.is_contiguous():
                tensor.detach().copy_(numbers)


def all_reduce_gradients(weights: Sequence[Tensor]) -> None:
    """Replace the gradient of each trainable weight by its sum over all processes."""
    if world_size() == 1:
        return
    gradients: list[Tensor] = []
    for weight in weights:
        if not weight.requires_grad:
            continue
        if weight.grad is None:  # This process had no sequence.
            weight.grad = torch.zeros_like(weight)
        gradients.append(weight.grad)
    parts = [torch.view_as_real(each) if each.is_complex() else each for each in gradients]
    flat = parameters_to_vector(parts)
    _call(dist.all_reduce, flat)
    vector_to_parameters(flat, parts)
    for gradient, part in zip(gradients, parts, strict=True):
        if gradient.is_complex():
            gradient.copy_(torch.view_as_complex(part))


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all processes, `(all rows, ...)`: this process's first, then the others'.

    Gradients flow back to the process that a row is from. For a loss or `forward_batch`, which a
    process without a row of the batch does not call: it takes part without rows, in `rows_done`.
    """
    if world_size() == 1:
        return rows
    gathered, first = _GatheredRows.apply(rows)
    start = int(first)
    stop = start + len(rows)
    return torch.cat((gathered[start:stop], gathered[:start], gathered[stop:]))


def rows_done() -> None:
    """Wait until all processes have made their pass over their rows of a batch, see `any_rank`."""
    any_rank(flag=False)


def any_rank(flag: bool) -> bool:
    """Return whether the `flag` of any process is true, when all processes have made their pass
    over their rows of a batch; until then, take part without rows in `gather_rows` of others."""
    while True:
        is_gathering, has_flag = all_reduce_max([False, flag])
        if not is_gathering:
            return has_flag
        zeros, _ = _announced(None)
        _call(dist.all_reduce, zeros)


class _GatheredRows(torch.autograd.Function):
    """The rows of all processes in the order of ranks, and the index of the first own row.

    Each pass begins with an announcement, for the processes that wait in `any_rank`.
    """

    @staticmethod
    def forward(context: Any, rows: Tensor) -> tuple[Tensor, Tensor]:
        all_reduce_max([True, False])
        gathered, first = _announced(rows)
        context.place = slice(first, first + len(rows))
        gathered[context.place] = rows
        _call(dist.all_reduce, gathered)
        return gathered, torch.tensor(first)

    @staticmethod
    def backward(context: Any, gradient: Tensor, _: object) -> Tensor:
        all_reduce_max([True, False])
        total, _first = _announced(gradient[context.place])
        total += gradient
        _call(dist.all_reduce, total)
        return total[context.place]


def _announced(rows: Tensor | None) -> tuple[Tensor, int]:
    """Return zeros for the rows of all processes, and the index of this process's first row."""
    layout_here: Layout | None = None
    if rows is not None:
        layout_here = len(rows), rows.shape[1:], rows.dtype, rows.device.type
    announced: list[Layout | None] = [None] * world_size()
    _call(dist.all_gather_object, announced, layout_here)
    counts = [0 if layout is None else layout[0] for layout in announced]
    _, sizes, dtype, device = next(filter(None, announced))  # equal in all that have rows
    zeros = torch.zeros(sum(counts), *sizes, dtype=dtype, device=device)
    return zeros, sum(counts[: rank()])


def _reduced(values: Sequence[Number], operation: "dist.ReduceOp.RedOpType") -> list[Number]:
    if world_size() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64)
    _call(dist.all_reduce, tensor, operation)
    return [type(value)(total) for value, total in zip(values, tensor.tolist(), strict=True)]


def _call(function: Callable[..., Any], *arguments: Any) -> None:
    try:
        function(*arguments)
    except RuntimeError as error:  # A closed connection, or a timeout.
        raise Lost(f"{_LOST} ({first_line(error)})") from error
