"""What a checkpoint holds: each key, its type and its bounds, checked before anything is built.

`CHECKPOINT` and `TRAINING` need the file alone; `like`, `check_optimizer` and `check_schedule`
compare it with the objects that resume from it. The checks they are made of are in
`base.checkpoint_checks`.
"""

import copy
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from base.checkpoint_checks import (
    FLOATS,
    anything,
    is_finite,
    like,
    listed,
    made_of,
    number,
    of,
    optional,
    plain,
    record,
    refuse,
    table,
    tensor,
    under,
    walk,
    whole,
)
from base.random_state import try_random_state
from utils.checks import CheckpointError, first_line, short

_RATES = {"lr", "betas", "momentum"}
"""What a schedule changes in a group of an optimiser; the rest stays as it was at the start."""
_POSITION = {
    *("last_epoch", "_step_count", "_last_lr", "_is_initial", "_get_lr_called_within_step"),
    *("best", "num_bad_epochs", "cooldown_counter", "T_cur", "T_i"),
}
"""What a step changes in a schedule; the rest stays as it was at the start."""


# What a checkpoint holds.

_PAIR = listed(number(), 2)

CHECKPOINT = record(
    {
        "state_dict": table(tensor(finite=False)),  # `load_weights` looks at their numbers
        "config": of(dict),  # that it is one without faults, ConfigParser sees
        "alphabet": optional(listed(of(str))),  # as also Alphabet
        "normalisation": record({"mean": _PAIR, "std": listed(number(0.0), 2)}),
        "dataset": record(
            {"canonical": optional(_PAIR), "quantisation_step": optional(number(0.0))}
        ),
        "versions": table(of(str)),
        "modules": table(of(str)),
        "metrics": table(number(finite=False)),
        "epoch": whole(),
        "step": whole(),
    },
    needed=("state_dict", "config"),
)
"""The contents of every checkpoint except the training state; see `base.checkpoint.FORMAT`."""

_SCALER = {
    "scale": number(1e-38, 3e38),
    "growth_factor": number(1.0, 1e6),
    "backoff_factor": number(1e-6, 1.0),
    "growth_interval": whole(1),
    "_growth_tracker": whole(),
}

_UPDATE = record(
    {
        "model": optional(table(tensor(finite=False))),  # as `state_dict`
        "averaged": optional(whole()),
        "optimizer_type": of(str),
        "optimizer": of(dict),
        "optimizer_start": listed(table(plain)),
        "lr_scheduler_type": of(str),
        "lr_scheduler": optional(table(plain)),
        "lr_scheduler_start": optional(table(plain)),
        "scaler": lambda value, key: record(_SCALER if value else {})(value, key),
        "weight_noise": record({"log_stds": listed(tensor(dtypes=FLOATS))}, needed=()),
        "weight_noise_optimizer": optional(of(dict)),
    }
)


def _random_state(value: Any, key: str) -> None:
    words, bits = 624, 2**32 - 1  # of the Mersenne Twister
    device = listed(tensor((None,), (torch.uint8,)))
    record(
        {
            "torch": tensor(torch.get_rng_state().shape, (torch.uint8,)),
            "python": listed(anything, 3),
            "numpy": listed(anything, 5),
            "cuda": device,
            "mps": tensor((None,), (torch.uint8,)),
        },
        needed=("torch", "python", "numpy"),
    )(value, key)
    version, numbers, gaussian = value["python"]
    whole(3, 3)(version, f"{key}.python.0")
    listed(whole(0, bits), words + 1)(numbers, f"{key}.python.1")
    whole(0, words)(numbers[words], f"{key}.python.1.{words}")
    optional(number())(gaussian, f"{key}.python.2")
    checks = (
        of(str),
        tensor((words,), (torch.int64,)),
        whole(0, words),
        whole(0, 1),
        number(),
    )
    for place, (check, item) in enumerate(zip(checks, value["numpy"], strict=True)):
        check(item, f"{key}.numpy.{place}")
    try:
        try_random_state(value)
    except Exception as error:  # generators promise no particular kind
        raise CheckpointError(
            f"{key}: not the state of a generator ({first_line(error)})"
        ) from None


