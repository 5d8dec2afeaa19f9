"""Going on from an older checkpoint of a run: the branch that is left is kept, and aside."""

import pytest
from tiny_run import ChunkTrainer, make

from base.checkpoint import BEST, find_checkpoint, load_checkpoint, newest_checkpoint


def scripted(*values: float) -> type[ChunkTrainer]:
    """Return a trainer whose validation gives these values, epoch by epoch."""

    class Scripted(ChunkTrainer):
        def _validate(self):
            return super()._validate() | {"error": values[self.progress.epoch]}

    return Scripted


def train(tmp_path, *values, back_to=None, run="run", **options):
    options = dict(epochs=len(values), keep_last=None) | options
    if back_to is not None:
        path, checkpoint, _ = find_checkpoint(tmp_path / "models" / "tiny" / "run" / back_to)
        options |= dict(checkpoint=checkpoint, source=path)
    trainer = make(tmp_path, run, trainer=scripted(*values), **options)
    trainer.train()
    return trainer


def best(trainer):
    checkpoint = load_checkpoint(trainer.run.models / BEST)
    return checkpoint["epoch"], checkpoint["metrics"]["valid_error"]


def test_the_best_is_of_the_branch_that_goes_on(tmp_path):
    first = train(tmp_path, 3.0, 2.0, 2.5, 1.0)
    assert best(first) == (4, 1.0)
    again = train(tmp_path, 3.0, 2.0, 2.5, 2.2, back_to="checkpoint-epoch3.pth")
    # Epoch 2 is the best of those that led here, and its own checkpoint is still there.
    assert best(again) == (2, 2.0) and again.monitor.record.best_epoch == 2
    aside = again.run.models / "superseded"
    assert load_checkpoint(next(aside.glob("*/" + BEST)))["epoch"] == 4


def test_where_the_best_is_lost_the_one_gone_on_from_is_it(tmp_path):
    first = train(tmp_path, 3.0, 2.0, 2.5, 1.0)
    (first.run.models / "checkpoint-epoch2.pth").unlink()
    again = train(tmp_path, 3.0, 2.0, 2.5, 2.6, back_to="checkpoint-epoch3.pth")
    assert best(again) == (3, 2.5)
    assert (again.monitor.record.best, again.monitor.record.best_epoch) == (2.5, 3)


def test_from_within_an_epoch_the_next_one_is_the_best(tmp_path):
    first = train(tmp_path, 3.0, 1.0, save_minutes=0.0)
    assert best(first) == (2, 1.0)
    (first.run.models / "checkpoint-epoch1.pth").unlink()
    again = train(tmp_path, 3.0, 4.0, back_to="checkpoint-epoch2-step7.pth")
    assert best(again) == (2, 4.0)


def test_a_new_run_takes_the_best_along(tmp_path):
    train(tmp_path, 2.0, 3.0)
    branch = train(tmp_path, 2.0, 3.0, 2.5, back_to="checkpoint-epoch2.pth", run="branch")
    assert best(branch) == (1, 2.0)


def test_a_repeated_epoch_leaves_the_best_as_it_would_have_been(tmp_path):
    """The same from there on as without going back."""
    values = (3.0, 2.0, 2.5, 1.0, 1.5)
    whole = train(tmp_path, *values, run="whole")
    train(tmp_path, *values)
    again = train(tmp_path, *values, back_to="checkpoint-epoch3.pth")
    assert best(again) == best(whole) == (4, 1.0)
    assert again.checkpoint.progress() == whole.checkpoint.progress()


@pytest.mark.parametrize("times", [2, 3])
def test_going_back_again_overwrites_nothing(tmp_path, times):
    first = train(tmp_path, 3.0, 2.0, 1.0)
    kept = [(first.run.models / "checkpoint-epoch3.pth").read_bytes()]
    for time in range(times):
        again = train(tmp_path, 3.0, 2.5 + time, 2.0 + time, back_to="checkpoint-epoch1.pth")
        kept.append((again.run.models / "checkpoint-epoch3.pth").read_bytes())
    aside = again.run.models / "superseded"
    found = {path.read_bytes() for path in aside.glob("*/checkpoint-epoch3.pth")}
    assert found == set(kept[:-1]) and len(found) == times
    tables = {path.read_text() for path in aside.glob("*/metrics.csv")}
    assert len(tables) == times


def test_going_on_from_the_best_is_going_back_as_well(tmp_path):
    """Also where the checkpoint of its epoch is no longer there."""
    first = train(tmp_path, 3.0, 1.0, 2.0, 2.5, keep_last=2)
    assert not (first.run.models / "checkpoint-epoch2.pth").exists()
    again = train(tmp_path, 3.0, 1.0, 1.5, back_to=BEST)
    assert best(again) == (2, 1.0)
    assert newest_checkpoint(again.run.models)[1]["epoch"] == 3
    assert {path.parent.name for path in again.run.models.glob("superseded/*/*-epoch4.pth")} == {
        "1"
    }


def test_going_on_from_the_best_with_another_monitor(tmp_path):
    first = train(tmp_path, 3.0, 1.0, 2.0)
    before = (first.run.models / BEST).read_bytes()
    again = train(tmp_path, 3.0, 1.0, back_to=BEST, monitor="min error")
    assert again.run.best.read_bytes() == before
    own = load_checkpoint(again.run.best)["metrics"]["error"]
    assert (again.monitor.record.best, again.monitor.record.best_epoch) == (own, 2)
