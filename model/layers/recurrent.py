"""Recurrent layers over whole sequences, by the fastest kernels available.

`RecurrentLayer` has LSTM or GRU cells; `WindowedLayer` has a window over a text, too, and is the
lowest layer of the synthesis network. The reference for every kernel is a loop of `lstm_cell` or
`gru_cell`, which autograd differentiates: `run_lstm`, and `WindowedLayer._loop`. The kernels are in
kernels/lstm.c on a CPU with a C compiler (never in float64), and in kernels/loop.py and
kernels/fused.py on CUDA. A plain layer (without a bound on the gates' gradient, without offsets of
the gates) that has no kernel is torch's own. The kernels compute the gradient of a window by eqs
56-60. benchmarks/reference.py is the paper's network in one file.

The LSTM has no peephole connections (unlike the paper's eqs 7-11), like torch's fused kernels.

Shapes: B sequences of a batch, T steps, U characters of a text, A characters of the alphabet,
H cells, K components of the window, G rows of the gates (4 H in an LSTM, 3 H in a GRU).
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.kernels import cuda, library, lstm

FORGET_BIAS = 1.0
"""Initial bias of an LSTM's forget gates (Jozefowicz et al. 2015)."""


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
    clipped = value.view_as(value)  # The hook is on the view: other uses of `value` are unclipped.
    clipped.register_hook(lambda gradient: gradient.clamp(-bound, bound))
    return clipped


def sequence_biases(bias: Tensor, offsets: Tensor | None, batch: int) -> Tensor:
    """Return the bias of each sequence, `(B, G)`: `bias` `(G)` plus `offsets` `(B, G)`, if any."""
    return bias.expand(batch, -1) if offsets is None else bias + offsets


def reorder_gates(rows: Tensor) -> Tensor:
    """Return the rows of an LSTM's gates in the order of `lstm_cell`, from torch's order.

    torch has input gate, forget gate, candidate and output gate. All else here has the candidate
    last, since one call then takes the sigmoid of the three gates. Two places keep torch's order,
    as sums over the gates would be rounded differently in another: checkpoints of torch's layers,
    and the kernels of bidirectional.c.
    """
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
    candidate = gates[:, 3 * size :].tanh()
    cell = torch.addcmul(forget_gate * cell, input_gate, candidate)
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
    hiddens = []
    hidden = hidden.to(projected)
    for inputs in projected:
        gates = clip_gradient(torch.addmm(inputs, hidden, weight.t()), bound)
        hidden, cell = lstm_cell(gates, cell)
        hiddens.append(hidden)
    return torch.stack(hiddens), cell


