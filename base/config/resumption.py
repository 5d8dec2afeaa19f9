"""Differences between the configs of a run and of its resumption."""

import json
from typing import Any

from base.config.overrides import CACHE, Override
from utils.checks import ABSENT, ConfigFault, shown
from utils.strict_json import Config, Json, children, nested

ADJUSTABLE = {
    *("data_loader.args.num_workers", "data_loader.args.pin_memory", "trainer.args.epochs"),
    *("trainer.args.log_steps", "trainer.args.tensorboard", "trainer.args.anomaly"),
    *("trainer.args.keep_last", "trainer.args.save_minutes", "trainer.args.save_period"),
    "trainer.args.time_limit_minutes",
}
"""Keys that may differ where a run is started again and goes on, as they change no past step. (The
place of the data may differ, too; the epochs may only become more.)"""
PLACES = ("root", CACHE)
"""The last names of the keys that say where data are."""


def compare(before: Config, now: Config, source: str) -> tuple[list[Override], list[ConfigFault]]:
    """Compare the config `before` of a run with the config `now` with which the run is to go on.

    Returns:
        the values that replace former ones, as overrides from `source`; and a fault for each value
        that may not differ.
    """
    overrides, faults = [], []
    for key, (old, new) in differences(before, now).items():
        is_place = key.rpartition(".")[2] in PLACES and new is not ABSENT
        was_fitted = new is None and key.startswith("data_loader.args.dataset.args.")
        if is_place or (key in ADJUSTABLE and (key != "trainer.args.epochs" or new > old)):
            overrides.append(Override(source, key, json.dumps(new)))
        elif not was_fitted:  # by the program, to the network or the data, when the run began
            had = "did not have it" if old is ABSENT else f"has {shown(old)}"
            faults.append(ConfigFault(key, new, f"the run that is to go on {had}"))
    return overrides, faults


def changes(before: Config, now: Config) -> dict[str, list[Json]]:
    """Return the differing values of two configs by key, without places of data; None for absent
    values."""
    pairs = differences(before, now, absent=None).items()
    return {key: [*pair] for key, pair in pairs if key.rpartition(".")[2] not in PLACES}


def differences(before: Config, now: Config, absent: Any = ABSENT) -> dict[str, tuple[Any, Any]]:
    """Return the differing values of two configs by key, down to the values in objects and lists;
    `absent` stands for values that a config lacks."""
    old, new = dict(nested(before)), dict(nested(now))
    pairs = {key: (old.get(key, absent), new.get(key, absent)) for key in {**new, **old}}
    return {
        key: pair
        for key, pair in pairs.items()
        if pair[0] != pair[1] and not any(map(children, pair))
    }
