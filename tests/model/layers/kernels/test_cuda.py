"""The loop for CUDA against the one of torch operations: on a CPU step by step and from a tape that
stands for a graph, on CUDA as it is. The Triton kernels run in Triton's interpreter on a CPU."""

import importlib.util
import logging
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from model.layers.kernels import cuda, library
from model.layers.recurrent import RecurrentLayer, run_lstm
from model.layers.window import WindowedLayer

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
PRECISE = dict(rtol=0.0, atol=1e-10)


def kinds():
    """The kinds of steps that run on a CPU here."""
    if INTERPRETED:
        from model.layers.kernels.fused import FusedSteps

        return [FusedSteps]
    return [cuda.TorchSteps]


def sample(steps, batch=2, size=5, vocab_size=4, components=2, places=4, dtype=torch.float64):
    """What the recurrences take: a dictionary of leaves, and the text."""
    torch.manual_seed(steps)
    joint = size + vocab_size
    shapes = dict(
        shares=(steps, batch, 4 * size),
        weight=(4 * size, joint),
        window_weight=(3 * components, size),
        window_bias=(3 * components,),
        hidden=(batch, size),
        cell=(batch, size),
        window=(batch, vocab_size),
        kappa=(batch, components),
    )
    values = {name: 0.5 * torch.randn(shape, dtype=dtype) for name, shape in shapes.items()}
    values["weight"] *= 3.0 / joint**0.5
    # The window crosses the text within the sequence.
    values["window_bias"][2 * components :] -= 2.5
    text = torch.randint(vocab_size, (batch, places))
    inside = torch.arange(places) < torch.arange(places - batch, places)[:, None]
    one_hot = torch.nn.functional.one_hot(text, vocab_size) * inside[..., None]
    leaves = {name: value.requires_grad_() for name, value in values.items()}
    return leaves, one_hot.to(torch.promote_types(dtype, torch.float32))


def loop_for(leaves, one_hot, kind, windowed=True):
    dtype, batch, size = leaves["shares"].dtype, *leaves["hidden"].shape
    sizes = cuda.Sizes(batch, size)
    if windowed:
        places = cuda.round_up(one_hot.shape[1], cuda.PLACES)
        sizes = cuda.Sizes(batch, size, one_hot.shape[2], leaves["kappa"].shape[1], places)
    return cuda.Loop(sizes, dtype, one_hot.device, kind)


def run_loop(loop, leaves, one_hot, bound=None, windowed=True):
    shares, weight, hidden, cell = (leaves[n] for n in ("shares", "weight", "hidden", "cell"))
    window = None
    if windowed:
        to_window = leaves["window_weight"], leaves["window_bias"]
        window = cuda.Window(*to_window, one_hot, leaves["window"], leaves["kappa"])
    else:
        weight = weight[:, : hidden.shape[1]]
    results = cuda.run(shares, weight, hidden, cell, bound, window, loop)
    return [one for one in results if one is not None]


def run_written_out(leaves, one_hot, bound=None, windowed=True):
    shares, weight, hidden, cell = (leaves[n] for n in ("shares", "weight", "hidden", "cell"))
    size = hidden.shape[1]
    if not windowed:
        return [*run_lstm(shares, weight[:, :size], hidden, cell, bound)]
    layer = SimpleNamespace(
        cell="LSTM",
        state_sizes=("hidden", "cell", "window", "kappa"),
        weight_hidden=weight[:, :size],
        weight_window=weight[:, size:],
        window=lambda hidden: hidden @ leaves["window_weight"].t() + leaves["window_bias"],
    )
    hiddens, windows, phis, last = WindowedLayer._loop(layer, shares, one_hot, leaves, bound)
    return [hiddens, windows, last["cell"], last["kappa"], phis]


def values_and_gradients(results, leaves):
    """Return results, and all gradients of a fixed, uneven scalar of them."""
    generator = torch.Generator().manual_seed(1)
    total = 0.0
    for one in results:
        if one.requires_grad:
            slopes = torch.randn(one.shape, generator=generator, dtype=torch.float64)
            total = total + (one.double() * slopes.to(one.device)).sum()
    gradients = torch.autograd.grad(total, [*leaves.values()], allow_unused=True)
    return [one.detach() for one in (*results, *gradients) if one is not None]


