"""The training loop: what each option does, worked out by hand on a network of a few weights."""

import copy
import csv
import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_run import (
    TRAIN,
    VALID,
    ChunkTrainer,
    MeanPrediction,
    SquaredError,
    TinyModel,
    TinyTrainer,
    make,
    sequence,
    weights,
)
from torch import nn
from torch.optim import lr_scheduler

from base.base_trainer import BaseTrainer, TrainingFailed
from base.checkpoint import BEST, load_checkpoint, newest_checkpoint
from base.weight_noise import AdaptiveWeightNoise
from utils.checks import CheckpointError, ConfigFault


def rows(trainer):
    with open(trainer.run.metrics_file, newline="") as file:
        return list(csv.DictReader(file))


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def close(first, second, tolerance=1e-6):
    return all(
        torch.allclose(first[name], second[name], atol=tolerance, rtol=1e-4) for name in first
    )


def batch_of(trainer, data_pass=0, first=0, last=None):
    """Return the samples of some batches of a pass, in the order of the loader."""
    batches = trainer.train_loader.sampler_of_batches.batches(data_pass)[first:last]
    return [int(index) for batch in batches for index in batch]


def summed_gradient(model, indices):
    """Return the gradient of the squared errors of samples taken one by one, and their steps."""
    model = copy.deepcopy(model).eval()
    model.zero_grad()
    points = 0
    for index in indices:
        ink = torch.from_numpy(sequence(index))
        output = model(ink[None, :-1])
        (output.prediction[0] - ink[1:]).square().sum().backward()
        points += len(ink) - 1
    return {name: weight.grad for name, weight in model.named_parameters()}, points


def error_of(model, indices):
    """Return the summed squared errors of samples taken one by one, and their steps."""
    model = copy.deepcopy(model).eval()
    total, points = 0.0, 0
    for index in indices:
        ink = torch.from_numpy(sequence(index))
        with torch.no_grad():
            total += (model(ink[None, :-1]).prediction[0] - ink[1:]).double().square().sum().item()
        points += len(ink) - 1
    return total, points


# One step.


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("by_points", [True, False])
def test_a_step_divides_the_summed_gradient_once(tmp_path, accumulate, by_points):
    trainer = make(
        tmp_path,
        trainer=TinyTrainer,
        optimizer="SGD",
        dropout=0.0,
        by_points=by_points,
        accumulate=accumulate,
        steps_per_epoch=1,
        epochs=1,
    )
    model = copy.deepcopy(trainer.model)
    indices = batch_of(trainer, last=accumulate)
    assert len(indices) == 3 * accumulate
    gradient, points = summed_gradient(model, indices)
    expected = {
        name: weight - 0.05 * gradient[name] / (points if by_points else len(indices))
        for name, weight in model.named_parameters()
    }
    trainer.train()
    assert close(expected, weights(trainer))
    assert trainer.progress.step == 1


def test_the_last_group_of_a_pass_may_be_smaller(tmp_path):
    trainer = make(tmp_path, accumulate=2, epochs=2)  # 5 batches: 3 steps a pass
    trainer.train()
    assert trainer.progress.step == 6 and trainer.stream.position.data_pass == 2


def test_clipping_by_norm(tmp_path):
    moved = {}
    for clip_norm in (None, 0.01):
        trainer = make(
            tmp_path,
            str(clip_norm),
            optimizer="SGD",
            lr=1.0,
            dropout=0.0,
            clip_norm=clip_norm,
            steps_per_epoch=1,
            epochs=1,
        )
        before = weights(trainer)
        trainer.train()
        moved[clip_norm] = {name: before[name] - new for name, new in weights(trainer).items()}
        norm = math.sqrt(sum(float(part.square().sum()) for part in moved[None].values()))
        # What is logged is the norm before clipping.
        assert float(rows(trainer)[0]["gradient_norm"]) == pytest.approx(norm, rel=1e-4)
    assert norm > 0.1
    assert close({n: 0.01 / norm * part for n, part in moved[None].items()}, moved[0.01], 1e-7)


