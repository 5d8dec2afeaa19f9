"""The training state is valid, or refused before anything resumes from it."""

import copy
import io
import math
import random

import pytest
import torch
from tiny_run import SquaredError, TinyLoader, TinyModel, make
from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from base.checkpoint import load_checkpoint, newest_checkpoint
from base.checkpoint_checks import like
from base.optimizer_step import OptimizerStep
from parse_config import choices
from utils.checks import CheckpointError


def one_cycle(optimizer, steps):
    return lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps)


OPTIONS = {
    "truncate": 3,
    "accumulate": 2,
    "ema_decay": 0.8,
    "weight_noise": "adaptive",
    "steps_per_epoch": 4,
    "scheduler": one_cycle,
    "time_limit_minutes": 1e-9,
}
"""Of a run that is stopped after its first step, amid the chunks of its first batches."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Return the newest checkpoint of a run that has something of everything, and its file."""
    folder = tmp_path_factory.mktemp("stopped")
    trainer = make(folder, **OPTIONS)
    trainer.train()
    path, checkpoint, _ = newest_checkpoint(trainer.run.models)
    assert checkpoint["training"]["progress"]["chunk"] == 1
    return path, checkpoint


def go_on(folder, checkpoint, **options):
    """Save a checkpoint, load it, and resume from it to the end of a short run."""
    path = folder / "changed.pth"
    torch.save(checkpoint, path)
    options = OPTIONS | {"time_limit_minutes": None, "epochs": 1, "steps_per_epoch": 3} | options
    run = f"run-{len(list(folder.glob('models/tiny/*')))}"
    trainer = make(folder, run, checkpoint=load_checkpoint(path), source=path, **options)
    trainer.train()
    return trainer


def changed(checkpoint, keys, value):
    """Return a copy of a checkpoint with another value, or without one if that is `del`."""
    checkpoint = copy.deepcopy(checkpoint)
    holder = checkpoint["training"]
    for key in keys[:-1]:
        holder = holder[key]
    if value is del_:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = value
    return checkpoint


