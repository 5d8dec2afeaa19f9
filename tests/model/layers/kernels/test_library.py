"""What Python and the compiled kernels have in common."""

import ctypes
import weakref

import pytest
import torch

from model.layers.kernels import library
from tests.model.builders import needs_compiler

pytestmark = needs_compiler


@pytest.mark.parametrize("name", ["Layer", "Bidirectional", "Writing"])
def test_structures_have_the_same_size_in_c(name):
    compiled = library.kernels(False)
    size = getattr(compiled, f"{name}_bytes")()
    assert size == ctypes.sizeof(library.layout(compiled, name))


def test_tensors_live_as_long_as_the_structure_that_has_their_addresses():
    tensors = [torch.ones(3), torch.ones(2)]
    references = list(map(weakref.ref, tensors))
    compiled = library.kernels(False)
    structure = library.structure(compiled, "Writing", text=tensors.pop(), joints=[tensors.pop()])
    assert all(reference() is not None for reference in references)
    del structure
    assert all(reference() is None for reference in references)
