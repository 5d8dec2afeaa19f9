"""What Python and the compiled kernels have in common."""

import ctypes
import weakref

import pytest
import torch

from model.layers.kernels import library

pytestmark = pytest.mark.skipif(
    library.kernels(False) is None, reason="there is no C compiler that compiles the kernels"
)


def test_structures_have_the_same_size_in_c():
    compiled = library.kernels(False)
    assert compiled.Layer_bytes() == ctypes.sizeof(library.layout(compiled, "Layer"))
    assert compiled.Writing_bytes() == ctypes.sizeof(library.layout(compiled, "Writing"))


def test_tensors_live_as_long_as_the_structure_that_has_their_addresses():
    tensors = [torch.ones(3), torch.ones(2)]
    alive = list(map(weakref.ref, tensors))
    compiled = library.kernels(False)
    made = library.structure(compiled, "Writing", text=tensors.pop(), joints=[tensors.pop()])
    assert all(one() is not None for one in alive)
    del made
    assert all(one() is None for one in alive)
