"""The config of a run that lasts a moment, through the real scripts, and changes of any config."""

import copy
from typing import Any

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
        "args": {"epochs": 2, "seed": 4, "samples": 0, "tensorboard": False},
    },
}


def changed(tree: Any, changes: dict[str | tuple, Any]) -> Any:
    """Return a copy of nested dicts and lists with values by key; `...` removes one.

    A key is a tuple, or dotted, digits in it being the place in a list.
    """
    tree = copy.deepcopy(tree)
    for key, value in changes.items():
        if isinstance(key, str):
            key = [int(name) if name.isdigit() else name for name in key.split(".")]
        holder = tree
        for name in key[:-1]:
            holder = holder[name]
        if value is ...:
            del holder[key[-1]]
        else:
            holder[key[-1]] = value
    return tree
