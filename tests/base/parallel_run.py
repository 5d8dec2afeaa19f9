"""A program that trains the tiny network in several processes, in all ways that matter for them.

python -m torch.distributed.run --standalone --nproc_per_node=2 tests/base/parallel_run.py FOLDER

What the main process finds goes to FOLDER/results.json; the runs are in FOLDER as always.
"""

import gc
import hashlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from own_steps import (
    Critic,
    Gathering,
    Normalised,
    Queueing,
    Sam,
    Satisfied,
    Turning,
    Widening,
)
from tiny_run import (
    VALID,
    ChunkTrainer,
    Curriculum,
    MeanPrediction,
    Ranked,
    ScheduleFree,
    go_on,
    make,
    resumed,
    thawing,
    trained,
)
from torch.optim.lr_scheduler import ReduceLROnPlateau

from base import distributed
from base.run import training_checkpoint
from base.run.checkpoint import newest_checkpoint
from utils.checks import CheckpointError

NO_DROPOUT = {"dropout": 0.0, "optimizer": "SGD", "save_minutes": 10.0}
"""What must be the same for any number of processes, but for the order of float32 sums."""

KINDS = {
    "plain": {},
    "sequences": {"by_points": False, "loader": {"batch_size": 4}},
    "accumulated": {"accumulate": 2, "epochs": 2},
    "noisy": {"weight_noise": "fixed", "ema_decay": 0.8, "clip_norm": 0.5},
    "skipping": {"loader": {"broken": (4,)}, "max_skipped": 9},
    "stopping": {
        **{"early_stop": 2, "monitor": "max valid_error", "epochs": 9, "steps_per_epoch": 3},
        **{"schedule_by": "epoch", "scheduler": lambda optimizer, _: plateau(optimizer)},
    },
    "more-processes-than-samples": {"loader": {"batch_size": 1}, "epochs": 1},
    "sharpness-aware": {"trainer": Sam, "weight_noise": "fixed"},
    "gathering": {"trainer": Gathering, "epochs": 2},
    "a-rule-of-its-own": {"trainer": Satisfied, "epochs": 9},
    "critic": {"trainer": Critic, "loader": {"batch_size": 1}, "epochs": 2},
    "curriculum": {"trainer": Widening, "loader": {"sampler": Curriculum}, "epochs": 2},
    "lists": {"metrics": (MeanPrediction, Ranked), "epochs": 2},
    "groups": {"optimizer": thawing, "weight_noise": "fixed", "clip_norm": 0.5, "epochs": 2},
    "schedule-free": {"optimizer": ScheduleFree, "epochs": 2},
    "complex": {"network": Turning, "epochs": 2},
}
KINDS = {kind: NO_DROPOUT | options for kind, options in KINDS.items()}


def plateau(optimizer: torch.optim.Optimizer) -> ReduceLROnPlateau:
    return ReduceLROnPlateau(optimizer, mode="max", patience=0, factor=0.5)


STOPPED_AFTER = 7
"""Steps after which a run is stopped, in the middle of a pass."""


def stopped(base: type[ChunkTrainer]) -> type[ChunkTrainer]:
    """Return a trainer that gets a signal in the middle of a step, in the last process only."""

    class Stopped(base):
        def step(self, chunks):
            last = distributed.rank() == distributed.world_size() - 1
            if self.progress.step == STOPPED_AFTER - 1 and last:
                os.kill(os.getpid(), signal.SIGINT)
            return super().step(chunks)

    return Stopped


Stopped = stopped(ChunkTrainer)


def digest(trainer: ChunkTrainer) -> str:
    """Return a digest of the weights under training, bit for bit."""
    weights = trainer.model.state_dict().values()
    return hashlib.sha256(b"".join(weight.numpy().tobytes() for weight in weights)).hexdigest()


def main(saved: Path) -> None:
    results: dict[str, Any] = {"weights": {}}
    for kind, options in KINDS.items():
        trainer = trained(saved, kind, **options)
        results["weights"][kind] = distributed.all_gather_object(digest(trainer))

    # Stopped here, to be resumed by one process; and what one process was stopped in.
    trainer = make(saved, "stopped-here", trainer=Stopped, **KINDS["plain"])
    results["signals"] = distributed.all_gather_object(trainer.train())
    go_on(saved, "stopped-there", **KINDS["plain"])

    # With dropout, a run is that of as many processes, bit for bit.
    for run, base in (("dropout", ChunkTrainer), ("dropout-stopped", Stopped)):
        options = {"epochs": 3, "weight_noise": "fixed", "keep_last": None}
        trainer = trained(saved, run, trainer=base, **options)
    sums = [each.metrics[0].sum.item() for each in (trainer, resumed(saved, run, **options))]
    results["sums"] = distributed.all_gather_object(sums)
    go_on(saved, "dropout-stopped", **options)

    # What each process has seen of the data is in buffers, and in a list.
    options = {"epochs": 2, **NO_DROPOUT}
    trained(saved, "buffers", trainer=Normalised, **options)
    trained(saved, "buffers-stopped", trainer=stopped(Normalised), **options)
    norm = go_on(saved, "buffers-stopped", trainer=Normalised, **options)[0].norm
    results["buffers"] = distributed.all_gather_object(norm.running_var.tolist())
    for run, base in (("queue", Queueing), ("buffers-warned", Normalised)):
        with mock.patch.object(training_checkpoint.log, "warning") as warn:
            trained(saved, run, trainer=base, **options)
        results[run] = [call.args[0] % call.args[1:] for call in warn.call_args_list]

    with distributed.own_randomness(torch.device("cpu"), 1, 2):
        own = torch.rand(2).tolist()
    results["own"] = distributed.all_gather_object(own)
    results["common"] = distributed.all_gather_object(torch.rand(2).tolist())

    path, checkpoint = newest_checkpoint(saved / "models" / "tiny" / "dropout")
    checkpoint["training"]["run"]["metric_sums_of_ranks"][1][0]["sum"] = torch.zeros(2)
    refusal = ""
    try:
        make(saved, checkpoint=checkpoint, source=path, **options)
    except CheckpointError as error:
        refusal = str(error)
    results["refusals"] = distributed.all_gather_object(refusal)

    if distributed.is_main():
        (saved / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    torch.set_num_threads(1)
    gc.freeze()  # Each epoch looks for garbage.
    with distributed.started():
        logging.disable()
        assert distributed.world_size() == 2 and len(VALID) == 5
        main(Path(sys.argv[1]))
    # A thread of the group that outlives it can abort the process at its end.
    if sys.platform == "linux":
        names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
        assert not any("gloo" in name for name in names), names
