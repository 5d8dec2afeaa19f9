"""Killed at any moment: a file under its final name is complete, and the run resumes."""

import random
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.campaign import use
from tests.campaign.disk import kill_at
from tests.campaign.frame import Done, Family, start
from tests.campaign.tiny import (
    CONFIG,
    TRAIN,
    WRITER,
    Whole,
    changed,
    check_no_traceback,
    check_resumes,
    check_told,
    check_whole,
    next_words,
    start_up,
    trained,
)

KINDS: list[dict[str, Any]] = [
    {},
    {"trainer.args.tensorboard": True},
    {"trainer.args.ema_decay": 0.8, "trainer.args.weight_noise": "adaptive"},
    {"trainer.args.truncate": 5, "lr_scheduler": None, "trainer.args.keep_last": 1},
    {"trainer.args.save_minutes": 10.0},
    {"data_loader.args.num_workers": 2},
    {**WRITER, "trainer.args.samples": 1, "trainer.args.tensorboard": True},
]
"""Of runs: what differs from the plain one."""


def killed(words: Sequence[str], rng: random.Random, whole: Whole, **options: Any) -> Done:
    """Kill a program at a random moment: at a call on a file, or after some processor time."""
    if rng.random() < 0.6:
        number, after = rng.randrange(len(whole.calls)), rng.random() < 0.5
        done = start(words, hook=kill_at(number, after=after), **options).wait()
    else:
        process, moment = start(words, **options), rng.uniform(0, whole.seconds)
        process.wait_for(lambda: process.seconds() >= moment)
        process.send(signal.SIGKILL)
        done = process.wait()
    if done.status != -signal.SIGKILL:  # Its data workers may say that they lost it.
        check_no_traceback(done)
    return done


def while_training(rng: random.Random, folder: Path) -> None:
    """Kill a run once to three times, and resume it."""
    whole = trained(changed(CONFIG, rng.choice(KINDS)))
    words: Sequence[str] = TRAIN
    for _ in range(rng.choice([1, 1, 2, 3])):
        done = killed(words, rng, whole)
        check_whole(folder)
        check_told(done)
        if done.status != -signal.SIGKILL:  # it was faster, or would not go on
            break
        words = next_words()
    check_resumes(whole)


def while_starting(rng: random.Random, folder: Path) -> None:
    """Kill a run that a new interpreter starts, mostly while it imports."""
    whole = trained(CONFIG)
    process = start(TRAIN, fresh=True)
    moment = rng.uniform(0, 1.1) * start_up()
    process.wait_for(lambda: process.seconds() >= moment)
    process.send(signal.SIGKILL)
    done = process.wait()
    check_whole(folder)
    check_told(done)
    check_resumes(whole)


def while_used(rng: random.Random, folder: Path) -> None:
    """Kill a program that draws, exports, scores or reads; then let it do the same in peace."""
    what = rng.choice(list(use.USES))
    whole = use.used(what)
    use.give()
    before = use.give_older(what) if rng.random() < 0.5 else {}
    killed(use.USES[what], rng, whole)
    use.check_products(before, whole)
    use.check_again(what, whole)


FAMILIES = [
    Family("kills while training", 110, while_training),
    Family("kills while starting", 20, while_starting),
    Family("kills while drawing, exporting, scoring, reading", 70, while_used),
]
