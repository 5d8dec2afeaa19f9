"""Writes a shard: a folder of columns, which `shards` reads."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from base.data.extras import stacked
from base.data.samples import Column
from data_loader.sources.fetching import digest_of
from data_loader.sources.shards import EXTRA, STRINGS
from ink.normalisation import moments_of
from ink.sample import Sample


def write_shard(folder: Path, name: str, samples: list[Sample]) -> dict[str, Any]:
    """Write a shard, and return its entry in the record of the block."""
    columns, temporary = _columns(samples), folder / f".{name}-{os.getpid()}"
    temporary.mkdir()
    for column, values in columns.items():
        Column.write(temporary / f"{column}.npy", values)
    files = {file.name: file.stat().st_size for file in sorted(temporary.iterdir())}
    digest = digest_of(temporary)
    shutil.rmtree(folder / name, ignore_errors=True)
    temporary.rename(folder / name)
    offsets, dtype = columns["points"]["offset"], columns["samples"].dtype
    extras = {name.removeprefix(EXTRA): dtype[name].shape for name in dtype.names if EXTRA in name}
    counts = {"samples": len(samples), "points": len(offsets), "extras": extras}
    is_on_grid = bool((offsets == np.rint(offsets)).all())
    return {"name": name, "files": files, "digest": digest, "on_grid": is_on_grid, **counts}


def _columns(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the columns of a shard, each of one dimension: points, strings, and samples. The row
    of a sample has the ends of its points and of each of its `STRINGS`.

    Offsets are int16 if that loses nothing.
    """
    offsets = np.concatenate([sample.ink[:, :2] for sample in samples])
    fits_int16 = (np.abs(offsets) < 2**15).all() and (offsets == np.rint(offsets)).all()
    # The name of a file may have bytes that are not valid text: they are escaped.
    strings = [
        getattr(sample, key).encode(errors="backslashreplace")
        for sample in samples
        for key in STRINGS
    ]
    of_points = {
        "offset": offsets.astype("<i2" if fits_int16 else "<f4"),
        "end": np.concatenate([sample.ink[:, 2] > 0 for sample in samples]),
        "missing": np.concatenate([sample.missing_counts for sample in samples]).astype("u1"),
    }
    of_samples = {
        "stop": np.cumsum([len(sample.ink) for sample in samples], dtype="<i8"),
        "strings": np.cumsum([*map(len, strings)], dtype="<i8").reshape(-1, len(STRINGS)),
        "whole": np.array([sample.ends for sample in samples]),
        "moments": np.array([moments_of(sample.ink) for sample in samples], "<f8"),
        **{f"{EXTRA}{name}": values for name, values in stacked(samples).items()},
    }
    return {
        "points": _side_by_side(of_points),
        "strings": np.frombuffer(b"".join(strings), "u1"),
        "samples": _side_by_side(of_samples),
    }


def _side_by_side(fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return arrays `(rows, ...)` as the fields of one array `(rows,)`."""
    dtype = [(name, values.dtype, values.shape[1:]) for name, values in fields.items()]
    rows = np.empty(len(next(iter(fields.values()))), dtype)
    for name, values in fields.items():
        rows[name] = values
    return rows
