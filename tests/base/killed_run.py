"""A program that trains in a child process and kills it, again and again, at random moments.

python tests/base/killed_run.py FOLDER SEED
"""

import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
import torch.utils.tensorboard
from tiny_run import make

from base.checkpoint import BEST, checkpoints, load_checkpoint, newest_checkpoint
from utils.checks import CheckpointError

OPTIONS = {"epochs": 10**6, "save_minutes": 0.0, "tensorboard": True, "ema_decay": 0.9}


def main(saved: Path, seed: int) -> None:
    folder = saved / "models" / "tiny" / "run"
    moments = random.Random(seed)
    # Once here, so that no child spends its life on imports.
    make(saved / "warm", **OPTIONS | {"epochs": 1}).train()
    steps = 0
    for number in itertools.count():
        if number >= 20 and steps > 20:
            break
        pid = os.fork()
        if pid == 0:
            train(saved, folder)
        time.sleep(moments.uniform(0.0, 0.4))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), f"child {number} ended by itself: {status}"
        whole = 0
        for path in [*checkpoints(folder), *folder.glob(BEST)]:
            steps = max(steps, load_checkpoint(path)["step"])
            whole += 1
        print(f"killed: {whole} whole checkpoints", flush=True)


def train(saved: Path, folder: Path) -> None:
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            path, checkpoint, _ = newest_checkpoint(folder)
            trainer = make(saved, checkpoint=checkpoint, source=path, **OPTIONS)
        except CheckpointError:
            trainer = make(saved, **OPTIONS)
        trainer.train()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]))
