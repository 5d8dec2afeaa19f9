"""The steps of an LSTM layer, with or without a window, on buffers that are allocated once.

`Loop` has the buffers for a chunk of steps, and the functions that compute the steps forward and
backward. The functions allocate nothing, and do the same whatever the buffers contain. So `cuda`
can capture the functions as graphs. `TorchSteps` computes the element-wise parts by some forty
operations of torch; the four Triton kernels of `fused` can replace these operations.

Shapes: B sequences of a batch, S steps of a chunk, U characters, P positions of the text (U + 1,
rounded up to a multiple of PLACES_BLOCK), A characters of the alphabet, H cells, K components of
the window, J columns of the joint: the hidden state, the window, and zeros up to a multiple of
ALIGNED. `d_` before a name means the gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from model.layers.kernels.library import round_up

CHUNK_STEPS = 32
"""Number of steps of a graph, S: more would waste steps at the end of sequences, fewer would need
more replays (measured, notebook: speed, CUDA graphs)."""
PLACES_BLOCK = 16
"""Positions are padded to a multiple of this number, so that few graphs suffice (assumed)."""
ALIGNED = 8
"""Rows of matrices are padded to a multiple of this number of elements, in bfloat16 the 16 bytes
that tensor cores need."""


@dataclass
class Window:
    """A layer's window over a text; see `cuda.run`.

    Attributes:
        weight: weights from the hidden state to the window's parameters, `(3 K, H)`.
        bias: bias of the window's parameters, `(3 K)`.
        one_hot: the text, see `window.one_hot_text`, `(B, U + 1, A)`.
        window, kappa: states before the first step, `(B, A)` and `(B, K)`.
    """

    weight: Tensor
    bias: Tensor
    one_hot: Tensor
    window: Tensor
    kappa: Tensor


class Sizes(NamedTuple):
    """B, H, A, K and P; the last three are 0 without a window."""

    batch: int
    cells: int
    vocab_size: int = 0
    components: int = 0
    places: int = 0


class Loop:
    """Buffers for a chunk of steps, and the functions that compute these steps.

    Attributes:
        forward, backward: functions that compute a chunk; `capture` replaces both by graphs.

    Index `t` of a buffer is step `t` of the chunk. In buffers of states, which have CHUNK_STEPS + 1
    entries, index `t` is the state before step `t`.
    """

    def __init__(
        self,
        sizes: Sizes,
        dtype: torch.dtype,
        device: torch.device,
        steps: "Callable[[Loop], TorchSteps]",
    ) -> None:
        self.sizes = sizes
        batch, size, vocab_size, components, places = sizes
        precise = torch.promote_types(dtype, torch.float32)

        def zeros(*shape: int, dtype: torch.dtype = precise) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        width = round_up(size + vocab_size, ALIGNED)
        self.weight = zeros(4 * size, width, dtype=dtype)
        self.joint = zeros(CHUNK_STEPS + 1, batch, width, dtype=dtype)
        self.gates = zeros(CHUNK_STEPS, batch, 4 * size, dtype=dtype)
        self.cells = zeros(CHUNK_STEPS + 1, batch, size)
        self.d_joint = torch.zeros_like(self.joint)
        self.d_gates = torch.zeros_like(self.gates)
        self.d_cells = torch.zeros_like(self.cells)
        self.d_hiddens = zeros(CHUNK_STEPS, batch, size, dtype=dtype)
        # The bounds on the gates' gradient are buffers, since a loss scaler changes the bounds.
        self.lower = zeros()
        self.upper = zeros()
        # Views, made once.
        self.hiddens = self.joint[..., :size]
        self.d_joint_hiddens = self.d_joint[..., :size]
        if places:
            end = size + vocab_size
            self.windows = self.joint[..., size:end]
            self.d_joint_windows = self.d_joint[..., size:end]
            parameters = round_up(3 * components, ALIGNED)
            self.to_window = zeros(parameters, size, dtype=dtype)
            self.window_bias = zeros(3 * components)
            self.one_hot = zeros(batch, places, vocab_size)
            self.products = zeros(batch, parameters, dtype=dtype)
            self.exponentials = zeros(CHUNK_STEPS, batch, 3 * components)
            self.kappas = zeros(CHUNK_STEPS + 1, batch, components)
            self.phis = zeros(CHUNK_STEPS, batch, places)
            self.d_windows = zeros(CHUNK_STEPS, batch, vocab_size, dtype=dtype)
            self.d_parameters = zeros(CHUNK_STEPS, batch, parameters, dtype=dtype)
            self.d_kappas = torch.zeros_like(self.kappas)
            self.d_product = zeros(batch, size, dtype=dtype)
        self.steps = steps(self)
        self.forward: Callable[[], None] = self._forward
        self.backward: Callable[[], None] = self._backward

    def _forward(self) -> None:
        """Compute the paper's eqs 7-11 and 46-53; at first `gates` contains the inputs' part."""
        for t in range(CHUNK_STEPS):
            self.gates[t].addmm_(self.joint[t], self.weight.t())
            self.steps.lstm(t)
            if self.sizes.places:  # otherwise there is no window
                torch.mm(self.hiddens[t + 1], self.to_window.t(), out=self.products)
                self.steps.window(t)

    def _backward(self) -> None:
        """Compute the paper's eqs 56-60."""
        self.steps.begin_backward()
        for t in reversed(range(CHUNK_STEPS)):
            if self.sizes.places:
                self.steps.window_backward(t)
                torch.mm(self.d_parameters[t], self.to_window, out=self.d_product)
            self.steps.lstm_backward(t)
            torch.mm(self.d_gates[t], self.weight, out=self.d_joint[t])

    def capture(self, record: Callable[..., Callable[[], None]]) -> None:
        """Replace `forward` and `backward` by their results of `record`, see `cuda.record`."""
        self.forward = record(self._forward)
        self.backward = record(self._backward)

    def load(self, weight: Tensor, bound: float | None, window: Window | None) -> None:
        """Copy the numbers that are the same at all steps into the buffers."""
        self.weight[:, : weight.shape[1]].copy_(weight)
        bound = float("inf") if bound is None else bound
        self.lower.fill_(-bound)
        self.upper.fill_(bound)
        if window is not None:
            places = window.one_hot.shape[1]
            self.to_window[: len(window.weight)].copy_(window.weight)
            self.window_bias.copy_(window.bias)
            self.one_hot[:, :places].copy_(window.one_hot)
            self.one_hot[:, places:].zero_()  # an earlier text may have been longer


