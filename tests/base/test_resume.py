"""Runs that are stopped resume as if nothing had happened."""

import signal

import numpy as np
import pytest
import torch
from every_kind import RUN as EVERY_KIND
from own_steps import Critic, Judged, Queueing, Sam, Widening
from tiny_run import (
    EVERYTHING,
    Calming,
    ChunkTrainer,
    Counting,
    Curriculum,
    MeanPrediction,
    Ranked,
    ScheduleFree,
    go_on,
    halving,
    make,
    one_cycle,
    resumed,
    stopped_at,
    thawing,
    trained,
)
from torch.optim import lr_scheduler

from base.run.checkpoint import (
    checkpoints,
    find_checkpoint,
    load_checkpoint,
    load_weights,
    newest_checkpoint,
)
from tests.same_run import differences, rows_of
from utils.checks import CheckpointError

pytestmark = pytest.mark.slow


def plateau(optimizer, _):
    return lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)


KINDS = {
    "plain": {},
    "noise": {"weight_noise": "fixed", "scheduler": one_cycle},
    "plateau": {"scheduler": plateau, "schedule_by": "epoch"},
    "a schedule of one's own": {"optimizer": "SGD", "scheduler": Calming},
    "an optimiser that counts": {"optimizer": Counting, "scheduler": halving, "lr": 1.0},
    "schedule-free": {"optimizer": ScheduleFree, "weight_noise": "fixed"},
    "groups": {"optimizer": thawing, "scheduler": halving, "warmup_steps": 9, "ema_decay": 0.8},
    "warm-up": {"warmup_steps": 9, "scheduler": plateau, "schedule_by": "epoch"},
    "skipping": {"loader": {"broken": (4,)}},
    "bfloat16": {"precision": "bfloat16"},
    "a state of its own": {"trainer": Queueing},
    "worker": {"loader": {"num_workers": 1}, "epochs": 2},
    "all at once": EVERYTHING | {"clip_norm": 1.0},
    "sharpness-aware": {"trainer": Sam, "truncate": 4, "ema_decay": 0.8},
    "critic": {"trainer": Critic, "accumulate": 2, "weight_noise": "fixed"},
    "judge": {"trainer": Judged, "ema_decay": 0.8, "epochs": 2},
    "curriculum": {"trainer": Widening, "loader": {"sampler": Curriculum}, "epochs": 2},
    "curriculum in chunks": {"trainer": Widening, "loader": {"sampler": Curriculum}, "truncate": 3},
    "all that a checkpoint may hold": EVERY_KIND | {"epochs": 2},
    "lists of a metric": {"metrics": (Ranked, MeanPrediction), "epochs": 2},
}


def rows(trainer):
    return rows_of(trainer.run.models / "metrics.csv")


def last_state(trainer):
    path, checkpoint = newest_checkpoint(trainer.run.models)
    assert path.name == f"checkpoint-epoch{trainer.epochs}.pth"
    return checkpoint


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_resumed_thrice_equals_the_uninterrupted_run_bit_for_bit(tmp_path, kind, capfd):
    options = dict(KINDS[kind])
    whole = trained(tmp_path, "whole", **options)
    base, last = options.pop("trainer", ChunkTrainer), whole.progress.step - 1
    make(tmp_path, trainer=stopped_at(base, 0), **options).train()
    for stop in (4, last, None):
        again, number = go_on(tmp_path, trainer=stopped_at(base, stop), **options)
        assert number == (None if stop is None else signal.SIGINT)
    assert again.is_complete()
    assert differences(last_state(whole), last_state(again)) == []
    assert rows(again) == rows(whole)
    assert differences(load_checkpoint(whole.run.best), load_checkpoint(again.run.best)) == []
    assert capfd.readouterr().err.count("SIGINT: finishing the step") == 3


def test_the_step_in_which_a_signal_comes_is_finished_and_saved(tmp_path):
    trainer = make(tmp_path, trainer=stopped_at(ChunkTrainer, 0))
    assert trainer.train() == signal.SIGINT and not trainer.is_complete()
    assert checkpoints(trainer.run.models)[0].name == "checkpoint-epoch1-step1.pth"


SUMS = {
    "floats": (0, float),
    "arrays": (np.zeros(2), lambda total: total.numpy() * np.ones(2)),
    "numbers that become tensors": (0, lambda total: total.float()),
}


