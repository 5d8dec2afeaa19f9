"""One command makes several runs, one after the other."""

import argparse
import json
import os
import signal
from pathlib import Path

import pytest
import torch

import train
from base.base_trainer import BaseTrainer
from base.checkpoint import load_checkpoint
from commands import sweep
from tests.tiny_config import CONFIG
from utils.checks import UserError

MODELS = Path("saved/models/tiny")


def ids(*sweeps: str, run_id: str | None = None) -> list[str]:
    arguments = argparse.Namespace(sweeps=list(map(sweep.parse, sweeps)), overrides=[])
    arguments.run_id = run_id
    return [one.run_id for one in sweep.runs(arguments)]


def test_a_run_is_called_like_its_values():
    assert ids("optimizer.args.lr=1e-3,0.01", "arch.args.cell=LSTM,GRU", run_id="a") == [
        *("a_lr-0.001_cell-LSTM", "a_lr-0.001_cell-GRU"),
        *("a_lr-0.01_cell-LSTM", "a_lr-0.01_cell-GRU"),
    ]
    assert ids("a.seed=1", "b.seed=2") == ["a.seed-1_b.seed-2"]
    lists = ids("o.betas=[0, 0.9],[0.5, 0.9]", "x=null")
    assert lists == ["betas--0-0.9-_x-null", "betas--0.5-0.9-_x-null"]
    for twice in (["a=1,1"], ["a=1", "a=2"]):
        with pytest.raises(UserError, match="each key once, and each value once"):
            ids(*twice)


@pytest.fixture
def workplace(tmp_path, monkeypatch, logging_restored):
    """An empty folder with `config.json`, in which the script runs."""
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text(json.dumps(CONFIG))


def run(*words: str) -> int:
    return train.main(["-d", "cpu", "-c", "config.json", *words])


@pytest.mark.slow
def test_a_sweep_that_was_stopped_goes_on_where_it_was(workplace, monkeypatch, capsys):
    words = ["--sweep", "optimizer.args.lr=0.003,0.01"]
    step = BaseTrainer._train_step

    def interrupted(trainer):
        if trainer.progress.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(BaseTrainer, "_train_step", interrupted)
        assert run(*words) == 128 + signal.SIGINT
    assert [path.name for path in MODELS.iterdir()] == ["lr-0.003"]
    assert run(*words) == 0
    for lr in ("0.003", "0.01"):
        assert run("--lr", lr, "--run-id", lr) == 0
        whole, swept = (
            load_checkpoint(MODELS / name / "checkpoint-epoch2.pth")["state_dict"]
            for name in (lr, f"lr-{lr}")
        )
        assert all(torch.equal(whole[name], swept[name]) for name in whole)
    capsys.readouterr()
    monkeypatch.setattr(BaseTrainer, "_train_step", None)
    assert run(*words) == 0
    printed = capsys.readouterr().out
    assert all(f"{MODELS}/lr-{lr} is finished" in printed for lr in ("0.003", "0.01"))


@pytest.mark.slow
def test_a_run_that_fails_leaves_the_others_to_be_made(workplace, capsys):
    """What is known beforehand to be wrong is reported before the first of them."""
    words = ["--sweep", "arch.args.cell=LSTM,RNN", "--sweep", "optimizer.args.lr=0.01,-1"]
    assert run(*words) == 2 and not MODELS.exists()
    assert capsys.readouterr().err.splitlines() == [
        "error: config.json: 2 faults",
        "  --sweep: optimizer.args.lr = -1: a number at least 0",
        '  --sweep: arch.args.cell = "RNN": one of "LSTM", "GRU"',
    ]
    # A tenth of ten steps is too few for a rise.
    words = ["--sweep", "lr_scheduler.args.pct_start=0.1,0.5", "--sweep", "trainer.args.seed=1"]
    assert run(*words, "--epochs", "5", "--bs", "3") == 1
    error = capsys.readouterr().err
    assert "an empty phase over 10 steps" in error
    assert "1 of 2 runs failed: pct_start-0.1_seed-1" in error
    assert [path.name for path in MODELS.iterdir()] == ["pct_start-0.5_seed-1"]
