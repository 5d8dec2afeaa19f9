"""The table of metrics is always whole, and forgets what is taken back."""

import csv
import math

import pytest

from logger.metrics_csv import MetricsTable


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_rows_read_back_exactly(tmp_path):
    path = tmp_path / "metrics.csv"
    table = MetricsTable(path, 0)
    value = 1 / 3 + 1e-12
    table.append({"epoch": 1, "log_loss": value, "note": "a, b"})
    table.append({"epoch": 2, "log_loss": math.nan, "note": None})
    first, second = read(path)
    assert float(first["log_loss"]) == value and first["note"] == "a, b"
    assert second["log_loss"] == "nan" and second["note"] == ""


def test_it_continues_and_takes_back(tmp_path):
    path = tmp_path / "metrics.csv"
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
def test_a_table_that_is_none_is_kept_aside(tmp_path, caplog, data, cause):
    path = tmp_path / "metrics.csv"
    path.write_bytes(data)
    MetricsTable(path, 3).append({"epoch": 4, "x": 1.0})
    assert read(path) == [{"epoch": "4", "x": "1.0"}]
    aside = tmp_path / "metrics.csv.unreadable-1"
    assert aside.read_bytes() == data
    (message,) = caplog.messages
    assert str(path) in message and cause in message and str(aside) in message
    assert len(message) < 500