def test_moving_average(tmp_path):
    seen = []

    class Watching(ChunkTrainer):
        def _train_step(self):
            loss = super()._train_step()
            seen.append(weights(self))
            return loss

    trainer = make(tmp_path, trainer=Watching, ema_decay=0.9, epochs=1)
    trainer.train()
    expected = seen[0]
    for later in seen[1:]:
        expected = {n: 0.9 * value + 0.1 * later[n] for n, value in expected.items()}
    checkpoint = load_checkpoint(trainer.run.models / "checkpoint-epoch1.pth")
    assert close(expected, checkpoint["state_dict"])
    assert same(seen[-1], checkpoint["training"]["update"]["model"])
    assert not close(seen[-1], checkpoint["state_dict"])
    # Validation is with the average.
    model = TinyModel()
    model.load_state_dict(checkpoint["state_dict"])
    total, _ = error_of(model, VALID)
    assert float(rows(trainer)[0]["valid_error"]) == pytest.approx(total / len(VALID), rel=1e-5)


@pytest.mark.parametrize("kind", ["fixed", "adaptive"])
def test_weight_noise_is_on_the_weights_of_each_step(tmp_path, kind):
    options = dict(optimizer="SGD", dropout=0.0, steps_per_epoch=2, epochs=1, lr=0.0)
    seen = []

    class Watching(ChunkTrainer):
        def run_part(self, model, batch, chunk=None, state=None):
            if model.training:
                seen.append(weights(self))
            return super().run_part(model, batch, chunk, state)

    trainer = make(
        tmp_path, trainer=Watching, weight_noise=kind, weight_noise_std=0.3, accumulate=2, **options
    )
    before = weights(trainer)
    trainer.train()
    # One draw a step, the same for all its batches; without a learning rate the means stay.
    assert len(seen) == 4 and same(seen[0], seen[1]) and not same(seen[0], seen[2])
    assert same(before, weights(trainer))
    noise = torch.cat([(seen[0][n] - before[n]).flatten() for n in before])
    # 115 draws: 5 standard errors of a standard deviation are 33 % (chance 6e-7).
    assert len(noise) == 123 and 0.2 < float(noise.std()) < 0.4
    assert float(rows(trainer)[0]["valid_error"]) == pytest.approx(
        error_of(trainer.model, VALID)[0] / len(VALID), rel=1e-5
    )


@pytest.mark.parametrize("by_points", [True, False])
def test_adaptive_noise_adds_the_description_length(tmp_path, by_points):
    """Against autograd through the whole loss of a step, with the same draws of noise."""
    trainer = make(
        tmp_path,
        optimizer="SGD",
        lr=0.3,
        dropout=0.0,
        by_points=by_points,
        weight_noise="adaptive",
        steps_per_epoch=1,
        epochs=1,
    )
    assert isinstance(trainer.optimizer_step.noise, AdaptiveWeightNoise)
    names = [name for name, _ in trainer.model.named_parameters()]
    means = [weight.detach().clone().requires_grad_() for weight in trainer.model.parameters()]
    log_stds = [
        part.detach().clone().requires_grad_() for part in trainer.optimizer_step.noise.parameters()
    ]
    model, indices = copy.deepcopy(trainer.model), batch_of(trainer, last=1)
    trainer.train()

    noisy = {
        name: mean + log_std.exp() * noise
        for name, mean, log_std, noise in zip(
            names, means, log_stds, trainer.optimizer_step.noise._noise, strict=True
        )
    }
    error, points = 0.0, 0
    for index in indices:
        ink = torch.from_numpy(sequence(index))
        output = torch.func.functional_call(model, noisy, (ink[None, :-1],))
        error = error + (output.prediction[0] - ink[1:]).square().sum()
        points += len(ink) - 1
    flat_means = torch.cat([mean.flatten() for mean in means])
    flat_stds = torch.cat([log_std.flatten() for log_std in log_stds]).exp()
    centre = flat_means.mean()
    variance = (flat_stds**2 + (flat_means - centre) ** 2).mean()
    divergence = torch.distributions.kl_divergence(
        torch.distributions.Normal(flat_means, flat_stds),
        torch.distributions.Normal(centre, variance.sqrt()),
    ).sum()
    # To the loss of each of the 3 sequences comes a 13th, as there are 13 to train on.
    loss = error + len(indices) * divergence / len(TRAIN)
    (loss / (points if by_points else len(indices))).backward()
    for name, mean in zip(names, means, strict=True):
        torch.testing.assert_close(weights(trainer)[name], mean.detach() - 0.3 * mean.grad)
    for part, log_std in zip(trainer.optimizer_step.noise.parameters(), log_stds, strict=True):
        torch.testing.assert_close(part.detach(), log_std.detach() - 0.3 * log_std.grad)
    logged = float(rows(trainer)[0]["weight_noise_divergence"])
    assert logged == pytest.approx(float(trainer.optimizer_step.noise.divergence()) / len(TRAIN))


