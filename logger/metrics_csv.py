"""A table of metrics, a row an epoch, for comparing runs without TensorBoard."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from utils.files import write_text


class MetricsTable:
    """`metrics.csv`: one row for each epoch, its first column `epoch`.

    The file is written anew and moved into its place for every row, so that it is always whole.
    Numbers are written such that they read back exactly.

    Args:
        path: the file; rows that it has already are kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with open(path, encoding="utf-8", newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if (row["epoch"] or "").isdigit()]

    def append(self, row: Mapping[str, float | int | str | None]) -> None:
        """Add the row of an epoch; it may have other columns than the rows before."""
        self.rows.append({name: _text(value) for name, value in row.items()})
        self._write()

    def take_back(self, epoch: int) -> None:
        """Remove the rows of epochs after `epoch`."""
        kept = [row for row in self.rows if int(row["epoch"]) <= epoch]
        if len(kept) < len(self.rows):
            self.rows = kept
            self._write()

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        buffer = io.StringIO(newline="")
        table = csv.DictWriter(buffer, columns or ["epoch"], restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        write_text(self.path, buffer.getvalue())


def _text(value: float | int | str | None) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
