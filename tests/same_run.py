"""Whether two runs are one and the same, but for the clock."""

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
        return [
            place
            for name in first.keys() - TIMES
            for place in differences(first[name], second[name], f"{where}.{name}")
        ]
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return [f"{where}: lengths"]
        return [
            place
            for number, pair in enumerate(zip(first, second, strict=True))
            for place in differences(*pair, f"{where}.{number}")
        ]
    if isinstance(first, torch.Tensor):
        return [] if torch.equal(first, second) else [where]
    return [] if first == second or (first != first and second != second) else [where]


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a `metrics.csv` without what depends on the clock."""
    return [
        {name: value for name, value in row.items() if name not in TIMES} for row in read_rows(path)
    ]
