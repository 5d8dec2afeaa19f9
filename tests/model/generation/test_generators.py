"""The networks that write: padding, sequences in parts, the number that ends a sequence."""

from dataclasses import replace

import pytest
import torch

from model import NegativeLogLikelihood, PredictionNetwork, SynthesisNetwork
from tests.model.builders import batch, generator

KINDS = pytest.mark.parametrize("kind", [PredictionNetwork, SynthesisNetwork])


def sequences(*lengths):
    """Return random points and texts of five characters."""
    torch.manual_seed(1)
    points = torch.randn(len(lengths), max(lengths) + 1, 3)
    points[..., 2] = (points[..., 2] > 1.0).float()
    texts = torch.randint(4, (len(lengths), 5)).tolist()
    return batch(inputs=points[:, :-1].clone(), targets=points[:, 1:], lengths=lengths, texts=texts)


def run(network, batch, state=None):
    return network(batch.inputs, batch.text, batch.text_lengths, state)


def loss(network, batch):
    return NegativeLogLikelihood()(run(network, batch), batch)


@KINDS
def test_loss_does_not_depend_on_padding(kind):
    network, padded = generator(kind), sequences(9, 5)
    before = loss(network, padded)
    padded.inputs[1, 5:], padded.targets[1, 5:] = 7.0, -7.0
    torch.testing.assert_close(loss(network, padded), before)


@KINDS
def test_loss_of_a_sequence_does_not_depend_on_other_sequences_of_its_batch(kind):
    network, both = generator(kind), sequences(9, 5)
    alone = both.map(lambda values: values[1:]).chunk(0, 5)
    torch.testing.assert_close(loss(network, alone), loss(network, both)[1:])


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@KINDS
def test_network_continues_a_sequence_from_the_state_of_its_first_part(kind, cell):
    network, whole = generator(kind, cell=cell), sequences(9, 9)
    expected = run(network, whole)
    state = None
    means = []
    for start, steps in ((0, 4), (4, 1), (5, 3), (8, 1)):
        output = run(network, whole.chunk(start, steps), state)
        state = output.state
        means.append(output.prediction.means)
    near = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(torch.cat(means, 1), expected.prediction.means, **near)
    torch.testing.assert_close(state, expected.state, **near)
    assert state.keys() == network.initial_state(2).keys()


@pytest.mark.parametrize(
    ("end_of_sequence", "number", "same"),
    [(False, 1.0, True), (True, 0.0, True), (True, 1.0, False)],
)
@KINDS
def test_network_sees_the_end_of_sequence_of_its_inputs_only_if_it_predicts_it(
    kind, end_of_sequence, number, same
):
    """It is 0 when the inputs lack it."""
    network, short = generator(kind, end_of_sequence=end_of_sequence), sequences(6, 4)
    inputs = torch.nn.functional.pad(short.inputs, (0, 1), value=number)
    means = [run(network, row).prediction.means for row in (short, replace(short, inputs=inputs))]
    assert torch.equal(*means) == same
