"""The project is extended by one file with one class, from a config to a written line."""

import json
import sys
from pathlib import Path

import pytest

import experiments
import train
from base import extension
from base.checkpoint import load_checkpoint
from tests.tiny_config import CONFIG
from utils.checks import UserError

NETWORK = '''
from model import PredictionNetwork

class NoisyNetwork(PredictionNetwork):
    """Sees its inputs a little larger."""

    def __init__(self, normalisation, *, factor: float = 1.5, **options):
        super().__init__(normalisation, **options)
        self.factor = factor

    def forward(self, inputs, *others):
        return super().forward(self.factor * inputs, *others)
'''
DATASET = '''
import numpy as np

from base.base_dataset import BaseDataset

class Waves(BaseDataset):
    """Waves of several lengths."""

    def prepare(self):
        self.lengths = np.arange(20, 30)

    def split_indices(self):
        return {"train": np.arange(6), "valid": np.arange(6, 8), "test": np.arange(8, 10)}

    def ink(self, index):
        x = np.arange(self.lengths[index])
        ink = np.stack([(x > 0) * (2 + x % 3), 9 * np.sin(x / 3), x == x[-1]], 1)
        return ink.astype(np.float32)

    def text(self, index): return ""
    def name(self, index): return f"wave-{index}"
    def report(self): return "ten waves"
'''
EXTENSIONS = {
    "network": (NETWORK, {"arch": {**CONFIG["arch"], "type": "NoisyNetwork"}}),
    "dataset": (
        DATASET,
        {"data_loader": {"type": "HandwritingDataLoader", "args": {"dataset": {"type": "Waves"}}}},
    ),
}


@pytest.fixture
def workplace(tmp_path, monkeypatch, logging_restored):
    """An empty folder, in which no module of a user's is loaded yet."""
    monkeypatch.chdir(tmp_path)
    forget(monkeypatch)
    yield tmp_path
    forget(monkeypatch)


def forget(monkeypatch):
    """Be a process that has loaded no module of a user's."""
    monkeypatch.setattr(extension, "_loaded", {})
    monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path).name != "mine"])
    for kind in EXTENSIONS:
        sys.modules.pop(f"my_{kind}", None)


def draw(*words):
    words = ["-r", "saved/models/tiny/a", "-d", "cpu", "--steps", "9", "--num-samples", "1", *words]
    return experiments.main(["write", *words, "--output", "out/line.svg"])


@pytest.mark.parametrize("kind", EXTENSIONS)
def test_one_file_with_one_class_is_enough(workplace, monkeypatch, capsys, kind):
    code, changes = EXTENSIONS[kind]
    assert 1 < len([line for line in code.splitlines() if line.strip()]) <= 20
    module = Path("mine", f"my_{kind}.py")
    module.parent.mkdir()
    module.write_text(code)
    Path("config.json").write_text(json.dumps(CONFIG | changes))
    words = ["-d", "cpu", "-c", "config.json", "--run-id", "a"]
    assert train.main(words) == 2  # no config loads code by itself
    assert "unknown type" in capsys.readouterr().err
    assert train.main([*words, "--module", str(module)]) == 0
    checkpoint = load_checkpoint(Path("saved/models/tiny/a/model_best.pth"))
    assert list(checkpoint["modules"]) == [f"my_{kind}"]
    # It writes without the module, unless that is the network itself.
    forget(monkeypatch)
    if kind == "network":
        with pytest.raises(
            UserError, match=r"\"NoisyNetwork\".*; the module my_network\.py .*--module"
        ):
            draw()
        assert not Path("out").exists()
    assert draw(*(["--module", str(module)] if kind == "network" else [])) == 0
    assert Path("out/line.svg").stat().st_size > 200
    # Its config is of use only with it.
    forget(monkeypatch)
    evaluate = ["evaluate", "-r", "saved/models/tiny/a", "-d", "cpu", "--output", "out"]
    with pytest.raises(UserError, match=rf"module my_{kind}\.py .* is not loaded: --module FILE"):
        experiments.main(evaluate)
    assert experiments.main([*evaluate, "--module", str(module)]) == 0
