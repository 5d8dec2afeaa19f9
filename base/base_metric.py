"""The interface of metrics."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
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
    """The names of the attributes that hold numerators and denominators: numbers, tensors or
    arrays. `reset` sets them to zeros of their final shape; they add up over batches, and over the
    processes of a run. A run that is stopped within an epoch goes on with them."""

    in_training: ClassVar[bool] = True
    """Whether the metric is also computed over training batches."""

    heads: ClassVar[tuple[str, ...] | None] = None
    """The `head`s of the networks that the metric is for; None for all."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything added so far."""

    @abstractmethod
    def update(self, output: Any, batch: Batch) -> None:
        """Add one batch."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the metric's values by name over everything added since `reset`; nan where empty.

        A value may also be a tensor or array of one number.
        """

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums by name, on the CPU."""
        return {name: _tensor(getattr(self, name)).cpu() for name in self.sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the sums to those that `state_dict` returned; each keeps its kind.

        Raises:
            ValueError: if a sum has another shape.
        """
        for name in self.sums:
            before, value = getattr(self, name), _tensor(state[name])
            like = _tensor(before)
            if value.shape != like.shape:
                shapes = f"{tuple(value.shape)}, not {tuple(like.shape)}"
                raise ValueError(f"{name} of {type(self).__name__} has the shape {shapes}")
            value = value.to(like.device, torch.promote_types(like.dtype, value.dtype))
            if isinstance(before, np.ndarray):
                value = value.numpy()
            setattr(self, name, value if isinstance(before, np.ndarray | Tensor) else value.item())


def computed(metrics: Sequence[BaseMetric]) -> dict[str, float]:
    """Return the values of all metrics by name: in the main process over all processes."""
    values: dict[str, float] = {}
    for metric in merged(metrics):
        values |= as_floats(metric.compute(), metric)
    return values


def as_floats(values: Mapping[str, Any], owner: object) -> dict[str, float]:
    """Return values that the code of `owner`, perhaps a user's class, computed, as plain floats.

    Raises:
        UserError: naming a value that is not a number, nor a tensor or array of one number.
    """
    floats = {}
    for name, value in values.items():
        try:
            floats[name] = float(value)
        except (TypeError, ValueError, RuntimeError):
            problem = f"{type(owner).__name__} computes {short(value)} as {name!r}"
            raise UserError(f"{problem}: a number is needed") from None
    return floats


def contract_error(metric: BaseMetric, output: Any, batch: Batch) -> str:
    """Return which rule of `BaseMetric` a metric breaks, tried on a batch; "" if none."""
    metric.reset()
    shapes = [value.shape for value in metric.state_dict().values()]
    metric.update(output, batch)
    if shapes != [value.shape for value in metric.state_dict().values()]:
        return f"a metric whose reset makes its sums as large as they are: {', '.join(metric.sums)}"
    state, values = metric.state_dict(), as_floats(metric.compute(), metric)
    if values.keys() != {*metric.names}:
        return f"a metric whose compute returns all of its names: {', '.join(metric.names)}"
    metric.reset()
    if any(value.any() for value in metric.state_dict().values()):
        return f"a metric whose reset makes its sums zero: {', '.join(metric.sums)}"
    metric.load_state_dict(state)
    again = as_floats(metric.compute(), metric)
    if not np.allclose([again[name] for name in values], [*values.values()], equal_nan=True):
        return f"a metric whose compute needs nothing but its sums: {', '.join(metric.sums)}"
    return ""


def merged(metrics: Sequence[BaseMetric]) -> list[BaseMetric]:
    """Return the metrics: in the main process summed over all processes, elsewhere unchanged."""
    if distributed.world_size() == 1:
        return list(metrics)
    result = copy.deepcopy(list(metrics))
    for metric, parts in zip(result, zip(*gathered(metrics), strict=True), strict=False):
        metric.load_state_dict({name: sum(part[name] for part in parts) for name in metric.sums})
    return result


def gathered(metrics: Sequence[BaseMetric]) -> list[list[dict[str, Tensor]]]:
    """Return the metrics' sums in each process, by rank; an empty list outside the main process."""
    return distributed.all_gather_object([metric.state_dict() for metric in metrics])


def _tensor(value: Any) -> Tensor:
    """Return a number, array or tensor as a tensor of the same precision."""
    return value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
