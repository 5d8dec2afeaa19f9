"""An LSTM layer, with or without a window over a text, by the compiled kernels of `lstm.c`.

Products are of bfloat16 or float32; cell states and the window are float32. The results of a row
do not depend, bit for bit, on what else is in the batch, nor on the number of threads.

Weights are packed in each call: there is no reliable sign that they have not changed (a fused
optimiser on a CPU, or a write through `.data`, does not increment a tensor's version), and packing
costs little compared with the steps of a batch. Sampling step by step packs once for all lines: see
`model.generation.stepper`.

Shapes: B sequences of a batch, T steps, U characters, A characters of the alphabet, H cells,
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

from model.layers.kernels import library
from model.layers.kernels.library import Results, check


@dataclass(frozen=True)
class Settings:
    """The arguments of a layer beside its tensors.

    Attributes:
        dtype: of the products, float32 or bfloat16.
        order: where the rows of the gates have those of input, forget, output and candidate.
        bound: to which the gradient of the gates is clamped at every step, or None.

    Raises:
        ValueError: if dtype or order are something else.
    """

    dtype: torch.dtype
    order: tuple[int, int, int, int] = (0, 1, 2, 3)
    bound: float | None = None

    def __post_init__(self) -> None:
        if self.dtype not in library.PRODUCTS:
            raise ValueError(f"dtype is {self.dtype}; it must be torch.float32 or torch.bfloat16")
        if sorted(self.order) != [0, 1, 2, 3]:
            raise ValueError(f"order is {self.order}; it must hold each of 0, 1, 2 and 3 once")


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


def _call(name: str, dtype: torch.dtype, **values) -> None:
    """Call `forward` or `backward` of lstm.c; a tensor stands for the address of its data."""
    # `values` keeps the tensors alive: one made for the call has no other owner.
    fields = {
        key: value.data_ptr() if isinstance(value, Tensor) else value
        for key, value in values.items()
    }
    layer = library.Layer(threads=torch.get_num_threads(), **fields)
    function = getattr(library.kernels(dtype == torch.bfloat16), name)
    library.raise_failure(function(ctypes.byref(layer)))


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
    if left.dtype not in library.PRODUCTS:
        raise ValueError(f"left is of {left.dtype}; it must be of torch.float32 or torch.bfloat16")
    for name, one in (("left", left), ("right", right)):
        if one.stride(1) != 1 and one.shape[1] > 1:
            raise ValueError(
                f"{name} has strides {one.stride()}; the second must be 1: its rows contiguous"
            )
    compiled = library.kernels(left.dtype == torch.bfloat16)
    out = torch.empty(m, n + -n % compiled.lanes())
    if not rows:
        return out.zero_()[:, :n]
    values = (rows, m, left.stride(0), left.data_ptr(), n, right.stride(0), right.data_ptr())
    values += (out.data_ptr(), threads or torch.get_num_threads())
    library.raise_failure(compiled.gather(*map(ctypes.c_int64, values)))
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
    window: Window | None,
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
    start = size if window is None else size + window.window.shape[1]
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
        joint[0, :, size:start] = window.window
        components = window.kappa.shape[1]
        kappas = torch.empty(states, batch, components)
        kappas[0] = window.kappa
        exponentials = torch.empty(steps, batch, 3 * components) if keep else None
        phis = torch.empty(steps, batch, window.text.shape[1] + 1)
        values = dict(
            vocab_size=start - size,
            components=components,
            window_weights=library.pack_transposed(window.weight.to(dtype).contiguous()),
            window_bias=window.bias,
            kappas=kappas,
            kappas_step=batch * components if keep else 0,
            exponentials=exponentials,
            phis=phis,
            **_text(window.text, window.text_lengths),
        )
    _call(
        "forward",
        dtype,
        steps=steps,
        batch=batch,
        size=size,
        width=width,
        order=settings.order,
        weights=library.pack_gates(weight, settings.order),
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
    return dict(text=text, text_lengths=text_lengths, places=text.shape[1] + 1)


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
        parts = None
        if text is not None:
            of_window = (weight_window, window_weight, window_bias, window, kappa)
            parts = Window(*of_window, text, text_lengths)
        results, saved = _forward(settings, weight, inputs, bias, hidden, cell, parts, keep=True)
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
            d_parameters = gates.new_empty(steps, batch, library.even(3 * components))
            narrow = window_weight.to(dtype).contiguous()
            values |= dict(
                vocab_size=start - size,
                components=components,
                window_weights_backward=library.pack_columns(narrow, size),
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
            weights_backward=library.pack_columns(weight, start if d_inputs is None else end),
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
        IndexError: if a text has indices beyond the alphabet.
    """
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
    text = text_lengths = None
    parts: tuple[Tensor | None, ...] = (None,) * 5
    if window is not None:
        check("window.text", window.text, "(B, U)", (batch, None), torch.int64)
        check("window.text_lengths", window.text_lengths, "(B,)", (batch,), torch.int64)
        check("window.window", window.window, "(B, A)", (batch, None))
        check("window.to_gates", window.to_gates, "(4 H, A)", (4 * size, window.window.shape[1]))
        check("window.kappa", window.kappa, "(B, K)", (batch, None))
        parameters = 3 * max(window.kappa.shape[1], 1)
        check("window.weight", window.weight, "(3 K, H)", (parameters, size))
        check("window.bias", window.bias, "(3 K)", (parameters,))
        text, text_lengths = window.text.contiguous(), window.text_lengths.contiguous()
        own_bias = window.bias.float().contiguous()
        parts = (window.to_gates, window.weight, own_bias, window.window, window.kappa)
        window = Window(*parts, text, text_lengths)
    bias = bias.float().contiguous()
    tensors = (inputs, weight_input, weight_hidden, bias, hidden, cell, *parts)
    wants = [one is not None and one.requires_grad for one in tensors]
    if torch.is_grad_enabled() and any(wants):
        return _Recurrence.apply(settings, text, text_lengths, *tensors)
    weight = _join_weights(weight_hidden, parts[0], weight_input, settings.dtype)
    return _forward(settings, weight, inputs, bias, hidden, cell, window, keep=False)[0]
