"""Reads configs, and tries their constructors, so that all faults come before data are loaded.

A config can name only the exported classes of the project's packages, torch's optimisers and
schedules, and classes of modules that the user loads. `base.config` has the parts: files and their
bases, overrides, the binding of values to constructors, and the comparison with a former config.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import data_loader
import model
import trainer
from base.base_dataset import SPLITS
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer, logged_names
from base.config import torch_parts, user_modules
from base.config.binder import Binder, Outcome
from base.config.overrides import CACHE, Override, option_of
from base.config.plan import Block, Plan
from base.config.signatures import Annotation, by_name
from base.config.torch_parts import TRIAL_STEPS
from base.training_parts import TrainingSettings
from base.trying import try_steps
from data_loader.data_loaders import Data
from model.loading import HAND_FILE, TrainedNetwork
from utils import strict_json
from utils.alphabet import Alphabet
from utils.checks import ConfigFault, UserError
from utils.files import user_cache
from utils.normalisation import Normalisation
from utils.strict_json import Config, Json

BLOCKS = {
    "arch": Block(BaseModel, ("normalisation", "alphabet", "extras")),
    "data_loader": Block(data_loader.HandwritingDataLoader),
    "optimizer": Block(Optimizer, ("params",)),
    # torch's schedules take the number of steps of the whole run as `steps`.
    "lr_scheduler": Block(LRScheduler | None, ("optimizer", "steps", "total_steps")),
    "loss": Block(BaseLoss, ("model",)),
    "metrics": Block(list[BaseMetric], ("model",)),
    "trainer": Block(BaseTrainer, ("parts",)),
}
"""The blocks of a config."""
PACKAGES = (data_loader, model, trainer)
"""The project's packages whose classes a config may name."""
TRIAL_NORMALISATION = Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0))
"""Stands for the normalisation of unknown data in the trial of a network."""
TRIAL_ALPHABET = Alphabet([" "])
"""Stands for the alphabet of unknown data in the trial of a network."""


def plan_of(config: Json, source: str, overrides: Iterable[Override] = ()) -> Plan:
    """Return the plan of a config's values; `source` is their origin, for messages."""
    return Plan(config, source, BLOCKS, config_binder()).with_overrides(overrides)


def plan_from_file(path: str | Path, overrides: Iterable[Override] = ()) -> Plan:
    """Return the plan of the config in a JSON file and its bases.

    Raises:
        ConfigError: if a file cannot be read, or no network is named.
    """
    return read(path).with_network(None).with_overrides(overrides)


def read(path: str | Path) -> Plan:
    """Return the plan of the config in a JSON file and its bases, which may lack a network."""
    return Plan.from_file(Path(path), BLOCKS, config_binder())


def plan_from_checkpoint(
    config: Config, path: str | Path, overrides: Iterable[Override] = ()
) -> Plan:
    """Return the plan of the config that the checkpoint at `path` contains.

    The config may be untrusted. If it, not an override, sets a folder of data outside of `data/`,
    these data are cached in the user's folder for caches.
    """
    plan, caches = plan_of(config, f"checkpoint {path}", overrides), []
    for part in plan.parts(CACHE):
        root, key = part.values.get("root"), f"{part.key}.args"
        if isinstance(root, str) and not part.values.get(CACHE):
            is_in_data = Path(root).resolve().is_relative_to(Path("data").resolve())
            if not is_in_data and not option_of(f"{key}.root", plan.overrides):
                text = json.dumps(str(user_cache()))
                caches.append(Override("the folder for caches", f"{key}.{CACHE}", text))
    return plan.with_overrides(caches)


def settings_of(plan: Plan) -> TrainingSettings:
    """Return the settings that all trainers have, with defaults."""
    args = plan.complete["trainer"]["args"]
    names = args.keys() & {field.name for field in fields(TrainingSettings)}
    return TrainingSettings(**{name: args[name] for name in names})


