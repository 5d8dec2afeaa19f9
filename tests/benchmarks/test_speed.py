"""The benchmark of speed runs, at a tiny size, and says what it is asked for."""

import pytest

from benchmarks.speed import TRAINING, WRITING, row
from tests.benchmarks.scripts import run

pytestmark = pytest.mark.slow


def test_each_measure_has_a_row(capsys):
    tiny = ["--hidden", 8, "--scale", 0.03, "--rounds", 1, "--lines", 40]
    run("speed", *tiny, "--paths", "float32-plain")
    _, *rows = map(str.split, capsys.readouterr().out.splitlines())
    assert [cells[0] for cells in rows] == [*TRAINING, *WRITING]
    for _, path, ours, _, reference, *_ in rows:
        assert path == "float32-plain"
        assert min(float(cell.strip(",").replace(",", "")) for cell in (ours, reference)) > 0


def test_a_row_holds_medians_and_the_spread_of_ratios():
    shown = row("m", "p", [10.0, 30.0, 20.0], [5.0, 6.0, 4.0])
    assert shown.split()[2:5] == ["20,", "reference", "5"]
    assert shown.endswith("ratio 4.00 (2.00 to 5.00)")
