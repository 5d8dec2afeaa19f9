"""Reads the values of a config, and of options that replace some of them.

A file may name another file, its base, and then holds only the differences. The configs that come
with the project are found by name, such as `conditional`.
"""

import os
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from utils import strict_json
from utils.checks import ABSENT, ConfigError, ConfigFault, UserError, hint
from utils.files import PLAIN_NAME
from utils.program import ROOT
from utils.strict_json import Json, children, nested

BASE = "base"
"""The key of a file's base, a path relative to the file or the name of a config."""
CONFIGS = ROOT / "configs"
"""The folder of the configs that come with the project, `NAME.json`."""
EXAMPLE = "arch.args.hidden_size=64"
"""An override, for messages."""


class Override(NamedTuple):
    """A value that replaces a value of the config.

    Attributes:
        option: the command-line option, for messages.
        key: the dotted key; None for the folder of the main dataset, see `parse_config.Plan`.
        value: the value.
    """

    option: str
    key: str | None
    value: Json


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


def with_network(values: Json, network: Json) -> Json:
    """Return the values of a config with `network` as its network, if that of the config is null or
    missing, or has no type; its arguments override those of `network`."""
    block = children(values).get("arch")
    is_described = not isinstance(block, dict | None) or "type" in (block or {})
    if network is None or is_described or not isinstance(values, dict):
        return values
    return values | {"arch": merge(children(network), {"args": {}} | (block or {}))}


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
