"""How gradients become weights: clipping, noise, the schedule and the average."""

import math
from functools import partial

import pytest
import torch
from tiny_run import (
    ONE_STEP,
    VALID,
    ChunkTrainer,
    ScheduleFree,
    TinyModel,
    close,
    error_of,
    halving,
    make,
    rows,
    same,
    thawing,
    trained,
    weights,
)
from torch.optim import lr_scheduler

from base.run.checkpoint import load_checkpoint
from base.trial.contract import check
from base.trial.trying import try_steps
from utils.checks import ConfigFault


def test_gradient_is_scaled_to_the_norm_when_it_is_larger(tmp_path):
    moved = {}
    for clip_norm in (None, 0.01):
        trainer = make(tmp_path, str(clip_norm), lr=1.0, clip_norm=clip_norm, **ONE_STEP)
        before = weights(trainer)
        trainer.train()
        moved[clip_norm] = {name: before[name] - new for name, new in weights(trainer).items()}
        norm = math.sqrt(sum(float(part.square().sum()) for part in moved[None].values()))
        # What is logged is the norm before clipping.
        assert float(rows(trainer)[0]["gradient_norm"]) == pytest.approx(norm, rel=1e-4)
    assert norm > 0.1
    assert close({n: 0.01 / norm * part for n, part in moved[None].items()}, moved[0.01], 1e-7)


def test_moving_average_warms_up_to_its_decay(tmp_path):
    seen = []

    class Watching(ChunkTrainer):
        def step(self, chunks):
            result = super().step(chunks)
            seen.append(weights(self))
            return result

    trainer = trained(tmp_path, trainer=Watching, ema_decay=0.3, epochs=1)
    expected = seen[0]
    for count, later in enumerate(seen[1:], start=1):
        kept = min(0.3, (1 + count) / (10 + count))  # 0.18, 0.25, and from then on 0.3
        expected = {n: kept * value + (1 - kept) * later[n] for n, value in expected.items()}
    checkpoint = load_checkpoint(trainer.run.models / "checkpoint-epoch1.pth")
    assert close(expected, checkpoint["state_dict"])
    assert same(seen[-1], checkpoint["training"]["run"]["parts"]["model"])
    assert not close(seen[-1], checkpoint["state_dict"])
    # Validation is with the average.
    model = TinyModel()
    model.load_state_dict(checkpoint["state_dict"])
    total, _ = error_of(model.eval(), VALID)
    expected = total.item() / len(VALID)
    assert float(rows(trainer)[0]["valid_error"]) == pytest.approx(expected, rel=1e-5)


def test_weight_noise_is_drawn_once_a_step_and_taken_off_the_weights_again(tmp_path):
    options = dict(optimizer="SGD", dropout=0.0, steps_per_epoch=2, epochs=1, lr=0.0)
    options |= dict(weight_noise="fixed", weight_noise_std=0.3, accumulate=2)
    seen = []

    class Watching(ChunkTrainer):
        def forward_batch(self, model, batch, state=None):
            if model.training and self.is_training():
                seen.append(weights(self))
            return super().forward_batch(model, batch, state)

    trainer = make(tmp_path, trainer=Watching, **options)
    before = weights(trainer)
    trainer.train()
    # One draw a step, the same for all its batches; without a learning rate the means stay.
    assert len(seen) == 4 and same(seen[0], seen[1]) and not same(seen[0], seen[2])
    assert same(before, weights(trainer))
    noise = torch.cat([(seen[0][n] - before[n]).flatten() for n in before])
    # 115 draws: 5 standard errors of a standard deviation are 33 % (chance 6e-7).
    assert len(noise) == 123 and 0.2 < float(noise.std()) < 0.4
    assert float(rows(trainer)[0]["valid_error"]) == pytest.approx(
        error_of(trainer.model.eval(), VALID)[0].item() / len(VALID), rel=1e-5
    )


def test_learning_rates_warm_up_to_those_of_the_schedule(tmp_path):
    seen = []

    class Watching(ChunkTrainer):
        def step(self, chunks):
            before = self.model.output.bias.detach().clone()
            result = super().step(chunks)
            moved = before - self.model.output.bias.detach()
            seen.append(float((moved / self.model.output.bias.grad).mean()))
            return result

    options = {"optimizer": "SGD", "epochs": 1, "lr": 0.04, "warmup_steps": 4}
    trainer = trained(tmp_path, trainer=Watching, scheduler=halving, **options)
    assert seen == pytest.approx([0.01, 0.02 / 2, 0.03 / 4, 0.04 / 8, 0.04 / 16], rel=1e-3)
    assert float(rows(trainer)[0]["learning_rate"]) == pytest.approx(seen[-1], rel=1e-3)


