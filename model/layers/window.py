"""The first hidden layer of the synthesis network, and its window over the text.

`window_step` is the window (the paper, eqs 46 and 49-51), `_WindowedRecurrence.backward` its
gradient (eqs 56-60), with that of the cells. These are the reference, and run where nothing faster
does (always in float64). The gradient is also in the kernels: as `window_backward` of
kernels/lstm.c for a CPU with a C compiler; for CUDA as `window_backward` of kernels/loop.py, and
in Triton of kernels/fused.py. What the layer is part of is in benchmarks/reference.py, the paper
in one readable file.

Shapes: B sequences of a batch, T steps, U characters of a text, A characters of the alphabet,
H cells, K components of the window, G rows of the gates (4 H in an LSTM, 3 H in a GRU).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.cells import gru_cell, lstm_step, lstm_step_backward
from model.layers.kernels import cuda, library, lstm
from model.layers.recurrent import Gradients, compute_dtype, state_dtype

CHUNK = 32
"""Steps whose Gaussians are recomputed together in the backward pass (assumed: few calls, and
little memory)."""


def one_hot_text(text: Tensor, text_lengths: Tensor, vocab_size: int, dtype: torch.dtype) -> Tensor:
    """Return texts `(B, U)` one-hot, zero after their ends, `(B, U + 1, A)`."""
    one_hot = functional.one_hot(functional.pad(text, (0, 1)), vocab_size)
    inside = torch.arange(one_hot.shape[1], device=text.device) < text_lengths[:, None]
    return (one_hot * inside[..., None]).to(dtype)


def positions_of(one_hot: Tensor) -> Tensor:
    """Return the positions 1, 2, ... of the characters and the one after them, `(U + 1)`."""
    return torch.arange(1, one_hot.shape[1] + 1, device=one_hot.device).to(one_hot)


def window_step(exponentials: Tensor, kappa: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Move the window one step (the paper, eqs 46 and 49-51).

    Args:
        exponentials: alpha, beta and the advance of kappa, `(B, 3 K)`.
        kappa: `(B, K)` of the step before.
        positions: 1, 2, ..., `(U + 1)`.

    Returns:
        kappa, `(B, K)`, and phi, `(B, U + 1)`.
    """
    alpha, beta, advance = exponentials.chunk(3, 1)
    kappa = kappa + advance
    distance = (kappa[:, :, None] - positions).square()  # (B, K, U + 1)
    gaussians = torch.exp(-beta[:, :, None] * distance)
    return kappa, torch.bmm(alpha[:, None], gaussians)[:, 0]


