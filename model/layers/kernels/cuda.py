"""An LSTM layer, with or without a window over a text, on CUDA without launch overhead.

A step of the layer is a few small operations, which Python would launch more slowly than the device
executes them. So the functions of a `loop.Loop` take CHUNK_STEPS steps at a time, forward and
backward. Each function is captured as a CUDA graph once for every combination of sizes, and
replayed for every chunk. A chunk is copied into the buffers before the replay, and its results are
copied out afterwards. A last, partial chunk fills only a part of the buffers; results from the
other part are ignored. The weights' gradients are a product over all steps, outside the graphs.

With ONLINE_HANDWRITING_GRAPHS=0, or if a graph cannot be recorded (the log says so once), the loops
of torch operations in `model.layers` run instead. ONLINE_HANDWRITING_KERNELS=0 turns off only the
Triton kernels. All calls for a device must be on one stream. (Notebook: speed, CUDA graphs.)

Shapes: T steps of a sequence; others as in `loop`.
"""

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from base.step.device import layers_are_plain
from model.layers.kernels.build import KERNELS_SWITCH
from model.layers.kernels.library import Results, refuse_second_derivative, round_up
from model.layers.kernels.loop import CHUNK_STEPS, PLACES_BLOCK, Loop, Sizes, TorchSteps, Window

GRAPHS_SWITCH = "ONLINE_HANDWRITING_GRAPHS"
"""Environment variable; 0 turns graphs off."""
MIN_GRAPH_STEPS = 8
"""Minimum number of steps of a sequence run by graphs, which compute whole chunks (assumed)."""
MAX_LOOPS = 32
"""Maximum number of cached loops (assumed: batches of two sizes, in training and validation, and
texts of up to 250 characters; a loop for 32 lines and 400 cells takes 10 to 20 MB)."""
log = logging.getLogger(__name__)


_streams: dict[torch.device, torch.cuda.Stream] = {}
"""Each device's stream for recording graphs; libraries set up workspaces once for a stream."""


def record(function: Callable[[], None]) -> Callable[[], None]:
    """Capture the work of `function` on the current CUDA device; return a function that replays it.

    `function` runs twice before the capture, to initialise libraries and compile kernels.
    """
    device = torch.device("cuda", torch.cuda.current_device())
    if device not in _streams:
        _streams[device] = torch.cuda.Stream(device)
    stream = _streams[device]
    current = torch.cuda.current_stream(device)
    graph = torch.cuda.CUDAGraph()
    stream.wait_stream(current)
    try:
        with torch.cuda.stream(stream):
            for _ in range(2):
                function()
            # "thread_local": other threads, such as a data loader's that pins memory, may continue.
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                function()
    finally:
        current.wait_stream(stream)
    return graph.replay


def _kinds_of_steps() -> list[type]:
    """Return the classes of steps to try, the fastest first."""
    kinds: list[type] = [TorchSteps]
    if os.environ.get(KERNELS_SWITCH) != "0" and "fused" not in _refused:
        try:
            from model.layers.kernels.fused import FusedSteps
        except ImportError as error:
            _refused.add("fused")
            log.info("no Triton kernels, torch operations replace them: %s", error)
        else:
            kinds.insert(0, FusedSteps)
    return kinds


_refused: set[str] = set()
"""Failed methods, which are not tried again: "graphs", or the steps of "fused"."""
_loops: OrderedDict[tuple, Loop] = OrderedDict()


def available(device: torch.device) -> bool:
    """Return whether to use graphs on `device`."""
    return (
        device.type == "cuda"
        and os.environ.get(GRAPHS_SWITCH) != "0"
        and "graphs" not in _refused
        and not layers_are_plain.get()
        and not torch.cuda.is_current_stream_capturing()
    )


TOLERANCES = {torch.bfloat16: 0.05, torch.float16: 0.01, torch.float32: 2e-3, torch.float64: 1e-8}
"""Largest relative differences that rounding alone may cause over a chunk (assumed; products of
float32 may be computed in TF32)."""


