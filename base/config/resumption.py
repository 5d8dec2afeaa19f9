"""Differences between the config of a run and the config with which the run is resumed."""

import json
from typing import Any

from base.config.overrides import CACHE, Override
from base.config.sources import DATASETS
from utils.checks import ABSENT, ConfigFault, shown
from utils.strict_json import Config, Json, children, nested

ADJUSTABLE = {
    *("data_loader.args.num_workers", "data_loader.args.pin_memory", "trainer.args.epochs"),
    *("trainer.args.log_steps", "trainer.args.tensorboard", "trainer.args.anomaly"),
    *("trainer.args.keep_last", "trainer.args.save_minutes", "trainer.args.save_period"),
    "trainer.args.time_limit_minutes",
}
"""Keys that may differ when a run is resumed, because they have changed no past step. (Keys in
`FOLDERS` may also differ. The number of epochs may only grow.)"""
FOLDERS = ("root", CACHE)
"""The last names of the keys that set folders of data."""


def compare(old: Config, new: Config, source: str) -> tuple[list[Override], list[ConfigFault]]:
    """Compare the `old` config of a run with the `new` config with which the run is resumed.

    Returns:
        the new value of each allowed difference, as an override from `source`; and a fault for each
        other difference, except a null that became a fitted value.
    """
    overrides, faults = [], []
    for key, (old_value, new_value) in differences(old, new).items():
        is_folder = key.rpartition(".")[2] in FOLDERS and new_value is not ABSENT
        # The program replaces null in a dataset's arguments by a fitted value when a run begins.
        is_fitted = new_value is None and key.startswith(DATASETS)
        may_change = key in ADJUSTABLE and (key != "trainer.args.epochs" or new_value > old_value)
        if is_folder or may_change:
            overrides.append(Override(source, key, json.dumps(new_value)))
        elif not is_fitted:
            state = "did not have it" if old_value is ABSENT else f"has {shown(old_value)}"
            faults.append(ConfigFault(key, new_value, f"the run that is to be resumed {state}"))
    return overrides, faults


def changes(old: Config, new: Config) -> dict[str, list[Json]]:
    """Return by key the old and the new value of each difference, except folders of data; None
    stands for a value that a config lacks."""
    pairs = differences(old, new, absent=None).items()
    return {key: [*pair] for key, pair in pairs if key.rpartition(".")[2] not in FOLDERS}


def differences(old: Config, new: Config, absent: Any = ABSENT) -> dict[str, tuple[Any, Any]]:
    """Return by key the old and the new value of each difference, down to single values in objects
    and lists; `absent` stands for a value that a config lacks."""
    olds, news = dict(nested(old)), dict(nested(new))
    pairs = {key: (olds.get(key, absent), news.get(key, absent)) for key in {**news, **olds}}
    return {
        key: pair
        for key, pair in pairs.items()
        if pair[0] != pair[1] and not any(map(children, pair))
    }
