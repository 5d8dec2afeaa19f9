"""A layer of LSTM or GRU cells over whole sequences, by the fastest kernels available.

On a CPU with a C compiler `kernels.lstm` runs LSTM cells (never in float64). Elsewhere, if the
gates' gradient is clamped or the gates have offsets, `run_lstm` calls the functions of `cells` step
by step; on CUDA the graphs of `kernels.cuda` replace this loop. Otherwise torch's own layer runs.

Shapes: B sequences of a batch, T steps, H cells.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.cells import (
    clip_gradient,
    compute_dtype,
    lstm_cell,
    reorder_gates,
    sequence_biases,
    state_dtype,
    torch_products,
)
from model.layers.kernels import cuda, library, lstm

FORGET_BIAS = 1.0
"""Initial bias of an LSTM's forget gates (Jozefowicz et al. 2015)."""


def run_lstm(
    projected: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor, bound: float | None
) -> tuple[Tensor, Tensor]:
    """Return all hidden states `(T, B, H)` and the last cell state `(B, H)` of an LSTM.

    Args:
        projected: the inputs' part of the gates, with the bias, `(T, B, 4 H)`.
        weight: weights from the hidden state to the gates, `(4 H, H)`, in the dtype of `projected`.
        hidden, cell: states before the first step, `(B, H)` each.
        bound: bound to which the gradient of the gates is clamped at every step, or None.
    """
    hiddens, hidden = [], hidden.to(projected)
    for inputs in projected:
        gates = clip_gradient(torch.addmm(inputs, hidden, weight.t()), bound)
        hidden, cell = lstm_cell(gates, cell)
        hiddens.append(hidden)
    return torch.stack(hiddens), cell


class RecurrentLayer(nn.Module):
    """A layer of LSTM or GRU cells over padded sequences.

    Args:
        cell: "LSTM" or "GRU".
        input_size: number of inputs at each step.
        hidden_size: number of cells, H.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = cell
        layer = {"LSTM": nn.LSTM, "GRU": nn.GRU}[cell]
        self.layer = layer(input_size, hidden_size)
        self.hidden_size = hidden_size
        if cell == "LSTM":
            with torch.no_grad():
                self.layer.bias_ih_l0[hidden_size : 2 * hidden_size] = FORGET_BIAS
                self.layer.bias_hh_l0[hidden_size : 2 * hidden_size] = 0.0

    @property
    def state_sizes(self) -> dict[str, int]:
        """The sizes of the layer's states by name."""
        names = ("hidden", "cell") if self.cell == "LSTM" else ("hidden",)
        return dict.fromkeys(names, self.hidden_size)

    def forward(
        self,
        inputs: Tensor,
        state: dict[str, Tensor],
        bound: float | None = None,
        gate_offsets: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the layer.

        Args:
            inputs: `(T, B, input_size)`.
            state: hidden state and, in an LSTM, cell state, `(B, H)` each.
            bound: bound to which the gradient of an LSTM's gates is clamped at every step, or None.
            gate_offsets: numbers added to an LSTM's gates at every step, in the order of
                `lstm_cell`, `(B, 4 H)`; None: nothing is added.

        Returns:
            hidden states `(T, B, H)`, and the state after step T.
        """
        dtype, layer = compute_dtype(inputs), self.layer
        is_compiled = self.cell == "LSTM" and library.available(inputs.device, dtype)
        is_plain = self.cell == "GRU" or (bound is None and gate_offsets is None)
        if is_plain and not is_compiled:
            with torch_products(inputs) as inputs:
                return self._run_torch(inputs, state)
        parameters = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0)
        weight_input, weight_hidden, bias = map(reorder_gates, parameters)
        hidden, cell = state["hidden"], state["cell"]
        if is_compiled:
            biases = sequence_biases(bias, gate_offsets, inputs.shape[1])
            weights, states = (weight_input, weight_hidden, biases), (hidden, cell)
            hiddens, _, cell, *_ = lstm.run(dtype, bound, inputs, weights, states)
        else:
            weight_hidden = weight_hidden.to(dtype)
            projected = functional.linear(inputs.to(dtype), weight_input.to(dtype), bias.to(dtype))
            if gate_offsets is not None:
                projected = projected + gate_offsets.to(dtype)
            cell = cell.to(state_dtype(dtype))
            results = cuda.run(projected, weight_hidden, hidden, cell, bound)
            if results is None:
                hiddens, cell = run_lstm(projected, weight_hidden, hidden, cell, bound)
            else:
                hiddens, _, cell, *_ = results
        # A copy, so that the state does not keep the large tensor of all hidden states alive.
        return hiddens, {"hidden": hiddens[-1].clone(), "cell": cell}

    def _run_torch(
        self, inputs: Tensor, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run torch's layer; see `forward`."""
        states = tuple(state[name].to(inputs.dtype)[None] for name in self.state_sizes)
        if self.cell == "LSTM":
            hiddens, (hidden, cell) = self.layer(inputs, states)
            return hiddens, {"hidden": hidden[0], "cell": cell[0]}
        hiddens, hidden = self.layer(inputs, *states)
        return hiddens, {"hidden": hidden[0]}
