"""Reads a config, reports all its faults before data are loaded, and builds the config's objects.

A config can name only the exported classes of the project's packages, torch's optimisers and
schedules, and classes of modules that the user loads. `base.config` has the parts: files and their
bases, overrides, the binding of values to constructors, and the comparison with a former config.
"""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import data_loader
import model
import trainer
from base.base_dataset import SPLITS, BaseDataset
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer
from base.config import bases, resumption, torch_parts, user_modules
from base.config.binder import Binder
from base.config.overrides import CACHE, Override, find_datasets, option_of, root_key, with_defaults
from base.config.signatures import Annotation, by_name
from base.config.trial import key_faults, try_parts
from data_loader.data_loaders import Data
from model.loading import HAND_FILE, TrainedNetwork
from utils import strict_json
from utils.alphabet import Alphabet
from utils.checks import ABSENT, NOTHING, ConfigError, ConfigFault, UserError
from utils.files import user_cache
from utils.normalisation import Normalisation
from utils.strict_json import Config, Json, nested, without

BLOCKS: dict[str, Annotation] = {
    "arch": BaseModel,
    "data_loader": data_loader.HandwritingDataLoader,
    "optimizer": Optimizer,
    "lr_scheduler": LRScheduler | None,
    "loss": BaseLoss,
    "metrics": list[BaseMetric],
    "trainer": BaseTrainer,
}
"""The type of each block of a config. A config consists of these blocks and a `name`."""
PACKAGES = (data_loader, model, trainer)
"""The project's packages whose classes a config may name."""


