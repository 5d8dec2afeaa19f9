"""The compiled kernels of a layer against the written-out torch operations."""

import re
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.layers.kernels import build, library, lstm
from model.layers.recurrent import RecurrentLayer
from model.layers.window import WindowedLayer

pytestmark = pytest.mark.skipif(
    library.kernels(False) is None, reason="there is no C compiler that compiles the kernels"
)

DTYPES = [torch.float32, torch.bfloat16]
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.02}
"""Relative, of a tensor's norm; bfloat16 has 8 bits of mantissa."""

KERNELS = Path(build.__file__).parent


@pytest.fixture
def plain(monkeypatch):
    """Call it to do without the kernels."""
    return lambda: monkeypatch.setattr(library, "kernels", lambda bfloat16: None)


def case(hidden, letters, components, batch, characters, steps, window=True, seed=0):
    """A layer and what it is called with; texts are padded with what is no letter."""
    torch.manual_seed(seed)
    if window:
        layer = WindowedLayer("LSTM", 3, hidden, letters, components, 1.0, 0.3)
    else:
        layer = RecurrentLayer("LSTM", 3, hidden, 1.0)
    inputs = torch.randn(steps, batch, 3, requires_grad=True)
    state = {
        name: torch.rand(batch, size, requires_grad=True)
        for name, size in layer.state_sizes.items()
    }
    lengths = torch.randint(1, characters + 1, (batch,))
    text = torch.randint(0, letters, (batch, characters))
    return layer, (inputs, text, lengths, state) if window else (inputs, state)


def run(layer, arguments, dtype=torch.float32, bound=None):
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        *outputs, last = layer(*arguments, bound)
    return [*outputs, *(last[name] for name in sorted(last))]


def run_backward(layer, arguments, dtype=torch.float32, bound=None):
    """Everything that comes out and all gradients of an uneven scalar of it, in float32."""
    outputs = run(layer, arguments, dtype, bound)
    torch.manual_seed(1)
    total = sum(
        (one * torch.randn(one.shape).to(one.dtype)).sum() for one in outputs if one.requires_grad
    )
    leaves = [arguments[0], *arguments[-1].values(), *layer.parameters()]
    return [one.detach().float() for one in (*outputs, *torch.autograd.grad(total, leaves))]


def assert_close(ours, reference, tolerance):
    assert len(ours) == len(reference)
    for one, other in zip(ours, reference, strict=True):
        assert one.shape == other.shape
        assert torch.linalg.norm(one - other) <= tolerance * torch.linalg.norm(other) + 1e-30


SIZES = [  # odd ones, one of everything, and more than a tile, a panel or a block of each
    dict(hidden=5, letters=4, components=2, batch=1, characters=1, steps=7),
    dict(hidden=1, letters=1, components=1, batch=1, characters=1, steps=1),
    dict(hidden=33, letters=20, components=3, batch=13, characters=40, steps=60),
    dict(hidden=48, letters=83, components=11, batch=8, characters=17, steps=9),
    dict(hidden=35, letters=20, components=3, batch=55, characters=9, steps=4),  # 28 and 27 rows
]


