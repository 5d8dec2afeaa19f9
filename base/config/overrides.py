"""Values from the command line that replace those of a config."""

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from base.config.signatures import arguments_of
from utils import strict_json
from utils.checks import ABSENT, ConfigFault, UserError, hint
from utils.strict_json import Config, Json, children, nested

EXAMPLE = "arch.args.hidden_size=64"
CACHE = "cache"
"""The last name of keys that name folders for writing, accepted on the command line only: an
untrusted config, alone or in a checkpoint, cannot make the program write somewhere. (The default is
a folder of a fixed name beside the data.)"""
MAIN_ROOT = re.compile(r"data_loader(\.args\.dataset)+\.args\.root")
"""The key of the main dataset's folder: other datasets add to its training data only."""


class Override(NamedTuple):
    """A value from the command line that replaces one of the config.

    Attributes:
        option: the command-line option, for messages.
        key: dotted; None for the root of the config's dataset.
        text: the value as typed.
    """

    option: str
    key: str | None
    text: str

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Parse the `KEY=VALUE` of an -o.

        Raises:
            UserError: if it has another form.
        """
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"-o {text!r} is not KEY=VALUE, like {EXAMPLE}")
        return cls("-o", key, value)

    def set_in(self, values: Json) -> None:
        """Set the value, which is JSON or else a string, in the values of a config.

        The last name of the key may be new, such as an argument that was left at its default.

        Raises:
            ConfigFault: if there is no place for it, or it is JSON that is not accepted.
        """
        try:
            value = strict_json.loads(self.text)
        except strict_json.NotJSON:
            value = self.text
        except ConfigFault as fault:
            raise ConfigFault(self.key, self.text, fault.expected) from None
        *parents, last = self.key.split(".")
        holder, place = values, ""
        for name in parents:
            values_here, place = children(holder), f"{place}{name}"
            if name == "args" and "type" in values_here:
                values_here.setdefault("args", {})
            if name not in values_here:
                raise ConfigFault(place, ABSENT, f"no such key{hint(name, values_here)}")
            holder, place = values_here[name], f"{place}."
        if isinstance(holder, dict):
            holder[last] = value
        elif last in children(holder):
            holder[int(last)] = value
        else:
            raise ConfigFault(self.key, ABSENT, f"no such key{hint(last, children(holder))}")


def option_of(key: str, overrides: Sequence[Override]) -> str:
    """Return the option that set a key, or a parent of it, last; "" if none did."""
    last_first = reversed(overrides)
    return next((each.option for each in last_first if f"{key}.".startswith(f"{each.key}.")), "")


def with_defaults(config: Config, defaults: Mapping[str, Json]) -> Config:
    """Return a copy of a config that has `defaults`, by dotted key, where it has no value."""
    complete, present = copy.deepcopy(config), dict(nested(config))
    for key, default in defaults.items():
        if key not in present:
            Override("", key, json.dumps(default)).set_in(complete)
    return complete


def find_datasets(config: Json, classes: Mapping[str, type]) -> Iterator[tuple[str, Config, dict]]:
    """Yield the key and the value of each dataset's "args", and the arguments of its class."""
    for key, block in nested(config):
        kind = children(block).get("type")
        if isinstance(kind, str) and kind in classes:
            yield f"{key}.args", children(block.get("args")), arguments_of(classes[kind]).accepted


def root_key(config: Json, classes: Mapping[str, type]) -> str:
    """Return the key of the folder of a config's dataset, or of the main dataset among several;
    raise a ConfigFault if there is none, or no main dataset."""
    datasets = find_datasets(config, classes)
    keys = [f"{key}.root" for key, _, accepted in datasets if "root" in accepted]
    if len(candidates := list(filter(MAIN_ROOT.fullmatch, keys)) or keys) == 1:
        return candidates[0]
    expected = "--data is not used: the config's dataset is not read from files"
    if keys:
        which = " or ".join(f"-o {key}=FOLDER" for key in keys)
        expected = f"several datasets of the config are read from files: use {which}"
    raise ConfigFault("data_loader", ABSENT, expected)
