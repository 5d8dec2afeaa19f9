"""Finds out where values that are not finite come from."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import is_dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from base.batch_stream import Chunk
from base.random_state import random_state_kept


@contextmanager
def watched(model: nn.Module) -> Iterator[list[str]]:
    """Yield a list to which each module is added whose output is not finite, in the order of calls.

    Only calls in training mode count. Minus infinity, as in a mask, counts as finite.
    """
    modules: list[str] = []

    def record(name: str, module: nn.Module, _: object, output: Any) -> None:
        if module.training and not _finite(output):
            modules.append(f"the output of {name or 'the network'} ({type(module).__name__})")

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(module.register_forward_hook(partial(record, name)).remove)
        yield modules


def cause_of_loss(model: nn.Module, forward: Callable[..., object], chunk: Chunk) -> str:
    """Return what is not finite first in a chunk whose loss is not finite: an input, the output of
    a module, or the loss.

    `forward` makes a second forward pass; its arguments are a network, a batch and a state.
    """
    batch = chunk.batch
    broken = ~torch.isfinite(batch.inputs).flatten(1).all(1)
    if broken.any():
        return f"an input of sample {int(batch.index[broken][0])}"
    with torch.no_grad(), random_state_kept(), watched(model) as modules:
        forward(model, batch, chunk.state)
    return [*modules, "the loss of finite outputs"][0]


def cause_of_gradient(model: nn.Module) -> str:
    """Name the last weight whose gradient is not finite, which is the nearest to the output, and
    count the other such weights."""
    names = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is not None and not bool(torch.isfinite(weight.grad).all())
    ]
    others = f" and of {len(names) - 1} other weights" if len(names) > 1 else ""
    return f"the gradient of {names[-1]}{others}" if names else "the norm of the gradient"


def _finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool((value < math.inf).all())
    parts = vars(value) if is_dataclass(value) else value
    parts = list(parts.values()) if isinstance(parts, Mapping) else parts
    return not isinstance(parts, list | tuple) or all(map(_finite, parts))