@pytest.mark.parametrize("window", [True, False])
@pytest.mark.parametrize("bound", [None, 0.05])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_the_kernels_compute_what_the_torch_operations_do(sizes, dtype, bound, window, plain):
    layer, arguments = case(**sizes, window=window)
    fast = run_backward(layer, arguments, dtype, bound)
    plain()
    assert_close(fast, run_backward(layer, arguments, torch.float32, bound), TOLERANCE[dtype])
    if bound is not None and sizes["hidden"] > 1:  # the bound must bite, or nothing is tested
        free = run_backward(layer, arguments)
        assert any((a - b).abs().max() > 1e-3 for a, b in zip(fast, free, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [(), ("-mavx2", "-mfma"), ("-march=native",), ("-march=native", "-mno-amx-bf16")],
    ids=["any", "avx2", "one core", "no matrix unit"],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_they_do_so_on_other_processors(flags, dtype, monkeypatch, tmp_path):
    if "-mavx2" in flags and " avx2 " not in build._processor():
        pytest.skip("this processor has no AVX2")
    if "-mno-amx-bf16" in flags and " amx_bf16 " not in build._processor():
        pytest.skip("this processor has no matrix unit for bfloat16")
    layer, arguments = case(**SIZES[2])
    native = run_backward(layer, arguments, dtype)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "OPTIONAL_FLAGS", (flags,))
    compiled = build.build(KERNELS, (f"-DBFLOAT16={int(dtype == torch.bfloat16)}",))
    assert compiled is not None
    monkeypatch.setattr(library, "kernels", lambda bfloat16: compiled)
    assert_close(run_backward(layer, arguments, dtype), native, TOLERANCE[dtype])
    with torch.no_grad():
        assert_close(
            [one.float() for one in run(layer, arguments, dtype)], native[:7], TOLERANCE[dtype]
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, m, n", [(1, 1, 1), (513, 13, 65), (1500, 130, 200), (0, 2, 3)])
def test_gather_is_a_product_over_all_rows(rows, m, n, dtype):
    torch.manual_seed(0)
    left, right = torch.randn(rows, m + 3).to(dtype)[:, :m], torch.randn(rows, n).to(dtype)
    expected = (left.double().t() @ right.double()).float()
    results = [lstm.gather(left, right, threads) for threads in (1, 3)]
    torch.testing.assert_close(results[0], expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(*results)


@pytest.mark.parametrize("window", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_does_not_depend_on_the_others_nor_on_threads(dtype, window):
    sizes = dict(hidden=21, letters=6, components=3, batch=15, characters=9, steps=12)
    layer, arguments = case(**sizes, window=window)
    with torch.no_grad():
        whole = run(layer, arguments, dtype)
        rows = slice(4, 5)
        inputs, *text, state = arguments
        one = {name: value[rows] for name, value in state.items()}
        alone = run(layer, (inputs[:, rows], *(part[rows] for part in text), one), dtype)
    for all_, single in zip(whole, alone, strict=True):
        all_ = all_[:, rows] if all_.dim() == 3 else all_[rows]
        assert torch.equal(all_, single)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            results.append(run_backward(layer, arguments, dtype))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
    # Without a gradient, nothing is kept, and the same comes out.
    assert all(torch.equal(a.float(), b) for a, b in zip(whole, results[0], strict=False))


def test_point_by_point_equals_all_at_once_and_sees_new_weights():
    layer, (inputs, text, lengths, state) = case(**SIZES[2])

    def change_in_place():
        layer.weight_hidden.mul_(0.5)

    def load():
        layer.load_state_dict({name: one * 0.5 for name, one in layer.state_dict().items()})

    with torch.no_grad():
        seen = []
        for change in (lambda: None, change_in_place, load):
            change()
            whole = run(layer, (inputs, text, lengths, state))[0]
            hiddens, carried = [], state
            for point in inputs:
                hidden, _, _, carried = layer(point[None], text, lengths, carried)
                hiddens.append(hidden)
            assert torch.equal(torch.cat(hiddens), whole)
            assert not any(torch.allclose(before, whole) for before in seen)
            seen.append(whole)
        other = {name: value * 3.0 for name, value in layer.named_parameters()}
        called = torch.func.functional_call(layer, other, (inputs, text, lengths, state))
        assert not torch.allclose(called[0], whole)


def fused(kind, **options):
    """Return what takes a step with a fused optimiser, which counts up no tensor's version."""

    def change(layer, arguments):
        optimizer = kind(layer.parameters(), lr=0.1, fused=True, **options)
        run(layer, arguments)[0].square().sum().backward()
        optimizer.step()

    return change


def write_to_data(layer, arguments):
    for weight in layer.parameters():
        weight.data.mul_(0.5)


CHANGES = {
    "Adam": fused(torch.optim.Adam),
    "AdamW": fused(torch.optim.AdamW),
    "SGD": fused(torch.optim.SGD, momentum=0.9),
    "Adagrad": fused(torch.optim.Adagrad),
    ".data": write_to_data,
}


@pytest.mark.parametrize("window", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_evaluations_see_weights_that_changed_unnoticed(change, window, plain):
    """Against the torch operations: for a layer without a window, `torch.nn.LSTM`."""
    layer, arguments = case(**SIZES[0], window=window)
    seen = []
    for _ in range(3):
        with torch.no_grad():
            seen.append(run(layer, arguments))
        CHANGES[change](layer, arguments)
    with torch.no_grad():
        now = run(layer, arguments)
        plain()
        assert_close(now, run(layer, arguments), 1e-5)
    assert not any(torch.allclose(before[0], now[0], rtol=1e-2) for before in seen)


def faults(window):
    """Arguments of `lstm.run` for sizes that are all different, and what may be wrong with them.

    T = 7, B = 4, X = 3, H = 5, A = 6, K = 2, U = 8.
    """
    arguments = dict(
        settings=lstm.Settings(torch.float32, (0, 1, 2, 3)),
        inputs=torch.randn(7, 4, 3),
        weight_input=torch.randn(20, 3),
        weight_hidden=torch.randn(20, 5),
        bias=torch.randn(20),
        hidden=torch.randn(4, 5),
        cell=torch.randn(4, 5),
    )
    parts = dict(
        to_gates=torch.randn(20, 6),
        weight=torch.randn(6, 5),
        bias=torch.randn(6),
        window=torch.randn(4, 6),
        kappa=torch.rand(4, 2),
        text=torch.randint(0, 6, (4, 8)),
        text_lengths=torch.tensor([8, 1, 3, 2]),
    )
    return (arguments | {"window": lstm.Window(**parts)} if window else arguments), parts


WRONG = {
    "inputs": (torch.randn(7, 3), "float32 of shape (7, 3)", "floating point", "(T, B, X)"),
    "weight_input": (torch.randn(20, 2), "(20, 2)", "(4 H, X) = (20, 3)"),
    "weight_hidden": (torch.randn(20, 4), "(20, 4)", "(4 H, H) = (20, 5)"),
    "bias": (torch.randn(5), "(5,)", "(4 H) = (20,)"),
    "hidden": (torch.randn(1, 5), "(1, 5)", "(B, H) = (4, any)"),
    "cell": (torch.randn(4, 1), "(4, 1)", "(B, H) = (4, 5)"),
    "window.to_gates": (torch.randn(20, 5), "(20, 5)", "(4 H, A) = (20, 6)"),
    "window.weight": (torch.randn(3, 5), "(3, 5)", "(3 K, H) = (6, 5)"),
    "window.bias": (torch.randn(3), "(3,)", "(3 K) = (6,)"),
    "window.window": (torch.randn(6), "(6,)", "(B, A) = (4, any)"),
    "window.kappa": (torch.rand(4, 2).to_sparse(), "sparse", "a dense tensor", "(B, K)"),
    "window.text": (torch.zeros(1, 8, dtype=torch.int64), "(1, 8)", "(B, U) = (4, any)"),
    "window.text_lengths": (torch.tensor([8]), "int64 of shape (1,)", "(B,) = (4,)"),
}
"""For each argument one that does not fit, and what the error says of it."""


@pytest.mark.parametrize("name", WRONG)
def test_arguments_that_do_not_fit_are_refused_by_name(name):
    wrong, *said = WRONG[name]
    arguments, parts = faults(window=True)
    lstm.run(**arguments)  # all else is right
    if name.startswith("window."):
        parts[name.removeprefix("window.")] = wrong
        arguments["window"] = lstm.Window(**parts)
    else:
        arguments[name] = wrong
    with pytest.raises(ValueError) as error:
        lstm.run(**arguments)
    message = str(error.value)
    assert message.startswith(f"{name} is a ") and all(words in message for words in said)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("text", torch.Tensor.int, "int32 of shape (4, 8) on cpu; it must be a dense tensor of i"),
        ("text_lengths", torch.Tensor.float, "float32 of shape (4,) on cpu; it must be a dense "),
        ("text_lengths", torch.Tensor.tolist, "text_lengths is a list; it must be a dense tensor"),
        ("kappa", lambda kappa: kappa[:, :0], "of shape (4, 0) on cpu; it must be a dense tensor"),
        ("window", lambda one: one.to("meta"), "of shape (4, 6) on meta; it must be a dense tens"),
    ],
)
def test_other_dtypes_kinds_and_devices_are_refused(name, change, said):
    arguments, parts = faults(window=True)
    parts[name] = change(parts[name])
    if name == "kappa":  # no components at all would be no window
        parts["weight"], parts["bias"], said = torch.empty(0, 5), torch.empty(0), "(0, 5) on cpu"
    with pytest.raises(ValueError, match=re.escape(said)):
        lstm.run(**arguments | {"window": lstm.Window(**parts)})


def test_steps_dtypes_and_orders_that_are_none_are_refused():
    arguments, _ = faults(window=False)
    with pytest.raises(ValueError, match=r"inputs has shape \(0, 4, 3\), .* T must be at least 1"):
        lstm.run(**arguments | {"inputs": torch.empty(0, 4, 3)})
    with pytest.raises(ValueError, match=r"dtype is torch.float64; it must be torch.float32 or"):
        lstm.Settings(torch.float64, (0, 1, 2, 3))
    with pytest.raises(ValueError, match=r"order is \(0, 1, 2, 4\); it must hold each of 0, 1,"):
        lstm.Settings(torch.float32, (0, 1, 2, 4))


def test_arguments_that_are_not_contiguous_are_read_as_what_they_are():
    arguments, parts = faults(window=True)
    expected = lstm.run(**arguments)

    def spread(value):
        if not isinstance(value, torch.Tensor):
            return value
        apart = value.new_full((*value.shape, 2), 3)
        apart[..., 0] = value
        return apart[..., 0]

    apart = {name: spread(value) for name, value in arguments.items()}
    apart["window"] = lstm.Window(**{name: spread(value) for name, value in parts.items()})
    assert not apart["window"].text_lengths.is_contiguous()
    for one, other in zip(lstm.run(**apart), expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (torch.ones(3), torch.ones(3, 2), "left is a dense tensor of float32 of shape (3,) on"),
        (torch.ones(3, 2), torch.ones(4, 2), "right is a dense tensor of float32 of shape (4, 2)"),
        (torch.ones(3, 2), torch.ones(3, 2).bfloat16(), "right is a dense tensor of bfloat16 of"),
        (torch.ones(3, 2).double(), torch.ones(3, 2).double(), "left is of torch.float64; it mus"),
        (torch.ones(2, 3).t(), torch.ones(3, 2), "left has strides (1, 3); the second must be 1"),
    ],
)
def test_gather_refuses_what_does_not_fit(left, right, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        lstm.gather(left, right)


def test_tensors_made_for_a_call_live_until_its_end(monkeypatch):
    """Tensors that nothing else refers to, of which C has the address only."""
    died = []
    compiled = SimpleNamespace(forward=lambda layer: died.append("after") or 0)
    monkeypatch.setattr(library, "kernels", lambda bfloat16: compiled)

    def made():
        tensor = torch.ones(3)
        weakref.finalize(tensor, died.append, "tensor")
        return tensor

    lstm._call("forward", torch.float32, weights=made(), window_weights=made())
    assert died == ["after", "tensor", "tensor"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_saturate_and_what_is_no_number_stays_in_its_row(dtype):
    layer, (inputs, text, lengths, state) = case(**SIZES[2])
    with torch.no_grad():
        layer.window.bias.copy_(torch.tensor([5.0] * 3 + [1e4] * 3 + [1e4] * 3))
        outputs = run(layer, (inputs, text, lengths, state), dtype)
        assert all(one.isfinite().all() for one in outputs)
        layer.window.bias.fill_(-1e4)
        outputs = run(layer, (inputs * 1e30, text, lengths, state), dtype)
        assert all(one.isfinite().all() for one in outputs)
        inputs[3, 2] = torch.nan
        hidden, window, _, *last = run(layer, (inputs, text, lengths, state), dtype)
    assert hidden[3:, 2].isnan().all() and window[3:, 2].isnan().any()
    others = [row for row in range(13) if row != 2]
    assert hidden[:, others].isfinite().all() and hidden[:3].isfinite().all()
    assert all(one[others].isfinite().all() for one in last)


@pytest.mark.parametrize("fault", ["letter", "negative", "length"])
def test_a_text_that_is_none_is_refused(fault):
    layer, (inputs, text, lengths, state) = case(**SIZES[2])
    if fault == "length":
        lengths[3] = 41
    else:
        text[3, 0] = {"letter": 20, "negative": -1}[fault]
    with pytest.raises(IndexError, match="beyond the alphabet"):
        layer(inputs, text, lengths, state)


def test_what_pads_a_text_does_not_matter():
    layer, (inputs, text, lengths, state) = case(**SIZES[2])
    padded = torch.where(torch.arange(40) < lengths[:, None], text, 10**9)
    for one, other in zip(
        run(layer, (inputs, text, lengths, state)),
        run(layer, (inputs, padded, lengths, state)),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_layers_run_without_the_kernels_by_themselves(plain):
    plain()
    assert not library.available(torch.device("cpu"), torch.float32)
    layer, arguments = case(**SIZES[0])
    assert all(one.isfinite().all() for one in run_backward(layer, arguments))
