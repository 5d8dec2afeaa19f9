"""An LSTM layer, with or without a window over a text, by the compiled kernels of `lstm.c`.

Products are of bfloat16 or float32; cell states and the window are float32. The results of a
sequence are the same, bit for bit, in every batch and with every number of threads.

Weights are packed in each call, since a change of weights cannot be noticed (a fused optimiser, or
a write through `.data`, does not increment a tensor's version). Packing costs little.

Shapes: B sequences of a batch, T steps, U characters, A characters of the alphabet, H cells,
K components of the window, X inputs of each step, J columns of the joint, which the gates' weights
multiply: hidden state, window and, if the width would be odd, a zero; N layers that run side by
side. `d_` before a name means the gradient.
"""

import ctypes
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from model.layers.kernels import library
from model.layers.kernels.library import Results, address, round_up


def _call(name: str, dtype: torch.dtype, sizes: dict[str, float], **values: Any) -> None:
    """Call `forward` or `backward` of lstm.c. `values` has for the other fields of its `Layer` what
    the N layers have, as a list or stacked; or None."""
    compiled = library.kernels(dtype == torch.bfloat16)
    given = {field: value for field, value in values.items() if value is not None}
    count = len(values["gates"])
    layers = [
        library.structure(
            compiled,
            "Layer",
            threads=torch.get_num_threads(),
            others=count - 1,
            **sizes,
            **{field: value[number] for field, value in given.items()},
        )
        for number in range(count)
    ]
    in_a_row = (type(layers[0]) * count)(*layers)
    library.raise_failure(getattr(compiled, name)(ctypes.byref(in_a_row)))


def _even(values: Tensor) -> Tensor:
    """Return `values` with a last dimension of even size, padded with zero."""
    return (functional.pad(values, (0, 1)) if values.shape[-1] % 2 else values).contiguous()


def gather(left: Tensor, *rights: Tensor) -> list[Tensor]:
    """Return `left.t() @ right`, `(m, n)` float32, for `left` `(rows, m)` and each `right` `(rows,
    n)`, all float32 or bfloat16 with contiguous rows."""
    compiled = library.kernels(left.dtype == torch.bfloat16)
    (rows, m), lanes = left.shape, compiled.lanes()
    outs = [torch.zeros(m, round_up(right.shape[1], lanes)) for right in rights]
    sides = [
        number
        for right, out in zip(rights, outs, strict=True)
        for number in (right.shape[1], right.stride(0), address(right), address(out))
    ]
    values = (rows, m, left.stride(0), address(left), torch.get_num_threads())
    array = (ctypes.c_int64 * len(sides))(*sides)  # of the structure `Side`
    count = ctypes.c_int64(len(rights))
    library.raise_failure(compiled.gather(*map(ctypes.c_int64, values), array, count))
    return [out[:, : right.shape[1]] for right, out in zip(rights, outs, strict=True)]


