"""A run that diverges keeps the sound checkpoints that it has, and says so."""

import math
import re

import pytest
import torch
from tiny_run import TRAIN, ChunkTrainer, make

from base.base_trainer import TrainingFailed
from base.checkpoint import BEST, checkpoints, load_checkpoint, newest_checkpoint
from base.training_checkpoint import EXPLODED

QUIET = {"valid": False, "monitor": None}


def four_good_epochs(tmp_path, **options):
    trainer = make(tmp_path, epochs=4, keep_last=None, **QUIET | options)
    trainer.train()
    return trainer.run.models


def go_on(tmp_path, **options):
    """Return a trainer that goes on from the newest checkpoint."""
    source, checkpoint, _ = newest_checkpoint(tmp_path / "models" / "tiny" / "run")
    return make(tmp_path, checkpoint=checkpoint, source=source, **QUIET | options)


def test_epochs_without_a_sound_state_do_not_replace_good_ones(tmp_path):
    folder = four_good_epochs(tmp_path, optimizer="SGD")
    before = {path: path.read_bytes() for path in checkpoints(folder)}
    assert len(before) == 4
    again = go_on(tmp_path, optimizer="SGD", lr=1e30, epochs=12, max_skipped=1000)
    with pytest.raises(TrainingFailed) as caught:
        again.train()
    assert again.progress.epoch == 12 and again.unfinished
    newest = folder / "checkpoint-epoch4.pth"
    assert f"the last sound checkpoint is {newest}" in str(caught.value)
    assert {path: path.read_bytes() for path in checkpoints(folder)} == before
    # Nothing stands in the way of going on as if that had not been.
    rest = go_on(tmp_path, optimizer="SGD", epochs=6)
    rest.train()
    whole = make(tmp_path, "whole", epochs=6, optimizer="SGD", **QUIET)
    whole.train()
    own, other = (
        load_checkpoint(run.run.models / "checkpoint-epoch6.pth") for run in (rest, whole)
    )
    assert all(
        torch.equal(own["state_dict"][name], other["state_dict"][name])
        for name in other["state_dict"]
    )


def test_a_run_that_gives_up_says_where_the_last_sound_weights_are(tmp_path):
    folder = four_good_epochs(tmp_path, optimizer="SGD")
    again = go_on(tmp_path, optimizer="SGD", lr=1e30, epochs=99, max_skipped=3)
    with pytest.raises(TrainingFailed, match="3 steps in a row") as caught:
        again.train()
    named = re.search(r"the last sound checkpoint is (\S+\.pth)", str(caught.value))[1]
    assert named == str(folder / "checkpoint-epoch4.pth")
    assert all(value.abs().max() < 1e6 for value in load_checkpoint(named)["state_dict"].values())


@pytest.mark.parametrize("when", ["minutes", "signal"])
def test_weights_that_one_step_has_ruined_are_not_saved(tmp_path, when):
    """The loss of that step is finite: only the next one would tell."""
    folder = four_good_epochs(tmp_path, optimizer="SGD")

    class Stopped(ChunkTrainer):
        def _train_step(self):
            loss = super()._train_step()
            assert math.isfinite(loss)
            if when == "signal":
                self._stop._received = 15
            else:
                self._stop._end = 0.0
            return loss

    again = go_on(tmp_path, trainer=Stopped, optimizer="SGD", lr=1e30, epochs=12, save_minutes=0.0)
    assert again.train() == (15 if when == "signal" else None)
    assert again.progress.step == 21
    assert newest_checkpoint(folder)[0].name == "checkpoint-epoch4.pth"
    log = (folder / "train.log").read_text()
    assert "not saved: the loss per point went from" in log or "not saved: weights are not" in log


@pytest.mark.parametrize(("factor", "saved"), [(0.5, True), (2.0, False)])
def test_what_an_exploded_loss_is(tmp_path, factor, saved):
    """On both sides of the bound: a finite loss, of finite weights."""

    class Shifted(ChunkTrainer):
        def _part_and_loss(self, model, batch):
            part, loss = super()._part_and_loss(model, batch)
            first = self.progress.first_loss or 0.0
            return part, loss + factor * EXPLODED * max(1.0, first) * batch.points

    trainer = make(tmp_path, trainer=Shifted, epochs=1, **QUIET)
    if saved:
        trainer.train()
    else:
        with pytest.raises(
            TrainingFailed, match=r"the loss per point went from .* in the first step"
        ):
            trainer.train()
    assert bool(checkpoints(trainer.run.models)) == saved


def test_the_best_is_a_sound_one(tmp_path):
    """What is monitored may be of the whole epoch, and only its last step the ruin."""

    class Ruined(ChunkTrainer):
        def _train_step(self):
            loss = super()._train_step()
            if self.progress.step == 15:
                with torch.no_grad():
                    next(iter(self.model.parameters())).fill_(math.nan)
            return loss

    trainer = make(tmp_path, trainer=Ruined, epochs=3, monitor="min error", valid=False)
    with pytest.raises(TrainingFailed, match="weights are not finite"):
        trainer.train()
    best = load_checkpoint(trainer.run.models / BEST)
    assert best["epoch"] == 2
    assert all(bool(torch.isfinite(value).all()) for value in best["state_dict"].values())


def test_a_run_without_a_step_ends_with_an_error(tmp_path):
    trainer = make(tmp_path, epochs=2, loader={"broken": tuple(TRAIN)}, max_skipped=100, **QUIET)
    with pytest.raises(TrainingFailed, match="no step could be made; nothing was saved before"):
        trainer.train()
    assert not checkpoints(trainer.run.models)


def test_some_skipped_steps_keep_nothing_from_being_saved(tmp_path):
    """Here the last batches of every pass are broken, and the state before them is sound."""
    broken = {"broken": (12,), "shuffle": False}
    trainer = make(tmp_path, epochs=3, loader=broken, keep_last=None, **QUIET)
    trainer.train()
    assert len(checkpoints(trainer.run.models)) == 3