class _WindowedRecurrence(torch.autograd.Function):
    """An LSTM layer and its window over the text, run over a whole sequence.

    Forward: the paper, eqs 46-53. Backward: eqs 56-60.
    """

    @staticmethod
    def forward(
        ctx,
        projected: Tensor,
        weight: Tensor,
        window_weight: Tensor,
        window_bias: Tensor,
        one_hot: Tensor,
        hidden: Tensor,
        cell: Tensor,
        window: Tensor,
        kappa: Tensor,
        bound: float | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return hidden states `(T, B, H)`, windows `(T, B, A)`, the last cell state `(B, H)`,
        the last kappa `(B, K)` and phi `(T, B, U + 1)` (for looking at; it has no gradient).

        Args:
            projected: what the inputs contribute to the gates, with the bias, `(T, B, 4 H)`.
            weight: from the hidden state and the window to the gates, `(4 H, H + A)`.
            window_weight: from the hidden state to the window's parameters, `(3 K, H)`.
            window_bias: `(3 K)`.
            one_hot: the text, see `one_hot_text`, `(B, U + 1, A)`.
            hidden, cell: `(B, H)`; window: `(B, A)`; kappa: `(B, K)`, before the first step.
            bound: of the gradient of the gates, or None.

        `projected`, `weight` and `window_weight` have the dtype of the products, all else that of
        the states.
        """
        steps, batch, rows = projected.shape
        positions = positions_of(one_hot)
        size, columns, components = rows // 4, weight.shape[1], kappa.shape[1]
        # The hidden state and the window lie side by side: one product a step serves both.
        joint = projected.new_empty(steps + 1, batch, columns)
        cells = cell.new_empty(steps + 1, batch, size)
        gates = torch.empty_like(projected)
        exponentials = cell.new_empty(steps, batch, 3 * components)
        kappas = cell.new_empty(steps, batch, components)
        phis = cell.new_empty(steps, batch, len(positions))
        joint[0, :, :size], joint[0, :, size:], cells[0] = hidden, window, cell
        recurrent, to_window = weight.t(), window_weight.t()
        for t in range(steps):
            torch.addmm(projected[t], joint[t], recurrent, out=gates[t])
            hidden = joint[t + 1, :, :size]
            lstm_step(gates[t], cells[t], cells[t + 1], hidden)
            parameters = torch.mm(hidden, to_window) + window_bias
            torch.exp(parameters, out=exponentials[t])
            kappa, phi = window_step(exponentials[t], kappa, positions)
            kappas[t], phis[t] = kappa, phi
            joint[t + 1, :, size:] = torch.bmm(phi[:, None], one_hot)[:, 0]
        ctx.save_for_backward(
            weight, window_weight, one_hot, positions, gates, joint, cells, exponentials, kappas
        )
        ctx.bound = bound
        ctx.mark_non_differentiable(phis)
        hiddens, windows = joint[1:, :, :size].clone(), joint[1:, :, size:].clone()
        return hiddens, windows, cells[-1].clone(), kappa.clone(), phis

    @staticmethod
    def backward(
        ctx, d_hiddens: Tensor, d_windows: Tensor, d_last_cell: Tensor, d_last_kappa: Tensor, _
    ) -> Gradients:
        weight, window_weight, one_hot, positions = ctx.saved_tensors[:4]
        gates, joint, cells, exponentials, kappas = ctx.saved_tensors[4:]
        steps, size, components = len(gates), cells.shape[2], kappas.shape[2]
        d_gates = torch.empty_like(gates)
        d_parameters = torch.empty_like(exponentials)
        d_cell, d_kappa = d_last_cell.clone(), d_last_kappa.clone()
        d_joint = torch.zeros_like(joint[0])
        by_character = one_hot.transpose(1, 2)  # (B, A, U + 1)
        for start in reversed(range(0, steps, CHUNK)):
            part = slice(start, start + CHUNK)
            alpha, beta, _ = exponentials[part, ..., None].chunk(3, 2)  # (T', B, K, 1)
            offset = positions - kappas[part, ..., None]  # (T', B, K, U + 1)
            gaussians = alpha * torch.exp(-beta * offset.square())
            # What dL/dw . c_u is multiplied with in eqs 57 (alpha), 58 (beta) and 59 (kappa).
            factors = torch.cat(
                (gaussians, -beta * offset.square() * gaussians, 2.0 * beta * offset * gaussians), 2
            )  # (T', B, 3 K, U + 1)
            for t in reversed(range(start, min(start + CHUNK, steps))):
                d_window = d_joint[:, size:] + d_windows[t]
                d_phi = torch.bmm(d_window.to(one_hot.dtype)[:, None], by_character)
                d_components = torch.bmm(factors[t - start], d_phi.transpose(1, 2))[:, :, 0]
                d_kappa += d_components[:, 2 * components :]
                d_parameters[t] = d_components
                advance = exponentials[t, :, 2 * components :]
                torch.mul(d_kappa, advance, out=d_parameters[t, :, 2 * components :])  # eq. 60
                d_hidden = torch.mm(d_parameters[t].to(window_weight.dtype), window_weight)
                d_hidden += d_joint[:, :size]
                d_hidden += d_hiddens[t]
                states = cells[t], cells[t + 1], d_hidden.to(d_cell.dtype), d_cell
                lstm_step_backward(gates[t], *states, d_gates[t], ctx.bound)
                d_joint = torch.mm(d_gates[t], weight)
        d_parameters = d_parameters.flatten(0, 1)
        hiddens = joint[1:, :, :size].flatten(0, 1)
        return (
            d_gates,
            torch.mm(d_gates.flatten(0, 1).t(), joint[:-1].flatten(0, 1)),
            torch.mm(d_parameters.to(window_weight.dtype).t(), hiddens),
            d_parameters.sum(0),
            None,
            d_joint[:, :size].to(d_cell.dtype),
            d_cell,
            d_joint[:, size:].to(d_cell.dtype),
            d_kappa,
            None,
        )


class WindowedLayer(nn.Module):
    """The first hidden layer of the synthesis network with its window (the paper, eqs 46-53).

    Args:
        cell: "LSTM" or "GRU".
        input_size: numbers per step of the input.
        hidden_size: cells, H.
        vocab_size: characters of the alphabet, A.
        components: Gaussians of the window, K.
        forget_bias: starting value of the bias of an LSTM's forget gates.
        advance: characters that the window moves per step before training.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        vocab_size: int,
        components: int,
        forget_bias: float,
        advance: float,
    ) -> None:
        super().__init__()
        self.cell, self.hidden_size = cell, hidden_size
        self.vocab_size, self.components = vocab_size, components
        rows = (4 if cell == "LSTM" else 3) * hidden_size
        span = 1.0 / math.sqrt(hidden_size)
        self.weight_input = nn.Parameter(torch.empty(rows, input_size).uniform_(-span, span))
        self.weight_hidden = nn.Parameter(torch.empty(rows, hidden_size).uniform_(-span, span))
        self.weight_window = nn.Parameter(torch.empty(rows, vocab_size).uniform_(-span, span))
        self.bias = nn.Parameter(torch.zeros(rows))
        if cell == "LSTM":
            with torch.no_grad():
                self.bias[hidden_size : 2 * hidden_size] = forget_bias
        else:
            # A GRU resets the recurrent part of its candidate after its bias (torch's GRU).
            self.bias_candidate = nn.Parameter(torch.zeros(hidden_size))
        self.window = nn.Linear(hidden_size, 3 * components)
        with torch.no_grad():
            # The weights together make one, each Gaussian spans about a character, and the
            # window moves at the pace of writing, so that the attention runs along from the start.
            self.window.weight.mul_(0.1)
            alpha, beta, kappa = self.window.bias.chunk(3)
            alpha.fill_(-math.log(components))
            beta.fill_(0.0)
            kappa.fill_(math.log(advance))

    @property
    def state_sizes(self) -> dict[str, int]:
        """Names and sizes of what the layer carries from step to step."""
        sizes = {"hidden": self.hidden_size}
        if self.cell == "LSTM":
            sizes["cell"] = self.hidden_size
        return sizes | {"window": self.vocab_size, "kappa": self.components}

    def forward(
        self,
        inputs: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        state: dict[str, Tensor],
        bound: float | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Run the layer.

        Args:
            inputs: `(T, B, input_size)`.
            text: indices of the characters, `(B, U)`, padded with anything.
            text_lengths: characters of each text, `(B,)`.
            state: hidden (and cell) `(B, H)`, window `(B, A)`, kappa `(B, K)`.
            bound: to which the gradient of an LSTM's gates is clamped at every step, or None.

        Returns:
            hidden states `(T, B, H)`, windows `(T, B, A)`, phi `(T, B, U + 1)`, of which the last
            position of a text is the one after its end, and the state after the last step.
        """
        dtype = compute_dtype(inputs)
        if self.cell == "LSTM" and library.available(inputs.device, dtype):
            to_window = self.window.weight, self.window.bias
            moved = state["window"], state["kappa"]
            window = lstm.Window(self.weight_window, *to_window, *moved, text, text_lengths)
            weights = self.weight_input, self.weight_hidden, self.bias
            carried = state["hidden"], state["cell"]
            settings = lstm.Settings(dtype, bound=bound)
            results = lstm.run(settings, inputs, *weights, *carried, window)
        else:
            precise = state_dtype(dtype)
            one_hot = one_hot_text(text, text_lengths, self.vocab_size, precise)
            # One matrix product for all steps.
            projected = functional.linear(
                inputs.to(dtype), self.weight_input.to(dtype), self.bias.to(dtype)
            )  # (T, B, G)
            state = {name: value.to(precise) for name, value in state.items()}
            if self.cell == "GRU":
                return self._forward_gru(projected, one_hot, state)
            results = self._run_written_out(projected, one_hot, state, bound)
        hiddens, windows, cell, kappa, phis = results
        # Copies, as hidden states and windows may lie in a tensor that is large to be kept.
        last = {"hidden": hiddens[-1].clone(), "window": windows[-1].clone()}
        return hiddens, windows, phis, last | {"cell": cell, "kappa": kappa}

    def _run_written_out(
        self, projected: Tensor, one_hot: Tensor, state: dict[str, Tensor], bound: float | None
    ) -> lstm.Results:
        weight = torch.cat((self.weight_hidden, self.weight_window), 1).to(projected)
        parameters = self.window.weight.to(projected), self.window.bias.to(one_hot), one_hot
        carried = state["hidden"], state["cell"]
        moved = state["window"], state["kappa"]
        window = cuda.Window(*parameters, *moved)
        results = cuda.run(projected, weight, *carried, bound, window)
        if results is not None:
            return results
        with torch.autocast(projected.device.type, enabled=False):
            return _WindowedRecurrence.apply(
                projected, weight, *parameters, *carried, *moved, bound
            )

    def _forward_gru(
        self, projected: Tensor, one_hot: Tensor, state: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Run a layer of GRU cells; the backward pass is left to autograd."""
        positions = positions_of(one_hot)
        hiddens, windows, phis = [], [], []
        hidden, window, kappa = state["hidden"], state["window"], state["kappa"]
        for inputs in projected:
            inputs = inputs + functional.linear(window.to(inputs), self.weight_window)
            recurrent = functional.linear(hidden.to(inputs), self.weight_hidden)
            hidden = gru_cell(inputs, recurrent, self.bias_candidate, hidden)
            exponentials = self.window(hidden.to(inputs)).to(kappa).exp()
            kappa, phi = window_step(exponentials, kappa, positions)
            window = torch.bmm(phi[:, None], one_hot)[:, 0]
            hiddens.append(hidden)
            windows.append(window)
            phis.append(phi.detach())
        last = {"hidden": hidden, "window": window, "kappa": kappa}
        return torch.stack(hiddens), torch.stack(windows), torch.stack(phis), last
