"""Every way to run a layer against the paper's formulas in float64, differentiated by autograd."""

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from base.device import plain_layers
from model.layers.cells import clip_gradient
from model.layers.kernels import build, library
from model.layers.recurrent import RecurrentLayer
from model.layers.window import WindowedLayer
from utils.checks import UserError

COMPILED = library.kernels(False) is not None
needs_compiler = pytest.mark.skipif(not COMPILED, reason="there is no C compiler")
NARROW = {torch.float32: 1e-5, torch.bfloat16: 0.03}
"""Tolerances, relative to a tensor's norm; bfloat16 has 8 bits of mantissa."""
PATHS = [
    pytest.param(torch.float64, False, 1e-10, id="float64"),
    pytest.param(torch.float32, False, 1e-5, id="torch"),
    pytest.param(torch.bfloat16, False, 0.05, id="torch in bfloat16"),
    pytest.param(torch.float32, True, 1e-5, id="compiled", marks=needs_compiler),
    pytest.param(torch.bfloat16, True, 0.03, id="compiled in bfloat16", marks=needs_compiler),
]
SIZES = {  # odd ones, one of everything, and more than a tile, a panel or a block of each
    "odd": dict(hidden=5, letters=4, components=2, batch=2, characters=3, steps=7),
    "one": dict(hidden=1, letters=1, components=1, batch=1, characters=1, steps=1),
    "long": dict(hidden=33, letters=20, components=3, batch=13, characters=40, steps=60),
    "wide": dict(hidden=48, letters=83, components=11, batch=55, characters=17, steps=5),
}


def case(
    hidden, letters, components, batch, characters, steps, window=True, cell="LSTM", told=False
):
    """Return a layer and what it is called with; beside the states is what each row is told."""
    torch.manual_seed(0)
    if window:
        layer = WindowedLayer(cell, 3, hidden, letters, components, 0.3)
    else:
        layer = RecurrentLayer(cell, 3, hidden)
    inputs = torch.randn(steps, batch, 3)
    state = {name: torch.rand(batch, size) for name, size in layer.state_sizes.items()}
    if told:
        state["told"] = torch.randn(batch, 4 * hidden)
    lengths = torch.randint(1, characters + 1, (batch,))
    text = torch.randint(0, letters, (batch, characters))
    return layer, (inputs, text, lengths, state) if window else (inputs, state)


def gates_of(layer):
    """Return the weights from inputs, hidden state and window, and both biases, in our order."""
    if isinstance(layer, WindowedLayer):
        candidate = getattr(layer, "bias_candidate", layer.bias)
        parts = (layer.weight_input, layer.weight_hidden, layer.weight_window, layer.bias)
        return *parts, nn.functional.pad(candidate, (2 * len(candidate), 0))
    one = layer.layer
    parts = (one.weight_ih_l0, one.weight_hh_l0, None, one.bias_ih_l0, one.bias_hh_l0)
    if layer.cell == "GRU":
        return parts
    return [None if part is None else torch.cat([part.chunk(4)[i] for i in (0, 1, 3, 2)])
            for part in parts]  # fmt: skip


def formulas(layer, inputs, *others):
    """The paper, eqs 7-11 without peepholes and 46-53; and a GRU as torch documents it."""
    *text, state, bound, told = others
    from_input, from_hidden, from_window, bias, more = gates_of(layer)
    hidden, cell, kappa = (state.get(name) for name in ("hidden", "cell", "kappa"))
    window, steps = state.get("window"), []
    if text:
        letters, lengths = text
        one_hot = nn.functional.one_hot(nn.functional.pad(letters, (0, 1)), layer.vocab_size)
        positions = torch.arange(1, one_hot.shape[1] + 1)
        one_hot = (one_hot * (positions <= lengths[:, None])[..., None]).double()
    for point in inputs:
        seen = point @ from_input.t() + bias
        if text:
            seen = seen + window @ from_window.t()
        if layer.cell == "LSTM":
            gates = seen + hidden @ from_hidden.t() + (0 if text else more)
            gates = gates if told is None else gates + told
            i, f, o, c = clip_gradient(gates, bound).chunk(4, 1)
            cell = f.sigmoid() * cell + i.sigmoid() * c.tanh()
            hidden = o.sigmoid() * cell.tanh()
        else:
            (r, z, n), recurrent = seen.chunk(3, 1), hidden @ from_hidden.t() + more
            recurrent = recurrent.chunk(3, 1)
            reset, update = (r + recurrent[0]).sigmoid(), (z + recurrent[1]).sigmoid()
            hidden = (1 - update) * (n + reset * recurrent[2]).tanh() + update * hidden
        if text:
            alpha, beta, advance = layer.window(hidden).exp()[..., None].chunk(3, 1)
            kappa = kappa + advance[..., 0]
            phi = (alpha * torch.exp(-beta * (kappa[..., None] - positions) ** 2)).sum(1)
            window = (phi[..., None] * one_hot).sum(1)
        steps.append((hidden, window, phi.detach()) if text else (hidden,))
    last = {"hidden": hidden, "cell": cell, "window": window, "kappa": kappa}
    return *map(torch.stack, zip(*steps, strict=True)), last


