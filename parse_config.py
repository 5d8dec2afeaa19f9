"""Reads a config, reports all its faults before any data loads, and builds objects from it.

Types resolve in closed lists only: what the project's own packages export, and torch's optimisers
and schedules, by name. How values are bound to constructors is said in `utils.binding`.
"""

import argparse
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

import data_loader
import model
import trainer
from base import extension
from base.base_data_loader import BaseDataLoader
from base.base_dataset import BaseDataset
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer
from base.base_transform import BaseTransform
from base.migration import migrated_config, migrated_key
from base.run_folder import RunFolder
from model.loading import build_network
from utils import strict_json
from utils.alphabet import Alphabet
from utils.binding import ABSENT, Arguments, Binder, Fault, arguments_of, hint
from utils.checks import ConfigFault, Range, UserError
from utils.files import user_cache
from utils.normalisation import Normalisation

BLOCKS: dict[str, Any] = {
    "arch": BaseModel,
    "data_loader": BaseDataLoader,
    "optimizer": Optimizer,
    "lr_scheduler": LRScheduler | None,
    "loss": BaseLoss,
    "metrics": list[BaseMetric],
    "trainer": BaseTrainer,
}
"""What stands in a config beside its `name`."""

PACKAGES = (data_loader, model, trainer)
BASES = (
    *(BaseModel, BaseDataLoader, BaseDataset, BaseTransform, Optimizer, LRScheduler),
    *(BaseLoss, BaseMetric, BaseTrainer),
)

NOT_OFFERED = {
    *("LBFGS", "SparseAdam", "Muon"),  # need a closure, sparse gradients, matrices only
    *("LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler"),  # no plain values
}
# What the program gives torch's constructors, and what it works out for a schedule where the
# config leaves it out: its rate from the optimiser's, its length from the run's.
FROM_PROGRAM = ("params", "optimizer", "last_epoch", "epochs", "steps_per_epoch")

TRIAL_STEPS = 1009
"""Of the run that a schedule is tried on: a prime, so that no usual share of it is one step."""
WORKED_OUT = {
    "OneCycleLR": {"max_lr": "lr", "total_steps": "steps"},
    "CyclicLR": {"base_lr": "lr"},
    "CosineAnnealingLR": {"T_max": "steps"},
    "PolynomialLR": {"total_iters": "steps"},
}
# torch checks some of these bounds, without saying what would be right.
TORCH_RANGES = {
    **dict.fromkeys(("lr", "max_lr", "base_lr", "eta_min", "min_lr"), Range(0)),
    **dict.fromkeys(("eps", "weight_decay", "gamma", "power", "patience"), Range(0)),
    **dict.fromkeys(("betas", "momentum", "alpha", "rho", "pct_start"), Range(0, 1)),
    **dict.fromkeys(("step_size", "T_max", "T_0", "T_mult", "total_steps"), Range(1)),
    **dict.fromkeys(("total_iters", "milestones", "step_size_up", "step_size_down"), Range(1)),
}

# Arguments that say where files are written. They are taken from the command line only, so that
# no config that is passed on, alone or in a checkpoint, makes the program write somewhere. (The
# cache beside the data lies, under a fixed name, in the folder it was read from; for data that only
# a checkpoint names, outside of `data/`, not even there.)
PLACES = {"cache"}

MAX_FAULTS = 16
"""That a message lists (assumed: a screen)."""

MAX_MADE = 50_000
"""Lines that a dataset makes because a checkpoint asks for it, unless an -o says so too (assumed:
eight times the most of our own configs; measured: 85 seconds on a slow core, and 0.4 GiB)."""
LINE_COUNTS = ("size", "valid_size", "test_size", "joined", "pieces")

# What constructors are tried with before there is the real thing.
STAND_INS = {
    "seed": 0,
    "normalisation": Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0)),
    "alphabet": Alphabet([" "]),
}

EXAMPLE = "arch.args.hidden_size=64"
SHORTHANDS = {
    "--lr": ("optimizer.args.lr", "RATE", "learning rate", "0.001"),
    "--bs": ("data_loader.args.batch_size", "SIZE", "lines in a batch", "16"),
    "--epochs": ("trainer.args.epochs", "N", "epochs to train, those done included", "20"),
}


class ConfigError(UserError):
    """All faults of a config; the message lists the first `MAX_FAULTS`."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        lines = [str(fault) for fault in self.faults[:MAX_FAULTS]]
        if len(lines) > 1:
            lines = [f"{len(self.faults)} faults in the config", *(f"  {line}" for line in lines)]
        if len(self.faults) > MAX_FAULTS:
            lines.append(f"  and {len(self.faults) - MAX_FAULTS} more")
        super().__init__("\n".join(lines))


class Override(NamedTuple):
    """A value of the command line that replaces one of the config."""

    option: str
    key: str
    text: str

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Read the `KEY=VALUE` of an -o."""
        key, equals, value = text.partition("=")
        if not equals:
            raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE, like {EXAMPLE}")
        return cls("-o", key, value)


