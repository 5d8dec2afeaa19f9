"""Whether two runs are one and the same, but for the clock."""

import itertools
from pathlib import Path
from typing import Any

import torch

from logger.metrics_csv import read_rows

TIMES = {"points_per_second", "seconds"}


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Return the places where two checkpoints differ in anything but the clock."""
    if isinstance(first, dict) and isinstance(second, dict):
        if first.keys() != second.keys():
            return [f"{where}: {first.keys() ^ second.keys()}"]
        pairs = {name: (first[name], second[name]) for name in first.keys() - TIMES}
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return [f"{where}: lengths"]
        pairs = dict(enumerate(zip(first, second, strict=True)))
    elif isinstance(first, torch.Tensor):
        if first.is_complex():  # torch compares none of 32 bits.
            first, second = torch.view_as_real(first), torch.view_as_real(second)
        return [] if torch.equal(first, second) else [where]
    else:
        return [] if first == second or (first != first and second != second) else [where]
    places = (differences(*pair, f"{where}.{name}") for name, pair in pairs.items())
    return [*itertools.chain.from_iterable(places)]


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a `metrics.csv` without what depends on the clock."""
    return [
        {name: value for name, value in row.items() if name not in TIMES} for row in read_rows(path)
    ]
