"""The benchmarks run, at tiny sizes, and say what they are asked for."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.sampling import MEASURES as LINES
from benchmarks.speed import LENGTHS, Data, rows_of
from benchmarks.training import MEASURES
from tests.benchmarks.scripts import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("script", ["training", "sampling"])
def test_a_benchmark_writes_its_rows(tmp_path, script):
    file = tmp_path / "rows.json"
    tiny = ["--hidden", "8", "--scale", "0.03", "--rounds", "1", "--threads", "1", "--lines", "40"]
    command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *tiny]
    command += ["--paths", "float32-plain", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())
    expected = {"training": MEASURES, "sampling": LINES}[script]
    assert [one["measure"] for one in rows] == list(expected)
    for one in rows:
        assert one["path"] == "float32-plain" and one["measure"] in done.stdout
        assert one["ours"] > 0.0 and one["reference"] > 0.0


def test_the_embedded_lines_have_the_lengths_of_iam_ondb():
    data = Data.load(None, 200, 1.0)
    lengths = np.array([len(ink) for ink in data.inks])
    # The mean of 200 draws with a standard deviation of 200: beyond 5 of its own, once in 10^6.
    assert abs(lengths.mean() - 628) < 75
    assert lengths.min() >= LENGTHS[0] and lengths.max() <= LENGTHS[-1]
    assert 22 < sum(map(len, data.texts)) / len(data.texts) < 45


def test_a_row_holds_medians_and_the_spread_of_ratios():
    answers = {"p": [10.0, 30.0, 20.0], "reference": [5.0, 6.0, 4.0]}
    (found,) = rows_of("m", "u", answers)
    assert (found.ours, found.reference, found.ratio) == (20.0, 5.0, 4.0)
    assert found.spread == (2.0, 5.0)
