"""A kill, a signal, a failing call, or an end of the time at any moment of a training, of a start,
or of a use: files under a final name are whole, what is said is true, and a run resumes bit for
bit as if nothing had happened."""

import os
import random
import re
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from base.checkpoint import checkpoints
from tests.campaign import use
from tests.campaign.disk import ERRORS, FULL, fail_at, kill_at
from tests.campaign.frame import Done, Family, Process, demand, once, run
from tests.campaign.tiny import (
    ATTENTIVE,
    CONFIG,
    READER,
    REGRESSION,
    RUN,
    TRAIN,
    WRITER,
    Whole,
    changed,
    check_no_traceback,
    check_resumes,
    check_same,
    check_tidy,
    check_told,
    check_whole,
    go_on,
    last_line,
    next_words,
    start_up,
    trained,
    undisturbed,
    write,
)

KINDS: list[dict[str, Any]] = [
    {},
    {"trainer.args.tensorboard": True},
    {"trainer.args.ema_decay": 0.8, "trainer.args.weight_noise": "fixed"},
    {"trainer.args.truncate": 5, "lr_scheduler": None, "trainer.args.keep_last": 1},
    {"trainer.args.save_minutes": 10.0},
    {"data_loader.args.num_workers": 2},
    {**WRITER, "trainer.args.samples": 1, "trainer.args.tensorboard": True},
]
"""Of runs: what differs from the plain one."""
SIGNALS = (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
LIMIT = "trainer.args.time_limit_minutes"

Accident = Callable[[Sequence[str], random.Random, Whole], Done]
"""Runs a program, of which `Whole` is the undisturbed run, to an early end, and checks that."""


# Accidents.


def killed(words: Sequence[str], rng: random.Random, whole: Whole) -> Done:
    """Kill a program at a call on a file, or after some processor time."""
    if rng.random() < 0.6:
        number, after = rng.randrange(len(whole.calls)), rng.random() < 0.5
        done = run(words, hook=kill_at(number, after=after))
    else:
        done = sent(Process(words), rng, [signal.SIGKILL], rng.uniform(0, whole.seconds))
    if done.status != -signal.SIGKILL:  # Its data workers may say that they lost it.
        check_no_traceback(done)
    return done


def signalled(words: Sequence[str], rng: random.Random, whole: Whole) -> Done:
    """Send a signal, or a few, at a call on a file, or after some processor time."""
    numbers = some(rng)
    if rng.random() < 0.5:
        number, after = rng.randrange(len(whole.calls)), rng.random() < 0.5
        done = run(words, hook=kill_at(number, after=after, signals=tuple(numbers)))
    else:
        done = sent(Process(words), rng, numbers, rng.uniform(0, whole.seconds))
    check_ended(done, numbers)
    if done.status and words[0] == "train.py" and RUN.exists():
        demand(checkpoints(RUN), "it had begun, and saved nothing")
    return done


def signalled_late(
    words: Sequence[str], rng: random.Random, whole: Whole, part: str = ".tmp"
) -> Done:
    """Send a signal at a call on a file whose name contains `part`."""
    calls = [n for n, call in enumerate(whole.calls) if part in Path(call).name]
    number, one = rng.choice(calls), rng.choice(SIGNALS)
    done = run(words, hook=kill_at(number, after=False, signals=(one,)))
    print(f"{one.name} at {whole.calls[number]}")
    check_ended(done, [one])
    demand(done.status == 0 or "error: interrupted" in done.output, "it does not say why it ended")
    check_tidy(Path.cwd())
    return done


def failing(words: Sequence[str], rng: random.Random, whole: Whole) -> Done:
    """Let a random call fail, and demand a message that says so."""
    number, code = rng.randrange(len(whole.calls)), rng.choice(ERRORS)
    folder = Path.cwd()
    told = folder.with_name("failing.txt")
    lasting = code in FULL and rng.random() < 0.5
    done = run(words, hook=fail_at(number, code, told, lasting=lasting))
    if not told.exists():  # other calls than undisturbed, and fewer
        demand(done.status == 0, f"nothing failed, and it ended with {done.status}")
        return done
    failed = told.read_text().replace(f"{folder.resolve()}/", "").splitlines()
    print(f"what failed, from call {number} on: {failed}")
    check_no_traceback(done)
    demand(done.status in (0, 1, 2), f"{failed[0]}: it ended with {done.status}")
    if done.status:
        errors = list(dict.fromkeys(re.findall(r"(?:^|[\r\n])error: (.+)", done.output)))
        demand(len(errors) == 1, f"{failed[0]}: {len(errors)} errors instead of one message")
        # A temporary file is known to nobody: its message names what it was to become. Of
        # TensorBoard's files, whose names mean nothing, it names the folder.
        paths = [Path(one.partition(" ")[2]) for one in failed]
        names = {re.sub(r"^\.(.+)\.\d+-\w+\.tmp$", r"\1", path.name) for path in paths}
        events = [path for path in paths if path.name.lstrip(".").startswith("events.out")]
        names |= {str(path.parent) for path in events}
        named = any(name in errors[0] for name in names)
        demand(named, f"{failed[0]}: not named by {errors[0]!r}")
    return done


def stopped(words: Sequence[str], rng: random.Random, whole: Whole) -> Done:
    """Stop a run by Ctrl-C or a time limit."""
    if rng.random() < 0.3:
        done = run([*words, "-o", f"{LIMIT}={rng.choice([0.0, 0.001])}"])
        check_ended(done, [])
        return done
    words = [*words, "-o", f"{LIMIT}=null"]
    done = sent(Process(words), rng, [signal.SIGINT], rng.uniform(0, whole.seconds))
    check_ended(done, [signal.SIGINT])
    return done


def some(rng: random.Random) -> list[int]:
    """Return one signal, or a few."""
    return [rng.choice(SIGNALS) for _ in range(rng.choice([1, 1, 2, 3]))]


def sent(process: Process, rng: random.Random, numbers: Sequence[int], moment: float) -> Done:
    """Send signals to a program, one after the other, from a moment of its processor time on."""
    terminal = signal.SIGKILL not in numbers and rng.random() < 0.5  # to all of its processes
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


# What they happen to.


def while_training(
    accident: Accident,
    make_config: Callable[[random.Random], dict[str, Any]],
    times: Sequence[int],
    rng: random.Random,
    folder: Path,
) -> None:
    """Disturb a run once or several times, and resume it."""
    whole = trained(make_config(rng))
    for _ in range(rng.choice(times)):
        done = accident(next_words(), rng, whole)
        check_whole(folder)
        check_told(done)
        if done.status == 0 and accident is not stopped:  # nothing happened
            check_same(whole)
            break
    if accident is stopped:
        go_on("-o", f"{LIMIT}=null")
    check_resumes(whole)


def while_resuming(accident: Accident, rng: random.Random, folder: Path) -> None:
    """Disturb a run that goes on from its middle, and resume it again."""
    config = ready(rng)
    whole, halfway = trained(config), stopped_halfway(config)

    def give() -> None:
        shutil.copytree(halfway / "saved", "saved")

    resumed = undisturbed(f"resumed-{halfway.parent.name}", ["train.py", *RESUME], give)
    give()
    done = accident(["train.py", *RESUME], rng, resumed)
    check_whole(folder)
    check_told(done)
    check_resumes(whole)


RESUME = ["-r", str(RUN), "-d", "cpu"]


def while_starting(numbers: Sequence[int] | None, rng: random.Random, folder: Path) -> None:
    """Send signals to a script that a new interpreter starts, mostly while it imports.

    Args:
        numbers: the signals; None for some by chance, after the script's first line.
        rng, folder: of the trial.
    """
    script, words, whole = "train.py", list(TRAIN), trained(CONFIG)
    if numbers is None and rng.random() < 0.5:
        script, words, whole = "experiments.py", use.USES["draw"], use.used("draw")
        use.give()
    first = 0.0 if numbers else interpreter()
    moment = rng.uniform(first, 1.1 * start_up(script))
    by_chance = numbers is None
    numbers = some(rng) if by_chance else numbers
    done = sent(Process(words, fresh=True), rng, numbers, moment)
    if by_chance:
        check_ended(done, numbers)
    if script == "train.py":
        check_whole(folder)
        check_told(done)
        check_resumes(whole)
    else:
        use.check_products({}, whole)


def while_used(accident: Accident, rng: random.Random, folder: Path) -> None:
    """Disturb what draws, exports, scores, reads or makes a style; then let it do so in peace."""
    what = rng.choice(list(use.USES))
    whole = use.used(what)
    use.give()
    before = use.give_older(what) if rng.random() < 0.5 else {}
    done = accident(use.USES[what], rng, whole)
    use.check_products(before, whole)
    if done.status == 0:
        use.check_done(whole)
    use.check_again(what, whole)
    if accident is failing:
        check_tidy(folder)


def interpreter() -> float:
    """Return the processor time until a script's first line at the latest, twice the measured."""

    def measure() -> float:
        Path("nothing.py").touch()
        words = [sys.executable, "nothing.py"]
        used = os.wait4(os.spawnv(os.P_NOWAIT, words[0], words), 0)[2]
        return 2 * (used.ru_utime + used.ru_stime)

    return once("interpreter", measure)[1]


def stopped_halfway(config: dict[str, Any]) -> Path:
    """Return a folder in which a run of a config was stopped, once for all trials."""
    whole = trained(config)

    def make() -> None:
        write(Path("config.json"), config)
        stop = kill_at(len(whole.calls) // 2, after=False, signals=(signal.SIGTERM,))
        done = run(TRAIN, hook=stop)
        demand(done.status == 143, f"SIGTERM, and it ended with {done.status}")
        demand(RUN.exists(), "it did not begin")

    return once(f"stopped-{whole.folder.parent.name}", make)[0]


# Configs.


def ready(rng: random.Random) -> dict[str, Any]:
    """Return one of a few configs."""
    return changed(CONFIG, rng.choice(KINDS))


def invented(rng: random.Random) -> dict[str, Any]:
    """Return a config with a network, and settings of training, by chance."""
    kind = rng.choice([{}, WRITER, REGRESSION, READER, ATTENTIVE])
    writes = kind in ({}, WRITER, REGRESSION)
    settings = {
        "epochs": rng.choice([2, 3]),
        "seed": rng.randrange(1000),
        "save_minutes": rng.choice([0.0, 10.0]),
        "keep_last": rng.choice([1, 3]),
        "precision": rng.choice(["float32", "float32", "bfloat16"]),
        "clip_norm": rng.choice([None, 0.5]),
        "accumulate": rng.choice([1, 1, 2]),
        "ema_decay": rng.choice([None, 0.8]),
        "weight_noise": rng.choice(["off", "fixed"]),
        "truncate": rng.choice([None, 5]) if writes else None,
        "steps_per_epoch": rng.choice([None, 4]),
        "schedule_by": rng.choice(["batch", "epoch"]),
        "tensorboard": rng.random() < 0.2,
        "samples": 0,
        "time_limit_minutes": None,
    }
    by_batch = settings["schedule_by"] == "batch"
    if settings["truncate"] and not settings["steps_per_epoch"]:
        by_batch, settings["schedule_by"] = False, "epoch"
    schedules = [
        None,
        {"type": "CosineAnnealingLR"},
        {"type": "OneCycleLR"}
        if by_batch
        else {"type": "ReduceLROnPlateau", "args": {"patience": 0}},
    ]
    augmentation = [
        {"type": "InputNoise", "args": {"std": 0.1}},
        {"type": "Scale", "args": {"low": 0.9, "high": 1.1}},
        {"type": "Slant", "args": {"degrees": 10.0}},
    ]
    optimizers = [
        {"type": "GravesRMSprop", "args": {"lr": 0.003}},
        {"type": "AdamW", "args": {"lr": 0.003}},
        {"type": "SGD", "args": {"lr": 0.001, "momentum": 0.9}},
    ]
    return changed(
        CONFIG,
        kind
        | {f"trainer.args.{name}": value for name, value in settings.items()}
        | {
            "data_loader.args.batch_size": rng.choice([1, 2, 3]),
            "data_loader.args.num_workers": rng.choice([0, 0, 0, 2]),
            "data_loader.args.augmentation": rng.sample(augmentation, rng.choice([0, 1, 2])),
            "optimizer": rng.choice(optimizers),
            "lr_scheduler": rng.choice(schedules),
        },
    )


USED = "while drawing, exporting, scoring, reading"
FAMILIES = [
    Family("kills while training", 110, partial(while_training, killed, ready, [1, 1, 2, 3])),
    Family("kills while starting", 20, partial(while_starting, [signal.SIGKILL])),
    Family(f"kills {USED}", 70, partial(while_used, killed)),
    Family("signals while training", 100, partial(while_training, signalled, ready, [1])),
    Family("signals while starting", 30, partial(while_starting, None)),
    Family(f"signals {USED}", 40, partial(while_used, signalled)),
    Family(f"late signals {USED}", 60, partial(while_used, signalled_late)),
    Family("failing calls while training", 140, partial(while_training, failing, ready, [1])),
    Family("failing calls while resuming", 60, partial(while_resuming, failing)),
    Family(f"failing calls {USED}", 100, partial(while_used, failing)),
    Family(
        "resumption of random configs",
        120,
        partial(while_training, stopped, invented, [1, 1, 2, 4]),
    ),
]