def _verify(loop: Loop) -> None:
    """Raise a RuntimeError unless both passes agree with torch's operations on random numbers; a
    faulty capture must not train a network. Then set the buffers to zero again."""
    reference = Loop(loop.sizes, loop.weight.dtype, loop.weight.device, TorchSteps)
    inputs = ["weight", "joint", "gates", "cells", "d_joint", "d_cells", "d_hiddens"]
    results = ["hiddens", "gates", "cells", "d_joint_hiddens", "d_gates", "d_cells"]
    if loop.sizes.places:
        inputs += ["to_window", "window_bias", "one_hot", "kappas", "d_windows", "d_kappas"]
        results += ["windows", "phis", "kappas", "d_joint_windows", "d_parameters", "d_kappas"]
    generator = torch.Generator().manual_seed(0)
    for name in inputs:
        values = 0.2 * torch.randn(getattr(loop, name).shape, generator=generator)
        if name in ("weight", "to_window"):
            # With large weights a recurrence is chaotic, and rounding grows from step to step. The
            # deviation of 0.2 becomes 0.4 / sqrt(inputs), as in a trained layer (assumed).
            values *= 2.0 / values.shape[1] ** 0.5
        getattr(loop, name).copy_(values)
        getattr(reference, name).copy_(values)
    for tested in (loop, reference):
        tested.lower.fill_(-0.5)
        tested.upper.fill_(0.5)
        tested.forward()
        tested.backward()
    tolerance = TOLERANCES[loop.weight.dtype]
    for name in results:
        value = getattr(loop, name).double()
        expected = getattr(reference, name).double()
        if not (value - expected).norm() <= tolerance * expected.norm():  # a NaN is refused, too
            raise RuntimeError(f"its results are wrong ({name})")
    for name in dict.fromkeys([*inputs, *results]):
        getattr(loop, name).zero_()


def _find(sizes: Sizes, dtype: torch.dtype, device: torch.device) -> Loop | None:
    """Return the captured loop for `sizes`; None, with a log message, if the capture fails."""
    key = (sizes, dtype, device, os.environ.get(KERNELS_SWITCH))
    if key in _loops:
        _loops.move_to_end(key)
        return _loops[key]
    for kind in _kinds_of_steps():
        try:
            loop = Loop(sizes, dtype, device, kind)
            loop.capture(record)
            _verify(loop)
        # Any exception: compilers, drivers and graphs fail in many ways, and a fallback exists.
        except Exception as error:
            log.warning("%s cannot be captured as a CUDA graph: %s", kind.__name__, error)
            if kind is not TorchSteps:
                _refused.add("fused")
            continue
        if len(_loops) >= MAX_LOOPS:
            _loops.popitem(last=False)
        _loops[key] = loop
        return loop
    _refused.add("graphs")
    log.warning("recurrent layers run without CUDA graphs, which is slower")
    return None


def _forward(
    loop: Loop,
    projected: Tensor,
    weight: Tensor,
    hidden: Tensor,
    cell: Tensor,
    window: Window | None,
    saves: bool,
) -> tuple[Results, tuple[Tensor | None, ...]]:
    """Return the results of the forward pass, and the tensors to save for the backward pass.
    Without `saves` all these tensors but the first are None."""
    steps = len(projected)
    loop.load(weight, None, window)
    loop.hiddens[0].copy_(hidden)
    loop.cells[0].copy_(cell)
    if window is not None:
        loop.windows[0].copy_(window.window)
        loop.kappas[0].copy_(window.kappa)

    def for_all_steps(buffer: Tensor, num_initial: int = 0) -> Tensor:
        tensor = buffer.new_empty(num_initial + steps, *buffer.shape[1:])
        if num_initial:
            tensor[0].copy_(buffer[0])
        return tensor

    joint = for_all_steps(loop.joint, 1)
    recurrent = [loop.joint, loop.cells]  # a chunk begins with the last state of the one before
    results = [(loop.joint[1:], joint[1:])]  # a chunk's buffer, and the tensor of all steps
    gates = cells = exponentials = kappas = phis = None
    if window is not None:
        recurrent.append(loop.kappas)
        phis = projected.new_empty(steps, *window.one_hot.shape[:2], dtype=loop.phis.dtype)
        results.append((loop.phis[..., : phis.shape[2]], phis))
    if saves:
        gates = for_all_steps(loop.gates)
        cells = for_all_steps(loop.cells, 1)
        results += [(loop.gates, gates), (loop.cells[1:], cells[1:])]
        if window is not None:
            exponentials = for_all_steps(loop.exponentials)
            kappas = for_all_steps(loop.kappas, 1)
            results += [(loop.exponentials, exponentials), (loop.kappas[1:], kappas[1:])]
    for start in range(0, steps, CHUNK_STEPS):
        count = min(CHUNK_STEPS, steps - start)
        if start:
            for buffer in recurrent:
                buffer[0].copy_(buffer[CHUNK_STEPS])
        loop.gates[:count].copy_(projected[start : start + count])
        loop.forward()
        for buffer, target in results:
            target[start : start + count].copy_(buffer[:count])
    size = hidden.shape[1]
    hiddens = joint[1:, :, :size]
    last_cell = loop.cells[count].clone()
    saved = (joint, gates, cells, exponentials, kappas)
    if window is None:
        return (hiddens, None, last_cell, None, None), saved
    windows = joint[1:, :, size : size + loop.sizes.vocab_size]
    return (hiddens, windows, last_cell, loop.kappas[count].clone(), phis), saved