TRAINING = {
    "update": _UPDATE,
    "random_state": _random_state,
    "batches": whole(1),
    "accumulate": whole(1),
    "truncate": optional(whole(1)),
    "states": listed(optional(table(tensor(dtypes=FLOATS)))),
    "rows": listed(optional(tensor((None,), (torch.int64,)))),
    "metrics": listed(table(anything)),
    "event_sizes": table(whole(0, 2**63 - 1)),
}
"""The contents of `training` except `progress` and `sums`."""


def check_content(content: Any, size: int) -> None:
    """Check everything except the training state.

    Args:
        content: of the file.
        size: of the file in bytes. Its tensors may not be larger in total: strides can make a
            tensor many times as large as what is stored of it.
    """
    for where, item in walk(content, "checkpoint"):
        if isinstance(item, Tensor):
            size -= item.numel() * item.element_size()
            if size < 0:
                refuse(where, item, "tensors whose numbers are all stored")
    CHECKPOINT(content, "")


def check_training(
    checkpoint: Mapping[str, Any], progress: type, sums: type, state: Mapping[str, Tensor]
) -> None:
    """Check the training state of a checkpoint.

    Args:
        checkpoint: as `load_checkpoint` returned it.
        progress, sums: the dataclasses that these are of.
        state: that the network carries over, for one row.
    """
    record({}, needed=("metrics", "training"))(checkpoint, "")
    training = checkpoint["training"]
    parts = {"progress": made_of(progress), "sums": made_of(sums)}
    record(parts | TRAINING)(training, "training")
    now, batches = training["progress"], training["batches"]
    for name, most in (
        ("epoch_steps", now["step"]),
        ("epoch_pass", now["data_pass"]),
        ("batch", batches - 1),
        ("best_epoch", now["epoch"]),
        ("not_improved", now["epoch"]),
    ):
        optional(whole(0, most))(now.get(name), f"training.progress.{name}")
    states, rows = training["states"], training["rows"]
    listed(anything, len(states))(rows, "training.rows")
    for place, (carried, of_rows) in enumerate(zip(states, rows, strict=True)):
        if carried is None:
            continue
        key = f"training.rows.{place}"
        of(Tensor)(of_rows, key)
        if bool((of_rows.diff(prepend=of_rows.new_tensor([-1])) <= 0).any()):
            refuse(key, of_rows, "rows from 0 on, ascending")
        known = {
            name: tensor((len(of_rows), *value.shape[1:]), FLOATS) for name, value in state.items()
        }
        record(known)(carried, f"training.states.{place}")


# Compared with the objects that resume from it.


