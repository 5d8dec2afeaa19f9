"""Checkpoints with damaged training state: a run resumes to its end, or is refused."""

import random
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from base.checkpoint import checkpoints, load_checkpoint
from tests.campaign import tiny
from tests.campaign.damage import NUMBERS, OTHERS, check_answer, files_in, other_plain, spoil
from tests.campaign.frame import Family, demand, once, run

KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"trainer.args.ema_decay": 0.8},
    {"trainer.args.weight_noise": "adaptive"},
    {"trainer.args.weight_noise": "fixed", "trainer.args.accumulate": 2},
    {"trainer.args.truncate": 8, "trainer.args.steps_per_epoch": 4},
    {"lr_scheduler": None, "optimizer": {"type": "Adam", "args": {"lr": 0.003}}},
    {
        "lr_scheduler": {"type": "ReduceLROnPlateau", "args": {"patience": 0}},
        "trainer.args.schedule_by": "epoch",
    },
    {"optimizer": {"type": "SGD", "args": {"lr": 0.01, "momentum": 0.9}}},
)
"""Of trainings, by what they change in the config of the tiny one."""

SECONDS = 40.0


def other_tensor(rng: random.Random, tensor: Tensor) -> Any:
    """Return something else than a tensor of a state: mostly another tensor."""
    real = tensor.is_floating_point()
    made = tensor.clone()
    if made.numel():
        made.view(-1)[rng.randrange(made.numel())] = (
            rng.choice((torch.nan, torch.inf, -1e38, 1e38, -1.0)) if real else rng.choice((-1, 127))
        )
    return rng.choice(
        (
            made,
            made,
            torch.full_like(tensor, torch.nan if real else 99),
            -tensor if tensor.dtype != torch.bool else ~tensor,
            tensor[None],
            tensor.flatten()[:-1],
            torch.zeros(0),
            torch.zeros(3, 5),
            torch.zeros(1).expand(10**6, 10**6),
            tensor.to(torch.float64 if real else torch.int32),
            tensor.to(torch.complex64),
            tensor.to(torch.bool),
            tensor.to_sparse() if tensor.dim() else tensor[None],
            torch.empty(tensor.shape, device="meta"),
            torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
            tensor.tolist(),
            None,
            0.5,
            "x",
        )
    )


def other(rng: random.Random, value: Any) -> Any:
    """Return something else than a value of a state."""
    if isinstance(value, Tensor):
        return other_tensor(rng, value)
    if isinstance(value, tuple):
        return rng.choice((value[::-1], value[1:], list(value), tuple(map(str, value)), None, 1.0))
    if rng.random() < 0.1:
        return rng.choice((torch.zeros(3), torch.tensor(float("nan")), *NUMBERS, *OTHERS))
    return other_plain(rng, value)


def tensors(value: Any) -> list[Tensor]:
    """Return all tensors in nested dicts and lists."""
    if isinstance(value, Tensor):
        return [value]
    children = value.values() if isinstance(value, dict) else value
    return [t for child in children for t in tensors(child)] if _nested(value) else []


def _nested(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def trained(rng: random.Random, folder: Path) -> Path:
    """Leave the run of a tiny training in `folder`, and return one of its checkpoints."""
    kind = rng.randrange(len(KINDS))
    with once(f"training-{kind}") as shared:
        if not (shared / "saved").exists():
            changes = KINDS[kind] | {"trainer.args.keep_last": None}
            tiny.write(folder / "config.json", tiny.changed(tiny.CONFIG, changes))
            status, output = run(tiny.TRAIN)
            demand(status == 0, f"the training itself ended with {status}: {output[-300:]}")
            shutil.move(folder / "saved", shared / "saved")
    shutil.copytree(shared / "saved", folder / "saved")
    return rng.choice(checkpoints(tiny.RUN))


def damaged_state(rng: random.Random, folder: Path) -> None:
    """One checkpoint of a run, damaged in one place or two, beside the run or in its place."""
    path = trained(rng, folder)
    checkpoint = load_checkpoint(path)
    for _ in range(rng.choice((1, 1, 1, 2))):
        spoil(rng, checkpoint["training"], other)
    if rng.random() < 0.5:
        path = Path("untrusted.pth")
    torch.save(checkpoint, path)
    before = files_in(folder)
    status = check_answer(run(["train.py", "-r", str(path), "-d", "cpu"], seconds=SECONDS))
    after = files_in(folder)
    demand(after.get(path.as_posix()) == before[path.as_posix()], "the file itself was changed")
    if status == 2:
        changed = {
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        }
        demand(not changed, f"refused, and yet changed: {sorted(changed)}")
        return
    folders = {Path(name).parent for name in after if name.endswith(".pth")} - {Path(".")}
    for place in folders:
        for file in checkpoints(place)[:1]:
            if after[file.as_posix()] == before.get(file.as_posix()):
                continue
            content = load_checkpoint(file)
            finite = all(bool(t.isfinite().all()) for t in content["state_dict"].values())
            demand(finite, f"went on to weights that are not finite ({file.name})")


FAMILIES = [Family("damaged training states", 300, damaged_state, 2 * SECONDS)]
