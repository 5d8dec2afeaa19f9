"""What may differ between the configs of a run where the run goes on, and what does."""

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
"""What may differ where a run is started again and goes on: it changes no step that was made. (So
may the place of the data; the epochs may only become more.)"""
PLACES = ("root", CACHE)
"""The last names of the keys that say where data are."""


def compare(before: Config, now: Config, source: str) -> tuple[list[Override], list[ConfigFault]]:
    """Return the values of a config, from `source`, that replace those of the run that goes on with
    it, and a fault for each value that may not differ."""
    overrides, faults = [], []
    for key, (old, new) in differences(before, now).items():
        is_place = key.rpartition(".")[2] in PLACES and new is not ABSENT
        was_fitted = new is None and key.startswith("data_loader.args.dataset.args.")
        if is_place or (key in ADJUSTABLE and (key != "trainer.args.epochs" or new > old)):
            overrides.append(Override(source, key, json.dumps(new)))
        elif not was_fitted:  # To the network or the data, when the run began.
            had = "did not have it" if old is ABSENT else f"has {shown(old)}"
            faults.append(ConfigFault(key, new, f"the run that is to go on {had}"))
    return overrides, faults


def changes(before: Config, now: Config) -> dict[str, list[Json]]:
    """Return by key what two configs have where they differ, except places of data; None for what
    they lack."""
    pairs = differences(before, now, absent=None).items()
    return {key: [*pair] for key, pair in pairs if key.rpartition(".")[2] not in PLACES}


def differences(before: Config, now: Config, absent: Any = ABSENT) -> dict[str, tuple[Any, Any]]:
    """Return by key what two configs have where they differ; `absent` stands for what they lack. Of
    objects and lists these are the values in them."""
    old, new = dict(nested(before)), dict(nested(now))
    pairs = {key: (old.get(key, absent), new.get(key, absent)) for key in {**new, **old}}
    return {
        key: pair
        for key, pair in pairs.items()
        if pair[0] != pair[1] and not any(map(children, pair))
    }
