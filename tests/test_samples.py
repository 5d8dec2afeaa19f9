"""The samples that every ready config trains on stay the same, unless a maker's version is raised.

The data are small and made by tests/small_sources.py; what they become (composed, shaped, told
hands, preprocessed) is drawn by the config's own seed. Cached samples of users are known by the
versions of what made them, so `python -m tests.test_samples` prints the table anew only if a
version was raised where samples have changed.
"""

import json
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import data_loader
from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform
from data_loader import HandwritingDataLoader
from ink.sample import Sample
from parse_config import plan_from_file
from tests import small_sources

ROOT = Path(__file__).parents[1]
# Samples of a learned hand depend on the network that learns it: see tests/apps/hand/.
CONFIGS = sorted(set((ROOT / "configs").glob("*.json")) - set((ROOT / "configs").glob("own_*")))
CHECKSUMS = ROOT / "tests" / "fixtures" / "samples.json"
OF_LEARNED_HANDS = {"LevelBaseline"}
"""Of the samples of a learned hand alone."""
GRID = 1 / 64
"""Offsets are compared in steps of this many source units: more than rounding changes."""


def loader_of(path: Path) -> HandwritingDataLoader:
    """Return the loader of a config on small data, in the current folder."""
    plan = plan_from_file(path)
    few = small_sources.of_loader(plan.config["data_loader"]["args"])
    plan = plan.with_values({f"data_loader.args.{key}": value for key, value in few.items()})
    return plan.build("data_loader")


def makers(value: object) -> Iterator[BaseDataset | BaseTransform]:
    """Yield the datasets and the deterministic transforms of which a loader consists."""
    if isinstance(value, BaseDataset | BaseTransform):
        yield value
    if isinstance(value, HandwritingDataLoader | BaseDataset):
        value = [part for name, part in vars(value).items() if name != "augmentation"]
    if isinstance(value, dict):
        value = [*value.values()]
    for part in value if isinstance(value, list | tuple) else ():
        yield from makers(part)


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


def row_of(path: Path) -> dict[str, Any]:
    """Return the versions of a config's makers; the number of its samples, and their checksum, by
    split; and those of the training samples after preprocessing."""
    loader = loader_of(path)
    data = loader.load(seed=1)
    row = {"versions": {type(maker).__name__: maker.version for maker in makers(loader)}}
    for split, samples in {**data.loaded.samples, "preprocessed": data.training}.items():
        row[split] = [len(samples), checksum(samples)]
    return row


def fault_of(row: dict[str, Any], former: dict[str, Any]) -> str:
    """Return what is wrong with a row beside the table's; "" if they are equal."""
    if row == former:
        return ""
    changed = [name for name in row if row[name] != former.get(name)]
    if "versions" in changed:
        return "a version was raised: print the table anew"
    return f"{', '.join(changed)} changed: raise the version of what makes them in another way"


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_samples_of_a_ready_config_stay_the_same(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert not fault_of(row_of(path), json.loads(CHECKSUMS.read_text())[path.stem])


def test_every_dataset_and_deterministic_transform_of_the_project_is_in_the_table():
    rows = json.loads(CHECKSUMS.read_text()).values()
    covered = set().union(*(row["versions"] for row in rows))
    kinds = [getattr(data_loader, name) for name in data_loader.__all__]
    made = {kind.__name__ for kind in kinds if not getattr(kind, "random", False)}
    assert made - covered == {"HandwritingDataLoader"} | OF_LEARNED_HANDS


def test_samples_that_change_without_a_version_are_a_fault():
    row = {"versions": {"InkMLDataset": 1}, "train": [2, 77]}
    assert not fault_of(row, row)
    assert "train changed: raise the version" in fault_of(row | {"train": [2, 78]}, row)
    raised = {"versions": {"InkMLDataset": 2}, "train": [2, 78]}
    assert "print the table anew" in fault_of(raised, row)


def main() -> None:
    """Write the table for the configs of today."""
    former = json.loads(CHECKSUMS.read_text())
    table = {}
    for path in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            row = table[path.stem] = row_of(path)
            os.chdir(ROOT)
        fault = fault_of(row, former.get(path.stem, row))
        if fault.endswith("another way"):
            sys.exit(f"{path.stem}: {fault}")
    rows = (f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    CHECKSUMS.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
