"""A table of metrics with a row for each epoch, for use without TensorBoard."""

import csv
import io
import logging
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from utils.files import errors_name, open_file, set_aside, write_text

log = logging.getLogger(__name__)

Value = float | int | str | None
VALID = "valid_"
"""The beginning of the names of a validation's values."""


class MetricsTable:
    """`metrics.csv`: a row for each epoch; the first column is `epoch`.

    The file is replaced atomically for every row, so that it is always complete. Numbers are
    written without loss of precision.

    Args:
        path: the file; an existing file that is not a table of metrics is renamed.
        epoch: the last epoch to keep; rows of later epochs are dropped.
    """

    def __init__(self, path: Path, epoch: int) -> None:
        self.path = path
        self.rows: list[Mapping[str, Value]] = []
        if path.exists():
            try:
                with errors_name(path):
                    self.rows += [row for row in read_rows(path) if int(row["epoch"]) <= epoch]
            except (csv.Error, ValueError) as error:
                log.warning("%s: %s; renamed to %s", path, error, set_aside(path))

    def append(self, row: Mapping[str, Value]) -> None:
        """Add the row of an epoch; a row may have other columns than earlier rows."""
        self.rows.append(row)
        columns = list(dict.fromkeys(chain.from_iterable(self.rows)))  # each once, in order
        buffer = io.StringIO(newline="")
        table = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        write_text(self.path, buffer.getvalue())


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of metrics.

    Raises:
        csv.Error, ValueError: if the file is not a table of metrics; the message says why.
    """
    with open_file(path) as binary, io.TextIOWrapper(binary, "utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if "epoch" not in (reader.fieldnames or []):
            raise ValueError("not a table of metrics: its first line has no column epoch")
        rows = [row for row in reader if (row["epoch"] or "").isdecimal()]
    # `DictReader` keeps values without a column under None; `int` refuses thousands of digits.
    if any(None in row or int(row["epoch"]) < 0 for row in rows):
        raise ValueError("a line has more values than columns")
    return rows
