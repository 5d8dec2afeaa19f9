"""An LSTM layer, with or without a window over a text, on CUDA without waiting for launches.

A step of the layer is a few small operations, of which Python would start each later than the
device could. So the steps, forward and backward, are taken CHUNK at a time by functions that work
on buffers of their own: they allocate nothing, look at no number, and do the same whatever is in
the buffers. Each is recorded once as a CUDA graph for every combination of sizes, and replayed for
every chunk of a sequence, between copies of the chunk into the buffers and of the results out of
them. The last, partial, chunk is filled up with whatever lies there, and what comes of that is not
looked at. Weights' gradients are gathered over all steps into one product outside.

The element-wise parts of a step are four Triton kernels where Triton is found (`fused`; it comes
with torch for CUDA), else torch's operations, of which there are some forty.

ONLINE_HANDWRITING_GRAPHS=0 turns all of this off, and the loop of torch operations in
`model.layers.recurrence` takes its place, as it does when a graph cannot be recorded (the log says
so once). ONLINE_HANDWRITING_KERNELS=0 turns off only the Triton kernels. Calls are to be on one
stream of a device, as they are in training.

What has been run: on an NVIDIA H200 with PyTorch 2.11 and Triton 3.6, the tests, and trainings of
both generators (benchmarks/README.md has their speeds); on a CPU the functions of a chunk and all
around them, with either kind of steps (Triton's in its interpreter), against the loop in
`model.layers.recurrence`, the graphs' place taken by a tape of the torch operations that a first
run recorded. tests/model/layers/kernels/test_cuda_loop.py has tests for a machine with a GPU,
skipped on others.

Shapes: B sequences of a batch, T steps, S steps of a chunk, U characters, P positions of the text
(U + 1, and more to a multiple of PLACES), A letters of the alphabet, H cells, K components of the
window, J columns of the joint: the hidden state, the window, and zeros up to a multiple of ALIGNED.
"""

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from model.layers.kernels.build import SWITCH as KERNELS_SWITCH

SWITCH = "ONLINE_HANDWRITING_GRAPHS"
"""Environment variable; 0 turns graphs off."""

CHUNK = 32
"""Steps of a graph, S: few replays, and little that is run in vain at the end (64 and 128 were no
faster on an H200)."""

LEAST = 8
"""A sequence of fewer steps is not worth the replay of a whole chunk (assumed)."""

PLACES = 16
"""Texts are padded to a multiple of this many positions, for few graphs to be needed (assumed)."""

ALIGNED = 8
"""Rows of matrices are padded to a multiple of this many numbers: for bfloat16 these are the 16
bytes that tensor cores want."""

KEPT = 32
"""Loops that are kept, those used last (assumed: batches of two sizes, in training and validation,
and texts of up to 250 characters; 10 to 20 MB each with 32 lines and 400 cells)."""

Results = tuple[Tensor, Tensor | None, Tensor, Tensor | None, Tensor | None]
"""Hidden states `(T, B, H)`, windows `(T, B, A)`, the last cell state `(B, H)` and kappa
`(B, K)`, and phi `(T, B, U + 1)`."""

log = logging.getLogger(__name__)


