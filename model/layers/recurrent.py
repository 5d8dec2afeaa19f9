"""A layer of LSTM or GRU cells over whole sequences, and its gradient in torch.

`cells` has one step; `_LSTMRecurrence` here is the loop over the steps with its gradient written
out: it keeps only what it needs, and gathers the gradients of the weights over time into one
product each. That is the reference, and runs where nothing faster does (always in float64): on a
CPU with a C compiler that is `kernels.lstm`, on CUDA the graphs of `kernels.cuda`. What the layer
is part of is in benchmarks/reference.py, the paper in one readable file.

Shapes: B sequences of a batch, T steps, H cells.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.cells import lstm_step, lstm_step_backward, reorder_gates
from model.layers.kernels import cuda, library, lstm

Gradients = tuple[Tensor | None, ...]

TORCH_ORDER = (0, 1, 3, 2)
"""Where the rows of torch's LSTM have those of input, forget and output gate and candidate."""

INPUT_WEIGHTS = ("weight_input", "weight_ih_l0")
"""The names of the weights for a layer's input, in the layers here and in torch's."""


def clip_gradient(value: Tensor, bound: float | None) -> Tensor:
    """Return `value`, clamping the gradient that flows back through it to +-`bound`."""
    if bound is None or not value.requires_grad:
        return value
    clipped = value.view_as(value)
    clipped.register_hook(lambda gradient: gradient.clamp(-bound, bound))
    return clipped


def compute_dtype(tensor: Tensor) -> torch.dtype:
    """Return the dtype of matrix products: autocast's, or that of `tensor`."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def state_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of cell states and windows: float32, or float64 if `dtype` is that."""
    return torch.promote_types(dtype, torch.float32)


class _LSTMRecurrence(torch.autograd.Function):
    """An LSTM over a whole sequence, with the gradient of its gates clamped step by step."""

    @staticmethod
    def forward(
        ctx, projected: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor, bound: float | None
    ) -> tuple[Tensor, Tensor]:
        """Return all hidden states `(T, B, H)` and the last cell state `(B, H)`.

        Args:
            projected: what the inputs contribute to the gates, with the bias, `(T, B, 4 H)`.
            weight: from the hidden state to the gates, `(4 H, H)`, of the dtype of `projected`.
            hidden, cell: `(B, H)` before the first step.
            bound: of the gradient of the gates, or None.
        """
        steps, batch, rows = projected.shape
        hiddens = projected.new_empty(steps + 1, batch, rows // 4)
        cells = cell.new_empty(steps + 1, batch, rows // 4)
        gates = torch.empty_like(projected)
        hiddens[0], cells[0] = hidden, cell
        recurrent = weight.t()
        for t in range(steps):
            torch.addmm(projected[t], hiddens[t], recurrent, out=gates[t])
            lstm_step(gates[t], cells[t], cells[t + 1], hiddens[t + 1])
        ctx.save_for_backward(weight, gates, hiddens, cells)
        ctx.bound = bound
        return hiddens[1:], cells[-1].clone()

    @staticmethod
    def backward(ctx, d_hiddens: Tensor, d_last_cell: Tensor) -> Gradients:
        weight, gates, hiddens, cells = ctx.saved_tensors
        d_gates = torch.empty_like(gates)
        d_cell = d_last_cell.clone()
        d_hidden = torch.zeros_like(d_cell)
        for t in reversed(range(len(gates))):
            states = cells[t], cells[t + 1], d_hidden + d_hiddens[t], d_cell
            lstm_step_backward(gates[t], *states, d_gates[t], ctx.bound)
            d_hidden = torch.mm(d_gates[t], weight)
        d_weight = torch.mm(d_gates.flatten(0, 1).t(), hiddens[:-1].flatten(0, 1))
        return d_gates, d_weight, d_hidden, d_cell, None


class RecurrentLayer(nn.Module):
    """A layer of LSTM or GRU cells over padded sequences, by the fastest kernels there are.

    Args:
        cell: "LSTM" or "GRU".
        input_size: numbers per step of the input.
        hidden_size: cells, H.
        forget_bias: starting value of the bias of an LSTM's forget gates.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int, forget_bias: float) -> None:
        super().__init__()
        self.cell = cell
        layer = {"LSTM": nn.LSTM, "GRU": nn.GRU}[cell]
        self.layer = layer(input_size, hidden_size)
        self.hidden_size = hidden_size
        if cell == "LSTM":
            with torch.no_grad():
                self.layer.bias_ih_l0[hidden_size : 2 * hidden_size] = forget_bias
                self.layer.bias_hh_l0[hidden_size : 2 * hidden_size] = 0.0

    @property
    def state_sizes(self) -> dict[str, int]:
        """Names and sizes of what the layer carries from step to step."""
        names = ("hidden", "cell") if self.cell == "LSTM" else ("hidden",)
        return dict.fromkeys(names, self.hidden_size)

    def forward(
        self, inputs: Tensor, state: dict[str, Tensor], bound: float | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the layer.

        Args:
            inputs: `(T, B, input_size)`.
            state: hidden (and cell), `(B, H)` each.
            bound: to which the gradient of an LSTM's gates is clamped at every step, or None.

        Returns:
            hidden states `(T, B, H)` and the state after the last step.
        """
        dtype = compute_dtype(inputs)
        compiled = library.available(inputs.device, dtype)
        # torch's own kernel is slower there (measured, lab notebook: LSTM in bfloat16 on a CPU).
        unfused = inputs.device.type == "cpu" and dtype == torch.bfloat16
        if self.cell == "LSTM" and (compiled or unfused or bound is not None):
            return self._forward_lstm(inputs, state, dtype, compiled, bound)
        carried = tuple(state[name][None].to(dtype) for name in self.state_sizes)
        if self.cell == "GRU":
            hiddens, last = self.layer(inputs.to(dtype), carried[0])
            return hiddens, {"hidden": last[0]}
        hiddens, (hidden, cell) = self.layer(inputs.to(dtype), carried)
        return hiddens, {"hidden": hidden[0], "cell": cell[0]}

    def _forward_lstm(
        self,
        inputs: Tensor,
        state: dict[str, Tensor],
        dtype: torch.dtype,
        compiled: bool,
        bound: float | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        layer, carried = self.layer, (state["hidden"], state["cell"])
        bias = layer.bias_ih_l0 + layer.bias_hh_l0
        if compiled:
            settings = lstm.Settings(dtype, TORCH_ORDER, bound)
            weights = layer.weight_ih_l0, layer.weight_hh_l0, bias
            hiddens, _, cell, _, _ = lstm.run(settings, inputs, *weights, *carried)
        else:
            rows = (layer.weight_ih_l0, bias, layer.weight_hh_l0)
            incoming, bias, weight = (reorder_gates(part).to(dtype) for part in rows)
            projected = functional.linear(inputs.to(dtype), incoming, bias)
            carried = carried[0], carried[1].to(state_dtype(dtype))
            replayed = cuda.run(projected, weight, *carried, bound)
            if replayed is None:
                hiddens, cell = _LSTMRecurrence.apply(projected, weight, *carried, bound)
            else:
                hiddens, _, cell, _, _ = replayed
        # A copy, as the hidden states lie in a tensor that is large to be kept.
        return hiddens, {"hidden": hiddens[-1].clone(), "cell": cell}
