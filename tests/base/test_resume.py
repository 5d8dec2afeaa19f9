"""Runs that are stopped, killed or out of disk space resume as if nothing had happened."""

import errno
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import killed_run
import pytest
import torch
from tiny_run import ChunkTrainer, TinyTrainer, make, stopped_at, weights
from torch.optim import lr_scheduler

from base.checkpoint import BEST, checkpoints, find_checkpoint, load_checkpoint, newest_checkpoint
from tests.same_run import differences, rows_of
from utils import files

pytestmark = pytest.mark.slow


def one_cycle(optimizer, steps):
    return lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps)


def plateau(optimizer, _):
    return lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)


def halving(optimizer, _):
    return lr_scheduler.ExponentialLR(optimizer, 0.5)


KINDS = {
    "plain": {},
    "base": {"trainer": TinyTrainer},
    "accumulated": {"accumulate": 2},
    "average": {"ema_decay": 0.8},
    "fixed noise": {"weight_noise": "fixed"},
    "adaptive noise": {"weight_noise": "adaptive", "scheduler": one_cycle},
    "truncated": {"truncate": 3},
    "steps an epoch": {"steps_per_epoch": 4},
    "one cycle": {"scheduler": one_cycle},
    "plateau": {"scheduler": plateau, "schedule_by": "epoch"},
    "momentum": {"optimizer": "SGD", "scheduler": halving, "schedule_by": "epoch"},
    "skipping": {"loader": {"broken": (4,)}},
    "bfloat16": {"precision": "bfloat16"},
    "worker": {"loader": {"num_workers": 1}, "epochs": 2},
    "all at once": {
        "truncate": 3,
        "accumulate": 2,
        "ema_decay": 0.8,
        "weight_noise": "adaptive",
        "steps_per_epoch": 4,
        "scheduler": one_cycle,
        "clip_norm": 1.0,
    },
}


def rows(trainer):
    return rows_of(trainer.run.metrics_file)


def rates(trainer):
    return [float(row["learning_rate"]) for row in rows(trainer)]


def last_state(trainer):
    path, checkpoint, _ = newest_checkpoint(trainer.run.models)
    assert path.name == f"checkpoint-epoch{trainer.epochs}.pth"
    return checkpoint