MANY = dict(batch=3, size=101, vocab_size=131, components=3, places=35)
"""More than one block of each in the Triton kernels, and sizes that are not aligned."""


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("windowed", [True, False])
@pytest.mark.parametrize("bound", [None, 0.02])
@pytest.mark.parametrize(
    ("steps", "sizes"), [(5, {}), (cuda.CHUNK, {}), (2 * cuda.CHUNK + 7, {}), (9, MANY)]
)
def test_chunks_equal_the_written_out_loop(kind, windowed, bound, steps, sizes):
    leaves, one_hot = sample(steps, **sizes)
    loop = loop_for(leaves, one_hot, kind, windowed)
    own = values_and_gradients(run_loop(loop, leaves, one_hot, bound, windowed), leaves)
    expected = values_and_gradients(run_written_out(leaves, one_hot, bound, windowed), leaves)
    assert len(own) == (5 + 8 if windowed else 2 + 4)
    torch.testing.assert_close(own, expected, **PRECISE)
    if bound is not None:  # the bound must bite here, or nothing is tested
        free = values_and_gradients(run_written_out(leaves, one_hot, None, windowed), leaves)
        assert any((a - b).abs().max() > 1e-3 for a, b in zip(own, free, strict=True))


@pytest.mark.parametrize("kind", kinds())
def test_bfloat16_chunks_are_near_the_written_out_loop_in_float32(kind):
    leaves, one_hot = sample(40, size=16, dtype=torch.float32)
    exact = values_and_gradients(run_written_out(leaves, one_hot), leaves)
    narrow = {name: value.detach() for name, value in leaves.items()}
    narrow |= {name: narrow[name].bfloat16() for name in ("shares", "weight", "window_weight")}
    for value in narrow.values():
        value.requires_grad_()
    loop = loop_for(narrow, one_hot, kind)
    own = values_and_gradients(run_loop(loop, narrow, one_hot), narrow)
    assert [one.dtype for one in own[:5]] == [torch.bfloat16] * 2 + [torch.float32] * 3
    # bfloat16 has 8 bits of mantissa, which Triton's interpreter cuts off instead of rounding.
    tolerance = 0.06 if INTERPRETED else 0.03
    for one, other in zip(own, exact, strict=True):
        assert (one.float() - other).norm() < tolerance * other.norm()


@pytest.mark.parametrize("kind", kinds())
def test_a_loop_keeps_nothing_from_call_to_call(kind):
    """A long text, one with NaN, then a short one; and another call before the backward pass."""
    leaves, one_hot = sample(40)
    loop, fresh = (loop_for(leaves, one_hot, kind) for _ in range(2))
    expected = values_and_gradients(run_loop(fresh, leaves, one_hot), leaves)
    others, long = sample(70, places=12)
    values_and_gradients(run_loop(loop, others, long, 0.01), others)
    broken = {name: torch.full_like(value, torch.nan) for name, value in others.items()}
    run_loop(loop, {name: one.requires_grad_() for name, one in broken.items()}, long)
    results = run_loop(loop, leaves, one_hot)
    run_loop(loop, others, long)
    own = values_and_gradients(results, leaves)
    torch.testing.assert_close(own, expected, rtol=0.0, atol=0.0)


class Tape(TorchDispatchMode):
    """Stands for a CUDA graph: operations as a first run did them, on the same tensors."""

    def __init__(self, function):
        super().__init__()
        self.operations = []
        with self:
            function()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        return result

    def replay(self):
        for func, args, kwargs, _ in self.operations:
            func(*args, **kwargs)


@pytest.fixture
def tapes(monkeypatch):
    """Loops on a CPU, with tapes in the place of graphs; a list of what was recorded."""
    made = []

    def record(function):
        made.append(Tape(function))
        return made[-1].replay

    monkeypatch.setattr(cuda, "record", record)
    monkeypatch.setattr(cuda, "_kinds_of_steps", lambda: [cuda.TorchSteps])
    monkeypatch.setattr(cuda, "available", lambda device: "graphs" not in cuda._refused)
    monkeypatch.setattr(cuda, "_loops", type(cuda._loops)())
    monkeypatch.setattr(cuda, "_refused", set())
    monkeypatch.setattr(library, "available", lambda device, dtype: False)
    return made


