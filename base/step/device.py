"""Chooses the device of a run, and compiled or plain layers."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Literal

import torch

from base import distributed
from utils.checks import UserError, device_name

KEPT_BYTES = 1 << 28
"""Freed memory that a training keeps (assumed: more than the tensors of a step)."""
RETURNED_BYTES = 1 << 17
"""Least size of a tensor whose memory is returned when it is freed: at first the limit of glibc."""
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of malloc.h in glibc
layers_are_plain: ContextVar[bool] = ContextVar("layers_are_plain", default=False)
"""Whether the code runs inside a block of `plain_layers`."""


@contextmanager
def plain_layers(are_plain: bool = True) -> Iterator[None]:
    """A block in which layers use only torch operations, which can be differentiated twice; with
    `are_plain` False, one that changes nothing."""
    if not are_plain:
        yield
        return
    token = layers_are_plain.set(True)
    try:
        with torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        layers_are_plain.reset(token)


def fast_precision(device: torch.device) -> Literal["float32", "bfloat16"]:
    """Return "bfloat16" if `device` has instructions for products of bfloat16, else "float32". On a
    CPU without them, products of bfloat16 take longer than those of float32; a CPU that torch is to
    take for an older one (ATEN_CPU_CAPABILITY=avx2) has none."""
    if device.type == "cuda":
        is_fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # torch has no public function for this in all versions that the project runs with.
        has_products = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        is_old = torch.backends.cpu.get_cpu_capability() == "AVX2"
        is_fast = device.type == "cpu" and has_products and not is_old
    return "bfloat16" if is_fast else "float32"


def keep_freed_memory() -> None:
    """Let this process keep the memory that a training step frees, for the next step. The C library
    of Linux would return large tensors to the system; getting them anew took a tenth of a step on a
    CPU (measured, notebook: speed, training on a CPU). At most `KEPT_BYTES` are kept."""
    _set_threshold(TRIM_THRESHOLD, KEPT_BYTES)
    _set_threshold(MMAP_THRESHOLD, KEPT_BYTES)


def return_freed_memory() -> None:
    """Let this process return large tensors to the system when they are freed. glibc would raise
    its limit with each such tensor, so that memory grew with a text: by 160 MB for 1,000 words that
    are proofread (measured: the peak of `page`)."""
    _set_threshold(MMAP_THRESHOLD, RETURNED_BYTES)


def _set_threshold(name: int, size: int) -> None:
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(name, size)


def resolve_device(name: str) -> torch.device:
    """Return the device called `name`: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    `auto` is CUDA if available, else MPS, else the CPU. Each of several processes gets a different
    GPU, or all compute on the CPU.

    Raises:
        UserError: if this machine has no such device.
    """
    several = distributed.world_size() > 1
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        name = "mps" if has_mps and not several else "cpu"
        name = "cuda" if count else name
    kind, _, number = device_name(name).partition(":")
    prefix = f"device {name!r}: this PyTorch ({torch.__version__}) sees"
    if several and (number or kind == "mps"):
        raise UserError(
            f"device {name!r}: several processes cannot share a device: auto, cpu or cuda is "
            "accepted"
        )
    if kind == "cuda" and not count:
        raise UserError(f"{prefix} no CUDA device; use -d cpu, or install the build for your CUDA")
    if kind == "mps" and not has_mps:
        raise UserError(f"{prefix} no MPS device")
    if several and kind == "cuda":
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", distributed.world_size()))
        if processes > count:
            raise UserError(
                f"{prefix} {count} CUDA devices for {processes} processes; start no more than that "
                "(--nproc_per_node), or use -d cpu"
            )
        number = str(distributed.local_rank())
    elif number and int(number) >= count:
        raise UserError(f"device {name!r}: there are cuda:0 to cuda:{count - 1}")
    return torch.device(f"{kind}:{number}" if number else kind)
