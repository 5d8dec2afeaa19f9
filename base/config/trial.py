"""Finds the faults of a config before data are loaded, by a trial that makes the config's parts."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch

from base.base_trainer import BaseTrainer, logged_names
from base.config.binder import Binder
from base.config.overrides import CACHE, Override, option_of, with_defaults
from base.config.signatures import Annotation
from base.config.torch_parts import TRIAL_STEPS, make_steps
from base.training_parts import TrainingSettings
from utils.alphabet import Alphabet
from utils.checks import ABSENT, ConfigFault, hint
from utils.files import PLAIN_NAME
from utils.normalisation import Normalisation
from utils.strict_json import Config, children, nested

TRIAL_NORMALISATION = Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0))
"""Stands for the normalisation of unknown data in the trial of a network."""
TRIAL_ALPHABET = Alphabet([" "])
"""Stands for the alphabet of unknown data in the trial of a network."""


def key_faults(config: Config, keys: list[str], overrides: list[Override]) -> list[ConfigFault]:
    """Return a config's faults: unknown keys, an invalid name, a cache folder not in overrides."""
    unknown = [item for item in config.items() if item[0] not in keys]
    faults = [ConfigFault(*item, f"unknown key{hint(item[0], keys)}") for item in unknown]
    name = config.get("name", ABSENT)
    if not (isinstance(name, str) and PLAIN_NAME.fullmatch(name)):
        expected = "letters, digits, '_', '-' and '.', beginning with a letter or digit"
        faults.append(ConfigFault("name", name, f"{expected}, up to 100"))
    for key, value in nested(config):
        if key.rpartition(".")[2] == CACHE and value is not None and not option_of(key, overrides):
            expected = f"sets a folder to write to: accepted only as -o {key}=FOLDER"
            faults.append(ConfigFault(key, ABSENT, expected))
    return faults


def try_parts(
    config: Config, blocks: Mapping[str, Annotation], binder: Binder
) -> TrainingSettings | None:
    """Make the parts of a config, and collect their faults in `binder`; return the trainer's
    settings, or None if they have faults.

    The trainer itself needs the data and is not made. The network is on the device "meta", where
    weights take neither time nor memory. Optimiser and schedule make steps with small weights.
    """

    def make(key: str, **supplied: Any) -> Any:
        return binder.make(blocks[key], config.get(key, ABSENT), key, supplied)

    units, settings = {"normalisation": TRIAL_NORMALISATION, "alphabet": TRIAL_ALPHABET}, None
    with torch.device("meta"):
        network = make("arch", **units, extras=ABSENT)
    make("data_loader")
    optimizer = make("optimizer", params=[torch.nn.Parameter(torch.ones(2, 2))])
    schedule = make("lr_scheduler", optimizer=optimizer, steps=None, total_steps=TRIAL_STEPS)
    loss, metrics = make("loss", model=network), make("metrics", model=network)
    make("trainer", parts=ABSENT)
    trainer_is_sound = not any(fault.key.startswith("trainer") for fault in binder.faults)
    try:
        trainer = binder.choices(BaseTrainer).get(str(children(config.get("trainer")).get("type")))
        if trainer and ABSENT not in (network, loss, metrics):
            binder.faults += trainer.incompatibilities(network, loss, metrics)
        logged = None if ABSENT in (loss, metrics) else logged_names(loss, metrics, True)
        if trainer_is_sound:
            args = with_defaults(config, binder.defaults)["trainer"].get("args", {})
            names = args.keys() & {field.name for field in fields(TrainingSettings)}
            settings = TrainingSettings(**{name: args[name] for name in names})
            binder.faults += settings.validate(schedule, logged)
        if not binder.faults:
            make_steps(optimizer, schedule)
    except ConfigFault as fault:
        binder.faults.append(fault)
    return settings
