"""The benchmark of speed runs, at a tiny size, and says what it is asked for."""

import time
from argparse import Namespace
from itertools import islice

import pytest
import torch
from torch import nn

from base.step.device import fast_precision
from benchmarks.speed import Trainee, network_of, operations_of, prepared, row
from tests.benchmarks.scripts import run
from tests.model.builders import needs_compiler, num_threads

pytestmark = pytest.mark.slow
TINY = ("--scale", 0.03, "--rounds", 1, "--lines", 16, "--steps", 32)


def test_each_kind_of_measure_has_a_row(capsys):
    only = ["recognition", "writing_1", "reading_1"]
    run("speed", *TINY, "--paths", "float32-uncompiled", "--only", *only)
    lines = capsys.readouterr().out.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines[-len(only) :]]
    assert [cells[0] for cells in rows] == [f"`{name}`" for name in only]
    for _, path, *speeds, ratio, share in rows:
        assert path == "float32-uncompiled"
        ours, *theirs = (float(speed.replace(",", "")) for speed in speeds if speed != "none")
        assert min(ours, *theirs) > 0 and share.endswith("%")
        assert float(ratio.split()[0]) == pytest.approx(ours / max(theirs), rel=0.05, abs=0.02)


def test_the_column_of_a_plain_path_that_the_processor_cannot_run_is_none(capsys, monkeypatch):
    """oneDNN has no LSTM in bfloat16 without AVX-512."""
    forward = nn.LSTM.forward

    def forward_in_float32(*arguments):
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError("could not create a primitive descriptor")
        return forward(*arguments)

    monkeypatch.setattr(nn.LSTM, "forward", forward_in_float32)
    run("speed", *TINY, "--paths", "float32-uncompiled", "--only", "reading_1")
    *_, plain, missing, ratio, _ = capsys.readouterr().out.splitlines()[-1].strip("| ").split(" | ")
    assert int(plain.replace(",", "")) > 0 and missing == "none" and float(ratio.split()[0]) > 0


def test_a_row_holds_medians_the_spread_of_ratios_to_the_faster_and_the_share():
    shown = row("m", "p", [10.0, 30.0, 20.0], [[1.0, 1.0, 1.0], [5.0, 6.0, 4.0]], 0.02)
    assert shown == "| `m` | p | 20 | 1 | 5 | 4.00 (2.00 to 5.00) | 40% |"


@needs_compiler
@pytest.mark.parametrize("name", ["unconditional", "conditional", "recognition_ctc", "recognition"])
def test_training_takes_at_most_a_quarter_longer_than_plain_pytorch(name):
    """The least processor time of a step on a core, ours with the making of the batch. Other work
    of the machine lengthens single steps only: four rounds are enough, but for a busy machine."""
    device, least = torch.device("cpu"), {}
    plan, data = prepared(name, Namespace(lines=24, scale=1.0))
    network, loss = network_of(plan, data), plan.build("loss")
    loader = data.training_loader(network.features)
    precision = fast_precision(device)
    ours = f"{precision}-compiled"
    paths = {ours, "float32-plain", f"{precision}-plain"}
    trainees = {path: Trainee(network, loss, device, path) for path in sorted(paths)}
    with num_threads(1):
        for number in range(20):
            loader.sampler.start_at(0, 0)
            start = time.process_time()
            batch = list(islice(loader, 1))
            making = time.process_time() - start
            for path, trainee in trainees.items():
                start = time.process_time()
                trainee.train(batch)
                taken = time.process_time() - start + making * (path == ours)
                least[path] = min(taken, least.get(path, taken))
            plain = min(taken for path, taken in least.items() if path != ours)
            is_fast = least[ours] <= 1.25 * plain
            if is_fast and number >= 3:
                break
    assert is_fast, f"{least[ours]:.3f} s, and {plain:.3f} s by plain PyTorch"


def test_the_products_of_an_lstm_are_counted():
    rnn = nn.LSTM(3, 5)
    steps = 7
    batch = 2
    expected = 2 * steps * batch * (3 + 5) * 4 * 5
    assert operations_of(lambda: rnn(torch.zeros(steps, batch, 3))) == expected
