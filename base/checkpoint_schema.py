"""What a checkpoint holds: each key, its type and its bounds, checked before anything is built.

A `Check` is called with a value and its dotted key, and raises a CheckpointError that says what is
there and what would be right. `CHECKPOINT` and `TRAINING` need the file alone; `like`,
`check_optimizer` and `check_schedule` compare it with what is to go on from it.
"""

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Annotated, Any, get_args, get_origin

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from base.random_state import try_random_state
from utils.checks import CheckpointError, Range, first_line, short

Check = Callable[[Any, str], None]

MAX_COUNT = 10**9
"""Of epochs, steps, batches and the like (assumed): a hundred days at a hundred steps a second."""

MAX_DEPTH = 32
"""Of values in one another (assumed: those of a run are 8 deep)."""

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
DTYPES = (*FLOATS, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)

_KINDS = {str: "a string", dict: "a dictionary", Tensor: "a tensor", type(None): "None"}
_RATES = {"lr", "betas", "momentum"}
"""What a schedule changes in a group of an optimiser; the rest stays as it was at the start."""
_POSITION = {
    *("last_epoch", "_step_count", "_last_lr", "_is_initial", "_get_lr_called_within_step"),
    *("best", "num_bad_epochs", "cooldown_counter", "T_cur", "T_i"),
}
"""What changes in a schedule when it steps; the rest stays as it was at the start."""


