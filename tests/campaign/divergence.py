"""What ends a run from within: weights that diverge, a data worker or a folder that is gone."""

import math
import os
import random
import re
import signal
from contextlib import suppress
from pathlib import Path

import torch

from base.checkpoint import BEST, checkpoints, load_checkpoint
from tests.campaign.frame import Family, Process, demand, run
from tests.campaign.tiny import (
    CONFIG,
    RUN,
    TRAIN,
    changed,
    check_no_traceback,
    check_resumes,
    check_told,
    check_whole,
    last_line,
    trained,
)

LONGER = {"trainer.args.epochs": 6}


def without_worker(rng: random.Random, folder: Path) -> None:
    """Kill a data worker, as a system does that lacks memory."""
    whole = trained(changed(CONFIG, LONGER | {"data_loader.args.num_workers": 2}))
    process = Process(TRAIN)
    process.wait_for(lambda: checkpoints(RUN) and process.children())
    moment = process.seconds() + rng.uniform(0, 0.1)
    process.wait_for(lambda: process.seconds() >= moment and process.children())
    with suppress(ProcessLookupError, IndexError):  # an epoch's workers may just have ended
        os.kill(rng.choice(process.children()), signal.SIGKILL)
    done = process.wait()
    check_no_traceback(done)
    demand(done.status in (0, 1), f"without a worker it ended with {done.status}")
    if done.status:
        demand("worker" in last_line(done), f"no worker is named by {last_line(done)!r}")
    check_whole(folder / "saved")
    check_told(done)
    check_resumes(whole)


def without_log(rng: random.Random, folder: Path) -> None:
    """Remove the folder of TensorBoard's curves under a run."""
    tensorboard = {"trainer.args.tensorboard": True, "trainer.args.log_steps": 1}
    whole = trained(changed(CONFIG, LONGER | tensorboard))
    process = Process(TRAIN)
    process.wait_for(lambda: checkpoints(RUN))
    steps = load_checkpoint(checkpoints(RUN)[0])["step"]
    Path("saved/log").rename("removed")  # at once, as the run may be writing in it
    done = process.wait()
    check_no_traceback(done)
    demand(done.status in (0, 1), f"without its log it ended with {done.status}")
    if done.status:
        demand("saved/log" in last_line(done), f"the log is not named by {last_line(done)!r}")
        newest = load_checkpoint(checkpoints(RUN)[0])
        demand(newest["step"] > steps, "what was done after the log was gone is not saved")
    check_told(done)
    check_resumes(whole)


def is_sound(path: Path) -> bool:
    """Return whether all weights in a checkpoint are finite, and so is its last loss."""
    content = load_checkpoint(path)
    weights = [value for value in content["state_dict"].values() if value.is_floating_point()]
    loss = content["metrics"].get("valid_log_loss", 0.0)
    return all(bool(torch.isfinite(value).all()) for value in weights) and math.isfinite(loss)


def diverging(rng: random.Random, folder: Path) -> None:
    """Go on with a good run at an absurd learning rate."""
    kept = rng.choice([1, 3])
    config = changed(CONFIG, {"lr_scheduler": None, "trainer.args.keep_last": kept})
    trained(config)
    run(TRAIN)
    good = {path.name: path.read_bytes() for path in [checkpoints(RUN)[0], RUN / BEST]}
    rate = rng.choice(["1e3", "1e10", "1e20", "1e30"])
    skipped = rng.choice(["1", "3", "30"])
    words = ["-r", str(RUN), "-d", "cpu", "--lr", rate, "--epochs", "12"]
    done = run(["train.py", *words, "-o", f"trainer.args.max_skipped={skipped}"])
    check_no_traceback(done)
    check_whole(folder / "saved")
    demand(done.status in (0, 1), f"diverging, it ended with {done.status}")
    if done.status == 0:
        return  # bad weights are no fault as long as they are finite
    for path in re.findall(r"\S+/checkpoint-epoch\S+\.pth", last_line(done)):
        path = Path(path.rstrip(".,;"))
        demand(path.exists(), f"{path} is named, and is not there")
        demand(is_sound(path), f"{path} is named, and is not sound")
    best = RUN / BEST
    demand(is_sound(best), f"{best} is not sound")
    kept_good = [path for path in checkpoints(RUN) if is_sound(path)]
    demand(kept_good, "no sound checkpoint is left")
    there = any((RUN / name).exists() for name in good)
    demand(there, f"of {', '.join(good)}, which were good, none is left")


FAMILIES = [
    Family("a data worker is killed", 12, without_worker),
    Family("the folder of the log is removed", 8, without_log),
    Family("a run diverges", 20, diverging),
]