del_ = object()


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("progress", "epoch"), "one", "training.progress.epoch = 'one': a whole number from 0"),
        (("progress", "step"), -1, "progress.step = -1: a whole number"),
        (("progress", "step"), True, "progress.step = True: a whole number"),
        (("progress", "batch"), 5, "training.progress.batch = 5: a whole number from 0 to 4"),
        (("progress", "epoch_pass"), 10**6, "progress.epoch_pass = 1000000: a whole number from 0"),
        (("progress", "best"), math.nan, "training.progress.best = nan: a finite number"),
        (("progress", "chunk"), del_, "training.progress.chunk is missing"),
        (("sums", "seconds"), -1.0, "training.sums.seconds = -1.0: a finite number, at least 0"),
        (("batches",), math.nan, "training.batches = nan: a whole number from 1"),
        (("accumulate",), 0, "training.accumulate = 0: a whole number from 1"),
        (("rows", 1), torch.tensor([1, 1]), "rows.1 = a tensor (2,) of int64: rows from 0 on"),
        (("rows", 1), None, "training.rows.1 = None: a tensor"),
        (("rows",), [], "training.rows = []: a list of 2"),
        (("states", 1, "hidden"), torch.zeros(1, 5), "hidden = a tensor (1, 5) of float32: a ten"),
        (("states", 1), {}, "training.states.1.hidden is missing"),
        (("metrics", 0, "sum"), torch.zeros(2), "metrics.0.sum = a tensor (2,) of float32: a tens"),
        (("event_sizes",), {"a": -1}, "training.event_sizes.a = -1: a whole number from 0"),
        (("random_state", "torch"), torch.zeros(7, dtype=torch.uint8), "of the shape (5056)"),
        (
            ("random_state", "torch"),
            torch.full((5056,), 255, dtype=torch.uint8),
            "not the state of a g",
        ),
        (("random_state", "python", 1, 624), 625, "python.1.624 = 625: a whole number from 0 to"),
        (("random_state", "python", 1), [1], "random_state.python.1 = [1]: a list of 625"),
        (("random_state", "numpy", 0), "PCG", "random_state: not the state of a generator"),
        (("random_state", "numpy"), del_, "training.random_state.numpy is missing"),
        (("update", "averaged"), 1.5, "training.update.averaged = 1.5: a whole number"),
        (("update", "model"), {"layer": 3}, "training.update.model.layer = 3: a tensor"),
        (("update", "scaler"), {"scale": 0.0}, "training.update.scaler.growth_factor is missing"),
        (("update", "weight_noise", "log_stds", 0), torch.zeros(2), "log_stds.0 = a tensor (2,) o"),
        (("update", "optimizer", "state", 0, "exp_avg"), torch.zeros(12, 4), "or the shape (12, 3"),
        (
            ("update", "optimizer", "state", 0, "exp_avg"),
            torch.zeros(12, 1),
            "does not fit the set",
        ),
        (("update", "optimizer", "state", 1, "exp_avg"), del_, "does not fit the settings"),
        (("update", "optimizer", "state", 0, "step"), torch.tensor(-1.0), "step = -1.0: a finite"),
        (("update", "optimizer", "state", 0, "step"), torch.tensor(math.nan), "contains NaN"),
        (("update", "optimizer", "state", 9), {}, "name in training.update.optimizer.state = 9"),
        (("update", "optimizer", "param_groups", 0, "betas"), [1.0, 0.9], "does not fit the s"),
        (("update", "optimizer", "param_groups", 0, "eps"), del_, "param_groups.0.eps is missing"),
        (("update", "optimizer", "param_groups", 0, "eps"), 1e9, "eps = 1000000000.0: 1e-08, as a"),
        (("update", "optimizer", "param_groups", 0, "lr"), 1e300, "not fit the settings"),
        (("update", "optimizer", "param_groups", 0, "params"), [0], "params = [0]: [0, 1, 2, 3, 4"),
        (("update", "lr_scheduler", "total_steps"), 0, "total_steps = 0: 3, as at the start"),
        (("update", "lr_scheduler", "last_epoch"), 2.5, "last_epoch = 2.5: a whole number"),
        (("update", "lr_scheduler", "_schedule_phases"), del_, "_schedule_phases is missing"),
        (("update", "lr_scheduler"), None, "training.update.lr_scheduler = None: a dictionary"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_an_error_names_the_key_the_value_and_what_is_right(
    tmp_path, stopped, keys, value, message
):
    options = {"epochs": 3, "steps_per_epoch": 4}
    if keys[:2] == ("update", "lr_scheduler"):
        message = message.replace(": 3, as", ": 12, as")
    with pytest.raises(CheckpointError) as caught:
        go_on(tmp_path, changed(stopped[1], keys, value), **options)
    assert message in str(caught.value) and "changed.pth: " in str(caught.value)
    assert str(caught.value).count("\n") == 0 and len(str(caught.value)) < 500


def leaves(value, keys=()):
    """Return the keys of all that `value` holds, containers and what is in them."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, child in children:
        found.append((*keys, key))
        if isinstance(child, dict | list | tuple) and len(child) < 100:
            found += leaves(child, (*keys, key))
    return found


ODD = [
    *(None, True, -1, 0, 1, 7, 10**6, 2**63, -0.5, 1.5, 1e300, math.nan, math.inf, "", "x"),
    *([], {}, [1], {"a": 1}, {1: 2}, (), del_, torch.zeros(()), torch.zeros(2, 2)),
    *(torch.full((4,), math.nan), torch.ones(3, dtype=torch.int64), torch.zeros(0)),
]


@pytest.mark.slow
def test_whatever_is_changed_the_run_resumes_or_says_what_is_wrong(tmp_path, stopped):
    seed, refused, count = 20, 0, 60
    draws = random.Random(seed)
    places = leaves(stopped[1]["training"])
    assert len(places) > 200
    for number in range(count):
        keys, value = draws.choice(places), draws.choice(ODD)
        holder = stopped[1]["training"]
        for key in keys[:-1]:
            holder = holder[key]
        if isinstance(holder, tuple):  # it cannot be changed in place
            keys, value = keys[:-1], (value, *holder)
        try:
            go_on(tmp_path, changed(stopped[1], keys, value))
        except CheckpointError as error:
            refused += 1
            assert len(str(error)) < 1000 and str(error).count("\n") < 8
        except BaseException as error:
            raise AssertionError(f"seed {seed}, change {number}: {keys} = {value!r}") from error
    assert count / 2 < refused < count, "some changes are harmless"


def test_a_position_that_the_data_does_not_have_restarts_the_batch(tmp_path, stopped, caplog):
    for number, (keys, value) in enumerate(
        [
            (("progress", "chunk"), 99),
            (("rows", 1), torch.tensor([0, 7])),
        ]
    ):
        checkpoint = changed(stopped[1], keys, value)
        if keys[0] == "rows":
            checkpoint = changed(checkpoint, ("states", 1, "hidden"), torch.zeros(2, 4))
        trainer = go_on(tmp_path, checkpoint)
        assert trainer.progress.epoch == 1
        assert caplog.text.count("restarting a batch") == number + 1


SCHEDULES = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [1, 3, 3]},
    "ConstantLR": {"total_iters": 3},
    "LinearLR": {"total_iters": 3},
    "ExponentialLR": {"gamma": 0.5},
    "PolynomialLR": {"total_iters": 9},
    "CosineAnnealingLR": {"T_max": 9},
    "ReduceLROnPlateau": {"patience": 0},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 2},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 9},
}
EVERY = [
    *((name, {}, None) for name in choices(Optimizer)),
    *(("SGD", {"momentum": 0.9}, name) for name in choices(LRScheduler)),
    ("Adam", {"amsgrad": True}, "OneCycleLR"),
    ("RMSprop", {"centered": True, "momentum": 0.5}, "CyclicLR"),
    ("GravesRMSprop", {}, "CosineAnnealingWarmRestarts"),
]


def update_of(optimizer, arguments, schedule):
    torch.manual_seed(4)
    model = TinyModel(dropout=0.0)
    model.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
    built = choices(Optimizer)[optimizer](model.parameters(), **{"lr": 0.01} | arguments)
    scheduler = None
    if schedule is not None:
        scheduler = choices(LRScheduler)[schedule](built, **SCHEDULES[schedule])
    return OptimizerStep(
        model, built, scheduler, "cpu", schedule_by="epoch", weight_noise="adaptive"
    )


def steps(update, count):
    torch.manual_seed(count)
    for number in range(count):
        batch = next(iter(TinyLoader()))
        update.start()
        with update.noisy():
            update.backward(SquaredError()(update.model(batch.inputs), batch).sum())
        assert math.isfinite(update.step(batch.points, 0.01))
        update.end_epoch(1.0 + number)


@pytest.mark.parametrize(
    ("optimizer", "arguments", "schedule"), EVERY, ids=lambda value: str(value) if value else "-"
)
def test_the_state_of_each_optimiser_and_schedule_goes_through(optimizer, arguments, schedule):
    assert SCHEDULES.keys() == choices(LRScheduler).keys()
    for before in (0, 2):
        first = update_of(optimizer, arguments, schedule)
        steps(first, before)
        file = io.BytesIO()
        torch.save([first.state_dict(), first.model.state_dict()], file)
        file.seek(0)
        state, weights = torch.load(file, weights_only=True)
        second = update_of(optimizer, arguments, schedule)
        second.load_state_dict(state, weights, "file.pth", before, before)
        for update in (first, second):
            steps(update, 3)
        for one, other in zip(first.weights, second.weights, strict=True):
            assert torch.equal(one, other)
        assert first.learning_rate == second.learning_rate


def test_a_setting_that_needs_what_the_former_run_did_not_keep():
    first = update_of("RMSprop", {}, None)
    steps(first, 2)
    second = update_of("RMSprop", {"momentum": 0.9}, None)
    with pytest.raises(CheckpointError, match=r"^file\.pth: training\.update\.optimizer: "):
        second.load_state_dict(first.state_dict(), first.model.state_dict(), "file.pth", 2, 2)


def test_an_average_of_squares_that_became_infinite_is_kept():
    first = update_of("Adam", {}, None)
    steps(first, 2)
    first.optimizer.state[first.weights[1]]["exp_avg_sq"][0, 0] = math.inf
    second = update_of("Adam", {}, None)
    second.load_state_dict(first.state_dict(), first.model.state_dict(), "file.pth", 2, 2)
    steps(second, 1)


def test_like_takes_an_example_and_nothing_else():
    check = like({"a": 1.5, "b": [1, "x"], "c": None, "d": torch.zeros(2)})
    right = {"a": 2, "b": (0.5, "y"), "c": None, "d": torch.ones(2)}
    check(right, "key")
    for name, value in (
        ("a", "1"),
        ("a", math.inf),
        ("b", [1]),
        ("b", [1, 2]),
        ("c", 0),
        ("d", torch.ones(3)),
        ("d", torch.ones(2, dtype=torch.float64)),
    ):
        with pytest.raises(CheckpointError, match=rf"^key\.{name}"):
            check(right | {name: value}, "key")
    like(math.inf)(-math.inf, "key")
