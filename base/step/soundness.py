"""Judges whether the state of a run may be saved, and finds the source of NaN or infinite values.

A state is sound if its weights are finite, and their loss has not grown far beyond the first one: a
run that diverges keeps its last sound checkpoint.
"""

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
from base.run.run_state import Progress, Sums, random_state_kept

MAX_LOSS_INCREASE = 10.0
"""Maximum increase of the loss per point since the first step; with a larger one a state is not
sound. Unit: the absolute loss per point of the first step, or 1 if that is less (assumed: a warm-up
or a new task increases the loss far less, a learning rate ten times too high far more)."""


def fault_of_steps(progress: Progress, saved: Progress | None, sums: Sums) -> str | None:
    """Return why a run must not be saved that has only skipped steps since its last checkpoint;
    None if it has made a step, or has tried none.

    Args:
        progress, sums: the progress, and the sums of the current epoch.
        saved: the progress in the last checkpoint; None if there is none.
    """
    if saved is None or saved.step != progress.step or sums.steps > 0:
        return None
    if progress.skipped_in_row <= saved.skipped_in_row:
        return None
    return "every step since the last checkpoint was skipped"


def fault_of_loss(first: float, present: float) -> str | None:
    """Return why weights with a loss per point of `present` must not be saved, if the run's first
    step had the loss `first`; None if the loss has increased by at most `MAX_LOSS_INCREASE`."""
    if present <= first + MAX_LOSS_INCREASE * max(1.0, abs(first)):
        return None
    return f"the loss per point went from {first:.3g} in the first step to {present:.3g}"


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
            hooks.callback(module.register_forward_hook(partial(check, name)).remove)
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
    parts = list(parts.values()) if isinstance(parts, Mapping) else parts
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
