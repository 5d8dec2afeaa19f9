"""Every way to run a layer against its loop of torch operations in float64, which autograd
differentiates; tests/benchmarks compare that loop with the paper's formulas."""

import copy
import functools
import itertools
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from base.step.device import plain_layers
from model.layers.kernels import build, library
from model.layers.recurrent import RecurrentLayer, WindowedLayer
from tests.model.builders import needs_compiler, num_threads, values_and_gradients
from utils.checks import UserError

NARROW = {torch.float32: 1e-5, torch.bfloat16: 0.03}
"""Tolerances, relative to a tensor's norm; bfloat16 has 8 bits of mantissa."""
PATHS = [  # dtype, whether compiled, and tolerance
    (torch.float32, False, 1e-5),
    (torch.bfloat16, False, 0.05),
    (torch.float32, True, 1e-5),
    (torch.bfloat16, True, 0.03),
]
SIZES = {  # odd ones, 1 of everything, and more than a tile, a panel or a block of each
    "odd": dict(hidden=5, letters=4, components=2, batch=2, characters=3, steps=7),
    "unit": dict(hidden=1, letters=1, components=1, batch=1, characters=1, steps=1),
    "long": dict(hidden=33, letters=20, components=3, batch=13, characters=40, steps=60),
    "wide": dict(hidden=48, letters=83, components=11, batch=55, characters=17, steps=5),
}
VARIANTS = [("LSTM", None, False), ("LSTM", None, True), ("LSTM", 0.05, True), ("GRU", None, False)]
"""Kinds of cells, bounds on the gates' gradient, and whether gates have offsets."""
windowed = pytest.mark.parametrize("window", [True, False], ids=["window", "plain"])


def case(sizes="long", window=True, cell="LSTM", offsets=False):
    """Return a layer and its arguments; gate offsets are among the states."""
    hidden, letters, components, batch, characters, steps = SIZES[sizes].values()
    torch.manual_seed(0)
    layer = RecurrentLayer(cell, 3, hidden)
    if window:
        layer = WindowedLayer(cell, 3, hidden, letters, components, 0.3)
    inputs = torch.randn(steps, batch, 3)
    state = {name: torch.rand(batch, size) for name, size in layer.state_sizes.items()}
    if offsets:
        state["offsets"] = torch.randn(batch, 4 * hidden)
    lengths = torch.randint(1, characters + 1, (batch,))
    text = torch.randint(0, letters, (batch, characters))
    return layer, (inputs, text, lengths, state) if window else (inputs, state)


def run(layer, arguments, dtype=torch.float32, bound=None):
    """Return what comes out, the last states by their names' order."""
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        *outputs, last = layer(*arguments, bound, arguments[-1].get("offsets"))
    return [*outputs, *(last[name] for name in sorted(layer.state_sizes))]


def run_backward(layer, arguments, dtype=torch.float32, bound=None):
    """Return what comes out, and all gradients of an uneven scalar of it, in float64."""
    inputs, *text, state = arguments
    leaves = [value.detach().clone().requires_grad_() for value in (inputs, *state.values())]
    state = dict(zip(state, leaves[1:], strict=True))
    outputs = run(layer, (leaves[0], *text, state), dtype, bound)
    values = values_and_gradients(outputs, [*leaves, *layer.parameters()])
    return [value.double() for value in values]


def widened(layer, arguments):
    """Return a layer and its arguments in float64."""
    inputs, *text, state = arguments
    state = {name: value.double() for name, value in state.items()}
    return copy.deepcopy(layer).double(), (inputs.double(), *text, state)


@functools.lru_cache
def expected(sizes="long", window=True, cell="LSTM", offsets=False, bound=None):
    """Return what `run_backward` does in float64."""
    return run_backward(*widened(*case(sizes, window, cell, offsets)), torch.float64, bound)


def assert_close(results, reference, tolerance):
    for result, other in zip(results, reference, strict=True):
        assert result.shape == other.shape
        assert (result.double() - other).norm() <= tolerance * other.norm() + 1e-30


def assert_same_rows(whole, rows, layer, arguments, dtype):
    """Assert that some rows alone have the bits that they have in `whole`, the whole batch."""
    inputs, *text, state = arguments
    state = {name: value[rows] for name, value in state.items()}
    alone = run(layer, (inputs[:, rows], *(part[rows] for part in text), state), dtype)
    for single, together in zip(alone, whole, strict=True):
        assert torch.equal(single, together[:, rows] if together.dim() == 3 else together[rows])


def exists(row):
    """Return whether a row is a path: GRU cells have no kernel, and no tolerance for one cell."""
    sizes, (_, compiled, _), (cell, *_), _ = row
    return cell == "LSTM" or not (compiled or sizes == "unit")