@pytest.mark.parametrize("windowed", [True, False])
def test_a_chunk_works_in_its_buffers_alone(windowed):
    """What a graph records must lie in memory that stays, and must not depend on the numbers."""
    leaves, one_hot = sample(5)
    loop = loop_for(leaves, one_hot, cuda.TorchSteps, windowed)
    kept = [*vars(loop).values(), *vars(loop.steps).values()]
    kept = {one.untyped_storage().data_ptr() for one in kept if isinstance(one, torch.Tensor)}
    for function in (loop.forward, loop.backward):
        tape = Tape(function)
        assert len(tape.operations) > cuda.CHUNK
        for func, _, _, result in tape.operations:
            for one in result if isinstance(result, list) else [result]:  # chunks are lists
                assert one.untyped_storage().data_ptr() in kept, func
    # On the meta device there are no numbers to look at.
    somewhere = cuda.Loop(loop.sizes, torch.bfloat16, torch.device("meta"), cuda.TorchSteps)
    somewhere.forward()
    somewhere.backward()


def run_layers(device, steps, bound, dtype=torch.float64, batch=2, places=3, autocast=False):
    """Values and gradients of both kinds of layers, each row told something; the upper one sees the
    lower one's results."""
    torch.manual_seed(6)
    lower = WindowedLayer("LSTM", 3, 5, 4, 2, 0.1).to(device, dtype)
    upper = RecurrentLayer("LSTM", 5, 6).to(device, dtype)
    inputs = torch.randn(steps, batch, 3, dtype=dtype).to(device).requires_grad_()
    text = torch.randint(4, (batch, places)).to(device)
    lengths = torch.randint(1, places + 1, (batch,)).to(device)
    states = [
        {
            name: torch.rand(batch, size, dtype=dtype).to(device).requires_grad_()
            for name, size in layer.state_sizes.items()
        }
        for layer in (lower, upper)
    ]
    told = [torch.randn(batch, size, dtype=dtype).to(device).requires_grad_() for size in (20, 24)]
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=autocast):
        hidden, window, phi, last = lower(inputs, text, lengths, states[0], bound, told[0])
        bound = 1e6 if bound is None else bound
        above, end = upper(hidden.to(inputs.dtype), states[1], bound, told[1])
    results = [hidden, window, phi, *(last[name] for name in sorted(last)), above, *end.values()]
    leaves = [inputs, *states[0].values(), *states[1].values(), *told]
    leaves += [*lower.parameters(), *upper.parameters()]
    return values_and_gradients(results, dict(enumerate(leaves)))


@pytest.mark.parametrize("bound", [None, 0.05])
def test_the_layers_replay_what_was_recorded(tapes, monkeypatch, bound):
    own = [run_layers("cpu", steps, bound) for steps in (40, 70)]
    assert len(tapes) == 4  # forward and backward of two loops, none for the second call
    monkeypatch.setattr(cuda, "available", lambda device: False)
    expected = [run_layers("cpu", steps, bound) for steps in (40, 70)]
    torch.testing.assert_close(own, expected, **PRECISE)


def refusing(function):
    raise RuntimeError("no graphs today")


def forgetting(function):
    """Leave out the last operation of what is recorded, as a broken graph might."""
    tape = Tape(function)
    del tape.operations[-1]
    return tape.replay


@pytest.mark.parametrize(
    ("record", "fault"),
    [(refusing, "no graphs today"), (forgetting, r"its results are wrong \(\w+\)")],
)
def test_graphs_that_fail_or_are_wrong_are_logged_once_and_done_without(
    tapes, monkeypatch, caplog, record, fault
):
    monkeypatch.setattr(cuda, "record", record)
    with caplog.at_level(logging.WARNING):
        own = run_layers("cpu", 40, 0.05)
        run_layers("cpu", 40, 0.05)
    first, second = caplog.messages
    assert re.fullmatch(f"TorchSteps cannot be captured as a CUDA graph: {fault}", first)
    assert second == "recurrent layers run without CUDA graphs, which is slower"
    assert not cuda._loops
    monkeypatch.setattr(cuda, "available", lambda device: False)
    torch.testing.assert_close(own, run_layers("cpu", 40, 0.05), rtol=0.0, atol=0.0)


