"""Files of configs: one may name others, its bases, and hold only what differs from these."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

from utils import strict_json
from utils.checks import ConfigFault
from utils.override import children
from utils.strict_json import Json

BASE = "base"
"""The key of a file's base, or of its bases, which are relative to the file."""


def read(path: Path, chain: tuple[Path, ...] = ()) -> dict[Path, Json]:
    """Return what stands in a config's file and in its bases, the file's own values first.

    Of several bases a later one goes before an earlier one, and what several have in common after
    all of these.

    Args:
        path: the file.
        chain: the files that lead to it, each by its base.

    Raises:
        ConfigFault: if one of them cannot be read, or is its own base.
    """
    files, source = {path: strict_json.read(path)}, str(path)
    bases = children(files[path]).get(BASE, [])
    for base in reversed(bases) if isinstance(bases, list) else [bases]:
        if not isinstance(base, str):
            expected = "the name of a config file, relative to this one, or a list of such names"
            raise ConfigFault(BASE, base, expected, source)
        file, before = path.parent / base, (*chain, path)
        if file.resolve() in (one.resolve() for one in before):
            circle = " -> ".join(map(str, (*before, file)))
            raise ConfigFault(BASE, base, f"no file can be its own base: {circle}", source)
        try:
            found = read(file, before)
        except ConfigFault as fault:
            if fault.source:
                raise
            raise ConfigFault(BASE, base, str(fault.of(str(file))), source) from None
        if not isinstance(found[file], dict):
            raise ConfigFault(BASE, base, "a file with an object", source)
        files = {name: one for name, one in files.items() if name not in found} | found
    children(files[path]).pop(BASE, None)
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