ROWS = filter(exists, itertools.product(SIZES, PATHS, VARIANTS, (True, False)))


@pytest.fixture(params=ROWS, ids=repr)
def path(request, monkeypatch):
    """A layer and its arguments; dtype, tolerance, bound and kernels; and what is expected."""
    sizes, (dtype, compiled, tolerance), (cell, bound, offsets), window = request.param
    if compiled and library.kernels(False) is None:
        pytest.skip("there is no compiler")
    reference = expected(sizes, window, cell, offsets, bound)
    if not compiled:
        monkeypatch.setattr(library, "kernels", lambda bfloat16: None)
    return *case(sizes, window, cell, offsets), dtype, tolerance, bound, compiled, reference


def test_every_path_has_the_values_and_gradients_of_float64(path):
    layer, arguments, dtype, tolerance, bound, _, reference = path
    assert_close(run_backward(layer, arguments, dtype, bound), reference, tolerance)


def test_windowed_gru_cells_equal_those_of_torch_when_the_window_has_no_weight():
    layer, (inputs, text, lengths, state) = widened(*case("odd", cell="GRU"))
    gru = nn.GRU(3, 5).double()
    with torch.no_grad():
        layer.weight_window.zero_()
        gru.weight_ih_l0.copy_(layer.weight_input)
        gru.weight_hh_l0.copy_(layer.weight_hidden)
        gru.bias_ih_l0.copy_(layer.bias)
        gru.bias_hh_l0.copy_(nn.functional.pad(layer.bias_candidate, (10, 0)))
    hiddens, *_ = layer(inputs, text, lengths, state)
    torch.testing.assert_close(hiddens, gru(inputs, state["hidden"][None])[0])


@torch.no_grad()
def test_every_path_computes_the_same_without_gradients_and_step_by_step(path):
    layer, (inputs, *text, state), dtype, tolerance, bound, compiled, reference = path
    outputs = run(layer, (inputs, *text, state), dtype, bound)
    assert_close(outputs, reference[: len(outputs)], tolerance)
    hiddens, offsets = [], state.get("offsets")
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        for point in inputs:
            hidden, *_, state = layer(point[None], *text, state, bound, offsets)
            hiddens.append(hidden)
    assert_close([torch.cat(hiddens)], [outputs[0].double()], 0.0 if compiled else tolerance)
    if compiled or text:
        assert torch.bfloat16 not in {
            state[name].dtype for name in state.keys() & {"cell", "kappa"}
        }