def _backward(
    loop: Loop,
    saved: tuple[Tensor | None, ...],
    d_hiddens: Tensor,
    d_windows: Tensor | None,
    d_cell: Tensor,
    d_kappa: Tensor | None,
) -> tuple[Tensor, Tensor | None, tuple[Tensor, Tensor, Tensor | None]]:
    """Return the gradients of `projected`, `(T, B, 4 H)`; of the window's parameters; and of joint
    `(B, J)`, cell state and kappa before the first step. Call `Loop.load` first."""
    _, gates, cells, exponentials, kappas = saved
    steps = len(gates)
    d_gates = torch.empty_like(gates)
    d_parameters = None
    loop.d_joint[CHUNK_STEPS].zero_()
    loop.d_cells[CHUNK_STEPS].copy_(d_cell)
    recurrent = [loop.d_joint, loop.d_cells]
    results = [(loop.d_gates, d_gates)]
    sources = [(loop.gates, gates), (loop.cells[1:], cells[1:]), (loop.d_hiddens, d_hiddens)]
    if kappas is not None:
        loop.d_kappas[CHUNK_STEPS].copy_(d_kappa)
        recurrent.append(loop.d_kappas)
        d_parameters = gates.new_empty(steps, *loop.d_parameters.shape[1:])
        results.append((loop.d_parameters, d_parameters))  # with the padding of its rows
        sources += [(loop.exponentials, exponentials), (loop.kappas[1:], kappas[1:])]
        sources.append((loop.d_windows, d_windows))
    # A partial chunk has the sequence's first steps, is computed last, and is at the buffers' end.
    for end in range(steps, 0, -CHUNK_STEPS):
        start = max(end - CHUNK_STEPS, 0)
        first = CHUNK_STEPS - (end - start)
        if end < steps:
            for buffer in recurrent:
                buffer[CHUNK_STEPS].copy_(buffer[0])
        for buffer, source in sources:
            buffer[first:].copy_(source[start:end])
        loop.cells[first].copy_(cells[start])
        loop.backward()
        for buffer, target in results:
            target[start:end].copy_(buffer[first:])
    # `first` is that of the last chunk, which has the first step.
    d_first_kappa = None if kappas is None else loop.d_kappas[first].clone()
    d_states = loop.d_joint[first].clone(), loop.d_cells[first].clone(), d_first_kappa
    return d_gates, d_parameters, d_states


@contextmanager
def _plain_mode(device: torch.device) -> Iterator[None]:
    """Turn off gradients, autocast, and inference mode, whose tensors cannot be changed outside."""
    on_device = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    without_autocast = torch.autocast(device.type, enabled=False)
    with torch.inference_mode(False), torch.no_grad(), without_autocast, on_device:
        yield


