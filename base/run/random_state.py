"""Seeds, saves and restores all random number generators together."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from base import distributed


def seed_all(seed: int) -> None:
    """Seed the generators of PyTorch (all devices), NumPy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def random_state() -> dict[str, Any]:
    """Return the states of all generators as tensors and plain values."""
    version, numbers, gaussian = random.getstate()
    full = np.random.get_state(legacy=False)
    algorithm, keys = full["bit_generator"], full["state"]["key"]
    rest = full["state"]["pos"], full["has_gauss"], full["gauss"]
    state = {
        "torch": torch.get_rng_state(),
        "python": [version, list(numbers), gaussian],
        "numpy": [algorithm, torch.from_numpy(keys.astype(np.int64)), *rest],
    }
    if torch.cuda.is_available():
        # Each of several processes has its own GPU, and must not touch the others.
        several = distributed.world_size() > 1
        state["cuda"] = [torch.cuda.get_rng_state()] if several else torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Restore the states that `random_state` returned, except those of missing devices."""
    version, numbers, gaussian = state["python"]
    algorithm, keys, *rest = state["numpy"]
    if not 0 <= rest[0] <= len(keys):  # NumPy does not check the position.
        raise ValueError(f"{rest[0]} is no valid position in the state of NumPy's generator")
    torch.set_rng_state(state["torch"])
    random.setstate((version, tuple(numbers), gaussian))
    np.random.set_state((algorithm, keys.numpy().astype(np.uint32), *rest))
    if torch.cuda.is_available():
        # A process among several uses only its current device; a single process may use any.
        several = distributed.world_size() > 1
        devices: Iterable[int | str] = ["cuda"] if several else range(torch.cuda.device_count())
        for device, generator in zip(devices, state.get("cuda", ()), strict=False):
            torch.cuda.set_rng_state(generator, device)
    if torch.backends.mps.is_available() and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def random_state_kept() -> Iterator[None]:
    """A block after which all generators are restored, so that draws in it change nothing later."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
