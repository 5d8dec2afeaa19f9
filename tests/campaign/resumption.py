"""Runs of random configs, stopped by a signal or a time limit, once or several times, and resumed:
bit for bit what they come to without a stop."""

import hashlib
import json
import random
import shutil
import signal
from pathlib import Path
from typing import Any

from tests.campaign.disk import kill_at
from tests.campaign.frame import Family, demand, once, run, start
from tests.campaign.tiny import (
    ATTENTIVE,
    CONFIG,
    READER,
    REGRESSION,
    RUN,
    TRAIN,
    WRITER,
    changed,
    check_no_traceback,
    check_same,
    check_tidy,
    check_told,
    check_whole,
    go_on,
    last_line,
    next_words,
    trained,
    write,
)

AUGMENTATION: list[list[dict[str, Any]]] = [
    [],
    [{"type": "InputNoise", "args": {"std": 0.1}}],
    [
        {"type": "Scale", "args": {"low": 0.9, "high": 1.1}},
        {"type": "Slant", "args": {"degrees": 10.0}},
    ],
]
BY_EPOCH = [
    None,
    {"type": "ExponentialLR", "args": {"gamma": 0.5}},
    {"type": "CosineAnnealingLR"},
    {"type": "ReduceLROnPlateau", "args": {"patience": 0}},
]
BY_BATCH = [None, {"type": "OneCycleLR"}, {"type": "CosineAnnealingLR"}]
OPTIMIZERS = [
    {"type": "GravesRMSprop", "args": {"lr": 0.003}},
    {"type": "AdamW", "args": {"lr": 0.003}},
    {"type": "SGD", "args": {"lr": 0.001, "momentum": 0.9}},
]
LIMIT = "trainer.args.time_limit_minutes"


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
        "weight_noise": rng.choice(["off", "off", "fixed", "adaptive"]),
        "truncate": rng.choice([None, 5]) if writes else None,
        "steps_per_epoch": rng.choice([None, 4]),
        "schedule_by": rng.choice(["batch", "epoch"]),
        "tensorboard": rng.random() < 0.2,
        "time_limit_minutes": None,
    }
    if not writes:
        settings["samples"] = 0
    by_batch = settings["schedule_by"] == "batch"
    if settings["truncate"] and not settings["steps_per_epoch"]:
        by_batch, settings["schedule_by"] = False, "epoch"
    schedule = rng.choice(BY_BATCH if by_batch else BY_EPOCH)
    return changed(
        CONFIG,
        kind
        | {f"trainer.args.{name}": value for name, value in settings.items()}
        | {
            "data_loader.args.batch_size": rng.choice([1, 2, 3]),
            "data_loader.args.num_workers": rng.choice([0, 0, 0, 2]),
            "data_loader.args.augmentation": rng.choice(AUGMENTATION),
            "optimizer": rng.choice(OPTIMIZERS),
            "lr_scheduler": schedule,
        },
    )


def resumed(rng: random.Random, folder: Path) -> None:
    """Stop a run of a random config, once or several times, and resume it."""
    config = invented(rng)
    whole = trained(config)
    for _ in range(rng.choice([1, 1, 2, 4])):
        words = next_words()
        if rng.random() < 0.3:
            done = run([*words, "-o", f"{LIMIT}={rng.choice([0.0, 0.001])}"])
            expected = {0}
        elif rng.random() < 0.5:
            number = rng.randrange(len(whole.calls))
            stop = kill_at(number, after=False, signals=(signal.SIGINT,))
            done, expected = run([*words, "-o", f"{LIMIT}=null"], hook=stop), {0, 130}
        else:
            process = start([*words, "-o", f"{LIMIT}=null"])
            moment = rng.uniform(0, whole.seconds)
            process.wait_for(lambda process=process, end=moment: process.seconds() >= end)
            process.send(signal.SIGINT)
            done, expected = process.wait(), {0, 130}
        check_no_traceback(done)
        demand(done.status in expected, f"stopped, it ended with {done.status}: {last_line(done)}")
        check_told(done)
    go_on("-o", f"{LIMIT}=null")
    check_same(whole)
    check_whole(folder / "saved")
    check_tidy(folder)


def stopped_halfway(config: dict[str, Any]) -> Path:
    """Return a folder in which a run of a config was stopped, once for all trials."""
    key = hashlib.sha256(json.dumps(config).encode()).hexdigest()[:16]
    calls = len(trained(config).calls)
    with once(f"stopped-{key}") as folder:
        work = folder / "work"
        if not (folder / "done").exists():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            write(work / "config.json", config)
            stop = kill_at(calls // 2, after=False, signals=(signal.SIGTERM,))
            done = run(TRAIN, hook=stop, cwd=work)
            demand(done.status == 143, f"SIGTERM, and it ended with {done.status}")
            demand((work / RUN).exists(), "it did not begin")
            (folder / "done").touch()
    return work


FAMILIES = [Family("resumption of random configs", 120, resumed)]
