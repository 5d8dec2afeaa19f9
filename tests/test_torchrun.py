"""The training script in two processes, as torchrun starts it."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch.distributed.run

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


def end(launcher: int) -> None:
    """Send SIGUSR1 after the first checkpoint."""
    while not checkpoints(MODELS / "cut"):
        assert os.waitid(os.P_PID, launcher, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        time.sleep(0.02)
    os.kill(launcher, signal.SIGUSR1)


@pytest.mark.timeout(300)
def test_run_that_is_ended_and_started_again_ends_like_an_uninterrupted_run(workplace, monkeypatch):
    if sys.platform == "linux":
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    launcher = ["--standalone", "--nproc_per_node=2", "--signals-to-handle=SIGUSR1"]
    words = [torch.distributed.run.__file__, *launcher, str(SCRIPT), *WORDS, "cut"]
    with open("said", "w") as said, open("out", "w") as out:
        streams = {"stdout": said.fileno(), "stderr": said.fileno()}
        assert forked_script.run(*words, **streams, meanwhile=end)
        # Put back into the queue, the job goes on; before it, the run that nobody ended.
        for name in ("whole", "cut"):
            streams = {"stdout": out.fileno(), "stderr": out.fileno()}
            status = forked_script.run(SCRIPT, *WORDS, name, **streams, processes=2)
            assert status == 0, Path("out").read_text()
    said, out = Path("said").read_text(), Path("out").read_text()
    assert said.count("SIGUSR1: finishing the step") == 1 and "SIGKILL" not in said
    for name in ("checkpoint-epoch10.pth", BEST):
        assert (
            differences(*(load_checkpoint(MODELS / run / name) for run in ("cut", "whole"))) == []
        )
    assert rows_of(MODELS / "cut" / "metrics.csv") == rows_of(MODELS / "whole" / "metrics.csv")
    # One of the processes of each run speaks and writes.
    assert out.count("train        9 lines") == out.count("epoch 10/10: ") == 2
    assert (MODELS / "cut" / "train.log").read_text().count("epoch 10/10: ") == 1
    assert len([*Path("saved/log/tiny/whole").glob("*.tfevents*[0-9]")]) == 1
