"""What the sequences of a batch are told: extras, and generators for what is drawn for each."""

from contextlib import nullcontext

import pytest
import torch

from base.base_data_loader import Batch
from base.base_model import Conditions
from base.data.samples import ExtraShapes
from ink.alphabet import Alphabet
from model import CTCNetwork, PredictionNetwork
from tests.construct import construct
from tests.moody import NORMALISATION, moody
from utils.checks import DataError, UserError


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
        moody().make_conditions(2, extras)
    with pytest.raises(UserError, match="PredictionNetwork takes no extras"):
        construct(PredictionNetwork, NORMALISATION, hidden_size=4).make_conditions(2, extras)
    with pytest.raises(DataError, match=r"takes the extra 'age'; the samples.* have mood of shape"):
        ExtraShapes({"mood": [2]})["age"]


def test_a_vocabulary_axis_without_room_for_all_characters_is_refused():
    class Misnamed(CTCNetwork):
        vocabulary_axes = {"labels.weight": (0, 2)}  # noqa: RUF012

    for kind in (CTCNetwork, Misnamed):
        network = construct(kind, NORMALISATION, Alphabet("abcdefgh"), hidden_size=4, num_layers=1)
        with (
            nullcontext()
            if kind is CTCNetwork
            else pytest.raises(
                UserError, match=r"of at least 10; dimension 0 of labels\.weight has 9"
            )
        ):
            network.check_vocabulary()


def test_latents_are_random_in_training_and_seeded_by_the_index_in_validation():
    network, index = moody(), torch.tensor([5, 9])
    batch = Batch(*[torch.zeros(2, 1)] * 2, *[index] * 4, extras={"mood": torch.ones(2, 2)})
    first, again = (network.begin(batch)["told"] for _ in range(2))
    assert torch.equal(first, again) and torch.equal(first[:, :2], torch.ones(2, 2))
    other = network.initial_state(1, Conditions({"mood": torch.ones(1, 2)}, [9]))["told"]
    assert torch.equal(first[1:], other)
    network.train()
    torch.manual_seed(1)
    first, again = (network.begin(batch)["told"] for _ in range(2))
    assert not torch.isclose(first[:, 2:], again[:, 2:]).any()
    torch.manual_seed(1)
    assert torch.equal(network.begin(batch)["told"], first)
