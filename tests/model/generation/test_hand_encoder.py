"""What networks are told of hands: the vector, and how a network that is told it writes."""

import numpy as np
import pytest
import torch

from base.base_model import Conditions
from ink.measures import NUM_HAND_LINES
from model import PredictionNetwork, SynthesisNetwork
from model.generation.hand_encoder import (
    DESCRIPTOR,
    VECTOR_BOUND,
    HandEncoder,
    hand_extra,
    line_by_line,
)
from tests.model.builders import generator
from utils.checks import ConfigFault


def hands(*counts):
    """Return random hands of so many lines."""
    torch.manual_seed(0)
    rows = torch.randn(len(counts), NUM_HAND_LINES, DESCRIPTOR)
    weights = torch.rand(len(counts), NUM_HAND_LINES, 1) + 0.1
    inside = torch.arange(NUM_HAND_LINES) < torch.tensor(counts)[:, None]
    return torch.cat((rows * weights, weights), 2) * inside[..., None]


def encoder(noise=0.3, untold=0.0):
    torch.manual_seed(1)
    return HandEncoder(5, noise, untold)


def test_hand_vector_is_computed_from_the_weighted_mean_of_the_lines():
    network, lines = encoder().eval(), hands(3, 1, 0)
    total = lines.sum(1)
    means = total[:2, :-1] / (total[:2, -1:] + 0.25)
    torch.testing.assert_close(network(lines)[:2], VECTOR_BOUND * network.layers(means))
    assert network(lines)[2].tolist() == [0.0] * 5  # without a line


def test_hands_are_encoded_each_by_itself_and_equal_hands_once():
    network, seen = encoder().eval(), []
    network.register_forward_hook(lambda _, inputs, output: seen.append(len(inputs[0])))
    lines = hands(3, 1, 0)[[1, 0, 1, 2, 0]]
    vectors = line_by_line(network, lines)
    assert seen == [1, 1, 1]
    assert torch.equal(vectors, torch.cat([network(line) for line in lines.split(1)]))


def test_training_leaves_out_hands_or_some_of_their_lines_at_random():
    """4,000 hands within four standard deviations (false alarm < 1e-3)."""
    network, hand = encoder(noise=0.0, untold=0.4), hands(NUM_HAND_LINES)
    vectors, whole = network(hand.expand(4000, -1, -1)), network.eval()(hand)
    untold = (vectors == 0).all(1).float().mean().item()
    all_lines = torch.isclose(vectors, whole, atol=1e-5).all(1).float().mean().item()
    for fraction, chance in ((untold, 0.4), (all_lines, 0.6 / NUM_HAND_LINES)):
        assert fraction == pytest.approx(chance, abs=4 * (chance * (1 - chance) / 4000) ** 0.5)


def test_noise_in_training_has_its_standard_deviation():
    """20,000 numbers within four standard errors (false alarm < 1e-3)."""
    lines = 1000 * hands(1)[:, :1].expand(4000, NUM_HAND_LINES, -1)  # all lines agree
    noise = encoder(noise=0.5)(lines) - encoder(noise=0.0)(lines)
    assert noise.mean().item() == pytest.approx(0.0, abs=4 * 0.5 / 20000**0.5)
    assert noise.std().item() == pytest.approx(0.5, abs=4 * 0.5 / 40000**0.5)


def means(network, state=None):
    torch.manual_seed(2)
    inputs, text = torch.randn(2, 6, 3), torch.randint(4, (2, 5))
    return network(inputs, text, torch.tensor([5, 4]), state).prediction.means


KINDS = pytest.mark.parametrize("kind", [PredictionNetwork, SynthesisNetwork])
EXTRAS = {"hand": hands(4, 0), "composed": torch.zeros(2, 1)}


@KINDS
def test_new_network_with_hands_writes_as_a_network_without_hands(kind):
    """The weights from hands to gates begin at zero."""
    network, plain = generator(kind, hand_size=4), generator(kind)
    weights = network.state_dict()
    plain.load_state_dict({name: weights[name] for name in weights if "hand" not in name})
    torch.testing.assert_close(means(network), means(plain))
    assert torch.equal(means(network, network.initial_state(2, Conditions(EXTRAS))), means(network))


@KINDS
@torch.no_grad()
def test_hand_changes_the_prediction_unless_it_has_no_line(kind):
    network = generator(kind, hand_size=4)
    network.hand_gates.weight.normal_()
    with_hand, plain = means(network, network.initial_state(2, Conditions(EXTRAS))), means(network)
    assert (with_hand[0] - plain[0]).abs().max() > 0.01
    torch.testing.assert_close(with_hand[1], plain[1])


def test_gru_cells_refuse_a_hand():
    with pytest.raises(ConfigFault, match=r"hand_size.*GRU cells take no hand"):
        generator(PredictionNetwork, cell="GRU", hand_size=4)


def test_seeds_give_hands_near_each_stored_hand_in_turn():
    network = encoder()
    count = len(network.hands)
    drawn = torch.from_numpy(np.array([network.draw(seed) for seed in range(2 * count)]))
    distances = torch.cdist(drawn, network.hands.double())
    assert distances.argmin(1).tolist() == [*range(count)] * 2
    assert distances.min() > 0.1  # they are nobody's
    assert (drawn[:count] - drawn[count:]).norm(dim=1).min() > 0.1
    assert np.array_equal(network.draw(7), network.draw(7))


def test_every_seed_draws_the_hand_of_training_itself_when_it_was_the_only_hand():
    network, descriptor = encoder(), np.linspace(-1, 1, DESCRIPTOR, dtype=np.float32)
    network(torch.from_numpy(hand_extra(descriptor)).expand(len(network.hands), -1, -1))
    np.testing.assert_allclose(network.draw(7), descriptor, atol=1e-6)


def test_hand_with_lines_that_training_sees_replaces_a_stored_hand():
    network, batch = encoder(), hands(2, 0)
    before = network.hands.clone()
    network(batch)
    changed = (network.hands != before).any(1)
    total = batch[0].sum(0)
    assert changed.sum() == 1  # the other has no line
    torch.testing.assert_close(network.hands[changed][0], total[:-1] / total[-1])