def check_optimizer(
    optimizer: Optimizer,
    state: Mapping[str, Any],
    key: str,
    *,
    start: Sequence[Mapping[str, Any]] | None = None,
    settings: Sequence[Mapping[str, Any]] | None = None,
) -> Optimizer:
    """Check the state of an optimiser of the same type, and try a step from it.

    The step is made on a corner of every weight, the first two of each dimension, which shows
    whether the optimiser finds what it needs, in the right shape.

    Args:
        optimizer: the present one.
        state: of the former one.
        key: where `state` stands.
        start: the former one's settings at the start; None if those in `state` do not matter.
        settings: that replace those in `state`; None if these stay.

    Returns:
        the optimiser of these corners.
    """
    groups = optimizer.param_groups
    numbers = iter(range(sum(len(group["params"]) for group in groups)))
    if start is None:
        start = [{}] * len(groups)
    listed(anything, len(groups))(start, f"{key}_start")
    group_check = record({"params": listed(of(int))})
    record(
        {
            "state": table(table(anything), names=int),
            "param_groups": listed(group_check, len(groups)),
        }
    )(state, key)
    for place, (group, before) in enumerate(zip(groups, start, strict=True)):
        where, now = f"{key}.param_groups.{place}", state["param_groups"][place]
        like(dict(before))(now, where)
        own = [next(numbers) for _ in group["params"]]
        for name, value in (*before.items(), ("params", own)):
            if name not in _RATES and now.get(name) != value:
                refuse(f"{where}.{name}", now.get(name), f"{short(value)}, as at the start")
    weights = [weight for group in groups for weight in group["params"]]
    corners: dict[int, dict[str, Any]] = {}
    for place, values in state["state"].items():
        whole(0, len(weights) - 1)(place, f"a name in {key}.state")
        corners[place] = {}
        for name, value in values.items():
            where = under(f"{key}.state.{place}", name)
            if isinstance(value, Tensor):
                one_or_all = [(1, size) for size in weights[place].shape] if value.ndim else []
                tensor(finite=False)(value, where)
                # A mean of squares may have become infinite: its weight then stays as it is.
                if not is_finite(value, lambda one: not math.isnan(one)):
                    raise CheckpointError(f"{where} contains NaN")
                if len(value.shape) != len(one_or_all) or any(
                    size not in sizes for size, sizes in zip(value.shape, one_or_all, strict=True)
                ):
                    refuse(where, value, f"one number, or the shape {tuple(weights[place].shape)}")
                if not value.ndim and weights[place].ndim:
                    number(0.0)(value.item(), where)  # such as the steps made
                corners[place][name] = _corner(value)
            else:
                optional(number(0.0))(value, where)
                corners[place][name] = value
    with _tried(key):
        tried = type(optimizer)(
            [{"params": [_weight_like(weight) for weight in group["params"]]} for group in groups]
        )
        former_groups = copy.deepcopy(state["param_groups"])
        tried.load_state_dict({"state": corners, "param_groups": former_groups})
        for group, own_settings in zip(tried.param_groups, settings or [], strict=False):
            group.update(own_settings)
        tried.step()
        if not all(is_finite(weight) for group in tried.param_groups for weight in group["params"]):
            raise ValueError("its next step leads to weights that are not finite")
    return tried


def check_schedule(
    schedule: LRScheduler,
    state: Mapping[str, Any],
    start: Mapping[str, Any],
    tried: Optimizer,
    key: str,
) -> None:
    """Check the state of a schedule of the same type and settings, and try a step from it.

    Args:
        schedule: the present one.
        state: of the former one.
        start: the state that the present one started with.
        tried: an optimiser like the present one, which `check_optimizer` returned.
        key: where `state` stands.
    """
    like(dict(start))(state, key)
    for name, value in start.items():
        if name not in _POSITION and state[name] != value:
            refuse(under(key, name), state[name], f"{short(value)}, as at the start")
    for name in _POSITION & start.keys():
        if type(start[name]) is int:
            whole()(state[name], f"{key}.{name}")
    with _tried(key), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it steps before its optimiser
        other = copy.deepcopy(schedule, {id(schedule.optimizer): tried})
        other.load_state_dict(copy.deepcopy(dict(state)))
        if isinstance(other, ReduceLROnPlateau):
            other.step(1.0)
        elif other.last_epoch < getattr(other, "total_steps", math.inf) - 1:
            other.step()
        if not all(math.isfinite(group["lr"]) for group in tried.param_groups):
            raise ValueError("its next rate is not finite")


@contextmanager
def _tried(key: str) -> Iterator[None]:
    """Turn any exception raised inside into a CheckpointError."""
    try:
        yield
    except Exception as error:  # anything that arithmetic with a bad value raises
        raise CheckpointError(
            f"{key}: it does not fit the settings ({first_line(error)})"
        ) from None


def _corner(value: Tensor) -> Tensor:
    """Return a copy of the first two in each dimension."""
    return value.detach()[tuple(slice(2) for _ in value.shape)].clone()


def _weight_like(weight: Tensor) -> nn.Parameter:
    corner = nn.Parameter(_corner(weight), weight.requires_grad)
    if weight.requires_grad:
        corner.grad = torch.ones_like(corner)
    return corner
