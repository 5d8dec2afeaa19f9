"""Ctrl-C, a scheduler's or a terminal's end, doubled and mixed: saved, and never a traceback."""

import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from base.checkpoint import checkpoints
from tests.campaign import use
from tests.campaign.disk import kill_at
from tests.campaign.frame import Done, Family, Process, demand, once, start
from tests.campaign.kills import KINDS
from tests.campaign.tiny import (
    CONFIG,
    RUN,
    TRAIN,
    changed,
    check_no_traceback,
    check_resumes,
    check_told,
    last_line,
    start_up,
    trained,
)

SIGNALS = (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def some(rng: random.Random) -> list[int]:
    """Return one signal, or a few."""
    return [rng.choice(SIGNALS) for _ in range(rng.choice([1, 1, 2, 3]))]


def signalled(process: Process, rng: random.Random, numbers: Sequence[int], moment: float) -> Done:
    """Send signals to a program, one after the other, from a moment of its processor time on."""
    terminal = rng.random() < 0.5  # to all of its processes
    process.wait_for(lambda: process.seconds() >= moment)
    for number in numbers:
        process.send(number, all_of_them=terminal)
        gap = process.seconds() + rng.choice([0.0, 0.001, 0.02])
        process.wait_for(lambda end=gap: process.seconds() >= end)
    return process.wait()


def check_ended(done: Done, numbers: Sequence[int]) -> None:
    """Demand that a program ended as one ends by these signals, or before they came."""
    check_no_traceback(done)
    demand("KeyboardInterrupt" not in done.output, "KeyboardInterrupt is on the console")
    status = 128 - done.status if done.status < 0 else done.status
    names = ", ".join(signal.Signals(number).name for number in numbers)
    expected = {0, *(128 + number for number in numbers)}
    demand(status in expected, f"{names}: ended with {done.status}: {last_line(done)}")


def while_training(rng: random.Random, folder: Path) -> None:
    """Send signals to a run, and resume it."""
    whole = trained(changed(CONFIG, rng.choice(KINDS)))
    numbers = some(rng)
    if rng.random() < 0.5:
        at = kill_at(
            rng.randrange(len(whole.calls)), after=rng.random() < 0.5, signals=tuple(numbers)
        )
        done = start(TRAIN, hook=at).wait()
    else:
        done = signalled(start(TRAIN), rng, numbers, rng.uniform(0, whole.seconds))
    check_ended(done, numbers)
    if done.status and RUN.exists():
        demand(checkpoints(RUN), "it had begun, and saved nothing")
    check_told(done)
    check_resumes(whole)


def while_starting(rng: random.Random, folder: Path) -> None:
    """Send a signal to a script that a new interpreter starts, mostly while it imports."""
    script = rng.choice(["train.py", "experiments.py"])
    whole = trained(CONFIG)
    words: Sequence[str] = TRAIN
    if script == "experiments.py":
        words = use.USES["draw"]
        use.give()
    numbers = some(rng)
    moment = rng.uniform(interpreter(), 1.1 * start_up(script))
    check_ended(signalled(start(words, fresh=True), rng, numbers, moment), numbers)
    if script == "train.py":
        check_resumes(whole)
    else:
        use.check_products({}, use.used("draw"))


def interpreter() -> float:
    """Return the processor time until a script's first line at the latest, twice the measured."""
    with once("interpreter") as folder:
        told = folder / "seconds"
        if not told.exists():
            (folder / "nothing.py").touch()
            words = [sys.executable, str(folder / "nothing.py")]
            used = os.wait4(os.spawnv(os.P_NOWAIT, words[0], words), 0)[2]
            told.write_text(str(2 * (used.ru_utime + used.ru_stime)))
        return float(told.read_text())


def while_used(rng: random.Random, folder: Path) -> None:
    """Send signals to a program that draws, exports, scores or reads."""
    what = rng.choice(list(use.USES))
    whole = use.used(what)
    use.give()
    before = use.give_older(what) if rng.random() < 0.5 else {}
    numbers = some(rng)
    done = signalled(start(use.USES[what]), rng, numbers, rng.uniform(0, whole.seconds))
    check_ended(done, numbers)
    use.check_products(before, whole)
    use.check_again(what, whole)


FAMILIES = [
    Family("signals while training", 100, while_training),
    Family("signals while starting", 30, while_starting),
    Family("signals while drawing, exporting, scoring, reading", 40, while_used),
]
