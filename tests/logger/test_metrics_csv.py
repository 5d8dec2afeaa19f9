"""The table of metrics is always whole, and drops epochs after the checkpoint of a resumed run."""

import csv
import math

import pytest

from logger.metrics_csv import MetricsTable


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.csv"


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_values_are_read_back_exactly(path):
    table, value = MetricsTable(path, 0), 1 / 3 + 1e-12
    table.append({"epoch": 1, "log_loss": value, "note": "a, b"})
    table.append({"epoch": 2, "log_loss": math.nan, "note": None})
    assert read(path) == [
        {"epoch": "1", "log_loss": repr(value), "note": "a, b"},
        {"epoch": "2", "log_loss": "nan", "note": ""},
    ]


def test_rows_after_the_resumed_epoch_are_dropped_and_new_columns_added(path):
    for epoch in (1, 2, 3):
        MetricsTable(path, epoch).append({"epoch": epoch, "x": float(epoch)})
    assert len(read(path)) == 3
    MetricsTable(path, 1).append({"epoch": 2, "x": 9.0, "new": 5})
    assert read(path) == [
        {"epoch": "1", "x": "1.0", "new": ""},
        {"epoch": "2", "x": "9.0", "new": "5"},
    ]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"step,x\n1,2\n", "its first line has no column epoch"),
        (b"epoch,x\n1,\xff\xfe\x00\n", "can't decode byte 0xff"),
        (b"epoch,x\n1,2,3\n", "a line has more values than columns"),
    ],
)
def test_a_file_that_holds_no_table_is_kept_under_another_name(path, caplog, data, cause):
    path.write_bytes(data)
    MetricsTable(path, 3).append({"epoch": 4, "x": 1.0})
    aside, (message,) = path.with_name("metrics.csv.unreadable-1"), caplog.messages
    assert read(path) == [{"epoch": "4", "x": "1.0"}] and aside.read_bytes() == data
    assert f"{path}: " in message and cause in message and str(aside) in message
