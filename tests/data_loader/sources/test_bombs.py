"""Hostile files, read by a process that may take 2 GB of memory, and 30 s for each."""

import subprocess
import sys

import pytest

from tests.campaign.bombs import BOMBS, MEMORY, SECONDS
from tests.data_loader.archives import put

READ = """
import resource, sys, time
from data_loader import read_ink
from utils.checks import UserError
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
for place in sys.argv[2:]:
    start = time.process_time()
    try:
        said = f"{len(read_ink(place))} samples"
    except UserError as error:
        said = str(error)
    print(f"{time.process_time() - start:.1f} {said}", flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_bomb_takes_much_memory_or_time_and_each_ends_in_a_line(tmp_path):
    places = [str(put(tmp_path / name, make())) for name, make in BOMBS.items()]
    words = [sys.executable, "-c", READ, str(MEMORY), *places]
    done = subprocess.run(words, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == len(places), done.stdout + done.stderr
    for name, line in zip(BOMBS, lines, strict=True):
        assert float(line.split()[0]) < SECONDS, f"{name}: {line}"
