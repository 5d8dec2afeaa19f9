"""States that are equal have one digest, and others another."""

import math
import random
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from base.digest import digest


class Own:
    """An object of one's own, which refers to itself."""

    def __init__(self, value):
        self.value, self.itself = value, self


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (math.nan, float("nan")),
        (torch.tensor([1.0, math.nan]), torch.tensor([1.0, math.nan])),
        (torch.arange(3), torch.arange(3.0)),  # as torch's optimisers load them
        (torch.zeros(3, 2).t(), torch.zeros(2, 3)),
        ({"a": 1, "b": [2, None]}, OrderedDict(b=(2, None), a=1)),
        (Own({"a": 1}), Own({"a": 1})),
        (Own(print), Own(len)),  # Functions are no state.
        (random.Random(1), random.Random(1)),
        (torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)),
    ],
)
def test_equal_states_have_the_same_digest(first, second):
    assert digest(first) == digest(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, 2),
        ("1", 1),
        ([1, 2], [2, 1]),
        (None, 0),
        ({"a": 1}, {"b": 1}),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.tensor(0.1), torch.tensor(0.1, dtype=torch.float64)),
        (torch.tensor(1j), torch.tensor(-1j)),
        (np.zeros(2), np.ones(2)),
        (Own(1), Own(2)),
        (Own([nn.Linear(1, 1)]), Own([nn.Linear(1, 1)])),
        (random.Random(1), random.Random(2)),
        (torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)),
    ],
)
def test_states_that_differ_have_different_digests(first, second):
    assert digest(first) != digest(second)
