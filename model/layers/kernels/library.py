"""The interface between Python and the compiled kernels: structures and packed weights.

Shapes: as in `lstm`.
"""

import ctypes
import functools
import re
from pathlib import Path

import torch
from torch import Tensor

from base.step.device import layers_are_plain
from model.layers.kernels.build import build
from utils.checks import UserError

Results = tuple[Tensor, Tensor | None, Tensor, Tensor | None, Tensor | None]
"""Hidden states `(T, B, H)`, windows `(T, B, A)`, the last cell state `(B, H)` and kappa
`(B, K)`, and phi `(T, B, U + 1)`."""


@functools.cache
def kernels(bfloat16: bool) -> ctypes.CDLL | None:
    """Return the compiled kernels for products in bfloat16 or float32; None without a compiler."""
    return build(Path(__file__).parent, (f"-DBFLOAT16={int(bfloat16)}",))


def available(device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether the kernels can run on `device` with products of `dtype`."""
    if device.type != "cpu" or dtype not in (torch.float32, torch.bfloat16):
        return False
    return not layers_are_plain.get() and kernels(dtype == torch.bfloat16) is not None


def refuse_second_derivative(layer: str) -> None:
    """Raise a UserError if the backward pass of `layer` is to be differentiated again."""
    if torch.is_grad_enabled():  # `create_graph=True` enables gradients in a backward pass.
        raise UserError(
            f"{layer}: a compiled layer has no second derivative (create_graph=True); to use torch "
            "operations, set plain_layers = True in the class of the trainer, or elsewhere call "
            "base.step.device.plain_layers()"
        )


def raise_failure(failure: int) -> None:
    """Raise the error that a function of the kernels reports by returning `failure`."""
    if failure == 1:
        raise MemoryError("not enough memory for the compiled kernels")
    if failure == 2:
        raise IndexError("a text has characters beyond the alphabet, or is shorter than its length")


def address(tensor: Tensor) -> int:
    """Return the address of a tensor's numbers; raise a ValueError for a tensor off the CPU."""
    if tensor.device.type != "cpu":
        raise ValueError(f"a tensor of shape {tuple(tensor.shape)} is on {tensor.device}, not cpu")
    return tensor.data_ptr()


@functools.cache
def layout(library: ctypes.CDLL, name: str) -> type[ctypes.Structure]:
    """Return the ctypes class of a structure that C declares by the macro `STRUCTURE` of step.h."""
    get_fields = getattr(library, f"{name}_fields")
    get_fields.restype = ctypes.c_char_p
    fields = []
    for declaration in filter(None, get_fields().decode().split(";")):
        ctype = {"int64_t": ctypes.c_int64, "float": ctypes.c_float}.get(declaration.split()[0])
        if "*" in declaration:
            ctype = ctypes.c_void_p
        # The names stand before a comma or the end, each perhaps with the length of an array.
        for field, count in re.findall(r"(\w+)(?:\[(\d+)\])?(?=,|$)", declaration):
            fields.append((field, ctype * int(count) if count else ctype))
    return type(name, (ctypes.Structure,), {"_fields_": fields})


def structure(
    library: ctypes.CDLL, name: str, **values: Tensor | list[Tensor] | float | tuple | None
) -> ctypes.Structure:
    """Return the structure `name` with `values` as its fields, and keep `values` alive. A tensor
    becomes its address, a list of tensors becomes the address of an array of addresses."""
    result = layout(library, name)()
    arrays = []
    for field, value in values.items():
        if isinstance(value, Tensor):
            value = address(value)
        elif isinstance(value, list):
            array_type = ctypes.c_void_p * len(value)
            arrays.append(array_type(*map(address, value)))
            value = ctypes.addressof(arrays[-1])
        setattr(result, field, value)
    result.references = values, arrays
    return result


def call(name: str, function: str, dtype: torch.dtype, **values: Tensor | float | None) -> None:
    """Call a function for products of `dtype`; `values` are the fields of the structure `name`."""
    compiled = kernels(dtype == torch.bfloat16)
    fields = structure(compiled, name, threads=torch.get_num_threads(), **values)
    raise_failure(getattr(compiled, function)(ctypes.byref(fields)))


def round_up(count: int, multiple: int) -> int:
    """Return `count` rounded up to a multiple of `multiple`."""
    num_multiples = -(-count // multiple)  # rounds up
    return num_multiples * multiple


def pack(matrix: Tensor, groups: int = 1) -> Tensor:
    """Return `matrix` `(rows, columns)` packed into panels by `pack` of products.c. The columns
    are `groups` equal groups, such as the four gates; a panel has the same columns of each."""
    library = kernels(matrix.dtype == torch.bfloat16)
    rows = matrix.shape[0]
    columns = matrix.shape[1] // groups
    width = groups * round_up(columns, library.lanes())
    packed = matrix.new_empty(round_up(rows, 2) * width)
    values = (rows, groups, columns, address(matrix), *matrix.stride(), address(packed))
    library.pack(*map(ctypes.c_int64, values))
    return packed
