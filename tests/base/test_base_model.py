"""What the sequences of a batch are told: extras, and generators for what is drawn for each."""

import numpy as np
import pytest
import torch

from base.base_data_loader import Batch
from base.base_model import ExtraShapes, Given
from model import PredictionNetwork
from tests.moody import NORMALISATION, moody
from utils.checks import DataError, UserError


def draws(given):
    return torch.stack([torch.randn(5, generator=generator) for generator in given.generators])


def test_the_same_seed_draws_the_same_each_time_and_not_what_the_line_draws():
    given = Given({}, [3, 4, 3])
    first = draws(given)
    assert torch.equal(draws(given), first) and torch.equal(first[0], first[2])
    assert torch.equal(draws(given[[1]]), first[1:2])
    assert not torch.isclose(first[0], first[1]).any()
    assert not torch.isclose(first[0], torch.randn(5, generator=torch.manual_seed(3))).any()
    assert Given({}).generators is None
    rows = Given({"mood": torch.arange(6.0).reshape(3, 2)}, range(7, 10))[[2, 2, 0]]
    assert rows.extras["mood"].tolist() == [[4, 5], [4, 5], [0, 1]] and [*rows.seeds] == [9, 9, 7]


def test_what_is_not_told_is_zero_and_numbers_are_for_all_or_a_row_for_each():
    network = moody(age=[], map=[2, 3])
    extras = network.told(2, {"age": 3, "map": range(6)}).extras
    assert {name: value.shape for name, value in extras.items()} == {
        **{"mood": (2, 2), "age": (2,), "map": (2, 2, 3)}
    }
    assert not extras["mood"].any() and extras["age"].tolist() == [3, 3]
    assert extras["map"].tolist() == [[[0, 1, 2], [3, 4, 5]]] * 2
    rows = np.array([[1, 2], [3, 4]], np.float64)
    assert network.told(2, {"mood": rows}).extras["mood"].tolist() == rows.tolist()
    assert network.told(1, {"age": [0.5]}, [6]).seeds == [6]


@pytest.mark.parametrize(
    ("extras", "match"),
    [
        ({"mud": [1, 2]}, r"extra mud = \[1, 2\] does not fit: Moody takes mood of shape \(2,\)$"),
        ({"mood": [1, 2, 3]}, "extra mood = .* does not fit"),
        ({"mood": 1.0}, "extra mood = 1.0 does not fit"),
        ({"mood": "happy"}, "extra mood = 'happy' does not fit"),
        ({"mood": [[1, 2]] * 3}, "extra mood = .* does not fit"),
    ],
)
def test_extras_that_a_network_does_not_take_are_refused(extras, match):
    with pytest.raises(UserError, match=match):
        moody().told(2, extras)
    with pytest.raises(UserError, match="PredictionNetwork takes no extras"):
        PredictionNetwork(NORMALISATION, hidden_size=4).told(2, extras)
    with pytest.raises(DataError, match=r"takes the extra 'age'; the samples.* have mood of shape"):
        ExtraShapes({"mood": [2]})["age"]


def test_sequences_begin_by_chance_in_training_and_by_their_places_in_validation():
    network, index = moody(), torch.tensor([5, 9])
    batch = Batch(*[torch.zeros(2, 1)] * 2, *[index] * 4, extras={"mood": torch.ones(2, 2)})
    first, again = (network.begin(batch)["told"] for _ in range(2))
    assert torch.equal(first, again) and torch.equal(first[:, :2], torch.ones(2, 2))
    other = network.initial_state(1, Given({"mood": torch.ones(1, 2)}, [9]))["told"]
    assert torch.equal(first[1:], other)
    network.train()
    torch.manual_seed(1)
    first, again = (network.begin(batch)["told"] for _ in range(2))
    assert not torch.isclose(first[:, 2:], again[:, 2:]).any()
    torch.manual_seed(1)
    assert torch.equal(network.begin(batch)["told"], first)