def test_steps_that_fail_leave_their_place_to_the_next(tapes, monkeypatch, caplog):
    class Failing(cuda.TorchSteps):
        def lstm(self, t):
            raise ValueError("no compiler")

    monkeypatch.setattr(cuda, "_kinds_of_steps", lambda: [Failing, cuda.TorchSteps])
    with caplog.at_level(logging.WARNING):
        run_layers("cpu", 40, None)
    assert "Failing cannot be captured as a CUDA graph: no compiler" in caplog.messages
    assert cuda._refused == {"fused"}
    assert {type(loop.steps) for loop in cuda._loops.values()} == {cuda.TorchSteps}


@pytest.mark.skipif(
    INTERPRETED or importlib.util.find_spec("triton") is None,
    reason="needs Triton, and starts itself",
)
def test_the_triton_kernels_in_their_interpreter():
    """This file again, with Triton's interpreter, which must be chosen before it is imported."""
    command = [sys.executable, "-m", "pytest", "-q", "-k", "FusedSteps", __file__]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    if "only 0-dimensional arrays can be converted" in done.stdout:
        pytest.skip("the interpreter of this Triton (3.6 is one) is too old for this NumPy")
    assert done.returncode == 0, done.stdout[-3000:]


# What follows needs a GPU.


@pytest.fixture(params=["fused", "torch operations"])
def graphs(request, monkeypatch):
    """Graphs on CUDA with either kind of steps; fails where none are recorded."""
    if INTERPRETED:
        pytest.skip("Triton's interpreter cannot be recorded")
    monkeypatch.setattr(cuda, "_loops", type(cuda._loops)())
    monkeypatch.setattr(cuda, "_refused", set())
    monkeypatch.delenv(cuda.SWITCH, raising=False)
    if request.param == "fused":
        pytest.importorskip("triton")
        monkeypatch.delenv(cuda.KERNELS_SWITCH, raising=False)
    else:
        monkeypatch.setenv(cuda.KERNELS_SWITCH, "0")
    yield
    kind = "FusedSteps" if request.param == "fused" else "TorchSteps"
    assert {type(loop.steps).__name__ for loop in cuda._loops.values()} == {kind}


def without_graphs(monkeypatch, *arguments, **options):
    with monkeypatch.context() as patch:
        patch.setenv(cuda.SWITCH, "0")
        return run_layers("cuda", *arguments, **options)


@on_cuda
@pytest.mark.parametrize("bound", [None, 0.05])
def test_graphs_equal_the_written_out_loop_in_float64(graphs, monkeypatch, bound):
    for batch, places, steps in [(2, 3, 8), (2, 3, 70), (2, 15, 64), (5, 40, 33), (2, 3, 70)]:
        own = run_layers("cuda", steps, bound, batch=batch, places=places)
        expected = without_graphs(monkeypatch, steps, bound, batch=batch, places=places)
        torch.testing.assert_close(own, expected, **PRECISE)
    # For two batches' upper layers, and for texts of up to 16 positions and of 48.
    assert len(cuda._loops) == 4


@on_cuda
@pytest.mark.parametrize("autocast", [False, True])
def test_graphs_are_near_the_written_out_loop_in_lower_precision(graphs, monkeypatch, autocast):
    own = run_layers("cuda", 70, None, torch.float32, batch=32, autocast=autocast)
    again = run_layers("cuda", 70, None, torch.float32, batch=32, autocast=autocast)
    wide = without_graphs(monkeypatch, 70, None, torch.float32, batch=32)
    tolerance = 0.05 if autocast else 1e-3  # of bfloat16, and of TF32 if that is chosen
    torch.testing.assert_close(own, again, rtol=1e-5, atol=1e-5)
    for one, other in zip(own, wide, strict=True):
        assert (one.float() - other).norm() <= tolerance * other.norm()


@on_cuda
def test_graphs_outlive_inference_mode_and_the_loops_that_are_kept(graphs, monkeypatch):
    with torch.inference_mode():
        layer = RecurrentLayer("LSTM", 6, 6).cuda()
        zeros = {name: torch.zeros(3, size).cuda() for name, size in layer.state_sizes.items()}
        layer(torch.randn(40, 3, 6).cuda(), zeros, 1.0)
    monkeypatch.setattr(cuda, "KEPT", 1)
    own = run_layers("cuda", 70, 0.05)  # the upper layer's loop takes the lower one's place
    expected = without_graphs(monkeypatch, 70, 0.05)
    torch.testing.assert_close(own, expected, **PRECISE)
