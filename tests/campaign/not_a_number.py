"""Numbers that are none, in ink, loss, gradient or weights, at a random moment of a training.

A step that meets one is skipped, or the run ends with an error; no checkpoint holds one.
"""

import math
import random
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from base.base_trainer import BaseTrainer, TrainingFailed
from base.checkpoint import BEST, load_checkpoint
from base.optimizer_step import OptimizerStep
from tests.base import tiny_run
from tests.campaign.damage import check_message, tensors
from tests.campaign.frame import Family, demand

EPOCHS, STEPS = 3, 5
"""Of the training: 13 sequences in batches of 3."""

KINDS = (
    {},
    {"accumulate": 2},
    {"truncate": 3},
    {"ema_decay": 0.8},
    {"weight_noise": "adaptive"},
    {"weight_noise": "fixed", "clip_norm": 1.0},
    {"precision": "bfloat16"},
    {"optimizer": "SGD"},
)
NUMBERS = (math.nan, math.inf, -math.inf)


def around(owner: type, name: str, calls: range, changed: Callable) -> list:
    """Let some calls of a method be those of `changed(method, *arguments)`."""
    sound, number = getattr(owner, name), count()

    def method(*args):
        return changed(sound, *args) if next(number) in calls else sound(*args)

    return [patch.object(owner, name, method)]


def in_ink(rng: random.Random, number: float, at: int, more: int) -> list:
    """A point of some samples, in every epoch."""
    chosen, sound = rng.sample(tiny_run.TRAIN, rng.choice((1, 1, 3))), tiny_run.sequence
    share, column = rng.random(), rng.randrange(2)

    def sequence(index: int):
        ink = sound(index)
        if index in chosen:
            ink[int(share * len(ink)), column] = number
        return ink

    return [patch.object(tiny_run, "sequence", sequence)]


def in_loss(rng: random.Random, number: float, at: int, more: int) -> list:
    """The loss of a sequence."""
    calls = range(at, at + more + 1)
    return around(tiny_run.SquaredError, "__call__", calls, lambda sound, *a: sound(*a) * number)


def in_gradient(rng: random.Random, number: float, at: int, more: int) -> list:
    """An element of the gradient of one weight."""
    share, which = rng.random(), rng.random()

    def step(sound: Callable, update: OptimizerStep, *args) -> float:
        gradients = [w.grad for w in update.weights if w.grad is not None]
        spoil(gradients, which, share, number)
        return sound(update, *args)

    return around(OptimizerStep, "step", range(at, at + more + 1), step)


def in_weight(rng: random.Random, number: float, at: int, more: int) -> list:
    """An element of a weight, as a fault of the machine leaves it."""
    share, which = rng.random(), rng.random()

    def step(sound: Callable, trainer: BaseTrainer) -> float:
        spoil([w.data for w in trainer.optimizer_step.weights], which, share, number)
        return sound(trainer)

    return around(BaseTrainer, "_train_step", range(at, at + 1), step)


def spoil(tensors: list[Tensor], which: float, share: float, number: float) -> None:
    """Put a number into one of the tensors, at a share of its length."""
    flat = tensors[int(which * len(tensors))].view(-1)
    flat[int(share * len(flat))] = number


def train(saved: Path, checkpoint: Path | None = None, **options) -> TrainingFailed | None:
    """Train, or resume, and return the error in which the run ended."""
    content = None if checkpoint is None else load_checkpoint(checkpoint)
    made = tiny_run.make(saved, checkpoint=content, source=checkpoint, **options)
    try:
        made.train()
    except TrainingFailed as error:
        return error
    return None


def injected(into: Callable[..., list], rng: random.Random, folder: Path) -> None:
    """One training into which a number is put at a step; then the run is resumed undisturbed."""
    number, at = rng.choice(NUMBERS), rng.randrange(EPOCHS * STEPS)
    more = rng.choice((0, 0, 1, 40))
    options = rng.choice(KINDS) | {
        "epochs": EPOCHS,
        "save_minutes": rng.choice((0.0, 10.0)),
        "max_skipped": rng.choice((1, 2, 30)),
        "keep_last": None,
        "lr": 0.01,
    }
    with ExitStack() as stack:
        for patched in into(rng, number, at, more):
            stack.enter_context(patched)
        error = train(folder, **options)
    if error is not None:
        check_message(str(error))
    kept = sorted((folder / "models" / "tiny" / "run").glob("*.pth"))
    for path in kept:
        content = load_checkpoint(path)
        held = {**content["training"]["update"], "evaluated": content["state_dict"]}
        for name, value in held.items():
            finite = all(bool(torch.isfinite(t).all()) for t in tensors(value))
            demand(finite, f"{path.name} holds numbers that are none ({name})")
    demand(error is not None or kept, "the run ended well and left nothing")
    newest = max(kept, key=lambda path: load_checkpoint(path)["step"], default=None)
    if newest is not None and newest.name != BEST:
        left = train(folder, newest, **options)
        demand(left is None, f"it does not resume from {newest.name}: {left}")


FAMILIES = [
    Family(
        f"not a number in {where}", 18, lambda rng, folder, into=into: injected(into, rng, folder)
    )
    for where, into in (
        ("ink", in_ink),
        ("a loss", in_loss),
        ("a gradient", in_gradient),
        ("a weight", in_weight),
    )
]
