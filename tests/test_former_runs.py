"""Runs that former code stopped within an epoch go on to the ends that they would have had then.

`fixtures/runs` was made by `train.py -c` with the `config.json` of each run, on lines of an
invented writer. Each step drew a number from NumPy and from Python; a SIGINT came in one of them.
`exported.pth` is the generator's, by `experiments.py export`; the hand was learned from that, with
two of the lines as they are for its `practice.npz`. `expected.json` has what `end_of` and `used`
return for the same runs without a stop, and the next two numbers that are drawn after it.
The generator had adaptive noise on its weights, which was taken out of its files with the code for
that: what is expected of it is the former code's end of the run in these files.

Where the lines of `EmbeddedDataset` change on purpose, the run of two processes is made anew.
"""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

import train
from base.checkpoint import BEST, checkpoints, load_checkpoint
from data_loader.sources.ink_files import read_ink
from model import Reader, load
from model.generation.line import Sampling
from tests import torchrun
from tests.same_run import rows_of
from trainer.own_hand import exam

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("logging_restored")]

ROOT = Path(__file__).parents[1]
RUNS = Path(__file__).parent / "fixtures" / "runs"
MODELS = Path("saved/models")
NAMES = ["generator", "recogniser", "hand", "two_processes"]
TOLERANCE = {"rel": 1e-4, "abs": 1e-5, "nan_ok": True}
"""Sixty times what other instruction sets and numbers of threads change, and a twentieth of what a
lost part of the training state does (measured)."""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The working directory, with the runs."""
    shutil.copytree(RUNS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_exam(monkeypatch):
    """What learned a hand is kept, whatever it writes."""
    monkeypatch.setattr(exam, "best_primer", lambda *_: 0)
    monkeypatch.setattr(exam.Exam, "score", lambda *_: (set(), [], 0.0))


def expected(part: str, name: str) -> dict[str, float]:
    return json.loads((RUNS / "expected.json").read_text())[part][name]


def end_of(run: Path) -> dict[str, float]:
    """Return the table of a run, and its last weights: the norm and some numbers of each."""
    (newest,) = checkpoints(run)
    content = load_checkpoint(newest)
    values = {f"last {name}": content[name] for name in ("epoch", "step")}
    for row in rows_of(run / "metrics.csv"):
        values |= {f"epoch {row['epoch']}: {name}": float(row[name]) for name in row}
    for name, weight in content["state_dict"].items():
        weight = weight.double().flatten()
        values[f"{name} norm"] = float(weight.norm())
        values |= {f"{name} {n}": value for n, value in enumerate(weight[:3].tolist())}
    return values


def used(path: Path) -> dict[str, float]:
    """Return the code points that a network reads, or where and how often what it writes ends."""
    network = load(path, "cpu")
    if isinstance(network, Reader):
        text = network.read(read_ink("data/lines.inkml")[1].ink)
        return {f"character {n}": ord(letter) for n, letter in enumerate(text)}
    text = "tea" if network.model.needs_text else None
    ink = network.write(text, Sampling(bias=0.0, max_steps=30), seed=1).ink
    return dict(zip("xyp", ink.sum(0).tolist(), strict=True)) | {"points": len(ink)}


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_run_that_former_code_stopped_goes_on_to_the_same_end(runs, no_exam, name):
    run = MODELS / name / "stopped"
    assert train.main(["-r", str(run), "-d", "cpu"]) == 0
    drawn = {"numpy": np.random.random(), "python": random.random()}
    assert end_of(run) | drawn == pytest.approx(expected("ends", name), **TOLERANCE)
    record = json.loads((run / "run.json").read_text())["runs"]
    assert [start["ended"]["state"] for start in record] == ["stopped", "finished"]
    if name == "hand":
        assert load(run, "cpu").path.name == "hand.pth"


def test_a_run_of_two_processes_that_former_code_stopped_goes_on_to_the_same_end(runs):
    """And stops early, with the best epoch that came before it was stopped."""
    run = MODELS / NAMES[3] / "stopped"
    best = load_checkpoint(run / BEST)["metrics"]
    process = torchrun.start_forked(ROOT / "train.py", "-r", str(run), "-d", "cpu")
    assert process.wait(timeout=240) == 0
    assert end_of(run) == pytest.approx(expected("ends", NAMES[3]), **TOLERANCE)
    assert load_checkpoint(run / BEST)["metrics"] == best


@pytest.mark.parametrize("name", ["exported.pth", *NAMES])
def test_a_network_that_former_code_trained_writes_or_reads_the_same_as_then(runs, name):
    path = next(MODELS.glob(f"{name}/*/*step*.pth"), Path(name))
    assert used(path) == pytest.approx(expected("used", name), **TOLERANCE)
