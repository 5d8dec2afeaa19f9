"""The table of metrics is always whole, and forgets what is taken back."""

import csv
import math

import pytest

from logger.metrics_csv import MetricsTable
from utils import files


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_rows_read_back_exactly(tmp_path):
    path = tmp_path / "metrics.csv"
    table = MetricsTable(path)
    value = 1 / 3 + 1e-12
    table.append({"epoch": 1, "log_loss": value, "note": "a, b"})
    table.append({"epoch": 2, "log_loss": math.nan, "note": None})
    first, second = read(path)
    assert float(first["log_loss"]) == value and first["note"] == "a, b"
    assert second["log_loss"] == "nan" and second["note"] == ""


def test_it_goes_on_and_takes_back(tmp_path):
    path = tmp_path / "metrics.csv"
    for epoch in (1, 2, 3):
        MetricsTable(path).append({"epoch": epoch, "x": float(epoch)})
    assert len(read(path)) == 3
    table = MetricsTable(path)
    table.take_back(1)
    assert [row["epoch"] for row in read(path)] == ["1"]
    table.append({"epoch": 2, "x": 9.0, "new": 5})
    assert read(path) == [
        {"epoch": "1", "x": "1.0", "new": ""},
        {"epoch": "2", "x": "9.0", "new": "5"},
    ]
    table.take_back(0)
    assert read(path) == []


def test_taking_back_nothing_writes_nothing(tmp_path):
    MetricsTable(tmp_path / "metrics.csv").take_back(0)
    assert not list(tmp_path.iterdir())


def test_a_failing_write_leaves_the_old_table(tmp_path, monkeypatch):
    path = tmp_path / "metrics.csv"
    table = MetricsTable(path)
    table.append({"epoch": 1, "x": 1.0})

    def fail(*_):
        raise OSError("full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        table.append({"epoch": 2, "x": 2.0})
    assert [row["epoch"] for row in read(path)] == ["1"]