def test_what_adaptive_noise_learns_follows_the_schedule(tmp_path):
    """A schedule that ends at a rate of 0 after two steps leaves ln s as it is from there on."""
    stds = []

    class Watching(ChunkTrainer):
        def _train_step(self):
            loss = super()._train_step()
            stds.append([part.detach().clone() for part in self.optimizer_step.noise.parameters()])
            return loss

    make(
        tmp_path,
        trainer=Watching,
        scheduler=lambda optimizer, _: lr_scheduler.MultiStepLR(optimizer, [2], gamma=0.0),
        weight_noise="adaptive",
        epochs=1,
    ).train()
    moved = [not torch.equal(a[0], b[0]) for a, b in pairwise(stds)]
    assert moved == [True, False, False, False]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision(tmp_path, precision):
    trainer = make(tmp_path, precision=precision, epochs=1)
    trainer.train()
    assert {call["dtype"] for call in trainer.model.calls} == {getattr(torch, precision)}
    assert all(weight.dtype == torch.float32 for weight in trainer.model.parameters())
    assert trainer.model.calls[0]["gradient_scale"] == 1.0


class LinearModel(TinyModel):
    """Without a recurrent layer, which float16 lacks on a CPU."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.layer = nn.Identity()

    def forward(self, inputs, text=None, text_lengths=None, state=None):
        prediction = self.output(inputs @ torch.ones(3, 4).to(inputs))
        if self.training:
            self.calls.append({"scale": self.gradient_scale, "dtype": prediction.dtype})
        return type("Output", (), {"prediction": prediction.float(), "state": {}})()


def float16(tmp_path, monkeypatch, run, precision, **options):
    monkeypatch.setattr("tiny_run.TinyModel", LinearModel)
    return make(tmp_path, run, trainer=TinyTrainer, optimizer="SGD", precision=precision, **options)


def test_float16_scales_the_loss_and_not_the_step(tmp_path, monkeypatch):
    half = float16(tmp_path, monkeypatch, "half", "float16", epochs=1, clip_norm=1.0)
    half.optimizer_step.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    full = float16(tmp_path, monkeypatch, "full", "float32", epochs=1, clip_norm=1.0)
    assert half.optimizer_step.scaler.is_enabled() and not full.optimizer_step.scaler.is_enabled()
    before = weights(full)
    half.train()
    full.train()
    assert {call["dtype"] for call in half.model.calls} == {torch.float16}
    assert {call["scale"] for call in half.model.calls} == {1024.0}
    assert {call["scale"] for call in full.model.calls} == {1.0}
    names = ("output.weight", "output.bias")
    for name in names:
        assert torch.allclose(weights(half)[name], weights(full)[name], atol=5e-3)
        assert not torch.allclose(weights(half)[name], before[name], atol=2e-2)


def test_float16_lowers_the_scale_when_a_gradient_overflows(tmp_path, monkeypatch):
    trainer = float16(tmp_path, monkeypatch, "half", "float16", epochs=5)
    trainer.optimizer_step.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
    trainer.train()
    scales = [call["scale"] for call in trainer.model.calls]
    assert scales[0] == 2.0**30 and scales[1] == 2.0**29
    skipped = sum(int(row["skipped_steps"]) for row in rows(trainer))
    assert skipped == 5 * 5 - trainer.progress.step > 0
    saved = load_checkpoint(trainer.run.models / "checkpoint-epoch5.pth")
    assert (
        saved["training"]["update"]["scaler"]["scale"] == trainer.optimizer_step.scaler.get_scale()
    )
    again = float16(
        tmp_path,
        monkeypatch,
        "run2",
        "float16",
        epochs=6,
        checkpoint=saved,
        source=tmp_path / "elsewhere.pth",
    )
    assert again.optimizer_step.scaler.get_scale() == trainer.optimizer_step.scaler.get_scale()


@pytest.mark.parametrize(("optimizer", "decay"), [("AdamW", "weight_decay"), ("ASGD", "lambd")])
def test_what_decays_weights_leaves_the_size_of_the_noise_alone(tmp_path, optimizer, decay):
    """Graves 2011 has a prior for the weights and their widths, and no other pull on ln s."""
    trainer = make(tmp_path, optimizer=optimizer, weight_noise="adaptive", weight_noise_std=0.075)
    trainer.optimizer_step.optimizer.param_groups[0][decay] = 0.5
    stds = trainer.optimizer_step.noise.parameters()
    before = [log_std.detach().clone() for log_std in stds]
    trainer.optimizer_step.noise.add_gradients = lambda _: [
        setattr(log_std, "grad", torch.zeros_like(log_std)) for log_std in stds
    ]
    weight = trainer.optimizer_step.weights[0]
    start = weight.detach().abs().sum()
    for _ in range(100):
        for parameter in trainer.optimizer_step.weights:
            parameter.grad = torch.zeros_like(parameter)
        trainer.optimizer_step.step(1, 1.0)
    assert weight.abs().sum() < 0.9 * start  # The weights themselves do decay.
    assert all(map(torch.equal, stds, before))


# Steps that are not finite.


def test_a_step_that_is_not_finite_is_skipped_and_counted(tmp_path):
    trainer = make(tmp_path, loader={"broken": (4,)}, epochs=2, ema_decay=0.5)
    trainer.train()
    assert trainer.progress.step == 8  # one of five batches in each of two epochs
    assert [row["skipped_steps"] for row in rows(trainer)] == ["1", "1"]
    assert all(bool(torch.isfinite(value).all()) for value in weights(trainer).values())
    assert all(math.isfinite(float(row["error"])) for row in rows(trainer))


def test_a_gradient_that_is_not_finite_counts_as_well(tmp_path):
    class Exploding(ChunkTrainer):
        def run_part(self, model, batch, chunk=None, state=None):
            part = super().run_part(model, batch, chunk, state)
            if model.training and self.stream.position.batch == 2:
                part.output.prediction.register_hook(lambda gradient: gradient * math.inf)
            return part

    trainer = make(tmp_path, trainer=Exploding, epochs=1)
    trainer.train()
    assert trainer.progress.step == 4 and rows(trainer)[0]["skipped_steps"] == "1"


def test_a_skipped_step_changes_nothing(tmp_path):
    def schedule(optimizer, _):
        return lr_scheduler.ExponentialLR(optimizer, 0.5)

    trainer = make(
        tmp_path,
        loader={"broken": tuple(TRAIN)},
        scheduler=schedule,
        max_skipped=3,
        weight_noise="adaptive",
    )
    before, rate = weights(trainer), trainer.optimizer_step.optimizer.param_groups[0]["lr"]
    log_stds = copy.deepcopy(trainer.optimizer_step.noise.parameters())
    with pytest.raises(TrainingFailed):
        trainer.train()
    assert (
        same(before, weights(trainer))
        and rate == trainer.optimizer_step.optimizer.param_groups[0]["lr"]
    )
    assert all(map(torch.equal, log_stds, trainer.optimizer_step.noise.parameters()))


def test_too_many_in_a_row_end_the_run_with_the_last_good_weights(tmp_path):
    trainer = make(tmp_path, epochs=9, max_skipped=4)
    seen = []

    class Breaking(ChunkTrainer):
        def _train_step(self):
            if self.progress.step == 7:
                self.train_loader.dataset.broken = tuple(TRAIN)
                seen.append(weights(self))
            return super()._train_step()

    trainer.__class__ = Breaking
    with pytest.raises(TrainingFailed, match="4 steps in a row") as caught:
        trainer.train()
    path, checkpoint, _ = newest_checkpoint(trainer.run.models)
    assert f"last good step are in {path}" in str(caught.value)
    assert checkpoint["step"] == 7
    assert same(seen[0], checkpoint["state_dict"])
    # It can be resumed: the count begins anew.
    again = make(tmp_path, epochs=9, max_skipped=4, checkpoint=checkpoint, source=path)
    again.train()
    assert again.progress.epoch == 9


# Epochs, schedules, monitor.


def test_losses_are_sums_divided_once(tmp_path):
    trainer = make(tmp_path, epochs=1, optimizer="SGD", lr=0.0, dropout=0.0)
    trainer.train()
    (row,) = rows(trainer)
    for prefix, indices in (("", TRAIN), ("valid_", VALID)):
        total, points = error_of(trainer.model, indices)
        assert float(row[f"{prefix}error"]) == pytest.approx(total / len(indices), rel=1e-5)
        assert float(row[f"{prefix}error_per_point"]) == pytest.approx(total / points, rel=1e-5)
    assert float(row["points_per_second"]) > 0


def test_everything_logged_was_announced(tmp_path):
    trainer = make(tmp_path, epochs=1)
    trainer.train()
    announced = trainer.logged_names(SquaredError, [MeanPrediction])
    assert set(rows(trainer)[0]) == {"epoch", "step", "skipped_steps", *announced}
    assert {"error", "valid_error_per_point", "valid_mean_prediction"} <= set(announced)


def test_an_epoch_of_so_many_steps_goes_on_where_the_last_one_ended(tmp_path):
    trainer = make(tmp_path, steps_per_epoch=3, epochs=4)
    trainer.train()
    assert [row["step"] for row in rows(trainer)] == ["3", "6", "9", "12"]
    assert (trainer.stream.position.data_pass, trainer.stream.position.batch) == (2, 2)
    loader = trainer.train_loader
    order = [batch for one in range(3) for batch in loader.sampler_of_batches.batches(one)]
    first = [call["inputs"][:, 0, 0] for call in trainer.model.calls]
    for batch, seen in zip(order, first, strict=False):
        assert np.allclose([sequence(int(index))[0, 0] for index in batch], seen.numpy())
    assert len(first) == 12


@pytest.mark.parametrize(("by", "count"), [("batch", 5), ("epoch", 1)])
def test_schedules(tmp_path, by, count):
    def schedule(optimizer, steps):
        assert steps == 3 * count
        return lr_scheduler.ExponentialLR(optimizer, 0.5)

    trainer = make(tmp_path, scheduler=schedule, schedule_by=by)
    trainer.train()
    rates = [float(row["learning_rate"]) for row in rows(trainer)]
    # Logged is that of the last step: the schedule has stepped once an epoch, or 4, 9, 14 times.
    exponents = [0, 1, 2] if by == "epoch" else [4, 9, 14]
    assert rates == pytest.approx([0.05 * 0.5**exponent for exponent in exponents])


def test_plateau_looks_at_the_monitored_value(tmp_path):
    def schedule(optimizer, _):
        return lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.1)

    values = iter([5.0, 4.0, 4.5, 4.5, 4.5])

    class Scripted(ChunkTrainer):
        def _validate(self):
            return super()._validate() | {"error": next(values)}

    trainer = make(tmp_path, trainer=Scripted, scheduler=schedule, schedule_by="epoch", epochs=5)
    trainer.train()
    rates = [float(row["learning_rate"]) for row in rows(trainer)]
    assert rates == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.005])


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"schedule_by": "batch"}, "schedule_by"),
        ({"schedule_by": "epoch", "monitor": None}, "monitor"),
        ({"schedule_by": "epoch", "monitor": "max valid_error"}, "monitor"),
    ],
)
def test_plateau_that_does_not_fit(tmp_path, options, key):
    with pytest.raises(ConfigFault) as caught:
        make(tmp_path, scheduler=lambda opt, _: lr_scheduler.ReduceLROnPlateau(opt), **options)
    assert caught.value.key == key


@pytest.mark.parametrize(
    "monitor", ["min valid_eror", "valid_error", "low valid_error", "", "min "]
)
def test_a_monitor_that_is_never_logged(tmp_path, monitor):
    with pytest.raises(ConfigFault, match="valid_error_per_point") as caught:
        make(tmp_path, monitor=monitor)
    assert caught.value.key == "monitor"


def test_without_validation_its_values_cannot_be_monitored(tmp_path):
    with pytest.raises(ConfigFault, match="min NAME"):
        make(tmp_path, valid=False)
    trainer = make(tmp_path, valid=False, monitor="min error", epochs=1)
    trainer.train()
    assert "valid_error" not in rows(trainer)[0]


@pytest.mark.parametrize("monitor", [None, "off"])
def test_nothing_monitored(tmp_path, monitor):
    trainer = make(tmp_path, monitor=monitor, epochs=1)
    trainer.train()
    assert not trainer.run.best.exists()
    with pytest.raises(ConfigFault, match="nothing is monitored"):
        make(tmp_path, "other", monitor=monitor, early_stop=1)


def scripted(values):
    """Return a trainer whose validation comes to these values."""
    left = iter(values)

    class Scripted(ChunkTrainer):
        def _validate(self):
            return super()._validate() | {"error": next(left)}

    return Scripted


@pytest.mark.parametrize(
    ("monitor", "values", "epochs", "best"),
    [
        ("min valid_error", [3, 2, 2.5, 1, 1, 1, 0], 6, 4),
        ("max valid_error", [3, 4, 2, 4, 9], 4, 2),
        ("min valid_error", [math.nan, 3, math.nan, math.inf, 1], 4, 2),
    ],
)
def test_early_stopping_and_the_best(tmp_path, monitor, values, epochs, best):
    trainer = make(
        tmp_path, trainer=scripted(values), monitor=monitor, early_stop=2, epochs=len(values)
    )
    assert trainer.train() is None
    assert trainer.progress.epoch == epochs and not trainer.unfinished
    assert load_checkpoint(trainer.run.models / BEST)["epoch"] == best
    # It stays ended when it is resumed.
    path, checkpoint, _ = newest_checkpoint(trainer.run.models)
    again = make(
        tmp_path,
        monitor=monitor,
        early_stop=2,
        epochs=len(values),
        checkpoint=checkpoint,
        source=path,
    )
    again.train()
    assert again.progress.epoch == epochs


def test_period_and_number_of_checkpoints(tmp_path):
    trainer = make(tmp_path, save_period=2, keep_last=3, epochs=7)
    trainer.train()
    names = {path.name for path in trainer.run.models.glob("checkpoint*")}
    # Every second epoch and the last one; of these the last three.
    assert names == {f"checkpoint-epoch{epoch}.pth" for epoch in (4, 6, 7)}


def test_minutes_between_checkpoints_within_an_epoch(tmp_path):
    trainer = make(tmp_path, save_minutes=0.0, keep_last=None, epochs=2)
    trainer.train()
    names = {path.name for path in trainer.run.models.glob("checkpoint*")}
    within = {f"checkpoint-epoch1-step{step}.pth" for step in range(1, 5)}
    within |= {f"checkpoint-epoch2-step{step}.pth" for step in range(6, 10)}
    assert names == within | {"checkpoint-epoch1.pth", "checkpoint-epoch2.pth"}
    assert load_checkpoint(trainer.run.models / "checkpoint-epoch2-step7.pth")["step"] == 7
    other = make(tmp_path, "other", keep_last=None, epochs=2)  # 10 minutes never pass here
    other.train()
    assert len(list(other.run.models.glob("checkpoint*"))) == 2


def test_time_limit(tmp_path):
    trainer = make(tmp_path, time_limit_minutes=0.0)
    assert trainer.train() is None
    assert trainer.unfinished and trainer.progress.step == 1
    assert [path.name for path in trainer.run.models.glob("checkpoint*")] == [
        "checkpoint-epoch1-step1.pth"
    ]
    # At the end of an epoch it still validates and saves: here after the fifth step.
    whole = make(tmp_path, "other", time_limit_minutes=0.0, steps_per_epoch=1)
    whole.train()
    assert len(rows(whole)) == 1 and whole.unfinished
    assert (whole.run.models / "checkpoint-epoch1.pth").exists()


def test_planned_steps():
    def planned(**options):
        return BaseTrainer.planned_steps(7, {"epochs": 4, **options})

    assert planned() == 28
    assert planned(accumulate=2) == 16
    assert planned(steps_per_epoch=5, accumulate=2, truncate=3) == 20
    assert planned(schedule_by="epoch", truncate=3) == 4
    with pytest.raises(ConfigFault, match="steps_per_epoch"):
        planned(truncate=3)


# What is left behind.


def test_files_of_a_run(tmp_path, caplog):
    caplog.set_level("INFO")
    trainer = make(tmp_path, epochs=1, tensorboard=True)
    assert not list(tmp_path.iterdir())
    trainer.train()
    names = {path.name for path in trainer.run.models.iterdir()}
    assert names == {
        "config.json",
        "run.json",
        "train.log",
        "metrics.csv",
        "checkpoint-epoch1.pth",
        "model_best.pth",
        "run.lock",
    }
    assert json.loads((trainer.run.models / "run.json").read_text())["seed"] == 5
    assert "epoch 1/1" in (trainer.run.models / "train.log").read_text()
    assert sorted(path.name[:6] for path in trainer.run.log.iterdir()) == ["events", "valid"]


def test_tensorboard_can_be_left_out(tmp_path):
    trainer = make(tmp_path, epochs=1, tensorboard=False)
    trainer.train()
    assert not list(trainer.run.log.iterdir())


def test_curves(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = make(tmp_path, epochs=2, tensorboard=True, log_steps=3)
    trainer.train()
    reader = EventAccumulator(str(trainer.run.log), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in reader.Scalars("step/error_per_point")] == [3, 6, 9]
    valid = EventAccumulator(str(trainer.run.log / "valid"), size_guidance={"scalars": 0}).Reload()
    for curves, name in ((reader, "error"), (valid, "valid_error")):
        epochs = curves.Scalars("epoch/error")
        assert [event.step for event in epochs] == [5, 10]
        last = float(rows(trainer)[-1][name])
        assert epochs[-1].value == pytest.approx(last, rel=1e-6)
    assert "config/text_summary" in reader.Tags()["tensors"]


def test_a_picture_that_fails_does_not_end_the_run(tmp_path):
    class Failing(ChunkTrainer):
        def draw(self, epoch, step):
            raise ValueError("no colours")

    trainer = make(tmp_path, trainer=Failing, epochs=2)
    trainer.train()
    assert trainer.progress.epoch == 2
    assert "no colours" in (trainer.run.models / "train.log").read_text()


def test_drawing_and_validation_do_not_change_the_training(tmp_path):
    class Drawing(ChunkTrainer):
        def draw(self, epoch, step):
            torch.rand(epoch)
            assert not self.evaluated_model.training

    trained = []
    silent = {"valid": False, "monitor": None}
    for options in ({}, {"trainer": Drawing}, silent, silent | {"trainer": Drawing}):
        trainer = make(tmp_path, str(len(trained)), **options)
        trainer.train()
        trained.append(weights(trainer))
        log = (trainer.run.models / "train.log").read_text()
        assert "could not be drawn" not in log
    assert all(same(trained[0], other) for other in trained[1:])


def test_the_seed_decides(tmp_path):
    trained = []
    for number, seed in enumerate((5, 5, 6)):
        trainer = make(tmp_path, f"run{number}", epochs=1, seed=seed)
        trainer.train()
        trained.append(weights(trainer))
    assert same(trained[0], trained[1]) and not same(trained[0], trained[2])


def test_checkpoints_hold_what_they_promise(tmp_path):
    trainer = make(tmp_path, epochs=1)
    trainer.train()
    checkpoint = load_checkpoint(trainer.run.models / "checkpoint-epoch1.pth")
    assert {"config", "state_dict", "alphabet", "normalisation", "metrics", "dataset"} <= set(
        checkpoint
    )
    assert (checkpoint["epoch"], checkpoint["step"]) == (1, 5)
    assert checkpoint["metrics"]["valid_error"] == float(rows(trainer)[0]["valid_error"])
    assert checkpoint["training"]["update"]["model"] is None
    assert same(checkpoint["state_dict"], weights(trainer))


def test_a_checkpoint_without_its_training_state_cannot_be_resumed(tmp_path):
    trainer = make(tmp_path, epochs=1)
    trainer.train()
    path = trainer.run.models / "checkpoint-epoch1.pth"
    checkpoint = load_checkpoint(path)
    del checkpoint["training"]
    with pytest.raises(CheckpointError, match="no state of training"):
        make(tmp_path, checkpoint=checkpoint, source=path)
