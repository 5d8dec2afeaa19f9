"""Reads a config, reports all its faults before any data loads, and builds objects from it.

Types are looked up in closed lists: what the project's own packages export, and torch's optimisers
and schedules. `utils.binding` describes how values are bound to constructors.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import data_loader
import model
import trainer
from base import extension, torch_blocks
from base.base_data_loader import BaseDataLoader
from base.base_dataset import BaseDataset
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer
from base.base_transform import BaseTransform
from base.checkpoint import HAND_FILE
from base.run_folder import RunFolder
from model.loading import TrainedNetwork
from utils import strict_json
from utils.alphabet import Alphabet
from utils.binding import Arguments, Binder, arguments_of, by_name
from utils.checks import ABSENT, ConfigFault, UserError, hint
from utils.files import PLAIN_NAME, user_cache
from utils.normalisation import Normalisation
from utils.override import Override, children, nested, without

BLOCKS: dict[str, Any] = {
    "arch": BaseModel,
    "data_loader": BaseDataLoader,
    "optimizer": Optimizer,
    "lr_scheduler": LRScheduler | None,
    "loss": BaseLoss,
    "metrics": list[BaseMetric],
    "trainer": BaseTrainer,
}
"""The blocks of a config; it also has a `name`."""

PACKAGES = (data_loader, model, trainer)
BASES = (
    *(BaseModel, BaseDataLoader, BaseDataset, BaseTransform, Optimizer, LRScheduler),
    *(BaseLoss, BaseMetric, BaseTrainer),
)

# Arguments that say where files are written. They are accepted on the command line only, so that an
# untrusted config, alone or in a checkpoint, cannot make the program write somewhere. (The cache
# has a fixed name in the folder of the data; for data outside `data/` that only a checkpoint names,
# it is in the user's folder instead.)
PLACES = {"cache"}

MAX_FAULTS = 16
"""Maximum number of faults that a message lists (assumed: a screen)."""

MAX_MADE = 50_000
"""Lines that a dataset generates because a checkpoint asks for it, without an -o (assumed: eight
times the largest ready config; measured: 85 seconds on a slow core, and 0.4 GiB)."""
LINE_COUNTS = ("size", "valid_size", "test_size", "joined", "pieces", "long")

STAND_INS = {
    "seed": 0,
    "normalisation": Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0)),
    "alphabet": Alphabet([" "]),
    "steps": None,
    "params": [torch.nn.Parameter(torch.ones(2))],
    "model": torch.nn.Linear(1, 1),
    "lr_scheduler": None,
    "train_loader": [None],
    "valid_loader": [None],
    "run": RunFolder("any", "any"),
    "device": torch.device("cpu"),
    "checkpoint_header": {},
}
"""What constructors are tried with before any data loads, by the names of their parameters."""


class ConfigError(UserError):
    """All faults of a config; the message lists the first `MAX_FAULTS`."""

    def __init__(self, faults: Iterable[ConfigFault]) -> None:
        self.faults = list(faults)
        lines = [str(fault) for fault in self.faults[:MAX_FAULTS]]
        if len(lines) > 1:
            lines = [f"{len(self.faults)} faults in the config", *(f"  {line}" for line in lines)]
        if len(self.faults) > MAX_FAULTS:
            lines.append(f"  and {len(self.faults) - MAX_FAULTS} more")
        super().__init__("\n".join(lines))


class ConfigParser:
    """A config without faults, and the objects that it describes.

    Args:
        config: the plain values of the config.
        source: its origin, for messages: the file, or `checkpoint FILE`.
        overrides: values from the command line, applied in order.

    Raises:
        ConfigError: naming all faults.
    """

    def __init__(self, config: Any, source: str, overrides: Iterable[Override] = ()) -> None:
        with _faults_of(source):
            self.config = strict_json.plain(config)
        self.source = source
        self._overrides: list[Override] = []
        faults = []
        for override in overrides:
            try:
                if override.key is None:
                    text = json.dumps(override.text)
                    override = override._replace(key=self._root(), text=text)
                override.set_in(self.config)
                self._overrides.append(override)
            except ConfigFault as fault:
                fault.source = override.option
                faults.append(fault)
        self._refuse(faults + self._faults())

    @classmethod
    def from_file(
        cls, path: str | Path, overrides: Iterable[Override] = (), arch: Any = None
    ) -> "ConfigParser":
        """Read the config in a JSON file.

        Args:
            path: the file.
            overrides: values from the command line.
            arch: of the network that is fine-tuned. Where the config names no type of network it
                is that one, with the arguments that the config gives.
        """
        with _faults_of(str(path)):
            config = strict_json.read(Path(path))
            given = children(config).get("arch", ABSENT)
            if given is None or (isinstance(given, dict) and "type" not in given):
                if arch is None:
                    expected = "a type; or -r CHECKPOINT, whose network it is, such as -r writer"
                    raise ConfigFault("arch", given, expected)
                network, given = children(strict_json.plain(arch)), given or {}
                args = given.get("args", {})
                if isinstance(args, dict):
                    args = children(network.get("args")) | args
                config["arch"] = network | given | {"args": args}
        return cls(config, str(path), overrides)

    @classmethod
    def from_checkpoint(
        cls, config: Any, path: str | Path, overrides: Iterable[Override] = ()
    ) -> "ConfigParser":
        """Read the config, which may be untrusted, of the checkpoint at `path`."""
        parser = cls(config, f"checkpoint {path}", overrides)
        parser._refuse(list(parser._limit()))
        return parser

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.config["name"]

    @property
    def stored(self) -> dict[str, Any]:
        """The config to store with the weights: without the arguments in `PLACES`."""
        return without(self.config, lambda name, _: name in PLACES)

    @property
    def needs_text(self) -> bool:
        """Whether the network takes texts, and so is built with an alphabet."""
        return choices(BaseModel)[self.config["arch"]["type"]].needs_text

    def build(self, key: str, *supplied: Any) -> Any:
        """Build the object (or list of objects) at `key`, one of `BLOCKS`.

        Args:
            key: one of `BLOCKS`.
            supplied: the constructor's parameters before `*`; for `lr_scheduler` the optimiser and
                the steps of the whole run.

        Raises:
            ConfigError: if the constructor refuses an argument.
        """
        binder = ConfigBinder()
        made = binder.make(BLOCKS[key], self.config[key], key, supplied)
        self._refuse(binder.faults)
        return made

    def build_model(self, normalisation: Normalisation, alphabet: Alphabet | None) -> BaseModel:
        """Build the network, which gets the alphabet if it needs one."""
        return self.build("arch", normalisation, *([alphabet] if self.needs_text else []))

    def _refuse(self, faults: Sequence[ConfigFault]) -> None:
        """Raise the ConfigError of faults, if there are any, with their sources."""
        for fault in faults:
            if fault.key.endswith(".root") and fault.value is ABSENT:
                fault.expected += "; --data names the folder"  # As of a network that is shared.
            fault.source = fault.source or self._option(fault.key) or self.source
        if faults:
            raise ConfigError(faults)

    def _option(self, key: str) -> str | None:
        """Return the command-line option that set `key`, or a parent of it."""
        last_first = reversed(self._overrides)
        return next((o.option for o in last_first if f"{key}.".startswith(f"{o.key}.")), None)

    def _root(self) -> str:
        """Return the key of the folder of the one dataset that is read from files."""
        keys = [f"{key}.root" for key, _, known in self._datasets() if "root" in known]
        if len(keys) != 1:
            expected = "--data is not used: the config's dataset is not read from files"
            if keys:
                which = " or ".join(f"-o {key}=FOLDER" for key in keys)
                expected = f"several datasets of the config are read from files: use {which}"
            raise ConfigFault("data_loader", ABSENT, expected)
        return keys[0]

    def _datasets(self) -> Iterator[tuple[str, dict[str, Any], Iterable[str]]]:
        """Yield the key and the value of each dataset's "args", and what it accepts in them."""
        types = choices(BaseDataset)
        for key, block in nested(self.config):
            kind = children(block).get("type")
            if isinstance(kind, str) and kind in types:
                accepted = arguments_of(types[kind]).accepted
                yield f"{key}.args", children(block.get("args")), accepted

    def _limit(self) -> Iterator[ConfigFault]:
        """Limit what a checkpoint, which may be anybody's, asks for without an -o.

        Data that it names outside `data/` is cached in the user's folder, not beside it. More
        generated lines than `MAX_MADE` are a fault.
        """
        for key, args, known in self._datasets():
            root = args.get("root")
            if isinstance(root, str) and "cache" in known and not args.get("cache"):
                below = Path(root).resolve().is_relative_to(Path("data").resolve())
                if not below and not self._option(f"{key}.root"):
                    args["cache"] = str(user_cache())
            for name in LINE_COUNTS:
                place, count = f"{key}.{name}", args.get(name)
                # Of a user's own dataset it may be anything.
                if isinstance(count, int) and count > MAX_MADE and not self._option(place):
                    allowed = f"a checkpoint alone may ask for at most {MAX_MADE:,} lines"
                    yield ConfigFault(place, count, f"{allowed}; -o {place}={count} allows more")

    def _faults(self) -> list[ConfigFault]:
        """Find all faults of the config, by making all that it describes without any data."""
        keys = ("name", *BLOCKS)
        if not isinstance(self.config, dict):
            return [ConfigFault("the config", self.config, f"an object with {', '.join(keys)}")]
        binder, name = ConfigBinder(), self.config.get("name", ABSENT)
        faults = binder.faults
        for key in self.config:
            if key not in keys:
                faults.append(ConfigFault(key, self.config[key], f"unknown key{hint(key, keys)}"))
        if not (isinstance(name, str) and PLAIN_NAME.fullmatch(name)):
            expected = "letters, digits, '_', '-' and '.', beginning with a letter or digit"
            faults.append(ConfigFault("name", name, f"{expected}, up to 100"))
        # Where that of the config has faults.
        optimizer = torch.optim.SGD(STAND_INS["params"], lr=0.1, momentum=0.9)
        made = STAND_INS | {"optimizer": optimizer}
        for key, annotation in BLOCKS.items():
            if key not in self.config:
                expected = f"is missing: {binder.described(annotation)}"
                faults.append(ConfigFault(key, ABSENT, expected))
                continue
            before = len(faults)
            # On the device "meta" the weights of a network take neither time nor memory.
            with torch.device("meta" if key == "arch" else "cpu"):
                part = binder.make(annotation, self.config[key], key, made)
            if len(faults) == before:
                made[key] = part
        task = choices(BaseTrainer).get(str(children(self.config.get("trainer")).get("type")))
        if task and made.get("arch") and made.keys() >= {"loss", "metrics"}:
            faults += task.incompatibilities(made["arch"], made["loss"], made["metrics"])
        try:
            if made.get("trainer") and made["lr_scheduler"]:
                task.planned_steps(1, self.config["trainer"].get("args", {}))
        except ConfigFault as fault:
            faults.append(fault)
        for key, value in nested(self.config):
            if key.rpartition(".")[2] in PLACES and value is not None and not self._option(key):
                expected = f"says where files are written: accepted only as -o {key}=FOLDER"
                faults.append(ConfigFault(key, ABSENT, expected))
        return faults


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


