"""What ends a run from within: a data worker or a folder that is gone."""

import os
import random
import signal
from contextlib import suppress
from pathlib import Path

from base.checkpoint import checkpoints, load_checkpoint
from tests.campaign.frame import Family, Process, demand
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


FAMILIES = [
    Family("a data worker is killed", 12, without_worker),
    Family("the folder of the log is removed", 8, without_log),
]
