"""Defines the interface of metrics."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from base.base_data_loader import Batch
from utils.checks import UserError, short


class BaseMetric(ABC):
    """A ratio over a whole split: `update` sums numerators and denominators, `compute` divides.

    A value that no sum gives, such as a median, is computed from lists of values.
    """

    names: ClassVar[tuple[str, ...]]
    """The names of the values that `compute` returns."""
    sums: ClassVar[tuple[str, ...]]
    """The names of the attributes that hold numerators and denominators: numbers, tensors or
    arrays. `reset` sets each sum to zeros of its final shape. Sums are added up over batches, and
    over the processes of a run. A run that is resumed within an epoch restores its sums."""

    lists: ClassVar[tuple[str, ...]] = ()
    """The names of the attributes that hold lists of tensors `(values, ...)`, of any number of
    values; `reset` empties the lists. All lists of a metric have equally many values; the values at
    one place belong together. `compute` gets lists of one tensor each, on the CPU: the values of
    all processes, sorted by the first list, then by the next; without values, empty lists."""

    in_training: ClassVar[bool] = True
    """Whether the metric is also computed over training batches."""

    heads: ClassVar[tuple[str, ...] | None] = None
    """The values of `head` of the networks that the metric suits; None for all networks."""

    @abstractmethod
    def reset(self) -> None:
        """Forget all batches added so far."""

    @abstractmethod
    def update(self, output: Any, batch: Batch) -> None:
        """Add one batch."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the metric's values, over all batches since `reset`, by name; NaN without a batch.

        A value may also be a tensor or array of one number.
        """

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums, and the values of each list as one tensor, by name, on the CPU.

        Raises:
            UserError: naming a sum or list that has other values than real numbers.
        """
        sums = {name: _sum(self, name).cpu() for name in self.sums}
        return sums | {name: _concatenated(_list(self, name)) for name in self.lists}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set sums and lists to values that `state_dict` returned, without changing sums' types.

        Raises:
            ValueError: if a value has not the shape of its sum.
        """
        for name in self.sums:
            value = _tensor(state[name])
            present = _sum(self, name)
            if value.shape != present.shape:
                shapes = f"{tuple(value.shape)}, not {tuple(present.shape)}"
                raise ValueError(f"{name} of {type(self).__name__} has the shape {shapes}")
            value = value.to(present.device, torch.promote_types(present.dtype, value.dtype))
            match getattr(self, name):
                case Tensor():
                    setattr(self, name, value)
                case np.ndarray():
                    setattr(self, name, value.numpy())
                case _:
                    setattr(self, name, value.item())
        for name in self.lists:
            setattr(self, name, [state[name]] if len(state[name]) else [])


def as_floats(values: object, owner: object) -> dict[str, float]:
    """Return numbers, or tensors or arrays of one number, as plain floats by name.

    Raises:
        UserError: naming a value of another kind, and the class of `owner`, which computed it.
    """
    floats = {}
    if not isinstance(values, Mapping):
        problem = f"{type(owner).__name__} computes {short(values)}"
        raise UserError(f"{problem}: numbers by name are needed")
    for name, value in values.items():
        try:
            floats[name] = float(value)
        except (TypeError, ValueError, RuntimeError):
            problem = f"{type(owner).__name__} computes {short(value)} as {name!r}"
            raise UserError(f"{problem}: a number is needed") from None
    return floats


def trial_of_metric(
    metric: BaseMetric, first: tuple[Any, Batch], batches: Sequence[Batch], outputs: Sequence[Any]
) -> tuple[str, str]:
    """Try a metric; return the rule of `BaseMetric` that it breaks, and what may be wrong with it,
    each or "".

    Args:
        metric: the metric, without a batch.
        first: a network's output for a batch, and the batch.
        batches: two further batches, and if there is a third, it has the lines of both; or none.
        outputs: the outputs for these batches.
    """
    unused = copy.deepcopy(metric)
    rule = _broken_rule(metric, *first)
    if rule or not batches:
        return rule, ""
    return _trial_of_sums(unused, batches, outputs)


def _broken_rule(metric: BaseMetric, output: Any, batch: Batch) -> str:
    """Try a metric on a batch; return the rule of `BaseMetric` that the metric breaks, or ""."""
    metric.reset()
    shapes = [_sum(metric, name).shape for name in metric.sums]
    metric.update(output, batch)
    if shapes != [_sum(metric, name).shape for name in metric.sums]:
        return f"a metric whose reset gives its sums their final shape: {', '.join(metric.sums)}"
    state = metric.state_dict()
    values = as_floats(metric.compute(), metric)
    if values.keys() != {*metric.names}:
        return f"a metric whose compute returns all of its names: {', '.join(metric.names)}"
    metric.reset()
    if any(_sum(metric, name).any() for name in metric.sums):
        return f"a metric whose reset makes its sums zero: {', '.join(metric.sums)}"
    metric.load_state_dict(total_state(metric, [state]))
    recomputed = as_floats(metric.compute(), metric)
    if not np.allclose([recomputed[name] for name in values], [*values.values()], equal_nan=True):
        parts = ", ".join((*metric.sums, *metric.lists))
        return f"a metric whose compute depends only on its sums: {parts}, in any order"
    return ""


def _trial_of_sums(
    metric: BaseMetric, batches: Sequence[Batch], outputs: Sequence[Any]
) -> tuple[str, str]:
    """Try an unused metric over several batches; see `trial_of_metric`."""

    def values(metric: BaseMetric, *order: int) -> list[float]:
        """Return the values and sums of a metric after an epoch."""
        metric.reset()
        for number in order:
            metric.update(outputs[number], batches[number])
        states = metric.state_dict().values()
        totals = [float(state.sum()) for state in states if isinstance(state, Tensor)]
        return [*as_floats(metric.compute(), metric).values(), *totals]

    are_close = partial(np.allclose, rtol=1e-3, atol=1e-6, equal_nan=True)  # but for rounding
    orders = (0, 1, 1), (0, 1, 1), (1, 1, 0), (0,), (1,)
    apart = [values(copy.deepcopy(metric), *order) for order in orders]
    first, again, turned = apart[:3]
    if not are_close(first, again):
        return "", "has other values for the same outputs: it draws"
    if not are_close(again, turned):
        return "a metric that adds up: it depends on the order of the batches", ""
    if not are_close([values(metric, *order) for order in orders], apart):
        return "a metric whose reset forgets the epoch before", ""
    # The third batch has the lines of the first two, so both orders have the same lines. Values
    # are compared without the sums behind them, as sums may count batches.
    together = values(metric, 2, 1) if len(batches) > 2 else first
    num_values = len(metric.names)
    if not are_close(together[:num_values], first[:num_values]):
        problem = "has other values if the same lines come in other batches: it counts padding,"
        return "", f"{problem} averages over batches, or compares the lines of a batch"
    return "", ""


def total_state(metric: BaseMetric, states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return one state for the states of all processes: sums added, lists sorted together."""
    first, *others = states
    total = {}
    for name in metric.sums:
        start = 0 + first[name]  # a number, also of a truth value
        total[name] = sum((state[name] for state in others), start)
    lists = {}
    for name in metric.lists:
        lists[name] = _concatenated([state[name] for state in states])
    if len({len(values) for values in lists.values()}) > 1:
        counts = ", ".join(f"{len(values)} in {name}" for name, values in lists.items())
        raise UserError(f"{type(metric).__name__} needs as many values in each list: {counts}")
    if lists:
        columns = [values.double()[:, None].flatten(1) for values in lists.values()]
        keys = torch.cat(columns, 1).numpy().T
        order = torch.from_numpy(np.lexsort(keys[::-1]))  # lexsort takes the first key last.
        total |= {name: values[order] for name, values in lists.items()}
    return total


