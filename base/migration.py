"""Conversion of configs and checkpoints of earlier versions."""

import copy
import re
from collections.abc import Mapping
from typing import Any

RENAMED = {
    "arch.args.halvings": "time_reductions",
    "arch.args.masked": "mask_ratio",
    "trainer.args.teacher_forcing": "teacher_forcing_ratio",
}
"""Former config keys, and the present name of the last part of each."""
REMOVED = ("arch.args.sink",)
"""Former config keys that no longer mean anything."""

_WEIGHTS = (
    (re.compile(r"(layers\.\d+\.)onward\."), r"\1forward_rnn."),
    (re.compile(r"(layers\.\d+\.)backward\."), r"\1backward_rnn."),
)
"""Former names of weights, and the present ones."""


def migrated_key(key: str) -> str:
    """Return the present name of a dotted config key."""
    parent, _, _ = key.rpartition(".")
    return f"{parent}.{RENAMED[key]}" if key in RENAMED else key


def migrated_config(config: Any) -> Any:
    """Return a config with its present keys; anything else stays unchanged."""
    config = copy.deepcopy(config)
    for key in (*RENAMED, *REMOVED):
        name = RENAMED.get(key)
        *parents, old = key.split(".")
        holder = config
        for parent in parents:
            holder = holder.get(parent) if isinstance(holder, dict) else None
        if not isinstance(holder, dict) or old not in holder:
            continue
        if name is None:
            del holder[old]
        elif name not in holder:
            # In its place: the order of keys is that of the messages.
            items = [(name if one == old else one, value) for one, value in holder.items()]
            holder.clear()
            holder.update(items)
    return config


def migrate(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents of a checkpoint of format 1 in format 2, except the config.

    What is not valid is left for `base.checkpoint_schema` to refuse.
    """
    content = dict(content)
    content["state_dict"] = _renamed(content.get("state_dict"))
    dataset = content.get("dataset")
    if isinstance(dataset, dict) and "lattice" in dataset:
        others = {name: value for name, value in dataset.items() if name != "lattice"}
        content["dataset"] = {**others, "quantisation_step": dataset["lattice"]}
    training = content.get("training")
    update = training.get("update") if isinstance(training, dict) else None
    if isinstance(update, dict):
        update = {**update, "model": _renamed(update.get("model"))}
        content["training"] = {**training, "update": update}
    return content


def _renamed(weights: Any) -> Any:
    """Return weights by their present names."""
    if not isinstance(weights, dict):
        return weights
    renamed = {}
    for name, value in weights.items():
        for pattern, now in _WEIGHTS if isinstance(name, str) else ():
            name = pattern.sub(now, name)
        renamed[name] = value
    return renamed
