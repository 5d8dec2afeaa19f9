"""A table of metrics, one row per epoch, for comparing runs without TensorBoard."""

import csv
import io
import logging
from collections.abc import Mapping
from pathlib import Path

from utils.files import errors_name, set_aside, write_text

log = logging.getLogger(__name__)


class MetricsTable:
    """`metrics.csv`: one row for each epoch, its first column `epoch`.

    The file is replaced atomically for every row, so that it is always complete. Numbers are
    written so that they read back exactly.

    Args:
        path: the file; existing rows are kept. A file that is not such a table is renamed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.exists():
            try:
                with errors_name(path):
                    self.rows = _read(path)
            except (csv.Error, ValueError) as error:
                log.warning("%s: %s; kept as %s", path, error, set_aside(path))

    def append(self, row: Mapping[str, float | int | str | None]) -> None:
        """Add the row of an epoch; its columns may differ from those of earlier rows."""
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


def _read(path: Path) -> list[dict[str, str]]:
    """Return the rows of epochs.

    Raises:
        csv.Error, ValueError: if it is not a table of epochs, saying why.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if "epoch" not in (reader.fieldnames or []):
            raise ValueError("not a table of metrics: its first line has no column epoch")
        rows = [row for row in reader if (row["epoch"] or "").isdecimal()]
    if any(None in row or int(row["epoch"]) < 0 for row in rows):
        raise ValueError("a line has more values than columns")
    return rows


def _text(value: float | int | str | None) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
