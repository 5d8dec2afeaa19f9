"""The samples that every ready config trains on stay the same, however its data are put together.

The data are small and made by tests/small_sources.py; what they become (composed, shaped, told
hands) is drawn by the config's own seed. `python -m tests.test_samples` prints the table anew.
"""

import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ink.sample import Sample
from parse_config import plan_from_file
from tests import small_sources

ROOT = Path(__file__).parents[1]
# Samples of a learned hand depend on the network that learns it: see tests/apps/hand/.
CONFIGS = sorted(set((ROOT / "configs").glob("*.json")) - set((ROOT / "configs").glob("own_*")))
CHECKSUMS = ROOT / "tests" / "fixtures" / "samples.json"
GRID = 1 / 64
"""Offsets are compared in steps of this many source units: more than rounding changes."""


def samples_of(path: Path) -> Mapping[str, list[Sample]]:
    """Return the samples of a config on small data, by split, in the current folder."""
    plan = plan_from_file(path)
    few = small_sources.of_loader(plan.config["data_loader"]["args"])
    plan = plan.with_values({f"data_loader.args.{key}": value for key, value in few.items()})
    return plan.build("data_loader").dataset.load().samples


def checksum(samples: list[Sample]) -> int:
    """Return a checksum of all that samples hold, with the ink in steps of `GRID`."""
    total = 0
    for sample in samples:
        names = (sample.text, sample.name, sample.writer, sample.group, sample.ends)
        total = zlib.crc32(repr(names).encode(), total)
        total = zlib.crc32(np.rint(sample.ink / (GRID, GRID, 1)).astype("<i8").tobytes(), total)
        total = zlib.crc32(sample.missing_counts.tobytes(), total)
        for name, values in sorted(sample.extras.items()):
            total = zlib.crc32(name.encode(), total)
            total = zlib.crc32(np.rint(values / GRID).astype("<i8").tobytes(), total)
    return total


def checksums(path: Path) -> dict[str, list[int]]:
    """Return the number of samples of a config, and their checksum, by split."""
    return {split: [len(samples), checksum(samples)] for split, samples in samples_of(path).items()}


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_samples_of_a_ready_config_stay_the_same(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert checksums(path) == json.loads(CHECKSUMS.read_text())[path.stem]


def main() -> None:
    """Write the table for the configs of today."""
    table = {}
    for path in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            table[path.stem] = checksums(path)
            os.chdir(ROOT)
    rows = (f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    CHECKSUMS.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
