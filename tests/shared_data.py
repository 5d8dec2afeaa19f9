"""Where real handwriting lies, if this machine has some.

That is the folder that HANDWRITING_DATA names, else ../shared/data beside the project.
"""

import os
from pathlib import Path

import pytest
from filelock import FileLock

DATA = Path(
    os.environ.get("HANDWRITING_DATA", Path(__file__).parents[2] / "shared" / "data")
).expanduser()


def prepared(dataset, folder, cache, **options):
    """Return what is in a folder of real data, parsed by one process of a test run for all."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"no {folder} in {DATA} (HANDWRITING_DATA names another folder)")
    made = dataset(root=str(DATA / folder), cache=str(cache), **options)
    with FileLock(cache / f"{folder}.lock"):
        return made.load()
