"""Defines `Plan`, the values of a config bound to arguments of constructors.

All faults come before data are loaded. A config can name only the exported classes of the
project's packages, torch's optimisers and schedules, and classes of modules that the user loads.
`base.config` has the parts: files, their bases and overrides, and the binding of values to
constructors. Whatever of a config is refused becomes a `ConfigFault`, and `Plan.error` makes the
message of all of them.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import data_loader
import model
import trainer
from base.base_dataset import BaseDataset
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer
from base.config import torch_parts, user_modules
from base.config.binder import (
    Binder,
    BoundClass,
    NamedObjects,
    Reference,
    Registry,
    bound_classes,
    built,
    faults,
)
from base.config.values import Override, read_config
from base.run.training_parts import settings_of
from base.trial.constructors import try_constructors
from data_loader.pipeline import Data
from model.loading import HAND_FILE, TrainedNetwork
from utils import strict_json
from utils.checks import ABSENT, NOTHING, ConfigError, ConfigFault, hint
from utils.files import PLAIN_NAME, user_cache
from utils.program import PREFIX
from utils.strict_json import Config, Json, children, nested, without

BLOCKS = {
    "arch": BaseModel,
    "data_loader": data_loader.HandwritingDataLoader,
    "optimizer": Optimizer,
    "lr_scheduler": LRScheduler | None,
    "loss": BaseLoss,
    "metrics": list[BaseMetric],
    "trainer": BaseTrainer,
}
"""What a config has at its first keys; it consists of these and a `name`."""
CLASS_PACKAGES = (data_loader, model, trainer)
"""The framework's packages whose classes a config may name."""
APP_CLASSES = {
    "HandDataset": (BaseDataset, f"{PREFIX}apps.hand.dataset"),
    "LegibleDataset": (BaseDataset, f"{PREFIX}apps.datasets.dataset"),
    "OwnHandReaderTrainer": (BaseTrainer, f"{PREFIX}apps.hand.exam"),
    "OwnHandTrainer": (BaseTrainer, f"{PREFIX}apps.hand.exam"),
}
"""By name, the classes of apps that a config may name: the base class, and the module, which is
imported when a config names the class."""
CACHE = "cache"
"""A key that ends in this name sets a folder to write to; the default is beside the data. Only the
command line may set it, so that an untrusted config cannot choose where the program writes."""


def config_binder() -> Binder:
    """Return a `Binder` for the objects that a config describes."""
    registry = Registry(CLASS_PACKAGES, APP_CLASSES, torch_parts.SIGNATURES)
    return Binder(registry, grouped=(Optimizer,))


