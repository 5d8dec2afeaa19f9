"""The benchmarks run, at tiny sizes, and say what they are asked for."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks.recurrence import VOCABULARY, Compiled
from benchmarks.sampling import MEASURES as LINES
from benchmarks.speed import LENGTHS, Data, rows_of
from benchmarks.training import MEASURES
from model.layers.recurrent import RecurrentLayer
from model.layers.window import WindowedLayer
from tests.benchmarks.scripts import ROOT, run

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


@pytest.mark.parametrize("windowed", [False, True])
def test_the_loop_in_chunks_is_that_of_the_layer(monkeypatch, windowed):
    monkeypatch.setattr(torch, "compile", lambda loop, **_: loop)
    layer = RecurrentLayer("LSTM", 3, 5, 1.0)
    words = ()
    if windowed:
        layer = WindowedLayer("LSTM", 3, 5, 1.0, VOCABULARY, 2, 0.05)
        words = torch.randint(VOCABULARY, (2, 4)), torch.tensor([4, 3])
    layer = layer.double()
    inputs = torch.randn(70, 2, 3, dtype=torch.float64)
    state = {name: torch.zeros(2, size).double() for name, size in layer.state_sizes.items()}
    (found,) = Compiled(layer)(inputs, *words, state)
    torch.testing.assert_close(found, layer(inputs, *words, state)[0])


def test_the_layers_take_turns(capsys):
    tiny = ["--device", "cpu", "--hidden", "4", "--steps", "8", "--rounds", "1", "--batch", "2"]
    run("recurrence", *tiny, "--ways", "graphs", "cuDNN", "--precisions", "float32")
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    ways = [("LSTM", "graphs"), ("LSTM", "cuDNN"), ("windowed", "graphs")]
    assert rows == [[layer, "float32", way] for layer, way in ways]
