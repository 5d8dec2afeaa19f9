"""Every ready config trains, and its checkpoint can be used: only the sizes are smaller.

The data is made in the format of the config's source, and lies where the config looks for it, so
that its dataset, splits, changes of the ink, schedule, loss, metrics and trainer are all in use.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import train
from base.base_trainer import BaseTrainer
from base.config.values import read_config
from base.run.checkpoint import load_checkpoint
from ink.geometry import from_strokes
from logger.metrics_csv import read_rows
from model import load
from model.loading import Reader, Writer
from parse_config import config_binder
from tests import small_sources

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# What fine-tunes a network to a hand is tried in tests/apps/hand/.
CONFIGS = sorted(set((ROOT / "configs").glob("*.json")) - set((ROOT / "configs").glob("own_*")))
SIZES = ("hidden_size", "channels", "decoder_size", "attention_size", "embedding_size")
STEPS = 5
"""Of a line that is written."""


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch, logging_restored, cache_home):
    """An empty folder in which the script runs; its logging does not reach other tests."""
    monkeypatch.chdir(tmp_path)


def smaller(path: Path) -> list[str]:
    """Write small data for a config, and return the options that shrink the rest to fit it."""
    config, _ = read_config(path)
    data = few_contributors(config["data_loader"]["args"])
    data |= small_sources.of_loader(config["data_loader"]["args"])
    options = {f"data_loader.args.{key}": value for key, value in data.items()}
    options |= {"data_loader.args.batch_size": 3, "data_loader.args.valid_batch_size": 2}
    arch, trainer = config["arch"].get("args", {}), config["trainer"]["args"]
    options |= {f"arch.args.{name}": 8 for name in SIZES if name in (*arch, "hidden_size")}
    few = {"epochs": 2, "samples": 1, "steps_per_epoch": 2}
    few |= {"truncate": 60} if trainer.get("truncate") is not None else {}
    registry = config_binder().registry
    cls = registry.choices(BaseTrainer)[config["trainer"]["type"]]
    if "sample_steps" in registry.signature(cls).arguments:
        few["sample_steps"] = STEPS
    options |= {f"trainer.args.{name}": value for name, value in few.items()}
    return [word for key, value in options.items() for word in ("-o", f"{key}={json.dumps(value)}")]


def few_contributors(args: dict[str, Any]) -> dict[str, list[str]]:
    """Leave two of UNIPEN's contributors in training, and return the options that say so."""
    options = {}
    for name, block in (args.get("sources") or {}).items():
        settings = block.get("args", {}) if block else {}
        if "contributors" in settings:
            trained_on = [c for c in settings["contributors"] if c not in settings["held_out"]]
            settings["contributors"] = sorted({*trained_on[:2], *settings["held_out"]})
            options[f"sources.{name}.args.contributors"] = settings["contributors"]
    return options


def epochs(run: Path) -> list[dict[str, float]]:
    """Return what a run logged after each epoch."""
    rows = read_rows(run / "metrics.csv")
    return [{name: float(value) for name, value in row.items()} for row in rows]


def trained(path: Path, *words: str) -> Path:
    """Train a small network by a config, and return the run's folder."""
    words = ["-d", "cpu", "-c", str(path), "--run-id", "small", *smaller(path), *words]
    assert train.main(words) == 0
    return Path("saved/models") / path.stem / "small"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_ready_config_trains_and_its_checkpoint_can_be_used(path):
    run = trained(path)
    check_epochs(path, epochs(run), 2)
    assert len(list(Path("saved/log", path.stem, "small").glob("samples-epoch[12].png"))) == 2
    network = load(run, "cpu")
    assert network.path.name == "checkpoint-epoch2.pth"
    check_use(network)


@pytest.mark.parametrize("name", ["writer", "reader"])
def test_a_run_of_a_ready_config_resumes(name):
    path = ROOT / "configs" / f"{name}.json"
    limit = "trainer.args.time_limit_minutes"
    run = trained(path, "-o", f"{limit}=0")
    (first,) = run.glob("checkpoint*.pth")
    before = load_checkpoint(first)["state_dict"]
    assert train.main(["-d", "cpu", "-r", str(run), "-o", f"{limit}=null"]) == 0
    check_epochs(path, epochs(run), 2)
    after = load_checkpoint(run / "checkpoint-epoch2.pth")["state_dict"]
    assert any(not torch.equal(before[name], after[name]) for name in before)


def check_epochs(path: Path, rows: list[dict[str, float]], count: int) -> None:
    """Check that so many epochs of two or more steps were made, by the config's schedule."""
    config, _ = read_config(path)
    loss = next(name for name in rows[0] if name.endswith("_per_point")).removesuffix("_per_point")
    names = [loss, f"valid_{loss}", f"{loss}_per_point", f"valid_{loss}_per_point"]
    if monitor := config["trainer"]["args"].get("monitor"):
        names.append(monitor.split()[1])
    assert [row["epoch"] for row in rows] == list(range(1, count + 1))
    for before, row in zip([{"step": 0.0}, *rows], rows, strict=False):
        assert all(math.isfinite(row[name]) for name in names), row
        assert row["skipped_steps"] == 0 and row["step"] - before["step"] >= 2
    schedule = (config["lr_scheduler"] or {}).get("type")
    # Others may stay as they are for so few steps.
    if schedule in (None, "CosineAnnealingLR", "OneCycleLR"):
        assert (len({row["learning_rate"] for row in rows}) == 1) == (schedule is None)


def check_use(network: Writer | Reader) -> None:
    """Check that a network writes a line of a few steps, or reads one in characters it knows."""
    if isinstance(network, Reader):
        strokes, _ = small_sources.written()[0]
        assert set(network.read(from_strokes(strokes))) <= set(network.model.alphabet.characters)
        return
    text = network.default_text if network.model.needs_text else None
    line = network.write(text, max_steps=STEPS)
    assert 2 <= len(line.ink) <= STEPS + 1 and np.isfinite(line.ink).all()
    assert line.text == text and line.ink[-1, 2] == 1
