"""The benchmark of speed runs, at a tiny size, and says what it is asked for."""

import pytest
import torch
from torch import nn

from benchmarks.speed import operations_of, row
from tests.benchmarks.scripts import run

pytestmark = pytest.mark.slow


def test_each_kind_of_measure_has_a_row(capsys):
    tiny = ["--scale", 0.03, "--rounds", 1, "--lines", 70]
    only = ["unconditional", "recognition", "writing_1", "reading_1"]
    run("speed", *tiny, "--paths", "float32-uncompiled", "--only", *only)
    *_, first, second, third, fourth = capsys.readouterr().out.splitlines()
    rows = [line.strip("| ").split(" | ") for line in (first, second, third, fourth)]
    assert [cells[0] for cells in rows] == [f"`{name}`" for name in only]
    for _, path, *speeds, ratio, share in rows:
        assert path == "float32-uncompiled"
        ours, *theirs = (float(speed.replace(",", "")) for speed in speeds)
        assert min(ours, *theirs) > 0 and share.endswith("%")
        assert float(ratio.split()[0]) == pytest.approx(ours / max(theirs), rel=0.05, abs=0.02)


def test_a_row_holds_medians_the_spread_of_ratios_to_the_faster_and_the_share():
    shown = row("m", "p", [10.0, 30.0, 20.0], [[1.0, 1.0, 1.0], [5.0, 6.0, 4.0]], 0.02)
    assert shown == "| `m` | p | 20 | 1 | 5 | 4.00 (2.00 to 5.00) | 40% |"


def test_the_products_of_an_lstm_are_counted():
    rnn, steps, batch = nn.LSTM(3, 5), 7, 2
    expected = 2 * steps * batch * (3 + 5) * 4 * 5
    assert operations_of(lambda: rnn(torch.zeros(steps, batch, 3))) == expected
