"""States that are equal have one digest, and others another."""

import itertools
import math
import random
from array import array
from collections import OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from every_kind import refused, tensors
from torch import nn

from base.run.digest import digest


class Slotted:
    """An object without a dictionary of attributes."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def counted(steps):
    """Return iterators and numbers after so many steps."""
    count, cycle = itertools.count(), itertools.cycle("abc")
    for _ in range(steps):
        next(count), next(cycle)
    return [count, cycle, Fraction(steps, 7), Decimal(steps), complex(0, steps), frozenset({steps})]


CONTAINERS = (
    *(deque, frozenset, lambda values: array("d", values), lambda values: partial(max, *values)),
    *(lambda values: Slotted(values[0]), lambda values: SimpleNamespace(value=values[0])),
)


class Own:
    """An object of one's own, which refers to itself."""

    def __init__(self, value):
        self.value, self.itself = value, self


@pytest.mark.parametrize("make", CONTAINERS)
def test_a_digest_sees_what_any_container_holds(make):
    assert digest(make([1, 2])) == digest(make([1, 2])) != digest(make([2, 2.5]))


@pytest.mark.parametrize("number", range(6))
def test_a_digest_sees_numbers_and_iterators(number):
    first, second = counted(1)[number], counted(2)[number]
    assert digest(first) == digest(counted(1)[number]) != digest(second)


def test_equal_sets_that_were_made_otherwise_have_the_same_digest():
    assert digest({8, 16, 0}) == digest({0, 8, 16})  # Their repr differs.


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


@pytest.mark.parametrize("name", [*tensors(), *refused()])
def test_each_kind_of_tensor_has_a_digest(name):
    made = [{**tensors(), **{name: value for name, (value, _) in refused().items()}} for _ in "ab"]
    assert digest(made[0][name]) == digest(made[1][name])
    if name in tensors():
        assert digest(made[0][name]) == digest(made[0][name].clone()) != digest(torch.zeros(1))
