"""A layer of LSTM or GRU cells over whole sequences, by the fastest kernels available.

LSTM cells run by `kernels.lstm` on a CPU with a C compiler (never in float64). Elsewhere torch's
layer runs, or, to clamp the gates' gradient or add a hand's numbers to the gates, `run_lstm`: the
reference, a loop over the steps of `cells`. On CUDA the graphs of `kernels.cuda` replace the loop.

Shapes: B sequences of a batch, T steps, H cells.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.cells import (
    clip_gradient,
    compute_dtype,
    each_row,
    lstm_cell,
    reorder_gates,
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
        weight: weights from the hidden state to the gates, `(4 H, H)`, of the dtype of `projected`.
        hidden, cell: states before the first step, `(B, H)` each.
        bound: bound on the gradient of the gates at every step, or None.
    """
    hiddens, hidden = [], hidden.to(projected)
    for incoming in projected:
        gates = clip_gradient(torch.addmm(incoming, hidden, weight.t()), bound)
        hidden, cell = lstm_cell(gates, cell)
        hiddens.append(hidden)
    return torch.stack(hiddens), cell


class RecurrentLayer(nn.Module):
    """A layer of LSTM or GRU cells over padded sequences.

    Args:
        cell: "LSTM" or "GRU".
        input_size: numbers per step of the input.
        hidden_size: cells, H.
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
        """Names and sizes of the layer's states."""
        names = ("hidden", "cell") if self.cell == "LSTM" else ("hidden",)
        return dict.fromkeys(names, self.hidden_size)

    def forward(
        self,
        inputs: Tensor,
        state: dict[str, Tensor],
        bound: float | None = None,
        told: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the layer.

        Args:
            inputs: `(T, B, input_size)`.
            state: hidden (and cell), `(B, H)` each.
            bound: bound to which the gradient of an LSTM's gates is clamped at every step, or None.
            told: numbers added to an LSTM's gates at every step, in the order of `lstm_cell`,
                `(B, 4 H)`; None: nothing is added.

        Returns:
            hidden states `(T, B, H)` and the state after the last step.
        """
        dtype, layer = compute_dtype(inputs), self.layer
        compiled = self.cell == "LSTM" and library.available(inputs.device, dtype)
        if not compiled and (self.cell == "GRU" or (bound is None and told is None)):
            with torch_products(inputs) as inputs:
                return self._by_torch(inputs, state)
        parameters = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0)
        incoming, weight, bias = map(reorder_gates, parameters)
        hidden, cell = state["hidden"], state["cell"]
        if compiled:
            weights = incoming, weight, each_row(bias, told, inputs.shape[1])
            hiddens, _, cell, *_ = lstm.run(dtype, bound, inputs, weights, (hidden, cell))
        else:
            incoming, weight, bias = (part.to(dtype) for part in (incoming, weight, bias))
            projected = functional.linear(inputs.to(dtype), incoming, bias)
            if told is not None:
                projected = projected + told.to(dtype)
            cell = cell.to(state_dtype(dtype))
            replayed = cuda.run(projected, weight, hidden, cell, bound)
            if replayed is None:
                hiddens, cell = run_lstm(projected, weight, hidden, cell, bound)
            else:
                hiddens, _, cell, *_ = replayed
        # A copy, so that the state does not keep the large tensor of all hidden states alive.
        return hiddens, {"hidden": hiddens[-1].clone(), "cell": cell}

    def _by_torch(
        self, inputs: Tensor, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run torch's layer; see `forward`."""
        states = tuple(state[name].to(inputs.dtype)[None] for name in self.state_sizes)
        if self.cell == "LSTM":
            hiddens, (hidden, cell) = self.layer(inputs, states)
            return hiddens, {"hidden": hidden[0], "cell": cell[0]}
        hiddens, hidden = self.layer(inputs, *states)
        return hiddens, {"hidden": hidden[0]}
