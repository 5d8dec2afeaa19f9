"""The benchmark of speed runs, at a tiny size, and says what it is asked for."""

import numpy as np
import pytest

from benchmarks.speed import QUANTILES, TRAINING, WRITING, Data, row
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


def test_the_embedded_lines_have_the_lengths_of_iam_ondb():
    data = Data.make(200, 1.0)
    lengths = np.array([len(ink) for ink in data.inks])
    # The mean of 200 draws with a standard deviation of 200: beyond 5 of its own, once in 10^6.
    assert abs(lengths.mean() - 628) < 75
    assert lengths.min() >= QUANTILES[0] and lengths.max() <= QUANTILES[-1]
    assert 22 < sum(map(len, data.texts)) / len(data.texts) < 45


def test_a_row_holds_medians_and_the_spread_of_ratios():
    shown = row("m", "p", [10.0, 30.0, 20.0], [5.0, 6.0, 4.0])
    assert shown.split()[2:5] == ["20,", "reference", "5"]
    assert shown.endswith("ratio 4.00 (2.00 to 5.00)")
