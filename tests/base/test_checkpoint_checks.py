"""The checks of a checkpoint's content, each on values that fit and that do not."""

import math
from dataclasses import dataclass
from typing import Annotated

import pytest
import torch

from base import checkpoint_checks as checks
from utils.checks import CheckpointError, Range


@dataclass
class Counts:
    steps: int = 0
    loss: Annotated[float, Range(0.0)] = 0.0
    best: float | None = None


CASES = {
    "number": (checks.number(0, 1), [0, 0.5, 1.0], [2, -0.1, True, "1", math.nan, math.inf]),
    "any number": (checks.number(finite=False), [math.nan, math.inf, 3], ["3", None]),
    "whole": (checks.whole(1, 5), [1, 5], [0, 6, 2.0, True]),
    "of": (checks.of(str, int), ["a", 1], [1.0, True, None]),
    "optional": (checks.optional(checks.of(str)), [None, "a"], [1]),
    "listed": (checks.listed(checks.of(int), 2), [[1, 2], (1, 2)], [[1], [1, 2, 3], [1, "a"], 1]),
    "table": (checks.table(checks.of(int)), [{}, {"a": 1}], [{"a": "b"}, {1: 1}, []]),
    "record": (
        checks.record({"a": checks.of(int), "b": checks.of(str)}, needed=("a",)),
        [{"a": 1}, {"a": 1, "b": "x"}, {"a": 1, "other": 2}],
        [{}, {"b": "x"}, {"a": "x"}, {"a": 1, "b": 2}, None],
    ),
    "tensor": (
        checks.tensor((2, None), (torch.float32,)),
        [torch.zeros(2, 5), torch.zeros(2, 0)],
        [torch.zeros(3, 5), torch.zeros(2), torch.zeros(2, 1).double(), [[1.0]],
         torch.full((2, 1), math.inf)],
    ),
    "made_of": (
        checks.made_of(Counts),
        [{"steps": 1, "loss": 0.5, "best": None}, {"steps": 1, "loss": 0.0}],
        [{"steps": 1}, {"steps": -1, "loss": 0.0}, {"steps": 1, "loss": -1.0},
         {"steps": 1, "loss": 0.0, "best": math.nan}],
    ),
    "like": (
        checks.like({"a": [1, torch.zeros(2)], "b": "x"}),
        [{"a": [2.5, torch.ones(2)], "b": "y"}],
        [{"a": [1], "b": "x"}, {"a": [1, torch.zeros(3)], "b": "x"}, {"a": [1, torch.zeros(2)]}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_a_check_takes_what_fits_and_names_what_does_not(kind):
    check, fitting, others = CASES[kind]
    for value in fitting:
        check(value, "here")
    for value in others:
        with pytest.raises(CheckpointError, match="here"):
            check(value, "here")


def test_values_are_walked_by_their_keys_once_and_not_without_end():
    shared = [1]
    seen = [key for key, _ in checks.walk({"a": shared, "b": [shared, 2]}, "")]
    assert seen == ["", "a", "a.0", "b", "b.0", "b.1"]  # what `shared` holds comes only once
    deep = []
    for _ in range(checks.MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(CheckpointError, match="more than 32 deep"):
        list(checks.walk(deep, "x"))


def test_a_dataclass_is_filled_with_what_is_there():
    assert checks.filled(Counts, {"steps": 3, "loss": 1.0, "other": 5}) == Counts(3, 1.0, None)


def test_is_finite_looks_at_every_number():
    assert checks.is_finite(torch.zeros(0)) and checks.is_finite(torch.tensor([1, 2]))
    for bad in (math.nan, math.inf, -math.inf):
        values = torch.zeros(1000)
        values[777] = bad
        assert not checks.is_finite(values)
