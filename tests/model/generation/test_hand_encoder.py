"""What networks are told of hands: the vector, and how a network that is told writes."""

import numpy as np
import pytest
import torch

from base.base_model import Given
from model import PredictionNetwork, SynthesisNetwork
from model.generation.hand_encoder import (
    DESCRIPTOR,
    NUM_HANDS,
    PRIOR_WEIGHT,
    VECTOR_BOUND,
    HandEncoder,
    hand_extra,
)
from utils.alphabet import Alphabet
from utils.checks import ConfigFault
from utils.hand_measures import TOLD_LINES
from utils.normalisation import Normalisation

UNIT = Normalisation((0.0, 0.0), (1.0, 1.0))


def lines(*counts, seed=0):
    """Return the lines of hands, as many as counted."""
    torch.manual_seed(seed)
    rows = torch.randn(len(counts), TOLD_LINES, DESCRIPTOR)
    weights = torch.rand(len(counts), TOLD_LINES, 1) + 0.1
    inside = torch.arange(TOLD_LINES) < torch.tensor(counts)[:, None]
    return torch.cat((rows * weights, weights), 2) * inside[..., None]


def test_a_hand_is_the_weighted_mean_of_its_lines():
    encoder, hands = HandEncoder(5, 0.3, 0.5).eval(), lines(3, 1, 0)
    total = hands.double().sum(1)
    for hand, vector in zip(total[:2], encoder(hands)[:2], strict=True):
        mean = hand[:-1] / (hand[-1] + PRIOR_WEIGHT)
        torch.testing.assert_close(vector, VECTOR_BOUND * encoder.layers(mean.float()[None])[0])
    assert encoder(hands)[2].tolist() == [0.0] * 5
    alone = torch.zeros(3, TOLD_LINES, DESCRIPTOR + 1)
    alone[:, 0] = total.float()
    torch.testing.assert_close(encoder(alone), encoder(hands))


def test_in_training_lines_noise_and_silence_are_drawn():
    hands = lines(TOLD_LINES).expand(4000, -1, -1)
    still = HandEncoder(5, 0.0, 0.4)
    vectors = still(hands)
    told = vectors.abs().sum(1) > 0
    # A binomial share of 4,000 is within four deviations but once in 16,000 times.
    assert told.float().mean().item() == pytest.approx(0.6, abs=4 * 0.0078)
    # All lines with a probability of an eighth.
    whole = still.eval()(hands[:1])
    same = torch.isclose(vectors, whole, atol=1e-5).all(1)
    assert same.float().mean().item() == pytest.approx(0.6 / TOLD_LINES, abs=4 * 0.0042)
    noisy = HandEncoder(5, 0.5, 0.0)
    noisy.load_state_dict(still.state_dict())
    alike = 1000 * lines(1)[:, :1].expand(
        4000, TOLD_LINES, -1
    )  # Whichever are drawn, it is the same.
    noise = noisy(alike) - still(alike)
    assert noise.mean().item() == pytest.approx(0.0, abs=4 * 0.5 / 20000**0.5)
    assert noise.std().item() == pytest.approx(0.5, abs=4 * 0.5 / 40000**0.5)


@pytest.mark.parametrize("kind", [PredictionNetwork, SynthesisNetwork])
def test_an_untold_network_is_the_one_of_before_and_a_told_one_is_not(kind):
    words = (UNIT, Alphabet("abcd")) if kind is SynthesisNetwork else (UNIT,)
    torch.manual_seed(0)
    network = kind(*words, hidden_size=8, num_mixtures=3, hand_size=4).eval()
    before = kind(*words, hidden_size=8, num_mixtures=3).eval()
    named = {name: value for name, value in network.state_dict().items() if "hand" not in name}
    before.load_state_dict(named)
    inputs, text = torch.randn(2, 6, 3), torch.randint(4, (2, 5))
    lengths = torch.tensor([5, 4])

    def raw(model, state=None):
        return model(inputs, text, lengths, state).prediction.means

    extras = {"hand": lines(4, 0), "composed": torch.zeros(2, 1)}
    state = network.initial_state(2, Given(extras))
    assert torch.equal(raw(network, state), raw(network))  # its weights begin at zero
    torch.testing.assert_close(raw(network), raw(before))
    with torch.no_grad():
        network.hand_gates.weight.normal_()
    told = raw(network, network.initial_state(2, Given(extras)))
    assert (told[0] - raw(network)[0]).abs().max() > 0.01
    torch.testing.assert_close(told[1], raw(network)[1])  # without a line


def test_grus_are_told_no_hand():
    with pytest.raises(ConfigFault, match=r"hand_size.*GRU cells are told no hand"):
        PredictionNetwork(UNIT, hidden_size=8, cell="GRU", hand_size=4)


def test_seeds_give_hands_near_each_stored_hand_in_turn():
    encoder = HandEncoder(5, 0.3, 0.0)
    drawn = torch.from_numpy(np.array([encoder.draw(seed) for seed in range(2 * NUM_HANDS)]))
    distances = torch.cdist(drawn, encoder.hands.double())
    assert distances.argmin(1).tolist() == [*range(NUM_HANDS)] * 2
    assert distances.min() > 0.1  # they are nobody's
    assert (drawn[:NUM_HANDS] - drawn[NUM_HANDS:]).norm(dim=1).min() > 0.1
    assert np.array_equal(encoder.draw(7), encoder.draw(7))


def test_after_a_single_hand_that_hand_is_drawn():
    encoder = HandEncoder(5, 0.3, 0.0)
    hand = np.linspace(-1, 1, DESCRIPTOR, dtype=np.float32)
    encoder(torch.from_numpy(hand_extra(hand)).expand(NUM_HANDS, -1, -1))
    np.testing.assert_allclose(encoder.draw(7), hand, atol=1e-6)


def test_few_hands_take_the_places_of_others():
    encoder = HandEncoder(5, 0.3, 0.0)
    before = encoder.hands.clone()
    batch = lines(2, 0)
    encoder(batch)
    changed = (encoder.hands != before).any(1)
    assert changed.sum() == 1  # that of which nothing is told is not kept
    total = batch[0].sum(0)
    torch.testing.assert_close(encoder.hands[changed][0], total[:-1] / total[-1])
