"""An LSTM layer, with or without a window over a text, by the compiled kernels of `lstm.c`.

Products are of bfloat16 or float32; cell states and the window are float32. The results of a row
do not depend, bit for bit, on what else is in the batch, nor on the number of threads.

Weights are packed anew for each call: nothing tells reliably that they are those of the call before
(a fused optimiser on a CPU, or a write through `.data`, does not count up a tensor's version), and
beside the steps of a batch packing costs little. Who takes a network through the steps of a line
one by one packs once for that line: see `model.generation.stepper`.

Shapes: B sequences of a batch, T steps, U characters, A letters of the alphabet, H cells,
K components of the window, X numbers that come in at each step, J columns of the joint: what a
step's product takes. These are the hidden state, the window, what comes in, a one, whose weights'
gradient is that of the bias, and, where that makes the width even, a zero.
"""

import ctypes
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from model.layers.kernels.arguments import PRODUCTS, check
from model.layers.kernels.build import kernels

Results = tuple[Tensor, Tensor | None, Tensor, Tensor | None, Tensor | None]
"""Hidden states `(T, B, H)`, windows `(T, B, A)`, the last cell state `(B, H)` and kappa
`(B, K)`, and phi `(T, B, U + 1)`."""


_NUMBERS, _ADDRESSES = ctypes.c_int64, ctypes.c_void_p

_FIELDS: tuple[tuple[type, str], ...] = (
    (_NUMBERS, "steps batch size inputs letters components places threads width"),
    (_NUMBERS * 4, "order"),
    (ctypes.c_float, "bound"),
    (_ADDRESSES, "bias window_bias weights window_weights"),
    (_ADDRESSES, "weights_backward window_weights_backward text text_lengths"),
    (_NUMBERS, "text_stride"),
    (_ADDRESSES, "joint gates cells kappas exponentials phis"),
    (_NUMBERS, "cells_step kappas_step"),
    (_ADDRESSES, "d_hiddens d_windows"),
    (_NUMBERS, "d_hiddens_step d_hiddens_row d_windows_step d_windows_row"),
    (_ADDRESSES, "d_inputs d_gates d_parameters d_cell d_kappa d_joint"),
)


class _Layer(ctypes.Structure):
    """`Layer` of lstm.c."""

    _fields_ = tuple((name, kind) for kind, names in _FIELDS for name in names.split())


@dataclass(frozen=True)
class Settings:
    """What a layer is told beside its tensors.

    Attributes:
        dtype: of the products, float32 or bfloat16.
        order: where the rows of the gates have those of input, forget, output and candidate.
        bound: to which the gradient of the gates is clamped at every step, or None.

    Raises:
        ValueError: if dtype or order are something else.
    """

    dtype: torch.dtype
    order: tuple[int, int, int, int]
    bound: float | None = None

    def __post_init__(self) -> None:
        if self.dtype not in PRODUCTS:
            raise ValueError(f"dtype is {self.dtype}; it must be torch.float32 or torch.bfloat16")
        if sorted(self.order) != [0, 1, 2, 3]:
            raise ValueError(f"order is {self.order}; it must hold each of 0, 1, 2 and 3 once")