def add_override_options(parser: argparse.ArgumentParser, *, shorthands: bool = True) -> None:
    """Add -o (and --lr, --bs, --epochs), which collect in `overrides`, a list of `Override`."""
    collect = partial(parser.add_argument, dest="overrides", action="append", default=[])
    for option, (key, metavar, meaning, example) in SHORTHANDS.items() if shorthands else ():
        collect(
            option,
            type=partial(Override, option, key),
            metavar=metavar,
            help=f"{meaning}: short for -o {key}={metavar} "
            f"(default: the config's), e.g. {option} {example}",
        )
    collect(
        *("-o", "--override"),
        type=Override.parse,
        metavar="KEY=VALUE",
        help="set any dotted key of the config; may be given several times; VALUE is JSON, or "
        f"else a string (default: the config's), e.g. -o {EXAMPLE}",
    )


class ConfigParser:
    """A config without faults, and the objects that it describes.

    Args:
        config: the plain values of the config.
        source: what messages call its origin: the file, or `checkpoint FILE`.
        overrides: values of the command line, applied in order.

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
    def from_file(cls, path: str | Path, overrides: Iterable[Override] = ()) -> "ConfigParser":
        """Read the config in a JSON file."""
        with _faults_of(str(path)):
            config = strict_json.read(Path(path))
        return cls(config, str(path), overrides)

    @classmethod
    def from_checkpoint(
        cls, config: Any, path: str | Path, overrides: Iterable[Override] = ()
    ) -> "ConfigParser":
        """Take the config that the checkpoint at `path` holds, whoever made that."""
        with _faults_of(f"checkpoint {path}"):
            config = strict_json.plain(config)
        parser = cls(config, f"checkpoint {path}", overrides)
        parser._keep_caches_at_home()
        if faults := list(parser._too_many_lines()):
            raise ConfigError(faults)
        return parser

    @property
    def name(self) -> str:
        """What the experiment is called."""
        return self.config["name"]

    @property
    def stored(self) -> dict[str, Any]:
        """The config to keep with the weights: without what says where files are written."""
        return _without_places(self.config)

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
        """Whether the network is given texts, and so built with an alphabet."""
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

    def build_scheduler(self, optimizer: Optimizer, total_steps: int) -> LRScheduler | None:
        """Build the schedule of the learning rate; None where the config has null.

        Args:
            optimizer: whose rate it sets.
            total_steps: how often the schedule steps in the whole run: as often as the optimiser,
                or once an epoch.

        Raises:
            ConfigError: if the config's schedule ends before the run does, or a part of it has no
                length.
        """
        block = self.config["lr_scheduler"]
        if block is None:
            return None
        args = block.get("args", {})
        with _faults_of(self._with_source):
            if args.get("total_steps", total_steps) < total_steps:
                expected = f"at least the {total_steps} steps of the run; or leave it out"
                place = "lr_scheduler.args.total_steps"
                raise ConfigFault(place, args["total_steps"], expected)
            return self._schedule(optimizer, args, total_steps)

    def _keep_caches_at_home(self) -> None:
        """Let data that a checkpoint names be cached in the user's folder, not beside it.

        Data below `data/`, or named by an -o, is cached where it always is.
        """
        for key, block in _blocks(self.config, choices(BaseDataset)):
            known = arguments_of(choices(BaseDataset)[block["type"]])
            args = block.get("args", {})
            root = args.get("root")
            if not (isinstance(root, str) and "cache" in known.accepted) or args.get("cache"):
                continue
            below = Path(root).resolve().is_relative_to(Path("data").resolve())
            if not below and not self._option(f"{key}.args.root"):
                args["cache"] = str(user_cache())

    def _too_many_lines(self) -> Iterator[Fault]:
        """Find datasets that make more lines than a checkpoint alone may ask for."""
        for key, block in _blocks(self.config, choices(BaseDataset)):
            for name in LINE_COUNTS:
                place, count = f"{key}.args.{name}", block.get("args", {}).get(name, 0)
                if count > MAX_MADE and not self._option(place):
                    expected = (
                        f"at most {MAX_MADE:,} lines are made because a checkpoint says so; "
                        f"-o {place}={count} makes them all the same"
                    )
                    yield Fault(place, count, expected, self.source)

    def _override(self, override: Override) -> Fault | None:
        """Put a value of the command line into the config."""
        option, key, text = override
        key = migrated_key(key)
        try:
            value = strict_json.loads(text)
        except strict_json.NotJSON:
            value = text
        except ConfigFault as fault:
            return Fault(key, text, fault.expected, option)
        *parents, last = key.split(".")
        holder = self.config
        for depth, name in enumerate(parents, 1):
            if name == "args" and "type" in (children := _children(holder)):
                children.setdefault("args", {})
            if name not in (children := _children(holder)):
                problem = f"no such key{hint(name, children)}"
                return Fault(".".join(parents[:depth]), ABSENT, problem, option)
            holder = children[name]
        if isinstance(holder, dict):
            holder[last] = value  # Maybe new: an argument that the config left at its default.
        elif last in _children(holder):
            holder[int(last)] = value
        else:
            return Fault(key, ABSENT, f"no such key{hint(last, _children(holder))}", option)
        self._options[key] = option
        return None

    def _option(self, key: str) -> str | None:
        """Return the option of the command line that set `key`, or what holds it."""
        options = [
            option for given, option in self._options.items() if f"{key}.".startswith(f"{given}.")
        ]
        return options[-1] if options else None

    def _with_source(self, fault: Fault) -> Fault:
        return fault._replace(source=self._option(fault.key) or self.source)

    def _faults(self) -> Iterator[Fault]:
        """Find all that is wrong with the config, from its top to its bottom."""
        keys = ("name", *BLOCKS)
        if not isinstance(self.config, dict):
            yield Fault("the config", self.config, f"an object with {', '.join(keys)}")
            return
        for key, value in self.config.items():
            if key not in keys:
                yield Fault(key, value, f"unknown key{hint(key, keys)}")
        yield from _name_faults(self.config.get("name", ABSENT))
        sound = set()
        for key, annotation in BLOCKS.items():
            if key not in self.config:
                yield Fault(key, ABSENT, f"is missing: {BINDER.described(annotation)}")
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
        for key in _places(self.config):
            if not self._option(key):
                expected = f"says where files are written: only as -o {key}=FOLDER"
                yield Fault(key, ABSENT, expected)

    def _trial_optimizer(self, is_sound: bool) -> Optimizer:
        """Return the config's optimiser over one weight, or another one if it has faults."""
        if is_sound:
            return BINDER.make(Optimizer, self.config["optimizer"], "", _weights())
        return torch.optim.SGD(_weights(), lr=0.1, momentum=0.9)

    def _schedule(self, optimizer: Optimizer, args: dict[str, Any], total_steps: int) -> Any:
        """Build the schedule from `args` and what the program works out."""
        kind = self.config["lr_scheduler"]["type"]
        values = {"lr": optimizer.param_groups[0]["lr"], "steps": total_steps}
        args = {name: values[of] for name, of in WORKED_OUT.get(kind, {}).items()} | args
        block = {"type": kind, "args": args}
        try:
            return BINDER.make(LRScheduler, block, "lr_scheduler", optimizer)
        except ZeroDivisionError:  # of OneCycleLR, whose rise is to end with its first step
            expected = (
                f"a schedule none of whose parts is empty over {args.get('total_steps')} steps; "
                "more of them (epochs), or another pct_start, make it so"
            )
            raise ConfigFault("lr_scheduler.args", args, expected) from None

    def _schedule_faults(self, optimizer_is_sound: bool) -> Iterator[Fault]:
        """Try a step of the schedule."""

        def trial(**args: Any) -> None:
            optimizer = self._trial_optimizer(optimizer_is_sound)
            schedule = self._schedule(optimizer, args, total_steps=TRIAL_STEPS)
            optimizer.step()
            plateau = isinstance(schedule, lr_scheduler.ReduceLROnPlateau)
            schedule.step(*([1.0] if plateau else []))

        block = self.config["lr_scheduler"]
        cls = choices(LRScheduler)[block["type"]]
        yield from _refused(cls, block.get("args", {}), "lr_scheduler", trial)

    def _trainer_faults(self, sound: set[str]) -> Iterator[Fault]:
        """Construct the trainer on stand-ins: it knows what else must fit, such as its monitor."""
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
            for fault in cls.misfits(network, stand_ins["loss"], stand_ins["metrics"]):
                yield Fault(fault.key, fault.value, fault.expected)
        try:
            if schedule is not None:
                cls.planned_steps(1, block.get("args", {}))
        except ConfigFault as fault:
            yield Fault(fault.key, fault.value, fault.expected)


