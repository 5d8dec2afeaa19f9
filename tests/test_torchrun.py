"""The training script in two processes, as torchrun starts it."""

import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import train
from base.checkpoint import BEST, checkpoints, load_checkpoint
from tests import tiny_config, torchrun
from tests.same_run import differences, rows_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
ARCH = {"hidden_size": 6, "num_layers": 2, "num_mixtures": 2, "num_windows": 2}
DATASET = tiny_config.DATASET | {"size": 9, "valid_size": 3}
"""Its last batch of four holds one line: the second process has none of it."""
TRAINING = {"epochs": 3, "seed": 4, "samples": 1, "sample_steps": 4, "weight_noise": "fixed"}
CHANGES = {
    "arch": {"type": "SynthesisNetwork", "args": ARCH},
    "data_loader.args": {"dataset": {"type": "EmbeddedDataset", "args": DATASET}, "batch_size": 4},
    "optimizer": {"type": "SGD", "args": {"lr": 0.05}},
    "lr_scheduler": None,
    "trainer.args": TRAINING,
}
CONFIG = tiny_config.changed(tiny_config.CONFIG, CHANGES)
MODELS, LOG = Path("saved/models/tiny"), Path("saved/log/tiny")

LESS = ("-o", "trainer.args.samples=0", "-o", "trainer.args.tensorboard=false")
"""Options of runs without pictures and curves."""


def start(*words: str, launcher: Sequence[str] = ()) -> subprocess.Popen:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return torchrun.start(ROOT / "train.py", "-d", "cpu", *words, launcher=launcher, **streams)


def rows(run: str) -> list[dict[str, str]]:
    return rows_of(MODELS / run / "metrics.csv")


def wait_for(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 100
    while not condition():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.02)


def test_two_processes_train_as_one_and_one_of_them_writes(workplace):
    words = ["-c", "config.json", "--run-id"]
    process = start(*words, "two")
    assert train.main(["-d", "cpu", *words, "one"]) == 0
    out, error = process.communicate(timeout=100)
    assert process.returncode == 0, error
    for one, two in zip(rows("one"), rows("two"), strict=True):
        for name in one:
            assert math.isclose(float(one[name]), float(two[name]), rel_tol=2e-5), name

    # Everything once.
    assert out.count("train        9 lines") == out.count("epoch 3/3: ") == 1
    assert out.count("to use it: python experiments.py write -r saved/models/tiny/two") == 1
    for folder in (MODELS, LOG):
        one, two = (
            sorted(path.name.split(".tfevents")[0] for path in (folder / run).iterdir())
            for run in ("one", "two")
        )
        assert one == two
    assert (MODELS / "two" / "train.log").read_text().count("epoch 3/3: ") == 1


def test_a_run_that_is_ended_and_started_again_is_that_which_was_not(workplace):
    """By the same command, as a job that is put back into the queue."""
    words = ["-c", "config.json", "-o", "trainer.args.save_minutes=0", "--epochs", "20", *LESS]
    whole = start(*words, "--run-id", "whole")
    handled = "--signals-to-handle=SIGUSR1"
    for end in ("SIGKILL", "SIGUSR1", None):
        before = checkpoints(MODELS / "cut")[:1]
        process = start(*words, "--run-id", "cut", "--start-or-resume", launcher=[handled])
        if end is not None:
            wait_for(process, lambda before=before: checkpoints(MODELS / "cut")[:1] != before)
        if end == "SIGKILL":
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for number in (process.pid, *map(int, children)):
                os.kill(number, signal.SIGKILL)
        elif end is not None:
            process.send_signal(signal.Signals[end])
        _, error = process.communicate(timeout=100)
        assert (process.returncode == 0) == (end is None), error
        if end == "SIGUSR1":
            assert error.count(f"{end}: finishing the step") == 1 and "SIGKILL" not in error
    assert whole.communicate(timeout=100) and whole.returncode == 0
    for name in ("checkpoint-epoch20.pth", BEST):
        ends = [load_checkpoint(MODELS / run / name) for run in ("cut", "whole")]
        assert differences(*ends) == []
    assert rows("cut") == rows("whole")


def test_an_error_is_said_once(workplace):
    process = start("-c", "config.json", "-o", "data_loader.args.dataset.args.size=0", "--bs", "0")
    _, error = process.communicate(timeout=100)
    assert process.returncode != 0
    assert error.count("--bs") == 1 and "train.py" in error
    assert not Path("saved").exists()
