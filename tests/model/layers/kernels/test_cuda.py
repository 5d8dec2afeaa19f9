"""The loop for CUDA against the layers' own loop: on a CPU as it is and from a tape that stands for
a graph, on CUDA from graphs. Triton's kernels run in its interpreter on a CPU."""

import importlib.util
import logging
import os
import re
import subprocess
import sys
from collections import OrderedDict
from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from model.layers import recurrent
from model.layers.kernels import cuda, library
from model.layers.recurrent import RecurrentLayer, WindowedLayer, compute_dtype
from tests.model.builders import values_and_gradients

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
STEPS = [cuda.TorchSteps]
"""The kinds of steps that run on a CPU here."""
if INTERPRETED:
    from model.layers.kernels.fused import FusedSteps

    STEPS = [FusedSteps]
on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
PRECISE = dict(rtol=0.0, atol=1e-10)
MANY = dict(batch=3, cells=101, letters=131, components=3, places=35)
"""More than one block of each in the Triton kernels, and sizes that are not aligned."""


def run_layers(
    device, steps, bound=None, dtype=torch.float64, *, batch=2, cells=5, letters=4, components=2,
    places=3, autocast=False, scale=1.0,
):  # fmt: skip
    """Return values and gradients of a layer with a window, and of two above it that share a loop;
    all have gate offsets."""
    torch.manual_seed(6)
    lower = WindowedLayer("LSTM", 3, cells, letters, components, 0.1).to(device, dtype)
    upper = RecurrentLayer("LSTM", cells, cells + 1).to(device, dtype)
    highest = RecurrentLayer("LSTM", cells + 1, cells + 1).to(device, dtype)
    sizes = [*lower.state_sizes.values(), *upper.state_sizes.values(), 4 * cells, 4 * cells + 4]
    shapes = [(steps, batch, 3), *((batch, size) for size in sizes)]
    values = [scale * torch.rand(shape, dtype=dtype) for shape in shapes]
    leaves = [value.to(device).requires_grad_() for value in values]
    inputs, hidden, cell, first_window, kappa, above, above_cell, offsets, above_offsets = leaves
    state = {"hidden": hidden, "cell": cell, "window": first_window, "kappa": kappa}
    text = torch.randint(letters, (batch, places)).to(device)
    lengths = torch.randint(1, places + 1, (batch,)).to(device)
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=autocast):
        hiddens, windows, phis, last = lower(inputs, text, lengths, state, bound, offsets)
        state = {"hidden": above, "cell": above_cell}
        bound = 1e6 if bound is None else bound
        middle, state = upper(hiddens.to(inputs.dtype), state, bound, above_offsets)
        top, state = highest(middle.to(inputs.dtype), state, bound, above_offsets)
    results = [hiddens, windows, phis, *(last[name] for name in sorted(last)), middle, top]
    results += [state["hidden"], state["cell"]]
    weights = [weight for layer in (lower, upper, highest) for weight in layer.parameters()]
    return values_and_gradients(results, [*leaves, *weights])


def without_graphs(monkeypatch, *arguments, **options):
    """Return what `run_layers` does by the layers' own loops."""
    with monkeypatch.context() as patch:
        patch.setenv(cuda.GRAPHS_SWITCH, "0")
        return run_layers(*arguments, **options)


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
def forgotten(monkeypatch):
    """No loops are kept, and nothing was refused."""
    monkeypatch.setattr(cuda, "_loops", OrderedDict())
    monkeypatch.setattr(cuda, "_refused", set())


@pytest.fixture
def on_cpu(forgotten, monkeypatch):
    """Layers on a CPU are run by the loops for CUDA, of torch operations, from tapes."""
    monkeypatch.setattr(library, "available", lambda device, dtype: False)
    monkeypatch.setattr(cuda, "available", lambda device: (
        "graphs" not in cuda._refused and os.environ.get(cuda.GRAPHS_SWITCH) != "0"))  # fmt: skip
    monkeypatch.setattr(cuda, "_kinds_of_steps", lambda: [cuda.TorchSteps])
    monkeypatch.setattr(cuda, "record", lambda function: Tape(function).replay)


@pytest.fixture(params=STEPS)
def loops(request, on_cpu, monkeypatch):
    """The loops are of each kind of steps; Triton's interpreter cannot be recorded."""
    monkeypatch.setattr(cuda, "_kinds_of_steps", lambda: [request.param])
    monkeypatch.setattr(cuda, "_verify", lambda loop: None)
    if INTERPRETED:
        monkeypatch.setattr(cuda, "record", lambda function: function)


