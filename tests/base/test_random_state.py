"""All generators resume where they were."""

import random

import numpy as np
import torch

from base.checkpoint import load_checkpoint, save_checkpoint
from base.random_state import random_state, random_state_kept, seed_all, set_random_state


def draws() -> list[float]:
    return [
        float(torch.rand(())),
        float(torch.randn(())),
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),
        float(np.random.standard_normal()),
    ]


def test_state_goes_through_a_checkpoint(tmp_path):
    seed_all(3)
    draws()
    content = {"config": {}, "state_dict": {}, "random": random_state()}
    content["normalisation"] = {"mean": [0.0, 0.0], "std": [1.0, 1.0]}
    save_checkpoint(tmp_path / "x.pth", content)
    expected = [draws(), draws()]
    seed_all(9)
    set_random_state(load_checkpoint(tmp_path / "x.pth")["random"])
    assert [draws(), draws()] == expected


def test_what_runs_inside_draws_nothing_from_outside():
    seed_all(3)
    expected = draws()
    seed_all(3)
    with random_state_kept():
        assert draws() == expected
    assert draws() == expected