def choices(base: type) -> dict[str, type]:
    """Return by name the classes that a config may ask for where it needs a `base`."""
    offered = [getattr(package, name) for package in PACKAGES for name in package.__all__]
    offered += extension.classes()
    for module in (torch.optim, lr_scheduler):
        names = [name for name in vars(module) if not name.startswith("_")]
        offered += [vars(module)[name] for name in names if name not in NOT_OFFERED]
    return {
        cls.__name__: cls
        for cls in offered
        if isinstance(cls, type) and issubclass(cls, base) and cls is not base
        if not inspect.isabstract(cls)
    }


class _ConfigBinder(Binder):
    """Binds to the classes that `choices` offers."""

    def choices(self, base: Any) -> dict[str, type] | None:
        return choices(base) if base in BASES else None

    def arguments(self, cls: type) -> Arguments:
        if not cls.__module__.startswith("torch."):
            return arguments_of(cls)
        _, accepted, defaults = arguments_of(cls, FROM_PROGRAM)
        for name in accepted.keys() & TORCH_RANGES.keys():
            accepted[name] = Annotated[accepted[name], TORCH_RANGES[name]]
        return Arguments(list(FROM_PROGRAM), accepted, defaults | WORKED_OUT.get(cls.__name__, {}))

    def trial(
        self, cls: type, args: dict[str, Any], key: str, stand_ins: Mapping[str, Any] = STAND_INS
    ) -> Iterator[Fault]:
        supplied = self.arguments(cls).supplied
        if issubclass(cls, Optimizer):

            def step(**some: Any) -> None:
                self.construct(cls, some, key, _weights()).step()

            yield from _refused(cls, args, key, step)
        elif stand_ins.keys() >= set(supplied):
            # On the device "meta" the weights of a network take neither time nor memory.
            with torch.device("meta" if issubclass(cls, BaseModel) else "cpu"):
                try:
                    self.construct(cls, args, key, *(stand_ins[name] for name in supplied))
                except ConfigFault as fault:
                    yield Fault(fault.key, fault.value, fault.expected)


