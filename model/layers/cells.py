"""One step of LSTM cells and of GRU cells by operations of torch, which autograd differentiates.

These steps are the reference for every kernel: kernels/step.h has the steps in C, kernels/fused.py
in Triton. benchmarks/reference.py is the paper's network in one file.

The LSTM has no peephole connections (unlike the paper's eqs 7-11), like torch's fused kernels.

Shapes: B sequences of a batch, H cells, G rows of the gates (4 H in an LSTM, 3 H in a GRU).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def compute_dtype(tensor: Tensor) -> torch.dtype:
    """Return the dtype of products with `tensor`: autocast's dtype, or else the tensor's dtype."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def state_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of cell states and windows: float32, or float64 if `dtype` is float64."""
    return torch.promote_types(dtype, torch.float32)


@contextmanager
def torch_products(inputs: Tensor) -> Iterator[Tensor]:
    """Yield `inputs` in the dtype of torch's products within the context. On a CPU this dtype is at
    least float32: in bfloat16 a step with GRU cells took five to ten times as long (measured,
    notebook: speed, training on a CPU)."""
    if inputs.device.type != "cpu":
        yield inputs.to(compute_dtype(inputs))
        return
    with torch.autocast("cpu", enabled=False):
        yield inputs.to(state_dtype(inputs.dtype))


def clip_gradient(value: Tensor, bound: float | None) -> Tensor:
    """Return `value`; the gradient that flows back through it is clamped to +-`bound`."""
    if bound is None or not value.requires_grad:
        return value
    clipped = value.view_as(value)
    clipped.register_hook(lambda gradient: gradient.clamp(-bound, bound))
    return clipped


def sequence_biases(bias: Tensor, offsets: Tensor | None, batch: int) -> Tensor:
    """Return the bias of each sequence, `(B, G)`: `bias` `(G)` plus `offsets` `(B, G)`, if any."""
    return bias.expand(batch, -1) if offsets is None else bias + offsets


def reorder_gates(rows: Tensor) -> Tensor:
    """Return the rows of an LSTM's gates in the order of `lstm_cell`, instead of torch's order."""
    input_gate, forget_gate, candidate, output_gate = rows.chunk(4)
    return torch.cat((input_gate, forget_gate, output_gate, candidate))


def lstm_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Compute one step of an LSTM (the paper, eqs 7-11 without peepholes).

    Args:
        gates: input gate, forget gate, output gate and candidate before their activation functions,
            `(B, 4 H)`.
        cell: cell state before the step, `(B, H)`.

    Returns:
        hidden state, in the dtype of `gates`, and cell state, `(B, H)` each.
    """
    size = cell.shape[1]
    input_gate, forget_gate, output_gate = gates[:, : 3 * size].sigmoid().chunk(3, 1)
    cell = torch.addcmul(forget_gate * cell, input_gate, gates[:, 3 * size :].tanh())
    return (output_gate * cell.tanh()).to(gates), cell


def gru_cell(inputs: Tensor, recurrent: Tensor, bias: Tensor, hidden: Tensor) -> Tensor:
    """Return the next hidden state of torch's GRU, whose reset gate multiplies `bias` too.

    Args:
        inputs, recurrent: the two parts of reset gate, update gate and candidate, `(B, 3 H)` each:
            from the inputs, with their bias, and from the hidden state.
        bias: bias of the candidate's recurrent part, `(H)`.
        hidden: hidden state before the step, `(B, H)`.
    """
    size = hidden.shape[1]
    gates = (inputs + recurrent)[:, : 2 * size].to(hidden)
    reset_gate, update_gate = gates.sigmoid().chunk(2, 1)
    candidate = inputs[:, 2 * size :] + reset_gate * (recurrent[:, 2 * size :] + bias)
    candidate = candidate.to(hidden).tanh()
    return candidate + update_gate * (hidden - candidate)
