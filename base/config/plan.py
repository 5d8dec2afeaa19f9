"""Reads the values of a config, and defines `Plan`: the values bound to arguments of constructors.

A file may name another file, its base, and then holds only the differences. The configs that come
with the project are found by name, such as `conditional`.
"""

import copy
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, NamedTuple

from base.config.binder import (
    Annotation,
    Binder,
    BoundClass,
    NamedObjects,
    Reference,
    bound_classes,
    built,
    faults,
)
from utils import strict_json
from utils.checks import ABSENT, ConfigError, ConfigFault, UserError, hint
from utils.files import PLAIN_NAME
from utils.program import ROOT
from utils.strict_json import Config, Json, children, nested, without

BASE = "base"
"""The key of a file's base, a path relative to the file or the name of a config."""
CONFIGS = ROOT / "configs"
"""The folder of the configs that come with the project, `NAME.json`."""
EXAMPLE = "arch.args.hidden_size=64"
"""An override, for messages."""
CACHE = "cache"
"""A key that ends in this name sets a folder to write to; the default is beside the data. Only the
command line may set it, so that an untrusted config cannot choose where the program writes."""
FOLDERS = ("root", CACHE)
"""The last names of the keys that set folders of data."""


class Override(NamedTuple):
    """A value that replaces a value of the config.

    Attributes:
        option: the command-line option, for messages.
        key: the dotted key; None for the folder of the main dataset, see `Plan.main_root`.
        value: the value.
    """

    option: str
    key: str | None
    value: Json


@dataclass(frozen=True)
class Plan:
    """A config, bound to the signatures of the classes that it names; no object is built yet.

    A plan may have faults. `checked`, `build`, `given_config` and others refuse such a plan.
    """

    config: Config
    """The values of the config, with overrides."""
    source: str
    """The source of the config, for messages: the file, or `checkpoint FILE`."""
    blocks: Mapping[str, Annotation]
    """What a config has at its first keys; it consists of these and a `name`."""
    binder: Binder
    bases: Mapping[str, str] = field(default_factory=dict)
    """By dotted key, the base file that a value is from, if it is from one."""
    overrides: tuple[Override, ...] = ()
    """The values that were set in the config, from the command line or by the program."""
    refused: tuple[ConfigFault, ...] = ()
    """Faults of overrides that could not be set."""

    def with_network(self, arch: Json) -> "Plan":
        """Return the plan with `arch` as its network, if that of the config is null or missing, or
        has no type; its arguments override those in `arch`."""
        block = children(self.config).get("arch")
        is_described = not isinstance(block, dict | None) or "type" in (block or {})
        if arch is None or is_described or not isinstance(self.config, dict):
            return self
        network = merge(children(arch), {"args": {}} | (block or {}))
        return replace(self, config=self.config | {"arch": network})

    def with_overrides(self, overrides: Iterable[Override]) -> "Plan":
        """Return the plan with other values, set in order."""
        plan = self
        for override in overrides:
            config = copy.deepcopy(plan.config)
            try:
                key = plan.main_root() if override.key is None else override.key
                set_value(config, key, override.value)
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
            for key, annotation in self.blocks.items()
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
        expected = f"an object with {', '.join(('name', *self.blocks))}"
        return [*self.refused, ConfigFault("the config", self.config, expected)]

    def _key_faults(self) -> Iterator[ConfigFault]:
        """Yield unknown keys, an invalid name, and caches that no override sets."""
        keys = ["name", *self.blocks]
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

    def build(self, key: str, **supplied: Any) -> Any:
        """Build the object, or the list of objects, of a block.

        Args:
            key: a key of `blocks`.
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


# The values of a config.


def config_file(path: Path, name: str) -> Path:
    """Return the file `path`; if it is missing, and `name` is a plain name, that of the project's
    config of this name.

    Raises:
        ConfigFault: if there is neither.
    """
    if os.path.exists(path) or not PLAIN_NAME.fullmatch(name) or "." in name:
        return path
    named = {file.stem: file for file in sorted(CONFIGS.glob("*.json"))}
    if name not in named:
        problem = f"no such file, nor a config of the project{hint(name, named)}"
        raise ConfigFault("", ABSENT, problem)
    return named[name]


def read_config(path: Path) -> tuple[Json, dict[str, str]]:
    """Return the values of a config, merged from the file at `path` and its base.

    Returns:
        the values; and, by dotted key, the base that a value is from, "" for the file itself.

    Raises:
        ConfigError: if a file cannot be read, or is its own base.
    """
    try:
        path = config_file(path, str(path))
        files = _with_bases(path)
    except ConfigFault as fault:
        raise ConfigError(str(path), [fault]) from fault
    origins: dict[str, str] = {}
    for file, values in files:
        origins |= {key: "" if file == path else str(file) for key, _ in nested(values)}
    config = reduce(merge, (values for _, values in files))
    return config, {key: origins[key] for key, _ in nested(config)}


def _with_bases(path: Path) -> list[tuple[Path, Json]]:
    """Return a file and its values, and before these its base, whose base is before it."""
    files = [(path, strict_json.read(path))]
    while (base := children(files[0][1]).pop(BASE, ABSENT)) is not ABSENT:
        path = files[0][0]
        source = str(files[0][0])
        if not isinstance(base, str):
            expected = "a config file, relative to this one, or the name of a config"
            raise ConfigFault(BASE, base, expected, source)
        file = Path(os.path.normpath(path.parent / base))
        try:
            file = config_file(file, base)
            values = strict_json.read(file)
        except ConfigFault as fault:
            raise ConfigFault(BASE, base, str(fault.of(str(file))), source) from None
        if file.resolve() in (other.resolve() for other, _ in files):
            derived = [str(other) for other, _ in reversed(files)]
            circle = " -> ".join([*derived, str(file)])
            raise ConfigFault(BASE, base, f"no file can be its own base: {circle}", source)
        if not isinstance(values, dict):
            raise ConfigFault(BASE, base, "a file with an object", source)
        files.insert(0, (file, values))
    return files


def merge(base: Json, values: Json) -> Json:
    """Return the values of a file and of its base.

    Objects are merged key by key, unless their `type` keys differ; any other value replaces that of
    the base.
    """
    if not isinstance(base, dict) or not isinstance(values, dict):
        return values
    if values.get("type", base.get("type")) != base.get("type"):
        return values
    return base | {name: merge(base.get(name), value) for name, value in values.items()}


def parse_override(text: str) -> Override:
    """Parse the argument `KEY=VALUE` of an option -o, see `typed_override`.

    Raises:
        UserError: if the text has no `=`.
    """
    if "=" not in text:
        raise UserError(f"-o {text!r} is not KEY=VALUE, like {EXAMPLE}")
    key, _, value = text.partition("=")
    return typed_override("-o", key, value)


def typed_override(option: str, key: str, text: str) -> Override:
    """Return an override with a value as typed, which is JSON, or else a string.

    Raises:
        ConfigFault: if the text is JSON that is not accepted, such as NaN.
    """
    try:
        return Override(option, key, strict_json.loads(text))
    except strict_json.NotJSON:
        return Override(option, key, text)
    except ConfigFault as fault:
        raise ConfigFault(key, text, fault.expected) from None


def set_value(values: Json, key: str, value: Json) -> None:
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
