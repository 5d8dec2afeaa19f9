"""Files of configs: a file may name others, its bases, and hold only what differs from these."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

from utils import strict_json
from utils.checks import ABSENT, ConfigFault
from utils.strict_json import Json, children

BASE = "base"
"""The key of a file's base, or of its bases; their names are relative to the file."""


def read(path: Path, chain: tuple[Path, ...] = ()) -> dict[Path, Json]:
    """Return what stands in a config's file and in its bases, the file's own values first.

    Of several bases, a later one goes before an earlier one, and what several have in common comes
    after all of these.

    Args:
        path: the file.
        chain: the files that lead to it, each by its base.

    Raises:
        ConfigFault: if a file cannot be read, or is its own base.
    """
    files, source = {path: strict_json.read(path)}, str(path)
    bases = children(files[path]).get(BASE, [])
    for base in reversed(bases) if isinstance(bases, list) else [bases]:
        if not isinstance(base, str):
            expected = "the name of a config file, relative to this one, or a list of such names"
            raise ConfigFault(BASE, base, expected, source)
        file, before = path.parent / base, (*chain, path)
        if file.resolve() in (former.resolve() for former in before):
            circle = " -> ".join(map(str, (*before, file)))
            raise ConfigFault(BASE, base, f"no file can be its own base: {circle}", source)
        try:
            further = read(file, before)
        except ConfigFault as fault:
            if fault.source:
                raise
            raise ConfigFault(BASE, base, str(fault.of(str(file))), source) from None
        if not isinstance(further[file], dict):
            raise ConfigFault(BASE, base, "a file with an object", source)
        files = {name: values for name, values in files.items() if name not in further} | further
    children(files[path]).pop(BASE, None)
    return files


def merged(files: Mapping[Path, Json]) -> Json:
    """Return the values of a config from those of its files, as `read` returns them.

    What a file says goes before what its base says: objects are merged key by key, unless their
    types differ; all else is replaced.
    """
    return reduce(_merge, reversed(files.values()))


def _merge(base: Json, values: Json) -> Json:
    both = isinstance(base, dict) and isinstance(values, dict)
    if not both or values.get("type", base.get("type")) != base.get("type"):
        return values
    return base | {name: _merge(base.get(name), value) for name, value in values.items()}


def with_network(config: Json, arch: Json) -> Json:
    """Return a config with the network that `arch` describes, with arguments that the config has,
    if the config names no type of network; raise a ConfigFault if `arch` is None then."""
    block = children(config).get("arch", ABSENT)
    if block is not None and not (isinstance(block, dict) and "type" not in block):
        return config
    if arch is None:
        expected = "a type; or -r CHECKPOINT, whose network it is, such as -r writer"
        raise ConfigFault("arch", block, expected)
    return config | {"arch": _merge(children(arch), {"args": {}} | (block or {}))}
