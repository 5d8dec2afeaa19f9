"""A config whose values are bound to the constructors that they are for: a `Plan`."""

import copy
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from base.config import bases, resumption, sources
from base.config.binder import Binder, Outcome, Part, build, parts
from base.config.overrides import CACHE, Override, option_of
from base.config.signatures import Annotation
from utils.checks import ABSENT, NOTHING, ConfigError, ConfigFault, hint
from utils.files import PLAIN_NAME
from utils.strict_json import Config, Json, children, nested, without


class Block(NamedTuple):
    """What a config has at one of its first keys."""

    annotation: Annotation
    supplied: Collection[str] = ()
    """The names of the arguments that the program passes to the block's constructors."""


@dataclass(frozen=True)
class Plan:
    """A config, bound to the signatures of the classes that it names; nothing is made yet.

    A plan may have faults. `checked` refuses such a plan, as do `build` and what else a plan gives.
    """

    config: Config
    """The values of the config, with overrides."""
    source: str
    """The origin of the config, for messages: the file, or `checkpoint FILE`."""
    blocks: Mapping[str, Block]
    """The blocks of a config, by key; it consists of these and a `name`."""
    binder: Binder
    files: Mapping[Path, Json] = field(default_factory=dict)
    """The values in each file, first the config's own file, then its bases."""
    overrides: tuple[Override, ...] = ()
    """The values from the command line that the config has."""
    refused: tuple[ConfigFault, ...] = ()
    """Faults of overrides that could not be set."""
    base_defaults: Mapping[str, Json] = field(default_factory=dict)
    """By dotted key, the defaults that classes give their bases; known after a trial."""

    @classmethod
    def from_file(cls, path: Path, blocks: Mapping[str, Block], binder: Binder) -> "Plan":
        """Read the config in a JSON file and in the file's bases.

        Raises:
            ConfigError: if a file cannot be read.
        """
        try:
            files = bases.read(path)
        except ConfigFault as fault:
            raise ConfigError(str(path), [fault]) from fault
        return cls(bases.merged(files), str(path), blocks, binder, files)

    @property
    def name(self) -> str:
        """The name of the experiment, which is also that of a folder."""
        name = children(self.config).get("name")
        if not _is_name(name):
            self.checked()  # refuses the name
        return name

    def with_network(self, arch: Json) -> "Plan":
        """Return the plan with a network; see `bases.with_network`.

        Raises:
            ConfigError: if neither the config nor `arch` names a type of network.
        """
        try:
            return replace(self, config=bases.with_network(self.config, arch))
        except ConfigFault as fault:
            raise ConfigError(self.source, [fault]) from fault

    def with_overrides(self, overrides: Iterable[Override]) -> "Plan":
        """Return the plan with values from the command line, set in order."""
        plan = self
        for override in overrides:
            try:
                key = plan.main_root() if override.key is None else plan.present_key(override)
                text = json.dumps(override.text) if override.key is None else override.text
                override, config = Override(override.option, key, text), copy.deepcopy(plan.config)
                override.set_in(config)
                plan = replace(plan, config=config, overrides=(*plan.overrides, override))
            except ConfigFault as fault:
                plan = replace(plan, refused=(*plan.refused, fault.of(override.option)))
        return plan

    def with_values(self, values: Mapping[str, Json]) -> "Plan":
        """Return the plan with other values at dotted keys."""
        config = copy.deepcopy(self.config)
        for key, value in values.items():
            Override("", key, json.dumps(value)).set_in(config)
        return replace(self, config=config)

    # What is read off a plan.

    @cached_property
    def _bound(self) -> dict[str, Outcome]:
        """The outcome of binding each block."""
        values = children(self.config)
        return {
            key: self.binder.bind(block.annotation, values.get(key, ABSENT), key, block.supplied)
            for key, block in self.blocks.items()
        }

    def __getitem__(self, key: str) -> Any:
        """Return the bound value of a block: a `Part`, or a list of parts; None if it has none."""
        return self._bound[key].value

    def parts(self, argument: str | None = None) -> Iterator[Part]:
        """Yield all parts, at any depth, or those that accept an argument."""
        for part in chain.from_iterable(parts(self[key]) for key in self.blocks):
            if argument is None or argument in part.arguments.accepted:
                yield part

    def main_root(self) -> str:
        """Return the key of the folder of the main dataset, or of the only dataset from files.

        The main dataset is the first that is validated on, or what it is made of.

        Raises:
            ConfigFault: if there is no such dataset.
        """
        keys = [f"{part.key}.args.root" for part in self.parts("root")]
        loader = self["data_loader"]
        main = [f"{part.key}.args.root" for part in sources.main_parts(loader)] if loader else []
        if len(candidates := [key for key in main if key in keys] or keys) == 1:
            return candidates[0]
        expected = "--data is not used: the config's dataset is not read from files"
        if keys:
            options = " or ".join(f"-o {key}=FOLDER" for key in keys)
            expected = f"several datasets of the config are read from files: use {options}"
        raise ConfigFault("data_loader", ABSENT, expected)

    def present_key(self, override: Override) -> str:
        """Return the key of an override; for an option with a fixed key, such as --keep, the key
        in a config with sources.

        Raises:
            ConfigFault: if the config has sources, and the key is that of a config without.
        """
        key, loader = override.key, self["data_loader"]
        is_former = f"{key}.".startswith(f"{sources.DATASET}.")
        if not is_former or loader is None or not loader.values.get("sources"):
            return key
        present = sources.present_key(loader, key)
        if present and override.option not in ("-o", "--sweep"):
            return present
        names = [name for name, part in loader.values["sources"].items() if part]
        present = present or f"{sources.LOADER}.sources.NAME, one of {', '.join(names)}"
        expected = f"the config has `sources`: use {override.option} {present}"
        raise ConfigFault(key, ABSENT, expected)

    @property
    def complete(self) -> Config:
        """The config with all defaults that do not depend on other keys or on the data."""
        config = copy.deepcopy(self.config)
        for part in self.parts():
            block = config
            for name in part.key.split("."):
                block = children(block)[name]
            of_bases = {
                name: self.base_defaults[key]
                for name in part.arguments.accepted
                if (key := f"{part.key}.args.{name}") in self.base_defaults
            }
            block["args"] = {**block.get("args", {}), **part.defaults, **of_bases}
        return config

    @property
    def stored(self) -> Config:
        """The config as checkpoints store it: without folders for caches."""
        return _without_caches(self.checked().config)

    @property
    def resolved(self) -> Config:
        """The stored config with defaults."""
        return _without_caches(self.checked().complete)

    # Faults.

    @cached_property
    def faults(self) -> list[ConfigFault]:
        """All faults that are known before anything is made."""
        faults = [*self.refused]
        if not isinstance(self.config, dict):
            expected = f"an object with {', '.join(('name', *self.blocks))}"
            return [*faults, ConfigFault("the config", self.config, expected)]
        bound = Outcome.gathered(None, self._bound.values())
        return [*faults, *self._key_faults(), *bound.faults]

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
            if is_cache and not option_of(key, self.overrides):
                expected = f"sets a folder to write to: accepted only as -o {key}=FOLDER"
                yield ConfigFault(key, ABSENT, expected)

    def has_faults(self, key: str) -> bool:
        """Return whether the values of a block do not fit."""
        return bool(self._bound[key].faults)

    def checked(self) -> "Plan":
        """Return the plan; raise a ConfigError if it has faults."""
        self.refuse(self.faults)
        return self

    def refuse(self, faults: Iterable[ConfigFault]) -> None:
        """Raise a ConfigError if there are faults; the error names each fault's option or file."""
        faults, located = [*faults], []
        if not faults:
            return
        present = dict(nested(self.config))
        keys_by_file = {str(path): dict(nested(values)) for path, values in self.files.items()}
        for fault in faults:
            key = fault.key
            # The config of an exported network lacks the root.
            lacks_root = key.endswith(".root") and fault.value is ABSENT
            remedy = "; --data names the folder" if lacks_root else ""
            files = keys_by_file if key in present else ()
            file = next((file for file in files if key in keys_by_file[file]), "")
            origin = option_of(key, self.overrides) or ("" if file == self.source else file)
            located.append(fault.of(origin, remedy))
        raise ConfigError(self.source, located)

    # Building.

    def tried(self, key: str, supplied: Mapping[str, Any] = NOTHING) -> Outcome:
        """Return the outcome of building a block, see `build`; nothing is built of a block with
        faults, or of one whose constructor needs more than is `supplied`."""
        return Outcome() if self.has_faults(key) else build(self[key], supplied)

    def build(self, key: str, **supplied: Any) -> Any:
        """Build the object, or the list of objects, of a block.

        Args:
            key: a key of `blocks`.
            supplied: a value for each of the constructor's parameters before `*`, by name; further
                values are ignored.

        Raises:
            ConfigError: if the plan has faults, or a constructor refuses an argument.
        """
        outcome = self.checked().tried(key, supplied)
        self.refuse(outcome.faults)
        return outcome.value

    def resumed(self, former: "Plan") -> "Plan":
        """Return the `former` plan of a run with this plan's values of the keys that may differ in
        a resumed run.

        Raises:
            ConfigError: if keys differ that must not differ; see `resumption.ADJUSTABLE`.
        """
        overrides, faults = resumption.compare(former.complete, self.complete, self.source)
        self.refuse(faults)
        return former.with_overrides(overrides)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and PLAIN_NAME.fullmatch(name) is not None


def _without_caches(config: Config) -> Config:
    return without(config, lambda name, _: name == CACHE)