class _Recurrence(torch.autograd.Function):
    """The layer with its gradient."""

    @staticmethod
    def forward(
        ctx, loop: Loop, bound: float | None, one_hot: Tensor | None, *tensors: Tensor | None
    ) -> Results:
        projected, weight, hidden, cell, *window_parts = tensors
        window_weight, window_bias, first_window, kappa = window_parts
        window = None
        if one_hot is not None:
            window = Window(window_weight, window_bias, one_hot, first_window, kappa)
        with _plain_mode(projected.device):
            results, saved = _forward(loop, projected, weight, hidden, cell, window, saves=True)
        ctx.loop = loop
        ctx.bound = bound
        ctx.save_for_backward(weight, one_hot, window_weight, window_bias, *saved)
        if window is not None:
            ctx.mark_non_differentiable(results[4])
        return results

    @staticmethod
    def backward(
        ctx, d_hiddens: Tensor, d_windows: Tensor | None, d_cell: Tensor, d_kappa: Tensor | None, _
    ) -> tuple[Tensor | None, ...]:
        weight, one_hot, window_weight, window_bias, *saved = ctx.saved_tensors
        refuse_second_derivative("RecurrentLayer" if one_hot is None else "WindowedLayer")
        loop = ctx.loop
        joint = saved[0]
        size = loop.sizes.cells
        columns = weight.shape[1]
        window = None
        if one_hot is not None:
            window = Window(window_weight, window_bias, one_hot, None, None)
        with _plain_mode(weight.device):
            # Another layer may have used the loop since the forward pass.
            loop.load(weight, ctx.bound, window)
            d_gates, d_parameters, (d_joint, d_cell, d_kappa) = _backward(
                loop, saved, d_hiddens, d_windows, d_cell, d_kappa
            )
            d_weight = torch.mm(d_gates.flatten(0, 1).t(), joint[:-1].flatten(0, 1))[:, :columns]
            d_window_parts = (None,) * 4  # weight, bias, window and kappa
            if one_hot is not None:
                d_parameters = d_parameters.flatten(0, 1)
                rows = len(window_weight)  # further rows are padding
                d_window_weight = torch.mm(d_parameters.t(), joint[1:].flatten(0, 1)[:, :size])
                d_window_bias = d_parameters[:, :rows].sum(0, dtype=d_cell.dtype)
                d_window = d_joint[:, size:columns].to(d_cell.dtype)
                d_window_parts = d_window_weight[:rows], d_window_bias, d_window, d_kappa
        d_hidden = d_joint[:, :size].to(d_cell.dtype)
        # None for `loop`, `bound` and `one_hot`, which have no gradient.
        return None, None, None, d_gates, d_weight, d_hidden, d_cell, *d_window_parts


def run(
    projected: Tensor,
    weight: Tensor,
    hidden: Tensor,
    cell: Tensor,
    bound: float | None = None,
    window: Window | None = None,
    loop: Loop | None = None,
) -> Results | None:
    """Run an LSTM over a sequence.

    Args:
        projected: the inputs' part of the gates, with the bias, `(T, B, 4 H)`; the gates are in the
            order input, forget, output, candidate.
        weight: weights to the gates from the hidden state, `(4 H, H)`, or from the hidden state and
            the window, `(4 H, H + A)`, in the dtype of `projected`.
        hidden, cell: states before the first step, `(B, H)` each.
        bound: bound to which the gradient of the gates is clamped at every step, or None.
        window: the window, or None.
        loop: a loop of the right sizes; None: a captured loop is used.

    Returns:
        see `Results`; phi has no gradient. Hidden states and windows have the dtype of `projected`,
        and are views of a larger tensor. None if graphs cannot run, or if the sequence is shorter
        than `MIN_GRAPH_STEPS`.
    """
    if loop is None:
        if len(projected) < MIN_GRAPH_STEPS or not available(projected.device):
            return None
        sizes = Sizes(*hidden.shape)
        if window is not None:
            places, vocab_size = window.one_hot.shape[1:]
            components = window.kappa.shape[1]
            sizes = Sizes(*hidden.shape, vocab_size, components, round_up(places, PLACES_BLOCK))
        with _plain_mode(projected.device):
            loop = _find(sizes, projected.dtype, projected.device)
        if loop is None:
            return None
    parts: tuple[Tensor | None, ...] = (None,) * 4  # autograd takes tensors, not a `Window`
    one_hot = None
    if window is not None:
        parts = (window.weight, window.bias, window.window, window.kappa)
        one_hot = window.one_hot
    tensors = (projected, weight, hidden, cell, *parts)
    if torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad for tensor in tensors
    ):
        return _Recurrence.apply(loop, bound, one_hot, *tensors)
    with _plain_mode(projected.device):
        return _forward(loop, projected, weight, hidden, cell, window, saves=False)[0]
