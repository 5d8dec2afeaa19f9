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
    MeanPrediction,
    SquaredError,
    close,
    error_of,
    go_on,
    make,
    rows,
    same,
    trained,
    weights,
)
from torch import nn

from base.base_trainer import BaseTrainer
from base.run.checkpoint import checkpoints, load_checkpoint
from base.run.run_state import Sums
from base.trial.contract import check
from utils.checks import ConfigFault, TrainingFailed, UserError

WHOLE = {"loader": {"batch_size": len(TRAIN)}, **ONE_STEP}


def test_a_sharpness_aware_step_is_that_of_the_paper(tmp_path):
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


def test_a_further_pass_changes_neither_metrics_nor_carried_states(tmp_path):
    class Again(ChunkTrainer):
        def step(self, chunks):
            self.add_gradients(chunks)
            carried = [copy.deepcopy(chunk.next_state) for chunk in chunks]
            sums = copy.deepcopy(self.metrics)
            for weight in self.model.parameters():
                weight.data.add_(0.1)
            further = self.add_gradients(chunks, counts=False)[0]
            assert further.points > 0
            for chunk, state in zip(chunks, carried, strict=True):
                assert same(chunk.next_state, state)
            assert [vars(metric) for metric in self.metrics] == [vars(metric) for metric in sums]
            passes.append(further)
            return further, self.apply_gradients(chunks)

    passes = []
    make(tmp_path, trainer=Again, truncate=3, accumulate=2, epochs=1, steps_per_epoch=1).train()
    assert len(passes) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_gradients_of_chunks_may_be_added_singly_or_together_with_the_same_result(tmp_path, order):
    class OneByOne(ChunkTrainer):
        def step(self, chunks):
            with self.optimizer_step.noisy():
                added = [self.add_gradients([chunk])[0] for chunk in chunks[::order]]
            assert sum(added, Sums()).points == sum(each.points for each in added)
            return sum(added, Sums()), self.apply_gradients(chunks)

    options = {"truncate": 3, "accumulate": 2, "loader": {"batch_size": 4}, "dropout": 0.0}
    together = trained(tmp_path, "together", **options)
    apart = trained(tmp_path, "one_by_one", trainer=OneByOne, **options)
    assert close(weights(apart), weights(together))
    for name in ("error", "error_per_point"):
        logged = [float(rows(trainer)[-1][name]) for trainer in (apart, together)]
        assert logged[0] == pytest.approx(logged[1], rel=1e-5)


def test_a_kept_optimiser_skips_gradients_that_are_not_finite(tmp_path, caplog):
    class Broken(Critic):
        def critic_losses(self, targets):
            factor = math.inf if self.progress.step == 1 else 1.0
            return factor * super().critic_losses(targets)

    trainer = make(tmp_path, trainer=Broken, epochs=1, steps_per_epoch=3)
    trainer.train()
    assert "step 2: the gradient of critic_optimizer is not finite" in caplog.text
    assert all(bool(weight.isfinite().all()) for weight in trainer.critic.parameters())
    (state,) = {int(values["step"]) for values in trainer.critic_optimizer.state.values()}
    assert state == 2


def test_two_parts_kept_under_the_same_name_are_refused(tmp_path):
    class Twice(Critic):
        def __init__(self, *parts, **options):
            super().__init__(*parts, **options)
            self.keep("critic", nn.Linear(1, 1))

    with pytest.raises(UserError, match=r"^Twice keeps two parts as 'critic': each needs a name"):
        make(tmp_path, trainer=Twice)


@pytest.mark.parametrize("use", [BaseTrainer.train, lambda trainer: check(lambda: trainer)])
def test_a_part_kept_after_the_constructor_is_refused_in_a_run_and_in_its_trial(tmp_path, use):
    """A resumed run would not have it yet when it gets its state."""

    class Late(ChunkTrainer):
        def step(self, chunks):
            self.keep("late", nn.Linear(1, 1))
            return super().step(chunks)

    with pytest.raises(
        UserError, match=r"^Late.keep\('late', ...\) .*: call it in the constructor"
    ):
        use(make(tmp_path, trainer=Late))