def data_of(network: TrainedNetwork, overrides: Iterable[Override] = ()) -> BaseDataLoader:
    """Return the data loader of the config that a network was trained with, not yet prepared.

    Raises:
        UserError: as `config_of`.
    """
    config, model = config_of(network, overrides), network.model
    seed = config.config["trainer"].get("args", {}).get("seed", 0)
    alphabet = model.alphabet if model.needs_text else None
    return config.build("data_loader", seed, model.normalisation, alphabet)


def choices(base: type) -> dict[str, type]:
    """Return by name the subclasses of `base` that a config may name."""
    offered = [getattr(package, name) for package in PACKAGES for name in package.__all__]
    offered += extension.classes()
    return by_name(offered + torch_blocks.offered(), base)


class ConfigBinder(Binder):
    """Binds blocks to the classes of `choices`."""

    def choices(self, base: Any) -> dict[str, type] | None:
        return choices(base) if base in BASES else None

    def arguments(self, cls: type) -> Arguments:
        return (torch_blocks if torch_blocks.offers(cls) else super()).arguments(cls)

    def construct(self, cls: type, supplied: Sequence[Any], args: Mapping[str, Any]) -> Any:
        owner = torch_blocks if torch_blocks.offers(cls) else super()
        return owner.construct(cls, supplied, args)


@contextmanager
def _faults_of(source: str) -> Iterator[None]:
    """Turn the ConfigFault of a block of code into a ConfigError with its source."""
    try:
        yield
    except ConfigFault as fault:
        fault.source = source
        raise ConfigError([fault]) from fault