def go_on(tmp_path, run, **options):
    """Resume from the newest checkpoint and train on."""
    path, checkpoint, _ = newest_checkpoint(tmp_path / "models" / "tiny" / run)
    trainer = make(tmp_path, run, checkpoint=checkpoint, source=path, **options)
    return trainer, trainer.train()


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, kind, capfd):
    options = dict(KINDS[kind])
    trainer = make(tmp_path, "whole", **options)
    assert trainer.train() is None
    expected, table = last_state(trainer), rows(trainer)
    assert trainer.is_complete

    base = options.pop("trainer", ChunkTrainer)
    last = trainer.progress.step - 1
    for stops in [(0,), (3,), (4, 5), (last // 2, last)]:
        run = "stopped-" + "-".join(map(str, stops))
        first = make(tmp_path, run, trainer=stopped_at(base, stops[0]), **options)
        assert first.train() == signal.SIGINT and not first.is_complete
        (saved,) = checkpoints(first.run.models)[:1]
        if kind != "skipping":  # where the first step is one that is skipped
            assert f"-step{stops[0] + 1}" in saved.name, "the step is finished"
        for stop in stops[1:]:
            again, number = go_on(tmp_path, run, trainer=stopped_at(base, stop), **options)
            assert number == signal.SIGINT
        again, number = go_on(tmp_path, run, trainer=base, **options)
        assert number is None and again.is_complete
        assert differences(expected, last_state(again)) == []
        assert rows(again) == table
        assert differences(load_checkpoint(trainer.run.best), load_checkpoint(again.run.best)) == []
    assert "SIGINT: finishing the step" in capfd.readouterr().err


def test_differences_finds_what_differs():
    first = {"a": [1, {"b": torch.zeros(2)}], "seconds": 1.0}
    assert differences(first, {"a": [1, {"b": torch.zeros(2)}], "seconds": 2.0}) == []
    assert differences(first, {"a": [1, {"b": torch.ones(2)}], "seconds": 1.0}) == [".a.1.b"]
    assert differences(first, {"a": [2, {"b": torch.zeros(2)}], "seconds": 1.0}) == [".a.0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_validation(tmp_path, number):
    make(tmp_path, "whole").train()
    base = stopped_at(ChunkTrainer, 10, number, where="validation")
    stopped = make(tmp_path, "stopped", trainer=base)
    assert stopped.train() == number
    assert checkpoints(stopped.run.models)[0].name == "checkpoint-epoch2-step10.pth"
    assert len(rows(stopped)) == 1
    again, _ = go_on(tmp_path, "stopped")
    whole = make(tmp_path, "whole2")
    whole.train()
    assert differences(last_state(whole), last_state(again)) == [] and rows(whole) == rows(again)


def test_more_signals_during_the_save_do_not_tear_it(tmp_path, monkeypatch, capfd):
    sync = os.fsync

    def interrupted(descriptor):
        os.kill(os.getpid(), signal.SIGINT)
        sync(descriptor)

    trainer = make(tmp_path, trainer=stopped_at(ChunkTrainer, 3))
    save = trainer.checkpoint.save

    def watched(*arguments, **options):
        monkeypatch.setattr(files.os, "fsync", interrupted)
        save(*arguments, **options)

    trainer.checkpoint.save = watched
    assert trainer.train() == signal.SIGINT
    monkeypatch.undo()
    assert newest_checkpoint(trainer.run.models)[1]["step"] == 4
    assert capfd.readouterr().err.count("please wait") >= 3


def test_a_new_run_resumes_from_a_file_elsewhere(tmp_path):
    """A branch: the folder of the old run stays unchanged."""
    make(tmp_path, "old", keep_last=None).train()
    old = tmp_path / "models" / "tiny" / "old"
    before = sorted((path.name, path.stat().st_mtime_ns) for path in old.iterdir())
    path, checkpoint, _ = find_checkpoint(old / "checkpoint-epoch2.pth")
    branch = make(tmp_path, "branch", checkpoint=checkpoint, source=path)
    branch.train()
    assert differences(last_state(branch), load_checkpoint(old / "checkpoint-epoch3.pth")) == []
    assert [row["epoch"] for row in rows(branch)] == ["3"]
    assert sorted((path.name, path.stat().st_mtime_ns) for path in old.iterdir()) == before


@pytest.mark.parametrize("name", ["checkpoint-epoch2.pth", "checkpoint-epoch2-step7.pth"])
def test_a_branch_that_is_killed_at_its_first_step_is_resumed_from_where_it_began(tmp_path, name):
    """Not from a fresh network, nor from the best before it."""
    make(tmp_path, "old", keep_last=None, save_minutes=0.0).train()
    old = tmp_path / "models" / "tiny" / "old"

    class Killed(ChunkTrainer):
        def _train_step(self):
            raise KeyboardInterrupt

    path, checkpoint, _ = find_checkpoint(old / name)
    branch = make(tmp_path, "branch", trainer=Killed, checkpoint=checkpoint, source=path)
    with pytest.raises(KeyboardInterrupt):
        branch.train()
    assert [one.name for one in checkpoints(branch.run.models)] == [name]
    again, _ = go_on(tmp_path, "branch")
    assert differences(last_state(again), load_checkpoint(old / "checkpoint-epoch3.pth")) == []


# Settings that change on the way.


def test_more_epochs(tmp_path):
    make(tmp_path, "six", epochs=6).train()
    make(tmp_path, "three", epochs=3).train()
    longer, _ = go_on(tmp_path, "three", epochs=6)
    six = load_checkpoint(tmp_path / "models/tiny/six/checkpoint-epoch6.pth")
    assert differences(six, last_state(longer)) == []


def test_more_epochs_stretch_the_schedule(tmp_path):
    options = dict(scheduler=one_cycle)
    six = make(tmp_path, "six", epochs=6, **options)
    six.train()
    make(tmp_path, "three", epochs=3, **options).train()
    longer, _ = go_on(tmp_path, "three", epochs=6, **options)
    assert rates(longer)[3:] == rates(six)[3:]
    assert rates(longer)[:3] != rates(six)[:3]


@pytest.mark.parametrize(
    "changed",
    [{"loader": {"batch_size": 1}}, {"accumulate": 2}, {"steps_per_epoch": 8}],
)
@pytest.mark.parametrize("stop", [9, 11])
def test_steps_of_another_size_keep_the_place_in_the_schedule(tmp_path, changed, stop):
    """At the end of an epoch, and within one."""
    options = dict(epochs=4, scheduler=one_cycle)
    if "steps_per_epoch" in changed:
        options["steps_per_epoch"] = 5
    make(tmp_path, "run", trainer=stopped_at(ChunkTrainer, stop), **options).train()
    whole = make(tmp_path, "whole", **options | changed)
    whole.train()
    again, _ = go_on(tmp_path, "run", **options | changed)
    assert rates(again)[2:] == pytest.approx(rates(whole)[2:])


def test_another_rate_applies_from_there_on(tmp_path):
    make(tmp_path, "a", epochs=1).train()
    trainer, _ = go_on(tmp_path, "a", epochs=2, lr=0.001)
    assert rates(trainer) == [0.05, 0.001]
    make(tmp_path, "b", epochs=1, scheduler=halving, schedule_by="epoch").train()
    trainer, _ = go_on(tmp_path, "b", epochs=3, lr=0.2, scheduler=halving, schedule_by="epoch")
    assert rates(trainer) == pytest.approx([0.05, 0.1, 0.05])


def test_what_a_plateau_reduced_stands(tmp_path):
    def never(optimizer, _, patience):
        return lr_scheduler.ReduceLROnPlateau(optimizer, patience=patience, factor=0.5)

    class Flat(ChunkTrainer):
        def _validate(self):
            return super()._validate() | {"error": 1.0}

    options = dict(trainer=Flat, schedule_by="epoch")
    make(tmp_path, epochs=3, scheduler=partial(never, patience=0), **options).train()
    trainer, _ = go_on(tmp_path, "run", epochs=6, scheduler=partial(never, patience=50), **options)
    assert rates(trainer) == pytest.approx([0.05, 0.05, 0.025, 0.0125, 0.0125, 0.0125])


def test_another_optimiser(tmp_path, caplog):
    make(tmp_path, epochs=1).train()
    trainer, _ = go_on(tmp_path, "run", epochs=2, optimizer="SGD")
    assert "used Adam: SGD starts from a fresh state" in caplog.text
    assert trainer.progress.epoch == 2


def test_an_average_that_begins_or_ends_on_the_way(tmp_path):
    make(tmp_path, "begins", epochs=1).train()
    begins, _ = go_on(tmp_path, "begins", epochs=2, ema_decay=0.9)
    assert int(begins.optimizer_step.average.n_averaged) == 5
    make(tmp_path, "ends", epochs=1, ema_decay=0.9).train()
    ends, _ = go_on(tmp_path, "ends", epochs=2)
    plain = make(tmp_path, "plain", epochs=2)
    plain.train()
    # The average never touched the training itself.
    assert all(torch.equal(a, weights(plain)[name]) for name, a in weights(ends).items())


# Whatever fails while writing.


class Disk:
    """Counts the writes, syncs and renames of files, and lets the one at `failing` fail."""

    def __init__(self, monkeypatch, failing=None) -> None:
        self.calls, self.failing = [], failing
        for name in ("fsync", "replace"):
            monkeypatch.setattr(files.os, name, partial(self._call, name, getattr(os, name)))
        real_open = open

        def opened(path, mode="r", *args, **kwargs):
            file = real_open(path, mode, *args, **kwargs)
            if mode == "xb":
                return Recording(file, self)
            return file

        monkeypatch.setattr(files, "open", opened, raising=False)

    def _call(self, name, real, *args):
        self.calls.append(name)
        if len(self.calls) - 1 == self.failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)


class Recording:
    """A file whose writes go through a `Disk`; one that fails has written half."""

    def __init__(self, file, disk) -> None:
        self.file, self.disk = file, disk

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        try:
            self.disk._call("write", self.file.write, data)
        except OSError:
            self.file.write(bytes(data[: len(data) // 2]))
            self.file.flush()
            raise


def test_each_write_sync_and_rename_may_fail_once(tmp_path, monkeypatch):
    options = dict(epochs=2, steps_per_epoch=2, save_minutes=0.0, ema_decay=0.5)
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        whole = make(tmp_path, "whole", **options)
        whole.train()
    expected = last_state(whole)
    calls = disk.calls
    assert {"write", "fsync", "replace"} == set(calls) and len(calls) > 30

    for failing in range(len(calls)):
        run = f"failing-{failing}"
        with monkeypatch.context() as patch:
            Disk(patch, failing)
            trainer = make(tmp_path, run, **options)
            with pytest.raises(OSError, match="No space left"):
                trainer.train()
        folder = trainer.run.models
        assert not list(folder.glob(".*")), "the half-written file is gone"
        for path in [*checkpoints(folder), *folder.glob(BEST)]:
            load_checkpoint(path)
        if not checkpoints(folder):
            continue
        path, checkpoint, skipped = newest_checkpoint(folder)
        assert skipped == []
        again = make(tmp_path, run, checkpoint=checkpoint, source=path, **options)
        again.train()
        assert differences(expected, last_state(again)) == [], calls[failing]
        assert rows(again) == rows(whole)
    assert failing > 30


def test_runs_killed_at_random_moments(tmp_path):
    """A child process is killed at least 20 times; each time a whole last checkpoint is left.

    What the last one holds is bit for bit what a run that nobody killed has at that step, and so
    are table and curves.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seed = int.from_bytes(os.urandom(4), "little")
    child = [sys.executable, killed_run.__file__, str(tmp_path), str(seed)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(child, env=environment, capture_output=True, text=True, timeout=240)
    report = f"seed {seed}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, report
    killed = [line for line in done.stdout.splitlines() if line.startswith("killed")]
    assert len(killed) >= 20, report

    path, checkpoint, skipped = newest_checkpoint(tmp_path / "models" / "tiny" / "run")
    assert skipped == [] and checkpoint["step"] > 20, report
    base = stopped_at(ChunkTrainer, checkpoint["step"] - 1)
    whole = make(tmp_path, "whole", trainer=base, **killed_run.OPTIONS)
    whole.train()
    expected = newest_checkpoint(whole.run.models)[1]
    if expected["epoch"] == checkpoint["epoch"]:  # else that step ended an epoch
        assert differences(expected, checkpoint) == [], report
    else:
        assert differences(expected["state_dict"], checkpoint["state_dict"]) == [], report

    again = make(tmp_path, "run", checkpoint=checkpoint, source=path, **killed_run.OPTIONS)
    with again.run_log.opened(again.checkpoint, again.seed):
        pass  # it takes back what the last kill left behind the checkpoint
    complete = min(expected["epoch"], checkpoint["epoch"])
    assert rows(again)[:complete] == rows(whole)[:complete]
    assert len(rows(again)) == checkpoint["epoch"] > 3
    curves = []
    for one in (again, whole):
        reader = EventAccumulator(str(one.run.log), size_guidance={"scalars": 0}).Reload()
        curves.append([(event.step, event.value) for event in reader.Scalars("step/gradient_norm")])
    assert curves[0] == curves[1] and len(curves[0]) == checkpoint["step"] // 10
