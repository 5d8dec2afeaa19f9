"""Reads a config, reports all its faults before any data loads, and builds objects from it.

Types are looked up in closed lists: what the project's own packages export, and torch's optimisers
and schedules. `utils.binding` describes how values are bound to constructors.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler
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
from base.migration import migrated_config, migrated_key
from base.run_folder import RunFolder
from model.loading import TrainedNetwork, build_network
from utils import strict_json
from utils.alphabet import Alphabet
from utils.binding import ABSENT, Arguments, BadValue, Binder, arguments_of, by_name, hint
from utils.checks import ConfigFault, UserError
from utils.files import user_cache
from utils.normalisation import Normalisation
from utils.override import Override, blocks, named, without

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

TRIAL_STEPS = 1009
"""Steps of the run that a schedule is tried on: prime, so that no usual fraction of it is exact."""

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

# Stand-ins with which constructors are tried before any data loads.
STAND_INS = {
    "seed": 0,
    "normalisation": Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0)),
    "alphabet": Alphabet([" "]),
}


class ConfigError(UserError):
    """All faults of a config; the message lists the first `MAX_FAULTS`."""

    def __init__(self, faults: Iterable[BadValue]) -> None:
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
        self.config = migrated_config(config)
        self.source = source
        self._options: dict[str, str] = {}  # The option that set a key, by key.
        faults = [fault for override in overrides if (fault := self._override(override))]
        faults += [self._with_source(fault) for fault in self._faults()]
        if faults:
            raise ConfigError(faults)

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
            given = config.get("arch", ABSENT) if isinstance(config, dict) else ABSENT
            if given is None or (isinstance(given, dict) and not given.keys() - {"args"}):
                if arch is None:
                    expected = (
                        "a type; or -r CHECKPOINT, whose network it then is, such as -r writer"
                    )
                    raise ConfigFault("arch", given, expected)
                args = (given or {}).get("args", {})
                config["arch"] = network = strict_json.plain(arch)
                # What is no object stays as it is, for `_faults` to name.
                if isinstance(network, dict) and isinstance(network.setdefault("args", {}), dict):
                    network["args"] = network["args"] | args if isinstance(args, dict) else args
        return cls(config, str(path), overrides)

    @classmethod
    def from_checkpoint(
        cls, config: Any, path: str | Path, overrides: Iterable[Override] = ()
    ) -> "ConfigParser":
        """Read the config, which may be untrusted, of the checkpoint at `path`."""
        with _faults_of(f"checkpoint {path}"):
            config = strict_json.plain(config)
        parser = cls(config, f"checkpoint {path}", overrides)
        parser._keep_caches_at_home()
        if faults := list(parser._too_many_lines()):
            raise ConfigError(faults)
        return parser

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.config["name"]

    @property
    def stored(self) -> dict[str, Any]:
        """The config to store with the weights: without the arguments in `PLACES`."""
        return without(self.config, lambda name, _: name in PLACES)

    def build(self, key: str, *supplied: Any) -> Any:
        """Build the object (or list of objects) at `key`, one of `BLOCKS`.

        Args:
            key: one of `BLOCKS`; for `lr_scheduler` there is `build_scheduler`.
            supplied: the constructor's parameters before `*`.

        Raises:
            ConfigError: if the constructor refuses an argument.
        """
        with _faults_of(self._with_source):
            return BINDER.make(BLOCKS[key], self.config[key], key, *supplied)

    @property
    def needs_text(self) -> bool:
        """Whether the network takes texts, and so is built with an alphabet."""
        return choices(BaseModel)[self.config["arch"]["type"]].needs_text

    def build_model(
        self,
        normalisation: Normalisation,
        alphabet: Alphabet | None,
        weights: Mapping[str, Any] | None = None,
    ) -> BaseModel:
        """Build the network; see `model.loading.build_network`."""
        arch = self.config["arch"]
        cls, args = choices(BaseModel)[arch["type"]], arch.get("args", {})
        with _faults_of(self._with_source):
            return build_network(cls, args, normalisation, alphabet, weights, self.source)

    def build_scheduler(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        """Build the learning-rate schedule of a config that has one.

        Args:
            optimizer: whose rate it sets.
            total_steps: steps of the schedule in the whole run: those of the optimiser, or one per
                epoch.

        Raises:
            ConfigError: if the config's schedule ends before the run does, or a phase of it is
                empty.
        """
        args = self.config["lr_scheduler"].get("args", {})
        with _faults_of(self._with_source):
            if args.get("total_steps", total_steps) < total_steps:
                expected = f"at least the {total_steps} steps of the run; or leave it out"
                place = "lr_scheduler.args.total_steps"
                raise ConfigFault(place, args["total_steps"], expected)
            return self._schedule(optimizer, args, total_steps)

    def _keep_caches_at_home(self) -> None:
        """Cache data that only a checkpoint names in the user's folder, not beside it.

        The cache of data below `data/`, or named by an -o, stays where it is.
        """
        for key, block in blocks(self.config, choices(BaseDataset)):
            known = arguments_of(choices(BaseDataset)[block["type"]])
            args = block.get("args", {})
            root = args.get("root")
            if not (isinstance(root, str) and "cache" in known.accepted) or args.get("cache"):
                continue
            below = Path(root).resolve().is_relative_to(Path("data").resolve())
            if not below and not self._option(f"{key}.args.root"):
                args["cache"] = str(user_cache())

    def _too_many_lines(self) -> Iterator[BadValue]:
        """Find datasets that generate more lines than a checkpoint alone may ask for."""
        for key, block in blocks(self.config, choices(BaseDataset)):
            for name in LINE_COUNTS:
                place, count = f"{key}.args.{name}", block.get("args", {}).get(name, 0)
                if not isinstance(count, int):  # Of a user's own dataset, where it may be anything.
                    continue
                if count > MAX_MADE and not self._option(place):
                    expected = (
                        f"a checkpoint alone may ask for at most {MAX_MADE:,} lines; "
                        f"-o {place}={count} allows more"
                    )
                    yield BadValue(place, count, expected, self.source)

    def _override(self, override: Override) -> BadValue | None:
        """Set a value from the command line in the config."""
        option, key, text = override
        if key is None:
            return self._set_root(option, text)
        key = migrated_key(key)
        if (fault := override.set_in(self.config, key)) is None:
            self._options[key] = option
        return fault

    def _set_root(self, option: str, folder: str) -> BadValue | None:
        """Set the root of the dataset that is read from files, which may be inside others."""
        types = choices(BaseDataset)
        found = {
            f"{key}.args.root": block
            for key, block in blocks(self.config, types)
            if "root" in arguments_of(types[block["type"]]).accepted
        }
        if len(found) != 1:
            expected = f"{folder} is not used: the config's dataset is not read from files"
            if found:
                which = " or ".join(f"-o {key}=FOLDER" for key in found)
                expected = f"several datasets of the config are read from files: use {which}"
            return BadValue("data_loader", ABSENT, expected, option)
        ((key, block),) = found.items()
        args = block.setdefault("args", {})
        if isinstance(args, dict):  # otherwise it is reported as a fault
            args["root"] = folder
        self._options[key] = option
        return None

    def _option(self, key: str) -> str | None:
        """Return the command-line option that set `key`, or a parent of it."""
        options = [
            option for given, option in self._options.items() if f"{key}.".startswith(f"{given}.")
        ]
        return options[-1] if options else None

    def _with_source(self, fault: BadValue) -> BadValue:
        if fault.key.endswith(".root") and fault.value is ABSENT:  # As in a network that is shared.
            fault = fault._replace(expected=f"{fault.expected}; --data names the folder")
        return fault._replace(source=self._option(fault.key) or self.source)

    def _faults(self) -> Iterator[BadValue]:
        """Find all faults of the config, from top to bottom."""
        keys = ("name", *BLOCKS)
        if not isinstance(self.config, dict):
            yield BadValue("the config", self.config, f"an object with {', '.join(keys)}")
            return
        for key, value in self.config.items():
            if key not in keys:
                yield BadValue(key, value, f"unknown key{hint(key, keys)}")
        yield from _name_faults(self.config.get("name", ABSENT))
        sound = set()
        for key, annotation in BLOCKS.items():
            if key not in self.config:
                yield BadValue(key, ABSENT, f"is missing: {BINDER.described(annotation)}")
                continue
            faults = list(BINDER.check(annotation, self.config[key], key))
            yield from faults
            if not faults:
                sound.add(key)
        if "lr_scheduler" in sound and self.config["lr_scheduler"] is not None:
            faults = list(self._schedule_faults("optimizer" in sound))
            yield from faults
            sound -= {fault.key.partition(".")[0] for fault in faults}
        if {"trainer", "loss", "metrics"} <= sound:
            yield from self._trainer_faults(sound)
        for key in named(self.config, PLACES):
            if not self._option(key):
                expected = f"says where files are written: accepted only as -o {key}=FOLDER"
                yield BadValue(key, ABSENT, expected)

    def _trial_optimizer(self, is_sound: bool) -> Optimizer:
        """Return the config's optimiser over one weight, or another one if it has faults."""
        if is_sound:
            return BINDER.make(Optimizer, self.config["optimizer"], "", torch_blocks.weights())
        return torch.optim.SGD(torch_blocks.weights(), lr=0.1, momentum=0.9)

    def _schedule(self, optimizer: Optimizer, args: dict[str, Any], total_steps: int) -> Any:
        """Build the schedule from `args` and the derived ones."""
        kind = self.config["lr_scheduler"]["type"]
        args = torch_blocks.derived(kind, optimizer, total_steps) | args
        block = {"type": kind, "args": args}
        try:
            return BINDER.make(LRScheduler, block, "lr_scheduler", optimizer)
        except ZeroDivisionError:  # of OneCycleLR, whose rise would end with its first step
            expected = (
                f"a schedule without an empty phase over {args.get('total_steps')} steps: train "
                "for more epochs, or change pct_start"
            )
            raise ConfigFault("lr_scheduler.args", args, expected) from None

    def _schedule_faults(self, optimizer_is_sound: bool) -> Iterator[BadValue]:
        """Try a step of the schedule."""

        def trial(**args: Any) -> None:
            optimizer = self._trial_optimizer(optimizer_is_sound)
            schedule = self._schedule(optimizer, args, total_steps=TRIAL_STEPS)
            optimizer.step()
            plateau = isinstance(schedule, lr_scheduler.ReduceLROnPlateau)
            schedule.step(*([1.0] if plateau else []))

        block = self.config["lr_scheduler"]
        cls = choices(LRScheduler)[block["type"]]
        defaults, args = BINDER.arguments(cls).defaults, block.get("args", {})
        yield from torch_blocks.refused(cls, args, defaults, "lr_scheduler", trial)

    def _trainer_faults(self, sound: set[str]) -> Iterator[BadValue]:
        """Construct the trainer with stand-ins, which checks its other arguments too."""
        block, schedule = self.config["trainer"], None
        cls = choices(BaseTrainer)[block["type"]]
        optimizer = self._trial_optimizer("optimizer" in sound)
        if "lr_scheduler" in sound and (given := self.config["lr_scheduler"]) is not None:
            schedule = self._schedule(optimizer, given.get("args", {}), TRIAL_STEPS)
        stand_ins = {
            "model": torch.nn.Linear(1, 1),
            "loss": self.build("loss"),
            "metrics": self.build("metrics"),
            "optimizer": optimizer,
            "lr_scheduler": schedule,
            "train_loader": [None],
            "valid_loader": [None],
            "run": RunFolder("any", "any"),
            "device": torch.device("cpu"),
            "checkpoint_header": {},
        }
        yield from BINDER.trial(cls, block.get("args", {}), "trainer", stand_ins)
        if "arch" in sound:
            with torch.device("meta"):
                network = self.build_model(STAND_INS["normalisation"], STAND_INS["alphabet"])
            for fault in cls.incompatibilities(network, stand_ins["loss"], stand_ins["metrics"]):
                yield BadValue(fault.key, fault.value, fault.expected)
        try:
            if schedule is not None:
                cls.planned_steps(1, block.get("args", {}))
        except ConfigFault as fault:
            yield BadValue(fault.key, fault.value, fault.expected)


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


