"""Evaluates networks over batches; names the values that are logged."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import torch
from torch import nn

from base import distributed
from base.base_data_loader import Batch
from base.base_loss import BaseLoss, loss_of
from base.base_metric import BaseMetric, update
from base.config.user_code import errors_as_config_fault
from base.run.checkpoint import state_of
from base.run.digest import digest
from base.run.random_state import random_state_kept
from base.run.run_state import Sums
from utils.checks import ConfigFault, NotFinite


@torch.no_grad()
def evaluate(
    forward: Callable[[Batch], Any],
    batches: Iterable[Batch | None],
    metrics: Sequence[BaseMetric],
    loss: BaseLoss | None = None,
) -> Sums:
    """Return the sums over some batches and all processes, and add the batches to metrics.

    A batch without finite outputs is skipped. The random generators and the loss's state stay as
    they were; see `evaluating` for networks.

    Args:
        forward: returns the output of the evaluated network for a batch.
        batches: this process's rows, on the device; None if it has no row.
        metrics: to update.
        loss: to sum; None: the sum stays 0.
    """
    sums = Sums()
    with random_state_kept(), states_kept([] if loss is None else [loss]):
        for batch in batches:
            if batch is not None:
                total, skipped = math.nan, True
                with suppress(NotFinite):
                    output = forward(batch)
                    total = 0.0 if loss is None else loss_of(loss, output, batch)[1]
                    skipped = False
                sums.add(total, len(batch), batch.points, skipped)
                if not skipped:
                    update(metrics, output, batch)
            distributed.rows_done()
    return sums.all_reduced()


@contextmanager
def states_kept(parts: Iterable[Any]) -> Iterator[None]:
    """A block after which parts have their states again; a part is an object with `state_dict` and
    `load_state_dict`."""
    states = [(part, copy.deepcopy(state_of(part))) for part in parts]
    try:
        yield
    finally:
        for part, state in states:
            if state or part.state_dict():
                part.load_state_dict(state)


@contextmanager
def evaluating(networks: Sequence[nn.Module]) -> Iterator[None]:
    """A block in which networks are in evaluation mode.

    After it each of their modules is in the mode in which it was, and has the buffers that it had:
    a network may change them also in evaluation, as a queue of what it has seen.
    """
    modules = list(dict.fromkeys(chain.from_iterable(map(nn.Module.modules, networks))))
    modes = [(module, module.training) for module in modules]
    buffers = [(module, *item) for module in modules for item in module._buffers.items()]
    kept = [(buffer, buffer.clone()) for *_, buffer in buffers if buffer is not None]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode  # `train` would set all of its modules.
        for tensor, value in kept:
            if digest(tensor) != digest(value):
                tensor.copy_(value)
        for module, name, buffer in buffers:
            # `forward` may have put another tensor in its place; setattr would take a parameter
            # that is registered as a buffer for a parameter of the module.
            module._buffers[name] = buffer


def logged_names(loss: BaseLoss, metrics: Sequence[BaseMetric], validates: bool) -> list[str]:
    """Return the names of the values logged after each epoch.

    Args:
        loss, metrics: the loss and metrics of the run; their classes may be a user's.
        validates: whether there is a validation.

    Raises:
        ConfigFault: if the loss or a metric has no name, or one that is not valid or not unique.
    """
    rates, training, validation = [*Sums().rates()], list[str](), list[str]()
    reserved = {"epoch", "step", "skipped_steps", *rates}  # further columns of metrics.csv
    parts: list[tuple[str, BaseLoss | BaseMetric]] = [("loss", loss)]
    parts += [(f"metrics.{number}", metric) for number, metric in enumerate(metrics)]
    for key, part in parts:
        with errors_as_config_fault(key, part, "one with a name"):
            names = [*Sums().losses(part.name)] if isinstance(part, BaseLoss) else [*part.names]
            for name in names:
                is_name = isinstance(name, str) and name.isidentifier()
                if not is_name or name in {*reserved, *validation}:
                    expected = (
                        f"one whose values have unique names of letters, digits and _, not {name!r}"
                    )
                    raise ConfigFault(key, type(part).__name__, expected)
            validation += names
            training += names if isinstance(part, BaseLoss) or part.in_training else []
    return [*training, *rates, *(f"valid_{name}" for name in validation if validates)]
