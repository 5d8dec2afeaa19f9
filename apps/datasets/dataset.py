"""The dataset of the lines that `legible.py` writes."""

from dataclasses import dataclass
from pathlib import Path

from data_loader.sources.source import DividedDataset
from utils.checks import DataError


@dataclass(kw_only=True, eq=False)
class LegibleDataset(DividedDataset):
    """Legible lines that a network wrote, with the hands on which it was conditioned.

    Args:
        root: the folder that `apps/datasets/legible.py` wrote.
    """

    title = "Legible lines"
    unit = "lines"

    root: str

    def find(self) -> list[Path]:
        raise DataError(f"{self._path} has no lines: apps/datasets/legible.py writes a folder")
