"""That the sanitizers of `make sanitize` each find faults, and nothing else."""

import pytest

from model.layers.kernels import build
from tests import sanitize

pytestmark = pytest.mark.slow


def test_planted_faults_are_found(tmp_path):
    variables = sanitize.environment()
    if variables is None:
        pytest.skip("there is no GCC here that has its sanitizers")
    assert sanitize.unnoticed(variables, tmp_path) == []
    # It is the sanitizers that find them: without, there is nothing to notice.
    assert sanitize.unnoticed({**variables, build.MORE_FLAGS: ""}, tmp_path) == [1, 2]
