"""Files of configs: one may name another, its base, and hold only what differs from that."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

from utils import strict_json
from utils.checks import ConfigFault
from utils.override import children
from utils.strict_json import Json

BASE = "base"
"""The key of a file's base, which is relative to the file."""


def read(path: Path) -> dict[Path, Json]:
    """Return what stands in a config's file and in its bases, the file's own values first.

    Raises:
        ConfigFault: if one of them cannot be read, or is its own base.
    """
    files = {path: strict_json.read(path)}
    while BASE in children(files[path]):
        base, source = files[path].pop(BASE), str(path)
        if not isinstance(base, str):
            raise ConfigFault(BASE, base, "the name of a config file, relative to this one", source)
        path = path.parent / base
        if path.resolve() in (file.resolve() for file in files):
            chain = " -> ".join(map(str, (*files, path)))
            raise ConfigFault(BASE, base, f"no file can be its own base: {chain}", source)
        try:
            files[path] = strict_json.read(path)
        except ConfigFault as fault:
            fault.source = str(path)
            raise ConfigFault(BASE, base, str(fault), source) from None
        if not isinstance(files[path], dict):
            raise ConfigFault(BASE, base, "a file with an object", source)
    return files


def written_out(files: Mapping[Path, Json]) -> Json:
    """Return the values of a config from those of its files, as `read` returns them.

    What a file says goes before what its base says: objects are merged key by key, unless their
    types differ; all else is replaced.
    """
    return reduce(_merged, reversed(files.values()))


def _merged(base: Json, own: Json) -> Json:
    both = isinstance(base, dict) and isinstance(own, dict)
    if not both or own.get("type", base.get("type")) != base.get("type"):
        return own
    return base | {name: _merged(base.get(name), value) for name, value in own.items()}
