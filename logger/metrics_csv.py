"""A table of metrics, one row per epoch, for comparing runs without TensorBoard."""

import csv
import io
import logging
from collections.abc import Mapping
from pathlib import Path

from utils.files import errors_name, set_aside, write_text

log = logging.getLogger(__name__)

Value = float | int | str | None


class MetricsTable:
    """`metrics.csv`: one row for each epoch, its first column `epoch`.

    The file is replaced atomically for every row, so that it is always complete. Numbers are
    written so that they read back exactly.

    Args:
        path: the file. A file that is no table of epochs is renamed.
        epoch: the last epoch whose row is kept.
    """

    def __init__(self, path: Path, epoch: int) -> None:
        self.path = path
        self.rows: list[Mapping[str, Value]] = []
        if path.exists():
            try:
                with errors_name(path):
                    self.rows += [row for row in read_rows(path) if int(row["epoch"]) <= epoch]
            except (csv.Error, ValueError) as error:
                log.warning("%s: %s; kept as %s", path, error, set_aside(path))

    def append(self, row: Mapping[str, Value]) -> None:
        """Add the row of an epoch; its columns may differ from those of earlier rows."""
        self.rows.append(row)
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        buffer = io.StringIO(newline="")
        table = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        write_text(self.path, buffer.getvalue())


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of epochs.

    Raises:
        csv.Error, ValueError: if the file is no table of epochs, saying why.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if "epoch" not in (reader.fieldnames or []):
            raise ValueError("not a table of metrics: its first line has no column epoch")
        rows = [row for row in reader if (row["epoch"] or "").isdecimal()]
    if any(None in row or int(row["epoch"]) < 0 for row in rows):
        raise ValueError("a line has more values than columns")
    return rows