def _align(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


@dataclass
class Window:
    """The window over a text of a layer that has one; see `run`.

    Attributes:
        weight, bias: from the hidden state to the window's parameters, `(3 K, H)` and `(3 K)`.
        letters: the text one-hot, zero behind its end, `(B, U + 1, A)`.
        window, kappa: before the first step, `(B, A)` and `(B, K)`.
    """

    weight: Tensor
    bias: Tensor
    letters: Tensor
    window: Tensor
    kappa: Tensor


class Sizes(NamedTuple):
    """B, H, A, K and P; the last three are 0 without a window."""

    batch: int
    cells: int
    letters: int = 0
    components: int = 0
    places: int = 0


class Steps(Protocol):
    """The element-wise parts of the steps of a loop, on its buffers."""

    def lstm(self, t: int) -> None:
        """Squash the gates of step `t`; work out its cell state and hidden state."""

    def window(self, t: int) -> None:
        """Move the window, whose parameters' products lie in `products`."""

    def begin_backward(self) -> None:
        """Do what all steps of a chunk need."""

    def window_backward(self, t: int) -> None:
        """Work out the gradients of the window's parameters and of kappa before step `t`."""

    def lstm_backward(self, t: int) -> None:
        """Work out the gradients of the gates, clamped, and of the cell state before step `t`."""


class Loop:
    """Buffers for a chunk of steps, and the functions that take them.

    Attributes:
        forward, backward: do that for a chunk; `capture` replaces them by graphs.

    All buffers over time begin at the chunk's first step, and those of what is carried from step to
    step have one more: index `t` is before step `t`. Both passes therefore leave what is carried
    after (before) every step to be picked.
    """

    def __init__(
        self,
        sizes: Sizes,
        dtype: torch.dtype,
        device: torch.device,
        steps: Callable[["Loop"], Steps],
    ) -> None:
        self.sizes = sizes
        batch, size, letters, components, places = sizes
        precise = torch.promote_types(dtype, torch.float32)

        def zeros(*shape: int, dtype: torch.dtype = precise) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        width = _align(size + letters, ALIGNED)
        self.weight = zeros(4 * size, width, dtype=dtype)
        self.joint = zeros(CHUNK + 1, batch, width, dtype=dtype)
        self.gates = zeros(CHUNK, batch, 4 * size, dtype=dtype)
        self.cells = zeros(CHUNK + 1, batch, size)
        self.d_joint = torch.zeros_like(self.joint)
        self.d_gates = torch.zeros_like(self.gates)
        self.d_cells = torch.zeros_like(self.cells)
        self.d_hiddens = zeros(CHUNK, batch, size, dtype=dtype)
        # The bound is in buffers, as a loss scaler changes it.
        self.lower, self.upper = zeros(), zeros()
        # Views, made once.
        self.hiddens, self.d_joint_hiddens = self.joint[..., :size], self.d_joint[..., :size]
        if places:
            end = size + letters
            self.windows, self.d_joint_windows = (
                self.joint[..., size:end],
                self.d_joint[..., size:end],
            )
            parameters = _align(3 * components, ALIGNED)
            self.to_window = zeros(parameters, size, dtype=dtype)
            self.window_bias = zeros(3 * components)
            self.letters = zeros(batch, places, letters)
            self.products = zeros(batch, parameters, dtype=dtype)
            self.exponentials = zeros(CHUNK, batch, 3 * components)
            self.kappas = zeros(CHUNK + 1, batch, components)
            self.phis = zeros(CHUNK, batch, places)
            self.d_windows = zeros(CHUNK, batch, letters, dtype=dtype)
            self.d_parameters = zeros(CHUNK, batch, parameters, dtype=dtype)
            self.d_kappas = torch.zeros_like(self.kappas)
            self.d_product = zeros(batch, size, dtype=dtype)
        self.steps = steps(self)
        self.forward: Callable[[], None] = self._forward
        self.backward: Callable[[], None] = self._backward

    def _forward(self) -> None:
        """The paper, eqs 7-11 and 46-53; `gates` hold the input's share before."""
        for t in range(CHUNK):
            self.gates[t].addmm_(self.joint[t], self.weight.t())
            self.steps.lstm(t)
            if self.sizes.places:
                torch.mm(self.hiddens[t + 1], self.to_window.t(), out=self.products)
                self.steps.window(t)

    def _backward(self) -> None:
        """The paper, eqs 56-60."""
        self.steps.begin_backward()
        for t in reversed(range(CHUNK)):
            if self.sizes.places:
                self.steps.window_backward(t)
                torch.mm(self.d_parameters[t], self.to_window, out=self.d_product)
            self.steps.lstm_backward(t)
            torch.mm(self.d_gates[t], self.weight, out=self.d_joint[t])

    def capture(self) -> None:
        """Have both functions replay a recording of themselves."""
        self.forward, self.backward = _record(self._forward), _record(self._backward)

    def load(self, weight: Tensor, bound: float | None, window: Window | None) -> None:
        """Copy what is the same at all steps into the buffers."""
        self.weight[:, : weight.shape[1]].copy_(weight)
        bound = float("inf") if bound is None else bound
        self.lower.fill_(-bound)
        self.upper.fill_(bound)
        if window is not None:
            places = window.letters.shape[1]
            self.to_window[: len(window.weight)].copy_(window.weight)
            self.window_bias.copy_(window.bias)
            self.letters[:, :places].copy_(window.letters)
            self.letters[:, places:].zero_()  # an earlier text may have been longer


class TorchSteps:
    """The element-wise parts of the steps of a loop, by torch's operations on its buffers."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        batch, _, letters, components, places = loop.sizes
        like = loop.cells.new_zeros
        self.scratch, self.d_hidden = like(loop.cells.shape[1:]), like(loop.cells.shape[1:])
        self.slopes = torch.zeros_like(loop.gates[0])
        self.one = like(()).fill_(1.0)
        if places:
            self.bells = like(batch, components, places)
            self.window_now, self.d_window = like(batch, letters), like(batch, letters)
            self.d_letters = like(batch, places)
            self.d_bells = like(batch, 3 * components)
            self.factors = like(CHUNK, batch, 3 * components, places)
            self.positions = torch.arange(1, places + 1, device=like(()).device).to(loop.cells)

    def lstm(self, t: int) -> None:
        """See `Steps`."""
        loop, size = self.loop, self.loop.sizes.cells
        gates, following = loop.gates[t], loop.cells[t + 1]
        gates[:, : 3 * size].sigmoid_()
        gates[:, 3 * size :].tanh_()
        entry, forget, exit_, candidate = gates.chunk(4, 1)
        torch.mul(forget, loop.cells[t], out=following)
        following.addcmul_(entry, candidate)
        torch.tanh(following, out=self.scratch)
        torch.mul(exit_, self.scratch, out=loop.hiddens[t + 1])

    def window(self, t: int) -> None:
        """See `Steps`."""
        loop, following = self.loop, self.loop.kappas[t + 1]
        exponentials = loop.exponentials[t]
        torch.add(
            loop.products[:, : exponentials.shape[1]], loop.window_bias, out=exponentials
        ).exp_()
        alpha, beta, advance = exponentials.chunk(3, 1)
        torch.add(loop.kappas[t], advance, out=following)
        torch.sub(following[:, :, None], self.positions, out=self.bells)  # (B, K, P)
        torch.mul(self.bells, self.bells, out=self.bells)
        self.bells.mul_(beta[:, :, None]).neg_().exp_()
        phi = loop.phis[t][:, None]  # (B, 1, P)
        torch.bmm(alpha[:, None], self.bells, out=phi)
        torch.bmm(phi, loop.letters, out=self.window_now[:, None])
        loop.windows[t + 1].copy_(self.window_now)

    def begin_backward(self) -> None:
        """Work out what dL/dw . c_u is multiplied with in eqs 57 (alpha), 58 (beta), 59 (kappa)."""
        loop = self.loop
        if not loop.sizes.places:
            return
        alpha, beta, _ = loop.exponentials[..., None].chunk(3, 2)  # (S, B, K, 1)
        share, curve, offset = self.factors.chunk(3, 2)  # (S, B, K, P)
        torch.sub(self.positions, loop.kappas[1:, ..., None], out=offset)
        torch.mul(offset, offset, out=curve)
        curve.mul_(beta).neg_()
        torch.exp(curve, out=share)
        share.mul_(alpha)
        curve.mul_(share)
        offset.mul_(beta).mul_(share).mul_(2.0)

    def window_backward(self, t: int) -> None:
        """See `Steps`."""
        loop, components = self.loop, self.loop.sizes.components
        self.d_window.copy_(loop.d_joint_windows[t + 1]).add_(loop.d_windows[t])
        torch.bmm(loop.letters, self.d_window[:, :, None], out=self.d_letters[:, :, None])
        torch.bmm(self.factors[t], self.d_letters[:, :, None], out=self.d_bells[:, :, None])
        own, moved = self.d_bells.split((2 * components, components), 1)
        torch.add(loop.d_kappas[t + 1], moved, out=loop.d_kappas[t])
        parameters = loop.d_parameters[t]
        parameters[:, : 2 * components].copy_(own)
        advance = loop.exponentials[t, :, 2 * components :]
        torch.mul(
            loop.d_kappas[t], advance, out=parameters[:, 2 * components : 3 * components]
        )  # eq. 60

    def lstm_backward(self, t: int) -> None:
        """See `Steps`."""
        loop, size = self.loop, self.loop.sizes.cells
        gates, d_gates, d_cell = loop.gates[t], loop.d_gates[t], loop.d_cells[t]
        entry, forget, exit_, candidate = gates.chunk(4, 1)
        self.d_hidden.copy_(loop.d_joint_hiddens[t + 1]).add_(loop.d_hiddens[t])
        if loop.sizes.places:
            self.d_hidden.add_(loop.d_product)
        torch.tanh(loop.cells[t + 1], out=self.scratch)
        torch.mul(self.d_hidden, self.scratch, out=d_gates[:, 2 * size : 3 * size])
        torch.addcmul(self.one, self.scratch, self.scratch, value=-1.0, out=self.scratch)
        torch.addcmul(loop.d_cells[t + 1], self.d_hidden.mul_(exit_), self.scratch, out=d_cell)
        torch.mul(d_cell, candidate, out=d_gates[:, :size])
        torch.mul(d_cell, loop.cells[t], out=d_gates[:, size : 2 * size])
        torch.mul(d_cell, entry, out=d_gates[:, 3 * size :])
        logistic = gates[:, : 3 * size]
        torch.addcmul(logistic, logistic, logistic, value=-1.0, out=self.slopes[:, : 3 * size])
        torch.addcmul(self.one, candidate, candidate, value=-1.0, out=self.slopes[:, 3 * size :])
        d_gates.mul_(self.slopes)
        torch.clamp(d_gates, min=self.loop.lower, max=self.loop.upper, out=d_gates)
        d_cell.mul_(forget)


_streams: dict[torch.device, torch.cuda.Stream] = {}
"""On which graphs are recorded, one for each device, so that libraries set up their workspaces
there once."""


def _record(function: Callable[[], None]) -> Callable[[], None]:
    """Return what replays the work that `function` gives the current CUDA device.

    Graphs have no memory in common, as what they record allocates none.
    """
    device = torch.device("cuda", torch.cuda.current_device())
    if device not in _streams:
        _streams[device] = torch.cuda.Stream(device)
    stream, current = _streams[device], torch.cuda.current_stream(device)
    graph = torch.cuda.CUDAGraph()
    stream.wait_stream(current)
    try:
        with torch.cuda.stream(stream):
            for _ in range(2):  # libraries set themselves up, and kernels are compiled
                function()
            # Other threads, such as the one that pins memory for a data loader, may go on.
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                function()
    finally:
        current.wait_stream(stream)
    return graph.replay


def _kinds_of_steps() -> list[Callable[[Loop], Steps]]:
    """Return the steps to try, the fastest first."""
    kinds: list[Callable[[Loop], Steps]] = [TorchSteps]
    if os.environ.get(KERNELS_SWITCH) != "0" and not _refused.fused:
        try:
            from model.layers.kernels.fused import FusedSteps
        except ImportError as error:
            _refused.fused = True
            log.info("There are no Triton kernels, torch operations take their place: %s", error)
        else:
            kinds.insert(0, FusedSteps)
    return kinds


@dataclass
class _Refused:
    """What failed and is not tried again."""

    graphs: bool = False
    fused: bool = False


_refused = _Refused()
_loops: OrderedDict[tuple, Loop] = OrderedDict()


def available(device: torch.device) -> bool:
    """Return whether graphs are to be used on `device`."""
    return (
        device.type == "cuda"
        and os.environ.get(SWITCH) != "0"
        and not _refused.graphs
        and not torch.cuda.is_current_stream_capturing()
    )


TOLERANCES = {torch.bfloat16: 0.05, torch.float16: 0.01, torch.float32: 2e-3, torch.float64: 1e-8}
"""Relative differences that rounding alone may bring over a chunk (assumed; float32 products may
be of TF32)."""


def _verify(loop: Loop) -> None:
    """Raise a RuntimeError unless both passes give what torch's operations give, one by one.

    Graphs, drivers and compilers are many: a recording that goes wrong must not train a network.
    Once for every recording, over random numbers; the buffers are zero again afterwards.
    """
    reference = Loop(loop.sizes, loop.weight.dtype, loop.weight.device, TorchSteps)
    given = ["weight", "joint", "gates", "cells", "d_joint", "d_cells", "d_hiddens"]
    found = ["hiddens", "gates", "cells", "d_joint_hiddens", "d_gates", "d_cells"]
    if loop.sizes.places:
        given += ["to_window", "window_bias", "letters", "kappas", "d_windows", "d_kappas"]
        found += ["windows", "phis", "kappas", "d_joint_windows", "d_parameters", "d_kappas"]
    generator = torch.Generator().manual_seed(0)
    for name in given:
        values = 0.2 * torch.randn(getattr(loop, name).shape, generator=generator)
        if name in ("weight", "to_window"):
            # With large weights a recurrence is chaotic, and rounding grows from step to step.
            values *= 2.0 / values.shape[1] ** 0.5
        for one in (loop, reference):
            getattr(one, name).copy_(values)
    for one in (loop, reference):
        one.lower.fill_(-0.5)
        one.upper.fill_(0.5)
        one.forward()
        one.backward()
    tolerance = TOLERANCES[loop.weight.dtype]
    for name in found:
        value, expected = getattr(loop, name).double(), getattr(reference, name).double()
        if not (value - expected).norm() <= tolerance * expected.norm():
            raise RuntimeError(f"what it gives differs from what it should ({name})")
    for name in dict.fromkeys([*given, *found]):
        getattr(loop, name).zero_()


def _find(sizes: Sizes, dtype: torch.dtype, device: torch.device) -> Loop | None:
    """Return the loop for `sizes`, recorded; None if that cannot be done, which the log says."""
    key = (sizes, dtype, device, os.environ.get(KERNELS_SWITCH))
    if key in _loops:
        _loops.move_to_end(key)
        return _loops[key]
    for kind in _kinds_of_steps():
        try:
            loop = Loop(sizes, dtype, device, kind)
            loop.capture()
            _verify(loop)
        # Compilers, drivers and graphs fail in many ways, and there is another path for all.
        except Exception as error:
            log.warning("%s cannot be recorded as a CUDA graph: %s", kind.__name__, error)
            if kind is not TorchSteps:
                _refused.fused = True
            continue
        if len(_loops) >= KEPT:
            _loops.popitem(last=False)
        _loops[key] = loop
        return loop
    _refused.graphs = True
    log.warning("Recurrent layers run step by step, slower: no CUDA graph can be recorded")
    return None


def _forward(
    loop: Loop,
    shares: Tensor,
    weight: Tensor,
    hidden: Tensor,
    cell: Tensor,
    window: Window | None,
    keep: bool,
) -> tuple[Results, tuple[Tensor | None, ...]]:
    """Run the forward pass; return its results and what the backward pass needs, if to `keep`."""
    steps = len(shares)
    loop.load(weight, None, window)
    loop.hiddens[0].copy_(hidden)
    loop.cells[0].copy_(cell)
    if window is not None:
        loop.windows[0].copy_(window.window)
        loop.kappas[0].copy_(window.kappa)

    def whole(buffer: Tensor, first: int = 0) -> Tensor:
        made = buffer.new_empty(first + steps, *buffer.shape[1:])
        if first:
            made[0].copy_(buffer[0])
        return made

    joint = whole(loop.joint, 1)
    carried, results = [loop.joint, loop.cells], [(loop.joint[1:], joint[1:])]
    gates = cells = exponentials = kappas = phis = None
    if window is not None:
        carried.append(loop.kappas)
        phis = shares.new_empty(steps, *window.letters.shape[:2], dtype=loop.phis.dtype)
        results.append((loop.phis[..., : phis.shape[2]], phis))
    if keep:
        gates, cells = whole(loop.gates), whole(loop.cells, 1)
        results += [(loop.gates, gates), (loop.cells[1:], cells[1:])]
        if window is not None:
            exponentials, kappas = whole(loop.exponentials), whole(loop.kappas, 1)
            results += [(loop.exponentials, exponentials), (loop.kappas[1:], kappas[1:])]
    for start in range(0, steps, CHUNK):
        count = min(CHUNK, steps - start)
        if start:
            for buffer in carried:
                buffer[0].copy_(buffer[CHUNK])
        loop.gates[:count].copy_(shares[start : start + count])
        loop.forward()
        for buffer, made in results:
            made[start : start + count].copy_(buffer[:count])
    size = hidden.shape[1]
    hiddens, last_cell = joint[1:, :, :size], loop.cells[count].clone()
    saved = (joint, gates, cells, exponentials, kappas)
    if window is None:
        return (hiddens, None, last_cell, None, None), saved
    windows = joint[1:, :, size : size + loop.sizes.letters]
    return (hiddens, windows, last_cell, loop.kappas[count].clone(), phis), saved


def _backward(
    loop: Loop,
    saved: tuple[Tensor | None, ...],
    d_hiddens: Tensor,
    d_windows: Tensor | None,
    d_cell: Tensor,
    d_kappa: Tensor | None,
) -> tuple[Tensor, Tensor | None, tuple[Tensor, Tensor, Tensor | None]]:
    """Run the backward pass, for which `load` has been called.

    Returns:
        gradients of the input's share `(T, B, 4 H)`, of the window's parameters and, before the
        first step, of the joint `(B, J)`, the cell state and kappa.
    """
    _, gates, cells, exponentials, kappas = saved
    steps = len(gates)
    d_shares, d_parameters = torch.empty_like(gates), None
    loop.d_joint[CHUNK].zero_()
    loop.d_cells[CHUNK].copy_(d_cell)
    carried, results = [loop.d_joint, loop.d_cells], [(loop.d_gates, d_shares)]
    sources = [(loop.gates, gates), (loop.cells[1:], cells[1:]), (loop.d_hiddens, d_hiddens)]
    if kappas is not None:
        loop.d_kappas[CHUNK].copy_(d_kappa)
        carried.append(loop.d_kappas)
        d_parameters = gates.new_empty(steps, *loop.d_parameters.shape[1:])
        results.append((loop.d_parameters, d_parameters))
        sources += [
            (loop.exponentials, exponentials),
            (loop.kappas[1:], kappas[1:]),
            (loop.d_windows, d_windows),
        ]
    # A partial chunk comes last, which is at the beginning, and lies at the buffers' end.
    for end in range(steps, 0, -CHUNK):
        start = max(end - CHUNK, 0)
        first = CHUNK - (end - start)
        if end < steps:
            for buffer in carried:
                buffer[CHUNK].copy_(buffer[0])
        for buffer, source in sources:
            buffer[first:].copy_(source[start:end])
        loop.cells[first].copy_(cells[start])
        loop.backward()
        for buffer, made in results:
            made[start:end].copy_(buffer[first:])
    d_last_kappa = None if kappas is None else loop.d_kappas[first].clone()
    return (
        d_shares,
        d_parameters,
        (loop.d_joint[first].clone(), loop.d_cells[first].clone(), d_last_kappa),
    )


@contextmanager
def _quiet(device: torch.device) -> Iterator[None]:
    """Within: no gradients, no autocast, and no inference tensors, which no buffer may become."""
    on_device = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    without_autocast = torch.autocast(device.type, enabled=False)
    with torch.inference_mode(False), torch.no_grad(), without_autocast, on_device:
        yield


class _Recurrence(torch.autograd.Function):
    """The layer with its gradient."""

    @staticmethod
    def forward(
        ctx,
        loop: Loop,
        bound: float | None,
        letters: Tensor | None,
        shares: Tensor,
        weight: Tensor,
        hidden: Tensor,
        cell: Tensor,
        window_weight: Tensor | None,
        window_bias: Tensor | None,
        window: Tensor | None,
        kappa: Tensor | None,
    ) -> Results:
        parts = None
        if letters is not None:
            parts = Window(window_weight, window_bias, letters, window, kappa)
        with _quiet(shares.device):
            results, saved = _forward(loop, shares, weight, hidden, cell, parts, keep=True)
        ctx.loop, ctx.bound = loop, bound
        ctx.save_for_backward(weight, letters, window_weight, window_bias, *saved)
        if letters is not None:
            ctx.mark_non_differentiable(results[4])
        return results

    @staticmethod
    @once_differentiable
    def backward(
        ctx, d_hiddens: Tensor, d_windows: Tensor | None, d_cell: Tensor, d_kappa: Tensor | None, _
    ) -> tuple[Tensor | None, ...]:
        weight, letters, window_weight, window_bias, *saved = ctx.saved_tensors
        loop, joint = ctx.loop, saved[0]
        size, columns = loop.sizes.cells, weight.shape[1]
        parts = None
        if letters is not None:
            parts = Window(window_weight, window_bias, letters, None, None)
        with _quiet(weight.device):
            # Another layer may have used the loop meanwhile.
            loop.load(weight, ctx.bound, parts)
            d_shares, d_parameters, (d_joint, d_cell, d_kappa) = _backward(
                loop, saved, d_hiddens, d_windows, d_cell, d_kappa
            )
            d_weight = torch.mm(d_shares.flatten(0, 1).t(), joint[:-1].flatten(0, 1))[:, :columns]
            of_window = (None,) * 4
            if letters is not None:
                d_parameters = d_parameters.flatten(0, 1)
                rows = len(window_weight)
                d_window_weight = torch.mm(d_parameters.t(), joint[1:].flatten(0, 1)[:, :size])
                of_window = (
                    d_window_weight[:rows],
                    d_parameters[:, :rows].sum(0, dtype=d_cell.dtype),
                    d_joint[:, size:columns].to(d_cell.dtype),
                    d_kappa,
                )
        d_hidden = d_joint[:, :size].to(d_cell.dtype)
        return (None, None, None, d_shares, d_weight, d_hidden, d_cell, *of_window)


def run(
    shares: Tensor,
    weight: Tensor,
    hidden: Tensor,
    cell: Tensor,
    bound: float | None = None,
    window: Window | None = None,
) -> Results | None:
    """Run an LSTM over a sequence.

    Args:
        shares: the input's share of the gates with the bias, `(T, B, 4 H)`; the gates are in the
            order input, forget, output, candidate.
        weight: from the hidden state, and the window if there is one, to the gates, `(4 H, H)` or
            `(4 H, H + A)`, of the dtype of `shares`.
        hidden, cell: before the first step, `(B, H)`.
        bound: to which the gradient of the gates is clamped at every step, or None.
        window: the window, if there is one.

    Returns:
        see `Results`; phi has no gradient. Hidden states and windows are of the products' dtype,
        that of `shares`, and lie within a larger tensor. None where this cannot be done here, or
        is not worth it.
    """
    if len(shares) < LEAST or not available(shares.device):
        return None
    sizes = Sizes(*hidden.shape)
    if window is not None:
        places, letters = window.letters.shape[1:]
        components = window.kappa.shape[1]
        sizes = Sizes(*hidden.shape, letters, components, _align(places, PLACES))
    with _quiet(shares.device):
        loop = _find(sizes, shares.dtype, shares.device)
    return None if loop is None else run_on(loop, shares, weight, hidden, cell, bound, window)


def run_on(
    loop: Loop,
    shares: Tensor,
    weight: Tensor,
    hidden: Tensor,
    cell: Tensor,
    bound: float | None = None,
    window: Window | None = None,
) -> Results:
    """Run an LSTM over a sequence with `loop`, which has the right sizes; see `run`."""
    parts: tuple[Tensor | None, ...] = (None,) * 4
    letters = None
    if window is not None:
        parts = (window.weight, window.bias, window.window, window.kappa)
        letters = window.letters
    tensors = (shares, weight, hidden, cell, *parts)
    if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors):
        return _Recurrence.apply(loop, bound, letters, *tensors)
    with _quiet(shares.device):
        return _forward(loop, shares, weight, hidden, cell, window, keep=False)[0]
