"""All generators are as they were, after what has its own randomness."""

import random

import numpy as np
import torch

from base.random_state import random_state_kept, seed_all


def draws() -> list[float]:
    return [
        float(torch.rand(())),
        float(torch.randn(())),
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),
        float(np.random.standard_normal()),
    ]


def test_random_state_is_kept_when_a_block_draws():
    seed_all(3)
    expected = draws()
    seed_all(3)
    with random_state_kept():
        assert draws() == expected
    assert draws() == expected