@pytest.mark.parametrize("kind", SUMS)
def test_the_sums_of_a_metric_keep_their_type_when_a_run_is_resumed(tmp_path, monkeypatch, kind):
    zero, of = SUMS[kind]

    def update(self, output, batch):
        self.sum += of(output.prediction[batch.mask].double().sum())
        self.count += batch.points

    for name, does in {
        "reset": lambda self: vars(self).update(sum=zero * 1, count=0),
        "update": update,
        "compute": lambda self: {"mean_prediction": np.asarray(self.sum).sum() / self.count},
    }.items():
        monkeypatch.setattr(MeanPrediction, name, does)
    expected = rows(trained(tmp_path, "whole"))
    make(tmp_path, trainer=stopped_at(ChunkTrainer, 6)).train()
    again, _ = go_on(tmp_path)
    assert rows(again) == expected


@pytest.mark.parametrize("name", ["checkpoint-epoch2.pth", "checkpoint-epoch2-step7.pth"])
def test_a_branch_that_is_killed_at_its_first_step_is_resumed_from_where_it_began(tmp_path, name):
    """Not from a fresh network, nor from the best before it."""
    make(tmp_path, "old", keep_last=None, save_minutes=0.0).train()
    old = tmp_path / "models" / "tiny" / "old"

    class Killed(ChunkTrainer):
        def step(self, chunks):
            raise KeyboardInterrupt

    path, checkpoint = find_checkpoint(old / name)
    branch = make(tmp_path, "branch", trainer=Killed, checkpoint=checkpoint, source=path)
    with pytest.raises(KeyboardInterrupt):
        branch.train()
    assert [kept.name for kept in checkpoints(branch.run.models)] == [name]
    again, _ = go_on(tmp_path, "branch")
    assert differences(last_state(again), load_checkpoint(old / "checkpoint-epoch3.pth")) == []


def test_a_run_with_more_epochs_equals_one_that_was_begun_with_them(tmp_path):
    options = dict(scheduler=Calming, optimizer="SGD")
    whole = trained(tmp_path, "whole", epochs=4, **options)
    make(tmp_path, epochs=2, **options).train()
    longer, _ = go_on(tmp_path, epochs=4, **options)
    assert differences(last_state(whole), last_state(longer)) == []
    assert rows(longer) == rows(whole)


class Growing(ChunkTrainer):
    """Keeps a memory that gets rows in the second epoch, or has another type from then on."""

    changed = staticmethod(lambda memory: torch.zeros(len(memory) + 1, 2))

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.memory = self.keep("memory", torch.nn.Module())
        self.memory.register_buffer("rows", torch.zeros(1, 2))

    def step(self, chunks):
        if self.progress.epoch == 1:
            self.memory.rows = self.changed(self.memory.rows)
        return super().step(chunks)


class Narrowing(Growing):
    changed = staticmethod(lambda memory: memory.half())


class Unfreezing(ChunkTrainer):
    """Gives an optimiser a further group in the second epoch."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        weight = torch.nn.Parameter(torch.ones(1))
        self.other = self.keep("other", torch.optim.SGD([weight], lr=0.1))

    grows = property(lambda self: self.optimizer_step.optimizer)

    def step(self, chunks):
        if self.progress.epoch == 1 and len(self.grows.param_groups) == 1:
            self.grows.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
        return super().step(chunks)


class KeptUnfreezing(Unfreezing):
    grows = property(lambda self: self.other)


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        (Growing, "memory: rows is .*, and was .* when the network"),
        (Narrowing, "memory: rows is .*, and was .* when the network"),
        (
            Unfreezing,
            r"^not saved: optimizer: .* \[6, 1\] .* \[6\] .* optimizer.groups, with from_",
        ),
        (KeptUnfreezing, r"^not saved: other: .* \[1, 1\] .* \[1\] .* in the constructor"),
    ],
)
def test_a_part_that_cannot_be_made_again_as_it_is_ends_the_run_and_the_last_checkpoint_stays(
    tmp_path, trainer, message
):
    with pytest.raises(CheckpointError, match=message):
        make(tmp_path, trainer=trainer, epochs=3, save_period=1).train()
    _, checkpoint = newest_checkpoint(tmp_path / "models" / "tiny" / "run")
    assert checkpoint["epoch"] == 1
    resumed(tmp_path, trainer=trainer, epochs=3, save_period=1)


def test_a_buffer_may_have_infinities_as_a_mask_has():
    model = torch.nn.Module()
    model.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    load_weights(model, model.state_dict(), "a.pth")
    model.weight = torch.nn.Parameter(torch.tensor([torch.inf]))
    with pytest.raises(CheckpointError, match="1 of its 2 weights are not finite, weight first"):
        load_weights(model, model.state_dict(), "a.pth")
