"""Steps of a trainer's own: what they compute, and what the trial before a run leaves of them."""

import copy
import math
from dataclasses import astuple

import pytest
import torch
from own_steps import Critic, Sam
from tiny_run import (
    ONE_STEP,
    TRAIN,
    ChunkTrainer,
    MeanPrediction,
    SquaredError,
    TinyModel,
    close,
    error_of,
    go_on,
    make,
    rows,
    same,
    stopped_at,
    trained,
    weights,
)
from torch import nn

from base import base_trainer
from base.checkpoint import checkpoints, load_checkpoint
from base.dry_run import dry_run
from base.run_state import Sums
from utils.checks import ConfigFault, UserError

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
            carried, sums = copy.deepcopy(self.stream._next_states), copy.deepcopy(self.metrics)
            for weight in self.model.parameters():
                weight.data.add_(0.1)
            further = self.add_gradients(chunks, counts=False)[0]
            assert further.points > 0
            assert self.stream._next_states.keys() == carried.keys()
            for number, state in self.stream._next_states.items():
                assert same(state, carried[number])
            assert [vars(metric) for metric in self.metrics] == [vars(metric) for metric in sums]
            passes.append(further)
            return further, self.apply_gradients(chunks)

    passes = []
    make(tmp_path, trainer=Again, truncate=3, accumulate=2, epochs=1, steps_per_epoch=1).train()
    assert len(passes) == 2  # The trial's step, and the run's.


@pytest.mark.parametrize("order", [1, -1])
def test_chunks_that_are_added_one_by_one_train_as_those_added_together(tmp_path, order):
    class OneByOne(ChunkTrainer):
        def step(self, chunks):
            with self.optimizer_step.noisy():
                added = [self.add_gradients([chunk])[0] for chunk in chunks[::order]]
            sums = Sums(*(sum(values) for values in zip(*map(astuple, added), strict=True)))
            return sums, self.apply_gradients(chunks)

    options = {"truncate": 3, "accumulate": 2, "loader": {"batch_size": 4}, "dropout": 0.0}
    together = trained(tmp_path, "together", **options)
    one_by_one = trained(tmp_path, "one_by_one", trainer=OneByOne, **options)
    assert close(weights(one_by_one), weights(together))


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

    with pytest.raises(UserError, match=r"^Twice keeps two parts as 'critic': each needs a name"):
        make(tmp_path, trainer=Twice)


class Counting(nn.Module):
    """Counts calls in a buffer that is saved, and in one that is not."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("unsaved", torch.zeros(1), persistent=False)

    def count(self):
        self.calls += 1
        self.unsaved += 1


class Counted(Critic):
    """Counts its steps in a module and in a plain number."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.counting, self.number = Counting(), 0

    def step(self, chunks):
        self.counting.count()
        self.number += 1
        return super().step(chunks)

    def state_dict(self):
        return {"counting": self.counting.state_dict(), "number": self.number}

    def load_state_dict(self, state):
        self.counting.load_state_dict(state["counting"])
        self.number = state["number"]


def test_the_trial_before_a_run_changes_nothing_of_it(tmp_path, monkeypatch):
    options = {"trainer": Counted, "weight_noise": "fixed", "ema_decay": 0.9, "warmup_steps": 3}
    tried = trained(tmp_path, "tried", **options)
    assert tried.counting.calls == tried.counting.unsaved == tried.number == tried.progress.step

    make(tmp_path, "again", **options | {"trainer": stopped_at(Counted, 7)}).train()
    again, _ = go_on(tmp_path, "again", **options)
    assert again.counting.calls == again.number == again.progress.step

    with monkeypatch.context() as patch:
        patch.setattr(base_trainer, "dry_run", lambda _: None)
        untried = trained(tmp_path, "untried", **options)
    for other in (tried, again):
        assert same(weights(other), weights(untried))
        assert same(other.critic.state_dict(), untried.critic.state_dict())
        assert [row["valid_error"] for row in rows(other)] == [
            row["valid_error"] for row in rows(untried)
        ]


def test_networks_and_optimisers_that_are_not_kept_are_named(tmp_path, caplog):
    class Unkept(Critic):
        def keep(self, name, part):
            return part

    trainer = make(tmp_path, trainer=Unkept)
    before = copy.deepcopy(trainer.critic.state_dict())
    dry_run(trainer)
    for name in ("critic", "critic_optimizer"):
        assert f"Unkept.{name} changes in a step and is not in a checkpoint" in caplog.text
        assert f"self.keep('{name}', ...)" in caplog.text
    assert same(before, trainer.critic.state_dict())
    assert all(weight.grad is None for weight in trainer.critic.parameters())


def test_a_run_that_goes_on_is_warned_and_not_refused(tmp_path, monkeypatch, caplog):
    make(tmp_path, trainer=stopped_at(ChunkTrainer, 3)).train()
    # As with a weight that rises from 0 in training: what the trial sees depends on the epoch.
    monkeypatch.setattr(SquaredError, "__call__", of_all_points)
    again, _ = go_on(tmp_path)
    assert again.is_complete and "a new run would be refused: loss" in caplog.text
    with pytest.raises(ConfigFault, match="neither loss nor network sees padding"):
        trained(tmp_path, "new")


