"""The interface of metrics."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from base import distributed
from base.base_data_loader import Batch
from utils.checks import UserError, short


class BaseMetric(ABC):
    """A ratio over a whole split: numerator and denominator are summed, and divided once."""

    names: ClassVar[tuple[str, ...]]
    """The names of the values that `compute` returns."""
    sums: ClassVar[tuple[str, ...]]
    """The names of the attributes that hold numerators and denominators, tensors or numbers: zero
    after `reset`, they add up over batches, and over the processes of a run."""

    in_training: ClassVar[bool] = True
    """Whether it is also computed over training batches."""

    heads: ClassVar[tuple[str, ...] | None] = None
    """The `head`s of the networks that it is for; None for all."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything added so far."""

    @abstractmethod
    def update(self, output: Any, batch: Batch) -> None:
        """Add one batch."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the metric by name over everything added since `reset`; nan where empty.

        A tensor or array of one number will do as well.
        """


def computed(metrics: Sequence[BaseMetric]) -> dict[str, float]:
    """Return the values of all metrics by name: in the main process over all processes."""
    values: dict[str, float] = {}
    for metric in merged(metrics):
        values |= as_floats(metric.compute(), metric)
    return values


def as_floats(values: Mapping[str, Any], owner: object) -> dict[str, float]:
    """Return what the code of `owner`, which may be a user's own, computed, as plain floats.

    Raises:
        UserError: naming what is not a number, nor a tensor or array of one.
    """
    floats = {}
    for name, value in values.items():
        try:
            floats[name] = float(value)
        except (TypeError, ValueError, RuntimeError):
            found = f"{type(owner).__name__} computes {short(value)} as {name!r}"
            raise UserError(f"{found}: a number is needed") from None
    return floats


def unfit(metric: BaseMetric, output: Any, batch: Batch) -> str:
    """Return what a metric should do and does not, given a batch; an empty string for nothing."""
    metric.reset()
    metric.update(output, batch)
    if as_floats(metric.compute(), metric).keys() != {*metric.names}:
        return f"a metric whose compute returns all of its names: {', '.join(metric.names)}"
    metric.reset()
    if any(torch.as_tensor(getattr(metric, name)).any() for name in metric.sums):
        return f"a metric whose reset makes its sums zero: {', '.join(metric.sums)}"
    return ""


def merged(metrics: Sequence[BaseMetric]) -> list[BaseMetric]:
    """Return the metrics summed over all processes in the main one; elsewhere its own."""
    if distributed.world_size() == 1:
        return list(metrics)
    result = copy.deepcopy(list(metrics))
    for number, parts in enumerate(zip(*gathered(metrics), strict=True)):
        for name in metrics[number].sums:
            setattr(result[number], name, sum(part[name] for part in parts))
    return result


def gathered(metrics: Sequence[BaseMetric]) -> list[list[dict[str, Any]]]:
    """Return what the metrics hold in each process, by rank, in the main one; elsewhere nothing."""
    own = [
        {name: one.cpu() if isinstance(one, Tensor) else one for name, one in vars(metric).items()}
        for metric in metrics
    ]
    return distributed.all_gather_object(own)
