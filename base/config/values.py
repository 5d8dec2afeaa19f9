"""The values of a config: those in its files, and those of the command line, which replace them.

A file may name other files, its bases, and then holds only the differences.
"""

from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import count
from pathlib import Path
from typing import NamedTuple

from utils import strict_json
from utils.checks import ABSENT, ConfigError, ConfigFault, UserError, hint
from utils.strict_json import Json, children

BASE = "base"
"""The key of a file's base or list of bases, which are paths relative to the file."""
MAX_FILES = 50
"""Maximum number of times that the files of a config are read (assumed); each base may name two
others, so that their number doubles with each level."""
EXAMPLE = "arch.args.hidden_size=64"


def read_files(path: Path) -> dict[Path, Json]:
    """Return the values in a config's file and in its bases, by file, highest priority first.

    A file overrides its bases, and a later base an earlier one. A base that several files share is
    overridden by all of them.

    Args:
        path: the file.

    Raises:
        ConfigError: if a file cannot be read, or is its own base, or bases name too many bases.
    """
    try:
        return _read(path, (), count(1))
    except ConfigFault as fault:
        raise ConfigError(str(path), [fault]) from fault


def _read(path: Path, chain: tuple[Path, ...], numbers: Iterator[int]) -> dict[Path, Json]:
    """Return the values of `path`, to which the files of `chain` lead, and of its bases.

    Each file that is read takes a number from `numbers`.
    """
    if next(numbers) > MAX_FILES:
        raise ConfigFault(BASE, ABSENT, f"more than {MAX_FILES} bases, which are read one by one")
    files, source = {path: strict_json.read(path)}, str(path)
    bases = children(files[path]).pop(BASE, [])
    for base in reversed(bases) if isinstance(bases, list) else [bases]:
        if not isinstance(base, str):
            expected = "the name of a config file, relative to this one, or a list of such names"
            raise ConfigFault(BASE, base, expected, source)
        file, path_chain = path.parent / base, (*chain, path)
        if file.resolve() in (link.resolve() for link in path_chain):
            circle = " -> ".join(map(str, (*path_chain, file)))
            raise ConfigFault(BASE, base, f"no file can be its own base: {circle}", source)
        try:
            base_files = _read(file, path_chain, numbers)
        except ConfigFault as fault:
            if fault.source:
                raise
            raise ConfigFault(BASE, base, str(fault.of(str(file))), source) from None
        if not isinstance(base_files[file], dict):
            raise ConfigFault(BASE, base, "a file with an object", source)
        files = {name: files[name] for name in files if name not in base_files} | base_files
    return files


def merged(files: Mapping[Path, Json]) -> Json:
    """Return the values of a config, merged from the files that `read_files` returned."""
    return reduce(merge, reversed(files.values()))


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