def of_all_points(_, output, batch):
    return (output.prediction - batch.targets).square().sum((1, 2))


class Contrastive(SquaredError):
    """How near a line is to others than itself; without another row of the same, nothing."""

    def __call__(self, output, batch):
        means = (output.prediction * batch.mask[..., None]).sum(1) / batch.lengths[:, None]
        is_same = batch.index[:, None] == batch.index
        nearness = torch.exp(-(means[:, None] - means).square().sum(-1)).masked_fill(is_same, 0.0)
        return nearness.sum(1).masked_fill(is_same.sum(1) == 1, 0.0)


def test_a_loss_may_compare_the_rows_of_a_batch(tmp_path):
    trainer = make(tmp_path)
    trainer.loss = trainer.checkpoint_writer.stateful["loss"] = Contrastive()
    dry_run(trainer)


class Normed(TinyModel):
    """Normalises its inputs by the mean over a batch, padding included."""

    def __init__(self):
        super().__init__(0.5)
        self.norm = nn.BatchNorm1d(3, affine=False)

    def forward(self, inputs, text=None, text_lengths=None, state=None):
        return super().forward(self.norm(inputs.transpose(1, 2)).transpose(1, 2), None, None, state)


def test_a_norm_over_padding_is_found_in_training(tmp_path):
    trainer = make(tmp_path)
    trainer.model.__class__, trainer.model.norm = Normed, Normed().norm
    for loss in (SquaredError(), Contrastive()):
        trainer.loss = trainer.checkpoint_writer.stateful["loss"] = loss
        with pytest.raises(ConfigFault, match=r"sees padding .* in training, as with BatchNorm"):
            dry_run(trainer)
        assert trainer.model.norm.num_batches_tracked == 0


@pytest.mark.parametrize("place", ["forward_batch", "step"])
def test_a_batch_is_not_changed_in_place(tmp_path, place):
    class Shifting(ChunkTrainer):
        def forward_batch(self, model, batch, state=None):
            batch.targets += place == "forward_batch"
            return super().forward_batch(model, batch, state)

        def step(self, chunks):
            chunks[0].batch.targets[0] += place == "step"
            return super().step(chunks)

    with pytest.raises(ConfigFault, match=r'"Shifting": .* changes nothing of a batch .*targets'):
        make(tmp_path, trainer=Shifting).train()
    assert not list(tmp_path.iterdir())


def test_what_a_state_lacks_is_named(tmp_path, caplog):
    class Forgetful(Counted):
        def step(self, chunks):
            self.forgotten = getattr(self, "forgotten", 0) + 1
            return super().step(chunks)

        def keep(self, name, part):
            return part if name == "critic_optimizer" else super().keep(name, part)

    trainer = make(tmp_path, trainer=Forgetful)
    trainer.forgotten = 7
    dry_run(trainer)
    assert "Forgetful.forgotten changes in a step" in caplog.text
    assert "Forgetful.number changes" not in caplog.text
    assert (trainer.forgotten, trainer.number) == (7, 0)
    assert not trainer.critic_optimizer.state


@pytest.mark.parametrize(
    ("owner", "name", "step", "named"),
    [
        (ChunkTrainer, "forward_batch", 4, 'arch = "TinyModel": a network that predicts'),
        (ChunkTrainer, "step", 4, 'trainer = "ChunkTrainer": one whose steps'),
        (SquaredError, "__call__", 4, 'loss = "SquaredError": one that works for'),
        (MeanPrediction, "update", 4, 'metrics = "MeanPrediction": one that works for'),
        (MeanPrediction, "compute", 5, 'metrics = "MeanPrediction": one that works for'),
        (ChunkTrainer, "extra_metrics", 5, 'trainer = "ChunkTrainer": one whose steps'),
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
    assert again.is_complete and rows(again)[-1]["step"] == "15"


def test_a_loader_that_fails_leaves_what_the_run_had(tmp_path, monkeypatch):
    def fails(items):
        if trainer.progress.step == 4:
            raise KeyError("of my own")
        return collate(items)

    trainer = make(tmp_path)
    collate = trainer.train_loader.collate_fn
    monkeypatch.setattr(trainer.train_loader, "collate_fn", fails)
    message = r"KeyError: 'of my own' \(.*test_step.py, line"
    with pytest.raises(base_trainer.TrainingFailed, match=message):
        trainer.train()
    (newest, *_) = checkpoints(trainer.run.models)
    assert load_checkpoint(newest)["step"] == 4
    again, _ = go_on(tmp_path)
    assert again.is_complete and rows(again)[-1]["step"] == "15"


def test_a_step_that_fails_between_two_chunks_is_made_again_from_their_states(tmp_path):
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


def test_a_cyclic_schedule_is_put_back(tmp_path):
    def cyclic(optimizer, _):
        return torch.optim.lr_scheduler.CyclicLR(optimizer, 0.01, 0.05, cycle_momentum=False)

    trainer = make(tmp_path, scheduler=cyclic)
    before = copy.deepcopy(trainer.lr_scheduler.state_dict())
    dry_run(trainer)
    assert trainer.lr_scheduler.state_dict() == before