@dataclass(frozen=True)
class Plan:
    """A config, bound to the signatures of the classes that it names; no object is built yet.

    A plan may have faults. `checked`, `build`, `given_config` and others refuse such a plan.
    """

    config: Config
    """The values of the config, with overrides."""
    source: str
    """The source of the config, for messages: the file, or `checkpoint FILE`."""
    bases: Mapping[str, str] = field(default_factory=dict)
    """By dotted key, the base file that a value is from, if it is from one."""
    overrides: tuple[Override, ...] = ()
    """The values that were set in the config, from the command line or by the program."""
    refused: tuple[ConfigFault, ...] = ()
    """Faults of overrides that could not be set."""
    binder: Binder = field(default_factory=config_binder)

    def with_overrides(self, overrides: Iterable[Override]) -> "Plan":
        """Return the plan with other values, set in order."""
        plan = self
        for override in overrides:
            config = copy.deepcopy(plan.config)
            try:
                key = plan.main_root() if override.key is None else override.key
                _set_value(config, key, override.value)
                override = override._replace(key=key)
                plan = replace(plan, config=config, overrides=(*plan.overrides, override))
            except ConfigFault as fault:
                plan = replace(plan, refused=(*plan.refused, fault.of(override.option)))
        return plan

    def with_values(self, values: Mapping[str, Json]) -> "Plan":
        """Return the plan with values of the program at dotted keys."""
        return self.with_overrides(Override("", key, value) for key, value in values.items())

    # Properties of a plan.

    @property
    def name(self) -> str:
        """The name of the experiment, which is also that of a folder."""
        if not _is_name(children(self.config).get("name")):
            self.checked()  # refuses the name
        return self.config["name"]

    @cached_property
    def bound(self) -> dict[str, Any]:
        """The bound value of each block."""
        values = children(self.config)
        return {
            key: self.binder.bind(annotation, values.get(key, ABSENT), key)
            for key, annotation in BLOCKS.items()
        }

    def __getitem__(self, key: str) -> BoundClass | None:
        """Return the bound class at a dotted key; None if there is none."""
        return next((bound for bound in self.bound_classes() if bound.key == key), None)

    def bound_classes(self, argument: str | None = None) -> list[BoundClass]:
        """Return all bound classes, inner ones first; with an `argument`, those that accept it."""
        classes = bound_classes(self.bound)
        return [bound for bound in classes if argument in (None, *bound.signature.arguments)]

    def option_of(self, key: str) -> str:
        """Return the option that last set a key or its parent; "" if no option did."""
        for override in reversed(self.overrides):
            if f"{key}.".startswith(f"{override.key}."):
                return override.option
        return ""

    def main_datasets(self) -> Iterator[BoundClass]:
        """Yield the dataset that is validated on, the first of several, and then each time the
        dataset that it is made of: its argument `dataset`."""
        loader = self["data_loader"]
        if loader is None:
            return
        dataset, sources = loader.values.get("dataset"), loader.values.get("sources")
        if isinstance(sources, NamedObjects) and any(map(_bound_class_at, sources.values())):
            names = loader.values.get("valid")
            validated = (sources.get(name) for name in (names if isinstance(names, list) else ()))
            dataset = next(filter(_bound_class_at, validated), None)
        while dataset := _bound_class_at(dataset):
            yield dataset
            dataset = dataset.values.get("dataset")

    def main_root(self) -> str:
        """Return the key of the folder of the main dataset, or of the only dataset from files.

        The main dataset is the first that is validated on, or what it is made of.

        Raises:
            ConfigFault: if there is no such dataset.
        """
        keys = [f"{bound.key}.args.root" for bound in self.bound_classes("root")]
        main = [f"{bound.key}.args.root" for bound in self.main_datasets()]
        if len(candidates := [key for key in main if key in keys] or keys) == 1:
            return candidates[0]
        expected = "--data is not used: the config's dataset is not read from files"
        if keys:
            options = " or ".join(f"-o {key}=FOLDER" for key in keys)
            expected = f"several datasets of the config are read from files: use {options}"
        raise ConfigFault("data_loader", ABSENT, expected)

    @property
    def complete(self) -> Config:
        """The config with the plain defaults of its classes."""
        config = copy.deepcopy(self.config)
        for bound_class in self.bound_classes():
            block = config
            for name in bound_class.key.split("."):
                block = children(block)[name]
            args = block.setdefault("args", {})
            for name, default in bound_class.defaults.items():
                args.setdefault(name, default)
        return config

    @property
    def given_config(self) -> Config:
        """The config as its author gave it, without defaults and without folders for caches; the
        entry `config` of checkpoints and of `run.json`."""
        return _without_caches(self.checked().config)

    @property
    def resolved_config(self) -> Config:
        """The given config with defaults; the file `config.json` of a run."""
        return _without_caches(self.checked().complete)

    # Faults.

    @cached_property
    def faults(self) -> list[ConfigFault]:
        """All faults that are known before an object is built."""
        if isinstance(self.config, dict):
            return [*self.refused, *self._key_faults(), *faults(self.bound)]
        expected = f"an object with {', '.join(('name', *BLOCKS))}"
        return [*self.refused, ConfigFault("the config", self.config, expected)]

    def _key_faults(self) -> Iterator[ConfigFault]:
        """Yield unknown keys, an invalid name, and caches that no override sets."""
        keys = ["name", *BLOCKS]
        for key in (key for key in self.config if key not in keys):
            yield ConfigFault(key, self.config[key], f"unknown key{hint(key, keys)}")
        if not _is_name(name := self.config.get("name", ABSENT)):
            expected = "letters, digits, '_', '-' and '.', beginning with a letter or digit"
            yield ConfigFault("name", name, f"{expected}, up to 100")
        for key, value in nested(self.config):
            is_cache = key.rpartition(".")[2] == CACHE and value is not None
            if is_cache and not self.option_of(key):
                expected = f"sets a folder to write to: accepted only as -o {key}=FOLDER"
                yield ConfigFault(key, ABSENT, expected)

    def checked(self) -> "Plan":
        """Return the plan; raise a ConfigError if it has faults."""
        if self.faults:
            raise self.error(self.faults)
        return self

    def error(self, all_faults: Sequence[ConfigFault]) -> ConfigError:
        """Return the error of faults of the config; it names each fault's option or file."""
        located = []
        present = {key for key, _ in nested(self.config)}
        for fault in all_faults:
            remedy = ""
            if fault.value is ABSENT and fault.key.endswith(".root"):  # as of an exported network
                remedy = "; --data names the folder"
            elif fault.value in (ABSENT, None) and fault.key in ("arch", "arch.type"):
                remedy = "; or -r CHECKPOINT, whose network is then trained, such as -r writer"
            option = self.option_of(fault.key)
            source = option or self.bases.get(fault.key, "")
            block, is_argument, _ = fault.key.rpartition(".args.")
            typed = self.option_of(f"{block}.type") if is_argument else ""
            if typed and fault.key in present and not option:
                remedy = f"; {source or self.source} has it for another type: "
                remedy += f"-o {block}.args={{}} leaves out all arguments there"
                source = typed
            located.append(fault.of(source, remedy))
        return ConfigError(self.source, located)

    # Building.

    def try_constructors(self, network_arguments: Mapping[str, Any] = NOTHING) -> BaseModel | None:
        """Build each object but the trainer once, see `base.trial.constructors`; return the
        network, or None if it takes extras of unknown shapes.

        Raises:
            ConfigError: with all faults of the plan, and of its constructors.
        """
        network, refused = try_constructors(self.bound, network_arguments)
        if all_faults := [*self.faults, *refused]:
            raise self.error(all_faults)
        return network

    def build(self, key: str, **supplied: Any) -> Any:
        """Build the object, or the list of objects, of a block.

        Args:
            key: a key of `BLOCKS`.
            supplied: a value for each of the constructor's parameters before `*`, by name; further
                values are ignored.

        Raises:
            ConfigError: if the plan has faults, or a constructor refuses an argument.
        """
        try:
            return built(self.checked().bound[key], supplied)
        except ConfigFault as fault:
            raise self.error([fault]) from fault


