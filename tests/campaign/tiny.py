"""A run of the real scripts small enough to last a fraction of a second."""

import copy
import json
from pathlib import Path
from typing import Any

from data_loader import EmbeddedDataset

DATASET = {
    "seed": 3,
    "size": 6,
    "valid_size": 2,
    "test_size": 1,
    "writers": 2,
    "min_characters": 2,
    "max_characters": 8,
    "rate": 20.0,
}
CONFIG = {
    "name": "tiny",
    "arch": {
        "type": "PredictionNetwork",
        "args": {"hidden_size": 6, "num_layers": 1, "num_mixtures": 2, "dropout": 0.2},
    },
    "data_loader": {
        "type": "HandwritingDataLoader",
        "args": {"dataset": {"type": "EmbeddedDataset", "args": DATASET}, "batch_size": 2},
    },
    "optimizer": {"type": "GravesRMSprop", "args": {"lr": 0.003}},
    "lr_scheduler": {"type": "OneCycleLR"},
    "loss": {"type": "NegativeLogLikelihood"},
    "metrics": [{"type": "SSE"}],
    "trainer": {
        "type": "GenerationTrainer",
        "args": {
            "epochs": 2,
            "seed": 4,
            "monitor": "min valid_log_loss",
            "save_minutes": 0.0,
            "samples": 0,
            "tensorboard": False,
        },
    },
}
WRITER = {"arch.type": "SynthesisNetwork"}
"""Makes the network one that writes texts."""
RUN = Path("saved/models/tiny/a")
TRAIN = ("train.py", "-c", "config.json", "--run-id", "a", "-d", "cpu")


def changed(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a config with values by dotted key."""
    config = copy.deepcopy(config)
    for key, value in changes.items():
        *parents, last = key.split(".")
        holder = config
        for name in parents:
            holder = holder[name]
        holder[last] = value
    return config


def write(path: Path, config: dict[str, Any]) -> None:
    """Write a config file."""
    path.write_text(json.dumps(config), encoding="utf-8")


def warm_up(folder: Path) -> list[list[str]]:
    """Return runs of the program that need all that it ever imports; their files go to `folder`.

    What the embedded data keeps of its fonts is made here, for all processes forked from this one.
    """
    EmbeddedDataset(**DATASET).prepare()
    writer = changed(CONFIG, WRITER | {"trainer.args.tensorboard": True, "trainer.args.samples": 1})
    write(folder / "config.json", writer)
    use = ["experiments.py", "-r", str(RUN), "-d", "cpu"]
    return [
        list(TRAIN),
        [*use, "--text", "ab", "--steps", "9", "--window", "--density", "--inkml"],
        [*use, "--evaluate"],
    ]