def four_gates(
    hidden: Tensor, incoming: Tensor, bias: Tensor, candidate_bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return a layer's gates as the steps of sampling.c need them, always four.

    A GRU's rows are reset gate, update gate, and the candidate twice, from the inputs and from the
    hidden state, as the reset gate multiplies the latter alone.

    Args:
        hidden: weights from the hidden state, `(G, H)`; an LSTM's rows as in `lstm_cell`.
        incoming: weights from all other inputs, `(G, I)`.
        bias: `(G,)`.
        candidate_bias: bias of a GRU's candidate from the hidden state, `(H,)`; None for an LSTM.

    Returns:
        weights `(4 H, H + I)`, hidden state first, and bias `(4 H,)`.
    """
    if candidate_bias is not None:
        size = len(candidate_bias)
        both_gates, candidate = hidden.split((2 * size, size))
        hidden = torch.cat((both_gates, torch.zeros_like(candidate), candidate))
        incoming = functional.pad(incoming, (0, 0, 0, size))
        bias = torch.cat((bias, candidate_bias))
    return torch.cat((hidden, incoming), 1), bias


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

    def step_gates(self, num_values: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the weights and the bias of the gates for the loop of sampling.c.

        Args:
            num_values: numbers of the point and of the window among the layer's inputs, which stand
                before the hidden state of the layer below.

        Returns:
            See `four_gates`; the columns are for the hidden state, the hidden state of the layer
            below, the window, and the point.
        """
        layer = self.layer
        num_point, num_window = num_values
        point, window, below = layer.weight_ih_l0.tensor_split(
            (num_point, num_point + num_window), 1
        )
        incoming = torch.cat((below, window, point), 1)
        hidden = layer.weight_hh_l0
        if self.cell == "LSTM":
            bias = reorder_gates(layer.bias_ih_l0 + layer.bias_hh_l0)
            return four_gates(reorder_gates(hidden), reorder_gates(incoming), bias)
        size = self.hidden_size
        gates_bias, candidate_bias = layer.bias_hh_l0.split((2 * size, size))
        bias = layer.bias_ih_l0 + functional.pad(gates_bias, (0, size))
        return four_gates(hidden, incoming, bias, candidate_bias)

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
        dtype = compute_dtype(inputs)
        layer = self.layer
        is_lstm = self.cell == "LSTM"
        is_compiled = is_lstm and library.available(inputs.device, dtype)
        # torch's layer knows neither bound nor offsets. Both are for an LSTM alone.
        is_beyond_torch = is_lstm and not (bound is None and gate_offsets is None)
        if not (is_compiled or is_beyond_torch):
            with torch_products(inputs) as inputs:
                return self._run_torch(inputs, state)
        parameters = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0)
        weight_input, weight_hidden, bias = map(reorder_gates, parameters)
        hidden = state["hidden"]
        cell = state["cell"]
        if is_compiled:
            biases = sequence_biases(bias, gate_offsets, inputs.shape[1])
            weights = (weight_input, weight_hidden, biases)
            states = (hidden, cell)
            results = lstm.run(dtype, bound, inputs, weights, states)
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
            hiddens, _, cell, *_ = results  # there is no window
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
        self.cell = cell
        self.hidden_size = hidden_size
        self.vocab_size = vocab_size
        self.components = components
        rows = (4 if cell == "LSTM" else 3) * hidden_size
        span = 1.0 / math.sqrt(hidden_size)  # as in torch's layers
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
            self.window.weight.mul_(0.1)  # so that the biases determine the parameters (assumed)
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

    def step_gates(self, num_values: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the weights and the bias of the gates for the loop of sampling.c, see
        `RecurrentLayer`; there is no layer below."""
        incoming = torch.cat((self.weight_window, self.weight_input), 1)
        candidate_bias = None if self.cell == "LSTM" else self.bias_candidate
        return four_gates(self.weight_hidden, incoming, self.bias, candidate_bias)

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
            results = lstm.run(
                dtype,
                bound,
                inputs,
                weights=(self.weight_input, self.weight_hidden, biases),
                state=(state["hidden"], state["cell"]),
                text=(text, text_lengths),
                window=(
                    self.weight_window,
                    self.window.weight,
                    self.window.bias,
                    state["window"],
                    state["kappa"],
                ),
            )
        else:
            precise_dtype = state_dtype(dtype)
            one_hot = one_hot_text(text, text_lengths, self.vocab_size, precise_dtype)
            precise = {name: value.to(precise_dtype) for name, value in state.items()}
            with torch_products(inputs) as inputs:
                # One matrix product for all steps.
                projected = functional.linear(inputs, self.weight_input, self.bias)  # (T, B, G)
                if gate_offsets is not None:
                    projected = projected + gate_offsets.to(projected)
                results = self._replay(projected, one_hot, precise, bound)
                if results is None:
                    return self._loop(projected, one_hot, precise, bound)
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
        hidden = state["hidden"]
        window = state["window"]
        kappa = state["kappa"]
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
        last = {"hidden": hidden, "window": window, "kappa": kappa}
        if self.cell == "LSTM":
            last["cell"] = cell
        hiddens, windows, phis = map(torch.stack, zip(*outputs, strict=True))
        return hiddens, windows, phis, last
