"""Reads a config, reports all its faults before any data loads, and builds objects from it.

Types are looked up in closed lists: what the project's own packages export, and torch's optimisers
and schedules. `utils.binding` describes how values are bound to constructors.
"""

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import data_loader
import model
import trainer
from base import extension, torch_blocks
from base.base_dataset import SPLITS, BaseDataset
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.base_task import logged_names
from base.base_trainer import BaseTrainer
from base.checkpoint import HAND_FILE
from base.training_parts import TrainingSettings
from data_loader.data_loaders import Data
from model.loading import TrainedNetwork
from utils import config_file, strict_json
from utils.alphabet import Alphabet
from utils.binding import NOTHING, Annotation, Binder, arguments_of, by_name
from utils.checks import ABSENT, ConfigFault, UserError, hint, listed, shown
from utils.files import PLAIN_NAME, user_cache
from utils.normalisation import Normalisation
from utils.override import Override, children, differences, nested, without
from utils.strict_json import Config, Json

BLOCKS: dict[str, Annotation] = {
    "arch": BaseModel,
    "data_loader": data_loader.HandwritingDataLoader,
    "optimizer": Optimizer,
    "lr_scheduler": LRScheduler | None,
    "loss": BaseLoss,
    "metrics": list[BaseMetric],
    "trainer": BaseTrainer,
}
"""The blocks of a config; it also has a `name`."""

PACKAGES = (data_loader, model, trainer)

# Accepted on the command line only, as it says where files are written: an untrusted config, alone
# or in a checkpoint, cannot make the program write somewhere. (By default it is a folder of a fixed
# name beside the data.)
CACHE = "cache"

ADJUSTABLE = {
    *("data_loader.args.num_workers", "data_loader.args.pin_memory", "trainer.args.epochs"),
    *("trainer.args.log_steps", "trainer.args.tensorboard", "trainer.args.anomaly"),
    *("trainer.args.keep_last", "trainer.args.save_minutes", "trainer.args.save_period"),
    "trainer.args.time_limit_minutes",
}
"""What may differ where a run is started again and goes on: it changes no step that was made. (So
may the place of the data; the epochs may only become more.)"""

TRIAL_NORMALISATION = Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0))
TRIAL_ALPHABET = Alphabet([" "])
"""With these a network is checked as long as those of the data are not known."""


class ConfigError(UserError):
    """All faults of a config; the message lists them as `checks.listed` does.

    Args:
        source: where the config is from: the file, or `checkpoint FILE`.
        faults: what is wrong; those of command-line options have these as their source.
    """

    def __init__(self, source: str, faults: Sequence[ConfigFault]) -> None:
        self.faults = faults
        if len(faults) == 1:
            super().__init__(f"{faults[0]}" if faults[0].source else f"{source}: {faults[0]}")
            return
        super().__init__(listed(source, [*map(str, faults)]))