def try_constructors(
    plan: Plan, alphabet: Alphabet | None = None, extras: Mapping[str, Any] | None = None
) -> tuple[Plan, BaseModel | None]:
    """Make all parts of a config but the trainer once, and throw them away.

    The network is on the device "meta", where weights take neither time nor memory. Optimiser and
    schedule make steps with small weights. The trainer needs the data.

    Args:
        plan: the config.
        alphabet: that of the network; None if it is unknown.
        extras: the shapes of the extras that the network takes; None if they are unknown.

    Returns:
        the plan with the defaults that classes give their bases; and the network without memory
        for its weights, or None if it takes extras of unknown shapes.

    Raises:
        ConfigError: with all faults of the plan, and of its constructors.
    """
    supplied = {"normalisation": TRIAL_NORMALISATION, "alphabet": alphabet or TRIAL_ALPHABET}
    supplied |= {} if extras is None else {"extras": extras}
    supplied["params"] = [torch.nn.Parameter(torch.ones(2, 2))]
    supplied |= {"steps": None, "total_steps": TRIAL_STEPS}
    built: dict[str, Outcome] = {}
    for key in (key for key in BLOCKS if key != "trainer"):
        with torch.device("meta" if key == "arch" else "cpu"):
            built[key] = plan.tried(key, supplied)
        name = {"arch": "model"}.get(key, key)
        if name in ("model", "optimizer") and built[key].value is not None:
            supplied[name] = built[key].value
    whole = Outcome.gathered(None, built.values())
    plan = replace(plan, base_defaults=whole.defaults)
    faults = [*plan.faults, *whole.faults]
    try:
        faults += _together({key: outcome.value for key, outcome in built.items()}, plan)
        if not faults:
            try_steps(built["optimizer"].value, built["lr_scheduler"].value)
    except ConfigFault as fault:
        faults.append(fault)
    plan.refuse(faults)
    return plan, built["arch"].value


def _together(made: Mapping[str, Any], plan: Plan) -> Iterator[ConfigFault]:
    """Yield the faults of parts that do not fit each other, or the trainer and its settings.

    Args:
        made: the parts by key; None for one that could not be made.
        plan: their plan.
    """
    network, loss, metrics, trainer = made["arch"], made["loss"], made["metrics"], plan["trainer"]
    is_scored = loss is not None and metrics is not None and None not in metrics
    if trainer is not None and network is not None and is_scored:
        yield from trainer.cls.incompatibilities(network, loss, metrics)
    logged = logged_names(loss, metrics, True) if is_scored else None
    if trainer is not None and not plan.has_faults("trainer"):
        yield from settings_of(plan).validate(made["lr_scheduler"], logged)


def config_of(network: TrainedNetwork, overrides: Iterable[Override] = ()) -> Plan:
    """Return the plan of the config with which a network was trained.

    Raises:
        UserError: if the config has faults, such as a dataset of a module that is not loaded.
    """
    user_modules.check(network.record.get("modules", {}), network.path)
    config, run_config = network.record["config"], network.path.with_name("config.json")
    # The run's config names the folder of the data, which the file of a hand lacks.
    if network.path.name == HAND_FILE and run_config.exists():
        config = config | {"data_loader": strict_json.read(run_config)["data_loader"]}
    return plan_from_checkpoint(config, network.path, overrides).checked()


def data_of(network: TrainedNetwork, split: str, overrides: Iterable[Override] = ()) -> Data:
    """Return a split of the data with which a network was trained, prepared for the network.

    Raises:
        UserError: if the config has faults, or if there is no such split.
        DataError: if the data are missing or broken, or do not fit the network.
    """
    plan, model = config_of(network, overrides), network.model
    settings = plan.build("data_loader")
    loaded = settings.dataset.load(SPLITS if settings.overfit else [split])
    loaded.split(split)
    return settings.for_network(
        loaded,
        seed=settings_of(plan).seed,
        normalisation=model.normalisation,
        alphabet=model.alphabet if model.needs_text else None,
        features=model.features,
        extras=model.extras,
    )


def choices(base: Annotation) -> dict[str, type]:
    """Return the subclasses of `base` that a config may name, by name."""
    offered = [getattr(package, name) for package in PACKAGES for name in package.__all__]
    classes = by_name(offered + torch_parts.offered(), base)
    for cls in user_modules.classes():
        for name in by_name([cls], base):
            if (other := classes.setdefault(name, cls)) is not cls:
                problem = f"{other.__module__} also has a class {name}; rename one of the two"
                raise UserError(f"{cls.__module__}.py: {problem}")
    return classes


def config_binder() -> Binder:
    """Return a `Binder` for the objects that a config describes."""
    return Binder(choices, torch_parts.arguments)
