"""Recurrent layers: the paper's LSTM, and the layer that reads a text through a window.

Only the windowed layer is tied to the window step by step. An LSTM's backward pass is written out,
keeps only what it needs, and gathers the gradients of the weights over time into one product each.
Where a C compiler is found, all of it runs on a CPU in the compiled kernels of
`model.layers.kernels` (see `model.layers.kernels.build` for how to turn them off); elsewhere the
input's share of the gates is one matrix product for all steps, and the loop over the rest is in
torch operations, as is everything in float64. On CUDA that loop is replayed from graphs (see
`model.layers.kernels.cuda`, and for how to turn them off).

The LSTM has no peephole connections (the paper's, eqs 7-11, has diagonal ones), so that fused
kernels compute the same function.

Shapes: B sequences of a batch, T steps, U characters, A letters of the alphabet, H cells,
K components of the window, G the rows of the gates (4 H in an LSTM, 3 H in a GRU).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.kernels import cuda, lstm

Gradients = tuple[Tensor | None, ...]

OWN_ORDER = (0, 1, 2, 3)
"""Where the rows of the gates have those of input, forget, output and candidate,"""

TORCH_ORDER = (0, 1, 3, 2)
"""and where torch's LSTM has them."""

INPUT_WEIGHTS = ("weight_input", "weight_ih_l0")
"""What the weights for a layer's input are called, in the layers here and in torch's."""


class _ClipGradient(torch.autograd.Function):
    """The identity, whose gradient is clamped to [-bound, bound]."""

    @staticmethod
    def forward(ctx, value: Tensor, bound: float) -> Tensor:
        ctx.bound = bound
        return value.view_as(value)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Gradients:
        return gradient.clamp(-ctx.bound, ctx.bound), None


def clip_gradient(value: Tensor, bound: float | None) -> Tensor:
    """Return `value`; the gradient that comes back through it is clamped to +-`bound`."""
    return value if bound is None else _ClipGradient.apply(value, bound)


def compute_dtype(tensor: Tensor) -> torch.dtype:
    """Return the dtype that matrix products have here: autocast's, or that of `tensor`."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def state_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of cell states and windows: float32, or float64 if `dtype` is that."""
    return torch.promote_types(dtype, torch.float32)


def _lstm_step(gates: Tensor, cell: Tensor, next_cell: Tensor, hidden: Tensor) -> None:
    """One step of an LSTM (the paper, eqs 7-11 without peepholes), in place.

    Args:
        gates: `(B, 4 H)` before the squashing functions, in the order input, forget, output,
            candidate; afterwards the squashed values.
        cell: `(B, H)` before the step; `next_cell` and `hidden`, `(B, H)`, receive the results.
    """
    size = cell.shape[1]
    gates[:, : 3 * size].sigmoid_()
    gates[:, 3 * size :].tanh_()
    entry, forget, exit_, candidate = gates.chunk(4, 1)
    torch.mul(forget, cell, out=next_cell)
    next_cell.addcmul_(entry, candidate)
    torch.mul(exit_, next_cell.tanh(), out=hidden)


def _lstm_step_backward(
    gates: Tensor, cell: Tensor, next_cell: Tensor, d_hidden: Tensor, d_cell: Tensor, out: Tensor
) -> None:
    """Backward of `_lstm_step`.

    Args:
        gates: squashed gates, `(B, 4 H)`; `cell` and `next_cell` before and after the step.
        d_hidden: gradient of the hidden state, `(B, H)`.
        d_cell: gradient of the next cell state, `(B, H)`; afterwards that of `cell`.
        out: `(B, 4 H)`, receives the gradient before the squashing functions.
    """
    size = cell.shape[1]
    entry, forget, exit_, candidate = gates.chunk(4, 1)
    squashed = next_cell.tanh()
    d_cell.addcmul_(d_hidden * exit_, 1.0 - squashed.square())
    torch.mul(d_cell, candidate, out=out[:, :size])
    torch.mul(d_cell, cell, out=out[:, size : 2 * size])
    torch.mul(d_hidden, squashed, out=out[:, 2 * size : 3 * size])
    torch.mul(d_cell, entry, out=out[:, 3 * size :])
    logistic = gates[:, : 3 * size]
    out[:, : 3 * size].mul_(logistic).mul_(1.0 - logistic)
    out[:, 3 * size :].mul_(1.0 - candidate.square())
    d_cell.mul_(forget)