class _ConfigBinder(Binder):
    """Binds blocks to the classes of `choices`."""

    def choices(self, base: Any) -> dict[str, type] | None:
        return choices(base) if base in BASES else None

    def arguments(self, cls: type) -> Arguments:
        is_torch_s = cls.__module__.startswith("torch.")
        return torch_blocks.arguments(cls) if is_torch_s else arguments_of(cls)

    def trial(
        self, cls: type, args: dict[str, Any], key: str, stand_ins: Mapping[str, Any] = STAND_INS
    ) -> Iterator[BadValue]:
        supplied = self.arguments(cls).supplied
        if issubclass(cls, Optimizer):

            def step(**some: Any) -> None:
                self.construct(cls, some, key, torch_blocks.weights()).step()

            defaults = self.arguments(cls).defaults
            yield from torch_blocks.refused(cls, args, defaults, key, step)
        elif stand_ins.keys() >= set(supplied):
            # On the device "meta" the weights of a network take neither time nor memory.
            with torch.device("meta" if issubclass(cls, BaseModel) else "cpu"):
                try:
                    self.construct(cls, args, key, *(stand_ins[name] for name in supplied))
                except ConfigFault as fault:
                    yield BadValue(fault.key, fault.value, fault.expected)


BINDER = _ConfigBinder()


def _name_faults(name: Any) -> Iterator[BadValue]:
    try:
        RunFolder(name, run_id="any")
    except UserError:
        expected = "letters, digits, '_', '-' and '.', beginning with a letter or digit, up to 100"
        yield BadValue("name", name, expected)


@contextmanager
def _faults_of(source: Callable[[BadValue], BadValue] | str) -> Iterator[None]:
    """Turn the ConfigFault of a block of code into a ConfigError with its source."""
    try:
        yield
    except ConfigFault as fault:
        found = BadValue(fault.key, ABSENT if fault.value is None else fault.value, fault.expected)
        found = source(found) if callable(source) else found._replace(source=source)
        raise ConfigError([found]) from fault
