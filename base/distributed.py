"""Training in several processes, as torchrun starts them; no other module knows torch.distributed.

Each process ("rank") has the whole network and computes its rows of every batch. The results are
added up, and then every process makes the same step with the same numbers: the same gradient, the
same noise on the weights, the same decision to skip, stop, save or reduce the rate.

The gradient is summed by a flat all-reduce after the local backward passes, and not by torch's
`DistributedDataParallel`: DDP averages over ranks as if each had the same number of points, and
needs every rank to make the same backward passes, while here a small last batch may leave a rank
without any sequence. A sum that is divided once by the sum of the divisors is exact. DDP would
communicate while it computes, which saves little: 3.7 million weights are 15 MB a step.

In a single process nothing is started, and all functions return their arguments.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from tqdm import tqdm

from utils.checks import first_line

Value = TypeVar("Value")
Item = TypeVar("Item")

LAUNCHER = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
"""Environment variables that torchrun sets for each process."""

PATIENCE = timedelta(hours=2)
"""Longest wait for other processes (assumed: longer than parsing a dataset takes)."""
_LOST = "another process of this run has ended"

_store: "dist.Store | None" = None


class Lost(Exception):
    """Another process of the run has ended, so that this one cannot continue."""


@contextmanager
def started() -> Iterator[None]:
    """Inside, this process can reach the other processes that torchrun started, if any."""
    global _store
    if not os.environ.keys() >= LAUNCHER:
        yield
        return
    backend = "gloo"
    if torch.cuda.is_available() and dist.is_nccl_available():
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(local_rank() % torch.cuda.device_count())
    # Functions of this module keep the group that exists at its first import as a default, and
    # torch imports it with the first optimizer. A kept group has threads at the interpreter's end,
    # and a thread that then frees a tensor aborts the process (pytorch/pytorch#179291).
    from torch.distributed import nn  # noqa: F401

    _store, number, count = next(dist.rendezvous("env://", timeout=PATIENCE))
    dist.init_process_group(
        backend,
        timeout=PATIENCE,
        rank=number,
        world_size=count,
        store=dist.PrefixStore("group", _store),
    )
    yield
    # All processes wait for each other; not after an error, when the others may be waiting
    # elsewhere, until this process ends.
    all_reduce_sum([0])
    dist.destroy_process_group()
    _store = None


def rank() -> int:
    """Return the number of this process."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def local_rank() -> int:
    """Return the number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


def is_main() -> bool:
    """Return whether this is the process that writes files, prints and draws."""
    return rank() == 0


def bar(
    items: Iterable[Item] | None = None, what: str | None = None, **settings: Any
) -> "tqdm[Item]":
    """Return a tqdm progress bar that the main process alone shows, on a terminal."""
    return tqdm(items, what, mininterval=0.5, disable=None if is_main() else True, **settings)


def claim_message(message: str) -> bool:
    """Return whether this process is the first to log `message`; after `Lost`, to log anything."""
    if _store is None:
        return True
    try:
        messages, repeats = _store.add("messages", 1), _store.add(f"message {message}", 1)
    except RuntimeError:  # torchrun has exited too.
        return True
    return messages == 1 if message.startswith(_LOST) else repeats == 1


@contextmanager
def own_randomness(device: torch.device, *key: int) -> Iterator[None]:
    """Inside, each process draws its own random numbers, determined by `key` and its rank.

    Outside, the generators of all processes are in the same state.
    """
    if world_size() == 1:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        seeds = np.random.SeedSequence([*key, rank()])
        torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0]))
        yield


def all_reduce_sum(values: Sequence[float]) -> list[float]:
    """Return the sums of numbers over all processes, in float64; of ints as ints."""
    return _reduced(values, dist.ReduceOp.SUM)


def all_reduce_max(values: Sequence[float]) -> list[float]:
    """Return the maxima of numbers over all processes."""
    return _reduced(values, dist.ReduceOp.MAX)


def broadcast_object(make: Callable[[], Value]) -> Value:
    """Return the result of `make`, which the main process alone calls."""
    if world_size() == 1:
        return make()
    value = [make() if is_main() else None]
    _call(dist.broadcast_object_list, value)
    return value[0]


def all_gather_object(value: Value) -> list[Value]:
    """Return the values of all processes, by rank, in the main one; elsewhere an empty list."""
    if world_size() == 1:
        return [value]
    values = [value] * world_size()
    _call(dist.gather_object, value, values if is_main() else None)
    return values if is_main() else []


def broadcast_tensors(tensors: Iterable[Tensor]) -> None:
    """Give tensors the values that they have in the main process."""
    if world_size() > 1:
        for tensor in tensors:
            _call(dist.broadcast, tensor.detach(), 0)


def all_reduce_gradients(weights: Sequence[Tensor]) -> None:
    """Give each trainable weight the sum of its gradients in all processes."""
    if world_size() == 1:
        return
    trained = [weight for weight in weights if weight.requires_grad]
    for weight in trained:
        if weight.grad is None:  # This process had no sequence.
            weight.grad = torch.zeros_like(weight)
    gradients = [weight.grad for weight in trained]
    flat = parameters_to_vector(gradients)
    _call(dist.all_reduce, flat)
    vector_to_parameters(flat, gradients)


def _reduced(values: Sequence[float], operation: "dist.ReduceOp") -> list[float]:
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
