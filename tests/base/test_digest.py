"""States that are equal have one digest, and others another."""

import copy
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


def advanced(generator):
    """Return a generator after a draw."""
    if isinstance(generator, torch.Generator):
        torch.rand(1, generator=generator)
    else:
        generator.random()
    return generator


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
def test_equal_states_have_one_digest(first, second):
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
    ],
)
def test_states_that_differ_have_two_digests(first, second):
    assert digest(first) != digest(second)


@pytest.mark.parametrize(
    "generator", [random.Random(1), np.random.default_rng(1), torch.Generator().manual_seed(1)]
)
def test_generator_has_another_digest_when_it_has_drawn(generator):
    before = digest(generator)
    assert digest(advanced(generator)) != before


def test_part_of_torch_has_the_digest_of_its_state():
    layer = nn.Linear(2, 2)
    before, again = digest(layer), copy.deepcopy(layer)
    assert digest(again) == before
    again.bias.data += 1.0
    assert digest(again) != before
