"""Which device a run uses."""

import os

import torch

from base import distributed
from utils.checks import UserError, device_name


def resolve_device(name: str) -> torch.device:
    """Return the device called `name`: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    `auto` takes CUDA, else MPS, else the CPU. Of several processes each gets a GPU of its own, or
    computes on the CPU.

    Raises:
        UserError: if there is no such device here.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if distributed.world_size() > 1:
        return _own_device(name, count)
    if name == "auto":
        name = "cuda" if count else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = device_name(name).partition(":")
    if kind == "cuda":
        if count == 0:
            raise UserError(
                f"device {name!r}: this PyTorch ({torch.__version__}) sees no CUDA device; "
                "use -d cpu, or install the build for your CUDA"
            )
        if number and int(number) >= count:
            raise UserError(f"device {name!r}: there are cuda:0 to cuda:{count - 1}")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device {name!r}: this PyTorch ({torch.__version__}) sees no MPS device")
    return torch.device(name)


def _own_device(name: str, count: int) -> torch.device:
    """Return this process's device, where torchrun has started several."""
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    if name not in ("auto", "cuda"):
        raise UserError(
            f"device {name!r}: of several processes each takes a device of its own: auto, cpu or "
            "cuda is accepted"
        )
    here = int(os.environ.get("LOCAL_WORLD_SIZE", distributed.world_size()))
    if here > count:
        raise UserError(
            f"device {name!r}: {here} processes on a machine where this PyTorch "
            f"({torch.__version__}) sees {count} CUDA devices; start no more than that "
            "(--nproc_per_node), or use -d cpu"
        )
    return torch.device("cuda", distributed.local_rank())