class _LSTMRecurrence(torch.autograd.Function):
    """An LSTM over a whole sequence, with the gradient of its gates clamped step by step."""

    @staticmethod
    def forward(
        ctx, shares: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor, bound: float | None
    ) -> tuple[Tensor, Tensor]:
        """Return all hidden states `(T, B, H)` and the last cell state `(B, H)`.

        Args:
            shares: the input's share of the gates with the bias, `(T, B, 4 H)`.
            weight: from the hidden state to the gates, `(4 H, H)`, of the dtype of `shares`.
            hidden, cell: `(B, H)` before the first step.
            bound: of the gradient of the gates, or None.
        """
        steps, batch, rows = shares.shape
        hiddens = shares.new_empty(steps + 1, batch, rows // 4)
        cells = cell.new_empty(steps + 1, batch, rows // 4)
        gates = torch.empty_like(shares)
        hiddens[0], cells[0] = hidden, cell
        recurrent = weight.t()
        for t in range(steps):
            torch.addmm(shares[t], hiddens[t], recurrent, out=gates[t])
            _lstm_step(gates[t], cells[t], cells[t + 1], hiddens[t + 1])
        ctx.save_for_backward(weight, gates, hiddens, cells)
        ctx.bound = bound
        return hiddens[1:], cells[-1].clone()

    @staticmethod
    def backward(ctx, d_hiddens: Tensor, d_last_cell: Tensor) -> Gradients:
        weight, gates, hiddens, cells = ctx.saved_tensors
        d_shares = torch.empty_like(gates)
        d_cell = d_last_cell.clone()
        d_hidden = torch.zeros_like(d_cell)
        for t in reversed(range(len(gates))):
            _lstm_step_backward(
                gates[t], cells[t], cells[t + 1], d_hidden + d_hiddens[t], d_cell, d_shares[t]
            )
            if ctx.bound is not None:
                d_shares[t].clamp_(-ctx.bound, ctx.bound)
            d_hidden = torch.mm(d_shares[t], weight)
        d_weight = torch.mm(d_shares.flatten(0, 1).t(), hiddens[:-1].flatten(0, 1))
        return d_shares, d_weight, d_hidden, d_cell, None


def _window_step(exponentials: Tensor, kappa: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
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
    bells = torch.exp(-beta[:, :, None] * distance)
    return kappa, torch.bmm(alpha[:, None], bells)[:, 0]


class _WindowedRecurrence(torch.autograd.Function):
    """An LSTM layer and its window over the text, run over a whole sequence.

    Forward: the paper, eqs 46-53. Backward: eqs 56-60.
    """

    CHUNK = 32
    """Steps whose bells are recomputed together in the backward pass (assumed: few calls, and
    little memory)."""

    @staticmethod
    def forward(
        ctx,
        shares: Tensor,
        weight: Tensor,
        window_weight: Tensor,
        window_bias: Tensor,
        letters: Tensor,
        hidden: Tensor,
        cell: Tensor,
        window: Tensor,
        kappa: Tensor,
        bound: float | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return hidden states `(T, B, H)`, windows `(T, B, A)`, the last cell state `(B, H)`,
        the last kappa `(B, K)` and phi `(T, B, U + 1)` (for looking at; it has no gradient).

        Args:
            shares: the input's share of the gates with the bias, `(T, B, 4 H)`.
            weight: from the hidden state and the window to the gates, `(4 H, H + A)`.
            window_weight: from the hidden state to the window's parameters, `(3 K, H)`.
            window_bias: `(3 K)`.
            letters: the text one-hot, zero behind its end, `(B, U + 1, A)`.
            hidden, cell: `(B, H)`; window: `(B, A)`; kappa: `(B, K)`, before the first step.
            bound: of the gradient of the gates, or None.

        `shares`, `weight` and `window_weight` have the dtype of the products, all else that of
        the states.
        """
        steps, batch, rows = shares.shape
        size, columns, components = rows // 4, weight.shape[1], kappa.shape[1]
        # The hidden state and the window lie side by side: one product a step serves both.
        joint = shares.new_empty(steps + 1, batch, columns)
        cells = cell.new_empty(steps + 1, batch, size)
        gates = torch.empty_like(shares)
        exponentials = cell.new_empty(steps, batch, 3 * components)
        kappas = cell.new_empty(steps, batch, components)
        phis = cell.new_empty(steps, batch, letters.shape[1])
        joint[0, :, :size], joint[0, :, size:], cells[0] = hidden, window, cell
        positions = torch.arange(1, letters.shape[1] + 1, device=shares.device, dtype=cell.dtype)
        recurrent, to_window = weight.t(), window_weight.t()
        for t in range(steps):
            torch.addmm(shares[t], joint[t], recurrent, out=gates[t])
            hidden = joint[t + 1, :, :size]
            _lstm_step(gates[t], cells[t], cells[t + 1], hidden)
            parameters = torch.mm(hidden, to_window) + window_bias
            torch.exp(parameters, out=exponentials[t])
            kappa, phi = _window_step(exponentials[t], kappa, positions)
            kappas[t], phis[t] = kappa, phi
            joint[t + 1, :, size:] = torch.bmm(phi[:, None], letters)[:, 0]
        ctx.save_for_backward(
            weight, window_weight, letters, positions, gates, joint, cells, exponentials, kappas
        )
        ctx.bound = bound
        ctx.mark_non_differentiable(phis)
        hiddens, windows = joint[1:, :, :size].clone(), joint[1:, :, size:].clone()
        return hiddens, windows, cells[-1].clone(), kappa.clone(), phis

    @staticmethod
    def backward(
        ctx, d_hiddens: Tensor, d_windows: Tensor, d_last_cell: Tensor, d_last_kappa: Tensor, _
    ) -> Gradients:
        weight, window_weight, letters, positions = ctx.saved_tensors[:4]
        gates, joint, cells, exponentials, kappas = ctx.saved_tensors[4:]
        steps, size, components = len(gates), cells.shape[2], kappas.shape[2]
        d_shares = torch.empty_like(gates)
        d_parameters = torch.empty_like(exponentials)
        d_cell, d_kappa = d_last_cell.clone(), d_last_kappa.clone()
        d_joint = torch.zeros_like(joint[0])
        by_letter = letters.transpose(1, 2)  # (B, A, U + 1)
        chunk = _WindowedRecurrence.CHUNK
        for start in reversed(range(0, steps, chunk)):
            part = slice(start, start + chunk)
            alpha, beta, _ = exponentials[part, ..., None].chunk(3, 2)  # (T', B, K, 1)
            offset = positions - kappas[part, ..., None]  # (T', B, K, U + 1)
            share = alpha * torch.exp(-beta * offset.square())
            # What dL/dw . c_u is multiplied with in eqs 57 (alpha), 58 (beta) and 59 (kappa).
            factors = torch.cat(
                (share, -beta * offset.square() * share, 2.0 * beta * offset * share), 2
            )  # (T', B, 3 K, U + 1)
            for t in reversed(range(start, min(start + chunk, steps))):
                d_window = d_joint[:, size:] + d_windows[t]
                d_letters = torch.bmm(d_window.to(letters.dtype)[:, None], by_letter)
                d_bells = torch.bmm(factors[t - start], d_letters.transpose(1, 2))[:, :, 0]
                d_kappa += d_bells[:, 2 * components :]
                d_parameters[t] = d_bells
                torch.mul(
                    d_kappa,
                    exponentials[t, :, 2 * components :],
                    out=d_parameters[t, :, 2 * components :],
                )  # eq. 60
                d_hidden = torch.mm(d_parameters[t].to(window_weight.dtype), window_weight)
                d_hidden += d_joint[:, :size]
                d_hidden += d_hiddens[t]
                _lstm_step_backward(
                    gates[t], cells[t], cells[t + 1], d_hidden.to(d_cell.dtype), d_cell, d_shares[t]
                )
                if ctx.bound is not None:
                    d_shares[t].clamp_(-ctx.bound, ctx.bound)
                d_joint = torch.mm(d_shares[t], weight)
        flat_parameters = d_parameters.flatten(0, 1)
        return (
            d_shares,
            torch.mm(d_shares.flatten(0, 1).t(), joint[:-1].flatten(0, 1)),
            torch.mm(
                flat_parameters.to(window_weight.dtype).t(), joint[1:, :, :size].flatten(0, 1)
            ),
            flat_parameters.sum(0),
            None,
            d_joint[:, :size].to(d_cell.dtype),
            d_cell,
            d_joint[:, size:].to(d_cell.dtype),
            d_kappa,
            None,
        )


class RecurrentLayer(nn.Module):
    """A layer of LSTM or GRU cells over padded sequences, by the fastest kernels there are.

    Args:
        cell: "LSTM" or "GRU".
        input_size: numbers per step that come in.
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
        if self.cell == "LSTM" and lstm.available(inputs.device, dtype):
            return self._forward_compiled(inputs, state, dtype, bound)
        # Measured on 2 cores, 3 layers of 400, training in bfloat16: the written-out loop 9,100
        # points per second, torch's kernel, which autocast does not fuse there, 6,900.
        unfused = inputs.device.type == "cpu" and dtype == torch.bfloat16
        if self.cell == "LSTM" and (bound is not None or unfused):
            return self._forward_written_out(inputs.to(dtype), state, bound)
        carried = tuple(state[name][None].to(dtype) for name in self.state_sizes)
        if self.cell == "GRU":
            hiddens, last = self.layer(inputs.to(dtype), carried[0])
            return hiddens, {"hidden": last[0]}
        hiddens, (hidden, cell) = self.layer(inputs.to(dtype), carried)
        return hiddens, {"hidden": hidden[0], "cell": cell[0]}

    def _forward_compiled(
        self,
        inputs: Tensor,
        state: dict[str, Tensor],
        dtype: torch.dtype,
        bound: float | None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        layer = self.layer
        hiddens, _, cell, _, _ = lstm.run(
            lstm.Settings(dtype, TORCH_ORDER, bound),
            inputs,
            layer.weight_ih_l0,
            layer.weight_hh_l0,
            layer.bias_ih_l0 + layer.bias_hh_l0,
            state["hidden"],
            state["cell"],
        )
        # A copy, as the hidden states lie in a tensor that is large to be kept.
        return hiddens, {"hidden": hiddens[-1].clone(), "cell": cell}

    def _forward_written_out(
        self, inputs: Tensor, state: dict[str, Tensor], bound: float | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        order = _lstm_order(self.hidden_size, inputs.device)
        weights, layer = inputs.dtype, self.layer
        bias = (layer.bias_ih_l0 + layer.bias_hh_l0)[order]
        shares = functional.linear(inputs, layer.weight_ih_l0[order].to(weights), bias.to(weights))
        arguments = (
            shares,
            layer.weight_hh_l0[order].to(weights),
            state["hidden"],
            state["cell"].to(state_dtype(weights)),
            bound,
        )
        replayed = cuda.run(*arguments)
        if replayed is not None:
            hiddens, _, cell, _, _ = replayed
            # A copy, as the hidden states lie in a tensor that is large to be kept.
            return hiddens, {"hidden": hiddens[-1].clone(), "cell": cell}
        hiddens, cell = _LSTMRecurrence.apply(*arguments)
        return hiddens, {"hidden": hiddens[-1], "cell": cell}


def _lstm_order(size: int, device: torch.device) -> Tensor:
    """Rows of torch's gates (input, forget, candidate, output) in the order of `_lstm_step`."""
    rows = torch.arange(4 * size, device=device).view(4, size)
    return rows[list(TORCH_ORDER)].flatten()


class WindowedLayer(nn.Module):
    """The first hidden layer of the synthesis network with its window (the paper, eqs 46-53).

    Args:
        cell: "LSTM" or "GRU".
        input_size: numbers per step that come in.
        hidden_size: cells, H.
        letters: characters of the alphabet, A.
        components: Gaussians of the window, K.
        forget_bias: starting value of the bias of an LSTM's forget gates.
        advance: characters that the window moves per step before training.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        letters: int,
        components: int,
        forget_bias: float,
        advance: float,
    ) -> None:
        super().__init__()
        self.cell, self.hidden_size = cell, hidden_size
        self.letters, self.components = letters, components
        rows = (4 if cell == "LSTM" else 3) * hidden_size
        span = 1.0 / math.sqrt(hidden_size)
        self.weight_input = nn.Parameter(torch.empty(rows, input_size).uniform_(-span, span))
        self.weight_hidden = nn.Parameter(torch.empty(rows, hidden_size).uniform_(-span, span))
        self.weight_window = nn.Parameter(torch.empty(rows, letters).uniform_(-span, span))
        self.bias = nn.Parameter(torch.zeros(rows))
        if cell == "LSTM":
            with torch.no_grad():
                self.bias[hidden_size : 2 * hidden_size] = forget_bias
        else:
            # A GRU resets the recurrent share of its candidate after its bias (torch's GRU).
            self.bias_candidate = nn.Parameter(torch.zeros(hidden_size))
        self.window = nn.Linear(hidden_size, 3 * components)
        with torch.no_grad():
            # The weights together make one, each bell spans about a character, and the window
            # moves at the pace of writing, so that the attention runs along from the start.
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
        return sizes | {"window": self.letters, "kappa": self.components}

    def forward(
        self,
        inputs: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        state: dict[str, Tensor],
        bound: float | None = None,
        plain: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Run the layer.

        Args:
            inputs: `(T, B, input_size)`.
            text: indices of the characters, `(B, U)`, padded with anything.
            text_lengths: characters of each text, `(B,)`.
            state: hidden (and cell) `(B, H)`, window `(B, A)`, kappa `(B, K)`.
            bound: to which the gradient of an LSTM's gates is clamped at every step, or None.
            plain: leave the backward pass to autograd, the reference for the written-out one.
                A GRU always does.

        Returns:
            hidden states `(T, B, H)`, windows `(T, B, A)`, phi `(T, B, U + 1)`, of which the last
            position of a text is the one behind its end, and the state after the last step.
        """
        dtype = compute_dtype(inputs)
        if self.cell == "LSTM" and not plain and lstm.available(inputs.device, dtype):
            return self._forward_compiled(inputs, text, text_lengths, state, dtype, bound)
        precise = state_dtype(dtype)
        letters = functional.one_hot(functional.pad(text, (0, 1)), self.letters)
        positions = torch.arange(letters.shape[1], device=text.device)
        inside = positions < text_lengths[:, None]
        letters = (letters * inside[..., None]).to(precise)  # (B, U + 1, A)
        # One matrix product for all steps.
        shares = functional.linear(
            inputs.to(dtype), self.weight_input.to(dtype), self.bias.to(dtype)
        )  # (T, B, G)
        state = {name: value.to(precise) for name, value in state.items()}
        if plain or self.cell == "GRU":
            return self._forward_plain(shares, letters, state, bound)
        weight = torch.cat((self.weight_hidden, self.weight_window), 1).to(dtype)
        parameters = self.window.weight.to(dtype), self.window.bias.to(precise), letters
        carried = state["hidden"], state["cell"]
        moved = state["window"], state["kappa"]
        results = cuda.run(shares, weight, *carried, bound, cuda.Window(*parameters, *moved))
        if results is None:
            with torch.autocast(inputs.device.type, enabled=False):
                results = _WindowedRecurrence.apply(
                    shares, weight, *parameters, *carried, *moved, bound
                )
        hiddens, windows, cell, kappa, phis = results
        # Copies, as hidden states and windows may lie in a tensor that is large to be kept.
        last = {"hidden": hiddens[-1].clone(), "window": windows[-1].clone()}
        return hiddens, windows, phis, last | {"cell": cell, "kappa": kappa}

    def _forward_compiled(
        self,
        inputs: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        state: dict[str, Tensor],
        dtype: torch.dtype,
        bound: float | None,
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        hiddens, windows, cell, kappa, phis = lstm.run(
            lstm.Settings(dtype, OWN_ORDER, bound),
            inputs,
            self.weight_input,
            self.weight_hidden,
            self.bias,
            state["hidden"],
            state["cell"],
            lstm.Window(
                self.weight_window,
                self.window.weight,
                self.window.bias,
                state["window"],
                state["kappa"],
                text,
                text_lengths,
            ),
        )
        # Copies, as hidden states and windows lie in a tensor that is large to be kept.
        last = {"hidden": hiddens[-1].clone(), "window": windows[-1].clone()}
        return hiddens, windows, phis, last | {"cell": cell, "kappa": kappa}

    def _forward_plain(
        self, shares: Tensor, letters: Tensor, state: dict[str, Tensor], bound: float | None
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        positions = torch.arange(1, letters.shape[1] + 1, device=shares.device).to(letters)
        hiddens, windows, phis = [], [], []
        hidden, window, kappa = state["hidden"], state["window"], state["kappa"]
        cell = state.get("cell")
        for share in shares:
            share = share + functional.linear(window.to(share), self.weight_window)
            recurrent = functional.linear(hidden.to(share), self.weight_hidden)
            if cell is None:
                hidden = self._gru_step(share, recurrent, hidden)
            else:
                gates = clip_gradient(share + recurrent, bound).to(cell)
                entry, forget, exit_, candidate = gates.chunk(4, 1)
                cell = forget.sigmoid() * cell + entry.sigmoid() * candidate.tanh()
                hidden = exit_.sigmoid() * cell.tanh()
            exponentials = self.window(hidden.to(share)).to(kappa).exp()
            kappa, phi = _window_step(exponentials, kappa, positions)
            window = torch.bmm(phi[:, None], letters)[:, 0]
            hiddens.append(hidden)
            windows.append(window)
            phis.append(phi.detach())
        last = {"hidden": hidden, "window": window, "kappa": kappa}
        if cell is not None:
            last["cell"] = cell
        return torch.stack(hiddens), torch.stack(windows), torch.stack(phis), last

    def _gru_step(self, share: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
        """One step of torch's GRU; the gates are reset, update and candidate."""
        reset, update = (
            (share + recurrent)[:, : 2 * self.hidden_size].to(hidden).sigmoid().chunk(2, 1)
        )
        candidate = recurrent[:, 2 * self.hidden_size :] + self.bias_candidate
        candidate = (share[:, 2 * self.hidden_size :] + reset * candidate).to(hidden).tanh()
        return candidate + update * (hidden - candidate)
