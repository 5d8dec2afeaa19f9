"""The training script in two processes, as torchrun starts it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from base.checkpoint import BEST, checkpoints, load_checkpoint
from tests import tiny_config, torchrun
from tests.same_run import differences, rows_of

pytestmark = pytest.mark.slow

ARCH = {"hidden_size": 6, "num_layers": 2, "num_mixtures": 2, "num_windows": 2}
DATASET = tiny_config.DATASET | {"size": 9, "valid_size": 3}
"""Its last batch of four holds one line: the second process has none of it."""
TRAINING = {
    "epochs": 10,
    "seed": 4,
    "samples": 0,
    "weight_noise": "fixed",
    "save_minutes": 0,
    "tensorboard": True,
}
CHANGES = {
    "arch": {"type": "SynthesisNetwork", "args": ARCH},
    "data_loader.args": {"dataset": {"type": "EmbeddedDataset", "args": DATASET}, "batch_size": 4},
    "optimizer": {"type": "SGD", "args": {"lr": 0.05}},
    "lr_scheduler": None,
    "trainer.args": TRAINING,
}
CONFIG = tiny_config.changed(tiny_config.CONFIG, CHANGES)
SCRIPT = Path(__file__).parents[1] / "train.py"
WORDS = ("-d", "cpu", "-c", "config.json", "--start-or-resume", "--run-id")
MODELS = Path("saved/models/tiny")
SECONDS = 300
"""What a run may take at most, on a busy machine."""


def start(way: Callable[..., subprocess.Popen], **options: Any) -> subprocess.Popen:
    """Start the run `cut`, or go on with it, as a job that is put back into the queue."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return way(SCRIPT, *WORDS, "cut", **streams, **options)


def end(process: subprocess.Popen, kind: signal.Signals) -> str:
    """Send a signal after the next checkpoint, SIGKILL to all processes; return what they say."""
    before, limit = checkpoints(MODELS / "cut")[:1], time.monotonic() + SECONDS
    while checkpoints(MODELS / "cut")[:1] == before:
        assert process.poll() is None and time.monotonic() < limit, process.communicate()
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for number in (process.pid, *map(int, children if kind == signal.SIGKILL else ())):
        os.kill(number, kind)
    said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode
    return said


def test_run_that_is_ended_and_started_again_ends_like_an_uninterrupted_run(workplace):
    whole = torchrun.start_forked(SCRIPT, *WORDS, "whole")
    end(start(torchrun.start_forked), signal.SIGKILL)
    said = end(start(torchrun.start, launcher=["--signals-to-handle=SIGUSR1"]), signal.SIGUSR1)
    assert said.count("SIGUSR1: finishing the step") == 1 and "SIGKILL" not in said
    last = start(torchrun.start_forked)
    out, error = last.communicate(timeout=SECONDS)
    assert last.returncode == whole.wait(SECONDS) == 0, error
    for name in ("checkpoint-epoch10.pth", BEST):
        assert (
            differences(*(load_checkpoint(MODELS / run / name) for run in ("cut", "whole"))) == []
        )
    assert rows_of(MODELS / "cut" / "metrics.csv") == rows_of(MODELS / "whole" / "metrics.csv")
    # One of the processes speaks and writes.
    assert out.count("train        9 lines") == out.count("epoch 10/10: ") == 1
    assert (MODELS / "cut" / "train.log").read_text().count("epoch 10/10: ") == 1
    assert len([*Path("saved/log/tiny/whole").glob("*.tfevents*[0-9]")]) == 1
