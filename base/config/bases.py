"""Files of configs: a file may name other files, its bases, and then holds only the differences."""

from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import count
from pathlib import Path

from utils import strict_json
from utils.checks import ABSENT, ConfigFault
from utils.strict_json import Json, children

BASE = "base"
"""The key of a file's base or list of bases, which are paths relative to the file."""


MAX_FILES = 50
"""Maximum number of times that the files of a config are read (assumed); each base may name two
others, so that their number doubles with each level."""


def read(path: Path) -> dict[Path, Json]:
    """Return the values in a config's file and in its bases, by file, highest priority first.

    A file overrides its bases, and a later base an earlier one. A base that several files share is
    overridden by all of them.

    Args:
        path: the file.

    Raises:
        ConfigFault: if a file cannot be read, or is its own base, or bases name too many bases.
    """
    return _read(path, (), count(1))


def _read(path: Path, chain: tuple[Path, ...], numbers: Iterator[int]) -> dict[Path, Json]:
    """Return the values of `path`, to which the files of `chain` lead, and of its bases.

    Each file that is read takes a number from `numbers`.
    """
    if next(numbers) > MAX_FILES:
        raise ConfigFault(BASE, ABSENT, f"more than {MAX_FILES} bases, which are read one by one")
    files, source = {path: strict_json.read(path)}, str(path)
    bases = children(files[path]).get(BASE, [])
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
    children(files[path]).pop(BASE, None)
    return files


def merged(files: Mapping[Path, Json]) -> Json:
    """Return the values of a config, merged from the files that `read` returned.

    Objects are merged key by key, unless their `type` keys differ; any other value replaces that of
    the base.
    """
    return reduce(_merge, reversed(files.values()))


def _merge(base: Json, values: Json) -> Json:
    are_objects = isinstance(base, dict) and isinstance(values, dict)
    if not are_objects or values.get("type", base.get("type")) != base.get("type"):
        return values
    return base | {name: _merge(base.get(name), value) for name, value in values.items()}


def with_network(config: Json, arch: Json) -> Json:
    """Return a config with `arch` as its network, unless the config names a type of network.

    Arguments of the network in the config override those in `arch`.

    Raises:
        ConfigFault: if neither the config nor `arch` names a type.
    """
    block = children(config).get("arch", ABSENT)
    if block is not None and not (isinstance(block, dict) and "type" not in block):
        return config
    if arch is None:
        expected = "a type; or -r CHECKPOINT, whose network is then trained, such as -r writer"
        raise ConfigFault("arch", block, expected)
    return config | {"arch": _merge(children(arch), {"args": {}} | (block or {}))}
