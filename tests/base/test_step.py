"""Steps of a trainer's own: what they compute, and what the trial before a run leaves of them."""

import copy
import math

import pytest
import torch
from own_steps import Critic, Sam
from tiny_run import (
    ONE_STEP,
    TRAIN,
    ChunkTrainer,
    error_of,
    go_on,
    make,
    rows,
    same,
    weights,
)
from torch import nn

from base import base_trainer
from base.checkpoint import checkpoints, load_checkpoint
from utils.checks import ConfigFault

WHOLE = {"loader": {"batch_size": len(TRAIN)}, **ONE_STEP}


def test_a_sharpness_aware_step_is_the_one_of_the_paper(tmp_path):
    trainer = make(tmp_path, trainer=Sam, lr=0.1, radius=0.2, **WHOLE)
    model = copy.deepcopy(trainer.model)
    trainer.train()

    def gradient(of):
        total, points = error_of(of, TRAIN)
        return torch.autograd.grad(total / points, [*of.parameters()])

    first = gradient(model)
    length = math.sqrt(sum(float(part.square().sum()) for part in first))
    worst = copy.deepcopy(model)
    with torch.no_grad():
        for weight, part in zip(worst.parameters(), first, strict=True):
            weight.add_(part, alpha=0.2 / length)
    second = gradient(worst)
    with torch.no_grad():
        for weight, part in zip(model.parameters(), second, strict=True):
            weight.sub_(part, alpha=0.1)
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(trainer.model.state_dict()[name], weight, rtol=1e-5, atol=1e-6)
    assert not same(weights(trainer), worst.state_dict())


def test_a_further_pass_counts_and_carries_nothing(tmp_path):
    class Again(ChunkTrainer):
        def step(self, chunks):
            self.add_gradients(chunks)
            carried, sums = copy.deepcopy(self.state.carried), copy.deepcopy(self.metrics)
            for weight in self.model.parameters():
                weight.data.add_(0.1)
            further = self.add_gradients(chunks, counts=False)[0]
            assert further.points > 0
            for before, after in zip(carried, self.state.carried, strict=True):
                assert before is not None
                assert same(before, after)
            assert [vars(metric) for metric in self.metrics] == [vars(metric) for metric in sums]
            passes.append(further)
            return further, self.apply_gradients(chunks)

    passes = []
    make(tmp_path, trainer=Again, truncate=3, accumulate=2, epochs=1, steps_per_epoch=1).train()
    assert len(passes) == 1


def test_a_kept_optimiser_drops_what_is_not_finite(tmp_path, caplog):
    class Broken(Critic):
        def critic_losses(self, targets):
            factor = math.inf if self.progress.step == 1 else 1.0
            return factor * super().critic_losses(targets)

    trainer = make(tmp_path, trainer=Broken, epochs=1, steps_per_epoch=3)
    trainer.train()
    assert "step 2: the gradient of critic_optimizer is not finite" in caplog.text
    assert all(bool(weight.isfinite().all()) for weight in trainer.critic.parameters())
    (state,) = {int(one["step"]) for one in trainer.critic_optimizer.state.values()}
    assert state == 2


def test_each_part_is_kept_under_a_name_of_its_own(tmp_path):
    class Twice(Critic):
        def __init__(self, *parts, **options):
            super().__init__(*parts, **options)
            self.keep("critic", nn.Linear(1, 1))

    with pytest.raises(ConfigFault, match=r"one that keeps each part .* not two as 'critic'"):
        make(tmp_path, trainer=Twice)


@pytest.mark.parametrize("place", ["forward_batch", "loader"])
def test_an_error_of_the_user_s_code_leaves_what_the_run_had(tmp_path, monkeypatch, place):
    def fails(trainer, *_):
        if trainer.is_training() and trainer.progress.step == 4:
            raise KeyError("of my own")

    class Failing(ChunkTrainer):
        def forward_batch(self, model, batch, state=None):
            fails(self)
            return super().forward_batch(model, batch, state)

    trainer = make(tmp_path, trainer=Failing if place == "forward_batch" else ChunkTrainer)
    expected = (KeyError, "of my own")
    if place == "loader":
        collate = trainer.train_loader.collate_fn
        monkeypatch.setattr(
            trainer.train_loader, "collate_fn", lambda items: fails(trainer) or collate(items)
        )
        expected = (base_trainer.TrainingFailed, r"KeyError: 'of my own' \(.*test_step.py, line")
    with pytest.raises(expected[0], match=expected[1]):
        trainer.train()
    (newest, *_) = checkpoints(trainer.run.models)
    assert load_checkpoint(newest)["step"] == 4
    again, _ = go_on(tmp_path)
    assert again.is_complete
    assert rows(again)[-1]["step"] == str(3 * math.ceil(len(TRAIN) / 3))