class _Recurrence(torch.autograd.Function):
    """The layer with its gradient; for the arguments see `run`. Without a window A, K and U are 0.

    Forward: the paper, eqs 7-11 without peepholes, and 46-53. Backward: eqs 56-60.
    """

    @staticmethod
    def forward(
        ctx, dtype: torch.dtype, bound: float | None, text: Tensor, lengths: Tensor, *others: Tensor
    ) -> Results:
        inputs, weight_input, weight_hidden, bias, hidden, cell, *window_parts = others
        weight_window, window_weight, window_bias, window, kappa = window_parts
        (count, steps, batch, num_inputs), size = inputs.shape, hidden.shape[2]
        vocab_size, components, places = window.shape[2], kappa.shape[2], text.shape[2] + 1
        weight = _even(torch.cat((weight_hidden, weight_window), 2).to(dtype))
        inputs, weight_input = _even(inputs.to(dtype)), _even(weight_input.to(dtype))
        # Products take pairs of columns. The last pair of a hidden state of odd size includes the
        # next column, which must be finite even before it is computed: hence zeros.
        is_even = size % 2 == 0 and vocab_size % 2 == 0
        make = torch.empty if is_even else torch.zeros
        joint = make(count, steps + 1, batch, weight.shape[2], dtype=dtype)
        joint[:, 0, :, : size + vocab_size] = torch.cat((hidden, window), 2)
        cells = torch.empty(count, steps + 1, batch, size)
        kappas = torch.empty(count, steps + 1, batch, components)
        cells[:, 0], kappas[:, 0] = cell, kappa
        gates = torch.empty(count, steps, batch, 4 * size, dtype=dtype)
        exponentials = torch.empty(count, steps, batch, 3 * components)
        phis = torch.empty(count, steps, batch, places)
        sizes = dict(steps=steps, batch=batch, size=size, inputs=num_inputs, places=places)
        sizes |= dict(width=weight.shape[2], input_width=inputs.shape[3])
        sizes |= dict(vocab_size=vocab_size, components=components)
        ctx.sizes = dict(bound=math.inf if bound is None else bound, **sizes)
        weights = dict(
            input_weights=[library.pack(matrix.t(), groups=4) for matrix in weight_input],
            weights=[library.pack(matrix.t(), groups=4) for matrix in weight],
            bias=bias.float().contiguous(),
            window_weights=[library.pack(matrix.t()) for matrix in window_weight.to(dtype)],
            window_bias=window_bias.float().contiguous(),
        )
        values = dict(text=text, text_lengths=lengths, gates=gates, cells=cells, kappas=kappas)
        values |= dict(exponentials=exponentials, joint=joint)
        _call("forward", dtype, ctx.sizes, **weights, **values, input=inputs, phis=phis)
        ctx.save_for_backward(weight, weight_input, window_weight, inputs, *values.values())
        ctx.mark_non_differentiable(phis)
        # Copies of the last states do not keep the large tensors of all steps alive.
        hiddens, windows = joint[:, 1:, :, :size], joint[:, 1:, :, size : size + vocab_size]
        return hiddens, windows, cells[:, -1].clone(), kappas[:, -1].clone(), phis

    @staticmethod
    def backward(
        ctx, d_hiddens: Tensor, d_windows: Tensor, d_cell: Tensor, d_kappa: Tensor, _
    ) -> tuple[Tensor | None, ...]:
        windowed = ctx.sizes["components"] > 0
        library.refuse_second_derivative("WindowedLayer" if windowed else "RecurrentLayer")
        weight, weight_input, window_weight, inputs, text, lengths, *saved = ctx.saved_tensors
        gates, cells, kappas, exponentials, joint = saved
        (count, steps, batch, _), dtype, size = gates.shape, gates.dtype, cells.shape[3]
        start, parameters = size + ctx.sizes["vocab_size"], exponentials.shape[3]
        num_inputs, d_inputs, input_weights = ctx.sizes["inputs"], None, None
        if ctx.needs_input_grad[4]:
            d_inputs = gates.new_empty(count, steps, batch, num_inputs)
            input_weights = [library.pack(matrix[:, :num_inputs]) for matrix in weight_input]
        # Copies, since the kernel overwrites these gradients at every step.
        d_cell = d_cell.clone(memory_format=torch.contiguous_format)
        d_kappa = d_kappa.clone(memory_format=torch.contiguous_format)
        d_gates, d_joint = torch.empty_like(gates), cells.new_empty(count, batch, start)
        d_parameters = gates.new_empty(count, steps, batch, round_up(parameters, 2))
        weights = dict(
            input_weights_backward=input_weights,
            weights_backward=[library.pack(matrix[:, :start]) for matrix in weight],
            window_weights_backward=[library.pack(matrix) for matrix in window_weight.to(dtype)],
        )
        values = dict(text=text, text_lengths=lengths, gates=gates, cells=cells, kappas=kappas)
        values |= dict(d_hiddens=d_hiddens.contiguous(), d_windows=d_windows.contiguous())
        values |= dict(exponentials=exponentials, d_inputs=d_inputs, d_gates=d_gates)
        values |= dict(d_parameters=d_parameters, d_cell=d_cell, d_kappa=d_kappa, d_joint=d_joint)
        _call("backward", dtype, ctx.sizes, **weights, **values)
        d_parameters = d_parameters[..., :parameters]
        d_weight, d_weight_input = _gathered(d_gates, joint[:, :-1], inputs)
        d_weight_input = d_weight_input[..., :num_inputs]
        (d_window_weight,) = _gathered(d_parameters, joint[:, 1:, :, :size])
        d_bias = d_gates.sum(1, dtype=torch.float32)
        d_window_bias = d_parameters.sum((1, 2), dtype=torch.float32)
        d_weights = d_weight_input, d_weight[..., :size], d_bias
        d_window = d_weight[..., size:start], d_window_weight, d_window_bias, d_joint[..., size:]
        d_state = d_joint[..., :size], d_cell
        return None, None, None, None, d_inputs, *d_weights, *d_state, *d_window, d_kappa