@pytest.mark.parametrize("bound", [None, 0.02])
@pytest.mark.parametrize(
    ("steps", "sizes"), [(9, {}), (cuda.CHUNK_STEPS, {}), (2 * cuda.CHUNK_STEPS + 7, {}), (9, MANY)]
)
def test_chunks_compute_the_same_as_the_loop_of_the_layers(loops, monkeypatch, bound, steps, sizes):
    results = run_layers("cpu", steps, bound, **sizes)
    assert len(cuda._loops) == 2
    expected = without_graphs(monkeypatch, "cpu", steps, bound, **sizes)
    torch.testing.assert_close(results, expected, **PRECISE)
    if bound is not None:  # the bound must bite here, or nothing is tested
        free = without_graphs(monkeypatch, "cpu", steps, None, **sizes)
        assert max((a - b).abs().max() for a, b in zip(results, free, strict=True)) > 1e-3


def test_chunks_in_bfloat16_are_near_those_in_float32(loops, monkeypatch):
    exact = without_graphs(monkeypatch, "cpu", 40, None, torch.float32, cells=16)
    monkeypatch.setattr(
        recurrent, "torch_products", lambda inputs: nullcontext(inputs.to(compute_dtype(inputs)))
    )
    results = run_layers("cpu", 40, None, torch.float32, cells=16, autocast=True)
    assert [value.dtype for value in results[:2]] == [torch.bfloat16] * 2
    # bfloat16 has 8 bits of mantissa, which Triton's interpreter cuts off instead of rounding.
    tolerance = 0.1 if INTERPRETED else 0.05
    for result, other in zip(results, exact, strict=True):
        assert (result.float() - other).norm() < tolerance * other.norm()


def test_results_of_a_loop_do_not_depend_on_earlier_calls(loops):
    """Such as a longer text, a bound, or numbers that are NaN."""
    expected = run_layers("cpu", 40)
    run_layers("cpu", 70, 0.01, places=12)
    run_layers("cpu", 40, scale=torch.nan)
    assert len(cuda._loops) == 2
    torch.testing.assert_close(run_layers("cpu", 40), expected, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("sizes", [cuda.Sizes(2, 5, 4, 2, 16), cuda.Sizes(2, 5)])
def test_chunk_writes_into_its_buffers_alone(sizes):
    """What a graph records must lie in memory that stays."""
    loop = cuda.Loop(sizes, torch.float64, torch.device("cpu"), cuda.TorchSteps)
    buffers = [*vars(loop).values(), *vars(loop.steps).values()]
    kept = {value.untyped_storage().data_ptr() for value in buffers if torch.is_tensor(value)}
    for function in (loop.forward, loop.backward):
        tape = Tape(function)
        assert len(tape.operations) > cuda.CHUNK_STEPS
        for func, _, _, result in tape.operations:
            for tensor in result if isinstance(result, list) else [result]:  # chunks are lists
                assert tensor.untyped_storage().data_ptr() in kept, func


def test_chunk_makes_no_decision_by_the_values_of_its_tensors():
    """On the meta device there are none."""
    sizes = cuda.Sizes(2, 5, 4, 2, 16)
    loop = cuda.Loop(sizes, torch.bfloat16, torch.device("meta"), cuda.TorchSteps)
    loop.forward()
    loop.backward()


def refuse(function):
    raise RuntimeError("no graphs today")


def forget_an_operation(function):
    tape = Tape(function)
    del tape.operations[-1]
    return tape.replay


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (refuse, "no graphs today"),
        (forget_an_operation, r"its results are wrong \(\w+\)"),
    ],
)
def test_graphs_that_fail_or_are_wrong_are_logged_once_and_replaced(
    on_cpu, monkeypatch, caplog, record, fault
):
    monkeypatch.setattr(cuda, "record", record)
    caplog.set_level(logging.WARNING)
    results, _ = run_layers("cpu", 40, 0.05), run_layers("cpu", 40, 0.05)
    first, second = caplog.messages
    assert re.fullmatch(f"TorchSteps cannot be captured as a CUDA graph: {fault}", first)
    assert second == "recurrent layers run without CUDA graphs, which is slower"
    expected = without_graphs(monkeypatch, "cpu", 40, 0.05)
    torch.testing.assert_close(results, expected, rtol=0.0, atol=0.0)


