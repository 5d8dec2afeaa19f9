"""The origin of values that are not finite."""

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
    """Yield a list of the modules whose output is not finite, in the order of their calls inside.

    Only calls in training count. Minus infinity, as in a mask, counts as finite.
    """
    modules: list[str] = []

    def look(name: str, module: nn.Module, _: object, output: Any) -> None:
        if module.training and not _finite(output):
            modules.append(f"the output of {name or 'the network'} ({type(module).__name__})")

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(module.register_forward_hook(partial(look, name)).remove)
        yield modules


def cause_of_loss(model: nn.Module, forward: Callable[..., object], chunk: Chunk) -> str:
    """Return the origin of a loss that is not finite, by another forward pass.

    Args:
        model: the network.
        forward: makes a forward pass of a network, given a batch and a state.
        chunk: whose loss is not finite.
    """
    batch = chunk.batch
    broken = ~torch.isfinite(batch.inputs).flatten(1).all(1)
    if broken.any():
        return f"what sample {int(batch.index[broken][0])} has as inputs"
    with torch.no_grad(), random_state_kept(), watched(model) as modules:
        forward(model, batch, chunk.state)
    return [*modules, "the loss of finite outputs"][0]


def cause_of_gradient(model: nn.Module) -> str:
    """Name the weight nearest to the output whose gradient is not finite, and count the others."""
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