@windowed
@pytest.mark.parametrize("sizes", ["odd", "long", "wide"])
def test_the_bound_of_the_other_tests_changes_gradients(sizes, window):
    bounded, free = (expected(sizes, window, "LSTM", True, bound) for bound in (0.05, None))
    assert max((a - b).abs().max() for a, b in zip(bounded, free, strict=True)) > 1e-3


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [(), ("-mavx2", "-mfma"), ("-march=native", "-mno-amx-bf16")],
    ids=["any", "avx2", "no matrix unit"],
)
@pytest.mark.parametrize("dtype", NARROW)
def test_kernels_have_the_values_and_gradients_of_float64_on_other_processors(
    flags, dtype, monkeypatch, tmp_path
):
    for flag, ability in (("-mavx2", " avx2 "), ("-mno-amx-bf16", " amx_bf16 ")):
        if flag in flags and ability not in build._processor():
            pytest.skip(f"this processor has no{ability}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "OPTIONAL_FLAGS", (flags,))
    if build.MORE_FLAGS not in os.environ:  # Compiling takes half as long, and comes to the same.
        monkeypatch.setenv(build.MORE_FLAGS, "-O1")
    define = f"-DBFLOAT16={int(dtype == torch.bfloat16)}"
    compiled = build.build(Path(build.__file__).parent, (define,))
    assert compiled is not None
    monkeypatch.setattr(library, "kernels", lambda bfloat16: compiled)
    layer, arguments = case()
    assert_close(run_backward(layer, arguments, dtype), expected(), NARROW[dtype])
    whole = run(layer, arguments, dtype)
    with num_threads(1):
        for count in range(1, 8):  # tiles of every height
            assert_same_rows(whole, slice(count), layer, arguments, dtype)


@needs_compiler
@windowed
@pytest.mark.parametrize("dtype", NARROW)
def test_bits_of_a_row_depend_neither_on_the_other_rows_nor_on_threads(dtype, window):
    layer, arguments = case(window=window)
    results = []
    for threads in (1, 2, 4):
        with num_threads(threads):
            results.append(run(layer, arguments, dtype))
    assert all(map(torch.equal, *results[:2])) and all(map(torch.equal, *results[1:]))
    assert_same_rows(results[0], slice(4, 5), layer, arguments, dtype)


@needs_compiler
@windowed
@pytest.mark.parametrize("order", [sorted, list], ids=["in order of length", "in any order"])
@pytest.mark.parametrize("dtype", NARROW)
def test_steps_whose_outputs_do_not_matter_have_no_gradient(dtype, order, window):
    layer, (inputs, *others) = case(window=window)
    lengths = torch.tensor(order(torch.randint(0, 61, (13,)).tolist()))
    inside = torch.arange(60)[:, None] < lengths

    def values(layer, arguments, dtype):
        leaf = arguments[0].clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            hiddens = layer(leaf, *arguments[1:])[0]
        outputs = torch.where(inside[..., None], hiddens, 0.0)
        return values_and_gradients([outputs], [leaf, *layer.parameters()])

    reference = values(*widened(layer, (inputs, *others)), torch.float64)
    assert_close(values(layer, (inputs, *others), dtype), reference, NARROW[dtype])


@needs_compiler
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(
    ("parameters", "scale", "largest"),
    [
        ([5.0, 1e4, 1e4], 1.0, 0.0),
        ([1000.0, -1000.0, 0.0], 1.0, 1e34),  # the largest weights, as wide as the text, add up
        ([-1e4, -1e4, -1e4], 1e30, 0.0),
    ],
)
@torch.no_grad()
def test_outputs_stay_finite_for_extreme_windows_and_inputs(dtype, parameters, scale, largest):
    layer, (inputs, *others) = case()
    layer.window.bias.copy_(torch.tensor(parameters).repeat_interleave(3))
    outputs = run(layer, (inputs * scale, *others), dtype)
    assert all(output.isfinite().all() for output in outputs) and outputs[2].max() >= largest


@needs_compiler
@pytest.mark.parametrize("dtype", NARROW)
@torch.no_grad()
def test_nan_stays_in_its_row_and_in_the_steps_that_follow(dtype):
    layer, (inputs, *others) = case()
    inputs[3, 2] = torch.nan
    hidden, window, _, *last = run(layer, (inputs, *others), dtype)
    assert hidden[3:, 2].isnan().all() and window[3:, 2].isnan().any()
    rows = [row for row in range(13) if row != 2]
    assert hidden[:, rows].isfinite().all() and hidden[:3].isfinite().all()
    assert all(state[rows].isfinite().all() for state in last)


def strided(value):
    """Return the values in memory that is not contiguous."""
    return torch.stack((value, value), -1)[..., 0]


@needs_compiler
def test_padding_of_texts_and_strides_of_tensors_do_not_matter():
    layer, (inputs, text, lengths, state) = case()
    padded = torch.where(torch.arange(40) < lengths[:, None], text, 10**9)
    states = {name: strided(value) for name, value in state.items()}
    results = run_backward(layer, (strided(inputs), strided(padded), strided(lengths), states))
    assert_close(results, run_backward(*case()), 0.0)


@needs_compiler
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"text": torch.full((13, 40), 20)}, "beyond the alphabet"),
        ({"text": torch.full((13, 40), -1)}, "beyond the alphabet"),
        ({"lengths": torch.full((13,), 41)}, "beyond the alphabet"),
        ({"text": torch.zeros(1, 40).long()}, "1 texts for 13 sequences"),
        ({"device": "meta"}, "is on meta, not cpu"),
    ],
)
def test_kernels_refuse_arguments_that_would_lead_out_of_their_memory(fault, message):
    layer, (inputs, text, lengths, state) = case()
    layer = layer.to(fault.get("device", "cpu"))
    with pytest.raises((IndexError, ValueError, NotImplementedError, RuntimeError), match=message):
        layer(inputs, fault.get("text", text), fault.get("lengths", lengths), state)


@windowed
def test_gru_cells_on_a_cpu_compute_in_float32(window):
    """torch's own products in bfloat16 are many times slower there."""
    layer, arguments = case("odd", window, "GRU")
    exact = layer(*arguments)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(*arguments)[0], exact)


def second_derivative(layer, arguments):
    inputs = arguments[0].clone().requires_grad_()
    total = layer(inputs, *arguments[1:])[0].sum()
    (first,) = torch.autograd.grad(total, inputs, create_graph=True)
    return torch.autograd.grad(first.square().sum(), inputs)[0]


@needs_compiler
@windowed
def test_second_derivatives_need_plain_layers(window):
    layer, arguments = case("odd", window)
    message = rf"^{type(layer).__name__}: .* no second derivative .*plain_layers = True"
    with pytest.raises(UserError, match=message):
        second_derivative(layer, arguments)
    with plain_layers():
        plain = second_derivative(layer, arguments).double()
    exact = second_derivative(*widened(layer, arguments))
    torch.testing.assert_close(plain, exact, rtol=1e-4, atol=1e-5)
