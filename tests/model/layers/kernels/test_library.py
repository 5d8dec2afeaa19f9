"""What Python and the compiled kernels have in common."""

import ctypes

import pytest
import torch

from model.layers.kernels import library

pytestmark = pytest.mark.skipif(
    library.kernels(False) is None, reason="there is no C compiler that compiles the kernels"
)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_activation_functions_are_accurate_and_saturate(bfloat16):
    def evaluate(x):
        results = torch.empty(3, len(x))
        library.kernels(bfloat16).evaluate(
            ctypes.c_int64(len(x)),
            *(ctypes.c_void_p(one.data_ptr()) for one in (x, *results)),
        )
        return results

    small = torch.logspace(-12, 0, 5001)
    x = torch.cat((torch.linspace(-87.2, 88.0, 200_001), small, -small, torch.zeros(1)))
    exact = x.double()
    for ours, right in zip(evaluate(x), (exact.exp(), exact.sigmoid(), exact.tanh()), strict=True):
        assert ((ours - right).abs() <= 1e-6 * right.abs()).all()
    huge = torch.tensor([89.0, 1e10, 3e38, torch.inf])
    above, below = evaluate(huge), evaluate(-huge)
    assert above.isfinite().all() and (above[0] >= 1.6e38).all()
    torch.testing.assert_close(above[1:], torch.ones(2, 4))
    torch.testing.assert_close(below[2], -torch.ones(4))
    assert (below[0] == 0.0).all() and (below[1].abs() < 1e-37).all()
    assert evaluate(torch.tensor([torch.nan])).isnan().all()


def test_the_kernels_are_for_the_cpu_and_two_dtypes():
    cpu = torch.device("cpu")
    assert library.available(cpu, torch.float32) and library.available(cpu, torch.bfloat16)
    assert not library.available(cpu, torch.float64) and not library.available(cpu, torch.float16)
    assert not library.available(torch.device("cuda"), torch.bfloat16)


def test_structures_have_the_same_size_in_c():
    compiled = library.kernels(False)
    assert compiled.layer_bytes() == ctypes.sizeof(library.Layer)
    assert compiled.writing_bytes() == ctypes.sizeof(library.Writing)