@pytest.mark.parametrize("part", [[], None, torch.zeros(1)])
def test_what_has_no_state_is_not_kept(tmp_path, part):
    trainer = make(tmp_path, trainer=Critic)
    with pytest.raises(UserError, match=r"^Critic.keep\('it', ...\) takes a part with state_dict"):
        trainer.keep("it", part)


@pytest.mark.parametrize(
    ("owner", "name", "step", "named"),
    [
        (ChunkTrainer, "forward_batch", 4, 'trainer = "ChunkTrainer": one that works'),
        (ChunkTrainer, "step", 4, 'trainer = "ChunkTrainer": one whose run works'),
        (SquaredError, "__call__", 4, 'loss = "SquaredError": one that works for'),
        (MeanPrediction, "update", 4, 'metrics = "MeanPrediction": one that works for'),
        (MeanPrediction, "compute", 5, 'metrics = "MeanPrediction": one that works for'),
        (ChunkTrainer, "extra_metrics", 5, 'trainer = "ChunkTrainer": one whose run works'),
        (ChunkTrainer, "is_complete", 5, 'trainer = "ChunkTrainer": one whose run works'),
    ],
)
def test_a_part_that_fails_in_a_run_is_named_when_the_run_is_saved(
    tmp_path, monkeypatch, owner, name, step, named
):
    def fails(self, *arguments, **options):
        if trainer.is_training() and trainer.progress.step >= 4:
            raise KeyError("of my own")
        return works(self, *arguments, **options)

    trainer, works = make(tmp_path), getattr(owner, name)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fails)
        where = r"KeyError: 'of my own' \(.*test_step.py, line"
        with pytest.raises(ConfigFault, match=f"^{named}.*{where}"):
            trainer.train()
    (newest, *_) = checkpoints(trainer.run.models)
    assert load_checkpoint(newest)["step"] == step
    again, _ = go_on(tmp_path)
    assert again.is_complete() and rows(again)[-1]["step"] == "15"


@pytest.mark.parametrize(
    ("step", "name"), [(4, "checkpoint-epoch1-step4.pth"), (5, "checkpoint-epoch1.pth")]
)
def test_a_run_whose_loader_fails_is_saved_and_can_be_resumed(tmp_path, monkeypatch, step, name):
    def fails(items):
        if trainer.progress.step == step:
            raise KeyError("of my own")
        return collate(items)

    trainer = make(tmp_path)
    collate = trainer.train_loader.collate_fn
    monkeypatch.setattr(trainer.train_loader, "collate_fn", fails)
    message = r"KeyError: 'of my own' \(.*test_step.py, line"
    with pytest.raises(TrainingFailed, match=message):
        trainer.train()
    (newest, *_) = checkpoints(trainer.run.models)
    assert newest.name == name and load_checkpoint(newest)["step"] == step
    again, _ = go_on(tmp_path)
    assert again.is_complete() and rows(again)[-1]["step"] == "15"


def test_a_step_that_fails_between_two_chunks_is_repeated_from_their_states(tmp_path):
    class Failing(ChunkTrainer):
        def forward_batch(self, model, batch, state=None):
            if self.is_training() and self.progress.step == 1:
                self.failed += 1
                if self.failed == 2:
                    raise KeyError("of my own")
            return super().forward_batch(model, batch, state)

    options = {"truncate": 3, "accumulate": 2, "loader": {"batch_size": 6}, "dropout": 0.0}
    whole = trained(tmp_path, "whole", **options)
    trainer = make(tmp_path, trainer=Failing, **options)
    trainer.failed = 0
    with pytest.raises(ConfigFault, match="of my own"):
        trainer.train()
    again, _ = go_on(tmp_path, **options)
    assert same(weights(again), weights(whole))
