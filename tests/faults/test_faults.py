"""Some trials of the campaign, and hostile files of each format; `make campaign` runs all."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ink.guard import children, read_pages
from ink.reading import read_ink
from parse_config import plan_from_file
from tests.damage import FORMATS, hostile
from tests.faults.hostile import MAX_MEMORY, MAX_SECONDS, used
from utils.checks import UserError

pytestmark = pytest.mark.slow


TRIALS = (
    *("kills while resuming:0", "failing calls while using:0", "signals while training:0"),
    "hostile files:0",
)
"""Together they have all programs, all that is done to them, and all that must hold."""


@pytest.mark.timeout(600)
@pytest.mark.notes
def test_trials_of_the_campaign_find_no_failure():
    words = [sys.executable, str(Path(__file__).parent), "--seed", "2146", "--trial", *TRIALS]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])
def test_a_hostile_file_is_read_or_refused_in_time(tmp_path, form, real_children):
    if form.name == "a.rm":
        pytest.importorskip("rmscene", reason="rmscene is not installed")
    path, rng = tmp_path / form.name, random.Random(f"5 {form.name}")
    is_config = form.name == "a.config"
    readers = [lambda: plan_from_file(path).checked()] if is_config else []
    readers += [] if is_config else [lambda: [*read_pages(path)], lambda: read_ink(path)]
    (before, memory_before), own = used(), time.process_time()
    for _ in range(3):
        path.write_bytes(hostile(rng, form))
        for read in readers:
            try:
                read()
            except UserError as error:
                assert str(error)
    children.end_all()  # All three take less than one may: starting a child for each takes longer.
    seconds, memory = used()
    assert seconds - before + time.process_time() - own < MAX_SECONDS
    assert memory <= max(memory_before, MAX_MEMORY)  # the former is that of other tests