def available(device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether the kernels run on `device` with products of `dtype`."""
    fits = device.type == "cpu" and dtype in PRODUCTS
    return fits and kernels(dtype == torch.bfloat16) is not None


def _call(name: str, dtype: torch.dtype, **values) -> None:
    """Call `forward` or `backward` of lstm.c; a tensor stands for the address of its data."""
    # `values` goes on holding the tensors: one that was made for the call has no other owner.
    fields = {
        key: value.data_ptr() if isinstance(value, Tensor) else value
        for key, value in values.items()
    }
    layer = _Layer(threads=torch.get_num_threads(), **fields)
    _check(getattr(kernels(dtype == torch.bfloat16), name)(ctypes.byref(layer)))


def _check(failure: int) -> None:
    if failure == 1:
        raise MemoryError("there is no memory left for what a recurrent layer computes with")
    if failure == 2:
        raise IndexError("a text has letters beyond the alphabet, or is shorter than its length")


def _even(count: int) -> int:
    return count + count % 2


def _pack(weight: Tensor, offsets: Tensor, stride: int, depth: int) -> Tensor:
    """Pack a matrix for products: `pack` of lstm.c.

    Args:
        weight: contiguous; the matrix lies in it.
        offsets: of the matrix's columns in it, int64; -1 for a column of zeros.
        stride: between the matrix's rows, of which there are `depth`.
    """
    library = kernels(weight.dtype == torch.bfloat16)
    offsets = functional.pad(offsets, (0, -len(offsets) % library.lanes()), value=-1)
    packed = weight.new_empty(_even(depth) * len(offsets))
    values = (depth, len(offsets), offsets.data_ptr(), stride, weight.data_ptr(), packed.data_ptr())
    library.pack(*map(ctypes.c_int64, values))
    return packed


def _pack_gates(weight: Tensor, order: tuple[int, ...]) -> Tensor:
    """Pack weights `(4 H, J)` to the gates, of which a panel holds all four of some cells."""
    lanes = kernels(weight.dtype == torch.bfloat16).lanes()
    size, width = len(weight) // 4, weight.shape[1]
    cells = functional.pad(torch.arange(size), (0, -size % lanes), value=-1).view(-1, 1, lanes)
    rows = cells + torch.tensor(order)[:, None] * size  # (blocks, 4, lanes)
    return _pack(weight, torch.where(cells < 0, -1, rows * width).flatten(), 1, width)


def _pack_transposed(weight: Tensor) -> Tensor:
    """Pack `weight`, `(rows, columns)`, for products with its transpose."""
    rows, columns = weight.shape
    return _pack(weight, torch.arange(rows) * columns, 1, columns)


def _pack_columns(weight: Tensor, count: int) -> Tensor:
    """Pack the first `count` columns of `weight`, `(rows, columns)`."""
    return _pack(weight, torch.arange(count), weight.shape[1], len(weight))


def gather(left: Tensor, right: Tensor, threads: int | None = None) -> Tensor:
    """Return the product over all rows, `left.t() @ right`, `(m, n)` float32.

    Args:
        left: `(rows, m)` and `right`, `(rows, n)`: float32 or bfloat16, contiguous in a row.
        threads: by default those that torch uses.

    Raises:
        ValueError: if they are something else.
    """
    check("left", left, "(rows, m)", (None, None))
    rows, m = left.shape
    check("right", right, "(rows, n)", (rows, None), left.dtype)
    n = right.shape[1]
    if left.dtype not in PRODUCTS:
        raise ValueError(f"left is of {left.dtype}; it must be of torch.float32 or torch.bfloat16")
    for name, one in (("left", left), ("right", right)):
        if one.stride(1) != 1 and one.shape[1] > 1:
            raise ValueError(
                f"{name} has strides {one.stride()}; the second must be 1: its rows contiguous"
            )
    library = kernels(left.dtype == torch.bfloat16)
    out = torch.empty(m, n + -n % library.lanes())
    if not rows:
        return out.zero_()[:, :n]
    values = (rows, m, left.stride(0), left.data_ptr(), n, right.stride(0), right.data_ptr())
    values += (out.data_ptr(), threads or torch.get_num_threads())
    _check(library.gather(*map(ctypes.c_int64, values)))
    return out[:, :n]


def _join_weights(hidden: Tensor, window: Tensor | None, inputs: Tensor, dtype) -> Tensor:
    """Return the weights from the joint to the gates, `(4 H, J)`."""
    parts = [part.to(dtype) for part in (hidden, window, inputs) if part is not None]
    width = sum(part.shape[1] for part in parts) + 1
    return torch.cat((*parts, parts[0].new_zeros(len(hidden), 1 + width % 2)), 1)


def _forward(
    settings: Settings,
    weight: Tensor,
    inputs: Tensor,
    bias: Tensor,
    hidden: Tensor,
    cell: Tensor,
    window_weight: Tensor | None,
    window_bias: Tensor | None,
    window: Tensor | None,
    kappa: Tensor | None,
    text: Tensor | None,
    text_lengths: Tensor | None,
    keep: bool,
) -> tuple[Results, tuple[Tensor | None, ...]]:
    """Run the forward pass; return its results and what the backward pass needs, if to `keep`.

    `weight` is what `_join_weights` returns.
    """
    steps, batch, seen = inputs.shape
    size, width, dtype = hidden.shape[1], weight.shape[1], settings.dtype
    # Products take pairs, so that the last pair of an odd hidden state reaches into what follows,
    # which must be a number.
    fresh = torch.empty if keep and size % 2 == 0 else torch.zeros
    joint = fresh(steps + 1, batch, width, dtype=dtype)
    joint[0, :, :size] = hidden
    start = size if window is None else size + window.shape[1]
    joint[:-1, :, start : start + seen] = inputs
    if keep:
        joint[:, :, start + seen] = 1.0
        joint[:, :, start + seen + 1 :] = 0.0
    # Without a backward pass the states are overwritten in place.
    states = steps + 1 if keep else 1
    cells = torch.empty(states, batch, size)
    cells[0] = cell
    gates = torch.empty(steps, batch, 4 * size, dtype=dtype) if keep else None
    values, kappas, exponentials, phis = {}, None, None, None
    if window is not None:
        joint[0, :, size:start] = window
        components = kappa.shape[1]
        kappas = torch.empty(states, batch, components)
        kappas[0] = kappa
        exponentials = torch.empty(steps, batch, 3 * components) if keep else None
        phis = torch.empty(steps, batch, text.shape[1] + 1)
        values = dict(
            letters=start - size,
            components=components,
            window_weights=_pack_transposed(window_weight.to(dtype).contiguous()),
            window_bias=window_bias,
            kappas=kappas,
            kappas_step=batch * components if keep else 0,
            exponentials=exponentials,
            phis=phis,
            **_text(text, text_lengths),
        )
    _call(
        "forward",
        dtype,
        steps=steps,
        batch=batch,
        size=size,
        width=width,
        order=settings.order,
        weights=_pack_gates(weight, settings.order),
        bias=bias,
        joint=joint,
        gates=gates,
        cells=cells,
        cells_step=batch * size if keep else 0,
        **values,
    )
    hiddens, last_cell = joint[1:, :, :size], cells[-1].clone() if keep else cells[0]
    saved = (joint, gates, cells, kappas, exponentials)
    if window is None:
        return (hiddens, None, last_cell, None, None), saved
    last_kappa = kappas[-1].clone() if keep else kappas[0]
    return (hiddens, joint[1:, :, size:start], last_cell, last_kappa, phis), saved


def _text(text: Tensor, text_lengths: Tensor) -> dict[str, Tensor | int]:
    columns = text.shape[1]
    return dict(text=text, text_lengths=text_lengths, text_stride=columns, places=columns + 1)


def _strided(name: str, gradient: Tensor) -> dict[str, Tensor | int]:
    """Return a gradient `(T, B, any)` with contiguous rows, and its strides."""
    if gradient.stride(2) != 1 or gradient.shape[2] == 1:
        gradient = gradient.contiguous()
    return {
        name: gradient,
        f"{name}_step": gradient.stride(0),
        f"{name}_row": gradient.stride(1),
    }


class _Recurrence(torch.autograd.Function):
    """The layer with its gradient.

    Forward: the paper, eqs 7-11 without peepholes, and 46-53. Backward: eqs 56-60.
    """

    @staticmethod
    def forward(
        ctx,
        settings: Settings,
        text: Tensor | None,
        text_lengths: Tensor | None,
        inputs: Tensor,
        weight_input: Tensor,
        weight_hidden: Tensor,
        bias: Tensor,
        hidden: Tensor,
        cell: Tensor,
        weight_window: Tensor | None,
        window_weight: Tensor | None,
        window_bias: Tensor | None,
        window: Tensor | None,
        kappa: Tensor | None,
    ) -> Results:
        weight = _join_weights(weight_hidden, weight_window, weight_input, settings.dtype)
        of_window = (window_weight, window_bias, window, kappa, text, text_lengths)
        arguments = (weight, inputs, bias, hidden, cell, *of_window)
        results, saved = _forward(settings, *arguments, keep=True)
        ctx.settings, ctx.input_size = settings, inputs.shape[2]
        ctx.save_for_backward(weight, window_weight, text, text_lengths, *saved)
        if text is not None:
            ctx.mark_non_differentiable(results[4])
        return results

    @staticmethod
    @once_differentiable
    def backward(
        ctx, d_hiddens: Tensor, d_windows: Tensor | None, d_cell: Tensor, d_kappa: Tensor | None, _
    ) -> tuple[Tensor | None, ...]:
        settings, inputs = ctx.settings, ctx.input_size
        weight, window_weight, text, text_lengths, *saved = ctx.saved_tensors
        joint, gates, cells, kappas, exponentials = saved
        steps, batch, rows = gates.shape
        size, dtype = rows // 4, gates.dtype
        values = _strided("d_hiddens", d_hiddens)
        d_cell = d_cell.clone(memory_format=torch.contiguous_format)
        start = size
        if text is not None:
            components, start = kappas.shape[2], size + d_windows.shape[2]
            d_kappa = d_kappa.clone(memory_format=torch.contiguous_format)
            d_parameters = gates.new_empty(steps, batch, _even(3 * components))
            narrow = window_weight.to(dtype).contiguous()
            values |= dict(
                letters=start - size,
                components=components,
                window_weights_backward=_pack_columns(narrow, size),
                kappas=kappas,
                kappas_step=batch * components,
                exponentials=exponentials,
                d_parameters=d_parameters,
                d_kappa=d_kappa,
                **_text(text, text_lengths),
                **_strided("d_windows", d_windows),
            )
        d_inputs = None
        if ctx.needs_input_grad[3]:
            d_inputs = gates.new_empty(steps, batch, inputs)
        d_gates, d_joint = torch.empty_like(gates), cells.new_empty(batch, start)
        end = start + inputs
        _call(
            "backward",
            dtype,
            steps=steps,
            batch=batch,
            size=size,
            inputs=inputs,
            width=weight.shape[1],
            order=settings.order,
            bound=math.inf if settings.bound is None else settings.bound,
            weights_backward=_pack_columns(weight, start if d_inputs is None else end),
            gates=gates,
            cells=cells,
            cells_step=batch * size,
            d_inputs=d_inputs,
            d_gates=d_gates,
            d_cell=d_cell,
            d_joint=d_joint,
            **values,
        )
        d_weight = gather(d_gates.flatten(0, 1), joint[:-1].flatten(0, 1))  # (4 H, J)
        of_window = (None,) * 5
        if text is not None:
            d_parameters = d_parameters.flatten(0, 1)[:, : 3 * components]
            of_window = (
                d_weight[:, size:start],
                gather(d_parameters, joint[1:].flatten(0, 1)[:, :size]),
                d_parameters.sum(0, dtype=torch.float32),
                d_joint[:, size:],
                d_kappa,
            )
        d_weights = d_weight[:, start:end], d_weight[:, :size], d_weight[:, end]
        return (None, None, None, d_inputs, *d_weights, d_joint[:, :size], d_cell, *of_window)


@dataclass
class Window:
    """The window over a text of a layer that has one; see `run`.

    Attributes:
        to_gates: weights from the window to the gates, `(4 H, A)`.
        weight, bias: from the hidden state to the window's parameters, `(3 K, H)` and `(3 K)`.
        window, kappa: before the first step, `(B, A)` and `(B, K)`.
        text: indices of the characters, `(B, U)`, padded with anything, and their number,
            `(B,)`; int64.
    """

    to_gates: Tensor
    weight: Tensor
    bias: Tensor
    window: Tensor
    kappa: Tensor
    text: Tensor
    text_lengths: Tensor


def _check_arguments(
    inputs: Tensor,
    weight_input: Tensor,
    weight_hidden: Tensor,
    bias: Tensor,
    hidden: Tensor,
    cell: Tensor,
    window: Window | None,
) -> None:
    """Raise a ValueError unless the arguments of `run` are what it says."""
    check("inputs", inputs, "(T, B, X)", (None, None, None))
    steps, batch, seen = inputs.shape
    if not steps:
        raise ValueError(f"inputs has shape {tuple(inputs.shape)}, (T, B, X); T must be at least 1")
    check("hidden", hidden, "(B, H)", (batch, None))
    size = hidden.shape[1]
    check("cell", cell, "(B, H)", (batch, size))
    check("weight_input", weight_input, "(4 H, X)", (4 * size, seen))
    check("weight_hidden", weight_hidden, "(4 H, H)", (4 * size, size))
    check("bias", bias, "(4 H)", (4 * size,))
    if window is None:
        return
    check("window.text", window.text, "(B, U)", (batch, None), torch.int64)
    check("window.text_lengths", window.text_lengths, "(B,)", (batch,), torch.int64)
    check("window.window", window.window, "(B, A)", (batch, None))
    check("window.to_gates", window.to_gates, "(4 H, A)", (4 * size, window.window.shape[1]))
    check("window.kappa", window.kappa, "(B, K)", (batch, None))
    parameters = 3 * max(window.kappa.shape[1], 1)
    check("window.weight", window.weight, "(3 K, H)", (parameters, size))
    check("window.bias", window.bias, "(3 K)", (parameters,))


def run(
    settings: Settings,
    inputs: Tensor,
    weight_input: Tensor,
    weight_hidden: Tensor,
    bias: Tensor,
    hidden: Tensor,
    cell: Tensor,
    window: Window | None = None,
) -> Results:
    """Run an LSTM over a sequence; where `available` says so.

    Args:
        settings: see there.
        inputs: `(T, B, X)`, T at least 1.
        weight_input, weight_hidden, bias: to the gates, `(4 H, X)`, `(4 H, H)` and `(4 H)`.
        hidden, cell: before the first step, `(B, H)`.
        window: the window, if there is one.

    All tensors are of any floating-point dtype, but for the text.

    Returns:
        see `Results`; phi has no gradient. Hidden states and windows are of the products' dtype,
        and lie within a larger tensor.

    Raises:
        ValueError: if a tensor has another shape or dtype, or is not on the CPU.
        IndexError: if a text has indices that are no letter's.
    """
    _check_arguments(inputs, weight_input, weight_hidden, bias, hidden, cell, window)
    text = text_lengths = None
    parts: tuple[Tensor | None, ...] = (None,) * 5
    if window is not None:
        text, text_lengths = window.text.contiguous(), window.text_lengths.contiguous()
        bias_and_state = (window.bias.float().contiguous(), window.window, window.kappa)
        parts = (window.to_gates, window.weight, *bias_and_state)
    bias = bias.float().contiguous()
    tensors = (inputs, weight_input, weight_hidden, bias, hidden, cell, *parts)
    wants = [one is not None and one.requires_grad for one in tensors]
    if torch.is_grad_enabled() and any(wants):
        return _Recurrence.apply(settings, text, text_lengths, *tensors)
    weight = _join_weights(weight_hidden, parts[0], weight_input, settings.dtype)
    arguments = (weight, inputs, bias, hidden, cell, *parts[1:], text, text_lengths)
    return _forward(settings, *arguments, keep=False)[0]