class ConfigParser:
    """A config without faults, and the objects that it describes.

    Args:
        config: the plain values of the config.
        source: its origin, for messages: the file, or `checkpoint FILE`.
        overrides: values from the command line, applied in order.
        files: the file of the config and its bases, with the values in each; the first is `source`.

    Raises:
        ConfigError: naming all faults.
    """

    def __init__(
        self,
        config: Config,
        source: str,
        overrides: Iterable[Override] = (),
        files: Mapping[Path, Json] = NOTHING,
    ) -> None:
        self.config, self.source, self._files = copy.deepcopy(config), source, files
        self._overrides: list[Override] = []
        faults = []
        for override in overrides:
            try:
                if override.key is None:  # Of --data.
                    text = json.dumps(override.text)
                    override = override._replace(key=self._root(), text=text)
                override.set_in(self.config)
                self._overrides.append(override)
            except ConfigFault as fault:
                faults.append(fault.of(override.option))
        self._refuse(faults + self._faults())

    @classmethod
    def from_file(
        cls, path: str | Path, overrides: Iterable[Override] = (), arch: Json = None
    ) -> "ConfigParser":
        """Read the config in a JSON file, and in those that it is based on.

        Args:
            path: the file.
            overrides: values from the command line.
            arch: of the network that is fine-tuned. Where the config names no type of network it
                is that one, with the arguments that the config gives.
        """
        try:
            files = config_file.read(Path(path))
        except ConfigFault as fault:
            raise ConfigError(str(path), [fault]) from fault
        config = config_file.written_out(files)
        given = children(config).get("arch", ABSENT)
        if given is None or (isinstance(given, dict) and "type" not in given):
            if arch is None:
                expected = "a type; or -r CHECKPOINT, whose network it is, such as -r writer"
                raise ConfigError(str(path), [ConfigFault("arch", given, expected)])
            network, given = children(arch), given or {}
            args = given.get("args", {})
            if isinstance(args, dict):
                args = children(network.get("args")) | args
            config["arch"] = network | given | {"args": args}
        return cls(config, str(path), overrides, files)

    @classmethod
    def from_checkpoint(
        cls, config: Config, path: str | Path, overrides: Iterable[Override] = ()
    ) -> "ConfigParser":
        """Read the config, which may be untrusted, of the checkpoint at `path`.

        Data that it alone names outside `data/` is cached in the user's folder, not beside it.
        """
        parser = cls(config, f"checkpoint {path}", overrides)
        for key, args, accepted in parser._datasets():
            root = args.get("root")
            if isinstance(root, str) and CACHE in accepted and not args.get(CACHE):
                below = Path(root).resolve().is_relative_to(Path("data").resolve())
                if not below and not parser._option(f"{key}.root"):
                    args[CACHE] = str(user_cache())
        return parser

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.config["name"]

    @property
    def stored(self) -> Config:
        """The config to store with the weights: without caches."""
        return without(self.config, lambda name, _: name == CACHE)

    @property
    def resolved(self) -> Config:
        """The config with all defaults, except those that depend on other keys or on the data."""
        resolved, there = copy.deepcopy(self.config), dict(nested(self.config))
        for key, default in self._defaults.items():
            if key not in there:
                Override("", key, json.dumps(default)).set_in(resolved)
        return without(resolved, lambda name, _: name == CACHE)

    @property
    def settings(self) -> TrainingSettings:
        """Those arguments of the trainer that every trainer has, or their defaults."""
        args = self.resolved["trainer"].get("args", {})
        names = args.keys() & {field.name for field in fields(TrainingSettings)}
        return TrainingSettings(**{name: args[name] for name in names})

    def resumed(self, stored: Config, path: str | Path) -> "ConfigParser":
        """Return the config with which a run goes on that is started with this one again.

        Args:
            stored: the config of the run's checkpoint.
            path: its file.

        Raises:
            ConfigError: naming the keys that differ and may not, see `ADJUSTABLE`.
        """
        source = f"checkpoint {path}"
        former, faults, changes = ConfigParser(stored, source), [], []
        now, before = (dict(nested(config.resolved)) for config in (self, former))
        now |= {key: one for key, one in nested(self.config) if key.rpartition(".")[2] == CACHE}
        for key, (old, value) in differences(before, now).items():
            fitted = value is None and key.startswith("data_loader.args.dataset.args.")
            more = key != "trainer.args.epochs" or value > old
            if more and (key in ADJUSTABLE or key.rpartition(".")[2] in ("root", CACHE)):
                changes.append(Override(self.source, key, json.dumps(value)))
            elif not fitted:  # to the network or the data, when the run began
                was = "did not have it" if old is ABSENT else f"has {shown(old)}"
                faults.append(ConfigFault(key, value, f"the run that is to go on {was}"))
        self._refuse(faults)
        return ConfigParser(stored, source, changes)

    @property
    def needs_text(self) -> bool:
        """Whether the network takes texts, and so is built with an alphabet."""
        return choices(BaseModel)[self.config["arch"]["type"]].needs_text

    def build(self, key: str, **supplied: Any) -> Any:
        """Build the object (or list of objects) at `key`, one of `BLOCKS`.

        Args:
            key: one of `BLOCKS`.
            supplied: the constructor's parameters before `*`, and perhaps others. For
                `lr_scheduler` they are the optimiser and the steps of the whole run, as `steps` for
                torch's schedules and as `total_steps` for others.

        Raises:
            ConfigError: if the constructor refuses an argument.
        """
        binder = config_binder()
        made = binder.make(BLOCKS[key], self.config[key], key, supplied)
        self._refuse(binder.faults)
        return made

    def set_dataset_arguments(self, values: Mapping[str, Json]) -> None:
        """Record what the training dataset was fitted with, which a resumed run needs."""
        if values:
            self.config["data_loader"]["args"]["dataset"]["args"] |= values

    def name_by_content(self) -> None:
        """Have lines of one's own named by their content, as in all new runs."""
        for key, _, accepted in list(self._datasets()):
            if "named_by" in accepted:
                Override("", f"{key}.named_by", "content").set_in(self.config)

    def build_model(
        self, normalisation: Normalisation, alphabet: Alphabet | None, extras: Any = ABSENT
    ) -> BaseModel | None:
        """Build the network, which gets the alphabet and the shapes of extras if it takes these;
        None if it takes extras and their shapes are `ABSENT`."""
        return self.build("arch", normalisation=normalisation, alphabet=alphabet, extras=extras)

    def _refuse(self, faults: Sequence[ConfigFault]) -> None:
        """Raise the ConfigError of faults, if any, with the options or files that they are of."""
        present, found = dict(nested(self.config)), []
        for fault in faults:
            lacks_root = fault.key.endswith(".root") and fault.value is ABSENT
            hint = "; --data names the folder" if lacks_root else ""  # As of a shared network.
            file = self._base(fault.key) if fault.key in present else ""
            found.append(fault.of(self._option(fault.key) or file, hint))
        if found:
            raise ConfigError(self.source, found)

    def _option(self, key: str) -> str:
        """Return the command-line option that set `key`, or a parent of it; "" if none did."""
        last_first = reversed(self._overrides)
        return next((o.option for o in last_first if f"{key}.".startswith(f"{o.key}.")), "")

    def _base(self, key: str) -> str:
        """Return the base that sets `key`; "" if the config's own file does, or none."""
        for file, values in self._files.items():
            if key in dict(nested(values)):
                return "" if str(file) == self.source else str(file)
        return ""

    def _root(self) -> str:
        """Return the key of the folder of the dataset that is read from files; of several that of
        the one that the others join, which validation and test are of."""
        keys = [f"{key}.root" for key, _, accepted in self._datasets() if "root" in accepted]
        main = re.compile(r"data_loader(\.args\.dataset)+\.args\.root")
        if len(fitting := list(filter(main.fullmatch, keys)) or keys) == 1:
            return fitting[0]
        expected = "--data is not used: the config's dataset is not read from files"
        if keys:
            which = " or ".join(f"-o {key}=FOLDER" for key in keys)
            expected = f"several datasets of the config are read from files: use {which}"
        raise ConfigFault("data_loader", ABSENT, expected)

    def _datasets(self) -> Iterator[tuple[str, dict[str, Json], Iterable[str]]]:
        """Yield the key and the value of each dataset's "args", and what it accepts in them."""
        types = choices(BaseDataset)
        for key, block in nested(self.config):
            kind = children(block).get("type")
            if isinstance(kind, str) and kind in types:
                accepted = arguments_of(types[kind]).accepted
                yield f"{key}.args", children(block.get("args")), accepted

    def _faults(self) -> list[ConfigFault]:
        """Return all faults of the config that are faults with any data."""
        keys = ("name", *BLOCKS)
        if not isinstance(self.config, dict):
            return [ConfigFault("the config", self.config, f"an object with {', '.join(keys)}")]
        faults = [
            ConfigFault(key, self.config[key], f"unknown key{hint(key, keys)}")
            for key in self.config
            if key not in keys
        ]
        name = self.config.get("name", ABSENT)
        if not (isinstance(name, str) and PLAIN_NAME.fullmatch(name)):
            expected = "letters, digits, '_', '-' and '.', beginning with a letter or digit"
            faults.append(ConfigFault("name", name, f"{expected}, up to 100"))
        for key, value in nested(self.config):
            if key.rpartition(".")[2] == CACHE and value is not None and not self._option(key):
                expected = f"says where files are written: accepted only as -o {key}=FOLDER"
                faults.append(ConfigFault(key, ABSENT, expected))
        return faults + self._block_faults()

    def _block_faults(self) -> list[ConfigFault]:
        """Return the faults of the blocks. Each is made, but for the trainer, which needs the data.

        On the device "meta" the weights of a network take neither time nor memory; optimiser and
        schedule make steps of small weights.
        """
        binder = config_binder()

        def make(key: str, **supplied: Any) -> Any:
            before = len(binder.faults)
            made = binder.make(BLOCKS[key], self.config.get(key, ABSENT), key, supplied)
            return made if len(binder.faults) == before else ABSENT

        known = {"normalisation": TRIAL_NORMALISATION, "alphabet": TRIAL_ALPHABET}
        with torch.device("meta"):
            network = make("arch", **known, extras=ABSENT)
        network = ABSENT if network is None else network  # It takes extras, which the data tell.
        make("data_loader")
        optimizer = make("optimizer", params=torch_blocks.trial_weights())
        steps = torch_blocks.TRIAL_STEPS
        schedule = make("lr_scheduler", optimizer=optimizer, steps=None, total_steps=steps)
        loss, metrics = make("loss", model=network), make("metrics", model=network)
        if loss is None or (metrics is not ABSENT and None in metrics):  # They take the network.
            loss = ABSENT
        trainer, self._defaults = make("trainer", parts=ABSENT), binder.defaults
        kind = str(children(self.config.get("trainer")).get("type"))
        try:
            if ABSENT not in (network, loss, metrics) and (task := choices(BaseTrainer).get(kind)):
                binder.faults.extend(task.incompatibilities(network, loss, metrics))
            logged = None if ABSENT in (loss, metrics) else logged_names(loss, metrics, True)
            if trainer is not ABSENT:
                binder.faults.extend(self.settings.validate(schedule, logged))
            if not binder.faults:
                torch_blocks.make_steps(optimizer, schedule)
        except ConfigFault as fault:
            binder.faults.append(fault)
        return binder.faults


