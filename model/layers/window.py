"""The first hidden layer of the synthesis network, and its window over the text.

The reference is `WindowedLayer._loop`, which autograd differentiates. The loop runs where no kernel
runs (always with GRU cells, and in float64 on a CPU). The kernels compute the loop's gradient by
eqs 56-60: kernels/lstm.c on a CPU with a C compiler, kernels/loop.py and kernels/fused.py on CUDA.
benchmarks/reference.py is the paper's network in one file.

Shapes: B sequences of a batch, T steps, U characters of a text, A characters of the alphabet,
H cells, K components of the window, G rows of the gates (4 H in an LSTM, 3 H in a GRU).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.cells import (
    clip_gradient,
    compute_dtype,
    gru_cell,
    lstm_cell,
    sequence_biases,
    state_dtype,
    torch_products,
)
from model.layers.kernels import cuda, library, lstm
from model.layers.recurrent import FORGET_BIAS


def one_hot_text(text: Tensor, text_lengths: Tensor, vocab_size: int, dtype: torch.dtype) -> Tensor:
    """Return one-hot vectors of texts `(B, U)`, zero after each text's end, `(B, U + 1, A)`."""
    one_hot = functional.one_hot(functional.pad(text, (0, 1)), vocab_size)
    inside = torch.arange(one_hot.shape[1], device=text.device) < text_lengths[:, None]
    return (one_hot * inside[..., None]).to(dtype)


def gaussian_window(alpha: Tensor, beta: Tensor, kappa: Tensor, positions: Tensor) -> Tensor:
    """Return phi `(B, U + 1)` at `positions` `(U + 1)` for parameters `(B, K)` (paper, eq. 46)."""
    distance = (kappa[:, :, None] - positions).square()  # (B, K, U + 1)
    gaussians = torch.exp(-beta[:, :, None] * distance)
    return torch.bmm(alpha[:, None], gaussians)[:, 0]


class WindowedLayer(nn.Module):
    """The first hidden layer of the synthesis network with its window (the paper, eqs 46-53).

    Args:
        cell, input_size, hidden_size: see `RecurrentLayer`.
        vocab_size: number of characters of the alphabet, A.
        components: number of Gaussians of the window, K.
        advance: number of characters by which the window moves per step before training.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        vocab_size: int,
        components: int,
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
                self.bias[hidden_size : 2 * hidden_size] = FORGET_BIAS
        else:
            # The reset gate multiplies the candidate's recurrent part and this bias.
            self.bias_candidate = nn.Parameter(torch.zeros(hidden_size))
        self.window = nn.Linear(hidden_size, 3 * components)
        with torch.no_grad():
            # Alphas add up to 1, each Gaussian spans about a character, and the window moves at the
            # pace of writing. So attention follows the text from the start of training.
            self.window.weight.mul_(0.1)
            alpha, beta, log_advance = self.window.bias.chunk(3)
            alpha.fill_(-math.log(components))
            beta.fill_(0.0)
            log_advance.fill_(math.log(advance))

    @property
    def state_sizes(self) -> dict[str, int]:
        """The sizes of the layer's states by name."""
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
        gate_offsets: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Run the layer.

        Args:
            inputs: `(T, B, input_size)`.
            text: indices of the characters, `(B, U)`, padded with any indices.
            text_lengths: number of characters of each text, `(B,)`.
            state: hidden state and an LSTM's cell state, `(B, H)`; window `(B, A)`; kappa `(B, K)`.
            bound, gate_offsets: see `RecurrentLayer`.

        Returns:
            hidden states, `(T, B, H)`; windows, `(T, B, A)`; phi, `(T, B, U + 1)`, whose last
            position is after the longest text's end; and the state after the last step.
        """
        dtype = compute_dtype(inputs)
        if self.cell == "LSTM" and library.available(inputs.device, dtype):
            biases = sequence_biases(self.bias, gate_offsets, inputs.shape[1])
            weights = self.weight_input, self.weight_hidden, biases
            parameters = self.weight_window, self.window.weight, self.window.bias
            results = lstm.run(
                dtype,
                bound,
                inputs,
                weights,
                (state["hidden"], state["cell"]),
                (text, text_lengths),
                (*parameters, state["window"], state["kappa"]),
            )
        else:
            precise_dtype = state_dtype(dtype)
            one_hot = one_hot_text(text, text_lengths, self.vocab_size, precise_dtype)
            state = {name: value.to(precise_dtype) for name, value in state.items()}
            with torch_products(inputs) as inputs:
                # One matrix product for all steps.
                projected = functional.linear(inputs, self.weight_input, self.bias)  # (T, B, G)
                if gate_offsets is not None:
                    projected = projected + gate_offsets.to(projected)
                results = self._replay(projected, one_hot, state, bound)
                if results is None:
                    return self._loop(projected, one_hot, state, bound)
        hiddens, windows, cell, kappa, phis = results
        # Copies, so that the state does not keep the large tensor of all steps alive.
        last = {"hidden": hiddens[-1].clone(), "window": windows[-1].clone()}
        return hiddens, windows, phis, last | {"cell": cell, "kappa": kappa}

    def _replay(
        self, projected: Tensor, one_hot: Tensor, state: dict[str, Tensor], bound: float | None
    ) -> library.Results | None:
        """Run the layer by `cuda.run`; return None where CUDA graphs cannot run."""
        if self.cell == "GRU":
            return None
        weight = torch.cat((self.weight_hidden, self.weight_window), 1).to(projected)
        parameters = self.window.weight.to(projected), self.window.bias.to(one_hot), one_hot
        window = cuda.Window(*parameters, state["window"], state["kappa"])
        return cuda.run(projected, weight, state["hidden"], state["cell"], bound, window)

    def _loop(
        self, projected: Tensor, one_hot: Tensor, state: dict[str, Tensor], bound: float | None
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Run the layer step by step, as the reference; return the results of `forward`.

        `projected` `(T, B, G)` is the inputs' part of the gates, with the bias. For `one_hot`
        `(B, U + 1, A)` see `one_hot_text`.
        """
        positions = torch.arange(1, one_hot.shape[1] + 1, device=one_hot.device).to(one_hot)
        outputs = []
        hidden, window, kappa = state["hidden"], state["window"], state["kappa"]
        cell = state.get("cell")
        for inputs in projected:
            inputs = inputs + functional.linear(window.to(inputs), self.weight_window)
            recurrent = functional.linear(hidden.to(inputs), self.weight_hidden)
            if self.cell == "LSTM":
                hidden, cell = lstm_cell(clip_gradient(inputs + recurrent, bound), cell)
            else:
                hidden = gru_cell(inputs, recurrent, self.bias_candidate, hidden)
            exponentials = self.window(hidden.to(inputs)).to(kappa).exp()  # eqs 48-51
            alpha, beta, advance = exponentials.chunk(3, 1)  # (B, K)
            kappa = kappa + advance  # eq. 51
            phi = gaussian_window(alpha, beta, kappa, positions)  # eq. 46
            window = torch.bmm(phi[:, None], one_hot)[:, 0]  # eq. 47
            outputs.append((hidden, window, phi.detach()))
        last = {"hidden": hidden, "cell": cell, "window": window, "kappa": kappa}
        last = {name: last[name] for name in self.state_sizes}
        hiddens, windows, phis = map(torch.stack, zip(*outputs, strict=True))
        return hiddens, windows, phis, last