@contextmanager
def naming(source: Any, what: str = "") -> Iterator[None]:
    """Put the file, and what it is not good for, before the message of a CheckpointError."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {what}{error}") from None


def refuse(key: str, value: Any, expected: str) -> None:
    """Raise the CheckpointError of a value that does not fit."""
    raise CheckpointError(f"{key} = {_shown(value)}: {expected}")


# How values are described.


def number(low: float | None = None, high: float | None = None, *, finite: bool = True) -> Check:
    """Return the check of a number within bounds."""
    bounds = Range(low, high)
    expected = f"a finite number, {bounds}" if finite else "a number"

    def check(value: Any, key: str) -> None:
        fits = type(value) in (int, float)
        if finite:
            fits = fits and math.isfinite(value) and value in bounds
        if not fits:
            refuse(key, value, expected)

    return check


def whole(low: int = 0, high: int = MAX_COUNT) -> Check:
    """Return the check of a whole number within bounds."""

    def check(value: Any, key: str) -> None:
        if type(value) is not int or not low <= value <= high:
            refuse(key, value, f"a whole number {Range(low, high)}")

    return check


def of(*kinds: type) -> Check:
    """Return the check of a value of one of some types."""

    def check(value: Any, key: str) -> None:
        if type(value) not in kinds:
            refuse(key, value, " or ".join(_KINDS.get(kind, kind.__name__) for kind in kinds))

    return check


def optional(inner: Check) -> Check:
    """Return the check of what may be None."""

    def check(value: Any, key: str) -> None:
        if value is not None:
            inner(value, key)

    return check


def listed(inner: Check, length: int | None = None) -> Check:
    """Return the check of a list or tuple, of one length or any."""

    def check(value: Any, key: str) -> None:
        if not isinstance(value, list | tuple) or length not in (None, len(value)):
            refuse(key, value, "a list" if length is None else f"a list of {length}")
        for place, item in enumerate(value):
            inner(item, f"{key}.{place}")

    return check


def table(inner: Check, names: type = str) -> Check:
    """Return the check of a dictionary of any names of a type."""

    def check(value: Any, key: str) -> None:
        if not isinstance(value, dict):
            refuse(key, value, "a dictionary")
        for name, item in value.items():
            of(names)(name, f"a name in {key}")
            inner(item, _under(key, name))

    return check


def record(known: Mapping[Any, Check], needed: Sequence[Any] | None = None) -> Check:
    """Return the check of a dictionary of known names, all of them needed or some. Others may be
    there."""

    def check(value: Any, key: str) -> None:
        if not isinstance(value, dict):
            refuse(key, value, "a dictionary")
        for name in known if needed is None else needed:
            if name not in value:
                raise CheckpointError(f"{_under(key, name)} is missing")
        for name, inner in known.items():
            if name in value:
                inner(value[name], _under(key, name))

    return check


def tensor(
    shape: Sequence[int | None] | None = None,
    dtypes: Sequence[torch.dtype] = DTYPES,
    *,
    finite: bool = True,
) -> Check:
    """Return the check of a tensor and, if `finite`, its numbers. None in `shape` is any size."""

    def check(value: Any, key: str) -> None:
        if not isinstance(value, Tensor) or value.dtype not in dtypes:
            numbers = "plain numbers" if dtypes is DTYPES else _names(dtypes)
            refuse(key, value, f"a tensor of {numbers}")
        if shape is not None and not _fits(value.shape, shape):
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            refuse(key, value, f"a tensor of the shape ({wanted})")
        if finite and not is_finite(value):
            raise CheckpointError(f"{key} holds numbers that are not finite")

    return check


def made_of(kind: type) -> Check:
    """Return the check of a dictionary that makes a dataclass of numbers.

    What is None by default may be missing: a later version may have more of these.
    """
    needed = [field.name for field in fields(kind) if field.default is not None]
    return record({field.name: _annotated(field.type) for field in fields(kind)}, needed=needed)


def filled(kind: type, values: Mapping[str, Any]) -> Any:
    """Return a dataclass with the `values` that `made_of` checked."""
    return kind(**{name: values[name] for name in values.keys() & asdict(kind()).keys()})


def like(example: Any, *, finite: bool = True) -> Check:
    """Return the check of a value of the type, and if it holds others the form, of `example`.

    Its numbers are to be finite, unless those of `example` are not, or not `finite`.
    """
    if isinstance(example, Tensor):
        return tensor(example.shape, (example.dtype,), finite=finite)
    if isinstance(example, dict):
        return record({name: like(item, finite=finite) for name, item in example.items()})
    if isinstance(example, list | tuple):
        checks = [like(item, finite=finite) for item in example]

        def check(value: Any, key: str) -> None:
            listed(_anything, len(checks))(value, key)
            for place, (inner, item) in enumerate(zip(checks, value, strict=True)):
                inner(item, f"{key}.{place}")

        return check
    if type(example) in (int, float):
        return number(finite=finite and math.isfinite(example))
    return of(type(example))


def is_finite(value: Tensor, is_so: Callable[[float], bool] = math.isfinite) -> bool:
    """Return whether all numbers of a tensor are finite, or what else `is_so` says of a number."""
    if not value.is_floating_point() or not value.numel():
        return True
    # Either is nan if any is: several times as fast as isfinite of each.
    return all(is_so(float(end)) for end in torch.aminmax(value.detach()))


def _anything(value: Any, key: str) -> None:
    pass


def _plain(value: Any, key: str) -> None:
    """Check that a value holds no tensors."""
    for where, item in _walk(value, key):
        if isinstance(item, Tensor):
            refuse(where, item, "a plain value")


def _annotated(annotation: Any) -> Check:
    """Return the check of an `int` or `float`, of one with a Range, or of one that may be None."""
    if get_origin(annotation) is Annotated:
        kind, bounds = get_args(annotation)
        return number(*bounds) if kind is float else whole(*bounds)
    if kinds := [kind for kind in get_args(annotation) if kind is not type(None)]:
        return optional(_annotated(kinds[0]))
    return number() if annotation is float else whole()


# What a checkpoint holds.

_PAIR = listed(number(), 2)

CHECKPOINT = record(
    {
        "state_dict": table(tensor(finite=False)),  # `load_weights` looks at their numbers
        "config": of(dict),  # that it is one without faults, ConfigParser sees
        "alphabet": optional(listed(of(str))),  # as also Alphabet
        "normalisation": record({"mean": _PAIR, "std": listed(number(0.0), 2)}),
        "dataset": record({"canonical": optional(_PAIR), "lattice": optional(number(0.0))}),
        "versions": table(of(str)),
        "metrics": table(number(finite=False)),
        "epoch": whole(),
        "step": whole(),
    },
    needed=("state_dict", "config"),
)
"""What there is in every checkpoint but the state of training; see `base.checkpoint.FORMAT`."""

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
        "optimizer_start": listed(table(_plain)),
        "lr_scheduler_type": of(str),
        "lr_scheduler": optional(table(_plain)),
        "lr_scheduler_start": optional(table(_plain)),
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
            "python": listed(_anything, 3),
            "numpy": listed(_anything, 5),
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
        raise CheckpointError(f"{key}: no state of a generator ({first_line(error)})") from None


TRAINING = {
    "update": _UPDATE,
    "random_state": _random_state,
    "batches": whole(1),
    "accumulate": whole(1),
    "truncate": optional(whole(1)),
    "states": listed(optional(table(tensor(dtypes=FLOATS)))),
    "rows": listed(optional(tensor((None,), (torch.int64,)))),
    "metrics": listed(table(_anything)),
    "event_sizes": table(whole(0, 2**63 - 1)),
}
"""What there is in `training` beside `progress` and `sums`."""


def check_content(content: Any, size: int) -> None:
    """Check all but the state of training.

    Args:
        content: of the file.
        size: of the file in bytes. Its tensors may not have more: some could stand for many times
            what is stored of them.
    """
    for where, item in _walk(content, "checkpoint"):
        if isinstance(item, Tensor):
            size -= item.numel() * item.element_size()
            if size < 0:
                refuse(where, item, "tensors whose numbers are all stored")
    CHECKPOINT(content, "")


def check_training(
    checkpoint: Mapping[str, Any], progress: type, sums: type, state: Mapping[str, Tensor]
) -> None:
    """Check the state of training that a checkpoint holds.

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
    listed(_anything, len(states))(rows, "training.rows")
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


