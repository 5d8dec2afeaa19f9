"""Two processes and one run: the second is refused and told why, the first does not notice."""

import random
import signal
from pathlib import Path
from typing import Any

from base.checkpoint import checkpoints
from tests.campaign.frame import Done, Family, Process, demand, run
from tests.campaign.tiny import (
    CONFIG,
    RUN,
    TRAIN,
    changed,
    check_finished,
    check_no_traceback,
    check_went_well,
    last_line,
    trained,
)

KINDS: list[dict[str, Any]] = [
    {},
    {"data_loader.args.num_workers": 2},
    {"trainer.args.tensorboard": True},
    {"trainer.args.save_minutes": 10.0},
]
LONGER = {"trainer.args.epochs": 8}


def check_refused(done: Done, holder: int | None = None) -> None:
    """Demand that a second process was told of the first one."""
    check_no_traceback(done)
    demand(done.status == 2, f"the second ended with {done.status}: {last_line(done)}")
    demand(str(RUN) in last_line(done), f"the run is not named by {last_line(done)!r}")
    if holder is not None:
        named = str(holder) in last_line(done)
        demand(named, f"process {holder} is not named by {last_line(done)!r}")


def resumed_twice(rng: random.Random, folder: Path) -> None:
    """Go on with a run while it runs, again and again, in one of the ways that there are."""
    whole = trained(changed(CONFIG, rng.choice(KINDS) | LONGER))
    first = Process(TRAIN)
    begun = first.wait_for(lambda: checkpoints(RUN))
    moment = first.seconds() + rng.uniform(0, 0.3 * whole.seconds)
    first.wait_for(lambda: first.seconds() >= moment)
    first.send(signal.SIGSTOP)  # so that it holds the run for all the time of the second
    over = first.status is not None
    place = rng.choice([RUN, checkpoints(RUN)[0], RUN.resolve()])
    words = ["train.py", "-r", str(place), "-d", "cpu"]
    try:
        second = run(words)
    finally:
        first.send(signal.SIGCONT)
    if begun and not over:
        check_refused(second, first.pid)
    check_went_well(first.wait(), "the first")
    check_finished(whole)


def started_twice(rng: random.Random, folder: Path) -> None:
    """Start two runs at a time, of one name or without any."""
    named = rng.random() < 0.5
    whole = trained(changed(CONFIG, rng.choice(KINDS)))
    words = TRAIN if named else [word for word in TRAIN if word not in ("--run-id", "a")]
    both = [Process(words), Process(words)]
    ends = [process.wait() for process in both]
    for done in ends:
        check_no_traceback(done)
    statuses = sorted(done.status for done in ends)
    demand(0 in statuses, f"none of two went through: {last_line(ends[0])}, {last_line(ends[1])}")
    runs = sorted(RUN.parent.iterdir())
    demand(statuses in ([0, 0], [0, 2]), f"two ended with {statuses}")
    whole_ones = statuses.count(0)
    demand(len(runs) == whole_ones, f"{whole_ones} went through, in {len(runs)} folders")
    for one in runs:
        check_finished(whole, one)


FAMILIES = [
    Family("two processes on one run", 30, resumed_twice),
    Family("two processes that start a run", 20, started_twice),
]
