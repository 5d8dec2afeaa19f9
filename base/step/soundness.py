"""Finds the source of NaN or infinite values in a step."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import is_dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from base.base_data_loader import Chunk
from base.run.digest import tensors_in
from base.run.run_state import random_state_kept


@contextmanager
def detecting_anomalies(
    model: nn.Module, report: Callable[[str], None], enabled: bool
) -> Iterator[None]:
    """A block in which, if `enabled`, all modules are `watched`, and torch raises an error at NaN
    in a backward pass; slow."""
    if not enabled:
        yield
        return
    with torch.autograd.set_detect_anomaly(True), watched(model, report):
        yield


@contextmanager
def watched(model: nn.Module, report: Callable[[str], None]) -> Iterator[None]:
    """A block in which each module whose output is not finite is reported, in the order of calls.

    Only calls in training mode count. Minus infinity, as in a mask, counts as finite.
    """

    def check(name: str, module: nn.Module, _: object, output: Any) -> None:
        if module.training and not _finite(output):
            output_of = f"{name or 'the network'} ({type(module).__name__})"
            report(f"the output of {output_of} is not finite")

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            handle = module.register_forward_hook(partial(check, name))
            hooks.callback(handle.remove)
        yield


def cause_of_loss(model: nn.Module, forward: Callable[..., object], chunk: Chunk) -> str:
    """Return why the loss of a chunk is not finite, by the first value that is not finite: an
    input, the output of a module, or the loss.

    `forward` makes a second forward pass; its arguments are a network, a batch and a state.
    """
    batch = chunk.batch
    broken = ~torch.isfinite(batch.inputs).flatten(1).all(1)
    if broken.any():
        return f"an input of sample {int(batch.index[broken][0])} is not finite"
    causes: list[str] = []
    with torch.no_grad(), random_state_kept(), watched(model, causes.append):
        forward(model, batch, chunk.state)
    return causes[0] if causes else "the loss of finite outputs is not finite"


def cause_of_gradient(model: nn.Module) -> str:
    """Return why the gradient is not finite, by the last such weight, which is the nearest to the
    output, and by the number of the others."""
    names = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is not None and not bool(torch.isfinite(weight.grad).all())
    ]
    others = f" and of {len(names) - 1} other weights" if len(names) > 1 else ""
    gradient = f"the gradient of {names[-1]}{others}" if names else "the norm of the gradient"
    return f"{gradient} is not finite"


def _finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool((value < math.inf).all())
    parts = vars(value) if is_dataclass(value) else value
    if isinstance(parts, Mapping):
        parts = list(parts.values())
    return not isinstance(parts, list | tuple) or all(map(_finite, parts))


def with_other_padding(output: Any, mask: Tensor) -> Any:
    """Return a copy of an output of a network whose values at padded steps are those of the first
    step of the same line; `mask` `(batch, time)` is True at the steps of a line.

    Only tensors that begin with these dimensions are changed. An output that cannot be copied is
    returned as it is.
    """
    try:
        other = copy.deepcopy(output)
    except (RuntimeError, TypeError):  # It has a graph, or something like a generator.
        return output
    for tensor in tensors_in(other):
        if tensor.shape[:2] == mask.shape:
            tensor[~mask] = tensor[:, :1].expand_as(tensor)[~mask]
    return other