def _concatenated(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors `(values, ...)`, concatenated on the CPU; empty tensors may have any shape."""
    filled = [tensor.detach().cpu() for tensor in tensors if len(tensor)]
    return torch.cat(filled) if filled else torch.zeros(0)


def _sum(metric: BaseMetric, name: str) -> Tensor:
    """Return a sum as a tensor; raise a UserError if it has no real numbers, which can be added."""
    value = getattr(metric, name)
    with suppress(TypeError, OverflowError, RuntimeError):
        total = _tensor(value)
        if not (0 + total).is_complex():  # The addition raises if the type cannot be added.
            return total
    problem = f"{type(metric).__name__}.{name} = {short(value)}: a sum is a real number of at most"
    raise UserError(f"{problem} 64 bits with its sign, or a tensor or array of such")


def _list(metric: BaseMetric, name: str) -> Sequence[Tensor]:
    """Return a list of tensors; raise a UserError if it has anything else."""
    values = getattr(metric, name)
    for value in values:
        is_tensor = isinstance(value, Tensor) and not value.is_complex()
        if not is_tensor or (value.is_floating_point() and value.itemsize == 1):
            problem = f"{type(metric).__name__}.{name} has {short(value)}"
            raise UserError(f"{problem}: a list has tensors of real numbers, but none of float8")
    return values


def _tensor(value: Any) -> Tensor:
    """Return a number, array or tensor as a tensor of the same precision."""
    return value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
