"""Which epoch is the best, and when a run ends early: worked out by hand."""

import math

import pytest
from own_steps import Satisfied
from tiny_run import make, resumed, rows, scripted, trained
from torch.optim import lr_scheduler

from base.run.checkpoint import BEST, checkpoints, load_checkpoint


def test_plateau_reduces_the_rate_when_the_monitored_value_stalls(tmp_path):
    def schedule(optimizer, _):
        return lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.1)

    steady = scripted(5.0, 4.0, 4.5, 4.5, 4.5)
    trainer = trained(tmp_path, trainer=steady, scheduler=schedule, schedule_by="epoch", epochs=5)
    rates = [float(row["learning_rate"]) for row in rows(trainer)]
    assert rates == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.005])


@pytest.mark.parametrize(
    ("monitor", "values", "epochs", "best"),
    [
        ("min valid_error", [3, 2, 2.5, 1, 1, 1, 0], 6, 4),
        ("max valid_error", [3, 4, 2, 4, 9], 4, 2),
        ("min valid_error", [math.nan, 3, math.nan, math.inf, 1], 4, 2),
    ],
)
def test_run_stops_early_and_keeps_its_best_epoch(tmp_path, monitor, values, epochs, best):
    options = {"monitor": monitor, "early_stop": 2, "epochs": len(values)}
    trainer = make(tmp_path, trainer=scripted(*values), **options)
    assert trainer.train() is None
    assert trainer.progress.epoch == epochs and trainer.is_complete()
    assert load_checkpoint(trainer.run.models / BEST)["epoch"] == best
    # It stays ended when it is resumed.
    again = resumed(tmp_path, **options)
    again.train()
    assert again.progress.epoch == epochs


def test_a_trainer_ends_its_run_by_a_rule_of_its_own(tmp_path, caplog):
    class Scripted(Satisfied, scripted(30.0, 18.0, 17.0)):
        pass

    caplog.set_level("INFO")
    # The end is saved, though no checkpoint is due.
    trainer = trained(tmp_path, trainer=Scripted, save_period=9)
    assert [path.name for path in checkpoints(trainer.run.models)] == ["checkpoint-epoch2.pth"]
    assert "finished after epoch 2: early stopping" in caplog.text
    assert trainer.run.is_finished()
    for rule, epochs in ((Scripted, 2), (scripted(0.0, 0.0, 17.0), 3)):
        again = resumed(tmp_path, trainer=rule)
        again.train()
        assert again.progress.epoch == epochs
