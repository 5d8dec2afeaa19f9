"""What is saved, when, and what a run resumes from: sound states only, and of one branch."""

import math

import pytest
import torch
from tiny_run import (
    ChunkTrainer,
    SquaredError,
    go_on,
    make,
    resumed,
    same,
    scripted,
    stopped_at,
    trained,
    weights,
)

from base.base_data_loader import Position
from base.run.checkpoint import BEST, checkpoints, load_checkpoint, newest_checkpoint
from base.run.run_state import Sums
from utils.checks import TrainingFailed

QUIET = {"valid": False, "monitor": None}


def test_every_second_epoch_and_the_last_are_saved_and_three_checkpoints_kept(tmp_path):
    trainer = make(tmp_path, save_period=2, keep_last=3, epochs=7)
    names = []

    def finished(progress):
        names.extend(path.name for path in trainer.run.models.glob("checkpoint*"))

    trainer.run_log.finished = finished
    trainer.train()
    # Every second epoch and the last one; of these the last three, while it trains.
    assert set(names) == {f"checkpoint-epoch{epoch}.pth" for epoch in (4, 6, 7)}
    left = {path.name for path in trainer.run.models.glob("*.pth")}
    assert left == {"checkpoint-epoch7.pth", BEST}


@pytest.mark.parametrize("values", [[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])
def test_a_run_that_has_ended_leaves_the_newest_and_the_best_checkpoint(tmp_path, values):
    """They share the disk where they are one, and a run resumes from either."""
    ended = trained(tmp_path, trainer=scripted(*values), epochs=3)
    newest = ended.run.models / "checkpoint-epoch3.pth"
    assert sorted(ended.run.models.glob("*.pth")) == [newest, ended.run.best]
    assert newest.samefile(ended.run.best) == (values[2] == 1.0)
    assert load_checkpoint(ended.run.best)["epoch"] == 1 + values.index(1.0)
    kept = ended.run.best.read_bytes()
    longer = train(tmp_path, *values, 4.0, 5.0, source=newest.name, keep_last=3)
    assert longer.progress.epoch == 5 and best(longer) == (1 + values.index(1.0), 1.0)
    assert ended.run.best.read_bytes() == kept
    names = {path.name for path in ended.run.models.glob("*.pth")}
    assert names == {"checkpoint-epoch5.pth", BEST}


# A run that diverges keeps the sound checkpoints that it has, and says so.


def test_epochs_without_a_sound_state_do_not_replace_sound_checkpoints(tmp_path):
    trainer = trained(tmp_path, epochs=4, keep_last=None, optimizer="SGD", **QUIET)
    folder = trainer.run.models
    before = {path: path.read_bytes() for path in checkpoints(folder)}
    again = resumed(tmp_path, optimizer="SGD", epochs=12, max_skipped=1000, **QUIET)
    again.optimizer_step.optimizer.param_groups[0]["lr"] = 1e30
    with pytest.raises(TrainingFailed) as caught:
        again.train()
    assert again.progress.epoch == 12
    newest = folder / "checkpoint-epoch4.pth"
    assert f"the last sound checkpoint is {newest}" in str(caught.value)
    assert {path: path.read_bytes() for path in checkpoints(folder)} == before
    # It can be resumed as if that had not happened.
    rest = resumed(tmp_path, optimizer="SGD", epochs=6, **QUIET)
    rest.train()
    whole = trained(tmp_path, "whole", epochs=6, optimizer="SGD", **QUIET)
    assert same(weights(rest), weights(whole))


def test_best_checkpoint_has_a_sound_state(tmp_path):
    """What is monitored may be of the whole epoch, and only its last step the ruin."""

    class Ruined(ChunkTrainer):
        def step(self, chunks):
            result = super().step(chunks)
            if self.progress.step == 14:
                with torch.no_grad():
                    next(iter(self.model.parameters())).fill_(math.nan)
            return result

    trainer = make(tmp_path, trainer=Ruined, epochs=3, monitor="min error", valid=False)
    with pytest.raises(TrainingFailed, match="weights are not finite"):
        trainer.train()
    best = load_checkpoint(trainer.run.models / BEST)
    assert best["epoch"] == 2
    assert all(bool(torch.isfinite(value).all()) for value in best["state_dict"].values())


@pytest.mark.parametrize("save_minutes", [10.0, 0.0])
def test_an_epoch_is_saved_though_some_of_its_steps_were_skipped(tmp_path, save_minutes):
    """Here the last batches of every pass are broken, and the state before them is sound.

    Also where that has been saved already.
    """
    options = dict(loader={"broken": (12, 7), "shuffle": False}, save_minutes=save_minutes)
    trainer = trained(tmp_path, epochs=3, keep_last=None, **options, **QUIET)
    names = {path.name for path in checkpoints(trainer.run.models)}
    assert names >= {f"checkpoint-epoch{epoch}.pth" for epoch in (1, 2, 3)}


# Which the best epoch is.


def train(tmp_path, *values, source=None, run="run", **options):
    options = dict(epochs=len(values), keep_last=None) | options
    if source is not None:
        path = tmp_path / "models" / "tiny" / "run" / source
        options |= dict(checkpoint=load_checkpoint(path), source=path)
    return trained(tmp_path, run, trainer=scripted(*values), **options)


def best(trainer):
    checkpoint = load_checkpoint(trainer.run.models / BEST)
    return checkpoint["epoch"], checkpoint["metrics"]["valid_error"]


@pytest.mark.parametrize(("start", "expected"), [(2, (2, 2.0)), (3, (2, 2.0)), (4, (4, 1.0))])
def test_a_branched_run_copies_the_best_checkpoint_before_its_start(tmp_path, start, expected):
    train(tmp_path, 3.0, 2.0, 2.5, 1.0)
    values = (3.0, 2.0, 2.5, 1.0, 2.6)[: start + 1]
    other = train(tmp_path, *values[:-1], 2.6, source=f"checkpoint-epoch{start}.pth", run="other")
    assert best(other) == expected
    assert (other.progress.best_epoch, other.progress.best) == expected


def test_next_epoch_is_the_best_when_the_best_is_lost(tmp_path):
    first = train(tmp_path, 3.0, 2.0, 2.5, 1.0)
    (first.run.models / "checkpoint-epoch2.pth").unlink()
    values = (3.0, 2.0, 2.5, 2.6)
    other = train(tmp_path, *values, source="checkpoint-epoch3.pth", run="other")
    assert best(other) == (4, 2.6) and other.progress.best_epoch == 4


def test_a_damaged_newer_checkpoint_is_kept_aside(tmp_path):
    """There it neither counts as the newest nor removes a whole one."""
    first = train(tmp_path, 3.0, 2.0, 1.0)
    damaged = first.run.models / "checkpoint-epoch3.pth"
    damaged.write_bytes(b"damaged")
    train(tmp_path, 3.0, 2.0, 1.0, 0.5, source="checkpoint-epoch2.pth", keep_last=1)
    assert damaged.with_name(f"{damaged.name}.unreadable-1").read_bytes() == b"damaged"
    assert newest_checkpoint(first.run.models)[1]["epoch"] == 4


@pytest.mark.parametrize(
    ("first", "bound"), [(3.0, 33.0), (0.01, 10.01), (-0.5, 9.5), (-20.0, 180.0)]
)
def test_epoch_is_sound_until_its_loss_grows_by_ten_times_the_first_loss(
    tmp_path, monkeypatch, first, bound
):
    """Ten times the first one above it, whatever its sign, or ten if that is less than one."""
    trainer = make(tmp_path)
    trainer.state.end_step(Sums(first, 1, 1, gradient_norm=1.0), [], Position())
    for loss, is_sound in ((bound - 0.1, True), (bound + 0.1, False)):
        monkeypatch.setattr(trainer.state, "_evaluate", lambda *_, loss=loss: Sums(loss, 1, 1))
        trainer.run.models.mkdir(parents=True, exist_ok=True)
        trainer.run_checkpoints.save(trainer.state.fault())
        assert bool(checkpoints(trainer.run.models)) == is_sound
        for path in checkpoints(trainer.run.models):
            path.unlink()


def test_a_loss_resumes_its_state_or_warns_that_it_begins_anew(tmp_path, monkeypatch, caplog):
    state, loaded = {"seen": torch.tensor(3)}, []
    monkeypatch.setattr(SquaredError, "state_dict", lambda _: state)
    monkeypatch.setattr(SquaredError, "load_state_dict", lambda _, state: loaded.append(state))
    trainer = trained(tmp_path, epochs=1)
    path, checkpoint = newest_checkpoint(trainer.run.models)
    loaded.clear()
    make(tmp_path, checkpoint=checkpoint, source=path)
    assert loaded == [state] and "begins anew" not in caplog.text
    del checkpoint["training"]["run"]["parts"]["loss"]
    make(tmp_path, checkpoint=checkpoint, source=path)
    assert len(loaded) == 1 and f"{path} has no state of the loss: it begins anew" in caplog.text


class Todo:
    """Has entries until all are used up; its state is computed from a weight."""

    def __init__(self):
        self.items = {"a": 3, "b": 2}
        self.scale = torch.ones(1, requires_grad=True)

    def state_dict(self):
        return {name: self.scale * value for name, value in self.items.items()}

    def load_state_dict(self, state):
        self.items = {name: int(value) for name, value in state.items()}


class Doing(ChunkTrainer):
    """Has less to do with each step, as have all of its parts, and learns by what is left."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        own, kept = Todo(), self.keep("kept", Todo())
        self.loss.todo, self.sampler.todo = Todo(), Todo()
        for part, todo in ((self, own), (self.loss, Todo()), (self.sampler, Todo())):
            part.state_dict, part.load_state_dict = todo.state_dict, todo.load_state_dict
            part.todo = todo
        self.todos = [own, kept, self.loss.todo, self.sampler.todo]

    def step(self, chunks):
        left = [todo.items.popitem()[1] if todo.items else 0 for todo in self.todos]
        self.optimizer_step.optimizer.param_groups[0]["lr"] = 0.01 * (1 + sum(left))
        return super().step(chunks)


@pytest.mark.parametrize("stop", [1, 2, 6])
def test_a_part_without_anything_left_in_its_state_resumes_so(tmp_path, stop, caplog):
    options = {"trainer": Doing, "epochs": 2, **QUIET}
    whole = trained(tmp_path, "whole", **options)
    make(tmp_path, **options | {"trainer": stopped_at(Doing, stop)}).train()
    again, _ = go_on(tmp_path, **options)
    assert same(weights(again), weights(whole)) and "begins anew" not in caplog.text
    assert not any(todo.items for todo in again.todos)
