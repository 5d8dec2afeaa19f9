"""The program that uses networks."""

import subprocess
import sys

import pytest

from tests.commands.networks import ROOT


@pytest.mark.parametrize("chosen", [None, "active"])
def test_threads_of_torch_sleep_while_they_wait_unless_the_user_says_otherwise(chosen):
    code = "import experiments, os, sys; experiments.run(['--help']); "
    code += "assert 'torch' not in sys.modules; print(os.environ['OMP_WAIT_POLICY'])"
    environment = {"PYTHONPATH": str(ROOT)} | ({"OMP_WAIT_POLICY": chosen} if chosen else {})
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1] == (chosen or "passive")
