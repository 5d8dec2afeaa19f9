"""Configs and checkpoints of earlier versions, in the words of this one."""

import copy
import re
from collections.abc import Mapping
from typing import Any

RENAMED = {
    "arch.args.halvings": "time_reductions",
    "arch.args.masked": "mask_ratio",
    "trainer.args.teacher_forcing": "teacher_forcing_ratio",
}
"""Config keys of before, and what the last part of each is called now."""

_WEIGHTS = (
    (re.compile(r"(layers\.\d+\.)onward\."), r"\1forward_rnn."),
    (re.compile(r"(layers\.\d+\.)backward\."), r"\1backward_rnn."),
)
"""Names of weights of before, and what they are now."""


def migrated_key(key: str) -> str:
    """Return a dotted key of a config as it is called now."""
    parent, _, _ = key.rpartition(".")
    return f"{parent}.{RENAMED[key]}" if key in RENAMED else key


def migrated_config(config: Any) -> Any:
    """Return a config with its keys as they are called now; what is no config stays as it is."""
    config = copy.deepcopy(config)
    for key, name in RENAMED.items():
        *parents, old = key.split(".")
        holder = config
        for parent in parents:
            holder = holder.get(parent) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and old in holder and name not in holder:
            # In its place: the order of keys is that of the messages.
            items = [(name if one == old else one, value) for one, value in holder.items()]
            holder.clear()
            holder.update(items)
    return config


def migrate(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint of format 1 holds as format 2 has it.

    Whoever made the file: what is not as it should be stays, to be refused by
    `base.checkpoint_schema`.
    """
    content = dict(content)
    content["config"] = migrated_config(content.get("config"))
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
    """Return weights by the names that they have now."""
    if not isinstance(weights, dict):
        return weights
    renamed = {}
    for name, value in weights.items():
        for pattern, now in _WEIGHTS if isinstance(name, str) else ():
            name = pattern.sub(now, name)
        renamed[name] = value
    return renamed
