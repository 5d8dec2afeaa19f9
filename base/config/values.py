"""The values of a config: those in its files, and those of the command line, which replace them.

A file may name other files, its bases, and then holds only the differences.
"""

from collections.abc import Iterator
from functools import reduce
from itertools import count
from pathlib import Path
from typing import NamedTuple

from utils import strict_json
from utils.checks import ABSENT, ConfigError, ConfigFault, UserError, hint
from utils.strict_json import Json, children, nested

BASE = "base"
"""The key of a file's base or list of bases, which are paths relative to the file."""
MAX_BASES = 50
"""Maximum number of bases of a config that are read (assumed); each may name two others, so that
their number doubles with each level."""
EXAMPLE = "arch.args.hidden_size=64"


def read_config(path: Path) -> tuple[Json, dict[str, str]]:
    """Return the values of a config, merged from its file and the file's bases.

    A file overrides its bases, and a later base an earlier one. A base that several files share is
    overridden by all of them.

    Args:
        path: the file.

    Returns:
        the values; and, by dotted key, the base that a value is from, "" for the file itself.

    Raises:
        ConfigError: if a file cannot be read, or is its own base, or bases name too many bases.
    """
    try:
        files = _with_bases(path, strict_json.read(path), (), count(1))
    except ConfigFault as fault:
        raise ConfigError(str(path), [fault]) from fault
    config, origins = reduce(merge, reversed(files.values())), {}
    for file, values in reversed(files.items()):
        origins |= {key: "" if file == path else str(file) for key, _ in nested(values)}
    return config, {key: origins[key] for key, _ in nested(config)}


def _with_bases(
    path: Path, values: Json, chain: tuple[Path, ...], numbers: Iterator[int]
) -> dict[Path, Json]:
    """Return the `values` of a file, to which those of `chain` lead, and those of its bases, by
    file, highest priority first. Each base takes a number from `numbers`."""
    files, path_chain, source = {path: values}, (*chain, path), str(path)
    bases = children(values).pop(BASE, [])
    for base in reversed(bases) if isinstance(bases, list) else [bases]:
        if not isinstance(base, str):
            expected = "the name of a config file, relative to this one, or a list of such names"
            raise ConfigFault(BASE, base, expected, source)
        file = path.parent / base
        if file.resolve() in (link.resolve() for link in path_chain):
            circle = " -> ".join(map(str, (*path_chain, file)))
            raise ConfigFault(BASE, base, f"no file can be its own base: {circle}", source)
        if next(numbers) > MAX_BASES:
            problem = f"more than {MAX_BASES} bases, which are read one by one"
            raise ConfigFault(BASE, base, problem, source)
        try:
            base_values = strict_json.read(file)
        except ConfigFault as fault:
            raise ConfigFault(BASE, base, str(fault.of(str(file))), source) from None
        if not isinstance(base_values, dict):
            raise ConfigFault(BASE, base, "a file with an object", source)
        base_files = _with_bases(file, base_values, path_chain, numbers)
        files = {name: files[name] for name in files if name not in base_files} | base_files
    return files


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

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Parse the argument `KEY=VALUE` of an option -o, see `of`.

        Raises:
            UserError: if the text has no `=`.
        """
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"-o {text!r} is not KEY=VALUE, like {EXAMPLE}")
        return cls.of("-o", key, value)

    @classmethod
    def of(cls, option: str, key: str, text: str) -> "Override":
        """Return the override with a value as typed, which is JSON, or else a string.

        Raises:
            ConfigFault: if the text is JSON that is not accepted, such as NaN.
        """
        try:
            return cls(option, key, strict_json.loads(text))
        except strict_json.NotJSON:
            return cls(option, key, text)
        except ConfigFault as fault:
            raise ConfigFault(key, text, fault.expected) from None

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