def test_a_group_is_frozen_until_its_step_as_weights_that_need_no_gradient_are(tmp_path):
    options = {"epochs": 1, "steps_per_epoch": 4, "ema_decay": 0.8, "clip_norm": 0.01}
    options |= {"weight_noise": "fixed", "scheduler": halving, "dropout": 0.0}
    frozen, thawed = (
        trained(tmp_path, str(n), optimizer=partial(thawing, from_step=n), **options)
        for n in (4, 3)
    )
    expected = make(tmp_path, "expected", optimizer=thawing, **options)
    before = weights(expected)
    expected.model.layer.requires_grad_(False)
    expected.train()
    assert same(weights(frozen), weights(expected))
    for name in ("gradient_norm", "error", "valid_error"):
        # On some processors MKL adds the products of a matrix in another order at another place.
        value = float(rows(expected)[0][name])
        assert float(rows(frozen)[0][name]) == pytest.approx(value, rel=1e-6)
    is_layer = {name: name.startswith("layer") for name in before}
    for trainer, moved in ((frozen, False), (thawed, True)):
        after, average = weights(trainer), trainer.evaluated_model.state_dict()
        for name in before:
            assert torch.equal(before[name], after[name]) != (moved or not is_layer[name])
            assert torch.equal(before[name], average[name]) != (moved or not is_layer[name])
        # An optimiser has no state of weights that it has not changed.
        state = trainer.optimizer_step.optimizer.state
        assert len(state) == (6 if moved else 2)


def test_a_run_begins_though_all_its_weights_are_frozen_at_first(tmp_path):
    def optimizer(params, lr):
        return torch.optim.SGD([{"params": [*params], "from_step": 2}], lr=lr)

    trainer = make(tmp_path, optimizer=optimizer, epochs=1, steps_per_epoch=2, clip_norm=1.0)
    before = weights(trainer)
    check(partial(make, tmp_path, optimizer=optimizer, epochs=1, steps_per_epoch=2))
    trainer.train()
    assert same(before, weights(trainer)) and float(rows(trainer)[0]["gradient_norm"]) == 0


@pytest.mark.parametrize("options", [{"pct_start": 1.0}, {"anneal_strategy": "linear"}])
def test_a_schedule_of_fixed_length_ends_at_its_last_rate(tmp_path, options):
    """Counted from 0 that is one before the number of its steps."""

    def schedule(optimizer, steps):
        return lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps, **options)

    trainer = trained(tmp_path, scheduler=schedule, epochs=2)
    end = 0.05 if "pct_start" in options else 0.05 / 25 / 1e4  # torch's default factors
    assert trainer.optimizer_step.learning_rate == pytest.approx(end)


def test_the_average_of_a_schedule_free_optimiser_is_validated_and_saved(tmp_path):
    """x and z are those of the paper's equations, from the gradients, in float64."""
    gradients = []

    class Watched(ScheduleFree):
        def step(self, closure=None):
            gradients.append([weight.grad.double() for weight in self.param_groups[0]["params"]])
            super().step(closure)

    trainer = make(tmp_path, optimizer=Watched, epochs=1, lr=0.2)
    names, _ = zip(*trainer.model.named_parameters(), strict=True)
    x = z = [weight.detach().double() for weight in trainer.model.parameters()]
    trainer.train()
    assert len(gradients) == 5
    for step, gradient in enumerate(gradients, start=1):
        z = [weight - 0.2 * g for weight, g in zip(z, gradient, strict=True)]
        x = [a + (b - a) / step for a, b in zip(x, z, strict=True)]
    averages = dict(zip(names, (weight.float() for weight in x), strict=True))
    y = (0.1 * b + 0.9 * a for a, b in zip(x, z, strict=True))
    checkpoint = load_checkpoint(trainer.run.models / "checkpoint-epoch1.pth")
    assert close(averages, checkpoint["state_dict"])
    trained_weights = checkpoint["training"]["run"]["parts"]["model"]
    assert close(dict(zip(names, (weight.float() for weight in y), strict=True)), trained_weights)
    assert not close(trained_weights, averages) and same(trained_weights, weights(trainer))
    model = TinyModel()
    model.load_state_dict(averages)
    expected = error_of(model.eval(), VALID)[0].item() / len(VALID)
    assert float(rows(trainer)[0]["valid_error"]) == pytest.approx(expected, rel=1e-5)


def test_an_optimiser_with_modes_passes_the_trial_but_not_beside_an_average(tmp_path):
    options = {"optimizer": ScheduleFree, "dropout": 0.0}
    try_steps(ScheduleFree([torch.nn.Parameter(torch.ones(2))]), None)
    check(lambda: make(tmp_path, **options))
    with pytest.raises(ConfigFault, match=r"ema_decay = 0\.9: null: ScheduleFree has weights"):
        make(tmp_path, ema_decay=0.9, **options)


def test_a_trainer_without_an_optimiser_only_validates_the_weights_of_its_network(tmp_path):
    trainer = make(tmp_path, optimizer=lambda *_, **__: None, ema_decay=0.9)
    expected = error_of(trainer.model.eval(), VALID)[0].item() / len(VALID)
    assert trainer.validate()["error"] == pytest.approx(expected, rel=1e-5)
    assert trainer.evaluated_model is trainer.model  # There is no average of untrained weights.
    with pytest.raises(ValueError, match="no optimiser: the network is only evaluated"):
        trainer.optimizer_step.start(0)