def _bound_class_at(bound: Any) -> BoundClass | None:
    """Return the bound class at a place, or that whose name stands there; None if there is none."""
    bound_class = bound.target if isinstance(bound, Reference) else bound
    return bound_class if isinstance(bound_class, BoundClass) else None


def _is_name(name: object) -> bool:
    return isinstance(name, str) and PLAIN_NAME.fullmatch(name) is not None


def _without_caches(config: Config) -> Config:
    return without(config, lambda name, _: name == CACHE)


def _set_value(values: Json, key: str, value: Json) -> None:
    """Set the value at a dotted key in the values of a config.

    The last name of the key may be new, as for an argument that the config leaves out.

    Raises:
        ConfigFault: if the config lacks a parent of the key.
    """
    *parents, last = key.split(".")
    holder = values
    parent = ""
    for name in parents:
        members = children(holder)
        parent = f"{parent}{name}"
        if name == "args" and "type" in members:
            members.setdefault("args", {})
        if name not in members:
            raise ConfigFault(parent, ABSENT, f"no such key{hint(name, members)}")
        holder = members[name]
        parent = f"{parent}."
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and last in children(holder):
        holder[int(last)] = value
    else:
        raise ConfigFault(key, ABSENT, f"no such key{hint(last, children(holder))}")


def plan_of(
    config: Json,
    source: str,
    overrides: Iterable[Override] = (),
    bases: Mapping[str, str] = NOTHING,
) -> Plan:
    """Return the plan of a config's values.

    Args:
        config: the values.
        source: their file or checkpoint, for messages.
        overrides: values that replace some of these.
        bases: by dotted key, the base file that a value is from, if it is from one.
    """
    return Plan(config, source, bases).with_overrides(overrides)


def plan_from_file(path: str | Path, overrides: Iterable[Override] = ()) -> Plan:
    """Return the plan of the config in a JSON file and its bases.

    Raises:
        ConfigError: if a file cannot be read.
    """
    config, bases = read_config(Path(path))
    return plan_of(config, str(path), overrides, bases)


def plan_from_checkpoint(
    config: Config, path: str | Path, overrides: Iterable[Override] = ()
) -> Plan:
    """Return the plan of the config that the checkpoint at `path` contains.

    The config may be untrusted. If it, not an override, sets a folder of data outside of `data/`,
    these data are cached in the user's folder for caches.
    """
    plan = plan_of(config, f"checkpoint {path}", overrides)
    caches = []
    for bound_class in plan.bound_classes(CACHE):
        root = bound_class.values.get("root")
        key = f"{bound_class.key}.args"
        if isinstance(root, str) and not bound_class.values.get(CACHE):
            is_in_data = Path(root).resolve().is_relative_to(Path("data").resolve())
            if not is_in_data and not plan.option_of(f"{key}.root"):
                folder = str(user_cache())
                caches.append(Override("the folder for caches", f"{key}.{CACHE}", folder))
    return plan.with_overrides(caches)


def grouped_weights(plan: Plan, network: BaseModel) -> list[Any]:
    """Return the weights of a network in the groups of the config, for its optimiser.

    Raises:
        ConfigError: with all faults of the groups.
    """
    weights = dict(network.named_parameters())
    optimizer = plan.checked()["optimizer"]
    if misfits := [*torch_parts.group_faults(optimizer.groups, [*weights])]:
        raise plan.error(misfits)
    names = torch_parts.divided(optimizer.groups, weights)
    return torch_parts.with_groups(optimizer, [[*map(weights.get, each)] for each in names])


def config_of(network: TrainedNetwork, overrides: Iterable[Override] = ()) -> Plan:
    """Return the plan of the config with which a network was trained.

    Raises:
        UserError: if the config has faults, such as a dataset of a module that is not loaded.
    """
    user_modules.check(network.record.get("modules", {}), network.path)
    config = network.record["config"]
    run_config = network.path.with_name("config.json")
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
    plan = config_of(network, overrides)
    model = network.model
    return plan.build("data_loader", origin=None).load(
        split,
        seed=settings_of(plan["trainer"]).seed,
        extras=model.extras,
        normalisation=model.normalisation,
        alphabet=model.alphabet if model.needs_text else None,
    )
