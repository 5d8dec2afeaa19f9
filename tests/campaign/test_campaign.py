"""A few trials of each family of the campaign; `make campaign` runs them all."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
def test_a_few_trials_of_each_family():
    words = [sys.executable, str(Path(__file__).parent), "--seed", "1", "--scale", "0.01"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
