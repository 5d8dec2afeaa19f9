"""The random number generators: seeded, saved and restored together."""

import random
from collections.abc import Iterator
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
    algorithm, keys, position, has_gaussian, cached = np.random.get_state()
    state = {
        "torch": torch.get_rng_state(),
        "python": [version, list(numbers), gaussian],
        "numpy": [
            algorithm,
            torch.from_numpy(keys.astype(np.int64)),
            position,
            has_gaussian,
            float(cached),
        ],
    }
    if torch.cuda.is_available():
        # Of several processes each has a GPU of its own, and leaves those of others alone.
        one = distributed.world_size() > 1
        state["cuda"] = [torch.cuda.get_rng_state()] if one else torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def _as_set(state: dict[str, Any]) -> tuple[tuple, tuple]:
    """Return the states of Python's and NumPy's generators in the form that these accept."""
    version, numbers, gaussian = state["python"]
    algorithm, keys, *rest = state["numpy"]
    keys = keys.numpy().astype(np.uint32)
    return (version, tuple(numbers), gaussian), (algorithm, keys, *rest)


def try_random_state(state: dict[str, Any]) -> None:
    """Set new generators to what `random_state` returned; they raise if they refuse it."""
    python, numpy = _as_set(state)
    torch.Generator().set_state(state["torch"])
    random.Random().setstate(python)
    np.random.RandomState().set_state(numpy)
    for kind, states in (("cuda", state.get("cuda", [])), ("mps", [state.get("mps")])):
        if getattr(torch, kind).is_available():
            for one in filter(None.__ne__, states):
                torch.Generator(kind).set_state(one)


def set_random_state(state: dict[str, Any]) -> None:
    """Restore all generators to what `random_state` returned; missing devices are ignored."""
    python, numpy = _as_set(state)
    torch.set_rng_state(state["torch"])
    random.setstate(python)
    np.random.set_state(numpy)
    if torch.cuda.is_available():
        states = state.get("cuda", [])[: torch.cuda.device_count()]
        if distributed.world_size() > 1:
            for device_state in states[:1]:
                torch.cuda.set_rng_state(device_state)
        else:
            for device, device_state in enumerate(states):
                torch.cuda.set_rng_state(device_state, device)
    if torch.backends.mps.is_available() and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Restore all generators afterwards, so that what runs inside does not change the training."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
