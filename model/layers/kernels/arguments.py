"""Checks of the tensors whose addresses C is given: it reads and writes where it is told to."""

import torch
from torch import Tensor

Results = tuple[Tensor, Tensor | None, Tensor, Tensor | None, Tensor | None]
"""Hidden states `(T, B, H)`, windows `(T, B, A)`, the last cell state `(B, H)` and kappa
`(B, K)`, and phi `(T, B, U + 1)`."""


def check(
    name: str,
    value: Tensor,
    letters: str,
    shape: tuple[int | None, ...],
    dtype: torch.dtype | None = None,
) -> None:
    """Raise a ValueError unless `value` is a dense tensor on the CPU of this shape and dtype.

    Args:
        name: of the argument, for the error, as are the `letters` of the shape.
        shape: with None where any number fits.
        dtype: None for any floating-point one.
    """
    if (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and (value.is_floating_point() if dtype is None else value.dtype is dtype)
        and (value.shape == shape or _fits(value.shape, shape))
    ):
        return
    kind = "floating point" if dtype is None else _name(dtype)
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    comma = "," if len(shape) == 1 else ""
    raise ValueError(
        f"{name} is {_describe(value)}; it must be a dense tensor of {kind} of shape "
        f"{letters} = ({sizes}{comma}) on cpu"
    )


def _fits(found: torch.Size, shape: tuple[int | None, ...]) -> bool:
    return len(found) == len(shape) and all(
        right is None or size == right for size, right in zip(found, shape, strict=True)
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _describe(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    kind = "dense" if value.layout is torch.strided else "sparse"
    shape = tuple(value.shape)
    return f"a {kind} tensor of {_name(value.dtype)} of shape {shape} on {value.device}"
