"""The training script in two processes, as torchrun starts it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from base.run.checkpoint import BEST, checkpoints, load_checkpoint
from tests import forked_script, tiny_config
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


def end(process: subprocess.Popen) -> str:
    """Send SIGUSR1 after the first checkpoint; return what the processes say."""
    limit = time.monotonic() + SECONDS
    while not checkpoints(MODELS / "cut"):
        assert process.poll() is None and time.monotonic() < limit, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode
    return said


@pytest.mark.timeout(SECONDS)
def test_run_that_is_ended_and_started_again_ends_like_an_uninterrupted_run(workplace):
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    launcher = "torch.distributed.run --standalone --nproc_per_node=2 --signals-to-handle=SIGUSR1"
    command = [sys.executable, "-m", *launcher.split(), str(SCRIPT), *WORDS, "cut"]
    said = end(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    assert said.count("SIGUSR1: finishing the step") == 1 and "SIGKILL" not in said
    # Put back into the queue, the job goes on; before it, the run that nobody ended.
    with open("out", "w+") as out:
        for name in ("whole", "cut"):
            streams = {"stdout": out.fileno(), "stderr": out.fileno()}
            status = forked_script.run(SCRIPT, *WORDS, name, **streams, processes=2)
            assert status == 0, Path("out").read_text()
    out = Path("out").read_text()
    for name in ("checkpoint-epoch10.pth", BEST):
        assert (
            differences(*(load_checkpoint(MODELS / run / name) for run in ("cut", "whole"))) == []
        )
    assert rows_of(MODELS / "cut" / "metrics.csv") == rows_of(MODELS / "whole" / "metrics.csv")
    # One of the processes of each run speaks and writes.
    assert out.count("train        9 lines") == out.count("epoch 10/10: ") == 2
    assert (MODELS / "cut" / "train.log").read_text().count("epoch 10/10: ") == 1
    assert len([*Path("saved/log/tiny/whole").glob("*.tfevents*[0-9]")]) == 1