def run(layer, arguments, dtype=torch.float32, bound=None, function=None):
    """Return what comes out, the last states by their names' order."""
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        *outputs, last = (function or layer)(*arguments, bound, arguments[-1].get("told"))
    return [*outputs, *(last[name] for name in sorted(layer.state_sizes))]


def run_backward(layer, arguments, dtype=torch.float32, bound=None, function=None):
    """Return what comes out, and all gradients of an uneven scalar of it, in float64."""
    inputs, *text, state = arguments
    leaves = [inputs, *state.values()]
    leaves = [one.detach().clone().requires_grad_() for one in leaves]
    state = dict(zip(state, leaves[1:], strict=True))
    outputs = run(layer, (leaves[0], *text, state), dtype, bound, function)
    torch.manual_seed(1)
    total = sum(
        (one * torch.randn(one.shape).to(one.dtype)).sum() for one in outputs if one.requires_grad
    )
    gradients = torch.autograd.grad(total, [*leaves, *layer.parameters()])
    return [one.detach().double() for one in (*outputs, *gradients)]


def widened(arguments):
    """Return what a layer is called with in float64."""
    inputs, *text, state = arguments
    return inputs.double(), *text, {name: value.double() for name, value in state.items()}


def expected(layer, arguments, bound=None):
    """Return what `run_backward` does, by the formulas in float64."""
    wide = copy.deepcopy(layer).double()
    by_formulas = partial(formulas, wide)
    return run_backward(wide, widened(arguments), torch.float64, bound, by_formulas)


def assert_close(ours, reference, tolerance):
    for one, other in zip(ours, reference, strict=True):
        assert one.shape == other.shape
        assert (one - other).norm() <= tolerance * other.norm() + 1e-30


def without_kernels(monkeypatch):
    monkeypatch.setattr(library, "kernels", lambda bfloat16: None)