class ConfigParser:
    """A config without faults, and the objects that it describes.

    Args:
        config: the plain values of the config.
        source: the origin of the config, for messages: the file, or `checkpoint FILE`.
        overrides: values from the command line, applied in order.
        files: the values in each file, first the config's own file, then its bases.

    Attributes:
        config: the values of the config, with overrides.
        name: the name of the experiment.
        settings: the settings that all trainers have, with defaults.

    Raises:
        ConfigError: if the config has faults; the message names all of them.
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
                if override.key is None:  # --data names no key.
                    key = root_key(self.config, choices(BaseDataset))
                    override = override._replace(key=key, text=json.dumps(override.text))
                override.set_in(self.config)
                self._overrides.append(override)
            except ConfigFault as fault:
                faults.append(fault.of(override.option))
        keys, binder = ["name", *BLOCKS], config_binder()
        if not isinstance(self.config, dict):
            expected = f"an object with {', '.join(keys)}"
            raise ConfigError(source, [*faults, ConfigFault("the config", self.config, expected)])
        faults += key_faults(self.config, keys, self._overrides)
        settings = try_parts(self.config, BLOCKS, binder)
        self._refuse(faults + binder.faults)
        self.name, self.settings, self._defaults = self.config["name"], settings, binder.defaults

    @classmethod
    def from_file(
        cls, path: str | Path, overrides: Iterable[Override] = (), arch: Json = None
    ) -> "ConfigParser":
        """Read the config in a JSON file and in the file's bases.

        Args:
            path: the file.
            overrides: values from the command line.
            arch: the block `arch` of the network to fine-tune, if any; see `bases.with_network`.
        """
        try:
            files = bases.read(Path(path))
            config = bases.with_network(bases.merged(files), arch)
        except ConfigFault as fault:
            raise ConfigError(str(path), [fault]) from fault
        return cls(config, str(path), overrides, files)

    @classmethod
    def from_checkpoint(
        cls, config: Config, path: str | Path, overrides: Iterable[Override] = ()
    ) -> "ConfigParser":
        """Read `config`, which the checkpoint at `path` contains and which may be untrusted.

        If the config itself, not an override, sets a folder of data outside of `data/`, these data
        are cached in the user's folder for caches.
        """
        parser = cls(config, f"checkpoint {path}", overrides)
        for key, args, accepted in find_datasets(parser.config, choices(BaseDataset)):
            root = args.get("root")
            if isinstance(root, str) and CACHE in accepted and not args.get(CACHE):
                is_in_data = Path(root).resolve().is_relative_to(Path("data").resolve())
                if not is_in_data and not option_of(f"{key}.root", parser._overrides):
                    args[CACHE] = str(user_cache())
        return parser

    @property
    def stored(self) -> Config:
        """The config as checkpoints store it: without folders for caches."""
        return without(self.config, lambda name, _: name == CACHE)

    @property
    def resolved(self) -> Config:
        """The stored config with all defaults that do not depend on other keys or on the data."""
        return without(with_defaults(self.config, self._defaults), lambda name, _: name == CACHE)

    def resumed(self, stored: Config, path: str | Path) -> "ConfigParser":
        """Return `stored`, the config in the checkpoint at `path`, with this config's values of
        the keys that may differ in a resumed run.

        Raises:
            ConfigError: if keys differ that must not differ; see `resumption.ADJUSTABLE`.
        """
        source = f"checkpoint {path}"
        former = ConfigParser(stored, source)
        pair = [with_defaults(parser.config, parser._defaults) for parser in (former, self)]
        overrides, faults = resumption.compare(*pair, self.source)
        self._refuse(faults)
        return ConfigParser(stored, source, overrides)

    @property
    def needs_text(self) -> bool:
        """Whether the network takes texts, so that it is built with an alphabet."""
        return choices(BaseModel)[self.config["arch"]["type"]].needs_text

    def build(self, key: str, **supplied: Any) -> Any:
        """Build the object (or list of objects) at a key.

        Args:
            key: a key of `BLOCKS`.
            supplied: a value for each of the constructor's parameters before `*`, by name; further
                values are ignored. An `lr_scheduler` needs `optimizer`, and the number of steps of
                the whole run as `steps` for torch's schedules and as `total_steps` for a user's.

        Raises:
            ConfigError: if the constructor refuses an argument.
        """
        binder = config_binder()
        result = binder.make(BLOCKS[key], self.config[key], key, supplied)
        self._refuse(binder.faults)
        self._defaults |= binder.defaults
        return result

    def set_dataset_arguments(self, values: Mapping[str, Json]) -> None:
        """Set the fitted arguments of the dataset in the config, so that a resumed run has them."""
        if values:
            self.config["data_loader"]["args"]["dataset"]["args"] |= values

    def name_by_content(self) -> None:
        """For a new run, set `named_by` to "content" in each dataset that takes this argument."""
        for key, _, accepted in list(find_datasets(self.config, choices(BaseDataset))):
            if "named_by" in accepted:
                Override("", f"{key}.named_by", "content").set_in(self.config)

    def build_model(
        self, normalisation: Normalisation, alphabet: Alphabet | None, extras: Any = ABSENT
    ) -> BaseModel | None:
        """Build the network; return None if it takes extras and their shapes are `ABSENT`."""
        network = self.build("arch", normalisation=normalisation, alphabet=alphabet, extras=extras)
        return None if network is ABSENT else network

    def _refuse(self, faults: Sequence[ConfigFault]) -> None:
        """Raise a ConfigError if there are faults; the error names each fault's option or file."""
        if not faults:
            return
        present, located = dict(nested(self.config)), []
        keys_by_file = {str(path): dict(nested(values)) for path, values in self._files.items()}
        for fault in faults:
            key = fault.key
            # The config of an exported network lacks the root.
            lacks_root = key.endswith(".root") and fault.value is ABSENT
            remedy = "; --data names the folder" if lacks_root else ""
            files = keys_by_file if key in present else ()
            file = next((file for file in files if key in keys_by_file[file]), "")
            origin = option_of(key, self._overrides) or ("" if file == self.source else file)
            located.append(fault.of(origin, remedy))
        raise ConfigError(self.source, located)


def config_of(network: TrainedNetwork, overrides: Iterable[Override] = ()) -> ConfigParser:
    """Return the config with which a network was trained.

    Raises:
        UserError: if the config has faults, such as a dataset of a module that is not loaded.
    """
    user_modules.check(network.record.get("modules", {}), network.path)
    config, run_config = network.record["config"], network.path.with_name("config.json")
    # The run's config names the folder of the data, which the file of a hand lacks.
    if network.path.name == HAND_FILE and run_config.exists():
        config = config | {"data_loader": strict_json.read(run_config)["data_loader"]}
    return ConfigParser.from_checkpoint(config, network.path, overrides)


def data_of(network: TrainedNetwork, split: str, overrides: Iterable[Override] = ()) -> Data:
    """Return a split of the data with which a network was trained, prepared for the network.

    Raises:
        UserError: if the config has faults, or if there is no such split.
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
