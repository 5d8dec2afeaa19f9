"""What fails beside the training: the run is saved first, and then says so."""

import os
import shutil
import signal
import time

import pytest
import torch
from tiny_run import ChunkTrainer, Sequences, make, weights

from base.base_trainer import TrainingFailed
from base.checkpoint import newest_checkpoint
from utils.checks import DataError

pytestmark = pytest.mark.slow

OPTIONS = {"epochs": 4, "loader": {"num_workers": 2}, "valid": False, "monitor": None}


def go_on(tmp_path, **options):
    path, checkpoint, _ = newest_checkpoint(tmp_path / "models" / "tiny" / "run")
    trainer = make(tmp_path, checkpoint=checkpoint, source=path, **options)
    trainer.train()
    return trainer


def same(first, second) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


needs_proc = pytest.mark.skipif(
    not os.path.exists("/proc/self/task"), reason="no /proc to find workers in"
)


def workers() -> list[int]:
    """Return the children of this process."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return list(map(int, file.read().split()))


@needs_proc
@pytest.mark.parametrize("step", [7, 10])
def test_a_data_worker_that_is_killed(tmp_path, step):
    """Within a pass, and between two."""
    before = set(workers())

    class Robbed(ChunkTrainer):
        def _train_step(self):
            loss = super()._train_step()
            if self.progress.step == step:
                for worker in set(workers()) - before:
                    os.kill(worker, signal.SIGKILL)
                time.sleep(0.1)
            return loss

    whole = make(tmp_path, "whole", **OPTIONS)
    whole.train()
    trainer = make(tmp_path, trainer=Robbed, **OPTIONS)
    with pytest.raises(TrainingFailed, match=r"the data loader or one of its workers failed: "):
        trainer.train()
    assert not trainer.is_complete and newest_checkpoint(trainer.run.models)[1]["step"] >= step
    assert same(weights(go_on(tmp_path, **OPTIONS)), weights(whole))


@needs_proc
def test_no_data_worker_outlives_a_run_that_stops_within_a_pass(tmp_path):
    before = set(workers())
    trainer = make(tmp_path, **OPTIONS | {"time_limit_minutes": 0.0})
    trainer.train()
    assert not trainer.is_complete and trainer.stream.position.batch == 1
    assert set(workers()) <= before


def test_a_failure_of_the_loader_in_validation(tmp_path):
    class Lost(Sequences):
        def __getitem__(self, key):
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")

    class Broken(ChunkTrainer):
        def _validate(self):
            if self.progress.epoch == 1:
                self.valid_loader.dataset.__class__ = Lost
            return super()._validate()

    options = {"epochs": 3}
    whole = make(tmp_path, "whole", **options)
    whole.train()
    trainer = make(tmp_path, trainer=Broken, **options)
    with pytest.raises(TrainingFailed, match="one of its workers failed: DataLoader worker"):
        trainer.train()
    path = newest_checkpoint(trainer.run.models)[0]
    assert path.name == "checkpoint-epoch2-step10.pth"
    again = go_on(tmp_path, **options)
    assert (
        same(weights(again), weights(whole))
        and again.checkpoint.progress() == whole.checkpoint.progress()
    )


class Unreadable(Sequences):
    """Samples of which one cannot be read in the second pass."""

    def __getitem__(self, key):
        if key == (1, 4):
            raise DataError("lines/4.xml: no strokes")
        return super().__getitem__(key)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_broken_sample_is_named_and_costs_no_step(tmp_path, num_workers):
    loader = {"num_workers": num_workers, "shuffle": False}
    trainer = make(tmp_path, epochs=3, loader=loader)
    trainer.train_loader.dataset.__class__ = Unreadable
    with pytest.raises(TrainingFailed, match=r"failed: .*lines/4\.xml: no strokes$"):
        trainer.train()
    path = newest_checkpoint(trainer.run.models)[0]
    assert path.name == "checkpoint-epoch2-step6.pth"


@pytest.mark.parametrize("step", [3, 5])
def test_a_log_folder_that_is_removed(tmp_path, step):
    """Within an epoch, and at the end of one."""

    class Removed(ChunkTrainer):
        def _train_step(self):
            loss = super()._train_step()
            if self.progress.step == step:
                shutil.rmtree(self.run.log)
            return loss

    options = {"epochs": 3, "tensorboard": True, "log_steps": 1, "save_minutes": 0.0}
    whole = make(tmp_path, "whole", **options)
    whole.train()
    trainer = make(tmp_path, trainer=Removed, **options)
    with pytest.raises(FileNotFoundError, match=str(trainer.run.log)):
        trainer.train()
    assert newest_checkpoint(trainer.run.models)[1]["step"] >= step
    assert same(weights(go_on(tmp_path, **options)), weights(whole))


def test_a_picture_that_the_disk_does_not_take(tmp_path):
    class Full(ChunkTrainer):
        def draw(self, epoch, step):
            raise OSError(28, "No space left on device", "a.png")

    trainer = make(tmp_path, trainer=Full, epochs=3)
    with pytest.raises(OSError, match="No space left"):
        trainer.train()
    assert newest_checkpoint(trainer.run.models)[0].name == "checkpoint-epoch1.pth"