class FailingSteps(cuda.TorchSteps):
    def lstm(self, t):
        raise ValueError("no compiler")


def test_steps_that_fail_are_replaced_by_the_next_kind(on_cpu, monkeypatch, caplog):
    monkeypatch.setattr(cuda, "_kinds_of_steps", lambda: [FailingSteps, cuda.TorchSteps])
    caplog.set_level(logging.WARNING)
    run_layers("cpu", 40)
    assert "FailingSteps cannot be captured as a CUDA graph: no compiler" in caplog.messages
    assert cuda._refused == {"fused"}
    assert {type(loop.steps) for loop in cuda._loops.values()} == {cuda.TorchSteps}


@pytest.mark.skipif(
    INTERPRETED or importlib.util.find_spec("triton") is None,
    reason="needs Triton, and starts itself",
)
def test_triton_kernels_pass_the_tests_of_this_file_in_their_interpreter():
    """It must be chosen before Triton is imported."""
    command = [sys.executable, "-m", "pytest", "-q", "-k", "FusedSteps", __file__]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    if "only 0-dimensional arrays can be converted" in done.stdout:
        pytest.skip("the interpreter of this Triton (3.6 is one) is too old for this NumPy")
    assert done.returncode == 0, done.stdout[-3000:]


# What follows needs a GPU.


@pytest.fixture(params=["fused", "torch operations"])
def graphs(request, forgotten, monkeypatch):
    """Graphs on CUDA with either kind of steps; fails where none are recorded."""
    if INTERPRETED:
        pytest.skip("Triton's interpreter cannot be recorded")
    monkeypatch.delenv(cuda.GRAPHS_SWITCH, raising=False)
    monkeypatch.delenv(cuda.KERNELS_SWITCH, raising=False)
    if request.param == "fused":
        pytest.importorskip("triton")
    else:
        monkeypatch.setenv(cuda.KERNELS_SWITCH, "0")
    yield
    kind = "FusedSteps" if request.param == "fused" else "TorchSteps"
    assert {type(loop.steps).__name__ for loop in cuda._loops.values()} == {kind}


@on_cuda
@pytest.mark.parametrize("bound", [None, 0.05])
def test_graphs_compute_the_same_as_the_loop_of_the_layers_in_float64(graphs, monkeypatch, bound):
    for batch, places, steps in [(2, 3, 8), (2, 3, 70), (2, 15, 64), (5, 40, 33), (2, 3, 70)]:
        arguments = "cuda", steps, bound
        results = run_layers(*arguments, batch=batch, places=places)
        expected = without_graphs(monkeypatch, *arguments, batch=batch, places=places)
        torch.testing.assert_close(results, expected, **PRECISE)
    # For two batches' upper layers, and for texts of up to 16 positions and of 48.
    assert len(cuda._loops) == 4


@on_cuda
@pytest.mark.parametrize("autocast", [False, True])
def test_graphs_are_near_the_loop_of_the_layers_in_lower_precision(graphs, monkeypatch, autocast):
    arguments = "cuda", 70, None, torch.float32
    results = run_layers(*arguments, batch=32, autocast=autocast)
    wide = without_graphs(monkeypatch, *arguments, batch=32)
    tolerance = 0.05 if autocast else 1e-3  # of bfloat16, and of TF32 if that is chosen
    for result, other in zip(results, wide, strict=True):
        assert (result.float() - other).norm() <= tolerance * other.norm()
    again = run_layers(*arguments, batch=32, autocast=autocast)
    torch.testing.assert_close(results, again, rtol=1e-5, atol=1e-5)


@on_cuda
def test_graphs_work_after_inference_mode_and_after_their_loop_was_replaced(graphs, monkeypatch):
    with torch.inference_mode():
        layer = RecurrentLayer("LSTM", 6, 6).cuda()
        zeros = {name: torch.zeros(3, size).cuda() for name, size in layer.state_sizes.items()}
        layer(torch.randn(40, 3, 6).cuda(), zeros, 1.0)
    monkeypatch.setattr(cuda, "MAX_LOOPS", 1)
    results = run_layers("cuda", 70, 0.05)  # the upper layer's loop takes the lower one's place
    expected = without_graphs(monkeypatch, "cuda", 70, 0.05)
    torch.testing.assert_close(results, expected, **PRECISE)
