"""The training state of a checkpoint fits, or is refused before anything resumes from it."""

import io
import math
from types import SimpleNamespace

import pytest
import torch
from tiny_run import EVERYTHING, SquaredError, TinyLoader, TinyModel, trained
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from base.base_data_loader import Chunk, Position
from base.run.checkpoint import load_checkpoint, newest_checkpoint
from base.run.run_state import RunState
from base.run.training_parts import TrainingSettings
from base.step.step import OptimizerStep
from parse_config import config_binder
from tests.tiny_config import changed
from utils.checks import CheckpointError

OPTIONS = EVERYTHING | {"time_limit_minutes": 1e-9}
"""Of a run that is stopped after its first step, amid the chunks of its first batches."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Return the newest checkpoint of a run that has something of everything, and its file."""
    folder = tmp_path_factory.mktemp("stopped")
    trainer = trained(folder, **OPTIONS)
    path, checkpoint = newest_checkpoint(trainer.run.models)
    assert checkpoint["training"]["run"]["position"]["chunk"] == 1
    return path, checkpoint


def go_on(folder, checkpoint, **options):
    """Save a checkpoint, load it, and resume from it to the end of a short run."""
    path = folder / "changed.pth"
    torch.save(checkpoint, path)
    options = OPTIONS | {"time_limit_minutes": None, "epochs": 1, "steps_per_epoch": 3} | options
    run = f"run-{len(list(folder.glob('models/tiny/*')))}"
    return trained(folder, run, checkpoint=load_checkpoint(path), source=path, **options)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("position", "chunk"), ..., "does not fit (KeyError: 'chunk')"),
        (
            ("metric_sums", 0, "sum"),
            torch.zeros(2),
            "does not fit (ValueError: sum of Mea",
        ),
        (("metric_sums", 0), {"other": 1}, "does not fit (KeyError: 'sum')"),
        (("random_state", "torch"), torch.full((5056,), 255, dtype=torch.uint8), "does not fit"),
        (("random_state", "python", 1, 624), 625, "does not fit"),
        (("random_state", "numpy", 2), 625, "is no valid position in the state"),
        (("parts", "average", "n_averaged"), "x", "does not fit"),
        (
            ("parts", "model"),
            {"layer": torch.ones(3)},
            "do not fit the config's architecture",
        ),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_state_that_does_not_fit_is_refused_briefly(tmp_path, stopped, keys, value, message):
    with pytest.raises(CheckpointError) as caught:
        other = changed(stopped[1], {("training", "run", *keys): value})
        go_on(tmp_path, other, epochs=3, steps_per_epoch=4)
    assert message in str(caught.value) and str(caught.value).startswith(str(tmp_path))
    assert message.startswith("do not fit") or str(caught.value).count("\n") == 0


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
CHOICES = config_binder().registry.choices
EVERY = [
    *((name, {}, None) for name in CHOICES(Optimizer)),
    *(("SGD", {"momentum": 0.9}, name) for name in CHOICES(LRScheduler)),
    ("Adam", {"amsgrad": True}, "OneCycleLR"),
    ("RMSprop", {"centered": True, "momentum": 0.5}, "CyclicLR"),
    ("GravesRMSprop", {}, "CosineAnnealingWarmRestarts"),
]


def update_of(optimizer, arguments, schedule):
    torch.manual_seed(4)
    model = TinyModel(dropout=0.0)
    model.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
    built = CHOICES(Optimizer)[optimizer](model.parameters(), **{"lr": 0.01} | arguments)
    scheduler = None
    if schedule is not None:
        scheduler = CHOICES(LRScheduler)[schedule](built, **SCHEDULES[schedule])
    options = {"schedule_by": "epoch", "weight_noise": "fixed", "monitor": "min loss"}
    settings = TrainingSettings(epochs=1, **options)
    device = torch.device("cpu")
    parts = SimpleNamespace(model=model, optimizer=built, lr_scheduler=scheduler, device=device)
    parts.loss, parts.metrics = SquaredError(), ()
    return OptimizerStep(parts, settings, lambda model, batch, _: model(batch.inputs), pytest.fail)


def state_of(update):
    names = ("model", "average", "optimizer", "lr_scheduler")
    return RunState({name: getattr(update, name) for name in names})


def steps(update, count):
    torch.manual_seed(count)
    for number in range(count):
        batch = next(iter(TinyLoader()))
        chunks = [Chunk(batch, len(batch), Position())]
        update.start(number)
        with update.noisy():
            update.add_gradients(chunks)
        assert math.isfinite(update.apply_gradients(chunks))
        update.end_epoch({"loss": 1.0 + number})


@pytest.mark.parametrize(
    ("optimizer", "arguments", "schedule"), EVERY, ids=lambda value: str(value) if value else "-"
)
def test_states_of_all_optimisers_and_schedules_are_read_back(optimizer, arguments, schedule):
    assert SCHEDULES.keys() == CHOICES(LRScheduler).keys()
    for before in (0, 2):
        first = update_of(optimizer, arguments, schedule)
        steps(first, before)
        file = io.BytesIO()
        torch.save(state_of(first).state_dict(), file)
        file.seek(0)
        second = update_of(optimizer, arguments, schedule)
        state = torch.load(file, weights_only=True)
        state_of(second).load_state_dict(state, "file.pth")
        for update in (first, second):
            steps(update, 3)
        for weight, other in zip(first.weights, second.weights, strict=True):
            assert torch.equal(weight, other)
        assert first.learning_rate == second.learning_rate
