"""The plain networks, which the speed is measured against, compute what the project's compute."""

import pytest
import torch

from base.base_data_loader import Batch
from benchmarks import plain
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import (
    AttentionNetwork,
    CTCLoss,
    CTCNetwork,
    NegativeLogLikelihood,
    PredictionNetwork,
    SynthesisNetwork,
    TranscriptionLoss,
)
from model.recognition.decoding import GREEDY
from tests.construct import construct

UNITS, ALPHABET = Normalisation((8.0, 0.5), (40.0, 30.0)), Alphabet("abc .")
SIZES = {"hidden_size": 12, "num_layers": 2}
LENGTHS, TEXTS = (9, 26, 17), (1, 4, 3)


def batch_of(features: int | None) -> Batch:
    """Return random lines, of points or of features."""
    draw = torch.Generator().manual_seed(1)
    lengths, text_lengths = torch.tensor(LENGTHS), torch.tensor(TEXTS)
    inputs, targets = torch.randn(2, 3, max(LENGTHS), features or 4, generator=draw).double()
    inside = torch.arange(max(LENGTHS)) < lengths[:, None]
    inputs, targets = inputs * inside[..., None], targets * inside[..., None]
    if features is None:
        inputs[..., 2], targets[..., 2] = inputs[..., 2] > 0.5, targets[..., 2] > 0.5
    text = torch.randint(0, len(ALPHABET), (3, max(TEXTS)), generator=draw)
    targets = None if features else targets
    return Batch(inputs, targets, lengths, text, text_lengths, torch.arange(3))


def gradients(loss: torch.Tensor, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    network.zero_grad()
    loss.sum().backward()
    return {name: weight.grad for name, weight in network.named_parameters()}


@pytest.mark.parametrize("kind", [PredictionNetwork, SynthesisNetwork])
def test_a_plain_generator_has_the_same_losses_and_gradients(kind):
    torch.manual_seed(0)
    alphabet = [ALPHABET] if kind is SynthesisNetwork else []
    own = construct(kind, UNITS, *alphabet, num_mixtures=4, max_correlation=0.9, **SIZES).double()
    other, batch = plain.network_of(own).double(), batch_of(None)
    texts = batch.text, batch.text_lengths
    loss = NegativeLogLikelihood()(own(batch.inputs, *texts), batch)
    points = batch.inputs[..., :3], batch.targets[..., :3], batch.mask
    expected = other.loss(*points, *texts)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    ours, theirs = gradients(loss, own), gradients(expected, other)
    torch.testing.assert_close(ours["output.weight"], theirs["output.weight"], rtol=1e-5, atol=1e-6)
    upper = theirs[f"cells.{1}.weight_hh"]
    assert upper.abs().max() > 1e-3
    torch.testing.assert_close(ours["layers.1.layer.weight_hh_l0"], upper, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reductions", [0, 1])
@pytest.mark.parametrize("kind", [CTCNetwork, AttentionNetwork])
def test_a_plain_recogniser_has_the_same_losses_gradients_and_texts(kind, reductions):
    torch.manual_seed(0)
    own = construct(
        kind, UNITS, ALPHABET, channels=6, time_reductions=reductions, dropout=0.0, **SIZES
    )
    own, batch = own.double(), batch_of(10)
    other = plain.network_of(own).double()
    inputs = batch.inputs, batch.lengths, batch.text, batch.text_lengths
    loss = CTCLoss()
    if kind is AttentionNetwork:
        loss = TranscriptionLoss(label_smoothing=0.1, ctc_weight=0.5)
    loss, expected = loss(own(*inputs), batch), other.loss(*inputs)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    ours, theirs = gradients(loss, own), gradients(expected, other)
    renamed = {"forward_rnn.layer": "forwards", "backward_rnn.layer": "backwards"}
    for name, gradient in ours.items():
        for old, new in renamed.items():
            name = name.replace(old, new)
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-5, atol=1e-6, msg=name)
    if kind is CTCNetwork:
        with torch.no_grad():  # so that characters, and not only blanks, are the likeliest
            own.labels.bias[-1] -= 0.3
            other.labels.bias[-1] -= 0.3
        transcript = own.eval()(*inputs[:2], search=GREEDY)
        texts = [ALPHABET.decode(text) for text in other.eval().read(*inputs[:2])]
        assert any(texts) and texts == transcript.hypotheses


def test_plain_writing_follows_the_distribution_of_the_network():
    """A mixture of one narrow component, which the network has at any input: all points are at its
    mean, and the window passes the text's end at the pace that its bias says."""
    torch.manual_seed(0)
    own = construct(
        SynthesisNetwork, UNITS, ALPHABET, num_mixtures=1, min_scale=1e-5, **SIZES
    ).eval()
    with torch.no_grad():
        own.output.weight.zero_()
        own.output.bias.copy_(torch.tensor([-40.0, 0.0, 0.7, -0.2, -20.0, -20.0, 0.0]))
        own.layers[0].window.weight.zero_()
        own.layers[0].window.bias[-10:] = torch.log(torch.tensor(0.5))
    network = plain.network_of(own)
    text, lengths = torch.zeros(2, 4, dtype=torch.int64), torch.tensor([4, 4])
    points, has_ended = network.write(5, torch.zeros(3), text, lengths)
    expected = torch.tensor([0.7, -0.2, 1.0]).expand(2, 5, 3)
    torch.testing.assert_close(points, expected, rtol=0, atol=1e-4)
    assert not has_ended.any()
    _, has_ended = network.write(12, torch.zeros(3), text, lengths)
    assert has_ended.all()
