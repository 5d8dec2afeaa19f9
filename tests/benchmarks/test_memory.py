"""Truncated back-propagation keeps memory from growing with length."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_memory_grows_with_length_and_with_truncation_it_does_not():
    words = ["--hidden", "64", "--batches", "16", "--lengths", "200", "1600", "--truncate", "50"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/memory.py"), *words, "--threads", "1"],
        check=True,
        capture_output=True,
        text=True,
        timeout=200,
    )
    short, long = (
        [int(cell.replace(",", "")) for cell in line.split()]
        for line in re.findall(r"^ +16 .*$", done.stdout, re.MULTILINE)
    )
    # Measured: 255 MB more for whole lines, 2 MB for cut ones.
    assert long[2] - short[2] > 120 and long[3] - short[3] < 40, done.stdout