def _gathered(*matrices: Tensor) -> list[Tensor]:
    """Return `gather` of the rows of all steps and sequences, for each of the N layers."""
    layers = zip(*(matrix.flatten(1, 2) for matrix in matrices), strict=True)
    return list(map(torch.stack, zip(*(gather(*rows) for rows in layers), strict=True)))


def run(
    dtype: torch.dtype,
    bound: float | None,
    inputs: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    state: tuple[Tensor, Tensor],
    text: tuple[Tensor, Tensor] | None = None,
    window: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] | None = None,
) -> Results:
    """Run an LSTM over sequences; call this only if `library.available`.

    Args:
        dtype: dtype of the products, float32 or bfloat16.
        bound: bound to which the gradient of the gates is clamped at every step, or None.
        inputs: `(T, B, X)`, T at least 1.
        weights: weights from the inputs and the hidden state to the gates (input, forget, output
            gate, candidate), `(4 H, X)` and `(4 H, H)`; the bias of each sequence, `(B, 4 H)`.
        state: hidden and cell state before the first step, `(B, H)` each.
        text: indices of the characters, `(B, U)` int64, padded with any indices, and the number of
            characters, `(B,)`; None without a window.
        window: weights from the window to the gates, `(4 H, A)`; weights from the hidden state to
            the window's parameters, `(3 K, H)`; their bias, `(3 K)`; window, `(B, A)`, and kappa,
            `(B, K)`, before the first step.

    Returns:
        see `Results`; phi has no gradient. Hidden states and windows have the products' dtype, and
        are views of a larger tensor.

    Raises:
        ValueError: if there is not a text for each sequence, or if a tensor is not on the CPU.
        IndexError: if a text has indices beyond the alphabet, or is shorter than its length.
        MemoryError: if memory is lacking.
    """
    alone = [[part[None] for part in parts] for parts in (weights, state)]
    more = [parts and [part[None] for part in parts] for parts in (text, window)]
    results = run_several(dtype, bound, inputs[None], *alone, *more)
    return tuple(result[0] for result in results)


def run_several(
    dtype: torch.dtype,
    bound: float | None,
    inputs: Tensor,
    weights: Sequence[Tensor],
    state: Sequence[Tensor],
    text: Sequence[Tensor] | None = None,
    window: Sequence[Tensor] | None = None,
) -> Results:
    """Run N LSTMs of the same sizes side by side, on cores of their own if there are enough; for
    the arguments, results and errors see `run`: all tensors have N as their first dimension."""
    count, batch, size = state[0].shape
    if text is None or window is None:
        text = torch.empty(count, batch, 0, dtype=torch.int64), torch.zeros(count, batch).long()
        shapes = (4 * size, 0), (0, size), (0,), (batch, 0), (batch, 0)
        window = tuple(torch.empty(count, *shape) for shape in shapes)
    if not text[0].shape[1] == text[1].shape[1] == batch:
        raise ValueError(f"{text[0].shape[1]} texts for {batch} sequences")
    text = text[0].contiguous(), text[1].contiguous()
    return _Recurrence.apply(dtype, bound, *text, inputs, *weights, *state, *window)