def config_of(network: TrainedNetwork, overrides: Iterable[Override] = ()) -> ConfigParser:
    """Return the config that a network was trained with.

    Raises:
        UserError: if it has faults here, such as a dataset of a module that is not loaded.
    """
    extension.check(network.record.get("modules", {}), network.path)
    config, of_run = network.record["config"], network.path.with_name("config.json")
    if network.path.name == HAND_FILE and of_run.exists():  # Which says where the lines are.
        config = config | {"data_loader": strict_json.read(of_run)["data_loader"]}
    return ConfigParser.from_checkpoint(config, network.path, overrides)


def data_of(network: TrainedNetwork, split: str, overrides: Iterable[Override] = ()) -> Data:
    """Return a split of the data that a network was trained with, ready for it.

    Raises:
        UserError: as `config_of`, or if there is no such split.
        DataError: if the data are missing or broken, or do not fit the network.
    """
    config, model = config_of(network, overrides), network.model
    settings = config.build("data_loader")
    loaded = settings.dataset.load(SPLITS if settings.overfit else [split])
    loaded.split(split)
    return settings.for_network(
        loaded,
        seed=config.settings.seed,
        normalisation=model.normalisation,
        alphabet=model.alphabet if model.needs_text else None,
        features=model.features,
        extras=model.extras,
    )


def choices(base: Annotation) -> dict[str, type]:
    """Return by name the subclasses of `base` that a config may name."""
    offered = [getattr(package, name) for package in PACKAGES for name in package.__all__]
    known = by_name(offered + torch_blocks.offered(), base)
    for cls in extension.classes():
        for name in by_name([cls], base):
            if (other := known.setdefault(name, cls)) is not cls:
                where = f"{cls.__module__}.py: {other.__module__}"
                raise UserError(f"{where} has a {name}, too: rename it")
    return known


def config_binder() -> Binder:
    """Return what makes the objects that a config describes."""
    return Binder(choices, torch_blocks.arguments)