BINDER = _ConfigBinder()


def _weights() -> list[torch.nn.Parameter]:
    """Return a weight with a gradient, to try an optimiser on."""
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    return [weight]


def _refused(
    cls: type, args: dict[str, Any], key: str, trial: Callable[..., Any]
) -> Iterator[Fault]:
    """Find the arguments that torch refuses, by adding them one by one to those it takes."""

    def refusal(names: Iterable[str]) -> str | None:
        try:
            trial(**{name: args[name] for name in names})
        except ConfigFault as fault:
            return fault.expected
        except Exception as error:  # Whatever the arithmetic of an unfitting value raises.
            return f"{cls.__name__} refuses it: {error or type(error).__name__}"
        return None

    if refusal(args) is None:
        return
    defaults = BINDER.arguments(cls).defaults
    taken = [name for name in args if name not in defaults]
    if reason := refusal(taken):
        yield Fault(f"{key}.args", args, reason)
        return
    left = [name for name in args if name in defaults]
    while fitting := [name for name in left if refusal([*taken, name]) is None]:
        taken.append(fitting[0])
        left.remove(fitting[0])
    for name in left:
        yield Fault(f"{key}.args.{name}", args[name], str(refusal([*taken, name])))


def _name_faults(name: Any) -> Iterator[Fault]:
    try:
        RunFolder(name, run_id="any")
    except UserError:
        expected = "letters, digits, '_', '-' and '.', beginning with a letter or digit, up to 100"
        yield Fault("name", name, expected)


@contextmanager
def _faults_of(source: Callable[[Fault], Fault] | str) -> Iterator[None]:
    """Turn the ConfigFault of a block of code into a ConfigError with its source."""
    try:
        yield
    except ConfigFault as fault:
        found = Fault(fault.key, ABSENT if fault.value is None else fault.value, fault.expected)
        found = source(found) if callable(source) else found._replace(source=source)
        raise ConfigError([found]) from fault


def _children(holder: Any) -> dict[str, Any]:
    """Return what an object or a list holds, by the name or index that a dotted key has."""
    if isinstance(holder, list):
        return {str(index): child for index, child in enumerate(holder)}
    return holder if isinstance(holder, dict) else {}


def _places(values: Any, key: str = "") -> Iterator[str]:
    """Find the keys of all arguments that say where files are written."""
    for name, child in _children(values).items():
        if name in PLACES and child is not None:
            yield f"{key}{name}"
        else:
            yield from _places(child, f"{key}{name}.")


def _blocks(values: Any, types: Iterable[str], key: str = "") -> Iterator[tuple[str, Any]]:
    """Find all blocks whose type is one of `types`, with their keys."""
    if isinstance(values, dict) and values.get("type") in types:
        yield key, values
    for name, child in _children(values).items():
        yield from _blocks(child, types, f"{key}.{name}" if key else name)


def _without_places(values: Any) -> Any:
    if isinstance(values, list):
        return [_without_places(child) for child in values]
    if isinstance(values, dict):
        return {key: _without_places(values[key]) for key in values if key not in PLACES}
    return values