@pytest.mark.parametrize("window", [True, False], ids=["window", "plain"])
@pytest.mark.parametrize(
    ("cell", "bound", "told"),
    [("LSTM", None, False), ("LSTM", None, True), ("LSTM", 0.05, True), ("GRU", None, False)],
)
@pytest.mark.parametrize(("dtype", "compiled", "tolerance"), PATHS)
@pytest.mark.parametrize("sizes", SIZES)
def test_every_path_computes_the_formulas(
    sizes, dtype, compiled, tolerance, cell, bound, told, window, monkeypatch
):
    if cell == "GRU" and (compiled or sizes == "one"):
        pytest.skip("there is no kernel for it")
    layer, arguments = case(**SIZES[sizes], window=window, cell=cell, told=told)
    if not compiled:
        without_kernels(monkeypatch)
    reference = expected(layer, arguments, bound)
    if bound is not None and sizes != "one":  # the bound must bite, or nothing is tested
        free = expected(layer, arguments)
        assert any((a - b).abs().max() > 1e-3 for a, b in zip(free, reference, strict=True))
    if dtype == torch.float64:
        layer, arguments = layer.double(), widened(arguments)
    assert_close(run_backward(layer, arguments, dtype, bound), reference, tolerance)
    with torch.no_grad():
        outputs = run(layer, arguments, dtype, bound)
        inputs, *others, state = arguments
        rows_told = state.get("told")
        assert_close([one.double() for one in outputs], reference[: len(outputs)], tolerance)
        hiddens = []
        for point in inputs:
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                hidden, *_, state = layer(point[None], *others, state, bound, rows_told)
            hiddens.append(hidden)
    assert_close([torch.cat(hiddens).double()], [outputs[0].double()], tolerance)
    if compiled or window:
        precise = [one.dtype for name, one in state.items() if name in ("cell", "kappa")]
        assert torch.bfloat16 not in precise
    assert not compiled or torch.equal(torch.cat(hiddens), outputs[0])


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [(), ("-mavx2", "-mfma"), ("-march=native",), ("-march=native", "-mno-amx-bf16")],
    ids=["any", "avx2", "one core", "no matrix unit"],
)
@pytest.mark.parametrize("dtype", NARROW)
def test_they_do_so_on_other_processors(flags, dtype, monkeypatch, tmp_path):
    for flag, ability in (("-mavx2", " avx2 "), ("-mno-amx-bf16", " amx_bf16 ")):
        if flag in flags and ability not in build._processor():
            pytest.skip(f"this processor has no{ability}")
    layer, arguments = case(**SIZES["long"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "OPTIONAL_FLAGS", (flags,))
    define = f"-DBFLOAT16={int(dtype == torch.bfloat16)}"
    compiled = build.build(Path(build.__file__).parent, (define,))
    assert compiled is not None
    monkeypatch.setattr(library, "kernels", lambda bfloat16: compiled)
    assert_close(run_backward(layer, arguments, dtype), expected(layer, arguments), NARROW[dtype])


@needs_compiler
@pytest.mark.parametrize("window", [True, False])
@pytest.mark.parametrize("dtype", NARROW)
def test_a_row_does_not_depend_on_the_others_nor_on_threads(dtype, window):
    sizes = dict(hidden=21, letters=6, components=3, batch=15, characters=9, steps=12)
    layer, arguments = case(**sizes, window=window)
    inputs, *text, state = arguments
    row = slice(4, 5)
    one = {name: value[row] for name, value in state.items()}
    with torch.no_grad():
        whole = run(layer, arguments, dtype)
        alone = run(layer, (inputs[:, row], *(part[row] for part in text), one), dtype)
    for all_, single in zip(whole, alone, strict=True):
        assert torch.equal(all_[:, row] if all_.dim() == 3 else all_[row], single)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            results.append(run_backward(layer, arguments, dtype))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@needs_compiler
@pytest.mark.parametrize("dtype", NARROW)
def test_extremes_saturate_and_what_is_no_number_stays_in_its_row(dtype):
    layer, (inputs, *text, state) = case(**SIZES["long"])
    with torch.no_grad():
        layer.window.bias.copy_(torch.tensor([5.0] * 3 + [1e4] * 3 + [1e4] * 3))
        outputs = run(layer, (inputs, *text, state), dtype)
        assert all(one.isfinite().all() for one in outputs)
        # Components of the largest weight, each as wide as the whole text, are added up.
        layer.window.bias.copy_(torch.tensor([1000.0] * 3 + [-1000.0] * 3 + [0.0] * 3))
        _, window, phi, *_ = run(layer, (inputs, *text, state), dtype)
        assert phi.isfinite().all() and window.isfinite().all() and phi.max() > 1e34
        layer.window.bias.fill_(-1e4)
        outputs = run(layer, (inputs * 1e30, *text, state), dtype)
        assert all(one.isfinite().all() for one in outputs)
        inputs[3, 2] = torch.nan
        hidden, window, _, *last = run(layer, (inputs, *text, state), dtype)
    assert hidden[3:, 2].isnan().all() and window[3:, 2].isnan().any()
    others = [row for row in range(13) if row != 2]
    assert hidden[:, others].isfinite().all() and hidden[:3].isfinite().all()
    assert all(one[others].isfinite().all() for one in last)


@needs_compiler
def test_what_pads_a_text_and_how_tensors_lie_in_memory_does_not_matter():
    layer, (inputs, text, lengths, state) = case(**SIZES["long"])
    padded = torch.where(torch.arange(40) < lengths[:, None], text, 10**9)

    def spread(value):
        return torch.stack((value, value), -1)[..., 0]

    carried = {name: spread(value) for name, value in state.items()}
    ours = run_backward(layer, (spread(inputs), spread(padded), spread(lengths), carried))
    assert_close(ours, run_backward(layer, (inputs, text, lengths, state)), 0.0)


@needs_compiler
@pytest.mark.parametrize("fault", ["letter", "negative", "length", "texts", "device"])
def test_texts_and_tensors_that_c_cannot_take_are_refused(fault):
    layer, (inputs, text, lengths, state) = case(**SIZES["long"])
    said = "beyond the alphabet"
    if fault == "length":
        lengths[3] = 41
    elif fault == "texts":
        text, said = text[:1], "1 texts for 13 sequences"
    elif fault == "device":
        layer, said = layer.to("meta"), "is on meta, not cpu"
    else:
        text[3, 0] = {"letter": 20, "negative": -1}[fault]
    with pytest.raises((IndexError, ValueError, NotImplementedError, RuntimeError), match=said):
        layer(inputs, text, lengths, state)


@pytest.mark.parametrize("window", [False, True])
def test_gru_cells_on_a_cpu_compute_in_float32(window):
    """torch's own products in bfloat16 are many times slower there."""
    layer, inputs = case(**SIZES["odd"], window=window, cell="GRU")
    expected = layer(*inputs)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(*inputs)[0], expected)


@needs_compiler
@pytest.mark.parametrize("window", [False, True])
def test_plain_layers_are_differentiated_twice_and_compiled_ones_refuse_it(window):
    layer, (inputs, *others) = case(**SIZES["odd"], window=window)

    def second_derivative(layer, inputs, *others):
        inputs = inputs.clone().requires_grad_()
        (first,) = torch.autograd.grad(layer(inputs, *others)[0].sum(), inputs, create_graph=True)
        return torch.autograd.grad(first.square().sum(), inputs)[0]

    name = type(layer).__name__
    with pytest.raises(UserError, match=rf"^{name}: .* no second derivative .*plain_layers = True"):
        second_derivative(layer, inputs, *others)
    with plain_layers():
        plain = second_derivative(layer, inputs, *others)
    *text, state = others
    exact = {key: value.double() for key, value in state.items()}
    exact = second_derivative(copy.deepcopy(layer).double(), inputs.double(), *text, exact)
    torch.testing.assert_close(plain.double(), exact, rtol=1e-4, atol=1e-5)
