"""A hostile file of each format; `make campaign` tries five hundred through the commands."""

import random
import time

import pytest

from data_loader import read_ink
from notes.formats import read_pages
from parse_config import plan_from_file
from tests.campaign.hostile import FORMATS, SECONDS, hostile
from utils.checks import UserError

pytestmark = pytest.mark.slow


def checked_plan(path):
    """Read a config and refuse its faults."""
    return plan_from_file(path).checked()


def all_pages(path):
    return [*read_pages(path)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])
def test_a_hostile_file_is_read_or_refused_in_time(tmp_path, form):
    if form.name == "a.rm":
        pytest.importorskip("rmscene", reason="rmscene is not installed")
    file, rng = tmp_path / form.name, random.Random(f"2 {form.name}")
    readers = [checked_plan] if form.name == "a.config" else [all_pages, read_ink]
    for _ in range(3):
        file.write_bytes(hostile(rng, form))
        for read in readers:
            begin = time.process_time()
            try:
                read(file)
            except UserError as error:
                assert str(error)
            assert time.process_time() - begin < SECONDS
