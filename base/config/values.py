"""The values of a config: those in its files, and those of the command line, which replace them.

A file may name other files, its bases, and then holds only the differences.
"""

import os
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from utils import strict_json
from utils.checks import ABSENT, ConfigError, ConfigFault, hint
from utils.strict_json import Json, children, nested

BASE = "base"
"""The key of a file's base or list of bases, which are paths relative to the file."""


def read_config(path: Path) -> tuple[Json, dict[str, str]]:
    """Return the values of a config, merged from the file at `path` and the file's bases.

    A file overrides its bases, and a later base an earlier one. A base that several files share is
    overridden by all of them.

    Returns:
        the values; and, by dotted key, the base that a value is from, "" for the file itself.

    Raises:
        ConfigError: if a file cannot be read, or is its own base.
    """
    try:
        files = _with_bases(path, strict_json.read(path), (), {})
    except ConfigFault as fault:
        raise ConfigError(str(path), [fault]) from fault
    origins: dict[str, str] = {}
    for file, values in files.items():
        origins |= {key: "" if file == path else str(file) for key, _ in nested(values)}
    config = reduce(merge, files.values())
    return config, {key: origins[key] for key, _ in nested(config)}


def _with_bases(
    path: Path, values: Json, chain: tuple[Path, ...], files: dict[Path, Json]
) -> dict[Path, Json]:
    """Return the `files` that are read by now, behind them further bases of a file `path` with some
    `values`, and the file. The files of `chain` lead to it."""
    path_chain, source = (*chain, path), str(path)
    bases = children(values).pop(BASE, [])
    for base in bases if isinstance(bases, list) else [bases]:
        if not isinstance(base, str):
            expected = "the name of a config file, relative to this one, or a list of such names"
            raise ConfigFault(BASE, base, expected, source)
        file = Path(os.path.normpath(path.parent / base))
        if file.resolve() in (link.resolve() for link in path_chain):
            circle = " -> ".join(map(str, (*path_chain, file)))
            raise ConfigFault(BASE, base, f"no file can be its own base: {circle}", source)
        if file in files:
            continue
        try:
            base_values = strict_json.read(file)
        except ConfigFault as fault:
            raise ConfigFault(BASE, base, str(fault.of(str(file))), source) from None
        if not isinstance(base_values, dict):
            raise ConfigFault(BASE, base, "a file with an object", source)
        files = _with_bases(file, base_values, path_chain, files)
    return {**files, path: values}


def merge(base: Json, values: Json) -> Json:
    """Return the values of a file and of its base.

    Objects are merged key by key, unless their `type` keys differ; any other value replaces that of
    the base.
    """
    are_objects = isinstance(base, dict) and isinstance(values, dict)
    if not are_objects or values.get("type", base.get("type")) != base.get("type"):
        return values
    return base | {name: merge(base.get(name), value) for name, value in values.items()}


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

    def set_in(self, values: Json) -> None:
        """Set the value in the values of a config.

        The last name of the key may be new, as for an argument that the config leaves out.

        Raises:
            ConfigFault: if the config lacks a parent of the key.
        """
        *parents, last = self.key.split(".")
        holder, parent = values, ""
        for name in parents:
            members, parent = children(holder), f"{parent}{name}"
            if name == "args" and "type" in members:
                members.setdefault("args", {})
            if name not in members:
                raise ConfigFault(parent, ABSENT, f"no such key{hint(name, members)}")
            holder, parent = members[name], f"{parent}."
        if isinstance(holder, dict):
            holder[last] = self.value
        elif last in children(holder):
            holder[int(last)] = self.value
        else:
            raise ConfigFault(self.key, ABSENT, f"no such key{hint(last, children(holder))}")