class TorchSteps:
    """The element-wise parts of a loop's steps, by torch's operations on the loop's buffers."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        batch, _, vocab_size, components, places = loop.sizes
        zeros = loop.cells.new_zeros
        self.scratch = zeros(loop.cells.shape[1:])
        self.d_hidden = zeros(loop.cells.shape[1:])
        self.slopes = torch.zeros_like(loop.gates[0])
        self.unity = zeros(()).fill_(1.0)  # for 1 - x^2 by `addcmul`, which allocates nothing
        if places:
            self.gaussians = zeros(batch, components, places)
            self.new_window = zeros(batch, vocab_size)
            self.d_window = zeros(batch, vocab_size)
            self.d_phi = zeros(batch, places)
            self.d_components = zeros(batch, 3 * components)
            self.factors = zeros(CHUNK_STEPS, batch, 3 * components, places)
            self.positions = torch.arange(1, places + 1, device=loop.cells.device).to(loop.cells)

    def lstm(self, t: int) -> None:
        """Compute gates, cell state and hidden state of step `t`, see `recurrent.lstm_cell`."""
        loop = self.loop
        size = self.loop.sizes.cells
        gates = self.loop.gates[t]
        gates[:, : 3 * size].sigmoid_()
        gates[:, 3 * size :].tanh_()
        input_gate, forget_gate, output_gate, candidate = gates.chunk(4, 1)
        torch.mul(forget_gate, loop.cells[t], out=loop.cells[t + 1])
        loop.cells[t + 1].addcmul_(input_gate, candidate)
        torch.tanh(loop.cells[t + 1], out=self.scratch)
        torch.mul(output_gate, self.scratch, out=loop.hiddens[t + 1])

    def window(self, t: int) -> None:
        """Move the window; `products` has the window's parameters before bias and exponential."""
        loop = self.loop
        next_kappa = self.loop.kappas[t + 1]
        exponentials = loop.exponentials[t]
        products = loop.products[:, : exponentials.shape[1]]
        torch.add(products, loop.window_bias, out=exponentials).exp_()
        alpha, beta, advance = exponentials.chunk(3, 1)
        torch.add(loop.kappas[t], advance, out=next_kappa)
        torch.sub(next_kappa[:, :, None], self.positions, out=self.gaussians)  # (B, K, P)
        torch.mul(self.gaussians, self.gaussians, out=self.gaussians)
        self.gaussians.mul_(beta[:, :, None]).neg_().exp_()
        phi = loop.phis[t][:, None]  # (B, 1, P)
        torch.bmm(alpha[:, None], self.gaussians, out=phi)
        torch.bmm(phi, loop.one_hot, out=self.new_window[:, None])
        loop.windows[t + 1].copy_(self.new_window)

    def begin_backward(self) -> None:
        """Compute the factors of dL/dw . c_u in eqs 57 (alpha), 58 (beta), 59 (kappa)."""
        loop = self.loop
        if not loop.sizes.places:
            return
        alpha, beta, _ = loop.exponentials[..., None].chunk(3, 2)  # (S, B, K, 1)
        gaussians, curve, offset = self.factors.chunk(3, 2)  # (S, B, K, P)
        torch.sub(self.positions, loop.kappas[1:, ..., None], out=offset)
        torch.mul(offset, offset, out=curve)
        curve.mul_(beta).neg_()
        torch.exp(curve, out=gaussians)
        gaussians.mul_(alpha)
        curve.mul_(gaussians)
        offset.mul_(beta).mul_(gaussians).mul_(2.0)

    def window_backward(self, t: int) -> None:
        """Compute the gradients of the window's parameters and of kappa before step `t`."""
        loop = self.loop
        components = self.loop.sizes.components
        self.d_window.copy_(loop.d_joint_windows[t + 1]).add_(loop.d_windows[t])
        torch.bmm(loop.one_hot, self.d_window[:, :, None], out=self.d_phi[:, :, None])
        torch.bmm(self.factors[t], self.d_phi[:, :, None], out=self.d_components[:, :, None])
        d_alpha_beta, d_kappa = self.d_components.split((2 * components, components), 1)
        torch.add(loop.d_kappas[t + 1], d_kappa, out=loop.d_kappas[t])
        d_parameters = loop.d_parameters[t]
        d_parameters[:, : 2 * components].copy_(d_alpha_beta)
        d_advance = d_parameters[:, 2 * components : 3 * components]
        advance = loop.exponentials[t, :, 2 * components :]
        torch.mul(loop.d_kappas[t], advance, out=d_advance)  # eq. 60

    def lstm_backward(self, t: int) -> None:
        """Compute the gradients of the gates, clamped, and of the cell state before step `t`."""
        loop = self.loop
        size = self.loop.sizes.cells
        gates = loop.gates[t]
        d_gates = loop.d_gates[t]
        d_cell = loop.d_cells[t]
        input_gate, forget_gate, output_gate, candidate = gates.chunk(4, 1)
        self.d_hidden.copy_(loop.d_joint_hiddens[t + 1]).add_(loop.d_hiddens[t])
        if loop.sizes.places:
            self.d_hidden.add_(loop.d_product)
        torch.tanh(loop.cells[t + 1], out=self.scratch)
        torch.mul(self.d_hidden, self.scratch, out=d_gates[:, 2 * size : 3 * size])
        torch.addcmul(self.unity, self.scratch, self.scratch, value=-1.0, out=self.scratch)
        self.d_hidden.mul_(output_gate)
        torch.addcmul(loop.d_cells[t + 1], self.d_hidden, self.scratch, out=d_cell)
        torch.mul(d_cell, candidate, out=d_gates[:, :size])
        torch.mul(d_cell, loop.cells[t], out=d_gates[:, size : 2 * size])
        torch.mul(d_cell, input_gate, out=d_gates[:, 3 * size :])
        logistic = gates[:, : 3 * size]
        # The slopes are s - s^2 of the sigmoids, and 1 - t^2 of the hyperbolic tangent.
        torch.addcmul(logistic, logistic, logistic, value=-1.0, out=self.slopes[:, : 3 * size])
        torch.addcmul(self.unity, candidate, candidate, value=-1.0, out=self.slopes[:, 3 * size :])
        d_gates.mul_(self.slopes)
        torch.clamp(d_gates, min=self.loop.lower, max=self.loop.upper, out=d_gates)
        d_cell.mul_(forget_gate)
