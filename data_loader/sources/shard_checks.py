"""Checks prepared samples: they may be damaged, or written by somebody else."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from data_loader.sources.fetching import COLUMNS, INDEX, SHARD
from utils.checks import DataError
from utils.files import read_bytes, user_cache, write_text

EXAMINED = "examined"
"""Folder in the user's cache that records which copies of prepared folders were examined."""
MAX_VALUES = 5_000_000
"""Limit on the values of a JSON file (assumed: a shard has ten, a fault three)."""
_POINTS = {"offset": ("i2", "f4"), "end": ("b1",), "missing": ("u1",)}
_SAMPLES = {"stop": ("i8",), "strings": ("i8",), "whole": ("b1",), "moments": ("f8",)}


def read_json(path: Path) -> Any:
    """Return the values of a JSON file; raise an OSError or a ValueError if there are none."""
    return json_values(read_bytes(path))


def json_values(content: bytes) -> Any:
    """Return the values of a JSON text; raise a ValueError if there are none, or too many."""
    if content.count(b",") > MAX_VALUES:  # each value but the first follows a comma
        raise ValueError(f"more than {MAX_VALUES:,} values")
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def check_index(index: Any) -> None:
    """Raise a ValueError, KeyError or TypeError if an index is not as `preparing` writes it."""
    shards = index["shards"]
    check_records(shards)
    _check(len({shard["name"] for shard in shards}) == len(shards))
    _check(all(0 < len(fault) <= 3 and _are(str, fault) for fault in index["faults"]))
    _check(_are(str | None, index["licences"]) and isinstance(index["notes"], list))
    _check(_are(int, index["files"].values()) and isinstance(index["digest"], str))
    _check(isinstance(index["quantisation_step"], float | int | None))


def check_records(shards: Iterable[Mapping[str, Any]]) -> None:
    """Raise an error as `check_index` does if a record of a shard is not sound."""
    for shard in shards:
        _check(SHARD.fullmatch(shard["name"]) and isinstance(shard["digest"], str))
        counts = shard["samples"], shard["points"], *shard["files"].values()
        _check(_are(int, counts) and min(counts) > 0 and {*shard["files"]} == {*COLUMNS})
        _check(isinstance(shard["on_grid"], bool))
        _check(all(_are(int, shape) for shape in shard["extras"].values()))


def check_columns(points: np.ndarray, strings: np.ndarray, samples: np.ndarray) -> None:
    """Raise an error as `check_index` does if the columns of a shard do not fit each other."""
    _check(points.ndim == strings.ndim == samples.ndim == 1 and strings.dtype.str[1:] == "u1")
    for dtype, kinds in ((points.dtype, _POINTS), (samples.dtype, _SAMPLES)):
        _check(all(dtype[name].base.str[1:] in kind for name, kind in kinds.items()))
    _check_ends(samples["stop"], len(points))
    _check_ends(samples["strings"].ravel(), len(strings))


def _check_ends(ends: np.ndarray, size: int) -> None:
    """Raise a ValueError unless consecutive parts end within an array of some size, at its end."""
    _check(len(ends) and ends[0] >= 0 and ends[-1] == size and (np.diff(ends) >= 0).all())


def check_order(order: np.ndarray, lengths: np.ndarray, count: int) -> None:
    """Raise a ValueError unless an order has places below a count, and each place a length."""
    _check(order.ndim == lengths.ndim == 1 and order.dtype.kind == lengths.dtype.kind == "i")
    _check(len(lengths) == count and (not count or lengths.min() > 0))
    _check(not len(order) or 0 <= order.min() <= order.max() < count)


def _check(is_sound: object) -> None:
    if not is_sound:
        raise ValueError


def _are(kind: Any, values: Iterable[Any]) -> bool:
    return all(isinstance(value, kind) and not isinstance(value, bool) for value in values)


def is_examined(folder: Path, index: Mapping[str, Any]) -> bool:
    """Return whether this copy of a prepared folder was noted by `note_examined`."""
    with suppress(OSError):
        return read_bytes(_note_of(folder)) == _state(folder, index).encode()
    return False


def note_examined(folder: Path, index: Mapping[str, Any]) -> None:
    """Note, where that is possible, that the digests of a prepared folder's shards are right."""
    with suppress(OSError, DataError):
        _note_of(folder).parent.mkdir(parents=True, exist_ok=True)
        write_text(_note_of(folder), _state(folder, index))


def _note_of(folder: Path) -> Path:
    return user_cache() / EXAMINED / hashlib.sha256(bytes(folder.resolve())).hexdigest()[:32]


def _state(folder: Path, index: Mapping[str, Any]) -> str:
    """Return a digest of the index, and of the files of shards, that another copy has not."""
    digest = hashlib.sha256(read_bytes(folder / INDEX))
    for shard in index["shards"]:
        for name in COLUMNS:
            state = (folder / shard["name"] / name).stat()
            digest.update(f"{state.st_ino} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
