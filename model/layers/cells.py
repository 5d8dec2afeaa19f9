"""One step of the cells of an LSTM and of a GRU, in torch: the reference for every kernel.

`lstm_step` and `gru_step` work in place, without autograd; `lstm_step_backward` is the explicit
gradient. `gru_cell` is the formula of a GRU, which autograd differentiates. All torch code calls
these. C has the step in kernels/step.h, Triton in kernels/fused.py. For the context see
benchmarks/reference.py, the paper in one readable file.

The LSTM has no peephole connections (the paper's, eqs 7-11, has diagonal ones), so that fused
kernels compute the same function.

Shapes: B sequences of a batch, H cells.
"""

import torch
from torch import Tensor


def reorder_gates(rows: Tensor) -> Tensor:
    """Return rows of torch's LSTM, which has the candidate before the output gate, in our order."""
    input_gate, forget_gate, candidate, output_gate = rows.chunk(4)
    return torch.cat((input_gate, forget_gate, output_gate, candidate))


def gru_cell(inputs: Tensor, recurrent: Tensor, bias: Tensor, hidden: Tensor) -> Tensor:
    """Compute one step of torch's GRU, which applies the reset gate after the recurrent bias.

    Args:
        inputs, recurrent: what the inputs and the hidden state contribute to reset gate, update
            gate and candidate, `(B, 3 H)` each, the former with a bias.
        bias: of the recurrent part of the candidate, `(H)`.
        hidden: before the step, `(B, H)`; the result after it.
    """
    size = hidden.shape[1]
    gates = (inputs + recurrent)[:, : 2 * size].to(hidden)
    reset_gate, update_gate = gates.sigmoid().chunk(2, 1)
    candidate = inputs[:, 2 * size :] + reset_gate * (recurrent[:, 2 * size :] + bias)
    candidate = candidate.to(hidden).tanh()
    return candidate + update_gate * (hidden - candidate)


def lstm_step(
    gates: Tensor, cell: Tensor, next_cell: Tensor, hidden: Tensor, scratch: Tensor | None = None
) -> None:
    """Compute one step of an LSTM in place (the paper, eqs 7-11 without peepholes).

    Args:
        gates: input, forget and output gate and the candidate before their activation functions,
            `(B, 4 H)`; afterwards with these applied.
        cell: `(B, H)` before the step; `next_cell`, which may be `cell`, and `hidden`, `(B, H)`,
            receive the results.
        scratch: `(B, H)`, for callers that must not allocate.
    """
    size = cell.shape[1]
    gates[:, : 3 * size].sigmoid_()
    gates[:, 3 * size :].tanh_()
    input_gate, forget_gate, output_gate, candidate = gates.chunk(4, 1)
    torch.mul(forget_gate, cell, out=next_cell)
    next_cell.addcmul_(input_gate, candidate)
    torch.mul(output_gate, torch.tanh(next_cell, out=scratch), out=hidden)


def lstm_step_backward(
    gates: Tensor,
    cell: Tensor,
    next_cell: Tensor,
    d_hidden: Tensor,
    d_cell: Tensor,
    d_gates: Tensor,
    bound: float | None,
) -> None:
    """Compute the gradient of `lstm_step`.

    Args:
        gates: with their activation functions applied, `(B, 4 H)`.
        cell, next_cell: before and after the step.
        d_hidden: gradient of the hidden state, `(B, H)`.
        d_cell: gradient of the next cell state, `(B, H)`; afterwards that of `cell`.
        d_gates: `(B, 4 H)`, receives the gradient before the activation functions.
        bound: of that gradient, or None.
    """
    size = cell.shape[1]
    input_gate, forget_gate, output_gate, candidate = gates.chunk(4, 1)
    squashed = next_cell.tanh()
    d_cell.addcmul_(d_hidden * output_gate, 1.0 - squashed.square())
    torch.mul(d_cell, candidate, out=d_gates[:, :size])
    torch.mul(d_cell, cell, out=d_gates[:, size : 2 * size])
    torch.mul(d_hidden, squashed, out=d_gates[:, 2 * size : 3 * size])
    torch.mul(d_cell, input_gate, out=d_gates[:, 3 * size :])
    logistic = gates[:, : 3 * size]
    d_gates[:, : 3 * size].mul_(logistic).mul_(1.0 - logistic)
    d_gates[:, 3 * size :].mul_(1.0 - candidate.square())
    if bound is not None:
        d_gates.clamp_(-bound, bound)
    d_cell.mul_(forget_gate)


def gru_step(gates: Tensor, hidden: Tensor) -> None:
    """Compute `gru_cell` in place.

    Args:
        gates: reset and update gate and, of the candidate, what comes in and what the reset gate
            lets through, `(B, 4 H)`; overwritten.
        hidden: `(B, H)` before the step, afterwards after it.
    """
    gates[:, : 2 * hidden.shape[1]].sigmoid_()
    reset_gate, update_gate, incoming, recurrent = gates.chunk(4, 1)
    candidate = incoming.addcmul_(reset_gate, recurrent).tanh_()
    hidden.sub_(candidate).mul_(update_gate).add_(candidate)