# What is compared with the objects that are to go on.


def check_optimizer(
    optimizer: Optimizer,
    state: Mapping[str, Any],
    key: str,
    *,
    start: Sequence[Mapping[str, Any]] | None = None,
    settings: Sequence[Mapping[str, Any]] | None = None,
) -> Optimizer:
    """Check the state of an optimiser of the same type, and try a step from it.

    The step is made on the first two of each dimension of every weight, which tells whether the
    optimiser finds what it needs, of the right shape.

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
    listed(_anything, len(groups))(start, f"{key}_start")
    group_check = record({"params": listed(of(int))})
    record(
        {
            "state": table(table(_anything), names=int),
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
            where = _under(f"{key}.state.{place}", name)
            if isinstance(value, Tensor):
                one_or_all = [(1, size) for size in weights[place].shape] if value.ndim else []
                tensor(finite=False)(value, where)
                # A mean of squares may have become infinite: its weight then stays as it is.
                if not is_finite(value, lambda one: not math.isnan(one)):
                    raise CheckpointError(f"{where} holds what is no number")
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
            refuse(_under(key, name), state[name], f"{short(value)}, as at the start")
    for name in _POSITION & start.keys():
        if type(start[name]) is int:
            whole()(state[name], f"{key}.{name}")
    with _tried(key), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it steps before its optimiser
        other = copy.deepcopy(schedule, {id(schedule.optimizer): tried})
        other.load_state_dict(copy.deepcopy(dict(state)))
        if isinstance(other, ReduceLROnPlateau):
            other.step(1.0)
        elif other.last_epoch < getattr(other, "total_steps", math.inf):
            other.step()
        if not all(math.isfinite(group["lr"]) for group in tried.param_groups):
            raise ValueError("its next rate is not finite")


@contextmanager
def _tried(key: str) -> Iterator[None]:
    """Turn whatever torch raises inside into a CheckpointError."""
    try:
        yield
    except Exception as error:  # whatever the arithmetic of an unfitting value raises
        raise CheckpointError(
            f"{key}: it does not go with the settings ({first_line(error)})"
        ) from None


def _corner(value: Tensor) -> Tensor:
    """Return a copy of the first two in each dimension."""
    return value.detach()[tuple(slice(2) for _ in value.shape)].clone()


def _weight_like(weight: Tensor) -> nn.Parameter:
    corner = nn.Parameter(_corner(weight), weight.requires_grad)
    if weight.requires_grad:
        corner.grad = torch.ones_like(corner)
    return corner


def _walk(
    value: Any, key: str, depth: int = 0, seen: set[int] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield all values with their dotted keys; what lies in several places only once.

    Raises:
        CheckpointError: if they lie too deep in one another.
    """
    yield key, value
    if not isinstance(value, dict | list | tuple):
        return
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if depth == MAX_DEPTH:
        raise CheckpointError(f"{short(key)}: values lie more than {MAX_DEPTH} deep in one another")
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _walk(item, _under(key, name), depth + 1, seen)


def _under(key: str, name: Any) -> str:
    plain = isinstance(name, str) and name.isprintable() and len(name) <= 60
    own = name if plain else short(name)
    whole_key = f"{key}.{own}" if key else own
    return whole_key if len(whole_key) <= 200 else f"...{whole_key[-197:]}"


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(
        size in (None, own) for own, size in zip(shape, wanted, strict=True)
    )


def _names(dtypes: Sequence[torch.dtype]) -> str:
    return " or ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return short(f"a tensor {tuple(value.shape)} of {_names([value.dtype])}")[1:-1]
    return short(value)
