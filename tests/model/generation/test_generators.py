"""The networks: padding, a sequence in parts, the ends of lines, the factor of the scaler."""

from types import SimpleNamespace

import pytest
import torch

from model import NegativeLogLikelihood, PredictionNetwork, SynthesisNetwork
from utils.alphabet import Alphabet
from utils.normalisation import Normalisation

UNIT = Normalisation((0.0, 0.0), (1.0, 1.0))
LETTERS = Alphabet("abcd")


def build(kind: str, **changes):
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_mixtures": 3} | changes
    if kind == "prediction":
        return PredictionNetwork(UNIT, **sizes)
    return SynthesisNetwork(UNIT, LETTERS, num_windows=2, **sizes)


def batch_of(*lengths: int):
    """Return a batch as the loader makes it: padded, with lengths and mask."""
    torch.manual_seed(1)
    time = max(lengths)
    points = torch.randn(len(lengths), time + 1, 3)
    points[..., 2] = (points[..., 2] > 1.0).float()
    lengths = torch.tensor(lengths)
    return SimpleNamespace(
        inputs=points[:, :-1].clone(),
        targets=points[:, 1:].clone(),
        lengths=lengths,
        mask=torch.arange(time) < lengths[:, None],
        text=torch.randint(4, (len(lengths), 5)),
        text_lengths=torch.full((len(lengths),), 5),
    )


def run(network, batch):
    return network(batch.inputs, batch.text, batch.text_lengths)


@pytest.mark.parametrize("kind", ["prediction", "synthesis"])
def test_padding_and_company_change_nothing(kind):
    network, batch = build(kind).eval(), batch_of(9, 5)
    loss = NegativeLogLikelihood()
    together = loss(run(network, batch), batch)
    batch.inputs[1, 5:], batch.targets[1, 5:] = 7.0, -7.0
    changed = loss(run(network, batch), batch)
    alone = batch_of(9, 5)
    for name, value in vars(alone).items():
        setattr(alone, name, value[1:, :5] if name in ("inputs", "targets", "mask") else value[1:])
    torch.testing.assert_close(changed, together)
    torch.testing.assert_close(loss(run(network, alone), alone)[0], together[1])


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize("kind", ["prediction", "synthesis"])
def test_a_sequence_in_parts_is_the_sequence(kind, cell):
    network, batch = build(kind, cell=cell).eval(), batch_of(9, 9)
    whole, state, parts = run(network, batch), None, []
    for part in batch.inputs.split((4, 1, 3, 1), 1):
        parts.append(network(part, batch.text, batch.text_lengths, state))
        state = parts[-1].state
    joined = torch.cat([part.prediction.means for part in parts], 1)
    torch.testing.assert_close(joined, whole.prediction.means, rtol=1e-4, atol=1e-5)
    assert state.keys() == network.initial_state(2).keys()
    torch.testing.assert_close(state, whole.state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["prediction", "synthesis"])
def test_what_the_fourth_number_does(kind):
    """A network without it does not see it; one with it does, and takes its absence for 0."""
    batch, ones = batch_of(6, 4), torch.ones(2, 6, 1)
    plain, ending = build(kind).eval(), build(kind, end_of_sequence=True).eval()
    found = []
    for inputs in (batch.inputs, *(torch.cat((batch.inputs, n * ones), -1) for n in (0, 1))):
        outputs = [one(inputs, batch.text, batch.text_lengths) for one in (plain, ending)]
        found.append([one.prediction.means for one in outputs])
    assert torch.equal(found[0][0], found[2][0])
    assert torch.equal(found[0][1], found[1][1]) and not torch.allclose(found[0][1], found[2][1])
