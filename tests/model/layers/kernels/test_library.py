"""What Python and the compiled kernels have in common."""

import ctypes
import weakref

import pytest
import torch

from model.layers.kernels import library

pytestmark = pytest.mark.skipif(
    library.kernels(False) is None, reason="there is no C compiler that compiles the kernels"
)


def test_the_kernels_are_for_the_cpu_and_two_dtypes():
    cpu = torch.device("cpu")
    assert library.available(cpu, torch.float32) and library.available(cpu, torch.bfloat16)
    assert not library.available(cpu, torch.float64) and not library.available(cpu, torch.float16)
    assert not library.available(torch.device("cuda"), torch.bfloat16)


def test_structures_have_the_same_size_in_c():
    compiled = library.kernels(False)
    assert compiled.Layer_bytes() == ctypes.sizeof(library.layout(compiled, "Layer"))
    assert compiled.Writing_bytes() == ctypes.sizeof(library.layout(compiled, "Writing"))


def test_a_structure_has_the_fields_that_c_declares():
    writing = library.layout(library.kernels(False), "Writing")
    assert [writing.steps.offset, writing.batch.offset] == [0, 8]
    assert (writing.pen.size, writing.pen.offset) == (8, writing.max_correlation.offset + 4)
    assert writing.weights.offset == writing.pen.offset + 12  # An address begins at eight bytes.
    assert writing.gate_biases.offset == writing.weights.offset + 8


def test_tensors_live_as_long_as_the_structure_that_has_their_addresses():
    tensors = [torch.ones(3), torch.ones(2)]
    alive = list(map(weakref.ref, tensors))
    compiled = library.kernels(False)
    made = library.structure(compiled, "Writing", text=tensors.pop(), joints=[tensors.pop()])
    assert all(one() is not None for one in alive)
    del made
    assert all(one() is None for one in alive)
