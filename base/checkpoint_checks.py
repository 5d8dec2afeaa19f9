"""Checks of plain values and tensors: a `Check` is called with a value and its dotted key, and
raises a CheckpointError that names the value and what is accepted.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Annotated, Any, get_args, get_origin

import torch
from torch import Tensor

from utils.checks import CheckpointError, Range, short

Check = Callable[[Any, str], None]

MAX_COUNT = 10**9
"""Bound on counts of epochs, steps and so on (assumed): 100 days at 100 steps per second."""

MAX_DEPTH = 32
"""Bound on nesting (assumed: a run's values are 8 deep)."""

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
DTYPES = (*FLOATS, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)

_KINDS = {str: "a string", dict: "a dictionary", Tensor: "a tensor", type(None): "None"}


@contextmanager
def naming(source: Any, what: str = "") -> Iterator[None]:
    """Prefix the message of a CheckpointError with the file, and with `what` failed."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {what}{error}") from None


def refuse(key: str, value: Any, expected: str) -> None:
    """Raise the CheckpointError of a value that does not fit."""
    raise CheckpointError(f"{key} = {_shown(value)}: {expected}")


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
            inner(item, under(key, name))

    return check


def record(known: Mapping[Any, Check], needed: Sequence[Any] | None = None) -> Check:
    """Return the check of a dictionary of known names, all or some of them needed. Others are
    allowed."""

    def check(value: Any, key: str) -> None:
        if not isinstance(value, dict):
            refuse(key, value, "a dictionary")
        for name in known if needed is None else needed:
            if name not in value:
                raise CheckpointError(f"{under(key, name)} is missing")
        for name, inner in known.items():
            if name in value:
                inner(value[name], under(key, name))

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
            raise CheckpointError(f"{key} contains numbers that are not finite")

    return check


def made_of(kind: type) -> Check:
    """Return the check of a dictionary of the fields of a dataclass of numbers.

    Fields that default to None may be missing: later versions may add such fields.
    """
    needed = [field.name for field in fields(kind) if field.default is not None]
    return record({field.name: _annotated(field.type) for field in fields(kind)}, needed=needed)


def filled(kind: type, values: Mapping[str, Any]) -> Any:
    """Return a dataclass with the `values` that `made_of` checked."""
    return kind(**{name: values[name] for name in values.keys() & asdict(kind()).keys()})


def like(example: Any, *, finite: bool = True) -> Check:
    """Return the check of a value of the type and, if nested, the structure of `example`.

    Its numbers must be finite, unless those of `example` are not, or `finite` is false.
    """
    if isinstance(example, Tensor):
        return tensor(example.shape, (example.dtype,), finite=finite)
    if isinstance(example, dict):
        return record({name: like(item, finite=finite) for name, item in example.items()})
    if isinstance(example, list | tuple):
        checks = [like(item, finite=finite) for item in example]

        def check(value: Any, key: str) -> None:
            listed(anything, len(checks))(value, key)
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


def anything(value: Any, key: str) -> None:
    pass


def plain(value: Any, key: str) -> None:
    """Check that a value holds no tensors."""
    for where, item in walk(value, key):
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


def walk(
    value: Any, key: str, depth: int = 0, seen: set[int] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield all values with their dotted keys; a shared container only once.

    Raises:
        CheckpointError: if they are nested too deeply.
    """
    yield key, value
    if not isinstance(value, dict | list | tuple):
        return
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if depth == MAX_DEPTH:
        raise CheckpointError(f"{short(key)}: values are nested more than {MAX_DEPTH} deep")
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from walk(item, under(key, name), depth + 1, seen)


def under(key: str, name: Any) -> str:
    is_plain = isinstance(name, str) and name.isprintable() and len(name) <= 60
    own = name if is_plain else short(name)
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
