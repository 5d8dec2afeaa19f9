"""What the tests of the layers share."""

import pytest

from model.layers.kernels import library


@pytest.fixture(params=["compiled", "torch operations"])
def path(request, monkeypatch):
    """Both ways to run in float32 and bfloat16 on a CPU."""
    if request.param == "torch operations":
        monkeypatch.setattr(library, "kernels", lambda bfloat16: None)
    elif library.kernels(True) is None:
        pytest.skip("there is no C compiler")
